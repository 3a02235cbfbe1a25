//! The canary's results for relay: whether labwatch's own messages arrive, and how long they take.

use std::sync::Arc;
use std::time::Duration;

use crate::model::words::words;

/// The upper bounds of the histogram of times, in milliseconds.
pub const CANARY_BOUNDS_MS: [u64; 11] = [5, 10, 25, 50, 100, 250, 500, 1_000, 2_500, 5_000, 10_000];

/// Whether relay forwards messages.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub enum Forwarding {
    /// The canary is off, or relay refuses it.
    #[default]
    Off,
    /// Its connections are not open, so it shows nothing.
    Unknown,
    /// The messages arrive in time.
    Works,
    /// They arrive, but later than `CANARY_LATE`.
    Late,
    /// `CANARY_MISSES` messages in a row have not arrived, also over new connections.
    Stopped,
}

words!(Forwarding { Off => "off", Unknown => "unknown", Works => "works", Late => "late", Stopped => "stopped" });

/// For how many minutes of the last hour there are separate numbers.
pub const CANARY_MINUTES: usize = 60;

/// One minute of the canary.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub struct CanaryMinute {
    /// How many messages arrived.
    pub arrived: u32,
    /// How many did not.
    pub lost: u32,
    /// The median of those that arrived; `None` when none did.
    pub median: Option<Duration>,
}

/// The canary's results.
#[derive(Debug, Clone, PartialEq, Default)]
pub struct CanaryView {
    /// The state of forwarding.
    pub forwarding: Forwarding,
    /// How long the last message took that arrived.
    pub last: Option<Duration>,
    /// The median of the last hour.
    pub median: Option<Duration>,
    /// The 99th percentile of the last hour.
    pub p99: Option<Duration>,
    /// The fraction of the messages of the last hour that did not arrive, from 0 to 1; `None` when
    /// none was sent.
    pub loss: Option<f64>,
    /// The minutes of the last hour, oldest first, at most [`CANARY_MINUTES`].
    pub minutes: Arc<[CanaryMinute]>,
    /// How many messages took at most as long as each of [`CANARY_BOUNDS_MS`], and longer than the
    /// bound before; the last counts those that took longer than all. Since the start.
    pub counts: [u64; CANARY_BOUNDS_MS.len() + 1],
    /// The sum of their times.
    pub sum: Duration,
    /// How many messages did not arrive, since the start.
    pub lost: u64,
}
