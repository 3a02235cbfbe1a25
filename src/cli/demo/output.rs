//! What the demonstration prints: the laboratory's faults, what labwatch does, and the mails.

use std::sync::{Arc, Mutex, PoisonError};
use std::time::Instant;

use lab::{CaughtMail, Lab, Server};
use tokio_util::sync::CancellationToken;

use crate::cli::say;
use crate::service::ServiceOptions;
use engine::model::{Health, SourceHealth, Visibility};
use engine::{Record, SwitchOutcome};

/// Standard output, a line at a time, with the time since the start.
#[derive(Debug, Clone)]
pub(super) struct Output {
    begun: Instant,
    // Lines of the laboratory, of the service and of the mails come from different tasks.
    writing: Arc<Mutex<()>>,
    stop: CancellationToken,
}

impl Output {
    pub(super) fn new(stop: &CancellationToken) -> Self {
        Self {
            begun: Instant::now(),
            writing: Arc::default(),
            stop: stop.clone(),
        }
    }

    /// Says what is simulated, and where the files for a second labwatch are.
    pub(super) fn open(&self, lab: &Lab, rehearsal: Option<&str>) {
        let servers = [Server::Relay, Server::Jump, Server::Book, Server::Mail]
            .map(|server| lab.address(server));
        let experiments = lab.plan().experiments.len();
        self.line(&format!(
            "A simulated laboratory with {experiments} experiments: relay {}, jump {}, book {}, mail {}.\n\
             labwatch watches it, with rules of 5 s instead of the usual 10 s and 1 m. Stop with Ctrl-C.",
            servers[0], servers[1], servers[2], servers[3]
        ));
        if let Some(rehearsal) = rehearsal {
            self.line(rehearsal);
        }
        self.line("");
    }

    /// How the service reports what it does.
    pub(super) fn options(&self, token: String, prefix: String) -> ServiceOptions {
        let (started, records) = (self.clone(), self.clone());
        ServiceOptions {
            started: Box::new(move |listen| {
                let place = format!("http://{listen}{prefix}");
                started.line_of(
                    "labwatch",
                    &format!(
                        "is running; look at {place}/ or ask it: curl {place}/api/v1/experiments"
                    ),
                );
                started.line_of(
                    "labwatch",
                    &format!("takes commands from who signs in there with this token: {token}"),
                );
            }),
            record: Box::new(move |record| {
                if let Some((who, what)) = words(record) {
                    records.line_of(who, &what);
                }
            }),
            ..ServiceOptions::default()
        }
    }

    /// A line about what one of the parts does.
    pub(super) fn line_of(&self, who: &str, what: &str) {
        let seconds = self.begun.elapsed().as_secs();
        self.line(&format!(
            "{:02}:{:02}  {who:<9} {what}",
            seconds / 60,
            seconds % 60
        ));
    }

    /// A mail, whole.
    pub(super) fn mail(&self, mail: &CaughtMail) {
        self.line_of(
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
            // The output is closed, as when the output is piped into `head`.
            self.stop.cancel();
        }
    }
}

/// A record in words, with the verb of the part that made it; `None` for what other lines say already.
#[expect(clippy::too_many_lines, reason = "one flat text for each record")]
fn words(record: &Record) -> Option<(&'static str, String)> {
    Some(match record {
        Record::Event { stub, event } => {
            let issues: Vec<String> = event.issues.iter().map(ToString::to_string).collect();
            let what = match event.health {
                Health::Ok => format!("{stub} is ok ({})", event.why),
                Health::Unknown => format!("{stub} is not evaluated: {}", event.why),
                Health::Degraded | Health::Flapping | Health::Down => {
                    format!("{stub} is {}: {}", event.health, issues.join("; "))
                }
            };
            ("evaluates", what)
        }
        Record::Switching(switch) if switch.available => {
            ("switches", format!("gives {} back", switch.resource))
        }
        Record::Switching(switch) => (
            "switches",
            format!(
                "withdraws {}; students read: {}",
                switch.resource, switch.reason
            ),
        ),
        Record::Switched {
            resource,
            outcome: SwitchOutcome::Failed(fault),
            ..
        } => (
            "switches",
            format!(
                "cannot switch {resource} now: {}",
                fault.words(Visibility::MAINTAINER)
            ),
        ),
        Record::Switched {
            resource,
            outcome: SwitchOutcome::Held(_),
            ..
        } => ("switches", format!("leaves {resource}: a person holds it")),
        Record::Source {
            name,
            health: SourceHealth::Live,
            ..
        } => ("notices", format!("{name} is live")),
        Record::Source { health, note, .. } => ("notices", format!("({health}) {note}")),
        Record::Hold {
            resource,
            reason: Some(reason),
        } => ("notices", format!("a person holds {resource}: {reason}")),
        Record::Hold {
            resource,
            reason: None,
        } => ("notices", format!("{resource} is not held any more")),
        Record::Manifest(change) => ("notices", manifest_words(change)),
        Record::Blind(true) => (
            "notices",
            "no source reports: it is probably cut off itself".to_owned(),
        ),
        Record::Delivered {
            outcome: Err(fault),
            ..
        } => (
            "mails",
            format!("could not: {}", fault.fault.words(Visibility::MAINTAINER)),
        ),
        Record::Sampling {
            streams,
            keeps_up: true,
            ..
        } => (
            "listens",
            format!("to {streams} streams in turn, because this relay does not say who transmits"),
        ),
        Record::Sampling { failures: 1.., .. } => (
            "listens",
            "in vain: streams cannot be listened to now".to_owned(),
        ),
        Record::Sampling { .. } => ("listens", "but not as often as it should".to_owned()),
        Record::Commanded { order, .. } => ("obeys", format!("{}: {}", order.by, order.command)),
        Record::QuietEnded(ended) => (
            "notices",
            format!("the {} of {} ends", ended.entry.noun(), ended.entry.about()),
        ),
        Record::Seen(_)
        | Record::Wished { .. }
        | Record::Suppression { .. }
        | Record::Forgotten(_)
        | Record::Notified { .. }
        | Record::RouteGone(_)
        | Record::Bookings(_)
        | Record::Pools(_)
        | Record::Blind(false)
        | Record::Switched { .. }
        | Record::Telling(_)
        | Record::Delivered { .. } => return None,
    })
}

fn manifest_words(change: &engine::ManifestChange) -> String {
    use engine::ManifestChange::{Back, Changed, Lost};
    match change {
        Lost => {
            "book has lost its manifest: what was known is kept, nothing is switched".to_owned()
        }
        Back => "book has a manifest again".to_owned(),
        Changed { added, removed } => format!(
            "book lists {} new resources, and {} are gone",
            added.len(),
            removed.len()
        ),
    }
}
