//! What the recipients of a route were notified of, and what is pending.

use jiff::Timestamp;
use serde::{Deserialize, Serialize};

use crate::model::{Health, Stub};
use crate::protocol::{Alert, Known, MailThread, ReminderState};

/// The notified state of one subject on a route.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Notified {
    /// Of an experiment; `None`: that it is ok.
    Experiment(Stub, Option<NotifiedExperiment>),
    /// Of an alert; `None`: that it has ended.
    Alert(Alert, Option<NotifiedAlert>),
    /// When an experiment became unusable of late: as notified, and while it is unsteady as
    /// observed. Empty: nothing is counted any more.
    Unsteady(Stub, Vec<Timestamp>),
    /// The pending closing notification of an experiment; `None`: there is none.
    Closing(Stub, Option<Closing>),
    /// When it was last notified of anything.
    ReminderState(ReminderState),
}

/// The pending closing notification of an experiment that is no longer watched although it was
/// notified as bad.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Closing {
    /// The last notified state; `None` where an older labwatch did not store it.
    #[serde(rename = "heard", default)]
    pub last_notified: Option<NotifiedExperiment>,
    /// The health that was last notified.
    pub health: Health,
    /// Since when it had it.
    pub since: Timestamp,
    /// When it was forgotten.
    pub ended: Timestamp,
}

/// The last notification of an experiment.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct NotifiedExperiment {
    /// The notified state.
    pub known: Known,
    /// Its mail thread; `None` where an older labwatch stored none.
    pub thread: Option<MailThread>,
}

/// The last notification of an alert.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
pub struct NotifiedAlert {
    /// Since when it was active.
    pub since: Timestamp,
    /// Its mail thread; `None` where an older labwatch stored none.
    pub thread: Option<MailThread>,
}
