//! `labwatch check`: whether the configuration is valid, the store is sound and, on request, the
//! servers of the configuration work. Changes nothing anywhere, and does not disturb a running
//! labwatch.

use std::io::ErrorKind;
use std::path::Path;

use clap::Args;
use jiff::Timestamp;
use serde::Serialize;

use super::ask::current_thread;
use super::connect::{self, Finding};
use super::coverage;
use super::failure::Failure;
use super::output::{Output, json, say, warn};
use crate::config::{Config, DatabaseSettings, LogSettings, LogTarget, Sources, load};
use crate::store::{self, DATABASE_FILE, VerifyError};

/// Extent of the check.
#[derive(Debug, Args)]
pub struct CheckArgs {
    /// Also try book, jump, relay, the mail server and etcd. Nothing is switched and nothing is
    /// sent.
    #[arg(long)]
    connect: bool,
    /// Do not look through the store. For the start of the service, which goes on without a sound
    /// store and should not wait for it.
    #[arg(long, alias = "no-memory")]
    no_store: bool,
    /// Print what is wrong and nothing else. For the start of the service, whose log gets the
    /// warnings too.
    #[arg(long, conflicts_with = "connect")]
    quiet: bool,
    /// How the findings are written.
    #[arg(long, value_enum, default_value = "text", conflicts_with = "quiet")]
    output: Output,
}

/// What a check found: printed at once as text, or all of it at the end as JSON.
#[derive(Debug, Default, Serialize)]
struct Findings {
    #[serde(skip)]
    output: Output,
    /// Whether there are no problems; warnings do not count.
    ok: bool,
    /// Errors.
    problems: Vec<String>,
    /// What is allowed and looks like a mistake.
    warnings: Vec<String>,
    /// The summary of the configuration.
    summary: Vec<String>,
    /// Notes on the log, the store and the tables.
    notes: Vec<String>,
    /// The state of each server.
    servers: Vec<ServerFound>,
}

/// The state of a server.
#[derive(Debug, Serialize)]
struct ServerFound {
    name: &'static str,
    ok: bool,
    /// Its state, or what is wrong and what to do.
    detail: String,
}

impl Findings {
    fn note(&mut self, text: String) -> Result<(), Failure> {
        if self.output == Output::Text {
            return say(&text);
        }
        self.notes.push(text);
        Ok(())
    }

    fn warn(&mut self, text: String) {
        if self.output == Output::Text {
            warn(&format!("warning: {text}"));
        } else {
            self.warnings.push(text);
        }
    }

    fn summary(&mut self, config: &Config) -> Result<(), Failure> {
        let summary = config.summary();
        if self.output == Output::Text {
            return say(&format!("configuration ok\n{summary}"));
        }
        self.summary = summary.lines().map(str::to_owned).collect();
        Ok(())
    }

    fn server(&mut self, finding: Finding) -> Result<(), Failure> {
        if self.output == Output::Text {
            return say(&line(&finding));
        }
        let ok = finding.outcome.is_ok();
        let (Ok(detail) | Err(detail)) = finding.outcome;
        self.servers.push(ServerFound {
            name: finding.server,
            ok,
            detail,
        });
        Ok(())
    }

    /// Prints the result as JSON. Errors also go to standard error, as always.
    fn conclude(mut self, outcome: Result<(), Failure>) -> Result<(), Failure> {
        if self.output == Output::Json {
            self.ok = outcome.is_ok();
            self.problems = outcome
                .as_ref()
                .err()
                .map(Failure::problems)
                .unwrap_or_default();
            say(&json(&self)?)?;
        }
        outcome
    }
}

/// Checks the configuration and prints its summary.
///
/// # Errors
/// [`Failure`] with every problem of the configuration, with the fault of the log or the store, or
/// with the number of servers that do not work.
pub fn run(args: &CheckArgs, sources: &Sources) -> Result<(), Failure> {
    if args.quiet {
        return Ok(load(sources).map(drop)?);
    }
    let mut findings = Findings {
        output: args.output,
        ..Findings::default()
    };
    let outcome = check(args, sources, &mut findings);
    findings.conclude(outcome)
}

fn check(args: &CheckArgs, sources: &Sources, findings: &mut Findings) -> Result<(), Failure> {
    let loaded = load(sources)?;
    for warning in loaded.warnings {
        findings.warn(warning);
    }
    findings.summary(&loaded.config)?;
    let log = check_log(&loaded.config.log, findings);
    let store = loaded
        .config
        .database
        .as_ref()
        .filter(|_| !args.no_store)
        .map_or(Ok(()), |settings| check_store(settings, findings));
    if args.connect {
        try_servers(&loaded.config, findings)?;
    }
    log.and(store)
}

