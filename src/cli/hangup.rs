//! SIGHUP from the first moment on: the one command that follows it gets it, and it ends none of
//! the others.

use std::io;

use tokio::runtime::Runtime;
use tokio::signal::unix::{Signal, SignalKind, signal};

use crate::service;

/// Received SIGHUPs, with the runtime that receives them.
pub(super) struct Hangups {
    pub(super) runtime: Runtime,
    pub(super) signal: Signal,
}

impl Hangups {
    /// Catches SIGHUP from now on, to the end of the process.
    ///
    /// # Errors
    /// When the system gives no threads, no event queue or no signal handler.
    pub(super) fn catch() -> io::Result<Self> {
        let runtime = service::runtime()?;
        let signal = {
            let _entered = runtime.enter();
            signal(SignalKind::hangup())?
        };
        Ok(Self { runtime, signal })
    }
}
