//! The boot story of what others collect: figures for Graphite, profiles.

use std::sync::Arc;

use tokio::net::TcpListener;
use tokio::sync::watch;
use tokio_util::sync::CancellationToken;

use super::{Parts, ServiceError, front, health};
use crate::config::Config;
use crate::engine::Snapshot;
use crate::health::Desk;
use crate::telemetry;
use crate::telemetry::graphite::Graphite;

pub(super) fn start_graphite(
    config: &Config,
    parts: &mut Parts,
    pictures: watch::Receiver<Arc<Snapshot>>,
    desk: Desk,
    stop: &CancellationToken,
) {
    let Some(settings) = &config.graphite else { return };
    let graphite = Graphite {
        host: settings.host.clone(),
        port: settings.port,
        prefix: settings.prefix.clone(),
        label: config.surfaces.label.clone(),
        every: settings.every,
    };
    let components = Box::new(move || health::figures(&desk).components.into_iter().map(|part| (part.name, part.state == 1)).collect());
    parts.spawn("figures for Graphite", telemetry::graphite::run(graphite, pictures, components, stop.clone()));
}

/// Profiles have a port of their own: a port that cannot be had is an error at the start, as for the API.
pub(super) fn start_profiling(config: &Config, parts: &mut Parts, stop: &CancellationToken) -> Result<(), ServiceError> {
    let Some(settings) = &config.profile else { return Ok(()) };
    let refused = |error| ServiceError::Profile(settings.listen, error);
    let listener = std::net::TcpListener::bind(settings.listen).map_err(refused)?;
    listener.set_nonblocking(true).map_err(refused)?;
    let listener = TcpListener::from_std(listener).map_err(refused)?;
    tracing::info!(listen = %settings.listen, "profiles can be taken, from this host only");
    parts.spawn("profiling", front::serve(listener, None, telemetry::profile::router(), stop.clone()));
    Ok(())
}
