//! The whole history of a time range, read in one go for a report. Uses a connection of its own, so
//! that no other query waits for it.

use std::collections::BTreeMap;
use std::path::Path;
use std::time::Instant;

use jiff::Timestamp;
use rusqlite::{Connection, OptionalExtension, Params, Row, params};

use super::error::ReadError;
use super::gap::{Gap, gap_between};
use super::rows::{self, Range, gap};
use super::text::{self, Names};
use super::{bookings, file, schema};
use engine::model::{Health, JumpHealth, OUR_PREFIX, Stub};
use engine::{Booked, Issue, Maintenance, StateKey, StateValue, SuppressionEntry};

/// The most rows that are read: a year in which each of 130 experiments changes every quarter of an
/// hour.
const MAX_ROWS: usize = 5_000_000;

/// After how many rows the time limit is checked.
const ROWS_BETWEEN_LOOKS: usize = 4_096;

/// The recorded history of a time range.
#[derive(Debug, Clone, PartialEq, Default)]
pub struct Past {
    /// The changes of each experiment, oldest first, from its last change before the range after
    /// which it was usable.
    pub changes: BTreeMap<Stub, Vec<Change>>,
    /// Gaps that touch the range, oldest first; a current one ends now.
    pub gaps: Vec<Gap>,
    /// Bookings that touch the range.
    pub bookings: Vec<KeptBooking>,
    /// When book confirmed that labwatch withdrew an experiment: the time of the decision, oldest
    /// first.
    pub withdrawals: Vec<(Timestamp, Stub)>,
    /// The experiments of each pool, as last recorded.
    pub pools: BTreeMap<String, Vec<Stub>>,
    /// Maintenance windows that may touch the range, each with when it was ended before its end.
    pub windows: Vec<(Maintenance, Option<Timestamp>)>,
}

/// A change of an experiment.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Change {
    /// When.
    pub at: Timestamp,
    /// Its health from then on; `None`: it was forgotten.
    pub health: Option<Health>,
    /// Its issues, where it was not usable.
    pub issues: Vec<Issue>,
    /// The remote login, where it was not usable.
    pub jump: JumpHealth,
}

/// A booking of the history.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct KeptBooking {
    /// The booking as it was made.
    pub booked: Booked,
    /// When it vanished, if that was while it ran.
    pub ended: Option<Timestamp>,
}

/// Reads the history of `range` from the data file of `dir`, which may be in use. `now` ends what
/// is current; reading ends at `latest`.
///
/// # Errors
/// [`ReadError::TooMuch`] when there is more than can be read, or not enough time;
/// [`ReadError::Failed`] says what to do.
pub fn look_back(
    dir: &Path,
    range: Range,
    now: Timestamp,
    latest: Instant,
) -> Result<Past, ReadError> {
    within(dir, latest, |from, budget| past(from, range, now, budget))
}

/// What is read from the data file of a folder, as of one moment, until `latest`.
pub(super) fn within<T>(
    dir: &Path,
    latest: Instant,
    read: impl FnOnce(&Connection, &mut Budget) -> rusqlite::Result<T>,
) -> Result<T, ReadError> {
    let from = open(dir)?;
    let mut budget = Budget {
        rows: 0,
        late: false,
        latest,
    };
    let found = from
        .execute_batch("BEGIN")
        .and_then(|()| read(&from, &mut budget))?;
    if budget.is_spent() {
        Err(ReadError::TooMuch)
    } else {
        Ok(found)
    }
}

/// Opens the data file of a folder for reading, if its tables have the version of this labwatch.
fn open(dir: &Path) -> Result<Connection, ReadError> {
    let path = dir.join(file::DATABASE_FILE);
    if !path.exists() {
        return Err(ReadError::Failed(format!(
            "there is no file {}",
            path.display()
        )));
    }
    let from = file::read_only(&path)?;
    let (found, known) = (schema::version(&from)?, schema::known_version());
    if found != known {
        let what = if found < known {
            "let labwatch serve run once on it"
        } else {
            "use the newer labwatch that wrote it"
        };
        return Err(ReadError::Failed(format!(
            "{} has version {found} of the tables and not {known}: {what}",
            path.display()
        )));
    }
    Ok(from)
}

