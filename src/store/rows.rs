//! The rows of the history for readers, and how each is read from its table.

use std::sync::Arc;
use std::time::Duration;

use jiff::Timestamp;
use rusqlite::{Connection, Row};
use serde_json::Value;

use super::entry::{Note, NoteKind};
use super::gap::{Gap, GapCause};
use super::text::{self, EventTexts, Names};
use engine::Event;
use engine::model::{Private, ResourceName, SourceHealth, SourceName, Stub};

/// A time range, its end not included.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Range {
    /// Its beginning.
    pub from: Timestamp,
    /// Its end.
    pub until: Timestamp,
}

/// A place in a list that goes from new to old.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Cursor {
    /// The time of the row.
    pub at: Timestamp,
    /// The number of the row.
    pub id: i64,
}

/// A page of events, newest first.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct EventPage {
    /// The events.
    pub events: Vec<StoredEvent>,
    /// Where the next page begins; `None` when this is the last.
    pub next: Option<Cursor>,
}

/// An event of the history.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct StoredEvent {
    /// Its number, which grows with each recorded event.
    pub id: i64,
    /// The event.
    pub event: Event,
}

/// A switch of the history.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct SwitchRow {
    /// When it was decided.
    pub at: Timestamp,
    /// The resource.
    pub resource: ResourceName,
    /// Its experiment.
    pub stub: Stub,
    /// The availability to set; `None` when only the outcome was recorded.
    pub available: Option<bool>,
    /// The reason that was written into book.
    pub reason: String,
    /// `confirmed`, `held`, `gone` or `failed`; `None` when it is not known.
    pub outcome: Option<String>,
    /// Book's message.
    pub note: Option<Private<String>>,
    /// How long it took.
    pub took: Option<Duration>,
}

/// A change of a source.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct SourceRow {
    /// When.
    pub at: Timestamp,
    /// Which.
    pub source: SourceName,
    /// Its health from then on.
    pub health: SourceHealth,
    /// Its problem.
    pub note: Private<String>,
}

pub(super) const SWITCH_COLUMNS: &str =
    "at, resource, stub, available, reason, outcome, note, took";

pub(super) fn switch(row: &Row<'_>) -> rusqlite::Result<Option<SwitchRow>> {
    let took: Option<i64> = row.get(7)?;
    let (available, reason, outcome) = (row.get(3)?, row.get(4)?, row.get(5)?);
    let note = row.get::<_, Option<String>>(6)?.map(Private::new);
    let took = took
        .and_then(|millis| u64::try_from(millis).ok())
        .map(Duration::from_millis);
    let resource = ResourceName::try_new(row.get_ref(1)?.as_str()?).ok();
    let stub = Stub::try_new(row.get_ref(2)?.as_str()?).ok();
    let parts = time(row, 0)?.zip(resource).zip(stub);
    Ok(parts.map(|((at, resource), stub)| SwitchRow {
        at,
        resource,
        stub,
        available,
        reason,
        outcome,
        note,
        took,
    }))
}

pub(super) fn source(row: &Row<'_>) -> rusqlite::Result<Option<SourceRow>> {
    let source = SourceName::named(row.get_ref(1)?.as_str()?);
    let health = text::source_health(row.get_ref(2)?.as_str()?);
    let note = Private::new(row.get(3)?);
    let parts = time(row, 0)?.zip(source).zip(health);
    Ok(parts.map(|((at, source), health)| SourceRow {
        at,
        source,
        health,
        note,
    }))
}

pub(super) fn gap(row: &Row<'_>) -> rusqlite::Result<Option<Gap>> {
    let why = row.get_ref(2)?.as_str()?;
    let why = GapCause::ALL
        .into_iter()
        .find(|known| known.as_str() == why);
    let parts = time(row, 0)?.zip(time(row, 1)?).zip(why);
    Ok(parts.map(|((since, until), why)| Gap { since, until, why }))
}

/// A manual hold of a resource in book.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Hold {
    /// The resource.
    pub resource: ResourceName,
    /// The operator's reason.
    pub reason: String,
    /// Its beginning.
    pub since: Timestamp,
    /// Its end; `None` while it lasts.
    pub until: Option<Timestamp>,
}

/// Columns of an event in the order in which [`event`] reads them.
pub(super) const EVENT_COLUMNS: &str = "at, health, was, issues, jump, streams, why, id";

/// Reads the columns [`EVENT_COLUMNS`].
pub(super) fn event(row: &Row<'_>, names: &mut Names) -> rusqlite::Result<Option<Event>> {
    let column = |at| row.get_ref(at).and_then(|value| Ok(value.as_str()?));
    let texts = EventTexts {
        at: row.get(0)?,
        health: column(1)?,
        was: column(2)?,
        issues: column(3)?,
        jump: column(4)?,
        streams: column(5)?,
        why: column(6)?,
    };
    Ok(text::event(texts, names))
}

/// A mandatory time column.
pub(super) fn time(row: &Row<'_>, column: usize) -> rusqlite::Result<Option<Timestamp>> {
    row.get(column).map(text::time)
}

/// A hold, from resource, reason, since and until.
pub(super) fn hold(row: &Row<'_>) -> rusqlite::Result<Option<Hold>> {
    let until: Option<i64> = row.get(3)?;
    let resource = ResourceName::try_new(row.get_ref(0)?.as_str()?).ok();
    let (reason, until) = (row.get(1)?, until.and_then(text::time));
    Ok(resource.zip(time(row, 2)?).map(|(resource, since)| Hold {
        resource,
        reason,
        since,
        until,
    }))
}

/// The latest events of an experiment, oldest first.
pub(super) fn latest_events(
    from: &Connection,
    stub: &Stub,
    most: usize,
    unreadable: &mut u64,
) -> rusqlite::Result<Vec<Arc<Event>>> {
    let sql =
        format!("SELECT {EVENT_COLUMNS} FROM events WHERE stub = ?1 ORDER BY id DESC LIMIT ?2");
    let mut newest = from.prepare_cached(&sql)?;
    let (mut names, mut events) = (Names::default(), Vec::new());
    let mut found = newest.query((stub.as_str(), i64::try_from(most).unwrap_or(i64::MAX)))?;
    while let Some(row) = found.next()? {
        match event(row, &mut names)? {
            Some(event) => events.push(Arc::new(event)),
            None => *unreadable += 1,
        }
    }
    events.reverse();
    Ok(events)
}

pub(super) fn note(row: &Row<'_>) -> rusqlite::Result<Option<Note>> {
    let kind = row.get_ref(1)?.as_str()?;
    let kind = NoteKind::ALL
        .into_iter()
        .find(|known| known.as_str() == kind);
    let until: Option<i64> = row.get(3)?;
    let id = row.get(0)?;
    let parts = kind.zip(time(row, 2)?).zip(value(row, 4)?);
    Ok(parts.map(|((kind, created), content)| Note {
        id,
        kind,
        created,
        until: until.and_then(text::time),
        content,
    }))
}

fn value(row: &Row<'_>, column: usize) -> rusqlite::Result<Option<Value>> {
    Ok(serde_json::from_str(row.get_ref(column)?.as_str()?).ok())
}
