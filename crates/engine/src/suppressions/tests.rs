//! What is suppressed, for how long, and that no pending notification is lost by it.

use jiff::{SignedDuration, Timestamp};
use proptest::prelude::*;

use super::limits::{MAX_SILENCES, MAX_TEXT_BYTES};
use super::*;
use crate::model::{Health, NamePattern, Stub};

/// The instant this many minutes after the start of a Monday in November.
fn at(minute: i64) -> Timestamp {
    "2026-11-23T00:00Z".parse::<Timestamp>().expect("a time") + SignedDuration::from_mins(minute)
}

fn stub(name: &str) -> Stub {
    Stub::try_new(name).expect("a name")
}

fn pattern(text: &str) -> NamePattern {
    NamePattern::try_new(text).expect("a pattern")
}

fn subject(name: &str) -> Subject {
    Subject::Experiment(stub(name))
}

/// Of an experiment that is down.
fn acknowledgement(name: &str, since: i64, until: Option<i64>) -> SuppressionEntry {
    SuppressionEntry::Acknowledgement(plain_acknowledgement(name, since, until))
}

fn plain_acknowledgement(name: &str, since: i64, until: Option<i64>) -> Acknowledgement {
    let (who, text) = ("Ann".to_owned(), "motor is ordered".to_owned());
    Acknowledgement {
        subject: subject(name),
        health: Health::Down,
        who,
        text,
        since: at(since),
        until: until.map(at),
    }
}

fn silence(text: &str, since: i64, until: i64) -> SuppressionEntry {
    let (who, reason) = ("Bob".to_owned(), "new cables".to_owned());
    SuppressionEntry::Silence(Silence {
        pattern: pattern(text),
        who,
        reason,
        since: at(since),
        until: at(until),
    })
}

fn plain_maintenance(text: &str, schedule: Schedule) -> Maintenance {
    Maintenance {
        pattern: pattern(text),
        who: "Cy".to_owned(),
        reason: "cleaning".to_owned(),
        since: at(0),
        schedule,
    }
}

fn maintenance(text: &str, from: i64, until: i64) -> SuppressionEntry {
    SuppressionEntry::Maintenance(plain_maintenance(
        text,
        Schedule::Once {
            from: at(from),
            until: at(until),
        },
    ))
}

/// Every day at 02:00 for two hours.
fn nightly(text: &str) -> SuppressionEntry {
    let days = [
        Day::Mon,
        Day::Tue,
        Day::Wed,
        Day::Thu,
        Day::Fri,
        Day::Sat,
        Day::Sun,
    ];
    let starts = jiff::civil::Time::constant(2, 0, 0, 0);
    let weekly = Weekly::try_new(
        days.into(),
        starts,
        std::time::Duration::from_secs(7_200),
        "UTC",
    )
    .expect("can be");
    SuppressionEntry::Maintenance(plain_maintenance(text, Schedule::Weekly(weekly)))
}

fn as_str(why: Option<Suppression>) -> &'static str {
    why.map_or("-", |why| why.kind.as_str())
}

fn all_kinds() -> ActiveSuppressions {
    let mut active = ActiveSuppressions::default();
    active
        .add(acknowledgement("pend00", 0, Some(60)))
        .expect("taken");
    active.add(silence("pend*", 0, 90)).expect("taken");
    active.add(silence("pend0?", 0, 100)).expect("taken");
    active.add(maintenance("*", 80, 110)).expect("taken");
    active.add(nightly("spin*")).expect("taken");
    active
}

