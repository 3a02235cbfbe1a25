//! Strict query parsing: the whole query is checked before anything is answered, so that a misspelt
//! filter is not ignored.

use std::fmt::Display;
use std::time::Duration;

use axum::extract::FromRequestParts;
use axum::http::request::Parts;
use jiff::{SignedDuration, Timestamp};
use serde::de::value::StrDeserializer;
use serde::de::{DeserializeOwned, IntoDeserializer};

use crate::http::error::{ApiError, ApiResult, Reason};
use crate::store::Range;

/// The most values of one parameter.
const MAX_VALUES: usize = 16;

/// A request without parameters: its route knows none.
pub(super) struct NoParams;

impl<S: Sync> FromRequestParts<S> for NoParams {
    type Rejection = ApiError;

    async fn from_request_parts(parts: &mut Parts, _: &S) -> ApiResult<Self> {
        Params::parse(parts.uri.query(), &[]).map(|_| Self)
    }
}

/// The parameters of a request, each known to its route and given once.
#[derive(Debug)]
pub(super) struct Params(Vec<(String, String)>);

impl Params {
    /// Parses a query. A parameter that is not in `allowed` is an error, which lists them.
    pub(super) fn parse(query: Option<&str>, allowed: &[&str]) -> ApiResult<Self> {
        Self::parse_lists(query, allowed, &[])
    }

    /// The same, where those of `lists` take several values: separated by commas, or repeated as
    /// some clients send them.
    pub(super) fn parse_lists(
        query: Option<&str>,
        allowed: &[&str],
        lists: &[&str],
    ) -> ApiResult<Self> {
        let mut given: Vec<(String, String)> = Vec::new();
        for (name, value) in url::form_urlencoded::parse(query.unwrap_or_default().as_bytes()) {
            if !allowed.contains(&&*name) {
                let allowed = if allowed.is_empty() {
                    "none".to_owned()
                } else {
                    allowed.join(", ")
                };
                return Err(ApiError::new(
                    Reason::UnknownParameter,
                    format!("parameter {name:?} is not known here; there are: {allowed}"),
                ));
            }
            match given.iter_mut().find(|(known, _)| *known == name) {
                Some((_, known)) if lists.contains(&&*name) => {
                    known.push(',');
                    known.push_str(&value);
                }
                Some(_) => {
                    return Err(invalid(format!("parameter {name} is given twice")));
                }
                None => given.push((name.into_owned(), value.into_owned())),
            }
        }
        Ok(Self(given))
    }

    /// The value of a parameter.
    pub(super) fn text(&self, name: &str) -> Option<&str> {
        self.0
            .iter()
            .find(|(known, _)| known == name)
            .map(|(_, value)| value.as_str())
    }

    /// Values of a closed set, separated by commas.
    pub(super) fn words<T: DeserializeOwned>(&self, name: &str) -> ApiResult<Option<Vec<T>>> {
        let Some(text) = self.text(name) else {
            return Ok(None);
        };
        let words = text.split(',').take(MAX_VALUES + 1).map(|word| {
            let word: StrDeserializer<'_, serde::de::value::Error> =
                word.trim().into_deserializer();
            T::deserialize(word)
        });
        let words: Result<Vec<T>, _> = words.collect();
        match words {
            Ok(words) if words.len() <= MAX_VALUES => Ok(Some(words)),
            Ok(_) => Err(invalid(format!("{name} has more than {MAX_VALUES} values"))),
            // The error lists what is allowed.
            Err(error) => Err(invalid(format!(
                "{name}={text:?} is not understood, values are separated by commas: {error}"
            ))),
        }
    }

    /// One value of a closed set.
    pub(super) fn word<T: DeserializeOwned>(&self, name: &str) -> ApiResult<Option<T>> {
        let words = self.words(name)?.unwrap_or_default();
        let mut words = words.into_iter();
        match (words.next(), words.next()) {
            (word, None) => Ok(word),
            (_, Some(_)) => Err(invalid(format!("{name} takes one word"))),
        }
    }

    /// `true` or `false`; the default is `false`.
    pub(super) fn flag(&self, name: &str) -> ApiResult<bool> {
        match self.text(name) {
            None | Some("false") => Ok(false),
            Some("true") => Ok(true),
            Some(other) => Err(invalid(format!(
                "{name}={other:?} is not understood; allowed: true, false"
            ))),
        }
    }

    /// A whole number from 1 to `most`.
    pub(super) fn limit(&self, most: usize) -> ApiResult<Option<usize>> {
        let Some(text) = self.text("limit") else {
            return Ok(None);
        };
        let limit = text.parse().ok().filter(|limit| (1..=most).contains(limit));
        limit.map(Some).ok_or_else(|| {
            invalid(format!(
                "limit={text:?} is not understood; allowed: a whole number from 1 to {most}"
            ))
        })
    }

