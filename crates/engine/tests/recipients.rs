//! Several recipients of one route, each with a mailbox that takes a message or does not: each gets every message once, and nothing because
//! of another one.
//!
//! `PROPTEST_CASES` sets how many cases are tried.

#![allow(
    clippy::expect_used,
    clippy::wildcard_enum_match_arm,
    reason = "a test stops at what it does not expect"
)]

mod support;

use std::collections::{BTreeMap, BTreeSet};
use std::sync::Arc;
use std::time::Duration;

use engine::model::{Health, Stub};
use engine::{Digest, MessageId, Occasion, Route, Summary};
use proptest::prelude::*;
use support::{Killed, Mood, PEOPLE, STUBS, World};

/// Bob is put off while pend00 goes down.
fn bob_is_behind() -> World {
    let mut world = World::new();
    world.moods.insert("bob@x.org", Mood::PutsOff);
    world.lose(&["pend00"]);
    world.run(60);
    assert_eq!(world.read("ann@x.org"), ["pend00 down"]);
    assert_eq!(world.read("bob@x.org"), [""; 0]);
    world
}

#[test]
fn who_is_put_off_gets_the_same_message_later_and_the_others_get_it_once() {
    let mut world = bob_is_behind();
    assert_eq!(world.unreached(), [("bob@x.org".to_owned(), false)]);
    assert!(world.attempts.len() > 2, "{:?}", world.attempts);
    world.moods.insert("bob@x.org", Mood::Takes);
    world.run(900);
    for who in PEOPLE {
        assert_eq!(world.got(who), [1], "{who}");
    }
    let first = world.attempts[0];
    assert!(world.attempts.iter().all(|message| *message == first));
    assert_eq!((world.unreached(), world.lanes()), (Vec::new(), 0));
}

#[test]
fn after_a_restart_the_same_message_goes_to_those_who_wait_for_it() {
    let mut world = bob_is_behind();
    world.restart();
    world.moods.insert("bob@x.org", Mood::Takes);
    world.run(900);
    for who in PEOPLE {
        assert_eq!(world.got(who), [1], "{who}");
    }
    assert_eq!(world.lanes(), 0);
}

#[test]
fn a_message_that_reached_no_recipient_is_the_same_after_a_restart() {
    let mut world = World::new();
    world.moods = PEOPLE.map(|who| (who, Mood::PutsOff)).into();
    world.lose(&["pend00"]);
    world.run(60);
    world.restart();
    world.moods = PEOPLE.map(|who| (who, Mood::Takes)).into();
    world.run(900);
    for who in PEOPLE {
        assert_eq!(world.got(who), [1], "{who}");
    }
    let first = world.attempts[0];
    assert!(world.attempts.iter().all(|message| *message == first));
}

#[test]
fn a_refused_recipient_is_shown_and_tried_with_the_next_message_only() {
    let mut world = World::new();
    world.moods.insert("bob@x.org", Mood::Refuses);
    world.lose(&["pend00"]);
    world.run(900);
    assert_eq!(world.attempts.len(), 1);
    assert_eq!(world.unreached(), [("bob@x.org".to_owned(), true)]);
    world.moods.insert("bob@x.org", Mood::Takes);
    world.regain(&STUBS);
    world.run(900);
    assert_eq!(world.got("bob@x.org"), world.got("ann@x.org")[1..]);
    assert_eq!(world.unreached(), []);
}

#[test]
fn what_is_new_meanwhile_goes_to_each_with_what_that_one_does_not_know() {
    let mut world = bob_is_behind();
    world.lose(&["spin00"]);
    world.run(60);
    world.moods.insert("bob@x.org", Mood::Takes);
    world.run(900);
    assert_eq!(world.read("ann@x.org"), ["pend00 down", "spin00 down"]);
    assert_eq!(world.read("bob@x.org"), ["pend00 down", "spin00 down"]);
    assert_eq!(world.got("bob@x.org").len(), 1);
    assert_eq!(world.lanes(), 0);
}

/// Also across a restart, and not longer than that where the clock was ahead before it.
#[test]
fn a_message_that_may_have_arrived_waits_longer() {
    for restarts in [false, true] {
        let mut world = World::new();
        world.moods = PEOPLE.map(|who| (who, Mood::Mute)).into();
        world.lose(&["pend00"]);
        world.run(10 * 60);
        if restarts {
            world.restart();
        }
        world.run(19 * 60);
        assert_eq!(world.attempts.len(), 1, "{restarts}");
        world.run(2 * 60);
        assert_eq!(world.attempts.len(), 2, "{restarts}");
        assert_eq!(world.attempts[0], world.attempts[1]);
    }
    let mut world = World::new();
    world.moods = PEOPLE.map(|who| (who, Mood::Mute)).into();
    world.lose(&["pend00"]);
    world.run(60);
    world.set_clock("2025-01-10T07:00:00Z");
    world.restart();
    world.run(31 * 60);
    assert_eq!(world.attempts.len(), 2);
}

/// Reminders after ten minutes, and a digest at 07:06.
fn reminding() -> Route {
    Route {
        remind: Some(Duration::from_secs(600)),
        ..Route::everybody()
    }
}

fn with_digest() -> Route {
    Route {
        digest: Some(Digest {
            at: jiff::civil::time(7, 6, 0, 0),
            zone: jiff::tz::TimeZone::UTC,
            when_well: false,
        }),
        ..Route::everybody()
    }
}

