//! Names from outside, validated once where they enter.

use std::fmt;
use std::sync::Arc;

use super::pattern;

/// The longest name that is accepted, in bytes. Real names are under 30; the bound keeps a hostile
/// feed from filling memory.
pub const MAX_NAME_BYTES: usize = 256;

/// Why a text is not a name.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum NameError {
    /// The text is empty.
    #[error("a name is empty")]
    Empty,
    /// The text is longer than [`MAX_NAME_BYTES`].
    #[error("a name is {0} bytes long, more than {max_name_bytes}", max_name_bytes = MAX_NAME_BYTES)]
    TooLong(usize),
    /// The text holds a control character, which would garble logs and mails.
    #[error("a name holds a control character")]
    Control,
}

fn checked(text: &str) -> Result<Arc<str>, NameError> {
    if text.is_empty() {
        return Err(NameError::Empty);
    }
    if text.len() > MAX_NAME_BYTES {
        return Err(NameError::TooLong(text.len()));
    }
    if text.chars().any(char::is_control) {
        return Err(NameError::Control);
    }
    Ok(Arc::from(text))
}

macro_rules! name {
    ($(#[$doc:meta])* $name:ident) => {
        $(#[$doc])*
        #[derive(Clone, PartialEq, Eq, PartialOrd, Ord, Hash)]
        pub struct $name(Arc<str>);

        impl $name {
            /// Checks the text and takes it as a name.
            ///
            /// # Errors
            /// [`NameError`] when the text is empty, too long, or holds a control character.
            pub fn try_new(text: &str) -> Result<Self, NameError> {
                checked(text).map(Self)
            }

            /// The name as text.
            pub fn as_str(&self) -> &str {
                &self.0
            }
        }

        impl fmt::Display for $name {
            fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                f.write_str(&self.0)
            }
        }

        impl fmt::Debug for $name {
            fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                write!(f, "{:?}", &*self.0)
            }
        }

        impl std::borrow::Borrow<str> for $name {
            fn borrow(&self) -> &str {
                &self.0
            }
        }

        impl<'de> serde::Deserialize<'de> for $name {
            fn deserialize<D: serde::Deserializer<'de>>(d: D) -> Result<Self, D::Error> {
                let text = std::borrow::Cow::<str>::deserialize(d)?;
                Self::try_new(&text).map_err(serde::de::Error::custom)
            }
        }

        impl serde::Serialize for $name {
            fn serialize<S: serde::Serializer>(&self, s: S) -> Result<S::Ok, S::Error> {
                s.serialize_str(&self.0)
            }
        }
    };
}

name! {
    /// An experiment's name, such as `pend00`: the part that its streams and its jump host share.
    Stub
}
name! {
    /// A resource's name in book, such as `r-pend00`. Free text: nothing ties it to the stub.
    ResourceName
}
name! {
    /// The public part of the address of a page that students open: its host and path, without the
    /// query.
    PageName
}
name! {
    /// A stream's name in relay, `<stub>-<stream key>`, such as `pend00-st-data`.
    Topic
}

name! {
    /// The name of a component: a part of labwatch, or an outside service.
    ComponentName
}

name! {
    /// The name of a notification route.
    RouteName
}

name! {
    /// A pattern of experiments' names: `*` stands for any text, `?` for one character, all else for
    /// itself.
    NamePattern
}

impl NamePattern {
    /// Whether it matches this whole name.
    pub fn matches(&self, name: &str) -> bool {
        pattern::matches(&self.0, name)
    }
}

impl ComponentName {
    /// The routes and the mail server as one component.
    pub const MAIL: &str = "mail";
}

impl RouteName {
    /// The route of `EMAIL_TO`, which covers everything.
    pub fn everybody() -> Self {
        Self(Arc::from("everybody"))
    }

    /// The route of `WEBHOOK_URL`, which covers everything too.
    pub fn webhook() -> Self {
        Self(Arc::from("webhook"))
    }

    /// The name of a lane of this route: of recipients who are notified separately for a time.
    #[must_use]
    pub fn lane(&self, number: u32) -> Self {
        let suffix = format!(" #{number}");
        let mut end = self.0.len().min(MAX_NAME_BYTES - suffix.len());
        while !self.0.is_char_boundary(end) {
            end -= 1;
        }
        let base = self.0.get(..end).unwrap_or_default();
        Self(Arc::from(format!("{base}{suffix}")))
    }
}

impl Topic {
    /// The topic of the stream `key` of the experiment `stub`, as book builds it from its manifest.
    ///
    /// # Errors
    /// [`NameError`] when the two together make no valid name.
    pub fn of(stub: &Stub, key: &str) -> Result<Self, NameError> {
        Self::try_new(&format!("{stub}-{key}"))
    }
}

impl Stub {
    /// The experiment of a topic that is not in book's manifest: the part before the last `-st-`.
    pub fn of_stray_topic(topic: &str) -> Option<&str> {
        topic
            .rfind("-st-")
            .map(|at| &topic[..at])
            .filter(|stub| !stub.is_empty())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn names_are_checked_at_the_border() {
        assert!(Stub::try_new("pend00").is_ok());
        assert_eq!(Stub::try_new(""), Err(NameError::Empty));
        assert_eq!(
            Stub::try_new(&"x".repeat(257)),
            Err(NameError::TooLong(257))
        );
        assert_eq!(Stub::try_new("a\nb"), Err(NameError::Control));
    }

    #[test]
    fn a_stray_topic_splits_at_its_last_marker() {
        for (topic, stub) in [
            ("pend00-st-data", Some("pend00")),
            ("pvna00-st-video-alt", Some("pvna00")),
            ("a-st-b-st-c", Some("a-st-b")),
            ("canary", None),
            ("-st-data", None),
        ] {
            assert_eq!(Stub::of_stray_topic(topic), stub, "{topic}");
        }
    }
}
