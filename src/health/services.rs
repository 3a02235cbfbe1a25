//! Outside services: what is expected of one, and what its answer amounts to. Fetches nothing itself.

use std::sync::Arc;

use serde::Deserialize;

use super::probe::{Attempt, Pace};
use super::state::{Finding, SingleCheck, State};
use crate::config::{Expect, ServiceSettings};

/// The most single checks that are kept of one service's document.
pub const MAX_SINGLE_CHECKS: usize = 200;

/// How many failing checks a detail names.
const NAMED: usize = 5;

/// When and how often a service is asked.
#[must_use]
pub fn pace(service: &ServiceSettings) -> Pace {
    Pace {
        period: service.period,
        timeout: service.timeout,
        retries: service.retries,
        cooldown: service.retry_after,
    }
}

/// What an attempt to ask came to: an answer's status and body, or what went wrong on the way.
#[must_use]
pub fn attempt(expect: Expect, answer: Result<(u16, Vec<u8>), String>) -> Attempt {
    match answer {
        Ok((status, body)) => Attempt::Found(judge(expect, status, &body)),
        Err(why) => Attempt::Failed(why),
    }
}

/// What an answer amounts to.
fn judge(expect: Expect, status: u16, body: &[u8]) -> Finding {
    match expect {
        Expect::Ok200 if status == 200 => Finding::ok(),
        Expect::Any2xx if (200..300).contains(&status) => Finding::ok(),
        Expect::FtStandard if status == 200 => document(body),
        Expect::Ok200 | Expect::Any2xx | Expect::FtStandard => {
            Finding::error(format!("it answered {status}"))
        }
    }
}

/// The part of a health document that matters here.
#[derive(Deserialize)]
struct Document {
    #[serde(default)]
    checks: Option<Vec<SingleCheck>>,
}

fn document(body: &[u8]) -> Finding {
    let Ok(document) = serde_json::from_slice::<Document>(body) else {
        return Finding::error("its answer is not a health document");
    };
    let mut checks = document.checks.unwrap_or_default();
    if checks.is_empty() {
        return Finding::error("its health document holds no check");
    }
    let failing: Vec<&str> = checks
        .iter()
        .filter(|check| !check.ok)
        .map(|check| check.name.as_str())
        .collect();
    let (state, detail) = match failing.len() {
        0 => (State::Ok, String::new()),
        n => {
            let more = if n > NAMED { ", \u{2026}" } else { "" };
            (
                State::Error,
                format!(
                    "{n} of its checks failing ({}{more})",
                    failing
                        .iter()
                        .take(NAMED)
                        .copied()
                        .collect::<Vec<_>>()
                        .join(", ")
                ),
            )
        }
    };
    checks.truncate(MAX_SINGLE_CHECKS);
    Finding {
        state,
        detail,
        checks: Arc::from(checks),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_answer_is_judged_by_what_is_expected() {
        let fine =
            br#"{"schemaVersion":1,"name":"x","checks":[{"name":"db","ok":true,"severity":1}]}"#;
        let bad = br#"{"checks":[{"name":"db","ok":false,"severity":1,"checkOutput":"gone"},{"name":"cache","ok":true}]}"#;
        for (expect, status, body, state, detail) in [
            (Expect::Ok200, 200, &b""[..], State::Ok, ""),
            (Expect::Ok200, 204, b"", State::Error, "it answered 204"),
            (Expect::Any2xx, 204, b"", State::Ok, ""),
            (Expect::Any2xx, 301, b"", State::Error, "it answered 301"),
            (Expect::FtStandard, 200, fine, State::Ok, ""),
            (
                Expect::FtStandard,
                503,
                fine,
                State::Error,
                "it answered 503",
            ),
            (
                Expect::FtStandard,
                200,
                bad,
                State::Error,
                "1 of its checks failing (db)",
            ),
            (
                Expect::FtStandard,
                200,
                b"<html>",
                State::Error,
                "its answer is not a health document",
            ),
            (
                Expect::FtStandard,
                200,
                br#"{"checks":null}"#,
                State::Error,
                "its health document holds no check",
            ),
        ] {
            let found = judge(expect, status, body);
            assert_eq!(
                (found.state, found.detail.as_str()),
                (state, detail),
                "{expect:?} {status}"
            );
        }
    }

    #[test]
    fn only_what_the_network_fails_is_tried_again() {
        assert_eq!(
            attempt(Expect::Ok200, Err("refused".into())),
            Attempt::Failed("refused".into())
        );
        assert_eq!(
            attempt(Expect::Ok200, Ok((500, Vec::new()))),
            Attempt::Found(Finding::error("it answered 500"))
        );
    }
}
