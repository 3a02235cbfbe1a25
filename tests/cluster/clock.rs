//! A wall clock that can be set for one process, by a small library that is loaded in front of the
//! C library.

use std::fs;
use std::path::PathBuf;
use std::process::Command;

use tempfile::TempDir;

use super::monitor::Variable;

/// The clock of the processes that are started with its variables.
pub struct SetClock {
    folder: TempDir,
}

impl SetClock {
    /// Compiles the library, for which the C compiler is there that labwatch itself needs.
    pub fn new() -> Self {
        let folder = tempfile::tempdir().expect("a folder");
        let clock = Self { folder };
        let source = clock.path("clock.c");
        fs::write(&source, include_str!("clock.c")).expect("written");
        let status = Command::new("cc")
            .args(["-shared", "-fPIC", "-O1", "-o"])
            .args([clock.path("clock.so"), source])
            .status();
        assert!(status.is_ok_and(|status| status.success()), "it compiles");
        clock.set(0);
        clock
    }

    /// Sets it to so many seconds beside the true time.
    pub fn set(&self, seconds: i64) {
        // At once, so that no reader sees half of it.
        let new = self.path("new");
        fs::write(&new, seconds.to_string()).expect("written");
        fs::rename(new, self.path("seconds")).expect("renamed");
    }

    pub fn variables(&self) -> [Variable; 2] {
        let text = |name: &str| self.path(name).to_str().expect("a name").to_owned();
        [
            ("LD_PRELOAD".to_owned(), text("clock.so")),
            ("TEST_CLOCK".to_owned(), text("seconds")),
        ]
    }

    fn path(&self, name: &str) -> PathBuf {
        self.folder.path().join(name)
    }
}
