//! Entries into tables. It decides nothing: whoever calls it opens and closes the transaction.

use std::fmt;

use jiff::Timestamp;
use rusqlite::{Connection, ErrorCode, OptionalExtension, Params, params};
use serde_json::{Value, json};

use super::entry::{Delivery, Entry, Note, Notified, OutboxState, Outgoing};
use super::{bookings, text};
use engine::model::{ResourceName, Stub, Visibility};
use engine::{Event, ManifestChange, Record, Summary, Switch, SwitchOutcome};

/// The longest content of something that is to be sent or remembered, in bytes. A mail about 130 experiments has about 100,000.
pub const MAX_CONTENT_BYTES: usize = 4 << 20;

/// Why an entry was not written.
#[derive(Debug)]
pub(super) enum WriteFault {
    /// The entry itself cannot be kept, now or later.
    Refused(String),
    /// The disk or the file does not take it now.
    Disk(rusqlite::Error),
}

impl From<rusqlite::Error> for WriteFault {
    fn from(error: rusqlite::Error) -> Self {
        match error.sqlite_error_code() {
            Some(ErrorCode::ConstraintViolation | ErrorCode::TooBig | ErrorCode::TypeMismatch) => {
                Self::Refused(error.to_string())
            }
            _ => Self::Disk(error),
        }
    }
}

impl From<serde_json::Error> for WriteFault {
    fn from(error: serde_json::Error) -> Self {
        Self::Refused(error.to_string())
    }
}

impl fmt::Display for WriteFault {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Refused(why) => write!(f, "it cannot be kept: {why}"),
            Self::Disk(error) => write!(f, "{error}"),
        }
    }
}

type Written = Result<(), WriteFault>;

/// Writes one entry.
pub(super) fn write(to: &Connection, entry: &Entry) -> Written {
    match entry {
        Entry::Record { at, record } => write_record(to, *at, record),
        Entry::Seen { stub, at } => seen(to, stub, *at),
        Entry::Forgotten { stub, at } => forgotten(to, stub, *at),
        Entry::Notified(notified) => write_told(to, notified),
        Entry::Untold { route, subject } => run(
            to,
            "DELETE FROM told WHERE route = ?1 AND subject = ?2",
            [route, subject],
        ),
        Entry::RouteForgotten(route) => run(to, "DELETE FROM told WHERE route = ?1", [route]),
        Entry::Outgoing(outgoing) => write_outgoing(to, outgoing),
        Entry::Delivery(delivery) => write_delivery(to, delivery),
        Entry::Note(note) => write_note(to, note),
        Entry::NoteEnded { id, at } => run(
            to,
            "UPDATE notes SET ended = ?2 WHERE id = ?1 AND ended IS NULL",
            params![id, text::millis(*at)],
        ),
        Entry::Keep {
            key,
            value: Some(value),
        } => run(
            to,
            "REPLACE INTO keep (key, value) VALUES (?1, ?2)",
            [key, &content(value)?],
        ),
        Entry::Keep { key, value: None } => run(to, "DELETE FROM keep WHERE key = ?1", [key]),
        Entry::Audit { at, who, what } => run(
            to,
            "INSERT INTO audit (at, who, what) VALUES (?1, ?2, ?3)",
            params![text::millis(*at), who, what],
        ),
    }
}

/// Notes a time in which nothing was kept.
pub(super) fn write_gap(
    to: &Connection,
    since: Timestamp,
    until: Timestamp,
    why: &str,
) -> rusqlite::Result<()> {
    let mut statement =
        to.prepare_cached("INSERT INTO gaps (since, until, why) VALUES (?1, ?2, ?3)")?;
    statement
        .execute(params![text::millis(since), text::millis(until), why])
        .map(|_| ())
}

/// Cuts what gaps say of the time after `now`, which a clock that was wrong has noted. Returns how many gaps that were.
pub(super) fn cut_gaps(to: &Connection, now: Timestamp) -> rusqlite::Result<usize> {
    let now = text::millis(now);
    let dropped = to
        .prepare_cached("DELETE FROM gaps WHERE since >= ?1")?
        .execute([now])?;
    let cut = to
        .prepare_cached("UPDATE gaps SET until = ?1 WHERE until > ?1")?
        .execute([now])?;
    Ok(dropped + cut)
}

/// Notes that labwatch runs.
pub(super) fn write_alive(to: &Connection, at: Timestamp) -> rusqlite::Result<()> {
    to.prepare_cached("REPLACE INTO alive (one, at) VALUES (1, ?1)")?
        .execute([text::millis(at)])
        .map(|_| ())
}

