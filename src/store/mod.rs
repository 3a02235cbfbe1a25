//! The store: history, notified state and outbox, in one SQLite file that survives restarts,
//! crashes and full disks.
//!
//! One thread writes and one reads; nothing else touches the file. Nothing here decides what is
//! stored or notified, and a store that cannot write blocks nothing: it reports that in its health
//! and retries.

mod agenda;
mod backup;
mod bookings;
mod entry;
mod error;
mod file;
mod gap;
mod health;
mod incident;
mod lock;
mod migrate;
mod notices;
mod outbox_query;
mod pages;
mod past;
mod prune;
mod read;
mod refill;
mod rows;
mod schema;
mod shadow;
mod statement;
mod stored_state;
mod text;
mod uptime;
mod write;
mod writer;

#[cfg(test)]
mod tests;

use std::path::PathBuf;
use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::mpsc::{SyncSender, sync_channel};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::thread::JoinHandle;

use jiff::{SignedDuration, Timestamp};
use tokio::sync::watch;

pub use backup::{BackupError, Report, VerifyError, backup, verify};
pub use bookings::BookedTimes;
pub use entry::{Entry, OutboxState, ShadowRow};
pub use error::{ReadError, StoreError};
pub use file::DATABASE_FILE;
pub use gap::{Gap, GapCause, HEARTBEAT};
pub use health::{Progress, StoreHealth, StoreState};
pub use incident::{Incident, IncidentPage, Subject};
pub use outbox_query::{OutboxQuery, OutboxRow, Said, SaidNews};
pub use pages::{Part, RowPage};
pub use past::{Change, KeptBooking, Past, look_back};
pub use read::{MAX_ROWS, Reader, WallClock};
pub use rows::{Cursor, Hold, Range, SourceRow, StoredEvent, SwitchRow};
pub use shadow::{ShadowPast, shadow_past};
pub use statement::MAX_CONTENT_BYTES;
pub use stored_state::{Origin, StoredState};
pub use uptime::{Bucket, MAX_BUCKETS, uptime_of};
pub use writer::BACKLOG;

use agenda::Agenda;
use file::{Folder, OpenFault, Opened};
use refill::Refill;
use writer::{Batch, StoreWriter};

/// How many batches may wait for the store's thread. Those that find it full are lost, and counted.
pub const WRITE_QUEUE: usize = 1_024;

/// The settings of the store.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct StoreSettings {
    /// The data folder.
    pub dir: PathBuf,
    /// For how many days the history is kept.
    pub history_days: u32,
    /// How many events of each experiment are loaded at the start.
    pub ring: usize,
}

/// The store. A clone is the same store; dropping the last one closes it.
#[derive(Debug, Clone)]
pub struct Store(Arc<Shared>);

/// A receipt for a batch. Compare it with [`Store::progress`].
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub struct Ticket(Option<u64>);

#[derive(Debug)]
struct Shared {
    queue: Mutex<Queue>,
    /// Entries that found the queue full.
    overflow: AtomicU64,
    progress: watch::Receiver<Progress>,
    health: watch::Receiver<StoreHealth>,
    writer: Mutex<Option<JoinHandle<()>>>,
    reader: Reader,
}

#[derive(Debug)]
struct Queue {
    last: u64,
    batches: Option<SyncSender<Batch>>,
}

impl Store {
    /// Opens the store, and returns the stored state. Blocks for as long as the disk takes.
    ///
    /// # Errors
    /// [`StoreError`] for what an operator has to change. A disk that accepts nothing is no error:
    /// the store is then degraded and retries.
    pub fn open(settings: &StoreSettings) -> Result<(Self, StoredState), StoreError> {
        Self::open_with_clock(settings, Arc::new(Timestamp::now))
    }

    /// Opens the store with a clock of the caller's choice.
    ///
    /// # Errors
    /// As [`Store::open`].
    pub fn open_with_clock(
        settings: &StoreSettings,
        clock: WallClock,
    ) -> Result<(Self, StoredState), StoreError> {
        let now = clock();
        let mut folder = Folder::new(&settings.dir);
        let reader =
            Reader::start(folder.path(), Arc::clone(&clock)).map_err(StoreError::Thread)?;
        let (database, stored, fault) =
            match folder.open(|file| stored_state::load(file, settings.ring, now)) {
                Ok(opened) => remembered(opened),
                Err(OpenFault::Fatal(error)) => return Err(error),
                Err(OpenFault::Disk(why)) => {
                    (None, glimpse(&folder, settings.ring, now, &why), Some(why))
                }
            };
        let (batches, queue) = sync_channel(WRITE_QUEUE);
        let (progress, progress_seen) = watch::channel(Progress::default());
        let (health, health_seen) = watch::channel(first_health(now, fault));
        let writer = StoreWriter {
            agenda: Agenda::new(now, database.is_some()),
            refill: Refill::of(&stored, settings.ring),
            folder,
            database,
            batches: queue,
            progress,
            health,
            clock,
            history: SignedDuration::from_hours(24 * i64::from(settings.history_days)),
            gaps: stored.gap.into_iter().collect(),
        };
        let thread = std::thread::Builder::new()
            .name("store".to_owned())
            .spawn(|| writer.run())
            .map_err(StoreError::Thread)?;
        let shared = Shared {
            queue: Mutex::new(Queue {
                last: 0,
                batches: Some(batches),
            }),
            overflow: AtomicU64::new(0),
            progress: progress_seen,
            health: health_seen,
            writer: Mutex::new(Some(thread)),
            reader,
        };
        Ok((Self(Arc::new(shared)), stored))
    }

