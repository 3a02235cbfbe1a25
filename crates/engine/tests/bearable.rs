//! The number of notifications is bearable and they are correct: one for each thing that happened,
//! whatever the order of the reports.

#![allow(
    clippy::expect_used,
    reason = "a test stops at what it does not expect"
)]

mod support;

use std::collections::BTreeSet;
use std::time::Duration;

use engine::model::Moment;
use proptest::prelude::*;
use support::{Mood, RECIPIENTS, STUBS, World, booked, cases};

const ANN: &str = RECIPIENTS[0];

const TWENTY: [&str; 20] = [
    "pend00", "pend01", "pend02", "pend03", "pend04", "pend05", "pend06", "pend07", "pend08",
    "pend09", "pend10", "pend11", "pend12", "pend13", "pend14", "pend15", "pend16", "pend17",
    "pend18", "pend19",
];

#[test]
fn twelve_failures_one_after_another_and_their_return_are_four_messages() {
    let mut world = World::of(&TWENTY);
    let begin = world.now;
    for stub in &TWENTY[..12] {
        world.lose(&[stub]);
        world.run(8);
    }
    world.run(70);
    for stub in &TWENTY[..12] {
        world.regain(&[stub]);
        world.run(8);
    }
    world.run(1_200);
    let messages = world.messages(ANN, begin);
    assert!(messages.len() <= 4, "{messages:#?}");
    for stub in &TWENTY[..12] {
        let notified = messages
            .iter()
            .filter(|(_, text)| text.contains(&format!("{stub} ok after")));
        assert_eq!(
            notified.count(),
            1,
            "the end of each is notified once: {stub} {messages:#?}"
        );
    }
}

#[test]
fn what_gets_worse_is_notified_at_once_where_it_is_booked_soon() {
    let mut world = World::of(&TWENTY);
    world.bookings = vec![booked("pend07", world.now, 1_800)];
    world.poll();
    for stub in &TWENTY[..7] {
        world.lose(&[stub]);
        world.run(10);
    }
    let begin = world.now;
    world.lose(&["pend07"]);
    world.run(30);
    let messages = world.messages(ANN, begin);
    let last = messages.last().expect("some");
    assert!(
        last.1.contains("pend07 down") && last.1.contains("pend06 down"),
        "{messages:#?}"
    );
    assert!(last.0 < 25, "{messages:#?}");
}

/// A power cut at each distance of jump's reports behind relay's.
#[test]
fn a_power_cut_is_two_messages_whatever_the_order_of_the_reports() {
    for behind in [0, 100, 1_000, 2_500, 4_000, 4_900] {
        let mut world = World::new();
        world.jump_behind = Duration::from_millis(behind);
        world.run(60);
        let begin = world.now;
        world.lose(&["pend00"]);
        world.run(100);
        let back = world.now;
        world.regain(&["pend00"]);
        world.run(600);
        let messages = world.messages(ANN, begin);
        assert_eq!(messages.len(), 2, "{behind} ms: {messages:#?}");
        assert_eq!(messages[0].1, "pend00 down", "{behind} ms");
        let down = &world.mailboxes[0].message.news[0];
        assert_eq!(
            down.issues.len(),
            2,
            "streams and login in one: {:?}",
            down.issues
        );
        assert!(
            messages[1].1.starts_with("pend00 ok after") && messages[1].1.ends_with(" s down"),
            "{messages:?}"
        );
        assert!(
            back.since(begin).as_secs() + 7 >= messages[1].0,
            "{messages:?}"
        );
        let (withdrawn, _) = world.withdrawn[0];
        assert!(
            withdrawn <= world.mailboxes[0].at,
            "the withdrawal does not wait"
        );
    }
}

#[test]
fn a_source_that_does_not_report_is_not_waited_for() {
    let mut world = World::new();
    world.jump_behind = Duration::from_secs(4);
    world.run(60);
    let begin = world.now;
    world.silent.insert("pend00");
    world.run(60);
    let (at, _) = world.messages(ANN, begin)[0];
    assert!(at <= 10 + 5 + 6, "{at}");
}

