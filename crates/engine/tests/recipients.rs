//! Several recipients of one route, each with a mailbox that accepts a message or does not: each
//! gets every message once, and nothing because of another one.
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
use support::{Killed, Mood, RECIPIENTS, STUBS, World, cases};

/// Bob's messages are deferred while pend00 goes down.
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
    for who in RECIPIENTS {
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
    for who in RECIPIENTS {
        assert_eq!(world.got(who), [1], "{who}");
    }
    assert_eq!(world.lanes(), 0);
}

#[test]
fn a_message_that_reached_no_recipient_is_the_same_after_a_restart() {
    let mut world = World::new();
    world.moods = RECIPIENTS.map(|who| (who, Mood::PutsOff)).into();
    world.lose(&["pend00"]);
    world.run(60);
    world.restart();
    world.moods = RECIPIENTS.map(|who| (who, Mood::Takes)).into();
    world.run(900);
    for who in RECIPIENTS {
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
        world.moods = RECIPIENTS.map(|who| (who, Mood::Mute)).into();
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
    world.moods = RECIPIENTS.map(|who| (who, Mood::Mute)).into();
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

/// Of an experiment or of a source, deferred for one recipient or for all, also across a restart.
#[test]
fn a_reminder_and_a_digest_go_again_as_they_are_to_those_who_wait_for_them() {
    for (route, occasion) in [
        (reminding(), Occasion::Reminder),
        (with_digest(), Occasion::Digest),
    ] {
        for (of_relay, restarts) in [(false, false), (false, true), (true, false), (true, true)] {
            for waiting in [&RECIPIENTS[1..2], &RECIPIENTS[..]] {
                let mut world = World::with_route(route.clone());
                if of_relay {
                    world.relay_is_mute = true;
                } else {
                    world.lose(&["pend00"]);
                }
                world.run(300);
                let notified = world.mailboxes.len();
                assert!(notified > 0);
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
                let got = world.mailboxes[notified..].iter();
                let mut got: Vec<_> = got.map(|got| (got.who, got.message.occasion)).collect();
                got.sort_unstable();
                assert_eq!(got, RECIPIENTS.map(|who| (who, occasion)), "{case}");
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

/// The process is killed while the message about pend00 is in flight, and pend00 is ok again by
/// then.
fn killed_while_sending() -> World {
    let mut world = World::new();
    world.lose(&["pend00"]);
    // Of the steps that have effects the first one switches, and the second one notifies.
    world.kill = Some((1, Killed::AfterEffects));
    while world.attempts.is_empty() {
        world.run(5);
    }
    assert_eq!((world.attempts.len(), world.kill), (1, None));
    world.regain(&["pend00"]);
    world
}

/// How often a recipient has read that pend00 is down.
fn downs(world: &World, who: &str) -> usize {
    let read = world.read(who);
    read.iter().filter(|line| *line == "pend00 down").count()
}

#[test]
fn what_was_under_way_at_a_kill_comes_as_it_was_and_then_the_news() {
    let mut world = killed_while_sending();
    world.run(600);
    for who in RECIPIENTS {
        assert_eq!(world.got(who)[..3], [1, 1, 2], "{who}");
        assert_eq!(downs(&world, who), 2, "{who}");
        let read = world.read(who);
        assert_eq!(read.last().map(String::as_str), Some("pend00 ok"), "{who}");
    }
    assert_eq!(world.attempts[0], world.attempts[1]);
}

#[test]
fn what_was_under_way_comes_first_for_as_long_as_it_is_put_off_and_over_restarts() {
    let mut world = killed_while_sending();
    world.moods = RECIPIENTS.map(|who| (who, Mood::PutsOff)).into();
    world.run(60);
    world.restart();
    world.run(60);
    world.moods = [RECIPIENTS[0], RECIPIENTS[2]]
        .map(|who| (who, Mood::Takes))
        .into();
    world.moods.insert("bob@x.org", Mood::PutsOff);
    world.run(120);
    assert_eq!(world.got("ann@x.org"), [1, 1, 2]);
    world.moods.insert("bob@x.org", Mood::Takes);
    world.run(600);
    assert_eq!(world.got("bob@x.org")[..2], [1, 1]);
    let bob = world.read("bob@x.org");
    assert_eq!(bob, ["pend00 down", "pend00 down", "pend00 ok"]);
    assert_eq!(world.lanes(), 0);
}

#[test]
fn what_was_under_way_keeps_nothing_silent_where_it_is_not_known_again_what_came_of_it() {
    for mood in [Mood::Mute, Mood::Refuses] {
        let mut world = killed_while_sending();
        world.moods = RECIPIENTS.map(|who| (who, mood)).into();
        world.run(10);
        world.moods = RECIPIENTS.map(|who| (who, Mood::Takes)).into();
        world.run(60);
        let read = world.read("ann@x.org");
        assert_eq!(
            read.last().map(String::as_str),
            Some("pend00 ok"),
            "{mood:?}"
        );
    }
}

#[test]
fn what_was_under_way_long_ago_is_put_together_anew() {
    let mut world = killed_while_sending();
    world.now = world.now + Duration::from_secs(16 * 60);
    world.restart();
    world.run(600);
    assert_eq!(world.got("ann@x.org")[..2], [1, 2]);
    assert_eq!(downs(&world, "ann@x.org"), 1);
}

#[test]
fn a_message_that_says_that_something_is_watched_no_more_is_the_same_after_a_restart() {
    let mut world = World::new();
    world.lose(&["pend00"]);
    world.run(60);
    world.listed.remove("pend00");
    world.poll();
    world.moods = RECIPIENTS.map(|who| (who, Mood::PutsOff)).into();
    let before = world.attempts.len();
    world.run(25 * 3_600);
    let of_closing = world.attempts.last().copied().expect("some");
    world.restart();
    world.moods = RECIPIENTS.map(|who| (who, Mood::Takes)).into();
    world.run(900);
    assert!(world.attempts.len() > before);
    assert_eq!(world.got("ann@x.org"), [1, of_closing.id]);
    assert_eq!(world.attempts.last(), Some(&of_closing));
}

#[test]
fn a_possible_recovery_message_is_corrected_across_a_restart() {
    let mut world = World::new();
    world.lose(&["pend00"]);
    world.run(60);
    world.moods.insert("bob@x.org", Mood::Mute);
    world.regain(&["pend00"]);
    while world.read("bob@x.org").last().map(String::as_str) != Some("pend00 ok") {
        world.run(5);
    }
    // It is down again, and the process dies when it is about to withdraw it.
    world.lose(&["pend00"]);
    world.kill = Some((0, Killed::BeforeEffects));
    world.run(10);
    assert_eq!(world.kill, None);
    world.moods.insert("bob@x.org", Mood::Takes);
    world.run(3 * 3_600);
    for who in RECIPIENTS {
        let read = world.read(who);
        assert_eq!(
            read.last().map(String::as_str),
            Some("pend00 down"),
            "{who}: {read:?}"
        );
    }
    assert_eq!(world.lanes(), 0);
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
        3 => (1..RECIPIENTS.len(), mood).prop_map(|(who, mood)| Deed::Mailbox(who, mood)),
        1 => Just(Deed::Restart),
        1 => (0..6_usize, killed).prop_map(|(steps, killed)| Deed::Kill(steps, killed)),
    ]
}

proptest! {
    #![proptest_config(ProptestConfig { failure_persistence: None, cases: cases(48), ..ProptestConfig::default() })]

    #[test]
    fn each_recipient_is_notified_of_everything_once(deeds in proptest::collection::vec((deed(), 0_u64..120), 0..20)) {
        let mut world = World::new();
        let (mut ever_refused, mut received_twice) = (BTreeSet::new(), false);
        for (deed, seconds) in deeds {
            match deed {
                Deed::Sends(stub, true) => world.regain(&[STUBS[stub]]),
                Deed::Sends(stub, false) => world.lose(&[STUBS[stub]]),
                Deed::Mailbox(who, mood) => {
                    if mood == Mood::Refuses {
                        ever_refused.insert(RECIPIENTS[who]);
                    }
                    world.moods.insert(RECIPIENTS[who], mood);
                }
                Deed::Restart => world.restart(),
                Deed::Kill(steps, killed) => {
                    // Delivery is unconfirmed then, so the content may be sent again.
                    received_twice |= killed == Killed::AfterEffects;
                    world.kill = Some((steps, killed));
                }
            }
            world.run(seconds);
        }
        world.kill = None;
        world.moods = RECIPIENTS.map(|who| (who, Mood::Takes)).into();
        world.run(3 * 3600);
        let snapshot = world.engine.snapshot();
        for who in RECIPIENTS.into_iter().filter(|who| !ever_refused.contains(who)) {
            let own = || world.mailboxes.iter().filter(|got| got.who == who);
            let known: BTreeMap<Stub, Health> = own()
                .flat_map(|got| &got.message.news)
                .map(|line| (line.stub.clone(), line.health))
                .collect();
            for view in snapshot.experiments.iter() {
                let notified = known.get(&view.stub).copied().unwrap_or(Health::Ok);
                prop_assert_eq!(notified, view.health, "what {} knows of {}", who, view.stub);
            }
        }
        let mut contents: BTreeMap<MessageId, Arc<Summary>> = BTreeMap::new();
        for got in &world.mailboxes {
            let first = contents.entry(got.message.thread.id).or_insert_with(|| Arc::clone(&got.message));
            prop_assert_eq!(&*got.message, &**first, "one name, one content");
        }
        let mut known: BTreeMap<&Stub, Health> = BTreeMap::new();
        for line in world.mailboxes.iter().filter(|got| got.who == RECIPIENTS[0]).flat_map(|got| &got.message.news) {
            let before = known.insert(&line.stub, line.health);
            // What came and went while messages were gathered is notified once, when it is over.
            let is_over = line.health == Health::Ok && line.notified == Health::Ok;
            prop_assert!(received_twice || is_over || before != Some(line.health), "who takes everything is notified of nothing twice: {:?}", line);
        }
        prop_assert_eq!(world.lanes(), 0);
        prop_assert!(snapshot.routes.iter().all(|route| route.unreached.iter().all(|one| one.refused)));
    }
}
