//! Texts that notifications share: durations, times, states, numbers. Pure.

use std::time::Duration;

use jiff::tz::TimeZone;
use jiff::{SignedDuration, Timestamp};

use engine::model::{Bookable, Health, spell_duration, spell_time_in};
use engine::{Counts, Line, Steadiness};

/// Shorter durations are shown in seconds.
const SECONDS_UP_TO: u64 = 120;

/// A duration is shown from this length on.
const WORTH_SAYING: Duration = Duration::from_secs(60);

/// A state as an adjective.
pub(in crate::effects) fn state(health: Health) -> &'static str {
    match health {
        Health::Unknown => "not evaluated",
        Health::Ok => "ok",
        Health::Degraded => "degraded",
        Health::Flapping => "flapping",
        Health::Down => "down",
    }
}

/// Whether it can be booked and, if not, who withdrew or holds it.
pub(super) fn bookable(line: &Line) -> &'static str {
    match (line.bookable, line.health) {
        (Some(Bookable::Yes), Health::Down | Health::Flapping) => "still bookable",
        (Some(Bookable::Yes), _) => "bookable",
        (Some(Bookable::Withdrawn), Health::Ok) => "still withdrawn by labwatch",
        (Some(Bookable::Withdrawn), _) => "withdrawn by labwatch",
        (Some(Bookable::Held), _) => "held by a person",
        (None, _) if line.listed => "not known whether bookable",
        (None, _) => "not listed in book",
    }
}

/// A duration, rounded down by at most a few percent: `95 s`, `3 min`, `2 h 5 min`.
pub(super) fn spell(length: Duration) -> String {
    let seconds = length.as_secs();
    if seconds < SECONDS_UP_TO {
        return format!("{seconds} s");
    }
    spell_duration(Duration::from_secs((seconds + 30) / 60 * 60))
}

/// What an unsteady experiment repeatedly is.
pub(super) fn swing(line: &Line) -> &'static str {
    let known = line.health.max(line.notified);
    let worst = line.worst.map_or(known, |worst| worst.max(known));
    if worst.is_unusable() {
        "down"
    } else {
        "degraded"
    }
}

/// How often an experiment was unusable, and what follows.
pub(in crate::effects) fn steadiness(line: &Line) -> Option<String> {
    let bad = swing(line);
    let hold = spell(Steadiness::HOLDS_AFTER);
    Some(match line.steadiness? {
        Steadiness::Unsteady(times) => format!(
            "{bad} {times} times within 24 h; the next message about it comes when it has held for {hold}"
        ),
        Steadiness::Steady(times) => {
            format!("{bad} {times} times within 24 h, and has held for {hold} now")
        }
    })
}

/// A number with its noun.
pub(super) fn count(number: usize, noun: &str) -> String {
    let ending = if number == 1 { "" } else { "s" };
    format!("{number} {noun}{ending}")
}

/// Names as a list: `a`, `a and b`, `a, b and c`.
pub(super) fn list(names: &[String]) -> String {
    match names {
        [] => String::new(),
        [one] => one.clone(),
        [all @ .., last] => format!("{} and {last}", all.join(", ")),
    }
}

/// The text with a capital at its start and one full stop at its end.
pub(super) fn sentence(text: &str) -> String {
    let text = text.trim_end_matches('.');
    let mut chars = text.chars();
    chars.next().map_or_else(String::new, |first| {
        format!("{}{}.", first.to_uppercase(), chars.as_str())
    })
}

/// The current time in the readers' time zone.
#[derive(Clone, Copy)]
pub(super) struct Clock<'a> {
    pub(super) now: Timestamp,
    pub(super) zone: &'a TimeZone,
}

