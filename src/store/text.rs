//! Text forms of domain values in the tables, and their parsers. Unreadable text gives `None`: a
//! table can be edited by hand.

use std::collections::BTreeSet;

use jiff::Timestamp;
use serde::de::value::{Error, StrDeserializer};
use serde::de::{DeserializeOwned, IntoDeserializer as _};
use serde::{Deserialize, Serialize};

use engine::model::{PageFault, PageName, SourceName, StreamHealth, Topic};
use engine::{Issue, Why};

/// An issue in the table: `{"required":["pend00-st-data","missing"]}`, `"jump lost"`.
#[derive(Serialize, Deserialize)]
#[serde(remote = "Issue", rename_all = "lowercase")]
enum IssueText {
    Required(Topic, StreamHealth),
    #[serde(rename = "relay outage")]
    RelayOutage,
    #[serde(rename = "jump lost")]
    JumpLost,
    Other(Topic, StreamHealth),
    #[serde(rename = "no page")]
    NoPage,
    Page(PageName, PageFault),
}

#[derive(Serialize)]
struct WrittenIssue<'a>(#[serde(with = "IssueText")] &'a Issue);

#[derive(Deserialize)]
struct ReadIssue(#[serde(with = "IssueText")] Issue);

/// Cache of names, so that a thousand events of one experiment share them.
#[derive(Debug, Default)]
pub(super) struct Names(BTreeSet<Topic>);

impl Names {
    fn share(&mut self, topic: &mut Topic) {
        match self.0.get(topic) {
            Some(known) => *topic = known.clone(),
            None => drop(self.0.insert(topic.clone())),
        }
    }
}

/// A name, or a value of an enum by its word.
pub(super) fn word<T: DeserializeOwned>(text: &str) -> Option<T> {
    let text: StrDeserializer<'_, Error> = text.into_deserializer();
    T::deserialize(text).ok()
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
    serde_json::to_string(&issues.iter().map(WrittenIssue).collect::<Vec<_>>())
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

pub(super) fn issues(text: &str, names: &mut Names) -> Option<Vec<Issue>> {
    let mut read: Vec<ReadIssue> = serde_json::from_str(text).ok()?;
    for ReadIssue(issue) in &mut read {
        if let Issue::Required(topic, _) | Issue::Other(topic, _) = issue {
            names.share(topic);
        }
    }
    Some(read.into_iter().map(|ReadIssue(issue)| issue).collect())
}

pub(super) fn streams(text: &str, names: &mut Names) -> Option<Vec<(Topic, StreamHealth)>> {
    let mut read: Vec<(Topic, StreamHealth)> = serde_json::from_str(text).ok()?;
    for (topic, _) in &mut read {
        names.share(topic);
    }
    Some(read)
}

pub(super) fn why(text: &str) -> Option<Why> {
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
