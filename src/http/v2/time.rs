//! Times of version 2: RFC 3339 in UTC with milliseconds, always three digits.

use std::time::Duration;

use serde::{Serialize, Serializer};

/// A day of the clock.
pub(super) const DAY: Duration = Duration::from_secs(24 * 3_600);

/// A time in version 2. It has the name of the type that it wraps, because `utoipa` recognises a
/// time by that.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct Timestamp(jiff::Timestamp);

impl From<jiff::Timestamp> for Timestamp {
    fn from(at: jiff::Timestamp) -> Self {
        Self(at)
    }
}

impl Serialize for Timestamp {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        serializer.collect_str(&format_args!("{:.3}", self.0))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_time_always_has_three_digits() {
        for (given, written) in [
            ("2026-11-21T08:00:00Z", "2026-11-21T08:00:00.000Z"),
            ("2026-11-21T08:00:00.1Z", "2026-11-21T08:00:00.100Z"),
            ("2026-11-21T08:00:00.123456789Z", "2026-11-21T08:00:00.123Z"),
            ("2026-11-21T09:00:00+01:00", "2026-11-21T08:00:00.000Z"),
        ] {
            let at: jiff::Timestamp = given.parse().expect("a time");
            let text = serde_json::to_value(Timestamp::from(at)).expect("serialises");
            assert_eq!(text, written, "{given}");
        }
    }
}
