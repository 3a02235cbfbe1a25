//! Ids that cannot be guessed, and comparisons in constant time.

use std::fmt::Write as _;

use aws_lc_rs::{constant_time, rand};

/// How many random bytes an id has: enough that two never collide.
const ID_BYTES: usize = 12;

/// The number of digits of an id: two for each of its bytes.
pub const ID_LETTERS: usize = 2 * ID_BYTES;

/// A new id, in lower-case hexadecimal. `None` when the system provides no randomness, of which no
/// case is known.
#[must_use]
pub fn id() -> Option<String> {
    let mut bytes = [0; ID_BYTES];
    rand::fill(&mut bytes).ok()?;
    Some(hex(&bytes))
}

/// Bytes in lower-case hexadecimal.
pub(in crate::http) fn hex(bytes: &[u8]) -> String {
    bytes.iter().fold(String::new(), |mut text, byte| {
        // Writing into a string cannot fail.
        let _ = write!(text, "{byte:02x}");
        text
    })
}

/// Whether two texts are equal. Its duration reveals only whether their lengths are.
#[must_use]
pub fn same(a: &str, b: &str) -> bool {
    constant_time::verify_slices_are_equal(a.as_bytes(), b.as_bytes()).is_ok()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn ids_differ_and_have_their_form() {
        let (one, two) = (id().expect("random"), id().expect("random"));
        assert!(
            one != two
                && one.len() == ID_LETTERS
                && one.bytes().all(|byte| byte.is_ascii_hexdigit()),
            "{one} {two}"
        );
    }

    #[test]
    fn sameness() {
        for (a, b, expect) in [
            ("", "", true),
            ("abc", "abc", true),
            ("abc", "abd", false),
            ("abc", "ab", false),
            ("", "a", false),
        ] {
            assert_eq!(same(a, b), expect, "{a} {b}");
        }
    }
}
