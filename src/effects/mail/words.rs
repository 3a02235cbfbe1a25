//! The words of a mail: status codes, times and states as people say them. Pure, and bounded whatever comes in.

use std::fmt::Write;
use std::time::Duration;

use jiff::{SignedDuration, Timestamp};

pub(super) use engine::model::spell_duration as spell;
use engine::model::{Bookable, Health, spell_time};
use engine::{Counts, Issue, Line};

/// How many of an experiment's issues are named.
const MAX_ISSUES: usize = 4;

/// How much is shown of one name or issue, in characters.
const MAX_NAME_CHARS: usize = 80;

/// The experiment's name, short enough for a line.
pub(super) fn name(line: &Line) -> String {
    clip(line.stub.as_str(), MAX_NAME_CHARS)
}

/// The status code of the old mails, with the spaces around it: healthy or not, and bookable or not. Filters of maintainers look for it.
pub(super) fn code(line: &Line) -> &'static str {
    match (
        line.health == Health::Ok,
        line.bookable == Some(Bookable::Yes),
    ) {
        (true, true) => " ok A   ",
        (true, false) => " ok   U  ",
        (false, true) => " -- A   ",
        (false, false) => " ><   U ",
    }
}

/// What is the matter, in plain words: `down: pend00-st-data is missing`.
pub(super) fn matter(line: &Line) -> String {
    match line.health {
        Health::Ok => well_again(line),
        health @ (Health::Unknown | Health::Degraded | Health::Flapping | Health::Down) => {
            match issues(&line.issues) {
                none if none.is_empty() => state(health).to_owned(),
                issues => format!("{}: {issues}", state(health)),
            }
        }
    }
}

/// A state as an adjective.
pub(super) fn state(health: Health) -> &'static str {
    match health {
        Health::Unknown => "not judged",
        Health::Ok => "well again",
        Health::Degraded => "degraded",
        Health::Flapping => "flapping",
        Health::Down => "down",
    }
}

fn well_again(line: &Line) -> String {
    let was = match line.notified {
        Health::Ok => "not well",
        notified @ (Health::Unknown | Health::Degraded | Health::Flapping | Health::Down) => {
            state(notified)
        }
    };
    line.lasted.map_or_else(
        || "well".to_owned(),
        |lasted| format!("well again, was {was} for {}", spell(lasted)),
    )
}

/// The issues, the first few of them.
pub(super) fn issues(issues: &[Issue]) -> String {
    let named: Vec<String> = issues
        .iter()
        .take(MAX_ISSUES)
        .map(|issue| clip(&issue.to_string(), MAX_NAME_CHARS))
        .collect();
    let more = issues.len().saturating_sub(MAX_ISSUES);
    if more > 0 {
        format!("{} and {more} more", named.join(", "))
    } else {
        named.join(", ")
    }
}

/// Whether it can be booked and, where not, by whose word.
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

/// Who needs it: a session that is under way, and the bookings to come. `None` when nobody has booked it for the next week.
pub(super) fn affected(line: &Line, now: Timestamp) -> Option<String> {
    let affected = &line.affected;
    if line.health == Health::Ok || affected.next_week == 0 {
        return None;
    }
    let count = match (affected.next_day, affected.next_week) {
        (0, week) => format!("{week} booked in 7 days"),
        (day, _) => format!("{day} booked in 24 h"),
    };
    let first = affected
        .first_start
        .filter(|start| *start > now)
        .map(|start| format!(", the first at {}", spell_time(start, now)));
    let session = if affected.in_session {
        "in session now; "
    } else {
        ""
    };
    Some(format!("{session}{count}{}", first.unwrap_or_default()))
}

/// What people were told about it before; `None` when they were told nothing, or when it is well again, which says it already.
pub(super) fn notified(line: &Line) -> Option<String> {
    match (line.notified, line.health) {
        (Health::Ok, _) | (_, Health::Ok) => None,
        (notified, now) if notified == now => Some("told before".to_owned()),
        (notified, _) => Some(format!("told before as {}", state(notified))),
    }
}

/// Since when, and how long that is: `since 00:41 UTC (12 min)`, with the date where it is not today's.
pub(super) fn since(start: Timestamp, now: Timestamp) -> String {
    format!(
        "since {} ({})",
        spell_time(start, now),
        spell(length(now.duration_since(start)))
    )
}

