//! `labwatch reload`: has the labwatch that runs read its configuration anew, once it is known to be right. For `ExecReload=`, where a
//! minimal system has no kill, and where a wrong file is to be a failed reload.

use clap::Args;
use rustix::process::{Pid, Signal, kill_process};

use super::{Failure, complain, say};
use crate::config::{Sources, load};

/// The variable in which systemd names the main process.
const MAIN_PID: &str = "MAINPID";

/// Which labwatch.
#[derive(Debug, Args)]
pub struct ReloadArgs {
    /// The process id of the labwatch that runs; without it the one that systemd names in MAINPID.
    #[arg(long)]
    pid: Option<i32>,
}

/// Checks the configuration and sends SIGHUP.
///
/// # Errors
/// [`Failure`] with every problem of the configuration, or when there is no such process.
pub fn run(args: &ReloadArgs, sources: &Sources) -> Result<(), Failure> {
    let loaded = load(sources)?;
    for warning in &loaded.warnings {
        complain(&format!("warning: {warning}"));
    }
    let named = || std::env::var(MAIN_PID).ok()?.parse().ok();
    let pid = args.pid.or_else(named).and_then(Pid::from_raw);
    let pid = pid
        .filter(|pid| pid.as_raw_nonzero().get() > 1)
        .ok_or_else(|| {
            Failure::Usage(
                "Say which labwatch: --pid $(pidof labwatch), or systemctl reload labwatch."
                    .to_owned(),
            )
        })?;
    kill_process(pid, Signal::HUP).map_err(|error| {
        let pid = pid.as_raw_nonzero();
        Failure::Failed(format!(
            "The process {pid} cannot be told to read its configuration anew: {error}."
        ))
    })?;
    say("The configuration is right and is read anew; the log says what takes effect at once.")
}
