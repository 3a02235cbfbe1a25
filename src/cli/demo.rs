//! `labwatch demo`: a simulated laboratory in which things break and are mended, the real service watching it, and what happens, told as it happens.

use std::collections::BTreeMap;
use std::path::Path;
use std::sync::{Arc, Mutex, PoisonError};
use std::time::{Duration, Instant};

use clap::{Args, ValueEnum};
use jiff::Timestamp;
use tokio_util::sync::CancellationToken;

use super::token::authority;
use super::{Failure, say};
use crate::config::{Config, Sources, load};
use crate::http::auth::{self, Grant, Scope};
use crate::lab::{self, CaughtMail, Lab, MailCatcher, Plan, Script, Server};
use crate::replay::Kind;
use crate::service::{self, ServiceOptions};
use engine::Record;

/// How often the demonstration looks whether a mail came.
const LOOK_FOR_MAIL_EVERY: Duration = Duration::from_millis(200);

/// How long the story goes on after its last step, so that what it leads to is told too.
const EPILOGUE: Duration = Duration::from_secs(15);

/// Settings of the demonstration: quick rules, so that the story is short. `--set` overrides them.
const SETTINGS: [(&str, &str); 9] = [
    ("health_last_active", "5s"),
    ("health_last_checked", "5s"),
    ("health_startup", "5s"),
    ("health_settle", "10s"),
    ("health_outage_hold", "15m"),
    ("query_book_every", "5s"),
    ("email_subject", "[demo lab]"),
    ("email_gather", "0s"),
    ("health_log_every", "1h"),
];

/// How long the token to act with is valid.
const TOKEN_LIFE: Duration = Duration::from_secs(24 * 3_600);

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

/// Runs the demonstration until SIGINT or SIGTERM, or, with `--once`, until the story is told.
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
    let memory = tempfile::Builder::new().prefix("labwatch-demo-").tempdir();
    let memory = memory.map_err(|error| failed("there is no folder for the memory", &error))?;
    let config = configuration(args, &lab, memory.path(), sources)?;
    let token = token(&config)?;
    let stop = CancellationToken::new();
    let _signals = service::stop_on_signals(&stop)
        .map_err(|error| failed("signals cannot be caught", &error))?;

    let stage = Stage::new(&stop);
    stage.open(&lab);
    let options = stage.options(token, config.api.prefix.clone());
    let service = service::serve(config, stop.clone(), options);
    let story = async {
        tokio::select! {
            () = stop.cancelled() => Ok(()),
            notified = tell_story(&lab, &script, &stage, args.once) => notified,
            () = tell_mails(lab.mail(), &stage) => Ok(()),
        }
    };
    let (served, notified) = tokio::join!(service, async {
        let notified = story.await;
        stop.cancel();
        notified
    });
    lab.stop().await;
    served.map_err(|error| failed("labwatch cannot serve", &error))?;
    notified.map_err(|error| failed("the simulated laboratory failed", &error))
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

/// The laboratory's environment, the demonstration's quick rules, and above both what the user sets.
fn configuration(
    args: &DemoArgs,
    lab: &Lab,
    memory: &Path,
    sources: &Sources,
) -> Result<Config, Failure> {
    let mut overrides: Vec<(String, String)> = SETTINGS
        .iter()
        .map(|(key, value)| ((*key).to_owned(), (*value).to_owned()))
        .collect();
    overrides.push(("port_serve".to_owned(), args.port.to_string()));
    overrides.push(("data_dir".to_owned(), memory.to_string_lossy().into_owned()));
    overrides.push(("secret_api".to_owned(), secret()?));
    overrides.extend(sources.overrides.iter().cloned());
    let env: BTreeMap<String, String> = lab.environment().into_iter().collect();
    let sources = Sources {
        file: None,
        env,
        overrides,
        credentials: None,
    };
    Ok(load(&sources)?.config)
}

/// A secret for this demonstration alone.
fn secret() -> Result<String, Failure> {
    let none = || Failure::Failed("The system gives no randomness.".to_owned());
    Ok(auth::id().ok_or_else(none)? + &auth::id().ok_or_else(none)?)
}

