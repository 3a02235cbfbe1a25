//! The boot story, top to bottom: what is made, how it is joined, how it is stopped. The only file that knows all others.

mod front;

use std::collections::HashMap;
use std::fmt;
use std::future::Future;
use std::io;
use std::net::SocketAddr;
use std::sync::Arc;
use std::time::Duration;

use tokio::net::TcpListener;
use tokio::runtime::Runtime;
use tokio::signal::unix::{SignalKind, signal};
use tokio::sync::{mpsc, watch};
use tokio::task::{Id, JoinSet};
use tokio_util::sync::CancellationToken;

use crate::api;
use crate::config::{Config, MailSettings, MaintenanceSettings, MemorySettings, Route, RouteTarget, TellingSettings};
use crate::driver::{self, COMMAND_QUEUE, Clock, Driver, Hooks, INPUT_QUEUE, Ledger, Outlets, SAMPLE_QUEUE, SWITCH_QUEUE, TELL_QUEUE};
use crate::effects;
use crate::effects::mail::Recipients;
use crate::engine::{Engine, Input, Memory, Record, Snapshot, Summary};
use crate::feeds;
use crate::model::{Fault, RouteName, SourceName};
use crate::store::{self, Clerk, Origin, Store, StoreError, StoreHealth, StoreSettings, StoreState};
use crate::telemetry;
use crate::telemetry::graphite::Graphite;
use crate::telemetry::metrics::{Counters, HttpCounts, Inside, Metrics, Queue, Service, StoreFigures};
use crate::web;
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
    /// The API's own certificate cannot be used.
    Certificate(api::CertificateError),
    /// TLS or HTTP could not be set up.
    Wire(Fault),
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
            Self::Certificate(error) => write!(f, "{error}. Check STATUS_API_TLS_CERT and STATUS_API_TLS_KEY"),
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
}

impl Default for Onlooker {
    /// The log.
    fn default() -> Self {
        Self { started: Box::new(|_| {}), record: Box::new(telemetry::journal::note) }
    }
}

