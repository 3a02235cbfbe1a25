//! Faults of etcd, with texts that say what to do. Holds no credentials.

use std::error::Error;
use std::time::Duration;

/// A fault of etcd.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum Fault {
    /// None of the endpoints answers.
    #[error(
        "etcd cannot be reached ({0}): check that its members run, and cluster_endpoints and cluster_tls_ca"
    )]
    Unreachable(String),
    /// It does not answer in time.
    #[error("etcd has not answered within {}", engine::model::format_duration(*.0))]
    Slow(Duration),
    /// More commits are waiting than there is room for.
    #[error("etcd takes commits far too slowly")]
    Behind,
    /// It has no quorum.
    #[error("etcd has no leader, so too few of its members work: start them")]
    NoQuorum,
    /// It is full.
    #[error(
        "etcd is full (NOSPACE): compact and defragment it, then disarm the alarm with etcdctl alarm disarm"
    )]
    Full,
    /// It rejects our credentials.
    #[error(
        "etcd refuses us ({0}): check cluster_user, cluster_password and the roles of that user"
    )]
    Refused(String),
    /// The lease or the election key is gone.
    #[error("the lease has ended")]
    Lost,
    /// It was emptied, or restored from a snapshot.
    #[error("etcd has gone back to an earlier state")]
    WentBack,
    /// The endpoints belong to different clusters.
    #[error(
        "{0} and {1} belong to different etcds: each was started alone. Start all members with the same initial cluster, on empty data folders"
    )]
    Several(String, String),
    /// Something else.
    #[error("etcd answers: {0}")]
    Other(String),
    /// A file of the settings cannot be read.
    #[error("{0}")]
    Settings(String),
}

impl Fault {
    /// Whether etcd is unavailable, as opposed to a refusal or a delay of ours.
    #[must_use]
    pub fn is_away(&self) -> bool {
        matches!(self, Self::Unreachable(_) | Self::Slow(_) | Self::NoQuorum)
    }

    /// The text of the fault, for every reader.
    #[must_use]
    pub fn what(&self) -> &'static str {
        match self {
            Self::Unreachable(_) => "etcd cannot be reached",
            Self::Slow(_) => "etcd does not answer in time",
            Self::Behind => "etcd takes commits too slowly",
            Self::NoQuorum => "etcd has no quorum",
            Self::Full => "etcd is full",
            Self::Refused(_) => "etcd refuses us",
            Self::Lost => "the lease has ended",
            Self::WentBack => "etcd has gone back to an earlier state",
            Self::Several(..) => "cluster_endpoints belong to different etcds",
            Self::Other(_) => "etcd answers with an error",
            Self::Settings(_) => "a file that cluster settings name cannot be read",
        }
    }
}

// Codes of gRPC, by their numbers.
const CANCELLED: i32 = 1;
const UNKNOWN: i32 = 2;
const INTERNAL: i32 = 13;
const INVALID_ARGUMENT: i32 = 3;
const DENIED: i32 = 7;
const EXHAUSTED: i32 = 8;
const UNAVAILABLE: i32 = 14;
const UNAUTHENTICATED: i32 = 16;

impl From<etcd_client::Error> for Fault {
    fn from(error: etcd_client::Error) -> Self {
        match error {
            etcd_client::Error::GRpcStatus(status) => {
                of_status(status.code() as i32, &with_cause(status.message(), &status))
            }
            etcd_client::Error::TransportError(error) => {
                Self::Unreachable(with_cause(&error.to_string(), &error))
            }
            etcd_client::Error::IoError(error) => Self::Unreachable(error.to_string()),
            // Their stream has ended.
            etcd_client::Error::WatchError(why) | etcd_client::Error::LeaseKeepAliveError(why) => {
                Self::Unreachable(why)
            }
            etcd_client::Error::InvalidArgs(_)
            | etcd_client::Error::InvalidUri(_)
            | etcd_client::Error::Utf8Error(_)
            | etcd_client::Error::ElectError(_)
            | etcd_client::Error::InvalidMetadataValue(_)
            | etcd_client::Error::EndpointError(_)
            | etcd_client::Error::EndpointsNotManaged
            | etcd_client::Error::Internal(_) => Self::Other(error.to_string()),
        }
    }
}

/// An error's text, with its root cause, such as a certificate that is not trusted.
fn with_cause(said: &str, error: &dyn Error) -> String {
    let mut cause = error.source();
    while let Some(deeper) = cause.and_then(Error::source) {
        cause = Some(deeper);
    }
    match cause.map(ToString::to_string) {
        Some(cause) if cause != said => format!("{said}: {cause}"),
        Some(_) | None => said.to_owned(),
    }
}

fn of_status(code: i32, message: &str) -> Fault {
    match code {
        _ if message.contains("no leader") => Fault::NoQuorum,
        _ if message.contains("requested lease not found") => Fault::Lost,
        EXHAUSTED if message.contains("space exceeded") => Fault::Full,
        DENIED | UNAUTHENTICATED => Fault::Refused(message.to_owned()),
        INVALID_ARGUMENT if message.contains("authentication") || message.contains("user name") => {
            Fault::Refused(message.to_owned())
        }
        UNAVAILABLE => Fault::Unreachable(message.to_owned()),
        // Errors of etcd itself start so. The rest arise on the way: the connection is lost.
        CANCELLED | UNKNOWN | INTERNAL if !message.starts_with("etcdserver") => {
            Fault::Unreachable(message.to_owned())
        }
        _ => Fault::Other(message.to_owned()),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_etcd_says_becomes_what_to_do() {
        let refused = "etcdserver: authentication failed, invalid user ID or password";
        for (code, message, start) in [
            (UNAVAILABLE, "etcdserver: no leader", "etcd has no leader"),
            (
                EXHAUSTED,
                "etcdserver: mvcc: database space exceeded",
                "etcd is full",
            ),
            (INVALID_ARGUMENT, refused, "etcd refuses us"),
            (
                INVALID_ARGUMENT,
                "etcdserver: user name is empty",
                "etcd refuses us",
            ),
            (
                EXHAUSTED,
                "etcdserver: too many requests",
                "etcd answers: etcdserver: too many requests",
            ),
            (DENIED, "etcdserver: permission denied", "etcd refuses us"),
            (
                UNAUTHENTICATED,
                "etcdserver: invalid auth token",
                "etcd refuses us",
            ),
            (UNAVAILABLE, "tcp connect error", "etcd cannot be reached"),
            (
                5,
                "etcdserver: requested lease not found",
                "the lease has ended",
            ),
            (
                UNKNOWN,
                "etcdserver: other",
                "etcd answers: etcdserver: other",
            ),
            (
                UNKNOWN,
                "h2 protocol error: error reading a body",
                "etcd cannot be reached",
            ),
            (
                CANCELLED,
                "operation was canceled",
                "etcd cannot be reached",
            ),
        ] {
            let words = of_status(code, message).to_string();
            assert!(words.starts_with(start), "{words}");
        }
    }
}
