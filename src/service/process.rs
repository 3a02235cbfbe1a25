//! The service as a process: its runtime, and the signals that end it.

use std::io;

use tokio::runtime::Runtime;
use tokio::signal::unix::{SignalKind, signal};
use tokio::task::JoinSet;
use tokio_util::sync::CancellationToken;

use super::error::ServiceError;
use super::extensions::Extensions;
use super::options::ServiceOptions;
use super::serve::serve;
use crate::config::Config;

/// Threads of the runtime: one may be busy reading a long report while the other answers.
const WORKERS: usize = 2;

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

/// Runs the service inside of a program, with the program's extensions, until SIGTERM or SIGINT.
/// [`serve`] with [`ServiceOptions::extensions`](super::ServiceOptions) does the same until it is
/// stopped.
///
/// # Errors
/// [`ServiceError`] when it cannot start, or when one of its parts ends by itself.
///
/// ```no_run
/// use labwatch::config::{Sources, load_without_laboratory};
/// use labwatch::health::{Finding, Identity, dialects::Endpoint};
/// use labwatch::service::{Extensions, serve_with};
/// use std::sync::Arc;
/// use std::time::Duration;
///
/// # async fn example() -> Result<(), Box<dyn std::error::Error>> {
/// let config = load_without_laboratory(&Sources::default())?.config;
/// let mut extensions = Extensions::default();
/// extensions.identity = Some(Identity::of_program("robot-fleet", "1.2.3", jiff::Timestamp::now()));
/// let queue = extensions.components.push("queue", None, &[])?;
/// queue.report(Finding::ok());
/// extensions.contributors.push(("fleet", Box::new(|_| Ok(serde_json::json!({ "robots": 7 })))));
/// extensions.endpoints.push(Endpoint {
///     name: "motd".to_owned(),
///     answer: Arc::new(|_| Ok(serde_json::json!({ "motd": "hello" }))),
/// });
/// extensions.health = Some(Box::new(|health| {
///     tokio::spawn(async move {
///         match health.wait_until_ready(Duration::from_secs(60)).await {
///             Ok(()) => println!("ready"),
///             Err(missing) => println!("not ready: {}", missing.join(", ")),
///         }
///     });
/// }));
/// serve_with(config, extensions).await?; // http://127.0.0.1:3007/actuator/motd, /readiness, /status/queue
/// # Ok(())
/// # }
/// ```
pub async fn serve_with(config: Config, extensions: Extensions) -> Result<(), ServiceError> {
    let stop = CancellationToken::new();
    let _signals = stop_on_signals(&stop).map_err(ServiceError::Runtime)?;
    let options = ServiceOptions {
        extensions,
        ..ServiceOptions::default()
    };
    serve(config, stop, options).await
}

/// The runtime for the service.
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
