//! Notifications besides experiments: problems of the whole laboratory or of a component.

use std::borrow::Cow;

use serde::{Deserialize, Serialize};

use crate::model::{ComponentName, SourceName};

/// A problem of the whole laboratory, or of a component. The order is that in a mail.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(try_from = "String", into = "String")]
pub enum Alert {
    /// All sources are silent: labwatch is cut off.
    Blind,
    /// A source reports nothing.
    Source(SourceName),
    /// Book has lost its manifest.
    ManifestLost,
    /// Streams cannot be sampled as often as the rule needs.
    Sampling,
    /// A part of labwatch or an outside service does not work.
    Component(ComponentName),
}

/// Prefix of the name of a component's alert; the component's name follows.
const COMPONENT: &str = "component/";

impl Alert {
    /// All alerts of the whole laboratory.
    pub const OF_LABORATORY: [Self; 6] = [
        Self::Blind,
        Self::Source(SourceName::Relay),
        Self::Source(SourceName::Jump),
        Self::Source(SourceName::Book),
        Self::ManifestLost,
        Self::Sampling,
    ];

    /// Its stable name.
    pub fn word(&self) -> Cow<'static, str> {
        Cow::Borrowed(match self {
            Self::Blind => "blind",
            Self::Source(name) => name.as_str(),
            Self::ManifestLost => "manifest",
            Self::Sampling => "sampling",
            Self::Component(name) => return Cow::Owned(format!("{COMPONENT}{name}")),
        })
    }
}

impl From<Alert> for String {
    fn from(alert: Alert) -> Self {
        alert.word().into_owned()
    }
}

impl TryFrom<String> for Alert {
    type Error = String;

    fn try_from(text: String) -> Result<Self, String> {
        let component = text.strip_prefix(COMPONENT);
        if let Some(name) = component.and_then(|name| ComponentName::try_new(name).ok()) {
            return Ok(Self::Component(name));
        }
        let known = Self::OF_LABORATORY
            .into_iter()
            .find(|alert| alert.word() == text);
        known.ok_or(text)
    }
}
