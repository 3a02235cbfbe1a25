//! Lenient parsing of values in book's responses.

use jiff::Timestamp;
use serde::Deserialize;
use serde::de::DeserializeOwned;
use serde_json::Value;

/// One of many values, or `None` where it cannot be read: an invalid one must not hide the rest.
#[derive(Debug)]
pub(super) struct Readable<T>(pub(super) Option<T>);

impl<'de, T: DeserializeOwned> Deserialize<'de> for Readable<T> {
    fn deserialize<D: serde::Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        Ok(Self(
            serde_json::from_value(Value::deserialize(deserializer)?).ok(),
        ))
    }
}

/// A time, or `None` where the text is not one: an invalid time must not hide the rest of the
/// response.
pub(super) fn lenient_time<'de, D: serde::Deserializer<'de>>(
    deserializer: D,
) -> Result<Option<Timestamp>, D::Error> {
    let value = Option::<Value>::deserialize(deserializer)?;
    Ok(value
        .as_ref()
        .and_then(Value::as_str)
        .and_then(|text| text.parse().ok()))
}
