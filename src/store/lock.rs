//! The lock on the data folder: one labwatch for one folder. Knows nothing of the folder's content.

use std::fs::{File, OpenOptions, TryLockError};
use std::io::{Error, ErrorKind, Read, Write};
use std::os::unix::fs::MetadataExt;
use std::path::Path;

/// The file that is locked, inside the data folder. It stays when labwatch ends; only the lock is
/// released.
const LOCK_FILE: &str = "labwatch.lock";

/// The most bytes that are read of a lock file.
const MAX_PID_BYTES: u64 = 32;

/// The lock. It ends when this is dropped, or the process dies in any way.
#[derive(Debug)]
pub(super) struct Lock {
    file: File,
}

/// Why there is no lock.
#[derive(Debug)]
pub(super) enum LockError {
    /// Another process has it; the number is its process id, where it left one.
    Taken(Option<u32>),
    /// The lock file can be neither opened nor created.
    Io(Error),
}

impl Lock {
    /// Takes the lock, without waiting.
    pub(super) fn take(dir: &Path) -> Result<Self, LockError> {
        let path = dir.join(LOCK_FILE);
        let mut file = open(&path).map_err(LockError::Io)?;
        match file.try_lock() {
            Ok(()) => {
                sign(&mut file);
                Ok(Self { file })
            }
            Err(TryLockError::WouldBlock) => Err(LockError::Taken(holder(&file))),
            Err(TryLockError::Error(error)) => Err(LockError::Io(error)),
        }
    }

    /// Whether the locked file is still the one at its path. It is not once the folder was removed.
    pub(super) fn still_there(&self, dir: &Path) -> bool {
        let ours = self.file.metadata().map(|meta| (meta.dev(), meta.ino()));
        let found = std::fs::metadata(dir.join(LOCK_FILE)).map(|meta| (meta.dev(), meta.ino()));
        matches!((ours, found), (Ok(ours), Ok(found)) if ours == found)
    }
}

/// An existing lock file can be locked even on a disk that accepts no writes.
fn open(path: &Path) -> Result<File, Error> {
    let writable = OpenOptions::new()
        .read(true)
        .write(true)
        .create(true)
        .truncate(false)
        .open(path);
    let read_only = |refused: &Error| {
        matches!(
            refused.kind(),
            ErrorKind::ReadOnlyFilesystem | ErrorKind::PermissionDenied
        )
    };
    writable.or_else(|refused| {
        if read_only(&refused) {
            File::open(path).map_err(|_| refused)
        } else {
            Err(refused)
        }
    })
}

/// Writes our process id for the error message of another process. A failure does no harm.
fn sign(file: &mut File) {
    let signed = file
        .set_len(0)
        .and_then(|()| writeln!(file, "{}", std::process::id()));
    if let Err(error) = signed {
        tracing::debug!(%error, "the lock file does not take our process id");
    }
}

fn holder(file: &File) -> Option<u32> {
    let mut text = String::new();
    file.take(MAX_PID_BYTES).read_to_string(&mut text).ok()?;
    text.trim().parse().ok()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_second_learns_who_has_it_and_gets_it_afterwards() {
        let dir = tempfile::tempdir().expect("a folder");
        let first = Lock::take(dir.path()).expect("free");
        match Lock::take(dir.path()) {
            Err(LockError::Taken(pid)) => assert_eq!(pid, Some(std::process::id())),
            other => panic!("{other:?}"),
        }
        drop(first);
        assert!(Lock::take(dir.path()).is_ok());
    }

    #[test]
    fn no_folder_no_lock() {
        assert!(matches!(
            Lock::take(Path::new("/nowhere/at/all")),
            Err(LockError::Io(_))
        ));
    }
}
