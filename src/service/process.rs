//! The service as a process: its runtime, and the signals that end it.

use std::io;

use tokio::runtime::Runtime;
use tokio::signal::unix::{SignalKind, signal};
use tokio::task::JoinSet;
use tokio_util::sync::CancellationToken;

use super::{ServiceError, ServiceOptions, serve};
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
