//! The metrics of a cluster, as one replica sees it.

use std::fmt;
use std::time::Duration;

use super::encoder::{Encoder, unlabelled};
use super::lab::count;

/// The state of the cluster at the scrape.
#[derive(Debug, Clone, Copy, Default)]
pub struct ClusterMetrics {
    /// Whether this replica leads.
    pub leads: bool,
    /// Whether any replica does.
    pub has_leader: bool,
    /// How many replicas have a lease.
    pub replicas: usize,
    /// How long this replica may still act.
    pub left: Duration,
    /// Whether etcd works.
    pub etcd_ok: bool,
    /// How long ago etcd last answered; `None`: never.
    pub last_answer: Option<Duration>,
    /// How often this replica was elected since its start.
    pub terms: u64,
    /// How many commits it made since its start.
    pub commits: u64,
    /// How many of its commits failed since its start.
    pub failed_commits: u64,
}

pub(super) fn write(encoder: &mut Encoder<'_>, cluster: &ClusterMetrics) -> fmt::Result {
    unlabelled! { encoder;
        /// Whether this replica leads (1) or follows (0)
        gauge labwatch_cluster_leader: u64::from(cluster.leads);
        /// Whether any replica leads (1) or none (0), as this one knows
        gauge labwatch_cluster_has_leader: u64::from(cluster.has_leader);
        /// How many replicas have a lease, as this one knows
        gauge labwatch_cluster_replicas: count(cluster.replicas);
        /// For how long this replica may still act unless its lease is renewed, in seconds; 0 where it does not lead
        gauge labwatch_cluster_lease_left_seconds: cluster.left.as_secs_f64();
        /// Whether etcd does what is needed (1) or not (0)
        gauge labwatch_cluster_etcd_ok: u64::from(cluster.etcd_ok);
    }
    if let Some(last_answer) = cluster.last_answer {
        unlabelled! { encoder;
            /// How long ago etcd last answered, in seconds
            gauge labwatch_cluster_etcd_heard_seconds: last_answer.as_secs_f64();
        }
    }
    unlabelled! { encoder;
        /// How often this replica was elected
        count labwatch_cluster_terms: cluster.terms;
        /// How many commits this replica made in etcd
        count labwatch_cluster_commits: cluster.commits;
        /// How many commits of this replica failed, after each of which it led no more
        count labwatch_cluster_commits_failed: cluster.failed_commits;
    }
    Ok(())
}
