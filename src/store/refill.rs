//! The content for a file that is begun anew while labwatch runs: losing the file loses the
//! history, not the current state.

use std::collections::{BTreeMap, VecDeque};
use std::sync::Arc;

use jiff::Timestamp;
use rusqlite::{Connection, params};
use serde_json::Value;

use super::entry::{Entry, OutboxState};
use super::file::{Database, Failure};
use super::statement::{self, WriteFault};
use super::stored_state::StoredState;
use super::text;
use super::write;
use engine::model::Gather as _;
use engine::model::{ResourceName, Stub};
use engine::{
    Booked, BookingChange, Event, OutboxEntry, Record, State, StateKey, StateValue,
    SuppressionEntry,
};

/// A copy of the state beside the file. It follows the writes, and only the writing thread uses it.
#[derive(Debug, Default)]
pub(super) struct Refill {
    state: State,
    keep: BTreeMap<String, Value>,
    /// The bookings that are not over, by their identity.
    bookings: BTreeMap<(ResourceName, Timestamp, Timestamp), Booked>,
    /// The latest events of each experiment, oldest first.
    events: BTreeMap<Stub, VecDeque<Arc<Event>>>,
    /// How many of them are kept.
    ring: usize,
}

impl Refill {
    /// The state that was read at the start, with the last `ring` events of each experiment.
    pub(super) fn of(stored: &StoredState, ring: usize) -> Self {
        let events = stored.history.events.iter();
        let bookings = stored.history.bookings.iter();
        Self {
            state: stored.state.clone(),
            keep: stored.keep.clone(),
            bookings: bookings
                .map(|booked| (alike(booked), booked.clone()))
                .gather(),
            events: events
                .map(|(stub, events)| (stub.clone(), events.iter().cloned().collect()))
                .collect(),
            ring,
        }
    }

    /// Applies an entry that was written.
    pub(super) fn note(&mut self, entry: Entry) {
        match entry {
            Entry::State(change) => change.apply(&mut self.state),
            Entry::Keep {
                key,
                value: Some(value),
            } => drop(self.keep.insert(key, value)),
            Entry::Keep { key, value: None } => drop(self.keep.remove(&key)),
            Entry::Record {
                at,
                record: Record::Bookings(changes),
            } => {
                self.bookings.retain(|(_, _, end), _| *end > at);
                for change in &changes {
                    self.booked(change);
                }
            }
            Entry::Record {
                record: Record::Event { stub, event },
                ..
            } => self.happened(stub, event),
            Entry::Record {
                record: Record::Forgotten(stub),
                ..
            } => drop(self.events.remove(&stub)),
            Entry::Record { .. } | Entry::Audit { .. } | Entry::Shadow { .. } => {}
        }
    }

    fn happened(&mut self, stub: Stub, event: Arc<Event>) {
        let events = self.events.entry(stub).or_default();
        if events.len() >= self.ring {
            events.pop_front();
        }
        events.push_back(event);
    }

    fn booked(&mut self, change: &BookingChange) {
        match change {
            BookingChange::Stands(booked) => {
                drop(self.bookings.insert(alike(booked), booked.clone()));
            }
            BookingChange::Cancelled(booked) | BookingChange::Ended { booked, .. } => {
                drop(self.bookings.remove(&alike(booked)));
            }
        }
    }

    /// Writes it: the state itself, and the current part of the history.
    pub(super) fn write(&self, to: &Connection) -> Result<(), WriteFault> {
        for (key, value) in &self.state {
            write::put(to, &key.to_string(), Some(&serde_json::to_value(value)?))?;
            history(to, key, value)?;
        }
        for (key, value) in &self.keep {
            write::put(to, key, Some(value))?;
        }
        for (stub, events) in &self.events {
            for event in events {
                let (stub, event) = (stub.clone(), Arc::clone(event));
                let at = event.when;
                write::record(to, at, &Record::Event { stub, event })?;
            }
        }
        let standing = self.bookings.values().cloned();
        let standing = standing.map(BookingChange::Stands).collect();
        write::record(to, Timestamp::UNIX_EPOCH, &Record::Bookings(standing))
    }
}

/// The rows of the history that give the beginning of current states.
fn history(to: &Connection, key: &StateKey, value: &StateValue) -> Result<(), WriteFault> {
    match (key, value) {
        (StateKey::Hold(resource), StateValue::Hold(hold)) => {
            let (resource, reason) = (resource.clone(), Some(hold.reason.clone()));
            write::record(to, hold.since, &Record::Hold { resource, reason })
        }
        (StateKey::Outbox(id), StateValue::Outbox(entry)) => outbox(to, *id, entry),
        (_, StateValue::Acknowledgement(id, entry)) => {
            let entry = SuppressionEntry::Acknowledgement(entry.clone());
            write::note(to, *id, &entry)
        }
        (StateKey::Silence(id), StateValue::Silence(entry)) => {
            write::note(to, *id, &SuppressionEntry::Silence(entry.clone()))
        }
        (StateKey::Maintenance(id), StateValue::Maintenance(entry)) => {
            write::note(to, *id, &SuppressionEntry::Maintenance(entry.clone()))
        }
        _ => Ok(()),
    }
}

fn outbox(to: &Connection, id: u64, entry: &OutboxEntry) -> Result<(), WriteFault> {
    let content = serde_json::json!({ "news": entry.news });
    statement::run(
        to,
        "INSERT INTO outbox (id, route, created, state, content) VALUES (?1, ?2, ?3, ?4, ?5)",
        params![
            statement::number(id)?,
            entry.route.as_str(),
            text::millis(entry.created),
            OutboxState::Pending.as_str(),
            content.to_string()
        ],
    )
}

/// The identity of a booking.
fn alike(booked: &Booked) -> (ResourceName, Timestamp, Timestamp) {
    (booked.resource.clone(), booked.start, booked.end)
}

/// Writes the current state into a new file, all or nothing.
pub(super) fn fill(file: &mut Database, refill: &Refill) -> Result<(), Failure> {
    let transaction = file.begin()?;
    refill.write(&transaction)?;
    Ok(transaction.commit()?)
}
