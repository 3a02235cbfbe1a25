//! Hysteresis between the observed health and the effective one: a change counts once it has
//! lasted. Without rules of its own and without history.
//!
//! Health has two boundaries: between ok and degraded, and between usable (ok, degraded) and down.
//! Each is held on its own. To cross one for the worse, the observed health must have been beyond
//! it for `HEALTH_HOLD_DOWN` without a break; to cross it for the better, back for
//! `HEALTH_HOLD_UP`. So an experiment that wavers between degraded and down while it counts as ok
//! becomes degraded in time, and down once it has been down for long enough.
//!
//! *Unknown* is on no side of a boundary. It counts at once, and what follows it counts at once
//! too, except where a hold was running when the source fell silent: that hold goes on, without a
//! stop of its clock, from the health that counted before. A short silence of a source neither
//! delays a change nor lets one count early.

use std::time::Duration;

use super::evaluate::{self, Evaluation};
use crate::model::{Health, Moment, earliest};

/// How long a change must last before it counts.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub struct HysteresisTimes {
    /// `HEALTH_HOLD_DOWN`: a change for the worse.
    pub down: Duration,
    /// `HEALTH_HOLD_UP`: a change for the better.
    pub up: Duration,
}

/// The holds that are running for one experiment.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub(crate) struct Hysteresis {
    /// The health that last counted and was not unknown.
    counted: Health,
    not_ok: Option<Run>,
    down: Option<Run>,
}

/// A hold that is running.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
struct Run {
    worse: bool,
    since: Moment,
}

impl Hysteresis {
    /// The effective health, when `raw` is observed and `settled` counted until now.
    ///
    /// `settled` is what this returned last, or what was restored or decided elsewhere; a hold
    /// towards what already counts is dropped.
    pub(crate) fn settle(
        &mut self,
        raw: Health,
        settled: Health,
        policy: HysteresisTimes,
        now: Moment,
    ) -> Evaluation<Health> {
        if settled != Health::Unknown {
            self.counted = settled;
        }
        let base = if settled == Health::Unknown {
            self.before_unknown()
        } else {
            Some(settled)
        };
        match base {
            Some(base) if raw != Health::Unknown => self.cross(raw, base, policy, now),
            Some(_) | None => evaluate::settled(raw),
        }
    }

    /// The health to go on from after unknown: the one before it, where a hold was running.
    fn before_unknown(&self) -> Option<Health> {
        (self.not_ok.is_some() || self.down.is_some()).then_some(self.counted)
    }

    fn cross(
        &mut self,
        raw: Health,
        base: Health,
        policy: HysteresisTimes,
        now: Moment,
    ) -> Evaluation<Health> {
        let not_ok = boundary(
            &mut self.not_ok,
            is_not_ok(raw),
            is_not_ok(base),
            policy,
            now,
        );
        let down = boundary(&mut self.down, is_down(raw), is_down(base), policy, now);
        let health = match (not_ok, down) {
            (_, true) => Health::Down,
            (true, false) => Health::Degraded,
            (false, false) => Health::Ok,
        };
        let ends = [self.not_ok, self.down].map(|run| Some(run?.end(policy)));
        Evaluation {
            health,
            again: earliest(ends),
        }
    }
}

impl Run {
    fn end(self, policy: HysteresisTimes) -> Moment {
        self.since + if self.worse { policy.down } else { policy.up }
    }
}

/// On which side of one boundary the health counts: still on that of `counts`, or on that of `is`
/// once it has lasted.
fn boundary(
    run: &mut Option<Run>,
    is: bool,
    counts: bool,
    policy: HysteresisTimes,
    now: Moment,
) -> bool {
    if is == counts {
        *run = None;
        return counts;
    }
    let running = run.filter(|run| run.worse == is).unwrap_or(Run {
        worse: is,
        since: now,
    });
    let over = now >= running.end(policy);
    *run = (!over).then_some(running);
    if over { is } else { counts }
}

fn is_not_ok(health: Health) -> bool {
    matches!(health, Health::Degraded | Health::Down)
}

fn is_down(health: Health) -> bool {
    health == Health::Down
}

#[cfg(test)]
mod tests {
    use super::*;
    use Health::{Degraded, Down, Ok, Unknown};
    use jiff::Timestamp;
    use proptest::prelude::*;

    const HOLDS: HysteresisTimes = HysteresisTimes {
        down: Duration::from_secs(10),
        up: Duration::from_secs(30),
    };

    fn at(second: u64) -> Moment {
        Moment::new(Timestamp::UNIX_EPOCH, Duration::from_secs(1_000)) + Duration::from_secs(second)
    }

    fn seconds(at: Option<Moment>) -> Option<u64> {
        at.map(|at| at.mono().as_secs() - 1_000)
    }

