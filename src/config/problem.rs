//! Errors of a configuration, as text. Never holds the value of a secret.

use std::fmt;

/// The longest part of a wrong value that is quoted, in characters.
const MAX_QUOTED: usize = 100;

/// One error of one setting.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Problem {
    /// The setting; empty where the error is in the configuration file as a whole.
    pub key: String,
    /// What is wrong, with the value unless it is a secret.
    pub wrong: String,
    /// What is allowed, or what to do.
    pub allowed: String,
    /// The origin of the value: a file and line, a variable, an argument; empty where there is
    /// none.
    pub origin: String,
    /// Whether a required setting is absent.
    pub is_missing: bool,
}

impl Problem {
    pub(super) fn new(
        key: &str,
        wrong: impl Into<String>,
        allowed: &str,
        origin: impl Into<String>,
    ) -> Self {
        Self {
            key: key.to_owned(),
            wrong: wrong.into(),
            allowed: allowed.to_owned(),
            origin: origin.into(),
            is_missing: false,
        }
    }
}

impl fmt::Display for Problem {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match (self.key.as_str(), self.wrong.as_str()) {
            ("", wrong) => write!(f, "{wrong}")?,
            (key, wrong) => write!(f, "{key} {wrong}")?,
        }
        if !self.allowed.is_empty() {
            write!(f, "; {}", self.allowed)?;
        }
        if !self.origin.is_empty() {
            write!(f, " ({})", self.origin)?;
        }
        Ok(())
    }
}

/// All errors of a configuration; shown one per line.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Problems(pub Vec<Problem>);

impl fmt::Display for Problems {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        for (at, problem) in self.0.iter().enumerate() {
            let newline = if at == 0 { "" } else { "\n" };
            write!(f, "{newline}{problem}")?;
        }
        Ok(())
    }
}

impl std::error::Error for Problems {}

/// A value in quotation marks, cut, with its control characters escaped, and without the user and
/// password that a URL can hold.
pub(super) fn quote(value: &str) -> String {
    let value = match (value.find("://"), value.rfind('@')) {
        (Some(scheme), Some(at)) if scheme < at => {
            format!("{}://\u{2026}{}", &value[..scheme], &value[at..])
        }
        _ => value.to_owned(),
    };
    let cut: String = value.chars().take(MAX_QUOTED).collect();
    let more = if cut.len() < value.len() {
        "\u{2026}"
    } else {
        ""
    };
    format!("{cut:?}{more}")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_quoted_value_is_short_and_stays_on_its_line() {
        assert_eq!(quote("a\nb"), r#""a\nb""#);
        assert_eq!(quote("smtp://me:pass@x@host"), "\"smtp://\u{2026}@host\"");
        assert_eq!(quote(&"x".repeat(1000)).chars().count(), MAX_QUOTED + 3);
    }
}
