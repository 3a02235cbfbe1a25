//! Outside services: what is expected of one, and what its answer amounts to. Fetches nothing itself.

use std::sync::Arc;
use std::time::Duration;

use serde::Deserialize;
use url::Url;

use super::probe::{Attempt, COOLDOWN, Pace, RETRIES};
use super::state::{Finding, SingleCheck, State};

/// The most single checks that are kept of one service's document.
pub const MAX_SINGLE_CHECKS: usize = 200;

/// How many failing checks a detail names.
const NAMED: usize = 5;

/// An outside service.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Service {
    /// Its name, unique among all components.
    pub name: String,
    /// Where it is asked.
    pub url: Url,
    /// How often.
    pub period: Duration,
    /// The longest that one attempt may take.
    pub timeout: Duration,
    /// What answer is good.
    pub expect: Expect,
    /// The categories that it is in.
    pub categories: Vec<String>,
    /// How often an attempt that the network failed is made again; [`RETRIES`] unless set.
    pub retries: u32,
}

/// What answer of an outside service is good.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Expect {
    /// Status 200.
    Ok,
    /// Any status from 200 to 299.
    Success,
    /// Status 200 and a health document of FT's standard, of which every check passes.
    Document,
}

impl Expect {
    /// As it is written in the settings.
    #[must_use]
    pub fn named(name: &str) -> Option<Self> {
        [("200", Self::Ok), ("2xx", Self::Success), ("ft", Self::Document)].into_iter().find(|(word, _)| *word == name).map(|(_, it)| it)
    }

    /// What an answer amounts to.
    #[must_use]
    pub fn judge(self, status: u16, body: &[u8]) -> Finding {
        match self {
            Self::Ok if status == 200 => Finding::ok(),
            Self::Success if (200..300).contains(&status) => Finding::ok(),
            Self::Document if status == 200 => document(body),
            Self::Ok | Self::Success | Self::Document => Finding::error(format!("it answered {status}")),
        }
    }
}

impl Service {
    /// When and how often it is asked.
    #[must_use]
    pub fn pace(&self) -> Pace {
        Pace { period: self.period, timeout: self.timeout, retries: self.retries, cooldown: COOLDOWN }
    }

    /// A service that is asked every minute for a status 200.
    #[must_use]
    pub fn new(name: String, url: Url) -> Self {
        let (period, timeout) = (Duration::from_secs(60), Duration::from_secs(5));
        Self { name, url, period, timeout, expect: Expect::Ok, categories: Vec::new(), retries: RETRIES }
    }

    /// What an attempt to ask came to: an answer, or what went wrong on the way.
    #[must_use]
    pub fn attempt(&self, answer: Result<(u16, Vec<u8>), String>) -> Attempt {
        match answer {
            Ok((status, body)) => Attempt::Found(self.expect.judge(status, &body)),
            Err(why) => Attempt::Failed(why),
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
    let failing: Vec<&str> = checks.iter().filter(|check| !check.ok).map(|check| check.name.as_str()).collect();
    let (state, detail) = match failing.len() {
        0 => (State::Ok, String::new()),
        n => {
            let more = if n > NAMED { ", \u{2026}" } else { "" };
            (State::Error, format!("{n} of its checks failing ({}{more})", failing.iter().take(NAMED).copied().collect::<Vec<_>>().join(", ")))
        }
    };
    checks.truncate(MAX_SINGLE_CHECKS);
    Finding { state, detail, checks: Arc::from(checks) }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_answer_is_judged_by_what_is_expected() {
        let fine = br#"{"schemaVersion":1,"name":"x","checks":[{"name":"db","ok":true,"severity":1}]}"#;
        let bad = br#"{"checks":[{"name":"db","ok":false,"severity":1,"checkOutput":"gone"},{"name":"cache","ok":true}]}"#;
        for (expect, status, body, state, detail) in [
            ("200", 200, &b""[..], State::Ok, ""),
            ("200", 204, b"", State::Error, "it answered 204"),
            ("2xx", 204, b"", State::Ok, ""),
            ("2xx", 301, b"", State::Error, "it answered 301"),
            ("ft", 200, fine, State::Ok, ""),
            ("ft", 503, fine, State::Error, "it answered 503"),
            ("ft", 200, bad, State::Error, "1 of its checks failing (db)"),
            ("ft", 200, b"<html>", State::Error, "its answer is not a health document"),
            ("ft", 200, br#"{"checks":null}"#, State::Error, "its health document holds no check"),
        ] {
            let found = Expect::named(expect).expect("a word").judge(status, body);
            assert_eq!((found.state, found.detail.as_str()), (state, detail), "{expect} {status}");
        }
        assert_eq!(Expect::named("302"), None);
    }

    #[test]
    fn only_what_the_network_fails_is_tried_again() {
        let service = Service::new("web".into(), Url::parse("http://127.0.0.1/").expect("a URL"));
        assert_eq!(service.attempt(Err("refused".into())), Attempt::Failed("refused".into()));
        assert_eq!(service.attempt(Ok((500, Vec::new()))), Attempt::Found(Finding::error("it answered 500")));
    }
}
