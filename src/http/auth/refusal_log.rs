//! Logs refused tokens: at most one line a minute, so that strangers cannot fill the log.

use std::sync::{Mutex, PoisonError};
use std::time::{Duration, Instant};

use super::refusal::Refusal;

/// The shortest time between two lines.
const LINE_EVERY: Duration = Duration::from_secs(60);

/// Counts refused tokens between two lines of the log.
#[derive(Debug, Default)]
pub struct RefusalLog(Mutex<Counted>);

#[derive(Debug, Default)]
struct Counted {
    refused: u64,
    last_line: Option<Instant>,
}

impl RefusalLog {
    /// Counts a refusal, and logs all since the last line unless that was less than a minute ago.
    pub fn count(&self, why: Refusal, now: Instant) {
        if let Some(refused) = self.due(now) {
            tracing::warn!(
                refused,
                latest = why.as_str(),
                "refused bad tokens: a program or browser shows one that expired, was revoked, or is of another labwatch"
            );
        }
    }

    /// The count for a line, if one is due.
    fn due(&self, now: Instant) -> Option<u64> {
        let mut counted = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        counted.refused += 1;
        let suppressed = counted
            .last_line
            .is_some_and(|last| now.saturating_duration_since(last) < LINE_EVERY);
        if suppressed {
            return None;
        }
        counted.last_line = Some(now);
        Some(std::mem::take(&mut counted.refused))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn many_refusals_make_one_line_a_minute() {
        let (log, start) = (RefusalLog::default(), Instant::now());
        assert_eq!(log.due(start), Some(1));
        for _ in 0..20_000 {
            assert_eq!(log.due(start + LINE_EVERY / 2), None);
        }
        assert_eq!(log.due(start + LINE_EVERY), Some(20_001));
    }
}