/// How much may still be read.
pub(super) struct Budget {
    rows: usize,
    late: bool,
    latest: Instant,
}

impl Budget {
    /// Counts a row. False when it exceeds the budget, or the time is over.
    fn allows_one_more(&mut self) -> bool {
        self.rows += 1;
        self.late |= self.rows.is_multiple_of(ROWS_BETWEEN_LOOKS) && Instant::now() >= self.latest;
        !self.is_spent()
    }

    fn is_spent(&self) -> bool {
        self.late || self.rows > MAX_ROWS
    }
}

/// Everything. Where the budget is spent, something is missing.
fn past(
    from: &Connection,
    range: Range,
    now: Timestamp,
    budget: &mut Budget,
) -> rusqlite::Result<Past> {
    let pools: Option<String> = from
        .query_row(
            "SELECT value FROM state WHERE key = ?1",
            [StateKey::Pools.to_string()],
            |row| row.get(0),
        )
        .optional()?;
    let ends = [text::millis(range.from), text::millis(range.until)];
    Ok(Past {
        changes: changes(from, range, budget)?,
        gaps: gaps(from, range, now, budget)?,
        bookings: rows(from, BOOKINGS, ends, booking, budget)?,
        withdrawals: rows(from, WITHDRAWALS, ends, withdrawal, budget)?
            .into_iter()
            .filter_map(|(at, stub, is_ours)| is_ours.then_some((at, stub)))
            .collect(),
        pools: pools
            .and_then(|text| serde_json::from_str(&text).ok())
            .and_then(pools_of)
            .unwrap_or_default(),
        windows: rows(from, WINDOWS, ends, window, budget)?,
    })
}

const BOOKINGS: &str = "SELECT resource, stub, start, until, students, started, unfulfilled, ended FROM bookings \
                        WHERE until > ?1 AND start < ?2 AND coalesce(ended, until) > max(start, ?1) ORDER BY start, id";

const WITHDRAWALS: &str = "SELECT at, stub, reason FROM switches WHERE at >= ?1 AND at < ?2 AND available = 0 AND outcome = 'confirmed' ORDER BY at, id";

const WINDOWS: &str = "SELECT content, ended FROM notes \
                       WHERE kind = 'window' AND coalesce(ended, until, 9e18) > ?1 AND created < ?2 ORDER BY created, id";

const GAPS: &str =
    "SELECT since, until, why FROM gaps WHERE until > ?1 AND since < ?2 ORDER BY since, id";

/// The changes of one experiment. Only where it was not usable is more read than the index holds.
const CHANGES: &str = "SELECT at, health, CASE WHEN health IN ('down', 'flapping') THEN issues END, \
                       CASE WHEN health IN ('down', 'flapping') THEN jump END \
                       FROM events WHERE stub = ?1 AND at >= ?2 AND at < ?3 ORDER BY at, id";

/// Since when an experiment must be followed, so that a period that is under way at the start of
/// the range is known from its beginning.
const FOLLOWED_FROM: &str = "SELECT at FROM events WHERE stub = ?1 AND at <= ?2 AND health IN ('ok', 'degraded') ORDER BY at DESC LIMIT 1";

fn changes(
    from: &Connection,
    range: Range,
    budget: &mut Budget,
) -> rusqlite::Result<BTreeMap<Stub, Vec<Change>>> {
    let mut next = from.prepare("SELECT min(stub) FROM events WHERE stub > ?1")?;
    let (mut all, mut name) = (BTreeMap::new(), String::new());
    // From name to name in the index takes as many steps as there are names.
    while let Some(found) = next.query_row([&name], |row| row.get::<_, Option<String>>(0))? {
        if budget.is_spent() {
            break;
        }
        if let Ok(stub) = Stub::try_new(&found) {
            let changes = changes_of(from, &stub, range, budget)?;
            all.insert(stub, changes);
        }
        name = found;
    }
    Ok(all)
}

