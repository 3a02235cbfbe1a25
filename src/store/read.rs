//! Queries of the history: a thread of its own with a read-only connection, so that no query delays
//! a writer. Every answer has a bound.

use std::path::PathBuf;
use std::sync::Arc;
use std::sync::mpsc::{Receiver, SyncSender, TrySendError, sync_channel};
use std::time::Duration;

use jiff::Timestamp;
use rusqlite::{Connection, OptionalExtension, Row, params};
use serde_json::Value;
use tokio::sync::oneshot;

use super::bookings::{self, BookedTimes};
use super::error::ReadError;
use super::file;
use super::gap::Gap;
use super::rows::{
    self, Cursor, EVENT_COLUMNS, EventPage, Hold, Range, SWITCH_COLUMNS, SourceRow, StoredEvent,
    SwitchRow, gap, source, switch,
};
use super::text::{self, Names};
use super::uptime::{self, Bucket, Change, MAX_BUCKETS};
use engine::model::Stub;

/// Returns the wall-clock time. A parameter of the store, so that tests can set the clock.
pub type WallClock = Arc<dyn Fn() -> Timestamp + Send + Sync>;

/// How many queries may wait.
const READ_QUEUE: usize = 64;

/// The most rows of one answer.
pub const MAX_ROWS: usize = 1_000;

