//! Which bookings the history keeps: compares what book reports with what was recorded and returns
//! the changes. Has no names of students.

use std::collections::BTreeMap;

use jiff::Timestamp;

use crate::model::Gather as _;
use crate::model::{ResourceName, Stub};
use crate::protocol::Booking;

/// A time for which a resource is booked. Bookings with the same resource, start and end are one of
/// these.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Booked {
    /// The resource.
    pub resource: ResourceName,
    /// Its experiment.
    pub stub: Stub,
    /// When it starts.
    pub start: Timestamp,
    /// When it is to end, exclusive; after the start.
    pub end: Timestamp,
    /// How many bookings it stands for, and so how many students there are.
    pub students: u32,
    /// Whether one of them was started.
    pub started: bool,
    /// Whether book says that one of them could not be started.
    pub unfulfilled: bool,
}

/// What has changed about a booking.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum BookingChange {
    /// It is new, or something about it changed.
    Stands(Booked),
    /// It vanished before its start: it was cancelled.
    Cancelled(Booked),
    /// It vanished while it ran.
    Ended {
        /// Its last state.
        booked: Booked,
        /// When that was noticed.
        at: Timestamp,
    },
}

/// The recorded bookings that are not over.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub(crate) struct BookingHistory {
    known: BTreeMap<Key, Booked>,
    /// When the bookings were read that it knows.
    read: Option<Timestamp>,
}

/// The identity of a booking.
type Key = (ResourceName, Timestamp, Timestamp);

impl BookingHistory {
    /// A booking history restored from what was recorded.
    pub(crate) fn recall(kept: &[Booked]) -> Self {
        Self {
            known: kept
                .iter()
                .map(|booked| (key(booked), booked.clone()))
                .gather(),
            read: None,
        }
    }

    /// Applies the bookings that book reported at `read`, and returns the changes. Bookings that
    /// were applied before change nothing. A booking whose experiment `stub_of` does not know is
    /// left out until it does.
    pub(crate) fn compare<'a>(
        &mut self,
        bookings: &[Booking],
        read: Timestamp,
        stub_of: impl Fn(&ResourceName) -> Option<&'a Stub>,
        now: Timestamp,
    ) -> Vec<BookingChange> {
        if self.read.is_some_and(|before| read <= before) {
            return Vec::new();
        }
        self.read = Some(read);
        let notified = gather(bookings, stub_of, now);
        let known = std::mem::take(&mut self.known);
        let vanished = known
            .iter()
            .filter(|(key, _)| !notified.contains_key(*key))
            .filter_map(|(_, booked)| vanish(booked, now));
        let standing = notified
            .iter()
            .filter(|(key, booked)| known.get(*key) != Some(*booked));
        let changes = vanished
            .chain(standing.map(|(_, booked)| BookingChange::Stands(booked.clone())))
            .collect();
        self.known = notified;
        changes
    }
}

/// The bookings that are not over, with the same ones combined.
fn gather<'a>(
    bookings: &[Booking],
    stub_of: impl Fn(&ResourceName) -> Option<&'a Stub>,
    now: Timestamp,
) -> BTreeMap<Key, Booked> {
    let mut all: BTreeMap<Key, Booked> = BTreeMap::new();
    for booking in bookings
        .iter()
        .filter(|booking| booking.start < booking.end && booking.end > now)
    {
        let Some(stub) = stub_of(&booking.resource) else {
            continue;
        };
        let Booking {
            start,
            end,
            ref resource,
            started,
            unfulfilled,
        } = *booking;
        let unbooked = || Booked {
            resource: resource.clone(),
            stub: stub.clone(),
            start,
            end,
            students: 0,
            started: false,
            unfulfilled: false,
        };
        let booked = all
            .entry((resource.clone(), start, end))
            .or_insert_with(unbooked);
        booked.students = booked.students.saturating_add(1);
        booked.started |= started;
        booked.unfulfilled |= unfulfilled;
    }
    all
}

/// The change when a booking is no longer reported. One that is over has only come to its end.
fn vanish(booked: &Booked, now: Timestamp) -> Option<BookingChange> {
    if booked.end <= now {
        None
    } else if booked.start > now {
        Some(BookingChange::Cancelled(booked.clone()))
    } else {
        Some(BookingChange::Ended {
            booked: booked.clone(),
            at: now,
        })
    }
}

