//! Everything that can be written into the store, in one closed list. Holds no SQL.

use jiff::Timestamp;
use serde::{Deserialize, Serialize};
use serde_json::Value;

use engine::model::Availability;
use engine::{Record, StateChange};

/// An entry to store. A batch of them is stored as a whole or not at all.
#[derive(Debug, Clone, PartialEq)]
pub enum Entry {
    /// A record of the engine, with its time: a row of the history. Events carry their own time.
    Record {
        /// When it was recorded.
        at: Timestamp,
        /// The record.
        record: Record,
    },
    /// An entry of the engine's durable state that changed.
    State(StateChange),
    /// Small state of other parts, in the same table.
    Keep {
        /// Its key. The first part, up to a dot, names its part.
        key: String,
        /// Its value; `None` removes it.
        value: Option<Value>,
    },
    /// A change that was not commanded through the engine.
    Audit {
        /// When.
        at: Timestamp,
        /// The actor, by the name of their token; never the token.
        who: String,
        /// The action.
        what: String,
    },
    /// In shadow: book's availability, and the one that labwatch would set.
    Shadow {
        /// Since when.
        at: Timestamp,
        /// Both.
        row: ShadowRow,
    },
}

/// The state of a message of the outbox.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum OutboxState {
    /// It will be tried, or retried.
    Pending,
    /// It was delivered.
    Sent,
    /// The other side refused it permanently. It stays pending until a newer one covers it.
    Refused,
    /// It has no content left, so it is not sent: a newer one covers it, or its route no longer
    /// covers the subject.
    Superseded,
}

impl OutboxState {
    /// The word for it.
    #[must_use]
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Pending => "pending",
            Self::Sent => "sent",
            Self::Refused => "refused",
            Self::Superseded => "superseded",
        }
    }
}

/// The kind of the rows of a labwatch in shadow, among the notices.
pub(super) const SHADOW_KIND: &str = "shadow";

/// A resource in book, with the availability that labwatch would have set, from one moment on.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct ShadowRow {
    /// The resource.
    pub resource: String,
    /// Its experiment, where that was known.
    pub experiment: Option<String>,
    /// What book said.
    pub book: Availability,
    /// The availability that labwatch would have set.
    pub labwatch: Availability,
    /// The experiment's evaluated health as text; `None` where it was not evaluated.
    pub evaluated: Option<String>,
}