fn write_record(to: &Connection, at: Timestamp, record: &Record) -> Written {
    match record {
        Record::Event { stub, event } => write_event(to, stub, event),
        Record::Switching(switch) => write_switching(to, at, switch),
        Record::Switched {
            resource,
            stub,
            outcome,
        } => write_switched(to, at, resource, stub, outcome),
        Record::Source {
            name, health, said, ..
        } => run(
            to,
            "INSERT INTO sources (at, source, health, note) VALUES (?1, ?2, ?3, ?4)",
            params![
                text::millis(at),
                name.as_str(),
                health.as_str(),
                said.show(Visibility::MAINTAINER)
            ],
        ),
        Record::Hold { resource, reason } => write_hold(to, at, resource, reason.as_deref()),
        Record::Seen(stub) => seen(to, stub, at),
        Record::Forgotten(stub) => forgotten(to, stub, at),
        Record::Bookings(changes) => bookings::write(to, changes),
        // These are rows of their own, which the clerk makes.
        Record::Notified { .. }
        | Record::RouteGone(_)
        | Record::Wished { .. }
        | Record::Pools(_)
        | Record::Commanded { .. }
        | Record::Suppression { .. }
        | Record::QuietEnded(_) => Ok(()),
        Record::Manifest(change) => notice(to, at, "manifest", &manifest(change)),
        Record::Blind(blind) => notice(to, at, "blind", &json!(blind)),
        Record::Telling(summary) => notice(to, at, "mailing", &mailing(summary)),
        Record::Delivered { id, outcome } => {
            let error = outcome
                .as_ref()
                .err()
                .map(|fault| fault.fault.words(Visibility::MAINTAINER));
            notice(to, at, "mailed", &json!({ "id": id, "error": error }))
        }
        Record::Sampling {
            streams,
            round,
            keeps_up,
            failures,
        } => {
            let content = json!({ "streams": streams, "round_s": round.as_secs_f64(), "keeps_up": keeps_up, "failures": failures });
            notice(to, at, "sampling", &content)
        }
    }
}

fn seen(to: &Connection, stub: &Stub, at: Timestamp) -> Written {
    run(
        to,
        "INSERT OR IGNORE INTO experiments (stub, first_seen) VALUES (?1, ?2)",
        params![stub.as_str(), text::millis(at)],
    )
}

/// Lets a known experiment go, and notes when that was. One that is not known is forgotten already.
fn forgotten(to: &Connection, stub: &Stub, at: Timestamp) -> Written {
    let known = "INSERT INTO forgotten (at, stub) SELECT ?2, stub FROM experiments WHERE stub = ?1";
    run(to, known, params![stub.as_str(), text::millis(at)])?;
    run(
        to,
        "DELETE FROM experiments WHERE stub = ?1",
        [stub.as_str()],
    )
}

fn write_event(to: &Connection, stub: &Stub, event: &Event) -> Written {
    seen(to, stub, event.when)?;
    run(
        to,
        "INSERT INTO events (at, stub, health, was, issues, jump, streams, why) VALUES (?1, ?2, ?3, ?4, ?5, ?6, ?7, ?8)",
        params![
            text::millis(event.when),
            stub.as_str(),
            event.health.as_str(),
            event.was.as_str(),
            text::issues_text(&event.issues)?,
            event.jump.as_str(),
            text::streams_text(&event.streams)?,
            text::why_text(event.why),
        ],
    )
}

fn write_switching(to: &Connection, at: Timestamp, switch: &Switch) -> Written {
    run(
        to,
        "INSERT INTO switches (at, resource, stub, available, reason) VALUES (?1, ?2, ?3, ?4, ?5)",
        params![
            text::millis(at),
            switch.resource.as_str(),
            switch.stub.as_str(),
            switch.available,
            switch.reason
        ],
    )
}

/// Completes the latest switch of the resource whose outcome is open; without one, the outcome stands alone.
fn write_switched(
    to: &Connection,
    at: Timestamp,
    resource: &ResourceName,
    stub: &Stub,
    outcome: &SwitchOutcome,
) -> Written {
    let (as_str, note) = match outcome {
        SwitchOutcome::Confirmed(availability) => ("confirmed", availability.reason.clone()),
        SwitchOutcome::Held(availability) => ("held", availability.reason.clone()),
        SwitchOutcome::Gone => ("gone", String::new()),
        SwitchOutcome::Failed(fault) => ("failed", fault.words(Visibility::MAINTAINER)),
    };
    let open: Option<i64> = to
        .prepare_cached("SELECT id FROM switches WHERE resource = ?1 AND outcome IS NULL ORDER BY id DESC LIMIT 1")?
        .query_row([resource.as_str()], |row| row.get(0))
        .optional()?;
    match open {
        Some(id) => run(
            to,
            "UPDATE switches SET outcome = ?2, note = ?3, took = max(0, ?4 - at) WHERE id = ?1",
            params![id, as_str, note, text::millis(at)],
        ),
        None => run(
            to,
            "INSERT INTO switches (at, resource, stub, reason, outcome, note) VALUES (?1, ?2, ?3, '', ?4, ?5)",
            params![
                text::millis(at),
                resource.as_str(),
                stub.as_str(),
                as_str,
                note
            ],
        ),
    }
}

