//! Rounds of checks: the result of each outcome, alone and in a row, and the effect on resources.

use jiff::Timestamp;

use std::time::Duration;

use super::round::{AT_ONCE, GAP, OUTCOME_WITHIN};
use super::*;
use crate::model::PageName;
use PageFault::{Answers, NoAnswer};
use PageHealth::{Unknown, Works};

fn at(seconds: u64) -> Moment {
    Moment::new(Timestamp::UNIX_EPOCH, Duration::from_secs(seconds))
}

fn page(name: &str) -> PageAddress {
    let host = name.split('/').next().unwrap_or_default();
    let name = PageName::try_new(name).expect("a name");
    PageAddress::new(&format!("https://{name}?course=x"), name.clone(), host)
}

fn resource(name: &str) -> ResourceName {
    ResourceName::try_new(name).expect("a name")
}

fn policy(every: Option<u64>) -> Policy {
    Policy {
        ui_check_every: every.map(Duration::from_secs),
        ..Policy::default()
    }
}

fn answered(status: u16) -> PageOutcome {
    PageOutcome::Answered {
        status,
        by_proxy: false,
    }
}

/// The checks of a round, one after the other, each with its outcome.
fn round(pages: &mut Pages, now: u64, outcome: impl Fn(&PageAddress) -> PageOutcome) -> usize {
    let policy = policy(Some(300));
    let (mut moment, mut checks) = (at(now), 0);
    loop {
        for page in pages.due(&policy, moment) {
            checks += 1;
            pages.checked(&page, &outcome(&page));
        }
        if pages.end_round(false, moment).is_some() || !pages.is_in_round() {
            return checks;
        }
        moment = pages.deadline(&policy).expect("a round goes on");
    }
}

/// These pages, of these resources.
fn of(uses: &[(&str, &[&str])]) -> Pages {
    let uses: Vec<PageUse> = uses
        .iter()
        .map(|(name, resources)| PageUse {
            page: (*name != "-").then(|| page(name)),
            resources: resources.iter().map(|name| resource(name)).collect(),
        })
        .collect();
    let mut pages = Pages::new(at(0));
    pages.read(&uses, |_, _| None);
    pages
}

/// How a page is after rounds with these outcomes.
fn after(outcomes: &[PageOutcome]) -> (PageHealth, Option<PageFault>, bool) {
    let mut pages = of(&[("lab.example/ui/", &["r-a"]), ("other.example/", &["r-b"])]);
    for (number, outcome) in outcomes.iter().enumerate() {
        let now = 300 * number as u64;
        let of_page = |page: &PageAddress| match page.host() {
            "lab.example" => outcome.clone(),
            _ => answered(200),
        };
        assert_eq!(round(&mut pages, now, of_page), 2);
        pages.decide();
    }
    let resources = [resource("r-a")];
    let view = pages.views_of(&resources).remove(0);
    (view.health, view.fault, pages.facts(&resources).is_gone)
}

#[test]
fn every_outcome_of_two_checks_in_a_row() {
    let failed = PageOutcome::Failed;
    let words = || "words".to_owned();
    let by_proxy = |status| PageOutcome::Answered {
        status,
        by_proxy: true,
    };
    let fails = |fault| (PageHealth::Fails, Some(fault));
    #[rustfmt::skip]
    let rows = [
        // outcomes of both checks → health and fault, whether it fails for every visitor
        (answered(200), (Works, None), false),
        (answered(206), (Works, None), false),
        (answered(302), (Works, None), false),
        (answered(416), fails(Answers(416)), true),
        (answered(400), fails(Answers(400)), true),
        (answered(404), fails(Answers(404)), true),
        (answered(410), fails(Answers(410)), true),
        (answered(500), fails(Answers(500)), true),
        (answered(502), fails(Answers(502)), true),
        (answered(503), fails(Answers(503)), true),
        (answered(401), fails(Answers(401)), false),
        (answered(403), fails(Answers(403)), false),
        (answered(408), fails(Answers(408)), false),
        (answered(501), fails(Answers(501)), false),
        (answered(407), (Unknown, None), false),
        (answered(429), (Unknown, None), false),
        (answered(511), (Unknown, None), false),
        (by_proxy(404), fails(Answers(404)), false),
        (by_proxy(503), fails(Answers(503)), false),
        (by_proxy(200), (Works, None), false),
        (failed(CallError::TimedOut), fails(NoAnswer), false),
        (failed(CallError::Dropped), fails(NoAnswer), false),
        (failed(CallError::NoAnswer(words())), fails(NoAnswer), false),
        (failed(CallError::Unreachable(words())), fails(NoAnswer), false),
        (failed(CallError::Refused(words())), fails(NoAnswer), true),
        (failed(CallError::NameLookup(words())), (Unknown, None), false),
        (failed(CallError::NoRoute(words())), (Unknown, None), false),
        (failed(CallError::Tls(words())), (Unknown, None), false),
        (failed(CallError::Certificate(words())), fails(NoAnswer), false),
        (failed(CallError::Proxy(words())), (Unknown, None), false),
        (failed(CallError::Protocol(words())), (Unknown, None), false),
        (failed(CallError::Busy), (Unknown, None), false),
    ];
    for (outcome, (health, fault), is_gone) in rows {
        let twice = [outcome.clone(), outcome.clone()];
        assert_eq!(after(&twice), (health, fault, is_gone), "{outcome:?}");
        let once = after(&twice[..1]);
        let after_once = if health == Works { Works } else { Unknown };
        assert_eq!(once, (after_once, None, false), "{outcome:?}");
    }
}

