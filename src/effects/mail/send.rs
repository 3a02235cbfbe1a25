//! Delivers mails to the mail server. Decides neither what is notified nor whether a failed mail is
//! retried.

use std::collections::{BTreeMap, BTreeSet};
use std::net::IpAddr;
use std::time::Duration;

use jiff::Timestamp;
use lettre::message::Mailbox;
use serde::{Deserialize, Serialize};
use tokio::sync::mpsc;

use tokio_util::sync::CancellationToken;
use tracing::warn;

use super::message::{Addresses, Head, message};
use super::outcome::{Circulated, own_words, recipient, verdict};
use super::smtp::{self, DeliveryReport, EnvelopeAddress, Limits, MAX_QUOTED_CHARS};
use super::{Presentation, compose, words};
use crate::config::{MailAuth, MailSettings, MailTls, Route, RouteTarget};
use crate::effects::side_by_side::side_by_side;
use crate::effects::{Window, deliver};
use engine::model::{CallError, RouteName};
use engine::{
    Audience, Delivered, DeliveryFault, Input, MessageId, Notification, Outlook, Recipient,
};

/// How many mails are in flight at the same time. More wait in the queue.
const AT_ONCE: usize = 4;

/// The longest that all transactions of a mail may take together. A server may take 10 minutes
/// after the final dot alone; the engine gives up after half an hour.
const DELIVERED_WITHIN: Duration = Duration::from_secs(25 * 60);

/// The longest subject of a mail that is not a summary, in characters.
const MAX_SUBJECT_CHARS: usize = 150;

/// Sends mails with fixed settings.
#[derive(Debug, Clone)]
pub struct Mailer {
    pub(super) settings: MailSettings,
    pub(super) limits: Limits,
    from: Mailbox,
    recipients: BTreeMap<RouteName, Addresses>,
    presentation: Presentation,
}

/// A mail that is not a summary and belongs to no thread.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Circular {
    /// The unique name of the mail, without white space: the same mail sent again has the same
    /// Message-ID.
    pub name: String,
    /// When it was composed.
    pub at: Timestamp,
    /// The subject, without the prefix that every subject has.
    pub subject: String,
    /// The plain text.
    pub text: String,
    /// The same as HTML.
    pub html: String,
}

/// Why the settings are not usable for mail.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum MailerError {
    /// A text is not a mail address.
    #[error("{setting}: \"{text}\" is not a mail address ({why})")]
    Address {
        /// The setting that contains it, without its prefix.
        setting: &'static str,
        /// The text.
        text: String,
        /// What is wrong with it.
        why: String,
    },
    /// There is no recipient in `EMAIL_TO`, or in the recipients of a route.
    #[error("EMAIL_TO: no recipient is named to whom the mail could go")]
    NoRecipient,
    /// The password could be read on the way to this host.
    #[error(
        "EMAIL_TLS: the password would be readable on the way to {0}: set it to starttls or implicit"
    )]
    Unprotected(String),
}

impl Mailer {
    /// Checks the settings: the default recipients, and those of further routes. Does not connect,
    /// so it succeeds while the mail server is down and on a host without CA certificates.
    ///
    /// # Errors
    /// [`MailerError`], which names the setting.
    pub fn new(settings: MailSettings, routes: &[Route]) -> Result<Self, MailerError> {
        let routes: Vec<_> = routes.iter().filter_map(recipients).collect();
        if settings.to.is_empty() && routes.is_empty() {
            return Err(MailerError::NoRecipient);
        }
        if !matches!(settings.auth, MailAuth::None)
            && settings.tls == MailTls::None
            && !is_loopback(&settings.host)
        {
            return Err(MailerError::Unprotected(settings.host));
        }
        let default = Addresses {
            to: mailboxes("EMAIL_TO", &settings.to)?,
            cc: mailboxes("EMAIL_CC", &settings.cc)?,
        };
        let mut recipients = BTreeMap::from([(RouteName::everybody(), default)]);
        for (route, to, cc) in routes {
            let addresses = Addresses {
                to: mailboxes("to of a route", to)?,
                cc: mailboxes("cc of a route", cc)?,
            };
            recipients.insert(route, addresses);
        }
        Ok(Self {
            from: mailbox("EMAIL_FROM", &settings.from)?,
            recipients,
            presentation: Presentation {
                subject: settings.subject.clone(),
                link: settings.link.clone(),
                ..Presentation::default()
            },
            limits: Limits::of(settings.timeout),
            settings,
        })
    }

