//! Values of book's answers that are read leniently.

use jiff::Timestamp;
use serde::Deserialize;
use serde::de::DeserializeOwned;
use serde_json::Value;

/// One of many, or nothing where it cannot be read: an odd one must not hide the rest.
#[derive(Debug)]
pub(super) struct Readable<T>(pub(super) Option<T>);

impl<'de, T: DeserializeOwned> Deserialize<'de> for Readable<T> {
    fn deserialize<D: serde::Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        Ok(Self(
            serde_json::from_value(Value::deserialize(deserializer)?).ok(),
        ))
    }
}

/// A time, or nothing where the text is none: a strange time must not hide the rest of the answer.
pub(super) fn lenient_time<'de, D: serde::Deserializer<'de>>(
    deserializer: D,
) -> Result<Option<Timestamp>, D::Error> {
    let value = Option::<Value>::deserialize(deserializer)?;
    Ok(value
        .as_ref()
        .and_then(Value::as_str)
        .and_then(|text| text.parse().ok()))
}
