//! Records and effects of the engine as lines of text. Changes nothing and keeps nothing.

use std::time::Duration;

use jiff::Timestamp;
use serde::Serialize;

use engine::model::{Bookable, Health, Visibility, format_duration};
use engine::{AlertLine, Effect, Line, Record, Summary, SwitchOutcome};

/// How a time is written.
pub type Clock<'a> = &'a dyn Fn(Timestamp) -> String;

/// The subject of a line.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Serialize)]
#[serde(rename_all = "lowercase")]
pub enum Kind {
    /// A fault was injected, as the recording says.
    Did,
    /// An experiment's health changed.
    Health,
    /// An availability is switched, or could not be.
    Switch,
    /// A resource is held, or released.
    Hold,
    /// A source's health, or that of all of them together, changed.
    Source,
    /// Book's manifest changed.
    Manifest,
    /// A summary is sent, or could not be.
    Mail,
    /// Sampling began or ceased to work.
    Sampling,
    /// A maintainer gives a command, or a suppression ends.
    Command,
    /// A source is asked for a report, or its connection is given up.
    Ask,
    /// A stream is sampled.
    Sample,
    /// A page that students open fails, works again, or is checked.
    Page,
}

impl Kind {
    /// The subject of a record. `None` for what another record says already, and for bookkeeping.
    pub fn of(record: &Record) -> Option<Self> {
        Some(match record {
            Record::Event { .. } => Kind::Health,
            Record::Switched {
                outcome: SwitchOutcome::Confirmed(_),
                ..
            }
            | Record::Seen(_)
            | Record::Forgotten(_)
            | Record::Notified { .. }
            | Record::RouteGone(_)
            | Record::Bookings(_)
            | Record::Pools(_)
            | Record::Superseded(_)
            | Record::Lane { .. }
            | Record::Waiting { .. }
            | Record::Requested { .. }
            | Record::Suppression { .. } => return None,
            Record::Switching(_) | Record::Switched { .. } => Kind::Switch,
            Record::Commanded { .. } | Record::Category { .. } | Record::SuppressionEnded(_) => {
                Kind::Command
            }
            Record::Source { .. } | Record::Blind(_) | Record::SecondLook { .. } => Kind::Source,
            Record::Hold { .. } => Kind::Hold,
            Record::Manifest(_) => Kind::Manifest,
            Record::Delivered {
                outcome: Ok(delivered),
                ..
            } if delivered.unreached.is_empty() => return None,
            Record::Notifying(_) | Record::Retrying { .. } | Record::Delivered { .. } => Kind::Mail,
            Record::Sampling { .. } => Kind::Sampling,
            Record::Page { .. } => Kind::Page,
        })
    }

    /// The word for it.
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Did => "did",
            Self::Health => "health",
            Self::Switch => "switch",
            Self::Hold => "hold",
            Self::Source => "source",
            Self::Manifest => "manifest",
            Self::Mail => "mail",
            Self::Sampling => "sampling",
            Self::Command => "command",
            Self::Ask => "ask",
            Self::Sample => "sample",
            Self::Page => "page",
        }
    }
}

/// A line of a replay's output.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct Notified {
    /// When it happened.
    pub at: Timestamp,
    /// Its subject.
    pub kind: Kind,
    /// The text.
    pub text: String,
    /// Further lines: those of a mail.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    pub lines: Vec<String>,
}

impl Notified {
    /// A record as a line of a replay. `None` for what another line says already, and for
    /// bookkeeping.
    pub fn of_record(record: &Record, at: Timestamp, clock: Clock<'_>) -> Option<Self> {
        let lines = if let Record::Notifying(summary) = record {
            mail_lines(summary, clock)
        } else {
            Vec::new()
        };
        Some(Self {
            at,
            kind: Kind::of(record)?,
            text: record.words(Visibility::MAINTAINER),
            lines,
        })
    }

    /// An effect as a line of a replay. `None` for those that a record announces.
    pub fn of_effect(effect: &Effect, at: Timestamp) -> Option<Self> {
        let kind = match effect {
            Effect::Switch(_) | Effect::Notify(_) | Effect::CheckPage(_) => return None,
            Effect::Ask(_) | Effect::Reconnect(_) => Kind::Ask,
            Effect::Sample(_) => Kind::Sample,
        };
        Some(Self {
            at,
            kind,
            text: effect.to_string(),
            lines: Vec::new(),
        })
    }
}

fn mail_lines(summary: &Summary, clock: Clock<'_>) -> Vec<String> {
    let news = summary
        .news
        .iter()
        .map(|line| format!("new:   {}", line_words(line, clock)));
    let problems = summary
        .problems
        .iter()
        .map(|line| format!("open:  {}", line_words(line, clock)));
    let alerts = summary.alerts.iter().map(|alert| alert_words(alert, clock));
    alerts.chain(news).chain(problems).collect()
}

fn line_words(line: &Line, clock: Clock<'_>) -> String {
    let bookable = match line.bookable {
        Some(Bookable::Yes) => ", bookable",
        Some(Bookable::Withdrawn) => ", withdrawn",
        Some(Bookable::Held) => ", held by a person",
        None => "",
    };
    let unlisted = if line.listed { "" } else { ", not in book" };
    let issues: Vec<String> = line.issues.iter().map(ToString::to_string).collect();
    let issues = if issues.is_empty() {
        String::new()
    } else {
        format!(": {}", issues.join(", "))
    };
    let how = match (line.health, line.lasted) {
        (Health::Ok, Some(lasted)) => format!("ok again after {}", rounded(lasted)),
        (Health::Ok, None) => "ok".to_owned(),
        (health, _) => format!("{health} since {}", clock(line.since)),
    };
    let notified = match line.notified {
        notified if notified.is_bad() && notified != line.health && line.health != Health::Ok => {
            format!(" (notified: {notified})")
        }
        Health::Unknown | Health::Ok | Health::Degraded | Health::Flapping | Health::Down => {
            String::new()
        }
    };
    format!("{} {how}{bookable}{unlisted}{issues}{notified}", line.stub)
}

fn alert_words(alert: &AlertLine, clock: Clock<'_>) -> String {
    let new = if alert.new { "alert (new):" } else { "alert:" };
    match alert.ended {
        Some(lasted) => format!(
            "{new} {} after {} (from {})",
            alert.text,
            rounded(lasted),
            clock(alert.since)
        ),
        None => format!("{new} {} (since {})", alert.text, clock(alert.since)),
    }
}

/// Rounded to a tenth of a second: more is not read.
fn rounded(duration: Duration) -> String {
    let tenths = u64::try_from((duration.as_millis() + 50) / 100).unwrap_or(u64::MAX);
    format_duration(Duration::from_millis(tenths.saturating_mul(100)))
}