/// Begins a hold, or ends it. A hold whose reason changes is another hold.
fn write_hold(
    to: &Connection,
    at: Timestamp,
    resource: &ResourceName,
    reason: Option<&str>,
) -> Written {
    let (resource, at) = (resource.as_str(), text::millis(at));
    run(
        to,
        "UPDATE holds SET until = max(since, ?2) WHERE resource = ?1 AND until IS NULL AND reason IS NOT ?3",
        params![resource, at, reason],
    )?;
    match reason {
        Some(reason) => run(
            to,
            "INSERT OR IGNORE INTO holds (resource, reason, since) VALUES (?1, ?2, ?3)",
            params![resource, reason, at],
        ),
        None => Ok(()),
    }
}

fn write_told(to: &Connection, notified: &Notified) -> Written {
    run(
        to,
        "REPLACE INTO told (route, subject, value) VALUES (?1, ?2, ?3)",
        [
            &notified.route,
            &notified.subject,
            &content(&notified.value)?,
        ],
    )
}

fn write_outgoing(to: &Connection, outgoing: &Outgoing) -> Written {
    run(
        to,
        "INSERT INTO outbox (id, route, created, state, content) VALUES (?1, ?2, ?3, ?4, ?5) \
         ON CONFLICT (id) DO UPDATE SET content = excluded.content, state = iif(state = 'refused', state, excluded.state)",
        params![
            number(outgoing.id)?,
            outgoing.route,
            text::millis(outgoing.created),
            OutboxState::Pending.as_str(),
            content(&outgoing.content)?
        ],
    )
}

fn write_delivery(to: &Connection, delivery: &Delivery) -> Written {
    run(
        to,
        "UPDATE outbox SET state = ?2, attempts = attempts + (?2 <> 'superseded'), tried = ?3, last_error = coalesce(?4, last_error) WHERE id = ?1",
        params![
            number(delivery.id)?,
            delivery.state.as_str(),
            text::millis(delivery.at),
            delivery.error
        ],
    )
}

fn write_note(to: &Connection, note: &Note) -> Written {
    run(
        to,
        "REPLACE INTO notes (id, kind, created, until, content) VALUES (?1, ?2, ?3, ?4, ?5)",
        params![
            note.id,
            note.kind.as_str(),
            text::millis(note.created),
            note.until.map(text::millis),
            content(&note.content)?
        ],
    )
}

fn notice(to: &Connection, at: Timestamp, kind: &str, content: &Value) -> Written {
    let sql = "INSERT INTO notices (at, kind, content) VALUES (?1, ?2, ?3)";
    run(
        to,
        sql,
        params![text::millis(at), kind, content.to_string()],
    )
}

fn manifest(change: &ManifestChange) -> Value {
    match change {
        ManifestChange::Lost => json!("lost"),
        ManifestChange::Back => json!("back"),
        ManifestChange::Changed { added, removed } => json!({ "added": added, "removed": removed }),
    }
}

/// What a summary is about, without its words.
fn mailing(summary: &Summary) -> Value {
    let news: Vec<_> = summary
        .news
        .iter()
        .map(|line| json!([line.stub, line.notified, line.health]))
        .collect();
    let alerts: Vec<_> = summary
        .alerts
        .iter()
        .filter(|alert| alert.new)
        .map(|alert| alert.text.as_str())
        .collect();
    json!({ "id": summary.id, "route": summary.route, "occasion": summary.occasion.as_str(), "news": news, "alerts": alerts, "problems": summary.problems.len() })
}

fn content(value: &Value) -> Result<String, WriteFault> {
    let text = value.to_string();
    if text.len() > MAX_CONTENT_BYTES {
        return Err(WriteFault::Refused(format!(
            "its content has {} bytes, more than {MAX_CONTENT_BYTES}",
            text.len()
        )));
    }
    Ok(text)
}

fn number(id: u64) -> Result<i64, WriteFault> {
    i64::try_from(id).map_err(|_| WriteFault::Refused(format!("its number {id} is too large")))
}

pub(super) fn run(to: &Connection, sql: &str, values: impl Params) -> Written {
    to.prepare_cached(sql)?.execute(values)?;
    Ok(())
}
