//! Starts every part, connects them, and stops them together.

use std::sync::Arc;

use tokio::sync::watch;
use tokio_util::sync::CancellationToken;

use super::config_watch::ConfigWatch;
use super::driver_setup::DriverSetup;
use super::error::ServiceError;
use super::http_server::{self, HttpDeps};
use super::listeners::Listeners;
use super::options::ServiceOptions;
use super::outlets::{self, Clients};
use super::systemd::{notify, turned};
use super::task_set::TaskSet;
use super::{
    cluster, final_notification, health, metrics, notifications, policy, publication, reload,
    shadow,
};
use crate::build;
use crate::clients::Http;
use crate::config::Config;
use crate::driver::Observers;
use crate::health::{HealthState, Reporter};
use crate::telemetry::metrics::Counters;

/// Runs the service until `stop`.
///
/// # Errors
/// [`ServiceError`] when it cannot start, or when one of its parts ends by itself.
pub async fn serve(
    config: Config,
    stop: CancellationToken,
    mut options: ServiceOptions,
) -> Result<(), ServiceError> {
    let listeners = Listeners::bind(&config).await?;
    let (listen, actuator) = (listeners.address(), listeners.actuator_address());
    let started = std::mem::replace(&mut options.started, Box::new(|_| {}));
    let is_shadow = config.shadow;
    let (mut parts, health_state) = start(config, listeners, stop.clone(), options)?;
    tracing::info!(
        listen = listen.map(tracing::field::display),
        actuator = actuator.map(tracing::field::display),
        version = build::VERSION,
        commit = build::COMMIT,
        built = build::BUILT,
        "labwatch is running"
    );
    if is_shadow {
        tracing::warn!("runs in shadow: records each switch and notification and carries none out");
    }
    notify(&[sd_notify::NotifyState::Ready]);
    if let Some(listen) = listen {
        started(listen);
    }

    // On a stop parts end too, which is not by themselves, so the stop is checked first.
    let outcome = tokio::select! {
        biased;
        () = stop.cancelled() => Ok(()),
        part = parts.first_to_end() => Err(ServiceError::Ended(part)),
    };
    notify(&[sd_notify::NotifyState::Stopping]);
    health_state.stopping();
    parts.wind_down().await;
    tracing::info!("stopped");
    outcome
}

/// Creates every part and connects them.
fn start(
    config: Config,
    listeners: Listeners,
    stop: CancellationToken,
    options: ServiceOptions,
) -> Result<(TaskSet, HealthState), ServiceError> {
    let (configs, followed) = watch::channel(Arc::new(config));
    let config = Arc::clone(&followed.borrow());
    let mut parts = TaskSet::new(stop);
    let http = Clients::new(&config)?;
    let driver = DriverSetup::new(&config)?;
    let (inputs, snapshots) = (driver.inputs.clone(), driver.snapshots.clone());

    let (membership, links) = cluster::start(&config, &inputs, &mut parts)?.unzip();
    let gate = gate(&config, &driver, links.as_ref());
    let outlets = outlets::start(&followed, &http, &mut parts, &inputs, gate)?;
    let needs = health::HealthDeps {
        config: &followed,
        clock: driver.clock,
        tls: &http.tls,
        store: driver.store.as_ref(),
        keep: &driver.keep,
        snapshots: snapshots.clone(),
        poll_book: outlets.book.clone(),
        inputs: &inputs,
        give: http_server::give(driver.commands.clone()),
        levels: options.levels.clone(),
        extensions: options.extensions,
    };
    let (state, reporters) = health::start(needs, &mut parts)?;
    let health_state = state.health_state.clone();
    let (shared, signs) = (
        (&followed, &driver, &health_state),
        (http.access.clone(), reporters),
    );
    let (configuration, overlay) = start_signs(shared, signs, links.as_ref(), &mut parts);
    let hands = reload::Hands {
        inputs: inputs.clone(),
        configs,
        health_state: health_state.clone(),
        levels: options.levels,
        reporter: configuration,
        overlay,
    };
    reload::start(options.reload, hands, &mut parts);
    let counters = Arc::new(Counters::default());
    let deps = HttpDeps {
        config: followed,
        snapshots: snapshots.clone(),
        store: driver.store.clone(),
        keep: &driver.keep,
        state,
        commands: driver.commands.clone(),
        counters: Arc::clone(&counters),
        queues: metrics::queues(&driver.inputs, &outlets),
        cluster: links,
        http: &http,
        inputs: inputs.downgrade(),
    };
    http_server::open(deps, listeners, &mut parts)?;
    let turned = Box::new(turned(health_state.clone()));
    let record = metrics::counted(options.record, &counters);
    let observers = Observers { record, turned };
    driver.start(outlets, observers, membership, &mut parts);
    metrics::start(&config, &mut parts, snapshots, &health_state);
    Ok((parts, health_state))
}

/// Limits on outward effects: the window of the lease in a cluster, a simulated book in shadow.
fn gate(config: &Config, driver: &DriverSetup, links: Option<&cluster::Links>) -> outlets::Gate {
    let window = links.map(cluster::Links::window);
    let own_book = || shadow::book(driver.store.clone(), driver.snapshots.clone());
    let shadow = config.shadow.then(own_book);
    outlets::Gate { window, shadow }
}

/// Starts outward signs of labwatch's state (repeated alerts, the heartbeat, the cluster, the
/// publication), and the policy. Returns the reporter of the configuration, and the policy over it.
fn start_signs(
    (followed, driver, health_state): (&ConfigWatch, &DriverSetup, &HealthState),
    (http, reporters): (Http, health::Reporters),
    links: Option<&cluster::Links>,
    parts: &mut TaskSet,
) -> (Reporter, Option<policy::Overlay>) {
    let (config, snapshots) = (Arc::clone(&followed.borrow()), driver.snapshots.clone());
    let lasting = (http.clone(), snapshots.clone());
    if !config.shadow {
        let window = links.map(cluster::Links::window);
        notifications::start_repeats(followed.clone(), lasting, window, parts);
    }
    let kept = (driver.store.clone(), reporters.dead_man);
    notifications::start_deadman(&config, http, kept, snapshots.clone(), parts);
    final_notification::start(links, followed, parts);
    cluster::report(links, reporters.cluster, followed, parts);
    let publication = config.publication.as_ref().zip(reporters.publish);
    let shown = (health_state, snapshots);
    let window = links.map(cluster::Links::window);
    publication::start(publication, shown, window, parts);
    let policy = config.policy.as_ref().zip(reporters.policy);
    let overlay = policy::start(policy, driver, parts);
    (reporters.configuration, overlay)
}
