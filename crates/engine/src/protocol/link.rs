//! The state of the connection to relay or jump.

use crate::model::ConnectError;

/// The state of the connection to relay or jump, as its feed sees it.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub enum Link {
    /// An attempt is under way.
    #[default]
    Connecting,
    /// The websocket is open. Reports have still to prove that it works.
    Open,
    /// It is open through our own proxy, which may be what holds reports back.
    OpenByProxy,
    /// The websocket is open, and its data are no readable report; holds why.
    Unreadable(String),
    /// The attempt failed; another follows by itself after a back-off.
    Failed(ConnectError),
    /// An open connection ended; another attempt follows by itself.
    Closed(String),
    /// An open connection ended because its data were no websocket traffic; another attempt follows
    /// by itself.
    Broken(String),
    /// We closed an open connection because nothing came over it; another attempt follows by
    /// itself.
    GivenUp,
}