impl Clock<'_> {
    /// A time, with the date where it is not today's: `00:41 GMT`, `20 Nov 00:41 GMT`.
    pub(super) fn at(self, time: Timestamp) -> String {
        spell_time_in(time, self.now, self.zone)
    }

    /// A time with its seconds and its date.
    pub(super) fn exact(self, time: Timestamp) -> String {
        let time = time.to_zoned(self.zone.clone());
        time.strftime("%Y-%m-%d %H:%M:%S %Z").to_string()
    }

    /// Since when, and how long that is: `since 00:41 GMT (12 min)`. Of several times, from the
    /// first to the last.
    pub(super) fn since(self, first: Timestamp, last: Timestamp) -> String {
        if self.at(first) != self.at(last) {
            return format!("since {}", self.span(first, last));
        }
        match length(self.now.duration_since(first)) {
            short if short < WORTH_SAYING => format!("since {}", self.at(first)),
            long => format!("since {} ({})", self.at(first), spell(long)),
        }
    }

    /// From when to when: `00:41 to 00:53 GMT`; a single time where both are in the same minute.
    pub(super) fn span(self, start: Timestamp, end: Timestamp) -> String {
        let (from, to) = (self.at(start), self.at(end));
        if from == to {
            return from;
        }
        // The zone is shown once, unless it changes between the two.
        let zone = |text: &str| text.rsplit_once(' ').map(|(_, zone)| zone.to_owned());
        let from = match (zone(&from), zone(&to)) {
            (Some(a), Some(b)) if a == b => from
                .strip_suffix(&a)
                .map_or(from.as_str(), str::trim_end)
                .to_owned(),
            _ => from,
        };
        format!("{from} to {to}")
    }

    /// A period as part of a sentence: `from 00:41 to 00:53 GMT`, `at 00:41 GMT`.
    pub(super) fn during(self, start: Timestamp, end: Timestamp) -> String {
        let span = self.span(start, end);
        if span == self.at(start) {
            format!("at {span}")
        } else {
            format!("from {span}")
        }
    }

    /// How far ahead a time is: `in 55 min`.
    pub(super) fn ahead(self, time: Timestamp) -> String {
        format!("in {}", spell(length(time.duration_since(self.now))))
    }
}

pub(super) fn length(duration: SignedDuration) -> Duration {
    Duration::try_from(duration).unwrap_or_default()
}

/// How many experiments are in which state, without zeros; `None` where there are no experiments.
pub(super) fn counts(counts: &Counts) -> Option<String> {
    let states = [
        (counts.degraded, "degraded"),
        (counts.flapping, "flapping"),
        (counts.down, "down"),
        (counts.unknown, "not evaluated"),
    ];
    let others = [
        (counts.withdrawn, "withdrawn by labwatch"),
        (counts.held, "held by a person"),
        (counts.unlisted, "not listed in book"),
        (counts.acknowledged, "acknowledged"),
        (counts.silenced, "silenced or in maintenance"),
    ];
    let said = |all: &[(usize, &str)]| -> Vec<String> {
        let some = all.iter().filter(|(number, _)| *number > 0);
        some.map(|(number, state)| format!("{} {state}", is_or_are(*number)))
            .collect()
    };
    let others = match said(&others) {
        none if none.is_empty() => String::new(),
        others => format!(" {}.", list(&others)),
    };
    let total = counts.total;
    let all = match (counts.ok, total) {
        (_, 0) => return None,
        (1, 1) => "The only experiment is ok.".to_owned(),
        (ok, _) if ok == total => format!("All {total} experiments are ok."),
        (ok, _) => {
            let ok = if ok == 0 {
                "none is".to_owned()
            } else {
                is_or_are(ok)
            };
            let parts: Vec<String> = [format!("{ok} ok")]
                .into_iter()
                .chain(said(&states))
                .collect();
            format!("Of {} {}.", count(total, "experiment"), list(&parts))
        }
    };
    Some(format!("{all}{others}"))
}

fn is_or_are(number: usize) -> String {
    format!("{number} {}", if number == 1 { "is" } else { "are" })
}

/// The text without control characters, and not longer than this many characters. Nothing from
/// outside may start a line or a header of its own.
#[must_use]
pub fn clip(text: &str, max: usize) -> String {
    const CUT: &str = "...";
    let clean = |c: char| if c.is_control() { ' ' } else { c };
    let text: String = text.chars().map(clean).collect();
    let text = text.trim();
    if text.chars().count() <= max {
        return text.to_owned();
    }
    let kept: String = text.chars().take(max.saturating_sub(CUT.len())).collect();
    format!("{}{CUT}", kept.trim_end())
}

#[cfg(test)]
mod tests {
    use super::*;

    fn time(text: &str) -> Timestamp {
        text.parse().expect("a time")
    }

