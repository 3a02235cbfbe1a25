//! Flapping: whether a subject changes so often that each change by itself says nothing. Counts
//! changes; knows neither health nor recipients.
//!
//! The rule is Icinga 2's, which has proved itself: the last 20 checks are looked at, a change
//! between two of them weighs from 0.8 (the oldest) to 1.2 (the newest), and more than a threshold
//! of weighted changes is flapping. Icinga counts checks; here a change is seen when it happens, so
//! the slots become time. A change counts for 6 % (1.2 of 20) when it is new, falling evenly to 4 %
//! (0.8 of 20) at the end of `HEALTH_FLAP_WINDOW`, and for nothing after.
//!
//! The upper threshold, `HEALTH_FLAP_HIGH`, is 40 % where Icinga has 30 %: a reconnect is two
//! changes here (gone, back), and three quick ones, 36 %, are typical of a maintainer who restarts
//! a client until it works. So six changes within a window never are flapping, eleven always are,
//! and those between are when they are recent. With a window of 1 h, what is lost every quarter of
//! an hour or more often flaps.
//!
//! The end differs, on purpose. One change is worth 6 %, so a subject that keeps changing at the
//! threshold's pace would start and end to flap with each change. Here flapping ends when it is at
//! `HEALTH_FLAP_LOW` (25 %) or less *and* nothing has changed for half a window, and earlier
//! changes are then forgotten. So flapping lasts for half a window at least, ends within one window
//! after the last change, and starts again only with seven new changes.

use std::collections::VecDeque;
use std::time::Duration;

use crate::model::Moment;

/// A change that is new counts for this many percent: Icinga's weight 1.2 of 20 slots.
const NEW_PERCENT: u128 = 6;

/// How many percent a change loses on its way to the end of the window, where it counts 4: Icinga's
/// weight 0.8 of 20 slots.
const LOST_PERCENT: u128 = 2;

/// This many of the newest changes are kept. It is enough: within the window, 26 count for more
/// than 100 % at any age.
const KEPT: usize = 26;

/// When changes are too many.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct FlapRule {
    /// `HEALTH_FLAP_WINDOW`: how long a change counts; zero means that nothing ever flaps.
    pub window: Duration,
    /// `HEALTH_FLAP_HIGH`: more than this many percent is flapping, at most 100.
    pub high: u8,
    /// `HEALTH_FLAP_LOW`: at this many percent or less flapping may end; not above `high`.
    pub low: u8,
}

impl Default for FlapRule {
    /// The documented defaults.
    fn default() -> Self {
        Self {
            window: Duration::from_secs(3_600),
            high: 40,
            low: 25,
        }
    }
}

/// The start or the end of flapping. Each is reported once.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum FlapTurn {
    /// This change exceeded the threshold.
    Started,
    /// The subject is stable again.
    Ended {
        /// When it started to flap.
        since: Moment,
        /// When it became stable, which may be before the last evaluation.
        at: Moment,
    },
}

/// The changes of one subject. The rule is passed with each call and must be the same each time.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct Flapping {
    /// The newest changes, oldest first, at most [`KEPT`].
    changes: VecDeque<Moment>,
    since: Option<Moment>,
}

impl Flapping {
    /// A subject that has been flapping since then, as restored. Its changes meanwhile are not
    /// known: it counts as one more change, now.
    #[must_use]
    pub fn resumed(mut self, since: Moment, now: Moment) -> Self {
        self.push(now);
        self.since = Some(since);
        self
    }

    /// The same changes of a subject that is known to be stable.
    #[must_use]
    pub fn steady(mut self) -> Self {
        if self.since.take().is_some() {
            self.changes.clear();
        }
        self
    }

    /// Notes a change that happened at `at`, which is not before what was noted or evaluated last.
    ///
    /// Reports the start, or an end that came before this change and was not evaluated. Never both:
    /// a start needs new changes after the end.
    pub fn note(&mut self, at: Moment, rule: FlapRule) -> Option<FlapTurn> {
        let ended = self.evaluate(at, rule);
        self.push(at);
        let starts = self.since.is_none() && self.is_too_much(at, rule);
        if starts {
            self.since = Some(at);
        }
        ended.or(starts.then_some(FlapTurn::Started))
    }

    /// Reports the end, if flapping has ended by `now` and that was not reported.
    pub fn evaluate(&mut self, now: Moment, rule: FlapRule) -> Option<FlapTurn> {
        let at = self.ends_at(rule).filter(|end| *end <= now)?;
        let since = self.since.take()?;
        self.changes.clear();
        Some(FlapTurn::Ended { since, at })
    }

    /// Since when it flaps; `None` when it is stable. As of the last note or evaluation.
    pub fn since(&self) -> Option<Moment> {
        self.since
    }

