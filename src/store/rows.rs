//! The rows of the history as readers get them, and how each is read from its table.

use std::time::Duration;

use engine::Event;
use engine::model::{Private, ResourceName, SourceHealth, SourceName, Stub};
use jiff::Timestamp;
use rusqlite::Row;

use super::memory::{self, Gap, GapCause};
use super::text;

/// A time, its end not included.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Range {
    /// From when.
    pub from: Timestamp,
    /// Until when.
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

/// A part of a list of events, newest first.
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
    /// Its number, which grows with each event that is kept.
    pub id: i64,
    /// What it says.
    pub event: Event,
}

/// A switch of the history.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct SwitchRow {
    /// When it was decided.
    pub at: Timestamp,
    /// The resource.
    pub resource: ResourceName,
    /// The experiment that it is.
    pub stub: Stub,
    /// What it was to be; `None` when only the outcome was kept.
    pub available: Option<bool>,
    /// The reason that was written into book.
    pub reason: String,
    /// `confirmed`, `held`, `gone` or `failed`; `None` when it is not known.
    pub outcome: Option<String>,
    /// What book said.
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
    /// How it was from then on.
    pub health: SourceHealth,
    /// What was wrong.
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
    let parts = memory::time(row, 0)?.zip(resource).zip(stub);
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
    let parts = memory::time(row, 0)?.zip(source).zip(health);
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
    let parts = memory::time(row, 0)?.zip(memory::time(row, 1)?).zip(why);
    Ok(parts.map(|((since, until), why)| Gap { since, until, why }))
}