/// The experiment is down and up in turn for these times, for a day; then it stays up.
fn a_day_of(down: u64, up: u64) -> Vec<(u64, String)> {
    let mut world = World::of(&["pend00"]);
    let begin = world.now;
    while world.now.since(begin) < Duration::from_secs(24 * 3_600) {
        world.lose(&["pend00"]);
        world.run(down);
        world.regain(&["pend00"]);
        world.run(up);
    }
    world.run(3 * 3_600);
    world.messages(ANN, begin)
}

#[test]
fn an_unsteady_experiment_is_notified_once_and_when_it_is_stable() {
    for (down, up) in [(600, 600), (900, 900), (3_600, 1_800), (30, 1_800)] {
        let messages = a_day_of(down, up);
        assert!(messages.len() <= 12, "{down}/{up}: {messages:#?}");
        let unsteady = messages
            .iter()
            .filter(|(_, text)| text.contains("(unsteady, "));
        assert_eq!(unsteady.count(), 1, "{down}/{up}: {messages:#?}");
        let (_, last) = messages.last().expect("some");
        assert!(
            last.starts_with("pend00 ok") && last.contains("(steady after "),
            "{messages:#?}"
        );
    }
}

/// The same for a remote login that comes and goes, until students cannot use the experiment: that
/// is notified at once.
#[test]
fn an_unsteady_loss_is_notified_and_holds_back_nothing_else() {
    for (lost, found) in [(600, 600), (3_600, 1_800)] {
        let mut world = World::of(&["pend00"]);
        let begin = world.now;
        while world.now.since(begin) < Duration::from_secs(12 * 3_600) {
            world.unreachable.insert("pend00");
            world.run(lost);
            world.unreachable.clear();
            world.run(found);
        }
        let messages = world.messages(ANN, begin);
        let unsteady = messages
            .iter()
            .filter(|(_, text)| text.contains("degraded (unsteady, 4 times)"));
        assert!(
            messages.len() <= 8 && unsteady.count() == 1,
            "{lost}/{found}: {messages:#?}"
        );
        let power_cut = world.now;
        world.lose(&["pend00"]);
        world.run(60);
        world.regain(&["pend00"]);
        world.run(60);
        let at_once: Vec<String> = world.messages(ANN, begin)[messages.len()..]
            .iter()
            .map(|(_, text)| text.clone())
            .collect();
        assert_eq!(at_once.len(), 2, "{at_once:#?}");
        assert!(
            at_once[0] == "pend00 down" && at_once[1].starts_with("pend00 ok after "),
            "{at_once:#?}"
        );
        world.run(3 * 3_600);
        let after = world.messages(ANN, power_cut);
        assert!(after.len() <= messages.len() + 3, "{after:#?}");
        let later = world.now;
        world.mailboxes.clear();
        world.unreachable.insert("pend00");
        world.run(60);
        assert_eq!(
            world.messages(ANN, later).len(),
            1,
            "it has held, and counts anew"
        );
    }
}

#[test]
fn an_unsteady_experiment_stays_so_across_a_restart_and_may_hold_as_down() {
    let mut world = World::of(&["pend00"]);
    let begin = world.now;
    for _ in 0..6 {
        world.lose(&["pend00"]);
        world.run(600);
        world.regain(&["pend00"]);
        world.run(600);
    }
    let before = world.messages(ANN, begin).len();
    world.restart();
    for _ in 0..6 {
        world.lose(&["pend00"]);
        world.run(600);
        world.regain(&["pend00"]);
        world.run(600);
    }
    assert_eq!(world.messages(ANN, begin).len(), before);
    world.lose(&["pend00"]);
    world.run(3 * 3_600);
    let messages = world.messages(ANN, begin);
    assert_eq!(messages.len(), before + 1, "{messages:#?}");
    assert!(
        messages[before]
            .1
            .starts_with("pend00 down (steady after 13 times)"),
        "{messages:#?}"
    );
    world.regain(&["pend00"]);
    world.run(60);
    assert_eq!(
        world.messages(ANN, begin).len(),
        before + 2,
        "it counts anew"
    );
}

