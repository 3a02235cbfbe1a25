//! `[[maintenance]]`: planned maintenance windows. Opens and closes nothing.

use std::time::Duration;

use jiff::Timestamp;
use jiff::civil::{DateTime, Time, Weekday};

use super::notifications::clock;
use super::reader::Reader;
use super::zone::{self, Zone};
use engine::{Day, Maintenance, NamePattern, Schedule, Weekly};

/// The longest single maintenance window.
const MAX_ONCE: Duration = Duration::from_secs(366 * 86_400);

/// The days by their short and their whole names, as the configuration and as the engine has them.
const WEEK: [(&str, &str, Weekday, Day); 7] = [
    ("mon", "monday", Weekday::Monday, Day::Mon),
    ("tue", "tuesday", Weekday::Tuesday, Day::Tue),
    ("wed", "wednesday", Weekday::Wednesday, Day::Wed),
    ("thu", "thursday", Weekday::Thursday, Day::Thu),
    ("fri", "friday", Weekday::Friday, Day::Fri),
    ("sat", "saturday", Weekday::Saturday, Day::Sat),
    ("sun", "sunday", Weekday::Sunday, Day::Sun),
];

#[derive(Debug, Clone, PartialEq, Eq)]
pub struct MaintenanceSettings {
    /// Its unique name.
    pub name: String,
    /// Patterns of the experiments; at least one.
    pub patterns: Vec<String>,
    /// The reason; at most [`MAX_TEXT_BYTES`](super::MAX_TEXT_BYTES) bytes.
    pub reason: String,
    pub when: Planned,
}

#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Planned {
    /// A single window, which may be over already.
    Once {
        from: Timestamp,
        /// Up to this instant, later than `from` by 366 days at most.
        until: Timestamp,
    },
    Weekly {
        /// On which days it begins: at least one, each once, from Monday on.
        days: Vec<Weekday>,
        /// When it begins, in the time zone `zone`.
        at: Time,
        /// How long it lasts: from 1 minute to 7 days.
        lasts: Duration,
        zone: Zone,
    },
}

impl MaintenanceSettings {
    /// The same for the engine: one window for each pattern.
    pub fn windows(&self) -> Vec<Maintenance> {
        let Some(schedule) = self.when.schedule() else {
            return Vec::new();
        };
        let patterns = self
            .patterns
            .iter()
            .filter_map(|pattern| NamePattern::try_new(pattern).ok());
        let window = |pattern| Maintenance {
            pattern,
            who: "the configuration".to_owned(),
            reason: self.reason.clone(),
            since: self.when.begins(),
            schedule: schedule.clone(),
        };
        patterns.map(window).collect()
    }
}

impl Planned {
    fn begins(&self) -> Timestamp {
        match self {
            Self::Once { from, .. } => *from,
            Self::Weekly { .. } => Timestamp::UNIX_EPOCH,
        }
    }

    fn schedule(&self) -> Option<Schedule> {
        match self {
            Self::Once { from, until } => Some(Schedule::Once {
                from: *from,
                until: *until,
            }),
            Self::Weekly {
                days,
                at,
                lasts,
                zone,
            } => Weekly::try_new(
                WEEK.iter()
                    .filter(|(.., day, _)| days.contains(day))
                    .map(|(.., day)| *day)
                    .collect(),
                *at,
                *lasts,
                &zone.name,
            )
            .ok()
            .map(Schedule::Weekly),
        }
    }
}

/// All `[[maintenance]]`. `zone` is the default time zone.
pub(super) fn maintenance(reader: &mut Reader<'_>, zone: &Zone) -> Vec<MaintenanceSettings> {
    reader.named_rows("maintenance", &[], |reader, name| {
        let patterns = reader.required_patterns("match");
        let reason = reader.sentences("reason");
        if reason.is_none() && reader.find("reason").is_none() {
            reader.missing("reason", "");
        }
        let zone = zone::configured(reader, "zone").unwrap_or_else(|| zone.clone());
        let when = planned(reader, zone)?;
        Some(MaintenanceSettings {
            name,
            patterns,
            reason: reason?,
            when,
        })
    })
}

