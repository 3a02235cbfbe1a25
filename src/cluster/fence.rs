//! The fence: until when this replica may act, by its own monotonic clock. Tasks that carry out
//! effects check it first, so that a process that was frozen does not act on earlier decisions.

use std::sync::Arc;
use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};
use std::time::Duration;

use tokio::time::Instant;

/// The time for which this replica may act. A clone is the same fence.
#[derive(Debug, Clone)]
pub struct Fence(Arc<Shared>);

#[derive(Debug)]
struct Shared {
    start: Instant,
    /// In milliseconds since the start; 0: closed.
    until: AtomicU64,
    /// Whether nothing new is begun: the lead is being given up.
    is_ending: AtomicBool,
}

impl Fence {
    /// A fence that is closed.
    pub fn closed() -> Self {
        Self(Arc::new(Shared {
            start: Instant::now(),
            until: AtomicU64::new(0),
            is_ending: AtomicBool::new(false),
        }))
    }

    /// Allows acting until this moment.
    pub fn open_until(&self, until: Instant) {
        let millis = until.saturating_duration_since(self.0.start).as_millis();
        let millis = u64::try_from(millis).unwrap_or(u64::MAX);
        self.0.until.store(millis, Ordering::SeqCst);
    }

    /// Allows no new effects. Effects under way go on for as long as the lease is proven.
    pub fn end(&self) {
        self.0.is_ending.store(true, Ordering::SeqCst);
    }

    /// Allows no effects at all.
    pub fn close(&self) {
        self.0.until.store(0, Ordering::SeqCst);
        self.0.is_ending.store(false, Ordering::SeqCst);
    }

    /// Whether this replica may begin an effect at this moment.
    pub fn lets_begin(&self) -> bool {
        !self.0.is_ending.load(Ordering::SeqCst) && !self.left().is_zero()
    }

    /// How long this replica may still act; zero: it may not.
    pub fn left(&self) -> Duration {
        let until = Duration::from_millis(self.0.until.load(Ordering::SeqCst));
        until.saturating_sub(self.0.start.elapsed())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[tokio::test(start_paused = true)]
    async fn a_fence_closes_by_itself() {
        let fence = Fence::closed();
        assert_eq!(fence.left(), Duration::ZERO);
        fence.open_until(Instant::now() + Duration::from_secs(8));
        tokio::time::advance(Duration::from_secs(3)).await;
        assert_eq!(fence.left(), Duration::from_secs(5));
        tokio::time::advance(Duration::from_secs(5)).await;
        assert_eq!(fence.left(), Duration::ZERO);
        fence.open_until(Instant::now() + Duration::from_secs(1));
        fence.close();
        assert_eq!(fence.left(), Duration::ZERO);
    }

    #[tokio::test(start_paused = true)]
    async fn while_the_lead_is_given_up_what_is_under_way_goes_on_and_nothing_begins() {
        let (fence, lease) = (Fence::closed(), Duration::from_secs(8));
        fence.open_until(Instant::now() + lease);
        assert!(fence.lets_begin());
        fence.end();
        fence.open_until(Instant::now() + lease);
        assert_eq!((fence.lets_begin(), fence.left()), (false, lease));
        fence.close();
        fence.open_until(Instant::now() + lease);
        assert!(fence.lets_begin(), "it leads again");
    }
}
