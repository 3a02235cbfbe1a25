//! A log file that is rotated by size and age, and that never holds more than its bounds together
//! with its rotated files. Lines that cannot be written are counted and reported; writing never
//! fails and never waits.
//!
//! Written here because no maintained crate keeps these promises: tracing-appender rotates by time
//! and bounds the number of files, not their size; file-rotate and logroller do not bound the age
//! and the total together either, and bring chrono or a regular expression engine.
//!
//! Rotated files are called as the file is, with the time of rotation (UTC) behind:
//! `labwatch.log.20261121T000205Z`. No other file of the folder is touched.

use std::cmp::Reverse;
use std::fs::{self, File, OpenOptions};
use std::io::{self, Write};
use std::os::unix::fs::{MetadataExt, OpenOptionsExt};
use std::path::{Path, PathBuf};
use std::time::Duration;

use jiff::civil::DateTime;
use jiff::tz::TimeZone;
use jiff::{SignedDuration, Timestamp};

use crate::config::LogFile;

/// The format of the time of rotation in a name.
const STAMP: &str = "%Y%m%dT%H%M%SZ";

/// How many files may be rotated in the same second.
const MAX_SAME_SECOND: u32 = 1_000;

/// The permissions of a log file: the owner and the owner's group, and no other user.
const MODE: u32 = 0o640;

/// Formats a text as a line for the log, with its time and line break.
pub type Remark = Box<dyn Fn(Timestamp, &str) -> String + Send>;

/// Dependencies of a [`RotatingFile`] besides the file system.
pub struct RotationDeps {
    pub now: Box<dyn Fn() -> Timestamp + Send>,
    /// Formats a line about the log itself.
    pub remark: Remark,
    /// Reports a fault to another place while the log itself cannot be written.
    pub complain: Box<dyn FnMut(&str) + Send>,
}

/// A log file within bounds. Each call of `write` must be one whole line.
pub struct RotatingFile {
    /// Where it is, and how much and how long is kept.
    bounds: LogFile,
    around: RotationDeps,
    current: Option<Current>,
    /// Lines lost since the last one that was written.
    unreported: u64,
}

/// The file that is written to.
struct Current {
    file: File,
    size: u64,
    since: Timestamp,
    identity: (u64, u64),
}

impl RotatingFile {
    /// Opens the file, or creates it and its folder; lines are appended.
    ///
    /// # Errors
    /// When the file cannot be opened for writing.
    pub fn open(bounds: LogFile, around: RotationDeps) -> io::Result<Self> {
        let mut file = Self {
            bounds,
            around,
            current: None,
            unreported: 0,
        };
        file.current = Some(file.open_current()?);
        file.prune();
        Ok(file)
    }

    fn try_write(&mut self, line: &[u8]) -> io::Result<()> {
        if line.len() as u64 > self.bounds.max_size {
            return Err(io::Error::other(
                "the line is longer than a whole log file may be",
            ));
        }
        self.follow_path()?;
        let lines = [self.unreported_losses().as_bytes(), line].concat();
        if self.is_full_or_old(lines.len() as u64) {
            self.rotate()?;
        }
        self.append(&lines)?;
        self.unreported = 0;
        Ok(())
    }

    fn unreported_losses(&self) -> String {
        match self.unreported {
            0 => String::new(),
            n => (self.around.remark)(
                (self.around.now)(),
                &format!("{n} lines of the log could not be written and are lost"),
            ),
        }
    }

    /// Reopens the file when it is not open, or when another or none is at its path by now.
    fn follow_path(&mut self) -> io::Result<()> {
        let there = fs::metadata(&self.bounds.path)
            .ok()
            .map(|metadata| identity(&metadata));
        let open = self.current.as_ref().map(|current| current.identity);
        if open.is_none() || there != open {
            self.current = None;
            self.current = Some(self.open_current()?);
        }
        Ok(())
    }

    fn folder(&self) -> &Path {
        let parent = self.bounds.path.parent();
        let parent = parent.filter(|folder| !folder.as_os_str().is_empty());
        parent.unwrap_or(Path::new("."))
    }

    fn open_current(&self) -> io::Result<Current> {
        fs::create_dir_all(self.folder())?;
        let file = OpenOptions::new()
            .append(true)
            .create(true)
            .mode(MODE)
            .open(&self.bounds.path)?;
        let metadata = file.metadata()?;
        let born = metadata
            .created()
            .or_else(|_| metadata.modified())
            .ok()
            .and_then(|time| Timestamp::try_from(time).ok());
        let now = (self.around.now)();
        let since = if metadata.len() == 0 {
            now
        } else {
            born.unwrap_or(now)
        };
        Ok(Current {
            size: metadata.len(),
            identity: identity(&metadata),
            since,
            file,
        })
    }

