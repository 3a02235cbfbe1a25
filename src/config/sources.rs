//! Sources of the configuration, as this process was started with them.

use std::collections::BTreeMap;
use std::path::PathBuf;

use engine::model::Gather as _;

use super::declared::ENV_PREFIX;

/// The variable that names the configuration file.
pub const ENV_CONFIG: &str = "STATUS_CONFIG";

/// The variable whose default is systemd's state directory.
const DATA_DIR: &str = "STATUS_DATA_DIR";

/// Sources of the configuration, apart from the defaults.
#[derive(Default, Clone)]
pub struct Sources {
    /// The configuration file (`--config`); without it the one that `STATUS_CONFIG` names.
    pub file: Option<PathBuf>,
    /// The environment; only names that start with `STATUS_` matter. One that does so behind
    /// invisible characters causes a warning.
    pub env: BTreeMap<String, String>,
    /// Settings from the command line, as key and value; the last one wins.
    pub overrides: Vec<(String, String)>,
    pub credentials: Option<PathBuf>,
}

impl Sources {
    /// The sources of this process: its environment, with what its arguments say.
    pub fn from_process(file: Option<PathBuf>, overrides: Vec<(String, String)>) -> Self {
        let mut env: BTreeMap<String, String> = std::env::vars_os()
            .map(|(name, value)| (name.to_string_lossy().into_owned(), value))
            .filter(|(name, _)| behind_the_invisible(name).starts_with(ENV_PREFIX))
            .map(|(name, value)| (name, value.to_string_lossy().into_owned()))
            .gather();
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

#[cfg(test)]
impl Sources {
    /// These settings alone.
    pub(crate) fn of(settings: &[(&str, &str)]) -> Self {
        let owned = |(key, value): &(&str, &str)| ((*key).to_owned(), (*value).to_owned());
        Self {
            overrides: settings.iter().map(owned).collect(),
            ..Self::default()
        }
    }

    /// These settings, for a laboratory whose servers are all at `host`.
    pub(crate) fn of_laboratory(host: &str, settings: &[(&str, &str)]) -> Self {
        let mut sources = Self::of(settings);
        for server in ["book", "jump", "relay"] {
            for (key, value) in [("host", host), ("scheme", "http"), ("secret", "somesecret")] {
                let setting = (format!("{key}_{server}"), value.to_owned());
                sources.overrides.push(setting);
            }
        }
        sources
    }
}

/// A name without the characters that editors and shells can leave in front of it: a byte order
/// mark, blanks, quotation marks, `export`.
pub(super) fn behind_the_invisible(name: &str) -> &str {
    let odd = |c: char| !c.is_ascii_alphanumeric() && c != '_';
    let name = name.trim_start_matches(odd);
    name.strip_prefix("export ")
        .map_or(name, |name| name.trim_start_matches(odd))
}
