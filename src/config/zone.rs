//! Time zones by name, with their rules, so that planned times can be written down. Asks the system
//! for its zone, and for the rules.

use std::fmt;

use jiff::tz::TimeZone;

use super::bounds::either;
use super::nearest::nearest;
use super::reader::Reader;

/// The most similar names in an error.
const MAX_NEAR: usize = 3;

/// A time zone whose name and rules are known.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Zone {
    pub name: String,
    pub rules: TimeZone,
}

impl Zone {
    /// The system's; where that has no name, UTC.
    pub(super) fn of_system() -> Self {
        let rules = TimeZone::system();
        match rules.iana_name().map(str::to_owned) {
            Some(name) => Self { name, rules },
            None => Self {
                name: "UTC".to_owned(),
                rules: TimeZone::UTC,
            },
        }
    }
}

impl fmt::Display for Zone {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.pad(&self.name)
    }
}

/// The zone that a setting names.
pub(super) fn configured(reader: &mut Reader<'_>, key: &str) -> Option<Zone> {
    reader.parsed(key, named)
}

fn named(text: &str) -> Result<Zone, String> {
    let rules = TimeZone::get(text).ok().filter(|rules| !rules.is_unknown());
    let rules = rules.ok_or_else(|| unknown(text))?;
    Ok(Zone {
        name: rules.iana_name().unwrap_or(text).to_owned(),
        rules,
    })
}

/// The error for an unknown zone, with similar names.
fn unknown(text: &str) -> String {
    let zones: Vec<String> = jiff::tz::db()
        .available()
        .map(|zone| zone.to_string())
        .collect();
    if zones.is_empty() {
        return "is not known here, as no time zone is: install tzdata".to_owned();
    }
    let mut near = near(text, &zones);
    near.truncate(MAX_NEAR);
    if near.is_empty() {
        "is not known: zones are named after large cities, and timedatectl list-timezones lists them".to_owned()
    } else {
        format!("is not known: did you mean {}?", either(&near))
    }
}

/// The zones that end with the same word, or else the one with the most similar name.
fn near<'a>(text: &str, zones: &'a [String]) -> Vec<&'a str> {
    let place = |zone: &str| {
        let last = zone.rsplit('/').next().unwrap_or(zone);
        last.replace([' ', '-'], "_").to_ascii_lowercase()
    };
    let same: Vec<&str> = zones
        .iter()
        .map(String::as_str)
        .filter(|zone| place(zone) == place(text))
        .collect();
    if !same.is_empty() {
        return same;
    }
    let lower: Vec<String> = zones.iter().map(|zone| zone.to_ascii_lowercase()).collect();
    let nearest = nearest(text, &lower);
    nearest
        .and_then(|found| zones.iter().find(|zone| zone.eq_ignore_ascii_case(found)))
        .map(String::as_str)
        .into_iter()
        .collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_zone_that_is_not_there_names_those_that_are_near() {
        let zones = ["America/New_York", "Europe/Berlin", "Europe/London"].map(str::to_owned);
        for (text, expected) in [
            ("London", "Europe/London"),
            ("Europe/New York", "America/New_York"),
            ("europe/berln", "Europe/Berlin"),
        ] {
            assert_eq!(near(text, &zones), [expected], "{text}");
        }
        assert!(near("Mars/Olympus", &zones).is_empty());
    }
}
