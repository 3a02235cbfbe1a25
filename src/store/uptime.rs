//! Uptime shares of a time range. Pure: changes and gaps in, shares out. Gaps in the history are
//! counted separately.

use std::time::Duration;

use jiff::Timestamp;

use super::gap::Gap;
use super::rows::Range;
use engine::model::Health;

/// The most buckets of one answer.
pub const MAX_BUCKETS: usize = 1_000;

/// How long an experiment was in which state, in milliseconds. Together they are as long as the
/// part of the bucket that is past.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub struct Bucket {
    /// Everything required and optional was there.
    pub ok: i64,
    /// Usable, with a loss.
    pub degraded: i64,
    /// It changed too often, and was withdrawn: students could not use it.
    pub flapping: i64,
    /// Students could not use it.
    pub down: i64,
    /// Not evaluated, or not known yet.
    pub unknown: i64,
    /// There is no history: labwatch was off, or its disk accepted nothing.
    pub gap: i64,
}

impl Bucket {
    /// The share of the evaluated time in which it was usable, 0 to 1; `None` when nothing was
    /// evaluated.
    #[must_use]
    pub fn usable(&self) -> Option<f64> {
        let evaluated = self.ok + self.degraded + self.flapping + self.down;
        #[expect(
            clippy::cast_precision_loss,
            reason = "milliseconds of years fit into 52 bits"
        )]
        (evaluated > 0).then(|| (self.ok + self.degraded) as f64 / evaluated as f64)
    }

    fn add(&mut self, health: Option<Health>, millis: i64) {
        *match health {
            Some(Health::Ok) => &mut self.ok,
            Some(Health::Degraded) => &mut self.degraded,
            Some(Health::Flapping) => &mut self.flapping,
            Some(Health::Down) => &mut self.down,
            Some(Health::Unknown) => &mut self.unknown,
            None => &mut self.gap,
        } += millis;
    }
}

/// A change at a moment.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Change {
    Health(Health),
    GapBegins,
    GapEnds,
}

impl Change {
    /// The two ends of a gap.
    pub(super) fn of(gap: &Gap) -> [(i64, Self); 2] {
        [
            (gap.since.as_millisecond(), Self::GapBegins),
            (gap.until.as_millisecond(), Self::GapEnds),
        ]
    }
}

/// A step in milliseconds; `None` where it is nothing, or makes more than [`MAX_BUCKETS`] of the
/// range.
pub(super) fn step(range: Range, step: Duration) -> Option<i64> {
    let step = i64::try_from(step.as_millis()).unwrap_or(i64::MAX);
    let length = range.until.as_millisecond() - range.from.as_millisecond();
    let whole = usize::try_from((length - 1).checked_div(step)?);
    (!whole.is_ok_and(|whole| whole >= MAX_BUCKETS)).then_some(step)
}

/// How long an experiment was in which state, counted from given changes instead of the file: each
/// has the health from then on, in any order. At most [`MAX_BUCKETS`] buckets; none for a step of
/// zero.
#[must_use]
pub fn uptime_of(
    changes: impl Iterator<Item = (Timestamp, Health)>,
    gaps: &[Gap],
    range: Range,
    step: Duration,
    now: Timestamp,
) -> Vec<Bucket> {
    let Some(step) = self::step(range, step) else {
        return Vec::new();
    };
    let changes = changes.map(|(at, health)| (at.as_millisecond(), Change::Health(health)));
    let gaps = gaps.iter().flat_map(Change::of);
    buckets(changes.chain(gaps).collect(), range, step, now)
}

/// Counts each bucket of `step` milliseconds. `changes` holds those before the range too, as far as
/// they matter.
pub(super) fn buckets(
    mut changes: Vec<(i64, Change)>,
    range: Range,
    step: i64,
    now: Timestamp,
) -> Vec<Bucket> {
    let (from, until) = (range.from.as_millisecond(), range.until.as_millisecond());
    let known_until = until.min(now.as_millisecond());
    let count = usize::try_from(
        (until - from).div_euclid(step) + i64::from((until - from).rem_euclid(step) > 0),
    )
    .unwrap_or(0);
    let mut buckets = vec![Bucket::default(); count];
    changes.sort_by_key(|(at, _)| *at);
    let (mut health, mut gaps, mut at) = (Health::Unknown, 0_u32, from);
    for (when, change) in changes.into_iter().chain([(known_until, Change::GapEnds)]) {
        let when = when.clamp(from, known_until.max(from));
        let state = (gaps == 0).then_some(health);
        spread(&mut buckets, at - from, when - from, step, state);
        at = when;
        match change {
            Change::Health(now) => health = now,
            Change::GapBegins => gaps += 1,
            Change::GapEnds => gaps = gaps.saturating_sub(1),
        }
    }
    buckets
}

