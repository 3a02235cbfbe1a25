//! The complete configuration, grouped by the modules of the service.

use std::collections::BTreeMap;
use std::path::PathBuf;
use std::time::Duration;

use super::access::ApiSettings;
use super::cluster::ClusterSettings;
use super::graphite::{GraphiteSettings, SurfaceSettings};
use super::mail_settings::MailSettings;
use super::maintenance::MaintenanceSettings;
use super::notifications::NotificationSettings;
use super::policy::PolicySettings;
use super::publication::PublicationSettings;
use super::services::{CategorySettings, ServiceSettings};
use crate::clients::Address;
use crate::clients::canary::Rule;
use engine::model::Topic;
use engine::{Advice, CategoryPool, Policy, PolicyAcknowledgements};

/// The complete configuration. Each part goes to the module that it is for; only the service reads
/// all of it.
#[derive(Debug, Clone)]
pub struct Config {
    pub relay: FeedSettings,
    pub jump: FeedSettings,
    pub book: BookSettings,
    /// `CANARY`; `None` when it is off.
    pub canary: Option<CanarySettings>,
    /// By which rules experiments are observed and evaluated. Without a laboratory relay, jump and
    /// book are not connected to, whatever their addresses say.
    pub health: Policy,
    /// `HEALTH_LOG_EVERY`: how often the log gets a summary.
    pub log_every: Duration,
    /// Mail; `None` when there are no recipients, which is a normal state.
    pub mail: Option<MailSettings>,
    /// Routes, reminders, digest and heartbeat, beside plain mail.
    pub notifications: NotificationSettings,
    /// `[[maintenance]]`: planned maintenance windows.
    pub maintenance: Vec<MaintenanceSettings>,
    /// `[[pool]]`: experiments that can replace each other.
    pub pools: Vec<CategoryPool>,
    /// The titles of pools for students, where set.
    pub pool_titles: BTreeMap<String, String>,
    /// `[[category]]`: groups whose health is requested as one.
    pub categories: Vec<CategorySettings>,
    /// `[[service]]`: services outside of labwatch.
    pub services: Vec<ServiceSettings>,
    /// `[advice]`: the advice in notifications to maintainers.
    pub advice: Advice,
    pub surfaces: SurfaceSettings,
    /// Sending to Graphite; `None`: off.
    pub graphite: Option<GraphiteSettings>,
    /// `OBSERVE`: no outward effects; mail, the heartbeat, the monthly report and Graphite are off.
    pub observe: bool,
    /// `SHADOW`: outward effects are recorded instead; the heartbeat, the monthly report and
    /// Graphite are off.
    pub shadow: bool,
    pub api: ApiSettings,
    /// The store; `None` when nothing is kept over a restart.
    pub database: Option<DatabaseSettings>,
    /// The other replicas; `None`: this labwatch is the only one.
    pub cluster: Option<ClusterSettings>,
    /// Publication as keys in etcd or files; `None`: nothing is published.
    pub publication: Option<PublicationSettings>,
    /// The policy in etcd; `None`: only the configuration file has one.
    pub policy: Option<PolicySettings>,
    /// The acknowledgements of that policy.
    pub acknowledged: PolicyAcknowledgements,
    pub log: LogSettings,
}

/// Below the data folder: the store of a labwatch in shadow.
pub const SHADOW_FOLDER: &str = "shadow";

#[derive(Debug, Clone, PartialEq, Eq)]
pub struct DatabaseSettings {
    /// `DATA_DIR`: the folder.
    pub folder: PathBuf,
    /// `HISTORY_DAYS`: for how many days the history is kept.
    pub days: u32,
}

#[derive(Debug, Clone)]
pub struct FeedSettings {
    pub address: Address,
    /// `RECONNECT_*_EVERY`: how often the connection is renewed.
    pub reconnect_every: Duration,
}

#[derive(Debug, Clone)]
pub struct BookSettings {
    pub address: Address,
    /// `TIMEOUT_BOOK`: the time limit of one call.
    pub timeout: Duration,
}

#[derive(Debug, Clone)]
pub struct CanarySettings {
    /// `CANARY_TOPIC`.
    pub topic: Topic,
    /// `CANARY_EVERY`, `CANARY_LATE` and `CANARY_MISSES`.
    pub rule: Rule,
}

#[derive(Debug, Clone)]
pub struct LogSettings {
    /// `LOG_LEVEL`: a level, or a filter in tracing's notation.
    pub level: String,
    /// `LOG_FORMAT`.
    pub format: LogFormat,
    /// `LOG_FILE`.
    pub target: LogTarget,
}

#[derive(Debug, Clone)]
pub enum LogTarget {
    Output,
    Error,
    /// A file, or a device, pipe or socket.
    File(LogFile),
}

/// The format of log lines.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum LogFormat {
    Text,
    /// For programs: one JSON object per line.
    Json,
}

/// A log file, with its bounds.
#[derive(Debug, Clone)]
pub struct LogFile {
    pub path: PathBuf,
    /// `LOG_MAX_SIZE`: it is rotated before it grows beyond this, in bytes.
    pub max_size: u64,
    /// `LOG_MAX_AGE`: it is rotated when it is older, and rotated files are deleted when they are.
    pub max_age: Duration,
    /// `LOG_MAX_TOTAL`: the oldest rotated files are deleted until all together are below this, in
    /// bytes.
    pub max_total: u64,
}