#[test]
fn each_kind_suppresses_its_subject_while_it_holds() {
    let active = all_kinds();
    for (name, minute, expected) in [
        ("pend00", 0, "acknowledged"),
        ("pend00", 59, "acknowledged"),
        ("pend00", 60, "silenced"),
        ("pend01", 0, "silenced"),
        ("pend001", 89, "silenced"),
        ("pend001", 90, "maintenance"),
        ("pend00", 100, "maintenance"),
        ("pend00", 110, "-"),
        ("spin01", 0, "-"),
        ("spin01", 80, "maintenance"),
        ("spin01", 119, "-"),
        ("spin01", 120, "maintenance"),
        ("spin01", 240, "-"),
        ("spin01", 120 + 7 * 1_440, "maintenance"),
    ] {
        assert_eq!(
            as_str(active.suppression_of(&stub(name), at(minute))),
            expected,
            "{name} at {minute}"
        );
    }
    let why = active
        .suppression_of(&stub("pend01"), at(0))
        .expect("silenced");
    assert_eq!(
        (why.id, why.until),
        (Some(SuppressionId(3)), Some(at(100))),
        "of two silences the one that ends last"
    );
}

/// A silence of four hours that was made by a clock six years ahead, and one by a clock that was
/// then set back by two days.
#[test]
fn a_silence_of_a_clock_that_was_ahead_does_not_last_until_that_time() {
    let (year, day) = (365 * 1_440, 1_440);
    let mut active = ActiveSuppressions::default();
    for entry in [
        silence("pend*", 6 * year, 6 * year + 240),
        silence("spin*", 2 * day, 2 * day + 240),
    ] {
        active.add(entry).expect("taken");
    }
    for (name, minute, holds) in [
        ("pend00", 0, false),
        ("pend00", 6 * year + 1, true),
        ("pend00", 6 * year + 240, false),
        ("spin00", 0, true),
    ] {
        assert_eq!(
            active.suppression_of(&stub(name), at(minute)).is_some(),
            holds,
            "{name} {minute}"
        );
        let open = active.open_at(at(minute));
        assert_eq!(
            open.iter().any(|pattern| pattern.matches(name)),
            holds,
            "{name} {minute}"
        );
    }
    let begins = at(6 * year - 3 * day);
    assert_eq!(active.next_change(at(3 * day)), Some(begins));
}

#[test]
fn the_next_change_is_the_next_begin_or_end_of_any() {
    let active = all_kinds();
    let changes: Vec<_> = std::iter::successors(active.next_change(at(0)), |change| {
        active.next_change(*change)
    })
    .take(8)
    .collect();
    assert_eq!(changes, [60, 80, 90, 100, 110, 120, 240, 1_560].map(at));
    assert_eq!(ActiveSuppressions::default().next_change(at(0)), None);
}

#[test]
fn what_is_over_is_reported_once_with_its_own_time() {
    let mut active = all_kinds();
    assert_eq!(active.expire(at(59)), []);
    let ended: Vec<_> = active
        .expire(at(5_000))
        .into_iter()
        .map(|ended| (ended.id.0, ended.at, ended.ending))
        .collect();
    assert_eq!(
        ended,
        [(1, at(60)), (2, at(90)), (3, at(100)), (4, at(110))].map(|(id, at)| (
            id,
            at,
            Ending::Expired
        ))
    );
    assert_eq!(
        (active.expire(at(5_000)), active.entries().count()),
        (vec![], 1),
        "the weekly one stays"
    );
}

#[test]
fn an_acknowledgement_is_taken_only_while_it_is_bad() {
    for health in Health::ALL {
        let taken = health.is_bad();
        let entry = Acknowledgement {
            health,
            ..plain_acknowledgement("pend00", 0, None)
        };
        let got = ActiveSuppressions::default().add(SuppressionEntry::Acknowledgement(entry));
        assert_eq!(got.is_ok(), taken, "{health}");
        assert!(
            taken
                || got.is_err_and(|refused| refused
                    .to_string()
                    .contains(&format!("pend00 is {health}: only")))
        );
    }
}

