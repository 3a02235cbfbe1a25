//! Replicas of the program that agree by one etcd.

use std::time::{Duration, Instant};

use lab::Lab;

use super::etcd::Etcd;
use super::monitor::{Monitor, free_port};

/// How long the leases of the tests last.
pub const LEASE: Duration = Duration::from_secs(3);

/// What a leader says when it begins to lead.
const LEADS: &str = "this replica leads\"";

/// What one says that stops.
pub const LEADS_NO_MORE: &str = "this replica leads no more";

/// Starts a replica of this name.
pub async fn replica(lab: &Lab, etcd: &Etcd, name: &str, more: &[(&str, &str)]) -> Monitor {
    let port = free_port();
    let (url, port) = (format!("http://127.0.0.1:{port}"), port.to_string());
    let lease = format!("{}s", LEASE.as_secs());
    let endpoints = etcd.url();
    let settings = [
        ("CLUSTER", "etcd"),
        ("CLUSTER_ENDPOINTS", &*endpoints),
        ("CLUSTER_URL", &*url),
        ("CLUSTER_NAME", name),
        ("CLUSTER_LEASE", &*lease),
        ("PORT_SERVE", &*port),
        ("QUERY_BOOK_EVERY", "1s"),
    ];
    Monitor::start(lab, &[&settings[..], more].concat()).await
}

/// Waits until this one has begun to lead so many times, and gives how long that took.
pub async fn leads(monitor: &Monitor, times: usize) -> Duration {
    let begun = Instant::now();
    monitor.logs_times(&[LEADS], times).await;
    begun.elapsed()
}

/// How many times it has begun to lead.
pub fn times_led(monitor: &Monitor) -> usize {
    monitor.lines(&[LEADS]).len()
}
