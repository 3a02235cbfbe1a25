//! Declaration of a setting: its name, its kind and range, its default, when a change takes effect,
//! and its meaning.

use std::time::Duration;

use crate::config::bounds::{either, short, size_text};

/// The prefix of every setting's name in the environment.
pub const ENV_PREFIX: &str = "STATUS_";

#[derive(Debug, Clone, Copy)]
pub struct Section {
    /// The heading in the documentation.
    pub title: &'static str,
    /// In the order of the documentation.
    pub settings: &'static [Setting],
}

/// A kind of table of the configuration file.
#[derive(Debug, Clone, Copy)]
pub struct Table {
    pub name: &'static str,
    /// Whether a file may have several.
    pub repeats: bool,
    /// When a change of it takes effect.
    pub reload: Reload,
    pub text: &'static str,
    pub keys: &'static [Setting],
}

impl Table {
    /// Its heading in the file.
    pub fn heading(&self) -> String {
        if self.repeats {
            format!("[[{}]]", self.name)
        } else {
            format!("[{}]", self.name)
        }
    }
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Reload {
    /// When the configuration is reloaded (SIGHUP).
    AtOnce,
    AtRestart,
}

/// A setting, or a key of a table.
#[derive(Debug, Clone, Copy)]
pub struct Setting {
    /// Its name in the configuration file.
    pub name: &'static str,
    pub kind: Kind,
    /// The default, or an example, without the quotation marks of TOML.
    pub value: &'static str,
    /// Whether `value` is in force unless set otherwise; if not it is an example.
    pub has_default: bool,
    /// When a change takes effect; a key follows its table.
    pub reload: Reload,
    pub(super) text: &'static str,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Kind {
    Text,
    /// A text that is never shown. It may also come from a file, by the setting of the same name
    /// with `_file` appended.
    Secret,
    Path,
    Switch,
    /// A duration from the first to the second.
    Duration(Duration, Duration),
    /// One of these words, or a duration.
    WordOrDuration(&'static [&'static str], Duration, Duration),
    /// A number from the first to the second.
    Number(u64, u64),
    /// A size in bytes, from the first to the second.
    Size(u64, u64),
    /// One of these words, in capitals or not.
    Choice(&'static [&'static str]),
    Value(&'static str),
    /// Several values that these words describe: a list of TOML, or a text with commas or white
    /// space between them.
    Values(&'static str),
    /// What these words describe; it may hold a secret, so it is never shown whole.
    Hidden(&'static str),
}

impl Kind {
    /// The allowed values, as text.
    pub fn allowed(&self) -> String {
        match self {
            Self::Text => "a text without control characters".to_owned(),
            Self::Secret => "a text that is not empty; in TOML in quotation marks".to_owned(),
            Self::Path => "an absolute path".to_owned(),
            Self::Switch => "true or false".to_owned(),
            Self::Duration(from, to) => {
                format!("a duration from {} to {}", short(*from), short(*to))
            }
            Self::WordOrDuration(words, from, to) => {
                let (from, to) = (short(*from), short(*to));
                format!("{}, or a duration from {from} to {to}", words.join(", "))
            }
            Self::Number(from, to) => format!("a number from {from} to {to}"),
            Self::Size(from, to) => {
                format!("a size from {} to {}", size_text(*from), size_text(*to))
            }
            Self::Choice(words) => either(words),
            Self::Value(words) | Self::Values(words) | Self::Hidden(words) => (*words).to_owned(),
        }
    }

    pub(in crate::config) fn is_bare_in_toml(&self) -> bool {
        matches!(self, Self::Switch | Self::Number(..))
    }
}

/// Settings or keys of a table, each with what it means as its documentation: its name, its kind,
/// its default or an example, and whether a change of it takes effect at once.
macro_rules! settings {
    ($($(#[doc = $text:literal])+ $name:ident: $kind:expr $(, $trait:ident $(($value:expr))?)*;)*) => {
        &[$(
            $crate::config::declared::Setting::new(stringify!($name), $kind, concat!($($text),+))
                $(.$trait($($value)?))*,
        )*]
    };
}
pub(super) use settings;

impl Setting {
    /// Without more it has an empty example and waits for a restart.
    pub(super) const fn new(name: &'static str, kind: Kind, text: &'static str) -> Self {
        Self {
            name,
            kind,
            value: "",
            has_default: false,
            reload: Reload::AtRestart,
            text: text.trim_ascii_start(),
        }
    }

    pub(super) const fn default(self, value: &'static str) -> Self {
        Self {
            value,
            has_default: true,
            ..self
        }
    }

    pub(super) const fn example(self, value: &'static str) -> Self {
        Self { value, ..self }
    }

    pub(super) const fn at_once(self) -> Self {
        Self {
            reload: Reload::AtOnce,
            ..self
        }
    }

    pub fn variable(&self) -> String {
        variable(self.name)
    }

    /// The default or the example as it stands in a TOML file.
    pub fn toml(&self) -> String {
        let is_list = self.value.starts_with('[') && matches!(self.kind, Kind::Values(_));
        if self.kind.is_bare_in_toml() || is_list {
            self.value.to_owned()
        } else {
            format!("\"{}\"", self.value)
        }
    }

    /// What it means, its unit, and what is allowed.
    pub fn doc(&self) -> String {
        format!("{} Allowed: {}.", self.text, self.kind.allowed())
    }
}

/// The name of the setting `key` in the environment.
pub fn variable(key: &str) -> String {
    format!("{ENV_PREFIX}{}", key.to_ascii_uppercase())
}

// Allowed values that several settings share, as text.
pub(super) const ADDRESSES: &str =
    "mail addresses, separated by commas or white space, or a list of them";
// Any text: it is compared byte by byte, so characters that were copied by mistake would matter.
pub(super) const AUDIENCE: &str = "a text without control characters";
pub(super) const ADVICE: &str = "one line of at most 1000 bytes";
pub(super) const BASE_PATH: &str = "a path such as /ed0/book";
pub(super) const CALLABLE_URL: &str = "an http or https URL without user and fragment";
pub(super) const FINGERPRINT: &str =
    "the SHA-256 of a certificate: 64 hexadecimal digits, with or without colons";
pub(super) const HOST: &str = "a host without port";
pub(super) const HOST_AND_PORT: &str = "a host, or host:port, without scheme and path";
pub(super) const INSTANT: &str = "a date and time, with an offset or else by the clock of zone: \
                       2026-09-01T08:00:00+01:00 or 2026-09-01T08:00";
pub(super) const NAMES: &str = "names, separated by commas or white space, or a list of them";
pub(super) const PATTERNS: &str =
    "patterns of names, separated by commas or white space, or a list of them";
pub(super) const PORT_OR_NONE: &str = "a number from 0 to 65535, or none";
pub(super) const PLAIN_URL: &str = "an http or https URL without user, query and fragment";
pub(super) const SENTENCES: &str = "a text without control characters of at most 500 bytes";
pub(super) const SLUG: &str = "letters, digits, dots, dashes and underscores, at most 64";
pub(super) const SOCKET_URL: &str = "a ws or wss URL without user, path, query and fragment";
pub(super) const URL: &str = "an http or https URL";
pub(super) const ZONE: &str = "a time zone by its IANA name, such as Europe/London";