#[test]
fn an_acknowledgement_ends_by_recovery_by_its_time_or_by_a_person() {
    let acknowledged = |until| {
        let mut active = ActiveSuppressions::default();
        let id = active
            .add(acknowledgement("pend00", 0, until))
            .expect("taken");
        (active, id)
    };
    let removed = Ending::Removed {
        who: "Dee".to_owned(),
    };
    let (mut active, id) = acknowledged(None);
    assert_eq!(
        as_str(active.suppression_of(&stub("pend00"), at(1_000_000))),
        "acknowledged",
        "without an end it lasts"
    );
    let ended = active
        .end(&subject("pend00"), Ending::Recovered, at(30))
        .expect("it ends");
    assert_eq!(
        (
            ended.id,
            ended.at,
            ended.ending,
            as_str(active.suppression_of(&stub("pend00"), at(30)))
        ),
        (id, at(30), Ending::Recovered, "-")
    );
    assert_eq!(
        active.end(&subject("pend00"), Ending::Recovered, at(31)),
        None,
        "once"
    );
    let (mut active, _) = acknowledged(Some(60));
    let late = active
        .end(&subject("pend00"), Ending::Recovered, at(61))
        .expect("it ends");
    assert_eq!(
        (late.at, late.ending),
        (at(60), Ending::Expired),
        "its time was over before"
    );
    let (mut active, id) = acknowledged(None);
    assert_eq!(
        active.remove(id, "Dee", at(5)).map(|ended| ended.ending),
        Ok(removed)
    );
    assert_eq!(active.remove(id, "Dee", at(5)), Err(Refused::NotFound(id)));
    let (mut active, _) = acknowledged(None);
    assert_eq!(
        active
            .end(&subject("pend00"), Ending::Gone, at(5))
            .map(|ended| ended.ending),
        Some(Ending::Gone)
    );
}

#[test]
fn recovery_ends_no_silence_and_no_window() {
    let mut active = ActiveSuppressions::default();
    active.add(silence("pend00", 0, 60)).expect("taken");
    assert_eq!(
        active.end(&subject("pend00"), Ending::Recovered, at(1)),
        None
    );
    assert_eq!(
        as_str(active.suppression_of(&stub("pend00"), at(1))),
        "silenced"
    );
}

#[test]
fn an_experiment_is_acknowledged_by_one_person_at_a_time() {
    let mut active = ActiveSuppressions::default();
    let first = active
        .add(acknowledgement("pend00", 0, Some(60)))
        .expect("taken");
    let second = active.add(acknowledgement("pend00", 10, None));
    assert_eq!(
        second,
        Err(Refused::AlreadyAcknowledged {
            subject: subject("pend00"),
            id: first,
            who: "Ann".to_owned()
        })
    );
    assert!(active.add(acknowledgement("pend01", 10, None)).is_ok());
    let ended: Vec<_> = active
        .expire(at(60))
        .into_iter()
        .map(|ended| ended.id)
        .collect();
    assert_eq!(ended, [first]);
    assert!(active.add(acknowledgement("pend00", 60, None)).is_ok());
}

#[test]
fn what_cannot_be_is_refused_with_what_to_do() {
    let active = ActiveSuppressions::default;
    let acknowledge = |who: &str, text: &str, until| {
        let entry = Acknowledgement {
            who: who.to_owned(),
            text: text.to_owned(),
            ..plain_acknowledgement("pend00", 50, until)
        };
        active().add(SuppressionEntry::Acknowledgement(entry))
    };
    let long = "x".repeat(MAX_TEXT_BYTES + 1);
    for (refused, words) in [
        (acknowledge("", "text", None), "\"who\" must be one line"),
        (acknowledge("Ann", " ", None), "\"text\" must be"),
        (acknowledge("Ann", "a\r\nBcc: x", None), "\"text\" must be"),
        (acknowledge("Ann", &long, None), "at most 500 bytes"),
        (acknowledge("Ann", "text", Some(50)), "has passed already"),
        (active().add(silence("*", 50, 50)), "has passed already"),
        (
            active().add(silence("*", 0, 366 * 1_440 + 1)),
            "more than 366 days",
        ),
        (
            active().add(maintenance("*", 20, 20)),
            "not after its begin",
        ),
        (
            active().add(maintenance("*", -20, -10)),
            "has passed already",
        ),
        (
            active()
                .remove(SuppressionId(7), "Ann", at(0))
                .map(|ended| ended.id),
            "nothing with the number 7",
        ),
    ] {
        assert!(
            refused
                .as_ref()
                .is_err_and(|refused| refused.to_string().contains(words)),
            "{words}: {refused:?}"
        );
    }
    for text in ["", "a\nb", &"x".repeat(257)] {
        assert!(NamePattern::try_new(text).is_err(), "{text:?}");
    }
}