    fn is_full_or_old(&self, more: u64) -> bool {
        let Some(current) = &self.current else {
            return false;
        };
        let full = current.size + more > self.bounds.max_size;
        let old = is_older(current.since, (self.around.now)(), self.bounds.max_age);
        current.size > 0 && (full || old)
    }

    /// Puts the file aside and begins a new one. If it cannot be put aside it is emptied: the bound
    /// matters more than old lines.
    fn rotate(&mut self) -> io::Result<()> {
        let renamed = self
            .free_name()
            .and_then(|name| fs::rename(&self.bounds.path, name));
        if let Err(error) = renamed {
            if let Some(current) = &mut self.current {
                current.file.set_len(0)?;
                current.size = 0;
                current.since = (self.around.now)();
            }
            return self.remark(&format!(
                "the log file could not be put aside and was emptied: {error}"
            ));
        }
        self.current = None;
        self.current = Some(self.open_current()?);
        self.prune();
        Ok(())
    }

    fn free_name(&self) -> io::Result<PathBuf> {
        let stamp = (self.around.now)().strftime(STAMP).to_string();
        let name = |n: u32| {
            let mut name = self.bounds.path.clone().into_os_string();
            name.push(if n == 0 {
                format!(".{stamp}")
            } else {
                format!(".{stamp}-{n:03}")
            });
            PathBuf::from(name)
        };
        let free = (0..MAX_SAME_SECOND).map(name).find(|name| !name.exists());
        free.ok_or_else(|| io::Error::other("it was rotated too often in one second"))
    }

    /// Deletes the rotated files that are too old, and the oldest of the others while the total is
    /// too large.
    fn prune(&mut self) {
        let now = (self.around.now)();
        let mut room = self.bounds.max_total.saturating_sub(self.bounds.max_size);
        for (at, _, path, size) in self.rotated_newest_first() {
            let fits = size <= room;
            room = if fits { room - size } else { 0 };
            if fits && !is_older(at, now, self.bounds.max_age) {
                continue;
            }
            if let Err(error) = fs::remove_file(&path) {
                // if this cannot be logged either, that is counted with the next lost line
                let _ = self.remark(&format!(
                    "the old log file {} could not be deleted: {error}",
                    path.display()
                ));
            }
        }
    }

    /// The rotated files, with the time of rotation, the number in that second, and the size.
    fn rotated_newest_first(&self) -> Vec<(Timestamp, u32, PathBuf, u64)> {
        let own = self
            .bounds
            .path
            .file_name()
            .map(|name| format!("{}.", name.to_string_lossy()))
            .unwrap_or_default();
        let mut files: Vec<_> = fs::read_dir(self.folder())
            .into_iter()
            .flatten()
            .flatten()
            .filter_map(|entry| {
                let (at, n) = parse_stamp(entry.file_name().to_str()?.strip_prefix(&own)?)?;
                let metadata = entry.metadata().ok().filter(fs::Metadata::is_file)?;
                Some((at, n, entry.path(), metadata.len()))
            })
            .collect();
        files.sort_by_key(|file| Reverse((file.0, file.1)));
        files
    }

    fn remark(&mut self, text: &str) -> io::Result<()> {
        let line = (self.around.remark)((self.around.now)(), text);
        self.append(line.as_bytes())
    }

    /// Appends, or writes nothing: a partly written line is removed.
    fn append(&mut self, line: &[u8]) -> io::Result<()> {
        let Some(current) = &mut self.current else {
            return Err(io::Error::other("the file is not open"));
        };
        if let Err(error) = current.file.write_all(line) {
            let _ = current.file.set_len(current.size);
            return Err(error);
        }
        current.size += line.len() as u64;
        Ok(())
    }

    fn lose(&mut self, error: &io::Error) {
        if self.unreported == 0 {
            let path = self.bounds.path.display();
            (self.around.complain)(&format!(
                "the log file {path} cannot be written, its lines are lost until it can: {error}"
            ));
        }
        self.unreported += 1;
    }
}

impl Write for RotatingFile {
    /// Writes a line, or counts it as lost; never fails.
    fn write(&mut self, line: &[u8]) -> io::Result<usize> {
        if let Err(error) = self.try_write(line) {
            self.lose(&error);
        }
        Ok(line.len())
    }

    fn flush(&mut self) -> io::Result<()> {
        Ok(())
    }
}

fn identity(metadata: &fs::Metadata) -> (u64, u64) {
    (metadata.dev(), metadata.ino())
}

