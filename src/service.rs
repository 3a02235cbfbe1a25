//! The boot story, top to bottom: what is made, how it is joined, how it is stopped. The only file that knows all others.

mod figures;
mod health;
mod systemd;

use std::collections::{BTreeMap, HashMap};
use std::fmt;
use std::future::Future;
use std::io;
use std::net::SocketAddr;
use std::sync::Arc;
use std::time::Duration;

use serde_json::Value;
use tokio::net::TcpListener;
use tokio::runtime::Runtime;
use tokio::signal::unix::{SignalKind, signal};
use tokio::sync::{mpsc, watch};
use tokio::task::{Id, JoinSet};
use tokio_util::sync::CancellationToken;

use crate::api;
use crate::config::{Config, MailSettings, MemorySettings, Route, RouteTarget, TellingSettings};
use crate::driver::{COMMAND_QUEUE, Clock, Driver, Hooks, INPUT_QUEUE, Ledger, Outlets, SAMPLE_QUEUE, SWITCH_QUEUE, TELL_QUEUE};
use crate::effects;
use crate::effects::mail::Recipients;
use crate::engine::{Engine, Input, Memory, Record, Summary};
use crate::feeds;
use crate::health::Desk;
use crate::model::{Fault, RouteName, SourceName};
use crate::store::{self, Clerk, Origin, Store, StoreError, StoreSettings};
use crate::telemetry;
use crate::telemetry::log::LevelHandle;
use crate::telemetry::metrics::Counters;
use crate::wire::{self, BookClient, Http};

/// How long an access request to relay or jump may take.
const ACCESS_TIMEOUT: Duration = Duration::from_secs(10);

/// How long everything has to end after it was told to stop. What has not ended by then is dropped.
const STOP_WITHIN: Duration = Duration::from_secs(4);

/// Threads of the runtime: one may be busy reading a long report while the other answers.
const WORKERS: usize = 2;

/// Who gets every record.
type RecordHook = Box<dyn FnMut(&Record) + Send>;

/// Why the service could not start, or ended by itself.
#[derive(Debug)]
pub enum ServiceError {
    /// The runtime could not be made.
    Runtime(io::Error),
    /// The API's address could not be taken.
    Listen(SocketAddr, io::Error),
    /// The port of profiling could not be taken.
    Profile(SocketAddr, io::Error),
    /// The mail settings do not make a mailer.
    Mail(effects::mail::MailerError),
    /// TLS or HTTP could not be set up.
    Wire(Fault),
    /// The service's own health cannot be set up.
    Health(health::HealthError),
    /// The memory belongs to another process, or to a newer labwatch.
    Memory(StoreError),
    /// A part that runs for ever ended.
    Ended(&'static str),
}

impl fmt::Display for ServiceError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Runtime(error) => write!(f, "cannot start the runtime or its signal handlers: {error}"),
            Self::Listen(address, error) if error.kind() == io::ErrorKind::AddrInUse => write!(
                f,
                "cannot listen on {address}: something answers there already, perhaps another labwatch, or the status that it replaces. \
                 Stop that one, or set STATUS_PORT_SERVE"
            ),
            Self::Listen(address, error) => {
                write!(f, "cannot listen on {address}: {error}. Check STATUS_ADDRESS_SERVE and STATUS_PORT_SERVE")
            }
            Self::Profile(address, error) => write!(f, "cannot listen on {address} for profiling: {error}. Check STATUS_PORT_PROFILE"),
            Self::Mail(error) => write!(f, "{error}"),
            Self::Memory(error) => write!(f, "{error}"),
            Self::Health(error) => write!(f, "{error}"),
            Self::Wire(fault) => write!(f, "cannot set up HTTP and TLS: {fault}"),
            Self::Ended(part) => write!(f, "the {part} has ended by itself, which it never should; the log says why"),
        }
    }
}

impl std::error::Error for ServiceError {}

/// Who looks on while the service runs.
pub struct Onlooker {
    /// Is called once, with the API's address, when the service runs.
    pub started: Box<dyn FnOnce(SocketAddr) + Send>,
    /// Gets every record before the effect that it explains. May not block.
    pub record: RecordHook,
    /// The levels of the log, where they can be set while it goes on.
    pub levels: Option<LevelHandle>,
}

impl Default for Onlooker {
    /// The log.
    fn default() -> Self {
        Self { started: Box::new(|_| {}), record: Box::new(telemetry::journal::note), levels: None }
    }
}

