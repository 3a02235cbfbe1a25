//! Replicas of the real program with a real etcd, against the simulated laboratory: leadership, the
//! cost of a takeover, faults of etcd.
//!
//! They need the feature `etcd` and Debian's etcd-server: `scripts/test.sh` builds and runs them.

#![cfg(feature = "etcd")]
#![allow(
    clippy::expect_used,
    clippy::panic,
    clippy::print_stdout,
    clippy::too_many_lines,
    reason = "helpers of tests may fail a test and say why; a test is one scenario from beginning to end"
)]
#![allow(
    dead_code,
    reason = "not all that is shared with the other end-to-end tests is used here"
)]

#[path = "e2e/admin.rs"]
mod admin;
#[path = "cluster/by_hand.rs"]
mod by_hand;
#[path = "cluster/chaos.rs"]
mod chaos;
#[path = "cluster/clock.rs"]
mod clock;
#[path = "cluster/commands.rs"]
mod commands;
#[path = "support/disk.rs"]
mod disk;
#[path = "cluster/etcd.rs"]
mod etcd;
#[path = "e2e/eventually.rs"]
mod eventually;
#[path = "cluster/everyday.rs"]
mod everyday;
#[path = "cluster/faults.rs"]
mod faults;
#[path = "e2e/laboratory.rs"]
mod laboratory;
#[path = "cluster/mistakes.rs"]
mod mistakes;
#[path = "e2e/monitor.rs"]
mod monitor;
#[path = "cluster/partition.rs"]
mod partition;
#[path = "cluster/policy.rs"]
mod policy;
#[path = "cluster/publication.rs"]
mod publication;
#[path = "cluster/replicas.rs"]
mod replicas;
#[path = "cluster/secured.rs"]
mod secured;
#[path = "cluster/takeover.rs"]
mod takeover;
#[path = "cluster/tcp_proxy.rs"]
mod tcp_proxy;
