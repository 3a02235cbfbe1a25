//! How the connection to relay or jump is.

use crate::model::ConnectError;

/// How the connection to relay or jump is, as its feed sees it.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub enum Link {
    /// An attempt is under way.
    #[default]
    Connecting,
    /// The websocket is open. Reports are still to prove that it is alive.
    Open,
    /// It is open through our own proxy, which may be what keeps reports back.
    OpenByProxy,
    /// The websocket is open, and what comes over it is no report that can be read; holds why.
    Unreadable(String),
    /// The attempt failed; another follows by itself after a back-off.
    Failed(ConnectError),
    /// An open connection ended; another attempt follows by itself.
    Closed(String),
    /// An open connection ended because what came over it was no websocket traffic; another attempt
    /// follows by itself.
    Broken(String),
    /// We gave an open connection up because nothing came over it; another attempt follows by
    /// itself.
    GivenUp,
}
