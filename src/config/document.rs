//! A TOML text as values and tables, each with its line. Knows no names and no meanings.

use std::ops::Range;
use std::path::Path;

use super::declared::declared;
use super::problem::Problem;
use toml_edit::{ImDocument, Item, TableLike, Value as Toml};

/// A top-level entry of a TOML text.
pub(super) struct Entry {
    pub(super) key: String,
    pub(super) what: What,
    pub(super) origin: String,
}

/// The value of a top-level name.
pub(super) enum What {
    /// A simple value or a list of them.
    Value(Raw),
    /// `[name]`.
    One(Section),
    /// `[[name]]`, one for each time that it occurs.
    Many(Vec<Section>),
}

/// The content of one `[name]` or `[[name]]`.
pub(super) struct Section {
    pub(super) origin: String,
    pub(super) values: Vec<(String, Raw, String)>,
}

/// A value as it was written, before it is interpreted.
#[derive(Debug, Clone, PartialEq)]
pub(super) enum Raw {
    /// A text; everything outside of TOML is one.
    Text(String),
    /// A number or a boolean of TOML, as text.
    Literal(String),
    List(Vec<String>),
    /// Something that no setting can be.
    Other,
}

impl Raw {
    pub(super) fn text(&self) -> Option<&str> {
        match self {
            Self::Text(text) => Some(text),
            Self::Literal(_) | Self::List(_) | Self::Other => None,
        }
    }
}

/// Reads a TOML text. `path` is what the origins name. A problem holds nothing of the text, which
/// may hold a secret.
pub(super) fn read(text: &str, path: &Path) -> Result<Vec<Entry>, Problem> {
    let places = Places { text, path };
    let document = ImDocument::parse(text).map_err(|error| {
        let span = error.span().unwrap_or_default();
        let at = span.start;
        let why = error.message().replace('\n', ", ");
        let wrong = format!("the configuration file is not TOML: {why}");
        Problem::new("", wrong, &remedy(text, at), places.at(Some(span)))
    })?;
    let table = document.as_table();
    Ok(table
        .iter()
        .map(|(key, item)| entry(key, item, table, &places))
        .collect())
}

/// The line as TOML, where it looks like one of an environment file.
fn remedy(text: &str, at: usize) -> String {
    let start = text
        .get(..at)
        .and_then(|before| before.rfind('\n'))
        .map_or(0, |line_break| line_break + 1);
    let line = text.get(start..).and_then(|rest| rest.lines().next());
    let name = line
        .and_then(|line| line.split_once('='))
        .map(|(name, _)| name.trim().to_ascii_lowercase());
    let known = name.and_then(|name| declared(name.strip_prefix("status_").unwrap_or(&name)));
    known.map_or_else(String::new, |setting| {
        format!("write for example {} = {}", setting.name, setting.toml())
    })
}

fn entry(key: &str, item: &Item, table: &toml_edit::Table, places: &Places<'_>) -> Entry {
    let many = |tables: &mut dyn Iterator<Item = (&dyn TableLike, Span)>| {
        What::Many(
            tables
                .map(|(one, span)| section(one, span, places))
                .collect(),
        )
    };
    let what = match item {
        Item::Table(one) => What::One(section(one, one.span(), places)),
        Item::ArrayOfTables(all) => many(&mut all.iter().map(|one| (one as _, one.span()))),
        Item::Value(Toml::InlineTable(one)) => What::One(section(one, one.span(), places)),
        Item::Value(Toml::Array(all))
            if !all.is_empty() && all.iter().all(Toml::is_inline_table) =>
        {
            let tables = all.iter().filter_map(Toml::as_inline_table);
            many(&mut tables.map(|one| (one as _, one.span())))
        }
        Item::Value(value) => What::Value(plain(value)),
        Item::None => What::Value(Raw::Other),
    };
    let starts = match item {
        Item::Table(_) | Item::ArrayOfTables(_) => item.span(),
        Item::Value(_) | Item::None => None,
    };
    let starts = starts.or_else(|| table.key(key).and_then(toml_edit::Key::span));
    Entry {
        key: key.to_owned(),
        what,
        origin: places.at(starts),
    }
}

fn section(table: &dyn TableLike, starts: Span, places: &Places<'_>) -> Section {
    let value = |(key, item): (&str, &Item)| {
        let at = table.key(key).and_then(toml_edit::Key::span);
        let value = item.as_value().map_or(Raw::Other, plain);
        (key.to_owned(), value, places.at(at))
    };
    Section {
        origin: places.at(starts),
        values: table.iter().map(value).collect(),
    }
}

/// A value without its position. A date is taken as its text.
fn plain(value: &Toml) -> Raw {
    match value {
        Toml::String(text) => Raw::Text(text.value().clone()),
        Toml::Integer(number) => Raw::Literal(number.value().to_string()),
        Toml::Float(number) => Raw::Literal(number.value().to_string()),
        Toml::Boolean(yes) => Raw::Literal(yes.value().to_string()),
        Toml::Datetime(time) => Raw::Text(time.value().to_string()),
        Toml::Array(items) => items
            .iter()
            .map(|item| item.as_str().map(str::to_owned))
            .collect::<Option<_>>()
            .map_or(Raw::Other, Raw::List),
        Toml::InlineTable(_) => Raw::Other,
    }
}

/// Where something stands in the text, as far as that is known.
type Span = Option<Range<usize>>;

struct Places<'a> {
    text: &'a str,
    path: &'a Path,
}

impl Places<'_> {
    fn at(&self, span: Span) -> String {
        let path = self.path.display();
        let Some(before) = span.and_then(|span| self.text.get(..span.start)) else {
            return path.to_string();
        };
        format!("{path}:{}", before.matches('\n').count() + 1)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_thing_has_its_line() {
        let text = "a = 1\n\n[b]\nc = \"\"\"\n[[x]]\n\"\"\"\nd = [1,\n 2]\n[[e]]\nf = 2026-01-02T03:04:05Z\n# g = 1\n[[e]]\n  \"g\" = { h = 1 }\n[[e]]\n";
        let entries =
            read(text, Path::new("f")).unwrap_or_else(|broken| panic!("{}", broken.wrong));
        let mut lines = Vec::new();
        for entry in &entries {
            lines.push(format!("{} {}", entry.key, entry.origin));
            let sections: &[Section] = match &entry.what {
                What::Value(_) => &[],
                What::One(one) => std::slice::from_ref(one),
                What::Many(many) => many,
            };
            for section in sections {
                lines.push(format!("- {}", section.origin));
                lines.extend(
                    section
                        .values
                        .iter()
                        .map(|(key, _, origin)| format!("  {key} {origin}")),
                );
            }
        }
        let expected = [
            "a f:1", "b f:3", "- f:3", "  c f:4", "  d f:7", "e f:9", "- f:9", "  f f:10",
            "- f:12", "  g f:13", "- f:14",
        ];
        assert_eq!(lines, expected);
    }

    #[test]
    fn tables_in_one_line_are_tables_too() {
        let entries = read(
            "\nroute = [{ name = \"a\" }, { name = \"b\" }]\nadvice = { x = 1 }\nlist = []\n",
            Path::new("f"),
        );
        let entries = entries.unwrap_or_else(|broken| panic!("{}", broken.wrong));
        let kinds: Vec<_> = entries
            .iter()
            .map(|entry| match &entry.what {
                What::Value(_) => "value".to_owned(),
                What::One(one) => format!("one at {}", one.origin),
                What::Many(many) => format!("{} at {}", many.len(), entry.origin),
            })
            .collect();
        assert_eq!(kinds, ["2 at f:2", "one at f:3", "value"]);
    }
}
