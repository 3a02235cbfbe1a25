//! `labwatch man` and `labwatch completions`: what an installation puts beside the program.

use std::fs;
use std::path::{Path, PathBuf};

use clap::{Args, CommandFactory};

use super::{Cli, Failure, say};

/// Where the manual page goes.
#[derive(Debug, Args)]
pub struct ManArgs {
    /// Write it to man1/labwatch.1 below this folder, which is made where it is missing; for example /usr/local/share/man.
    #[arg(long, value_name = "FOLDER")]
    dir: Option<PathBuf>,
}

/// Prints or writes the manual page.
///
/// # Errors
/// [`Failure::Failed`] when it cannot be written.
pub(super) fn man(args: &ManArgs) -> Result<(), Failure> {
    let mut text = Vec::new();
    let rendered = clap_mangen::Man::new(Cli::command()).render(&mut text);
    rendered
        .map_err(|error| Failure::Failed(format!("The manual page cannot be made: {error}.")))?;
    match &args.dir {
        None => say(&String::from_utf8_lossy(&text)),
        Some(folder) => {
            let path = write_page(folder, &text)?;
            say(&path.display().to_string())
        }
    }
}

fn write_page(folder: &Path, text: &[u8]) -> Result<PathBuf, Failure> {
    let folder = folder.join("man1");
    let path = folder.join("labwatch.1");
    fs::create_dir_all(&folder)
        .and_then(|()| fs::write(&path, text))
        .map_err(|error| {
            let path = path.display();
            Failure::Failed(format!(
                "The manual page cannot be written to {path}: {error}."
            ))
        })?;
    Ok(path)
}

/// Prints the completions for a shell.
///
/// # Errors
/// [`Failure::Failed`] when standard output cannot be written.
pub(super) fn completions(shell: clap_complete::Shell) -> Result<(), Failure> {
    let mut text = Vec::new();
    clap_complete::generate(shell, &mut Cli::command(), "labwatch", &mut text);
    say(&String::from_utf8_lossy(&text))
}
