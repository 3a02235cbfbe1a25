//! What a subscription has under way beside the line that serves.

use std::time::Duration;

use futures_util::future::{BoxFuture, pending};
use tokio::time::{Instant, sleep_until};
use tokio_tungstenite::tungstenite::Bytes;

use crate::clients::socket::{End, Socket};
use engine::model::ConnectError;

/// The next message on the line; never, while there is none.
pub(super) async fn hear(line: Option<&mut Socket>) -> Result<Bytes, End> {
    match line {
        Some(socket) => socket.next().await,
        None => pending().await,
    }
}

/// What is under way beside the line: for a new line where there is none, for its successor where
/// there is.
pub(super) enum Plan {
    /// To dial at this time.
    Wait(Instant),
    /// Dialling.
    Dial(BoxFuture<'static, Result<Socket, ConnectError>>),
    /// The successor is open. It must bring a report by this time, and then the line is dropped.
    Verifying {
        replacement: Socket,
        until: Instant,
        /// Whether the line has brought one meanwhile.
        line_told: bool,
    },
}

/// What came of a plan.
pub(super) enum Turn {
    Due,
    Dialled(Result<Socket, ConnectError>),
    HeirHeard(Result<Bytes, End>),
}

impl Plan {
    /// To dial after this time.
    pub(super) fn wait(time: Duration) -> Self {
        Self::Wait(Instant::now() + time)
    }

    /// Waits for what comes of it. Loses nothing when it is dropped before it is done.
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
                heard = replacement.next() => Turn::HeirHeard(heard),
                () = sleep_until(*until) => Turn::Due,
            },
        }
    }
}
