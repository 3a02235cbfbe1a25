//! What the engine asks for, in the words of a person who reads along. Changes nothing and keeps nothing.

use std::time::Duration;

use jiff::Timestamp;
use serde::Serialize;

use engine::model::{
    Availability, Bookable, Health, ResourceName, RouteName, SourceHealth, SourceName, Stub,
    Visibility, format_duration,
};
use engine::{
    Action, AlertLine, Channel, Counts, Ended, Ending, Event, Line, ManifestChange, Occasion,
    Record, Summary, Switch, SwitchOutcome,
};

/// How the time of something is written.
pub type Clock<'a> = &'a dyn Fn(Timestamp) -> String;

/// What a line is about.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Serialize)]
#[serde(rename_all = "lowercase")]
pub enum Kind {
    /// What was done to the laboratory, as the recording tells it.
    Did,
    /// An experiment's health changed.
    Health,
    /// An availability is switched, or could not be.
    Switch,
    /// A person holds a resource, or lets it go.
    Hold,
    /// A source's health, or that of all of them together, changed.
    Source,
    /// Book's manifest changed.
    Manifest,
    /// A summary is sent, or could not be.
    Mail,
    /// Whether listening to streams works, changed.
    Sampling,
    /// A maintainer gives a command, or what one kept quiet ends.
    Command,
    /// A source is asked for a report, or its connection is given up.
    Ask,
    /// A stream is listened to.
    Sample,
}

impl Kind {
    /// The word for it.
    #[must_use]
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
        }
    }
}

/// Something that is told.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct Notified {
    /// When it was.
    pub at: Timestamp,
    /// What it is about.
    pub kind: Kind,
    /// It, in one line.
    pub text: String,
    /// What belongs to it: the lines of a mail.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    pub lines: Vec<String>,
}

/// An action in words. `None` where another action says the same: a record before its effect, and an effect that came out as wished.
#[must_use]
pub fn tell(action: &Action, at: Timestamp, clock: Clock<'_>) -> Option<Notified> {
    let (kind, text) = match action {
        Action::Record(record) => recorded(record)?,
        Action::Switch(switch) => (Kind::Switch, switching(switch)),
        Action::Tell(summary) => {
            return Some(Notified {
                at,
                kind: Kind::Mail,
                text: subject(summary),
                lines: mail_lines(summary, clock),
            });
        }
        Action::Ask(SourceName::Book) => (Kind::Ask, "poll book".to_owned()),
        Action::Ask(name) => (Kind::Ask, format!("ask {name} for a report")),
        Action::Reconnect(name) => (
            Kind::Ask,
            format!("give up the connection to {name} and make a new one"),
        ),
        Action::Sample(sample) => (
            Kind::Sample,
            format!(
                "listen to {} for {}",
                sample.topic,
                format_duration(sample.listen)
            ),
        ),
    };
    Some(Notified {
        at,
        kind,
        text,
        lines: Vec::new(),
    })
}

#[expect(clippy::too_many_lines, reason = "one flat text for each record")]
fn recorded(record: &Record) -> Option<(Kind, String)> {
    Some(match record {
        Record::Event { stub, event } => (Kind::Health, happened(stub, event)),
        Record::Switching(_)
        | Record::Telling(_)
        | Record::Delivered {
            outcome: Ok(()), ..
        }
        | Record::Seen(_)
        | Record::Forgotten(_)
        | Record::Notified { .. }
        | Record::RouteGone(_)
        | Record::Bookings(_)
        | Record::Pools(_)
        | Record::Wished { .. }
        | Record::Suppression { .. } => return None,
        Record::Commanded { order, .. } => {
            (Kind::Command, format!("{}: {}", order.by, order.command))
        }
        Record::QuietEnded(ended) => (Kind::Command, quiet_ended(ended)),
        Record::Switched {
            resource, outcome, ..
        } => (Kind::Switch, switched(resource, outcome)?),
        Record::Source {
            name, health, said, ..
        } => (
            Kind::Source,
            source(
                *name,
                *health,
                said.show(Visibility::MAINTAINER).map_or("", String::as_str),
            ),
        ),
        Record::Hold {
            resource,
            reason: Some(reason),
        } => (
            Kind::Hold,
            format!("{resource} is held by a person: \"{reason}\""),
        ),
        Record::Hold {
            resource,
            reason: None,
        } => (Kind::Hold, format!("the hold on {resource} is gone")),
        Record::Manifest(change) => (Kind::Manifest, manifest(change)),
        Record::Blind(true) => (
            Kind::Source,
            "all sources are silent: we are blind, and switch nothing".to_owned(),
        ),
        Record::Blind(false) => (Kind::Source, "we hear from the laboratory again".to_owned()),
        Record::Delivered {
            id,
            outcome: Err(fault),
        } => (
            Kind::Mail,
            format!(
                "#{id} not sent: {}{}",
                fault.fault.words(Visibility::MAINTAINER),
                if fault.permanent { " (for good)" } else { "" }
            ),
        ),
        Record::Sampling {
            streams,
            round,
            keeps_up,
            failures,
        } => {
            let how = if *keeps_up {
                "keeps up"
            } else {
                "does not keep up"
            };
            let round = format_duration(*round);
            (
                Kind::Sampling,
                format!(
                    "listening {how}: {streams} streams, a round takes {round}, {failures} failures in a row"
                ),
            )
        }
    })
}

