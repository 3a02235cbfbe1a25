//! The commands of maintainers, in one closed list, and their answers. Decides nothing.

use std::fmt;

use jiff::Timestamp;
use serde::{Deserialize, Serialize};

use crate::groups::bookings::Affected;
use crate::model::{NamePattern, ResourceName, Stub};
use crate::suppressions::{Schedule, SuppressionId};

/// A command of a maintainer.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Command {
    /// Acknowledges that this is bad: it is not notified until it is ok again or gets worse.
    Acknowledge {
        /// What is bad. Of several experiments, those that are bad now.
        scope: Scope,
        /// What is done about it.
        text: String,
        /// When it ends at the latest.
        until: Option<Timestamp>,
    },
    /// Takes acknowledgements back.
    Unacknowledge {
        /// Of what.
        scope: Scope,
    },
    /// Silences these experiments for a while.
    Silence {
        /// Which experiments.
        pattern: NamePattern,
        /// When it ends.
        until: Timestamp,
        /// Why.
        reason: String,
    },
    /// Plans maintenance windows of these experiments.
    Maintain {
        /// Which experiments.
        pattern: NamePattern,
        /// When.
        schedule: Schedule,
        /// Why.
        reason: String,
    },
    /// Ends an acknowledgement, a silence or a maintenance window before its time.
    Remove {
        /// Its number.
        id: SuppressionId,
    },
    /// Holds a resource in book: it cannot be booked until an operator releases it. Students read
    /// the reason.
    Hold {
        /// The resource.
        resource: ResourceName,
        /// Why, in the operator's own words.
        reason: String,
    },
    /// Opens or closes a category. Book is not changed by closing one.
    Category {
        /// The category.
        name: String,
        /// Whether to open it.
        open: bool,
        /// Why: one line.
        reason: String,
    },
    /// Releases a manual hold: labwatch evaluates the resource again.
    Enable {
        /// The resource.
        resource: ResourceName,
    },
}

/// The scope of an acknowledgement.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Scope {
    /// Experiments by their names.
    Experiments(NamePattern),
    /// The experiments of a pool, by its name.
    Pool(String),
    /// A part whose health is reported, by its name: `relay`, `jump`, `book`, or another.
    Component(String),
    /// The whole laboratory.
    Installation,
}

/// A command, and who gave it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Order {
    /// What is to be done.
    pub command: Command,
    /// Who gave it, by the name of their token.
    pub by: String,
}

/// The manual override of a resource in book, until book confirms it.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum ManualOverride {
    /// Hold it, for this reason.
    Hold(String),
    /// Release it.
    Enable,
}

/// The effect of a command, known before it is given.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct Impact {
    /// The effect as text, for the person who is about to give the command.
    pub text: String,
    /// The affected experiments, sorted. Empty where it is about none, or about the whole
    /// laboratory.
    pub stubs: Vec<Stub>,
    /// The bookings that cannot start because of it, or can again (hold and enable).
    pub affected: Option<Affected>,
}

/// The answer to a command that was carried out.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Receipt {
    /// The numbers of the suppressions that were made or ended.
    pub ids: Vec<SuppressionId>,
    /// Its effect.
    pub effect: Impact,
    /// Whether it survives a restart: false while the store cannot be written.
    pub kept: bool,
}

impl fmt::Display for Scope {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Experiments(pattern) => f.write_str(pattern.as_str()),
            Self::Pool(name) => write!(f, "pool {name}"),
            Self::Component(name) => write!(f, "component {name}"),
            Self::Installation => f.write_str("the whole laboratory"),
        }
    }
}

impl fmt::Display for Command {
    /// The command as text for the audit.
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Acknowledge {
                scope,
                text,
                until: None,
            } => write!(f, "acknowledge {scope}: {text}"),
            Self::Acknowledge {
                scope,
                text,
                until: Some(until),
            } => write!(f, "acknowledge {scope} until {until}: {text}"),
            Self::Unacknowledge { scope } => write!(f, "end the acknowledgement of {scope}"),
            Self::Silence {
                pattern,
                until,
                reason,
            } => write!(f, "silence {} until {until}: {reason}", pattern.as_str()),
            Self::Maintain {
                pattern,
                schedule,
                reason,
            } => write!(f, "maintain {} {schedule}: {reason}", pattern.as_str()),
            Self::Remove { id } => write!(f, "end number {id}"),
            Self::Hold { resource, reason } => write!(f, "hold {resource}: {reason}"),
            Self::Category { name, open, reason } => {
                let verb = if *open { "open" } else { "close" };
                write!(f, "{verb} the category {name}: {reason}")
            }
            Self::Enable { resource } => write!(f, "enable {resource}"),
        }
    }
}
