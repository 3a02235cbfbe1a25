//! The rows of a labwatch in shadow: book's availability and the one that labwatch would have set,
//! at each change of either.

use std::path::Path;
use std::time::Instant;

use jiff::Timestamp;
use rusqlite::Row;

use super::entry::ShadowRow;
use super::error::ReadError;
use super::gap::Gap;
use super::past;
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
    past::within(dir, latest, |from, budget| {
        let ends = [text::millis(range.from), text::millis(range.until)];
        Ok(ShadowPast {
            gaps: past::gaps(from, range, now, budget)?,
            rows: past::rows(from, ROWS, ends, row, budget)?,
            notifications: from.query_row(NOTIFICATIONS, ends, text::unsigned)?,
        })
    })
}

/// The last row of each resource from before, and those of the range.
const ROWS: &str = "SELECT at, content FROM notices WHERE kind = 'shadow' AND at < ?2 AND (at >= ?1 OR id IN \
                    (SELECT max(id) FROM notices WHERE kind = 'shadow' AND at < ?1 GROUP BY content ->> 'resource')) \
                    ORDER BY at, id";

const NOTIFICATIONS: &str =
    "SELECT count(*) FROM notices WHERE kind = 'mailing' AND at >= ?1 AND at < ?2";

fn row(row: &Row<'_>) -> rusqlite::Result<(Timestamp, ShadowRow)> {
    Ok((rows::time(row, 0)?, rows::json(row, 1)?))
}
