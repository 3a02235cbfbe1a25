//! A mail server that stores mails instead of delivering them, and can have faults.

use std::net::SocketAddr;
use std::sync::Arc;
use std::time::Duration;

use mail_parser::{MessageParser, PartType};
use tokio::net::TcpListener;
use tokio::time::timeout;

use super::awkward_smtp::{AwkwardSetup, Shared, TakenMail, locked, talk};
use super::door::{Door, accept};
use super::error::LabError;
use super::smtp_script::{Answer, GREETING, Rule};
use crate::Server;

/// A mail that was caught.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct CaughtMail {
    /// The envelope's sender.
    pub from: String,
    /// The envelope's recipients.
    pub to: Vec<String>,
    /// The whole mail as it came, with CRLF.
    pub raw: String,
    /// The subject, decoded.
    pub subject: String,
    /// The text part, decoded, with LF; empty when there is none.
    pub text: String,
    /// The HTML part likewise.
    pub html: Option<String>,
}

/// Behaviour of the mail server.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub enum MailMood {
    /// It takes mail.
    #[default]
    Well,
    /// It greets with 421 and closes.
    Busy,
    /// It refuses every recipient with 550.
    Rejecting,
    /// It accepts connections and sends nothing.
    Hanging,
}

/// The mail server. It stops when it is dropped.
pub struct MailCatcher {
    door: Door,
    shared: Arc<Shared>,
}

impl MailMood {
    fn rules(self) -> Vec<Rule> {
        let busy = || Answer::line("421 too busy, try again later").then_hang_up();
        match self {
            Self::Well => Vec::new(),
            Self::Busy => vec![Rule::on(GREETING, busy()), Rule::on("MAIL", busy())],
            Self::Rejecting => vec![Rule::on("RCPT", Answer::line("550 no such user here"))],
            Self::Hanging => vec![Rule::on("", Answer::hang())],
        }
    }
}

impl MailCatcher {
    /// Starts on any free port of 127.0.0.1.
    ///
    /// # Errors
    /// [`LabError::Port`] when there is none.
    pub async fn start() -> Result<Self, LabError> {
        Self::start_on(0).await
    }

    /// Starts on that port of 127.0.0.1.
    ///
    /// # Errors
    /// [`LabError::Port`] when the port is taken.
    pub async fn start_on(port: u16) -> Result<Self, LabError> {
        let (door, listener) = Door::bind(Server::Mail, port).await?;
        let setup = AwkwardSetup {
            offers: ["8BITMIME", "SMTPUTF8", "SIZE 4194304"]
                .map(str::to_owned)
                .into(),
            logins: ["PLAIN", "LOGIN"].map(str::to_owned).into(),
            ..AwkwardSetup::default()
        };
        let shared = Arc::new(Shared::new(setup));
        let catcher = Self { door, shared };
        catcher.open(listener).await;
        Ok(catcher)
    }

    /// Where it listens.
    pub fn addr(&self) -> SocketAddr {
        self.door.address
    }

    /// The mails so far, oldest first.
    pub fn mails(&self) -> Vec<CaughtMail> {
        let mails = locked(&self.shared.mails);
        mails.iter().map(CaughtMail::new).collect()
    }

    /// Waits until there are at least `count` mails, but not longer than `longest`; returns those
    /// so far.
    pub async fn wait_for(&self, count: usize, longest: Duration) -> Vec<CaughtMail> {
        let mut caught = self.shared.taken.subscribe();
        // A timeout is seen by the caller in the number of mails.
        let _ = timeout(longest, caught.wait_for(|caught| *caught >= count)).await;
        self.mails()
    }

    /// Changes its behaviour, from the next command or connection on.
    pub fn set_mood(&self, mood: MailMood) {
        *locked(&self.shared.rules) = mood.rules();
    }

    /// Requires this user name and password before a mail; with `None` none.
    pub fn set_login(&self, login: Option<(&str, &str)>) {
        let login = login.map(|(user, password)| (user.to_owned(), password.to_owned()));
        *locked(&self.shared.credentials) = login;
    }

    /// Closes its port: connections are refused.
    pub async fn refuse(&self) {
        self.door.close().await;
    }

    /// Opens it again.
    ///
    /// # Errors
    /// [`LabError::Port`] when the port was taken meanwhile.
    pub async fn open_again(&self) -> Result<(), LabError> {
        if !self.door.is_open().await {
            self.open(self.door.listen().await?).await;
        }
        Ok(())
    }

    async fn open(&self, listener: TcpListener) {
        let shared = Arc::clone(&self.shared);
        let handle = move |stream| {
            let shared = Arc::clone(&shared);
            async move {
                let _ = talk(stream, shared).await;
            }
        };
        self.door.run(accept(listener, handle)).await;
    }
}

