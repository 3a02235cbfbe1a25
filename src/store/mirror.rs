//! What the file has to know to be of use after a restart, in memory beside it: whoever loses the file while we run loses the past, not
//! what is true now. It follows what is written, and only the thread that writes touches it.

use std::collections::{BTreeMap, VecDeque};
use std::sync::Arc;

use jiff::Timestamp;
use serde_json::Value;

use super::entry::{Delivery, Entry, Note, Notified, OutboxState, Outgoing};
use super::memory::Memory;
use engine::model::{ResourceName, Stub};
use engine::{Booked, BookingChange, Event, Record};

/// The state that the file holds beside the history. Events are shared with whoever else holds them.
#[derive(Debug, Default)]
pub(super) struct Mirror {
    ring: usize,
    experiments: BTreeMap<Stub, (Timestamp, VecDeque<Arc<Event>>)>,
    notified: BTreeMap<(String, String), Value>,
    outbox: BTreeMap<u64, Outgoing>,
    notes: BTreeMap<String, Note>,
    holds: BTreeMap<ResourceName, (String, Timestamp)>,
    /// Those that are not over, by what makes bookings alike.
    bookings: BTreeMap<(ResourceName, Timestamp, Timestamp), Booked>,
    keep: BTreeMap<String, Value>,
}

impl Mirror {
    /// What was read at the start; of each experiment the last `ring` events are kept.
    pub(super) fn of(memory: &Memory, ring: usize) -> Self {
        let known = memory.experiments.iter();
        Self {
            ring: ring.max(1),
            experiments: known
                .map(|(stub, known)| {
                    (
                        stub.clone(),
                        (known.first_seen, known.events.iter().cloned().collect()),
                    )
                })
                .collect(),
            notified: memory
                .notified
                .iter()
                .map(|notified| {
                    (
                        (notified.route.clone(), notified.subject.clone()),
                        notified.value.clone(),
                    )
                })
                .collect(),
            outbox: memory
                .outbox
                .iter()
                .map(|pending| (pending.outgoing.id, pending.outgoing.clone()))
                .collect(),
            notes: memory
                .notes
                .iter()
                .map(|note| (note.id.clone(), note.clone()))
                .collect(),
            holds: memory
                .holds
                .iter()
                .map(|hold| (hold.resource.clone(), (hold.reason.clone(), hold.since)))
                .collect(),
            bookings: memory
                .bookings
                .iter()
                .map(|booked| (alike(booked), booked.clone()))
                .collect(),
            keep: memory.keep.clone(),
        }
    }

    /// Takes in what was written.
    pub(super) fn note(&mut self, entry: &Entry) {
        match entry {
            Entry::Seen { stub, at } => drop(self.experiment(stub, *at)),
            Entry::Forgotten { stub, .. } => drop(self.experiments.remove(stub)),
            Entry::Record { at, record } => self.note_record(*at, record),
            Entry::Notified(notified) => drop(self.notified.insert(
                (notified.route.clone(), notified.subject.clone()),
                notified.value.clone(),
            )),
            Entry::Untold { route, subject } => {
                drop(self.notified.remove(&(route.clone(), subject.clone())));
            }
            Entry::RouteForgotten(route) => self.notified.retain(|(of, _), _| of != route),
            Entry::Outgoing(outgoing) => drop(self.outbox.insert(outgoing.id, outgoing.clone())),
            Entry::Delivery(Delivery {
                id,
                state: OutboxState::Sent | OutboxState::Superseded,
                ..
            }) => drop(self.outbox.remove(id)),
            Entry::Delivery(_) | Entry::Audit { .. } => {}
            Entry::Note(note) => drop(self.notes.insert(note.id.clone(), note.clone())),
            Entry::NoteEnded { id, .. } => drop(self.notes.remove(id)),
            Entry::Keep {
                key,
                value: Some(value),
            } => drop(self.keep.insert(key.clone(), value.clone())),
            Entry::Keep { key, value: None } => drop(self.keep.remove(key)),
        }
    }

    fn note_record(&mut self, at: Timestamp, record: &Record) {
        if let Record::Event { stub, event } = record {
            self.happened(stub, event);
        } else if let Record::Hold { resource, reason } = record {
            self.held(resource, reason.as_deref(), at);
        } else if let Record::Bookings(changes) = record {
            self.bookings.retain(|(_, _, end), _| *end > at);
            for change in changes {
                self.booked(change);
            }
        }
    }

    /// A hold lasts from when its reason was first seen.
    fn held(&mut self, resource: &ResourceName, reason: Option<&str>, at: Timestamp) {
        match (self.holds.get(resource), reason) {
            (Some((known, _)), Some(reason)) if known == reason => {}
            (_, Some(reason)) => drop(self.holds.insert(resource.clone(), (reason.to_owned(), at))),
            (_, None) => drop(self.holds.remove(resource)),
        }
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

    fn happened(&mut self, stub: &Stub, event: &Arc<Event>) {
        let ring = self.ring;
        let (_, events) = self.experiment(stub, event.when);
        if events.len() >= ring {
            events.pop_front();
        }
        events.push_back(Arc::clone(event));
    }

    fn experiment(
        &mut self,
        stub: &Stub,
        first_seen: Timestamp,
    ) -> &mut (Timestamp, VecDeque<Arc<Event>>) {
        self.experiments
            .entry(stub.clone())
            .or_insert_with(|| (first_seen, VecDeque::new()))
    }

    /// Everything, as entries for a file that has nothing yet.
    pub(super) fn entries(&self) -> impl Iterator<Item = Entry> {
        let seen = self.experiments.iter().map(|(stub, (at, _))| Entry::Seen {
            stub: stub.clone(),
            at: *at,
        });
        let events = self.experiments.iter().flat_map(|(stub, (_, events))| {
            events.iter().map(|event| Entry::Record {
                at: event.when,
                record: Record::Event {
                    stub: stub.clone(),
                    event: Arc::clone(event),
                },
            })
        });
        let notified = self.notified.iter().map(|((route, subject), value)| {
            let (route, subject, value) = (route.clone(), subject.clone(), value.clone());
            Entry::Notified(Notified {
                route,
                subject,
                value,
            })
        });
        let held = self
            .holds
            .iter()
            .map(|(resource, (reason, since))| Entry::Record {
                at: *since,
                record: Record::Hold {
                    resource: resource.clone(),
                    reason: Some(reason.clone()),
                },
            });
        let kept = self.keep.iter().map(|(key, value)| Entry::Keep {
            key: key.clone(),
            value: Some(value.clone()),
        });
        let standing: Vec<_> = self
            .bookings
            .values()
            .cloned()
            .map(BookingChange::Stands)
            .collect();
        let booked = std::iter::once(Entry::Record {
            at: Timestamp::UNIX_EPOCH,
            record: Record::Bookings(standing),
        });
        let outbox = self.outbox.values().cloned().map(Entry::Outgoing);
        seen.chain(events)
            .chain(notified)
            .chain(held)
            .chain(booked)
            .chain(kept)
            .chain(outbox)
            .chain(self.notes.values().cloned().map(Entry::Note))
    }
}

/// What makes bookings alike.
fn alike(booked: &Booked) -> (ResourceName, Timestamp, Timestamp) {
    (booked.resource.clone(), booked.start, booked.end)
}
