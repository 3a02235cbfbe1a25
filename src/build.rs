//! The build that this program comes from, as the build script determined it.

use std::sync::LazyLock;

/// The version.
pub const VERSION: &str = env!("CARGO_PKG_VERSION");

/// The commit; `None` where the build did not know.
pub const COMMIT: Option<&str> = option_env!("LABWATCH_COMMIT");

/// When that was committed, in RFC 3339.
pub const COMMITTED: Option<&str> = option_env!("LABWATCH_COMMITTED");

/// When it was built, in RFC 3339; a repeatable build says when it was committed.
pub const BUILT: Option<&str> = option_env!("LABWATCH_BUILT");

/// `clean` or `dirty`: whether the tree had changes since the commit.
pub const GIT_STATE: Option<&str> = option_env!("LABWATCH_GIT_STATE");

static DESCRIPTION: LazyLock<String> = LazyLock::new(|| {
    let state = GIT_STATE.filter(|state| *state != "clean");
    let known: Vec<&str> = [COMMIT, state, BUILT].into_iter().flatten().collect();
    if known.is_empty() {
        VERSION.to_owned()
    } else {
        format!("{VERSION} ({})", known.join(", "))
    }
});

/// All of it in one line: `0.1.0 (0123456789ab, dirty, 2026-12-01T08:00:00Z)`.
#[must_use]
pub fn description() -> &'static str {
    &DESCRIPTION
}
