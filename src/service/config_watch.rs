//! The configuration in force, which a reload changes.

use std::sync::Arc;

use tokio::sync::watch;

use crate::config::Config;

/// The configuration in force, for those who follow it.
pub(super) type ConfigWatch = watch::Receiver<Arc<Config>>;