fn changes_of(
    from: &Connection,
    stub: &Stub,
    range: Range,
    budget: &mut Budget,
) -> rusqlite::Result<Vec<Change>> {
    let (since, until) = (text::millis(range.from), text::millis(range.until));
    let followed: Option<i64> = from
        .prepare_cached(FOLLOWED_FROM)?
        .query_row(params![stub.as_str(), since], |row| row.get(0))
        .optional()?;
    let values = params![stub.as_str(), followed.unwrap_or(i64::MIN), until];
    let mut names = Names::default();
    let mut all = rows(from, CHANGES, values, |row| change(row, &mut names), budget)?;
    let sql = "SELECT at FROM forgotten WHERE stub = ?1 AND at < ?2 ORDER BY id";
    let forgotten = |row: &Row<'_>| {
        Ok(Change {
            at: rows::time(row, 0)?,
            health: None,
            issues: Vec::new(),
            jump: JumpHealth::Unknown,
        })
    };
    let values = params![stub.as_str(), until];
    all.extend(rows::all(from, sql, values, forgotten, &mut 0)?);
    all.sort_by_key(|change| change.at);
    Ok(all)
}

fn change(row: &Row<'_>, names: &mut Names) -> rusqlite::Result<Change> {
    let (issues, jump) = (
        row.get_ref(2)?.as_str_or_null()?,
        row.get_ref(3)?.as_str_or_null()?,
    );
    Ok(Change {
        at: rows::time(row, 0)?,
        health: Some(rows::word(row, 1)?),
        issues: issues
            .and_then(|issues| text::issues(issues, names))
            .unwrap_or_default(),
        jump: jump.and_then(text::word).unwrap_or(JumpHealth::Unknown),
    })
}

/// Recorded gaps, and the current one: the last heartbeat is too old.
pub(super) fn gaps(
    from: &Connection,
    range: Range,
    now: Timestamp,
    budget: &mut Budget,
) -> rusqlite::Result<Vec<Gap>> {
    let ends = [text::millis(range.from), text::millis(range.until)];
    let mut gaps: Vec<Gap> = rows(from, GAPS, ends, gap, budget)?
        .into_iter()
        .filter_map(|gap| gap.up_to(now))
        .collect();
    let alive: Option<i64> = from
        .query_row("SELECT at FROM alive", [], |row| row.get(0))
        .optional()?;
    gaps.extend(
        alive
            .and_then(text::time)
            .and_then(|last| gap_between(last, now))
            .filter(|gap| gap.since < range.until),
    );
    Ok(gaps)
}

fn pools_of(value: StateValue) -> Option<BTreeMap<String, Vec<Stub>>> {
    if let StateValue::Pools(pools) = value {
        Some(pools)
    } else {
        None
    }
}

fn booking(row: &Row<'_>) -> rusqlite::Result<KeptBooking> {
    let (booked, ended) = bookings::read(row)?;
    Ok(KeptBooking { booked, ended })
}

/// A withdrawal, and whether it is ours: one that a person ordered has the person's reason.
fn withdrawal(row: &Row<'_>) -> rusqlite::Result<(Timestamp, Stub, bool)> {
    let is_ours = row.get_ref(2)?.as_str()?.starts_with(OUR_PREFIX);
    Ok((rows::time(row, 0)?, rows::word(row, 1)?, is_ours))
}

fn window(row: &Row<'_>) -> rusqlite::Result<(Maintenance, Option<Timestamp>)> {
    let window = rows::column(row, 0, |text| match serde_json::from_str(text) {
        Ok(SuppressionEntry::Maintenance(window)) => Some(window),
        _ => None,
    });
    Ok((window?, rows::time_if_any(row, 1)?))
}

/// Every valid row, within the budget.
pub(super) fn rows<T>(
    from: &Connection,
    sql: &str,
    values: impl Params,
    mut read: impl FnMut(&Row<'_>) -> rusqlite::Result<T>,
    budget: &mut Budget,
) -> rusqlite::Result<Vec<T>> {
    let mut statement = from.prepare_cached(sql)?;
    let mut found = statement.query(values)?;
    let mut all = Vec::new();
    while let Some(row) = found.next()? {
        if !budget.allows_one_more() {
            break;
        }
        all.extend(rows::readable(read(row))?);
    }
    Ok(all)
}