    /// When flapping ends if nothing more happens: evaluate again then. `None` when it does not
    /// flap.
    pub fn ends_at(&self, rule: FlapRule) -> Option<Moment> {
        self.since?;
        let last = *self.changes.back()?;
        Some(last + nanos(self.calm_after(last, rule)).max(rule.window / 2))
    }

    fn push(&mut self, at: Moment) {
        if self.changes.len() == KEPT {
            self.changes.pop_front();
        }
        self.changes.push_back(at);
    }

    /// Whether the changes weigh more than `high`.
    fn is_too_much(&self, now: Moment, rule: FlapRule) -> bool {
        let window = rule.window.as_nanos();
        let weigh = |age: u128| NEW_PERCENT * window - LOST_PERCENT * age;
        self.ages(now)
            .filter(|age| *age < window)
            .map(weigh)
            .sum::<u128>()
            > u128::from(rule.high) * window
    }

    /// How many nanoseconds after the last change the changes weigh `low` or less.
    ///
    /// Tried for each number of newest changes that may be left in the window: the others must have
    /// left it, and these must have aged enough. What weighs little enough stays so, therefore
    /// the first of these times is the answer.
    fn calm_after(&self, last: Moment, rule: FlapRule) -> u128 {
        let window = rule.window.as_nanos();
        let ages: Vec<u128> = self.ages(last).filter(|age| *age < window).collect();
        let calm_with = |left: usize| {
            let others_gone = ages.get(left).map_or(0, |age| window.saturating_sub(*age));
            let (count, total) = (left as u128, ages.iter().take(left).sum::<u128>());
            let excess = (NEW_PERCENT * count * window)
                .saturating_sub(u128::from(rule.low) * window + LOST_PERCENT * total);
            others_gone.max(excess.div_ceil((LOST_PERCENT * count).max(1)))
        };
        (0..=ages.len()).map(calm_with).min().unwrap_or(0)
    }

    /// How old each change is at `now`, in nanoseconds, the newest first.
    fn ages(&self, now: Moment) -> impl Iterator<Item = u128> {
        self.changes
            .iter()
            .rev()
            .map(move |change| now.since(*change).as_nanos())
    }
}

fn nanos(nanos: u128) -> Duration {
    Duration::from_nanos(u64::try_from(nanos).unwrap_or(u64::MAX))
}

#[cfg(test)]
mod tests {
    use super::*;
    use jiff::Timestamp;
    use proptest::prelude::*;

    const MINUTE: u64 = 60;
    const WINDOW: Duration = Duration::from_secs(60 * MINUTE);

    /// The thresholds of Icinga itself, whose numbers are easy to check by hand.
    const ICINGA: FlapRule = FlapRule {
        window: WINDOW,
        high: 30,
        low: 25,
    };

    fn at(second: u64) -> Moment {
        Moment::new(Timestamp::UNIX_EPOCH, Duration::from_secs(1_000)) + Duration::from_secs(second)
    }

    fn seconds(at: Moment) -> u64 {
        at.mono().as_secs() - 1_000
    }

    /// Notes changes until flapping starts; how many it took.
    fn changes_until(rule: FlapRule, changes: impl IntoIterator<Item = u64>) -> Option<usize> {
        let mut flapping = Flapping::default();
        changes
            .into_iter()
            .position(|change| flapping.note(at(change), rule) == Some(FlapTurn::Started))
            .map(|index| index + 1)
    }

    fn changes_until_start(changes: impl IntoIterator<Item = u64>) -> Option<usize> {
        changes_until(ICINGA, changes)
    }

    /// When flapping ends after these changes.
    fn end_after(changes: &[u64]) -> Option<u64> {
        let mut flapping = Flapping::default();
        for change in changes {
            flapping.note(at(*change), ICINGA);
        }
        flapping.ends_at(ICINGA).map(seconds)
    }

    #[test]
    fn flapping_starts_with_the_change_that_is_one_too_many() {
        let every = |minutes: u64| (0..100).map(move |n| n * minutes * MINUTE);
        for (what, took, expected) in [
            ("all at once", changes_until_start([5; 100]), Some(6)),
            (
                "every report, once a minute",
                changes_until_start(every(1)),
                Some(6),
            ),
            ("every other report", changes_until_start(every(2)), Some(6)),
            ("every 5 minutes", changes_until_start(every(5)), Some(6)),
            ("every 11 minutes", changes_until_start(every(11)), Some(6)),
            (
                "every 12 minutes: five an hour",
                changes_until_start(every(12)),
                None,
            ),
            (
                "six, most of them old",
                changes_until_start([0, 1, 2, 3, 4, 3_590]),
                None,
            ),
            (
                "seven, most of them old",
                changes_until_start([0, 1, 2, 3, 4, 2_400, 3_590]),
                Some(7),
            ),
            (
                "two outages, then a quiet hour, for days",
                changes_until_start((0..100).map(|n| n / 4 * 4_000 + n % 4)),
                None,
            ),
            ("never", changes_until_start([]), None),
        ] {
            assert_eq!(took, expected, "{what}");
        }
    }

