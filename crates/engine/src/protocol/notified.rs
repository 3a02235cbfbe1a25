//! What the recipients of a route were notified of, and what they are still to be told.

use jiff::Timestamp;
use serde::{Deserialize, Serialize};

use crate::model::{Health, Stub};
use crate::protocol::{Alert, Known, MailThread, ReminderState};

/// What the people of a route were told about one thing.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Notified {
    /// About an experiment; `None`: that it is well.
    Experiment(Stub, Option<Heard>),
    /// About the whole laboratory; `None`: that it has ended.
    Alert(Alert, Option<NotifiedAlert>),
    /// When an experiment became unusable of late: as they were told, and while it is unsteady as
    /// it was. Empty: nothing is counted any more.
    Unsteady(Stub, Vec<Timestamp>),
    /// What they are still to be told of an experiment that is not watched any more; `None`:
    /// nothing.
    Closing(Stub, Option<Closing>),
    /// When they last heard anything.
    ReminderState(ReminderState),
}

/// The last word about an experiment that is not watched any more although recipients were told
/// that it is bad.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Closing {
    /// What they were told last; `None` where an older labwatch did not keep it.
    #[serde(default)]
    pub heard: Option<Heard>,
    /// The health that was told last.
    pub health: Health,
    /// Since when it was so.
    pub since: Timestamp,
    /// When it was forgotten.
    pub ended: Timestamp,
}

/// What people heard about an experiment.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Heard {
    /// What they know.
    pub known: Known,
    /// The summaries that told it; `None` where an older labwatch kept none.
    pub thread: Option<MailThread>,
}

/// What people heard about something that concerns the whole laboratory.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
pub struct NotifiedAlert {
    /// Since when it is so.
    pub since: Timestamp,
    /// The summaries that told it; `None` where an older labwatch kept none.
    pub thread: Option<MailThread>,
}
