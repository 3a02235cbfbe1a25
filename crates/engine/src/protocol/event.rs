//! An event: an immutable record of a change of an experiment's health.

use std::fmt;

use jiff::Timestamp;
use serde::{Deserialize, Serialize};

use crate::model::{Health, JumpHealth, PageFault, PageName, SourceName, StreamHealth, Topic};

/// A change of an experiment's health, causes or remote login, as it was at that moment.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Event {
    /// When it was decided.
    pub when: Timestamp,
    /// The health from then on.
    pub health: Health,
    /// The health until then.
    pub was: Health,
    /// What is wrong, most important first. Empty when nothing is.
    pub issues: Vec<Issue>,
    /// The remote login at that moment.
    pub jump: JumpHealth,
    /// Every stream of the experiment at that moment, sorted by topic.
    pub streams: Vec<(Topic, StreamHealth)>,
    /// What led to the decision.
    pub why: Why,
}

impl fmt::Display for Event {
    /// The change, the issues, and the cause; without the experiment's name.
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{} → {}", self.was, self.health)?;
        let issues: Vec<String> = self.issues.iter().map(ToString::to_string).collect();
        if !issues.is_empty() {
            write!(f, ": {}", issues.join(", "))?;
        }
        write!(f, " ({})", self.why)
    }
}

/// What led to an event.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Why {
    /// The start-up grace is over: this is the first evaluation.
    #[serde(rename = "first_judged")]
    FirstEvaluated,
    /// Its streams or its remote login changed.
    Observed,
    /// Book's manifest changed its requirements.
    Manifest,
    /// A source went down, and with it the experiment's observations.
    SourceDown(SourceName),
    /// A source reports again, and the experiment is evaluated again.
    SourceBack(SourceName),
    /// A source has reported nothing for `HEALTH_OUTAGE_HOLD`: no student can use the experiment.
    Outage(SourceName),
    /// It changes too often for each change to count.
    Flaps,
    /// It has been stable for long enough to be evaluated by its observations again.
    Steady,
    /// The rules by which it is evaluated changed.
    Rules,
    /// A page on which students open it fails, or works again.
    Page,
}

impl fmt::Display for Why {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::FirstEvaluated => write!(f, "first evaluated, its start-up grace is over"),
            Self::Observed => write!(f, "its streams or its remote login changed"),
            Self::Manifest => write!(f, "book's manifest changed"),
            Self::SourceDown(source) => {
                write!(f, "{source} reports nothing, so it is not evaluated")
            }
            Self::SourceBack(source) => write!(f, "{source} reports again"),
            Self::Outage(source) => write!(
                f,
                "{source} has reported nothing for too long, so no student can use it"
            ),
            Self::Flaps => write!(f, "it comes and goes too often"),
            Self::Steady => write!(f, "it has stopped coming and going"),
            Self::Rules => write!(f, "the rules were changed"),
            Self::Page => write!(f, "a page that students open was checked"),
        }
    }
}

/// One thing that is wrong with an experiment.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
pub enum Issue {
    /// A stream that the experiment must have is silent or missing.
    Required(Topic, StreamHealth),
    /// Relay has reported nothing for `HEALTH_OUTAGE_HOLD`, so the required streams count as lost.
    RelayOutage,
    /// No page that students open works, and `UI_CHECK` requires one.
    NoPage,
    /// The remote login is lost.
    JumpLost,
    /// A stream that is not required is silent or missing.
    Other(Topic, StreamHealth),
    /// A page on which students open it fails.
    Page(PageName, PageFault),
}

impl Issue {
    /// The failing page, and how it fails, if it is a page.
    pub fn page(&self) -> Option<(&PageName, PageFault)> {
        match self {
            Self::Page(page, fault) => Some((page, *fault)),
            Self::Required(..)
            | Self::RelayOutage
            | Self::NoPage
            | Self::JumpLost
            | Self::Other(..) => None,
        }
    }

    /// The issue in the codes of the program that labwatch replaces: `missing jump`, `missing
    /// required <topic>`, `unhealthy <topic>`; codes that it did not have follow the same form.
    pub fn code(&self) -> String {
        match self {
            Self::Required(topic, StreamHealth::Missing) => format!("missing required {topic}"),
            Self::Required(topic, _) | Self::Other(topic, _) => format!("unhealthy {topic}"),
            Self::RelayOutage => "relay outage".to_owned(),
            Self::JumpLost => "missing jump".to_owned(),
            Self::NoPage => "missing required page".to_owned(),
            Self::Page(page, _) => format!("unhealthy page {page}"),
        }
    }
}

impl fmt::Display for Issue {
    /// The issue as text.
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Required(topic, StreamHealth::Silent) => {
                write!(f, "{topic} is connected but sends nothing")
            }
            Self::Required(topic, health) => write!(f, "{topic} is {health}"),
            Self::RelayOutage => write!(f, "relay has been silent for too long"),
            Self::JumpLost => write!(f, "remote login is lost"),
            Self::Other(topic, health) => write!(f, "{topic} is {health} (not required)"),
            Self::NoPage => write!(f, "no page that students open works"),
            Self::Page(page, fault) => write!(f, "the page that students open {fault}: {page}"),
        }
    }
}