#[test]
fn an_experiment_that_leaves_book_while_down_gets_a_closing_notification() {
    let mut world = World::new();
    let begin = world.now;
    world.lose(&["pend00"]);
    world.run(600);
    world.listed.remove("pend00");
    world.poll();
    world.run(26 * 3_600);
    let messages = world.messages(ANN, begin);
    let (_, last) = messages.last().expect("some");
    assert!(
        last.contains("pend00 is not watched any more") && last.ends_with("last known as down"),
        "{messages:#?}"
    );
    world.run(3_600);
    assert_eq!(world.messages(ANN, begin).len(), messages.len());
}

/// A closing notification is pending over a kill, and sent once.
#[test]
fn a_pending_closing_notification_is_sent_after_a_restart() {
    let mut world = World::new();
    world.lose(&["pend00"]);
    world.run(600);
    world.listed.remove("pend00");
    world.poll();
    for who in RECIPIENTS {
        world.moods.insert(who, Mood::PutsOff);
    }
    world.run(26 * 3_600);
    let begin = world.now;
    world.restart();
    for who in RECIPIENTS {
        world.moods.insert(who, Mood::Takes);
    }
    world.run(3_600);
    let last_words = |world: &World| {
        let messages = world.messages(ANN, begin);
        let last = messages.iter().filter(|(_, text)| {
            text.contains("pend00 is not watched any more") && text.ends_with("known as down")
        });
        last.count()
    };
    assert_eq!(last_words(&world), 1, "{:#?}", world.messages(ANN, begin));
    world.restart();
    world.run(3_600);
    assert_eq!(last_words(&world), 1);
}

/// It is seen again while its closing notification waits for the budget: that is dropped, and its
/// recovery is notified as of any other.
#[test]
fn a_closing_notification_is_dropped_where_the_experiment_returns_before() {
    for (restarts, is_back_as_bad) in [(false, false), (true, false), (false, true), (true, true)] {
        let mut world = World::new();
        let begin = world.now;
        world.lose(&["pend00"]);
        world.run(600);
        world.listed.remove("pend00");
        world.poll();
        world.run(23 * 3_600 + 2_880);
        let is_forgotten = |world: &mut World| {
            let snapshot = world.engine.snapshot();
            let mut all = snapshot.experiments.iter();
            all.all(|one| one.stub.as_str() != "pend00")
        };
        // Three messages at once are all that the budget allows.
        world.lose(&["pend01"]);
        world.run(20);
        world.lose(&["spin00"]);
        world.run(20);
        world.regain(&STUBS[1..]);
        while !is_forgotten(&mut world) {
            world.run(5);
        }
        let notified = world.messages(ANN, begin).len();
        if restarts {
            world.restart();
            world.run(10);
        }
        world.listed.insert("pend00");
        if !is_back_as_bad {
            world.regain(&["pend00"]);
        }
        world.poll();
        world.run(3_600);
        world.regain(&["pend00"]);
        world.run(3_600);
        let messages = world.messages(ANN, begin);
        let is_closed = |text: &str| text.contains("pend00 is not watched");
        assert!(
            !messages.iter().any(|(_, text)| is_closed(text)),
            "{messages:#?}"
        );
        let of_it = messages[notified..]
            .iter()
            .filter(|(_, text)| text.contains("pend00"));
        let of_it: Vec<_> = of_it.collect();
        assert!(
            of_it.len() == 1 && of_it[0].1.starts_with("pend00 ok after "),
            "{restarts} {is_back_as_bad}: {of_it:#?}"
        );
    }
}

