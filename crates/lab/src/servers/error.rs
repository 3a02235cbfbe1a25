//! Errors of the simulated laboratory itself.

use std::io;

use crate::Server;

/// An operation that the laboratory cannot do.
#[derive(Debug, thiserror::Error)]
pub enum LabError {
    /// A port cannot be listened on; 0 stands for any.
    #[error("the simulated {server} cannot listen on port {port} of 127.0.0.1")]
    Port {
        /// Whose.
        server: Server,
        /// Which.
        port: u16,
        /// Why.
        source: io::Error,
    },
    /// A fault names an experiment, stream or resource that does not exist.
    #[error("the simulated laboratory has nothing that {0:?} names")]
    Unknown(String),
    /// The server cannot have this fault.
    #[error("the simulated {0} cannot have this fault")]
    NotFor(Server),
}
