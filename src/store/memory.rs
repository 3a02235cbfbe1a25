//! What a restart needs to know, read in one go. It only reads, and asks indexes for the newest of everything, so that years of history cost nothing.

use std::collections::BTreeMap;
use std::path::PathBuf;
use std::sync::Arc;
use std::time::Duration;

use jiff::{SignedDuration, Timestamp};
use rusqlite::{CachedStatement, Connection, OptionalExtension, Row};
use serde_json::Value;

use super::entry::{Note, NoteKind, Notified, Outgoing};
use super::error::ReadError;
use super::read::Reader;
use super::text::{self, EventTexts, Names};
use super::{bookings, file};
use engine::model::{ResourceName, Stub};
use engine::{Booked, Event};

impl Reader {
    /// What stands under a key of the small state.
    ///
    /// # Errors
    /// [`ReadError`].
    pub async fn kept(&self, key: &str) -> Result<Option<Value>, ReadError> {
        let key = key.to_owned();
        let look = move |from: &Connection| {
            let mut statement = from.prepare_cached("SELECT value FROM keep WHERE key = ?1")?;
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
    /// Every experiment that is known, and not new.
    pub experiments: BTreeMap<Stub, Remembered>,
    /// What each recipient last heard, sorted by route and subject.
    pub notified: Vec<Notified>,
    /// What is still to be sent, or was refused and is still owed, oldest first, with the number of attempts so far.
    pub outbox: Vec<Pending>,
    /// The number for the next thing that is to be sent.
    pub next_outgoing: u64,
    /// Acknowledgements, silences and windows that have not ended, sorted by id. Those whose time is over are among them until they are ended.
    pub notes: Vec<Note>,
    /// The highest number of any of them, those that have ended among them; 0 when there was none.
    pub last_note: u64,
    /// Resources that people hold, as far as was known, sorted by name.
    pub holds: Vec<Hold>,
    /// Bookings that have not ended, as far as they were known.
    pub bookings: Vec<Booked>,
    /// Small state of any kind.
    pub keep: BTreeMap<String, Value>,
    /// The time for which we were off, where it was longer than two heartbeats.
    pub gap: Option<Gap>,
    /// How many rows made no sense and were left out.
    pub unreadable: u64,
}

/// Where the memory comes from.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub enum Origin {
    /// There was none: this is the first start on this folder.
    #[default]
    New,
    /// It was read as it should be.
    Found,
    /// The file was broken. It was moved aside, and the memory begins anew.
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

/// What is remembered of an experiment.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Remembered {
    /// When it was first seen.
    pub first_seen: Timestamp,
    /// Its latest events, oldest first: its ring, and with the last one how it was.
    pub events: Vec<Arc<Event>>,
}

/// Something that is still to be sent.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Pending {
    /// What.
    pub outgoing: Outgoing,
    /// How often it was tried.
    pub attempts: u32,
    /// Why it last failed.
    pub last_error: Option<String>,
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
    memory.experiments = experiments(from, ring.max(1), &mut memory.unreadable)?;
    memory.notified = rows(
        from,
        "SELECT route, subject, value FROM told ORDER BY route, subject",
        notified,
        &mut memory.unreadable,
    )?;
    memory.outbox = rows(from, OUTBOX, pending, &mut memory.unreadable)?;
    memory.notes = rows(from, NOTES, note, &mut memory.unreadable)?;
    memory.last_note = from.query_row(
        "SELECT coalesce(max(CAST(id AS INTEGER)), 0) FROM notes",
        [],
        file::unsigned,
    )?;
    memory.holds = rows(from, HOLDS, hold, &mut memory.unreadable)?;
    memory.bookings = standing(from, now, &mut memory.unreadable)?;
    memory.keep = rows(
        from,
        "SELECT key, value FROM keep",
        pair,
        &mut memory.unreadable,
    )?
    .into_iter()
    .collect();
    memory.next_outgoing = from.query_row(
        "SELECT coalesce(max(id), 0) + 1 FROM outbox",
        [],
        file::unsigned,
    )?;
    let alive: Option<i64> = from
        .query_row("SELECT at FROM alive", [], |row| row.get(0))
        .optional()?;
    memory.gap = alive
        .and_then(text::time)
        .and_then(|last| gap_between(last, now));
    Ok(memory)
}

