//! Sends test messages that maintainers request over the API or from the page, one at a time. A
//! delivered one triggers a retry of what is pending on its channel.

use std::collections::BTreeSet;
use std::sync::Arc;

use jiff::Timestamp;
use tokio::sync::{Notify, mpsc, watch};

use super::config_watch::ConfigWatch;
use super::task_set::TaskSet;
use super::{notifications, presentation};
use crate::clients::Http;
use crate::config::Config;
use crate::effects::trial::{Target, Trial, Tried};
use crate::effects::webhook::Webhook;
use crate::http::{TestMessages, TestOrder, TestOutcome, TestReport, TestedRecipient, TestedRoute};
use engine::{Channel, Input};

/// One test is sent at a time, and another is refused meanwhile.
const QUEUE: usize = 1;

/// Records who requested a test.
pub(super) type Audit = Box<dyn Fn(&str, &str) + Send + Sync>;

/// What is pending until a channel works again.
#[derive(Debug, Clone)]
pub(super) struct Wakes {
    /// Weak, because the API outlives the engine's driver, which ends once no sender is left.
    pub(super) inputs: mpsc::WeakSender<Input>,
    /// The monthly report.
    pub(super) reports: Arc<Notify>,
}

impl Wakes {
    /// Retries what failed on this channel, or on all.
    async fn wake(&self, channel: Option<Channel>) {
        // If this fails, labwatch is about to stop.
        if let Some(inputs) = self.inputs.upgrade() {
            let _ = inputs.send(Input::Retry(channel)).await;
        }
        if channel.is_none_or(|channel| channel == Channel::Mail) {
            self.reports.notify_one();
        }
    }
}

/// Starts the task.
pub(super) fn start(
    config: ConfigWatch,
    http: Http,
    wakes: Wakes,
    audit: Audit,
    parts: &mut TaskSet,
) -> TestMessages {
    let current = move || trial(&config.borrow(), &http);
    let current = Arc::new(current);
    let (orders, queue) = mpsc::channel(QUEUE);
    let (report, latest) = watch::channel(None);
    let tester = Tester {
        trial: Arc::clone(&current) as Arc<_>,
        report,
        wakes: wakes.clone(),
        audit,
    };
    parts.spawn_until_stop("test messages", async move {
        tester.run(queue).await;
        // Without an API no request can come, and this part ends with the others.
        std::future::pending::<()>().await;
    });
    TestMessages {
        routes: Arc::new(move || current().targets().iter().map(pending).collect()),
        orders,
        latest,
        retry: Arc::new(move || {
            let wakes = wakes.clone();
            Box::pin(async move { wakes.wake(None).await })
        }),
    }
}

/// The senders of test messages, by the current settings.
fn trial(config: &Config, http: &Http) -> Trial {
    if config.shadow {
        // In this mode nothing is sent, so no recipient could be reached.
        return Trial::new(None, Vec::new());
    }
    let presentation = presentation(config);
    let mailer = notifications::mailer(config).ok().flatten();
    let http = http.with_timeout(config.notifications.webhook_timeout);
    Trial::new(
        mailer.map(|mailer| mailer.with_presentation(presentation.clone())),
        Webhook::all(&config.notifications, &http, &presentation),
    )
}

fn pending(target: &Target) -> TestedRoute {
    let recipients = target.recipients.iter().map(|recipient| TestedRecipient {
        recipient: recipient.clone(),
        outcome: TestOutcome::Pending,
    });
    TestedRoute {
        route: target.route.clone(),
        channel: target.channel,
        recipients: recipients.collect(),
    }
}

/// Sends tests, and publishes the outcome of the last one.
struct Tester {
    trial: Arc<dyn Fn() -> Trial + Send + Sync>,
    report: watch::Sender<Option<Arc<TestReport>>>,
    wakes: Wakes,
    audit: Audit,
}

impl Tester {
    async fn run(self, mut queue: mpsc::Receiver<TestOrder>) {
        while let Some(order) = queue.recv().await {
            let names: Vec<&str> = order.routes.iter().map(|one| one.route.as_str()).collect();
            (self.audit)(
                &order.by,
                &format!("sent a test message by {}", names.join(", ")),
            );
            let report = self.send(order.by, order.routes).await;
            // The caller may have stopped waiting.
            let _ = order.done.send(report);
        }
    }

