//! Messages in a hub, and its faults.

use std::time::Duration;

use tokio::time::Instant;
use tokio_tungstenite::tungstenite::Bytes;

use crate::Forwarding;

/// Entries of a report that cannot be read.
const UNREADABLE: [&str; 3] = [
    r#"{"topic":7,"scopes":"expt"}"#,
    "null",
    r#"{"topic":"pend00-st-data","scopes":["expt"],"stats":{"tx":{"last":"soon"}}}"#,
];

/// A message to a listener.
#[derive(Debug, Clone)]
pub(super) struct Parcel {
    pub binary: bool,
    pub body: Bytes,
    /// Whether it is a report.
    pub report: bool,
    /// When it is sent; `None`: at once.
    pub due: Option<Instant>,
}

impl Parcel {
    /// A message that is sent at once.
    pub fn of(binary: bool, body: impl Into<Bytes>) -> Self {
        Self {
            binary,
            body: body.into(),
            report: false,
            due: None,
        }
    }

    /// A text message.
    pub fn text(body: &'static str) -> Self {
        Self::of(false, Bytes::from_static(body.as_bytes()))
    }

    /// A binary message.
    pub fn binary(body: &'static str) -> Self {
        Self::of(true, Bytes::from_static(body.as_bytes()))
    }
}

/// Faults of a hub beside its mood.
#[derive(Debug, Clone, Default)]
pub(super) struct Quirks {
    pub forwarding: Forwarding,
    /// How many entries of each report cannot be read.
    pub unreadable: u32,
    /// How many experiments are missing from the next report.
    pub leaves_out: u32,
    pub garbled: bool,
    /// How long after its first report a connection is closed.
    pub close_after: Option<Duration>,
}

impl Quirks {
    /// Adds the unreadable entries to a report.
    pub fn spoil(&self, mut report: String) -> String {
        let unreadable = UNREADABLE.iter().cycle();
        for entry in unreadable.take(self.unreadable as usize) {
            report.insert_str(1, &format!("{entry},"));
        }
        report
    }
}
