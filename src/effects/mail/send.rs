//! Brings mails to the mail server, one at a time. Decides neither what is told nor whether a failed mail is tried again.

use std::collections::BTreeMap;
use std::fmt;
use std::future::Future;
use std::net::IpAddr;
use std::sync::Arc;
use std::time::SystemTime;

use jiff::Timestamp;
use lettre::address::Envelope;
use lettre::message::header::{HeaderName, HeaderValue, InReplyTo, References};
use lettre::message::{Mailbox, MessageBuilder, MultiPart};
use lettre::transport::smtp;
use lettre::transport::smtp::authentication::{Credentials, Mechanism};
use lettre::transport::smtp::client::{AsyncSmtpConnection, Certificate, TlsParameters};
use lettre::transport::smtp::extension::ClientId;
use lettre::{Address, Message};
use secrecy::ExposeSecret;
use tokio::sync::mpsc;
use tokio_util::sync::CancellationToken;
use tracing::warn;

use super::probe::GOODBYE;
use super::{Letter, compose, words};
use crate::config::{MailAuth, MailSettings, MailTls, Route, RouteTarget, TellingSettings};
use crate::effects::STOP_GRACE;
use crate::failpoints::{self, Point};
use engine::model::{CallError, RouteName};
use engine::{DeliveryFault, Input, MessageId, Summary};

/// How much of a mail server's error text is kept, in characters.
const MAX_QUOTED_CHARS: usize = 200;

/// What a mail server answers when it does not know us or our password (RFC 4954).
const LOGIN_REFUSED: [u16; 4] = [530, 534, 535, 538];

/// Sends mails with fixed settings.
#[derive(Debug, Clone)]
pub struct Mailer {
    settings: MailSettings,
    from: Mailbox,
    recipients: BTreeMap<RouteName, Addresses>,
    letter: Letter,
    /// Certificates that are trusted besides the system's.
    roots: Vec<Certificate>,
}

/// Who is mailed on a route, as written in the settings.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Recipients {
    /// The route.
    pub route: RouteName,
    /// To whom.
    pub to: Vec<String>,
    /// Who gets a copy.
    pub cc: Vec<String>,
}

impl Recipients {
    /// Those of the routes of the configuration that lead to people.
    #[must_use]
    pub fn of(telling: &TellingSettings) -> Vec<Self> {
        let of = |route: &Route| {
            let RouteTarget::Mail { to, cc } = &route.target else {
                return None;
            };
            Some(Self {
                route: RouteName::try_new(&route.name).ok()?,
                to: to.clone(),
                cc: cc.clone(),
            })
        };
        telling.routes.iter().filter_map(of).collect()
    }
}

/// A mail that is no summary and belongs to no thread.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Circular {
    /// What tells it from all others, without white space: the same mail sent again is the same to whoever gets it.
    pub name: String,
    /// When it was put together.
    pub at: Timestamp,
    /// The subject, behind what every subject starts with.
    pub subject: String,
    /// What it says.
    pub text: String,
    /// The same as a page.
    pub html: String,
}

#[derive(Debug, Clone)]
struct Addresses {
    to: Vec<Mailbox>,
    cc: Vec<Mailbox>,
}

/// Why the settings make no mailer.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum MailerError {
    /// Something is not a mail address.
    Address {
        /// The setting that it stands in, without its prefix.
        setting: &'static str,
        /// The text.
        text: String,
        /// What is wrong with it.
        why: String,
    },
    /// Nobody is in `EMAIL_TO`, or in the recipients of a route.
    Nobody,
    /// The password would be readable for everybody on the way to this host.
    Unprotected(String),
}

impl fmt::Display for MailerError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Address { setting, text, why } => {
                write!(f, "{setting}: \"{text}\" is not a mail address ({why})")
            }
            Self::Nobody => write!(f, "EMAIL_TO: nobody is named to whom the mail could go"),
            Self::Unprotected(host) => {
                write!(
                    f,
                    "EMAIL_TLS: the password would be readable on the way to {host}: set it to starttls or implicit"
                )
            }
        }
    }
}