/// From when to when: `from 00:41 to 00:53 UTC`, with the dates where they are not today's.
pub(super) fn span(start: Timestamp, lasted: Duration, now: Timestamp) -> String {
    let end = start.checked_add(lasted).unwrap_or(now);
    let (from, to) = (spell_time(start, now), spell_time(end, now));
    format!(
        "from {} to {to}",
        from.strip_suffix(" UTC").unwrap_or(&from)
    )
}

fn length(duration: SignedDuration) -> Duration {
    Duration::try_from(duration).unwrap_or_default()
}

/// How many experiments are in which state. What there is none of is not mentioned.
pub(super) fn counts(counts: &Counts) -> String {
    let mut text = format!("Of {} experiments {} are ok", counts.total, counts.ok);
    let states = [
        (counts.degraded, "degraded"),
        (counts.flapping, "flapping"),
        (counts.down, "down"),
        (counts.unknown, "not judged"),
    ];
    let others = [
        (counts.withdrawn, "withdrawn by labwatch"),
        (counts.held, "held by a person"),
        (counts.unlisted, "not listed in book"),
    ];
    for (n, as_str) in states.into_iter().filter(|(n, _)| *n > 0) {
        let _ = write!(text, ", {n} {as_str}");
    }
    let others: Vec<String> = others
        .into_iter()
        .filter(|(n, _)| *n > 0)
        .map(|(n, as_str)| format!("{n} {as_str}"))
        .collect();
    if others.is_empty() {
        text + "."
    } else {
        format!("{text}. {}.", others.join(", "))
    }
}

/// The text without control characters, and not longer than this many characters. Nothing from outside may start a line or a header of its own.
pub(super) fn clip(text: &str, max: usize) -> String {
    let clean = |c: char| if c.is_control() { ' ' } else { c };
    let text = text.trim();
    if text.chars().nth(max).is_none() {
        return text.chars().map(clean).collect();
    }
    let cut: String = text
        .chars()
        .take(max.saturating_sub(3))
        .map(clean)
        .collect();
    format!("{}...", cut.trim_end())
}

#[cfg(test)]
mod tests {
    use super::*;
    use engine::Affected;
    use engine::model::{StreamHealth, Stub, Topic};

    fn line(health: Health, notified: Health, bookable: Option<Bookable>) -> Line {
        let stub = Stub::try_new("pend03").expect("a stub");
        let lasted = (health == Health::Ok).then(|| Duration::from_secs(720));
        Line {
            stub,
            health,
            notified,
            bookable,
            listed: true,
            issues: vec![],
            since: Timestamp::UNIX_EPOCH,
            lasted,
            affected: Affected::default(),
            advice: None,
        }
    }

    #[test]
    fn codes_are_those_of_the_old_mails() {
        use Bookable::{Held, Withdrawn, Yes};
        let rows = [
            (Health::Ok, Some(Yes), " ok A   "),
            (Health::Ok, Some(Withdrawn), " ok   U  "),
            (Health::Ok, Some(Held), " ok   U  "),
            (Health::Ok, None, " ok   U  "),
            (Health::Degraded, Some(Yes), " -- A   "),
            (Health::Down, Some(Yes), " -- A   "),
            (Health::Unknown, Some(Yes), " -- A   "),
            (Health::Down, Some(Withdrawn), " ><   U "),
            (Health::Down, None, " ><   U "),
        ];
        for (health, bookable, expected) in rows {
            assert_eq!(
                code(&line(health, Health::Ok, bookable)),
                expected,
                "{health} {bookable:?}"
            );
        }
    }

