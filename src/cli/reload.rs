//! `labwatch reload`: has the running labwatch reload its configuration. For `ExecReload=`, where a
//! minimal system has no kill, and where an invalid file is to be a failed reload.
//!
//! Under systemd the service itself writes the outcome into a file of its runtime folder: only it
//! has the secrets, because systemd gives them to no reload command. Elsewhere the configuration is
//! checked here, with the settings of this command, before the signal.

use std::fs;
use std::io::{self, ErrorKind, Write as _};
use std::path::{Path, PathBuf};
use std::thread::sleep;
use std::time::{Duration, Instant};

use clap::Args;
use rustix::process::{Pid, Signal, kill_process};

use super::failure::Failure;
use super::output::{say, warn};
use crate::config::{Sources, load};

/// The variable in which systemd names the main process.
const MAIN_PID: &str = "MAINPID";

/// The variable in which systemd names the runtime folder.
const RUNTIME_FOLDER: &str = "RUNTIME_DIRECTORY";

/// The file in it with the outcome of the latest reload.
const ANSWER: &str = "reload";

/// The prefix of the text of a success.
const TAKEN: &str = "taken ";
const REFUSED: &str = "refused ";

/// The service reads within milliseconds; a busy host gets some more time, below the 60 s that the
/// unit allows.
const ANSWERS_WITHIN: Duration = Duration::from_secs(20);

/// How often the file is checked.
const LOOK_EVERY: Duration = Duration::from_millis(50);

/// The labwatch to signal.
#[derive(Debug, Args)]
pub struct ReloadArgs {
    /// The process id of the labwatch that runs; without it the one that systemd names in MAINPID.
    #[arg(long)]
    pid: Option<i32>,
}

/// Has the configuration checked and reloaded.
///
/// # Errors
/// [`Failure`] with every problem of the configuration, or when there is no such process.
pub fn run(args: &ReloadArgs, sources: &Sources) -> Result<(), Failure> {
    match runtime_folder().filter(|_| args.pid.is_none()) {
        Some(folder) => ask(main_process(args)?, &folder.join(ANSWER)),
        None => check_and_signal(args, sources),
    }
}

fn check_and_signal(args: &ReloadArgs, sources: &Sources) -> Result<(), Failure> {
    let loaded = load(sources)?;
    for warning in &loaded.warnings {
        warn(&format!("warning: {warning}"));
    }
    hang_up(main_process(args)?)?;
    say("The configuration is valid and is being reloaded; the log says what takes effect at once.")
}

fn main_process(args: &ReloadArgs) -> Result<Pid, Failure> {
    let named = || std::env::var(MAIN_PID).ok()?.parse().ok();
    let pid = args.pid.or_else(named).and_then(Pid::from_raw);
    pid.filter(|pid| pid.as_raw_nonzero().get() > 1)
        .ok_or_else(|| {
            Failure::Usage(
                "Say which labwatch: --pid $(pidof labwatch), or systemctl reload labwatch."
                    .to_owned(),
            )
        })
}

fn hang_up(pid: Pid) -> Result<(), Failure> {
    kill_process(pid, Signal::HUP).map_err(|error| {
        let pid = pid.as_raw_nonzero();
        Failure::Failed(format!(
            "The process {pid} cannot be signalled to reload its configuration: {error}."
        ))
    })
}

/// Sends the signal and waits for the outcome.
fn ask(pid: Pid, answer: &Path) -> Result<(), Failure> {
    let unreadable = |error: io::Error| {
        Failure::Failed(format!(
            "The answer of the service in {} cannot be read: {error}.",
            answer.display()
        ))
    };
    match fs::remove_file(answer) {
        Err(error) if error.kind() != ErrorKind::NotFound => return Err(unreadable(error)),
        Ok(()) | Err(_) => {}
    }
    hang_up(pid)?;
    let until = Instant::now() + ANSWERS_WITHIN;
    while Instant::now() < until {
        match fs::read_to_string(answer) {
            Ok(text) => return heed(&text),
            Err(error) if error.kind() != ErrorKind::NotFound => return Err(unreadable(error)),
            Err(_) => sleep(LOOK_EVERY),
        }
    }
    Err(Failure::Failed(
        "The service has not reported in time whether it applied the configuration; see its log."
            .to_owned(),
    ))
}

fn heed(answer: &str) -> Result<(), Failure> {
    if let Some(why) = answer.strip_prefix(REFUSED) {
        return Err(Failure::Failed(format!(
            "The configuration is wrong and the previous one stays in force: {why}"
        )));
    }
    match answer.strip_prefix(TAKEN).filter(|note| !note.is_empty()) {
        Some(note) => say(&format!("The configuration is applied; {note}")),
        None => say("The configuration is applied."),
    }
}

/// Writes the outcome of each reload, for [`ask`]; does nothing where systemd gives no runtime
/// folder.
pub(super) fn answer() -> impl Fn(Result<&str, &str>) + Send {
    let file = runtime_folder().map(|folder| folder.join(ANSWER));
    move |outcome| {
        let Some(file) = &file else { return };
        let text = match outcome {
            Ok(note) => format!("{TAKEN}{note}"),
            Err(why) => format!("{REFUSED}{why}"),
        };
        if let Err(error) = write_whole(file, &text) {
            tracing::warn!(file = %file.display(), %error, "the answer to a reload cannot be written");
        }
    }
}

/// Writes the file atomically, so that half of it is never read.
fn write_whole(file: &Path, text: &str) -> io::Result<()> {
    let folder = file.parent().unwrap_or(Path::new("."));
    let mut new = tempfile::NamedTempFile::new_in(folder)?;
    new.write_all(text.as_bytes())?;
    new.persist(file).map(drop).map_err(|failed| failed.error)
}

fn runtime_folder() -> Option<PathBuf> {
    let folders = std::env::var(RUNTIME_FOLDER).ok()?;
    let first = folders.split(':').next()?;
    (!first.is_empty()).then(|| PathBuf::from(first))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_answer_of_the_service_decides() {
        assert!(heed("taken ").is_ok());
        assert!(heed("taken these settings wait for a restart: port_serve").is_ok());
        let Err(Failure::Failed(text)) = heed("refused log_level is not a level") else {
            panic!("it was refused");
        };
        assert!(
            text.ends_with("stays in force: log_level is not a level"),
            "{text}"
        );
    }

    #[test]
    fn an_answer_is_there_as_a_whole() {
        let folder = tempfile::tempdir().expect("a folder");
        let file = folder.path().join(ANSWER);
        for text in ["taken ", "refused for a reason"] {
            write_whole(&file, text).expect("writes");
            assert_eq!(fs::read_to_string(&file).expect("reads"), text);
        }
        assert_eq!(fs::read_dir(folder.path()).expect("a folder").count(), 1);
    }
}
