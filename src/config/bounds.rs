//! Durations and sizes with their bounds: as they are declared, read and shown.

use std::borrow::Cow;
use std::ops::RangeInclusive;
use std::time::Duration;

use engine::model::parse_duration;

pub(super) const KIB: u64 = 1 << 10;
pub(super) const GIB: u64 = 1 << 30;

const SIZES: [(&str, u64); 3] = [("GiB", GIB), ("MiB", 1 << 20), ("KiB", KIB)];

pub(super) const fn millis(n: u64) -> Duration {
    Duration::from_millis(n)
}

pub(super) const fn seconds(n: u64) -> Duration {
    Duration::from_secs(n)
}

pub(super) const fn minutes(n: u64) -> Duration {
    seconds(n * 60)
}

pub(super) const fn hours(n: u64) -> Duration {
    minutes(n * 60)
}

pub(super) const fn days(n: u64) -> Duration {
    hours(n * 24)
}

pub(super) fn duration_within(
    text: &str,
    range: &RangeInclusive<Duration>,
) -> Result<Duration, String> {
    let duration = parse_duration(&without_blanks(text))
        .or_else(|error| spelled_out(text).ok_or(error))
        .map_err(|error| format!("is not a duration: {error}"))?;
    if duration < *range.start() {
        Err("is too short".to_owned())
    } else if duration > *range.end() {
        Err("is too long".to_owned())
    } else {
        Ok(duration)
    }
}

/// The text without its blanks, except one between two digits: `1 h 30 m`.
fn without_blanks(text: &str) -> Cow<'_, str> {
    let parts: Vec<&str> = text.split_whitespace().collect();
    let is_digit = |c: char| c.is_ascii_digit();
    let splits_a_number = parts.windows(2).any(|pair| {
        matches!(pair, [before, after] if before.ends_with(is_digit) && after.starts_with(is_digit))
    });
    if splits_a_number {
        text.into()
    } else {
        parts.concat().into()
    }
}

/// A number and the name of a unit: `2 hours`, `1 day`.
fn spelled_out(text: &str) -> Option<Duration> {
    let text = text.trim();
    let at = text.find(|c: char| !c.is_ascii_digit())?;
    let (number, unit) = text.split_at(at);
    let unit = unit.trim().to_ascii_lowercase();
    let length = match unit.strip_suffix('s').unwrap_or(&unit) {
        "second" | "sec" => 1,
        "minute" | "min" => 60,
        "hour" => 3_600,
        "day" => 86_400,
        "week" => 604_800,
        _ => return None,
    };
    number.parse::<u64>().ok()?.checked_mul(length).map(seconds)
}

/// A duration of whole units in its largest one, as the documentation of the settings writes it.
pub(super) fn short(duration: Duration) -> String {
    const UNITS: [(u128, &str); 5] = [
        (86_400_000, "d"),
        (3_600_000, "h"),
        (60_000, "m"),
        (1_000, "s"),
        (1, "ms"),
    ];
    let millis = duration.as_millis();
    let unit = UNITS
        .into_iter()
        .find(|(length, _)| millis > 0 && millis.is_multiple_of(*length));
    unit.map_or_else(
        || "0s".to_owned(),
        |(length, name)| format!("{}{name}", millis / length),
    )
}

pub(super) fn size_within(text: &str, range: &RangeInclusive<u64>) -> Result<u64, String> {
    match parse_size(text) {
        Some(size) if range.contains(&size) => Ok(size),
        Some(_) => Err("is out of bounds".to_owned()),
        None => Err("is not a size: write bytes, or a number with KiB, MiB or GiB".to_owned()),
    }
}

fn parse_size(text: &str) -> Option<u64> {
    let (digits, scale) = SIZES
        .into_iter()
        .find_map(|(unit, scale)| text.strip_suffix(unit).map(|digits| (digits, scale)))
        .unwrap_or((text.strip_suffix('B').unwrap_or(text), 1));
    digits.trim_end().parse::<u64>().ok()?.checked_mul(scale)
}

pub(super) fn size_text(size: u64) -> String {
    let unit = SIZES
        .into_iter()
        .find(|(_, scale)| size.is_multiple_of(*scale));
    unit.map_or_else(
        || size.to_string(),
        |(name, scale)| format!("{}{name}", size / scale),
    )
}

/// `a, b or c`.
pub(super) fn either(words: &[&str]) -> String {
    match words {
        [] => String::new(),
        [one] => (*one).to_owned(),
        [firsts @ .., last] => format!("{} or {last}", firsts.join(", ")),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn sizes() {
        for (text, size) in [
            ("0", Some(0)),
            ("1024", Some(1024)),
            ("10B", Some(10)),
            ("64KiB", Some(65_536)),
            ("50 MiB", Some(50 << 20)),
            ("2GiB", Some(2 << 30)),
            ("50MB", None),
            ("", None),
            ("-1", None),
            ("99999999999GiB", None),
        ] {
            assert_eq!(parse_size(text), size, "{text}");
        }
        assert_eq!(size_text(64 << 10), "64KiB");
        assert_eq!(size_text(1 << 40), "1024GiB");
    }

    #[test]
    fn bounds_are_written_in_large_units() {
        for (millis, text) in [
            (0, "0s"),
            (100, "100ms"),
            (1_000, "1s"),
            (90_000, "90s"),
            (300_000, "5m"),
            (86_400_000 * 30, "30d"),
        ] {
            assert_eq!(short(Duration::from_millis(millis)), text);
        }
    }

    #[test]
    fn durations_are_read_in_common_notations() {
        for (text, expected) in [
            ("2h", hours(2)),
            ("2 hours", hours(2)),
            ("2 h", hours(2)),
            ("1h 30m", minutes(90)),
            ("1 day", days(1)),
            ("90 Seconds", seconds(90)),
            ("5min", minutes(5)),
        ] {
            let read = duration_within(text, &(Duration::ZERO..=days(7)));
            assert_eq!(read, Ok(expected), "{text}");
        }
        for bad in [
            "2",
            "1 5m",
            "two hours",
            "2 fortnights",
            "2 hours 5",
            "",
            "hours",
        ] {
            let read = duration_within(bad, &(Duration::ZERO..=days(7)));
            assert!(read.is_err(), "{bad}");
        }
    }
}
