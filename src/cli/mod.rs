//! The command line: subcommands, arguments and exit codes. Does no work of its own.

mod ask;
mod backup;
mod check;
mod cluster;
mod compare;
mod connect;
mod coverage;
#[cfg(feature = "demo")]
mod demo;
mod failure;
mod files;
mod hangup;
mod init;
mod local_instance;
mod manual;
mod migrate;
mod notify;
mod output;
mod ready;
mod recipients;
mod reload;
mod replay;
mod report;
mod revoke;
mod serve;
mod status;
mod token;
mod top;

use std::ffi::OsString;
use std::io;
use std::path::PathBuf;
use std::process::ExitCode;

use clap::{Args, Parser, Subcommand};

use crate::build;
use crate::config::Sources;
pub use failure::Failure;

use hangup::Hangups;

/// The text below the help of every command.
const EXIT_CODES: &str = "Exit codes: 0 all is well; 1 it failed; 2 the arguments or the configuration are wrong; 3 another labwatch \
                          is at work, on the same port or data folder.";

/// The first command in the help: packages are built without the demonstration.
#[cfg(feature = "demo")]
const FIRST_STEP: &str =
    "labwatch demo              try it with a simulated laboratory, without any network";
#[cfg(not(feature = "demo"))]
const FIRST_STEP: &str = "labwatch init              write a first configuration from five answers";

/// The text below that, where no command is given.
const NEXT_STEPS: &str = "\
  labwatch check --connect   check the configuration and all that it leads to
  labwatch serve             watch; this is what systemd runs

labwatch --help lists all commands, and labwatch COMMAND --help explains one.";

/// Watches the experiments of a remote laboratory, switches their availability and notifies their
/// maintainers.
#[derive(Debug, Parser)]
#[command(
    name = "labwatch",
    version = build::VERSION,
    long_version = build::description(),
    about,
    after_help = EXIT_CODES
)]
pub struct Cli {
    #[command(flatten)]
    settings: Settings,
    #[command(subcommand)]
    command: Option<Command>,
}

/// Sources of settings, besides the environment.
#[derive(Debug, Args)]
struct Settings {
    /// Configuration file (TOML); without it the one that `STATUS_CONFIG` names, if any.
    #[arg(long, global = true, value_name = "FILE")]
    config: Option<PathBuf>,
    /// A setting that wins over file and environment, for example `health_last_active=30s`. Can be
    /// given several times.
    #[arg(long, global = true, value_name = "KEY=VALUE", value_parser = parse_setting)]
    set: Vec<(String, String)>,
}

#[derive(Debug, Subcommand)]
enum Command {
    /// Watch, until stopped by SIGTERM or SIGINT.
    Serve {
        /// Observe only: evaluate and show, but never switch in book, notify or send metrics.
        #[arg(long)]
        observe: bool,
        /// Run in shadow, beside the monitor that acts: record each switch and notification
        /// instead of carrying it out.
        #[arg(long, conflicts_with = "observe")]
        shadow: bool,
        /// The name of this installation in titles and metrics, for example `app.example.org/ed0`.
        #[arg(long, value_name = "NAME")]
        label: Option<String>,
    },
    /// Watch a simulated laboratory in which things break and are repaired, without any network.
    #[cfg(feature = "demo")]
    Demo(demo::DemoArgs),
    /// Check the configuration, and with --connect also what it leads to.
    Check(check::CheckArgs),
    /// Write a first configuration, from five answers given as arguments or asked for.
    Init(init::InitArgs),
    /// Take over the settings of the program status from its systemd unit; without -o only show
    /// what would come out.
    Migrate(migrate::MigrateArgs),
    /// Have the running labwatch reload its configuration, if it is valid.
    Reload(reload::ReloadArgs),
    /// Run recorded traffic through the rules and print what would have happened.
    Replay(replay::ReplayArgs),
    /// Print how the running labwatch is: each component and experiment.
    #[command(after_help = status::EXIT_CODES)]
    Status(status::StatusArgs),
    /// Show the laboratory live in the terminal: each experiment, the worst first.
    Top(top::TopArgs),
    /// Wait until the running labwatch can do its work, and name what is missing when it cannot in
    /// time.
    WaitForReady(ready::ReadyArgs),
    /// Make, list and revoke access tokens for labwatch's API; or print a short-lived one for book,
    /// jump or relay.
    Token(token::TokenArgs),
    /// Print how available the laboratory was in a month, from the history; also while the service
    /// runs.
    Report(report::ReportArgs),
    /// Print where the other monitor and a labwatch in shadow differ, and why; also while the
    /// service runs.
    Compare(compare::CompareArgs),
    /// Copy the store into a file and check the copy; also while the service runs.
    Backup(backup::BackupArgs),
    /// Print which of several replicas leads, have it give the lead up, and take the state of this
    /// host into the cluster and out of it.
    Cluster {
        #[command(subcommand)]
        what: cluster::ClusterCommand,
    },
    /// Send a test notification to the maintainers, to see that it arrives.
    Notify {
        #[command(subcommand)]
        what: notify::NotifyCommand,
    },
    /// Print the completions for a shell.
    Completions {
        /// The shell.
        shell: clap_complete::Shell,
    },
    /// Print the manual page, or write it below a folder of manual pages.
    Man(manual::ManArgs),
}

