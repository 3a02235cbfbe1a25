//! Queries of the history: a thread of its own with a read-only connection, so that no query delays
//! a writer. Every answer has a bound.

use std::path::PathBuf;
use std::sync::Arc;
use std::sync::mpsc::{Receiver, SyncSender, TrySendError, sync_channel};
use std::time::Duration;

use jiff::Timestamp;
use rusqlite::{Connection, OptionalExtension, params};
use serde_json::Value;
use tokio::sync::oneshot;

use super::bookings::{self, BookedTimes};
use super::error::ReadError;
use super::file;
use super::rows::{self, Range, gap};
use super::text;
use super::uptime::{self, Bucket, Change};
use engine::model::Stub;

/// Returns the wall-clock time. A parameter of the store, so that tests can set the clock.
pub type WallClock = Arc<dyn Fn() -> Timestamp + Send + Sync>;

/// How many queries may wait.
const READ_QUEUE: usize = 64;

/// The most rows of one answer.
pub const MAX_ROWS: usize = 1_000;

/// The most changes that one count of uptime looks at: some ten years of an experiment that changes
/// every hour.
const MAX_CHANGES: u32 = 100_000;

/// After this long without a query the file is closed, so that an idle service holds no old state
/// of it.
const IDLE: Duration = Duration::from_secs(30);

/// How long closing waits for a query under way.
pub(super) const PATIENCE: Duration = Duration::from_secs(1);

type Question = Box<dyn FnOnce(&mut ReadThread) + Send>;

/// A handle for queries. A clone uses the same thread, which ends with the last one.
#[derive(Clone)]
pub struct Reader {
    questions: SyncSender<Question>,
    clock: WallClock,
}

impl std::fmt::Debug for Reader {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str("Reader")
    }
}

impl Reader {
    pub(super) fn start(path: PathBuf, clock: WallClock) -> std::io::Result<Self> {
        let (questions, queue) = sync_channel(READ_QUEUE);
        std::thread::Builder::new()
            .name("store-read".to_owned())
            .spawn(move || {
                answer(
                    &queue,
                    ReadThread {
                        path,
                        connection: None,
                    },
                );
            })?;
        Ok(Self { questions, clock })
    }

    /// How long an experiment was in which state, in buckets of `step`, at most `MAX_BUCKETS` of
    /// them.
    ///
    /// # Errors
    /// [`ReadError`]; [`ReadError::TooMuch`] also for a step of zero.
    pub async fn uptime(
        &self,
        stub: &Stub,
        range: Range,
        step: Duration,
    ) -> Result<Vec<Bucket>, ReadError> {
        let (stub, now) = (stub.clone(), (self.clock)());
        let step = uptime::step(range, step).ok_or(ReadError::TooMuch)?;
        let changes = self
            .ask(move |from| changes(from, &stub, range))
            .await?
            .ok_or(ReadError::TooMuch)?;
        Ok(uptime::buckets(changes, range, step, now))
    }

    /// Closes the file, so that the writer is the last to close it and leaves no companion files. A
    /// query under way may take too long for that.
    pub(super) fn let_go(&self, patience: Duration) {
        let (done, gone) = sync_channel(1);
        let question: Question = Box::new(move |thread| {
            thread.connection = None;
            // The reader may have given up.
            let _ = done.try_send(());
        });
        if self.questions.try_send(question).is_ok() {
            // Whether or not it came in time, closing goes on.
            let _ = gone.recv_timeout(patience);
        }
    }

    pub(super) async fn ask<T: Send + 'static>(
        &self,
        question: impl FnOnce(&Connection) -> rusqlite::Result<T> + Send + 'static,
    ) -> Result<T, ReadError> {
        let (reply, answer) = oneshot::channel();
        let question: Question = Box::new(move |thread| {
            // The reader may have given up.
            let _ = reply.send(thread.look(question));
        });
        self.questions
            .try_send(question)
            .map_err(|refused| match refused {
                TrySendError::Full(_) => ReadError::Busy,
                TrySendError::Disconnected(_) => ReadError::Closed,
            })?;
        answer.await.map_err(|_| ReadError::Closed)?
    }

    /// The value of a key of the small state.
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

    /// The times within the range for which these experiments were booked or are, the first 5,000.
    /// Experiments without bookings are not in it.
    ///
    /// # Errors
    /// [`ReadError`].
    pub async fn booked(
        &self,
        stubs: impl IntoIterator<Item = &Stub>,
        range: Range,
    ) -> Result<BookedTimes, ReadError> {
        let stubs = stubs
            .into_iter()
            .map(Stub::as_str)
            .collect::<Value>()
            .to_string();
        self.ask(move |from| bookings::booked(from, &stubs, range))
            .await
    }
}

/// The query thread: the file, opened when it is needed.
struct ReadThread {
    path: PathBuf,
    connection: Option<file::Database>,
}

impl ReadThread {
    fn look<T>(
        &mut self,
        question: impl FnOnce(&Connection) -> rusqlite::Result<T>,
    ) -> Result<T, ReadError> {
        let open = match self.connection.take().filter(file::Database::still_there) {
            Some(open) => Ok(open),
            None => file::Database::to_read(&self.path),
        };
        let found = open.and_then(|open| question(&open.connection).map(|found| (open, found)));
        let (open, found) = found?;
        self.connection = Some(open);
        Ok(found)
    }
}

fn answer(queue: &Receiver<Question>, mut thread: ReadThread) {
    use std::sync::mpsc::RecvTimeoutError::{Disconnected, Timeout};
    loop {
        match queue.recv_timeout(IDLE) {
            Ok(question) => question(&mut thread),
            Err(Timeout) => thread.connection = None,
            Err(Disconnected) => return,
        }
    }
}

const GAPS: &str = "SELECT since, until, why FROM gaps WHERE until > ?1 AND since < ?2 ORDER BY since DESC, id DESC LIMIT ?3";

/// The inputs of uptime: the last event before the range, those in it, and gaps. `None` when they
/// are too many.
fn changes(
    from: &Connection,
    stub: &Stub,
    range: Range,
) -> rusqlite::Result<Option<Vec<(i64, Change)>>> {
    let (since, until) = (text::millis(range.from), text::millis(range.until));
    let sql = "SELECT at, health FROM events WHERE stub = ?1 AND at >= \
               coalesce((SELECT max(at) FROM events WHERE stub = ?1 AND at <= ?2), ?2) AND at < ?3 ORDER BY at, id LIMIT ?4";
    let values = params![stub.as_str(), since, until, MAX_CHANGES + 1];
    let change = |row: &rusqlite::Row<'_>| Ok((row.get(0)?, Change::Health(rows::word(row, 1)?)));
    let mut all = rows::all(from, sql, values, change, &mut 0)?;
    let gaps = rows::all(from, GAPS, params![since, until, MAX_CHANGES], gap, &mut 0)?;
    all.extend(gaps.iter().flat_map(Change::of));
    Ok((all.len() <= MAX_CHANGES as usize).then_some(all))
}
