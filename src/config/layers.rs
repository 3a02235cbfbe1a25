//! The layers of the configuration put on top of each other: defaults, file, credentials, environment, arguments. Knows where each
//! value came from and which names exist; knows nothing of what a value means.

use std::collections::BTreeMap;
use std::fs::File;
use std::io::Read;
use std::path::{Path, PathBuf};

use figment::value::{Dict, Map, Num, Value};
use figment::{Figment, Metadata, Profile, Provider};

use super::document::{self, Entry, What};
use super::keys::{self, DEFAULTS, ENV_CONFIG, ENV_PREFIX, SECRETS};
use super::problem::Problem;
use super::tables::{self, Row};

/// The largest configuration file that is read, in bytes.
pub const MAX_FILE_BYTES: u64 = 1 << 20;

/// The variable that systemd's state directory stands in for.
const DATA_DIR: &str = "STATUS_DATA_DIR";

/// What the configuration is put together from, apart from the defaults.
#[derive(Default, Clone)]
pub struct Sources {
    /// The configuration file (`--config`); without it the one that `STATUS_CONFIG` names.
    pub file: Option<PathBuf>,
    /// The environment; only names that start with `STATUS_` matter.
    pub env: BTreeMap<String, String>,
    /// Settings from the command line, as key and value; the last one wins.
    pub overrides: Vec<(String, String)>,
    /// The folder with systemd's credentials.
    pub credentials: Option<PathBuf>,
}

impl Sources {
    /// The sources of this process: its environment, with what its arguments say.
    #[must_use]
    pub fn from_process(file: Option<PathBuf>, overrides: Vec<(String, String)>) -> Self {
        let env = std::env::vars_os()
            .filter_map(|(name, value)| {
                Some((
                    name.into_string().ok()?,
                    value.to_string_lossy().into_owned(),
                ))
            })
            .filter(|(name, _)| name.starts_with(ENV_PREFIX))
            .collect();
        let mut env: BTreeMap<String, String> = env;
        if let Some(folder) = std::env::var("STATE_DIRECTORY")
            .ok()
            .and_then(|folders| folders.split(':').next().map(str::to_owned))
        {
            env.entry(DATA_DIR.to_owned()).or_insert(folder); // systemd's word for where the service may write
        }
        let credentials = std::env::var_os("CREDENTIALS_DIRECTORY").map(PathBuf::from);
        Self {
            file,
            env,
            overrides,
            credentials,
        }
    }
}

/// Whose word a value is; the later ones win.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub(super) enum Layer {
    Defaults,
    File,
    Credentials,
    Environment,
    Arguments,
}

impl Layer {
    const ALL: [Self; 5] = [
        Self::Defaults,
        Self::File,
        Self::Credentials,
        Self::Environment,
        Self::Arguments,
    ];

    fn as_str(self) -> &'static str {
        match self {
            Self::Defaults => "defaults",
            Self::File => "file",
            Self::Credentials => "credentials",
            Self::Environment => "environment",
            Self::Arguments => "arguments",
        }
    }
}

/// A value as it was written, before anybody says what it means.
#[derive(Debug, Clone, PartialEq)]
pub(super) enum Raw {
    /// A text; everything outside of TOML is one.
    Text(String),
    /// A number or a boolean of TOML, as text.
    Literal(String),
    /// A list of texts.
    List(Vec<String>),
    /// Something that no setting can be.
    Other,
}

/// A value with its origin.
#[derive(Debug, Clone)]
pub(super) struct Found {
    pub(super) raw: Raw,
    pub(super) layer: Layer,
    pub(super) origin: String,
}

/// All layers, merged.
pub(super) struct Layers {
    figment: Figment,
    known: Vec<String>,
    /// Settings that were given an empty value, with its origin.
    empty: BTreeMap<String, String>,
    /// The tables of the file, by their name.
    rows: BTreeMap<&'static str, Vec<Row>>,
    problems: Vec<Problem>,
}

