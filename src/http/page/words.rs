//! Times, durations and counts in readable form. The server writes times in UTC; the script writes
//! them in the reader's zone.

use std::time::Duration;

use jiff::tz::TimeZone;
use jiff::{SignedDuration, Timestamp};
use maud::{Markup, html};

use engine::model::{spell_duration, spell_time};

/// How much is shown of an external text, in characters.
const MAX_CHARS: usize = 300;

/// A time: `08:04 UTC`, with the date where it is not today's.
pub(super) fn time(moment: Timestamp, now: Timestamp) -> Markup {
    html! { time datetime=(iso(moment)) title=(full(moment)) { (spell_time(moment, now)) } }
}

/// A time to the second with its date, for tables of events that are close together: `21 Nov
/// 08:04:12 UTC`.
pub(super) fn stamp(moment: Timestamp, now: Timestamp) -> Markup {
    let year = |of: Timestamp| of.to_zoned(TimeZone::UTC).year();
    let form = if year(moment) == year(now) {
        "%-d %b %H:%M:%S UTC"
    } else {
        "%-d %b %Y %H:%M:%S UTC"
    };
    html! { time datetime=(iso(moment)) title=(full(moment)) data-exact { (moment.strftime(form)) } }
}

/// A range of time: `21 Nov 08:00 to 08:15 UTC`, or with both dates where it is longer than a day.
pub(super) fn spell_range(from: Timestamp, until: Timestamp) -> String {
    let length = until.duration_since(from);
    let until_form = if length < SignedDuration::from_hours(24) {
        "%H:%M UTC"
    } else {
        "%-d %b %H:%M UTC"
    };
    format!(
        "{} to {}",
        from.strftime("%-d %b %H:%M"),
        until.strftime(until_form)
    )
}

/// A time in full, as a tooltip: `Saturday 21 November 2026, 08:04:12 UTC`.
pub(super) fn full(moment: Timestamp) -> String {
    moment.strftime("%A %-d %B %Y, %H:%M:%S UTC").to_string()
}

/// A time and its age: `08:04 UTC (3 min ago)`.
pub(super) fn ago(moment: Timestamp, now: Timestamp) -> Markup {
    html! { (time(moment, now)) " " span.ago data-ago=(iso(moment)) { "(" (spell_between(moment, now)) " ago)" } }
}

/// Since when and for how long: `since 08:04 UTC (3 min)`.
pub(super) fn since(moment: Timestamp, now: Timestamp) -> Markup {
    html! { "since " (lasting(moment, now)) }
}

/// A time and the duration since: `08:04 UTC (3 min)`.
pub(super) fn lasting(moment: Timestamp, now: Timestamp) -> Markup {
    html! { (time(moment, now)) " " span.ago data-for=(iso(moment)) { "(" (spell_between(moment, now)) ")" } }
}

/// A time and its age, or `never`.
pub(super) fn ago_or_never(moment: Option<Timestamp>, now: Timestamp) -> Markup {
    html! { @if let Some(moment) = moment { (ago(moment, now)) } @else { "never" } }
}

/// A time to the second, as the API writes it.
pub(super) fn iso(moment: Timestamp) -> String {
    moment.strftime("%Y-%m-%dT%H:%M:%SZ").to_string()
}

/// The duration between two times; empty when the first is the later one.
pub(super) fn spell_between(from: Timestamp, until: Timestamp) -> String {
    spell(until.duration_since(from))
}

/// A duration as text; empty for one below zero.
pub(super) fn spell(length: SignedDuration) -> String {
    spell_duration(Duration::try_from(length).unwrap_or_default())
}

/// An external text, without control characters and bounded in length.
pub(super) fn clip(text: &str) -> String {
    let text = text.trim_matches(|c: char| c.is_control() || c.is_whitespace());
    let mut clipped: String = text
        .chars()
        .take(MAX_CHARS)
        .map(|c| if c.is_control() { ' ' } else { c })
        .collect();
    if text.chars().nth(MAX_CHARS).is_some() {
        clipped.push('…');
    }
    clipped
}

