//! Test messages to every recipient of every route, with the outcome of each. They show whether
//! notifications would arrive.

use std::sync::Arc;
use std::time::Duration;

use futures_util::StreamExt as _;
use futures_util::stream::FuturesUnordered;
use jiff::{SignedDuration, Timestamp};

use super::mail::{Mailer, SmtpError};
use super::webhook::Webhook;
use engine::model::{RouteName, Visibility};
use engine::{Background, Channel, Counts, MessageId, Notification, Occasion, Summary, Thread};

/// The time limit for the test of a route.
const WITHIN: Duration = Duration::from_secs(25 * 60);

/// Outcome of a test message for one recipient.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Tried {
    /// The recipient: a mail address, or the address of a webhook.
    pub recipient: String,
    /// Why it was not delivered, with the other side's answer; `None` where it was accepted.
    pub problem: Option<String>,
}

/// A route that can be tested.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Target {
    /// The route.
    pub route: RouteName,
    /// The channel.
    pub channel: Channel,
    /// The recipients of a test.
    pub recipients: Vec<String>,
}

/// The senders of test messages, by the current settings.
#[derive(Debug, Clone)]
pub struct Trial {
    mailer: Option<Mailer>,
    webhooks: Vec<Webhook>,
}

impl Trial {
    /// From these senders.
    #[must_use]
    pub fn new(mailer: Option<Mailer>, webhooks: Vec<Webhook>) -> Self {
        Self { mailer, webhooks }
    }

    /// Every route that has a recipient.
    #[must_use]
    pub fn targets(&self) -> Vec<Target> {
        let mails = self.mailer.iter().flat_map(Mailer::reached);
        let mails = mails.map(|(route, recipients)| Target {
            route: route.clone(),
            channel: Channel::Mail,
            recipients: recipients.iter().map(ToString::to_string).collect(),
        });
        let calls = self.webhooks.iter().map(|webhook| Target {
            route: webhook.route.clone(),
            channel: Channel::Http(webhook.target.channel),
            recipients: vec![webhook.target.url.to_string()],
        });
        mails.chain(calls).collect()
    }

    /// Sends a test message by each of these routes, concurrently, and reports each outcome as soon
    /// as it is known.
    pub async fn send(
        &self,
        targets: &[Target],
        now: Timestamp,
        mut known: impl FnMut(&Target, Vec<Tried>),
    ) {
        let mut under_way: FuturesUnordered<_> = (0_i64..)
            .zip(targets)
            .map(|(number, target)| async move {
                // Each has an id of its own: the recipients in its headers differ.
                let at = now.saturating_add(SignedDuration::from_millis(number));
                (target, self.send_one(target, at.unwrap_or(now)).await)
            })
            .collect();
        while let Some((target, tried)) = under_way.next().await {
            known(target, tried);
        }
    }

    async fn send_one(&self, target: &Target, at: Timestamp) -> Vec<Tried> {
        let summary = summary(target, at);
        let sending = async {
            match (target.channel, &self.mailer) {
                (Channel::Mail, Some(mailer)) => mailed(mailer, summary).await,
                (Channel::Mail, None) => Err("mail is off".to_owned()),
                (Channel::Http(_), _) => self.called(target, &summary).await,
            }
        };
        let tried = tokio::time::timeout(WITHIN, sending).await;
        let tried = tried.unwrap_or_else(|_| Err("it does not answer in time".to_owned()));
        tried.unwrap_or_else(|why| {
            let failed = |recipient: &String| Tried {
                recipient: recipient.clone(),
                problem: Some(why.clone()),
            };
            target.recipients.iter().map(failed).collect()
        })
    }

    async fn called(&self, target: &Target, summary: &Summary) -> Result<Vec<Tried>, String> {
        let of = |webhook: &&Webhook| webhook.route == target.route;
        let webhook = self.webhooks.iter().find(of);
        let webhook = webhook.ok_or_else(|| "the route is gone".to_owned())?;
        let sent = webhook.send(summary).await;
        sent.map_err(|fault| fault.fault.words(Visibility::MAINTAINER))?;
        Ok(vec![Tried {
            recipient: webhook.target.url.to_string(),
            problem: None,
        }])
    }
}

async fn mailed(mailer: &Mailer, summary: Summary) -> Result<Vec<Tried>, String> {
    let notification = Notification::to_all(Arc::new(summary));
    let report = mailer.deliver(&notification).await;
    let report = report.map_err(|fault| fault.fault.words(Visibility::MAINTAINER))?;
    let tried = report.recipients.iter().map(|one| Tried {
        recipient: one.recipient.to_string(),
        problem: one.outcome.error().map(SmtpError::with_reply),
    });
    Ok(tried.collect())
}

fn summary(target: &Target, at: Timestamp) -> Summary {
    Summary {
        id: 0,
        route: target.route.clone(),
        channel: target.channel,
        occasion: Occasion::Test,
        thread: Thread {
            id: MessageId { at, id: 0 },
            references: Vec::new(),
        },
        at,
        news: Vec::new(),
        problems: Vec::new(),
        alerts: Vec::new(),
        counts: Counts::default(),
        background: Background::default(),
        reminder: None,
    }
}
