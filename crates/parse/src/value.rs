//! The values in a report, read leniently where servers differ: a null counts as absent. Borrows
//! from the message; does no IO.

use std::borrow::Cow;
use std::fmt;
use std::time::Duration;

use serde::Deserialize;
use serde::de::{Deserializer, Error, SeqAccess, Visitor};

use engine::Scopes;
use engine::model::{DurationError, parse_duration};

/// The longest duration as Go writes it, in nanoseconds: jump's value for "never".
const NEVER: Duration = Duration::from_nanos(i64::MAX as u64);

/// How long before the report the last message went.
#[derive(Debug, Default, Clone, Copy, PartialEq, Eq)]
pub enum Last {
    /// The report does not say.
    #[default]
    Unsaid,
    /// None ever went.
    Never,
    /// This long.
    Ago(Duration),
}

impl Last {
    fn from_text(text: &str) -> Self {
        if text.is_empty() || text.eq_ignore_ascii_case("never") {
            return Self::Never;
        }
        match parse_duration(text) {
            Ok(duration) if duration < NEVER => Self::Ago(duration),
            Ok(_) | Err(DurationError::TooLong) => Self::Never,
            Err(DurationError::Negative) => Self::Ago(Duration::ZERO),
            Err(_) => Self::Unsaid,
        }
    }

    fn from_nanos(nanos: u64) -> Self {
        let duration = Duration::from_nanos(nanos);
        if duration < NEVER {
            Self::Ago(duration)
        } else {
            Self::Never
        }
    }
}

/// A text; null is the empty one. Borrowed unless it has escapes.
#[derive(Default)]
pub struct Text<'a>(Cow<'a, str>);

impl Text<'_> {
    /// The text.
    pub fn as_str(&self) -> &str {
        &self.0
    }
}

/// Scopes; null and absent mean that the server does not say.
pub struct Tags(Scopes);

impl Tags {
    /// The scopes among them that are kept.
    pub fn scopes(&self) -> Scopes {
        self.0
    }
}

impl Default for Tags {
    fn default() -> Self {
        Self(Scopes::UNSAID)
    }
}

/// A number, whole or not; null is zero.
#[derive(Default, Clone, Copy)]
pub struct Number(f64);

impl Number {
    /// As a whole number, truncated and limited at both ends.
    #[expect(
        clippy::cast_possible_truncation,
        clippy::cast_sign_loss,
        reason = "the cast stops at both ends, which is what is wanted"
    )]
    pub fn whole(self) -> u32 {
        self.0 as u32
    }

    /// With fewer digits.
    #[expect(
        clippy::cast_possible_truncation,
        reason = "a rate of messages needs no more digits"
    )]
    pub fn short(self) -> f32 {
        self.0 as f32
    }
}

impl<'de: 'a, 'a> Deserialize<'de> for Text<'a> {
    fn deserialize<D: Deserializer<'de>>(json: D) -> Result<Self, D::Error> {
        struct Value;
        impl<'de> Visitor<'de> for Value {
            type Value = Text<'de>;

            fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                write!(f, "a text")
            }

            fn visit_borrowed_str<E: Error>(self, text: &'de str) -> Result<Text<'de>, E> {
                Ok(Text(Cow::Borrowed(text)))
            }

            fn visit_str<E: Error>(self, text: &str) -> Result<Text<'de>, E> {
                Ok(Text(Cow::Owned(text.to_owned())))
            }

            fn visit_unit<E: Error>(self) -> Result<Text<'de>, E> {
                Ok(Text::default())
            }
        }
        json.deserialize_any(Value)
    }
}

impl<'de> Deserialize<'de> for Tags {
    fn deserialize<D: Deserializer<'de>>(json: D) -> Result<Self, D::Error> {
        struct Value;
        impl<'de> Visitor<'de> for Value {
            type Value = Tags;

            fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                write!(f, "a list of scopes")
            }

