//! Suppressions as plain data, for the store and the API. Decides nothing.

use std::fmt;

use jiff::{SignedDuration, Timestamp};
use serde::{Deserialize, Serialize};

use super::window::{Occurrence, Schedule};
use crate::model::words::words;
use crate::model::{Health, NamePattern, Stub};

/// The number of an entry. None is assigned twice.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(transparent)]
pub struct SuppressionId(pub u64);

impl fmt::Display for SuppressionId {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.0.fmt(f)
    }
}

/// The subject of an acknowledgement.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum Subject {
    /// An experiment, as bad as it was then.
    Experiment(Stub),
    /// A part whose health is reported, by its name: a source, mail, an outside service.
    Component(String),
    /// The whole laboratory, as when it is moved today.
    Installation,
}

impl fmt::Display for Subject {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Experiment(stub) => stub.fmt(f),
            Self::Component(name) => name.fmt(f),
            Self::Installation => f.write_str("the whole laboratory"),
        }
    }
}

/// An acknowledgement: a maintainer knows that this is bad.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Acknowledgement {
    /// What is bad.
    pub subject: Subject,
    /// How bad it was then: what gets worse is not acknowledged by this. [`Health::Down`] for
    /// subjects other than experiments.
    pub health: Health,
    /// Who acknowledged it.
    pub who: String,
    /// What is done about it.
    pub text: String,
    /// When it was acknowledged.
    pub since: Timestamp,
    /// When it ends at the latest; `None`: when it is ok again.
    pub until: Option<Timestamp>,
}

/// A silence: these experiments are not notified for a while.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Silence {
    /// Which experiments.
    pub pattern: NamePattern,
    /// Who made it.
    pub who: String,
    /// Why.
    pub reason: String,
    /// When it was created. It takes effect from then on.
    pub since: Timestamp,
    /// When it ends.
    pub until: Timestamp,
}

/// A silence that was made later than this after now was made by a clock that was ahead: it holds
/// when that time comes.
const FAR: SignedDuration = SignedDuration::from_hours(3 * 24);

impl Silence {
    /// Whether it holds at this time.
    pub fn holds(&self, at: Timestamp) -> bool {
        self.begins() <= at && at < self.until
    }

    /// When it begins and ends.
    pub(super) fn changes(&self) -> [Timestamp; 2] {
        [self.begins(), self.until]
    }

    fn begins(&self) -> Timestamp {
        self.since.checked_sub(FAR).unwrap_or(self.since)
    }
}

/// A maintenance window: these experiments are worked on at certain times.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Maintenance {
    /// Which experiments.
    pub pattern: NamePattern,
    /// Who works.
    pub who: String,
    /// Why.
    pub reason: String,
    /// When it was planned.
    pub since: Timestamp,
    /// When the window is open.
    pub schedule: Schedule,
}

/// Any suppression.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum SuppressionEntry {
    /// Of one thing that is bad.
    Acknowledgement(Acknowledgement),
    /// Of experiments by a pattern, for a while.
    Silence(Silence),
    /// Of experiments by a pattern, at certain times.
    Maintenance(Maintenance),
}

impl SuppressionEntry {
    /// Which of them it is.
    pub fn kind(&self) -> SuppressionKind {
        match self {
            Self::Acknowledgement(_) => SuppressionKind::Acknowledged,
            Self::Silence(_) => SuppressionKind::Silenced,
            Self::Maintenance(_) => SuppressionKind::Maintenance,
        }
    }

