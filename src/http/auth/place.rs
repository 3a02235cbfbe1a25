//! The page that follows the sign-in: one of ours, never another site.

use url::form_urlencoded;

/// The longest path that is kept, in bytes.
pub const MAX_PLACE_BYTES: usize = 1_000;

/// The address of this path with this query; without any, the path alone.
pub(in crate::http) fn below<'a>(
    path: &str,
    query: impl IntoIterator<Item = (&'a str, &'a str)>,
) -> String {
    let start = format!("{path}?");
    let length = start.len();
    let mut address = form_urlencoded::Serializer::for_suffix(start, length);
    let address = address.extend_pairs(query).finish();
    address.trim_end_matches('?').to_owned()
}

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
