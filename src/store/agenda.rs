//! Upcoming work of the store's thread.

use std::collections::VecDeque;
use std::time::{Duration, Instant};

use jiff::Timestamp;

use super::gap::HEARTBEAT;
use super::prune::Walk;
use super::writer::Batch;

/// The pause before the first new attempt; each further one is twice as long.
pub(super) const FIRST_RETRY: Duration = Duration::from_millis(500);

/// When each kind of work is due.
#[derive(Debug)]
pub(super) struct Agenda {
    pub(super) waiting: VecDeque<Batch>,
    /// When the first and the last entries of the current disk problem were lost.
    pub(super) lost: Option<(Timestamp, Timestamp)>,
    pub(super) beat: (Timestamp, Instant),
    pub(super) next_beat: Instant,
    pub(super) retry: Option<(Instant, Duration)>,
    pub(super) walk: Walk,
    pub(super) next_step: Instant,
}

impl Agenda {
    /// The agenda at the start; `healthy` says whether the file is open.
    pub(super) fn new(now: Timestamp, healthy: bool) -> Self {
        let start = Instant::now();
        Self {
            waiting: VecDeque::new(),
            lost: None,
            beat: (now, start),
            next_beat: start,
            retry: (!healthy).then(|| (start + FIRST_RETRY, FIRST_RETRY)),
            walk: Walk::default(),
            next_step: start + HEARTBEAT,
        }
    }

    pub(super) fn next(&self) -> Instant {
        self.retry
            .map_or(self.next_beat.min(self.next_step), |(at, _)| at)
    }

    /// How many entries wait.
    pub(super) fn entries(&self) -> usize {
        self.waiting.iter().map(|batch| batch.entries.len()).sum()
    }

    pub(super) fn may_try(&self) -> bool {
        self.retry.is_none_or(|(at, _)| at <= Instant::now())
    }
}
