//! The stream of changes: compares each snapshot with the previous one once for all listeners, and
//! keeps the latest changes so that a listener that reconnects continues where it was. A slow
//! listener costs the others nothing.

use std::collections::VecDeque;
use std::net::IpAddr;
use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Arc, Mutex, PoisonError, Weak};

use axum::body::Bytes;
use serde::Serialize;
use tokio::sync::{OwnedSemaphorePermit, Semaphore, watch};
use tokio_util::sync::CancellationToken;
use utoipa::ToSchema;

use super::diff::Differ;
use crate::http::auth::customer;
use crate::http::seat::Seat;
use engine::Snapshot;

/// How many may listen at the same time.
pub const MAX_LISTENERS: usize = 512;

/// How many of them may be of one client, except clients on this host.
pub const MAX_LISTENERS_OF_ONE: usize = 64;

/// How many of the places only clients on this host may have.
pub const LISTENERS_FOR_THIS_HOST: usize = 16;

/// How many changes are kept for listeners that reconnect, and how many a listener may lag behind
/// before it is dropped.
pub const KEPT_CHANGES: usize = 1_024;

/// The most memory for them together, in bytes. The changes of one snapshot are kept whole.
const KEPT_BYTES: usize = 4 << 20;

/// The most changes that are sent at once.
const CHANGES_PER_CHUNK: u64 = 64;

/// The latest changes, and the listeners.
#[derive(Debug)]
pub struct Live {
    /// Distinguishes the ids of this process from those of a previous one.
    boot: String,
    snapshots: watch::Receiver<Arc<Snapshot>>,
    ring: Mutex<Ring>,
    latest: watch::Sender<u64>,
    closed: CancellationToken,
    places: Arc<Semaphore>,
    listeners: Mutex<Vec<Weak<Progress>>>,
}

/// Changes in order, in the form in which they are sent.
#[derive(Debug, Default)]
struct Ring {
    /// The number of the first one that is kept. Numbers start at 1.
    first: u64,
    changes: VecDeque<Bytes>,
    bytes: usize,
}

/// The progress of a listener.
#[derive(Debug)]
struct Progress {
    taken: AtomicU64,
    client: IpAddr,
    seat: Option<Seat>,
}

/// The next data for a listener.
#[derive(Debug, PartialEq, Eq)]
pub(super) enum Next {
    /// These changes, joined; the last one has this number.
    Changes(Bytes, u64),
    /// Nothing yet.
    Nothing,
    /// It lags too far behind: the next change is not kept any more.
    Lost,
}

/// The place of a listener.
#[derive(Debug)]
pub(super) struct Listener {
    pub(super) live: Arc<Live>,
    pub(super) latest: watch::Receiver<u64>,
    progress: Arc<Progress>,
    _place: OwnedSemaphorePermit,
}

/// The list must be read anew; the changes after this event follow.
#[derive(Debug, Serialize, ToSchema)]
pub(super) struct Reset {
    /// The reason.
    pub(super) why: ResetReason,
}

/// Why the list must be read anew: the stream begins, missed changes are not kept any more, or too
/// much changed at once.
#[derive(Debug, Clone, Copy, Serialize, ToSchema)]
#[serde(rename_all = "kebab-case")]
pub(super) enum ResetReason {
    Start,
    TooOld,
    TooMuch,
}

impl Live {
    /// Without changes and listeners. [`Live::follow`] must run as well.
    #[must_use]
    pub fn new(snapshots: watch::Receiver<Arc<Snapshot>>) -> Arc<Self> {
        let boot = format!("{:x}", snapshots.borrow().started.as_nanosecond());
        Arc::new(Self {
            boot,
            snapshots,
            ring: Mutex::new(Ring {
                first: 1,
                ..Ring::default()
            }),
            latest: watch::channel(0).0,
            closed: CancellationToken::new(),
            places: Arc::new(Semaphore::new(MAX_LISTENERS)),
            listeners: Mutex::default(),
        })
    }

    /// Sends the changes from snapshot to snapshot until `stop`. Then every listener's stream ends.
    pub async fn follow(self: Arc<Self>, stop: CancellationToken) {
        let mut snapshots = self.snapshots.clone();
        let mut differ = Differ::new(&Arc::clone(&snapshots.borrow_and_update()));
        loop {
            tokio::select! {
                biased;
                () = stop.cancelled() => break,
                changed = snapshots.changed() => if changed.is_err() { break },
            }
            let snapshot = Arc::clone(&snapshots.borrow_and_update());
            let changes = differ.changes(&snapshot);
            if !changes.is_empty() {
                self.publish(&changes);
            }
        }
        self.closed.cancel();
    }

    /// The newest snapshot.
    pub(super) fn snapshot(&self) -> Arc<Snapshot> {
        Arc::clone(&self.snapshots.borrow())
    }

    /// Ends when no more changes are sent.
    pub(super) async fn ended(&self) {
        self.closed.cancelled().await;
    }

    /// A place for a listener from this client, if one is free; `seat` is the connection's.
    pub(super) fn listen(self: &Arc<Self>, client: IpAddr, seat: Option<Seat>) -> Option<Listener> {
        let mut listeners = self
            .listeners
            .lock()
            .unwrap_or_else(PoisonError::into_inner);
        if !self.has_room_for(client, &listeners) || self.closed.is_cancelled() {
            return None;
        }
        let place = Arc::clone(&self.places).try_acquire_owned().ok()?;
        if let Some(seat) = &seat {
            seat.becomes_a_stream();
        }
        let latest = self.latest.subscribe();
        let progress = Arc::new(Progress {
            taken: AtomicU64::new(*latest.borrow()),
            client: customer(client),
            seat,
        });
        listeners.retain(|listener| listener.strong_count() > 0);
        listeners.push(Arc::downgrade(&progress));
        drop(listeners);
        Some(Listener {
            live: Arc::clone(self),
            latest,
            progress,
            _place: place,
        })
    }

