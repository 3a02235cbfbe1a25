//! `labwatch demo`: its arguments, and the way to what does it.

use clap::{Args, ValueEnum};

use super::Failure;
use crate::config::Sources;

/// What the demonstration looks like.
#[derive(Debug, Args)]
pub struct DemoArgs {
    /// How many experiments the simulated laboratory has.
    #[arg(long, default_value_t = 6, value_parser = clap::value_parser!(u16).range(1..=10_000))]
    pub experiments: u16,
    /// Which relay it has: v0.7 reports statistics, v0.8 does not.
    #[arg(long, value_enum, default_value_t = RelayVersion::V08)]
    pub relay: RelayVersion,
    /// Port of labwatch's API; 0 takes any free one.
    #[arg(long, default_value_t = 0)]
    pub port: u16,
    /// Go through the story once and stop, instead of for ever.
    #[arg(long)]
    pub once: bool,
}

/// The two dialects of relay's reports.
#[derive(Debug, Clone, Copy, PartialEq, Eq, ValueEnum)]
pub enum RelayVersion {
    /// With statistics.
    #[value(name = "v0.7")]
    V07,
    /// Without statistics.
    #[value(name = "v0.8")]
    V08,
}

/// Runs the demonstration.
///
/// # Errors
/// [`Failure`] when it cannot start.
pub fn run(_args: &DemoArgs, _sources: &Sources) -> Result<(), Failure> {
    Err(Failure::Failed("The demonstration is not a part of this build.".to_owned()))
}
