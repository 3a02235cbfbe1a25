//! What a restart needs to know, read in one go. It only reads, and asks indexes for the newest of everything, so that years of history cost nothing.

use std::collections::BTreeMap;
use std::path::PathBuf;
use std::sync::Arc;
use std::time::Duration;

use jiff::{SignedDuration, Timestamp};
use rusqlite::{Connection, OptionalExtension, Row};
use serde_json::Value;

use super::bookings;
use super::entry::{Note, NoteKind};
use super::error::ReadError;
use super::read::Reader;
use super::text::{self, EventTexts, Names};
use engine::model::{ResourceName, Stub};
use engine::{Booked, Event, History, State, StateKey, StateValue};

impl Reader {
    /// What stands under a key of the small state.
    ///
    /// # Errors
    /// [`ReadError`].
    pub async fn kept(&self, key: &str) -> Result<Option<Value>, ReadError> {
        let key = key.to_owned();
        let look = move |from: &Connection| {
            let mut statement = from.prepare_cached("SELECT value FROM state WHERE key = ?1")?;
            statement
                .query_row([key], |row| row.get::<_, String>(0))
                .optional()
        };
        Ok(self
            .ask(look)
            .await?
            .and_then(|text| serde_json::from_str(&text).ok()))
    }
}

/// How often it is noted that labwatch runs.
pub const HEARTBEAT: Duration = Duration::from_secs(60);

/// Two heartbeats that are further apart than this have a gap between them.
const GAP_AFTER: SignedDuration = SignedDuration::from_secs(120);

/// What is remembered at the start.
#[derive(Debug, Clone, PartialEq, Default)]
pub struct Memory {
    /// Where it comes from.
    pub origin: Origin,
    /// The engine's durable state.
    pub state: State,
    /// What the engine shows of the time before: of each experiment its latest events, and the bookings that have not ended.
    pub history: History,
    /// Small state of other parts, and what a later version has left.
    pub keep: BTreeMap<String, Value>,
    /// The time for which we were off, where it was longer than two heartbeats.
    pub gap: Option<Gap>,
    /// How many rows made no sense and were left out.
    pub unreadable: u64,
}

/// Where the store comes from.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub enum Origin {
    /// There was none: this is the first start on this folder.
    #[default]
    New,
    /// It was read as it should be.
    Found,
    /// The file was broken. It was moved aside, and the store begins anew.
    BegunAnew {
        /// Where the broken file is.
        aside: PathBuf,
        /// What was wrong with it.
        why: String,
    },
    /// It was read, but the disk takes nothing now.
    ReadOnly {
        /// Why not.
        why: String,
    },
    /// It cannot be read now. Nothing is remembered.
    Unavailable {
        /// Why not.
        why: String,
    },
}

/// A resource that a person withdrew in book.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Hold {
    /// The resource.
    pub resource: ResourceName,
    /// The reason that the person gave.
    pub reason: String,
    /// Since when.
    pub since: Timestamp,
    /// Until when; `None` while it lasts.
    pub until: Option<Timestamp>,
}

/// A time in which nothing was kept.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Gap {
    /// From when.
    pub since: Timestamp,
    /// Until when.
    pub until: Timestamp,
    /// Why.
    pub why: GapCause,
}

impl Gap {
    /// The part of it that is past: what lies ahead was noted by a clock that was wrong. `None` when all of it does.
    pub(super) fn up_to(self, now: Timestamp) -> Option<Self> {
        (self.since < now).then(|| Self {
            until: self.until.min(now),
            ..self
        })
    }
}

/// Why nothing was kept.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub enum GapCause {
    /// labwatch did not run, or its machine slept.
    Off,
    /// The disk took nothing for so long that entries were lost.
    Lost,
}

impl GapCause {
    /// Both of them.
    pub const ALL: [Self; 2] = [Self::Off, Self::Lost];

    /// The word for it.
    #[must_use]
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Off => "off",
            Self::Lost => "lost",
        }
    }
}

/// The gap between two heartbeats, if there is one. A clock that was set back leaves none.
pub(super) fn gap_between(since: Timestamp, until: Timestamp) -> Option<Gap> {
    (until.duration_since(since) > GAP_AFTER).then_some(Gap {
        since,
        until,
        why: GapCause::Off,
    })
}

/// Reads everything; of each experiment the last `ring` events, at least one.
pub(super) fn load(from: &Connection, ring: usize, now: Timestamp) -> rusqlite::Result<Memory> {
    let mut memory = Memory {
        origin: Origin::Found,
        ..Memory::default()
    };
    state(from, &mut memory)?;
    let stubs: Vec<Stub> = memory.state.keys().filter_map(stub_of).cloned().collect();
    for stub in stubs {
        let events = latest_events(from, &stub, ring.max(1), &mut memory.unreadable)?;
        if !events.is_empty() {
            memory.history.events.insert(stub, events);
        }
    }
    memory.history.bookings = standing(from, now, &mut memory.unreadable)?;
    let alive: Option<i64> = from
        .query_row("SELECT at FROM alive", [], |row| row.get(0))
        .optional()?;
    memory.gap = alive
        .and_then(text::time)
        .and_then(|last| gap_between(last, now));
    Ok(memory)
}

/// Entries whose key the engine knows are its own. One that it cannot read stays in the table and is left out: then more is notified, not
/// less.
fn state(from: &Connection, memory: &mut Memory) -> rusqlite::Result<()> {
    let mut statement = from.prepare("SELECT key, value FROM state")?;
    let mut rows = statement.query([])?;
    while let Some(row) = rows.next()? {
        let (key, value) = (row.get_ref(0)?.as_str()?, row.get_ref(1)?.as_str()?);
        match key.parse::<StateKey>() {
            Ok(known) => match serde_json::from_str::<StateValue>(value) {
                Ok(value) => drop(memory.state.insert(known, value)),
                Err(error) => {
                    tracing::warn!(key, %error, "a state cannot be read and is left out");
                    memory.unreadable += 1;
                }
            },
            Err(_) => match serde_json::from_str(value) {
                Ok(value) => drop(memory.keep.insert(key.to_owned(), value)),
                Err(_) => memory.unreadable += 1,
            },
        }
    }
    Ok(())
}

fn stub_of(key: &StateKey) -> Option<&Stub> {
    if let StateKey::Experiment(stub) = key {
        Some(stub)
    } else {
        None
    }
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

/// A time column that must be there.
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

fn standing(
    from: &Connection,
    now: Timestamp,
    unreadable: &mut u64,
) -> rusqlite::Result<Vec<Booked>> {
    let mut statement = from.prepare(bookings::STANDING)?;
    let mut found = statement.query([text::millis(now)])?;
    let mut all = Vec::new();
    while let Some(row) = found.next()? {
        match bookings::read(row)? {
            Some((booked, _)) => all.push(booked),
            None => *unreadable += 1,
        }
    }
    Ok(all)
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
