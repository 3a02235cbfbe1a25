//! The boot story, top to bottom: what is made, how it is joined, how it is stopped. This file and its rooms are the only ones that know
//! all others.

mod component_acks;
mod component_history;
mod error;
mod extensions;
mod health;
mod http_server;
mod letter;
mod mail_probe;
mod memory;
mod metrics;
mod notifications;
mod outlets;
mod reload;
mod reports;
mod services;
mod sources;
mod store_probe;
mod systemd;
mod task_set;

use std::io;
use std::net::SocketAddr;
use std::sync::Arc;
use std::time::Duration;

use tokio::net::TcpListener;
use tokio::runtime::Runtime;
use tokio::signal::unix::{SignalKind, signal};
use tokio::sync::{mpsc, watch};
use tokio::task::JoinSet;
use tokio_util::sync::CancellationToken;

use crate::build;
use crate::clients::{self, Http};
use crate::config::Config;
use crate::driver::{self, Clock, Driver, INPUT_QUEUE, Journal, Observers};
use crate::health::HealthState;
use crate::http;
use crate::http::page;
use crate::store::Store;
use crate::telemetry;
use crate::telemetry::log::LevelHandle;
use crate::telemetry::metrics::Counters;
use engine::{Engine, History, Record, State};

pub use error::ServiceError;
pub use extensions::{Extensions, serve_with};
pub use health::HealthError;
pub use letter::standalone as letter;
pub use reload::Reload;

use memory::{Remembered, remember};
use reload::Reloader;
use systemd::{notify, turned};
use task_set::TaskSet;

/// How long an access request to relay or jump, or a dead-man's call, may take.
const ACCESS_TIMEOUT: Duration = Duration::from_secs(10);

/// Threads of the runtime: one may be busy reading a long report while the other answers.
const WORKERS: usize = 2;

/// Who gets every record.
type RecordHook = Box<dyn FnMut(&Record) + Send>;

/// Who looks on while the service runs.
pub struct ServiceOptions {
    /// Is called once, with the API's address, when the service runs. Without an API it is not called.
    pub started: Box<dyn FnOnce(SocketAddr) + Send>,
    /// Gets every record before the effect that it explains. May not block.
    pub record: RecordHook,
    /// The levels of the log, where they can be set while it goes on.
    pub levels: Option<LevelHandle>,
    /// How the configuration is read anew at SIGHUP; `None`: it is not.
    pub reload: Option<Reload>,
    /// What a program around labwatch adds to its health.
    pub extensions: Extensions,
}

impl Default for ServiceOptions {
    /// The log.
    fn default() -> Self {
        Self {
            started: Box::new(|_| {}),
            record: Box::new(telemetry::record_log::note),
            levels: None,
            reload: None,
            extensions: Extensions::default(),
        }
    }
}

/// Runs the service until SIGTERM or SIGINT.
///
/// # Errors
/// [`ServiceError`] when it cannot start, or when one of its parts ends by itself.
pub fn run(runtime: &Runtime, config: Config, options: ServiceOptions) -> Result<(), ServiceError> {
    runtime.block_on(async {
        let stop = CancellationToken::new();
        let _signals = stop_on_signals(&stop).map_err(ServiceError::Runtime)?;
        serve(config, stop, options).await
    })
}

/// The runtime that the service is made for.
///
/// # Errors
/// When the system gives no threads or no event queue.
pub fn runtime() -> io::Result<Runtime> {
    tokio::runtime::Builder::new_multi_thread()
        .worker_threads(WORKERS)
        .enable_all()
        .build()
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
pub async fn serve(
    config: Config,
    stop: CancellationToken,
    options: ServiceOptions,
) -> Result<(), ServiceError> {
    let (listener, listen) = http_server::listen(config.api.listen).await?.unzip();
    let port = listen.map(|listen: SocketAddr| listen.port());
    let also = http_server::listen_also(&config.api.listen_also, port).await;
    let (actuator, actuator_listen) = http_server::listen(config.surfaces.actuator).await?.unzip();
    let close = CancellationToken::new();
    let (mut parts, desk) = start(
        config,
        Listeners {
            api: listener.into_iter().chain(also).collect(),
            actuator,
        },
        &Stops {
            all: &stop,
            api: &close,
        },
        options.record,
        (options.levels, options.reload),
        options.extensions,
    )?;
    tracing::info!(
        listen = listen.map(tracing::field::display),
        actuator = actuator_listen.map(tracing::field::display),
        version = build::VERSION,
        commit = build::COMMIT,
        built = build::BUILT,
        "labwatch is running"
    );
    notify(&[sd_notify::NotifyState::Ready]);
    if let Some(listen) = listen {
        (options.started)(listen);
    }

    // When all is told to stop, parts end too: that is not by themselves, so the stop is looked at first.
    let outcome = tokio::select! {
        biased;
        () = stop.cancelled() => Ok(()),
        ended = parts.first_to_end() => Err(ServiceError::Ended(ended)),
    };
    notify(&[sd_notify::NotifyState::Stopping]);
    desk.stopping();
    stop.cancel();
    parts.wind_down(&close).await;
    tracing::info!("stopped");
    outcome
}

/// Where requests come in.
struct Listeners {
    /// Everything.
    api: Vec<TcpListener>,
    /// The health endpoints alone, beside the API.
    actuator: Option<TcpListener>,
}

/// What ends the parts. The API ends last, so that whoever asks meanwhile hears that the service is about to end.
struct Stops<'a> {
    all: &'a CancellationToken,
    api: &'a CancellationToken,
}

