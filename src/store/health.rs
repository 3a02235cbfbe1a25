//! How the store itself is, for log, metrics, page and API. It only holds what the store's thread
//! says.

use std::fmt;
use std::path::PathBuf;

use jiff::Timestamp;

/// How the store is.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct StoreHealth {
    /// Whether it keeps what it is given.
    pub state: StoreState,
    /// Since when.
    pub since: Timestamp,
    /// How many entries were lost since the start: they are not on disk and never will be.
    pub lost: u64,
    /// How many entries wait in memory for a disk that takes them.
    pub waiting: usize,
    /// Why the last attempt failed. It stays after recovery, for the curious.
    pub last_error: Option<String>,
    /// When a new file was begun while we ran, because the old one was removed or broken: what is
    /// true now is written into it first.
    pub anew: Option<Timestamp>,
    /// Where the broken file went, where there was one.
    pub set_aside: Option<PathBuf>,
}

/// Whether the store keeps what it is given.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum StoreState {
    /// Everything is on disk within moments.
    Ok,
    /// The disk takes nothing. Entries wait in memory, up to a bound; it is tried again and again.
    Degraded,
}

impl fmt::Display for StoreState {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.pad(match self {
            Self::Ok => "ok",
            Self::Degraded => "degraded",
        })
    }
}

/// How far the writing is. Tickets count from 1 and are treated in their order.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub struct Progress {
    /// Every batch up to this ticket was tried: its outward effects need not wait, on disk or not.
    pub settled: u64,
    /// Every batch up to this ticket is on disk, or counted as lost.
    pub durable: u64,
}