    /// The same, with what mails contain beside the mail settings: addresses of the page and the
    /// time zone.
    #[must_use]
    pub fn with_presentation(mut self, presentation: Presentation) -> Self {
        self.presentation = presentation;
        self
    }

    /// Sends a message to those recipients of its route that it is meant for.
    ///
    /// # Errors
    /// [`DeliveryFault`] when no recipient has it.
    pub async fn send(&self, notification: &Notification) -> Result<Delivered, DeliveryFault> {
        verdict(&self.deliver(notification).await?)
    }

    /// Sends a message, and returns the outcome for each recipient that it is meant for.
    ///
    /// # Errors
    /// [`DeliveryFault`] when the route has no recipients.
    pub async fn deliver(
        &self,
        notification: &Notification,
    ) -> Result<DeliveryReport, DeliveryFault> {
        let Notification {
            summary, audience, ..
        } = notification;
        let recipients = self
            .addresses(&summary.route)
            .ok_or_else(|| no_recipients(&summary.route))?;
        let composed = compose(summary, &self.presentation);
        let name = |message: &MessageId| format!("<{message}@{}>", self.domain());
        let head = Head {
            from: &self.from,
            recipients,
            subject: &composed.subject,
            at: summary.at,
            id: name(&summary.thread.id),
            references: summary.thread.references.iter().map(name).collect(),
            state: composed.state,
        };
        let mail = message(&head, composed.text, composed.html);
        let report = self.hand_over(&mail, recipients, audience).await;
        // Other recipients have what those of a lane do not: the server accepts us, so a refusal
        // concerns the recipient.
        Ok(match audience {
            Audience::Only(..) => report,
            Audience::All | Audience::Except(_) => report.spare_all(),
        })
    }

    /// Sends a mail that is not a summary to all of `EMAIL_TO` and `EMAIL_CC` who do not have it.
    ///
    /// # Errors
    /// [`DeliveryFault`] when there are no recipients.
    pub async fn circulate(
        &self,
        circular: &Circular,
        has: &BTreeSet<Recipient>,
    ) -> Result<Circulated, DeliveryFault> {
        let recipients = self
            .addresses(&RouteName::everybody())
            .ok_or_else(|| no_recipients(&RouteName::everybody()))?;
        let subject = format!("{} {}", self.presentation.subject.trim(), circular.subject);
        let head = Head {
            from: &self.from,
            recipients,
            subject: &words::clip(subject.trim(), MAX_SUBJECT_CHARS),
            at: circular.at,
            id: format!("<{}@{}>", circular.name, self.domain()),
            references: Vec::new(),
            state: vec!["report".to_owned()],
        };
        let mail = message(&head, circular.text.clone(), circular.html.clone());
        let audience = if has.is_empty() {
            Audience::All
        } else {
            Audience::Except(has.clone())
        };
        let report = self.hand_over(&mail, recipients, &audience).await;
        // Where other recipients have it, a refusal is permanent.
        let report = if has.is_empty() {
            report.spare_all()
        } else {
            report
        };
        Ok(Circulated::of(&report))
    }

    /// The envelope sender.
    pub(super) fn sender(&self) -> EnvelopeAddress {
        EnvelopeAddress::new(&self.from.email)
    }

    /// Every recipient of every route, once.
    pub(super) fn all_recipients(&self) -> Vec<EnvelopeAddress> {
        let mut all: Vec<EnvelopeAddress> = Vec::new();
        for recipient in self.recipients.values().flat_map(Addresses::envelope) {
            if !all.contains(&recipient) {
                all.push(recipient);
            }
        }
        all
    }

    /// Every route that has recipients, with them.
    pub fn reached(&self) -> impl Iterator<Item = (&RouteName, Vec<EnvelopeAddress>)> {
        let reached = self.recipients.iter();
        let reached = reached.filter(|(_, addresses)| !addresses.to.is_empty());
        reached.map(|(route, addresses)| (route, addresses.distinct()))
    }

    fn addresses(&self, route: &RouteName) -> Option<&Addresses> {
        self.recipients
            .get(route)
            .filter(|addresses| !addresses.to.is_empty())
    }

