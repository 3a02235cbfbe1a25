//! `labwatch replay`: its arguments, and the call of the replay.

use std::io;
use std::path::PathBuf;

use clap::Args;

use super::failure::Failure;
use crate::config::{Sources, load_rules};
use crate::replay;

/// Recordings and output of a replay.
#[derive(Debug, Args)]
pub struct ReplayArgs {
    /// Folder with the recordings: relay.jsonl, jump.jsonl and book.jsonl.
    pub dir: PathBuf,
    /// One JSON object per line instead of text.
    #[arg(long)]
    pub json: bool,
}

/// How long after its first report an experiment is not evaluated in a replay: a recording begins
/// in the middle of a laboratory's life.
const STARTUP: &str = "5s";

/// Runs the recordings through the engine, with the rules of the configuration.
///
/// # Errors
/// [`Failure`] when the rules are wrong or the recordings cannot be read.
pub fn run(args: &ReplayArgs, sources: &Sources) -> Result<(), Failure> {
    let mut loaded = load_rules(sources)?;
    if !loaded.is_set("health_startup") {
        let mut quicker = sources.clone();
        quicker
            .overrides
            .push(("health_startup".to_owned(), STARTUP.to_owned()));
        loaded = load_rules(&quicker)?;
    }
    replay::run(
        &args.dir,
        loaded.config.health,
        args.json,
        &mut io::stdout().lock(),
    )
    .map_err(|error| Failure::Failed(format!("{error}.")))
}
