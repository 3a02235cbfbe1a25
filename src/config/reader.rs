//! Reads settings one by one as they are declared, and collects every error. A wrong value reads as
//! absent, so that all others are still checked; when there are errors, nothing of what was read
//! may be used.

use std::fmt::Display;
use std::str::FromStr;
use std::time::Duration;

use super::bounds::{duration_within, size_within};
use super::declared::{self, Kind, Setting, declared};
use super::document::Raw;
use super::layers::{Found, Layer, Layers};
use super::problem::{Problem, quote};
use super::suspicion::{suspicion, unprintable};
use super::tables::Row;

pub(super) struct Reader<'a> {
    layers: &'a Layers,
    /// The current table; `None`: the settings outside of tables.
    pub(super) row: Option<&'a Row>,
    /// Which secrets are read, by their keys.
    pub(super) secrets: fn(&str) -> bool,
    pub(super) problems: Vec<Problem>,
    pub(super) warnings: Vec<String>,
}

/// The value of a [`Kind::WordOrDuration`]: a duration, or else one of its words.
pub(super) type WordOr = Result<Duration, &'static str>;

impl<'a> Reader<'a> {
    pub(super) fn new(layers: &'a Layers, secrets: fn(&str) -> bool) -> Self {
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

    /// Whether any layer but the defaults sets it.
    pub(super) fn is_set(&self, key: &str) -> bool {
        self.find(key)
            .is_some_and(|found| found.layer > Layer::Defaults)
    }

    pub(super) fn text(&mut self, key: &str) -> Option<String> {
        self.parsed(key, |text| Ok(text.to_owned()))
    }

    pub(super) fn duration(&mut self, key: &str) -> Duration {
        let Kind::Duration(from, to) = self.kind(key) else {
            return misread(key);
        };
        self.parsed(key, |text| duration_within(text, &(from..=to)))
            .unwrap_or_default()
    }

    /// A duration, or one of the declared words.
    pub(super) fn word_or_duration(&mut self, key: &str) -> Option<WordOr> {
        let Kind::WordOrDuration(words, from, to) = self.kind(key) else {
            return misread(key);
        };
        self.parsed(key, |text| {
            match words.iter().find(|word| word.eq_ignore_ascii_case(text)) {
                Some(word) => Ok(Err(*word)),
                None => duration_within(text, &(from..=to)).map(Ok),
            }
        })
    }

    pub(super) fn number<T>(&mut self, key: &str) -> T
    where
        T: FromStr + TryFrom<u64> + PartialOrd + Display + Default,
    {
        let Kind::Number(from, to) = self.kind(key) else {
            return misread(key);
        };
        self.parsed(key, |text| match text.parse::<u64>() {
            Ok(number) if (from..=to).contains(&number) => {
                T::try_from(number).map_err(|_| "is out of bounds".to_owned())
            }
            Ok(_) => Err("is out of bounds".to_owned()),
            Err(_) => Err("is not such a number".to_owned()),
        })
        .unwrap_or_default()
    }

    pub(super) fn size(&mut self, key: &str) -> u64 {
        let Kind::Size(from, to) = self.kind(key) else {
            return misread(key);
        };
        self.parsed(key, |text| size_within(text, &(from..=to)))
            .unwrap_or_default()
    }

    /// The declared word that is set, in capitals or not.
    pub(super) fn word(&mut self, key: &str) -> Option<&'static str> {
        let Kind::Choice(words) = self.kind(key) else {
            return misread(key);
        };
        self.parsed(key, |text| {
            let word = words.iter().find(|word| word.eq_ignore_ascii_case(text));
            word.copied().ok_or_else(|| "is not one of them".to_owned())
        })
    }

    /// A boolean, in the words that the replaced program accepted.
    pub(super) fn switch(&mut self, key: &str) -> bool {
        let parse = |text: &str| match text.to_ascii_lowercase().as_str() {
            "true" | "t" | "1" | "yes" | "on" => Ok(true),
            "false" | "f" | "0" | "no" | "off" => Ok(false),
            _ => Err("is neither".to_owned()),
        };
        self.parsed(key, parse).unwrap_or_default()
    }

    /// A value that `parse` understands; the error of `parse` is a text that follows the value.
    pub(super) fn parsed<T>(
        &mut self,
        key: &str,
        parse: impl FnOnce(&str) -> Result<T, String>,
    ) -> Option<T> {
        let found = self.find(key)?;
        let kind = self.kind(key);
        let text = match (&found.raw, kind) {
            (Raw::Text(text), _) => text.trim(),
            (_, Kind::Hidden(_)) => return self.reject(key, "is not a text", found),
            (Raw::Literal(text), _) => text.trim(),
            (Raw::List(_), _) => return self.reject(key, "is a list", found),
            (Raw::Other, _) => return self.reject(key, "is not a simple value", found),
        };
        match self.check(key, text, found).and_then(|()| parse(text)) {
            Ok(value) => Some(value),
            Err(why) if matches!(kind, Kind::Hidden(_)) => self.reject(key, &why, found),
            Err(why) => self.reject(key, &format!("is {}, which {why}", quote(text)), found),
        }
    }

