//! Migrates a database of labwatch 0.1, which had a table for each kind of state. An invalid row is
//! left out and logged.

use jiff::Timestamp;
use rusqlite::{Connection, Row};
use serde::Deserialize;
use serde_json::Value;

use super::{rows, text, write};
use engine::model::{Health, ResourceName, RouteName, SourceName, StreamHealth, Stub};
use engine::{
    Alert, CategoryState, Counter, ExperimentState, Hold, Issue, Known, MailThread, MessageId,
    NotificationSubject, NotifiedAlert, NotifiedExperiment, OutboxEntry, OutboxNews, ReminderState,
    StateKey, StateValue, SuppressionEntry, SuppressionId, UnconfirmedAlert,
};

/// Prefix of the keys of maintainers' requests.
const REQUEST: &str = "wish.";

/// Prefix of the keys of categories.
const CATEGORY: &str = "category.";

/// How many events of each experiment are read: more than flap detection needs.
const EVENTS: usize = 100;

/// The last notification of an experiment on a route.
#[derive(Deserialize)]
struct NotifiedRow {
    health: Health,
    issues: Vec<Issue>,
    listed: bool,
    bad_since: Option<Timestamp>,
    #[serde(default)]
    thread: Option<ThreadRow>,
}

/// The last notification of an alert on a route.
#[derive(Deserialize)]
struct AlertRow {
    since: Timestamp,
    thread: Option<ThreadRow>,
}

/// The messages of an incident: when each was composed, and its number.
#[derive(Deserialize)]
struct ThreadRow {
    root: (Timestamp, u64),
    last: (Timestamp, u64),
}

/// When a route was last notified of anything.
#[derive(Deserialize)]
struct RoundsRow {
    told_at: Timestamp,
    reminders: u32,
    digest: Option<Timestamp>,
}

/// A message whose delivery is unconfirmed.
#[derive(Deserialize)]
struct KeptMessage {
    news: Vec<OutboxNews>,
    #[serde(default)]
    concerns: Vec<AlertedRow>,
}

#[derive(Deserialize)]
struct AlertedRow {
    concern: String,
    since: Timestamp,
    ended: Option<Timestamp>,
}

impl From<ThreadRow> for MailThread {
    fn from(row: ThreadRow) -> Self {
        let message = |(at, id)| MessageId { at, id };
        Self {
            root: message(row.root),
            last: message(row.last),
        }
    }
}

/// Fills the table of the state from the others, and drops those that it replaces.
pub(super) fn to_state(database: &Connection) -> rusqlite::Result<()> {
    experiments(database)?;
    all_notified(database)?;
    each(
        database,
        "SELECT id, route, created, content FROM outbox WHERE state IN ('pending', 'refused')",
        outbox,
    )?;
    each(
        database,
        "SELECT id, content FROM notes WHERE ended IS NULL",
        note,
    )?;
    each(
        database,
        "SELECT resource, reason, since, until FROM holds WHERE until IS NULL",
        hold,
    )?;
    each(database, "SELECT key, value FROM keep", kept)?;
    let highest = [
        (Counter::Summary, "SELECT coalesce(max(id), 0) FROM outbox"),
        (
            Counter::Suppression,
            "SELECT coalesce(max(CAST(id AS INTEGER)), 0) FROM notes",
        ),
    ];
    for (counter, sql) in highest {
        let last = database.query_row(sql, [], text::unsigned)?;
        if last > 0 {
            put(database, &StateKey::Last(counter), &StateValue::Last(last))?;
        }
    }
    database.execute_batch("DROP TABLE told; DROP TABLE keep; DROP TABLE experiments;")
}

/// A key of the state and its value.
type Entry = (String, Value);

