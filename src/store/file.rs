//! Opening the database file: folder, lock, settings of SQLite, migrations, integrity check, and
//! what to do when that fails. Knows the meaning of no table.

use std::fs::{DirBuilder, OpenOptions, Permissions};
use std::io::ErrorKind;
use std::os::unix::fs::{DirBuilderExt, MetadataExt, OpenOptionsExt, PermissionsExt};
use std::path::{Path, PathBuf};
use std::time::Duration;

use jiff::Timestamp;
use rusqlite::{Connection, ErrorCode, OpenFlags, Transaction, TransactionBehavior};

use super::error::StoreError;
use super::lock::{Lock, LockError};
use super::schema::{known_version, migrate, version};
use super::text;

/// The file, inside the data folder.
pub const DATABASE_FILE: &str = "labwatch.db";

/// SQLite's companion files while it is open.
const COMPANIONS: [&str; 2] = ["-wal", "-shm"];

/// Access for the service's user, and read access for its group.
const FOLDER_MODE: u32 = 0o750;

/// The database holds messages of servers and texts of maintainers, for the service's user alone.
const FILE_MODE: u32 = 0o600;

/// How long a statement waits for another process that has the file locked, such as an admin's
/// `sqlite3`.
const BUSY_TIMEOUT: Duration = Duration::from_secs(2);

/// Small tables that everything else depends on. They are checked at each start; the history only
/// by `verify`, which takes as long as it is.
const CHECKED_AT_START: [&str; 4] = ["state", "notes", "holds", "alive"];

/// The settings of a connection that writes: whatever was committed survives a power cut, and the
/// log beside the file stays small.
const SETTINGS: &str = "PRAGMA journal_mode = WAL; PRAGMA synchronous = FULL; PRAGMA journal_size_limit = 16777216; \
                        PRAGMA cache_size = -2000; PRAGMA temp_store = MEMORY;";

/// The data folder, and the lock on it once it is taken.
#[derive(Debug)]
pub(super) struct Folder {
    dir: PathBuf,
    lock: Option<Lock>,
}

/// The open file.
#[derive(Debug)]
pub(super) struct Database {
    pub(super) connection: Connection,
    identity: Option<(u64, u64)>,
    path: PathBuf,
}

/// A file that was opened, and the result of the caller's first query.
#[derive(Debug)]
pub(super) struct Opened<T> {
    pub(super) database: Database,
    pub(super) look: T,
    /// Whether there was no file before.
    pub(super) new: bool,
    /// The broken file that was there, moved away, and its problem.
    pub(super) aside: Option<(PathBuf, String)>,
}

/// Why the file is not open.
#[derive(Debug)]
pub(super) enum OpenFault {
    /// It will not pass by itself.
    Fatal(StoreError),
    /// It may pass: the disk is full, read-only, or fails.
    Disk(String),
}

/// The problem of one connection.
#[derive(Debug)]
enum ConnectFault {
    Fatal(StoreError),
    File(Failure),
}

impl From<Failure> for ConnectFault {
    fn from(fault: Failure) -> Self {
        Self::File(fault)
    }
}

impl From<rusqlite::Error> for ConnectFault {
    fn from(error: rusqlite::Error) -> Self {
        Self::File(error.into())
    }
}

/// Why something could not be done with the file.
#[derive(Debug)]
pub(super) struct Failure {
    pub(super) why: String,
    /// Whether the file itself is broken, so that no waiting helps.
    pub(super) broken: bool,
}

impl Failure {
    fn unsound(what: &str) -> Self {
        Self {
            why: format!("the file is damaged: {what}"),
            broken: true,
        }
    }
}

impl From<rusqlite::Error> for Failure {
    fn from(error: rusqlite::Error) -> Self {
        Self {
            why: error.to_string(),
            broken: matches!(
                error.sqlite_error_code(),
                Some(ErrorCode::NotADatabase | ErrorCode::DatabaseCorrupt)
            ),
        }
    }
}

impl From<OpenFault> for Failure {
    fn from(fault: OpenFault) -> Self {
        Self {
            why: match fault {
                OpenFault::Fatal(error) => error.to_string(),
                OpenFault::Disk(why) => why,
            },
            broken: false,
        }
    }
}

impl Folder {
    pub(super) fn new(dir: &Path) -> Self {
        Self {
            dir: dir.to_owned(),
            lock: None,
        }
    }

