//! The configuration in force, which a reload changes.

use std::sync::Arc;

use tokio::sync::watch;

use crate::config::Config;

/// The configuration in force, as a channel.
pub(super) type ConfigWatch = watch::Receiver<Arc<Config>>;
