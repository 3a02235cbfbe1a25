//! What can go wrong with the memory, in words that say what to do.

use std::fmt;
use std::path::PathBuf;

/// Why the store cannot be opened at all. What may pass by itself, such as a full disk, is no error but a degraded store.
#[derive(Debug)]
pub enum StoreError {
    /// The folder is not there and cannot be made.
    Folder {
        /// The folder.
        dir: PathBuf,
        /// Why not.
        error: std::io::Error,
    },
    /// Another process uses the folder.
    InUse {
        /// The folder.
        dir: PathBuf,
        /// The process, where it says.
        pid: Option<u32>,
    },
    /// The file was written by a newer labwatch.
    TooNew {
        /// The file.
        file: PathBuf,
        /// The version of its tables.
        found: i64,
        /// The newest version that we know.
        known: i64,
    },
    /// The system gives no thread.
    Thread(std::io::Error),
}

impl fmt::Display for StoreError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Folder { dir, error } => write!(
                f,
                "the data folder {} cannot be made ({error}): make it, give it to the user that labwatch runs as, or name another in STATUS_DATA_DIR",
                dir.display()
            ),
            Self::InUse { dir, pid } => {
                let who = pid.map_or_else(
                    || "another process".to_owned(),
                    |pid| format!("process {pid}"),
                );
                write!(
                    f,
                    "{who} already uses the data folder {}: stop it, or name another folder in STATUS_DATA_DIR for this one",
                    dir.display()
                )
            }
            Self::TooNew { file, found, known } => write!(
                f,
                "{} was written by a newer labwatch (version {found} of the tables, this one knows {known}): install that version again, or move the file away",
                file.display()
            ),
            Self::Thread(error) => write!(f, "the system gives no thread for the store: {error}"),
        }
    }
}

impl std::error::Error for StoreError {}

/// Why a question to the memory has no answer.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum ReadError {
    /// Too many questions wait already.
    Busy,
    /// The store is closed.
    Closed,
    /// The answer would be too long: ask for less.
    TooMuch,
    /// The file cannot be read.
    Failed(String),
}

impl fmt::Display for ReadError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Busy => write!(
                f,
                "too many questions to the history wait already: try again in a moment"
            ),
            Self::Closed => write!(f, "the history is closed, labwatch is stopping"),
            Self::TooMuch => write!(f, "the answer would be too long: ask for a shorter time"),
            Self::Failed(why) => write!(f, "the history cannot be read: {why}"),
        }
    }
}

impl std::error::Error for ReadError {}
