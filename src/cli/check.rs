//! `labwatch check`: says whether the configuration is right and, when asked to, whether what it leads to works. Changes nothing anywhere.

use clap::Args;

use super::connect::{self, Finding};
use super::{Failure, complain, say};
use crate::config::{Config, Sources, load};

/// How far the check goes.
#[derive(Debug, Args)]
pub struct CheckArgs {
    /// Also try book, jump, relay and the mail server. Nothing is switched and nothing is sent.
    #[arg(long)]
    connect: bool,
}

/// Checks the configuration and prints what it amounts to.
///
/// # Errors
/// [`Failure`] with every problem of the configuration, or with the number of servers that do not work.
pub fn run(args: &CheckArgs, sources: &Sources) -> Result<(), Failure> {
    let loaded = load(sources)?;
    for warning in &loaded.warnings {
        complain(&format!("warning: {warning}"));
    }
    say(&format!("configuration ok\n{}", loaded.config.summary()))?;
    if args.connect { try_servers(&loaded.config) } else { Ok(()) }
}

fn try_servers(config: &Config) -> Result<(), Failure> {
    let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build();
    let runtime = runtime.map_err(|error| Failure::Failed(format!("The servers cannot be tried: {error}.")))?;
    let findings = runtime.block_on(connect::try_all(config));
    for finding in &findings {
        say(&line(finding))?;
    }
    match findings.iter().filter(|finding| finding.outcome.is_err()).count() {
        0 => Ok(()),
        bad => Err(Failure::Failed(format!("{bad} of {} servers do not work for labwatch.", findings.len()))),
    }
}

fn line(finding: &Finding) -> String {
    match &finding.outcome {
        Ok(good) => format!("ok       {}: {good}", finding.server),
        Err(bad) => format!("FAILED   {}: {bad}", finding.server),
    }
}