    /// Each row: what is observed at a second, then the effective health and when to settle again.
    fn check(what: &str, first: Health, rows: &[(u64, Health, Health, Option<u64>)]) {
        let (mut holding, mut settled) = (Hysteresis::default(), first);
        for (second, raw, counts, again) in rows {
            let got = holding.settle(*raw, settled, HOLDS, at(*second));
            assert_eq!(
                (got.health, seconds(got.again)),
                (*counts, *again),
                "{what}, at {second} s"
            );
            settled = got.health;
        }
    }

    #[test]
    fn every_pair_has_its_hold() {
        let (at_once, worse, better) = (0, 10, 30);
        let table = [
            (
                Unknown,
                [
                    (Unknown, at_once),
                    (Ok, at_once),
                    (Degraded, at_once),
                    (Down, at_once),
                ],
            ),
            (
                Ok,
                [
                    (Unknown, at_once),
                    (Ok, at_once),
                    (Degraded, worse),
                    (Down, worse),
                ],
            ),
            (
                Degraded,
                [
                    (Unknown, at_once),
                    (Ok, better),
                    (Degraded, at_once),
                    (Down, worse),
                ],
            ),
            (
                Down,
                [
                    (Unknown, at_once),
                    (Ok, better),
                    (Degraded, better),
                    (Down, at_once),
                ],
            ),
        ];
        for (settled, rows) in table {
            for (raw, hold) in rows {
                let mut holding = Hysteresis::default();
                let first = holding.settle(raw, settled, HOLDS, at(0));
                let held = (hold > 0).then_some(hold);
                let expected = if hold > 0 { settled } else { raw };
                assert_eq!(
                    (first.health, seconds(first.again)),
                    (expected, held),
                    "{settled} to {raw}"
                );
                if hold > 0 {
                    assert_eq!(
                        holding.settle(raw, settled, HOLDS, at(hold - 1)).health,
                        settled,
                        "{settled} to {raw}, too early"
                    );
                    let then = holding.settle(raw, settled, HOLDS, at(hold));
                    assert_eq!(
                        then,
                        Evaluation {
                            health: raw,
                            again: None
                        },
                        "{settled} to {raw}, in time"
                    );
                }
            }
        }
    }

    #[test]
    fn holds_start_anew_when_the_change_is_taken_back() {
        check(
            "a short loss never counts",
            Ok,
            &[
                (0, Down, Ok, Some(10)),
                (9, Ok, Ok, None),
                (10, Down, Ok, Some(20)),
                (20, Down, Down, None),
            ],
        );
        check(
            "a short recovery never counts",
            Down,
            &[
                (0, Ok, Down, Some(30)),
                (29, Down, Down, None),
                (30, Ok, Down, Some(60)),
                (60, Ok, Ok, None),
            ],
        );
    }

    #[test]
    fn the_two_boundaries_are_held_on_their_own() {
        check(
            "degraded first, down later",
            Ok,
            &[
                (0, Degraded, Ok, Some(10)),
                (6, Down, Ok, Some(10)),
                (10, Down, Degraded, Some(16)),
                (16, Down, Down, None),
            ],
        );
        check(
            "wavering between the two is degraded in time",
            Ok,
            &[
                (0, Down, Ok, Some(10)),
                (4, Degraded, Ok, Some(10)),
                (8, Down, Ok, Some(10)),
                (10, Down, Degraded, Some(18)),
            ],
        );
        check(
            "usable first, ok later",
            Down,
            &[
                (0, Degraded, Down, Some(30)),
                (20, Ok, Down, Some(30)),
                (30, Ok, Degraded, Some(50)),
                (50, Ok, Ok, None),
            ],
        );
    }

    #[test]
    fn a_blink_of_the_source_neither_delays_nor_hastens() {
        let held = [(0, Down, Ok, Some(10)), (4, Unknown, Unknown, None)];
        for (what, rest) in [
            (
                "the same loss goes on",
                [(6, Down, Ok, Some(10)), (10, Down, Down, None)],
            ),
            (
                "the hold ended meanwhile",
                [(12, Down, Down, None), (13, Down, Down, None)],
            ),
            (
                "well again at once",
                [(6, Ok, Ok, None), (7, Down, Ok, Some(17))],
            ),
            (
                "a smaller loss has its own boundary only",
                [(6, Degraded, Ok, Some(10)), (10, Degraded, Degraded, None)],
            ),
        ] {
            check(what, Ok, &[held, rest].concat());
        }
        check(
            "no hold was running",
            Ok,
            &[
                (0, Ok, Ok, None),
                (1, Unknown, Unknown, None),
                (2, Down, Down, None),
            ],
        );
        check(
            "two blinks",
            Ok,
            &[
                held.as_slice(),
                &[
                    (5, Down, Ok, Some(10)),
                    (6, Unknown, Unknown, None),
                    (9, Down, Ok, Some(10)),
                ],
            ]
            .concat(),
        );
    }

