//! Output of the demonstration: the laboratory's faults, labwatch's actions, and the mails.

use std::sync::{Arc, Mutex, PoisonError};
use std::time::Instant;

use lab::{CaughtMail, Lab, Server};
use tokio_util::sync::CancellationToken;

use crate::cli::output::say;
use crate::replay::Kind;
use crate::service::ServiceOptions;
use engine::Record;
use engine::model::Visibility;

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

    /// Prints what is simulated, and where the files for a second labwatch are.
    pub(super) fn open(&self, lab: &Lab, rehearsal: Option<&str>) {
        let [relay, jump, book, pages, mail] = [
            Server::Relay,
            Server::Jump,
            Server::Book,
            Server::Pages,
            Server::Mail,
        ]
        .map(|server| lab.address(server));
        let experiments = lab.plan().experiments.len();
        self.line(&format!(
            "A simulated laboratory with {experiments} experiments: relay {relay}, jump {jump}, book {book}, pages {pages}, mail {mail}.\n\
             labwatch watches it, with rules of 5 s instead of the usual 10 s and 1 m. Stop with Ctrl-C."
        ));
        if let Some(rehearsal) = rehearsal {
            self.line(rehearsal);
        }
        self.line("");
    }

    /// Options that print what the service does.
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
                // Mails are shown as they arrive.
                let kind = Kind::of(record).filter(|_| !matches!(record, Record::Notifying(_)));
                if let Some(kind) = kind {
                    let words = record.words(Visibility::MAINTAINER);
                    records.line_of(kind.as_str(), &words);
                }
            }),
            ..ServiceOptions::default()
        }
    }

    /// A line about an action of one of the parts.
    pub(super) fn line_of(&self, who: &str, what: &str) {
        let seconds = self.begun.elapsed().as_secs();
        self.line(&format!(
            "{:02}:{:02}  {who:<9} {what}",
            seconds / 60,
            seconds % 60
        ));
    }

    /// A whole mail.
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