    /// Several values: a TOML list, or a text with commas or white space between them. `parse`
    /// takes one.
    pub(super) fn list<T>(
        &mut self,
        key: &str,
        parse: impl Fn(&str) -> Result<T, String>,
    ) -> Vec<T> {
        let Some(found) = self.find(key) else {
            return Vec::new();
        };
        let items: Vec<&str> = match &found.raw {
            Raw::Text(text) | Raw::Literal(text) => match self.check(key, text.trim(), found) {
                Ok(()) => text.split([',', ' ', '\t', '\n', '\r']).collect(),
                Err(why) => {
                    let wrong = format!("is {}, which {why}", quote(text.trim()));
                    return self.reject(key, &wrong, found).unwrap_or_default();
                }
            },
            Raw::List(items) => items.iter().map(String::as_str).collect(),
            Raw::Other => {
                let wrong = "is not a list of texts";
                return self.reject(key, wrong, found).unwrap_or_default();
            }
        };
        let mut values = Vec::new();
        let items = items.into_iter().map(str::trim);
        for item in items.filter(|item| !item.is_empty()) {
            let printable = unprintable(item).map_or(Ok(()), |why| Err(why.to_owned()));
            values.extend(match printable.and_then(|()| parse(item)) {
                Ok(value) => Some(value),
                Err(why) => {
                    let wrong = format!("has {}, which {why}", quote(item));
                    self.reject(key, &wrong, found)
                }
            });
        }
        values
    }

    /// Whether a value is plain: without invisible characters, and without characters that were
    /// copied by mistake. A free text may hold the latter, so there they only cause a warning.
    fn check(&mut self, key: &str, text: &str, found: &Found) -> Result<(), String> {
        let is_list = matches!(self.kind(key), Kind::Values(_));
        if let Some(why) = unprintable(text).filter(|_| !is_list || text.starts_with('\u{feff}')) {
            return Err(why.to_owned());
        }
        let odd = match found.layer {
            Layer::Environment | Layer::Arguments => suspicion(text, false),
            Layer::File if self.row.is_none() => suspicion(text, true),
            Layer::File | Layer::Credentials | Layer::Defaults => None,
        };
        match odd {
            Some(why) if self.kind(key) == Kind::Text => {
                let warning = format!("{key} is {}, which {why} ({})", quote(text), found.origin);
                self.warnings.push(warning);
                Ok(())
            }
            Some(why) => Err(why.to_owned()),
            None => Ok(()),
        }
    }

    /// Reports that a required setting is absent.
    pub(super) fn missing(&mut self, key: &str, why: &str) {
        let (wrong, allowed, origin) = if let Some(row) = self.row {
            let example = row.key(key).map(Setting::toml).unwrap_or_default();
            let allowed = format!("{why}write for example {key} = {example}");
            ("is missing", allowed, row.origin.clone())
        } else {
            let emptied = self.layers.emptied_by(key);
            let wrong = if emptied.is_some() {
                "is empty"
            } else {
                "is missing"
            };
            let allowed = format!(
                "{why}set {key} in the configuration file or {} in the environment",
                declared::variable(key)
            );
            (wrong, allowed, emptied.unwrap_or_default().to_owned())
        };
        self.problems.push(Problem {
            is_missing: true,
            ..Problem::new(&self.label(key), wrong, &allowed, origin)
        });
    }

    /// Notes where one of two settings is set that are of no use without each other.
    pub(super) fn both_or_none(&mut self, [one, other]: [&str; 2]) {
        for (set, missing) in [(one, other), (other, one)] {
            if self.is_set(set) && !self.is_set(missing) {
                let why = format!("{set} is set and is of no use without it: ");
                self.missing(missing, &why);
            }
        }
    }

    /// A list of which `none` stands for nothing.
    pub(super) fn list_or_none<T>(
        &mut self,
        key: &str,
        parse: impl Fn(&str) -> Result<T, String>,
    ) -> Vec<T> {
        let all = self.list(key, |text| none_or(text, &parse));
        all.into_iter().flatten().collect()
    }

    /// Reports an error of a setting whose value could be read.
    pub(super) fn wrong(&mut self, key: &str, wrong: &str, allowed: &str) {
        let set = self
            .find(key)
            .filter(|found| found.layer > Layer::Defaults)
            .map(|found| found.origin.clone());
        let origin = set
            .or_else(|| self.row.map(|row| row.origin.clone()))
            .unwrap_or_default();
        let problem = Problem::new(&self.label(key), wrong, allowed, origin);
        self.problems.push(problem);
    }

    pub(super) fn label(&self, key: &str) -> String {
        self.row
            .map_or_else(|| key.to_owned(), |row| row.label(key))
    }

    pub(super) fn find(&self, key: &str) -> Option<&'a Found> {
        match self.row {
            Some(row) => row.find(key),
            None => self.layers.find(key),
        }
    }

    /// The declared kind of the setting; any text if it is not declared.
    pub(super) fn kind(&self, key: &str) -> Kind {
        let setting = match self.row {
            Some(row) => row.key(key),
            None => declared(key),
        };
        debug_assert!(setting.is_some(), "{key} is not declared");
        setting.map_or(Kind::Text, |setting| setting.kind)
    }

    pub(super) fn refuse<T>(
        &mut self,
        key: &str,
        wrong: &str,
        allowed: &str,
        origin: &str,
    ) -> Option<T> {
        let problem = Problem::new(&self.label(key), wrong, allowed, origin);
        self.problems.push(problem);
        None
    }

    /// Rejects a value because it is not allowed.
    pub(super) fn reject<T>(&mut self, key: &str, wrong: &str, found: &Found) -> Option<T> {
        self.refuse(key, wrong, &self.kind(key).allowed(), &found.origin)
    }
}

/// What `parse` takes, or nothing where the word is none.
pub(super) fn none_or<T>(
    text: &str,
    parse: impl Fn(&str) -> Result<T, String>,
) -> Result<Option<T>, String> {
    if text.eq_ignore_ascii_case("none") {
        Ok(None)
    } else {
        parse(text).map(Some)
    }
}

/// The value of a setting that is declared as another kind than it is read as.
fn misread<T: Default>(key: &str) -> T {
    debug_assert!(false, "{key} is declared as something else");
    T::default()
}
