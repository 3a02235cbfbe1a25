//! The time scales of bars: their resolution, and the ticks of their axes.

use std::time::Duration;

use jiff::Timestamp;

use crate::store::Range;

/// The length and resolution of a bar.
#[derive(Debug, PartialEq, Eq)]
pub(super) struct Scale {
    pub(super) title: &'static str,
    cells: u32,
    /// How long a cell is.
    pub(super) step: Duration,
    /// The time between two ticks of the axis.
    pub(super) tick: Duration,
    /// The format of a tick. Cells of a day are days of UTC, so only ticks of hours may be in the
    /// reader's zone.
    pub(super) form: &'static str,
    pub(super) hours: bool,
}

const MINUTE: u64 = 60;
const HOUR: u64 = 60 * MINUTE;
const DAY_LENGTH: u64 = 24 * HOUR;

/// The last day, which rows of lists show too.
pub(super) const DAY: Scale = Scale {
    title: "24 hours",
    cells: 96,
    step: Duration::from_secs(15 * MINUTE),
    tick: Duration::from_secs(3 * HOUR),
    form: "%H:%M",
    hours: true,
};

/// The longer ones, which need a history; the last one is the longest.
pub(super) const LONGER: [Scale; 3] = [
    Scale {
        title: "7 days",
        cells: 84,
        step: Duration::from_secs(2 * HOUR),
        tick: Duration::from_secs(DAY_LENGTH),
        form: "%a",
        hours: false,
    },
    Scale {
        title: "30 days",
        cells: 60,
        step: Duration::from_secs(12 * HOUR),
        tick: Duration::from_secs(7 * DAY_LENGTH),
        form: "%-d %b",
        hours: false,
    },
    Scale {
        title: "90 days",
        cells: 90,
        step: Duration::from_secs(DAY_LENGTH),
        tick: Duration::from_secs(14 * DAY_LENGTH),
        form: "%-d %b",
        hours: false,
    },
];

impl Scale {
    /// The range of a bar whose last cell contains `now`.
    pub(super) fn range(&self, now: Timestamp) -> Range {
        let millis = millis(self.step);
        let until = (now.as_millisecond().div_euclid(millis) + 1).saturating_mul(millis);
        let from = until.saturating_sub(millis.saturating_mul(i64::from(self.cells)));
        let moment = |millis| Timestamp::from_millisecond(millis).unwrap_or(now);
        Range {
            from: moment(from),
            until: moment(until),
        }
    }
}

/// A length in milliseconds, at least one.
pub(super) fn millis(length: Duration) -> i64 {
    i64::try_from(length.as_millis()).unwrap_or(i64::MAX).max(1)
}
