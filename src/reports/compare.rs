//! Compares book, as another monitor kept it, with what labwatch would have set: takes the records
//! of a labwatch in shadow and returns the differences. Pure.

use std::collections::BTreeMap;

use jiff::Timestamp;
use serde::Serialize;

use crate::store::{Gap, Range, ShadowPast, ShadowRow};
use engine::model::{Availability, Bookable, OUR_PREFIX};

/// The comparison over a time.
#[derive(Debug, Clone, PartialEq, Serialize)]
pub struct Compared {
    /// The start.
    pub from: Timestamp,
    /// The end.
    pub until: Timestamp,
    /// How many resources were compared.
    pub resources: usize,
    /// The compared time, summed over all resources.
    pub compared_seconds: f64,
    /// How much of that they differed.
    pub differed_seconds: f64,
    /// How many notifications labwatch would have sent.
    pub notifications: u64,
    /// Times in which nothing was compared.
    pub gaps: Vec<Uncompared>,
    /// The differences, the earliest first.
    pub differences: Vec<Difference>,
}

/// A time in which nothing was compared.
#[derive(Debug, Clone, PartialEq, Serialize)]
pub struct Uncompared {
    /// The start.
    pub from: Timestamp,
    /// The end.
    pub until: Timestamp,
}

/// A time in which the two differed on one resource.
#[derive(Debug, Clone, PartialEq, Serialize)]
pub struct Difference {
    /// The experiment, where it is known.
    pub experiment: Option<String>,
    /// The resource.
    pub resource: String,
    /// The start.
    pub from: Timestamp,
    /// The end; null: it lasts.
    pub until: Option<Timestamp>,
    /// Its duration, in seconds.
    pub seconds: f64,
    /// What book said.
    pub book: Availability,
    /// The state that labwatch would have set.
    pub labwatch: Availability,
    /// The health by labwatch's evaluation, if there was one.
    pub evaluated: Option<String>,
    /// Why they differed, as text.
    pub why: String,
}

/// Compares the records of `range`, which ends at `now` at the latest.
#[must_use]
pub fn compare(past: ShadowPast, range: Range, now: Timestamp) -> Compared {
    let until = range.until.min(now);
    let mut compared = Compared {
        from: range.from,
        until,
        resources: 0,
        compared_seconds: 0.0,
        differed_seconds: 0.0,
        notifications: past.notifications,
        gaps: past
            .gaps
            .iter()
            .filter_map(|gap| uncompared(gap, range.from, until))
            .collect(),
        differences: Vec::new(),
    };
    let mut resources: BTreeMap<String, Vec<(Timestamp, ShadowRow)>> = BTreeMap::new();
    for (at, row) in past.rows {
        let rows = resources.entry(row.resource.clone()).or_default();
        rows.push((at.max(range.from), row));
    }
    compared.resources = resources.len();
    for rows in resources.into_values() {
        compared.add(rows, until);
    }
    compared
        .differences
        .sort_by(|a, b| (a.from, &a.resource).cmp(&(b.from, &b.resource)));
    compared
}

fn uncompared(gap: &Gap, from: Timestamp, until: Timestamp) -> Option<Uncompared> {
    let (from, until) = (gap.since.max(from), gap.until.min(until));
    (from < until).then_some(Uncompared { from, until })
}

impl Compared {
    /// Adds the records of one resource, one after the other.
    fn add(&mut self, rows: Vec<(Timestamp, ShadowRow)>, until: Timestamp) {
        let mut open: Option<(Timestamp, ShadowRow)> = None;
        for (at, row) in rows {
            if let Some((since, held)) = &open {
                let end = self.end_of(*since, at);
                // A change of the texts alone, without a gap before it, continues the difference.
                if end == at && are_alike(held, &row) {
                    continue;
                }
            }
            if let Some(holding) = open.replace((at, row)) {
                self.close(holding, at, false);
            }
        }
        if let Some(holding) = open {
            self.close(holding, until, true);
        }
    }

    /// The end of what began then: `end`, or the time from which nothing was compared any more.
    fn end_of(&self, since: Timestamp, end: Timestamp) -> Timestamp {
        let gaps = self
            .gaps
            .iter()
            .filter(|gap| gap.until > since && gap.from < end);
        gaps.map(|gap| gap.from.max(since)).min().unwrap_or(end)
    }

    /// What has held since then ends.
    fn close(&mut self, (since, row): (Timestamp, ShadowRow), at: Timestamp, is_last: bool) {
        let end = self.end_of(since, at);
        let seconds = end.duration_since(since).as_secs_f64().max(0.0);
        self.compared_seconds += seconds;
        let ShadowRow {
            resource,
            experiment,
            book,
            labwatch,
            evaluated,
        } = row;
        if book.available == labwatch.available {
            return;
        }
        self.differed_seconds += seconds;
        self.differences.push(Difference {
            why: why(&book, &labwatch, evaluated.as_deref()),
            experiment,
            resource,
            from: since,
            until: (!is_last || end < at).then_some(end),
            seconds,
            book,
            labwatch,
            evaluated,
        });
    }
}

