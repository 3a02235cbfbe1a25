//! Names of experiments, abbreviated: `pend00 to pend43, spin01 (45)`. Pure.

use super::words::{clip, list};

/// The longest name, in characters.
const MAX_NAME_CHARS: usize = 40;

/// A range of at least so many names is shown as its first and last.
const RUN: usize = 3;

/// A name and its number, where it ends in one.
#[derive(Clone, Copy)]
struct Name<'a> {
    text: &'a str,
    stem: &'a str,
    number: Option<u64>,
}

impl<'a> Name<'a> {
    fn new(text: &'a str) -> Self {
        let stem = text.trim_end_matches(|c: char| c.is_ascii_digit());
        let number = text
            .get(stem.len()..)
            .and_then(|digits| digits.parse().ok());
        Self { text, stem, number }
    }

    fn follows(self, other: Self) -> bool {
        self.stem == other.stem
            && self.text.len() == other.text.len()
            && self
                .number
                .zip(other.number)
                .is_some_and(|(this, other)| other.checked_add(1) == Some(this))
    }
}

/// One experiment's name, short enough for a line.
pub(super) fn name(text: &str) -> String {
    clip(text, MAX_NAME_CHARS)
}

/// The names, in order, at most so many parts; with their number where some are left out.
pub(super) fn names<'a>(all: impl IntoIterator<Item = &'a str>, max: usize) -> String {
    let mut all: Vec<&str> = all.into_iter().collect();
    all.sort_unstable_by_key(|text| {
        let name = Name::new(text);
        (name.stem, text.len(), name.number, *text)
    });
    all.dedup();
    let (mut parts, mut said) = (Vec::new(), 0);
    let mut rest = all.as_slice();
    while parts.len() < max && !rest.is_empty() {
        let (part, took) = next(rest);
        parts.push(part);
        said += took;
        rest = rest.get(took..).unwrap_or_default();
    }
    let is_each_named = parts.len() == all.len();
    if !rest.is_empty() {
        parts.push(format!("{} more", all.len() - said));
    }
    let words = list(&parts);
    if is_each_named {
        words
    } else {
        format!("{words} ({})", all.len())
    }
}

/// The next name or range of names, and how many it stands for.
fn next(rest: &[&str]) -> (String, usize) {
    let mut length = 1;
    while let (Some(this), Some(next)) = (rest.get(length - 1), rest.get(length)) {
        if !Name::new(next).follows(Name::new(this)) {
            break;
        }
        length += 1;
    }
    match (rest.first(), rest.get(length - 1)) {
        (Some(first), Some(last)) if length >= RUN => {
            (format!("{} to {}", name(first), name(last)), length)
        }
        (Some(first), _) => (name(first), 1),
        (None, _) => (String::new(), 1),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn many_names_take_few_words() {
        let many: Vec<String> = (0..44).map(|n| format!("pend{n:02}")).collect();
        let many: Vec<&str> = many.iter().map(String::as_str).collect();
        for (all, max, said) in [
            (vec!["pend03"], 4, "pend03"),
            (vec!["spin01", "pend03"], 4, "pend03 and spin01"),
            (vec!["pend03", "pend04"], 4, "pend03 and pend04"),
            (
                vec!["pend05", "pend03", "pend04"],
                4,
                "pend03 to pend05 (3)",
            ),
            (vec!["a9", "a10", "a11"], 4, "a9, a10 and a11"),
            (vec!["a", "b", "c"], 2, "a, b and 1 more (3)"),
            (vec!["x", "x"], 2, "x"),
            (vec![], 2, ""),
            (many.clone(), 4, "pend00 to pend43 (44)"),
            (
                [many.as_slice(), &["spin01"]].concat(),
                4,
                "pend00 to pend43 and spin01 (45)",
            ),
            (
                vec!["18446744073709551615", "18446744073709551614"],
                4,
                "18446744073709551614 and 18446744073709551615",
            ),
        ] {
            assert_eq!(names(all, max), said);
        }
    }
}
