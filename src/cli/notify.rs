//! `labwatch notify test`: a mail to the maintainers that says it is a test, to see that mails arrive.

use clap::Subcommand;
use jiff::Timestamp;

use super::{Failure, say};
use crate::config::{MailSettings, Sources, load};
use crate::effects::mail::Mailer;
use crate::engine::{Alert, Background, Channel, Counts, MessageId, Occasion, Summary, Thread};
use crate::model::RouteName;
use crate::service;

/// What is sent.
#[derive(Debug, Clone, Copy, Subcommand)]
pub enum NotifyCommand {
    /// A mail that says it is a test, to everybody who is mailed.
    Test,
}

/// Sends it.
///
/// # Errors
/// [`Failure`] when nobody is configured to be mailed, or when the mail server does not take it.
pub fn run(command: NotifyCommand, sources: &Sources) -> Result<(), Failure> {
    let Some(mail) = load(sources)?.config.mail else {
        return Err(Failure::Usage("nobody is mailed: set email_host, email_from and email_to.".to_owned()));
    };
    match command {
        NotifyCommand::Test => send_test(mail),
    }
}

fn send_test(settings: MailSettings) -> Result<(), Failure> {
    let everybody: Vec<String> = settings.to.iter().chain(&settings.cc).cloned().collect();
    let server = format!("{}:{}", settings.host, settings.port);
    let mailer = Mailer::new(settings, &[]).map_err(|error| Failure::Failed(format!("{error}.")))?;
    let runtime = service::runtime().map_err(|error| Failure::Failed(format!("the runtime cannot be started: {error}.")))?;
    let sent = runtime.block_on(mailer.send(&test_summary(Timestamp::now())));
    sent.map_err(|fault| Failure::Failed(format!("{server} does not take the mail: {}.", fault.fault)))?;
    say(&format!("{server} took a test mail for {}; look whether it arrives", everybody.join(", ")))
}

fn test_summary(now: Timestamp) -> Summary {
    let text = "this is a test: somebody asked labwatch to send it, and nothing is wrong".to_owned();
    let alerts = vec![Alert { text, since: now, ended: None, new: true }];
    let (counts, background) = (Counts::default(), Background::default());
    Summary {
        id: 0,
        route: RouteName::everybody(),
        channel: Channel::Mail,
        occasion: Occasion::News,
        thread: Thread { id: MessageId { at: now, id: 0 }, references: Vec::new() },
        at: now,
        news: Vec::new(),
        problems: Vec::new(),
        alerts,
        counts,
        background,
    }
}
