//! `labwatch replay`: its arguments, and the way to what does it.

use std::path::PathBuf;

use clap::Args;

use super::Failure;
use crate::config::{Sources, load_rules};

/// What is replayed and how it is told.
#[derive(Debug, Args)]
pub struct ReplayArgs {
    /// Folder with the recordings: relay.jsonl, jump.jsonl and book.jsonl.
    pub dir: PathBuf,
    /// One JSON object a line instead of words for people.
    #[arg(long)]
    pub json: bool,
}

/// Runs the recordings through the engine.
///
/// # Errors
/// [`Failure`] when the rules are wrong or the recordings cannot be read.
pub fn run(_args: &ReplayArgs, sources: &Sources) -> Result<(), Failure> {
    load_rules(sources)?;
    Err(Failure::Failed("Replaying is not a part of this build.".to_owned()))
}