#[test]
fn what_a_row_of_checks_shows() {
    let not_found = || answered(404);
    let ours = || PageOutcome::Failed(CallError::NameLookup(String::new()));
    let slow = || PageOutcome::Failed(CallError::TimedOut);
    let fails = |fault| (PageHealth::Fails, Some(fault));
    #[rustfmt::skip]
    let rows = [
        (vec![not_found(), answered(200)], (Works, None), false),
        (vec![not_found(), answered(200), not_found()], (Works, None), false),
        (vec![not_found(), not_found(), answered(200)], (Works, None), false),
        // A fault of labwatch's own ends a row, and says nothing of a page that fails.
        (vec![not_found(), ours(), not_found()], (Unknown, None), false),
        (vec![not_found(), not_found(), ours()], fails(Answers(404)), true),
        // The fault is the one that it began with.
        (vec![slow(), not_found()], fails(Answers(404)), false),
        (vec![not_found(), slow()], fails(NoAnswer), false),
        (vec![not_found(), not_found(), answered(503)], fails(Answers(404)), true),
        (vec![slow(), slow(), not_found(), not_found()], fails(NoAnswer), true),
        // A page that fails for every visitor stays so until it works.
        (vec![not_found(), not_found(), slow(), ours()], fails(Answers(404)), true),
    ];
    for (outcomes, (health, fault), is_gone) in rows {
        assert_eq!(after(&outcomes), (health, fault, is_gone), "{outcomes:?}");
    }
}

#[test]
fn a_host_that_refuses_is_at_fault_only_where_another_answers() {
    let refused = || PageOutcome::Failed(CallError::Refused(String::new()));
    for (others, is_gone) in [(answered(404), true), (refused(), false)] {
        let mut pages = of(&[("lab.example/ui/", &["r-a"]), ("other.example/", &["r-b"])]);
        for number in 0..2 {
            round(&mut pages, 300 * number, |page| match page.host() {
                "lab.example" => refused(),
                _ => others.clone(),
            });
        }
        pages.decide();
        let facts = pages.facts(&[resource("r-a")]);
        assert_eq!((facts.issues.len(), facts.is_gone), (1, is_gone));
    }
}

#[test]
fn an_experiment_is_unusable_where_no_page_of_it_is_left() {
    let mut pages = of(&[
        ("lab.example/gone/", &["r-a", "r-b", "r-c"]),
        ("lab.example/works/", &["r-b"]),
        ("-", &["r-c"]),
    ]);
    for number in 0..2 {
        round(&mut pages, 300 * number, |page| {
            answered(if page.name().as_str().contains("gone") {
                404
            } else {
                200
            })
        });
    }
    for (name, would_be, issues) in [
        ("r-a", true, 1),
        ("r-b", false, 1),
        ("r-c", false, 1),
        ("r-d", false, 0),
    ] {
        let resources = [resource(name)];
        assert_eq!(pages.would_be_gone(&resources), would_be, "{name}");
        assert!(
            !pages.facts(&resources).is_gone,
            "{name}: it is not decided yet"
        );
        assert_eq!(pages.facts(&resources).issues.len(), issues, "{name}");
    }
    pages.decide();
    let is_gone = |name| pages.facts(&[resource(name)]).is_gone;
    assert_eq!(
        [is_gone("r-a"), is_gone("r-b"), is_gone("r-c")],
        [true, false, false]
    );
}

#[test]
fn a_second_look_is_at_the_pages_in_question_and_comes_once() {
    let mut pages = of(&[
        ("lab.example/gone/", &["r-a"]),
        ("lab.example/works/", &["r-b"]),
    ]);
    let outcome = |page: &PageAddress| {
        answered(if page.name().as_str().contains("gone") {
            404
        } else {
            200
        })
    };
    assert_eq!(round(&mut pages, 0, outcome), 2);
    assert!(!pages.look_again(at(1)), "one failure is none");
    assert_eq!(round(&mut pages, 300, outcome), 2);
    assert!(pages.look_again(at(301)));
    assert_eq!(round(&mut pages, 301, outcome), 1);
    assert!(!pages.look_again(at(302)), "it has been looked at again");
    assert!(pages.would_be_gone(&[resource("r-a")]));
}