fn is_older(since: Timestamp, now: Timestamp, age: Duration) -> bool {
    SignedDuration::try_from(age).is_ok_and(|age| now.duration_since(since) > age)
}

/// The time and number of a rotated file's name.
fn parse_stamp(text: &str) -> Option<(Timestamp, u32)> {
    let (stamp, number) = match text.split_once('-') {
        Some((stamp, number)) => (stamp, number.parse().ok()?),
        None => (text, 0),
    };
    let at = DateTime::strptime(STAMP, stamp)
        .ok()?
        .to_zoned(TimeZone::UTC)
        .ok()?;
    Some((at.timestamp(), number))
}

#[cfg(test)]
mod tests {
    use std::os::unix::fs::symlink;
    use std::sync::atomic::{AtomicI64, Ordering};
    use std::sync::{Arc, Mutex};

    use super::*;

    const HOUR: Duration = Duration::from_secs(3_600);

    /// A log file whose clock is ahead of the real one by as much as the test sets.
    struct Fixture {
        folder: tempfile::TempDir,
        ahead: Arc<AtomicI64>,
        complaints: Arc<Mutex<Vec<String>>>,
    }

    impl Fixture {
        fn new() -> Self {
            Self {
                folder: tempfile::tempdir().expect("a folder"),
                ahead: Arc::default(),
                complaints: Arc::default(),
            }
        }

        fn path(&self) -> PathBuf {
            self.folder.path().join("labwatch.log")
        }

        fn open_at(&self, path: &Path, max_size: u64, max_total: u64) -> RotatingFile {
            let (ahead, complaints) = (Arc::clone(&self.ahead), Arc::clone(&self.complaints));
            let around = RotationDeps {
                now: Box::new(move || {
                    Timestamp::now() + SignedDuration::from_secs(ahead.load(Ordering::Relaxed))
                }),
                remark: Box::new(|_, text| format!("! {text}\n")),
                complain: Box::new(move |text| {
                    complaints.lock().expect("no panic").push(text.to_owned());
                }),
            };
            let bounds = LogFile {
                path: path.to_owned(),
                max_size,
                max_age: HOUR,
                max_total,
            };
            RotatingFile::open(bounds, around).expect("opens")
        }

        fn open(&self, max_size: u64, max_total: u64) -> RotatingFile {
            self.open_at(&self.path(), max_size, max_total)
        }

        fn text(&self) -> String {
            fs::read_to_string(self.path()).expect("reads")
        }

        /// The names in the folder, with the time of rotation left out, and their sizes.
        fn files(&self) -> Vec<(String, u64)> {
            let entries = fs::read_dir(self.folder.path()).expect("lists").flatten();
            let mut files: Vec<_> = entries
                .map(|entry| {
                    let name = entry.file_name().to_string_lossy().into_owned();
                    let name = name
                        .strip_prefix("labwatch.log.2")
                        .map_or(name.clone(), |_| "rotated".to_owned());
                    (name, entry.metadata().expect("stats").len())
                })
                .collect();
            files.sort();
            files
        }
    }

    fn write(file: &mut RotatingFile, line: &str) {
        file.write_all(line.as_bytes()).expect("never fails");
    }

    #[test]
    fn a_full_file_is_put_aside_and_all_together_stay_below_the_bound() {
        let fixture = Fixture::new();
        fs::write(fixture.folder.path().join("labwatch.log.old"), "not ours").expect("writes");
        let mut file = fixture.open(100, 350);
        for line in 0..1_000 {
            write(&mut file, &format!("{line:039}\n"));
            let ours: u64 = fixture
                .files()
                .iter()
                .filter(|(name, _)| !name.ends_with("old"))
                .map(|(_, size)| size)
                .sum();
            assert!(ours <= 350, "{:?}", fixture.files());
        }
        let rotated = fixture
            .files()
            .into_iter()
            .filter(|(name, _)| name == "rotated")
            .count();
        assert_eq!(rotated, 3, "{:?}", fixture.files());
        assert!(fixture.text().ends_with("0999\n"));
        assert!(fixture.folder.path().join("labwatch.log.old").exists());
        assert_eq!(file.unreported, 0);
    }

    #[test]
    fn the_newest_rotated_file_is_the_last_to_go() {
        let fixture = Fixture::new();
        for (stamp, size) in [
            ("20200101T000000Z", 10),
            ("20990101T000000Z", 60),
            ("20990101T000000Z-001", 60),
        ] {
            fs::write(
                fixture.folder.path().join(format!("labwatch.log.{stamp}")),
                "x".repeat(size),
            )
            .expect("writes");
        }
        drop(fixture.open(100, 200));
        assert!(
            fixture
                .folder
                .path()
                .join("labwatch.log.20990101T000000Z-001")
                .exists()
        );
        assert_eq!(fixture.files().len(), 2, "{:?}", fixture.files());
    }

