//! What can be written into the store, in one closed list. It holds no SQL.

use jiff::Timestamp;
use serde::{Deserialize, Serialize};
use serde_json::Value;

use engine::model::Availability;
use engine::{Record, StateChange};

/// One thing to keep. A batch of them is kept as a whole or not at all.
#[derive(Debug, Clone, PartialEq)]
pub enum Entry {
    /// What the engine recorded, and when: a row of the history. Events carry their own time.
    Record {
        /// When it was recorded.
        at: Timestamp,
        /// What.
        record: Record,
    },
    /// An entry of the engine's durable state that changed.
    State(StateChange),
    /// Small state of another part, in the same table.
    Keep {
        /// Its key. The first part, up to a dot, says whose it is.
        key: String,
        /// What it is; `None` removes it.
        value: Option<Value>,
    },
    /// A change that was not commanded through the engine.
    Audit {
        /// When.
        at: Timestamp,
        /// Who, by the name of their token; never the token.
        who: String,
        /// What they did.
        what: String,
    },
    /// How book is and how labwatch would have it, in shadow.
    Shadow {
        /// From when on.
        at: Timestamp,
        /// Both.
        row: ShadowRow,
    },
}

/// How a message of the outbox stands.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum OutboxState {
    /// It will be tried, or tried again.
    Pending,
    /// It went out.
    Sent,
    /// The other side refused it for good. It is owed until something newer says it better.
    Refused,
    /// Nothing of it is left to tell, so it is not sent: something newer tells it, or its route
    /// does not tell of it any more.
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

/// A resource as book had it and as labwatch would have had it, from one moment on.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct ShadowRow {
    /// The resource.
    pub resource: String,
    /// The experiment that it is, where that was known.
    pub experiment: Option<String>,
    /// What book said.
    pub book: Availability,
    /// What it would have said.
    pub labwatch: Availability,
    /// How labwatch had evaluated the experiment, in words; nothing where it had not.
    pub evaluated: Option<String>,
}