/// A check without an outcome ends the row, in the first look and in the second.
#[test]
fn a_check_that_is_given_up_counts_as_none() {
    for failures in [1, 2] {
        let mut pages = of(&[("lab.example/ui/", &["r-a"])]);
        for number in 0..failures {
            round(&mut pages, 300 * number, |_| answered(404));
        }
        assert_eq!(pages.would_be_gone(&[resource("r-a")]), failures == 2);
        let mut now = at(300 * failures);
        if failures == 2 {
            assert!(pages.look_again(now));
        }
        let policy = policy(Some(300));
        while pages.end_round(false, now).is_none() {
            let _ = pages.due(&policy, now);
            now = pages.deadline(&policy).map_or(now, |at| at.max(now));
        }
        assert!(!pages.would_be_gone(&[resource("r-a")]), "{failures}");
        round(&mut pages, 300 * (failures + 1), |_| answered(404));
        assert!(!pages.would_be_gone(&[resource("r-a")]), "{failures}");
    }
}

#[test]
fn checks_are_few_at_a_time_and_one_shortly_after_the_other() {
    let names: Vec<String> = (0..10).map(|n| format!("lab.example/{n}")).collect();
    let uses: Vec<(&str, &[&str])> = names
        .iter()
        .map(|name| (name.as_str(), &["r-a"][..]))
        .collect();
    let mut pages = of(&uses);
    let policy = policy(Some(300));
    let mut now = at(0);
    let mut begun = Vec::new();
    while now <= at(1) {
        begun.extend(pages.due(&policy, now));
        now = now + GAP / 2;
    }
    assert_eq!(begun.len(), AT_ONCE, "none ends");
    pages.checked(&begun[0], &answered(200));
    pages.checked(&begun[0], &answered(200));
    assert_eq!(pages.due(&policy, now).len(), 1);
    // Checks whose outcome does not come have no result, and the round goes on.
    let later = now + OUTCOME_WITHIN;
    assert_eq!(pages.due(&policy, later).len(), 1);
}

#[test]
fn while_it_is_off_nothing_is_checked_or_known() {
    let mut pages = of(&[("lab.example/ui/", &["r-a"])]);
    for number in 0..2 {
        round(&mut pages, 300 * number, |_| answered(404));
    }
    let off = policy(None);
    assert!(pages.due(&off, at(600)).is_empty());
    assert_eq!(pages.deadline(&off), None);
    assert_eq!(pages.facts(&[resource("r-a")]), PageFacts::default());
    assert_eq!(
        round(&mut pages, 700, |_| answered(404)),
        1,
        "at once when it is on"
    );
    assert_eq!(pages.facts(&[resource("r-a")]), PageFacts::default());
}

#[test]
fn what_failed_before_a_start_fails_until_a_check_shows_that_it_works() {
    let uses = [PageUse {
        page: Some(page("lab.example/ui/")),
        resources: vec![resource("r-a")],
    }];
    for (outcome, fails) in [(answered(404), true), (answered(200), false)] {
        let mut pages = Pages::new(at(0));
        pages.read(&uses, |_, _| Some((Answers(503), true)));
        assert!(pages.facts(&[resource("r-a")]).is_gone);
        round(&mut pages, 0, |_| outcome.clone());
        let facts = pages.facts(&[resource("r-a")]);
        assert_eq!(
            (facts.is_gone, facts.issues.len()),
            (fails, usize::from(fails))
        );
        // A manifest that is read again changes nothing, and a page that is no longer in it is
        // forgotten.
        pages.read(&uses, |_, _| Some((Answers(503), true)));
        assert_eq!(pages.facts(&[resource("r-a")]), facts);
        pages.read(&[], |_, _| None);
        assert_eq!(pages.facts(&[resource("r-a")]), PageFacts::default());
    }
}

#[test]
fn a_shared_page_is_remembered_as_the_worst_that_any_experiment_knew() {
    let shared = PageUse {
        page: Some(page("lab.example/ui/")),
        resources: vec![resource("r-a"), resource("r-b")],
    };
    let mut pages = Pages::new(at(0));
    pages.read(&[shared], |one, _| {
        Some((Answers(404), *one == resource("r-b")))
    });
    assert!(pages.facts(&[resource("r-b")]).is_gone);
}

#[test]
fn an_answer_of_the_network_is_no_proof_that_it_is_well() {
    let mut pages = of(&[("lab.example/ui/", &["r-a"]), ("other.example/", &["r-b"])]);
    for now in [0, 300, 600] {
        round(&mut pages, now, |page| match page.host() {
            "lab.example" => PageOutcome::Failed(CallError::Refused("lab.example:443".to_owned())),
            _ => answered(511),
        });
    }
    assert!(!pages.would_be_gone(&[resource("r-a")]));
}