/// A token with which everything can be tried that maintainers do.
fn token(config: &Config) -> Result<String, Failure> {
    let grant = Grant {
        name: "you".to_owned(),
        scopes: [Scope::Admin].into_iter().collect(),
        life: TOKEN_LIFE,
    };
    let issued = authority(config)?.issue(&grant, Timestamp::now());
    Ok(issued
        .map_err(|error| Failure::Failed(format!("There is no token: {error}.")))?
        .token)
}

async fn tell_story(
    lab: &Lab,
    script: &Script,
    stage: &Stage,
    once: bool,
) -> Result<(), lab::LabError> {
    let tell = |step: &lab::Step| stage.tell("the lab", &step.say);
    if !once {
        return lab.play(script, tell).await;
    }
    lab.play_once(script, tell).await?;
    tokio::time::sleep(EPILOGUE).await;
    Ok(())
}

async fn tell_mails(catcher: &MailCatcher, stage: &Stage) {
    let mut notified = 0;
    loop {
        tokio::time::sleep(LOOK_FOR_MAIL_EVERY).await;
        for mail in catcher.mails().iter().skip(notified) {
            notified += 1;
            stage.tell_mail(mail);
        }
    }
}

/// Where the story is told: standard output, a line at a time, with the time since the start.
#[derive(Debug, Clone)]
struct Stage {
    begun: Instant,
    // Lines of the laboratory, of the service and of the mails come from different tasks.
    writing: Arc<Mutex<()>>,
    stop: CancellationToken,
}

impl Stage {
    fn new(stop: &CancellationToken) -> Self {
        Self {
            begun: Instant::now(),
            writing: Arc::default(),
            stop: stop.clone(),
        }
    }

    fn open(&self, lab: &Lab) {
        let servers = [Server::Relay, Server::Jump, Server::Book, Server::Mail]
            .map(|server| lab.address(server));
        let experiments = lab.plan().experiments.len();
        self.line(&format!(
            "A simulated laboratory with {experiments} experiments: relay {}, jump {}, book {}, mail {}.\n\
             labwatch watches it, with rules of 5 s instead of the usual 10 s and 1 m. Stop with Ctrl-C.",
            servers[0], servers[1], servers[2], servers[3]
        ));
        self.line("");
    }

    fn options(&self, token: String, prefix: String) -> ServiceOptions {
        let (started, records) = (self.clone(), self.clone());
        ServiceOptions {
            started: Box::new(move |listen| {
                let place = format!("http://{listen}{prefix}");
                started.tell(
                    "labwatch",
                    &format!(
                        "is running; look at {place}/ or ask it: curl {place}/api/v1/experiments"
                    ),
                );
                started.tell(
                    "labwatch",
                    &format!(
                        "does what maintainers say who sign in there with this token: {token}"
                    ),
                );
            }),
            record: Box::new(move |record| {
                // What is sent is shown as it arrives.
                let kind = Kind::of(record).filter(|_| !matches!(record, Record::Notifying(_)));
                if let Some(kind) = kind {
                    records.tell(kind.as_str(), &record.to_string());
                }
            }),
            levels: None,
            reload: None,
        }
    }

    fn tell(&self, who: &str, what: &str) {
        let seconds = self.begun.elapsed().as_secs();
        self.line(&format!(
            "{:02}:{:02}  {who:<9} {what}",
            seconds / 60,
            seconds % 60
        ));
    }

    fn tell_mail(&self, mail: &CaughtMail) {
        self.tell(
            "mail",
            &format!("to {}: {}", mail.to.join(", "), mail.subject),
        );
        let body: Vec<String> = mail
            .text
            .lines()
            .map(|line| format!("                 | {line}"))
            .collect();
        self.line(&body.join("\n"));
    }

    fn line(&self, text: &str) {
        let _one_at_a_time = self.writing.lock().unwrap_or_else(PoisonError::into_inner);
        if say(text).is_err() {
            // Nobody reads any more, as when the output is piped into `head`.
            self.stop.cancel();
        }
    }
}
