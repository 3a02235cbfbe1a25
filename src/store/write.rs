//! Writes entries into tables. Decides nothing: the caller opens and closes the transaction.

use jiff::Timestamp;
use rusqlite::{Connection, OptionalExtension, params};
use serde_json::{Value, json};

use super::entry::{self, Entry, OutboxState};
use super::gap::Gap;
use super::notices::{notice, write_page, write_sampling};
use super::statement::{Written, content, number, run};
use super::{bookings, text};
use engine::model::{ResourceName, Stub, Visibility};
use engine::{
    CategoryCause, Delivered, DeliveryFault, Event, ManifestChange, Record, StateChange, Summary,
    SuppressionEntry, SuppressionId, SuppressionKind, Switch, SwitchOutcome,
};

/// Sets an entry of the state.
pub(super) const PUT: &str = "REPLACE INTO state (key, value) VALUES (?1, ?2)";

/// Writes one entry.
pub(super) fn write(to: &Connection, entry: &Entry) -> Written {
    match entry {
        Entry::Record { at, record } => self::record(to, *at, record),
        Entry::State(StateChange { key, value }) => {
            let value = value.as_ref().map(serde_json::to_value).transpose()?;
            put(to, &key.to_string(), value.as_ref())
        }
        Entry::Keep { key, value } => put(to, key, value.as_ref()),
        Entry::Audit { at, who, what } => audit(to, *at, who, what),
        Entry::Shadow { at, row } => {
            notice(to, *at, entry::SHADOW_KIND, &serde_json::to_value(row)?)
        }
    }
}

/// Sets an entry of the state, or removes it. No other entry is touched.
pub(super) fn put(to: &Connection, key: &str, value: Option<&Value>) -> Written {
    match value {
        Some(value) => run(to, PUT, [key, &content(value)?]),
        None => run(to, "DELETE FROM state WHERE key = ?1", [key]),
    }
}

fn audit(to: &Connection, at: Timestamp, who: &str, what: &str) -> Written {
    run(
        to,
        "INSERT INTO audit (at, who, what) VALUES (?1, ?2, ?3)",
        params![text::millis(at), who, what],
    )
}

/// Records a gap.
pub(super) fn write_gap(to: &Connection, gap: &Gap) -> Written {
    let (since, until) = (text::millis(gap.since), text::millis(gap.until));
    run(
        to,
        "INSERT INTO gaps (since, until, why) VALUES (?1, ?2, ?3)",
        params![since, until, gap.why.as_str()],
    )
}

/// Removes the part of gaps after `now`, which was recorded by a clock that was wrong. Returns how
/// many gaps that affects.
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
pub(super) fn write_alive(to: &Connection, at: Timestamp) -> Written {
    let sql = "REPLACE INTO alive (one, at) VALUES (1, ?1)";
    run(to, sql, [text::millis(at)])
}

/// Writes the rows of the history that a record makes.
pub(super) fn record(to: &Connection, at: Timestamp, record: &Record) -> Written {
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
        } => {
            let note = said.show(Visibility::MAINTAINER);
            run(
                to,
                "INSERT INTO sources (at, source, health, note) VALUES (?1, ?2, ?3, ?4)",
                params![text::millis(at), name.as_str(), health.as_str(), note],
            )
        }
        Record::Hold { resource, reason } => write_hold(to, at, resource, reason.as_deref()),
        Record::Forgotten(stub) => {
            let sql = "INSERT INTO forgotten (at, stub) VALUES (?1, ?2)";
            run(to, sql, params![text::millis(at), stub.as_str()])
        }
        Record::Bookings(changes) => bookings::write(to, changes),
        Record::Commanded { order, .. } => audit(to, at, &order.by, &order.command.to_string()),
        Record::Category { name, state } if state.cause == CategoryCause::Fault => {
            let what = format!("closed the category {name}: {}", state.reason);
            audit(to, at, &state.by, &what)
        }
        Record::Suppression { id, entry } => note(to, *id, entry),
        Record::SuppressionEnded(ended) => end_note(to, &ended.id.to_string(), ended.at),
        Record::Notifying(notification) => {
            write_outgoing(to, at, &notification.summary)?;
            notice(to, at, "mailing", &mailing(&notification.summary))
        }
        Record::Superseded(id) => write_delivery(to, at, *id, OutboxState::Superseded, None),
        Record::Delivered { id, outcome } => {
            let error = why_not(outcome);
            write_delivery(to, at, *id, state_after(outcome), error.as_deref())?;
            let what = json!({ "id": id, "error": error });
            notice(to, at, "mailed", &what)
        }
        Record::Manifest(change) => notice(to, at, "manifest", &manifest(change)),
        Record::Blind(blind) => notice(to, at, "blind", &json!(blind)),
        Record::SecondLook { lost, of } => {
            notice(to, at, "second_look", &json!({ "lost": lost, "of": of }))
        }
        Record::Page {
            page, health, note, ..
        } => write_page(to, at, page.as_str(), health.as_str(), note),
        Record::Sampling {
            streams,
            round,
            keeps_up,
            failures,
        } => write_sampling(to, at, (*streams, *round), (*keeps_up, *failures)),
        // These are in the state alone.
        Record::Seen(_)
        | Record::Notified { .. }
        | Record::RouteGone(_)
        | Record::Retrying { .. }
        | Record::Lane { .. }
        | Record::Waiting { .. }
        | Record::Requested { .. }
        | Record::Category { .. }
        | Record::Pools(_) => Ok(()),
    }
}