            fn visit_seq<A: SeqAccess<'de>>(self, mut names: A) -> Result<Tags, A::Error> {
                let mut scopes = Scopes::default();
                while let Some(name) = names.next_element::<Text<'_>>()? {
                    scopes = Scopes::named(&name.0).map_or(scopes, |scope| scopes.with(scope));
                }
                Ok(Tags(scopes))
            }

            fn visit_unit<E: Error>(self) -> Result<Tags, E> {
                Ok(Tags::default())
            }
        }
        json.deserialize_any(Value)
    }
}

impl<'de> Deserialize<'de> for Last {
    fn deserialize<D: Deserializer<'de>>(json: D) -> Result<Self, D::Error> {
        struct Value;
        impl Visitor<'_> for Value {
            type Value = Last;

            fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                write!(f, "a duration, or a number of nanoseconds")
            }

            fn visit_str<E: Error>(self, text: &str) -> Result<Last, E> {
                Ok(Last::from_text(text))
            }

            fn visit_u64<E: Error>(self, nanos: u64) -> Result<Last, E> {
                Ok(Last::from_nanos(nanos))
            }

            fn visit_i64<E: Error>(self, nanos: i64) -> Result<Last, E> {
                Ok(Last::from_nanos(u64::try_from(nanos).unwrap_or(0)))
            }

            #[expect(
                clippy::cast_possible_truncation,
                clippy::cast_sign_loss,
                reason = "the cast stops at both ends, which is what is wanted"
            )]
            fn visit_f64<E: Error>(self, nanos: f64) -> Result<Last, E> {
                Ok(Last::from_nanos(nanos as u64))
            }

            fn visit_unit<E: Error>(self) -> Result<Last, E> {
                Ok(Last::Unsaid)
            }
        }
        json.deserialize_any(Value)
    }
}

impl<'de> Deserialize<'de> for Number {
    fn deserialize<D: Deserializer<'de>>(json: D) -> Result<Self, D::Error> {
        struct Value;
        impl Visitor<'_> for Value {
            type Value = Number;

            fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                write!(f, "a number")
            }

            #[expect(
                clippy::cast_precision_loss,
                reason = "sizes and rates are far below where it matters"
            )]
            fn visit_u64<E: Error>(self, number: u64) -> Result<Number, E> {
                Ok(Number(number as f64))
            }

            #[expect(
                clippy::cast_precision_loss,
                reason = "sizes and rates are far below where it matters"
            )]
            fn visit_i64<E: Error>(self, number: i64) -> Result<Number, E> {
                Ok(Number(number as f64))
            }

            fn visit_f64<E: Error>(self, number: f64) -> Result<Number, E> {
                Ok(Number(number))
            }

            fn visit_unit<E: Error>(self) -> Result<Number, E> {
                Ok(Number::default())
            }
        }
        json.deserialize_any(Value)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn last_is_read_as_go_writes_it() {
        let ago = |nanos| Last::Ago(Duration::from_nanos(nanos));
        for (json, last) in [
            (r#""Never""#, Last::Never),
            (r#""NEVER""#, Last::Never),
            (r#""""#, Last::Never),
            (r#""2562047h47m16.854775807s""#, Last::Never),
            (r#""9999999h""#, Last::Never),
            ("9223372036854775807", Last::Never),
            (r#""1m2.5s""#, ago(62_500_000_000)),
            (r#""45.552µs""#, ago(45_552)),
            (r#""0s""#, ago(0)),
            (r#""-3ms""#, ago(0)),
            ("1500000000", ago(1_500_000_000)),
            ("1.5e9", ago(1_500_000_000)),
            ("-1", ago(0)),
            ("null", Last::Unsaid),
            (r#""soon""#, Last::Unsaid),
        ] {
            assert_eq!(
                serde_json::from_str::<Last>(json).ok(),
                Some(last),
                "{json}"
            );
        }
    }

    #[test]
    fn numbers_stop_at_their_ends() {
        for (json, whole) in [
            ("102", 102),
            ("1.9", 1),
            ("-5", 0),
            ("1e300", u32::MAX),
            ("null", 0),
        ] {
            assert_eq!(
                serde_json::from_str::<Number>(json).ok().map(Number::whole),
                Some(whole),
                "{json}"
            );
        }
    }
}
