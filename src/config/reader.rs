//! Reads settings one by one as what they are meant to be, and keeps every problem. A value that is wrong reads as absent, so that all
//! the others are still looked at; whoever reads must not use anything of it when there are problems.

use std::fmt::Display;
use std::fs::File;
use std::io::Read;
use std::ops::RangeInclusive;
use std::os::unix::fs::PermissionsExt;
use std::path::Path;
use std::str::FromStr;
use std::time::Duration;

use secrecy::{ExposeSecret, SecretString};

use super::hidden::{self, HiddenUrl, hidden_url};
use super::keys;
use super::layers::{Found, Layer, Layers, Raw};
use super::problem::{Problem, quote};
use super::tables::Row;
use engine::model::parse_duration;

/// The longest secret, in bytes.
pub const MAX_SECRET_BYTES: u64 = 16 << 10;

const TEXT: &str = "a text without control characters";
const SECRET: &str = "a text that is not empty; in TOML in quotation marks";

pub(super) struct Reader<'a> {
    layers: &'a Layers,
    /// The table that is read now; `None`: the settings outside of tables.
    pub(super) row: Option<&'a Row>,
    /// Whether secrets are looked at.
    pub(super) secrets: bool,
    pub(super) problems: Vec<Problem>,
    pub(super) warnings: Vec<String>,
}

impl<'a> Reader<'a> {
    pub(super) fn new(layers: &'a Layers, secrets: bool) -> Self {
        Self {
            layers,
            row: None,
            secrets,
            problems: Vec::new(),
            warnings: Vec::new(),
        }
    }

