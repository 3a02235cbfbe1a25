//! The tables of the configuration file: which there are and which keys each has, read from their documentation, and the rows of a file.
//! Knows nothing of what a value means.

use std::collections::BTreeMap;
use std::sync::LazyLock;

use super::document::{Section, What};
use super::keys::{self, Key};
use super::layers::{Found, Layer, Raw, raw};
use super::problem::{Problem, quote};

/// The documentation of the tables, as shipped.
pub const TABLES: &str = include_str!("tables.toml");

/// A configuration with every kind of table, as shipped.
pub const EXAMPLE: &str = include_str!("example.toml");

/// How often one table may stand in a configuration file.
pub const MAX_ROWS: usize = 200;

static DOCUMENTED: LazyLock<Vec<Table>> = LazyLock::new(read_documentation);

/// A kind of table, as `tables.toml` documents it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Table {
    /// Its name, without brackets.
    pub name: &'static str,
    /// Whether it may stand there several times.
    pub repeats: bool,
    /// What it is for.
    pub doc: String,
    /// Its keys.
    pub keys: Vec<Key>,
}

impl Table {
    /// Its name as it stands in the file.
    #[must_use]
    pub fn heading(&self) -> String {
        if self.repeats {
            format!("[[{}]]", self.name)
        } else {
            format!("[{}]", self.name)
        }
    }
}

/// Every kind of table, in the order of `tables.toml`.
#[must_use]
pub fn tables() -> &'static [Table] {
    &DOCUMENTED
}

/// The kind of table of this name.
pub(super) fn table(name: &str) -> Option<&'static Table> {
    tables().iter().find(|table| table.name == name)
}

fn read_documentation() -> Vec<Table> {
    let keys = keys::documented(TABLES);
    let sections = TABLES.split("\n## ").skip(1);
    let table = |section: &'static str| {
        let heading = section.lines().next().unwrap_or_default();
        let prose = section
            .lines()
            .skip(1)
            .map_while(|line| line.strip_prefix("# "));
        Table {
            name: heading.trim_matches(['[', ']']),
            repeats: heading.starts_with("[["),
            doc: prose.collect::<Vec<_>>().join(" "),
            keys: keys
                .iter()
                .filter(|key| key.section == heading)
                .cloned()
                .collect(),
        }
    };
    sections.map(table).collect()
}

/// One table of a file, with the documented defaults.
#[derive(Debug)]
pub(super) struct Row {
    pub(super) table: &'static Table,
    /// File and line.
    pub(super) origin: String,
    /// How problems call it.
    label: String,
    values: BTreeMap<String, Found>,
}

impl Row {
    pub(super) fn find(&self, key: &str) -> Option<Found> {
        debug_assert!(
            self.table.keys.iter().any(|known| known.name == key),
            "{key} of {} is documented",
            self.table.name
        );
        self.values.get(key).cloned()
    }

    /// Everything that is written in it, without where.
    pub(super) fn written(&self) -> Vec<(&str, &Raw)> {
        self.values
            .iter()
            .map(|(key, found)| (key.as_str(), &found.raw))
            .collect()
    }

    /// How problems call a key of it.
    pub(super) fn label(&self, key: &str) -> String {
        format!("{}: {key}", self.label)
    }

    /// The text of a key, as it was written.
    pub(super) fn text(&self, key: &str) -> Option<String> {
        match self.find(key)?.raw {
            Raw::Text(text) => Some(text),
            Raw::Literal(_) | Raw::List(_) | Raw::Other => None,
        }
    }
}