impl Layers {
    /// Reads and merges all sources. Unknown names and unreadable files are problems, kept for [`Layers::take_problems`].
    pub(super) fn gather(sources: &Sources) -> Self {
        let known = keys::keys().iter().map(|key| key.name.to_owned()).collect();
        let mut layers = Self {
            figment: Figment::new(),
            known,
            empty: BTreeMap::new(),
            rows: BTreeMap::new(),
            problems: Vec::new(),
        };
        layers.add_toml(DEFAULTS, Layer::Defaults, Path::new("defaults"));
        let named = sources
            .env
            .get(ENV_CONFIG)
            .filter(|path| !path.is_empty())
            .map(PathBuf::from);
        if let Some(path) = sources.file.clone().or(named) {
            layers.add_file(&path);
        }
        if let Some(folder) = &sources.credentials {
            layers.add_credentials(folder);
        }
        for (name, value) in sources.env.iter().filter(|(name, _)| *name != ENV_CONFIG) {
            let Some(key) = name.strip_prefix(ENV_PREFIX) else {
                continue;
            };
            let key = if key.bytes().any(|b| b.is_ascii_lowercase()) {
                name.clone()
            } else {
                key.to_ascii_lowercase()
            };
            layers.add(
                &key,
                Value::from(value.as_str()),
                Layer::Environment,
                format!("environment variable {name}"),
            );
        }
        for (key, value) in &sources.overrides {
            layers.add(
                key,
                Value::from(value.as_str()),
                Layer::Arguments,
                "argument --set".to_owned(),
            );
        }
        layers
    }

    pub(super) fn take_problems(&mut self) -> Vec<Problem> {
        std::mem::take(&mut self.problems)
    }

    /// The value in force, if there is one.
    pub(super) fn find(&self, key: &str) -> Option<Found> {
        let value = self.figment.find_value(key).ok()?;
        let metadata = self.figment.get_metadata(value.tag())?;
        let layer = Layer::ALL
            .into_iter()
            .find(|layer| layer.as_str() == metadata.name)?;
        let origin = metadata
            .source
            .as_ref()
            .and_then(figment::Source::custom)
            .unwrap_or_default()
            .to_owned();
        Some(Found {
            raw: raw(value),
            layer,
            origin,
        })
    }

    /// The tables of this name in the file, in its order.
    pub(super) fn rows(&self, table: &str) -> &[Row] {
        self.rows.get(table).map_or(&[], Vec::as_slice)
    }

    /// Where the setting was given an empty value, if it was.
    pub(super) fn emptied_by(&self, key: &str) -> Option<&str> {
        self.empty.get(key).map(String::as_str)
    }

    /// Makes the value of `old` that of `new`, unless `new` is set itself. Gives whether `old` is set at all.
    pub(super) fn alias(&mut self, old: &str, new: &str) -> bool {
        let Ok(value) = self.figment.find_value(old) else {
            return false;
        };
        let Some(found) = self.find(old) else {
            return false;
        };
        if self
            .find(new)
            .is_none_or(|found| found.layer == Layer::Defaults)
        {
            self.add(new, value, found.layer, found.origin);
        }
        true
    }

    /// The names of the settings that are set by anything but the defaults.
    pub(super) fn set_keys(&self) -> impl Iterator<Item = &String> {
        self.known.iter().filter(|key| {
            self.find(key)
                .is_some_and(|found| found.layer > Layer::Defaults)
        })
    }

    fn add_file(&mut self, path: &Path) {
        let shown = path.display();
        match read_bounded(path) {
            Ok(text) => self.add_toml(&text, Layer::File, path),
            Err(why) => self.problem(
                "",
                format!("cannot read the configuration file {shown}: {why}"),
                "",
                "",
            ),
        }
    }

    /// Every setting and table of a TOML text, each with its line.
    fn add_toml(&mut self, text: &str, layer: Layer, path: &Path) {
        match document::read(text, path) {
            Ok(entries) => entries
                .into_iter()
                .for_each(|entry| self.add_entry(entry, layer)),
            Err(broken) => self.problem(
                "",
                format!("the configuration file is not TOML: {}", broken.why),
                "",
                &broken.origin,
            ),
        }
    }

    fn add_entry(&mut self, entry: Entry, layer: Layer) {
        let Entry { key, what, origin } = entry;
        match (tables::table(&key), what) {
            (Some(table), what) => {
                let (rows, problems) = tables::rows(table, what, &origin, &self.known);
                self.rows.insert(table.name, rows);
                self.problems.extend(problems);
            }
            (None, What::Value(value)) => self.add(&key, value, layer, origin),
            (None, What::One(_) | What::Many(_)) if self.known.contains(&key) => {
                self.add(&key, Value::from(Dict::new()), layer, origin)
            }
            (None, What::One(_) | What::Many(_)) => self.unknown_table(&key, &origin),
        }
    }

