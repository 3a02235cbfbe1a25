//! Reload of the configuration at SIGHUP, and its distribution to the parts that follow it. An
//! invalid configuration changes nothing.

use std::sync::Arc;

use tokio::signal::unix::Signal;
use tokio::sync::{mpsc, watch};
use tokio_util::sync::CancellationToken;

use super::policy::Overlay;
use super::task_set::TaskSet;
use super::{notifications, systemd};
use crate::config::{Changes, Config, Loaded, Problems};
use crate::health::{Finding, HealthState, Reporter, State};
use crate::telemetry::log::LevelHandle;
use engine::Input;

/// How the configuration is reloaded, and what it was at the start.
pub struct Reload {
    /// The configuration at the start.
    pub begun: Loaded,
    pub read: Box<dyn FnMut() -> Result<Loaded, Problems> + Send>,
    /// SIGHUP, caught since before the configuration was read the first time.
    pub hangups: Signal,
    /// Receives the outcome of each reload: notes about it, or why the previous configuration stays
    /// in force.
    pub answer: ReloadAnswer,
}

/// Receives the notes about a reload, or why it was refused.
pub type ReloadAnswer = Box<dyn Fn(Result<&str, &str>) + Send>;

pub(super) struct Hands {
    pub(super) inputs: mpsc::Sender<Input>,
    pub(super) configs: watch::Sender<Arc<Config>>,
    pub(super) health_state: HealthState,
    pub(super) levels: Option<LevelHandle>,
    pub(super) reporter: Reporter,
    /// The policy over the configuration, if there is one.
    pub(super) overlay: Option<Overlay>,
}

/// Starts to follow the configuration, if it can be reloaded or has a policy over it.
pub(super) fn start(reload: Option<Reload>, hands: Hands, parts: &mut TaskSet) {
    if reload.is_some() || hands.overlay.is_some() {
        let reloader = Reloader::new(reload, hands);
        parts.spawn("reading of the configuration", reloader.run(parts.stop()));
    }
}

/// Waits for SIGHUP and for changes of the policy, and follows the configuration.
struct Reloader {
    reading: Option<Reading>,
    /// The configuration without the policy.
    base: Config,
    hands: Hands,
}

struct Reading {
    reload: Reload,
    /// The last valid one.
    latest: Loaded,
}

impl Reloader {
    fn new(reload: Option<Reload>, hands: Hands) -> Self {
        let base = Config::clone(&hands.configs.borrow());
        let reading = reload.map(|reload| Reading {
            latest: reload.begun.clone(),
            reload,
        });
        Self {
            reading,
            base,
            hands,
        }
    }

    /// Runs until `stop`.
    async fn run(mut self, stop: CancellationToken) {
        if self.hands.overlay.is_some() {
            // The policy from before the start.
            self.adopt().await;
        }
        loop {
            tokio::select! {
                () = stop.cancelled() => return,
                () = hung_up(self.reading.as_mut()) => self.read_anew().await,
                () = changed(self.hands.overlay.as_mut()) => self.adopt().await,
            }
        }
    }

    async fn read_anew(&mut self) {
        systemd::reloading();
        let followed = self.follow().await;
        let finding = match &followed {
            Ok(waiting) if waiting.is_empty() => Finding::ok(),
            Ok(waiting) => Finding::new(
                State::Warn,
                format!("these settings wait for a restart: {}", waiting.join(", ")),
            ),
            Err(why) => {
                tracing::error!(
                    "the configuration is wrong and the previous one stays in force: {why}"
                );
                Finding::new(
                    State::Warn,
                    format!(
                        "the new configuration is wrong and the previous one stays in force: {why}"
                    ),
                )
            }
        };
        systemd::reloaded(&finding.detail);
        if let Some(reading) = &self.reading {
            (reading.reload.answer)(
                followed
                    .as_ref()
                    .map(|_| &*finding.detail)
                    .map_err(|why| &**why),
            );
        }
        self.hands.reporter.report(finding);
    }

    /// Puts the configuration in force, with the policy applied.
    async fn adopt(&mut self) {
        let config = match &self.hands.overlay {
            Some(overlay) => self.base.with_policy(&overlay.borrow()),
            None => self.base.clone(),
        };
        self.hands
            .health_state
            .adopt(super::health::settings(&config));
        let rules = Box::new(config.rules());
        self.hands.configs.send_replace(Arc::new(config));
        // If this fails, the service is about to end.
        let _ = self.hands.inputs.send(Input::Adopt(rules)).await;
    }

    /// Reads the configuration and distributes it. Returns the settings that wait for a restart.
    async fn follow(&mut self) -> Result<Vec<&'static str>, String> {
        let Some(Reading { reload, latest }) = &mut self.reading else {
            return Ok(Vec::new());
        };
        let loaded = (reload.read)().map_err(|problems| problems.to_string())?;
        notifications::mailer(&loaded.config).map_err(|error| error.to_string())?;
        let Changes { at_once, .. } = latest.changes(&loaded);
        let Changes { at_restart, .. } = reload.begun.changes(&loaded);
        if let Some(levels) = self
            .hands
            .levels
            .as_ref()
            .filter(|_| at_once.contains(&"log_level"))
        {
            levels.adopt(&loaded.config.log.level)?;
        }
        for warning in &loaded.warnings {
            tracing::warn!("configuration: {warning}");
        }
        self.base = self.base.followed_by(loaded.config.clone());
        *latest = loaded;
        let names = |names: &[&str]| {
            if names.is_empty() {
                "nothing".to_owned()
            } else {
                names.join(", ")
            }
        };
        tracing::info!(
            changed = names(&at_once),
            waiting = names(&at_restart),
            "the configuration was reloaded; the waiting settings need a restart"
        );
        self.adopt().await;
        if !at_once.is_empty() {
            // A notification that failed with the old settings may be delivered with these.
            let _ = self.hands.inputs.send(Input::Retry(None)).await;
        }
        Ok(at_restart)
    }
}

/// Waits for SIGHUP; forever if it is not followed any more.
async fn hung_up(reading: Option<&mut Reading>) {
    let asked = match reading {
        Some(reading) => reading.reload.hangups.recv().await,
        None => None,
    };
    if asked.is_none() {
        std::future::pending::<()>().await;
    }
}

/// Waits until the policy changes; forever if there is none.
async fn changed(overlay: Option<&mut Overlay>) {
    let is_changed = match overlay {
        Some(overlay) => overlay.changed().await.is_ok(),
        None => false,
    };
    if !is_changed {
        std::future::pending::<()>().await;
    }
}
