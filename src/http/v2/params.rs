//! What stands behind the `?` of a request: checked whole before anything is answered, so that a misspelt filter is not taken for none.

use std::time::Duration;

use jiff::{SignedDuration, Timestamp};

use crate::http::error::{self, ApiError};
use crate::store::Range;

/// The most values of one parameter.
const MAX_VALUES: usize = 16;

/// The parameters of a request, each known to its route and given once.
#[derive(Debug)]
pub(super) struct Params(Vec<(String, String)>);

impl Params {
    /// Takes a query apart. Whatever is not among `allowed` is an error that says what is.
    pub(super) fn parse(query: Option<&str>, allowed: &[&str]) -> Result<Self, ApiError> {
        let mut given: Vec<(String, String)> = Vec::new();
        for (name, value) in url::form_urlencoded::parse(query.unwrap_or_default().as_bytes()) {
            if !allowed.contains(&&*name) {
                let allowed = if allowed.is_empty() {
                    "none".to_owned()
                } else {
                    allowed.join(", ")
                };
                return Err(error::malformed(format!(
                    "parameter {name:?} is not known here; there are: {allowed}"
                )));
            }
            if given.iter().any(|(known, _)| *known == name) {
                return Err(error::malformed(format!(
                    "parameter {name} is given twice; several values are joined by commas"
                )));
            }
            given.push((name.into_owned(), value.into_owned()));
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

    /// Words joined by commas, each among `all`.
    pub(super) fn words<T: Copy>(
        &self,
        name: &str,
        all: &[(&str, T)],
    ) -> Result<Option<Vec<T>>, ApiError> {
        let Some(text) = self.text(name) else {
            return Ok(None);
        };
        let as_str = |as_str: &str| {
            all.iter()
                .find(|(known, _)| *known == as_str.trim())
                .map(|(_, value)| *value)
        };
        let words: Option<Vec<T>> = text.split(',').take(MAX_VALUES + 1).map(as_str).collect();
        words
            .filter(|words| words.len() <= MAX_VALUES)
            .map(Some)
            .ok_or_else(|| {
                let all: Vec<&str> = all.iter().map(|(as_str, _)| *as_str).collect();
                error::malformed(format!(
                    "{name}={text:?} is not understood; allowed, joined by commas: {}",
                    all.join(", ")
                ))
            })
    }

    /// A whole number from 1 to `most`.
    pub(super) fn limit(&self, most: usize) -> Result<Option<usize>, ApiError> {
        let Some(text) = self.text("limit") else {
            return Ok(None);
        };
        let limit = text.parse().ok().filter(|limit| (1..=most).contains(limit));
        limit.map(Some).ok_or_else(|| {
            error::malformed(format!(
                "limit={text:?} is not understood; allowed: a whole number from 1 to {most}"
            ))
        })
    }

    /// The time between `from` and `until`: until now where nothing is said, and from `span` before that.
    pub(super) fn range(&self, now: Timestamp, span: Duration) -> Result<Range, ApiError> {
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
        Err(error::malformed(format!(
            "from={from} is not before until={until}"
        )))
    }

    fn time(&self, name: &str) -> Result<Option<Timestamp>, ApiError> {
        let Some(text) = self.text(name) else {
            return Ok(None);
        };
        let wrong = || {
            error::malformed(format!(
                "{name}={text:?} is not understood; allowed: a time as 2026-11-21T08:00:00Z"
            ))
        };
        text.parse().map(Some).map_err(|_| wrong())
    }
}

/// A place in a list that goes from new to old: a time and what tells rows of the same time apart, joined by `~`.
pub(super) fn cursor<T>(
    params: &Params,
    key: impl FnOnce(&str) -> Option<T>,
) -> Result<Option<(Timestamp, T)>, ApiError> {
    let Some(text) = params.text("cursor") else {
        return Ok(None);
    };
    let parts = text
        .split_once('~')
        .and_then(|(at, rest)| Some((at.parse().ok()?, key(rest)?)));
    parts.map(Some).ok_or_else(|| {
        error::malformed(format!(
            "cursor={text:?} is not understood; allowed: what `next` of the page before says"
        ))
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    fn parse(query: &str) -> Result<Params, String> {
        Params::parse(Some(query), &["state", "limit", "from", "until", "cursor"])
            .map_err(|error| error.message().to_owned())
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
            Some("parameter state is given twice; several values are joined by commas")
        );
        assert_eq!(
            Params::parse(Some("a"), &[])
                .err()
                .map(|e| e.message().to_owned())
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
                .words("state", &[("ok", 1), ("down", 2)])
                .map_err(|error| error.message().to_owned())
        };
        assert_eq!(words(""), Ok(None));
        assert_eq!(words("state=down,ok"), Ok(Some(vec![2, 1])));
        assert_eq!(
            words("state=no"),
            Err("state=\"no\" is not understood; allowed, joined by commas: ok, down".to_owned())
        );
        assert!(
            words(&format!("state={}ok", "ok,".repeat(MAX_VALUES))).is_err(),
            "too many"
        );
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
        assert_eq!(
            cursor(
                &parse("cursor=2026-11-21T08:00:00Z~7").expect("fine"),
                |id| id.parse::<i64>().ok()
            )
            .ok(),
            Some(Some((now, 7)))
        );
        assert!(
            cursor(&parse("cursor=7").expect("fine"), |id| id
                .parse::<i64>()
                .ok())
            .is_err()
        );
    }
}
