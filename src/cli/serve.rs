//! `labwatch serve`: configuration, log, service, in this order.

use std::io;
use std::time::Duration;

use super::failure::Failure;
use super::hangup::Hangups;
use super::reload;
use crate::config::{Sources, load};
use crate::service::{self, Reload, ServiceOptions};
use crate::telemetry::log;

/// How long threads have to end after the service has stopped.
const END_WITHIN: Duration = Duration::from_millis(100);

/// Serves until stopped.
///
/// # Errors
/// [`Failure`] when the configuration is wrong or the service cannot start.
pub(super) fn run(sources: &Sources, hangups: io::Result<Hangups>) -> Result<(), Failure> {
    let Hangups { runtime, signal } = hangups.map_err(|error| {
        Failure::Failed(format!(
            "labwatch cannot serve: no runtime or signal handlers: {error}."
        ))
    })?;
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
        hangups: signal,
        answer: Box::new(reload::answer()),
    };
    let options = ServiceOptions {
        levels: Some(log.levels()),
        reload: Some(reload),
        ..ServiceOptions::default()
    };
    let outcome = service::run(&runtime, loaded.config, options);
    runtime.shutdown_timeout(END_WITHIN);
    outcome.map_err(|error| {
        let text = format!("labwatch cannot serve: {error}.");
        if error.is_another_labwatch() {
            Failure::Occupied(text)
        } else {
            Failure::Failed(text)
        }
    })
}
