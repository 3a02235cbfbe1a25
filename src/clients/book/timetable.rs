//! Reads book's manifest and bookings. Each may fail by itself, which is never the poll's failure.
//! Evaluates nothing, and knows no user.

use std::collections::BTreeMap;

use jiff::Timestamp;
use tracing::{debug, info, warn};

use crate::clients::book::pages::read_pages;
use crate::clients::{self, BookClient};
use engine::model::Gather as _;
use engine::model::{CallError, MAX_NAME_BYTES, ResourceName};
use engine::{Booking, PageUse, Slot, Timetable};

/// The most slots that are kept; further ones are left out, which is logged.
pub const MAX_SLOTS: usize = 50_000;

/// The most bookings that are kept; the latest ones beyond that are left out, which is logged.
pub const MAX_BOOKINGS: usize = 100_000;

/// What was last read. A part that fails to be read again stays.
#[derive(Debug, Default)]
pub(super) struct Reader {
    slots: BTreeMap<String, Slot>,
    pages: Vec<PageUse>,
    bookings: Vec<Booking>,
    slots_read: Option<Timestamp>,
    bookings_read: Option<Timestamp>,
    manifest_story: Story,
    bookings_story: Story,
}

impl Reader {
    /// Reads both. `None` when neither could be read, so that there is nothing new.
    pub(super) async fn read(&mut self, client: &BookClient) -> Option<Timetable> {
        let (manifest, bookings) = tokio::join!(client.manifest(), client.bookings());
        let now = Timestamp::now();
        let has_slots = self.take_manifest(manifest, now);
        let has_bookings = self.take_bookings(bookings, now);
        (has_slots || has_bookings).then(|| self.timetable())
    }

    /// Takes over the slots, if there are any: a manifest without slots is one that book has just
    /// lost.
    fn take_manifest(
        &mut self,
        manifest: Result<clients::Manifest, CallError>,
        now: Timestamp,
    ) -> bool {
        let read = manifest.map(|manifest| {
            let (pages, too_many) = read_pages(&manifest);
            let (slots, left_out) = read_slots(manifest.slots);
            (slots, pages, left_out + too_many + manifest.skipped)
        });
        self.manifest_story.log(
            "manifest",
            read.as_ref()
                .map(|(slots, _, left_out)| (slots.len(), *left_out)),
        );
        let Some((slots, pages, _)) = read.ok().filter(|(slots, ..)| !slots.is_empty()) else {
            return false;
        };
        (self.slots, self.pages) = (slots, pages);
        self.slots_read = Some(now);
        true
    }

    /// Takes over the bookings. Without slots it is not known which resources they are for.
    fn take_bookings(
        &mut self,
        bookings: Result<clients::Bookings, CallError>,
        now: Timestamp,
    ) -> bool {
        let read = bookings.map(|bookings| {
            let (kept, left_out) = read_bookings(bookings.listed, &self.slots, now);
            (kept, left_out + bookings.skipped)
        });
        self.bookings_story.log(
            "bookings",
            read.as_ref()
                .map(|(bookings, left_out)| (bookings.len(), *left_out)),
        );
        let Some((bookings, _)) = read.ok().filter(|_| self.slots_read.is_some()) else {
            return false;
        };
        self.bookings = bookings;
        self.bookings_read = Some(now);
        true
    }

    fn timetable(&self) -> Timetable {
        let mut slots: Vec<Slot> = self.slots.values().cloned().collect();
        slots.sort();
        Timetable {
            slots,
            bookings: self.bookings.clone(),
            pages: self.pages.clone(),
            slots_read: self.slots_read,
            bookings_read: self.bookings_read,
        }
    }
}

/// The usable slots, by name, and how many were left out.
fn read_slots(slots: BTreeMap<String, clients::Slot>) -> (BTreeMap<String, Slot>, usize) {
    let all = slots.len();
    let usable = slots
        .into_iter()
        .filter_map(|(name, slot)| Some((name, read_slot(slot)?)));
    let kept: BTreeMap<String, Slot> = usable.take(MAX_SLOTS).gather();
    let left_out = all - kept.len();
    (kept, left_out)
}

fn read_slot(slot: clients::Slot) -> Option<Slot> {
    let is_bounded = slot.policy.len() <= MAX_NAME_BYTES && slot.ui_set.len() <= MAX_NAME_BYTES;
    let resource = ResourceName::try_new(&slot.resource)
        .ok()
        .filter(|_| is_bounded)?;
    Some(Slot {
        resource,
        policy: slot.policy,
        ui_set: slot.ui_set,
    })
}

