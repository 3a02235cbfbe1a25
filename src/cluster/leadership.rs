//! Whether this replica leads: a state machine over what etcd answers and the monotonic clock.
//!
//! ```text
//!            granted               elected
//!   Away ──────────────► Candidate ───────► Leader
//!    ▲                    │                  │
//!    └────── lost, resigned, or the lease cannot be proven any more
//! ```
//!
//! A lease is proven from when its renewal was *asked for*, not from when the answer came: etcd
//! renewed it somewhere in between. It counts as over a margin before etcd can end it, and once it
//! does, a late answer brings nothing back: a new lease is taken.

use std::time::Duration;

use tokio::time::Instant;

/// The part of the lease that is kept as a margin: a leader stops acting this much before another
/// can be elected.
const MARGIN: u32 = 5;

/// An event of etcd or the clock.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Event {
    /// etcd granted a lease, which was asked for at this moment.
    Granted(Instant),
    /// etcd renewed it, which was asked for at this moment.
    Renewed(Instant),
    /// The election is won.
    Elected,
    /// The lease or the election key is gone, or cannot be used any more.
    Lost,
    /// Time has passed.
    Tick,
}

/// The phase of this replica.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Phase {
    /// It has no lease.
    Away,
    /// It has a lease that is proven until this moment, and waits for its election.
    Candidate(Instant),
    /// It leads until this moment, unless the lease is renewed before.
    Leader(Instant),
}

/// The state machine.
#[derive(Debug, Clone, Copy)]
pub(super) struct Leadership {
    lease: Duration,
    phase: Phase,
}

impl Leadership {
    /// Without a lease yet; leases last this long.
    pub(super) fn new(lease: Duration) -> Self {
        Self {
            lease,
            phase: Phase::Away,
        }
    }

    #[cfg(feature = "etcd")]
    pub(super) fn phase(&self) -> Phase {
        self.phase
    }

    /// Until when the lease is proven.
    pub(super) fn proven_until(&self) -> Option<Instant> {
        match self.phase {
            Phase::Away => None,
            Phase::Candidate(until) | Phase::Leader(until) => Some(until),
        }
    }

    /// Applies an event, and returns the phase then.
    pub(super) fn take(&mut self, event: Event, now: Instant) -> Phase {
        // Time comes first: what arrives after the end of the lease changes nothing.
        if self.proven_until().is_some_and(|until| now >= until) {
            self.phase = Phase::Away;
        }
        self.phase = match (self.phase, event) {
            (Phase::Away, Event::Granted(asked)) => self.candidate(asked, now),
            (Phase::Candidate(until), Event::Renewed(asked)) => {
                Phase::Candidate(until.max(self.until(asked)))
            }
            (Phase::Leader(until), Event::Renewed(asked)) => {
                Phase::Leader(until.max(self.until(asked)))
            }
            (Phase::Candidate(until), Event::Elected) => Phase::Leader(until),
            (_, Event::Lost) => Phase::Away,
            (Phase::Away, Event::Renewed(_) | Event::Elected | Event::Tick)
            | (Phase::Candidate(_), Event::Granted(_) | Event::Tick)
            | (Phase::Leader(_), Event::Granted(_) | Event::Elected | Event::Tick) => self.phase,
        };
        self.phase
    }

    fn candidate(&self, asked: Instant, now: Instant) -> Phase {
        let until = self.until(asked);
        if now < until {
            Phase::Candidate(until)
        } else {
            Phase::Away
        }
    }

    /// Until when a lease is proven that was asked for at this moment.
    fn until(&self, asked: Instant) -> Instant {
        asked + self.lease.saturating_sub(self.lease / MARGIN)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Each row: second, event, and the phase then, with until when. Leases last 10 s, so they
    /// count for 8.
    fn plays(rows: &[(u64, Event, Phase)]) {
        let mut leadership = Leadership::new(Duration::from_secs(10));
        for (second, event, expected) in rows {
            let found = leadership.take(*event, at(*second));
            assert_eq!(found, *expected, "{event:?} at {second}");
        }
    }

    fn at(second: u64) -> Instant {
        use std::sync::OnceLock;
        static START: OnceLock<Instant> = OnceLock::new();
        *START.get_or_init(Instant::now) + Duration::from_secs(second)
    }

    #[test]
    fn a_leader_leads_for_as_long_as_it_can_prove_it() {
        plays(&[
            (0, Event::Granted(at(0)), Phase::Candidate(at(8))),
            (1, Event::Elected, Phase::Leader(at(8))),
            (3, Event::Renewed(at(2)), Phase::Leader(at(10))),
            // An answer to an earlier request takes nothing back.
            (4, Event::Renewed(at(1)), Phase::Leader(at(10))),
            (9, Event::Tick, Phase::Leader(at(10))),
            (10, Event::Tick, Phase::Away),
        ]);
    }

    #[test]
    fn what_comes_too_late_brings_nothing_back() {
        plays(&[
            (0, Event::Granted(at(0)), Phase::Candidate(at(8))),
            (1, Event::Elected, Phase::Leader(at(8))),
            // Frozen from 2 to 30: the first thing it sees is an answer that waited for it.
            (30, Event::Renewed(at(2)), Phase::Away),
            (30, Event::Renewed(at(29)), Phase::Away),
            (30, Event::Elected, Phase::Away),
            (31, Event::Granted(at(31)), Phase::Candidate(at(39))),
        ]);
    }

    #[test]
    fn an_election_that_is_won_after_the_lease_is_none() {
        plays(&[
            (0, Event::Granted(at(0)), Phase::Candidate(at(8))),
            (8, Event::Elected, Phase::Away),
        ]);
        plays(&[(9, Event::Granted(at(0)), Phase::Away)]);
    }

    #[test]
    fn every_other_pair_changes_nothing_or_ends_it() {
        let renewed = Event::Renewed(at(1));
        for event in [renewed, Event::Elected, Event::Lost, Event::Tick] {
            plays(&[(1, event, Phase::Away)]);
        }
        let granted = (0, Event::Granted(at(0)), Phase::Candidate(at(8)));
        plays(&[
            granted,
            (1, Event::Granted(at(1)), granted.2),
            (2, Event::Tick, granted.2),
            (3, Event::Renewed(at(3)), Phase::Candidate(at(11))),
            (4, Event::Lost, Phase::Away),
        ]);
        plays(&[
            granted,
            (1, Event::Elected, Phase::Leader(at(8))),
            (2, Event::Elected, Phase::Leader(at(8))),
            (2, Event::Granted(at(2)), Phase::Leader(at(8))),
            (3, Event::Lost, Phase::Away),
        ]);
    }
}
