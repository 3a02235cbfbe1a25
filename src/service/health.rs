//! The boot story of the service's own health: who reports, who is asked, where changes are kept. Judges nothing.

use std::collections::BTreeMap;
use std::fmt;
use std::sync::Arc;
use std::time::Duration;

use jiff::Timestamp;
use serde_json::{Value, json};
use tokio::sync::{mpsc, watch};
use tokio::time::timeout;
use tokio_util::sync::CancellationToken;
use url::Url;

use super::reload::ConfigWatch;
use super::{TaskSet, mail_probe};
use crate::clients::Http;
use crate::config::{COMPONENTS, Config, ServiceSettings};
use crate::driver::Clock;
use crate::health::dialects::{self, Contributor};
use crate::health::{
    Attempt, Check, Finding, HealthState, Identity, Levels, MAIL, Pace, PassiveChecks, Picture,
    Probes, Refresher, RegisterError, Registry, Reporter, STORE, Settings, State, attempt, pace,
};
use crate::http::{Give, HealthRoutes};
use crate::store::{Entry, ReadError, Store, StoreState};
use crate::telemetry::log::LevelHandle;
use crate::telemetry::metrics;
use engine::model::{CallError, format_duration};
use engine::{Input, Snapshot};

/// How often and for how long the store is tried: something is written, and waited for.
const STORE_PACE: Pace = Pace {
    period: Duration::from_secs(10),
    timeout: Duration::from_secs(5),
    retries: 0,
    cooldown: Duration::from_secs(0),
};

/// The longest that reading it back may take. Other questions may be long, and stand before this one.
const READ_BACK_WITHIN: Duration = Duration::from_secs(2);

/// The component that says how the configuration is: whether the newest one is right and in force.
const CONFIGURATION: &str = "configuration";

/// The component that says how the dead-man's call goes.
const DEAD_MAN: &str = "dead_man";

/// What is written for it.
const STORE_KEY: &str = "health.probe";

/// The longest answer of an outside service that is read, in bytes.
const MAX_DOCUMENT_BYTES: usize = 256 << 10;

/// Why the service's own health cannot be set up.
#[derive(Debug)]
pub enum HealthError {
    /// A component cannot be registered.
    Register(RegisterError),
    /// The client for outside services cannot be made.
    Client(CallError),
}

impl fmt::Display for HealthError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Register(error) => write!(f, "{error}"),
            Self::Client(fault) => write!(f, "cannot set up asking outside services: {fault}"),
        }
    }
}

impl std::error::Error for HealthError {}

/// What is needed to set it up.
pub(super) struct HealthDeps<'a> {
    pub(super) config: &'a ConfigWatch,
    pub(super) clock: Clock,
    pub(super) tls: &'a rustls::ClientConfig,
    pub(super) store: Option<&'a Store>,
    pub(super) snapshots: watch::Receiver<Arc<Snapshot>>,
    pub(super) poll_book: mpsc::Sender<()>,
    /// Where the engine is told how components are.
    pub(super) inputs: &'a mpsc::Sender<Input>,
    /// The way of commands to the engine.
    pub(super) give: Arc<Give>,
    pub(super) levels: Option<LevelHandle>,
}

/// Those who report components that are no part of the health room.
pub(super) struct Reporters {
    /// Whether the newest configuration is right and in force.
    pub(super) configuration: Reporter,
    /// How the dead-man's call goes, where there is one.
    pub(super) dead_man: Option<Reporter>,
}

/// All of it, before it runs.
struct Joined {
    desk: HealthState,
    registry: Registry,
    reporters: Reporters,
    probes: Probes,
    /// For the API.
    state: HealthRoutes,
}

/// Starts the probes, and tells the engine how components are.
pub(super) fn start(
    needs: HealthDeps<'_>,
    parts: &mut TaskSet,
    stop: &CancellationToken,
) -> Result<(HealthState, HealthRoutes, Reporters), HealthError> {
    let inputs = needs.inputs.clone();
    let Joined {
        desk,
        registry,
        reporters,
        probes,
        state,
    } = join(needs)?;
    parts.spawn("probes", probes.run(stop.clone()));
    let stop = stop.clone();
    let follow = async move {
        let tell = |component| async {
            let input = Input::Component(component);
            inputs.send(input).await.is_ok()
        };
        registry.follow(tell).await;
    };
    parts.spawn("components", async move {
        stop.run_until_cancelled(follow).await.unwrap_or_default();
    });
    Ok((desk, state, reporters))
}

