//! Queries of notifications: all of them, or those about one experiment.

use jiff::Timestamp;
use rusqlite::{Connection, Row, params};
use serde_json::Value;

use super::entry::OutboxState;
use super::error::ReadError;
use super::read::{MAX_ROWS, Reader};
use super::rows::{self, Range};
use super::text;
use engine::model::{Health, Private, Stub};

/// A sent or pending notification, without its content.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct OutboxRow {
    /// Its number.
    pub id: u64,
    /// Its route.
    pub route: String,
    /// When it was composed.
    pub created: Timestamp,
    /// Its state.
    pub state: OutboxState,
    /// How often it was tried.
    pub attempts: u32,
    /// When it was last tried.
    pub tried: Option<Timestamp>,
    /// Why it last failed.
    pub last_error: Option<Private<String>>,
}

/// The part of a notification about one experiment.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct OutboxQuery {
    /// The message.
    pub message: OutboxRow,
    /// The notified health.
    pub said: Health,
}

/// A notification with its content, as far as it is stored.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Said {
    /// The notification.
    pub message: OutboxRow,
    /// Its news of experiments.
    pub news: Vec<SaidNews>,
    /// Its occasion: `news`, `reminder` or `digest`.
    pub occasion: Option<String>,
    /// The new alerts in it. They may quote peers.
    pub alerts: Private<Vec<String>>,
}

/// The news of one experiment in a notification.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct SaidNews {
    /// The experiment.
    pub stub: Stub,
    /// Its health.
    pub health: Health,
    /// Since when.
    pub since: Option<Timestamp>,
}

pub(super) const COLUMNS: &str = "outbox.id, route, created, state, attempts, tried, last_error";

impl Reader {
    /// Notifications, newest first, at most [`MAX_ROWS`].
    ///
    /// # Errors
    /// [`ReadError`].
    pub async fn outbox(&self, range: Range) -> Result<Vec<OutboxRow>, ReadError> {
        let sql = format!(
            "SELECT {COLUMNS} FROM outbox WHERE created >= ?1 AND created < ?2 ORDER BY outbox.id DESC"
        );
        self.list(range, sql, outgoing).await
    }

    /// Notifications with their content, newest first, at most [`MAX_ROWS`].
    ///
    /// # Errors
    /// [`ReadError`].
    pub async fn said(&self, range: Range) -> Result<Vec<Said>, ReadError> {
        // Its alerts and its occasion are in a notice of the same moment.
        let sql = format!(
            "SELECT {COLUMNS}, outbox.content, (SELECT notices.content FROM notices WHERE notices.at = outbox.created \
             AND kind = 'mailing' AND notices.content ->> 'id' = outbox.id) \
             FROM outbox WHERE created >= ?1 AND created < ?2 ORDER BY outbox.id DESC"
        );
        self.list(range, sql, said).await
    }

    /// Notifications about this experiment, newest first, at most [`MAX_ROWS`].
    ///
    /// # Errors
    /// [`ReadError`].
    pub async fn mentions(&self, stub: &Stub, range: Range) -> Result<Vec<OutboxQuery>, ReadError> {
        let stub = stub.clone();
        self.ask(move |from| mentions(from, &stub, range)).await
    }
}

/// The content has its news in the form of a message.
fn mentions(from: &Connection, stub: &Stub, range: Range) -> rusqlite::Result<Vec<OutboxQuery>> {
    let sql = format!(
        "SELECT {COLUMNS}, news.value ->> 'health' FROM outbox, json_each(outbox.content, '$.news') AS news \
         WHERE created >= ?1 AND created < ?2 AND news.value ->> 'stub' = ?3 ORDER BY outbox.id DESC LIMIT {MAX_ROWS}"
    );
    let mut statement = from.prepare_cached(&sql)?;
    let mut found = statement.query(params![
        text::millis(range.from),
        text::millis(range.until),
        stub.as_str()
    ])?;
    let mut all = Vec::new();
    while let Some(row) = found.next()? {
        let said = Health::ALL.into_iter().find(|health| {
            row.get_ref(7)
                .is_ok_and(|as_str| as_str.as_str() == Ok(health.as_str()))
        });
        all.extend(
            outgoing(row)?
                .zip(said)
                .map(|(message, said)| OutboxQuery { message, said }),
        );
    }
    Ok(all)
}

/// Unreadable parts of a notification are left out.
fn said(row: &Row<'_>) -> rusqlite::Result<Option<Said>> {
    let content = |column| -> rusqlite::Result<Value> {
        let text: Option<String> = row.get(column)?;
        let read = text.and_then(|text| serde_json::from_str(&text).ok());
        Ok(read.unwrap_or_default())
    };
    let (content, notice) = (content(7)?, content(8)?);
    let list = |of: &Value| of.as_array().cloned().unwrap_or_default();
    let news = list(&content["news"]).iter().filter_map(news).collect();
    let alerts = list(&notice["alerts"])
        .iter()
        .filter_map(|alert| alert.as_str().map(str::to_owned))
        .collect();
    Ok(outgoing(row)?.map(|message| Said {
        message,
        news,
        occasion: notice["occasion"].as_str().map(str::to_owned),
        alerts: Private::new(alerts),
    }))
}

fn news(of: &Value) -> Option<SaidNews> {
    Some(SaidNews {
        stub: Stub::try_new(of["stub"].as_str()?).ok()?,
        health: text::health(of["health"].as_str()?)?,
        since: of["since"].as_str().and_then(|since| since.parse().ok()),
    })
}

pub(super) fn outgoing(row: &Row<'_>) -> rusqlite::Result<Option<OutboxRow>> {
    let state = row.get_ref(3)?.as_str()?;
    let state = OutboxState::ALL
        .into_iter()
        .find(|known| known.as_str() == state);
    let tried: Option<i64> = row.get(5)?;
    let (id, route, attempts) = (text::unsigned(row)?, row.get(1)?, row.get(4)?);
    let last_error = row.get::<_, Option<String>>(6)?.map(Private::new);
    let parts = rows::time(row, 2)?.zip(state);
    let tried = tried.and_then(text::time);
    Ok(parts.map(|(created, state)| OutboxRow {
        id,
        route,
        created,
        state,
        attempts,
        tried,
        last_error,
    }))
}
