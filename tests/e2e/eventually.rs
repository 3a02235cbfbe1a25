//! Waiting for something to become so, with patience for a busy machine.

use std::time::{Duration, Instant};

/// What is not so after this time will not be. Far above what it takes, because the machine may
/// have other things to do and a server that is started anew between two steps of a dialogue costs
/// half a minute.
const PATIENCE: Duration = Duration::from_secs(90);

/// How often it is looked.
const LOOK_EVERY: Duration = Duration::from_millis(20);

/// Looks again and again until there is something to see. `context` describes the circumstances
/// where there never is.
pub async fn eventually<T>(
    what: &str,
    context: impl Fn() -> String,
    mut look: impl AsyncFnMut() -> Option<T>,
) -> T {
    let begun = Instant::now();
    loop {
        if let Some(seen) = look().await {
            return seen;
        }
        assert!(
            begun.elapsed() < PATIENCE,
            "not within {PATIENCE:?}: {what}\n{}",
            context()
        );
        tokio::time::sleep(LOOK_EVERY).await;
    }
}
