//! The leader's final notification that etcd is unreachable, sent just before its lease ends.
//!
//! Nothing can be committed then, so no engine can record it: it is outside of all other
//! notifications, at most one mail, never retried, by a replica that can still prove that it leads.
//! Another replica that takes over knows nothing of it.

use std::time::Duration;

use tokio::time::Instant;

/// The lease has to be this near to its end, in tenths of it: two renewals in a row have failed
/// then.
const NEAR_END_TENTHS: u32 = 3;

/// The conditions have to hold this many times in a row: for a process that was frozen they hold
/// once, until its next renewal.
const CHECKS: u32 = 3;

/// Between two of them: an intermittent etcd causes one mail.
const PAUSE: Duration = Duration::from_secs(3_600);

/// The conditions at one check.
#[derive(Debug, Clone, Copy)]
pub struct Conditions {
    /// Whether etcd has a fault.
    pub has_fault: bool,
    /// How long this replica may still act; zero: it may not.
    pub left: Duration,
}

/// Decides when to send it.
#[derive(Debug)]
pub struct FinalNotification {
    lease: Duration,
    seen: u32,
    last: Option<Instant>,
}

impl FinalNotification {
    /// For leases of this length.
    pub fn new(lease: Duration) -> Self {
        Self {
            lease,
            seen: 0,
            last: None,
        }
    }

    /// How often to look.
    pub fn check_every(&self) -> Duration {
        self.lease / 50
    }

    /// Whether to send it now. It counts as sent then.
    pub fn is_due(&mut self, look: Conditions, now: Instant) -> bool {
        let is_near = !look.left.is_zero() && look.left <= self.lease * NEAR_END_TENTHS / 10;
        if !(is_near && look.has_fault) {
            self.seen = 0;
            return false;
        }
        self.seen = self.seen.saturating_add(1);
        let was_said = self.last.is_some_and(|last| now < last + PAUSE);
        let is_due = self.seen == CHECKS && !was_said;
        if is_due {
            self.last = Some(now);
        }
        is_due
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Each row: milliseconds since the start, whether etcd has a fault, milliseconds that are
    /// left, and whether it is sent.
    fn plays(rows: &[(u64, bool, u64, bool)]) {
        let (mut notification, start) = (
            FinalNotification::new(Duration::from_secs(10)),
            Instant::now(),
        );
        for (at, has_fault, left, expected) in rows {
            let conditions = Conditions {
                has_fault: *has_fault,
                left: Duration::from_millis(*left),
            };
            let is_due = notification.is_due(conditions, start + Duration::from_millis(*at));
            assert_eq!(is_due, *expected, "at {at}");
        }
    }

    #[test]
    fn it_is_said_once_before_the_lease_ends() {
        plays(&[
            (0, true, 5_000, false),
            (2_000, true, 3_000, false),
            (2_200, true, 2_800, false),
            (2_400, true, 2_600, true),
            (2_600, true, 2_400, false),
            (5_000, true, 0, false),
            // It leads again, and etcd fails again: once an hour is enough.
            (60_000, false, 8_000, false),
            (66_000, true, 2_800, false),
            (66_200, true, 2_600, false),
            (66_400, true, 2_400, false),
            (3_700_000, false, 8_000, false),
            (3_706_000, true, 2_800, false),
            (3_706_200, true, 2_600, false),
            (3_706_400, true, 2_400, true),
        ]);
    }

    #[test]
    fn a_moment_of_standing_still_says_nothing() {
        plays(&[
            (0, false, 7_000, false),
            (6_000, true, 1_000, false),
            (6_200, true, 800, false),
            // The next renewal has succeeded.
            (6_400, false, 7_900, false),
            (6_600, false, 2_000, false),
            (6_800, false, 1_800, false),
            (7_000, false, 1_600, false),
        ]);
    }

    #[test]
    fn one_that_does_not_lead_says_nothing() {
        plays(&[
            (0, true, 0, false),
            (200, true, 0, false),
            (400, true, 0, false),
        ]);
    }
}
