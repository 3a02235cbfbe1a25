//! One writing statement, and whether its failure is the file's or the entry's.

use std::fmt;

use rusqlite::{Connection, ErrorCode, Params};
use serde_json::Value;

use super::file::Failure;

/// The longest content of a notification or a state entry, in bytes. A mail about 130 experiments
/// has about 100,000.
pub const MAX_CONTENT_BYTES: usize = 4 << 20;

/// Why an entry was not written.
#[derive(Debug)]
pub(super) enum WriteFault {
    /// The entry itself cannot be stored, now or later.
    Refused(String),
    /// The disk or the file does not accept it now.
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

impl From<WriteFault> for Failure {
    fn from(fault: WriteFault) -> Self {
        match fault {
            WriteFault::Disk(error) => error.into(),
            WriteFault::Refused(_) => Self {
                why: fault.to_string(),
                broken: false,
            },
        }
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

pub(super) type Written = Result<(), WriteFault>;

pub(super) fn number(id: u64) -> Result<i64, WriteFault> {
    i64::try_from(id).map_err(|_| WriteFault::Refused(format!("its number {id} is too large")))
}

pub(super) fn run(to: &Connection, sql: &str, values: impl Params) -> Written {
    to.prepare_cached(sql)?.execute(values)?;
    Ok(())
}

pub(super) fn content(value: &Value) -> Result<String, WriteFault> {
    let text = value.to_string();
    if text.len() > MAX_CONTENT_BYTES {
        return Err(WriteFault::Refused(format!(
            "its content has {} bytes, more than {MAX_CONTENT_BYTES}",
            text.len()
        )));
    }
    Ok(text)
}
