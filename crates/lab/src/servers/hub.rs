//! The message hub of relay and jump: its connections, its topics, and when a report is due. Owns
//! no socket and no task.

use std::collections::{BTreeMap, BTreeSet};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use jiff::Timestamp;
use serde_json::Value;
use tokio::sync::{Notify, mpsc, watch};
use tokio::time::Instant;

use super::codes::{Codes, uuid};
use super::quirks::{Parcel, Quirks};
use super::report::{self, Guest};
use super::token::Claims;
use crate::model::Fleet;
use crate::{Forwarding, RelayVersion};

/// The topic of the reports.
pub(super) const STATS: &str = "stats";

/// The queue of a listener in relay, in messages; further ones are dropped.
const RELAY_QUEUE: usize = 256;

/// The same in jump.
const JUMP_QUEUE: usize = 128;

/// The experiments, as all servers see them.
pub(super) type SharedFleet = Arc<Mutex<Fleet>>;

/// The server that a hub belongs to.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Kind {
    Relay(RelayVersion),
    Jump,
}

/// State of a hub.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Mood {
    Well,
    /// Sockets are accepted, but the hub moves nothing: jump's deadlock.
    Mute,
    /// The whole process hangs.
    Frozen,
}

/// Interval of reports.
#[derive(Debug, Clone, Copy)]
pub(super) struct Pace {
    pub every: Duration,
    /// relay's pause before each wait; none in jump.
    pub pause: Duration,
}

/// A listener's end of its queue.
pub(super) struct Seat {
    pub id: u64,
    pub parcels: mpsc::Receiver<Parcel>,
}

/// The state of relay or jump.
pub(super) struct Hub {
    pub kind: Kind,
    pub pace: Pace,
    pub fleet: SharedFleet,
    state: Mutex<State>,
    mood: watch::Sender<Mood>,
    quirks: Mutex<Quirks>,
    /// Wakes the reporter when a message arrived on the topic of reports.
    poked: Notify,
}

struct State {
    started: Timestamp,
    next_id: u64,
    listeners: BTreeMap<u64, Listener>,
    codes: Codes,
    denied: BTreeSet<String>,
    pokes: Pokes,
}

struct Listener {
    guest: Guest,
    booking: String,
    parcels: mpsc::Sender<Parcel>,
}

/// Messages on the topic of reports since the reporter last checked.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub(super) struct Pokes {
    pub updates: u32,
    pub junk: u32,
}

impl Kind {
    fn queue(self) -> usize {
        match self {
            Self::Relay(_) => RELAY_QUEUE,
            Self::Jump => JUMP_QUEUE,
        }
    }
}

impl State {
    fn new(now: Timestamp, next_id: u64) -> Self {
        Self {
            started: now,
            next_id,
            listeners: BTreeMap::new(),
            codes: Codes::new(now),
            denied: BTreeSet::new(),
            pokes: Pokes::default(),
        }
    }
}

impl Hub {
    /// A hub that starts now.
    pub fn new(kind: Kind, pace: Pace, fleet: SharedFleet) -> Self {
        let state = Mutex::new(State::new(Timestamp::now(), 0));
        Self {
            kind,
            pace,
            fleet,
            state,
            mood: watch::Sender::new(Mood::Well),
            quirks: Mutex::default(),
            poked: Notify::new(),
        }
    }

    /// Restarts the process: all state is lost, and it forwards again.
    pub fn restart(&self) {
        let mut state = self.lock();
        // Ids go on, so that a connection of the old process that ends late cannot be taken for one of the new.
        *state = State::new(Timestamp::now(), state.next_id);
        drop(state);
        self.change_quirks(|quirks| quirks.forwarding = Forwarding::Works);
        self.mood.send_replace(Mood::Well);
    }

    /// Its faults beside its mood.
    pub fn quirks(&self) -> Quirks {
        self.quirks
            .lock()
            .unwrap_or_else(PoisonError::into_inner)
            .clone()
    }