/// Puts the result of each row into the state.
fn each(
    database: &Connection,
    sql: &str,
    read: fn(&Row<'_>) -> rusqlite::Result<Option<Entry>>,
) -> rusqlite::Result<()> {
    let mut statement = database.prepare(sql)?;
    let mut rows = statement.query([])?;
    let mut unreadable = 0;
    while let Some(row) = rows.next()? {
        match rows::readable(read(row))?.flatten() {
            Some((key, value)) => insert(database, &key, &value)?,
            None => unreadable += 1,
        }
    }
    if unreadable > 0 {
        tracing::warn!(
            unreadable,
            "rows of the older database make no sense and are left out"
        );
    }
    Ok(())
}

fn experiments(database: &Connection) -> rusqlite::Result<()> {
    let mut relay_reported = None;
    let mut statement = database.prepare("SELECT stub, first_seen FROM experiments")?;
    let mut rows = statement.query([])?;
    while let Some(row) = rows.next()? {
        let read = || Ok((rows::word::<Stub>(row, 0)?, rows::time(row, 1)?));
        let Some((stub, first_seen)) = rows::readable(read())? else {
            continue;
        };
        let mut state = ExperimentState::new(first_seen);
        for event in rows::latest_events(database, &stub, EVENTS, &mut 0)? {
            let mut streams = event.streams.iter();
            if streams.any(|(_, health)| *health != StreamHealth::Unknown) {
                relay_reported = Some(event.when);
            }
            state.note(event);
        }
        let value = StateValue::Experiment(Box::new(state));
        put(database, &StateKey::Experiment(stub), &value)?;
    }
    // Relay has reported if an experiment was ever evaluated by a stream whose state relay had
    // reported.
    match relay_reported {
        Some(at) => put(
            database,
            &StateKey::Source(SourceName::Relay),
            &StateValue::Source(at),
        ),
        None => Ok(()),
    }
}

fn all_notified(database: &Connection) -> rusqlite::Result<()> {
    each(database, "SELECT route, subject, value FROM told", |row| {
        let route = RouteName::try_new(row.get_ref(0)?.as_str()?).ok();
        let (subject, value) = (row.get_ref(1)?.as_str()?, row.get_ref(2)?.as_str()?);
        Ok(route.and_then(|route| notified(route, subject, value)))
    })
}

fn notified(route: RouteName, subject: &str, value: &str) -> Option<Entry> {
    if subject == "rounds" {
        let row: RoundsRow = serde_json::from_str(value).ok()?;
        let state = ReminderState {
            notified_at: row.told_at,
            reminders: row.reminders,
            digest: row.digest,
            sent: Vec::new(),
        };
        return entry(&StateKey::Reminder(route), &StateValue::Reminder(state));
    }
    let (subject, value) = if let Some(stub) = subject.strip_prefix("experiment/") {
        let row: NotifiedRow = serde_json::from_str(value).ok()?;
        let known = Known {
            health: row.health,
            issues: row.issues,
            listed: row.listed,
            bad_since: row.bad_since,
        };
        let thread = row.thread.map(MailThread::from);
        (
            NotificationSubject::Experiment(Stub::try_new(stub).ok()?),
            StateValue::NotifiedExperiment(NotifiedExperiment { known, thread }),
        )
    } else {
        let alert = subject.strip_prefix("laboratory/")?.to_owned();
        let row: AlertRow = serde_json::from_str(value).ok()?;
        let thread = row.thread.map(MailThread::from);
        (
            NotificationSubject::Alert(Alert::try_from(alert).ok()?),
            StateValue::NotifiedAlert(NotifiedAlert {
                since: row.since,
                thread,
            }),
        )
    };
    entry(&StateKey::Notified(route, subject), &value)
}

fn outbox(row: &Row<'_>) -> rusqlite::Result<Option<Entry>> {
    let message: KeptMessage = rows::json(row, 3)?;
    let alerts = message.concerns.into_iter().filter_map(|row| {
        Some(UnconfirmedAlert {
            alert: Alert::try_from(row.concern).ok()?,
            since: row.since,
            ended: row.ended,
        })
    });
    let value = StateValue::Outbox(OutboxEntry {
        route: rows::column(row, 1, |route| RouteName::try_new(route).ok())?,
        created: rows::time(row, 2)?,
        news: message.news,
        alerts: alerts.collect(),
        message: None,
        digest: None,
        not_before: None,
        may_have_arrived: false,
    });
    Ok(entry(&StateKey::Outbox(text::unsigned(row)?), &value))
}

fn note(row: &Row<'_>) -> rusqlite::Result<Option<Entry>> {
    let id = rows::column(row, 0, |id| id.parse().ok().map(SuppressionId))?;
    Ok(match rows::json(row, 1)? {
        SuppressionEntry::Acknowledgement(it) => entry(
            &StateKey::Acknowledgement(it.subject.clone()),
            &StateValue::Acknowledgement(id, it),
        ),
        SuppressionEntry::Silence(it) => entry(&StateKey::Silence(id), &StateValue::Silence(it)),
        SuppressionEntry::Maintenance(it) => {
            entry(&StateKey::Maintenance(id), &StateValue::Maintenance(it))
        }
    })
}

fn hold(row: &Row<'_>) -> rusqlite::Result<Option<Entry>> {
    let hold = rows::hold(row)?;
    let value = StateValue::Hold(Hold {
        since: hold.since,
        touched: hold.since,
        reason: hold.reason,
    });
    Ok(entry(&StateKey::Hold(hold.resource), &value))
}

/// Small state: the engine's gets its new form, that of other parts stays as it is.
fn kept(row: &Row<'_>) -> rusqlite::Result<Option<Entry>> {
    let key: String = row.get(0)?;
    let value: Value = rows::json(row, 1)?;
    Ok(if let Some(resource) = key.strip_prefix(REQUEST) {
        let asked = serde_json::from_value(value).ok();
        let parts = ResourceName::try_new(resource).ok().zip(asked);
        parts.and_then(|(resource, asked)| {
            entry(&StateKey::Request(resource), &StateValue::Request(asked))
        })
    } else if let Some(name) = key.strip_prefix(CATEGORY) {
        let state: Option<CategoryState> = serde_json::from_value(value).ok();
        state.and_then(|state| {
            let key = StateKey::Category(name.to_owned());
            entry(&key, &StateValue::Category(state))
        })
    } else if key == "pools" {
        let pools = serde_json::from_value(value).ok();
        pools.and_then(|pools| entry(&StateKey::Pools, &StateValue::Pools(pools)))
    } else {
        Some((key, value))
    })
}

fn entry(key: &StateKey, value: &StateValue) -> Option<Entry> {
    Some((key.to_string(), serde_json::to_value(value).ok()?))
}

fn put(database: &Connection, key: &StateKey, value: &StateValue) -> rusqlite::Result<()> {
    match entry(key, value) {
        Some((key, value)) => insert(database, &key, &value),
        None => Ok(()),
    }
}

fn insert(database: &Connection, key: &str, value: &Value) -> rusqlite::Result<()> {
    database
        .prepare_cached(write::PUT)?
        .execute([key, &value.to_string()])
        .map(|_| ())
}
