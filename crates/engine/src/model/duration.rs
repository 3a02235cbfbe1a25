//! Durations in Go's notation, which book, jump, relay and the settings all use: `1h2m3.5s`, and
//! also `d` (24 h) and `w` (7 d).

use std::time::Duration;

/// Why a text is not a duration.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum DurationError {
    /// The text is empty or only a sign.
    #[error("it is empty")]
    Empty,
    /// A number was expected at this byte.
    #[error("a number is missing at position {0}")]
    Number(usize),
    /// A number stands without a unit, at this byte.
    #[error("the unit is missing: write for example 10s, 15m, 1h30m, 1d")]
    NoUnit(usize),
    /// The unit is not one of ns, us, µs, ms, s, m, h, d, w.
    #[error("\"{0}\" is not a unit: use ns, us, ms, s, m, h, d or w")]
    Unit(String),
    /// More than about 292 years.
    #[error("it is longer than 292 years")]
    TooLong,
    /// Below zero, where that makes no sense.
    #[error("it is below zero")]
    Negative,
}

const MICRO: u64 = 1_000;
const MILLI: u64 = 1_000_000;
const SECOND: u64 = 1_000_000_000;
const MINUTE: u64 = 60 * SECOND;
const HOUR: u64 = 60 * MINUTE;
const DAY: u64 = 24 * HOUR;
const WEEK: u64 = 7 * DAY;

/// Reads a duration in Go's notation, with `d` and `w` besides.
///
/// # Errors
/// [`DurationError`], which says what is wrong with the text.
pub fn parse_duration(text: &str) -> Result<Duration, DurationError> {
    let (negative, digits) = match text.as_bytes() {
        [b'-', ..] => (true, &text[1..]),
        [b'+', ..] => (false, &text[1..]),
        _ => (false, text),
    };
    let nanos = parse_unsigned(digits)?;
    if negative && nanos > 0 {
        return Err(DurationError::Negative);
    }
    Ok(Duration::from_nanos(nanos))
}

/// The magnitude in nanoseconds; a bare `0` needs no unit, as in Go.
fn parse_unsigned(text: &str) -> Result<u64, DurationError> {
    match text {
        "" => return Err(DurationError::Empty),
        "0" => return Ok(0),
        _ => {}
    }
    let mut rest = text;
    let mut total: u64 = 0;
    while !rest.is_empty() {
        let at = text.len() - rest.len();
        let (part, after) = parse_part(rest, at)?;
        total = total
            .checked_add(part)
            .filter(|&n| i64::try_from(n).is_ok())
            .ok_or(DurationError::TooLong)?;
        rest = after;
    }
    Ok(total)
}

/// One number with its unit, in nanoseconds, and what follows it.
fn parse_part(text: &str, at: usize) -> Result<(u64, &str), DurationError> {
    let whole_len = digits(text);
    let (whole, rest) = text.split_at(whole_len);
    let (fraction, rest) = match rest.strip_prefix('.') {
        Some(rest) => rest.split_at(digits(rest)),
        None => ("", rest),
    };
    if whole.is_empty() && fraction.is_empty() {
        return Err(DurationError::Number(at));
    }
    let unit_len = rest
        .find(|c: char| c == '.' || c.is_ascii_digit())
        .unwrap_or(rest.len());
    let (unit, rest) = rest.split_at(unit_len);
    let scale = scale(unit).ok_or_else(|| {
        if unit.is_empty() {
            DurationError::NoUnit(at)
        } else {
            DurationError::Unit(unit.to_owned())
        }
    })?;
    let whole: u64 = if whole.is_empty() {
        0
    } else {
        whole.parse().map_err(|_| DurationError::TooLong)?
    };
    let nanos = whole.checked_mul(scale).ok_or(DurationError::TooLong)?;
    Ok((
        nanos
            .checked_add(fraction_of(fraction, scale))
            .ok_or(DurationError::TooLong)?,
        rest,
    ))
}

fn digits(text: &str) -> usize {
    text.bytes().take_while(u8::is_ascii_digit).count()
}

fn scale(unit: &str) -> Option<u64> {
    Some(match unit {
        "ns" => 1,
        "us" | "\u{b5}s" | "\u{3bc}s" => MICRO,
        "ms" => MILLI,
        "s" => SECOND,
        "m" => MINUTE,
        "h" => HOUR,
        "d" => DAY,
        "w" => WEEK,
        _ => return None,
    })
}

/// The digits after the point, in nanoseconds, cut off below one.
fn fraction_of(digits: &str, scale: u64) -> u64 {
    let mut value: u128 = 0;
    let mut power: u128 = 1;
    for digit in digits.bytes().take(18) {
        value = value * 10 + u128::from(digit - b'0');
        power *= 10;
    }
    u64::try_from(value * u128::from(scale) / power).unwrap_or(u64::MAX)
}