    fn domain(&self) -> String {
        smtp::ascii_domain(self.from.email.domain())
    }

    async fn hand_over(
        &self,
        mail: &[u8],
        recipients: &Addresses,
        audience: &Audience,
    ) -> DeliveryReport {
        let mut envelope = recipients.distinct();
        envelope.retain(|address| audience.includes(&recipient(address)));
        if envelope.is_empty() {
            return DeliveryReport::default();
        }
        let from = self.sender();
        let report = smtp::deliver(&self.settings, self.limits, &from, &envelope, mail).await;
        for (number, one) in (1..).zip(&report.recipients) {
            let Some(error) = one.outcome.error() else {
                continue;
            };
            warn!(
                recipient = number,
                of = report.recipients.len(),
                "mail not delivered to a recipient: {}",
                own_words(error)
            );
        }
        report
    }
}

/// Sends mails until `stop`, or until the queue is closed, `AT_ONCE` at a time: a slow server of
/// one route delays no other route. Each ends in one `Input::Delivered`. `mailer` gives the mailer
/// for the next mail, by the settings at that time; `None` while mail is off. Mails in flight at
/// the stop are aborted after [`STOP_GRACE`](crate::effects::STOP_GRACE), and at once where the
/// `window` is closed.
pub async fn run(
    mailer: impl Fn() -> Option<Mailer> + Send,
    mails: mpsc::Receiver<Notification>,
    inputs: mpsc::Sender<Input>,
    window: Option<Window>,
    stop: CancellationToken,
) {
    let send = move |next: Notification| {
        let (id, inputs, window) = (next.id, inputs.clone(), window.clone());
        deliver(id, inputs, window, send_one(mailer(), next))
    };
    side_by_side("mails", mails, AT_ONCE, send, stop).await;
}

async fn send_one(mailer: Option<Mailer>, next: Notification) -> Result<Delivered, DeliveryFault> {
    let mailer = mailer.ok_or_else(|| no_recipients(&next.route))?;
    within(DELIVERED_WITHIN, mailer.send(&next)).await
}

/// A delivery that takes too long is aborted: it may have arrived.
async fn within(
    limit: Duration,
    sending: impl Future<Output = Result<Delivered, DeliveryFault>>,
) -> Result<Delivered, DeliveryFault> {
    let unknown = DeliveryFault {
        fault: CallError::TimedOut,
        outlook: Outlook::Unknown,
    };
    tokio::time::timeout(limit, sending)
        .await
        .unwrap_or(Err(unknown))
}

fn no_recipients(route: &RouteName) -> DeliveryFault {
    DeliveryFault::refused(CallError::Protocol(format!(
        "the route {route} has no recipients"
    )))
}

/// The recipients of a route by mail, and who gets a copy.
fn recipients(route: &Route) -> Option<(RouteName, &[String], &[String])> {
    match &route.target {
        RouteTarget::Mail { to, cc } => Some((RouteName::try_new(&route.name).ok()?, to, cc)),
        RouteTarget::Http(_) => None,
    }
}

fn mailboxes(setting: &'static str, texts: &[String]) -> Result<Vec<Mailbox>, MailerError> {
    texts.iter().map(|text| mailbox(setting, text)).collect()
}

fn mailbox(setting: &'static str, text: &str) -> Result<Mailbox, MailerError> {
    text.parse().map_err(
        |error: lettre::address::AddressError| MailerError::Address {
            setting,
            text: words::clip(text, MAX_QUOTED_CHARS),
            why: error.to_string(),
        },
    )
}

fn is_loopback(host: &str) -> bool {
    host.eq_ignore_ascii_case("localhost")
        || host
            .parse::<IpAddr>()
            .is_ok_and(|address| address.is_loopback())
}

#[cfg(test)]
mod tests {
    use std::collections::BTreeSet;
    use std::sync::Arc;
    use std::time::Instant;

    use jiff::Timestamp;

    use super::super::tests::{FakeSmtp, Manner, settings};
    use super::*;
    use crate::effects::STOP_GRACE;
    use engine::model::{Bookable, Health, Stub, Visibility};
    use engine::{Counts, Recipient, Summary};
    use tokio::task::JoinSet;

    fn plain() -> MailAuth {
        MailAuth::Plain {
            user: "user".into(),
            password: "secret".into(),
        }
    }

