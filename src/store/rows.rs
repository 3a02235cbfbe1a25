//! The rows of the history for readers, and how each is read from its table.

use std::sync::Arc;
use std::time::Duration;

use jiff::Timestamp;
use rusqlite::types::Type;
use rusqlite::{Connection, Error, Params, Row};
use serde::de::DeserializeOwned;

use super::gap::Gap;
use super::text::{self, Names};
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

pub(super) fn switch(row: &Row<'_>) -> rusqlite::Result<SwitchRow> {
    let took: Option<i64> = row.get(7)?;
    Ok(SwitchRow {
        at: time(row, 0)?,
        resource: word(row, 1)?,
        stub: word(row, 2)?,
        available: row.get(3)?,
        reason: row.get(4)?,
        outcome: row.get(5)?,
        note: row.get::<_, Option<String>>(6)?.map(Private::new),
        took: took
            .and_then(|millis| u64::try_from(millis).ok())
            .map(Duration::from_millis),
    })
}

pub(super) fn source(row: &Row<'_>) -> rusqlite::Result<SourceRow> {
    Ok(SourceRow {
        at: time(row, 0)?,
        source: word(row, 1)?,
        health: word(row, 2)?,
        note: Private::new(row.get(3)?),
    })
}

pub(super) fn gap(row: &Row<'_>) -> rusqlite::Result<Gap> {
    Ok(Gap {
        since: time(row, 0)?,
        until: time(row, 1)?,
        why: word(row, 2)?,
    })
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
pub(super) fn event(row: &Row<'_>, names: &mut Names) -> rusqlite::Result<Event> {
    Ok(Event {
        when: time(row, 0)?,
        health: word(row, 1)?,
        was: word(row, 2)?,
        issues: column(row, 3, |text| text::issues(text, names))?,
        jump: word(row, 4)?,
        streams: column(row, 5, |text| text::streams(text, names))?,
        why: column(row, 6, text::why)?,
    })
}

/// A text column, as `read` understands it.
///
/// # Errors
/// Where it makes no sense, one that [`readable`] takes for that.
pub(super) fn column<T>(
    row: &Row<'_>,
    column: usize,
    read: impl FnOnce(&str) -> Option<T>,
) -> rusqlite::Result<T> {
    read(row.get_ref(column)?.as_str()?).ok_or_else(|| odd(column))
}

/// A column with a name or a word.
pub(super) fn word<T: DeserializeOwned>(row: &Row<'_>, column: usize) -> rusqlite::Result<T> {
    self::column(row, column, text::word)
}

/// A column with JSON.
pub(super) fn json<T: DeserializeOwned>(row: &Row<'_>, column: usize) -> rusqlite::Result<T> {
    self::column(row, column, |text| serde_json::from_str(text).ok())
}

/// A mandatory time column.
pub(super) fn time(row: &Row<'_>, column: usize) -> rusqlite::Result<Timestamp> {
    text::time(row.get(column)?).ok_or_else(|| odd(column))
}

/// A time column that may be empty.
pub(super) fn time_if_any(row: &Row<'_>, column: usize) -> rusqlite::Result<Option<Timestamp>> {
    Ok(row.get::<_, Option<i64>>(column)?.and_then(text::time))
}

fn odd(column: usize) -> Error {
    Error::FromSqlConversionFailure(column, Type::Text, "it makes no sense".into())
}

/// What was read of a row; `None` where the row makes no sense.
pub(super) fn readable<T>(read: rusqlite::Result<T>) -> rusqlite::Result<Option<T>> {
    match read {
        Err(Error::FromSqlConversionFailure(..)) => Ok(None),
        read => read.map(Some),
    }
}

/// Every row that makes sense. The others are counted.
pub(super) fn all<T>(
    from: &Connection,
    sql: &str,
    values: impl Params,
    mut read: impl FnMut(&Row<'_>) -> rusqlite::Result<T>,
    unreadable: &mut u64,
) -> rusqlite::Result<Vec<T>> {
    let mut statement = from.prepare_cached(sql)?;
    let mut found = statement.query(values)?;
    let mut all = Vec::new();
    while let Some(row) = found.next()? {
        match readable(read(row))? {
            Some(row) => all.push(row),
            None => *unreadable += 1,
        }
    }
    Ok(all)
}

/// A hold, from resource, reason, since and until.
pub(super) fn hold(row: &Row<'_>) -> rusqlite::Result<Hold> {
    Ok(Hold {
        resource: word(row, 0)?,
        reason: row.get(1)?,
        since: time(row, 2)?,
        until: time_if_any(row, 3)?,
    })
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
    let values = (stub.as_str(), i64::try_from(most).unwrap_or(i64::MAX));
    let mut names = Names::default();
    let read = |row: &Row<'_>| event(row, &mut names).map(Arc::new);
    let mut events = all(from, &sql, values, read, unreadable)?;
    events.reverse();
    Ok(events)
}