    /// What it is called: `acknowledgement`, `silence`, `maintenance`.
    pub fn noun(&self) -> &'static str {
        match self {
            Self::Acknowledgement(_) => "acknowledgement",
            Self::Silence(_) => "silence",
            Self::Maintenance(_) => "maintenance",
        }
    }

    /// Its subject: a name, a pattern of names, or all.
    pub fn about(&self) -> String {
        match self {
            Self::Acknowledgement(acknowledgement) => acknowledgement.subject.to_string(),
            Self::Silence(Silence { pattern, .. })
            | Self::Maintenance(Maintenance { pattern, .. }) => pattern.as_str().to_owned(),
        }
    }

    /// Who made it.
    pub fn who(&self) -> &str {
        match self {
            Self::Acknowledgement(acknowledgement) => &acknowledgement.who,
            Self::Silence(silence) => &silence.who,
            Self::Maintenance(maintenance) => &maintenance.who,
        }
    }

    /// What they said.
    pub fn text(&self) -> &str {
        match self {
            Self::Acknowledgement(acknowledgement) => &acknowledgement.text,
            Self::Silence(silence) => &silence.reason,
            Self::Maintenance(maintenance) => &maintenance.reason,
        }
    }

    /// When it was made.
    pub fn since(&self) -> Timestamp {
        match self {
            Self::Acknowledgement(acknowledgement) => acknowledgement.since,
            Self::Silence(silence) => silence.since,
            Self::Maintenance(maintenance) => maintenance.since,
        }
    }

    /// When it is over for good by itself; `None` where time alone does not end it.
    pub fn over_at(&self) -> Option<Timestamp> {
        match self {
            Self::Acknowledgement(acknowledgement) => acknowledgement.until,
            Self::Silence(silence) => Some(silence.until),
            Self::Maintenance(maintenance) => maintenance.schedule.over_at(),
        }
    }
}

/// A kind of suppression.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum SuppressionKind {
    /// By an acknowledgement.
    Acknowledged,
    /// By a silence.
    Silenced,
    /// By a maintenance window.
    Maintenance,
}

words!(SuppressionKind { Acknowledged => "acknowledged", Silenced => "silenced", Maintenance => "maintenance" });

/// Why notifications about a subject are suppressed.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Suppression {
    /// The number of the suppression; `None` for maintenance windows of the configuration.
    pub id: Option<SuppressionId>,
    /// Its kind.
    pub kind: SuppressionKind,
    /// Who made it.
    pub by: String,
    /// Its reason, or what is done about the subject.
    pub text: String,
    /// When it ends; `None`: when the subject is ok again.
    pub until: Option<Timestamp>,
}

/// The view of a suppression, active or planned.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct NoteView {
    /// Its number, by which it can be ended; `None` for entries of the configuration.
    pub id: Option<SuppressionId>,
    /// What it is.
    pub entry: SuppressionEntry,
    /// Whether it is active now.
    pub active: bool,
    /// When a maintenance window is or will be open next; `None` for other kinds.
    pub next: Option<Occurrence>,
    /// When it was last open; `None` for other kinds, and when it never was.
    pub last: Option<Occurrence>,
}

/// The end of a suppression, for the records and the maintainer who forgot it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Ended {
    /// Its number.
    pub id: SuppressionId,
    /// What it was.
    pub entry: SuppressionEntry,
    /// When it ended, which may be before it was noticed.
    pub at: Timestamp,
    /// How.
    pub ending: Ending,
}

impl Ended {
    /// What ended at `at` by this ending or, where its own time was over before, by that.
    pub(super) fn of(
        id: SuppressionId,
        entry: SuppressionEntry,
        ending: Ending,
        at: Timestamp,
    ) -> Self {
        let (at, ending) = match entry.over_at().filter(|end| *end <= at) {
            Some(end) => (end, Ending::Expired),
            None => (at, ending),
        };
        Self {
            id,
            entry,
            at,
            ending,
        }
    }
}

/// How a suppression ended.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum Ending {
    /// Its time was over.
    Expired,
    /// Its subject is ok again.
    Recovered,
    /// The experiment got worse than what was acknowledged.
    Worse,
    /// The experiment no longer exists.
    Gone,
    /// A maintainer ended it.
    Removed {
        /// Who.
        who: String,
    },
}

impl fmt::Display for Ended {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(
            f,
            "the {} of {} ends: ",
            self.entry.noun(),
            self.entry.about()
        )?;
        match &self.ending {
            Ending::Expired => f.write_str("its time is over"),
            Ending::Recovered => f.write_str("it is well again"),
            Ending::Worse => f.write_str("it got worse"),
            Ending::Gone => f.write_str("it is forgotten"),
            Ending::Removed { who } => write!(f, "{who} ended it"),
        }
    }
}
