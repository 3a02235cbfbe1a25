//! Why the service could not start, or ended by itself, in words that say what to do.

use std::net::SocketAddr;
use std::{fmt, io};

use super::health::HealthError;
use crate::store::StoreError;
use crate::{effects, http};
use engine::model::CallError;

/// Why the service could not start, or ended by itself.
#[derive(Debug)]
pub enum ServiceError {
    /// The runtime could not be made.
    Runtime(io::Error),
    /// The API's address could not be taken.
    Listen(SocketAddr, io::Error),
    /// Another labwatch, of this version, has the API's address.
    Another(SocketAddr, String),
    /// The port of profiling could not be taken.
    Profile(SocketAddr, io::Error),
    /// The mail settings do not make a mailer.
    Mail(effects::mail::MailerError),
    /// The API's own certificate cannot be used.
    Certificate(http::CertificateError),
    /// TLS or HTTP could not be set up.
    Wire(CallError),
    /// The service's own health cannot be set up.
    Health(HealthError),
    /// The memory belongs to another process, or to a newer labwatch.
    Memory(StoreError),
    /// A part that runs for ever ended.
    Ended(&'static str),
}

impl fmt::Display for ServiceError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Runtime(error) => write!(
                f,
                "cannot start the runtime or its signal handlers: {error}"
            ),
            Self::Another(address, version) => write!(
                f,
                "another labwatch, version {version}, answers on {address} already: two would switch and mail the same. \
                 Stop that one; where both are meant, set STATUS_PORT_SERVE and STATUS_DATA_DIR for this one"
            ),
            Self::Listen(address, error) if error.kind() == io::ErrorKind::AddrInUse => write!(
                f,
                "cannot listen on {address}: another program has it, perhaps the status that labwatch replaces. \
                 Stop that one, or set STATUS_PORT_SERVE"
            ),
            Self::Listen(address, error) => {
                write!(
                    f,
                    "cannot listen on {address}: {error}. Check STATUS_ADDRESS_SERVE and STATUS_PORT_SERVE"
                )
            }
            Self::Profile(address, error) => write!(
                f,
                "cannot listen on {address} for profiling: {error}. Check STATUS_PORT_PROFILE"
            ),
            Self::Mail(error) => write!(f, "{error}"),
            Self::Memory(error) => write!(f, "{error}"),
            Self::Health(error) => write!(f, "{error}"),
            Self::Certificate(error) => write!(
                f,
                "{error}. Check STATUS_API_TLS_CERT and STATUS_API_TLS_KEY"
            ),
            Self::Wire(fault) => write!(f, "cannot set up HTTP and TLS: {fault}"),
            Self::Ended(part) => write!(
                f,
                "the {part} has ended by itself, which it never should; the log says why"
            ),
        }
    }
}

impl std::error::Error for ServiceError {}

impl ServiceError {
    /// Whether another labwatch does the work already.
    #[must_use]
    pub fn is_another_labwatch(&self) -> bool {
        matches!(
            self,
            Self::Another(..) | Self::Memory(StoreError::InUse { .. })
        )
    }
}
