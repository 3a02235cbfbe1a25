//! The clock of the engine's moments: the wall clock beside the monotonic one.

use std::time::Duration;

use engine::model::Moment;
use jiff::{SignedDuration, Timestamp};
use tokio::time::Instant;

/// The monotonic time at which a clock starts. Stored times lie before the start, so it is not
/// zero:
/// 100 years are.
const MONOTONIC_START: Duration = Duration::from_secs(100 * 366 * 24 * 3600);

/// A wall clock that moved by more than this against the monotonic one was set, which is logged.
const CLOCK_SET: Duration = Duration::from_secs(2);

#[derive(Debug, Clone, Copy)]
pub struct Clock {
    start: Instant,
    offset: SignedDuration,
}

impl Clock {
    /// A clock that starts now.
    pub fn start() -> Self {
        let offset = Timestamp::now()
            .duration_since(Timestamp::UNIX_EPOCH)
            .saturating_sub(signed(MONOTONIC_START));
        Self {
            start: Instant::now(),
            offset,
        }
    }

    /// This moment.
    pub fn now(&self) -> Moment {
        Moment::new(Timestamp::now(), MONOTONIC_START + self.start.elapsed())
    }

    pub(super) fn instant(&self, moment: Moment) -> Instant {
        self.start + moment.mono().saturating_sub(MONOTONIC_START)
    }

    /// By how much the wall clock was set since the last call, if it was.
    pub(super) fn set_by(&mut self, now: Moment) -> Option<SignedDuration> {
        let offset = now
            .wall()
            .duration_since(Timestamp::UNIX_EPOCH)
            .saturating_sub(signed(now.mono()));
        let moved = offset.saturating_sub(self.offset);
        self.offset = offset;
        (moved.unsigned_abs() > CLOCK_SET).then_some(moved)
    }
}

fn signed(duration: Duration) -> SignedDuration {
    SignedDuration::try_from(duration).unwrap_or(SignedDuration::MAX)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_clock_that_is_set_is_noticed_once() {
        let mut clock = Clock {
            start: Instant::now(),
            offset: SignedDuration::from_secs(1_000),
        };
        let at = |wall, mono| {
            Moment::new(
                Timestamp::from_second(wall).expect("in range"),
                Duration::from_secs(mono),
            )
        };
        assert_eq!(clock.set_by(at(1_010, 10)), None);
        assert_eq!(
            clock.set_by(at(4_611, 11)),
            Some(SignedDuration::from_secs(3_600))
        );
        assert_eq!(clock.set_by(at(4_612, 12)), None);
        assert_eq!(
            clock.set_by(at(1_013, 13)),
            Some(SignedDuration::from_secs(-3_600))
        );
    }
}