/// Runs the service until SIGTERM or SIGINT.
///
/// # Errors
/// [`ServiceError`] when it cannot start, or when one of its parts ends by itself.
pub fn run(config: Config) -> Result<(), ServiceError> {
    let runtime = runtime().map_err(ServiceError::Runtime)?;
    let outcome = runtime.block_on(async {
        let stop = CancellationToken::new();
        let _signals = stop_on_signals(&stop).map_err(ServiceError::Runtime)?;
        serve(config, stop, Onlooker::default()).await
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
    let mut parts = start(&config, listener, &stop, onlooker.record)?;
    tracing::info!(%listen, version = env!("CARGO_PKG_VERSION"), "labwatch is running");
    notify(&[sd_notify::NotifyState::Ready]);
    (onlooker.started)(listen);

    // When all is told to stop, parts end too: that is not by themselves, so the stop is looked at first.
    let outcome = tokio::select! {
        biased;
        () = stop.cancelled() => Ok(()),
        part = parts.first_to_end() => Err(ServiceError::Ended(part)),
    };
    notify(&[sd_notify::NotifyState::Stopping]);
    stop.cancel();
    parts.wind_down().await;
    tracing::info!("stopped");
    outcome
}

/// Makes every part and joins them.
fn start(config: &Config, listener: TcpListener, stop: &CancellationToken, record: RecordHook) -> Result<Parts, ServiceError> {
    let tls = Arc::new(wire::client_config(needs_roots(config)).map_err(ServiceError::Wire)?);
    let access = Http::new(ACCESS_TIMEOUT, (*tls).clone()).map_err(ServiceError::Wire)?;
    let to_book = Http::new(config.book.timeout, (*tls).clone()).map_err(ServiceError::Wire)?;
    let book = BookClient::new(config.book.address.clone(), to_book);

    let clock = Clock::start();
    let remembered = config.memory.as_ref().map(|memory| remember(memory, config)).transpose()?.flatten();
    let keep = remembered.as_ref().map(|(_, memory)| memory.keep.clone()).unwrap_or_default();
    let (ledger, memory) = remembered.map(|(ledger, memory)| (ledger, Memory::from(memory))).unzip();
    let ways = config.telling.routes(config.mail.is_some());
    let windows = config.maintenance.iter().flat_map(MaintenanceSettings::windows).collect();
    let mut engine = Engine::resume(config.policy(), ways, &memory.unwrap_or_default(), clock.now()).with_maintenance(windows);
    let (inputs, input_queue) = mpsc::channel(INPUT_QUEUE);
    let (_orders, order_queue) = driver::orders();
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
    let listening = feeds::sample::Sampler { address: config.relay.address.clone(), http: access, tls };
    parts.spawn("sampling of streams", feeds::sample::run(listening, inputs.clone(), sample_queue, stop.clone()));

    let (switches, switch_queue) = mpsc::channel(SWITCH_QUEUE);
    parts.spawn("switching", effects::book::run(effects::book::Switcher { client: book }, switch_queue, inputs.clone(), stop.clone()));

    let mails = config.mail.as_ref().map(|mail| start_mail(mail, &config.telling, &mut parts, &inputs, stop)).transpose()?;

    let queues = vec![queue("inputs", &inputs), queue("switches", &switches), queue("samples", &samples)];
    let kept = ledger.as_ref().map(Ledger::store);
    let counters = Arc::new(Counters::default());
    let outlets = Outlets { switches, mails, webhooks: None, samples, relay, jump, book: poll_now };
    let hooks = Hooks { record: counted(record, &counters), turned: Box::new(watchdog()) };
    parts.spawn("driver", Driver::new(engine, clock, input_queue, order_queue, outlets, snapshots, ledger, hooks).run());
    drop(inputs);

    let gate = Arc::new(front::gate(&config.api, &keep, kept.clone()));
    let figures = config.surfaces.metrics.then(|| figures(&config.surfaces.label, pictures.clone(), &counters, queues, kept.clone()));
    let pages = web::router(web::WebState { snapshots: pictures.clone(), store: kept, stream: None });
    let router = web::with_lost_page(api::router(api::ApiState { snapshots: pictures.clone(), figures }, gate, pages));
    front::start(&config.api, &mut parts, listener, router, stop).map_err(ServiceError::Certificate)?;
    start_graphite(config, &mut parts, pictures.clone(), stop);
    start_profiling(config, &mut parts, stop)?;
    parts.spawn("summary in the log", telemetry::journal::summarise(pictures, config.health.log_every, stop.clone()));
    Ok(parts)
}

/// Opens the memory. A folder that cannot be made is said, and nothing is kept; a folder that is in use ends the start.
fn remember(settings: &MemorySettings, config: &Config) -> Result<Option<(Ledger, store::Memory)>, ServiceError> {
    let settings = StoreSettings { dir: settings.folder.clone(), history_days: settings.days, ring: config.health.events };
    let (store, memory) = match Store::open(&settings) {
        Ok(opened) => opened,
        Err(error @ (StoreError::InUse { .. } | StoreError::TooNew { .. })) => return Err(ServiceError::Memory(error)),
        Err(error @ (StoreError::Folder { .. } | StoreError::Thread(_))) => {
            tracing::error!(folder = %settings.dir.display(), "nothing is kept for a restart: {error}");
            return Ok(None);
        }
    };
    note_memory(&memory);
    let clerk = Clerk::with(&memory);
    Ok(Some((Ledger::new(store, clerk), memory)))
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
    [&config.relay.address, &config.jump.address, &config.book.address].iter().any(|address| address.connect.scheme() == "https")
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

fn start_graphite(config: &Config, parts: &mut Parts, pictures: watch::Receiver<Arc<Snapshot>>, stop: &CancellationToken) {
    let Some(settings) = &config.graphite else { return };
    let graphite = Graphite {
        host: settings.host.clone(),
        port: settings.port,
        prefix: settings.prefix.clone(),
        label: config.surfaces.label.clone(),
        every: settings.every,
    };
    parts.spawn("figures for Graphite", telemetry::graphite::run(graphite, pictures, Box::new(Vec::new), stop.clone()));
}

/// Profiles have a port of their own: a port that cannot be had is an error at the start, as for the API.
fn start_profiling(config: &Config, parts: &mut Parts, stop: &CancellationToken) -> Result<(), ServiceError> {
    let Some(settings) = &config.profile else { return Ok(()) };
    let refused = |error| ServiceError::Profile(settings.listen, error);
    let listener = std::net::TcpListener::bind(settings.listen).map_err(refused)?;
    listener.set_nonblocking(true).map_err(refused)?;
    let listener = TcpListener::from_std(listener).map_err(refused)?;
    tracing::info!(listen = %settings.listen, "profiles can be taken, from this host only");
    parts.spawn("profiling", front::serve(listener, None, telemetry::profile::router(), stop.clone()));
    Ok(())
}

/// Everything that is measured, and who counts answers.
fn figures(
    label: &str,
    pictures: watch::Receiver<Arc<Snapshot>>,
    counters: &Arc<Counters>,
    queues: Vec<Queue>,
    kept: Option<Store>,
) -> api::Figures {
    let http = Arc::new(HttpCounts::default());
    let store = kept.map(|store| Box::new(move || store_figures(&store.health())) as Box<dyn Fn() -> StoreFigures + Send + Sync>);
    let inside = Inside { label: label.to_owned(), service: Box::new(Service::default), queues, store };
    let metrics = Metrics::new(pictures, Arc::clone(counters), Arc::clone(&http), inside);
    api::Figures {
        content_type: telemetry::metrics::CONTENT_TYPE,
        text: Arc::new(move || metrics.text().ok()),
        count: Arc::new(move |route, status, took| http.note(route, status, took)),
    }
}

fn store_figures(health: &StoreHealth) -> StoreFigures {
    StoreFigures { ok: health.state == StoreState::Ok, lost: health.lost, waiting: health.waiting }
}

/// A record goes to the counters, then on.
fn counted(mut record: RecordHook, counters: &Arc<Counters>) -> RecordHook {
    let counters = Arc::clone(counters);
    Box::new(move |seen| {
        counters.note(seen);
        record(seen);
    })
}

/// Looks at how much waits in a queue without keeping it open.
fn queue<T: Send + 'static>(name: &'static str, sender: &mpsc::Sender<T>) -> Queue {
    let (bound, sender) = (sender.max_capacity(), sender.downgrade());
    let depth = move || sender.upgrade().map_or(0, |sender| sender.max_capacity().saturating_sub(sender.capacity()));
    Queue { name, depth: Box::new(depth), bound }
}

/// Who is mailed on the routes of the configuration.
fn recipients(telling: &TellingSettings) -> Vec<Recipients> {
    let of = |route: &Route| {
        let RouteTarget::Mail { to, cc } = &route.target else { return None };
        Some(Recipients { route: RouteName::try_new(&route.name).ok()?, to: to.clone(), cc: cc.clone() })
    };
    telling.routes.iter().filter_map(of).collect()
}

/// Tells systemd's watchdog at every turn of the loop, but not more often than it needs.
fn watchdog() -> impl FnMut() + Send {
    let every = sd_notify::watchdog_enabled().map(|within| within / 3);
    let mut last = std::time::Instant::now();
    move || {
        if every.is_some_and(|every| last.elapsed() >= every) {
            last = std::time::Instant::now();
            notify(&[sd_notify::NotifyState::Watchdog]);
        }
    }
}

/// Tells systemd, where it is there.
fn notify(states: &[sd_notify::NotifyState<'_>]) {
    if let Err(error) = sd_notify::notify(states) {
        tracing::warn!(%error, "cannot tell systemd how the service is");
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

    /// Waits for all to end, and drops what has not ended in time.
    async fn wind_down(&mut self) {
        let all = async { while self.tasks.join_next().await.is_some() {} };
        if tokio::time::timeout(STOP_WITHIN, all).await.is_err() {
            tracing::warn!(parts = self.tasks.len(), "stopping: some parts have not ended in time and are dropped");
            self.tasks.shutdown().await;
        }
    }
}
