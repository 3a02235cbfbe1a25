//! What a restart needs to know, read in one go. It only reads, and asks indexes for the newest of
//! everything, so that years of history cost nothing.

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

/// What is remembered at the start.
#[derive(Debug, Clone, PartialEq, Default)]
pub struct Memory {
    /// Where it comes from.
    pub origin: Origin,
    /// The engine's durable state.
    pub state: State,
    /// What the engine shows of the time before: of each experiment its latest events, and the
    /// bookings that have not ended.
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
    memory.history.bookings = rows::all(
        from,
        bookings::STANDING,
        [text::millis(now)],
        |row| bookings::read(row).map(|(booked, _)| booked),
        &mut memory.unreadable,
    )?;
    let alive: Option<i64> = from
        .query_row("SELECT at FROM alive", [], |row| row.get(0))
        .optional()?;
    memory.gap = alive
        .and_then(text::time)
        .and_then(|last| gap_between(last, now));
    Ok(memory)
}

/// Entries whose key the engine knows are its own. One that it cannot read stays in the table and
/// is left out: then more is notified, not less.
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
