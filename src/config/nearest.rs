//! The known name that an unknown one probably stands for.

/// The most characters by which a misspelt name may differ from the one that is suggested, unless a
/// third of its characters is more.
const SUGGESTED_WITHIN: usize = 2;

/// The known name that is nearest to `unlisted`, if one is near enough to be suggested.
pub(super) fn nearest<'a, S: AsRef<str>>(unlisted: &str, known: &'a [S]) -> Option<&'a str> {
    let lower = unlisted.to_ascii_lowercase();
    let unlisted = lower.strip_prefix("status_").unwrap_or(&lower);
    let within = SUGGESTED_WITHIN.max(unlisted.len() / 3);
    let named = known.iter().map(AsRef::as_ref);
    let (distance, name) = named
        .map(|name| (distance(unlisted, name), name))
        .min_by_key(|(distance, _)| *distance)?;
    (distance <= within).then_some(name)
}

/// A name that is among those that are known; `kind` says of what it is one.
pub(super) fn one_of(text: &str, known: &[String], kind: &str) -> Result<String, String> {
    if known.iter().any(|name| name == text) {
        return Ok(text.to_owned());
    }
    let meant = nearest(text, known).map(|name| format!(": did you mean {name}?"));
    Err(format!("is not a {kind}{}", meant.unwrap_or_default()))
}

/// The edit distance of `a` and `b` in characters (Levenshtein).
fn distance(a: &str, b: &str) -> usize {
    let mut row: Vec<usize> = (0..=b.chars().count()).collect();
    for (i, from) in a.chars().enumerate() {
        let mut next = Vec::with_capacity(row.len());
        next.push(i + 1);
        for ((to, pair), left_below) in b.chars().zip(row.windows(2)).zip(1..) {
            let [diagonal, above] = pair else { continue };
            let left = next.get(left_below - 1).copied().unwrap_or(usize::MAX - 1);
            next.push(
                (diagonal + usize::from(from != to))
                    .min(above + 1)
                    .min(left + 1),
            );
        }
        row = next;
    }
    row.last().copied().unwrap_or(usize::MAX)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::config::settings;

    #[test]
    fn distances() {
        for (a, b, expected) in [
            ("", "", 0),
            ("", "abc", 3),
            ("abc", "abc", 0),
            ("host_bok", "host_book", 1),
            ("kitten", "sitting", 3),
        ] {
            assert_eq!(distance(a, b), expected, "{a} {b}");
        }
    }

    #[test]
    fn a_misspelt_name_finds_its_setting() {
        let known: Vec<&str> = settings().map(|setting| setting.name).collect();
        for (unlisted, expected) in [
            ("host_bok", Some("host_book")),
            ("host_bookjump", Some("host_book")),
            ("STATUS_HOST_JUMP", Some("host_jump")),
            ("health_lastactive", Some("health_last_active")),
            ("whom_to_tell", None),
            ("zzz", None),
        ] {
            assert_eq!(nearest(unlisted, &known), expected, "{unlisted}");
        }
    }
}
