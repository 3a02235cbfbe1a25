//! What a token with the scope `report` may report on. Such tokens are on devices that students can
//! reach, so each names its subjects.

use serde::{Deserialize, Serialize};

/// The most names in one token.
pub const MAX_REPORTABLE: usize = 32;

/// The longest name, in bytes.
const MAX_REPORTABLE_BYTES: usize = 64;

/// Names of components and experiments. A name that ends in `*` stands for all that begin so.
#[derive(Debug, Clone, PartialEq, Eq, Default, Serialize, Deserialize)]
#[serde(try_from = "Vec<String>")]
pub struct Reportable(Vec<String>);

/// The names cannot be in a token.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
#[error(
    "up to {most} names of components and experiments are allowed, each of 1 to {bytes} letters, digits, \
     dashes, dots and underscores, with one * at the end where it stands for all that begin so",
    most = MAX_REPORTABLE,
    bytes = MAX_REPORTABLE_BYTES
)]
pub struct ReportableError;

impl TryFrom<Vec<String>> for Reportable {
    type Error = ReportableError;

    fn try_from(names: Vec<String>) -> Result<Self, ReportableError> {
        if names.len() <= MAX_REPORTABLE && names.iter().all(|name| is_name(name)) {
            Ok(Self(names))
        } else {
            Err(ReportableError)
        }
    }
}

impl Reportable {
    /// Whether no name is in it.
    #[must_use]
    pub fn is_empty(&self) -> bool {
        self.0.is_empty()
    }

    /// Whether the component or experiment of this name is included.
    #[must_use]
    pub fn includes(&self, name: &str) -> bool {
        self.0.iter().any(|known| match known.strip_suffix('*') {
            Some(beginning) => name.starts_with(beginning),
            None => known == name,
        })
    }

    /// The names as they were given.
    pub fn names(&self) -> impl Iterator<Item = &str> {
        self.0.iter().map(String::as_str)
    }
}

fn is_name(text: &str) -> bool {
    let plain = text.strip_suffix('*').unwrap_or(text);
    (1..=MAX_REPORTABLE_BYTES).contains(&text.len())
        && plain
            .bytes()
            .all(|b| b.is_ascii_alphanumeric() || b"-_.".contains(&b))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn of(names: &[&str]) -> Result<Reportable, ReportableError> {
        Reportable::try_from(
            names
                .iter()
                .map(|name| (*name).to_owned())
                .collect::<Vec<_>>(),
        )
    }

    #[test]
    fn names_and_beginnings_are_included() {
        let some = of(&["wiki", "pend*"]).expect("names");
        for (name, expect) in [
            ("wiki", true),
            ("wiki2", false),
            ("pend00", true),
            ("pend", true),
            ("spin00", false),
            ("", false),
        ] {
            assert_eq!(some.includes(name), expect, "{name}");
        }
        assert!(of(&["*"]).expect("all").includes("anything"));
        assert!(!Reportable::default().includes("anything"));
    }

    #[test]
    fn what_is_no_name_is_refused() {
        for bad in ["", "a b", "a*b", "**", "../x", &"x".repeat(65)] {
            assert_eq!(of(&[bad]), Err(ReportableError), "{bad}");
        }
        let many = vec!["x".to_owned(); MAX_REPORTABLE + 1];
        assert_eq!(Reportable::try_from(many), Err(ReportableError));
    }
}
