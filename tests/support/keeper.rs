//! What is kept across a restart: the store's own entries, in memory instead of on disk.

use std::collections::BTreeMap;
use std::sync::Arc;

use engine::model::Stub;
use engine::{self, Event, Record};
use jiff::Timestamp;
use labwatch::store::{
    Clerk, Entry, Memory, Note, Notified, OutboxState, Outgoing, Pending, Remembered,
};
use serde_json::Value;

/// The model of a store.
#[derive(Debug, Default)]
pub struct Keeper {
    clerk: Clerk,
    experiments: BTreeMap<Stub, Remembered>,
    notified: BTreeMap<(String, String), Notified>,
    outbox: BTreeMap<u64, (Outgoing, OutboxState)>,
    notes: BTreeMap<String, Note>,
    last_note: u64,
    small: BTreeMap<String, Value>,
}

impl Keeper {
    pub fn keep(&mut self, record: &Record, at: Timestamp) {
        for entry in self.clerk.entries(record, at) {
            self.enter(entry);
        }
    }

    fn enter(&mut self, entry: Entry) {
        match entry {
            Entry::Seen { stub, at } => drop(self.experiment(stub, at)),
            Entry::Forgotten { stub, .. } => drop(self.experiments.remove(&stub)),
            Entry::Record {
                record: Record::Event { stub, event },
                ..
            } => self.event(stub, event),
            Entry::Notified(notified) => drop(
                self.notified
                    .insert((notified.route.clone(), notified.subject.clone()), notified),
            ),
            Entry::Untold { route, subject } => drop(self.notified.remove(&(route, subject))),
            Entry::RouteForgotten(route) => self.notified.retain(|(of, _), _| *of != route),
            Entry::Outgoing(outgoing) => drop(
                self.outbox
                    .insert(outgoing.id, (outgoing, OutboxState::Pending)),
            ),
            Entry::Delivery(delivery) => {
                if let Some((_, state)) = self.outbox.get_mut(&delivery.id) {
                    *state = delivery.state;
                }
            }
            Entry::Note(note) => {
                self.last_note = self.last_note.max(note.id.parse().unwrap_or(0));
                self.notes.insert(note.id.clone(), note);
            }
            Entry::NoteEnded { id, .. } => drop(self.notes.remove(&id)),
            Entry::Keep {
                key,
                value: Some(value),
            } => drop(self.small.insert(key, value)),
            Entry::Keep { key, value: None } => drop(self.small.remove(&key)),
            Entry::Record { .. } | Entry::Audit { .. } => {}
        }
    }

    fn experiment(&mut self, stub: Stub, at: Timestamp) -> &mut Remembered {
        self.experiments.entry(stub).or_insert_with(|| Remembered {
            first_seen: at,
            events: Vec::new(),
        })
    }

    fn event(&mut self, stub: Stub, event: Arc<Event>) {
        self.experiment(stub, event.when).events.push(event);
    }

    /// What a process that starts now finds. The one before it is gone.
    pub fn restart(&mut self) -> engine::Memory {
        let is_open = |state| matches!(state, OutboxState::Pending | OutboxState::Refused);
        let open = self.outbox.values().filter(|(_, state)| is_open(*state));
        let memory = Memory {
            experiments: self.experiments.clone(),
            notified: self.notified.values().cloned().collect(),
            outbox: open
                .map(|(outgoing, _)| Pending {
                    outgoing: outgoing.clone(),
                    attempts: 1,
                    last_error: None,
                })
                .collect(),
            next_outgoing: self.outbox.keys().last().map_or(1, |last| last + 1),
            notes: self.notes.values().cloned().collect(),
            last_note: self.last_note,
            keep: self.small.clone(),
            ..Memory::default()
        };
        self.clerk = Clerk::with(&memory);
        memory.into()
    }
}