    #[test]
    fn flapping_ends_when_it_has_been_calm() {
        for (what, changes, end) in [
            ("too few to flap", [0; 5].as_slice(), None),
            (
                "six at once: until they weigh 25 %, 36 - 12 x = 25 at 55 minutes",
                &[0; 6],
                Some(3_300),
            ),
            (
                "seven at once: 42 - 14 x = 25 comes only with the end of the window",
                &[0; 7],
                Some(3_600),
            ),
            (
                "the oldest leaves the window, the rest is light enough",
                &[0, 1_500, 1_500, 1_500, 1_500, 1_500, 1_500],
                Some(4_800),
            ),
            (
                "changes that had left the window before do not count",
                &[0, 7_363, 7_363, 7_363, 7_363, 7_727, 7_834],
                Some(10_802),
            ),
            (
                "spread out: half a window without a change",
                &[0, 540, 1_080, 1_620, 2_160, 2_700, 3_240],
                Some(3_240 + 1_800),
            ),
        ] {
            assert_eq!(end_after(changes), end, "{what}");
        }
    }

    #[test]
    fn start_and_end_are_reported_once() {
        let mut flapping = Flapping::default();
        let turns: Vec<_> = (0..20)
            .filter_map(|n| flapping.note(at(n), ICINGA))
            .collect();
        assert_eq!(turns, [FlapTurn::Started]);
        assert_eq!(flapping.since(), Some(at(5)));
        let end = flapping.ends_at(ICINGA).expect("it ends");
        assert_eq!(
            flapping.evaluate(end.before(Duration::from_nanos(1)), ICINGA),
            None
        );
        assert_eq!(
            flapping.evaluate(end, ICINGA),
            Some(FlapTurn::Ended {
                since: at(5),
                at: end
            })
        );
        assert_eq!(
            (
                flapping.evaluate(end, ICINGA),
                flapping.since(),
                flapping.ends_at(ICINGA)
            ),
            (None, None, None)
        );
    }

    #[test]
    fn an_end_that_was_not_evaluated_is_reported_with_the_next_change() {
        let mut flapping = Flapping::default();
        let started = (0..6).filter_map(|_| flapping.note(at(0), ICINGA)).count();
        assert_eq!(started, 1);
        assert_eq!(
            flapping.note(at(4_000), ICINGA),
            Some(FlapTurn::Ended {
                since: at(0),
                at: at(3_300)
            })
        );
        assert_eq!(
            (flapping.since(), flapping.note(at(4_001), ICINGA)),
            (None, None)
        );
    }

    #[test]
    fn without_a_window_nothing_flaps() {
        let mut flapping = Flapping::default();
        let off = FlapRule {
            window: Duration::ZERO,
            ..FlapRule::default()
        };
        assert!((0..50).all(|_| flapping.note(at(0), off).is_none()));
        let remembered = Flapping::default()
            .resumed(at(0), at(10))
            .evaluate(at(10), off);
        assert!(
            matches!(remembered, Some(FlapTurn::Ended { .. })),
            "switched off while it flapped: {remembered:?}"
        );
    }

    #[test]
    fn three_quick_reconnects_are_none_and_more_of_them_are() {
        let rule = FlapRule::default();
        let every = |seconds: u64| (0..100).map(move |n| n * seconds);
        for (what, took, expected) in [
            (
                "three reconnects within a minute",
                changes_until(rule, (0..6).map(|n| n * 10)),
                None,
            ),
            (
                "a fourth loss",
                changes_until(rule, (0..7).map(|n| n * 10)),
                Some(7),
            ),
            (
                "lost every 10 minutes",
                changes_until(rule, every(300)),
                Some(8),
            ),
            (
                "lost every quarter of an hour",
                changes_until(rule, every(450)),
                Some(8),
            ),
            (
                "lost every 18 minutes",
                changes_until(rule, every(540)),
                None,
            ),
            (
                "six that are about to be forgotten, and new ones",
                changes_until(rule, [0; 6].into_iter().chain([3_599; 4])),
                Some(9),
            ),
        ] {
            assert_eq!(took, expected, "{what}");
        }
    }

