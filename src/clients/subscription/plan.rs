//! Pending work of a subscription beside its current connection, the line.

use std::time::Duration;

use futures_util::future::{BoxFuture, pending};
use tokio::time::{Instant, sleep_until};
use tokio_tungstenite::tungstenite::Bytes;

use crate::clients::socket::{End, Socket};
use engine::model::ConnectError;

/// The next message on the line; waits forever while there is none.
pub(super) async fn next_message(line: Option<&mut Socket>) -> Result<Bytes, End> {
    match line {
        Some(socket) => socket.next().await,
        None => pending().await,
    }
}

/// Work beside the line: for a new line where there is none, for its replacement where there is
/// one.
pub(super) enum Plan {
    /// To connect at this time.
    Wait(Instant),
    /// Connecting.
    Dial(BoxFuture<'static, Result<Socket, ConnectError>>),
    /// The replacement is open. It must send a report by this time, and then the line is dropped.
    Verifying {
        replacement: Socket,
        until: Instant,
        /// Whether the line has sent one meanwhile.
        line_reported: bool,
    },
}

/// Result of a plan.
pub(super) enum Turn {
    Due,
    Dialled(Result<Socket, ConnectError>),
    ReplacementMessage(Result<Bytes, End>),
}

impl Plan {
    /// To connect after this time.
    pub(super) fn wait(time: Duration) -> Self {
        Self::Wait(Instant::now() + time)
    }

    /// Waits for the result. Loses nothing when it is dropped before it is done.
    pub(super) async fn turn(&mut self) -> Turn {
        match self {
            Self::Wait(when) => {
                sleep_until(*when).await;
                Turn::Due
            }
            Self::Dial(dial) => Turn::Dialled(dial.await),
            Self::Verifying {
                replacement, until, ..
            } => tokio::select! {
                message = replacement.next() => Turn::ReplacementMessage(message),
                () = sleep_until(*until) => Turn::Due,
            },
        }
    }
}
