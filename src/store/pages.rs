//! Lists of the history in pages, newest first. A page ends at a row and not at a time, so rows of
//! one moment are neither lost nor repeated.

use rusqlite::types::Value;
use rusqlite::{Connection, Row, params_from_iter};

use super::error::ReadError;
use super::gap::Gap;
use super::outbox_query::{self, OutboxRow};
use super::read::{MAX_ROWS, Reader};
use super::rows::{self, Cursor, Hold, Range, SourceRow, StoredEvent, SwitchRow};
use super::text::{self, Names};
use engine::StateKey;
use engine::model::Stub;

/// The requested part of a list.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Part {
    /// The range that the rows lie in, or touch.
    pub range: Range,
    /// Where the page before ended.
    pub before: Option<Cursor>,
    /// The most rows; never more than [`MAX_ROWS`].
    pub limit: usize,
}

impl Part {
    /// The newest of a range, as many as one answer has.
    #[must_use]
    pub fn newest(range: Range) -> Self {
        Self {
            range,
            before: None,
            limit: MAX_ROWS,
        }
    }
}

/// A page of a list, newest first.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct RowPage<T> {
    /// The rows. Unreadable ones are left out.
    pub rows: Vec<T>,
    /// Where the next page begins; `None` when this is the last.
    pub next: Option<Cursor>,
}

/// A list: what is read, from where, and what of it lies in a range from `?1` to `?2`, of the
/// experiment `?6` where that is asked for.
pub(super) struct List<T> {
    pub(super) columns: &'static str,
    pub(super) table: &'static str,
    /// The column of time that the list is sorted by.
    pub(super) time: &'static str,
    pub(super) within: &'static str,
    pub(super) read: fn(&Row<'_>) -> rusqlite::Result<T>,
}

const EVENTS: List<StoredEvent> = List {
    columns: rows::EVENT_COLUMNS,
    table: "events",
    time: "at",
    within: "stub = ?6 AND at >= ?1 AND at < ?2",
    read: |row| {
        let (id, event) = (row.get(7)?, rows::event(row, &mut Names::default())?);
        Ok(StoredEvent { id, event })
    },
};

const SWITCHES: List<SwitchRow> = List {
    columns: "at, resource, stub, available, reason, outcome, note, took",
    table: "switches",
    time: "at",
    within: "at >= ?1 AND at < ?2 AND (?6 IS NULL OR stub = ?6)",
    read: rows::switch,
};

const SOURCES: List<SourceRow> = List {
    columns: "at, source, health, note",
    table: "sources",
    time: "at",
    within: "at >= ?1 AND at < ?2",
    read: rows::source,
};

const GAPS: List<Gap> = List {
    columns: "since, until, why",
    table: "gaps",
    time: "since",
    within: "until > ?1 AND since < ?2",
    read: rows::gap,
};

const HOLDS: List<Hold> = List {
    columns: "resource, reason, since, until",
    table: "holds",
    time: "since",
    within: "coalesce(until, 9e18) >= ?1 AND since < ?2",
    read: rows::hold,
};

const OUTBOX: List<OutboxRow> = List {
    columns: outbox_query::COLUMNS,
    table: "outbox",
    time: "created",
    within: "created >= ?1 AND created < ?2",
    read: outbox_query::outgoing,
};

impl Reader {
    /// Events of an experiment.
    ///
    /// # Errors
    /// [`ReadError`].
    pub async fn events(&self, of: &Stub, part: Part) -> Result<RowPage<StoredEvent>, ReadError> {
        self.page(EVENTS, Some(of.clone()), part).await
    }

    /// Switches, of one experiment or of all.
    ///
    /// # Errors
    /// [`ReadError`].
    pub async fn switch_page(
        &self,
        of: Option<Stub>,
        part: Part,
    ) -> Result<RowPage<SwitchRow>, ReadError> {
        self.page(SWITCHES, of, part).await
    }

    /// Changes of sources.
    ///
    /// # Errors
    /// [`ReadError`].
    pub async fn source_page(&self, part: Part) -> Result<RowPage<SourceRow>, ReadError> {
        self.page(SOURCES, None, part).await
    }

    /// Times without history that touch the range.
    ///
    /// # Errors
    /// [`ReadError`].
    pub async fn gap_page(&self, part: Part) -> Result<RowPage<Gap>, ReadError> {
        self.page(GAPS, None, part).await
    }

    /// Manual holds that touch the range.
    ///
    /// # Errors
    /// [`ReadError`].
    pub async fn hold_page(&self, part: Part) -> Result<RowPage<Hold>, ReadError> {
        self.page(HOLDS, None, part).await
    }

    /// Notifications.
    ///
    /// # Errors
    /// [`ReadError`].
    pub async fn outbox_page(&self, part: Part) -> Result<RowPage<OutboxRow>, ReadError> {
        self.page(OUTBOX, None, part).await
    }

    pub(super) async fn page<T: Send + 'static>(
        &self,
        list: List<T>,
        of: Option<Stub>,
        part: Part,
    ) -> Result<RowPage<T>, ReadError> {
        self.ask(move |from| list.part(from, part, of.as_ref()))
            .await
    }

    /// Whether the history has an experiment of this name, also one that is forgotten meanwhile.
    ///
    /// # Errors
    /// [`ReadError`].
    pub async fn knows(&self, stub: &Stub) -> Result<bool, ReadError> {
        let (stub, key) = (stub.clone(), StateKey::Experiment(stub.clone()).to_string());
        let sql = "SELECT EXISTS (SELECT 1 FROM state WHERE key = ?1) OR EXISTS (SELECT 1 FROM events WHERE stub = ?2)";
        self.ask(move |from| {
            from.prepare_cached(sql)?
                .query_row([key.as_str(), stub.as_str()], |row| row.get(0))
        })
        .await
    }
}

impl<T> List<T> {
    fn part(
        &self,
        from: &Connection,
        part: Part,
        of: Option<&Stub>,
    ) -> rusqlite::Result<RowPage<T>> {
        let Self {
            columns,
            table,
            time,
            within,
            ..
        } = self;
        let sql = format!(
            "SELECT {columns}, {time} AS page_time, {table}.id AS page_id FROM {table} WHERE {within} AND ({time}, {table}.id) < (?3, ?4) \
             ORDER BY {time} DESC, {table}.id DESC LIMIT ?5"
        );
        let mut statement = from.prepare_cached(&sql)?;
        let limit = part.limit.clamp(1, MAX_ROWS);
        let (at, id) = part.before.map_or((i64::MAX, i64::MAX), |before| {
            (text::millis(before.at), before.id)
        });
        let mut values = vec![
            Value::from(text::millis(part.range.from)),
            Value::from(text::millis(part.range.until)),
            Value::from(at),
            Value::from(id),
            // One more row shows whether there is a next page.
            Value::from(i64::try_from(limit).unwrap_or(i64::MAX) + 1),
        ];
        if within.contains("?6") {
            values.push(of.map_or(Value::Null, |of| Value::from(of.as_str().to_owned())));
        }
        let mut found = statement.query(params_from_iter(values))?;
        let mut page = RowPage {
            rows: Vec::new(),
            next: None,
        };
        let (mut count, mut last) = (0, None);
        while let Some(row) = found.next()? {
            if count == limit {
                page.next = last;
                break;
            }
            count += 1;
            let id = row.get("page_id")?;
            last = text::time(row.get("page_time")?).map(|at| Cursor { at, id });
            page.rows.extend(rows::readable((self.read)(row))?);
        }
        Ok(page)
    }
}
