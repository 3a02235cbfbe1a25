//! Components beside the sources, as subjects of notifications: a failure of an outside service or
//! a part of labwatch is notified once, and so is its end, also across a restart; acknowledgements
//! and silences suppress it.

#![allow(
    clippy::expect_used,
    clippy::wildcard_enum_match_arm,
    reason = "a test stops at what it does not expect"
)]

mod support;

use std::sync::Arc;
use std::time::Duration;

use engine::model::{CallError, Moment, SourceName};
use engine::{
    Command, ComponentHealth, Engine, Fitness, Input, Link, NamePattern, Order, Policy, Route,
    Rules, Scope, State,
};
use support::World;

const ANN: &str = "ann@x.org";

/// The health of a component: an outside service where it names categories.
fn is(name: &str, fitness: Fitness, problem: Option<&str>, categories: &[&str]) -> Input {
    let categories: Vec<String> = categories.iter().map(ToString::to_string).collect();
    Input::Component(ComponentHealth {
        name: Arc::from(name),
        fitness,
        categories: categories.into(),
        problem: problem.map(Arc::from),
    })
}

fn wiki(problem: Option<&str>) -> Input {
    let fitness = problem.map_or(Fitness::Works, |_| Fitness::Fails);
    is("wiki", fitness, problem, &["teaching"])
}

fn command(world: &mut World, command: Command) {
    world.give(Input::Command(Order {
        command,
        by: "Ada".to_owned(),
    }));
}

/// A laboratory of which a service has failed for this many seconds.
fn failing_for(seconds: u64) -> (World, Moment) {
    let mut world = World::new();
    world.give(wiki(None));
    let from = world.now;
    world.give(wiki(Some("it answered 500")));
    world.run(seconds);
    (world, from)
}

const DOWN: &str = "wiki does not work: it answered 500";

#[test]
fn a_failing_service_is_notified_once_and_so_is_its_end() {
    let (mut world, from) = failing_for(300);
    assert_eq!(world.messages(ANN, from), [(60, DOWN.to_owned())]);
    world.give(wiki(Some("it answered 503")));
    world.run(300);
    assert_eq!(world.got(ANN).len(), 1, "other words are no news");
    world.mailboxes.clear();
    let well = world.now;
    world.give(wiki(None));
    world.run(300);
    let notified = world.messages(ANN, well);
    assert_eq!(notified.len(), 1, "{notified:?}");
    assert_eq!(notified[0].1, "wiki works again");
    let line = &world.mailboxes[0].message.alerts[0];
    assert_eq!(line.ended, Some(Duration::from_secs(600)));
}

#[test]
fn a_service_that_fails_for_less_than_a_minute_is_not_notified() {
    let (mut world, _) = failing_for(55);
    world.give(wiki(None));
    world.run(600);
    assert_eq!(world.got(ANN), [0_u64; 0]);
}

#[test]
fn a_service_fails_and_returns_beside_an_experiment() {
    let (mut world, _) = failing_for(120);
    world.lose(&["pend00"]);
    world.run(120);
    assert_eq!(world.read(ANN), ["pend00 down"]);
    let last = &world.mailboxes.last().expect("a message").message;
    let known: Vec<(&str, bool)> = last
        .alerts
        .iter()
        .map(|line| (line.text.as_str(), line.new))
        .collect();
    assert_eq!(known, [(DOWN, false)], "each message has all that is open");
    assert_eq!(world.withdrawn.len(), 1, "it is switched because of itself");
}

#[test]
fn notifications_of_a_component() {
    for (component, notified) in [
        (
            is("store", Fitness::Fails, Some("disk full"), &[]),
            Some("the store takes nothing: what happens is not kept: disk full"),
        ),
        (
            is("queue", Fitness::Fails, Some("it is full"), &[]),
            Some("queue does not work: it is full"),
        ),
        (
            is(
                "wiki",
                Fitness::Unknown,
                Some("no report for over 2m"),
                &["x"],
            ),
            Some("whether wiki works is not known: no report for over 2m"),
        ),
        (is("wiki", Fitness::Unknown, None, &["x"]), None),
        (is("mail", Fitness::Fails, Some("refused"), &[]), None),
        (is("relay", Fitness::Fails, Some("refused"), &[]), None),
    ] {
        let mut world = World::new();
        world.give(component);
        let from = world.now;
        world.run(600);
        let notified: Vec<(u64, String)> = notified
            .map(|text| (60, text.to_owned()))
            .into_iter()
            .collect();
        assert_eq!(world.messages(ANN, from), notified);
    }
}