/// The rows of a known table, and what is wrong with their names. `flat` are the names of all settings.
pub(super) fn rows(
    table: &'static Table,
    what: What,
    origin: &str,
    flat: &[String],
) -> (Vec<Row>, Vec<Problem>) {
    let wrong = |wrong: String, allowed: &str| Problem {
        key: table.name.to_owned(),
        wrong,
        allowed: allowed.to_owned(),
        origin: origin.to_owned(),
    };
    let sections = match (what, table.repeats) {
        (What::One(section), false) => vec![section],
        (What::Many(sections), true) if sections.len() <= MAX_ROWS => sections,
        (What::Many(sections), true) => {
            let notified = format!("stands there {} times", sections.len());
            return (
                Vec::new(),
                vec![wrong(notified, &format!("at most {MAX_ROWS} times"))],
            );
        }
        (What::One(_), true) => {
            return (
                Vec::new(),
                vec![wrong(
                    "is one table".to_owned(),
                    &format!("write {}, once for each", table.heading()),
                )],
            );
        }
        (What::Many(_), false) => {
            return (
                Vec::new(),
                vec![wrong(
                    "is a list of tables".to_owned(),
                    &format!("write {}, once", table.heading()),
                )],
            );
        }
        (What::Value(_), _) => {
            return (
                Vec::new(),
                vec![wrong(
                    "is not a table".to_owned(),
                    &format!("write {}", table.heading()),
                )],
            );
        }
    };
    let mut problems = Vec::new();
    let rows = (1..)
        .zip(sections)
        .map(|(number, section)| row(table, number, section, flat, &mut problems))
        .collect();
    (rows, problems)
}

fn row(
    table: &'static Table,
    number: usize,
    section: Section,
    flat: &[String],
    problems: &mut Vec<Problem>,
) -> Row {
    let known: Vec<&str> = table.keys.iter().map(|key| key.name).collect();
    let defaults = table.keys.iter().filter(|key| key.has_default);
    let mut values: BTreeMap<String, Found> = defaults
        .map(|key| (key.name.to_owned(), default(key)))
        .collect();
    let mut strays = Vec::new();
    for (key, value, origin) in section.values {
        if !known.contains(&key.as_str()) {
            strays.push((key, origin));
        } else if value.as_str().is_none_or(|text| !text.trim().is_empty()) {
            values.insert(
                key,
                Found {
                    raw: raw(value),
                    layer: Layer::File,
                    origin,
                },
            );
        }
    }
    let row = Row {
        table,
        label: label(table, number, values.get("name")),
        origin: section.origin,
        values,
    };
    problems.extend(
        strays
            .into_iter()
            .map(|(key, origin)| unlisted(&row, &key, &known, flat, origin)),
    );
    row
}

fn label(table: &Table, number: usize, name: Option<&Found>) -> String {
    match name.map(|found| &found.raw) {
        Some(Raw::Text(name)) if table.repeats => format!("{} {}", table.name, quote(name)),
        _ if table.repeats => format!("{} {number}", table.name),
        _ => table.name.to_owned(),
    }
}

fn unlisted(row: &Row, key: &str, known: &[&str], flat: &[String], origin: String) -> Problem {
    let heading = row.table.heading();
    let allowed = match keys::nearest(key, known) {
        _ if flat.iter().any(|name| name == key) => {
            "it is a setting: write it above the first table of the file".to_owned()
        }
        Some(name) => format!("did you mean {name}?"),
        None => format!("allowed are {}", known.join(", ")),
    };
    Problem {
        key: row.label(key),
        wrong: format!("is not a key of {heading}"),
        allowed,
        origin,
    }
}

fn default(key: &Key) -> Found {
    let text = key.plain_value().to_owned();
    let raw = if key.value.starts_with('"') {
        Raw::Text(text)
    } else {
        Raw::Literal(text)
    };
    Found {
        raw,
        layer: Layer::Defaults,
        origin: String::new(),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_line_of_the_documentation_is_understood() {
        let assignments = TABLES
            .lines()
            .filter(|line| !line.starts_with("# ") && line.contains(" = "))
            .count();
        assert_eq!(
            tables().iter().map(|table| table.keys.len()).sum::<usize>(),
            assignments
        );
        for table in tables() {
            assert!(
                !table.doc.is_empty() && !table.keys.is_empty(),
                "{}",
                table.name
            );
            assert_eq!(
                table.repeats,
                table.keys.iter().any(|key| key.name == "name"),
                "{}: what repeats has names",
                table.name
            );
            for key in &table.keys {
                assert!(
                    key.doc.contains("Allowed: "),
                    "{} {} says what is allowed",
                    table.name,
                    key.name
                );
            }
        }
        let names: Vec<_> = tables().iter().map(Table::heading).collect();
        assert_eq!(
            names,
            [
                "[[route]]",
                "[[maintenance]]",
                "[[pool]]",
                "[[category]]",
                "[[service]]",
                "[advice]"
            ]
        );
    }
}