    /// The tables of this name in the file.
    pub(super) fn rows_of(&self, table: &str) -> &'a [Row] {
        self.layers.rows(table)
    }

    /// Whether anything but the defaults sets it.
    pub(super) fn is_set(&self, key: &str) -> bool {
        self.find(key)
            .is_some_and(|found| found.layer > Layer::Defaults)
    }

    pub(super) fn text(&mut self, key: &str) -> Option<String> {
        self.parsed(key, TEXT, |text| Ok(text.to_owned()))
    }

    pub(super) fn duration(&mut self, key: &str, range: RangeInclusive<Duration>) -> Duration {
        let allowed = format!(
            "a duration from {} to {}",
            short(*range.start()),
            short(*range.end())
        );
        self.parsed(key, &allowed, |text| duration_within(text, &range))
            .unwrap_or_default()
    }

    pub(super) fn number<T>(&mut self, key: &str, range: RangeInclusive<T>) -> T
    where
        T: FromStr + PartialOrd + Display + Default,
    {
        let allowed = format!("a number from {} to {}", range.start(), range.end());
        let parse = |text: &str| match text.parse::<T>() {
            Ok(number) if range.contains(&number) => Ok(number),
            Ok(_) => Err("is out of bounds".to_owned()),
            Err(_) => Err("is not such a number".to_owned()),
        };
        self.parsed(key, &allowed, parse).unwrap_or_default()
    }

    /// A size in bytes.
    pub(super) fn size(&mut self, key: &str, range: RangeInclusive<u64>) -> u64 {
        let allowed = format!(
            "a size from {} to {}",
            size_text(*range.start()),
            size_text(*range.end())
        );
        let parse = |text: &str| match parse_size(text) {
            Some(size) if range.contains(&size) => Ok(size),
            Some(_) => Err("is out of bounds".to_owned()),
            None => Err("is not a size: write bytes, or a number with KiB, MiB or GiB".to_owned()),
        };
        self.parsed(key, &allowed, parse).unwrap_or_default()
    }

    /// One of several words, in capitals or not.
    pub(super) fn choice<T: Copy>(&mut self, key: &str, words: &[(&str, T)]) -> Option<T> {
        let names: Vec<&str> = words.iter().map(|(as_str, _)| *as_str).collect();
        self.parsed(key, &either(&names), |text| {
            let found = words
                .iter()
                .find(|(as_str, _)| as_str.eq_ignore_ascii_case(text));
            found
                .map(|(_, value)| *value)
                .ok_or_else(|| "is not one of them".to_owned())
        })
    }

    /// A yes or no, in the words that the program labwatch replaces took.
    pub(super) fn switch(&mut self, key: &str) -> bool {
        let parse = |text: &str| match text.to_ascii_lowercase().as_str() {
            "true" | "t" | "1" | "yes" | "on" => Ok(true),
            "false" | "f" | "0" | "no" | "off" => Ok(false),
            _ => Err("is neither".to_owned()),
        };
        self.parsed(key, "true or false", parse).unwrap_or_default()
    }

    /// An address that may hold a secret: given as secrets are, and never shown. Where secrets are not looked at, another address stands
    /// for one that is in a file.
    pub(super) fn secret_address(&mut self, key: &str) -> Option<HiddenUrl> {
        let (value, file) = (self.find(key), self.find(&format!("{key}_file")));
        if !self.secrets {
            return match value {
                Some(Found {
                    raw: Raw::Text(text),
                    origin,
                    ..
                }) => self.address_in(key, &text, &origin),
                Some(found) => self.refuse(key, "is not a text", hidden::ALLOWED, &found.origin),
                None => file.and_then(|_| HiddenUrl::unread()),
            };
        }
        let text = self.secret(key)?;
        let origin = value.or(file).map(|found| found.origin);
        self.address_in(key, text.expose_secret(), &origin.unwrap_or_default())
    }

    fn address_in(&mut self, key: &str, text: &str, origin: &str) -> Option<HiddenUrl> {
        let text = text.trim();
        let address = match unprintable(text) {
            Some(why) => Err(why.to_owned()),
            None => hidden_url(text),
        };
        match address {
            Ok(address) => Some(address),
            Err(why) => self.refuse(key, &why, hidden::ALLOWED, origin),
        }
    }

    /// A value that `parse` understands; `parse` says in words that follow the value why it does not.
    pub(super) fn parsed<T>(
        &mut self,
        key: &str,
        allowed: &str,
        parse: impl FnOnce(&str) -> Result<T, String>,
    ) -> Option<T> {
        let found = self.find(key)?;
        let text = match &found.raw {
            Raw::Text(text) | Raw::Literal(text) => text.trim(),
            Raw::List(_) => return self.refuse(key, "is a list", allowed, &found.origin),
            Raw::Other => return self.refuse(key, "is not a simple value", allowed, &found.origin),
        };
        match unprintable(text).map_or_else(|| parse(text), |why| Err(why.to_owned())) {
            Ok(value) => Some(value),
            Err(why) => self.refuse(
                key,
                &format!("is {}, which {why}", quote(text)),
                allowed,
                &found.origin,
            ),
        }
    }

    /// Several values: a TOML list, or a text with commas or white space between them. `parse` takes one.
    pub(super) fn list<T>(
        &mut self,
        key: &str,
        allowed: &str,
        parse: impl Fn(&str) -> Result<T, String>,
    ) -> Vec<T> {
        let Some(found) = self.find(key) else {
            return Vec::new();
        };
        let items: Vec<String> = match found.raw {
            Raw::Text(text) | Raw::Literal(text) => text
                .split([',', ' ', '\t', '\n', '\r'])
                .map(str::to_owned)
                .collect(),
            Raw::List(items) => items,
            Raw::Other => {
                self.note(key, "is not a list of texts", allowed, &found.origin);
                return Vec::new();
            }
        };
        let mut values = Vec::new();
        for item in items
            .iter()
            .map(|item| item.trim())
            .filter(|item| !item.is_empty())
        {
            match unprintable(item).map_or_else(|| parse(item), |why| Err(why.to_owned())) {
                Ok(value) => values.push(value),
                Err(why) => self.note(
                    key,
                    &format!("has {}, which {why}", quote(item)),
                    allowed,
                    &found.origin,
                ),
            }
        }
        values
    }

    /// A secret, from its own setting or from the file that `<key>_file` names; the later layer wins.
    pub(super) fn secret(&mut self, key: &str) -> Option<SecretString> {
        if !self.secrets {
            return None;
        }
        let file_key = format!("{key}_file");
        match (self.find(key), self.find(&file_key)) {
            (None, None) => None,
            (Some(value), None) => self.secret_value(key, &value),
            (None, Some(file)) => self.secret_file(&file_key, &file),
            (Some(value), Some(file)) if value.layer == file.layer => {
                let wrong = format!("and {file_key} are both set");
                self.refuse(
                    key,
                    &wrong,
                    "leave one out",
                    &format!("{} and {}", value.origin, file.origin),
                )
            }
            (Some(value), Some(file)) => {
                let value_wins = value.layer > file.layer;
                let (used, other) = if value_wins {
                    (&value, &file)
                } else {
                    (&file, &value)
                };
                self.warnings.push(format!(
                    "{} is given twice: {} is used, {} is not",
                    self.label(key),
                    used.origin,
                    other.origin
                ));
                if value_wins {
                    self.secret_value(key, &value)
                } else {
                    self.secret_file(&file_key, &file)
                }
            }
        }
    }

    /// Notes that a setting is absent that must be there.
    pub(super) fn missing(&mut self, key: &str, why: &str) {
        if let Some(row) = self.row {
            let example = row
                .table
                .keys
                .iter()
                .find(|known| known.name == key)
                .map_or("", |known| known.value);
            return self.note(
                key,
                "is missing",
                &format!("{why}write for example {key} = {example}"),
                &row.origin,
            );
        }
        let emptied = self.layers.emptied_by(key).map(str::to_owned);
        let wrong = if emptied.is_some() {
            "is empty"
        } else {
            "is missing"
        };
        let allowed = format!(
            "{why}set {key} in the configuration file or {} in the environment",
            keys::variable(key)
        );
        self.note(key, wrong, &allowed, &emptied.unwrap_or_default());
    }

    /// Notes what is wrong with a setting whose value was read well.
    pub(super) fn wrong(&mut self, key: &str, wrong: &str, allowed: &str) {
        let found = self
            .find(key)
            .filter(|found| found.layer > Layer::Defaults)
            .map(|found| found.origin);
        let origin = found
            .or_else(|| self.row.map(|row| row.origin.clone()))
            .unwrap_or_default();
        self.note(key, wrong, allowed, &origin);
    }

    /// How messages call a key.
    pub(super) fn label(&self, key: &str) -> String {
        self.row
            .map_or_else(|| key.to_owned(), |row| row.label(key))
    }

    pub(super) fn find(&self, key: &str) -> Option<Found> {
        if let Some(row) = self.row {
            return row.find(key);
        }
        debug_assert!(
            keys::DEFAULTS.contains(&format!("{key} = ")),
            "{key} is documented"
        );
        self.layers.find(key)
    }

    fn secret_value(&mut self, key: &str, found: &Found) -> Option<SecretString> {
        let Raw::Text(text) = &found.raw else {
            return self.refuse(key, "is not a text", SECRET, &found.origin);
        };
        if text.contains('\u{fffd}') {
            return self.refuse(key, "is not UTF-8", SECRET, &found.origin);
        }
        if found.layer == Layer::Arguments {
            self.warnings.push(format!(
                "{key} is given as an argument, where every user of this host can read it"
            ));
        }
        if let (Layer::File, Some((path, _))) = (found.layer, found.origin.rsplit_once(':')) {
            self.warn_if_open(key, Path::new(path));
        }
        Some(self.trimmed(key, text, &found.origin))
    }

    /// The secret in a file. A value that is no absolute path is not shown: it may be the secret itself.
    fn secret_file(&mut self, key: &str, found: &Found) -> Option<SecretString> {
        const PATH: &str = "an absolute path";
        let path = match &found.raw {
            Raw::Text(text) if text.starts_with('/') && unprintable(text).is_none() => {
                Path::new(text)
            }
            Raw::Text(_) | Raw::Literal(_) | Raw::List(_) | Raw::Other => {
                return self.refuse(key, "is not an absolute path", PATH, &found.origin);
            }
        };
        match read_secret(path) {
            Ok(text) => {
                self.warn_if_open(key, path);
                Some(self.trimmed(key, &text, &found.origin))
            }
            Err(why) => {
                let wrong = format!("names {}, which {why}", quote(&path.to_string_lossy()));
                self.refuse(
                    key,
                    &wrong,
                    "name a file that labwatch's user can read and that holds the secret alone",
                    &found.origin,
                )
            }
        }
    }

    fn trimmed(&mut self, key: &str, text: &str, origin: &str) -> SecretString {
        if text.trim() != text {
            self.warnings.push(format!(
                "{} starts or ends with white space, which is taken as a part of it ({origin})",
                self.label(key)
            ));
        }
        SecretString::from(text)
    }

    fn warn_if_open(&mut self, key: &str, path: &Path) {
        if path
            .metadata()
            .is_ok_and(|metadata| metadata.permissions().mode() & 0o004 != 0)
        {
            let (key, path) = (self.label(key), path.display());
            self.warnings.push(format!("{key}: every user of this host can read {path}; take the right away with chmod o-r {path}"));
        }
    }

    fn refuse<T>(&mut self, key: &str, wrong: &str, allowed: &str, origin: &str) -> Option<T> {
        self.note(key, wrong, allowed, origin);
        None
    }

    fn note(&mut self, key: &str, wrong: &str, allowed: &str, origin: &str) {
        let (key, wrong, origin) = (self.label(key), wrong.to_owned(), origin.to_owned());
        self.problems.push(Problem {
            key,
            wrong,
            allowed: allowed.to_owned(),
            origin,
        });
    }
}

