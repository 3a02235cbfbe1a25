//! A point in time with wall-clock and monotonic readings.

use std::cmp::Ordering;
use std::ops::Add;
use std::time::Duration;

use jiff::Timestamp;

/// A point in time: the wall clock's reading, to show, and a monotonic one, to compare and
/// subtract.
///
/// Ages and deadlines use only the monotonic part, so a clock that is set while the program runs
/// changes no evaluation; what is shown and recorded is the wall clock at that moment. The driver
/// makes moments; the engine only derives them.
#[derive(Debug, Clone, Copy, Default)]
pub struct Moment {
    wall: Timestamp,
    mono: Duration,
}

impl Moment {
    /// The moment at which the wall clock shows `wall` and `mono` has passed since a start of the
    /// caller's choice.
    pub fn new(wall: Timestamp, mono: Duration) -> Self {
        Self { wall, mono }
    }

    /// What the wall clock showed.
    pub fn wall(self) -> Timestamp {
        self.wall
    }

    /// The monotonic reading.
    pub fn mono(self) -> Duration {
        self.mono
    }

    /// How long after `earlier` this moment is; zero when it is not after it.
    pub fn since(self, earlier: Self) -> Duration {
        self.mono.saturating_sub(earlier.mono)
    }

    /// The moment when the wall clock showed `wall`, as seen from this one; this one itself where
    /// that is not in the past.
    #[must_use]
    pub fn back_at(self, wall: Timestamp) -> Self {
        self.before(Duration::try_from(self.wall.duration_since(wall)).unwrap_or_default())
    }

    /// The moment `age` before this one; the monotonic part stops at its start.
    #[must_use]
    pub fn before(self, age: Duration) -> Self {
        Self {
            wall: self.wall.checked_sub(age).unwrap_or(Timestamp::MIN),
            mono: self.mono.saturating_sub(age),
        }
    }
}

/// The earliest of those that there are.
pub(crate) fn earliest<T: Ord, const N: usize>(times: [Option<T>; N]) -> Option<T> {
    times.into_iter().flatten().min()
}

impl Add<Duration> for Moment {
    type Output = Self;

    /// The moment `duration` later; far beyond any calendar it stays at the calendar's end.
    fn add(self, duration: Duration) -> Self {
        Self {
            wall: self.wall.checked_add(duration).unwrap_or(Timestamp::MAX),
            mono: self.mono.saturating_add(duration),
        }
    }
}

impl PartialEq for Moment {
    fn eq(&self, other: &Self) -> bool {
        self.mono == other.mono
    }
}

impl Eq for Moment {}

impl PartialOrd for Moment {
    fn partial_cmp(&self, other: &Self) -> Option<Ordering> {
        Some(self.cmp(other))
    }
}

impl Ord for Moment {
    fn cmp(&self, other: &Self) -> Ordering {
        self.mono.cmp(&other.mono)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn at(wall: i64, mono: u64) -> Moment {
        Moment::new(
            Timestamp::from_second(wall).expect("in range"),
            Duration::from_secs(mono),
        )
    }

    #[test]
    fn a_clock_set_back_does_not_reorder_moments() {
        let (before, after) = (at(5_000, 10), at(1_000, 20));
        assert!(after > before);
        assert_eq!(after.since(before), Duration::from_secs(10));
        assert_eq!(before.since(after), Duration::ZERO);
    }

    #[test]
    fn a_time_of_the_past_is_a_moment_and_one_of_the_future_is_now() {
        let then = at(100, 50).back_at(Timestamp::from_second(70).expect("in range"));
        assert_eq!((then.wall().as_second(), then.mono().as_secs()), (70, 20));
        assert_eq!(
            at(100, 50).back_at(Timestamp::from_second(200).expect("in range")),
            at(100, 50)
        );
    }

    #[test]
    fn arithmetic_moves_both_clocks_and_stops_at_the_ends() {
        let later = at(100, 10) + Duration::from_secs(5);
        assert_eq!(
            (later.wall().as_second(), later.mono().as_secs()),
            (105, 15)
        );
        let earlier = later.before(Duration::from_secs(20));
        assert_eq!(
            (earlier.wall().as_second(), earlier.mono()),
            (85, Duration::ZERO)
        );
        assert_eq!((at(0, 0) + Duration::MAX).wall(), Timestamp::MAX);
    }
}
