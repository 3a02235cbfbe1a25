//! What can go wrong with the simulated laboratory, and the names of its servers.

use std::fmt;
use std::io;

/// A server of the laboratory.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub enum Server {
    /// Bookings.
    Book,
    /// Remote login.
    Jump,
    /// Data and video streams.
    Relay,
    /// The mail catcher.
    Mail,
}

/// Something that the laboratory cannot do.
#[derive(Debug)]
pub enum LabError {
    /// A port cannot be listened on.
    Port {
        /// Whose.
        server: Server,
        /// Which; 0 stands for any.
        port: u16,
        /// Why.
        source: io::Error,
    },
    /// There is no such experiment, stream or resource.
    Unknown(String),
    /// The server does not know this fault.
    NotFor(Server),
}

impl fmt::Display for Server {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::Book => "book",
            Self::Jump => "jump",
            Self::Relay => "relay",
            Self::Mail => "mail",
        })
    }
}

impl fmt::Display for LabError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Port { server, port, .. } => write!(
                f,
                "the simulated {server} cannot listen on port {port} of 127.0.0.1"
            ),
            Self::Unknown(name) => write!(f, "the simulated laboratory has no {name:?}"),
            Self::NotFor(server) => write!(f, "the simulated {server} cannot have this fault"),
        }
    }
}

impl std::error::Error for LabError {
    fn source(&self) -> Option<&(dyn std::error::Error + 'static)> {
        match self {
            Self::Port { source, .. } => Some(source),
            Self::Unknown(_) | Self::NotFor(_) => None,
        }
    }
}