    /// Changes its faults.
    pub fn change_quirks(&self, change: impl FnOnce(&mut Quirks)) {
        change(&mut self.quirks.lock().unwrap_or_else(PoisonError::into_inner));
    }

    /// Removes all connections, when their sockets are gone.
    pub fn drop_listeners(&self) {
        self.lock().listeners.clear();
    }

    /// Changes its mood.
    pub fn set_mood(&self, mood: Mood) {
        self.mood.send_replace(mood);
    }

    /// Does several things between two writes, so that all their messages are waiting when the next
    /// write begins.
    pub fn at_once(&self, things: impl FnOnce(&Self)) {
        let held = self.mood.send_if_modified(|mood| {
            *mood == Mood::Well && std::mem::replace(mood, Mood::Frozen) == Mood::Well
        });
        things(self);
        if held {
            self.set_mood(Mood::Well);
        }
    }

    /// Its mood, as a channel.
    pub fn mood(&self) -> watch::Receiver<Mood> {
        self.mood.subscribe()
    }

    /// Issues a code for a bearer of these claims.
    pub fn give_code(&self, claims: Claims) -> String {
        self.lock().codes.give(claims, Timestamp::now())
    }

    /// Redeems a code for a topic: returns its claims if it is valid.
    pub fn take_code(&self, code: &str, topic: &str) -> Option<Claims> {
        let now = Timestamp::now();
        let mut state = self.lock();
        let claims = state.codes.take(code, now)?;
        let usable = claims.topic == topic
            && claims.expires() > now
            && (claims.may("read") || claims.may("write"));
        (usable && !state.denied.contains(&claims.booking_id)).then_some(claims)
    }

    /// Whether a booking id is denied.
    pub fn denies(&self, booking: &str) -> bool {
        self.lock().denied.contains(booking)
    }

    /// Denies a booking id: its connections are cut.
    pub fn deny(&self, booking: &str) {
        let mut state = self.lock();
        state.denied.insert(booking.to_owned());
        state
            .listeners
            .retain(|_, listener| listener.booking != booking);
    }

    /// A client has connected; `None` while the hub is stuck, which leaves its socket mute.
    pub fn enter(&self, guest: Guest, booking: String) -> Option<Seat> {
        if *self.mood.borrow() == Mood::Mute {
            return None;
        }
        let (sender, parcels) = mpsc::channel(self.kind.queue());
        let mut state = self.lock();
        let id = state.next_id;
        state.next_id += 1;
        state.listeners.insert(
            id,
            Listener {
                guest,
                booking,
                parcels: sender,
            },
        );
        Some(Seat { id, parcels })
    }

