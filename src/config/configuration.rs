//! Everything that can be set, as the parts of the service take it.

use std::collections::BTreeMap;
use std::path::PathBuf;
use std::time::Duration;

use super::access::ApiSettings;
use super::cluster::ClusterSettings;
use super::graphite::{GraphiteSettings, SurfaceSettings};
use super::mail_settings::MailSettings;
use super::maintenance::MaintenanceSettings;
use super::notifications::TellingSettings;
use super::policy::PolicySettings;
use super::publication::PublicationSettings;
use super::services::{CategorySettings, ServiceSettings};
use crate::clients::Address;
use crate::clients::canary::Rule;
use engine::model::Topic;
use engine::{Advice, CategoryPool, Policy, PolicyAcknowledgements};

/// Everything that can be set. Each part goes to the module that it is for; only the service reads
/// the whole.
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
    /// Who is notified of what and when, beside plain mail.
    pub telling: TellingSettings,
    /// `[[maintenance]]`: when experiments are worked on.
    pub maintenance: Vec<MaintenanceSettings>,
    /// `[[pool]]`: experiments that can stand in for each other.
    pub pools: Vec<CategoryPool>,
    /// What students read instead of a pool's name, where it has a title.
    pub pool_titles: BTreeMap<String, String>,
    /// `[[category]]`: what is asked for as one.
    pub categories: Vec<CategorySettings>,
    /// `[[service]]`: services outside of labwatch.
    pub services: Vec<ServiceSettings>,
    /// `[advice]`: what maintainers are told to do.
    pub advice: Advice,
    pub surfaces: SurfaceSettings,
    /// Sending to Graphite; `None`: off.
    pub graphite: Option<GraphiteSettings>,
    /// `OBSERVE`: nothing outward is done; mail, the dead-man's call, the monthly report and
    /// Graphite are off.
    pub observe: bool,
    /// `SHADOW`: what would be done outward is recorded; the heartbeat, the monthly report and
    /// Graphite are off.
    pub shadow: bool,
    pub api: ApiSettings,
    /// What survives a restart; `None` when nothing is to be kept.
    pub memory: Option<MemorySettings>,
    /// The other replicas; `None`: this labwatch is the only one.
    pub cluster: Option<ClusterSettings>,
    /// What is published in a store of keys; `None`: nothing.
    pub publication: Option<PublicationSettings>,
    /// The policy that stands in etcd; `None`: it stands in the configuration file alone.
    pub policy: Option<PolicySettings>,
    /// What that policy acknowledges.
    pub acknowledged: PolicyAcknowledgements,
    pub log: LogSettings,
}

/// Below the data folder: the store of a labwatch in shadow.
pub const SHADOW_FOLDER: &str = "shadow";

#[derive(Debug, Clone, PartialEq, Eq)]
pub struct MemorySettings {
    /// `DATA_DIR`: the folder.
    pub folder: PathBuf,
    /// `HISTORY_DAYS`: for how many days the history is kept.
    pub days: u32,
}

#[derive(Debug, Clone)]
pub struct FeedSettings {
    pub address: Address,
    /// `RECONNECT_*_EVERY`: how often the connection is made anew.
    pub reconnect_every: Duration,
}

#[derive(Debug, Clone)]
pub struct BookSettings {
    pub address: Address,
    /// `TIMEOUT_BOOK`: the longest that one call may take.
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

/// How a line of the log is written.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum LogFormat {
    Text,
    /// For programs: a JSON object a line.
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