/// Carries out the arguments, and prints on standard error why that failed.
pub fn main(args: impl IntoIterator<Item = OsString>) -> ExitCode {
    let hangups = Hangups::catch();
    let cli = match Cli::try_parse_from(args) {
        Ok(cli) => cli,
        Err(error) => {
            let _ = error.print(); // help and wrong arguments: there is nowhere else to say it
            return ExitCode::from(u8::try_from(error.exit_code()).unwrap_or(2));
        }
    };
    match run(cli, hangups) {
        Ok(()) => ExitCode::SUCCESS,
        Err(failure) => {
            output::failed(&failure);
            failure.exit_code()
        }
    }
}

fn run(cli: Cli, hangups: io::Result<Hangups>) -> Result<(), Failure> {
    let Some(command) = cli.command else {
        return Err(Failure::Usage(format!(
            "labwatch watches the experiments of a remote laboratory. Three commands to begin with:\n\n  {FIRST_STEP}\n  {NEXT_STEPS}"
        )));
    };
    // Fails only if one is installed already, which is fine.
    let _ = rustls::crypto::aws_lc_rs::default_provider().install_default();
    let mut set = cli.settings.set;
    if let Command::Serve {
        observe,
        shadow,
        label,
    } = &command
    {
        let modes = [("observe", *observe), ("shadow", *shadow)];
        let wanted = modes.into_iter().filter(|(_, is_wanted)| *is_wanted);
        set.extend(wanted.map(|(mode, _)| (mode.to_owned(), "true".to_owned())));
        set.extend(
            label
                .iter()
                .map(|label| ("label".to_owned(), label.clone())),
        );
    }
    let sources = Sources::from_process(cli.settings.config, set);
    match command {
        Command::Serve { .. } => serve::run(&sources, hangups),
        Command::Reload(args) => reload::run(&args, &sources),
        #[cfg(feature = "demo")]
        Command::Demo(args) => demo::run(&args, &sources),
        Command::Check(args) => check::run(&args, &sources),
        Command::Init(args) => init::run(args),
        Command::Migrate(args) => migrate::run(&args),
        Command::Replay(args) => replay::run(&args, &sources),
        Command::Status(args) => status::run(&args, &sources),
        Command::Top(args) => top::run(&args, &sources),
        Command::WaitForReady(args) => ready::run(&args, &sources),
        Command::Token(args) => token::run(&args, &sources),
        Command::Report(args) => report::run(&args, &sources),
        Command::Compare(args) => compare::run(&args, &sources),
        Command::Backup(args) => backup::run(&args, &sources),
        Command::Cluster { what } => cluster::run(&what, &sources),
        Command::Notify { what } => notify::run(what, &sources),
        Command::Completions { shell } => manual::completions(shell),
        Command::Man(args) => manual::man(&args),
    }
}

fn parse_setting(text: &str) -> Result<(String, String), String> {
    let (key, value) = text.split_once('=').ok_or("write it as KEY=VALUE")?;
    Ok((key.trim().to_owned(), value.to_owned()))
}

#[cfg(test)]
mod tests {
    use clap::CommandFactory;

    use super::*;

    #[test]
    fn the_commands_are_well_formed() {
        Cli::command().debug_assert();
    }

    #[test]
    fn a_setting_is_split_at_its_first_sign() {
        assert_eq!(
            parse_setting("email_link=https://x/?a=b"),
            Ok(("email_link".to_owned(), "https://x/?a=b".to_owned()))
        );
        assert!(parse_setting("sample").is_err());
    }
}