/// Its closing notification is in flight, or is lost, when it is seen again: recipients are
/// notified of its state.
#[test]
fn a_possible_closing_notification_is_followed_by_the_return() {
    for mood in [Mood::PutsOff, Mood::Mute] {
        for is_back_as_bad in [false, true] {
            let mut world = World::new();
            world.lose(&["pend00"]);
            world.run(600);
            world.listed.remove("pend00");
            world.poll();
            let all = |mood| RECIPIENTS.map(|who| (who, mood)).into();
            world.run(23 * 3_600);
            world.moods = all(mood);
            world.run(3 * 3_600);
            let begin = world.now;
            world.mailboxes.clear();
            world.listed.insert("pend00");
            if !is_back_as_bad {
                world.regain(&["pend00"]);
            }
            world.poll();
            world.run(120);
            world.moods = all(Mood::Takes);
            world.run(3 * 3_600);
            let mut messages = world.messages(ANN, begin);
            messages.dedup_by(|(_, again), (_, text)| again == text);
            let expected = if is_back_as_bad {
                "pend00 down"
            } else {
                "pend00 ok after 9"
            };
            let (_, last) = messages.last().expect("some");
            assert!(
                messages.len() == 1 && last.starts_with(expected) && !last.ends_with("s ok"),
                "{mood:?} {is_back_as_bad}: {messages:#?}"
            );
        }
    }
}

/// A deferred message is the same one after a restart, also where it is only a closing
/// notification.
#[test]
fn a_closing_notification_keeps_its_identity_across_a_restart() {
    let mut world = World::new();
    world.lose(&["pend00"]);
    world.run(600);
    world.listed.remove("pend00");
    world.poll();
    world.moods = RECIPIENTS.map(|who| (who, Mood::PutsOff)).into();
    world.run(26 * 3_600);
    world.attempts.clear();
    world.run(3_600);
    world.restart();
    world.run(3_600);
    let names: BTreeSet<_> = world.attempts.iter().collect();
    assert_eq!(
        (names.len(), world.attempts.len() > 4),
        (1, true),
        "{names:?}"
    );
}

/// Relay is silent for a while before an experiment is found to be down: its incident begins when
/// it is down, also across a restart.
#[test]
fn what_is_not_evaluated_begins_no_incident() {
    for restarts in [false, true] {
        let mut world = World::new();
        let begin = world.now;
        world.relay_is_mute = true;
        world.run(300);
        world.lose(&["pend00"]);
        if restarts {
            world.restart();
        }
        world.run(60);
        world.relay_is_mute = false;
        world.run(60);
        world.regain(&["pend00"]);
        world.run(120);
        let messages = world.messages(ANN, begin);
        let lasted = messages.iter().find_map(|(_, text)| {
            let (_, rest) = text.split_once("pend00 ok after ")?;
            rest.split(' ').next()?.parse::<u64>().ok()
        });
        assert!(
            lasted.is_some_and(|lasted| lasted < 70),
            "{restarts} {messages:#?}"
        );
    }
}

/// Down, then degraded, then ok: each notified at once, or all at the end. What is closed is the
/// whole incident.
#[test]
fn the_end_of_an_incident_names_its_worst_state_and_its_whole_length() {
    for (mood, restarts) in [
        (Mood::Takes, false),
        (Mood::PutsOff, false),
        (Mood::PutsOff, true),
    ] {
        let mut world = World::new();
        let begin = world.now;
        for who in RECIPIENTS {
            world.moods.insert(who, mood);
        }
        world.lose(&["pend00"]);
        world.run(100);
        world.silent.clear();
        world.run(200);
        if restarts {
            world.restart();
            world.run(10);
        }
        world.regain(&["pend00"]);
        world.run(20);
        for who in RECIPIENTS {
            world.moods.insert(who, Mood::Takes);
        }
        world.run(1_200);
        let messages = world.messages(ANN, begin);
        let (_, last) = messages.last().expect("some");
        let lasted: u64 = last
            .strip_prefix("pend00 ok after ")
            .and_then(|rest| rest.strip_suffix(" s down"))
            .and_then(|rest| rest.parse().ok())
            .unwrap_or_else(|| panic!("{mood:?} {messages:#?}"));
        let from_first_to_last = if restarts { 290..=315 } else { 285..=300 };
        assert!(
            from_first_to_last.contains(&lasted),
            "{mood:?} {messages:#?}"
        );
    }
}