/// Adds the time between two offsets to the buckets that it touches.
fn spread(buckets: &mut [Bucket], mut from: i64, until: i64, step: i64, state: Option<Health>) {
    while from < until {
        let Some(bucket) = usize::try_from(from / step)
            .ok()
            .and_then(|at| buckets.get_mut(at))
        else {
            return;
        };
        let end = until.min((from / step + 1) * step);
        bucket.add(state, end - from);
        from = end;
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    fn at(millis: i64) -> Timestamp {
        Timestamp::from_millisecond(millis).expect("in range")
    }

    fn count(
        changes: &[(i64, Change)],
        from: i64,
        until: i64,
        step: i64,
        now: i64,
    ) -> Vec<[i64; 5]> {
        let buckets = buckets(
            changes.to_vec(),
            Range {
                from: at(from),
                until: at(until),
            },
            step,
            at(now),
        );
        buckets
            .iter()
            .map(|b| [b.ok, b.degraded, b.down, b.unknown, b.gap])
            .collect()
    }

    #[test]
    fn time_goes_where_it_belongs() {
        use Change::{GapBegins, GapEnds, Health as H};
        let (ok, down) = (H(Health::Ok), H(Health::Down));
        assert_eq!(
            count(&[(-50, ok)], 0, 100, 100, 1_000),
            [[100, 0, 0, 0, 0]],
            "how it was before counts"
        );
        assert_eq!(
            count(&[(30, ok)], 0, 100, 100, 1_000),
            [[70, 0, 0, 30, 0]],
            "before the first event nothing is known"
        );
        assert_eq!(
            count(&[(0, ok), (150, down)], 0, 250, 100, 1_000),
            [[100, 0, 0, 0, 0], [50, 0, 50, 0, 0], [0, 0, 50, 0, 0]]
        );
        assert_eq!(
            count(
                &[(0, ok), (20, GapBegins), (60, GapEnds)],
                0,
                100,
                100,
                1_000
            ),
            [[60, 0, 0, 0, 40]],
            "off is not well"
        );
        assert_eq!(
            count(&[(0, ok)], 0, 200, 100, 120),
            [[100, 0, 0, 0, 0], [20, 0, 0, 0, 0]],
            "the future counts nowhere"
        );
        assert_eq!(count(&[(0, ok)], 500, 600, 100, 120), [[0; 5]]);
        assert_eq!(
            count(
                &[
                    (10, GapBegins),
                    (20, GapBegins),
                    (30, GapEnds),
                    (40, GapEnds)
                ],
                0,
                50,
                50,
                99
            ),
            [[0, 0, 0, 20, 30]]
        );
    }

    #[test]
    fn the_usable_share_leaves_out_times_without_evaluation() {
        assert_eq!(
            Bucket {
                ok: 4,
                degraded: 2,
                flapping: 1,
                down: 1,
                unknown: 50,
                gap: 50
            }
            .usable(),
            Some(0.75)
        );
        assert_eq!(
            Bucket {
                unknown: 5,
                gap: 5,
                ..Bucket::default()
            }
            .usable(),
            None
        );
    }

    fn change() -> impl Strategy<Value = (i64, Change)> {
        let kinds = [
            Change::Health(Health::Ok),
            Change::Health(Health::Down),
            Change::GapBegins,
            Change::GapEnds,
        ];
        (-100..1_000_i64, proptest::sample::select(kinds.to_vec()))
    }

    proptest! {
        #[test]
        fn every_millisecond_counts_once(
            changes in proptest::collection::vec(change(), 0..20),
            from in 0..500_i64, length in 1..500_i64, step in 1..200_i64, now in 0..1_200_i64,
        ) {
            let total: i64 = count(&changes, from, from + length, step, now).iter().flatten().sum();
            prop_assert_eq!(total, (now.min(from + length) - from).max(0));
        }
    }
}
