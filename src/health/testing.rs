//! Shared by the tests of this folder: a clock that is set by hand.

use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};
use std::time::Duration;

use jiff::Timestamp;

use super::registry::Clock;
use engine::model::Moment;

/// Sets a clock, which shows 0 at first.
#[derive(Debug, Clone, Default)]
pub(super) struct Hands(Arc<AtomicU64>);

impl Hands {
    pub(super) fn clock(&self) -> Clock {
        let hands = Arc::clone(&self.0);
        Arc::new(move || {
            let seconds = hands.load(Ordering::Relaxed);
            let wall =
                Timestamp::from_second(i64::try_from(seconds).expect("small")).expect("in range");
            Moment::new(wall, Duration::from_secs(seconds))
        })
    }

    pub(super) fn pass(&self, seconds: u64) {
        self.0.fetch_add(seconds, Ordering::Relaxed);
    }
}
