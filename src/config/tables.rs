//! The rows of the tables of a configuration file, with their defaults. Does not interpret values.

use std::collections::BTreeMap;

use engine::model::Gather as _;

use super::declared::{Setting, Table, declared};
use super::document::{Raw, Section, What};
use super::layers::{Found, Layer};
use super::nearest::nearest;
use super::problem::{Problem, quote};

/// A configuration with every kind of table, as in the documentation.
pub const EXAMPLE: &str = include_str!("example.toml");

/// The most tables of one kind in a configuration file.
pub const MAX_ROWS: usize = 200;

/// One table of a file, with the documented defaults.
#[derive(Debug)]
pub(super) struct Row {
    pub(super) table: &'static Table,
    pub(super) origin: String,
    label: String,
    values: BTreeMap<String, Found>,
}

impl Row {
    pub(super) fn find(&self, key: &str) -> Option<&Found> {
        self.values.get(key)
    }

    pub(super) fn key(&self, key: &str) -> Option<&'static Setting> {
        self.table.keys.iter().find(|known| known.name == key)
    }

    /// Everything that is written in it, without positions.
    pub(super) fn written(&self) -> Vec<(&str, &Raw)> {
        self.values
            .iter()
            .map(|(key, found)| (key.as_str(), &found.raw))
            .collect()
    }

    /// The name of one of its keys in error texts.
    pub(super) fn label(&self, key: &str) -> String {
        format!("{}: {key}", self.label)
    }

    /// The text of a key, as it was written.
    pub(super) fn text(&self, key: &str) -> Option<String> {
        self.find(key)?.raw.text().map(str::to_owned)
    }
}

/// The rows of a known table, and the errors in their names.
pub(super) fn rows(table: &'static Table, what: What, origin: &str) -> (Vec<Row>, Vec<Problem>) {
    let sections = match sections(table, what) {
        Ok(sections) => sections,
        Err((wrong, allowed)) => {
            let problem = Problem::new(table.name, wrong, &allowed, origin);
            return (Vec::new(), vec![problem]);
        }
    };
    let mut problems = Vec::new();
    let rows = (1..)
        .zip(sections)
        .map(|(number, section)| row(table, number, section, &mut problems))
        .collect();
    (rows, problems)
}

/// The content below each heading of the table; or what is wrong, and what is allowed.
fn sections(table: &Table, what: What) -> Result<Vec<Section>, (String, String)> {
    let heading = table.heading();
    match (what, table.repeats) {
        (What::One(section), false) => Ok(vec![section]),
        (What::Many(sections), true) if sections.len() <= MAX_ROWS => Ok(sections),
        (What::Many(sections), true) => Err((
            format!("occurs {} times", sections.len()),
            format!("at most {MAX_ROWS} times"),
        )),
        (What::One(_), true) => Err((
            "is one table".to_owned(),
            format!("write {heading}, once for each"),
        )),
        (What::Many(_), false) => Err((
            "is a list of tables".to_owned(),
            format!("write {heading}, once"),
        )),
        (What::Value(_), _) => Err(("is not a table".to_owned(), format!("write {heading}"))),
    }
}

fn row(table: &'static Table, number: usize, section: Section, problems: &mut Vec<Problem>) -> Row {
    let known: Vec<&str> = table.keys.iter().map(|key| key.name).collect();
    let defaults = table.keys.iter();
    let mut values: BTreeMap<String, Found> = defaults
        .filter_map(|key| Some((key.name.to_owned(), Found::default_of(key)?)))
        .gather();
    let mut strays = Vec::new();
    for (key, value, origin) in section.values {
        if !known.contains(&key.as_str()) {
            strays.push((key, origin));
        } else if !matches!(&value, Raw::Text(text) if text.trim().is_empty()) {
            let found = Found {
                raw: value,
                layer: Layer::File,
                origin,
            };
            values.insert(key, found);
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
            .map(|(key, origin)| unlisted(&row, &key, &known, origin)),
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

fn unlisted(row: &Row, key: &str, known: &[&str], origin: String) -> Problem {
    let heading = row.table.heading();
    let allowed = match nearest(key, known) {
        _ if declared(key).is_some() => {
            "it is a setting: write it above the first table of the file".to_owned()
        }
        Some(name) => format!("did you mean {name}?"),
        None => format!("allowed are {}", known.join(", ")),
    };
    let wrong = format!("is not a key of {heading}");
    Problem::new(&row.label(key), wrong, &allowed, origin)
}
