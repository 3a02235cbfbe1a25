//! Outside services: how often one is checked, which answer is expected, and how an answer is
//! rated. Fetches nothing itself.

use std::sync::Arc;
use std::time::Duration;

use serde::Deserialize;

use super::category::takes_in_service;
use super::category_rules::DEFAULT;
use super::probe::{Attempt, Pace};
use super::state::{About, Finding, SingleCheck};
use crate::config::{CategorySettings, Expect, ServiceSettings};
use engine::model::CallError;

/// The most single checks that are kept of one service's document.
pub const MAX_SINGLE_CHECKS: usize = 200;

/// How much longer an attempt may take than its call.
const CALL_ENDS_FIRST: Duration = Duration::from_secs(1);

/// How many failing checks a detail names.
const NAMED: usize = 5;

/// The categories in which a service counts: by default that of everything, as in the standard.
pub fn categories_of(service: &ServiceSettings) -> Vec<String> {
    if service.categories.is_empty() {
        vec![DEFAULT.to_owned()]
    } else {
        service.categories.clone()
    }
}

/// When and how often a service is checked: the shortest of its own period and those of its
/// categories, because a category's period is the longest time between two checks of its members.
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
        // The call ends first, because it knows which way it took.
        timeout: service.timeout + CALL_ENDS_FIRST,
        retries: service.retries,
        cooldown: service.retry_after,
    }
}

/// Rates an attempt: an answer's status and body, or the error on the way. `by_proxy`: answers come
/// through our own proxy, which may make up an answer, but not a health document of the service.
pub fn attempt(
    expect: Expect,
    by_proxy: bool,
    answer: Result<(u16, Vec<u8>), CallError>,
) -> Attempt {
    match answer {
        Ok((status, body)) => match rate(expect, status, &body) {
            bad if by_proxy && !bad.state.is_ok() && bad.about.is_none() => {
                Attempt::Hindered(format!(
                    "{}, through labwatch's own HTTP proxy, which may have made that up: it is not known whose fault it is. \
                     Look whether the service answers without the proxy, or name its host in NO_PROXY",
                    bad.detail
                ))
            }
            finding => Attempt::Found(finding),
        },
        Err(fault) if is_ours(&fault) => Attempt::Hindered(format!(
            "labwatch itself cannot reach it: {fault}. The fault is on this side, in labwatch's network, name lookup, proxy or trusted \
             certificates, or in the url of its [[service]]; others may well reach it"
        )),
        Err(fault) => match advice_in_doubt(&fault) {
            Some(advice) => Attempt::Hindered(format!(
                "{fault}. It is not known whether the service or labwatch's side is at fault: {advice}"
            )),
            None => Attempt::Failed(fault.to_string()),
        },
    }
}

/// What to do about a fault that may be the service's or ours, so that the service does not count
/// as failing.
fn advice_in_doubt(fault: &CallError) -> Option<&'static str> {
    if let CallError::NoAnswer(_) | CallError::SickByProxy { .. } = fault {
        return Some(
            "labwatch reaches it through its own proxy; look whether it answers without, or name its host in NO_PROXY",
        );
    }
    matches!(fault, CallError::Certificate(_)).then_some(
        "look at the service's certificate, at the clock of this host, and at the url of its [[service]]",
    )
}

/// Whether a fault says nothing about the service, because such a call ends before it reaches it.
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

/// The finding that an answer amounts to.
fn rate(expect: Expect, status: u16, body: &[u8]) -> Finding {
    match expect {
        Expect::Ok200 if status == 200 => Finding::ok(),
        Expect::Any2xx if (200..300).contains(&status) => Finding::ok(),
        Expect::FtStandard if status == 200 => document(body),
        Expect::Ok200 | Expect::Any2xx | Expect::FtStandard => {
            Finding::error(format!("it answered {status}"))
        }
    }
}

/// The part of a health document that is evaluated.
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
    let finding = if failing.is_empty() {
        Finding::ok()
    } else {
        let more = if failing.len() > NAMED {
            ", \u{2026}"
        } else {
            ""
        };
        let named = failing.get(..NAMED).unwrap_or(&failing).join(", ");
        let count = failing.len();
        Finding::error(format!("{count} of its checks failing ({named}{more})"))
    };
    checks.truncate(MAX_SINGLE_CHECKS);
    Finding {
        checks: Arc::from(checks),
        about: Some(Arc::new(document.about)),
        ..finding
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::health::State;
    use engine::CategoryRule;

    #[test]
    fn an_answer_is_rated_by_what_is_expected() {
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
            let found = rate(expect, status, body);
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
            Busy, Certificate, Dropped, NameLookup, NoAnswer, NoRoute, Protocol, Proxy, Refused,
            SickByProxy, Tls, Unreachable,
        };
        let text = String::new;
        let (ours, doubt) = (
            Some("labwatch itself cannot reach it"),
            Some("It is not known whether the service or labwatch's side is at fault"),
        );
        for (fault, says) in [
            (NameLookup(text()), ours),
            (NoRoute(text()), ours),
            (Tls(text()), ours),
            (Proxy(text()), ours),
            (Busy, ours),
            (Certificate(text()), doubt),
            (NoAnswer(text()), doubt),
            (
                SickByProxy {
                    status: 502,
                    body: text(),
                },
                doubt,
            ),
            (Refused(text()), None),
            (Unreachable(text()), None),
            (CallError::TimedOut, None),
            (Dropped, None),
            (Protocol(text()), None),
        ] {
            let found = attempt(Expect::Ok200, false, Err(fault.clone()));
            match says {
                Some(says) => assert!(
                    matches!(&found, Attempt::Hindered(why) if why.contains(says)),
                    "{fault:?} {found:?}"
                ),
                None => assert_eq!(found, Attempt::Failed(fault.to_string())),
            }
        }
    }

    #[test]
    fn what_our_own_proxy_may_have_made_up_does_not_count_against_a_service() {
        let failing: &[u8] = br#"{"name":"x","checks":[{"name":"db","ok":false}]}"#;
        for (expect, status, body, counts) in [
            (Expect::Ok200, 200, &b""[..], true),
            (Expect::Ok200, 502, b"<html>", false),
            (Expect::Any2xx, 403, b"<html>", false),
            (Expect::Any2xx, 302, b"", false),
            (Expect::FtStandard, 504, b"", false),
            (Expect::FtStandard, 200, b"<html>", false),
            // The service itself says so.
            (Expect::FtStandard, 200, failing, true),
        ] {
            let found = attempt(expect, true, Ok((status, body.to_vec())));
            let is_found = matches!(found, Attempt::Found(_));
            assert_eq!(is_found, counts, "{expect:?} {status} {found:?}");
        }
    }

    #[test]
    fn only_what_the_network_fails_is_tried_again() {
        let refused = CallError::Refused(String::new());
        assert_eq!(
            attempt(Expect::Ok200, false, Err(refused.clone())),
            Attempt::Failed(refused.to_string())
        );
        assert_eq!(
            attempt(Expect::Ok200, false, Ok((500, Vec::new()))),
            Attempt::Found(Finding::error("it answered 500"))
        );
    }
}
