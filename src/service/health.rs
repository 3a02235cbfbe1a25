//! Starts the service's own health: reporters, probes, and the history of changes. Decides nothing.

use std::collections::BTreeMap;
use std::sync::Arc;

use serde_json::{Value, json};
use tokio::sync::{mpsc, watch};

use super::config_watch::ConfigWatch;
use super::error::HealthError;
use super::extensions::Extensions;
use super::services::Services;
use super::task_set::TaskSet;
use super::{component_history, mail_probe, store_probe};
use crate::config::{COMPONENTS, Config};
use crate::driver::Clock;
use crate::health::dialects::{self, Contributor};
use crate::health::{
    Component, Finding, FitnessChange, HealthSnapshot, HealthState, Identity, Levels,
    PassiveChecks, PollBook, Probes, Refresher, Registry, Reporter, STORE, Settings,
};
use crate::http::{Give, HealthRoutes};
use crate::store::Store;
use crate::telemetry::graphite::ComponentCheck;
use crate::telemetry::log::LevelHandle;
use crate::telemetry::metrics;
use engine::model::{ComponentName, format_duration};
use engine::{Input, Snapshot};

/// The component of the configuration: whether the newest one is valid and in force.
const CONFIGURATION: &str = "configuration";

/// The component of the heartbeat.
const DEAD_MAN: &str = "dead_man";

/// The component of the cluster: whether a replica leads, and whether etcd answers.
const CLUSTER: &str = "cluster";

/// The component of publication.
const PUBLISH: &str = "publish";

/// The component of the policy in etcd: whether it is followed, and errors in it.
const POLICY: &str = "policy";

/// Dependencies of the service's health.
pub(super) struct HealthDeps<'a> {
    pub(super) config: &'a ConfigWatch,
    pub(super) clock: Clock,
    pub(super) tls: &'a rustls::ClientConfig,
    pub(super) store: Option<&'a Store>,
    /// Small values from the store, by key.
    pub(super) keep: &'a BTreeMap<String, Value>,
    pub(super) snapshots: watch::Receiver<Arc<Snapshot>>,
    pub(super) poll_book: mpsc::Sender<()>,
    /// Where the engine receives the state of components.
    pub(super) inputs: &'a mpsc::Sender<Input>,
    /// Where commands to the engine are sent.
    pub(super) give: Arc<Give>,
    pub(super) levels: Option<LevelHandle>,
    pub(super) extensions: Extensions,
}

/// Reporters of the components outside of the health module.
pub(super) struct Reporters {
    /// Whether the newest configuration is valid and in force.
    pub(super) configuration: Reporter,
    /// The state of the heartbeat, where there is one.
    pub(super) dead_man: Option<Reporter>,
    /// The state of the cluster, where there is one.
    pub(super) cluster: Option<Reporter>,
    /// Whether the status is published, where that is configured.
    pub(super) publish: Option<Reporter>,
    /// The state of the policy in etcd, where there is one.
    pub(super) policy: Option<Reporter>,
}

/// Registers every component, and starts the probes and what follows the components.
pub(super) fn start(
    needs: HealthDeps<'_>,
    parts: &mut TaskSet,
) -> Result<(HealthRoutes, Reporters), HealthError> {
    needs.extensions.check()?;
    let Extensions {
        components,
        contributors,
        endpoints,
        health: observer,
        identity,
    } = needs.extensions;
    let (registry, mut probes) = components.into_parts();
    let (clock, config) = (needs.clock, Arc::clone(&needs.config.borrow()));
    let health_state = HealthState::new(
        settings(&config),
        identity.unwrap_or_else(|| Identity::of_this_build(clock.now().wall())),
        Arc::new(move || clock.now()),
        registry.clone(),
        needs.snapshots.clone(),
    )?;
    if let Some(observer) = observer {
        observer(health_state.clone());
    }
    let reporters = reporters(&config, &registry)?;
    add_store(needs.store, &config, &registry, &mut probes)?;
    if !config.observe && !config.shadow {
        let check = mail_probe::check(
            needs.config.clone(),
            needs.snapshots.clone(),
            needs.inputs.clone(),
        );
        probes.add(&registry, ComponentName::MAIL, &[], mail_probe::PACE, check)?;
    }
    let remembered = component_history::recall(needs.keep);
    for (name, results) in &remembered {
        registry.remember(name, results.clone());
    }
    let passive = Arc::new(PassiveChecks::knowing(&COMPONENTS));
    let mut services = Services::new(
        registry.clone(),
        probes.asker(),
        Arc::clone(&passive),
        needs.tls.clone(),
        remembered.clone(),
    );
    services.adopt(&config)?;
    let poll_book = on_demand(needs.poll_book);
    let refresher = Refresher::new(health_state.clone(), probes.asker(), poll_book);
    let routes = HealthRoutes {
        refresher: Arc::new(refresher),
        passive,
        contributors: std::iter::once(contributor(needs.config.clone()))
            .chain(contributors)
            .collect(),
        endpoints: endpoints.into(),
        give: needs.give,
        levels: needs
            .levels
            .map(|levels| Arc::new(levels) as Arc<dyn Levels>),
        health_state,
    };
    parts.spawn("probes", probes.run(parts.stop()));
    let following = services.follow(needs.config.clone(), parts.stop());
    parts.spawn("services", following);
    if let Some(store) = needs.store.cloned() {
        let keeping = component_history::follow(registry.clone(), store, remembered, parts.stop());
        parts.spawn("results of components", keeping);
    }
    follow_components(registry, needs.inputs.clone(), parts);
    Ok((routes, reporters))
}

