//! Outside services: how often one is checked, what is expected of it, and what its answer amounts to. Fetches nothing itself.

use std::sync::Arc;
use std::time::Duration;

use serde::Deserialize;

use super::category::takes_in_service;
use super::category_rules::DEFAULT;
use super::probe::{Attempt, Pace};
use super::state::{About, Finding, SingleCheck, State};
use crate::config::{CategorySettings, Expect, ServiceSettings};
use engine::model::CallError;

/// The most single checks that are kept of one service's document.
pub const MAX_SINGLE_CHECKS: usize = 200;

/// How many failing checks a detail names.
const NAMED: usize = 5;

/// The categories in which a service counts: without any it is in that of everything, as in the standard.
#[must_use]
pub fn categories_of(service: &ServiceSettings) -> Vec<String> {
    if service.categories.is_empty() {
        vec![DEFAULT.to_owned()]
    } else {
        service.categories.clone()
    }
}

/// When and how often a service is checked: a category's period is the longest time between two checks of what is in it, so the
/// shortest of its own period and those of its categories holds.
#[must_use]
pub fn pace(service: &ServiceSettings, categories: &[CategorySettings]) -> Pace {
    let own = categories_of(service);
    let period = categories
        .iter()
        .filter(|category| {
            own.contains(&category.rule.name) || takes_in_service(&category.rule, &service.name)
        })
        .map(|category| category.rule.period)
        .fold(service.period, Duration::min);
    Pace {
        period,
        timeout: service.timeout,
        retries: service.retries,
        cooldown: service.retry_after,
    }
}

/// What an attempt to ask came to: an answer's status and body, or what went wrong on the way.
#[must_use]
pub fn attempt(expect: Expect, answer: Result<(u16, Vec<u8>), CallError>) -> Attempt {
    match answer {
        Ok((status, body)) => Attempt::Found(judge(expect, status, &body)),
        Err(fault) if is_ours(&fault) => Attempt::Hindered(format!(
            "labwatch itself cannot reach it: {fault}. The fault is on this side, in labwatch's network, name lookup, proxy or trusted \
             certificates, or in the url of its [[service]]; others may well reach it"
        )),
        Err(fault) => Attempt::Failed(fault.to_string()),
    }
}

/// Whether a fault says nothing about the service, since a call ends like this before it gets there.
fn is_ours(fault: &CallError) -> bool {
    matches!(
        fault,
        CallError::NameLookup(_)
            | CallError::NoRoute(_)
            | CallError::Tls(_)
            | CallError::Proxy(_)
            | CallError::Busy
    )
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
    #[serde(flatten)]
    about: About,
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
        checks: Arc::from(checks),
        about: Some(Arc::new(document.about)),
        ..Finding::new(state, detail)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use engine::CategoryRule;

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
    fn the_shortest_period_of_its_categories_reaches_a_service() {
        let category = |name: &str, seconds, pattern: &str| {
            CategorySettings::from(CategoryRule {
                period: Duration::from_secs(seconds),
                patterns: vec![pattern.to_owned()],
                ..crate::health::strict(name)
            })
        };
        let service = |seconds, categories: &[&str]| ServiceSettings {
            name: "wiki".into(),
            url: None,
            period: Duration::from_secs(seconds),
            timeout: Duration::from_secs(1),
            expect: Expect::Any2xx,
            categories: categories.iter().map(|name| (*name).to_owned()).collect(),
            retries: 0,
            retry_after: Duration::from_secs(1),
        };
        let categories = [
            category("fast", 2, "spin*"),
            category("slow", 50, "x*"),
            category("by-name", 7, "wik?"),
            category("everything", 1, "*"),
        ];
        for (own, named, period) in [
            (30, &["fast"][..], 2),
            (30, &["slow"], 7),
            (5, &["slow"], 5),
            (30, &["slow", "fast"], 2),
            (5, &[], 5),
        ] {
            let pace = pace(&service(own, named), &categories);
            assert_eq!(pace.period.as_secs(), period, "{own} {named:?}");
        }
    }

    #[test]
    fn what_keeps_labwatch_from_a_service_is_no_fault_of_the_service() {
        use CallError::{
            Busy, Dropped, NameLookup, NoAnswer, NoRoute, Protocol, Proxy, Refused, Tls,
            Unreachable,
        };
        let text = String::new;
        for (fault, is_ours) in [
            (NameLookup(text()), true),
            (NoRoute(text()), true),
            (Tls(text()), true),
            (Proxy(text()), true),
            (Busy, true),
            (Refused(text()), false),
            (Unreachable(text()), false),
            (CallError::TimedOut, false),
            (Dropped, false),
            (NoAnswer(text()), false),
            (Protocol(text()), false),
        ] {
            let is_told_so = matches!(
                attempt(Expect::Ok200, Err(fault.clone())),
                Attempt::Hindered(why) if why.starts_with("labwatch itself cannot reach it")
            );
            assert_eq!(is_told_so, is_ours, "{fault:?}");
        }
    }

    #[test]
    fn only_what_the_network_fails_is_tried_again() {
        let refused = CallError::Refused(String::new());
        assert_eq!(
            attempt(Expect::Ok200, Err(refused.clone())),
            Attempt::Failed(refused.to_string())
        );
        assert_eq!(
            attempt(Expect::Ok200, Ok((500, Vec::new()))),
            Attempt::Found(Finding::error("it answered 500"))
        );
    }
}