/// The text of a secret file without its last line break.
fn read_secret(path: &Path) -> Result<String, String> {
    let file = File::open(path).map_err(|error| format!("cannot be opened: {error}"))?;
    let mut text = String::new();
    file.take(MAX_SECRET_BYTES + 1)
        .read_to_string(&mut text)
        .map_err(|error| format!("cannot be read as text: {error}"))?;
    if text.len() as u64 > MAX_SECRET_BYTES {
        return Err(format!("is longer than {MAX_SECRET_BYTES} bytes"));
    }
    let text = text.strip_suffix('\n').unwrap_or(&text);
    let text = text.strip_suffix('\r').unwrap_or(text);
    if text.is_empty() {
        Err("is empty".to_owned())
    } else {
        Ok(text.to_owned())
    }
}

fn unprintable(text: &str) -> Option<&'static str> {
    if text.chars().any(char::is_control) {
        Some("holds a control character")
    } else if text.contains('\u{fffd}') {
        Some("is not UTF-8")
    } else {
        None
    }
}

pub(super) fn duration_within(
    text: &str,
    range: &RangeInclusive<Duration>,
) -> Result<Duration, String> {
    let duration = parse_duration(text).map_err(|error| format!("is not a duration: {error}"))?;
    if duration < *range.start() {
        Err("is too short".to_owned())
    } else if duration > *range.end() {
        Err("is too long".to_owned())
    } else {
        Ok(duration)
    }
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

const SIZES: [(&str, u64); 3] = [("GiB", 1 << 30), ("MiB", 1 << 20), ("KiB", 1 << 10)];

fn parse_size(text: &str) -> Option<u64> {
    let (digits, scale) = SIZES
        .into_iter()
        .find_map(|(unit, scale)| text.strip_suffix(unit).map(|digits| (digits, scale)))
        .unwrap_or((text.strip_suffix('B').unwrap_or(text), 1));
    digits.trim_end().parse::<u64>().ok()?.checked_mul(scale)
}

fn size_text(size: u64) -> String {
    let unit = SIZES
        .into_iter()
        .find(|(_, scale)| size.is_multiple_of(*scale));
    unit.map_or_else(
        || size.to_string(),
        |(name, scale)| format!("{}{name}", size / scale),
    )
}

/// `a, b or c`.
fn either(words: &[&str]) -> String {
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
    fn bounds_are_written_as_people_write_them() {
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
}