    #[test]
    fn what_flapped_before_a_restart_flaps_on_until_it_has_been_calm() {
        let mut flapping = Flapping::default().resumed(at(0), at(100));
        assert_eq!(
            (flapping.since(), flapping.ends_at(ICINGA).map(seconds)),
            (Some(at(0)), Some(100 + 1_800))
        );
        assert_eq!(
            flapping.evaluate(at(1_900), ICINGA),
            Some(FlapTurn::Ended {
                since: at(0),
                at: at(1_900)
            })
        );
    }

    /// The changes of some hours, in seconds.
    fn changes() -> impl Strategy<Value = Vec<u64>> {
        let gap = prop_oneof![3 => 0_u64..120, 3 => 300_u64..1_000, 1 => 0_u64..8_000];
        prop::collection::vec(gap, 0..120).prop_map(|gaps| {
            let times = gaps.into_iter().scan(0, |time, gap| {
                *time += gap;
                Some(*time)
            });
            times.collect()
        })
    }

    /// Every turn that is reported, with how many changes had been noted and the second at which it
    /// was so.
    fn turns(changes: &[u64]) -> Vec<(usize, u64, FlapTurn)> {
        let mut flapping = Flapping::default();
        let mut turns = Vec::new();
        for (index, change) in changes.iter().enumerate() {
            if let Some(turn) = flapping.evaluate(at(*change), ICINGA) {
                turns.push((index, *change, turn));
            }
            turns.extend(
                flapping
                    .note(at(*change), ICINGA)
                    .map(|turn| (index + 1, *change, turn)),
            );
        }
        turns.extend(
            flapping
                .evaluate(at(1_000_000), ICINGA)
                .map(|turn| (changes.len(), 1_000_000, turn)),
        );
        turns
    }

    /// What the changes weigh in percent, by the rule's own words, with all of them kept.
    fn percent(changes: &[u64], now: u64) -> f64 {
        let window = WINDOW.as_secs_f64();
        let ages = changes
            .iter()
            .filter(|change| **change <= now)
            .map(|change| at(now).since(at(*change)).as_secs_f64());
        ages.filter(|age| *age < window)
            .map(|age| 100.0 * (1.2 - 0.4 * age / window) / 20.0)
            .sum()
    }

    proptest! {
        #[test]
        fn starts_and_ends_alternate_and_do_not_flutter(changes in changes()) {
            let turns = turns(&changes);
            prop_assert_eq!(turns.len() % 2, 0, "what starts ends");
            for pair in turns.chunks(2) {
                prop_assert_eq!(pair[0].2, FlapTurn::Started);
                let FlapTurn::Ended { since, at: end } = pair[1].2 else { panic!("two starts: {turns:?}") };
                prop_assert_eq!(since, at(pair[0].1));
                prop_assert!(end.since(since) >= WINDOW / 2, "it lasts");
                let last = at(changes[pair[1].0 - 1]);
                prop_assert!(end.since(last) >= WINDOW / 2 && end.since(last) <= WINDOW, "it ends within the window after the last change");
            }
            for pair in turns.get(1..).unwrap_or_default().chunks_exact(2) {
                prop_assert!(pair[1].0 - pair[0].0 >= 6, "it starts again with six new changes");
            }
        }

        #[test]
        fn a_start_is_as_the_rule_says(changes in changes()) {
            let mut flapping = Flapping::default();
            let mut counted_from = 0;
            for (index, change) in changes.iter().enumerate() {
                if flapping.evaluate(at(*change), ICINGA).is_some() {
                    counted_from = index;
                }
                let was = flapping.since();
                let turn = flapping.note(at(*change), ICINGA);
                let weight = percent(&changes[counted_from..=index], *change);
                if was.is_none() && (weight - 30.0).abs() > 1e-6 {
                    prop_assert_eq!(turn.is_some(), weight > 30.0, "{} percent", weight);
                }
            }
        }

        #[test]
        fn an_end_is_as_the_rule_says(changes in changes()) {
            let mut flapping = Flapping::default();
            let mut counted_from = 0;
            for (index, change) in changes.iter().enumerate() {
                if flapping.evaluate(at(*change), ICINGA).is_some() {
                    counted_from = index;
                }
                flapping.note(at(*change), ICINGA);
                let Some(end) = flapping.ends_at(ICINGA).map(seconds) else { continue };
                let counted = &changes[counted_from..=index];
                prop_assert!(percent(counted, end + 1) <= 25.0 + 1e-6);
                prop_assert!(percent(counted, end - 1) > 25.0 - 1e-2 || end == change + 1_800, "it ends no later than it must");
            }
        }

        #[test]
        fn what_changes_rarely_never_flaps(gaps in prop::collection::vec(720_u64..5_000, 0..60)) {
            let changes = gaps.iter().scan(0, |time, gap| {
                *time += gap;
                Some(*time)
            });
            prop_assert_eq!(changes_until_start(changes), None);
        }
    }
}
