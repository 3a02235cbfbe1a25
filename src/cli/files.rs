//! Files that commands write for an installation: all of them or none, and secrets readable by
//! their owner alone.

use std::fs::{self, DirBuilder, OpenOptions};
use std::io::{self, Write as _};
use std::os::unix::fs::{DirBuilderExt as _, OpenOptionsExt as _};
use std::path::{Path, PathBuf};

use aws_lc_rs::rand;
use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;

use super::failure::Failure;

/// The name of the drop-in that passes the secrets to the unit.
pub(super) const CREDENTIALS: &str = "credentials.conf";

/// The folder of the secrets within that of the configuration.
pub(super) const SECRETS: &str = "secrets";

/// The random bytes of a secret that labwatch makes.
const SECRET_BYTES: usize = 36;

/// Who may read a file.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Mode {
    Open,
    Private,
}

impl Mode {
    /// The rights of a file, and of the folder that is made for it.
    const fn rights(self) -> (u32, u32) {
        match self {
            Self::Open => (0o644, 0o755),
            Self::Private => (0o600, 0o700),
        }
    }
}

/// Writes them, unless one is there and is not to be replaced.
///
/// # Errors
/// [`Failure::Failed`], with the files that are there, or the one that cannot be written.
pub(super) fn write_all(all: &[(PathBuf, String, Mode)], replace: bool) -> Result<(), Failure> {
    let there: Vec<String> = all
        .iter()
        .filter(|(path, ..)| !replace && path.exists())
        .map(|(path, ..)| path.display().to_string())
        .collect();
    if !there.is_empty() {
        return Err(Failure::Failed(format!(
            "Nothing is written, because these files are there: {}. With --force they are replaced.",
            there.join(", ")
        )));
    }
    for (path, text, mode) in all {
        write(path, text, *mode)?;
    }
    Ok(())
}

/// The drop-in that passes these secrets to the unit.
pub(super) fn credentials(folder: &Path, names: &[&str]) -> String {
    let start =
        "# Which secrets systemd hands to labwatch.\n[Service]\nLoadCredential=\n".to_owned();
    names.iter().fold(start, |all, name| {
        let path = folder.join(SECRETS).join(name);
        format!("{all}LoadCredential={name}:{}\n", path.display())
    })
}

/// Adds the line to a file that may be missing, unless a line with the same beginning is in force
/// there.
///
/// # Errors
/// [`Failure::Failed`] when it cannot be written.
pub(super) fn append_line(path: &Path, beginning: &str, line: &str) -> Result<(), Failure> {
    let text = fs::read_to_string(path).unwrap_or_default();
    if text.lines().any(|there| there.starts_with(beginning)) {
        return Ok(());
    }
    let gap = if text.is_empty() || text.ends_with('\n') {
        ""
    } else {
        "\n"
    };
    write(path, &format!("{text}{gap}{line}\n"), Mode::Open)
}

/// A secret that cannot be guessed.
///
/// # Errors
/// [`Failure::Failed`] when the system gives no random bytes.
pub(super) fn random_secret() -> Result<String, Failure> {
    let mut bytes = [0; SECRET_BYTES];
    rand::fill(&mut bytes)
        .map_err(|_| Failure::Failed("The system gives no random bytes.".to_owned()))?;
    Ok(STANDARD.encode(bytes))
}

fn write(path: &Path, text: &str, mode: Mode) -> Result<(), Failure> {
    put(path, text, mode)
        .map_err(|error| Failure::Failed(format!("{} cannot be written: {error}.", path.display())))
}

/// Writes a file atomically, with its permissions from the beginning.
fn put(path: &Path, text: &str, mode: Mode) -> io::Result<()> {
    let (of_file, of_folder) = mode.rights();
    let folder = path.parent().unwrap_or(Path::new("."));
    if !folder.exists() {
        DirBuilder::new()
            .recursive(true)
            .mode(of_folder)
            .create(folder)?;
    }
    let mut name = path.file_name().unwrap_or_default().to_owned();
    name.push(".new");
    let new = path.with_file_name(name);
    if new.exists() {
        fs::remove_file(&new)?;
    }
    let mut options = OpenOptions::new();
    options.write(true).create_new(true).mode(of_file);
    let mut file = options.open(&new)?;
    file.write_all(text.as_bytes())?;
    file.sync_all()?;
    fs::rename(&new, path)
}

#[cfg(test)]
mod tests {
    use std::os::unix::fs::PermissionsExt as _;

    use super::*;

    #[test]
    fn secrets_are_their_owners_and_nothing_is_replaced_unasked() {
        let folder = tempfile::tempdir().expect("a folder");
        let secret = folder.path().join("secrets/secret_book");
        let files = [(secret.clone(), "hunter22".to_owned(), Mode::Private)];
        write_all(&files, false).expect("writes");
        let mode = |path: &Path| fs::metadata(path).expect("is there").permissions().mode() & 0o777;
        assert_eq!(mode(&secret), 0o600);
        assert_eq!(mode(secret.parent().expect("a folder")), 0o700);

        let other = folder.path().join("labwatch.env");
        let both = [
            (other.clone(), "A=1\n".to_owned(), Mode::Open),
            (secret.clone(), "other".to_owned(), Mode::Private),
        ];
        assert!(write_all(&both, false).is_err());
        assert!(!other.exists(), "all or none");
        write_all(&both, true).expect("replaces");
        assert_eq!(fs::read_to_string(&secret).expect("reads"), "other");
        assert_eq!(mode(&secret), 0o600);
    }
}