    /// The time between `from` and `until`: by default until now, and from `span` before that.
    pub(super) fn range(&self, now: Timestamp, span: Duration) -> ApiResult<Range> {
        let until = self.time("until")?.unwrap_or(now);
        let start = || {
            SignedDuration::try_from(span)
                .ok()
                .and_then(|span| until.checked_sub(span).ok())
                .unwrap_or(Timestamp::MIN)
        };
        let from = self.time("from")?.unwrap_or_else(start);
        if from < until {
            return Ok(Range { from, until });
        }
        Err(invalid(format!("from={from} is not before until={until}")))
    }

    fn time(&self, name: &str) -> ApiResult<Option<Timestamp>> {
        let Some(text) = self.text(name) else {
            return Ok(None);
        };
        let wrong = || {
            invalid(format!(
                "{name}={text:?} is not understood; allowed: a time as 2026-11-21T08:00:00Z"
            ))
        };
        text.parse().map(Some).map_err(|_| wrong())
    }
}

fn invalid(why: impl Display) -> ApiError {
    ApiError::new(Reason::InvalidParameter, why)
}

#[cfg(test)]
mod tests {
    use engine::model::SourceName;

    use super::*;

    fn parse(query: &str) -> Result<Params, String> {
        Params::parse(Some(query), &["state", "limit", "from", "until", "cursor"])
            .map_err(|error| error.detail().to_owned())
    }

    #[test]
    fn what_is_not_known_is_an_error_that_says_what_is() {
        assert_eq!(
            parse("stat=ok").err().as_deref(),
            Some(
                "parameter \"stat\" is not known here; there are: state, limit, from, until, cursor"
            )
        );
        assert_eq!(
            parse("state=a&state=b").err().as_deref(),
            Some("parameter state is given twice")
        );
        let several = Params::parse_lists(Some("state=a&state=b"), &["state"], &["state"]);
        assert_eq!(several.expect("fine").text("state"), Some("a,b"));
        assert_eq!(
            Params::parse(Some("a"), &[])
                .err()
                .map(|e| e.detail().to_owned())
                .as_deref(),
            Some("parameter \"a\" is not known here; there are: none")
        );
        assert_eq!(Params::parse(None, &[]).expect("fine").text("state"), None);
        assert_eq!(
            parse("state=a%20b+c").expect("fine").text("state"),
            Some("a b c")
        );
    }

    #[test]
    fn values_are_checked() {
        let words = |query: &str| {
            parse(query)
                .expect("fine")
                .words::<SourceName>("state")
                .map_err(|error| error.detail().to_owned())
        };
        assert_eq!(words(""), Ok(None));
        assert_eq!(
            words("state=relay,book"),
            Ok(Some(vec![SourceName::Relay, SourceName::Book]))
        );
        assert_eq!(
            words("state=no"),
            Err("state=\"no\" is not understood, values are separated by commas: unknown variant `no`, expected one of `relay`, `jump`, `book`".to_owned())
        );
        assert!(
            words(&format!("state={}relay", "relay,".repeat(MAX_VALUES))).is_err(),
            "too many"
        );
        let word = |query: &str| parse(query).expect("fine").word::<SourceName>("state").ok();
        assert_eq!(word("state=jump"), Some(Some(SourceName::Jump)));
        assert_eq!((word(""), word("state=jump,book")), (Some(None), None));
        let flag = |query: &str| parse(query).expect("fine").flag("state").ok();
        assert_eq!(flag("state=true"), Some(true));
        assert_eq!((flag(""), flag("state=false")), (Some(false), Some(false)));
        assert_eq!(flag("state=1"), None);
        for (text, expect) in [
            ("limit=1", Some(Some(1))),
            ("", Some(None)),
            ("limit=0", None),
            ("limit=11", None),
            ("limit=x", None),
            ("limit=-1", None),
        ] {
            assert_eq!(parse(text).expect("fine").limit(10).ok(), expect, "{text}");
        }
    }

    #[test]
    fn a_time_has_two_ends() {
        let now: Timestamp = "2026-11-21T08:00:00Z".parse().expect("a time");
        let range = |query: &str| {
            parse(query)
                .expect("fine")
                .range(now, Duration::from_secs(3600))
                .ok()
                .map(|range| format!("{} {}", range.from, range.until))
        };
        assert_eq!(
            range("").as_deref(),
            Some("2026-11-21T07:00:00Z 2026-11-21T08:00:00Z")
        );
        assert_eq!(
            range("until=2026-01-01T01:00:00%2B01:00").as_deref(),
            Some("2025-12-31T23:00:00Z 2026-01-01T00:00:00Z")
        );
        assert_eq!(range("from=2026-11-21T08:00:00Z"), None);
        assert_eq!(range("from=yesterday"), None);
    }
}
