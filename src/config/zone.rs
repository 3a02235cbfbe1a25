//! Time zones by their names, so that what is planned in one can be written down. Asks the system which it is in, and for its rules.

use std::fmt;

use jiff::tz::TimeZone;

use super::reader::Reader;

/// A time zone whose name and rules are known.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Zone {
    /// Its IANA name.
    pub name: String,
    /// Its rules.
    pub rules: TimeZone,
}

impl Zone {
    /// The system's; where that has no name, UTC.
    pub(super) fn of_system() -> Self {
        let rules = TimeZone::system();
        let name = rules.iana_name().map(str::to_owned);
        name.map_or_else(
            || Self {
                name: "UTC".to_owned(),
                rules: TimeZone::UTC,
            },
            |name| Self { name, rules },
        )
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
    let rules = rules.ok_or_else(|| "is not known here: is tzdata installed?".to_owned())?;
    Ok(Zone {
        name: rules.iana_name().unwrap_or(text).to_owned(),
        rules,
    })
}
