//! Text forms of domain values in the tables, and their parsers. Unreadable text gives `None`: a
//! table can be edited by hand.

use std::borrow::Cow;
use std::collections::BTreeSet;

use jiff::Timestamp;
use serde::{Deserialize, Serialize};

use engine::model::{
    Health, JumpHealth, PageFault, PageName, SourceHealth, SourceName, StreamHealth, Topic,
};
use engine::{Event, Issue, Why};

const STREAM_HEALTHS: [StreamHealth; 4] = [
    StreamHealth::Unknown,
    StreamHealth::Active,
    StreamHealth::Silent,
    StreamHealth::Missing,
];
const JUMP_HEALTHS: [JumpHealth; 3] = [JumpHealth::Unknown, JumpHealth::Up, JumpHealth::Lost];
const SOURCE_HEALTHS: [SourceHealth; 4] = [
    SourceHealth::Starting,
    SourceHealth::Live,
    SourceHealth::Late,
    SourceHealth::Down,
];

/// An issue in the table: `{"required":["pend00-st-data","missing"]}`, `"jump lost"`.
#[derive(Debug, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
enum IssueText<'a> {
    #[serde(borrow)]
    Required(Pair<'a>),
    #[serde(rename = "relay outage")]
    RelayOutage,
    #[serde(rename = "jump lost")]
    JumpLost,
    #[serde(borrow)]
    Other(Pair<'a>),
    #[serde(rename = "no page")]
    NoPage,
    Page(PageName, PageFault),
}

/// A stream and its health: `["pend00-st-data","active"]`.
#[derive(Debug, Serialize, Deserialize)]
struct Pair<'a>(#[serde(borrow)] Cow<'a, str>, #[serde(borrow)] Cow<'a, str>);

impl<'a> Pair<'a> {
    fn new(topic: &'a Topic, health: StreamHealth) -> Self {
        Self(
            Cow::Borrowed(topic.as_str()),
            Cow::Borrowed(health.as_str()),
        )
    }

    fn read(&self, names: &mut Names) -> Option<(Topic, StreamHealth)> {
        Some((
            names.topic(&self.0)?,
            STREAM_HEALTHS
                .into_iter()
                .find(|health| health.as_str() == self.1)?,
        ))
    }
}

/// Cache of names, so that a thousand events of one experiment share them.
#[derive(Debug, Default)]
pub(super) struct Names(BTreeSet<Topic>);

impl Names {
    fn topic(&mut self, text: &str) -> Option<Topic> {
        if let Some(known) = self.0.get(text) {
            return Some(known.clone());
        }
        let topic = Topic::try_new(text).ok()?;
        self.0.insert(topic.clone());
        Some(topic)
    }
}

/// The columns of an event that are texts, borrowed from a row.
#[derive(Debug, Clone, Copy)]
pub(super) struct EventTexts<'a> {
    pub(super) at: i64,
    pub(super) health: &'a str,
    pub(super) was: &'a str,
    pub(super) issues: &'a str,
    pub(super) jump: &'a str,
    pub(super) streams: &'a str,
    pub(super) why: &'a str,
}

/// Reads an event back.
pub(super) fn event(texts: EventTexts<'_>, names: &mut Names) -> Option<Event> {
    Some(Event {
        when: time(texts.at)?,
        health: health(texts.health)?,
        was: health(texts.was)?,
        issues: issues(texts.issues, names)?,
        jump: jump(texts.jump)?,
        streams: streams(texts.streams, names)?,
        why: why(texts.why)?,
    })
}

/// Milliseconds since 1970.
pub(super) fn millis(at: Timestamp) -> i64 {
    at.as_millisecond()
}

/// Milliseconds since 1970, read back.
pub(super) fn time(millis: i64) -> Option<Timestamp> {
    Timestamp::from_millisecond(millis).ok()
}