    fn login() -> MailAuth {
        MailAuth::Login {
            user: "user".into(),
            password: "secret".into(),
        }
    }

    fn summary() -> Notification {
        let at: Timestamp = "2026-11-21T01:05:00.000000007Z".parse().expect("a time");
        let line = engine::Line {
            stub: Stub::try_new("pend03").expect("a stub"),
            health: Health::Down,
            notified: Health::Ok,
            bookable: Some(Bookable::Withdrawn),
            listed: true,
            issues: vec![],
            since: at,
            lasted: None,
            affected: engine::Affected::default(),
            advice: None,
            notified_issues: vec![],
            worst: None,
            steadiness: None,
            last_seen: None,
            acknowledged: None,
        };
        let counts = Counts {
            total: 1,
            down: 1,
            withdrawn: 1,
            ..Counts::default()
        };
        Notification::to_all(Arc::new(Summary {
            id: 7,
            route: RouteName::everybody(),
            channel: engine::Channel::Mail,
            occasion: engine::Occasion::News,
            thread: engine::Thread {
                id: MessageId { at, id: 7 },
                references: vec![],
            },
            at,
            news: vec![line.clone()],
            problems: vec![line],
            alerts: vec![],
            counts,
            background: engine::Background::default(),
            reminder: None,
        }))
    }

    /// Sends one mail with these settings to a server of this behaviour.
    async fn send(
        manner: Manner,
        change: impl FnOnce(&mut MailSettings),
    ) -> (Result<Delivered, DeliveryFault>, FakeSmtp) {
        let server = FakeSmtp::start(manner).await;
        let mut settings = settings(server.port);
        change(&mut settings);
        settings.tls_ca = Some(server.identity.file.path().to_owned());
        let mut mailer = Mailer::new(settings, &[]).expect("good settings");
        (mailer.limits.data, mailer.limits.final_dot) =
            (mailer.limits.command, mailer.limits.command);
        (mailer.send(&summary()).await, server)
    }

    /// A route to one recipient.
    fn route(name: &RouteName, to: &str) -> Route {
        Route {
            name: name.as_str().to_owned(),
            patterns: vec!["*".to_owned()],
            target: RouteTarget::Mail {
                to: vec![to.to_owned()],
                cc: vec![],
            },
            alerts: false,
            remind: None,
            gather: Duration::ZERO,
        }
    }

    #[tokio::test]
    async fn the_mail_has_its_headers_and_both_parts() {
        let (outcome, server) = send(Manner::default(), |settings| {
            settings.cc = vec!["cy@example.org".into()];
        })
        .await;
        assert_eq!(outcome, Ok(Delivered::to_all()));
        let mails = server.mails();
        let [mail] = mails.as_slice() else {
            panic!("{mails:?}")
        };
        let (headers, body) = mail.split_once("\n\n").expect("headers and a body");
        for header in [
            "From: Lab <labwatch@lab.example.org>",
            "To: ann@example.org, Bob <bob@example.org>",
            "Cc: cy@example.org",
            "Subject: [lab] down: pend03",
            "Date: Sat, 21 Nov 2026 01:05:00 +0000",
            "Message-ID: <labwatch.1795223100000000007.7@lab.example.org>",
            "Auto-Submitted: auto-generated",
            "MIME-Version: 1.0",
        ] {
            assert_eq!(
                headers.lines().filter(|line| *line == header).count(),
                1,
                "{header}\n{headers}"
            );
        }
        let boundary = headers
            .split("boundary=\"")
            .nth(1)
            .and_then(|rest| rest.split('"').next())
            .expect("a boundary");
        let parts: Vec<_> = body.split(&format!("--{boundary}")).collect();
        assert_eq!((parts.len(), parts[3].trim()), (4, "--"));
        assert!(
            parts[1].contains("Content-Type: text/plain; charset=utf-8")
                && parts[1].contains("pend03: down since "),
            "{}",
            parts[1]
        );
        assert!(
            parts[2].contains("Content-Type: text/html; charset=utf-8")
                && parts[2].replace("=\n", "").contains("<b>pend03</b>"),
            "{}",
            parts[2]
        );
        assert!(
            server
                .lines()
                .contains(&"RCPT TO:<cy@example.org>".to_owned())
        );
    }

