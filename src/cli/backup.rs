//! `labwatch backup`: a copy of the store, made and checked while the service runs or not.

use std::path::PathBuf;

use clap::Args;

use super::failure::Failure;
use super::output::say;
use crate::config::{Sources, load_rules};
use crate::store;

/// Target of the copy.
#[derive(Debug, Args)]
pub struct BackupArgs {
    /// The file to write; it must not be there yet.
    pub file: PathBuf,
}

/// Copies the store into a file, and prints what is in the copy.
///
/// # Errors
/// [`Failure`] when there is no store, when the copy cannot be made, or when it is damaged.
pub fn run(args: &BackupArgs, sources: &Sources) -> Result<(), Failure> {
    let config = load_rules(sources)?.config;
    let Some(database) = config.database else {
        return Err(Failure::Usage(
            "data_dir is none, so there is nothing to copy.".to_owned(),
        ));
    };
    let report = store::backup(&database.folder, &args.file)
        .map_err(|error| Failure::Failed(format!("There is no copy: {error}.")))?;
    if !report.problems.is_empty() {
        return Err(Failure::Failed(format!(
            "The copy is not sound: {}.",
            report.problems.join("; ")
        )));
    }
    let events = report.rows.get("events").copied().unwrap_or_default();
    let newest = report
        .newest
        .map_or_else(String::new, |at| format!(", the newest entry of {at:.0}"));
    say(&format!(
        "{} is a sound copy of {}: {events} events{newest}",
        args.file.display(),
        database.folder.display()
    ))
}