    fn has_room_for(&self, client: IpAddr, listeners: &[Weak<Progress>]) -> bool {
        if client.to_canonical().is_loopback() {
            return true;
        }
        let client = customer(client);
        let known = listeners.iter().filter_map(Weak::upgrade);
        let own = known.filter(|progress| progress.client == client).count();
        own < MAX_LISTENERS_OF_ONE && self.places.available_permits() > LISTENERS_FOR_THIS_HOST
    }

    /// Where a listener continues: after the last change that it received or, with a `reset` event,
    /// from now.
    fn start(&self, seen: Option<&str>) -> (u64, Option<Bytes>) {
        let ring = self.ring.lock().unwrap_or_else(PoisonError::into_inner);
        let (latest, known) = (ring.latest(), seen.and_then(|id| self.number(id)));
        match known {
            Some(number) if number + 1 >= ring.first && number <= latest => (number, None),
            Some(_) | None => {
                let why = if seen.is_some() {
                    ResetReason::TooOld
                } else {
                    ResetReason::Start
                };
                (
                    latest,
                    Some(frame(&self.id(latest), "reset", &json(&Reset { why }))),
                )
            }
        }
    }

    /// The data after change number `taken`.
    fn next(&self, taken: u64) -> Next {
        let ring = self.ring.lock().unwrap_or_else(PoisonError::into_inner);
        let latest = ring.latest();
        if taken >= latest {
            return Next::Nothing;
        }
        let Some(skip) = (taken + 1)
            .checked_sub(ring.first)
            .and_then(|skip| usize::try_from(skip).ok())
        else {
            return Next::Lost;
        };
        let last = latest.min(taken + CHANGES_PER_CHUNK);
        let count = usize::try_from(last - taken).unwrap_or(usize::MAX);
        let chunk: Vec<u8> = ring
            .changes
            .iter()
            .skip(skip)
            .take(count)
            .flatten()
            .copied()
            .collect();
        Next::Changes(chunk.into(), last)
    }

    fn publish(&self, changes: &[(&'static str, String)]) {
        let mut ring = self.ring.lock().unwrap_or_else(PoisonError::into_inner);
        for (kind, data) in changes {
            let id = self.id(ring.latest() + 1);
            ring.push(frame(&id, kind, data));
        }
        ring.trim();
        let (first, latest) = (ring.first, ring.latest());
        drop(ring);
        self.latest.send_replace(latest);
        self.drop_the_slow(first);
    }

    /// Cuts the connections of listeners that have not received what is dropped now: they read too
    /// slowly, or not at all.
    fn drop_the_slow(&self, first: u64) {
        let mut listeners = self
            .listeners
            .lock()
            .unwrap_or_else(PoisonError::into_inner);
        listeners.retain(|listener| {
            let Some(progress) = listener.upgrade() else {
                return false;
            };
            let is_slow = progress.taken.load(Ordering::Relaxed) + 1 < first;
            if let Some(seat) = progress.seat.as_ref().filter(|_| is_slow) {
                tracing::debug!("a listener of the API is too slow and is cut");
                seat.cut();
            }
            !is_slow
        });
    }

    fn id(&self, number: u64) -> String {
        format!("{}-{number}", self.boot)
    }

    fn number(&self, id: &str) -> Option<u64> {
        let (boot, number) = id.trim().rsplit_once('-')?;
        number.parse().ok().filter(|_| boot == self.boot)
    }
}

impl Ring {
    fn latest(&self) -> u64 {
        self.first + self.changes.len() as u64 - 1
    }

    fn push(&mut self, change: Bytes) {
        self.bytes += change.len();
        self.changes.push_back(change);
    }

    fn trim(&mut self) {
        while self.changes.len() > KEPT_CHANGES
            || (self.bytes > KEPT_BYTES && self.changes.len() > 1)
        {
            let Some(gone) = self.changes.pop_front() else {
                return;
            };
            self.bytes -= gone.len();
            self.first += 1;
        }
    }
}

impl Listener {
    /// The first data for it, given the id of the last event that it received.
    pub(super) fn start(&self, seen: Option<&str>) -> Option<Bytes> {
        let (from, words) = self.live.start(seen);
        self.progress.taken.store(from, Ordering::Relaxed);
        words
    }

    /// The next data for it.
    pub(super) fn next(&self) -> Next {
        let next = self.live.next(self.progress.taken.load(Ordering::Relaxed));
        if let Next::Changes(_, last) = &next {
            self.progress.taken.store(*last, Ordering::Relaxed);
        }
        next
    }
}

/// An encoded event. The data is JSON, which has no line breaks.
fn frame(id: &str, kind: &str, data: &str) -> Bytes {
    format!("id: {id}\nevent: {kind}\ndata: {data}\n\n").into()
}

/// The JSON of one of our types; empty if it cannot be written.
pub(super) fn json(value: &impl Serialize) -> String {
    serde_json::to_string(value).unwrap_or_else(|fault| {
        tracing::error!(%fault, "a change cannot be written as JSON");
        "null".to_owned()
    })
}
