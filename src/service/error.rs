//! Errors of the service, with texts that say what to do.

use std::io;
use std::net::SocketAddr;

use crate::health::RegisterError;
use crate::store::StoreError;
use crate::{effects, http};
use engine::model::CallError;

/// Why the service could not start, or ended.
#[derive(Debug, thiserror::Error)]
pub enum ServiceError {
    #[error("cannot start the runtime or its signal handlers: {0}")]
    Runtime(io::Error),
    #[error("cannot listen on {0}: {reason}", reason = listen_reason(.1))]
    Listen(SocketAddr, io::Error),
    /// Another labwatch, of this version, uses the API's address.
    #[error(
        "another labwatch, version {1}, answers on {0} already: two would switch and mail the same. \
         Stop that one; where both are meant, set STATUS_PORT_SERVE and STATUS_DATA_DIR for this one"
    )]
    Another(SocketAddr, String),
    #[error(transparent)]
    Mail(#[from] effects::mail::MailerError),
    #[error("{0}. Check STATUS_API_TLS_CERT and STATUS_API_TLS_KEY")]
    Certificate(#[from] http::CertificateError),
    #[error("cannot set up HTTP and TLS: {0}")]
    Wire(#[from] CallError),
    #[error(transparent)]
    Health(#[from] HealthError),
    #[error(transparent)]
    Store(#[from] StoreError),
    /// The cluster cannot be joined. Holds the reason, and what to do.
    #[error("{0}")]
    Cluster(&'static str),
    /// A task that should run forever ended.
    #[error("the {0} has ended by itself, which it never should; the log says why")]
    Ended(&'static str),
}

/// Why the service's own health cannot be set up.
#[derive(Debug, thiserror::Error)]
pub enum HealthError {
    #[error("{0}")]
    Register(#[from] RegisterError),
    /// The client for outside services cannot be created.
    #[error("cannot set up asking outside services: {0}")]
    Client(#[from] CallError),
    /// An extension has a name that cannot be used.
    #[error(
        "the {kind} {name:?} cannot be added: give it a name that is not taken, of letters, digits, dots, underscores and dashes"
    )]
    Extension { kind: &'static str, name: String },
}

fn listen_reason(error: &io::Error) -> String {
    if error.kind() == io::ErrorKind::AddrInUse {
        "another program has it, perhaps the status that labwatch replaces. Stop that one, or set STATUS_PORT_SERVE".to_owned()
    } else {
        format!("{error}. Check STATUS_ADDRESS_SERVE and STATUS_PORT_SERVE")
    }
}

impl ServiceError {
    /// Whether another labwatch runs already.
    pub fn is_another_labwatch(&self) -> bool {
        matches!(
            self,
            Self::Another(..) | Self::Store(StoreError::InUse { .. })
        )
    }
}
