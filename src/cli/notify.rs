//! `labwatch notify test`: a mail to the maintainers, and a message to each webhook, that say they are a test, to see that they arrive.

use std::sync::Arc;

use clap::Subcommand;
use jiff::Timestamp;

use super::recipients::{list, refusals};
use super::{Failure, say};
use crate::clients::{self, Http};
use crate::config::{MailSettings, Sources, load};
use crate::effects::mail::Mailer;
use crate::effects::notification::Presentation;
use crate::effects::webhook::Webhook;
use crate::service;
use engine::model::{RouteName, Visibility};
use engine::{Background, Channel, Counts, MessageId, Notification, Occasion, Summary, Thread};

/// What is sent.
#[derive(Debug, Clone, Copy, Subcommand)]
pub enum NotifyCommand {
    /// A mail to all recipients, and a message to each webhook, that say they are a test.
    Test,
}

/// Sends it.
///
/// # Errors
/// [`Failure`] when there are no recipients, or when one does not take it.
pub fn run(command: NotifyCommand, sources: &Sources) -> Result<(), Failure> {
    let config = load(sources)?.config;
    let http = clients::client_config(false)
        .and_then(|tls| Http::new(config.telling.webhook_timeout, tls));
    let http = http.map_err(|fault| Failure::Failed(format!("calls cannot be made: {fault}.")))?;
    let presentation = service::presentation(&config);
    let webhooks = Webhook::all(&config.telling, &http, &presentation);
    if config.mail.is_none() && webhooks.is_empty() {
        return Err(Failure::Usage(
            "there are no recipients: set email_host, email_from and email_to, or webhook_url."
                .to_owned(),
        ));
    }
    match command {
        NotifyCommand::Test => send_test(config.mail, &presentation, &webhooks),
    }
}

/// Tries all, and then fails where one did.
fn send_test(
    mail: Option<MailSettings>,
    presentation: &Presentation,
    webhooks: &[Webhook],
) -> Result<(), Failure> {
    let summary = test_summary(Timestamp::now());
    let runtime = service::runtime()
        .map_err(|error| Failure::Failed(format!("the runtime cannot be started: {error}.")))?;
    let mailed = mail.map_or(Ok(()), |mail| {
        runtime.block_on(mail_test(mail, presentation, &summary))
    });
    let mut outcome = mailed;
    for webhook in webhooks {
        outcome = outcome.and(runtime.block_on(call_test(webhook, &summary)));
    }
    outcome
}

async fn mail_test(
    settings: MailSettings,
    presentation: &Presentation,
    summary: &Summary,
) -> Result<(), Failure> {
    let server = format!("{}:{}", settings.host, settings.port);
    let mailer =
        Mailer::new(settings, &[]).map_err(|error| Failure::Failed(format!("{error}.")))?;
    let mailer = mailer.with_presentation(presentation.clone());
    let to_all = Notification::to_all(Arc::new(summary.clone()));
    let report = mailer.deliver(&to_all).await.map_err(|fault| {
        Failure::Failed(format!("{}.", fault.fault.words(Visibility::MAINTAINER)))
    })?;
    let took = list(report.delivered());
    if !took.is_empty() {
        say(&format!(
            "{server} took a test mail for {took}; look whether it arrives"
        ))?;
    }
    let failures = refusals(report.failures());
    if failures.is_empty() {
        Ok(())
    } else {
        Err(Failure::Failed(format!(
            "{server} does not take the mail for {}.",
            failures.join("; ")
        )))
    }
}

async fn call_test(webhook: &Webhook, summary: &Summary) -> Result<(), Failure> {
    let (route, url) = (&webhook.route, &webhook.target.url);
    let sent = webhook.send(summary).await;
    sent.map_err(|fault| {
        Failure::Failed(format!(
            "{url} (route {route}) does not take the message: {}.",
            fault.fault.words(Visibility::MAINTAINER)
        ))
    })?;
    say(&format!("{url} (route {route}) took a test message"))
}

fn test_summary(now: Timestamp) -> Summary {
    Summary {
        id: 0,
        route: RouteName::everybody(),
        channel: Channel::Mail,
        occasion: Occasion::Test,
        thread: Thread {
            id: MessageId { at: now, id: 0 },
            references: Vec::new(),
        },
        at: now,
        news: Vec::new(),
        problems: Vec::new(),
        alerts: Vec::new(),
        counts: Counts::default(),
        background: Background::default(),
        reminder: None,
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use lab::{Answer, AwkwardSetup, AwkwardSmtp, Rule};

    #[tokio::test]
    async fn a_test_mail_names_those_who_do_not_get_it_and_why() {
        let setup = AwkwardSetup {
            rules: vec![Rule::on(
                "RCPT TO:<bob@",
                Answer::line("550 5.1.1 no such user"),
            )],
            ..AwkwardSetup::default()
        };
        let server = AwkwardSmtp::start(setup).await.expect("starts");
        let mut overrides = vec![
            ("email_host".to_owned(), "127.0.0.1".to_owned()),
            ("email_port".to_owned(), server.address().port().to_string()),
            ("email_to".to_owned(), "ann@x.org bob@x.org".to_owned()),
            ("email_from".to_owned(), "lab@x.org".to_owned()),
        ];
        for server in ["book", "jump", "relay"] {
            overrides.push((format!("host_{server}"), "127.0.0.1:1".to_owned()));
            overrides.push((format!("secret_{server}"), "somesecret".to_owned()));
        }
        let sources = Sources {
            overrides,
            ..Sources::default()
        };
        let mail = load(&sources).expect("loads").config.mail.expect("mail");
        let failed = mail_test(
            mail,
            &Presentation::default(),
            &test_summary(Timestamp::now()),
        )
        .await;
        let Err(Failure::Failed(said)) = failed else {
            panic!("{failed:?}")
        };
        assert!(
            said.ends_with(
                " does not take the mail for bob@x.org: it answered 550 to RCPT (it said: 550 5.1.1 no such user)."
            ) && !said.contains("ann@x.org"),
            "{said}"
        );
        assert_eq!(server.mails()[0].to, ["ann@x.org"]);
    }
}