fn key(booked: &Booked) -> Key {
    (booked.resource.clone(), booked.start, booked.end)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::groups::bookings::testing::{at, resource, timetable};

    /// Compares the bookings (resource, start, end, started) that are reported at `now`, and gives
    /// the changes as text.
    fn notified(
        booking_history: &mut BookingHistory,
        now: i64,
        bookings: &[(&str, i64, i64, bool)],
    ) -> Vec<String> {
        let stubs = ["r-a", "r-b"].map(|name| {
            (
                resource(name),
                Stub::try_new(name.trim_start_matches("r-")).expect("a name"),
            )
        });
        let stub_of = |name: &ResourceName| {
            stubs
                .iter()
                .find(|(known, _)| known == name)
                .map(|(_, stub)| stub)
        };
        let changes = booking_history.compare(
            &timetable(&[], bookings).bookings,
            at(now),
            stub_of,
            at(now),
        );
        changes.iter().map(in_words).collect()
    }

    fn in_words(change: &BookingChange) -> String {
        let words = |booked: &Booked| {
            let Booked {
                stub,
                start,
                end,
                students,
                started,
                ..
            } = booked;
            let started = if *started { "!" } else { "" };
            format!(
                "{stub} {}-{} x{students}{started}",
                start.as_second(),
                end.as_second()
            )
        };
        match change {
            BookingChange::Stands(booked) => words(booked),
            BookingChange::Cancelled(booked) => format!("cancelled {}", words(booked)),
            BookingChange::Ended { booked, at } => {
                format!("ended at {} {}", at.as_second(), words(booked))
            }
        }
    }

    #[test]
    fn only_what_changed_is_said() {
        let mut booking_history = BookingHistory::default();
        assert_eq!(
            notified(
                &mut booking_history,
                0,
                &[("r-a", 10, 20, false), ("r-b", 30, 40, false)]
            ),
            ["a 10-20 x1", "b 30-40 x1"]
        );
        assert!(
            notified(
                &mut booking_history,
                1,
                &[("r-a", 10, 20, false), ("r-b", 30, 40, false)]
            )
            .is_empty()
        );
        assert_eq!(
            notified(
                &mut booking_history,
                12,
                &[("r-a", 10, 20, true), ("r-b", 30, 40, false)]
            ),
            ["a 10-20 x1!"]
        );
        assert!(
            notified(&mut booking_history, 20, &[("r-b", 30, 40, false)]).is_empty(),
            "it has come to its end"
        );
        assert_eq!(
            notified(&mut booking_history, 21, &[]),
            ["cancelled b 30-40 x1"]
        );
    }

    #[test]
    fn what_vanishes_while_it_runs_ends_and_may_come_back() {
        let mut booking_history = BookingHistory::default();
        notified(&mut booking_history, 0, &[("r-a", 10, 20, true)]);
        assert_eq!(
            notified(&mut booking_history, 15, &[]),
            ["ended at 15 a 10-20 x1!"]
        );
        assert_eq!(
            notified(&mut booking_history, 16, &[("r-a", 10, 20, true)]),
            ["a 10-20 x1!"]
        );
    }

    #[test]
    fn bookings_that_are_alike_are_counted() {
        let mut booking_history = BookingHistory::default();
        assert_eq!(
            notified(
                &mut booking_history,
                0,
                &[("r-a", 10, 20, false), ("r-a", 10, 20, true)]
            ),
            ["a 10-20 x2!"]
        );
        assert_eq!(
            notified(&mut booking_history, 1, &[("r-a", 10, 20, true)]),
            ["a 10-20 x1!"]
        );
    }

    #[test]
    fn what_was_read_before_and_what_cannot_be_placed_changes_nothing() {
        let mut booking_history = BookingHistory::default();
        assert!(
            notified(
                &mut booking_history,
                5,
                &[
                    ("r-unknown", 10, 20, false),
                    ("r-a", 20, 10, false),
                    ("r-a", 1, 4, false)
                ]
            )
            .is_empty()
        );
        assert!(
            notified(&mut booking_history, 5, &[("r-a", 10, 20, false)]).is_empty(),
            "read at the same time"
        );
        assert_eq!(
            notified(&mut booking_history, 6, &[("r-a", 10, 20, false)]),
            ["a 10-20 x1"]
        );
    }

    #[test]
    fn what_was_kept_is_known_after_a_restart() {
        let mut booking_history = BookingHistory::default();
        notified(
            &mut booking_history,
            0,
            &[("r-a", 10, 20, false), ("r-b", 10, 90, true)],
        );
        let kept: Vec<Booked> = booking_history.known.values().cloned().collect();
        assert!(
            notified(
                &mut BookingHistory::recall(&kept),
                1,
                &[("r-a", 10, 20, false), ("r-b", 10, 90, true)]
            )
            .is_empty()
        );
        assert_eq!(
            notified(&mut BookingHistory::recall(&kept), 30, &[]),
            ["ended at 30 b 10-90 x1!"]
        );
    }
}
