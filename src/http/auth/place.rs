//! The page that follows the sign-in: one of ours, never another site.

/// The longest path that is kept, in bytes.
pub const MAX_PLACE_BYTES: usize = 1_000;

/// Whether a text is the path, with or without a query, of one of our pages. Forms that browsers
/// take for another site are rejected.
#[must_use]
pub fn is_place(text: &str) -> bool {
    let ours = text.starts_with('/') && !text.starts_with("//");
    ours && text.len() <= MAX_PLACE_BYTES
        && text
            .bytes()
            .all(|byte| byte.is_ascii_graphic() && byte != b'\\')
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_our_own_pages_are_places() {
        for place in [
            "/",
            "/experiments/pend00",
            "/do/hold?resource=r-pend00&reason=a+b%20c",
        ] {
            assert!(is_place(place), "{place}");
        }
        let long = format!("/{}", "x".repeat(MAX_PLACE_BYTES));
        for other in [
            "",
            "x",
            "//evil.example",
            "https://evil.example",
            "/\\evil.example",
            "/a\nb",
            "/a b",
            "/é",
            &long,
        ] {
            assert!(!is_place(other), "{other}");
        }
    }
}