/// Whether the log can be written to its target. Leaves nothing behind.
fn check_log(settings: &LogSettings, findings: &mut Findings) -> Result<(), Failure> {
    let LogTarget::File(file) = &settings.target else {
        return Ok(());
    };
    let path = file.path.display();
    match std::fs::metadata(&file.path) {
        Ok(metadata) if !metadata.is_file() => findings.note(format!(
            "log: {path} is a device, a pipe or a socket: it is written to and never rotated"
        )),
        Ok(_) => Ok(()),
        Err(_) => can_be_made(&file.path).map_err(|why| {
            Failure::Failed(format!(
                "The log file {path} cannot be made: {why}. Check log_file."
            ))
        }),
    }
}

/// Whether a file can be created at this path: tried in the innermost existing folder, because for
/// root only the attempt shows it.
fn can_be_made(path: &Path) -> Result<(), String> {
    let there = path.ancestors().skip(1).find(|folder| folder.exists());
    let folder = there.filter(|folder| !folder.as_os_str().is_empty());
    let folder = folder.unwrap_or(Path::new("."));
    if !folder.is_dir() {
        return Err(format!("{} is no folder", folder.display()));
    }
    tempfile::tempdir_in(folder)
        .map(drop)
        .map_err(|error| format!("nothing can be made in {}: {error}", folder.display()))
}

/// Checks the whole file, which takes about a second for each 200 MB.
fn check_store(settings: &DatabaseSettings, findings: &mut Findings) -> Result<(), Failure> {
    let file = settings.folder.join(DATABASE_FILE);
    let is_new = std::fs::metadata(&file)
        .is_err_and(|error| matches!(error.kind(), ErrorKind::NotFound | ErrorKind::NotADirectory));
    if is_new {
        return check_new_store(&settings.folder, findings);
    }
    let report = match store::verify(&file) {
        Err(VerifyError::Missing(_)) => return check_new_store(&settings.folder, findings),
        Err(VerifyError::Unreadable(_, why)) => return Err(unsound(&file, &why)),
        Err(error @ VerifyError::TooNew(_)) => {
            return Err(Failure::Failed(format!(
                "The store cannot be checked: {error}."
            )));
        }
        Ok(report) if !report.problems.is_empty() => {
            return Err(unsound(&file, &report.problems.join("; ")));
        }
        Ok(report) => report,
    };
    let events = report.rows.get("events").copied().unwrap_or_default();
    findings.note(format!("store ok: {} with {events} events", file.display()))
}

/// Checks a store that is created at the first start.
fn check_new_store(folder: &Path, findings: &mut Findings) -> Result<(), Failure> {
    if folder.exists() && !folder.is_dir() {
        let folder = folder.display();
        return Err(Failure::Failed(format!(
            "The store cannot be made: data_dir {folder} is no folder."
        )));
    }
    let inside = folder.join(DATABASE_FILE);
    can_be_made(&inside).map_err(|why| {
        let folder = folder.display();
        Failure::Failed(format!(
            "The store cannot be made in {folder}: {why}. Check data_dir, and try it as the user that labwatch runs as."
        ))
    })?;
    findings.note(format!(
        "store: nothing is kept yet in {}",
        folder.display()
    ))
}

fn unsound(file: &Path, why: &str) -> Failure {
    Failure::Failed(format!(
        "The store {} is damaged or cannot be read: {why}. Check it as the user that labwatch runs as; where it is damaged, stop labwatch \
         and put a backup in its place. Without one, labwatch moves it aside and begins a new one.",
        file.display()
    ))
}

fn try_servers(config: &Config, findings: &mut Findings) -> Result<(), Failure> {
    let runtime = current_thread("The servers cannot be tried")?;
    let (servers, stubs) = runtime
        .block_on(async { tokio::join!(connect::try_all(config), coverage::experiments(config)) });
    let (all, bad) = (
        servers.len(),
        servers.iter().filter(|one| one.outcome.is_err()).count(),
    );
    for server in servers {
        findings.server(server)?;
    }
    if let Some(stubs) = stubs.filter(|stubs| !stubs.is_empty()) {
        show_coverage(config, &stubs, findings)?;
    }
    if bad == 0 {
        return Ok(());
    }
    Err(Failure::Failed(format!(
        "{bad} of {all} servers do not work for labwatch."
    )))
}

/// Prints what each table matches. One that matches nothing is a warning: its experiments may come
/// with the next manifest.
fn show_coverage(
    config: &Config,
    stubs: &[String],
    findings: &mut Findings,
) -> Result<(), Failure> {
    for found in coverage::all(config, stubs, Timestamp::now()) {
        if found.is_empty {
            findings.warn(format!("{}: compare match with book's names", found.text));
        } else {
            findings.note(found.text)?;
        }
    }
    Ok(())
}

fn line(finding: &Finding) -> String {
    match &finding.outcome {
        Ok(good) => format!("ok       {}: {good}", finding.server),
        Err(bad) => format!("FAILED   {}: {bad}", finding.server),
    }
}