    /// Every credential that is named like a secret, as if `<secret>_file` named it.
    fn add_credentials(&mut self, folder: &Path) {
        for secret in SECRETS {
            let path = folder.join(secret);
            if path.exists() {
                let value = Value::from(path.to_string_lossy().into_owned());
                self.add(
                    &format!("{secret}_file"),
                    value,
                    Layer::Credentials,
                    format!("credential {secret}"),
                );
            }
        }
    }

    fn add(&mut self, key: &str, value: Value, layer: Layer, origin: String) {
        if !self.known.iter().any(|known| known == key) {
            return self.unknown(key, &origin);
        }
        if value.as_str().is_some_and(|text| text.trim().is_empty()) {
            self.empty.insert(key.to_owned(), origin);
            return;
        }
        let figment = std::mem::take(&mut self.figment);
        self.figment = figment.merge(Setting {
            key,
            value,
            layer,
            origin,
        });
    }

    fn unknown(&mut self, key: &str, origin: &str) {
        if let Some(table) = tables::table(key) {
            let heading = table.heading();
            return self.problem(
                key,
                format!("is {heading}"),
                "tables stand in the configuration file only",
                origin,
            );
        }
        let meant = keys::nearest(key, &self.known).map(|name| {
            let name = if origin.starts_with("environment") {
                keys::variable(name)
            } else {
                name.to_owned()
            };
            format!("did you mean {name}?")
        });
        self.problem(
            key,
            "is not a setting".to_owned(),
            &meant.unwrap_or_default(),
            origin,
        );
    }

    fn unknown_table(&mut self, key: &str, origin: &str) {
        let names: Vec<&str> = tables::tables().iter().map(|table| table.name).collect();
        let meant = keys::nearest(key, &names)
            .and_then(tables::table)
            .map(|table| format!("did you mean {}?", table.heading()));
        let headings = || {
            tables::tables()
                .iter()
                .map(tables::Table::heading)
                .collect::<Vec<_>>()
                .join(", ")
        };
        let all = || {
            format!(
                "the tables are {}; settings stand without one, such as host_book",
                headings()
            )
        };
        self.problem(
            key,
            "is not a table that labwatch knows".to_owned(),
            &meant.unwrap_or_else(all),
            origin,
        );
    }

    fn problem(&mut self, key: &str, wrong: String, allowed: &str, origin: &str) {
        self.problems.push(Problem {
            key: key.to_owned(),
            wrong,
            allowed: allowed.to_owned(),
            origin: origin.to_owned(),
        });
    }
}

/// One setting as a provider of its own, so that the merged configuration knows the exact origin of each. Hands texts over as they are:
/// the library's provider for the environment would guess numbers and booleans.
struct Setting<'a> {
    key: &'a str,
    value: Value,
    layer: Layer,
    origin: String,
}

impl Provider for Setting<'_> {
    fn metadata(&self) -> Metadata {
        Metadata::from(
            self.layer.as_str(),
            figment::Source::Custom(self.origin.clone()),
        )
    }

    fn data(&self) -> figment::Result<Map<Profile, Dict>> {
        Ok(Profile::Default.collect(Dict::from([(self.key.to_owned(), self.value.clone())])))
    }
}

pub(super) fn raw(value: Value) -> Raw {
    match value {
        Value::String(_, text) => Raw::Text(text),
        Value::Char(_, c) => Raw::Text(c.to_string()),
        Value::Bool(_, b) => Raw::Literal(b.to_string()),
        Value::Num(_, number) => Raw::Literal(number_text(number)),
        Value::Array(_, items) => items
            .into_iter()
            .map(Value::into_string)
            .collect::<Option<_>>()
            .map_or(Raw::Other, Raw::List),
        Value::Dict(..) | Value::Empty(..) => Raw::Other,
    }
}

fn number_text(number: Num) -> String {
    match (number.to_i128(), number.to_u128(), number.to_f64()) {
        (Some(n), _, _) => n.to_string(),
        (None, Some(n), _) => n.to_string(),
        (None, None, f) => f.unwrap_or(f64::NAN).to_string(),
    }
}

fn read_bounded(path: &Path) -> Result<String, String> {
    let file = File::open(path).map_err(|error| error.to_string())?;
    let mut text = String::new();
    file.take(MAX_FILE_BYTES + 1)
        .read_to_string(&mut text)
        .map_err(|error| error.to_string())?;
    if text.len() as u64 > MAX_FILE_BYTES {
        Err(format!("it is longer than {MAX_FILE_BYTES} bytes"))
    } else {
        Ok(text)
    }
}