    #[tokio::test]
    async fn a_route_has_its_own_recipients_and_its_mails_stand_together() {
        let server = FakeSmtp::start(Manner::default()).await;
        let pends = RouteName::try_new("pends").expect("a name");
        let routes = [route(&pends, "dan@example.org")];
        let mailer = Mailer::new(settings(server.port), &routes).expect("good settings");
        let message = |id| MessageId {
            at: summary().at,
            id,
        };
        let thread = engine::Thread {
            id: message(7),
            references: vec![message(3), message(5)],
        };
        let changed = Summary {
            route: pends,
            thread,
            ..(*summary().summary).clone()
        };
        let notification = Notification::to_all(Arc::new(changed));
        assert_eq!(mailer.send(&notification).await, Ok(Delivered::to_all()));
        let mail = server.mails().concat().replace("\n ", " ");
        let name = |id| format!("<labwatch.1795223100000000007.{id}@lab.example.org>");
        for header in [
            "To: dan@example.org".to_owned(),
            format!("References: {} {}", name(3), name(5)),
            format!("In-Reply-To: {}", name(5)),
        ] {
            assert!(mail.lines().any(|line| line == header), "{header}\n{mail}");
        }
        assert!(
            !server
                .lines()
                .iter()
                .any(|line| line.contains("ann@example.org"))
        );
        let no_route = Summary {
            route: RouteName::try_new("gone").expect("a name"),
            ..(*summary().summary).clone()
        };
        let no_route = Notification::to_all(Arc::new(no_route));
        let outcome = mailer.send(&no_route).await;
        assert!(outcome.is_err_and(|failure| failure.refuses_content()));
    }

    #[tokio::test]
    async fn without_cc_there_is_no_cc_header_and_no_subject_gets_a_header_in() {
        let (outcome, server) = send(Manner::default(), |settings| {
            settings.subject = "lab\r\nBcc: eve@example.org\r\n\r\nhi".into();
        })
        .await;
        assert_eq!(outcome, Ok(Delivered::to_all()));
        let mail = server.mails().concat();
        let (headers, _) = mail.split_once("\n\n").expect("headers and a body");
        assert!(
            !headers
                .lines()
                .any(|line| line.starts_with("Cc:") || line.starts_with("Bcc:")),
            "{headers}"
        );
        assert!(headers.contains("down: pend03"), "{headers}");
    }

    #[tokio::test]
    async fn every_way_of_protection_and_login_works() {
        let open = Manner {
            auth: true,
            ..Manner::default()
        };
        let upgraded = Manner {
            auth: true,
            starttls: true,
            ..Manner::default()
        };
        let implicit = Manner {
            auth: true,
            implicit_tls: true,
            ..Manner::default()
        };
        let rows = [
            (open, MailTls::None, plain(), "AUTH PLAIN AHVzZXIAc2VjcmV0"),
            (open, MailTls::None, login(), "AUTH LOGIN"),
            (upgraded, MailTls::StartTls, plain(), "STARTTLS"),
            (upgraded, MailTls::StartTls, login(), "AUTH LOGIN"),
            (implicit, MailTls::Implicit, login(), "AUTH LOGIN"),
        ];
        for (manner, tls, auth, line) in rows {
            let (outcome, server) = send(manner, |settings| {
                (settings.tls, settings.auth) = (tls, auth);
            })
            .await;
            assert_eq!(outcome, Ok(Delivered::to_all()), "{tls:?} {line}");
            assert_eq!(server.mails().len(), 1, "{tls:?} {line}");
            assert!(
                server.lines().iter().any(|received| received == line),
                "{line}: {:?}",
                server.lines()
            );
        }
    }

    /// The server's behaviour, the name of the fault, and whether it is permanent.
    fn failures() -> Vec<(&'static str, Manner, &'static str, bool)> {
        let answering = |answers| Manner {
            answers,
            ..Manner::default()
        };
        vec![
            (
                "busy",
                answering(&[("MAIL", "451 4.3.0 try later")]),
                "sick",
                false,
            ),
            (
                "mailbox full",
                answering(&[("RCPT", "452 4.2.2 full")]),
                "sick",
                false,
            ),
            (
                "refused",
                answering(&[("DATA", "554 5.7.1 no thanks")]),
                "sick",
                false,
            ),
            (
                "content refused",
                answering(&[(".", "554 5.7.1 looks like spam")]),
                "sick",
                true,
            ),
            (
                "no such sender",
                answering(&[("MAIL", "550 5.1.8 who is that")]),
                "sick",
                false,
            ),
            (
                "turned away",
                answering(&[("greeting", "554 go away")]),
                "sick",
                false,
            ),
            ("mute", answering(&[("greeting", "hang")]), "timeout", false),
            (
                "hangs later",
                answering(&[("DATA", "hang")]),
                "timeout",
                false,
            ),
            ("drops", answering(&[("MAIL", "drop")]), "dropped", false),
            (
                "babbles",
                answering(&[("EHLO", "what?")]),
                "protocol",
                false,
            ),
        ]
    }

