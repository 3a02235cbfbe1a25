//! The table of bookings: written as they change, read back after a restart. Decides nothing.

use std::collections::BTreeMap;

use jiff::Timestamp;
use rusqlite::{Connection, Row, params};

use super::rows::{Range, time};
use super::statement::{WriteFault, run};
use super::text;
use engine::model::{ResourceName, Stub};
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
    let mut statement = from.prepare_cached(&sql)?;
    let mut found = statement.query(params![
        stubs,
        text::millis(range.from),
        text::millis(range.until)
    ])?;
    let mut all = BookedTimes::new();
    while let Some(row) = found.next()? {
        let stub = Stub::try_new(&row.get::<_, String>(0)?).ok();
        let times = time(row, 1)?.zip(time(row, 2)?);
        if let Some((stub, (from, until))) = stub.zip(times) {
            all.entry(stub).or_default().push(Range { from, until });
        }
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
pub(super) fn read(row: &Row<'_>) -> rusqlite::Result<Option<(Booked, Option<Timestamp>)>> {
    let names = ResourceName::try_new(row.get_ref(0)?.as_str()?)
        .ok()
        .zip(Stub::try_new(row.get_ref(1)?.as_str()?).ok());
    let times = time(row, 2)?.zip(time(row, 3)?);
    let (students, started, unfulfilled, ended): (_, _, _, Option<i64>) =
        (row.get(4)?, row.get(5)?, row.get(6)?, row.get(7)?);
    Ok(names.zip(times).map(|((resource, stub), (start, end))| {
        (
            Booked {
                resource,
                stub,
                start,
                end,
                students,
                started,
                unfulfilled,
            },
            ended.and_then(text::time),
        )
    }))
}