    fn clock(zone: &TimeZone) -> Clock<'_> {
        Clock {
            now: time("2026-11-21T01:05:00Z"),
            zone,
        }
    }

    #[test]
    fn lengths_are_not_shortened_much() {
        for (seconds, said) in [
            (0, "0 s"),
            (95, "95 s"),
            (119, "119 s"),
            (149, "2 min"),
            (151, "3 min"),
            (3_599, "1 h"),
            (7_500, "2 h 5 min"),
        ] {
            assert_eq!(spell(Duration::from_secs(seconds)), said, "{seconds}");
        }
    }

    #[test]
    fn times_say_their_date_where_it_is_not_today_and_no_length_that_says_nothing() {
        let utc = TimeZone::UTC;
        for (start, said) in [
            ("2026-11-21T01:04:50Z", "since 01:04 UTC"),
            ("2026-11-21T00:53:00Z", "since 00:53 UTC (12 min)"),
            (
                "2026-11-20T23:53:00Z",
                "since 20 Nov 23:53 UTC (1 h 12 min)",
            ),
            (
                "2025-11-21T01:05:00Z",
                "since 21 Nov 2025 01:05 UTC (365 d)",
            ),
            ("2026-11-21T01:06:00Z", "since 01:06 UTC"),
        ] {
            assert_eq!(clock(&utc).since(time(start), time(start)), said);
        }
        let (first, last) = (time("2026-11-21T01:02:10Z"), time("2026-11-21T01:04:10Z"));
        assert_eq!(clock(&utc).since(first, last), "since 01:02 to 01:04 UTC");
    }

    #[test]
    fn a_span_names_the_zone_once_unless_it_changes() {
        let zone = TimeZone::posix("GMT0BST,M3.5.0/1,M10.5.0").expect("a zone");
        let clock = Clock {
            now: time("2027-03-28T08:00:00Z"),
            zone: &zone,
        };
        for (from, to, said) in [
            (
                "2027-03-28T00:30:00Z",
                "2027-03-28T00:45:00Z",
                "00:30 to 00:45 GMT",
            ),
            (
                "2027-03-28T00:30:00Z",
                "2027-03-28T01:30:00Z",
                "00:30 GMT to 02:30 BST",
            ),
            (
                "2027-03-27T23:50:00Z",
                "2027-03-28T00:10:00Z",
                "27 Mar 23:50 to 00:10 GMT",
            ),
            ("2027-03-28T00:30:00Z", "2027-03-28T00:30:20Z", "00:30 GMT"),
        ] {
            assert_eq!(clock.span(time(from), time(to)), said);
        }
    }

    #[test]
    fn counts_leave_none_out_and_know_one_from_many() {
        let all = Counts {
            total: 10,
            ok: 1,
            degraded: 2,
            flapping: 3,
            down: 4,
            withdrawn: 1,
            ..Counts::default()
        };
        assert_eq!(
            counts(&all).as_deref(),
            Some(
                "Of 10 experiments 1 is ok, 2 are degraded, 3 are flapping and 4 are down. 1 is withdrawn by labwatch."
            )
        );
        let one = Counts {
            total: 1,
            ok: 1,
            ..Counts::default()
        };
        assert_eq!(counts(&one).as_deref(), Some("The only experiment is ok."));
        let none = Counts {
            total: 3,
            down: 3,
            ..Counts::default()
        };
        assert_eq!(
            counts(&none).as_deref(),
            Some("Of 3 experiments none is ok and 3 are down.")
        );
        assert_eq!(counts(&Counts::default()), None);
    }

    #[test]
    fn nothing_from_outside_starts_a_line_of_its_own() {
        assert_eq!(clip(" a\r\nBcc: x@y.org ", 80), "a  Bcc: x@y.org");
        assert_eq!(clip("abcdef", 6), "abcdef");
        assert_eq!(clip("abcdefg", 6), "abc...");
        assert_eq!(clip(&"\u{e9}".repeat(100), 10).chars().count(), 10);
    }

    #[test]
    fn a_sentence_has_a_capital_and_one_full_stop() {
        assert_eq!(sentence("relay reports again.."), "Relay reports again.");
        assert_eq!(sentence(""), "");
    }
}
