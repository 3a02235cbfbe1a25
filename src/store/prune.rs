//! Deletion of what is older than `HISTORY_DAYS`, in steps so small that no writer waits for them.
//! Never deletes current state: the last event of an experiment, pending notifications, what has no
//! end yet.

use std::time::Duration;

use jiff::Timestamp;
use rusqlite::{Connection, OptionalExtension, params};

use super::statement::{WriteFault, Written, run};
use super::text;

/// How many rows one step checks.
const ROWS_PER_STEP: i64 = 500;

/// The pause between two steps.
pub(super) const PAUSE: Duration = Duration::from_millis(500);

/// The pause between two passes through all tables.
pub(super) const BETWEEN_WALKS: Duration = Duration::from_secs(6 * 3600);

/// A table with a history: its name, its time column, and which old rows may be deleted (`old` is
/// the row).
struct Past {
    table: &'static str,
    time: &'static str,
    may_go: &'static str,
}

const PASTS: [Past; 10] = [
    Past::new(
        "events",
        "at",
        "EXISTS (SELECT 1 FROM events WHERE stub = old.stub AND id > old.id)",
    ),
    Past::new("switches", "at", "TRUE"),
    Past::new("sources", "at", "TRUE"),
    Past::new("notices", "at", "TRUE"),
    Past::new("holds", "since", "old.until IS NOT NULL"),
    Past::new(
        "outbox",
        "created",
        "old.state <> 'pending' AND old.id < (SELECT max(id) FROM outbox)",
    ),
    Past::new("audit", "at", "TRUE"),
    Past::new("gaps", "since", "TRUE"),
    Past::new("bookings", "until", "TRUE"),
    Past::new(
        "forgotten",
        "at",
        "EXISTS (SELECT 1 FROM forgotten WHERE stub = old.stub AND id > old.id)",
    ),
];

impl Past {
    const fn new(table: &'static str, time: &'static str, may_go: &'static str) -> Self {
        Self {
            table,
            time,
            may_go,
        }
    }

    /// What forgets the old rows of some.
    fn delete(&self) -> String {
        let Self {
            table,
            time,
            may_go,
        } = self;
        format!(
            "DELETE FROM {table} AS old WHERE id > ?1 AND id <= ?2 AND {time} < ?3 AND {may_go}"
        )
    }
}

/// One pass through all tables, from their oldest rows up to the first young one.
#[derive(Debug, Default)]
pub(super) struct Walk {
    table: usize,
    after: i64,
}

impl Walk {
    /// One step. Returns whether the pass is over.
    pub(super) fn step(
        &mut self,
        from: &Connection,
        before: Timestamp,
    ) -> Result<bool, WriteFault> {
        let Some(past) = PASTS.get(self.table) else {
            return Ok(true);
        };
        let before = text::millis(before);
        match window(from, past, self.after, before)? {
            Some(last) => {
                run(from, &past.delete(), params![self.after, last, before])?;
                self.after = last;
            }
            None => {
                *self = Self {
                    table: self.table + 1,
                    after: 0,
                }
            }
        }
        Ok(self.table >= PASTS.len())
    }
}

/// Deletes the notes that ended before; they are few.
pub(super) fn ended_notes(from: &Connection, before: Timestamp) -> Written {
    let sql = "DELETE FROM notes WHERE ended < ?1";
    run(from, sql, [text::millis(before)])
}

/// The last row of the next few; `None` when the first of them is young already, or there is none.
fn window(
    from: &Connection,
    past: &Past,
    after: i64,
    before: i64,
) -> rusqlite::Result<Option<i64>> {
    let Past { table, time, .. } = past;
    let sql = format!(
        "SELECT max(id) FROM (SELECT id, {time} AS time FROM {table} WHERE id > ?1 ORDER BY id LIMIT {ROWS_PER_STEP}) \
         HAVING min(time) < ?2"
    );
    from.prepare_cached(&sql)?
        .query_row(params![after, before], |row| row.get(0))
        .optional()
}
