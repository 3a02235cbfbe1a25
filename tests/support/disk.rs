//! A small disk in memory, to be filled and to be made read-only.

use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};

/// A small disk in memory, gone when dropped. Making one takes the superuser; without, there is
/// none, which fails the test under CI.
pub struct Disk(PathBuf);

impl Disk {
    #[allow(
        clippy::print_stderr,
        reason = "the output of the tests says what was left out"
    )]
    pub fn mount(at: &Path, options: &str) -> Option<Self> {
        let mounted = Command::new("mount")
            .args(["-t", "tmpfs", "-o", options, "tmpfs"])
            .arg(at)
            .stderr(Stdio::null())
            .status();
        if mounted.is_ok_and(|status| status.success()) {
            return Some(Self(at.to_owned()));
        }
        assert!(
            std::env::var_os("CI").is_none(),
            "only the superuser can mount the small disk of this test"
        );
        eprintln!("not tested: only the superuser can make a small disk");
        None
    }

    #[allow(dead_code, reason = "not every test remounts it")]
    pub fn remount(&self, mode: &str) {
        let done = Command::new("mount")
            .args(["-o", &format!("remount,{mode}")])
            .arg(&self.0)
            .status();
        assert!(
            done.is_ok_and(|status| status.success()),
            "remounted {mode}"
        );
    }
}

impl Drop for Disk {
    fn drop(&mut self) {
        let _ = Command::new("umount").arg("-l").arg(&self.0).status();
    }
}
