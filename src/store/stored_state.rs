//! The stored state that a restart needs, read in one go. Only reads, and finds the newest rows by
//! index, so that years of history cost nothing.

use std::collections::BTreeMap;
use std::path::PathBuf;

use jiff::Timestamp;
use rusqlite::{Connection, OptionalExtension};
use serde_json::Value;

use super::gap::{Gap, gap_between};
use super::rows::{self, latest_events};
use super::{bookings, text};
use engine::model::Stub;
use engine::{History, State, StateKey, StateValue};

/// The state that is restored at the start.
#[derive(Debug, Clone, PartialEq, Default)]
pub struct StoredState {
    /// The origin of the file.
    pub origin: Origin,
    /// The engine's durable state.
    pub state: State,
    /// History that the engine shows: of each experiment its latest events, and the bookings that
    /// have not ended.
    pub history: History,
    /// Small state of other parts, and entries of a later version.
    pub keep: BTreeMap<String, Value>,
    /// The time for which labwatch was off, where it was longer than two heartbeats.
    pub gap: Option<Gap>,
    /// How many rows were invalid and left out.
    pub unreadable: u64,
}

/// The origin of the database file.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub enum Origin {
    /// There was none: this is the first start on this folder.
    #[default]
    New,
    /// It was found and read.
    Found,
    /// The file was broken. It was moved aside, and a new one is begun.
    BegunAnew {
        /// The new place of the broken file.
        aside: PathBuf,
        /// Its problem.
        why: String,
    },
    /// It was read, but the disk accepts no writes now.
    ReadOnly {
        /// Why not.
        why: String,
    },
    /// It cannot be read now. Nothing is restored.
    Unavailable {
        /// Why not.
        why: String,
    },
}

/// Reads everything; of each experiment the last `ring` events, at least one.
pub(super) fn load(
    from: &Connection,
    ring: usize,
    now: Timestamp,
) -> rusqlite::Result<StoredState> {
    let mut stored = StoredState {
        origin: Origin::Found,
        ..StoredState::default()
    };
    state(from, &mut stored)?;
    let stubs: Vec<Stub> = stored.state.keys().filter_map(stub_of).cloned().collect();
    for stub in stubs {
        let events = latest_events(from, &stub, ring.max(1), &mut stored.unreadable)?;
        if !events.is_empty() {
            stored.history.events.insert(stub, events);
        }
    }
    stored.history.bookings = rows::all(
        from,
        bookings::STANDING,
        [text::millis(now)],
        |row| bookings::read(row).map(|(booked, _)| booked),
        &mut stored.unreadable,
    )?;
    let alive: Option<i64> = from
        .query_row("SELECT at FROM alive", [], |row| row.get(0))
        .optional()?;
    stored.gap = alive
        .and_then(text::time)
        .and_then(|last| gap_between(last, now));
    Ok(stored)
}

/// Entries whose key the engine knows are its own. One that cannot be read stays in the table and
/// is left out: then more is notified, not less.
fn state(from: &Connection, stored: &mut StoredState) -> rusqlite::Result<()> {
    let mut statement = from.prepare("SELECT key, value FROM state")?;
    let mut rows = statement.query([])?;
    while let Some(row) = rows.next()? {
        let (key, value) = (row.get_ref(0)?.as_str()?, row.get_ref(1)?.as_str()?);
        match key.parse::<StateKey>() {
            Ok(known) => match serde_json::from_str::<StateValue>(value) {
                Ok(value) => drop(stored.state.insert(known, value)),
                Err(error) => {
                    tracing::warn!(key, %error, "a state cannot be read and is left out");
                    stored.unreadable += 1;
                }
            },
            Err(_) => match serde_json::from_str(value) {
                Ok(value) => drop(stored.keep.insert(key.to_owned(), value)),
                Err(_) => stored.unreadable += 1,
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