fn end_note(to: &Connection, id: &str, at: Timestamp) -> Written {
    let sql = "UPDATE notes SET ended = ?2 WHERE id = ?1 AND ended IS NULL";
    run(to, sql, params![id, text::millis(at)])
}

/// Why some or all recipients do not have a message.
fn why_not(outcome: &Result<Delivered, DeliveryFault>) -> Option<String> {
    match outcome {
        Ok(delivered) => unreached(delivered),
        Err(fault) => Some(fault.fault.words(Visibility::MAINTAINER)),
    }
}

fn write_event(to: &Connection, stub: &Stub, event: &Event) -> Written {
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
            serde_json::to_string(&event.streams)?,
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

/// Completes the latest switch of the resource whose outcome is open; without one, the outcome is a
/// row of its own.
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

/// Begins a hold, or ends it. A hold whose reason changes is a new hold.
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

fn write_outgoing(to: &Connection, at: Timestamp, summary: &Summary) -> Written {
    let news: Vec<_> = summary
        .news
        .iter()
        .map(|line| json!({ "stub": line.stub, "health": line.health, "since": line.since }))
        .collect();
    run(
        to,
        "REPLACE INTO outbox (id, route, created, state, content) VALUES (?1, ?2, ?3, ?4, ?5)",
        params![
            number(summary.id)?,
            summary.route.as_str(),
            text::millis(at),
            OutboxState::Pending.as_str(),
            content(&json!({ "news": news }))?
        ],
    )
}

/// How a message stands after an attempt.
fn state_after(outcome: &Result<Delivered, DeliveryFault>) -> OutboxState {
    match outcome {
        Ok(delivered) if delivered.counts().0 == 0 => OutboxState::Sent,
        Err(failed) if failed.refuses_content() => OutboxState::Refused,
        Ok(_) | Err(_) => OutboxState::Pending,
    }
}

/// The recipients without a message, and why.
fn unreached(delivered: &Delivered) -> Option<String> {
    let words = delivered.unreached.iter().map(|one| {
        let who = one.recipient.show(Visibility::MAINTAINER).unwrap_or("?");
        format!("{who}: {}", one.fault.words(Visibility::MAINTAINER))
    });
    let all: Vec<String> = words.collect();
    (!all.is_empty()).then(|| all.join("; "))
}

fn write_delivery(
    to: &Connection,
    at: Timestamp,
    id: u64,
    state: OutboxState,
    error: Option<&str>,
) -> Written {
    run(
        to,
        "UPDATE outbox SET state = ?2, attempts = attempts + (?2 <> 'superseded'), tried = ?3, last_error = coalesce(?4, last_error) WHERE id = ?1",
        params![number(id)?, state.as_str(), text::millis(at), error],
    )
}

/// Writes a suppression into the history, where it stays after its end.
pub(super) fn note(to: &Connection, id: SuppressionId, entry: &SuppressionEntry) -> Written {
    let kind = match entry.kind() {
        SuppressionKind::Acknowledged => "acknowledgement",
        SuppressionKind::Silenced => "silence",
        SuppressionKind::Maintenance => "window",
    };
    run(
        to,
        "REPLACE INTO notes (id, kind, created, until, content) VALUES (?1, ?2, ?3, ?4, ?5)",
        params![
            id.to_string(),
            kind,
            text::millis(entry.since()),
            entry.over_at().map(text::millis),
            content(&serde_json::to_value(entry)?)?
        ],
    )
}

fn manifest(change: &ManifestChange) -> Value {
    match change {
        ManifestChange::Lost => json!("lost"),
        ManifestChange::Back => json!("back"),
        ManifestChange::Changed { added, removed } => json!({ "added": added, "removed": removed }),
    }
}

/// The content of a summary as JSON, without texts.
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