    /// Opens the file: creates what is missing, moves a broken file aside, and runs the caller's
    /// `look` at it before it counts as sound.
    pub(super) fn open<T>(
        &mut self,
        look: impl Fn(&Connection) -> rusqlite::Result<T>,
    ) -> Result<Opened<T>, OpenFault> {
        make(&self.dir)?;
        self.lock()?;
        let path = self.path();
        let new = !path.exists();
        let attempt = || {
            let connection = connect(&path)?;
            let look = look(&connection)?;
            Ok::<_, ConnectFault>((connection, look))
        };
        let (opened, aside) = match attempt() {
            Err(ConnectFault::File(Failure { why, broken: true })) => {
                let moved = self.set_aside().map_err(|error| {
                    OpenFault::Disk(format!("{why}; it cannot be moved away: {error}"))
                })?;
                (attempt(), Some((moved, why)))
            }
            opened => (opened, None),
        };
        let (connection, look) = opened.map_err(|fault| match fault {
            ConnectFault::Fatal(error) => OpenFault::Fatal(error),
            ConnectFault::File(fault) => {
                OpenFault::Disk(format!("{}: {}", path.display(), fault.why))
            }
        })?;
        Ok(Opened {
            database: Database {
                connection,
                identity: identity(&path),
                path,
            },
            look,
            new,
            aside,
        })
    }

    /// Moves the file away and returns its new place. It must not be open.
    pub(super) fn set_aside(&self) -> std::io::Result<PathBuf> {
        let path = self.path();
        let time = Timestamp::now().strftime("%Y%m%dT%H%M%S%3fZ");
        let aside = self.dir.join(format!("{DATABASE_FILE}.broken-{time}"));
        std::fs::rename(&path, &aside)?;
        for end in COMPANIONS {
            match std::fs::rename(with_end(&path, end), with_end(&aside, end)) {
                Err(error) if error.kind() != ErrorKind::NotFound => return Err(error),
                Ok(()) | Err(_) => {}
            }
        }
        Ok(aside)
    }

    pub(super) fn path(&self) -> PathBuf {
        self.dir.join(DATABASE_FILE)
    }

    /// Keeps the lock, or takes it where there is none or the folder was removed.
    fn lock(&mut self) -> Result<(), OpenFault> {
        if self
            .lock
            .as_ref()
            .is_some_and(|lock| lock.still_there(&self.dir))
        {
            return Ok(());
        }
        self.lock = None;
        let lock = Lock::take(&self.dir).map_err(|error| match error {
            LockError::Taken(pid) => OpenFault::Fatal(StoreError::InUse {
                dir: self.dir.clone(),
                pid,
            }),
            LockError::Io(error) => OpenFault::Disk(format!(
                "the lock file in {} cannot be opened: {error}",
                self.dir.display()
            )),
        })?;
        self.lock = Some(lock);
        Ok(())
    }
}

impl Database {
    /// The file at `path`, for reading only.
    pub(super) fn to_read(path: &Path) -> rusqlite::Result<Self> {
        let identity = identity(path);
        read_only(path).map(|connection| Self {
            connection,
            identity,
            path: path.to_owned(),
        })
    }

    /// Begins a transaction that writes.
    pub(super) fn begin(&mut self) -> rusqlite::Result<Transaction<'_>> {
        let behavior = TransactionBehavior::Immediate;
        self.connection.transaction_with_behavior(behavior)
    }

    /// Whether the open file is still the one at its path. Writes into a removed file are lost, and
    /// SQLite does not notice.
    pub(super) fn still_there(&self) -> bool {
        self.identity.is_some() && self.identity == identity(&self.path)
    }
}

/// Opens a file for reading only; also one on a disk that accepts no writes, and beside a service
/// that writes.
pub(super) fn read_only(path: &Path) -> rusqlite::Result<Connection> {
    let flags = OpenFlags::SQLITE_OPEN_READ_ONLY
        | OpenFlags::SQLITE_OPEN_NO_MUTEX
        | OpenFlags::SQLITE_OPEN_URI;
    let connection = Connection::open_with_flags(path, flags)?;
    connection.busy_timeout(BUSY_TIMEOUT)?;
    match version(&connection) {
        Ok(_) => Ok(connection),
        Err(error) if is_refused(&error) && !has_log(path) => {
            Connection::open_with_flags(as_immutable(path), flags)
        }
        Err(error) => Err(error),
    }
}

