//! The Python tools of tests/tools/requirements.txt, where scripts/test.sh has put them.

use std::path::{Path, PathBuf};

/// A program of the virtual environment, as `st` or `python`.
pub fn tool(name: &str) -> PathBuf {
    let target = Path::new(env!("CARGO_TARGET_TMPDIR"))
        .parent()
        .expect("cargo's target folder");
    let program = target.join("test-tools/bin").join(name);
    let advice = "scripts/test.sh installs it; run that once, and see what it says when it cannot";
    assert!(
        program.exists(),
        "{} is missing: {advice}",
        program.display()
    );
    program
}