/// Tells the engine how components are.
fn follow_components(registry: Registry, inputs: mpsc::Sender<Input>, parts: &mut TaskSet) {
    parts.spawn_until_stop("components", async move {
        let report = |change| async {
            let input = match change {
                FitnessChange::Is(component) => Input::Component(component),
                FitnessChange::Gone(name) => Input::ComponentGone(name),
            };
            inputs.send(input).await.is_ok()
        };
        registry.follow(report).await;
    });
}

/// Requests a poll of book. If one is requested already, that is enough.
fn on_demand(poll_book: mpsc::Sender<()>) -> PollBook {
    Box::new(move || {
        let _ = poll_book.try_send(());
    })
}

/// The components that other parts of the service report.
fn reporters(config: &Config, registry: &Registry) -> Result<Reporters, HealthError> {
    let register = |name, is_there: bool| {
        let reporter = is_there.then(|| registry.register(name, None, &[]));
        reporter.transpose()
    };
    let configuration = registry.register(CONFIGURATION, None, &[])?;
    configuration.report(Finding::ok());
    Ok(Reporters {
        configuration,
        dead_man: register(DEAD_MAN, config.notifications.dead_man.is_some())?,
        cluster: register(CLUSTER, config.cluster.is_some())?,
        publish: register(PUBLISH, config.publication.is_some())?,
        policy: register(POLICY, config.policy.is_some())?,
    })
}

/// The store as a component: probed where there is one, failing where its folder cannot be used.
fn add_store(
    store: Option<&Store>,
    config: &Config,
    registry: &Registry,
    probes: &mut Probes,
) -> Result<(), HealthError> {
    match (store, &config.database) {
        (Some(store), _) => {
            let check = store_probe::check(store.clone());
            probes.add(registry, STORE, &[], store_probe::PACE, check)?;
        }
        (None, Some(_)) => {
            registry.register(STORE, None, &[])?.report(Finding::error(
                "its folder cannot be used: nothing is kept; the log says why",
            ));
        }
        (None, None) => {}
    }
    Ok(())
}

/// The service's own health as metrics.
pub(super) fn service_metrics(health_state: &HealthState) -> metrics::Service {
    let numbers = dialects::numbers(&health_state.snapshot());
    metrics::Service {
        state: numbers.state,
        components: numbers.components,
        categories: numbers.categories,
        acknowledged: numbers.acknowledged,
        turns: numbers.turns,
    }
}

/// The components for Graphite: every check since the last call, or the current state of a
/// component
/// without one.
pub(super) fn components(health_state: &HealthState) -> Vec<ComponentCheck> {
    let mut checks = health_state.take_checks();
    let of = |component: &Component| {
        let made = checks.remove(&component.name).unwrap_or_default();
        let now = (None, component.state().is_ok());
        let made: Vec<_> = made.into_iter().map(|(at, ok)| (Some(at), ok)).collect();
        let checks = if made.is_empty() { vec![now] } else { made };
        let name = Arc::clone(&component.name);
        checks.into_iter().map(move |(at, is_ok)| ComponentCheck {
            name: Arc::clone(&name),
            at,
            is_ok,
        })
    };
    let health = health_state.snapshot();
    health.components.iter().flat_map(of).collect()
}

impl Levels for LevelHandle {
    fn levels(&self) -> BTreeMap<String, String> {
        self.levels()
    }

    fn set(&self, targets: &[&str], level: &str) -> Result<(), String> {
        self.set(targets, level)
    }
}

pub(super) fn settings(config: &Config) -> Settings {
    Settings {
        label: config.surfaces.label.clone(),
        non_fatal: config.surfaces.non_fatal.iter().cloned().collect(),
        severity_1: config.surfaces.severity_1.clone(),
        categories: config.categories.clone(),
        pools: config.pools.clone(),
        startup: config.health.startup,
        laboratory: config.health.laboratory,
        link: config
            .mail
            .as_ref()
            .map(|mail| mail.link.clone())
            .unwrap_or_default(),
        place: config
            .api
            .url
            .clone()
            .unwrap_or_else(|| config.api.prefix.clone()),
    }
}

/// The rules in force. Every reader may see this, so it names no address and no person.
fn contributor(config: ConfigWatch) -> Contributor {
    (
        "config",
        Box::new(move |_: &HealthSnapshot| Ok(in_force(&config.borrow()))),
    )
}

fn in_force(config: &Config) -> Value {
    let (health, every) = (&config.health, format_duration);
    json!({
        "health_last_active": every(health.last_active),
        "health_last_checked": every(health.last_checked),
        "health_startup": every(health.startup),
        "health_settle": every(health.settle),
        "health_outage_hold": every(health.outage_hold),
        "query_book_every": every(health.query_book_every),
        "timeout_book": every(config.book.timeout),
        "mail": config.mail.is_some(),
        "memory": config.database.is_some(),
        "non_fatal": config.surfaces.non_fatal,
        "severity_1": config.surfaces.severity_1,
    })
}
