//! Copies of the file, and its integrity check. Both work beside a running service and without one,
//! and change nothing.

use std::collections::BTreeMap;
use std::fs::{File, OpenOptions};
use std::os::unix::fs::OpenOptionsExt;
use std::path::{Path, PathBuf};

use jiff::Timestamp;
use rusqlite::{Connection, OptionalExtension};

use super::file::{self, DATABASE_FILE};
use super::{schema, text};

/// The most SQLite messages that a report holds.
const MAX_PROBLEMS: i64 = 50;

/// A copy is for its owner: it holds addresses and texts of maintainers.
const COPY_MODE: u32 = 0o600;

/// Tables whose rows are counted, and the newest time in each, where it has one.
const TABLES: [(&str, Option<&str>); 12] = [
    ("audit", Some("at")),
    ("bookings", None),
    ("events", Some("at")),
    ("forgotten", Some("at")),
    ("gaps", None),
    ("holds", None),
    ("notes", None),
    ("notices", Some("at")),
    ("outbox", None),
    ("sources", Some("at")),
    ("state", None),
    ("switches", Some("at")),
];

/// The content of a file, and whether it is sound.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Report {
    /// The version of the tables.
    pub version: i64,
    /// How many rows each table has.
    pub rows: BTreeMap<&'static str, u64>,
    /// The time of the newest entry.
    pub newest: Option<Timestamp>,
    /// SQLite's integrity problems; empty when the file is sound.
    pub problems: Vec<String>,
}

/// Why there is no copy.
#[derive(Debug, thiserror::Error)]
pub enum BackupError {
    /// Something is there already.
    #[error("{} is there already: name another file, or remove it first", .0.display())]
    Exists(PathBuf),
    /// The file cannot be read, or the copy cannot be written. Holds the step and the cause.
    #[error("the backup failed, {0}: {1}")]
    Failed(&'static str, String),
    /// The copy was made and is not sound, because the file is not. It was removed again.
    #[error("the data file is damaged, so there is no backup: {}", .0.join("; "))]
    Unsound(Vec<String>),
}

/// Why a file could not be checked.
#[derive(Debug, thiserror::Error)]
pub enum VerifyError {
    /// There is no such file.
    #[error("there is no file {}", .0.display())]
    Missing(PathBuf),
    /// It cannot be read as a database.
    #[error("{path} cannot be read as labwatch's data: {1}", path = .0.display())]
    Unreadable(PathBuf, String),
    /// A newer labwatch wrote it.
    #[error("a newer labwatch wrote it (version {0} of the tables): check it with that version")]
    TooNew(i64),
}

/// Copies the data of the folder `dir` into the file `to`, as of one moment. The copy appears whole
/// or not at all, and is sound.
///
/// # Errors
/// [`BackupError`]; never is an existing file overwritten.
pub fn backup(dir: &Path, to: &Path) -> Result<Report, BackupError> {
    if to.exists() {
        return Err(BackupError::Exists(to.to_owned()));
    }
    let mut draft = to.as_os_str().to_owned();
    draft.push(format!(".{}.part", std::process::id()));
    let draft = PathBuf::from(draft);
    let done =
        copy(&dir.join(DATABASE_FILE), &draft).and_then(|report| put(&draft, to).map(|()| report));
    if done.is_err() && draft.exists() {
        // The returned error matters more than one about the remains.
        let _ = std::fs::remove_file(&draft);
    }
    done
}

/// Checks the whole file. The time grows with the file: about a second for each 200 MB.
///
/// # Errors
/// [`VerifyError`] when it cannot be checked; problems inside are in the report.
pub fn verify(path: &Path) -> Result<Report, VerifyError> {
    match path.try_exists() {
        Ok(true) => {}
        Ok(false) => return Err(VerifyError::Missing(path.to_owned())),
        Err(error) => return Err(VerifyError::Unreadable(path.to_owned(), error.to_string())),
    }
    let unreadable =
        |error: rusqlite::Error| VerifyError::Unreadable(path.to_owned(), error.to_string());
    let file = file::read_only(path).map_err(unreadable)?;
    let version = schema::version(&file).map_err(unreadable)?;
    if version > schema::known_version() {
        return Err(VerifyError::TooNew(version));
    }
    look(&file, version).map_err(unreadable)
}

fn copy(from: &Path, draft: &Path) -> Result<Report, BackupError> {
    let at = |step: &'static str| {
        move |error: rusqlite::Error| BackupError::Failed(step, error.to_string())
    };
    let source = file::read_only(from).map_err(at("opening the data file"))?;
    let made = OpenOptions::new()
        .write(true)
        .create_new(true)
        .mode(COPY_MODE)
        .open(draft);
    made.map_err(|error| BackupError::Failed("making the copy", error.to_string()))?;
    let name = draft.to_string_lossy();
    source
        .execute("VACUUM INTO ?1", [name.as_ref()])
        .map_err(at("copying"))?;
    let report = verify(draft)
        .map_err(|error| BackupError::Failed("checking the copy", error.to_string()))?;
    if report.problems.is_empty() {
        Ok(report)
    } else {
        Err(BackupError::Unsound(report.problems))
    }
}

/// Makes the draft safe against a power cut, and renames it.
fn put(draft: &Path, to: &Path) -> Result<(), BackupError> {
    let folder = to
        .parent()
        .filter(|folder| !folder.as_os_str().is_empty())
        .unwrap_or(Path::new("."));
    let done = File::open(draft)
        .and_then(|file| file.sync_all())
        .and_then(|()| std::fs::rename(draft, to));
    let done = done
        .and_then(|()| File::open(folder))
        .and_then(|folder| folder.sync_all());
    done.map_err(|error| BackupError::Failed("giving the copy its name", error.to_string()))
}

fn look(file: &Connection, version: i64) -> rusqlite::Result<Report> {
    let mut report = Report {
        version,
        rows: BTreeMap::new(),
        newest: None,
        problems: problems(file)?,
    };
    for (table, time) in TABLES {
        let count = file.query_row(&format!("SELECT count(*) FROM {table}"), [], text::unsigned)?;
        report.rows.insert(table, count);
        if let Some(time) = time {
            let sql = format!("SELECT {time} FROM {table} ORDER BY id DESC LIMIT 1");
            let newest: Option<i64> = file.query_row(&sql, [], |row| row.get(0)).optional()?;
            report.newest = report.newest.max(newest.and_then(text::time));
        }
    }
    Ok(report)
}

fn problems(file: &Connection) -> rusqlite::Result<Vec<String>> {
    let mut statement = file.prepare(&format!("PRAGMA integrity_check({MAX_PROBLEMS})"))?;
    let said = statement
        .query_map([], |row| row.get(0))?
        .collect::<Result<Vec<String>, _>>()?;
    Ok(if said == ["ok"] { Vec::new() } else { said })
}