/// Whether both are equal except for their texts.
fn are_alike(one: &ShadowRow, other: &ShadowRow) -> bool {
    (one.book.available, one.labwatch.available) == (other.book.available, other.labwatch.available)
        && (one.book.available || one.book.bookable() == other.book.bookable())
}

fn why(book: &Availability, labwatch: &Availability, evaluated: Option<&str>) -> String {
    let evaluated = evaluated.unwrap_or("not evaluated");
    let reason = |said: &Availability| {
        said.reason
            .strip_prefix(OUR_PREFIX)
            .unwrap_or(&said.reason)
            .to_owned()
    };
    if book.available {
        let by = match labwatch.bookable() {
            Bookable::Held => "a person would have held it in labwatch",
            Bookable::Withdrawn | Bookable::Yes => "labwatch would have withdrawn it",
        };
        format!(
            "{by}: {}; the other monitor left it bookable",
            reason(labwatch)
        )
    } else {
        format!(
            "the other monitor withdrew it: {}; labwatch would not, it is {evaluated}",
            reason(book)
        )
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::store::GapCause;

    const LOST: &str = "labwatch: the video is missing";
    const THEIRS: &str = "status server: 2026-11-21 00:05:00";

    fn at(second: i64) -> Timestamp {
        Timestamp::from_second(1_700_000_000 + second).expect("in range")
    }

    fn said(available: bool, reason: &str) -> Availability {
        Availability {
            available,
            reason: reason.to_owned(),
        }
    }

    fn row(
        second: i64,
        resource: &str,
        book: (bool, &str),
        ours: (bool, &str),
    ) -> (Timestamp, ShadowRow) {
        let row = ShadowRow {
            resource: resource.to_owned(),
            experiment: Some("pend00".to_owned()),
            book: said(book.0, book.1),
            labwatch: said(ours.0, ours.1),
            evaluated: Some("ok".to_owned()),
        };
        (at(second), row)
    }

    fn compared(rows: Vec<(Timestamp, ShadowRow)>, gaps: &[(i64, i64)]) -> Compared {
        let gap = |(since, until): &(i64, i64)| Gap {
            since: at(*since),
            until: at(*until),
            why: GapCause::Off,
        };
        let past = ShadowPast {
            rows,
            gaps: gaps.iter().map(gap).collect(),
            notifications: 3,
        };
        let range = Range {
            from: at(0),
            until: at(1_000),
        };
        compare(past, range, at(600))
    }

    /// Resource, from and until of each difference, in seconds.
    fn differences(compared: &Compared) -> Vec<(&str, i64, Option<i64>)> {
        let seconds = |time: Timestamp| time.as_second() - 1_700_000_000;
        let each = |it: &Difference| (seconds(it.from), it.until.map(seconds));
        let all = compared.differences.iter();
        all.map(|it| (&*it.resource, each(it).0, each(it).1))
            .collect()
    }

    #[test]
    fn each_difference_has_its_time_and_its_reason() {
        let compared = compared(
            vec![
                row(-50, "r-a", (true, "new"), (true, "new")),
                row(-40, "r-b", (false, THEIRS), (true, "labwatch: back")),
                row(100, "r-a", (true, "new"), (false, LOST)),
                row(
                    130,
                    "r-a",
                    (true, "new"),
                    (false, "labwatch: both streams are missing"),
                ),
                row(160, "r-a", (false, THEIRS), (false, LOST)),
                row(200, "r-a", (true, "back"), (false, LOST)),
                row(260, "r-a", (false, "exam"), (false, "exam")),
            ],
            &[],
        );
        let expected = [
            ("r-b", 0, None),
            ("r-a", 100, Some(160)),
            ("r-a", 200, Some(260)),
        ];
        assert_eq!(differences(&compared), expected);
        assert_eq!(
            compared.differences[1].why,
            "labwatch would have withdrawn it: the video is missing; the other monitor left it bookable"
        );
        assert_eq!(
            compared.differences[0].why,
            format!("the other monitor withdrew it: {THEIRS}; labwatch would not, it is ok")
        );
        let sums = (
            compared.resources,
            compared.compared_seconds,
            compared.differed_seconds,
        );
        assert_eq!(sums, (2, 1_200.0, 720.0));
        assert_eq!(compared.notifications, 3);
    }

    #[test]
    fn nothing_is_said_of_a_time_in_which_labwatch_was_off() {
        let rows = || {
            vec![
                row(0, "r-a", (true, "new"), (false, LOST)),
                row(300, "r-a", (true, "new"), (false, LOST)),
            ]
        };
        let with_gap = compared(rows(), &[(100, 290)]);
        assert_eq!(
            differences(&with_gap),
            [("r-a", 0, Some(100)), ("r-a", 300, None)]
        );
        assert_eq!(
            (with_gap.compared_seconds, with_gap.differed_seconds),
            (400.0, 400.0)
        );
        let without = compared(rows(), &[]);
        assert_eq!(differences(&without), [("r-a", 0, None)]);
        let off_now = compared(rows(), &[(500, 2_000)]);
        assert_eq!(differences(&off_now), [("r-a", 0, Some(500))]);
    }
}
