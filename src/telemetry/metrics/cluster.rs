//! The metrics of a cluster, as one replica sees it.

use std::fmt;
use std::time::Duration;

use super::encoder::Encoder;

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
    encoder.gauge(
        "labwatch_cluster_leader",
        "Whether this replica leads (1) or follows (0)",
        u64::from(cluster.leads),
    )?;
    encoder.gauge(
        "labwatch_cluster_has_leader",
        "Whether any replica leads (1) or none (0), as this one knows",
        u64::from(cluster.has_leader),
    )?;
    encoder.gauge(
        "labwatch_cluster_replicas",
        "How many replicas have a lease, as this one knows",
        super::lab::count(cluster.replicas),
    )?;
    encoder.gauge(
        "labwatch_cluster_lease_left_seconds",
        "For how long this replica may still act unless its lease is renewed, in seconds; 0 where it does not lead",
        cluster.left.as_secs_f64(),
    )?;
    encoder.gauge(
        "labwatch_cluster_etcd_ok",
        "Whether etcd does what is needed (1) or not (0)",
        u64::from(cluster.etcd_ok),
    )?;
    if let Some(ago) = cluster.last_answer {
        encoder.gauge(
            "labwatch_cluster_etcd_heard_seconds",
            "How long ago etcd last answered, in seconds",
            ago.as_secs_f64(),
        )?;
    }
    encoder.count(
        "labwatch_cluster_terms",
        "How often this replica was elected",
        cluster.terms,
    )?;
    encoder.count(
        "labwatch_cluster_commits",
        "How many commits this replica made in etcd",
        cluster.commits,
    )?;
    encoder.count(
        "labwatch_cluster_commits_failed",
        "How many commits of this replica failed, after each of which it led no more",
        cluster.failed_commits,
    )
}