#[test]
fn there_is_a_bound_and_it_says_so() {
    let mut active = ActiveSuppressions::default();
    for _ in 0..MAX_SILENCES {
        active.add(silence("*", 0, 10)).expect("taken");
    }
    let refused = active.add(silence("*", 0, 10)).expect_err("full");
    assert_eq!(
        refused.to_string(),
        "there are 200 silences already, the most that are kept: end some first"
    );
    assert_eq!(active.expire(at(10)).len(), MAX_SILENCES);
    assert!(active.add(silence("*", 10, 20)).is_ok());
}

#[test]
fn what_is_kept_and_restored_is_the_same_and_no_number_is_given_twice() {
    let active = all_kinds();
    let kept: Vec<_> = active
        .entries()
        .filter_map(|(id, entry)| Some((id?, entry)))
        .collect();
    let text = serde_json::to_string(&kept).expect("written");
    let entries: Vec<(SuppressionId, SuppressionEntry)> =
        serde_json::from_str(&text).expect("read");
    let mut restored = ActiveSuppressions::restore(entries.clone(), 5);
    assert_eq!(restored, active);
    assert_eq!(restored.add(silence("*", 0, 1)), Ok(SuppressionId(6)));
    let mut of_fewer = ActiveSuppressions::restore(entries.into_iter().take(1), 41);
    assert_eq!(of_fewer.add(silence("*", 0, 1)), Ok(SuppressionId(42)));
}

/// Health by the minute: as observed, or as notified.
type Story = &'static [(i64, Health)];

/// The notifications of a notifier that compares the notified state with the current one, unless it
/// is suppressed, and that wakes when the health of `pend00` changes and when a suppression begins
/// or ends.
fn notified(mut active: ActiveSuppressions, health: &[(i64, Health)]) -> Vec<(i64, Health)> {
    let (mut now, mut is, mut notified, mut said) = (at(0), Health::Ok, Health::Ok, Vec::new());
    let mut changes = health
        .iter()
        .map(|(minute, health)| (at(*minute), *health))
        .peekable();
    loop {
        while let Some((_, health)) = changes.next_if(|(when, _)| *when <= now) {
            is = health;
            if is == Health::Ok {
                active.end(&subject("pend00"), Ending::Recovered, now);
            }
        }
        active.expire(now);
        if is != notified && active.suppression_of(&stub("pend00"), now).is_none() {
            notified = is;
            said.push((now.duration_since(at(0)).as_mins(), is));
        }
        match changes
            .peek()
            .map(|(when, _)| *when)
            .into_iter()
            .chain(active.next_change(now))
            .min()
        {
            Some(next) if next < at(10_000) => now = next,
            Some(_) | None => return said,
        }
    }
}