/// An external text as a sentence of its own.
pub(super) fn sentence(text: &str) -> String {
    let mut sentence = clip(text);
    if !sentence.is_empty() && !sentence.ends_with(['.', '!', '?', '…']) {
        sentence.push('.');
    }
    sentence
}

/// A text with a capital at its start.
pub(super) fn capital(text: &str) -> String {
    let mut letters = text.chars();
    let first = letters.next().into_iter().flat_map(char::to_uppercase);
    first.chain(letters).collect()
}

/// A text of ours, in which moments are written as the API writes them, with moments as readers expect
/// them.
pub(super) fn timed(text: &str, now: Timestamp) -> Markup {
    let moment = |as_str: &str| {
        let bare = as_str.trim_end_matches(['.', ',', ';', ':', ')']);
        Some((
            bare.parse::<Timestamp>().ok()?,
            as_str.get(bare.len()..)?.to_owned(),
        ))
    };
    html! {
        @for (at, as_str) in text.split(' ').enumerate() {
            @if at > 0 { " " }
            @match moment(as_str) {
                Some((moment, rest)) => { (time(moment, now)) (rest) },
                None => (as_str),
            }
        }
    }
}

/// A number and its noun: `1 booking`, `2 bookings`, `2 entries`.
pub(super) fn count(number: impl TryInto<u64>, noun: &str) -> String {
    let number = number.try_into().unwrap_or(u64::MAX);
    match (number, noun.strip_suffix("ry")) {
        (1, _) => format!("1 {noun}"),
        (_, Some(stem)) => format!("{number} {stem}ries"),
        (_, None) => format!("{number} {noun}s"),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn at(text: &str) -> Timestamp {
        text.parse().expect("a time")
    }

    #[test]
    fn times_are_absolute_with_zone_and_relative_beside() {
        let now = at("2026-11-21T08:04:12Z");
        let markup = since(at("2026-11-21T07:00:00.5Z"), now).into_string();
        assert_eq!(
            markup,
            "since <time datetime=\"2026-11-21T07:00:00Z\" title=\"Saturday 21 November 2026, 07:00:00 UTC\">07:00 UTC</time> \
             <span class=\"ago\" data-for=\"2026-11-21T07:00:00Z\">(1 h 4 min)</span>"
        );
        assert!(
            time(at("2026-11-20T23:59:00Z"), now)
                .into_string()
                .contains(">20 Nov 23:59 UTC<")
        );
        assert!(
            time(at("2025-11-20T23:59:00Z"), now)
                .into_string()
                .contains(">20 Nov 2025 23:59 UTC<")
        );
        assert_eq!(
            stamp(at("2026-11-21T08:04:09Z"), now).into_string(),
            "<time datetime=\"2026-11-21T08:04:09Z\" title=\"Saturday 21 November 2026, 08:04:09 UTC\" data-exact>21 Nov 08:04:09 UTC</time>"
        );
        assert!(
            stamp(at("2025-11-20T23:59:00Z"), now)
                .into_string()
                .contains(">20 Nov 2025 23:59:00 UTC<")
        );
        assert_eq!(ago_or_never(None, now).into_string(), "never");
    }

    #[test]
    fn times_in_a_text_become_readable() {
        let now = at("2026-11-21T08:04:12Z");
        let markup = timed(
            "no mail about <a>, from 2026-11-21T09:00:00Z until 2026-11-22T09:00:00Z.",
            now,
        )
        .into_string();
        assert!(
            markup.starts_with(
                "no mail about &lt;a&gt;, from <time datetime=\"2026-11-21T09:00:00Z\""
            ),
            "{markup}"
        );
        assert!(markup.ends_with(">22 Nov 09:00 UTC</time>."), "{markup}");
    }

    #[test]
    fn texts_from_outside_are_bounded() {
        assert_eq!(clip(" a\nb\u{0} "), "a b");
        assert_eq!(clip(&"x".repeat(1_000)).chars().count(), MAX_CHARS + 1);
    }
}