    /// Queues a batch, without waiting. It is stored as a whole or not at all, after all batches
    /// that were queued before it.
    #[must_use = "the ticket says whether the batch was taken"]
    pub fn write(&self, entries: Vec<Entry>) -> Ticket {
        let mut queue = locked(&self.0.queue);
        let (ticket, count) = (queue.last + 1, entries.len() as u64);
        let taken = queue
            .batches
            .as_ref()
            .is_some_and(|batches| batches.try_send(Batch { ticket, entries }).is_ok());
        if taken {
            queue.last = ticket;
            return Ticket(Some(ticket));
        }
        self.0.overflow.fetch_add(count, Ordering::Relaxed);
        Ticket(None)
    }

    /// The progress of writing. It changes at most once for each group of batches.
    #[must_use]
    pub fn progress(&self) -> watch::Receiver<Progress> {
        self.0.progress.clone()
    }

    /// Waits until the batch is on disk, or counted as lost. While the disk accepts nothing this is
    /// long: use a time limit.
    pub async fn durable(&self, ticket: Ticket) {
        // An error means that the thread has ended, after which nothing changes.
        let _ = self
            .progress()
            .wait_for(|progress| ticket.is_durable(*progress))
            .await;
    }

    #[must_use]
    pub fn health(&self) -> StoreHealth {
        let mut health = self.0.health.borrow().clone();
        health.lost += self.0.overflow.load(Ordering::Relaxed);
        let writer = locked(&self.0.writer);
        let ended = writer.as_ref().is_none_or(JoinHandle::is_finished);
        if ended {
            health.state = StoreState::Degraded;
            health
                .last_error
                .get_or_insert_with(|| "the store is closed".to_owned());
        }
        health
    }

    /// A handle for queries.
    #[must_use]
    pub fn reader(&self) -> Reader {
        self.0.reader.clone()
    }

    /// Writes what waits, records the time, and unlocks the folder. Blocks meanwhile. Batches that
    /// are queued afterwards are lost, and counted.
    pub fn close(&self) {
        self.0.close();
    }
}

impl Ticket {
    /// Whether the batch was queued. Otherwise it is lost.
    #[must_use]
    pub fn is_taken(self) -> bool {
        self.0.is_some()
    }

    /// Whether its outward effects need not wait: it was tried, or not even queued.
    #[must_use]
    pub fn is_settled(self, progress: Progress) -> bool {
        self.0.is_none_or(|ticket| progress.settled >= ticket)
    }

    /// Whether it is on disk, or lost for good.
    #[must_use]
    pub fn is_durable(self, progress: Progress) -> bool {
        self.0.is_none_or(|ticket| progress.durable >= ticket)
    }
}

impl Shared {
    fn close(&self) {
        locked(&self.queue).batches = None;
        self.reader.let_go(read::PATIENCE);
        let writer = locked(&self.writer).take();
        if writer.is_some_and(|thread| thread.join().is_err()) {
            tracing::error!("the store's thread ended in a panic");
        }
    }
}

impl Drop for Shared {
    fn drop(&mut self) {
        self.close();
    }
}

fn locked<T>(mutex: &Mutex<T>) -> MutexGuard<'_, T> {
    mutex.lock().unwrap_or_else(PoisonError::into_inner)
}

fn remembered(
    opened: Opened<StoredState>,
) -> (Option<file::Database>, StoredState, Option<String>) {
    let mut stored = opened.look;
    stored.origin = match opened.aside {
        Some((aside, why)) => Origin::BegunAnew { aside, why },
        None if opened.new => Origin::New,
        None => Origin::Found,
    };
    (Some(opened.database), stored, None)
}

/// Reads what it can of a file that cannot be written.
fn glimpse(folder: &Folder, ring: usize, now: Timestamp, why: &str) -> StoredState {
    let why = why.to_owned();
    match file::read_only(&folder.path()).and_then(|file| stored_state::load(&file, ring, now)) {
        Ok(stored) => StoredState {
            origin: Origin::ReadOnly { why },
            ..stored
        },
        Err(_) => StoredState {
            origin: Origin::Unavailable { why },
            ..StoredState::default()
        },
    }
}

fn first_health(now: Timestamp, fault: Option<String>) -> StoreHealth {
    let state = if fault.is_some() {
        StoreState::Degraded
    } else {
        StoreState::Ok
    };
    StoreHealth {
        state,
        since: now,
        lost: 0,
        waiting: 0,
        last_error: fault,
        anew: None,
        set_aside: None,
    }
}