/// Makes every part and joins them.
#[expect(
    clippy::too_many_lines,
    reason = "the boot, top to bottom, in one place"
)]
fn start(
    config: Config,
    listeners: Listeners,
    stops: &Stops<'_>,
    record: RecordHook,
    (levels, reload): (Option<LevelHandle>, Option<Reload>),
    extensions: Extensions,
) -> Result<(TaskSet, HealthState), ServiceError> {
    let config = Arc::new(config);
    let (configs, followed) = watch::channel(Arc::clone(&config));
    let config = &*config;
    let stop = stops.all;
    let tls = Arc::new(clients::client_config(needs_roots(config)).map_err(ServiceError::Wire)?);
    let access = Http::new(ACCESS_TIMEOUT, (*tls).clone()).map_err(ServiceError::Wire)?;

    let clock = Clock::start();
    let Remembered {
        ledger,
        state: remembered,
        history,
        keep,
    } = remember(config)?;
    let kept = ledger.as_ref().map(Journal::store);
    let mut engine = resumed(config, &remembered, history, clock);
    let (inputs, input_queue) = mpsc::channel(INPUT_QUEUE);
    let (orders, order_queue) = driver::orders();
    let (snapshots, pictures) = watch::channel(Arc::new(engine.snapshot()));
    let mut parts = TaskSet::default();

    let own = letter::OwnHealth::default();
    let outlets = outlets::start(&followed, &access, &tls, &own, &mut parts, &inputs, stop)?;
    let queues = metrics::queues(&inputs, &outlets);
    let needs = health::HealthDeps {
        config: &followed,
        clock,
        tls: &tls,
        store: kept.as_ref(),
        keep: &keep,
        snapshots: pictures.clone(),
        poll_book: outlets.book.clone(),
        inputs: &inputs,
        give: http_server::give(orders.clone()),
        levels: levels.clone(),
        extensions,
    };
    let (desk, state, reporters) =
        health::start(needs, &mut parts, stop).map_err(ServiceError::Health)?;
    let _ = own.set(desk.clone()); // it is empty until here
    let lasting = (own, access.clone(), pictures.clone());
    notifications::start_repeats(followed.clone(), lasting, &mut parts, stop);
    notifications::start_deadman(
        config,
        access,
        pictures.clone(),
        kept.clone(),
        reporters.dead_man,
        &mut parts,
        stop,
    );

    let counters = Arc::new(Counters::default());
    let hooks = Observers {
        record: metrics::counted(record, &counters),
        turned: Box::new(turned(desk.clone())),
    };
    parts.spawn(
        "driver",
        Driver::new(
            engine,
            clock,
            input_queue,
            order_queue,
            outlets,
            snapshots,
            ledger,
            hooks,
        )
        .run(),
    );
    if let Some(reload) = reload {
        let hands = reload::Hands {
            inputs,
            configs,
            desk: desk.clone(),
            levels,
            reporter: reporters.configuration,
        };
        parts.spawn(
            "reading of the configuration",
            Reloader::new(reload, hands).run(stop.clone()),
        );
    }

    let reports = reports::start(&followed, kept.as_ref(), &keep, &mut parts, stop);
    let authenticator = Arc::new(http_server::authenticator(&config.api, &keep, kept.clone()));
    let history = kept.as_ref().map(Store::reader);
    let measured = config.surfaces.metrics.then(|| {
        metrics::figures(
            pictures.clone(),
            &counters,
            queues,
            kept.clone(),
            desk.clone(),
        )
    });
    parts.spawn(
        "acknowledgements of components",
        component_acks::follow(desk.clone(), pictures.clone(), orders.clone(), stop.clone()),
    );
    let orders = http_server::orders(http_server::give(orders), desk.clone(), pictures.clone());
    let base = http_server::base(&config.api);
    let pages = page::router(page::WebState {
        snapshots: pictures.clone(),
        store: kept,
        stream: Some("/api/v2/stream"),
        orders: Some(orders.clone()),
        categories: Some(http::Categories::new(&state)),
        reports: reports.clone(),
        base: Arc::clone(&base),
        label: config.surfaces.label.as_str().into(),
        zone: Arc::new(move || followed.borrow().telling.zone.rules.clone()),
    });
    http_server::start_actuator(
        &config.api,
        &mut parts,
        listeners.actuator,
        http::health_router(state.clone(), Arc::clone(&authenticator)),
        stops,
    )
    .map_err(ServiceError::Certificate)?;
    let answers = http::ApiState {
        history,
        figures: measured,
        health: Some(state),
        orders: Some(orders),
        ..http::ApiState::new(pictures.clone())
    };
    parts.spawn(
        "stream of changes",
        Arc::clone(&answers.live).follow(stops.api.clone()),
    );
    let router = page::with_lost_page(
        http::router(
            answers,
            authenticator,
            pages.merge(http::report_routes(reports)),
        ),
        base,
    );
    http_server::start(&config.api, &mut parts, listeners.api, router, stops)
        .map_err(ServiceError::Certificate)?;
    metrics::start_graphite(config, &mut parts, pictures.clone(), &desk, stop);
    parts.spawn(
        "summary in the log",
        telemetry::record_log::summarise(pictures, config.health.log_every, stop.clone()),
    );
    Ok((parts, desk))
}

/// The engine, as it was left.
fn resumed(config: &Config, state: &State, history: History, clock: Clock) -> Engine {
    let engine = Engine::resume(config.rules(), state, clock.now()).with_history(history);
    if config.observe {
        engine.only_watching()
    } else {
        engine
    }
}

/// Whether the system's CA certificates are needed for sure, so that it shows at the start when there are none.
fn needs_roots(config: &Config) -> bool {
    let services = config.services.iter().any(|service| {
        service
            .url
            .as_ref()
            .is_some_and(|url| url.scheme() == "https")
    });
    services
        || [
            &config.relay.address,
            &config.jump.address,
            &config.book.address,
        ]
        .iter()
        .any(|address| address.connect.scheme() == "https")
}