#[test]
fn a_suppressed_change_is_notified_once_afterwards() {
    use Health::{Degraded, Down, Ok};
    let window = || {
        let mut active = ActiveSuppressions::default();
        active.add(maintenance("pend*", 10, 20)).expect("taken");
        active
    };
    let silenced = || {
        let mut active = ActiveSuppressions::default();
        active.add(silence("pend00", 0, 15)).expect("taken");
        active
    };
    let acknowledged = |until| {
        let mut active = ActiveSuppressions::default();
        active
            .add(acknowledgement("pend00", 0, until))
            .expect("taken");
        active
    };
    let table: [(&str, ActiveSuppressions, Story, Story); 10] = [
        (
            "down, window, recovers inside, ends",
            window(),
            &[(5, Down), (15, Ok)],
            &[(5, Down), (20, Ok)],
        ),
        (
            "down before and after the window",
            window(),
            &[(5, Down)],
            &[(5, Down)],
        ),
        (
            "down inside and still at the end",
            window(),
            &[(15, Down)],
            &[(20, Down)],
        ),
        (
            "down inside and recovered inside",
            window(),
            &[(12, Down), (15, Ok)],
            &[],
        ),
        (
            "recovers and fails again inside",
            window(),
            &[(5, Down), (12, Ok), (15, Down)],
            &[(5, Down)],
        ),
        (
            "recovers at the instant the window closes",
            window(),
            &[(5, Down), (20, Ok)],
            &[(5, Down), (20, Ok)],
        ),
        (
            "fails at the instant the window opens",
            window(),
            &[(10, Down), (30, Ok)],
            &[(20, Down), (30, Ok)],
        ),
        (
            "recovers while silenced",
            silenced(),
            &[(0, Down), (5, Degraded), (10, Ok), (40, Down)],
            &[(40, Down)],
        ),
        (
            "acknowledged until it is well, then fails anew",
            acknowledged(None),
            &[(0, Down), (30, Ok), (40, Down)],
            &[(40, Down)],
        ),
        (
            "the acknowledgement ends before it is well",
            acknowledged(Some(25)),
            &[(0, Down), (30, Ok)],
            &[(25, Down), (30, Ok)],
        ),
    ];
    for (what, active, health, expected) in table {
        assert_eq!(notified(active, health), expected, "{what}");
    }
    let mut nights = ActiveSuppressions::default();
    nights.add(nightly("*")).expect("taken");
    assert_eq!(
        notified(nights, &[(130, Down), (1_570, Ok)]),
        [(240, Down), (1_680, Ok)],
        "every night"
    );
}

fn any_suppressions() -> impl Strategy<Value = ActiveSuppressions> {
    let names = || prop::sample::select(vec!["*", "pend*", "pend0?", "spin*", "pend00"]);
    let silences = prop::collection::vec((names(), 1_i64..3_000), 0..5);
    let windows = prop::collection::vec((names(), 0_i64..3_000, 1_i64..500), 0..5);
    let acknowledgements = prop::collection::vec(prop::option::of(1_i64..3_000), 0..2);
    (silences, windows, acknowledgements, any::<bool>()).prop_map(
        |(silences, windows, acknowledgements, night)| {
            let mut active = ActiveSuppressions::default();
            for (name, until) in silences {
                active.add(silence(name, 0, until)).expect("taken");
            }
            for (name, from, length) in windows {
                active
                    .add(maintenance(name, from, from + length))
                    .expect("taken");
            }
            for until in acknowledgements {
                active
                    .add(acknowledgement("pend00", 0, until))
                    .expect("taken");
            }
            if night {
                active.add(nightly("spin*")).expect("taken");
            }
            active
        },
    )
}

#[test]
fn configured_windows_suppress_too_and_have_no_number() {
    let mut active = ActiveSuppressions::default();
    active.configure(vec![plain_maintenance(
        "pend*",
        Schedule::Once {
            from: at(10),
            until: at(20),
        },
    )]);
    let why = active
        .suppression_of(&stub("pend00"), at(10))
        .expect("it is worked on");
    assert_eq!(
        (why.id, why.kind, why.until),
        (None, SuppressionKind::Maintenance, Some(at(20)))
    );
    assert_eq!(
        (
            active.next_change(at(0)),
            active.next_change(at(10)),
            active.open_at(at(15))
        ),
        (Some(at(10)), Some(at(20)), vec![pattern("pend*")])
    );
    assert_eq!(
        active.expire(at(30)),
        [],
        "it is the configuration's to end it"
    );
    assert_eq!(
        active.entries().map(|(id, _)| id).collect::<Vec<_>>(),
        [None]
    );
}

