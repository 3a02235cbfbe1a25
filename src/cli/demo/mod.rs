//! `labwatch demo`: a simulated laboratory in which things break and are repaired, the real service
//! watching it, and on standard output what happens.

mod output;
mod rehearsal;

use std::collections::BTreeMap;
use std::net::TcpListener;
use std::path::{Path, PathBuf};
use std::time::Duration;

use clap::{Args, ValueEnum};
use jiff::Timestamp;
use lab::{Lab, MailCatcher, Plan, Script};
use output::Output;
use tokio_util::sync::CancellationToken;

use super::failure::Failure;
use super::token::authority;
use crate::config::{Config, Sources, load};
use crate::http::auth::{self, Grant, Reportable, Scope};
use crate::service;

/// How often the demonstration checks for new mail.
const LOOK_FOR_MAIL_EVERY: Duration = Duration::from_millis(200);

/// How long the demonstration goes on after its script, so that the last effects are seen too.
const EPILOGUE: Duration = Duration::from_secs(15);

/// Settings of the demonstration: short times, so that the script is short. `--set` overrides them.
const SETTINGS: [(&str, &str); 11] = [
    ("health_last_active", "5s"),
    ("health_last_checked", "5s"),
    ("health_startup", "5s"),
    ("health_settle", "10s"),
    ("health_outage_hold", "15m"),
    ("query_book_every", "5s"),
    ("ui_check_every", "10s"),
    ("email_subject", "[demo lab]"),
    ("email_gather", "0s"),
    ("email_interval", "0s"),
    ("health_log_every", "1h"),
];

/// How long a change counts for flapping: long enough for its step, too short for the other faults
/// of an experiment. A real laboratory cannot set so little.
const FLAP_WINDOW: Duration = Duration::from_secs(90);

/// How long the admin token is valid.
const TOKEN_LIFE: Duration = Duration::from_secs(24 * 3_600);

/// Options of the demonstration.
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
    /// Also write an environment file and secrets into this folder, with which a second labwatch
    /// watches the same laboratory.
    #[arg(long, value_name = "DIR")]
    pub env: Option<PathBuf>,
}

/// The two formats of relay's reports.
#[derive(Debug, Clone, Copy, PartialEq, Eq, ValueEnum)]
pub enum RelayVersion {
    /// With statistics.
    #[value(name = "v0.7")]
    V07,
    /// Without statistics.
    #[value(name = "v0.8")]
    V08,
}

/// Runs the demonstration until SIGINT or SIGTERM, or, with `--once`, to the end of its script.
///
/// # Errors
/// [`Failure`] when it cannot start, or when a part of it fails.
pub fn run(args: &DemoArgs, sources: &Sources) -> Result<(), Failure> {
    let runtime = service::runtime()
        .map_err(|error| Failure::Failed(format!("the runtime cannot be started: {error}.")))?;
    let outcome = runtime.block_on(demonstrate(args, sources));
    runtime.shutdown_timeout(Duration::from_millis(100));
    outcome
}

async fn demonstrate(args: &DemoArgs, sources: &Sources) -> Result<(), Failure> {
    let failed =
        |what: &str, error: &dyn std::fmt::Display| Failure::Failed(format!("{what}: {error}."));
    let plan = plan(args);
    let script = Script::demo(&plan);
    let lab = Lab::start(plan)
        .await
        .map_err(|error| failed("the simulated laboratory cannot be started", &error))?;
    let folder = tempfile::Builder::new().prefix("labwatch-demo-").tempdir();
    let folder = folder.map_err(|error| failed("there is no folder for the database", &error))?;
    let config = configuration(args, &lab, folder.path(), sources)?;
    refuse_taken_port(&config)?;
    let rehearsal = args
        .env
        .as_deref()
        .map(|folder| rehearsal::write(folder, &lab));
    let rehearsal = rehearsal.transpose()?;
    let token = token(&config)?;
    let stop = CancellationToken::new();
    let _signals = service::stop_on_signals(&stop)
        .map_err(|error| failed("signals cannot be caught", &error))?;

    let output = Output::new(&stop);
    output.open(&lab, rehearsal.as_deref());
    let options = output.options(token, config.api.prefix.clone());
    let service = service::serve(config, stop.clone(), options);
    let story = async {
        tokio::select! {
            () = stop.cancelled() => Ok(()),
            played = play(&lab, &script, &output, args.once) => played,
            () = show_mails(lab.mail(), &output) => Ok(()),
        }
    };
    let (served, played) = tokio::join!(service, async {
        let played = story.await;
        stop.cancel();
        played
    });
    lab.stop().await;
    served.map_err(|error| failed("labwatch cannot serve", &error))?;
    played.map_err(|error| failed("the simulated laboratory failed", &error))
}

