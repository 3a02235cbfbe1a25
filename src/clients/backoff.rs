//! Retry backoff: how long to wait before the next attempt. Pure: the time is an argument.

use std::time::Duration;

use tokio::time::Instant;

use engine::model::CallError;

/// The wait after the first failure, before jitter.
pub const FIRST_WAIT: Duration = Duration::from_millis(500);

/// The longest wait, before jitter.
pub const LONGEST_WAIT: Duration = Duration::from_secs(30);

/// The longest wait where an operator must change settings first, before jitter.
pub const LONGEST_WAIT_WHEN_OURS: Duration = Duration::from_secs(60);

/// The longest wait while a server that cannot be reached is likely to be restarting, before
/// jitter: a restart takes some 6 s, and its end is to be noticed within about a second.
pub const LONGEST_WAIT_IN_A_RESTART: Duration = Duration::from_secs(2);

/// How long after the first failure a server that cannot be reached is likely to be restarting.
pub const RESTART_TAKES: Duration = Duration::from_secs(30);

/// How long after a failed renewal of a connection the next one is tried, while the old one still
/// serves.
pub const RENEWAL_RETRY: Duration = Duration::from_secs(30);

/// How long a connection must have lasted for its end to count as a first one again.
pub const LASTING: Duration = Duration::from_secs(60);

/// Doubles the wait with each failure, up to a bound that depends on the fault.
#[derive(Debug, Default)]
pub struct Backoff {
    wait: Option<Duration>,
    failing_since: Option<Instant>,
}

impl Backoff {
    /// Resets the backoff: the next failure counts as a first one.
    pub fn reset(&mut self) {
        *self = Self::default();
    }

    /// The wait after a failure, with jitter: between half of it and all of it. `None` stands for a
    /// connection that ended.
    pub fn after(&mut self, fault: Option<&CallError>, now: Instant) -> Duration {
        let since = *self.failing_since.get_or_insert(now);
        let longest = match fault {
            Some(fault) if fault.refuses_us() => LONGEST_WAIT_WHEN_OURS,
            Some(fault)
                if fault.is_without_connection() && now.duration_since(since) < RESTART_TAKES =>
            {
                LONGEST_WAIT_IN_A_RESTART
            }
            _ => LONGEST_WAIT,
        };
        let wait = self.wait.map_or(FIRST_WAIT, |last| last * 2).min(longest);
        self.wait = Some(wait);
        jittered(wait)
    }
}

/// Between half of the wait and all of it, so that clients of the same server do not return in
/// step.
pub fn jittered(wait: Duration) -> Duration {
    wait.mul_f64(0.5 + fastrand::f64() / 2.0)
}

#[cfg(test)]
mod tests {
    use super::*;

    /// The waits of consecutive failures before jitter, in milliseconds. Each failure comes right
    /// after the wait of the one before.
    fn waits(fault: Option<&CallError>, count: usize) -> Vec<u128> {
        let mut backoff = Backoff::default();
        let mut now = Instant::now();
        let next = |_| {
            let wait = backoff.after(fault, now);
            let bound = backoff.wait.unwrap_or_default();
            assert!(bound / 2 <= wait && wait <= bound, "{wait:?} of {bound:?}");
            now += bound;
            bound.as_millis()
        };
        (0..count).map(next).collect()
    }

    #[test]
    fn waits_double_up_to_the_bound_of_the_fault() {
        assert_eq!(
            waits(None, 8),
            [500, 1_000, 2_000, 4_000, 8_000, 16_000, 30_000, 30_000]
        );
        assert_eq!(waits(Some(&CallError::TimedOut), 8), waits(None, 8));
        assert_eq!(
            waits(Some(&CallError::Credentials(String::new())), 9)[6..],
            [32_000, 60_000, 60_000]
        );
    }

    #[test]
    fn a_restart_is_noticed_soon_and_a_long_outage_is_not_hammered() {
        let waits = waits(Some(&CallError::Unreachable(String::new())), 22);
        assert_eq!(waits[..5], [500, 1_000, 2_000, 2_000, 2_000]);
        assert_eq!(
            waits[15..],
            [2_000, 2_000, 4_000, 8_000, 16_000, 30_000, 30_000]
        );
    }

    #[test]
    fn good_news_starts_it_anew() {
        let mut backoff = Backoff::default();
        for _ in 0..5 {
            backoff.after(None, Instant::now());
        }
        backoff.reset();
        assert!(backoff.after(None, Instant::now()) <= FIRST_WAIT);
    }
}