fn planned(reader: &mut Reader<'_>, zone: Zone) -> Option<Planned> {
    let set = |keys: &[&'static str]| keys.iter().find(|key| reader.is_set(key)).copied();
    match (set(&["from", "until"]), set(&["days", "at", "for"])) {
        (Some(_), None) => once(reader, &zone),
        (None, Some(_)) => weekly(reader, zone),
        (None, None) => {
            let why = "say when: write days, at and for, or from and until: ";
            reader.missing("from", why);
            None
        }
        (Some(once), Some(weekly)) => {
            reader.wrong(
                weekly,
                &format!("is set and so is {once}"),
                "write either from and until, or days, at and for",
            );
            None
        }
    }
}

fn once(reader: &mut Reader<'_>, zone: &Zone) -> Option<Planned> {
    let mut read = |key| {
        required(reader, key, |reader, key| {
            reader.parsed(key, |text| instant(text, zone))
        })
    };
    let (from, until) = (read("from"), read("until"));
    let (from, until) = (from?, until?);
    if until <= from {
        reader.wrong("until", "is not after from", "nothing happens in between");
    } else if Duration::try_from(until.duration_since(from)).is_ok_and(|length| length > MAX_ONCE) {
        reader.wrong(
            "until",
            "is more than 366 days after from",
            "a longer suppression is easily forgotten",
        );
    }
    Some(Planned::Once { from, until })
}

fn weekly(reader: &mut Reader<'_>, zone: Zone) -> Option<Planned> {
    let days = required(reader, "days", |reader, key| Some(reader.list(key, day)));
    let at = required(reader, "at", |reader, key| reader.parsed(key, clock));
    let lasts = required(reader, "for", |reader, key| Some(reader.duration(key)));
    let named = days?;
    let days = WEEK
        .iter()
        .map(|(.., day, _)| *day)
        .filter(|day| named.contains(day))
        .collect();
    Some(Planned::Weekly {
        days,
        at: at?,
        lasts: lasts?,
        zone,
    })
}

fn required<T>(
    reader: &mut Reader<'_>,
    key: &str,
    read: impl FnOnce(&mut Reader<'_>, &str) -> Option<T>,
) -> Option<T> {
    if reader.find(key).is_some() {
        return read(reader, key);
    }
    reader.missing(key, "");
    None
}

fn instant(text: &str, zone: &Zone) -> Result<Timestamp, String> {
    if let Ok(at) = text.parse::<Timestamp>() {
        return Ok(at);
    }
    let local: DateTime = text
        .parse()
        .map_err(|_| "is not a date and time".to_owned())?;
    local
        .to_zoned(zone.rules.clone())
        .map(|zoned| zoned.timestamp())
        .map_err(|error| format!("is not possible: {error}"))
}

fn day(text: &str) -> Result<Weekday, String> {
    let lower = text.to_ascii_lowercase();
    WEEK.iter()
        .find(|(short, whole, ..)| [*short, *whole].contains(&lower.as_str()))
        .map(|(.., day, _)| *day)
        .ok_or_else(|| "is not a day of the week".to_owned())
}

#[cfg(test)]
mod tests {
    use super::*;
    use jiff::tz::{TimeZone, offset};

    #[test]
    fn a_day_has_a_short_and_a_whole_name() {
        for (text, expected) in [
            ("mon", Weekday::Monday),
            ("Monday", Weekday::Monday),
            ("TUESDAY", Weekday::Tuesday),
            ("wednesday", Weekday::Wednesday),
            ("Thursday", Weekday::Thursday),
            ("friday", Weekday::Friday),
            ("Saturday", Weekday::Saturday),
            ("Sun", Weekday::Sunday),
        ] {
            assert_eq!(day(text), Ok(expected), "{text}");
        }
        for bad in ["mo", "day", "mondays", ""] {
            assert!(day(bad).is_err(), "{bad}");
        }
    }

    #[test]
    fn an_instant_has_an_offset_or_takes_the_zone_s() {
        let zone = Zone {
            name: "Test".into(),
            rules: TimeZone::fixed(offset(2)),
        };
        for (text, at) in [
            ("2026-09-01T08:00:00Z", "2026-09-01T08:00:00Z"),
            ("2026-09-01T08:00:00+01:00", "2026-09-01T07:00:00Z"),
            ("2026-09-01T08:00", "2026-09-01T06:00:00Z"),
            ("2026-09-01 08:00:30", "2026-09-01T06:00:30Z"),
        ] {
            assert_eq!(
                instant(text, &zone).map(|at| at.to_string()),
                Ok(at.to_owned()),
                "{text}"
            );
        }
        for bad in ["tomorrow", "08:00", "2026-13-01T08:00", ""] {
            assert!(instant(bad, &zone).is_err(), "{bad}");
        }
    }
}
