//! The table of bookings: written as they change, read back after a restart. Decides nothing.

use std::collections::BTreeMap;

use jiff::Timestamp;
use rusqlite::{Connection, Row, params};

use super::rows::{self, Range, time, word};
use super::statement::{WriteFault, run};
use super::text;
use engine::model::Stub;
use engine::{Booked, BookingChange};

/// The bookings that have not ended by now, in the order in which they were recorded.
pub(super) const STANDING: &str = "SELECT resource, stub, start, until, students, started, unfulfilled, ended FROM bookings \
                                   WHERE ended IS NULL AND until > ?1 ORDER BY id";

/// The most bookings of one answer: a quarter of a year of one experiment with one every half hour,
/// or a day of thirty with one every ten minutes.
const MAX_BOOKINGS: usize = 5_000;

/// When experiments were booked, by experiment and in the order of the starts.
pub type BookedTimes = BTreeMap<Stub, Vec<Range>>;

pub(super) fn booked(
    from: &Connection,
    stubs: &str,
    range: Range,
) -> rusqlite::Result<BookedTimes> {
    let sql = format!(
        "SELECT stub, max(start, ?2), min(coalesce(ended, until), ?3) FROM bookings \
         WHERE until > ?2 AND start < ?3 AND stub IN (SELECT value FROM json_each(?1)) AND coalesce(ended, until) > max(start, ?2) \
         ORDER BY start, id LIMIT {MAX_BOOKINGS}"
    );
    let values = params![stubs, text::millis(range.from), text::millis(range.until)];
    let read = |row: &Row<'_>| {
        let (from, until) = (time(row, 1)?, time(row, 2)?);
        Ok((word(row, 0)?, Range { from, until }))
    };
    let mut all = BookedTimes::new();
    for (stub, range) in rows::all(from, &sql, values, read, &mut 0)? {
        all.entry(stub).or_default().push(range);
    }
    Ok(all)
}

/// Writes changes. A booking that is written again replaces its row.
pub(super) fn write(to: &Connection, changes: &[BookingChange]) -> Result<(), WriteFault> {
    changes.iter().try_for_each(|change| match change {
        BookingChange::Stands(booked) => stands(to, booked),
        BookingChange::Cancelled(Booked { resource, start, end, .. }) => run(
            to,
            "DELETE FROM bookings WHERE resource = ?1 AND start = ?2 AND until = ?3",
            params![resource.as_str(), text::millis(*start), text::millis(*end)],
        ),
        BookingChange::Ended { booked: Booked { resource, start, end, .. }, at } => run(
            to,
            "UPDATE bookings SET ended = max(start, ?4) WHERE resource = ?1 AND start = ?2 AND until = ?3",
            params![resource.as_str(), text::millis(*start), text::millis(*end), text::millis(*at)],
        ),
    })
}

fn stands(to: &Connection, booked: &Booked) -> Result<(), WriteFault> {
    let Booked {
        resource,
        stub,
        start,
        end,
        students,
        started,
        unfulfilled,
    } = booked;
    run(
        to,
        "INSERT INTO bookings (resource, stub, start, until, students, started, unfulfilled) VALUES (?1, ?2, ?3, ?4, ?5, ?6, ?7) \
         ON CONFLICT (resource, start, until) DO UPDATE SET stub = ?2, students = ?5, started = ?6, unfulfilled = ?7, ended = NULL",
        params![
            resource.as_str(),
            stub.as_str(),
            text::millis(*start),
            text::millis(*end),
            students,
            started,
            unfulfilled
        ],
    )
}

/// A booking from the columns of [`STANDING`], and when it ended before its end.
pub(super) fn read(row: &Row<'_>) -> rusqlite::Result<(Booked, Option<Timestamp>)> {
    let booked = Booked {
        resource: word(row, 0)?,
        stub: word(row, 1)?,
        start: time(row, 2)?,
        end: time(row, 3)?,
        students: row.get(4)?,
        started: row.get(5)?,
        unfulfilled: row.get(6)?,
    };
    Ok((booked, rows::time_if_any(row, 7)?))
}
