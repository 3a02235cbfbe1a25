//! Errors of the store, with what to do.

use std::path::PathBuf;

/// Why the store cannot be opened at all. What may pass by itself, such as a full disk, is no error
/// but a degraded store.
#[derive(Debug, thiserror::Error)]
pub enum StoreError {
    /// The folder is not there and cannot be made.
    #[error(
        "the data folder {} cannot be made ({error}): make it, give it to the user that labwatch runs as, or name another in STATUS_DATA_DIR",
        .dir.display()
    )]
    Folder {
        /// The folder.
        dir: PathBuf,
        /// Why not.
        error: std::io::Error,
    },
    /// Another process uses the folder.
    #[error(
        "{} already uses the data folder {}: stop it, or name another folder in STATUS_DATA_DIR for this one",
        process(*.pid),
        .dir.display()
    )]
    InUse {
        /// The folder.
        dir: PathBuf,
        /// The process, where it says.
        pid: Option<u32>,
    },
    /// The file was written by a newer labwatch.
    #[error(
        "{} was written by a newer labwatch (version {found} of the tables, this one knows {known}): install that version again, or move the file away",
        .file.display()
    )]
    TooNew {
        /// The file.
        file: PathBuf,
        /// The version of its tables.
        found: i64,
        /// The newest version that we know.
        known: i64,
    },
    /// The system cannot create a thread.
    #[error("the system gives no thread for the store: {0}")]
    Thread(std::io::Error),
}

fn process(pid: Option<u32>) -> String {
    pid.map_or_else(
        || "another process".to_owned(),
        |pid| format!("process {pid}"),
    )
}

/// Why a query to the store failed.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum ReadError {
    /// Too many queries wait already.
    #[error("too many questions to the history wait already: try again in a moment")]
    Busy,
    /// The store is closed.
    #[error("the history is closed, labwatch is stopping")]
    Closed,
    /// The answer would be too long: request less.
    #[error("the answer would be too long: ask for a shorter time")]
    TooMuch,
    /// The file cannot be read.
    #[error("the history cannot be read: {0}")]
    Failed(String),
}

impl From<rusqlite::Error> for ReadError {
    fn from(error: rusqlite::Error) -> Self {
        Self::Failed(error.to_string())
    }
}
