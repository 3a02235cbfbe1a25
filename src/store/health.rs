//! The health of the store itself, for log, metrics, page and API. Only holds what the store's
//! thread reports.

use std::fmt;
use std::path::PathBuf;

use jiff::Timestamp;

/// The health of the store.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct StoreHealth {
    /// Whether it stores its entries.
    pub state: StoreState,
    /// Since when.
    pub since: Timestamp,
    /// How many entries were lost since the start: they are not on disk and never will be.
    pub lost: u64,
    /// How many entries wait in memory for a disk that accepts them.
    pub waiting: usize,
    /// Why the last attempt failed. Kept after recovery.
    pub last_error: Option<String>,
    /// When a new file was begun while labwatch ran, because the old one was removed or broken: the
    /// current state is written into it first.
    pub anew: Option<Timestamp>,
    /// The new place of the broken file, where there was one.
    pub set_aside: Option<PathBuf>,
}

/// Whether the store stores its entries.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum StoreState {
    /// Everything is on disk within moments.
    Ok,
    /// The disk accepts nothing. Entries wait in memory, up to a bound; writing is retried.
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

/// The progress of writing. Tickets count from 1 and are treated in order.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub struct Progress {
    /// Every batch up to this ticket was tried: its outward effects need not wait, on disk or not.
    pub settled: u64,
    /// Every batch up to this ticket is on disk, or counted as lost.
    pub durable: u64,
}
