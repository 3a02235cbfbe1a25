//! What is asked of the service beside its configuration.

use std::net::SocketAddr;

use super::extensions::Extensions;
use super::reload::Reload;
use crate::telemetry;
use crate::telemetry::log::LevelHandle;
use engine::Record;

pub(super) type RecordHook = Box<dyn FnMut(&Record) + Send>;

/// What is asked of the service beside its configuration, and who observes it.
pub struct ServiceOptions {
    /// Is called once, with the API's address, when the service runs. Without an API it is not
    /// called.
    pub started: Box<dyn FnOnce(SocketAddr) + Send>,
    /// Gets every record before the effect that it explains. May not block.
    pub record: RecordHook,
    /// The levels of the log, where they can be set while it goes on.
    pub levels: Option<LevelHandle>,
    /// How the configuration is read anew at SIGHUP; `None`: it is not.
    pub reload: Option<Reload>,
    /// What a program around labwatch adds to its health.
    pub extensions: Extensions,
}

impl Default for ServiceOptions {
    fn default() -> Self {
        Self {
            started: Box::new(|_| {}),
            record: Box::new(telemetry::record_log::note),
            levels: None,
            reload: None,
            extensions: Extensions::default(),
        }
    }
}
