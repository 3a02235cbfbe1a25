//! Events that the tasks which wait for etcd report to the deciding task.

use etcd_client::{Client, LeaderKey};
use tokio::time::Instant;

use super::client::Listing;
use crate::clients::etcd::Fault;
use crate::cluster::view::Peer;

/// How many events may wait. Reporting tasks wait when it is full.
pub(super) const EVENT_QUEUE: usize = 64;

/// An event of a task.
pub(super) enum Event {
    /// Everything in etcd.
    Listed(Box<Listing>),
    /// Changes in etcd, each with its revision, and the revision since.
    Changed(Vec<(i64, Change)>, i64),
    /// etcd cannot be followed now.
    Unseen(Fault),
    /// An outcome in the session of this number.
    Of(u64, Outcome),
}

/// A change in etcd.
#[derive(Debug)]
pub(super) enum Change {
    /// Of an entry of the state, by a leader or an outside writer.
    State {
        key: String,
        value: Option<Vec<u8>>,
        is_by_hand: bool,
    },
    Came(String, i64, Option<Peer>),
    Left(String),
    Shared(String, Option<Vec<u8>>),
}

/// An outcome under the lease of a session.
pub(super) enum Outcome {
    /// The lease is granted; it was requested at this moment.
    Granted(Box<Client>, i64, Instant),
    /// It was renewed; that was requested at this moment.
    Renewed(Instant),
    /// It cannot be renewed now.
    NotRenewed(Fault),
    /// It is gone, or was not granted.
    Lost(Fault),
    /// The election is won. Holds the key, and the content of etcd since.
    Elected(LeaderKey, Box<Listing>),
    /// Commits up to this number are in etcd.
    Committed(u64),
    /// Commits are not in etcd, or not all of each.
    NotCommitted(Fault),
}