impl CaughtMail {
    /// Parses a mail.
    fn new(mail: &TakenMail) -> Self {
        let parsed = MessageParser::default().parse(mail.content.as_bytes());
        let (mut subject, mut text, mut html) = (String::new(), String::new(), None);
        if let Some(mail) = &parsed {
            mail.subject().unwrap_or_default().clone_into(&mut subject);
            for part in &mail.parts {
                match &part.body {
                    PartType::Text(body) if text.is_empty() => text = body.replace("\r\n", "\n"),
                    PartType::Html(body) if html.is_none() => {
                        html = Some(body.replace("\r\n", "\n"));
                    }
                    PartType::Text(_)
                    | PartType::Html(_)
                    | PartType::Binary(_)
                    | PartType::InlineBinary(_)
                    | PartType::Message(_)
                    | PartType::Multipart(_) => {}
                }
            }
        }
        let path = mail.from.split(['<', '>']).nth(1);
        Self {
            from: path.unwrap_or_default().to_owned(),
            to: mail.to.clone(),
            raw: mail.content.replace('\n', "\r\n"),
            subject,
            text,
            html,
        }
    }
}

#[cfg(test)]
mod tests {
    use lettre::message::MultiPart;
    use lettre::transport::smtp::authentication::{Credentials, Mechanism};
    use lettre::{AsyncSmtpTransport, AsyncTransport, Message, Tokio1Executor};

    use super::*;

    async fn send(catcher: &MailCatcher, login: Option<(&str, Mechanism)>) -> Result<(), String> {
        let alternatives = MultiPart::alternative_plain_html(
            "p\u{e9}nd00 is down\n.\nbye\n".to_owned(),
            "<b>down</b>".to_owned(),
        );
        let mail = Message::builder()
            .from("Lab <lab@example.org>".parse().expect("an address"))
            .to("a@example.org".parse().expect("an address"))
            .cc("b@example.org".parse().expect("an address"))
            .subject("1 problem \u{2014} ed0")
            .multipart(alternatives)
            .expect("a mail");
        let mut transport = AsyncSmtpTransport::<Tokio1Executor>::builder_dangerous("127.0.0.1")
            .port(catcher.addr().port());
        if let Some((password, mechanism)) = login {
            transport = transport
                .credentials(Credentials::new("lab".into(), password.into()))
                .authentication(vec![mechanism]);
        }
        // lettre's own timeout covers only the connecting, and this server may hang after that.
        let sent = timeout(Duration::from_secs(1), transport.build().send(mail))
            .await
            .map_err(|_| "no answer".to_owned())?;
        sent.map(|_| ()).map_err(|error| {
            error
                .status()
                .map_or_else(|| "no answer".to_owned(), |code| code.to_string())
        })
    }

    #[tokio::test]
    async fn a_mail_is_caught_and_taken_apart() {
        let catcher = MailCatcher::start().await.expect("starts");
        send(&catcher, None).await.expect("is taken");
        let mails = catcher.wait_for(1, Duration::from_secs(5)).await;
        let mail = mails.first().expect("one mail");
        assert_eq!(
            (mail.from.as_str(), mail.to.join(" ")),
            ("lab@example.org", "a@example.org b@example.org".to_owned())
        );
        assert_eq!(mail.subject, "1 problem \u{2014} ed0");
        assert_eq!(mail.text.trim_end(), "p\u{e9}nd00 is down\n.\nbye");
        assert_eq!(mail.html.as_deref().map(str::trim_end), Some("<b>down</b>"));
        assert!(mail.raw.contains("\r\nCc: b@example.org\r\n"));
    }

    #[tokio::test]
    async fn it_fails_as_set_and_recovers() {
        let catcher = MailCatcher::start().await.expect("starts");
        for (mood, said) in [
            (MailMood::Busy, "421"),
            (MailMood::Rejecting, "550"),
            (MailMood::Hanging, "no answer"),
        ] {
            catcher.set_mood(mood);
            assert_eq!(send(&catcher, None).await, Err(said.to_owned()), "{mood:?}");
        }
        catcher.set_mood(MailMood::Well);
        catcher.refuse().await;
        assert_eq!(send(&catcher, None).await, Err("no answer".to_owned()));
        catcher.open_again().await.expect("the port is free");
        assert_eq!(send(&catcher, None).await, Ok(()));
        assert_eq!(catcher.wait_for(1, Duration::from_secs(5)).await.len(), 1);
    }

    #[tokio::test]
    async fn the_right_password_is_wanted_when_one_is_set() {
        let catcher = MailCatcher::start().await.expect("starts");
        catcher.set_login(Some(("lab", "right")));
        assert_eq!(send(&catcher, None).await, Err("530".to_owned()));
        for mechanism in [Mechanism::Plain, Mechanism::Login] {
            assert_eq!(
                send(&catcher, Some(("wrong", mechanism))).await,
                Err("535".to_owned())
            );
            assert_eq!(send(&catcher, Some(("right", mechanism))).await, Ok(()));
        }
    }
}