/// The valid bookings, sorted by start, and how many were left out because they cannot be used.
fn read_bookings(
    listed: Vec<clients::Booking>,
    slots: &BTreeMap<String, Slot>,
    now: Timestamp,
) -> (Vec<Booking>, usize) {
    let standing: Vec<clients::Booking> = listed
        .into_iter()
        .filter(|booking| !is_over(booking, now))
        .collect();
    let all = standing.len();
    let mut kept: Vec<Booking> = standing
        .into_iter()
        .filter_map(|booking| read_booking(&booking, slots))
        .collect();
    kept.sort();
    kept.truncate(MAX_BOOKINGS);
    let left_out = all - kept.len();
    (kept, left_out)
}

fn is_over(booking: &clients::Booking, now: Timestamp) -> bool {
    booking.cancelled || booking.when.end.is_some_and(|end| end <= now)
}

fn read_booking(booking: &clients::Booking, slots: &BTreeMap<String, Slot>) -> Option<Booking> {
    let (start, end) = (booking.when.start?, booking.when.end?);
    let resource = slots.get(&booking.slot)?.resource.clone();
    (start < end).then_some(Booking {
        start,
        end,
        resource,
        started: booking.started,
        unfulfilled: booking.unfulfilled,
    })
}

/// What was logged last about a part, so that only changes are logged.
#[derive(Debug, Default)]
struct Story(Option<(&'static str, bool)>);

impl Story {
    /// Logs the outcome of reading a part: how many entries it has and how many were left out.
    fn log(&mut self, part: &'static str, read: Result<(usize, usize), &CallError>) {
        let outcome = match &read {
            Ok((_, left_out)) => ("read", *left_out > 0),
            Err(fault) => (fault.as_str(), false),
        };
        if self.0.replace(outcome) == Some(outcome) {
            debug!(
                source = "book",
                part,
                outcome = outcome.0,
                "read, as before"
            );
            return;
        }
        match read {
            Ok((entries, 0)) => info!(source = "book", part, entries, "book's {part} read"),
            Ok((entries, left_out)) => {
                warn!(
                    source = "book",
                    part,
                    entries,
                    left_out,
                    "some of book's {part} cannot be used, or are more than are kept"
                );
            }
            Err(fault) => warn!(
                source = "book",
                part,
                fault = fault.as_str(),
                "book does not give its {part}, so what is known of bookings stays as it was: {fault}"
            ),
        }
    }
}

#[cfg(test)]
mod tests {
    use std::time::Duration;

    use jiff::SignedDuration;
    use serde_json::{Value, json};

    use super::*;
    use crate::clients::book::fake_book::FakeBook;

    /// A manifest as book sends it, with these slots and their resources.
    fn manifest(slots: &[(&str, &str)]) -> Value {
        let slot = |resource: &str| json!({"description": "d", "policy": "p-everyone", "resource": resource, "ui_set": "us-pend", "window": "w-always"});
        let slots: BTreeMap<_, _> = slots
            .iter()
            .map(|(name, resource)| (*name, slot(resource)))
            .collect();
        json!({"descriptions": {}, "policies": {}, "resources": {}, "slots": slots, "streams": {}, "uis": {}, "ui_sets": {}, "windows": {}})
    }

    /// A booking as book sends it, in hours from now.
    fn booking(slot: &str, start: i64, end: i64, more: &Value) -> Value {
        let at = |hours: i64| (Timestamp::now() + SignedDuration::from_hours(hours)).to_string();
        let mut booking = json!({
            "cancelled": false, "cancelled_at": "0001-01-01T00:00:00.000Z", "cancelled_by": "", "name": "cqk3v0h5s4o1",
            "policy": "p-everyone", "slot": slot, "started": false, "started_at": "", "unfulfilled": false,
            "usage_tracker": 0, "user": "s1234567", "when": {"start": at(start), "end": at(end)},
        });
        for (key, value) in more.as_object().into_iter().flatten() {
            booking[key] = value.clone();
        }
        booking
    }

    async fn fake(slots: &[(&str, &str)], bookings: &[Value]) -> FakeBook {
        let book = FakeBook::start().await;
        book.says("manifest", &manifest(slots));
        book.says("bookings", &json!(bookings));
        book
    }

    fn in_words(timetable: &Timetable) -> String {
        let slots = timetable
            .slots
            .iter()
            .map(|slot| format!("{} {} {}", slot.resource, slot.policy, slot.ui_set));
        let bookings = timetable.bookings.iter().map(|booking| {
            format!(
                "{}{}",
                booking.resource,
                if booking.started { "!" } else { "" }
            )
        });
        slots.chain(bookings).collect::<Vec<_>>().join(", ")
    }

    async fn read(reader: &mut Reader, book: &FakeBook) -> Option<String> {
        reader
            .read(&book.client(Duration::from_secs(5)))
            .await
            .as_ref()
            .map(in_words)
    }

    #[tokio::test]
    async fn what_stands_is_kept_in_the_order_of_its_starts() {
        let bookings = [
            booking("sl-b", 5, 6, &json!({})),
            booking("sl-a", -1, 1, &json!({"started": true})),
            booking("sl-a", -3, -2, &json!({})),
            booking("sl-a", 2, 3, &json!({"cancelled": true})),
            booking("sl-a", 4, 3, &json!({})),
            booking("sl-gone", 4, 5, &json!({})),
            booking("sl-a", 4, 5, &json!({"when": {"start": "soon"}})),
            json!("s1234567"),
        ];
        let book = fake(
            &[("sl-a", "r-a"), ("sl-b", "r-b"), ("sl-nothing", "")],
            &bookings,
        )
        .await;
        let words = "r-a p-everyone us-pend, r-b p-everyone us-pend, r-a!, r-b";
        assert_eq!(
            read(&mut Reader::default(), &book).await.as_deref(),
            Some(words)
        );
    }

    #[tokio::test]
    async fn each_part_fails_by_itself_and_stays_as_it_was() {
        let book = fake(&[("sl-a", "r-a")], &[booking("sl-a", 1, 2, &json!({}))]).await;
        let mut reader = Reader::default();
        let both = Some("r-a p-everyone us-pend, r-a".to_owned());
        assert_eq!(read(&mut reader, &book).await, both);
        book.answers("bookings", "status 500");
        assert_eq!(read(&mut reader, &book).await, both);
        assert!(reader.bookings_read < reader.slots_read);
        book.answers("manifest", "answers 200 null");
        assert_eq!(read(&mut reader, &book).await, None);
        book.says("bookings", &json!(null));
        assert_eq!(
            read(&mut reader, &book).await.as_deref(),
            Some("r-a p-everyone us-pend")
        );
        assert!(reader.bookings_read > reader.slots_read);
        book.says("manifest", &manifest(&[]));
        book.answers("bookings", "status 500");
        assert_eq!(read(&mut reader, &book).await, None);
    }

    #[tokio::test]
    async fn bookings_without_slots_are_not_known() {
        let book = fake(&[], &[booking("sl-a", 1, 2, &json!({}))]).await;
        let mut reader = Reader::default();
        assert_eq!(read(&mut reader, &book).await, None);
        assert_eq!(reader.bookings_read, None);
    }

    #[tokio::test]
    async fn no_user_is_known() {
        let bookings: Vec<Value> = (0..50)
            .map(|n| booking("sl-a", n, n + 1, &json!({"cancelled_by": "s7654321"})))
            .collect();
        let book = fake(&[("sl-a", "r-a")], &bookings).await;
        let mut reader = Reader::default();
        let timetable = reader
            .read(&book.client(Duration::from_secs(5)))
            .await
            .expect("a timetable");
        assert_eq!(timetable.bookings.len(), 50);
        let all = format!("{timetable:?} {reader:?}");
        for as_str in ["s1234567", "s7654321", "user", "cqk3v0h5s4o1"] {
            assert!(!all.contains(as_str), "{as_str} in {all}");
        }
    }

    #[test]
    fn what_is_kept_has_a_bound() {
        let slot = clients::Slot {
            resource: "r-a".into(),
            policy: "p".into(),
            ui_set: "u".into(),
        };
        let many = (0..=MAX_SLOTS)
            .map(|n| (n.to_string(), slot.clone()))
            .collect();
        let (slots, left_out) = read_slots(many);
        assert_eq!((slots.len(), left_out), (MAX_SLOTS, 1));
        let at = |second: usize| Timestamp::from_second(i64::try_from(second).expect("small")).ok();
        let booking = |n| clients::Booking {
            slot: "0".into(),
            when: clients::Interval {
                start: at(n),
                end: at(n + 1),
            },
            started: false,
            unfulfilled: false,
            cancelled: false,
        };
        let (bookings, left_out) = read_bookings(
            (0..MAX_BOOKINGS + 2).rev().map(booking).collect(),
            &slots,
            Timestamp::MIN,
        );
        assert_eq!((bookings.len(), left_out), (MAX_BOOKINGS, 2));
        assert_eq!(bookings.first().map(|first| first.start), at(0));
        let long = clients::Slot {
            policy: "p".repeat(MAX_NAME_BYTES + 1),
            ..slot
        };
        assert!(read_slot(long).is_none());
    }

    #[test]
    fn only_changes_are_logged() {
        let mut story = Story::default();
        let sick = CallError::TimedOut;
        let mut notified = Vec::new();
        for read in [
            Ok((1, 0)),
            Ok((9, 0)),
            Ok((9, 2)),
            Ok((8, 3)),
            Err(&sick),
            Err(&sick),
            Ok((1, 0)),
        ] {
            let before = story.0;
            story.log("bookings", read);
            notified.push(before != story.0);
        }
        assert_eq!(notified, [true, false, true, false, true, false, true]);
    }
}
