//! Notices: alerts of the whole laboratory, as rows of the history.

use std::time::Duration;

use jiff::Timestamp;
use rusqlite::{Connection, params};
use serde_json::{Value, json};

use super::statement::{Written, run};
use super::text;

pub(super) fn write_page(
    to: &Connection,
    at: Timestamp,
    page: &str,
    health: &str,
    note: &str,
) -> Written {
    let what = json!({ "page": page, "health": health, "note": note });
    notice(to, at, "page", &what)
}

pub(super) fn write_sampling(
    to: &Connection,
    at: Timestamp,
    (streams, round): (usize, Duration),
    (keeps_up, failures): (bool, u32),
) -> Written {
    let content = json!({ "streams": streams, "round_s": round.as_secs_f64(), "keeps_up": keeps_up, "failures": failures });
    notice(to, at, "sampling", &content)
}

pub(super) fn notice(to: &Connection, at: Timestamp, kind: &str, content: &Value) -> Written {
    let sql = "INSERT INTO notices (at, kind, content) VALUES (?1, ?2, ?3)";
    run(
        to,
        sql,
        params![text::millis(at), kind, content.to_string()],
    )
}