    #[test]
    fn what_is_decided_elsewhere_drops_a_hold_towards_it() {
        let mut holding = Hysteresis::default();
        assert_eq!(
            seconds(holding.settle(Down, Ok, HOLDS, at(0)).again),
            Some(10)
        );
        let forced = holding.settle(Ok, Down, HOLDS, at(5));
        assert_eq!(
            (forced.health, seconds(forced.again)),
            (Down, Some(35)),
            "the hold for the better starts now"
        );
    }

    fn health() -> impl Strategy<Value = Health> {
        prop_oneof![Just(Ok), Just(Degraded), Just(Down)]
    }

    /// What is observed in each second.
    fn timeline() -> impl Strategy<Value = Vec<Health>> {
        prop::collection::vec((health(), 1_usize..14), 1..14).prop_map(|spans| {
            spans
                .into_iter()
                .flat_map(|(health, length)| std::iter::repeat_n(health, length))
                .collect()
        })
    }

    fn holds() -> impl Strategy<Value = HysteresisTimes> {
        (0_u64..12, 0_u64..12).prop_map(|(down, up)| HysteresisTimes {
            down: Duration::from_secs(down),
            up: Duration::from_secs(up),
        })
    }

    /// The effective health in each second when it is settled in each.
    fn counted(raw: &[Health], policy: HysteresisTimes) -> Vec<Health> {
        let (mut holding, mut settled, mut counts) = (Hysteresis::default(), Unknown, Vec::new());
        for (second, raw) in raw.iter().enumerate() {
            settled = holding
                .settle(*raw, settled, policy, at(second as u64))
                .health;
            counts.push(settled);
        }
        counts
    }

    /// The seconds within which all has lasted for `hold` at the second `last`.
    fn within(hold: Duration, last: usize) -> std::ops::RangeInclusive<usize> {
        last.saturating_sub(usize::try_from(hold.as_secs()).expect("short"))..=last
    }

    proptest! {
        #[test]
        fn without_holds_everything_counts_at_once(raw in prop::collection::vec(prop_oneof![health(), Just(Unknown)], 1..60)) {
            prop_assert_eq!(counted(&raw, HysteresisTimes::default()), raw);
        }

        #[test]
        fn what_counts_has_lasted(raw in timeline(), policy in holds()) {
            let counts = counted(&raw, policy);
            for second in 1..counts.len() {
                let (was, is) = (counts[second - 1], counts[second]);
                let hold = if is > was { policy.down } else { policy.up };
                let lasted = raw[within(hold, second)].iter().all(|raw| if is > was { *raw >= is } else { *raw <= is });
                prop_assert!(was == is || lasted, "{} to {} at {}", was, is, second);
            }
        }

        #[test]
        fn what_has_lasted_counts(raw in timeline(), policy in holds()) {
            for (second, counts) in counted(&raw, policy).into_iter().enumerate() {
                let span = within(policy.down.max(policy.up), second);
                let is_steady = span.clone().all(|at| raw[at] == raw[second]);
                prop_assert!(!is_steady || counts == raw[second], "{} counts at {}, observed is {}", counts, second, raw[second]);
            }
        }

        #[test]
        fn waking_at_the_ends_of_holds_is_enough(raw in timeline(), policy in holds()) {
            let (mut holding, mut settled, mut again) = (Hysteresis::default(), Unknown, None);
            for (second, expected) in counted(&raw, policy).into_iter().enumerate() {
                let now = at(second as u64);
                if second == 0 || raw[second] != raw[second - 1] || again.is_some_and(|again| now >= again) {
                    let got = holding.settle(raw[second], settled, policy, now);
                    prop_assert!(got.again.is_none_or(|again| again > now), "the deadline advances");
                    (settled, again) = (got.health, got.again);
                }
                prop_assert_eq!(settled, expected, "at {}", second);
            }
        }

        #[test]
        fn a_blink_changes_nothing_after_it(raw in timeline(), policy in holds(), start: prop::sample::Index, length in 1_usize..20) {
            let start = start.index(raw.len());
            let end = (start + length).min(raw.len());
            let same = raw[start..end].iter().take_while(|health| start > 0 && **health == raw[start - 1]).count();
            let end = start + same.saturating_sub(1);
            let mut blinked = raw.clone();
            blinked[start..end].fill(Unknown);
            let (plain, with_blink) = (counted(&raw, policy), counted(&blinked, policy));
            prop_assert_eq!(&plain[end..], &with_blink[end..]);
            prop_assert!(with_blink[start..end].iter().all(|health| *health == Unknown));
        }
    }
}