impl std::error::Error for MailerError {}

impl Mailer {
    /// Checks the settings: those of everybody, and the recipients of further routes. Connects to nothing, so a mail server that is away
    /// or a host without CA certificates is no hindrance.
    ///
    /// # Errors
    /// [`MailerError`], which names the setting.
    pub fn new(settings: MailSettings, routes: &[Recipients]) -> Result<Self, MailerError> {
        if settings.to.is_empty() && routes.is_empty() {
            return Err(MailerError::Nobody);
        }
        if !matches!(settings.auth, MailAuth::None)
            && settings.tls == MailTls::None
            && !is_loopback(&settings.host)
        {
            return Err(MailerError::Unprotected(settings.host));
        }
        let everybody = Addresses {
            to: mailboxes("EMAIL_TO", &settings.to)?,
            cc: mailboxes("EMAIL_CC", &settings.cc)?,
        };
        let mut recipients = BTreeMap::from([(RouteName::everybody(), everybody)]);
        for route in routes {
            let addresses = Addresses {
                to: mailboxes("to of a route", &route.to)?,
                cc: mailboxes("cc of a route", &route.cc)?,
            };
            recipients.insert(route.route.clone(), addresses);
        }
        Ok(Self {
            from: mailbox("EMAIL_FROM", &settings.from)?,
            recipients,
            letter: Letter {
                subject: settings.subject.clone(),
                link: settings.link.clone(),
            },
            settings,
            roots: Vec::new(),
        })
    }

    /// Sends a summary to everybody on its route. Where the server refuses the mail for good, or for a recipient's sake, each recipient
    /// is tried alone, so that a dead address or a full mailbox does not keep the news from the others; it is sent when one of them got it.
    ///
    /// # Errors
    /// [`DeliveryFault`] when nobody got it.
    pub async fn send(&self, summary: &Summary) -> Result<(), DeliveryFault> {
        let recipients = self
            .recipients
            .get(&summary.route)
            .filter(|addresses| !addresses.to.is_empty());
        let recipients = recipients.ok_or_else(|| no_recipients(&summary.route))?;
        self.deliver_to_all(&self.message(summary, recipients)?, recipients)
            .await
    }

    /// Sends a mail that is no summary to everybody of `EMAIL_TO` and `EMAIL_CC`, with the same care for dead addresses.
    ///
    /// # Errors
    /// [`DeliveryFault`] when nobody got it.
    pub async fn circulate(&self, circular: &Circular) -> Result<(), DeliveryFault> {
        let Some(recipients) = self
            .recipients
            .get(&RouteName::everybody())
            .filter(|addresses| !addresses.to.is_empty())
        else {
            return Err(DeliveryFault {
                fault: CallError::Protocol(MailerError::Nobody.to_string()),
                permanent: true,
            });
        };
        let Circular {
            name,
            at,
            subject,
            text,
            html,
        } = circular;
        let subject = format!("{} {subject}", self.letter.subject.trim());
        let head = self.head(
            recipients,
            subject.trim(),
            *at,
            format!("<{name}@{}>", self.from.email.domain()),
        );
        let body = MultiPart::alternative_plain_html(text.clone(), html.clone());
        self.deliver_to_all(
            &head.multipart(body).map_err(|error| unfit(&error))?,
            recipients,
        )
        .await
    }

    async fn deliver_to_all(
        &self,
        message: &Message,
        recipients: &Addresses,
    ) -> Result<(), DeliveryFault> {
        let mail = message.formatted();
        let everybody: Vec<Address> = recipients
            .to
            .iter()
            .chain(&recipients.cc)
            .map(|mailbox| mailbox.email.clone())
            .collect();
        match self.deliver(&mail, everybody.clone()).await {
            Err(refusal) if may_be_one_recipients(&refusal) && everybody.len() > 1 => {
                self.deliver_to_each(&mail, everybody, refusal).await
            }
            outcome => outcome,
        }
    }