#[test]
fn a_restart_repeats_nothing_and_the_end_is_notified_after_it() {
    for is_known_late in [false, true] {
        let (mut world, _) = failing_for(120);
        world.mailboxes.clear();
        world.restart();
        if !is_known_late {
            world.give(is("wiki", Fitness::Unknown, None, &["teaching"]));
        }
        world.run(30);
        world.give(wiki(Some("it answered 500")));
        world.run(600);
        assert_eq!(world.got(ANN), [0_u64; 0], "{is_known_late}");
        world.restart();
        world.give(wiki(None));
        let well = world.now;
        world.run(120);
        let notified: Vec<String> = world
            .messages(ANN, well)
            .into_iter()
            .map(|one| one.1)
            .collect();
        assert_eq!(notified, ["wiki works again"], "{is_known_late}");
    }
}

#[test]
fn a_removed_service_gets_a_closing_notification() {
    for after_a_restart in [false, true] {
        let (mut world, _) = failing_for(120);
        world.mailboxes.clear();
        if after_a_restart {
            world.restart();
        } else {
            world.give(Input::ComponentGone(Arc::from("wiki")));
        }
        let from = world.now;
        world.run(600);
        let notified: Vec<String> = world
            .messages(ANN, from)
            .into_iter()
            .map(|one| one.1)
            .collect();
        assert_eq!(notified, ["wiki is not watched any more"]);
    }
}

#[test]
fn an_acknowledgement_and_a_silence_suppress_it() {
    let acknowledge = Command::Acknowledge {
        scope: Scope::Component("wiki".to_owned()),
        text: "known".to_owned(),
        until: None,
    };
    let silence = |world: &World, pattern: &str| Command::Silence {
        pattern: NamePattern::try_new(pattern).expect("a pattern"),
        reason: "moved".to_owned(),
        until: (world.now + Duration::from_secs(300)).wall(),
    };
    let (mut world, _) = failing_for(30);
    command(&mut world, acknowledge);
    world.run(600);
    world.give(wiki(None));
    world.run(600);
    assert_eq!(
        world.got(ANN),
        [0_u64; 0],
        "an acknowledged one, and its end"
    );

    for (pattern, seconds) in [("wiki", 300), ("w*", 300), ("spin*", 60)] {
        let (mut world, from) = failing_for(0);
        let silence = silence(&world, pattern);
        command(&mut world, silence);
        world.run(900);
        assert_eq!(
            world.messages(ANN, from),
            [(seconds, DOWN.to_owned())],
            "{pattern}: what still holds when a silence ends is notified"
        );
    }

    let (mut world, _) = failing_for(120);
    world.mailboxes.clear();
    let silence = silence(&world, "wiki");
    command(&mut world, silence);
    world.run(60);
    world.give(wiki(None));
    world.run(60);
    assert_eq!(
        world.got(ANN).len(),
        1,
        "an end is notified also in a silence"
    );
}

#[test]
fn while_labwatch_is_cut_off_components_have_no_alert_of_their_own() {
    let mut world = World::new();
    world.give(wiki(None));
    let from = world.now;
    for source in SourceName::ALL {
        world.give(Input::Link(source, Link::Closed("gone".into())));
    }
    world.give(Input::BookFailed(CallError::TimedOut));
    world.give(wiki(Some("name not found")));
    for _ in 0..120 {
        world.now = world.now + Duration::from_secs(5);
        world.give(Input::Wake);
    }
    let notified: Vec<String> = world
        .messages(ANN, from)
        .into_iter()
        .map(|one| one.1)
        .collect();
    assert!(
        !notified.iter().any(|text| text.contains("wiki")),
        "{notified:?}"
    );
}

#[test]
fn without_a_laboratory_nothing_is_waited_for() {
    let policy = Policy {
        laboratory: false,
        ..Policy::default()
    };
    let mut world = World::of(&[]);
    let rules = Rules::new(policy, vec![Route::everybody()]);
    world.kept = State::new();
    world.engine = Engine::resume(rules, &State::new(), world.now);
    world.give(wiki(Some("it answered 500")));
    for _ in 0..120 {
        world.now = world.now + Duration::from_secs(5);
        world.give(Input::Wake);
    }
    let notified: Vec<String> = world
        .messages(ANN, world.now)
        .into_iter()
        .map(|one| one.1)
        .collect();
    assert_eq!(notified, [DOWN]);
}