/// Runs the service until SIGTERM or SIGINT.
///
/// # Errors
/// [`ServiceError`] when it cannot start, or when one of its parts ends by itself.
pub fn run(config: Config, onlooker: Onlooker) -> Result<(), ServiceError> {
    let runtime = runtime().map_err(ServiceError::Runtime)?;
    let outcome = runtime.block_on(async {
        let stop = CancellationToken::new();
        let _signals = stop_on_signals(&stop).map_err(ServiceError::Runtime)?;
        serve(config, stop, onlooker).await
    });
    runtime.shutdown_timeout(Duration::from_millis(100));
    outcome
}

/// The runtime that the service is made for.
///
/// # Errors
/// When the system gives no threads or no event queue.
pub fn runtime() -> io::Result<Runtime> {
    tokio::runtime::Builder::new_multi_thread().worker_threads(WORKERS).enable_all().build()
}

/// Cancels `stop` at the first SIGTERM or SIGINT. Ends when the returned set is dropped.
///
/// # Errors
/// When the system does not let signals be caught.
pub fn stop_on_signals(stop: &CancellationToken) -> io::Result<JoinSet<()>> {
    let mut terminate = signal(SignalKind::terminate())?;
    let mut interrupt = signal(SignalKind::interrupt())?;
    let stop = stop.clone();
    let mut waiting = JoinSet::new();
    waiting.spawn(async move {
        let name = tokio::select! {
            _ = terminate.recv() => "SIGTERM",
            _ = interrupt.recv() => "SIGINT",
        };
        tracing::info!(signal = name, "stopping");
        stop.cancel();
    });
    Ok(waiting)
}

/// Runs the service until `stop`.
///
/// # Errors
/// [`ServiceError`] when it cannot start, or when one of its parts ends by itself.
pub async fn serve(config: Config, stop: CancellationToken, onlooker: Onlooker) -> Result<(), ServiceError> {
    let asked = config.api.listen;
    let listener = TcpListener::bind(asked).await.map_err(|error| ServiceError::Listen(asked, error))?;
    let listen = listener.local_addr().map_err(|error| ServiceError::Listen(asked, error))?;
    let close = CancellationToken::new();
    let (mut parts, desk) = start(&config, listener, &Stops { all: &stop, api: &close }, onlooker.record, onlooker.levels)?;
    tracing::info!(%listen, version = env!("CARGO_PKG_VERSION"), "labwatch is running");
    systemd::notify(&[sd_notify::NotifyState::Ready]);
    (onlooker.started)(listen);

    // When all is told to stop, parts end too: that is not by themselves, so the stop is looked at first.
    let outcome = tokio::select! {
        biased;
        () = stop.cancelled() => Ok(()),
        part = parts.first_to_end() => Err(ServiceError::Ended(part)),
    };
    systemd::notify(&[sd_notify::NotifyState::Stopping]);
    desk.stopping();
    stop.cancel();
    parts.wind_down(&close).await;
    tracing::info!("stopped");
    outcome
}

/// What ends the parts. The API ends last, so that whoever asks meanwhile hears that the service is about to end.
struct Stops<'a> {
    all: &'a CancellationToken,
    api: &'a CancellationToken,
}