    #[test]
    fn a_restart_goes_on_where_it_was() {
        let fixture = Fixture::new();
        write(&mut fixture.open(100, 1_000), "one\n");
        let mut file = fixture.open(100, 1_000);
        write(&mut file, "two\n");
        assert_eq!(fixture.text(), "one\ntwo\n");
        write(&mut file, &format!("{}\n", "x".repeat(95)));
        assert_eq!(
            fixture.files().len(),
            2,
            "the eight bytes from before count"
        );
    }

    #[test]
    fn an_old_file_is_put_aside_and_old_rotated_ones_are_deleted() {
        let fixture = Fixture::new();
        let mut file = fixture.open(100, 1_000);
        write(&mut file, "one\n");
        fixture.ahead.store(3_700, Ordering::Relaxed);
        write(&mut file, "two\n");
        assert_eq!(
            (fixture.files().len(), fixture.text().as_str()),
            (2, "two\n")
        );
        fixture.ahead.store(7_500, Ordering::Relaxed);
        write(&mut file, "three\n");
        assert_eq!(
            fixture.files(),
            [("labwatch.log".to_owned(), 6), ("rotated".to_owned(), 4)]
        );
    }

    #[test]
    fn a_file_that_is_taken_away_is_made_again() {
        let fixture = Fixture::new();
        let folder = fixture.folder.path().join("logs");
        let path = folder.join("labwatch.log");
        let mut file = fixture.open_at(&path, 100, 1_000);
        write(&mut file, "one\n");
        fs::rename(&path, folder.join("elsewhere")).expect("renames");
        write(&mut file, "two\n");
        assert_eq!(fs::read_to_string(&path).expect("reads"), "two\n");
        fs::remove_dir_all(&folder).expect("removes");
        write(&mut file, "three\n");
        assert_eq!(fs::read_to_string(&path).expect("reads"), "three\n");
        assert_eq!(file.unreported, 0);
    }

    #[test]
    fn lost_lines_are_counted_and_reported_once_there_and_once_here() {
        let fixture = Fixture::new();
        symlink("/dev/full", fixture.path()).expect("links");
        let mut file = fixture.open(100, 1_000);
        for line in ["one\n", "two\n", "three\n"] {
            write(&mut file, line);
        }
        assert_eq!(file.unreported, 3);
        fs::remove_file(fixture.path()).expect("removes");
        write(&mut file, "four\n");
        assert_eq!(
            fixture.text(),
            "! 3 lines of the log could not be written and are lost\nfour\n"
        );
        let complaints = fixture.complaints.lock().expect("no panic");
        assert_eq!(complaints.len(), 1, "{complaints:?}");
        assert!(
            complaints[0].contains("No space left on device"),
            "{complaints:?}"
        );
    }

    #[test]
    fn a_folder_that_cannot_be_made_again_costs_lines_until_it_can() {
        let fixture = Fixture::new();
        let folder = fixture.folder.path().join("logs");
        let path = folder.join("labwatch.log");
        let mut file = fixture.open_at(&path, 100, 1_000);
        fs::remove_dir_all(&folder).expect("removes");
        fs::write(&folder, "in the way").expect("writes");
        write(&mut file, "one\n");
        assert_eq!(file.unreported, 1);
        fs::remove_file(&folder).expect("removes");
        write(&mut file, "two\n");
        assert!(fs::read_to_string(&path).expect("reads").ends_with("two\n"));
    }

    #[test]
    fn a_file_that_cannot_be_put_aside_is_emptied() {
        let fixture = Fixture::new();
        let path = fixture.folder.path().join("x".repeat(250)); // with a time behind it the name is too long for any file
        let mut file = fixture.open_at(&path, 100, 1_000);
        write(&mut file, &format!("{}\n", "y".repeat(90)));
        write(&mut file, "a line that does not fit\n");
        let text = fs::read_to_string(&path).expect("reads");
        assert!(
            text.starts_with(
                "! the log file could not be put aside and was emptied: File name too long"
            ),
            "{text}"
        );
        assert!(text.ends_with("a line that does not fit\n"), "{text}");
    }

    #[test]
    fn a_line_that_is_longer_than_a_file_is_lost() {
        let fixture = Fixture::new();
        let mut file = fixture.open(100, 1_000);
        write(&mut file, &"x".repeat(101));
        assert_eq!((file.unreported, fixture.text().as_str()), (1, ""));
    }
}