/// Registers every component and joins the parts.
fn join(needs: HealthDeps<'_>) -> Result<Joined, HealthError> {
    let (clock, config) = (needs.clock, Arc::clone(&needs.config.borrow()));
    let registry = Registry::new(Arc::new(move || clock.now()));
    let identity = Identity::of_this_build(clock.now().wall());
    let desk = HealthState::new(
        settings(&config),
        identity,
        Arc::new(move || clock.now()),
        registry.clone(),
        needs.snapshots.clone(),
    )
    .map_err(HealthError::Register)?;
    let configuration = registry
        .register(CONFIGURATION, None, &[])
        .map_err(HealthError::Register)?;
    configuration.report(Finding::ok());
    let dead_man = config
        .telling
        .dead_man
        .as_ref()
        .map(|_| registry.register(DEAD_MAN, None, &[]));
    let reporters = Reporters {
        configuration,
        dead_man: dead_man.transpose().map_err(HealthError::Register)?,
    };
    let mut probes = Probes::default();
    match (needs.store, &config.memory) {
        (Some(store), _) => probes
            .add(
                &registry,
                STORE,
                &[],
                STORE_PACE,
                store_check(store.clone()),
            )
            .map_err(HealthError::Register)?,
        (None, Some(_)) => {
            let reporter = registry
                .register(STORE, None, &[])
                .map_err(HealthError::Register)?;
            reporter.report(Finding::error(
                "its folder cannot be used: nothing is kept; the log says why",
            ));
        }
        (None, None) => {}
    }
    if !config.observe {
        let check = mail_probe::check(needs.config.clone(), needs.snapshots.clone());
        probes
            .add(&registry, MAIL, &[], mail_probe::PACE, check)
            .map_err(HealthError::Register)?;
    }
    let pushed = services(&config, needs.tls, &registry, &mut probes)?;
    let poll_book = needs.poll_book;
    let poll_book = Box::new(move || {
        let _ = poll_book.try_send(()); // a poll that is asked for already is as good
    });
    let refresher = Arc::new(Refresher::new(desk.clone(), probes.asker(), poll_book));
    let levels = needs
        .levels
        .map(|levels| Arc::new(levels) as Arc<dyn Levels>);
    let contributors: Arc<[Contributor]> = Arc::new([contributor(needs.config.clone())]);
    let state = HealthRoutes {
        desk: desk.clone(),
        refresher,
        pushed: Arc::new(pushed),
        contributors,
        give: needs.give,
        levels,
    };
    Ok(Joined {
        desk,
        registry,
        reporters,
        probes,
        state,
    })
}

/// Registers the outside services: those with an address are asked, the others report by themselves.
fn services(
    config: &Config,
    tls: &rustls::ClientConfig,
    registry: &Registry,
    probes: &mut Probes,
) -> Result<PassiveChecks, HealthError> {
    let mut pushed = PassiveChecks::knowing(&COMPONENTS);
    for service in &config.services {
        let registered = match &service.url {
            Some(url) => {
                pushed.is_asked(&service.name);
                let check = service_check(service, url, tls).map_err(HealthError::Client)?;
                probes.add(
                    registry,
                    &service.name,
                    &service.categories,
                    pace(service),
                    check,
                )
            }
            None => pushed.add(registry, &service.name, &service.categories, service.period),
        };
        registered.map_err(HealthError::Register)?;
    }
    Ok(pushed)
}

/// The service's own health, as the figures tell it.
pub(super) fn figures(desk: &HealthState) -> metrics::Service {
    let numbers = dialects::numbers(&desk.picture());
    metrics::Service {
        state: numbers.state,
        components: numbers
            .components
            .into_iter()
            .map(|(name, state)| metrics::Component { name, state })
            .collect(),
        categories: numbers.categories,
        acknowledged: numbers.acknowledged,
        turns: numbers.turns,
    }
}

