//! The layers of the configuration, merged: defaults, file, credentials, environment, arguments.
//! Knows the origin of each value and which names exist; does not interpret values.

use std::collections::BTreeMap;
use std::fs::File;
use std::io::Read;
use std::path::{Path, PathBuf};

use engine::model::Gather as _;

use super::declared::{self, ENV_PREFIX, Setting, declared, secrets, settings};
use super::document::{self, Entry, Raw, What};
use super::problem::Problem;
use super::sources::{ENV_CONFIG, Sources, behind_the_invisible};
use super::tables::{self, Row};
use super::unknown::{Unknown, is_service_link, unknown_table};

/// The largest configuration file that is read, in bytes.
pub const MAX_FILE_BYTES: u64 = 1 << 20;

/// The layer of a value; later ones win.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub(super) enum Layer {
    Defaults,
    File,
    Credentials,
    Environment,
    Arguments,
}

#[derive(Debug, Clone)]
pub(super) struct Found {
    pub(super) raw: Raw,
    pub(super) layer: Layer,
    pub(super) origin: String,
}

impl Found {
    /// The default of a setting or key, if it has one.
    pub(super) fn default_of(setting: &Setting) -> Option<Self> {
        let text = setting.value.to_owned();
        let raw = if setting.kind.is_bare_in_toml() {
            Raw::Literal(text)
        } else {
            Raw::Text(text)
        };
        setting.has_default.then(|| Self {
            raw,
            layer: Layer::Defaults,
            origin: String::new(),
        })
    }
}

#[derive(Default)]
pub(super) struct Layers {
    values: BTreeMap<&'static str, Found>,
    /// Settings that were set to an empty value, with its origin.
    empty: BTreeMap<&'static str, String>,
    /// The tables of the file, by their name.
    rows: BTreeMap<&'static str, Vec<Row>>,
    pub(super) unknown: Vec<Unknown>,
    pub(super) problems: Vec<Problem>,
    pub(super) warnings: Vec<String>,
}

impl Layers {
    /// Reads and merges all sources. What is wrong is kept.
    pub(super) fn gather(sources: &Sources) -> Self {
        let defaults = settings()
            .filter_map(|setting| Some((setting.name, Found::default_of(setting)?)))
            .gather();
        let mut layers = Self {
            values: defaults,
            ..Self::default()
        };
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
        layers.add_environment(&sources.env);
        for (key, value) in &sources.overrides {
            let origin = "argument --set".to_owned();
            layers.add(key, Raw::Text(value.clone()), Layer::Arguments, origin);
        }
        layers
    }

    /// The value in force, if there is one.
    pub(super) fn find(&self, key: &str) -> Option<&Found> {
        self.values.get(key)
    }

    /// The tables of this name in the file, in its order.
    pub(super) fn rows(&self, table: &str) -> &[Row] {
        self.rows.get(table).map_or(&[], Vec::as_slice)
    }

    /// The origin of an empty value of the setting, if it has one.
    pub(super) fn emptied_by(&self, key: &str) -> Option<&str> {
        self.empty.get(key).map(String::as_str)
    }

    /// Makes the value of `old` that of `new`, unless `new` is set itself. Returns whether `old` is
    /// set at all.
    pub(super) fn alias(&mut self, old: &'static str, new: &'static str) -> bool {
        let Some(found) = self.find(old).cloned() else {
            return false;
        };
        if !self.is_set(new) {
            self.values.insert(new, found);
        }
        true
    }

    /// Whether any layer but the defaults sets it.
    pub(super) fn is_set(&self, key: &str) -> bool {
        self.find(key)
            .is_some_and(|found| found.layer > Layer::Defaults)
    }