    #[tokio::test]
    async fn failures_are_distinguished() {
        for (what, manner, word, permanent) in failures() {
            let (outcome, server) = send(manner, |settings| {
                settings.timeout = Duration::from_millis(500);
            })
            .await;
            let failure = outcome.expect_err(what);
            assert_eq!(
                (failure.fault.as_str(), failure.refuses_content()),
                (word, permanent),
                "{what}: {}",
                failure.fault
            );
            assert!(server.mails().is_empty(), "{what}");
        }
        let gone = Mailer::new(settings(1), &[])
            .expect("good settings")
            .send(&summary())
            .await
            .expect_err("no server there");
        assert_eq!(
            (gone.fault.as_str(), gone.refuses_content()),
            ("unreachable", false),
            "{}",
            gone.fault
        );
    }

    #[tokio::test]
    async fn nothing_is_sent_when_protection_or_login_fails() {
        let wrong = MailAuth::Plain {
            user: "user".into(),
            password: "guess".into(),
        };
        let rows = [
            (
                "no STARTTLS",
                Manner::default(),
                MailTls::StartTls,
                MailAuth::None,
                "unreachable",
            ),
            (
                "no AUTH",
                Manner {
                    starttls: true,
                    ..Manner::default()
                },
                MailTls::StartTls,
                plain(),
                "unreachable",
            ),
            (
                "wrong password",
                Manner {
                    starttls: true,
                    auth: true,
                    ..Manner::default()
                },
                MailTls::StartTls,
                wrong,
                "credentials",
            ),
            (
                "no login",
                Manner {
                    auth: true,
                    ..Manner::default()
                },
                MailTls::None,
                MailAuth::None,
                "unreachable",
            ),
        ];
        for (what, manner, tls, auth, word) in rows {
            let (outcome, server) = send(manner, |settings| {
                (settings.tls, settings.auth) = (tls, auth);
            })
            .await;
            let failure = outcome.expect_err(what);
            assert_eq!(failure.fault.as_str(), word, "{what}: {}", failure.fault);
            assert!(
                !failure.fault.to_string().contains("guess") && server.mails().is_empty(),
                "{what}"
            );
        }
    }

    #[tokio::test]
    async fn an_unknown_certificate_is_not_trusted() {
        let server = FakeSmtp::start(Manner {
            starttls: true,
            ..Manner::default()
        })
        .await;
        let settings = MailSettings {
            tls: MailTls::StartTls,
            ..settings(server.port)
        };
        let failure = Mailer::new(settings, &[])
            .expect("good settings")
            .send(&summary())
            .await
            .expect_err("not trusted");
        assert_eq!(failure.fault.as_str(), "unreachable", "{}", failure.fault);
        assert!(!server.lines().iter().any(|line| line.starts_with("MAIL")));
    }

    #[tokio::test]
    async fn a_message_goes_to_those_it_is_for_under_the_same_name() {
        let server = FakeSmtp::start(Manner::default()).await;
        let mailer = Mailer::new(settings(server.port), &[]).expect("good settings");
        let bob: BTreeSet<_> = [Recipient::new("bob@example.org")].into();
        for audience in [
            Audience::Except(bob.clone()),
            Audience::Only(RouteName::everybody().lane(2), bob),
            Audience::Only(RouteName::everybody().lane(3), BTreeSet::new()),
        ] {
            let notification = Notification {
                audience,
                ..summary()
            };
            assert_eq!(mailer.send(&notification).await, Ok(Delivered::to_all()));
        }
        let mut named: Vec<String> = server.lines();
        named.retain(|line| line.starts_with("RCPT"));
        assert_eq!(
            named,
            ["RCPT TO:<ann@example.org>", "RCPT TO:<bob@example.org>"]
        );
        let [first, second] = &server.mails()[..] else {
            panic!("{:?}", server.mails())
        };
        assert_eq!(first, second, "all recipients stand in each of them");
    }

