//! Queries of notifications: all of them, or those about one experiment.

use jiff::Timestamp;
use rusqlite::Row;
use serde_json::Value;

use super::entry::OutboxState;
use super::error::ReadError;
use super::pages::{List, Part, RowPage};
use super::read::Reader;
use super::rows;
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
    /// The number of attempts.
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

/// Its alerts and its occasion are in a notice of the same moment.
const SAID: List<Said> = List {
    columns: "outbox.id, route, created, state, attempts, tried, last_error, outbox.content, \
              (SELECT notices.content FROM notices WHERE notices.at = outbox.created \
              AND kind = 'mailing' AND notices.content ->> 'id' = outbox.id)",
    table: "outbox",
    time: "created",
    within: "created >= ?1 AND created < ?2",
    read: said,
};

/// The content has its news in the form of a message.
const MENTIONS: List<OutboxQuery> = List {
    columns: "outbox.id, route, created, state, attempts, tried, last_error, \
              (SELECT value ->> 'health' FROM json_each(content, '$.news') WHERE value ->> 'stub' = ?6)",
    table: "outbox",
    time: "created",
    within: "created >= ?1 AND created < ?2 AND EXISTS (SELECT 1 FROM json_each(content, '$.news') WHERE value ->> 'stub' = ?6)",
    read: |row| {
        let (message, said) = (outgoing(row)?, rows::word(row, 7)?);
        Ok(OutboxQuery { message, said })
    },
};

impl Reader {
    /// Notifications with what they say.
    ///
    /// # Errors
    /// [`ReadError`].
    pub async fn said(&self, part: Part) -> Result<RowPage<Said>, ReadError> {
        self.page(SAID, None, part).await
    }

    /// Messages that were composed about this experiment.
    ///
    /// # Errors
    /// [`ReadError`].
    pub async fn mentions(
        &self,
        stub: &Stub,
        part: Part,
    ) -> Result<RowPage<OutboxQuery>, ReadError> {
        self.page(MENTIONS, Some(stub.clone()), part).await
    }
}

/// Unreadable parts of a notification are left out.
fn said(row: &Row<'_>) -> rusqlite::Result<Said> {
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
    Ok(Said {
        message: outgoing(row)?,
        news,
        occasion: notice["occasion"].as_str().map(str::to_owned),
        alerts: Private::new(alerts),
    })
}

fn news(of: &Value) -> Option<SaidNews> {
    Some(SaidNews {
        stub: Stub::try_new(of["stub"].as_str()?).ok()?,
        health: text::word(of["health"].as_str()?)?,
        since: of["since"].as_str().and_then(|since| since.parse().ok()),
    })
}

pub(super) fn outgoing(row: &Row<'_>) -> rusqlite::Result<OutboxRow> {
    Ok(OutboxRow {
        id: text::unsigned(row)?,
        route: row.get(1)?,
        created: rows::time(row, 2)?,
        state: rows::word(row, 3)?,
        attempts: row.get(4)?,
        tried: rows::time_if_any(row, 5)?,
        last_error: row.get::<_, Option<String>>(6)?.map(Private::new),
    })
}
