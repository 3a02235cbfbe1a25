//! `labwatch serve`: configuration, log, service, in this order.

use super::Failure;
use crate::config::{Sources, load};
use crate::service::{self, Reload, ServiceOptions};
use crate::telemetry::log;

/// Serves until told to stop.
///
/// # Errors
/// [`Failure`] when the configuration is wrong or the service cannot start.
pub fn run(sources: &Sources) -> Result<(), Failure> {
    let loaded = load(sources)?;
    let log = log::start(&loaded.config.log)
        .map_err(|error| Failure::Failed(format!("The log cannot be started: {error}.")))?;
    for warning in &loaded.warnings {
        tracing::warn!("configuration: {warning}");
    }
    let (begun, sources) = (loaded.clone(), sources.clone());
    let reload = Reload {
        begun,
        read: Box::new(move || load(&sources)),
    };
    let options = ServiceOptions {
        levels: Some(log.levels()),
        reload: Some(reload),
        ..ServiceOptions::default()
    };
    service::run(loaded.config, options).map_err(|error| {
        let text = format!("labwatch cannot serve: {error}.");
        if error.is_another_labwatch() {
            Failure::Occupied(text)
        } else {
            Failure::Failed(text)
        }
    })
}
