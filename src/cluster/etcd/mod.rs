//! The cluster by etcd: one task that takes a lease, stands for election, follows the state,
//! commits, and gives leadership up.
//!
//! Everything that waits for etcd runs in separate tasks that report their outcomes; this one
//! decides by `Leadership` and never waits for more than the next event or the end of the lease.

mod alone;
mod client;
mod commit;
mod event;
mod follow;
mod leave;
mod member;
mod session;
mod shared;
mod standing;

pub use client::{reach, read_state, write_state};
pub use member::run;

pub use crate::clients::etcd::Fault;