/// The most changes that one count of uptime looks at: some ten years of an experiment that changes
/// every hour.
const MAX_CHANGES: usize = 100_000;

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

    /// Events of an experiment, newest first, at most `limit` and [`MAX_ROWS`]; `before` is where
    /// an earlier page ended.
    ///
    /// # Errors
    /// [`ReadError`].
    pub async fn events(
        &self,
        stub: &Stub,
        range: Range,
        before: Option<Cursor>,
        limit: usize,
    ) -> Result<EventPage, ReadError> {
        let stub = stub.clone();
        self.ask(move |from| events(from, &stub, range, before, limit.clamp(1, MAX_ROWS)))
            .await
    }

    /// Switches of an experiment, newest first, at most [`MAX_ROWS`].
    ///
    /// # Errors
    /// [`ReadError`].
    pub async fn switches_of(
        &self,
        stub: &Stub,
        range: Range,
    ) -> Result<Vec<SwitchRow>, ReadError> {
        let stub = stub.clone();
        self.ask(move |from| switches_of(from, &stub, range)).await
    }

    /// Changes of sources, newest first, at most [`MAX_ROWS`].
    ///
    /// # Errors
    /// [`ReadError`].
    pub async fn sources(&self, range: Range) -> Result<Vec<SourceRow>, ReadError> {
        let sql = "SELECT at, source, health, note FROM sources WHERE at >= ?1 AND at < ?2 ORDER BY at DESC, id DESC";
        self.list(range, sql.to_owned(), source).await
    }

    /// Times without history that touch the range, newest first, at most [`MAX_ROWS`].
    ///
    /// # Errors
    /// [`ReadError`].
    pub async fn gaps(&self, range: Range) -> Result<Vec<Gap>, ReadError> {
        self.list(range, GAPS.to_owned(), gap).await
    }

    /// Manual holds that touch the range, newest first, at most [`MAX_ROWS`].
    ///
    /// # Errors
    /// [`ReadError`].
    pub async fn holds(&self, range: Range) -> Result<Vec<Hold>, ReadError> {
        let sql = "SELECT resource, reason, since, until FROM holds \
                   WHERE coalesce(until, 9e18) >= ?1 AND since < ?2 ORDER BY since DESC, id DESC";
        self.list(range, sql.to_owned(), rows::hold).await
    }

    /// How long an experiment was in which state, in buckets of `step`, at most [`MAX_BUCKETS`] of
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
        let (stub, now, step) = (
            stub.clone(),
            (self.clock)(),
            i64::try_from(step.as_millis()).unwrap_or(i64::MAX),
        );
        let length = range.until.as_millisecond() - range.from.as_millisecond();
        let whole = (length - 1).checked_div(step).ok_or(ReadError::TooMuch)?;
        if usize::try_from(whole).is_ok_and(|whole| whole >= MAX_BUCKETS) {
            return Err(ReadError::TooMuch);
        }
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

    pub(super) async fn list<T: Send + 'static>(
        &self,
        range: Range,
        sql: String,
        read: fn(&Row<'_>) -> rusqlite::Result<Option<T>>,
    ) -> Result<Vec<T>, ReadError> {
        self.ask(move |from| rows(from, &format!("{sql} LIMIT {MAX_ROWS}"), range, read))
            .await
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
        let (open, found) = found.map_err(|error| ReadError::Failed(error.to_string()))?;
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

fn switches_of(from: &Connection, stub: &Stub, range: Range) -> rusqlite::Result<Vec<SwitchRow>> {
    let sql = format!(
        "SELECT {SWITCH_COLUMNS} FROM switches WHERE at >= ?1 AND at < ?2 AND stub = ?3 ORDER BY at DESC, id DESC LIMIT {MAX_ROWS}"
    );
    let mut statement = from.prepare_cached(&sql)?;
    let mut found = statement.query(params![
        text::millis(range.from),
        text::millis(range.until),
        stub.as_str()
    ])?;
    let mut all = Vec::new();
    while let Some(row) = found.next()? {
        all.extend(switch(row)?);
    }
    Ok(all)
}

const GAPS: &str = "SELECT since, until, why FROM gaps WHERE until > ?1 AND since < ?2 ORDER BY since DESC, id DESC";

fn events(
    from: &Connection,
    stub: &Stub,
    range: Range,
    before: Option<Cursor>,
    limit: usize,
) -> rusqlite::Result<EventPage> {
    let sql = format!(
        "SELECT {EVENT_COLUMNS} FROM events WHERE stub = ?1 AND at >= ?2 AND at < ?3 AND (at, id) < (?4, ?5) ORDER BY at DESC, id DESC LIMIT ?6"
    );
    let mut statement = from.prepare_cached(&sql)?;
    let (at, id) = before.map_or((i64::MAX, i64::MAX), |before| {
        (text::millis(before.at), before.id)
    });
    let limit = i64::try_from(limit).unwrap_or(i64::MAX);
    let mut found = statement.query(params![
        stub.as_str(),
        text::millis(range.from),
        text::millis(range.until),
        at,
        id,
        limit + 1
    ])?;
    let (mut page, mut names, mut last, mut count) =
        (EventPage::default(), Names::default(), None, 0);
    while let Some(row) = found.next()? {
        if count == limit {
            page.next = last;
            break;
        }
        count += 1;
        let id = row.get(7)?;
        last = rows::time(row, 0)?.map(|at| Cursor { at, id });
        page.events
            .extend(rows::event(row, &mut names)?.map(|event| StoredEvent { id, event }));
    }
    Ok(page)
}

/// The inputs of uptime: the last event before the range, those in it, and gaps. `None` when they
/// are too many.
fn changes(
    from: &Connection,
    stub: &Stub,
    range: Range,
) -> rusqlite::Result<Option<Vec<(i64, Change)>>> {
    let (since, until) = (text::millis(range.from), text::millis(range.until));
    let change = |row: &Row<'_>| {
        Ok(text::health(row.get_ref(1)?.as_str()?)
            .map(Change::Health)
            .map(|change| (row.get(0), change)))
    };
    let sql = "SELECT at, health FROM events WHERE stub = ?1 AND at >= \
               coalesce((SELECT max(at) FROM events WHERE stub = ?1 AND at <= ?2), ?2) AND at < ?3 ORDER BY at, id LIMIT ?4";
    let mut statement = from.prepare_cached(sql)?;
    let limit = i64::try_from(MAX_CHANGES)
        .unwrap_or(i64::MAX)
        .saturating_add(1);
    let found = statement.query_map(params![stub.as_str(), since, until, limit], change)?;
    let mut all = Vec::new();
    for (at, change) in found.collect::<Result<Vec<_>, _>>()?.into_iter().flatten() {
        all.push((at?, change));
    }
    for gap in rows(from, &format!("{GAPS} LIMIT {MAX_CHANGES}"), range, gap)? {
        all.extend([
            (text::millis(gap.since), Change::GapBegins),
            (text::millis(gap.until), Change::GapEnds),
        ]);
    }
    Ok((all.len() <= MAX_CHANGES).then_some(all))
}

fn rows<T>(
    from: &Connection,
    sql: &str,
    range: Range,
    read: fn(&Row<'_>) -> rusqlite::Result<Option<T>>,
) -> rusqlite::Result<Vec<T>> {
    let mut statement = from.prepare_cached(sql)?;
    let mut found = statement.query([text::millis(range.from), text::millis(range.until)])?;
    let mut all = Vec::new();
    while let Some(row) = found.next()? {
        all.extend(read(row)?);
    }
    Ok(all)
}