fn make(dir: &Path) -> Result<(), OpenFault> {
    let made = DirBuilder::new()
        .recursive(true)
        .mode(FOLDER_MODE)
        .create(dir);
    made.map_err(|error| {
        OpenFault::Fatal(StoreError::Folder {
            dir: dir.to_owned(),
            error,
        })
    })
}

/// Makes the file accessible for its owner alone, whatever the umask, and removes permissions that
/// an earlier version gave to others. SQLite gives the files beside it the same mode.
fn keep_private(path: &Path) {
    let made = OpenOptions::new()
        .write(true)
        .create(true)
        .truncate(false)
        .mode(FILE_MODE)
        .open(path);
    let Ok(file) = made else {
        // SQLite reports why.
        return;
    };
    let is_open = |mode: u32| mode & 0o777 & !FILE_MODE != 0;
    let permissions = file.metadata().map(|metadata| metadata.permissions());
    if permissions.is_ok_and(|permissions| is_open(permissions.mode())) {
        for end in [""].into_iter().chain(COMPANIONS) {
            let private = Permissions::from_mode(FILE_MODE);
            // A missing one is created anew.
            drop(std::fs::set_permissions(with_end(path, end), private));
        }
    }
}

fn connect(path: &Path) -> Result<Connection, ConnectFault> {
    keep_private(path);
    let mut connection = Connection::open(path)?;
    connection.busy_timeout(BUSY_TIMEOUT)?;
    let found = version(&connection)?;
    if found > known_version() {
        return Err(ConnectFault::Fatal(StoreError::TooNew {
            file: path.to_owned(),
            found,
            known: known_version(),
        }));
    }
    connection.execute_batch(SETTINGS)?;
    migrate(&mut connection, found)?;
    check_length(&connection, path)?;
    check_small_tables(&connection)?;
    Ok(connection)
}

/// A file that was truncated is detected at once, not years later when the lost end is read. The
/// log beside the file is emptied into it first, since only then must the two lengths agree; where
/// a reader prevents that, there is nothing to compare.
fn check_length(connection: &Connection, path: &Path) -> Result<(), Failure> {
    let busy: i64 =
        connection.query_row("PRAGMA wal_checkpoint(TRUNCATE)", [], |row| row.get(0))?;
    let pages: u64 = connection.query_row(
        "SELECT page_count * page_size FROM pragma_page_count, pragma_page_size",
        [],
        text::unsigned,
    )?;
    let length = std::fs::metadata(path).map_or(pages, |meta| meta.len());
    if busy == 0 && length < pages {
        let what = format!("it is {length} bytes long and should be {pages}");
        return Err(Failure::unsound(&what));
    }
    Ok(())
}

fn check_small_tables(connection: &Connection) -> Result<(), Failure> {
    for table in CHECKED_AT_START {
        let said: String =
            connection.query_row(&format!("PRAGMA quick_check({table})"), [], |row| {
                row.get(0)
            })?;
        if said != "ok" {
            return Err(Failure::unsound(&said));
        }
    }
    Ok(())
}

fn is_refused(error: &rusqlite::Error) -> bool {
    matches!(
        error.sqlite_error_code(),
        Some(ErrorCode::CannotOpen | ErrorCode::ReadOnly | ErrorCode::SystemIoFailure)
    )
}

/// Whether the log beside the file has content that is not in the file yet.
fn has_log(path: &Path) -> bool {
    std::fs::metadata(with_end(path, "-wal")).is_ok_and(|meta| meta.len() > 0)
}

/// The address under which SQLite reads a file without its companions.
fn as_immutable(path: &Path) -> String {
    let path = path
        .to_string_lossy()
        .replace('%', "%25")
        .replace('?', "%3f")
        .replace('#', "%23");
    format!("file:{path}?immutable=1")
}

fn identity(path: &Path) -> Option<(u64, u64)> {
    std::fs::metadata(path)
        .ok()
        .map(|meta| (meta.dev(), meta.ino()))
}

fn with_end(path: &Path, end: &str) -> PathBuf {
    let mut name = path.as_os_str().to_owned();
    name.push(end);
    PathBuf::from(name)
}
