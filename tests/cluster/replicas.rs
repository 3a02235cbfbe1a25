//! Replicas of the program that agree by one etcd.

use std::time::{Duration, Instant};

use lab::Lab;

use super::etcd::Etcd;
use super::monitor::{Monitor, free_port};

/// How long the leases of the tests last.
pub const LEASE: Duration = Duration::from_secs(3);

/// The log line of a replica that begins to lead.
const LEADS: &str = "this replica leads\"";

/// The log line of a replica that stops leading.
pub const LEADS_NO_MORE: &str = "this replica leads no more";

/// The settings of a replica of this name.
pub fn settings(etcd: &Etcd, name: &str, more: &[(&str, &str)]) -> Settings {
    let port = free_port();
    let url = format!("http://127.0.0.1:{port}");
    let own = [
        ("CLUSTER", "etcd"),
        ("CLUSTER_ENDPOINTS", &*etcd.url()),
        ("CLUSTER_URL", &*url),
        ("CLUSTER_NAME", name),
        ("CLUSTER_LEASE", &*format!("{}s", LEASE.as_secs())),
        ("PORT_SERVE", &*port.to_string()),
        ("QUERY_BOOK_EVERY", "1s"),
    ];
    let all = own.iter().chain(more);
    all.map(|(name, value)| ((*name).to_owned(), (*value).to_owned()))
        .collect()
}

/// Names without `STATUS_`, and their values.
pub type Settings = Vec<(String, String)>;

/// Starts a replica of this name.
pub async fn replica(lab: &Lab, etcd: &Etcd, name: &str, more: &[(&str, &str)]) -> Monitor {
    let settings = settings(etcd, name, more);
    Monitor::start(lab, &borrowed(&settings)).await
}

/// As other helpers take them.
pub fn borrowed(settings: &Settings) -> Vec<(&str, &str)> {
    let all = settings.iter();
    all.map(|(name, value)| (name.as_str(), value.as_str()))
        .collect()
}

/// Waits until this replica has begun to lead so many times, and returns how long that took.
pub async fn leads(monitor: &Monitor, times: usize) -> Duration {
    let begun = Instant::now();
    monitor.logs_times(&[LEADS], times).await;
    begun.elapsed()
}

/// How many times it has begun to lead.
pub fn times_led(monitor: &Monitor) -> usize {
    monitor.lines(&[LEADS]).len()
}
