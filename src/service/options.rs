//! Options of the service beside its configuration.

use std::net::SocketAddr;

use super::extensions::Extensions;
use super::reload::Reload;
use crate::telemetry;
use crate::telemetry::log::LevelHandle;
use engine::Record;

pub(super) type RecordHook = Box<dyn FnMut(&Record) + Send>;

/// Options of the service beside its configuration, and its observers.
pub struct ServiceOptions {
    /// Called once, with the API's address, when the service runs. Not called without an API.
    pub started: Box<dyn FnOnce(SocketAddr) + Send>,
    /// Receives every record before the effect that it explains. Must not block.
    pub record: RecordHook,
    /// The levels of the log, if they can be set at runtime.
    pub levels: Option<LevelHandle>,
    /// How the configuration is reloaded at SIGHUP; `None`: it is not.
    pub reload: Option<Reload>,
    /// Extensions by a program that embeds labwatch.
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