fn happened(stub: &Stub, event: &Event) -> String {
    let issues: Vec<String> = event.issues.iter().map(ToString::to_string).collect();
    let what = if issues.is_empty() {
        String::new()
    } else {
        format!(": {}", issues.join(", "))
    };
    format!(
        "{stub} {} → {}{what} ({})",
        event.was, event.health, event.why
    )
}

fn quiet_ended(ended: &Ended) -> String {
    let how = match &ended.ending {
        Ending::Expired => "its time is over".to_owned(),
        Ending::Recovered => "it is well again".to_owned(),
        Ending::Worse => "it got worse".to_owned(),
        Ending::Gone => "it is forgotten".to_owned(),
        Ending::Removed { who } => format!("{who} ended it"),
    };
    format!(
        "the {} of {} ends: {how}",
        ended.entry.noun(),
        ended.entry.about()
    )
}

fn switching(switch: &Switch) -> String {
    let said = Availability {
        available: switch.available,
        reason: switch.reason.clone(),
    };
    let verb = match said.bookable() {
        Bookable::Yes => "give back",
        Bookable::Held => "hold",
        Bookable::Withdrawn => "withdraw",
    };
    format!("{verb} {}: \"{}\"", switch.resource, switch.reason)
}

fn switched(resource: &ResourceName, outcome: &SwitchOutcome) -> Option<String> {
    match outcome {
        SwitchOutcome::Confirmed(_) => None,
        SwitchOutcome::Held(Availability { reason, .. }) => Some(format!(
            "{resource} left alone, a person holds it: \"{reason}\""
        )),
        SwitchOutcome::Gone => Some(format!("{resource} not switched: book does not know it")),
        SwitchOutcome::Failed(fault) => Some(format!(
            "{resource} not switched: {}",
            fault.words(Visibility::MAINTAINER)
        )),
    }
}

fn source(name: SourceName, health: SourceHealth, note: &str) -> String {
    if note.is_empty() {
        format!("{name} is {health}")
    } else {
        format!("{name} is {health}: {note}")
    }
}

fn manifest(change: &ManifestChange) -> String {
    match change {
        ManifestChange::Lost => "book gives an empty manifest: what was known is kept".to_owned(),
        ManifestChange::Back => "book has a manifest again".to_owned(),
        ManifestChange::Changed { added, removed } => {
            let parts = [("new in book", added), ("gone from book", removed)];
            let notified = parts
                .iter()
                .filter(|(_, names)| !names.is_empty())
                .map(|(what, names)| format!("{what}: {}", list(names)));
            notified.collect::<Vec<_>>().join("; ")
        }
    }
}

fn list(names: &[ResourceName]) -> String {
    names
        .iter()
        .map(ToString::to_string)
        .collect::<Vec<_>>()
        .join(", ")
}

fn subject(summary: &Summary) -> String {
    let new_alerts = summary.alerts.iter().filter(|alert| alert.new).count();
    let counts = summary.counts;
    let route = if summary.route == RouteName::everybody() {
        String::new()
    } else {
        format!(" to {}", summary.route)
    };
    let channel = if summary.channel == Channel::Mail {
        ""
    } else {
        " (webhook)"
    };
    let occasion = match summary.occasion {
        Occasion::News => "",
        Occasion::Reminder => " reminder:",
        Occasion::Digest => " digest:",
    };
    format!(
        "#{}{route}{channel}:{occasion} {} new, {} open, {} alerts of which {new_alerts} new; {} experiments: {} ok, {} degraded, {}{} down, {} unknown",
        summary.id,
        summary.news.len(),
        summary.problems.len(),
        summary.alerts.len(),
        counts.total,
        counts.ok,
        counts.degraded,
        flapping(counts),
        counts.down,
        counts.unknown,
    )
}

/// Words only for what is rare: most laboratories have no experiment that flaps.
fn flapping(counts: Counts) -> String {
    if counts.flapping == 0 {
        String::new()
    } else {
        format!("{} flapping, ", counts.flapping)
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
            format!(" (told: {notified})")
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

/// To the tenth of a second, as nobody reads more of it.
fn rounded(duration: Duration) -> String {
    let tenths = u64::try_from((duration.as_millis() + 50) / 100).unwrap_or(u64::MAX);
    format_duration(Duration::from_millis(tenths.saturating_mul(100)))
}