    /// The names of the settings that a layer other than the defaults sets.
    pub(super) fn set_keys(&self) -> impl Iterator<Item = &'static str> {
        self.values
            .iter()
            .filter(|(_, found)| found.layer > Layer::Defaults)
            .map(|(name, _)| *name)
    }

    fn add_file(&mut self, path: &Path) {
        let text = match read_bounded(path) {
            Ok(text) => text,
            Err(why) => {
                let wrong = format!(
                    "cannot read the configuration file {}: {why}",
                    path.display()
                );
                return self.problems.push(Problem::new("", wrong, "", ""));
            }
        };
        let text = text.strip_prefix('\u{feff}').unwrap_or(&text);
        match document::read(text, path) {
            Ok(entries) => entries.into_iter().for_each(|entry| self.add_entry(entry)),
            Err(problem) => self.problems.push(problem),
        }
    }

    fn add_entry(&mut self, entry: Entry) {
        let Entry { key, what, origin } = entry;
        match (declared::table(&key), what) {
            (Some(table), what) => {
                let (rows, problems) = tables::rows(table, what, &origin);
                self.rows.insert(table.name, rows);
                self.problems.extend(problems);
            }
            (None, What::Value(value)) => self.add(&key, value, Layer::File, origin),
            (None, What::One(_) | What::Many(_)) if declared(&key).is_some() => {
                self.add(&key, Raw::Other, Layer::File, origin);
            }
            (None, What::One(_) | What::Many(_)) => {
                self.problems.push(unknown_table(&key, &origin));
            }
        }
    }

    /// Every credential whose name is that of a secret, as if `<secret>_file` named it.
    fn add_credentials(&mut self, folder: &Path) {
        for secret in secrets() {
            let path = folder.join(secret);
            if path.exists() {
                let value = Raw::Text(path.to_string_lossy().into_owned());
                let origin = format!("credential {secret}");
                self.add(&format!("{secret}_file"), value, Layer::Credentials, origin);
            }
        }
    }

    fn add_environment(&mut self, env: &BTreeMap<String, String>) {
        let mut links = Vec::new();
        for (name, value) in env.iter().filter(|(name, _)| *name != ENV_CONFIG) {
            let Some(key) = name.strip_prefix(ENV_PREFIX) else {
                self.warn_of_the_invisible(name);
                continue;
            };
            if is_service_link(name, value) {
                links.push(name.as_str());
                continue;
            }
            let key = if key.bytes().any(|b| b.is_ascii_lowercase()) {
                name.clone()
            } else {
                key.to_ascii_lowercase()
            };
            let origin = format!("environment variable {name}");
            self.add(&key, Raw::Text(value.clone()), Layer::Environment, origin);
        }
        if !links.is_empty() {
            let warning = format!(
                "these variables are ignored, because Kubernetes or Docker made them for a service: {}",
                links.join(", ")
            );
            self.warnings.push(warning);
        }
    }

    fn warn_of_the_invisible(&mut self, name: &str) {
        let meant = behind_the_invisible(name);
        if meant.starts_with(ENV_PREFIX) {
            let warning = format!(
                "the environment has {name:?}, which is not {meant} and is ignored: take out what stands in front of the name, such as a \
                 byte order mark, where it is set"
            );
            self.warnings.push(warning);
        }
    }

    fn add(&mut self, key: &str, raw: Raw, layer: Layer, origin: String) {
        let Some(setting) = declared(key) else {
            return self.unknown.push(Unknown {
                key: key.to_owned(),
                origin,
                from_environment: layer == Layer::Environment,
            });
        };
        if matches!(&raw, Raw::Text(text) if text.trim().is_empty()) {
            self.empty.insert(setting.name, origin);
            return;
        }
        let found = Found { raw, layer, origin };
        self.values.insert(setting.name, found);
    }
}

fn read_bounded(path: &Path) -> Result<String, String> {
    let file = File::open(path).map_err(|error| error.to_string())?;
    let mut bytes = Vec::new();
    file.take(MAX_FILE_BYTES + 1)
        .read_to_end(&mut bytes)
        .map_err(|error| error.to_string())?;
    if bytes.len() as u64 > MAX_FILE_BYTES {
        return Err(format!("it is longer than {MAX_FILE_BYTES} bytes"));
    }
    String::from_utf8(bytes).map_err(|error| {
        let right = error.utf8_error().valid_up_to();
        let before = error.as_bytes().iter().take(right);
        let line = before.filter(|byte| **byte == b'\n').count() + 1;
        format!("line {line} is not UTF-8: save it as UTF-8")
    })
}