    #[test]
    fn what_is_the_matter_is_said_plainly() {
        let topic = |n: usize| Topic::try_new(&format!("pend03-st-{n}")).expect("a topic");
        let mut down = line(Health::Down, Health::Ok, None);
        down.issues = (0..6)
            .map(|n| Issue::Required(topic(n), StreamHealth::Missing))
            .collect();
        let expected = "down: pend03-st-0 is missing, pend03-st-1 is missing, pend03-st-2 is missing, pend03-st-3 is missing and 2 more";
        assert_eq!(matter(&down), expected);
        let rows = [
            (
                line(Health::Ok, Health::Down, None),
                "well again, was down for 12 min",
            ),
            (
                line(Health::Ok, Health::Unknown, None),
                "well again, was not judged for 12 min",
            ),
            (
                line(Health::Ok, Health::Ok, None),
                "well again, was not well for 12 min",
            ),
            (
                Line {
                    lasted: None,
                    ..line(Health::Ok, Health::Ok, None)
                },
                "well",
            ),
            (line(Health::Unknown, Health::Down, None), "not judged"),
        ];
        for (line, expected) in rows {
            assert_eq!(matter(&line), expected);
        }
    }

    #[test]
    fn what_was_told_before_is_said_where_it_helps() {
        use Health::{Degraded, Down, Ok};
        for (health, told_before, expected) in [
            (Down, Ok, None),
            (Down, Down, Some("told before")),
            (Down, Degraded, Some("told before as degraded")),
            (Ok, Down, None),
        ] {
            assert_eq!(
                notified(&line(health, told_before, None)).as_deref(),
                expected,
                "{health} {told_before}"
            );
        }
    }

    #[test]
    fn whether_it_can_be_booked_is_said_with_whose_word() {
        let mut unlisted = line(Health::Ok, Health::Ok, None);
        assert_eq!(bookable(&unlisted), "not known whether bookable");
        unlisted.listed = false;
        assert_eq!(bookable(&unlisted), "not listed in book");
        let rows = [
            (Health::Down, Bookable::Yes, "still bookable"),
            (Health::Degraded, Bookable::Yes, "bookable"),
            (Health::Down, Bookable::Withdrawn, "withdrawn by labwatch"),
            (
                Health::Ok,
                Bookable::Withdrawn,
                "still withdrawn by labwatch",
            ),
            (Health::Ok, Bookable::Held, "held by a person"),
        ];
        for (health, as_str, expected) in rows {
            assert_eq!(
                bookable(&line(health, Health::Ok, Some(as_str))),
                expected,
                "{health} {as_str}"
            );
        }
    }

    #[test]
    fn the_date_is_said_where_it_is_not_today() {
        let now: Timestamp = "2026-11-21T01:05:00Z".parse().expect("a time");
        for (start, expected) in [
            ("2026-11-21T00:53:00Z", "since 00:53 UTC (12 min)"),
            (
                "2026-11-20T23:53:00Z",
                "since 20 Nov 23:53 UTC (1 h 12 min)",
            ),
            (
                "2025-11-21T01:05:00Z",
                "since 21 Nov 2025 01:05 UTC (365 d)",
            ),
            ("2026-11-21T01:06:00Z", "since 01:06 UTC (0 s)"),
        ] {
            assert_eq!(since(start.parse().expect("a time"), now), expected);
        }
    }

    #[test]
    fn what_is_over_is_told_with_its_times() {
        let time = |text: &str| text.parse::<Timestamp>().expect("a time");
        let now = time("2026-11-21T01:05:00Z");
        for (start, minutes, expected) in [
            ("2026-11-21T00:41:00Z", 12, "from 00:41 to 00:53 UTC"),
            ("2026-11-20T23:50:00Z", 20, "from 20 Nov 23:50 to 00:10 UTC"),
        ] {
            assert_eq!(
                span(time(start), Duration::from_secs(minutes * 60), now),
                expected
            );
        }
    }

    #[test]
    fn nobody_is_left_out_of_the_counts() {
        let all = Counts {
            total: 10,
            ok: 1,
            degraded: 2,
            flapping: 3,
            down: 4,
            ..Counts::default()
        };
        assert_eq!(
            counts(&all),
            "Of 10 experiments 1 are ok, 2 degraded, 3 flapping, 4 down."
        );
    }

    #[test]
    fn nothing_from_outside_starts_a_line_of_its_own() {
        assert_eq!(clip(" a\r\nBcc: x@y.org ", 80), "a  Bcc: x@y.org");
        assert_eq!(clip("abcdef", 6), "abcdef");
        assert_eq!(clip("abcdefg", 6), "abc...");
        assert_eq!(clip(&"\u{e9}".repeat(100), 10).chars().count(), 10);
    }
}
