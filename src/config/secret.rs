//! Reads secrets: from their own setting, from a file, from systemd's credentials. Shows none.

use std::fs::File;
use std::io::Read;
use std::os::unix::fs::PermissionsExt;
use std::path::Path;

use secrecy::{ExposeSecret, SecretString};

use super::declared::Kind;
use super::hidden::{HiddenUrl, hidden_url};
use super::layers::{Found, Layer};
use super::problem::quote;
use super::reader::Reader;
use super::suspicion::{suspicion, unprintable};

pub const MAX_SECRET_BYTES: u64 = 16 << 10;

impl Reader<'_> {
    /// An address that may hold a secret: given as secrets are, and never shown. Where secrets are
    /// not read, a placeholder stands for one that is in a file.
    pub(super) fn secret_address(&mut self, key: &str) -> Option<HiddenUrl> {
        let (value, file) = (self.find(key), self.find(&format!("{key}_file")));
        if !(self.secrets)(key) {
            return match value.map(|found| (found, found.raw.text())) {
                Some((_, Some(text))) => self.address_in(key, text, value),
                Some((found, None)) => self.reject(key, "is not a text", found),
                None => file.and_then(|_| HiddenUrl::unread()),
            };
        }
        let text = self.secret(key)?;
        self.address_in(key, text.expose_secret(), value.or(file))
    }

    fn address_in(&mut self, key: &str, text: &str, found: Option<&Found>) -> Option<HiddenUrl> {
        let text = text.trim();
        let address = match unprintable(text) {
            Some(why) => Err(why.to_owned()),
            None => hidden_url(text),
        };
        match (address, found) {
            (Ok(address), _) => Some(address),
            (Err(why), Some(found)) => self.reject(key, &why, found),
            (Err(_), None) => None,
        }
    }

    /// A secret, from its own setting or from the file that `<key>_file` names; the later layer
    /// wins.
    pub(super) fn secret(&mut self, key: &str) -> Option<SecretString> {
        if !(self.secrets)(key) {
            return None;
        }
        let file_key = format!("{key}_file");
        let (value, file) = (self.find(key), self.find(&file_key));
        if let Some((value, file)) = value.zip(file) {
            if value.layer == file.layer {
                let wrong = format!("and {file_key} are both set");
                let origin = format!("{} and {}", value.origin, file.origin);
                return self.refuse(key, &wrong, "leave one out", &origin);
            }
            let (used, other) = if value.layer > file.layer {
                (value, file)
            } else {
                (file, value)
            };
            self.warnings.push(format!(
                "{} is given twice: {} is used, {} is not",
                self.label(key),
                used.origin,
                other.origin
            ));
        }
        let is_later = |value: &&Found| file.is_none_or(|file| value.layer > file.layer);
        match value.filter(is_later) {
            Some(value) => self.secret_value(key, value),
            None => self.secret_file(&file_key, file?),
        }
    }

    fn secret_value(&mut self, key: &str, found: &Found) -> Option<SecretString> {
        let Some(text) = found.raw.text() else {
            return self.refuse(key, "is not a text", &Kind::Secret.allowed(), &found.origin);
        };
        if text.contains('\u{fffd}') {
            return self.refuse(key, "is not UTF-8", &Kind::Secret.allowed(), &found.origin);
        }
        if found.layer == Layer::Arguments {
            self.warnings.push(format!(
                "{key} is given as an argument, where every user of this host can read it"
            ));
        }
        if let (Layer::File, Some((path, _))) = (found.layer, found.origin.rsplit_once(':')) {
            self.warn_if_open(key, Path::new(path));
        }
        Some(self.trimmed(key, text, found))
    }

    /// The secret in a file. A value that is not an absolute path is not shown: it may be the
    /// secret
    /// itself.
    fn secret_file(&mut self, key: &str, found: &Found) -> Option<SecretString> {
        const PATH: &str = "an absolute path";
        let path = found
            .raw
            .text()
            .filter(|text| text.starts_with('/') && unprintable(text).is_none());
        let Some(path) = path.map(Path::new) else {
            return self.refuse(key, "is not an absolute path", PATH, &found.origin);
        };
        match read_secret(path) {
            Ok(text) => {
                self.warn_if_open(key, path);
                Some(self.trimmed(key, &text, found))
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

    /// The secret as it is, with a warning where it holds more than was probably meant.
    fn trimmed(&mut self, key: &str, text: &str, found: &Found) -> SecretString {
        let in_toml = found.layer == Layer::File && !key.ends_with("_file");
        let odd = if text.trim() == text {
            unprintable(text).or_else(|| suspicion(text, in_toml))
        } else {
            Some("starts or ends with white space, which is taken as a part of it")
        };
        if let Some(odd) = odd {
            let warning = format!("{} {odd} ({})", self.label(key), found.origin);
            self.warnings.push(warning);
        }
        SecretString::from(text)
    }

    fn warn_if_open(&mut self, key: &str, path: &Path) {
        self.warnings.extend(open_file(&self.label(key), path));
    }
}

/// The warning of a file that every user can read.
pub(super) fn open_file(key: &str, path: &Path) -> Option<String> {
    let metadata = path.metadata().ok()?;
    let path = path.display();
    (metadata.permissions().mode() & 0o004 != 0).then(|| {
        format!("{key}: every user of this host can read {path}; take the right away with chmod o-r {path}")
    })
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