#[test]
fn each_window_has_a_next_and_a_last_time() {
    let SuppressionEntry::Maintenance(nights) = nightly("*") else {
        panic!("maintenance")
    };
    let SuppressionEntry::Maintenance(once) = maintenance("*", 10, 20) else {
        panic!("maintenance")
    };
    let minutes = |occurrence: Option<Occurrence>| {
        occurrence.map(|o| {
            (
                o.from.duration_since(at(0)).as_mins(),
                o.until.duration_since(at(0)).as_mins(),
            )
        })
    };
    for (schedule, minute, next, last) in [
        (&once.schedule, 0, Some((10, 20)), None),
        (&once.schedule, 15, Some((10, 20)), None),
        (&once.schedule, 20, None, Some((10, 20))),
        (
            &nights.schedule,
            0,
            Some((120, 240)),
            Some((120 - 1_440, 240 - 1_440)),
        ),
        (
            &nights.schedule,
            180,
            Some((120, 240)),
            Some((120 - 1_440, 240 - 1_440)),
        ),
        (
            &nights.schedule,
            240,
            Some((120 + 1_440, 240 + 1_440)),
            Some((120, 240)),
        ),
    ] {
        assert_eq!(
            (
                minutes(schedule.next_occurrence(at(minute))),
                minutes(schedule.last_occurrence(at(minute)))
            ),
            (next, last),
            "{minute}"
        );
    }
}

proptest! {
    #[test]
    fn open_patterns_are_those_that_suppress(active in any_suppressions(), now in 0_i64..3_000) {
        let mut others = active.clone();
        others.end(&subject("pend00"), Ending::Recovered, at(0));
        let open = others.open_at(at(now));
        for name in ["pend00", "pend01", "spin07", "other"] {
            prop_assert_eq!(open.iter().any(|pattern| pattern.matches(name)), others.suppression_of(&stub(name), at(now)).is_some(), "{}", name);
        }
    }

    #[test]
    fn nothing_begins_or_ends_between_changes(active in any_suppressions(), start in 0_i64..3_000) {
        let mut now = at(start);
        for _ in 0..20 {
            let Some(next) = active.next_change(now) else { break };
            prop_assert!(next > now);
            let just_before = next - SignedDuration::from_nanos(1);
            for name in ["pend00", "pend01", "spin07", "other"] {
                prop_assert_eq!(active.suppression_of(&stub(name), now), active.suppression_of(&stub(name), just_before), "{} between {} and {}", name, now, next);
            }
            now = next;
        }
    }

    #[test]
    fn letting_go_of_what_is_over_changes_no_answer(active in any_suppressions(), now in 0_i64..4_000, later in 0_i64..2_000) {
        let mut expired = active.clone();
        let ended = expired.expire(at(now));
        prop_assert_eq!(ended.len() + expired.entries().count(), active.entries().count());
        prop_assert!(ended.iter().all(|ended| ended.at <= at(now)));
        for name in ["pend00", "pend01", "spin07"] {
            prop_assert_eq!(expired.suppression_of(&stub(name), at(now + later)), active.suppression_of(&stub(name), at(now + later)));
        }
        prop_assert_eq!(expired.next_change(at(now)), active.next_change(at(now)));
    }

    #[test]
    fn notified_state_converges_to_the_current_one(active in any_suppressions(), flips in prop::collection::btree_set(0_i64..3_000, 0..12)) {
        let health: Vec<_> = flips.into_iter().zip([Health::Down, Health::Ok].into_iter().cycle()).collect();
        let last = health.last().map_or(Health::Ok, |(_, health)| *health);
        let said = notified(active.clone(), &health);
        prop_assert!(said.windows(2).all(|pair| pair[0].1 != pair[1].1), "nothing that is known is notified again");
        let is_suppressed_forever = last == Health::Down && active.suppression_of(&stub("pend00"), at(9_999)).is_some();
        prop_assert!(is_suppressed_forever || said.last().map_or(Health::Ok, |(_, health)| *health) == last);
    }
}
