//! Bookings and pools that the history keeps for reports.

use super::Engine;
use crate::protocol::{Step, Timetable};

impl Engine {
    /// Applies what book says about bookings and pools.
    pub(super) fn read_timetable(&mut self, timetable: &Timetable) {
        self.groups.read(timetable, &self.switching.resources);
        self.timetable_changed();
    }

    pub(super) fn timetable_changed(&mut self) {
        self.views.timetable_changed(&self.groups);
        self.experiments.fleet.touch_all();
    }

    /// Records the changes of a timetable. While book's manifest is lost, missing bookings count as
    /// lost with it, not as cancelled.
    pub(super) fn keep_books(&mut self, timetable: &Timetable, step: &mut Step) {
        if !self.switching.manifest_known || self.switching.manifest_lost.is_some() {
            return;
        }
        self.groups
            .record(timetable, &self.switching.resources, self.now, step);
    }
}

#[cfg(test)]
mod tests {
    use std::time::Duration;

    use jiff::Timestamp;

    use super::*;
    use crate::groups::booking_history::BookingChange;
    use crate::groups::bookings::testing::{at, resource, timetable};
    use crate::model::{Moment, Stub};
    use crate::protocol::{BookReading, Input, Policy, Record, ResourceReading};

    fn moment(second: i64) -> Moment {
        Moment::new(
            at(second),
            Duration::from_secs(u64::try_from(second).expect("not before the start")),
        )
    }

    fn book(resources: &[&str]) -> Input {
        let reading = |name: &&str| ResourceReading {
            name: resource(name),
            stub: Stub::try_new(name.trim_start_matches("r-")).expect("a name"),
            streams: Vec::new(),
            availability: None,
        };
        Input::Book(BookReading {
            resources: resources.iter().map(reading).collect(),
        })
    }

    /// What a step records of bookings and pools, as text.
    fn kept(engine: &mut Engine, input: Input, second: i64) -> Vec<String> {
        let words = |record| {
            if let Record::Bookings(changes) = record {
                Some(changes.iter().map(in_words).collect::<Vec<_>>().join(", "))
            } else if let Record::Pools(pools) = record {
                Some(format!(
                    "pools {}",
                    pools.into_keys().collect::<Vec<_>>().join(", ")
                ))
            } else {
                None
            }
        };
        engine
            .step(input, moment(second))
            .records
            .into_iter()
            .filter_map(words)
            .collect()
    }

    fn in_words(change: &BookingChange) -> String {
        match change {
            BookingChange::Stands(booked) => format!("{} stands", booked.stub),
            BookingChange::Cancelled(booked) => format!("{} cancelled", booked.stub),
            BookingChange::Ended { booked, .. } => format!("{} ended", booked.stub),
        }
    }

    fn booked(read: i64, bookings: &[(&str, i64, i64, bool)]) -> Input {
        let table = timetable(&[("r-a", "p", "u"), ("r-b", "p", "u")], bookings);
        Input::Timetable(Timetable {
            bookings_read: Timestamp::from_second(read).ok(),
            ..table
        })
    }

    #[test]
    fn bookings_are_recorded_as_they_change() {
        let mut engine = Engine::new(Policy::default(), moment(0));
        let both = [("r-a", 10, 20, false), ("r-b", 50, 60, false)];
        assert_eq!(
            kept(&mut engine, booked(1, &both), 1),
            [""; 0],
            "no manifest is known yet"
        );
        engine.step(book(&["r-a", "r-b"]), moment(2));
        let first = kept(&mut engine, booked(2, &both), 2);
        assert!(
            matches!(first.as_slice(), [bookings, pools] if bookings == "a stands, b stands" && pools.starts_with("pools ")),
            "{first:?}"
        );
        assert_eq!(
            kept(&mut engine, booked(3, &both), 3),
            [""; 0],
            "nothing changed"
        );
        assert_eq!(
            kept(&mut engine, booked(15, &[]), 15),
            ["a ended, b cancelled"]
        );
    }

    #[test]
    fn what_book_has_lost_is_not_cancelled() {
        let mut engine = Engine::new(Policy::default(), moment(0));
        engine.step(book(&["r-a", "r-b"]), moment(1));
        kept(&mut engine, booked(2, &[("r-b", 50, 60, false)]), 2);
        engine.step(book(&[]), moment(3));
        assert_eq!(kept(&mut engine, booked(3, &[]), 3), [""; 0]);
        engine.step(book(&["r-a", "r-b"]), moment(4));
        assert_eq!(
            kept(&mut engine, booked(5, &[("r-b", 50, 60, false)]), 5),
            [""; 0],
            "it stood all the while"
        );
    }
}
