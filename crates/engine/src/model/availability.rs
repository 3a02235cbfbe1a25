//! The availability of a resource in book, and who set it.

use serde::{Deserialize, Serialize};

use super::words::words;

/// The prefix of every reason that labwatch writes into book. It distinguishes withdrawals from
/// manual holds.
pub const OUR_PREFIX: &str = "labwatch: ";

/// Prefixes that mark a withdrawal as a monitor's: labwatch's, and that of the program which
/// labwatch replaces.
const MONITOR_PREFIXES: [&str; 2] = [OUR_PREFIX, "status server:"];

/// What book puts before the stored reason in its answer for an unavailable resource.
const BOOK_WRAPPING: &str = "unavailable because ";

/// The availability of a resource in book: `available`, and the reason that is stored with it.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Availability {
    /// Whether it can be booked and started.
    pub available: bool,
    /// The stored reason, without book's prefix.
    pub reason: String,
}

impl Availability {
    /// Parses book's answer, and strips book's prefix from the reason.
    pub fn from_book(available: bool, reason: &str) -> Self {
        let stored = if available || reason == BOOK_WRAPPING.trim_end() || reason == "unavailable" {
            if available { reason } else { "" }
        } else {
            reason.strip_prefix(BOOK_WRAPPING).unwrap_or(reason)
        };
        Self {
            available,
            reason: stored.to_owned(),
        }
    }

    /// Whose word it is.
    pub fn bookable(&self) -> Bookable {
        if self.available {
            Bookable::Yes
        } else if MONITOR_PREFIXES
            .iter()
            .any(|prefix| self.reason.starts_with(prefix))
        {
            Bookable::Withdrawn
        } else {
            Bookable::Held
        }
    }
}

/// Whether a resource can be booked and, where not, who withdrew it.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
pub enum Bookable {
    /// It can be booked.
    Yes,
    /// A monitor withdrew it: labwatch gives it back.
    Withdrawn,
    /// An operator holds it: labwatch never changes that.
    Held,
}

words!(Bookable { Yes => "bookable", Withdrawn => "withdrawn", Held => "held" });

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_reason_shows_who_withdrew_it() {
        let rows = [
            (true, "Loaded at 2026-11-21T00:52:06Z", Bookable::Yes),
            (true, "labwatch: back", Bookable::Yes),
            (
                false,
                "unavailable because labwatch: no video",
                Bookable::Withdrawn,
            ),
            (
                false,
                "unavailable because status server: 2026-11-21 00:05:00 +0000 UTC",
                Bookable::Withdrawn,
            ),
            (
                false,
                "unavailable because maintenance until Friday",
                Bookable::Held,
            ),
            (false, "unavailable", Bookable::Held),
            (
                false,
                "unavailable because unavailable because labwatch: x",
                Bookable::Held,
            ),
        ];
        for (available, reason, expected) in rows {
            assert_eq!(
                Availability::from_book(available, reason).bookable(),
                expected,
                "{available} {reason}"
            );
        }
    }

    #[test]
    fn the_wrapping_is_taken_off() {
        assert_eq!(
            Availability::from_book(false, "unavailable because fire").reason,
            "fire"
        );
        assert_eq!(Availability::from_book(false, "unavailable").reason, "");
        assert_eq!(Availability::from_book(true, "new").reason, "new");
    }
}
