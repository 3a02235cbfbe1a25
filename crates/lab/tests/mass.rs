//! Most of a laboratory falls silent at once, and relay reports no statistics: lost experiments are
//! withdrawn soon, and nothing else is.

#![allow(
    clippy::panic,
    clippy::expect_used,
    reason = "a test stops at what it does not expect"
)]

use std::collections::BTreeMap;
use std::time::Duration;

use engine::{Effect, Policy};
use jiff::Timestamp;
use lab::{Deed, Event, Output, Simulator, Stage};

/// A pause of all streams that is longer than the rule, and shorter than the rule and a second look.
const PAUSE: u64 = 12;

/// When streams fall silent.
const BEGINS: u64 = 120;

/// A laboratory of so many experiments whose streams are sampled.
fn laboratory(experiments: usize, last_active: u64) -> Stage<Simulator> {
    let policy = Policy {
        startup: Duration::from_secs(5),
        last_active: Duration::from_secs(last_active),
        ..Policy::default()
    };
    let mut stage = Stage::new(
        policy,
        Vec::new(),
        Timestamp::UNIX_EPOCH,
        Simulator::default(),
    );
    let streams = || vec!["st-data".to_owned(), "st-video".to_owned()];
    for number in 0..experiments {
        let deed = Deed::Experiment(format!("e{number:03}"), streams());
        stage.plan.at(Duration::ZERO, Event::Do(deed));
    }
    let deed = Deed::Statistics(false);
    stage.plan.at(Duration::ZERO, Event::Do(deed));
    Simulator::begin(&mut stage.plan);
    stage
}

fn at(stage: &mut Stage<Simulator>, seconds: u64, fault: &str) {
    let deed = Deed::Fault(fault.parse().expect("a fault"));
    stage.plan.at(Duration::from_secs(seconds), Event::Do(deed));
}

/// How long after the beginning each resource was withdrawn first, in seconds.
fn withdrawn(stage: &Stage<Simulator>) -> BTreeMap<String, f64> {
    let mut withdrawn = BTreeMap::new();
    for (when, output) in &stage.world.log {
        if let Output::Effect(Effect::Switch(switch)) = output
            && !switch.available
        {
            let after = when.mono().as_secs_f64() - Duration::from_secs(BEGINS).as_secs_f64();
            withdrawn
                .entry(switch.resource.to_string())
                .or_insert(after);
        }
    }
    withdrawn
}

#[test]
fn a_real_mass_silence_is_withdrawn_soon() {
    for (experiments, last_active, within) in [
        (12, 10, 35.0),
        (30, 10, 35.0),
        (130, 10, 60.0),
        (30, 300, 90.0),
        (130, 300, 180.0),
    ] {
        let mut stage = laboratory(experiments, last_active);
        at(&mut stage, BEGINS, "silent *");
        stage.run_until(Duration::from_secs(BEGINS + 200));
        let withdrawn = withdrawn(&stage);
        let last = withdrawn.values().copied().fold(0.0, f64::max);
        let what = format!("{experiments} experiments, {last_active} s");
        assert_eq!(withdrawn.len(), experiments, "{what}");
        let first = withdrawn.values().copied().fold(f64::MAX, f64::min);
        assert!(first >= 10.0, "{what}: the first after {first} s");
        assert!(last <= within, "{what}: the last after {last} s");
    }
}

#[test]
fn what_sends_is_never_withdrawn_with_the_others() {
    for (experiments, silent) in [(30, 20), (130, 100)] {
        let mut stage = laboratory(experiments, 10);
        for number in 0..silent {
            at(&mut stage, BEGINS, &format!("silent e{number:03}"));
        }
        stage.run_until(Duration::from_secs(BEGINS + 300));
        let withdrawn = withdrawn(&stage);
        let expected: Vec<String> = (0..silent).map(|n| format!("r-e{n:03}")).collect();
        let names: Vec<String> = withdrawn.keys().cloned().collect();
        assert_eq!(names, expected);
        let last = withdrawn.values().copied().fold(0.0, f64::max);
        assert!(last <= 60.0, "the last after {last} s");
    }
}

#[test]
fn a_pause_is_no_loss() {
    for experiments in [12, 30, 130] {
        let mut stage = laboratory(experiments, 10);
        at(&mut stage, BEGINS, "silent *");
        at(&mut stage, BEGINS + PAUSE, "sends *");
        stage.run_until(Duration::from_secs(BEGINS + 300));
        let withdrawn = withdrawn(&stage);
        assert!(withdrawn.is_empty(), "{experiments}: {withdrawn:?}");
    }
}
