//! Texts that not every reader may see, and the proof that a reader may.
//!
//! Private are messages of peers, addresses of peers and recipients, names of maintainers and of
//! tokens, advice, and what programs say they are. A [`Private`] appears nowhere by mistake: not in
//! logs, not in JSON, not on pages.

use std::fmt;

use serde::{Serialize, Serializer};

/// What a reader may see.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Visibility {
    is_full: bool,
}

impl Visibility {
    /// Of every reader: nothing private.
    pub const PUBLIC: Self = Self { is_full: false };

    /// Of what goes to maintainers alone: mails, webhooks, the command line, and the store, from
    /// which private texts come back as such.
    pub const MAINTAINER: Self = Self { is_full: true };

    /// Of a reader whose token or session was verified, by whether it allows to read what is
    /// private.
    pub fn of_reader(may_see_private: bool) -> Self {
        Self {
            is_full: may_see_private,
        }
    }

    /// Whether private texts are shown.
    pub fn is_full(self) -> bool {
        self.is_full
    }
}

/// Something private.
#[derive(Clone, PartialEq, Eq, Default)]
pub struct Private<T>(T);

impl<T> Private<T> {
    /// Marks a value as private.
    pub fn new(value: T) -> Self {
        Self(value)
    }

    /// The value, for a reader who may see it.
    pub fn show(&self, reader: Visibility) -> Option<&T> {
        reader.is_full().then_some(&self.0)
    }
}

impl<T> From<T> for Private<T> {
    fn from(value: T) -> Self {
        Self(value)
    }
}

impl<T> fmt::Debug for Private<T> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("Private")
    }
}

impl<T> fmt::Display for Private<T> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("(private)")
    }
}

impl<T> Serialize for Private<T> {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        serializer.serialize_none()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn it_shows_itself_to_those_who_may_see_it_alone() {
        let private = Private::new("s3cr3t");
        assert_eq!(private.show(Visibility::PUBLIC), None);
        assert_eq!(private.show(Visibility::of_reader(false)), None);
        assert_eq!(private.show(Visibility::of_reader(true)), Some(&"s3cr3t"));
        assert_eq!(private.show(Visibility::MAINTAINER), Some(&"s3cr3t"));
        let shown = [
            format!("{private:?} {private}"),
            serde_json::to_string(&private).expect("JSON"),
        ];
        assert!(
            shown.iter().all(|text| !text.contains("s3cr3t")),
            "{shown:?}"
        );
    }
}
