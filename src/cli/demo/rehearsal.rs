//! The files with which a second labwatch watches the simulated laboratory, laid out as an
//! installation has them.

use std::fmt::Write as _;
use std::fs::{self, OpenOptions};
use std::io::{self, Write as _};
use std::path::Path;

use lab::Lab;

use super::{SETTINGS, secret};
use crate::cli::Failure;

/// The first line of the environment file. A file that begins otherwise is not overwritten.
const MARK: &str = "# Made by `labwatch demo --env`.";

/// The prefix of the variables of servers' secrets.
const SECRET: &str = "STATUS_SECRET_";

/// Writes them into `folder`, and returns how to use them.
///
/// # Errors
/// [`Failure::Failed`] when a file cannot be written, or when the folder has an environment file of
/// another origin.
pub(super) fn write(folder: &Path, lab: &Lab) -> Result<String, Failure> {
    let mut variables = lab.environment();
    variables.push((format!("{SECRET}API"), secret()?));
    let written = write_all(folder, &variables).map_err(|error| {
        let folder = folder.display();
        Failure::Failed(format!(
            "The files of --env cannot be written to {folder}: {error}."
        ))
    })?;
    let file = written.display();
    Ok(format!(
        "A second labwatch watches the same laboratory with: set -a; . {file}; set +a; labwatch serve"
    ))
}

fn write_all(folder: &Path, variables: &[(String, String)]) -> io::Result<std::path::PathBuf> {
    fs::create_dir_all(folder.join("secrets"))?;
    let folder = folder.canonicalize()?;
    let file = folder.join("labwatch.env");
    if fs::read_to_string(&file).is_ok_and(|text| !text.starts_with(MARK)) {
        return Err(io::Error::other(
            "it has a labwatch.env that the demonstration did not make",
        ));
    }
    let mut text = format!(
        "{MARK} At each start the simulated laboratory has new ports, and the API a new secret.\n\n"
    );
    for (name, value) in variables {
        let line = match name.strip_prefix(SECRET) {
            None => format!("{name}='{value}'\n"),
            Some(server) => {
                let path = folder
                    .join("secrets")
                    .join(format!("secret_{}", server.to_lowercase()));
                write_private(&path, value)?;
                format!("{name}_FILE='{}'\n", path.display())
            }
        };
        text.push_str(&line);
    }
    let data = folder.join("data");
    let _ = write!(
        text,
        "STATUS_DATA_DIR='{}'\n\n# Rules as quick as the demonstration's own.\n",
        data.display()
    );
    let rules = SETTINGS
        .iter()
        .filter(|(key, _)| key.starts_with("health_"));
    for (key, value) in rules {
        let _ = writeln!(text, "#STATUS_{}={value}", key.to_uppercase());
    }
    fs::write(&file, text)?;
    Ok(file)
}

/// Writes a file that only its owner may read.
fn write_private(path: &Path, text: &str) -> io::Result<()> {
    // A file of an earlier demonstration may have other permissions.
    if path.exists() {
        fs::remove_file(path)?;
    }
    let mut options = OpenOptions::new();
    options.write(true).create_new(true);
    #[cfg(unix)]
    std::os::unix::fs::OpenOptionsExt::mode(&mut options, 0o600);
    options.open(path)?.write_all(text.as_bytes())
}

#[cfg(test)]
mod tests {
    use std::collections::BTreeMap;

    use super::*;
    use crate::config::{Sources, load};

    #[tokio::test]
    async fn a_second_labwatch_starts_with_the_files() {
        let lab = Lab::start(lab::Plan::fleet(1)).await.expect("starts");
        let folder = tempfile::tempdir().expect("a folder");
        for _ in 0..2 {
            let advice = write(folder.path(), &lab).expect("writes, and writes again");
            assert!(advice.contains("labwatch serve"), "{advice}");
        }
        let text = fs::read_to_string(folder.path().join("labwatch.env")).expect("reads");
        assert!(!text.contains("relay-secret"), "{text}");
        let lines = text.lines().filter(|line| !line.starts_with('#'));
        let env: BTreeMap<String, String> = lines
            .filter_map(|line| line.split_once('='))
            .map(|(name, value)| (name.to_owned(), value.trim_matches('\'').to_owned()))
            .collect();
        let sources = Sources {
            env,
            ..Sources::default()
        };
        let config = load(&sources).expect("a whole configuration").config;
        assert!(config.api.listen.is_some());
    }

    #[tokio::test]
    async fn an_environment_file_of_an_installation_is_kept() {
        let lab = Lab::start(lab::Plan::fleet(1)).await.expect("starts");
        let folder = tempfile::tempdir().expect("a folder");
        let file = folder.path().join("labwatch.env");
        fs::write(&file, "STATUS_LABEL=mine\n").expect("writes");
        assert!(write(folder.path(), &lab).is_err());
        assert_eq!(
            fs::read_to_string(&file).expect("reads"),
            "STATUS_LABEL=mine\n"
        );
    }
}
