//! `labwatch man` and `labwatch completions`: files that an installation adds to the program.

use std::fs;
use std::path::{Path, PathBuf};

use clap::{Args, CommandFactory};

use super::Cli;
use super::failure::Failure;
use super::output::say;

/// Target of the manual page.
#[derive(Debug, Args)]
pub struct ManArgs {
    /// Write it to man1/labwatch.1 below this folder, and a page for each command beside it; for
    /// example /usr/local/share/man.
    #[arg(long, value_name = "FOLDER")]
    dir: Option<PathBuf>,
}

/// Prints or writes the manual page.
///
/// # Errors
/// [`Failure::Failed`] when it cannot be written.
pub(super) fn man(args: &ManArgs) -> Result<(), Failure> {
    if let Some(folder) = &args.dir {
        let page = write_pages(folder)?;
        return say(&page.display().to_string());
    }
    let mut text = Vec::new();
    let rendered = clap_mangen::Man::new(Cli::command()).render(&mut text);
    rendered
        .map_err(|error| Failure::Failed(format!("The manual page cannot be made: {error}.")))?;
    say(&String::from_utf8_lossy(&text))
}

/// Writes the pages and returns where the first one is.
fn write_pages(folder: &Path) -> Result<PathBuf, Failure> {
    let folder = folder.join("man1");
    fs::create_dir_all(&folder)
        .and_then(|()| clap_mangen::generate_to(Cli::command(), &folder))
        .map_err(|error| {
            let folder = folder.display();
            Failure::Failed(format!(
                "The manual pages cannot be written to {folder}: {error}."
            ))
        })?;
    Ok(folder.join("labwatch.1"))
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