/// Writes a duration as Go's `String()` does: `1m30s`, `1.5s`, `100ms`, `0s`. Beyond 292 years it
/// stays there.
pub fn format_duration(duration: Duration) -> String {
    let nanos = u64::try_from(duration.as_nanos())
        .unwrap_or(u64::MAX)
        .min(i64::MAX as u64);
    match nanos {
        0 => "0s".to_owned(),
        n if n < MICRO => format!("{n}ns"),
        n if n < MILLI => with_fraction(n, MICRO, "\u{b5}s"),
        n if n < SECOND => with_fraction(n, MILLI, "ms"),
        n => {
            let seconds = with_fraction(n % MINUTE, SECOND, "s");
            match (n / HOUR, n % HOUR / MINUTE) {
                (0, 0) => seconds,
                (0, minutes) => format!("{minutes}m{seconds}"),
                (hours, minutes) => format!("{hours}h{minutes}m{seconds}"),
            }
        }
    }
}

/// A length of time for readers, to two units: `45 s`, `12 min`, `2 h 5 min`, `3 d 4 h`.
pub fn spell_duration(duration: Duration) -> String {
    let seconds = duration.as_secs();
    let (minutes, hours, days) = (seconds / 60, seconds / 3_600, seconds / 86_400);
    let (large, small) = match (days, hours, minutes) {
        (0, 0, 0) => return format!("{seconds} s"),
        (0, 0, _) => return format!("{minutes} min"),
        (0, _, _) => (format!("{hours} h"), (minutes % 60, "min")),
        _ => (format!("{days} d"), (hours % 24, "h")),
    };
    if small.0 == 0 {
        large
    } else {
        format!("{large} {} {}", small.0, small.1)
    }
}

fn with_fraction(nanos: u64, scale: u64, unit: &str) -> String {
    let width = scale.ilog10() as usize;
    let fraction = format!("{:0width$}", nanos % scale);
    match fraction.trim_end_matches('0') {
        "" => format!("{}{unit}", nanos / scale),
        digits => format!("{}.{digits}{unit}", nanos / scale),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn reads_what_go_writes() {
        let rows: [(&str, u64); 17] = [
            ("0", 0),
            ("0s", 0),
            ("-0s", 0),
            ("1m30s", 90 * SECOND),
            ("2.90373838s", 2_903_738_380),
            ("1.5h", 5_400 * SECOND),
            ("45.552\u{b5}s", 45_552),
            ("300\u{3bc}s", 300_000),
            ("300us", 300_000),
            ("364.292222ms", 364_292_222),
            (".5s", 500 * MILLI),
            ("1.s", SECOND),
            ("999h", 999 * HOUR),
            ("1d", DAY),
            ("2w1d", 15 * DAY),
            ("+10ms", 10 * MILLI),
            ("2562047h47m16.854775807s", i64::MAX as u64),
        ];
        for (text, nanos) in rows {
            assert_eq!(
                parse_duration(text),
                Ok(Duration::from_nanos(nanos)),
                "{text}"
            );
        }
    }

    #[test]
    fn refuses_the_rest_and_says_why() {
        use DurationError as E;
        for (text, error) in [
            ("", E::Empty),
            ("-", E::Empty),
            ("10", E::NoUnit(0)),
            ("1h5", E::NoUnit(2)),
            ("1M", E::Unit("M".into())),
            ("s", E::Number(0)),
            (".s", E::Number(0)),
            ("Never", E::Number(0)),
            ("-1s", E::Negative),
            ("2562047h47m16.854775808s", E::TooLong),
            ("99999999999999999999s", E::TooLong),
        ] {
            assert_eq!(parse_duration(text), Err(error), "{text}");
        }
    }

    #[test]
    fn writes_what_go_writes() {
        for (nanos, text) in [
            (0, "0s"),
            (1, "1ns"),
            (45_552, "45.552\u{b5}s"),
            (100 * MILLI, "100ms"),
            (SECOND, "1s"),
            (1_500 * MILLI, "1.5s"),
            (MINUTE, "1m0s"),
            (HOUR, "1h0m0s"),
            (HOUR + 500 * MILLI, "1h0m0.5s"),
            (DAY, "24h0m0s"),
        ] {
            assert_eq!(format_duration(Duration::from_nanos(nanos)), text);
        }
        assert_eq!(format_duration(Duration::MAX), "2562047h47m16.854775807s");
    }

    #[test]
    fn lengths_have_two_units_at_most() {
        let rows = [
            (0, "0 s"),
            (59, "59 s"),
            (60, "1 min"),
            (3_599, "59 min"),
            (3_600, "1 h"),
            (7_500, "2 h 5 min"),
            (86_400, "1 d"),
            (273_600, "3 d 4 h"),
        ];
        for (seconds, expected) in rows {
            assert_eq!(spell_duration(Duration::from_secs(seconds)), expected);
        }
    }

    proptest::proptest! {
        #[test]
        fn what_is_written_is_read_back(nanos in 0..i64::MAX as u64) {
            let duration = Duration::from_nanos(nanos);
            proptest::prop_assert_eq!(parse_duration(&format_duration(duration)), Ok(duration));
        }

        #[test]
        fn no_text_makes_it_panic(text in "\\PC{0,40}") {
            let _ = parse_duration(&text);
        }
    }
}