/// The service would wait for the port to become free, which a user of the demonstration does not
/// expect.
fn refuse_taken_port(config: &Config) -> Result<(), Failure> {
    let Some(address) = config.api.listen.filter(|address| address.port() != 0) else {
        return Ok(());
    };
    match TcpListener::bind(address) {
        Ok(_) => Ok(()),
        Err(error) => Err(Failure::Occupied(format!(
            "The demonstration cannot listen on {address}: {error}. Give it another port with --port, or none, which takes a free one."
        ))),
    }
}

fn plan(args: &DemoArgs) -> Plan {
    let relay = match args.relay {
        RelayVersion::V07 => lab::RelayVersion::V07,
        RelayVersion::V08 => lab::RelayVersion::V08,
    };
    let second = Duration::from_secs(1);
    Plan {
        relay,
        relay_every: second,
        jump_every: second,
        booked: true,
        ..Plan::fleet(usize::from(args.experiments))
    }
}

/// The laboratory's environment, the demonstration's short times, and above both the user's
/// settings.
fn configuration(
    args: &DemoArgs,
    lab: &Lab,
    data: &Path,
    sources: &Sources,
) -> Result<Config, Failure> {
    let mut overrides: Vec<(String, String)> = SETTINGS
        .iter()
        .map(|(key, value)| ((*key).to_owned(), (*value).to_owned()))
        .collect();
    overrides.push(("port_serve".to_owned(), args.port.to_string()));
    overrides.push(("data_dir".to_owned(), data.to_string_lossy().into_owned()));
    overrides.push(("secret_api".to_owned(), secret()?));
    overrides.extend(sources.overrides.iter().cloned());
    let env: BTreeMap<String, String> = lab.environment().into_iter().collect();
    let sources = Sources {
        file: None,
        env,
        overrides,
        credentials: None,
    };
    let loaded = load(&sources)?;
    let is_set = loaded.is_set("health_flap_window");
    let mut config = loaded.config;
    if !is_set {
        config.health.flap.window = FLAP_WINDOW;
    }
    Ok(config)
}

/// A secret for this demonstration alone.
fn secret() -> Result<String, Failure> {
    let none = || Failure::Failed("The system gives no randomness.".to_owned());
    Ok(auth::id().ok_or_else(none)? + &auth::id().ok_or_else(none)?)
}

/// A token for everything that maintainers can do.
fn token(config: &Config) -> Result<String, Failure> {
    let grant = Grant {
        name: "you".to_owned(),
        scopes: [Scope::Admin].into_iter().collect(),
        reports: Reportable::default(),
        life: TOKEN_LIFE,
    };
    let issued = authority(config)?.issue(&grant, Timestamp::now());
    Ok(issued
        .map_err(|error| Failure::Failed(format!("There is no token: {error}.")))?
        .token)
}

async fn play(
    lab: &Lab,
    script: &Script,
    output: &Output,
    once: bool,
) -> Result<(), lab::LabError> {
    let show = |step: &lab::Step| output.line_of("the lab", &step.say);
    if !once {
        return lab.play(script, show).await;
    }
    lab.play_once(script, show).await?;
    tokio::time::sleep(EPILOGUE).await;
    Ok(())
}

async fn show_mails(catcher: &MailCatcher, output: &Output) {
    let mut shown = 0;
    loop {
        tokio::time::sleep(LOOK_FOR_MAIL_EVERY).await;
        for mail in catcher.mails().iter().skip(shown) {
            shown += 1;
            output.mail(mail);
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    async fn configured(overrides: &[(&str, &str)]) -> Config {
        let args = DemoArgs {
            experiments: 1,
            relay: RelayVersion::V08,
            port: 0,
            once: true,
            env: None,
        };
        let lab = Lab::start(plan(&args)).await.expect("starts");
        let sources = Sources::of(overrides);
        configuration(&args, &lab, Path::new("/nowhere"), &sources).expect("is right")
    }

    #[tokio::test]
    async fn its_rules_are_quick_where_the_user_sets_nothing() {
        let config = configured(&[]).await;
        assert_eq!(config.health.flap.window, FLAP_WINDOW);
        let config = configured(&[("health_flap_window", "1h")]).await;
        assert_eq!(config.health.flap.window.as_secs(), 3_600);
    }

    #[tokio::test]
    async fn a_port_that_is_taken_ends_it_and_names_the_option() {
        let mut config = configured(&[]).await;
        let listener = TcpListener::bind("127.0.0.1:0").expect("a port");
        config.api.listen = listener.local_addr().ok();
        let Err(Failure::Occupied(why)) = refuse_taken_port(&config) else {
            panic!("the port is taken")
        };
        assert!(why.contains("--port"), "{why}");
        drop(listener);
        assert!(refuse_taken_port(&config).is_ok());
    }
}