    /// A client has left. jump notifies all on the topic, itself included.
    pub fn leave(&self, id: u64) {
        let left = self.lock().listeners.remove(&id);
        if let (Kind::Jump, Some(left)) = (self.kind, left) {
            let notice = format!(r#"{{"action":"disconnect","uri":"","uuid":"{}"}}"#, uuid());
            self.distribute(id, &left.guest.topic, &Parcel::of(false, notice));
        }
    }

    /// A client has sent a message: the others on its topic get it, if it may write.
    pub fn receive(&self, id: u64, parcel: &Parcel) {
        let (topic, of_experiment) = {
            let mut state = self.lock();
            let Some(listener) = state
                .listeners
                .get_mut(&id)
                .filter(|listener| listener.guest.may("write"))
            else {
                return;
            };
            listener.guest.sent.add(parcel.body.len(), Timestamp::now());
            (listener.guest.topic.clone(), listener.guest.may("expt"))
        };
        // Commands on the topic of reports are for relay itself.
        let delay = if topic == STATS {
            Some(Duration::ZERO)
        } else {
            self.quirks().forwarding.of(&topic, of_experiment)
        };
        let Some(delay) = delay else {
            return;
        };
        let due = (!delay.is_zero()).then(|| Instant::now() + delay);
        let parcel = Parcel {
            due,
            ..parcel.clone()
        };
        self.distribute(id, &topic, &parcel);
    }

    /// Sends a message on the topic of reports, as from a client without a socket.
    pub fn inject(&self, parcel: &Parcel) {
        self.distribute(u64::MAX, STATS, parcel);
    }

    /// Counts a message of the simulated experiments that a client received.
    pub fn count_received(&self, id: u64, bytes: usize) {
        if let Some(listener) = self.lock().listeners.get_mut(&id) {
            listener.guest.received.add(bytes, Timestamp::now());
        }
    }

    /// Sends a report to all listeners of reports.
    pub fn report(&self) {
        let mut left_out = 0;
        self.change_quirks(|quirks| left_out = std::mem::take(&mut quirks.leaves_out));
        let body = self.quirks().spoil(self.write_report(left_out));
        let parcel = Parcel {
            report: true,
            ..Parcel::of(false, body)
        };
        self.broadcast(None, STATS, &parcel);
    }

    /// The next report, as it would be now, without the connections of the first so many experiments.
    pub fn write_report(&self, left_out: u32) -> String {
        let (guests, started): (Vec<Guest>, Timestamp) = {
            let state = self.lock();
            (
                state
                    .listeners
                    .values()
                    .map(|listener| listener.guest.clone())
                    .collect(),
                state.started,
            )
        };
        let fleet = self.fleet.lock().unwrap_or_else(PoisonError::into_inner);
        match self.kind {
            Kind::Relay(version) => report::relay(
                version,
                &fleet,
                left_out,
                &guests,
                started,
                Timestamp::now(),
            ),
            Kind::Jump => report::jump(&fleet, left_out, &guests, started, Timestamp::now()),
        }
    }

    /// The messages on the topic of reports since the last call; waits for the first one.
    pub async fn pokes(&self) -> Pokes {
        loop {
            let poked = self.poked.notified();
            let came = self.take_pokes();
            if came != Pokes::default() {
                return came;
            }
            poked.await;
        }
    }

    /// The same without waiting.
    pub fn take_pokes(&self) -> Pokes {
        std::mem::take(&mut self.lock().pokes)
    }

    /// How many clients are connected to a topic.
    pub fn listeners(&self, topic: &str) -> usize {
        self.lock()
            .listeners
            .values()
            .filter(|listener| listener.guest.topic == topic)
            .count()
    }

    fn distribute(&self, from: u64, topic: &str, parcel: &Parcel) {
        if *self.mood.borrow() == Mood::Mute {
            return;
        }
        self.broadcast(Some(from), topic, parcel);
        if topic == STATS {
            let update = is_update(&parcel.body);
            let mut state = self.lock();
            let count = if update {
                &mut state.pokes.updates
            } else {
                &mut state.pokes.junk
            };
            *count = count.saturating_add(1);
            drop(state);
            self.poked.notify_one();
        }
    }

    fn broadcast(&self, from: Option<u64>, topic: &str, parcel: &Parcel) {
        if *self.mood.borrow() == Mood::Mute {
            return;
        }
        let now = Timestamp::now();
        let mut state = self.lock();
        let others = state
            .listeners
            .iter_mut()
            .filter(|(id, _)| Some(**id) != from)
            .map(|(_, listener)| listener);
        for listener in
            others.filter(|listener| listener.guest.topic == topic && listener.guest.may("read"))
        {
            if listener.parcels.try_send(parcel.clone()).is_ok() {
                listener.guest.received.add(parcel.body.len(), now);
            }
        }
    }

    fn lock(&self) -> MutexGuard<'_, State> {
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

/// Whether a message asks for a report.
fn is_update(body: &[u8]) -> bool {
    serde_json::from_slice::<Value>(body)
        .is_ok_and(|value| value.get("cmd").and_then(Value::as_str) == Some("update"))
}
