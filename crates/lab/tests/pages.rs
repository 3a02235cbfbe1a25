//! The results of page checks and their effects: the table of `docs/sources.md`, and the effect of
//! each row on a healthy laboratory.

#![allow(
    clippy::panic,
    clippy::expect_used,
    reason = "a test stops at what it does not expect"
)]

use std::time::Duration;

use engine::model::{CallError, Health};
use engine::{Effect, PageOutcome, Policy, Route};
use jiff::Timestamp;
use lab::{Deed, Event, Output, Simulator, Stage};

use Health::{Degraded, Down, Ok};

/// The document.
const DOCUMENT: &str = concat!(env!("CARGO_MANIFEST_DIR"), "/../../docs/sources.md");

/// When the fault begins.
const BEGINS: Duration = Duration::from_secs(60);

/// How long it lasts: four checks.
const LASTS: Duration = Duration::from_secs(20 * 60);

/// What happens to the pages, and to which.
enum Row {
    /// Every check has this outcome.
    Shows(PageOutcome),
    /// The server of the page is dead, while experiments are there whose page is elsewhere, or not.
    Dead { others_answer: bool },
}

fn answers(statuses: &[u16]) -> Vec<Row> {
    let by_proxy = false;
    let outcomes = statuses.iter().map(|status| PageOutcome::Answered {
        status: *status,
        by_proxy,
    });
    outcomes.map(Row::Shows).collect()
}

fn by_proxy(statuses: &[u16]) -> Vec<Row> {
    let outcomes = statuses.iter().map(|status| PageOutcome::Answered {
        status: *status,
        by_proxy: true,
    });
    outcomes.map(Row::Shows).collect()
}

fn fails(errors: Vec<CallError>) -> Vec<Row> {
    let outcomes = errors.into_iter().map(PageOutcome::Failed);
    outcomes.map(Row::Shows).collect()
}

/// The rows of the document: their names, examples, and the health with `optional` and with
/// `required`.
fn rows() -> Vec<(&'static str, Vec<Row>, Health, Health)> {
    use CallError::{
        Busy, Certificate, Dropped, NameLookup, NoAnswer, NoRoute, Protocol, Proxy, TimedOut, Tls,
        Unreachable,
    };
    let said = || "its text".to_owned();
    #[rustfmt::skip]
    let rows = vec![
        ("2xx or 3xx", answers(&[200, 204, 206, 301, 302]), Ok, Ok),
        ("404, 410, another 4xx, 5xx", answers(&[400, 404, 410, 418, 451, 500, 502, 503, 504, 520]), Degraded, Down),
        ("401, 403, 408, 501, 505", answers(&[401, 403, 408, 501, 505]), Degraded, Degraded),
        ("4xx or 5xx through our own HTTP proxy", by_proxy(&[404, 500, 503]), Degraded, Degraded),
        ("407, 429, 511", answers(&[407, 429, 511]), Ok, Ok),
        ("`refused`, while another host answers", vec![Row::Dead { others_answer: true }], Degraded, Down),
        ("`refused`, and no other host answers", vec![Row::Dead { others_answer: false }], Degraded, Degraded),
        ("`timeout`, `dropped`, `unreachable`, `no-answer`",
         fails(vec![TimedOut, Dropped, Unreachable(said()), NoAnswer(said())]), Degraded, Degraded),
        ("`certificate`", fails(vec![Certificate(said())]), Degraded, Degraded),
        ("`name-lookup`, `no-route`, `tls`, `proxy`, `protocol`, `busy`",
         fails(vec![NameLookup(said()), NoRoute(said()), Tls(said()), Proxy(said()), Protocol(said()), Busy]), Ok, Ok),
    ];
    rows
}

#[test]
fn the_document_has_the_same_table() {
    let document = std::fs::read_to_string(DOCUMENT).expect("the document");
    let documented: Vec<[String; 3]> = document
        .lines()
        .skip_while(|line| !line.starts_with("| two checks of an experiment's only page"))
        .skip(2)
        .take_while(|line| line.starts_with('|'))
        .map(|line| {
            let cells: Vec<&str> = line.trim_matches('|').split('|').map(str::trim).collect();
            [cells[0], cells[2], cells[3]].map(str::to_owned)
        })
        .collect();
    let expected: Vec<[String; 3]> = rows()
        .into_iter()
        .map(|(name, _, optional, required)| {
            [name, optional.as_str(), required.as_str()].map(str::to_owned)
        })
        .collect();
    assert_eq!(documented, expected);
}

/// The health of an experiment at the end, how many resources were withdrawn, and how many messages were sent.
fn outcome(row: &Row, ui_required: bool) -> (Health, usize, usize) {
    let policy = Policy {
        startup: Duration::from_secs(5),
        ui_required,
        ..Policy::default()
    };
    let routes = vec![Route::everybody()];
    let mut stage = Stage::new(policy, routes, Timestamp::UNIX_EPOCH, Simulator::default());
    let others: &[&str] = match row {
        Row::Dead {
            others_answer: true,
        } => &["spin30"],
        Row::Dead { .. } | Row::Shows(_) => &[],
    };
    for stub in ["pend00", "pend01"].iter().chain(others) {
        let deed = Deed::Experiment((*stub).to_owned(), vec!["st-data".to_owned()]);
        stage.plan.at(Duration::ZERO, Event::Do(deed));
    }
    stage.plan.at(Duration::ZERO, Event::Do(Deed::Pages));
    let deed = match row {
        Row::Shows(outcome) => Deed::PagesShow(Some(outcome.clone())),
        Row::Dead { .. } => Deed::Fault("pages dies".parse().expect("a fault")),
    };
    stage.plan.at(BEGINS, Event::Do(deed));
    Simulator::begin(&mut stage.plan);
    stage.run_until(BEGINS + LASTS);
    let log = &stage.world.log;
    let switches = log.iter().filter(
        |(_, output)| matches!(output, Output::Effect(Effect::Switch(switch)) if !switch.available),
    );
    let messages = log
        .iter()
        .filter(|(_, output)| matches!(output, Output::Effect(Effect::Notify(_))));
    let (switches, messages) = (switches.count(), messages.count());
    let snapshot = stage.engine.snapshot();
    let experiment = snapshot.experiment("pend00").expect("an experiment");
    (experiment.health, switches, messages)
}

#[test]
fn pages_withdraw_experiments_in_exactly_the_rows_that_say_so() {
    for (name, examples, optional, required) in rows() {
        for row in examples {
            for (is_required, health) in [(false, optional), (true, required)] {
                let withdrawn = if health == Down { 2 } else { 0 };
                let messages = usize::from(health != Ok);
                let got = outcome(&row, is_required);
                assert_eq!(got, (health, withdrawn, messages), "{name} {is_required}");
            }
        }
    }
}