    async fn deliver_to_each(
        &self,
        mail: &[u8],
        everybody: Vec<Address>,
        refusal: DeliveryFault,
    ) -> Result<(), DeliveryFault> {
        let mut outcome = Err(refusal);
        for recipient in everybody {
            match self.deliver(mail, vec![recipient.clone()]).await {
                Ok(()) => outcome = Ok(()),
                Err(failure) => {
                    warn!(%recipient, "the mail server does not take the mail for this recipient: {}", failure.fault)
                }
            }
        }
        outcome
    }

    async fn deliver(&self, mail: &[u8], recipients: Vec<Address>) -> Result<(), DeliveryFault> {
        let envelope = Envelope::new(Some(self.from.email.clone()), recipients)
            .map_err(|error| unfit(&error))?;
        let mut connection = self
            .bounded(async {
                let mut connection = self.connect().await?;
                connection.send(&envelope, mail).await?;
                failpoints::pass(Point::MailHanded);
                Ok(connection)
            })
            .await?;
        let _ = tokio::time::timeout(GOODBYE, connection.quit()).await;
        Ok(())
    }

    /// The work's outcome within `EMAIL_TIMEOUT`.
    pub(super) async fn bounded<T>(
        &self,
        work: impl Future<Output = Result<T, smtp::Error>>,
    ) -> Result<T, DeliveryFault> {
        match tokio::time::timeout(self.settings.timeout, work).await {
            Ok(outcome) => outcome.map_err(|error| fault_of(&error)),
            Err(_) => Err(DeliveryFault {
                fault: CallError::TimedOut,
                permanent: false,
            }),
        }
    }

    /// A connection that is protected and logged in as the settings say.
    pub(super) async fn connect(&self) -> Result<AsyncSmtpConnection, smtp::Error> {
        let mut connection = self.reach().await?;
        if let Some((mechanism, credentials)) = login(&self.settings.auth) {
            connection.auth(&[mechanism], &credentials).await?;
        }
        Ok(connection)
    }

    /// A connection that is protected as the settings say, to a server that has greeted us.
    pub(super) async fn reach(&self) -> Result<AsyncSmtpConnection, smtp::Error> {
        let settings = &self.settings;
        let hello = ClientId::default();
        let implicit = if settings.tls == MailTls::Implicit {
            Some(self.tls()?)
        } else {
            None
        };
        let server = (settings.host.as_str(), settings.port);
        let mut connection = AsyncSmtpConnection::connect_tokio1(
            server,
            Some(settings.timeout),
            &hello,
            implicit,
            None,
        )
        .await?;
        if settings.tls == MailTls::StartTls {
            connection.starttls(self.tls()?, &hello).await?;
        }
        Ok(connection)
    }

    /// Made anew for each connection: the system's CA certificates may come, go or be missing while we run.
    fn tls(&self) -> Result<TlsParameters, smtp::Error> {
        let builder = TlsParameters::builder(self.settings.host.clone());
        self.roots
            .iter()
            .cloned()
            .fold(
                builder,
                smtp::client::TlsParametersBuilder::add_root_certificate,
            )
            .build_rustls()
    }

    fn message(&self, summary: &Summary, recipients: &Addresses) -> Result<Message, DeliveryFault> {
        let composed = compose(summary, &self.letter);
        let name = |message: &MessageId| format!("<{message}@{}>", self.from.email.domain());
        let mut builder = self.head(
            recipients,
            &composed.subject,
            summary.at,
            name(&summary.thread.id),
        );
        if let Some(latest) = summary.thread.references.last() {
            let earlier: Vec<String> = summary.thread.references.iter().map(name).collect();
            builder = builder
                .header(References::from(earlier.join(" ")))
                .header(InReplyTo::from(name(latest)));
        }
        builder
            .multipart(MultiPart::alternative_plain_html(
                composed.text,
                composed.html,
            ))
            .map_err(|error| unfit(&error))
    }