    #[tokio::test]
    async fn a_dead_address_does_not_keep_the_news_from_the_others() {
        let (outcome, server) = send(
            Manner {
                answers: &[("RCPT TO:<ann", "550 5.1.1 no such user")],
                ..Manner::default()
            },
            |_| {},
        )
        .await;
        let ann = |outcome: Result<Delivered, DeliveryFault>| {
            let unreached = outcome.expect("the others have it").unreached;
            let words = unreached.into_iter().map(|one| {
                let who = one
                    .recipient
                    .show(Visibility::MAINTAINER)
                    .map(str::to_owned);
                (who, one.outlook)
            });
            words.collect::<Vec<_>>()
        };
        let address = Some("ann@example.org".to_owned());
        assert_eq!(ann(outcome), [(address.clone(), Outlook::Refused)]);
        assert_eq!(server.mails().len(), 1);
        let (outcome, server) = send(
            Manner {
                answers: &[("RCPT", "550 5.1.1 no such user")],
                ..Manner::default()
            },
            |_| {},
        )
        .await;
        assert!(
            outcome.is_err_and(|failure| !failure.refuses_content()) && server.mails().is_empty(),
            "a server that refuses all may be set up wrong"
        );
        let (outcome, server) = send(
            Manner {
                answers: &[("RCPT TO:<ann", "452 4.2.2 mailbox full")],
                ..Manner::default()
            },
            |_| {},
        )
        .await;
        assert_eq!(
            ann(outcome),
            [(address, Outlook::Passing)],
            "a full mailbox may be emptied"
        );
        assert_eq!(
            server.mails().len(),
            1,
            "and keeps it from no other recipient"
        );
        let (outcome, server) = send(
            Manner {
                answers: &[("RCPT", "451 4.7.1 greylisted")],
                ..Manner::default()
            },
            |_| {},
        )
        .await;
        assert!(
            outcome.is_err_and(|failure| !failure.refuses_content()) && server.mails().is_empty(),
            "all are tried again"
        );
    }

    #[tokio::test]
    async fn a_server_that_forgets_to_say_goodbye_has_the_mail_all_the_same() {
        let (outcome, server) = send(
            Manner {
                answers: &[("QUIT", "hang")],
                ..Manner::default()
            },
            |_| {},
        )
        .await;
        assert_eq!(
            (outcome, server.mails().len()),
            (Ok(Delivered::to_all()), 1)
        );
    }

    #[test]
    fn settings_that_cannot_work_are_refused_by_name() {
        let change = |change: fn(&mut MailSettings)| {
            let mut settings = settings(25);
            change(&mut settings);
            Mailer::new(settings, &[])
                .err()
                .map(|error| error.to_string())
                .unwrap_or_default()
        };
        assert_eq!(change(|_| {}), "");
        assert!(
            change(|settings| settings.from = "nobody".into())
                .starts_with("EMAIL_FROM: \"nobody\" is not a mail address")
        );
        assert!(
            change(|settings| settings.to = vec!["a@x.org,b@x.org".into()]).starts_with("EMAIL_TO")
        );
        assert!(
            change(|settings| settings.cc = vec!["a@x.org\r\nBcc: b@x.org".into()])
                .starts_with("EMAIL_CC")
        );
        assert!(change(|settings| settings.to.clear()).starts_with("EMAIL_TO"));
        let unprotected = change(|settings| {
            (settings.host, settings.auth) = ("mail.example.org".into(), plain());
        });
        assert!(
            unprotected.contains("mail.example.org") && !unprotected.contains("secret"),
            "{unprotected}"
        );
        for host in ["localhost", "127.0.0.1", "::1"] {
            assert!(
                Mailer::new(
                    MailSettings {
                        host: host.into(),
                        auth: plain(),
                        ..settings(25)
                    },
                    &[]
                )
                .is_ok(),
                "{host}"
            );
        }
    }

