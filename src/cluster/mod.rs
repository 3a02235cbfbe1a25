//! Clustering over several hosts: which replica leads, which part of the durable state is committed
//! before its effects, and what followers know of it.
//!
//! etcd does the distributed work: the lease, the election, transactions that succeed only while
//! the election key is there, and the watch. Everything that decides here is plain code over its
//! events and the monotonic clock; only `etcd` connects. Without a cluster none of it runs.

#[cfg(feature = "etcd")]
mod etcd;
mod fence;
mod final_notification;
#[cfg(any(feature = "etcd", test))]
mod leadership;
mod map;
mod membership;
mod view;

#[cfg(feature = "etcd")]
pub use etcd::{Fault, reach, read_state, run, write_state};
pub use fence::Fence;
pub use final_notification::{Conditions, FinalNotification};
pub use map::{StateMap, difference, unpacked};
pub use membership::{
    COMMIT_QUEUE, CommitTicket, Committed, Ends, Links, Membership, OF_REPLICA, ResignAsked,
    ResignSender, Share, Shared, Sharing, Standing, membership,
};
pub use view::{Etcd, Peer, View};

/// The error of what needs etcd where this labwatch is built without it.
pub const NOT_BUILT_IN: &str = "this labwatch is built without etcd: take one of the packages, or build it with \
                                --features etcd (which needs protobuf-compiler and libprotobuf-dev)";
