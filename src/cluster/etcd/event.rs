//! What the tasks that wait for etcd report to the one that decides.

use etcd_client::{Client, LeaderKey};
use tokio::time::Instant;

use super::client::Listing;
use crate::clients::etcd::Fault;
use crate::cluster::view::Peer;

/// How many events may wait for the one task. Those that report wait when it is full.
pub(super) const EVENT_QUEUE: usize = 64;

/// What the tasks report.
pub(super) enum Event {
    /// Everything that stands in etcd.
    Listed(Box<Listing>),
    /// What changed there, each with its revision, and the revision since.
    Changed(Vec<(i64, Change)>, i64),
    /// It cannot be followed now.
    Unseen(Fault),
    /// What came of something in the session of this number.
    Of(u64, Outcome),
}

/// A change of what stands in etcd.
#[derive(Debug)]
pub(super) enum Change {
    /// Of an entry of the state, by a leader or by another hand.
    State {
        key: String,
        value: Option<Vec<u8>>,
        is_by_hand: bool,
    },
    Came(String, i64, Option<Peer>),
    Left(String),
    Shared(String, Option<Vec<u8>>),
}

/// What came of something under the lease of a session.
pub(super) enum Outcome {
    /// The lease is there; it was asked for at this moment.
    Granted(Box<Client>, i64, Instant),
    /// It was renewed, which was asked for at this moment.
    Renewed(Instant),
    /// It cannot be renewed now.
    NotRenewed(Fault),
    /// It is gone, or could not be had.
    Lost(Fault),
    /// The election is won. Holds the key, and what stands in etcd since.
    Elected(LeaderKey, Box<Listing>),
    /// Commits up to this number are in etcd.
    Committed(u64),
    /// Commits are not in etcd, or not all of each.
    NotCommitted(Fault),
}