/// Makes every part and joins them.
fn start(
    config: &Config,
    listener: TcpListener,
    stops: &Stops<'_>,
    record: RecordHook,
    levels: Option<LevelHandle>,
) -> Result<(Parts, Desk), ServiceError> {
    let stop = stops.all;
    let tls = Arc::new(wire::client_config(needs_roots(config)).map_err(ServiceError::Wire)?);
    let access = Http::new(ACCESS_TIMEOUT, (*tls).clone()).map_err(ServiceError::Wire)?;
    let to_book = Http::new(config.book.timeout, (*tls).clone()).map_err(ServiceError::Wire)?;
    let book = BookClient::new(config.book.address.clone(), to_book);

    let clock = Clock::start();
    let Remembered { ledger, memory, keep } =
        config.memory.as_ref().map(|memory| remember(memory, config)).transpose()?.unwrap_or_default();
    let mut engine = Engine::resume(config.policy(), config.telling.routes(config.mail.is_some()), &memory, clock.now());
    let (inputs, input_queue) = mpsc::channel(INPUT_QUEUE);
    let (snapshots, pictures) = watch::channel(Arc::new(engine.snapshot()));
    let mut parts = Parts::default();

    let (relay, relay_commands) = mpsc::channel(COMMAND_QUEUE);
    let feed =
        feeds::subscribe::Feed { source: SourceName::Relay, settings: config.relay.clone(), http: access.clone(), tls: Arc::clone(&tls) };
    parts.spawn("feed of relay", feeds::subscribe::run(feed, inputs.clone(), relay_commands, stop.clone()));

    let (jump, jump_commands) = mpsc::channel(COMMAND_QUEUE);
    let feed =
        feeds::subscribe::Feed { source: SourceName::Jump, settings: config.jump.clone(), http: access.clone(), tls: Arc::clone(&tls) };
    parts.spawn("feed of jump", feeds::subscribe::run(feed, inputs.clone(), jump_commands, stop.clone()));

    let (poll_now, polls) = mpsc::channel(1);
    let poller = feeds::book::Poller { client: book.clone(), every: config.book.query_every };
    parts.spawn("poll of book", feeds::book::run(poller, inputs.clone(), polls, stop.clone()));

    let (samples, sample_queue) = mpsc::channel(SAMPLE_QUEUE);
    let listening = feeds::sample::Sampler { address: config.relay.address.clone(), http: access, tls: Arc::clone(&tls) };
    parts.spawn("sampling of streams", feeds::sample::run(listening, inputs.clone(), sample_queue, stop.clone()));

    let (switches, switch_queue) = mpsc::channel(SWITCH_QUEUE);
    parts.spawn("switching", effects::book::run(effects::book::Switcher { client: book }, switch_queue, inputs.clone(), stop.clone()));

    let mails = config.mail.as_ref().map(|mail| start_mail(mail, &config.telling, &mut parts, &inputs, stop)).transpose()?;

    let queues = vec![figures::queue("inputs", &inputs), figures::queue("switches", &switches), figures::queue("samples", &samples)];
    let kept = ledger.as_ref().map(Ledger::store);
    let health::Joined { desk, probes, state } = health::join(health::Needs {
        config,
        clock,
        tls: &tls,
        store: kept.as_ref(),
        keep: &keep,
        snapshots: pictures.clone(),
        poll_book: poll_now.clone(),
        levels,
    })
    .map_err(ServiceError::Health)?;
    parts.spawn("probes", probes.run(stop.clone()));
    let keeper = kept.clone();
    parts.spawn("categories", desk.clone().follow(pictures.clone(), move |change| health::keep(keeper.as_ref(), &change)));

    let counters = Arc::new(Counters::default());
    let outlets = Outlets { switches, mails, webhooks: None, samples, relay, jump, book: poll_now };
    let hooks = Hooks { record: figures::counted(record, &counters), turned: Box::new(systemd::turned(desk.clone())) };
    parts.spawn("driver", Driver::new(engine, clock, input_queue, outlets, snapshots, ledger, hooks).run());
    drop(inputs);

    let figures = config.surfaces.metrics.then(|| figures::figures(pictures.clone(), &counters, queues, kept, desk.clone()));
    let router = api::router(api::ApiState { snapshots: pictures.clone(), figures, health: Some(state) });
    parts.spawn("API", serve_api(listener, router, stops.api.clone()));
    figures::start_graphite(config, &mut parts, pictures.clone(), &desk, stop);
    figures::start_profiling(config, &mut parts, stop)?;
    parts.spawn("summary in the log", telemetry::journal::summarise(pictures, config.health.log_every, stop.clone()));
    Ok((parts, desk))
}

/// What is known from before the start, and where to write what is learnt.
#[derive(Default)]
struct Remembered {
    ledger: Option<Ledger>,
    memory: Memory,
    keep: BTreeMap<String, Value>,
}

/// Opens the memory. A folder that cannot be made is said, and nothing is kept; a folder that is in use ends the start.
fn remember(settings: &MemorySettings, config: &Config) -> Result<Remembered, ServiceError> {
    let settings = StoreSettings { dir: settings.folder.clone(), history_days: settings.days, ring: config.health.events };
    let (store, mut memory) = match Store::open(&settings) {
        Ok(opened) => opened,
        Err(error @ (StoreError::InUse { .. } | StoreError::TooNew { .. })) => return Err(ServiceError::Memory(error)),
        Err(error @ (StoreError::Folder { .. } | StoreError::Thread(_))) => {
            tracing::error!(folder = %settings.dir.display(), "nothing is kept for a restart: {error}");
            return Ok(Remembered::default());
        }
    };
    note_memory(&memory);
    let (clerk, keep) = (Clerk::with(&memory), std::mem::take(&mut memory.keep));
    Ok(Remembered { ledger: Some(Ledger::new(store, clerk)), memory: Memory::from(memory), keep })
}

