//! The folder of a small Debian, which the tests boot and make containers of.

use std::path::Path;
use std::process::Command;

/// Its path; `Err` says why it cannot be made here, which under CI fails the test.
pub fn root() -> Result<String, String> {
    let script = Path::new(env!("CARGO_MANIFEST_DIR")).join("scripts/debian-root.sh");
    let made = Command::new(script).output().expect("bash runs");
    if made.status.success() {
        let path = String::from_utf8(made.stdout).expect("a path");
        return Ok(path.trim().to_owned());
    }
    let said = String::from_utf8_lossy(&made.stderr).into_owned();
    assert!(std::env::var_os("CI").is_none(), "{said}");
    Err(said)
}

/// Why it cannot be made by this user.
pub fn obstacle() -> Option<String> {
    let is_root = std::fs::metadata("/proc/self")
        .is_ok_and(|own| std::os::unix::fs::MetadataExt::uid(&own) == 0);
    (!is_root).then(|| "only the superuser can make and boot a container".to_owned())
}