/// A message waits for jump's next report, and then includes it: with the usual rules and with
/// quick ones.
#[test]
fn an_advice_rests_on_what_jump_reported_since_the_loss() {
    for behind in [0, 100, 1_000, 2_500, 4_000, 4_900] {
        for quick in [false, true] {
            let mut world = if quick { World::quick() } else { World::new() };
            world.jump_behind = Duration::from_millis(if quick { behind / 5 } else { behind });
            world.run(60);
            world.silent.insert("pend00");
            world.run(60);
            let line = &world.mailboxes[0].message.news[0];
            let advice = line.advice.as_deref().unwrap_or_default();
            assert!(
                advice.starts_with("Its computer is up"),
                "{behind} {quick}: {advice}"
            );
            world.regain(&["pend00"]);
            world.run(60);
            world.mailboxes.clear();
            world.lose(&["pend00"]);
            world.run(60);
            let messages: Vec<_> = world
                .mailboxes
                .iter()
                .filter(|got| got.who == ANN)
                .collect();
            let line = &messages[0].message.news[0];
            let advice = line.advice.as_deref().unwrap_or_default();
            assert!(
                messages.len() == 1 && advice.starts_with("Neither streams nor remote login"),
                "{behind} {quick}: {advice} {messages:#?}"
            );
        }
    }
}

/// The clock was ahead when messages were sent: after a restart with the right one, they hold
/// nothing back.
#[test]
fn messages_of_a_clock_that_was_ahead_use_up_no_budget() {
    let mut world = World::new();
    world.set_clock("2031-01-10T07:00:00Z");
    for stub in STUBS {
        world.lose(&[stub]);
        world.run(30);
    }
    world.set_clock("2026-01-10T07:02:00Z");
    world.restart();
    let begin = world.now;
    world.mailboxes.clear();
    world.regain(&STUBS);
    world.run(60);
    let messages = world.messages(ANN, begin);
    assert!(
        messages.len() == 1 && messages[0].1.contains("pend00 ok"),
        "{messages:#?}"
    );
}

/// labwatch starts while power comes back: relay's first report comes before jump's, and what jump
/// knew before the start is old.
#[test]
fn a_return_at_a_start_is_one_message() {
    for behind in [0, 1_000, 4_900] {
        let mut world = World::new();
        world.jump_behind = Duration::from_millis(behind);
        world.lose(&["pend00"]);
        world.run(600);
        world.mailboxes.clear();
        world.regain(&["pend00"]);
        world.restart();
        let begin = world.now;
        world.run(120);
        let messages = world.messages(ANN, begin);
        assert!(
            messages.len() == 1 && messages[0].1.starts_with("pend00 ok after "),
            "{behind}: {messages:#?}"
        );
    }
}

/// How often a route is notified in the worst hour.
fn worst_hour(world: &World) -> usize {
    let times: Vec<Moment> = world
        .mailboxes
        .iter()
        .filter(|got| got.who == ANN)
        .map(|got| got.at)
        .collect();
    let within = |from: Moment| {
        times
            .iter()
            .filter(|at| **at >= from && at.since(from) < Duration::from_secs(3_600))
            .count()
    };
    times.iter().map(|from| within(*from)).max().unwrap_or(0)
}

proptest! {
    #![proptest_config(ProptestConfig { failure_persistence: None, cases: cases(16), ..ProptestConfig::default() })]

    #[test]
    fn no_hour_has_more_than_fifteen_messages(
        deeds in proptest::collection::vec((0..8_usize, any::<bool>(), any::<bool>(), 5_u64..200), 0..120),
        (all_booked, restarts) in any::<(bool, bool)>(),
    ) {
        let mut world = World::of(&TWENTY[..8]);
        if all_booked {
            world.bookings = TWENTY[..8].iter().map(|stub| booked(stub, world.now, 60)).collect();
            world.poll();
        }
        for (stub, power, on, seconds) in deeds {
            let stub = TWENTY[stub];
            match (power, on) {
                (true, true) => world.regain(&[stub]),
                (true, false) => world.lose(&[stub]),
                (false, true) => drop(world.unreachable.remove(stub)),
                (false, false) => drop(world.unreachable.insert(stub)),
            }
            world.run(seconds);
            if restarts {
                world.restart();
            }
        }
        prop_assert!(worst_hour(&world) <= 15, "{:#?}", world.messages(ANN, world.now));
    }
}