pub(super) fn issues_text(issues: &[Issue]) -> Result<String, serde_json::Error> {
    let texts: Vec<_> = issues
        .iter()
        .map(|issue| match issue {
            Issue::Required(topic, health) => IssueText::Required(Pair::new(topic, *health)),
            Issue::RelayOutage => IssueText::RelayOutage,
            Issue::JumpLost => IssueText::JumpLost,
            Issue::NoPage => IssueText::NoPage,
            Issue::Page(page, fault) => IssueText::Page(page.clone(), *fault),
            Issue::Other(topic, health) => IssueText::Other(Pair::new(topic, *health)),
        })
        .collect();
    serde_json::to_string(&texts)
}

pub(super) fn streams_text(streams: &[(Topic, StreamHealth)]) -> Result<String, serde_json::Error> {
    let texts: Vec<_> = streams
        .iter()
        .map(|(topic, health)| Pair::new(topic, *health))
        .collect();
    serde_json::to_string(&texts)
}

pub(super) fn why_text(why: Why) -> String {
    match why {
        Why::FirstEvaluated => "first judged".to_owned(),
        Why::Observed => "observed".to_owned(),
        Why::Manifest => "manifest".to_owned(),
        Why::SourceDown(source) => format!("source down: {source}"),
        Why::SourceBack(source) => format!("source back: {source}"),
        Why::Outage(source) => format!("outage: {source}"),
        Why::Flaps => "flaps".to_owned(),
        Why::Steady => "steady".to_owned(),
        Why::Rules => "rules".to_owned(),
        Why::Page => "page".to_owned(),
    }
}

pub(super) fn health(text: &str) -> Option<Health> {
    Health::ALL
        .into_iter()
        .find(|health| health.as_str() == text)
}

pub(super) fn source_health(text: &str) -> Option<SourceHealth> {
    SOURCE_HEALTHS
        .into_iter()
        .find(|health| health.as_str() == text)
}

pub(super) fn jump(text: &str) -> Option<JumpHealth> {
    JUMP_HEALTHS
        .into_iter()
        .find(|health| health.as_str() == text)
}

pub(super) fn issues(text: &str, names: &mut Names) -> Option<Vec<Issue>> {
    let texts: Vec<IssueText<'_>> = serde_json::from_str(text).ok()?;
    let read = texts.into_iter().map(|text| match text {
        IssueText::Required(pair) => pair
            .read(names)
            .map(|(topic, health)| Issue::Required(topic, health)),
        IssueText::RelayOutage => Some(Issue::RelayOutage),
        IssueText::JumpLost => Some(Issue::JumpLost),
        IssueText::NoPage => Some(Issue::NoPage),
        IssueText::Page(page, fault) => Some(Issue::Page(page, fault)),
        IssueText::Other(pair) => pair
            .read(names)
            .map(|(topic, health)| Issue::Other(topic, health)),
    });
    read.collect()
}

fn streams(text: &str, names: &mut Names) -> Option<Vec<(Topic, StreamHealth)>> {
    let texts: Vec<Pair<'_>> = serde_json::from_str(text).ok()?;
    texts.into_iter().map(|pair| pair.read(names)).collect()
}

fn why(text: &str) -> Option<Why> {
    let of = |prefix: &str| text.strip_prefix(prefix).and_then(SourceName::named);
    match text {
        "first judged" => Some(Why::FirstEvaluated),
        "observed" => Some(Why::Observed),
        "manifest" => Some(Why::Manifest),
        "flaps" => Some(Why::Flaps),
        "steady" => Some(Why::Steady),
        "rules" => Some(Why::Rules),
        "page" => Some(Why::Page),
        _ => None
            .or_else(|| of("source down: ").map(Why::SourceDown))
            .or_else(|| of("source back: ").map(Why::SourceBack))
            .or_else(|| of("outage: ").map(Why::Outage)),
    }
}

/// A count or an id that is never below zero.
pub(super) fn unsigned(row: &rusqlite::Row<'_>) -> rusqlite::Result<u64> {
    row.get::<_, i64>(0)
        .map(|number| u64::try_from(number).unwrap_or(0))
}