/// The components, each with whether it can be used, as Graphite is told them.
pub(super) fn components(desk: &HealthState) -> Vec<(String, bool)> {
    desk.picture()
        .components
        .iter()
        .map(|component| (component.name.to_string(), component.state().is_ok()))
        .collect()
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

/// Writes something, waits until it is on disk and reads it back, however long that takes: the probe bounds it.
fn store_check(store: Store) -> Check {
    Box::new(move || {
        let store = store.clone();
        Box::pin(async move { Attempt::Found(try_store(&store).await) })
    })
}

async fn try_store(store: &Store) -> Finding {
    let health = store.health();
    if health.state == StoreState::Degraded {
        let why = health.last_error.unwrap_or_default();
        return Finding::error(format!(
            "it cannot write ({why}); {} entries wait, {} are lost",
            health.waiting, health.lost
        ));
    }
    let written = json!(Timestamp::now());
    let ticket = store.write(vec![Entry::Keep {
        key: STORE_KEY.to_owned(),
        value: Some(written.clone()),
    }]);
    if !ticket.is_taken() {
        return Finding::error("it is so far behind that it takes nothing");
    }
    store.durable(ticket).await;
    read_back(store, &written).await
}

/// Whether what was written can be read. That many questions wait, or a long one is being answered, is no fault of the disk: it is said,
/// and the store is ok.
async fn read_back(store: &Store, written: &Value) -> Finding {
    match timeout(READ_BACK_WITHIN, store.reader().kept(STORE_KEY)).await {
        Ok(Ok(Some(found))) if found == *written => Finding::ok(),
        Ok(Ok(_)) => Finding::error("what was written is not there when it is read back"),
        Err(_) | Ok(Err(ReadError::Busy)) => Finding::new(
            State::Warn,
            "it writes, but its history answers slowly: many questions wait",
        ),
        Ok(Err(error)) => Finding::error(format!("what was written cannot be read back: {error}")),
    }
}

fn service_check(
    service: &ServiceSettings,
    url: &Url,
    tls: &rustls::ClientConfig,
) -> Result<Check, CallError> {
    let http = Http::new(service.timeout, tls.clone())?;
    let (url, expect) = (url.clone(), service.expect);
    Ok(Box::new(move || {
        let (http, url) = (http.clone(), url.clone());
        Box::pin(async move {
            attempt(
                expect,
                http.look(url, None, MAX_DOCUMENT_BYTES)
                    .await
                    .map_err(|fault| fault.to_string()),
            )
        })
    }))
}

/// The rules that are in force. Everybody may read this, so it names no address and no person.
fn contributor(config: ConfigWatch) -> Contributor {
    (
        "config",
        Box::new(move |_: &Picture| Ok(in_force(&config.borrow()))),
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
        "query_book_every": every(config.book.query_every),
        "timeout_book": every(config.book.timeout),
        "mail": config.mail.is_some(),
        "memory": config.memory.is_some(),
        "non_fatal": config.surfaces.non_fatal,
        "severity_1": config.surfaces.severity_1,
    })
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::store::{DATABASE_FILE, StoreSettings};

    /// Asks until the answer is this, for at most half a minute.
    async fn becomes(wanted: State, ask: impl AsyncFn() -> Finding) -> Finding {
        let mut last = ask().await;
        for _ in 0..300 {
            if last.state == wanted {
                break;
            }
            tokio::time::sleep(Duration::from_millis(100)).await;
            last = ask().await;
        }
        assert_eq!(last.state, wanted, "{}", last.detail);
        last
    }

    #[tokio::test]
    async fn a_store_is_written_and_read_back_and_one_that_hangs_is_an_error() {
        let folder = tempfile::tempdir().expect("a folder");
        let settings = StoreSettings {
            dir: folder.path().to_owned(),
            history_days: 1,
            ring: 5,
        };
        let (store, _) = Store::open(&settings).expect("opens");
        let tried = async || {
            timeout(Duration::from_millis(500), try_store(&store))
                .await
                .unwrap_or_else(|_| Finding::error("no answer"))
        };
        becomes(State::Ok, tried).await;
        let kept = store.reader().kept(STORE_KEY).await.expect("can be read");
        assert!(kept.is_some_and(|value| {
            value
                .as_str()
                .is_some_and(|text| text.parse::<Timestamp>().is_ok())
        }));

        let other =
            rusqlite::Connection::open(folder.path().join(DATABASE_FILE)).expect("the file");
        other
            .execute_batch("BEGIN IMMEDIATE")
            .expect("takes the file");
        becomes(State::Error, tried).await;
        other.execute_batch("ROLLBACK").expect("gives it back");
        becomes(State::Ok, tried).await;
    }

    #[tokio::test]
    async fn what_is_not_there_when_it_is_read_back_is_an_error() {
        let folder = tempfile::tempdir().expect("a folder");
        let settings = StoreSettings {
            dir: folder.path().to_owned(),
            history_days: 1,
            ring: 5,
        };
        let (store, _) = Store::open(&settings).expect("opens");
        assert_eq!(try_store(&store).await, Finding::ok());
        assert_eq!(
            read_back(&store, &json!("other")).await.detail,
            "what was written is not there when it is read back"
        );
    }
}