    async fn send(&self, by: String, routes: Vec<TestedRoute>) -> Arc<TestReport> {
        let at = Timestamp::now();
        let trial = (self.trial)();
        let wanted = |target: &Target| routes.iter().any(|route| route.route == target.route);
        let mut targets = trial.targets();
        targets.retain(wanted);
        let mut report = TestReport {
            at,
            by,
            routes: targets.iter().map(pending).collect(),
        };
        self.show(&report);
        let mut worked = BTreeSet::new();
        let known = |target: &Target, tried: Vec<Tried>| {
            if tried.iter().any(|one| one.problem.is_none()) {
                worked.insert(target.channel);
            }
            let mut of = report.routes.iter_mut();
            if let Some(route) = of.find(|route| route.route == target.route) {
                route.recipients = tried.into_iter().map(tested).collect();
            }
            self.show(&report);
        };
        trial.send(&targets, at, known).await;
        for channel in worked {
            self.wakes.wake(Some(channel)).await;
        }
        Arc::new(report)
    }

    fn show(&self, report: &TestReport) {
        self.report.send_replace(Some(Arc::new(report.clone())));
    }
}

fn tested(tried: Tried) -> TestedRecipient {
    TestedRecipient {
        recipient: tried.recipient,
        outcome: tried
            .problem
            .map_or(TestOutcome::Taken, TestOutcome::Failed),
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::clients;
    use crate::config::{Sources, load};
    use engine::{Role, Snapshot};
    use lab::{Answer, AwkwardSetup, AwkwardSmtp, Rule};

    /// Ann's mail is delivered, Bob's is not, and pending mails are retried.
    #[tokio::test]
    async fn a_test_says_who_has_it_and_wakes_what_waits() {
        let _ = rustls::crypto::aws_lc_rs::default_provider().install_default();
        let refuses = Rule::on("RCPT TO:<bob@", Answer::line("550 5.1.1 no such user"));
        let setup = AwkwardSetup {
            rules: vec![refuses],
            ..AwkwardSetup::default()
        };
        let server = AwkwardSmtp::start(setup).await.expect("starts");
        let port = server.address().port().to_string();
        let settings = [
            ("email_host", "127.0.0.1"),
            ("email_port", &port),
            ("email_to", "ann@x.org bob@x.org"),
            ("email_from", "lab@x.org"),
            ("webhook_url", "http://127.0.0.1:1/x"),
        ];
        let sources = Sources::of_laboratory("127.0.0.1:1", &settings);
        let config = load(&sources).expect("loads").config;
        let tls = clients::client_config(false).expect("a configuration");
        let http = Http::new(std::time::Duration::from_secs(5), tls).expect("a client");
        let (inputs, mut woken) = mpsc::channel(4);
        let (_, configs) = watch::channel(Arc::new(config));
        let mut parts = TaskSet::default();
        let audit = Box::new(|who: &str, what: &str| {
            assert_eq!((who, what), ("ADA", "sent a test message by everybody"));
        });
        let reports = Arc::new(Notify::new());
        let wakes = Wakes {
            inputs: inputs.downgrade(),
            reports: Arc::clone(&reports),
        };
        let way = start(configs, http, wakes, audit, &mut parts);
        let leader = Snapshot::empty(Timestamp::UNIX_EPOCH);
        assert!(way.preview(&leader, Some("nothing")).is_err());
        assert_eq!(way.preview(&leader, None).expect("two").len(), 2);
        let follower = Snapshot {
            role: Role::Follower,
            ..Snapshot::empty(Timestamp::UNIX_EPOCH)
        };
        assert!(way.send(&follower, None, "ADA").await.is_err());
        assert!(server.mails().is_empty());

        let report = way.send(&leader, Some("everybody"), "ADA").await;
        let report = report.expect("is sent");
        let outcomes: Vec<(&str, bool)> = report.routes[0]
            .recipients
            .iter()
            .map(|one| (one.recipient.as_str(), one.outcome == TestOutcome::Taken))
            .collect();
        assert_eq!(outcomes, [("ann@x.org", true), ("bob@x.org", false)]);
        assert!(report.is_done() && way.last() == Some(report));
        assert!(server.mails()[0].content.contains("TEST"));
        let input = woken.recv().await;
        assert!(
            matches!(input, Some(Input::Retry(Some(Channel::Mail)))),
            "{input:?}"
        );
        reports.notified().await;
    }
}