const OUTBOX: &str = "SELECT id, route, created, content, attempts, last_error FROM outbox WHERE state IN ('pending', 'refused') ORDER BY id";
const NOTES: &str =
    "SELECT id, kind, created, until, content FROM notes WHERE ended IS NULL ORDER BY id";
const HOLDS: &str =
    "SELECT resource, reason, since, until FROM holds WHERE until IS NULL ORDER BY resource";

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

fn experiments(
    from: &Connection,
    ring: usize,
    unreadable: &mut u64,
) -> rusqlite::Result<BTreeMap<Stub, Remembered>> {
    let known = rows(
        from,
        "SELECT stub, first_seen FROM experiments",
        known,
        unreadable,
    )?;
    let sql =
        format!("SELECT {EVENT_COLUMNS} FROM events WHERE stub = ?1 ORDER BY id DESC LIMIT ?2");
    let mut newest = from.prepare_cached(&sql)?;
    let mut all = BTreeMap::new();
    for (stub, first_seen) in known {
        let events = ring_of(&mut newest, &stub, ring, unreadable)?;
        all.insert(stub, Remembered { first_seen, events });
    }
    Ok(all)
}

fn ring_of(
    newest: &mut CachedStatement<'_>,
    stub: &Stub,
    ring: usize,
    unreadable: &mut u64,
) -> rusqlite::Result<Vec<Arc<Event>>> {
    let (mut names, mut events) = (Names::default(), Vec::new());
    let mut found = newest.query((stub.as_str(), i64::try_from(ring).unwrap_or(i64::MAX)))?;
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

/// Every row that makes sense.
fn rows<T>(
    from: &Connection,
    sql: &str,
    read: fn(&Row<'_>) -> rusqlite::Result<Option<T>>,
    unreadable: &mut u64,
) -> rusqlite::Result<Vec<T>> {
    let mut statement = from.prepare(sql)?;
    let mut found = statement.query([])?;
    let mut all = Vec::new();
    while let Some(row) = found.next()? {
        match read(row)? {
            Some(read) => all.push(read),
            None => *unreadable += 1,
        }
    }
    Ok(all)
}

fn known(row: &Row<'_>) -> rusqlite::Result<Option<(Stub, Timestamp)>> {
    Ok(Stub::try_new(row.get_ref(0)?.as_str()?)
        .ok()
        .zip(time(row, 1)?))
}

fn notified(row: &Row<'_>) -> rusqlite::Result<Option<Notified>> {
    let (route, subject) = (row.get(0)?, row.get(1)?);
    Ok(value(row, 2)?.map(|value| Notified {
        route,
        subject,
        value,
    }))
}

fn pending(row: &Row<'_>) -> rusqlite::Result<Option<Pending>> {
    let (route, attempts, last_error) = (row.get(1)?, row.get(4)?, row.get(5)?);
    let parts = time(row, 2)?.zip(value(row, 3)?);
    let id = file::unsigned(row)?;
    Ok(parts.map(|(created, content)| Pending {
        outgoing: Outgoing {
            id,
            route,
            created,
            content,
        },
        attempts,
        last_error,
    }))
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

fn pair(row: &Row<'_>) -> rusqlite::Result<Option<(String, Value)>> {
    let key = row.get(0)?;
    Ok(value(row, 1)?.map(|value| (key, value)))
}

fn value(row: &Row<'_>, column: usize) -> rusqlite::Result<Option<Value>> {
    Ok(serde_json::from_str(row.get_ref(column)?.as_str()?).ok())
}