/// Of an experiment or of a source, put off for one recipient or for all, also across a restart.
#[test]
fn a_reminder_and_a_digest_go_again_as_they_are_to_those_who_wait_for_them() {
    for (route, occasion) in [
        (reminding(), Occasion::Reminder),
        (with_digest(), Occasion::Digest),
    ] {
        for (of_relay, restarts) in [(false, false), (false, true), (true, false), (true, true)] {
            for waiting in [&PEOPLE[1..2], &PEOPLE[..]] {
                let mut world = World::told_by(route.clone());
                if of_relay {
                    world.relay_is_mute = true;
                } else {
                    world.lose(&["pend00"]);
                }
                world.run(300);
                let told = world.mailboxes.len();
                assert!(told > 0);
                world
                    .moods
                    .extend(waiting.iter().map(|who| (*who, Mood::PutsOff)));
                world.attempts.clear();
                world.run(480);
                let case = format!("{occasion:?} {of_relay} {restarts} {waiting:?}");
                assert!(world.attempts.len() > 1, "{case} {:?}", world.attempts);
                if restarts {
                    world.restart();
                }
                world
                    .moods
                    .extend(waiting.iter().map(|who| (*who, Mood::Takes)));
                world.run(300);
                let got = world.mailboxes[told..].iter();
                let mut got: Vec<_> = got.map(|got| (got.who, got.message.occasion)).collect();
                got.sort_unstable();
                assert_eq!(got, PEOPLE.map(|who| (who, occasion)), "{case}");
                let names: BTreeSet<&MessageId> = world.attempts.iter().collect();
                assert_eq!(names.len(), 1, "{case} {:?}", world.attempts);
                assert_eq!(
                    (world.unreached(), world.lanes()),
                    (Vec::new(), 0),
                    "{case}"
                );
            }
        }
    }
}

#[derive(Debug, Clone)]
enum Deed {
    Sends(usize, bool),
    Mailbox(usize, Mood),
    Restart,
    Kill(usize, Killed),
}

fn deed() -> impl Strategy<Value = Deed> {
    let moods = [Mood::Takes, Mood::PutsOff, Mood::Refuses, Mood::Mute];
    let mood = proptest::sample::select(moods.to_vec());
    let killed = proptest::sample::select(vec![Killed::BeforeEffects, Killed::AfterEffects]);
    prop_oneof![
        3 => (0..STUBS.len(), any::<bool>()).prop_map(|(stub, on)| Deed::Sends(stub, on)),
        3 => (1..PEOPLE.len(), mood).prop_map(|(who, mood)| Deed::Mailbox(who, mood)),
        1 => Just(Deed::Restart),
        1 => (0..6_usize, killed).prop_map(|(steps, killed)| Deed::Kill(steps, killed)),
    ]
}

proptest! {
    #![proptest_config(ProptestConfig { failure_persistence: None, cases: 48, ..ProptestConfig::default() })]

    #[test]
    fn each_one_is_told_everything_once(deeds in proptest::collection::vec((deed(), 0_u64..120), 0..20)) {
        let mut world = World::new();
        let (mut ever_refused, mut heard_twice) = (BTreeSet::new(), false);
        for (deed, seconds) in deeds {
            match deed {
                Deed::Sends(stub, true) => world.regain(&[STUBS[stub]]),
                Deed::Sends(stub, false) => world.lose(&[STUBS[stub]]),
                Deed::Mailbox(who, mood) => {
                    if mood == Mood::Refuses {
                        ever_refused.insert(PEOPLE[who]);
                    }
                    world.moods.insert(PEOPLE[who], mood);
                }
                Deed::Restart => world.restart(),
                Deed::Kill(steps, killed) => {
                    // It is not known then that a message arrived, so what it says may be said again.
                    heard_twice |= killed == Killed::AfterEffects;
                    world.kill = Some((steps, killed));
                }
            }
            world.run(seconds);
        }
        world.kill = None;
        world.moods = PEOPLE.map(|who| (who, Mood::Takes)).into();
        world.run(3 * 3600);
        let snapshot = world.engine.snapshot();
        for who in PEOPLE.into_iter().filter(|who| !ever_refused.contains(who)) {
            let own = || world.mailboxes.iter().filter(|got| got.who == who);
            let known: BTreeMap<Stub, Health> = own()
                .flat_map(|got| &got.message.news)
                .map(|line| (line.stub.clone(), line.health))
                .collect();
            for view in snapshot.experiments.iter() {
                let told = known.get(&view.stub).copied().unwrap_or(Health::Ok);
                prop_assert_eq!(told, view.health, "what {} knows of {}", who, view.stub);
            }
        }
        let mut contents: BTreeMap<MessageId, Arc<Summary>> = BTreeMap::new();
        for got in &world.mailboxes {
            let first = contents.entry(got.message.thread.id).or_insert_with(|| Arc::clone(&got.message));
            prop_assert_eq!(&*got.message, &**first, "one name, one content");
        }
        let mut known: BTreeMap<&Stub, Health> = BTreeMap::new();
        for line in world.mailboxes.iter().filter(|got| got.who == PEOPLE[0]).flat_map(|got| &got.message.news) {
            let before = known.insert(&line.stub, line.health);
            // What came and went while messages were gathered is told once, when it is over.
            let is_over = line.health == Health::Ok && line.notified == Health::Ok;
            prop_assert!(heard_twice || is_over || before != Some(line.health), "who takes everything is told nothing twice: {:?}", line);
        }
        prop_assert_eq!(world.lanes(), 0);
        prop_assert!(snapshot.routes.iter().all(|route| route.unreached.iter().all(|one| one.refused)));
    }
}