    #[tokio::test]
    async fn each_mail_is_answered() {
        let server = FakeSmtp::start(Manner::default()).await;
        let (mails, queue) = mpsc::channel(4);
        let (sender, mut inputs) = mpsc::channel(4);
        let mut tasks = JoinSet::new();
        let mailer = Mailer::new(settings(server.port), &[]).expect("good settings");
        tasks.spawn(run(
            move || Some(mailer.clone()),
            queue,
            sender,
            None,
            CancellationToken::new(),
        ));
        for _ in 0..2 {
            mails.send(summary()).await.expect("listens");
            assert!(matches!(inputs.recv().await, Some(Input::DeliveryBegun(7))));
            assert!(matches!(
                inputs.recv().await,
                Some(Input::Delivered {
                    id: 7,
                    outcome: Ok(_)
                })
            ));
        }
        drop(mails);
        tasks
            .join_next()
            .await
            .expect("one task")
            .expect("it ended well");
        assert_eq!(server.mails().len(), 2);
    }

    #[tokio::test]
    async fn a_server_that_hangs_behind_one_mail_delays_no_other() {
        let server = FakeSmtp::start(Manner {
            answers: &[("RCPT TO:<slow", "hang")],
            ..Manner::default()
        })
        .await;
        let slow = RouteName::try_new("slow").expect("a name");
        let routes = [route(&slow, "slow@example.org")];
        let mailer = Mailer::new(settings(server.port), &routes).expect("good settings");
        let (mails, queue) = mpsc::channel(4);
        let (sender, mut inputs) = mpsc::channel(4);
        let mut tasks = JoinSet::new();
        let stop = CancellationToken::new();
        tasks.spawn(run(move || Some(mailer.clone()), queue, sender, None, stop));
        let first = Summary {
            id: 6,
            route: slow,
            ..(*summary().summary).clone()
        };
        let first = Notification::to_all(Arc::new(first));
        mails.send(first).await.expect("listens");
        mails.send(summary()).await.expect("listens");
        let mut begun = Vec::new();
        let answered = loop {
            match inputs.recv().await {
                Some(Input::DeliveryBegun(id)) => begun.push(id),
                other => break other,
            }
        };
        assert_eq!(begun, [6, 7]);
        assert!(
            matches!(
                answered,
                Some(Input::Delivered {
                    id: 7,
                    outcome: Ok(_)
                })
            ),
            "{answered:?}"
        );
    }

    #[tokio::test]
    async fn a_hanging_server_does_not_hold_up_the_stop() {
        let server = FakeSmtp::start(Manner {
            answers: &[("greeting", "hang")],
            ..Manner::default()
        })
        .await;
        let (mails, queue) = mpsc::channel(4);
        let (sender, _inputs) = mpsc::channel(4);
        let stop = CancellationToken::new();
        let mut tasks = JoinSet::new();
        let mailer = Mailer::new(
            MailSettings {
                timeout: Duration::from_secs(60),
                ..settings(server.port)
            },
            &[],
        )
        .expect("good settings");
        mails.send(summary()).await.expect("room");
        tasks.spawn(run(
            move || Some(mailer.clone()),
            queue,
            sender,
            None,
            stop.clone(),
        ));
        while mails.capacity() < 4 {
            tokio::task::yield_now().await;
        }
        let stopping = Instant::now();
        stop.cancel();
        tasks
            .join_next()
            .await
            .expect("one task")
            .expect("it ended well");
        assert!(stopping.elapsed() < STOP_GRACE + Duration::from_secs(1));
    }

    #[tokio::test]
    async fn a_replica_that_leads_no_more_sends_nothing_that_waited() {
        let server = FakeSmtp::start(Manner::default()).await;
        let (mails, queue) = mpsc::channel(4);
        let (sender, mut inputs) = mpsc::channel(4);
        let mut tasks = JoinSet::new();
        let mailer = Mailer::new(settings(server.port), &[]).expect("good settings");
        mails.send(summary()).await.expect("room");
        tasks.spawn(run(
            move || Some(mailer.clone()),
            queue,
            sender,
            Some(Arc::new(|| Duration::ZERO)),
            CancellationToken::new(),
        ));
        assert!(matches!(inputs.recv().await, Some(Input::DeliveryBegun(7))));
        let Some(Input::Delivered { id: 7, outcome }) = inputs.recv().await else {
            panic!("the mail is given up");
        };
        assert_eq!(outcome, Err(DeliveryFault::passing(CallError::TimedOut)));
        assert_eq!(server.mails(), Vec::<String>::new());
    }
}
