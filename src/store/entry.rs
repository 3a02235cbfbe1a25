//! What can be written into the memory, in one closed list. It holds no SQL.

use jiff::Timestamp;
use serde_json::Value;

use engine::Record;
use engine::model::Stub;

/// One thing to keep. A batch of them is kept as a whole or not at all.
#[derive(Debug, Clone, PartialEq)]
pub enum Entry {
    /// What the engine recorded, and when. Events carry their own time.
    Record {
        /// When it was recorded.
        at: Timestamp,
        /// What.
        record: Record,
    },
    /// An experiment was seen for the first time. Said again, the first time stays.
    Seen {
        /// The experiment.
        stub: Stub,
        /// When.
        at: Timestamp,
    },
    /// An experiment is forgotten: seen again, it is new. Its events stay in the history.
    Forgotten {
        /// The experiment.
        stub: Stub,
        /// When.
        at: Timestamp,
    },
    /// What a recipient now knows about a subject.
    Notified(Notified),
    /// A recipient was told that all is well, or the subject is gone: nothing to remember.
    Untold {
        /// The route.
        route: String,
        /// The subject.
        subject: String,
    },
    /// A route is not configured any more: nobody is known to have heard anything on it.
    RouteForgotten(String),
    /// Something that is to be sent. The same id again replaces what was to be sent.
    Outgoing(Outgoing),
    /// What came of sending it, or of no longer wanting to.
    Delivery(Delivery),
    /// An acknowledgement, a silence or a window. The same id again replaces it.
    Note(Note),
    /// The end of one, before its time or at it.
    NoteEnded {
        /// Its id.
        id: String,
        /// When.
        at: Timestamp,
    },
    /// Small state of any kind; `None` removes it.
    Keep {
        /// Its key. The first part, up to a dot, says whose it is.
        key: String,
        /// What it is.
        value: Option<Value>,
    },
    /// Somebody did something.
    Audit {
        /// When.
        at: Timestamp,
        /// Who, by the name of their token; never the token.
        who: String,
        /// What they did.
        what: String,
    },
}

/// What a recipient last heard about a subject.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Notified {
    /// The route to the recipient.
    pub route: String,
    /// The subject: an experiment, a source, a part.
    pub subject: String,
    /// What was told.
    pub value: Value,
}

/// Something that is to be sent.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Outgoing {
    /// Its number. The next free one after a restart is [`super::Memory::next_outgoing`].
    pub id: u64,
    /// The route that it goes.
    pub route: String,
    /// When it was put together.
    pub created: Timestamp,
    /// What it says.
    pub content: Value,
}

/// What came of sending something.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Delivery {
    /// The number of [`Outgoing`].
    pub id: u64,
    /// When.
    pub at: Timestamp,
    /// How it stands now.
    pub state: OutboxState,
    /// Why it failed, where it did.
    pub error: Option<String>,
}

/// How something that is to be sent stands.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum OutboxState {
    /// It will be tried, or tried again.
    Pending,
    /// It went out.
    Sent,
    /// The other side refused it for good. It is owed until something newer says it better.
    Refused,
    /// Nothing of it is left to tell, so it is not sent: something newer tells it, or its route does not tell of it any more.
    Superseded,
}

impl OutboxState {
    /// All of them.
    pub const ALL: [Self; 4] = [Self::Pending, Self::Sent, Self::Refused, Self::Superseded];

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

/// An acknowledgement, a silence or a maintenance window.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Note {
    /// Its id, unique among all notes.
    pub id: String,
    /// Which of the three.
    pub kind: NoteKind,
    /// When it was made.
    pub created: Timestamp,
    /// Until when it holds; `None` without end.
    pub until: Option<Timestamp>,
    /// What it says: who, whom it concerns, why.
    pub content: Value,
}

/// The kinds of notes.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum NoteKind {
    /// Somebody knows of a problem.
    Acknowledgement,
    /// Nobody wants to hear of it.
    Silence,
    /// It is expected.
    Window,
}

impl NoteKind {
    /// All of them.
    pub const ALL: [Self; 3] = [Self::Acknowledgement, Self::Silence, Self::Window];

    /// The word for it.
    #[must_use]
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Acknowledgement => "acknowledgement",
            Self::Silence => "silence",
            Self::Window => "window",
        }
    }
}