    /// What every mail of ours says about itself.
    fn head(
        &self,
        recipients: &Addresses,
        subject: &str,
        at: Timestamp,
        id: String,
    ) -> MessageBuilder {
        let builder = Message::builder()
            .from(self.from.clone())
            .subject(subject)
            .date(SystemTime::from(at))
            .message_id(Some(id))
            .raw_header(HeaderValue::new(
                HeaderName::new_from_ascii_str("Auto-Submitted"),
                "auto-generated".to_owned(),
            ));
        let builder = recipients
            .to
            .iter()
            .fold(builder, |builder, mailbox| builder.to(mailbox.clone()));
        recipients
            .cc
            .iter()
            .fold(builder, |builder, mailbox| builder.cc(mailbox.clone()))
    }
}

/// Sends one mail after the other until `stop`, or until no more can come. Each ends in one `Input::Delivered`. `mailer` gives the
/// mailer for the next one, as the settings are then; `None` while nobody is mailed.
/// The one that is under way at the stop is given up after [`STOP_GRACE`].
pub async fn run(
    mailer: impl Fn() -> Option<Mailer> + Send,
    mut mails: mpsc::Receiver<Arc<Summary>>,
    inputs: mpsc::Sender<Input>,
    stop: CancellationToken,
) {
    loop {
        let summary = tokio::select! {
            () = stop.cancelled() => return,
            next = mails.recv() => match next {
                Some(summary) => summary,
                None => return,
            },
        };
        let answer = async {
            let outcome = match mailer() {
                Some(mailer) => mailer.send(&summary).await,
                None => Err(no_recipients(&summary.route)),
            };
            inputs
                .send(Input::Delivered {
                    id: summary.id,
                    outcome,
                })
                .await
        };
        tokio::select! {
            answered = answer => if answered.is_err() { return },
            () = patience(&stop) => {
                warn!(summary = summary.id, "stopping: a mail that is under way is given up");
                return;
            }
        }
    }
}

/// Whether others may get the mail: the refusal is for good and none of our password, or one that servers give for one mailbox (RFC 5321:
/// 450 it is busy, 451 the server fails with it, 452 it is full).
fn may_be_one_recipients(refusal: &DeliveryFault) -> bool {
    let is_of_mailbox = matches!(
        refusal.fault,
        CallError::Sick {
            status: 450..=452,
            ..
        }
    );
    is_of_mailbox || (refusal.permanent && !refusal.fault.refuses_us())
}

fn no_recipients(route: &RouteName) -> DeliveryFault {
    DeliveryFault {
        fault: CallError::Protocol(format!("the route {route} has no recipients")),
        permanent: true,
    }
}