fn note_memory(memory: &store::Memory) {
    let (experiments, gap) = (memory.experiments.len(), memory.gap.map(|gap| gap.until.duration_since(gap.since).as_secs()));
    match &memory.origin {
        Origin::New => tracing::info!("nothing is remembered: this is the first start on this folder"),
        Origin::Found => tracing::info!(experiments, off_seconds = gap, "what was known before the start is remembered"),
        Origin::BegunAnew { aside, why } => {
            tracing::error!(aside = %aside.display(), "the memory was broken and begins anew; the broken file is kept aside: {why}");
        }
        Origin::ReadOnly { why } => tracing::error!(experiments, "the memory can be read but not written: {why}"),
        Origin::Unavailable { why } => tracing::error!("the memory can neither be read nor written, it is tried again: {why}"),
    }
}

/// Whether the system's CA certificates are needed for sure, so that it shows at the start when there are none.
fn needs_roots(config: &Config) -> bool {
    let services = config.services.iter().any(|service| service.url.scheme() == "https");
    services
        || [&config.relay.address, &config.jump.address, &config.book.address].iter().any(|address| address.connect.scheme() == "https")
}

fn start_mail(
    settings: &MailSettings,
    telling: &TellingSettings,
    parts: &mut Parts,
    inputs: &mpsc::Sender<Input>,
    stop: &CancellationToken,
) -> Result<mpsc::Sender<Arc<Summary>>, ServiceError> {
    let mailer = effects::mail::Mailer::new(settings.clone(), &recipients(telling)).map_err(ServiceError::Mail)?;
    let (mails, mail_queue) = mpsc::channel(TELL_QUEUE);
    parts.spawn("mail", effects::mail::run(mailer, mail_queue, inputs.clone(), stop.clone()));
    Ok(mails)
}

/// Who is mailed on the routes of the configuration.
fn recipients(telling: &TellingSettings) -> Vec<Recipients> {
    let of = |route: &Route| {
        let RouteTarget::Mail { to, cc } = &route.target else { return None };
        Some(Recipients { route: RouteName::try_new(&route.name).ok()?, to: to.clone(), cc: cc.clone() })
    };
    telling.routes.iter().filter_map(of).collect()
}

async fn serve_api(listener: TcpListener, router: axum::Router, stop: CancellationToken) {
    if let Err(error) = api::serve(listener, router, stop).await {
        tracing::error!(%error, "the API cannot go on");
    }
}

/// All tasks, each with its name. None of them ends before the service is told to stop.
#[derive(Default)]
struct Parts {
    tasks: JoinSet<()>,
    names: HashMap<Id, &'static str>,
}

impl Parts {
    fn spawn(&mut self, name: &'static str, part: impl Future<Output = ()> + Send + 'static) {
        let handle = self.tasks.spawn(part);
        self.names.insert(handle.id(), name);
    }

    async fn first_to_end(&mut self) -> &'static str {
        let (id, panic) = match self.tasks.join_next_with_id().await {
            Some(Ok((id, ()))) => (id, None),
            Some(Err(error)) => (error.id(), Some(error)),
            None => return "service",
        };
        let name = self.names.get(&id).copied().unwrap_or("unnamed part");
        let error = panic.map_or_else(|| "it has ended".to_owned(), |error| error.to_string());
        tracing::error!(part = name, error, "a part has failed; the service stops, to be started anew");
        name
    }

    /// Waits for all to end, the API last by `close`, and drops what has not ended in time.
    async fn wind_down(&mut self, close: &CancellationToken) {
        let all = async {
            while self.tasks.len() > 1 && self.tasks.join_next().await.is_some() {}
            close.cancel();
            while self.tasks.join_next().await.is_some() {}
        };
        if tokio::time::timeout(STOP_WITHIN, all).await.is_err() {
            tracing::warn!(parts = self.tasks.len(), "stopping: some parts have not ended in time and are dropped");
            self.tasks.shutdown().await;
        }
    }
}
