//! The rows of a labwatch in shadow: book's availability and the one that labwatch would have set,
//! at each change of either.

use std::path::Path;
use std::time::Instant;

use jiff::Timestamp;
use rusqlite::{Connection, Row};

use super::entry::ShadowRow;
use super::error::ReadError;
use super::gap::Gap;
use super::past::{self, Budget};
use super::rows::{self, Range};
use super::text;

/// The rows of a time in shadow.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct ShadowPast {
    /// When each row began to hold, oldest first, after those that held at the start.
    pub rows: Vec<(Timestamp, ShadowRow)>,
    /// Gaps, oldest first.
    pub gaps: Vec<Gap>,
    /// How many notifications were composed.
    pub notifications: u64,
}

/// Reads the shadow rows of `range` in the data file of `dir`, which may be in use. Reading ends at
/// `latest`.
///
/// # Errors
/// [`ReadError::TooMuch`] when there is more than can be read; [`ReadError::Failed`] says what to
/// do.
pub fn shadow_past(
    dir: &Path,
    range: Range,
    now: Timestamp,
    latest: Instant,
) -> Result<ShadowPast, ReadError> {
    let from = past::open(dir)?;
    let mut budget = Budget::until(latest);
    let read = read(&from, range, now, &mut budget);
    let read = read.map_err(|error| ReadError::Failed(error.to_string()))?;
    if budget.is_spent() {
        return Err(ReadError::TooMuch);
    }
    Ok(read)
}

/// Everything, as of one moment. Where the budget is spent, something is missing.
fn read(
    from: &Connection,
    range: Range,
    now: Timestamp,
    budget: &mut Budget,
) -> rusqlite::Result<ShadowPast> {
    from.execute_batch("BEGIN")?;
    let ends = [text::millis(range.from), text::millis(range.until)];
    Ok(ShadowPast {
        gaps: past::gaps(from, range, now, budget)?,
        rows: past::rows(from, ROWS, ends, row, budget)?,
        notifications: notifications(from, ends)?,
    })
}

/// The last row of each resource from before, and those of the range.
const ROWS: &str = "SELECT at, content FROM notices WHERE kind = 'shadow' AND at < ?2 AND (at >= ?1 OR id IN \
                    (SELECT max(id) FROM notices WHERE kind = 'shadow' AND at < ?1 GROUP BY content ->> 'resource')) \
                    ORDER BY at, id";

fn row(row: &Row<'_>) -> rusqlite::Result<Option<(Timestamp, ShadowRow)>> {
    let kept = serde_json::from_str(row.get_ref(1)?.as_str()?).ok();
    Ok(rows::time(row, 0)?.zip(kept))
}

fn notifications(from: &Connection, ends: [i64; 2]) -> rusqlite::Result<u64> {
    from.query_row(
        "SELECT count(*) FROM notices WHERE kind = 'mailing' AND at >= ?1 AND at < ?2",
        ends,
        text::unsigned,
    )
}