async fn patience(stop: &CancellationToken) {
    stop.cancelled().await;
    tokio::time::sleep(STOP_GRACE).await;
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

fn login(auth: &MailAuth) -> Option<(Mechanism, Credentials)> {
    let (mechanism, user, password) = match auth {
        MailAuth::None => return None,
        MailAuth::Plain { user, password } => (Mechanism::Plain, user, password),
        MailAuth::Login { user, password } => (Mechanism::Login, user, password),
    };
    Some((
        mechanism,
        Credentials::new(user.clone(), password.expose_secret().to_owned()),
    ))
}

/// A mail that cannot be put together stays so.
fn unfit(error: &lettre::error::Error) -> DeliveryFault {
    DeliveryFault {
        fault: CallError::Protocol(format!("the mail cannot be put together: {error}")),
        permanent: true,
    }
}

fn fault_of(error: &smtp::Error) -> DeliveryFault {
    let said = words::clip(&innermost(error), MAX_QUOTED_CHARS);
    let fault = match error.status().map(u16::from) {
        Some(status) if LOGIN_REFUSED.contains(&status) => CallError::Credentials(said),
        Some(status) => CallError::Sick { status, body: said },
        None if error.is_timeout() => CallError::TimedOut,
        None if error.is_response() && said == "incomplete response" => CallError::Dropped,
        None if error.is_response() || error.is_client() => CallError::Protocol(said),
        None => CallError::Unreachable(said),
    };
    DeliveryFault {
        fault,
        permanent: error.is_permanent(),
    }
}

/// The innermost cause: what the server or the system said.
fn innermost(error: &dyn std::error::Error) -> String {
    let mut cause = error;
    while let Some(source) = cause.source() {
        cause = source;
    }
    cause.to_string()
}

#[cfg(test)]
mod tests {
    use std::time::{Duration, Instant};

    use jiff::Timestamp;

    use super::super::fake_smtp::{FakeSmtp, Manner, settings};
    use super::*;
    use engine::Counts;
    use engine::model::{Bookable, Health, Stub};

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

    fn summary() -> Arc<Summary> {
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
        };
        let counts = Counts {
            total: 1,
            down: 1,
            withdrawn: 1,
            ..Counts::default()
        };
        Arc::new(Summary {
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
        })
    }

    /// Sends one mail with these settings to a server of this manner.
    async fn send(
        manner: Manner,
        change: impl FnOnce(&mut MailSettings),
    ) -> (Result<(), DeliveryFault>, FakeSmtp) {
        let server = FakeSmtp::start(manner).await;
        let mut settings = settings(server.port);
        change(&mut settings);
        let mut mailer = Mailer::new(settings, &[]).expect("good settings");
        mailer.roots.push(server.root.clone());
        (mailer.send(&summary()).await, server)
    }

    #[tokio::test]
    async fn the_mail_has_its_headers_and_both_parts() {
        let (outcome, server) = send(Manner::default(), |settings| {
            settings.cc = vec!["cy@example.org".into()]
        })
        .await;
        assert_eq!(outcome, Ok(()));
        let mails = server.mails();
        let [mail] = mails.as_slice() else {
            panic!("{mails:?}")
        };
        let (headers, body) = mail.split_once("\n\n").expect("headers and a body");
        for header in [
            "From: Lab <labwatch@lab.example.org>",
            "To: ann@example.org, Bob <bob@example.org>",
            "Cc: cy@example.org",
            "Subject: [lab] 1 down: pend03",
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
                && parts[1].contains("\npend03 ><   U down;"),
            "{}",
            parts[1]
        );
        assert!(
            parts[2].contains("Content-Type: text/html; charset=utf-8")
                && parts[2].contains("<b>pend03</b>"),
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
        let routes = [Recipients {
            route: pends.clone(),
            to: vec!["dan@example.org".into()],
            cc: vec![],
        }];
        let mailer = Mailer::new(settings(server.port), &routes).expect("good settings");
        let message = |id| MessageId {
            at: summary().at,
            id,
        };
        let thread = engine::Thread {
            id: message(7),
            references: vec![message(3), message(5)],
        };
        let notified = Summary {
            route: pends,
            thread,
            ..(*summary()).clone()
        };
        assert_eq!(mailer.send(&notified).await, Ok(()));
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
        let nobody = Summary {
            route: RouteName::try_new("gone").expect("a name"),
            ..(*summary()).clone()
        };
        assert!(
            mailer
                .send(&nobody)
                .await
                .is_err_and(|failure| failure.permanent)
        );
    }

    #[tokio::test]
    async fn without_cc_there_is_no_cc_header_and_no_subject_gets_a_header_in() {
        let (outcome, server) = send(Manner::default(), |settings| {
            settings.subject = "lab\r\nBcc: eve@example.org\r\n\r\nhi".into()
        })
        .await;
        assert_eq!(outcome, Ok(()));
        let mail = server.mails().concat();
        let (headers, _) = mail.split_once("\n\n").expect("headers and a body");
        assert!(
            !headers
                .lines()
                .any(|line| line.starts_with("Cc:") || line.starts_with("Bcc:")),
            "{headers}"
        );
        assert!(headers.contains("1 down: pend03"), "{headers}");
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
        for (manner, tls, auth, heard) in rows {
            let (outcome, server) = send(manner, |settings| {
                (settings.tls, settings.auth) = (tls, auth)
            })
            .await;
            assert_eq!(outcome, Ok(()), "{tls:?} {heard}");
            assert_eq!(server.mails().len(), 1, "{tls:?} {heard}");
            assert!(
                server.lines().iter().any(|line| line == heard),
                "{heard}: {:?}",
                server.lines()
            );
        }
    }

    #[tokio::test]
    async fn failures_are_told_apart() {
        let answering = |answers| Manner {
            answers,
            ..Manner::default()
        };
        let rows: [(&str, Manner, &str, bool); 9] = [
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
                true,
            ),
            (
                "no such sender",
                answering(&[("MAIL", "550 5.1.8 who is that")]),
                "sick",
                true,
            ),
            (
                "turned away",
                answering(&[("greeting", "554 go away")]),
                "sick",
                true,
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
        ];
        for (what, manner, as_str, permanent) in rows {
            let (outcome, server) = send(manner, |settings| {
                settings.timeout = Duration::from_millis(500)
            })
            .await;
            let failure = outcome.expect_err(what);
            assert_eq!(
                (failure.fault.as_str(), failure.permanent),
                (as_str, permanent),
                "{what}: {}",
                failure.fault
            );
            assert!(server.mails().is_empty(), "{what}");
        }
        let gone = Mailer::new(settings(1), &[])
            .expect("good settings")
            .send(&summary())
            .await
            .expect_err("nobody there");
        assert_eq!(
            (gone.fault.as_str(), gone.permanent),
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
                "protocol",
            ),
            (
                "no AUTH",
                Manner {
                    starttls: true,
                    ..Manner::default()
                },
                MailTls::StartTls,
                plain(),
                "protocol",
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
                "credentials",
            ),
        ];
        for (what, manner, tls, auth, as_str) in rows {
            let (outcome, server) = send(manner, |settings| {
                (settings.tls, settings.auth) = (tls, auth)
            })
            .await;
            let failure = outcome.expect_err(what);
            assert_eq!(failure.fault.as_str(), as_str, "{what}: {}", failure.fault);
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
    async fn a_dead_address_does_not_keep_the_news_from_the_others() {
        let (outcome, server) = send(
            Manner {
                answers: &[("RCPT TO:<ann", "550 5.1.1 no such user")],
                ..Manner::default()
            },
            |_| {},
        )
        .await;
        assert_eq!(outcome, Ok(()));
        assert_eq!(server.mails().len(), 1);
        let (outcome, server) = send(
            Manner {
                answers: &[("RCPT", "550 5.1.1 no such user")],
                ..Manner::default()
            },
            |_| {},
        )
        .await;
        assert!(outcome.is_err_and(|failure| failure.permanent) && server.mails().is_empty());
        let (outcome, server) = send(
            Manner {
                answers: &[("RCPT TO:<ann", "452 4.2.2 mailbox full")],
                ..Manner::default()
            },
            |_| {},
        )
        .await;
        assert_eq!(
            (outcome, server.mails().len()),
            (Ok(()), 1),
            "nor does a full mailbox"
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
            outcome.is_err_and(|failure| !failure.permanent) && server.mails().is_empty(),
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
        assert_eq!((outcome, server.mails().len()), (Ok(()), 1));
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
            (settings.host, settings.auth) = ("mail.example.org".into(), plain())
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
    async fn mails_go_one_after_the_other_and_each_is_answered() {
        let server = FakeSmtp::start(Manner::default()).await;
        let (mails, queue) = mpsc::channel(4);
        let (sender, mut inputs) = mpsc::channel(4);
        let mut tasks = tokio::task::JoinSet::new();
        let mailer = Mailer::new(settings(server.port), &[]).expect("good settings");
        tasks.spawn(run(
            move || Some(mailer.clone()),
            queue,
            sender,
            CancellationToken::new(),
        ));
        for _ in 0..2 {
            mails.send(summary()).await.expect("listens");
            assert!(matches!(
                inputs.recv().await,
                Some(Input::Delivered {
                    id: 7,
                    outcome: Ok(())
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
    async fn a_hanging_server_does_not_hold_up_the_stop() {
        let server = FakeSmtp::start(Manner {
            answers: &[("greeting", "hang")],
            ..Manner::default()
        })
        .await;
        let (mails, queue) = mpsc::channel(4);
        let (sender, _inputs) = mpsc::channel(4);
        let stop = CancellationToken::new();
        let mut tasks = tokio::task::JoinSet::new();
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
}
