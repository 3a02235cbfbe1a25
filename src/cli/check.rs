//! `labwatch check`: says whether the configuration is right, whether the memory is sound and, when asked to, whether what the
//! configuration leads to works. Changes nothing anywhere, and does not disturb a labwatch that runs.

use std::path::Path;

use clap::Args;

use super::connect::{self, Finding};
use super::{Failure, complain, say};
use crate::config::{Config, MemorySettings, Sources, load};
use crate::store::{self, DATABASE_FILE, VerifyError};

/// How far the check goes.
#[derive(Debug, Args)]
pub struct CheckArgs {
    /// Also try book, jump, relay and the mail server. Nothing is switched and nothing is sent.
    #[arg(long)]
    connect: bool,
    /// Do not look through the memory. For the start of the service, which goes on without a sound memory and should not wait for it.
    #[arg(long)]
    no_memory: bool,
}

/// Checks the configuration and prints what it amounts to.
///
/// # Errors
/// [`Failure`] with every problem of the configuration, with what is wrong with the memory, or with the number of servers that do not work.
pub fn run(args: &CheckArgs, sources: &Sources) -> Result<(), Failure> {
    let loaded = load(sources)?;
    for warning in &loaded.warnings {
        complain(&format!("warning: {warning}"));
    }
    say(&format!("configuration ok\n{}", loaded.config.summary()))?;
    let memory = loaded
        .config
        .memory
        .as_ref()
        .filter(|_| !args.no_memory)
        .map_or(Ok(()), check_memory);
    if args.connect {
        try_servers(&loaded.config)?;
    }
    memory
}

/// Looks through the whole file, which takes about a second for each 200 MB.
fn check_memory(settings: &MemorySettings) -> Result<(), Failure> {
    let file = settings.folder.join(DATABASE_FILE);
    let report = match store::verify(&file) {
        Err(VerifyError::Missing(_)) => {
            return say(&format!(
                "memory: nothing is remembered yet in {}",
                settings.folder.display()
            ));
        }
        Err(VerifyError::Unreadable(_, why)) => return Err(unsound(&file, &why)),
        Err(error @ VerifyError::TooNew(_)) => {
            return Err(Failure::Failed(format!(
                "The memory cannot be checked: {error}."
            )));
        }
        Ok(report) if !report.problems.is_empty() => {
            return Err(unsound(&file, &report.problems.join("; ")));
        }
        Ok(report) => report,
    };
    let events = report.rows.get("events").copied().unwrap_or_default();
    say(&format!(
        "memory ok: {} with {events} events",
        file.display()
    ))
}

fn unsound(file: &Path, why: &str) -> Failure {
    Failure::Failed(format!(
        "The memory {} is damaged or cannot be read: {why}. Check it as the user that labwatch runs as; where it is damaged, stop labwatch \
         and put a backup in its place. Without one, labwatch moves it aside and begins anew.",
        file.display()
    ))
}

fn try_servers(config: &Config) -> Result<(), Failure> {
    let runtime = tokio::runtime::Builder::new_current_thread()
        .enable_all()
        .build();
    let runtime = runtime
        .map_err(|error| Failure::Failed(format!("The servers cannot be tried: {error}.")))?;
    let findings = runtime.block_on(connect::try_all(config));
    for finding in &findings {
        say(&line(finding))?;
    }
    match findings
        .iter()
        .filter(|finding| finding.outcome.is_err())
        .count()
    {
        0 => Ok(()),
        bad => Err(Failure::Failed(format!(
            "{bad} of {} servers do not work for labwatch.",
            findings.len()
        ))),
    }
}

fn line(finding: &Finding) -> String {
    match &finding.outcome {
        Ok(good) => format!("ok       {}: {good}", finding.server),
        Err(bad) => format!("FAILED   {}: {bad}", finding.server),
    }
}
