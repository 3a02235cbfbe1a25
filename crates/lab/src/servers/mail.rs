//! A mail server that keeps what it gets instead of delivering it, and that can misbehave. Speaks plain SMTP (RFC 5321) with AUTH PLAIN and LOGIN.

use std::net::SocketAddr;
use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use mail_parser::{MessageParser, PartType};
use tokio::io::{AsyncBufReadExt, AsyncReadExt, AsyncWriteExt, BufStream};
use tokio::net::{TcpListener, TcpStream};
use tokio::sync::watch;
use tokio::time::timeout;

use super::door::{Door, accept};
use super::error::LabError;
use crate::Server;

/// The longest mail that is taken, in bytes.
const MAX_MAIL_BYTES: usize = 4 << 20;

/// How many mails are kept; further ones are refused.
const MAX_MAILS: usize = 10_000;

/// The longest line of a command, in bytes.
const MAX_LINE_BYTES: u64 = 4096;

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

/// How the mail server behaves.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub enum MailMood {
    /// It takes mail.
    #[default]
    Well,
    /// It greets with 421 and closes.
    Busy,
    /// It refuses every recipient with 550.
    Rejecting,
    /// It accepts connections and says nothing.
    Hanging,
}

/// The mail server. It stops when it is dropped.
pub struct MailCatcher {
    door: Door,
    office: Arc<Office>,
}

struct Office {
    mails: Mutex<Vec<CaughtMail>>,
    count: watch::Sender<usize>,
    mood: watch::Sender<MailMood>,
    login: Mutex<Option<(String, String)>>,
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
        let office = Office {
            mails: Mutex::default(),
            count: watch::Sender::new(0),
            mood: watch::Sender::default(),
            login: Mutex::default(),
        };
        let catcher = Self {
            door,
            office: Arc::new(office),
        };
        catcher.open(listener).await;
        Ok(catcher)
    }

    /// Where it listens.
    pub fn addr(&self) -> SocketAddr {
        self.door.address
    }

    /// What was caught so far, oldest first.
    pub fn mails(&self) -> Vec<CaughtMail> {
        self.office
            .mails
            .lock()
            .unwrap_or_else(PoisonError::into_inner)
            .clone()
    }

    /// Waits until there are at least `count` mails, but not longer than `longest`; what was caught by then.
    pub async fn wait_for(&self, count: usize, longest: Duration) -> Vec<CaughtMail> {
        let mut caught = self.office.count.subscribe();
        // A timeout is seen by the caller in the number of mails.
        let _ = timeout(longest, caught.wait_for(|caught| *caught >= count)).await;
        self.mails()
    }

    /// Changes how it behaves, from the next command or connection on.
    pub fn set_mood(&self, mood: MailMood) {
        self.office.mood.send_replace(mood);
    }

    /// Wants to see this user name and password before a mail; with `None` it wants nothing.
    pub fn set_login(&self, login: Option<(&str, &str)>) {
        let login = login.map(|(user, password)| (user.to_owned(), password.to_owned()));
        *self
            .office
            .login
            .lock()
            .unwrap_or_else(PoisonError::into_inner) = login;
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
        let office = Arc::clone(&self.office);
        let handle = move |stream| {
            let office = Arc::clone(&office);
            async move {
                let _ = Session::new(stream, &office).run().await;
            }
        };
        self.door.run(accept(listener, handle)).await;
    }
}

/// A client's connection; `None` from any step ends it.
struct Session<'a> {
    stream: BufStream<TcpStream>,
    office: &'a Office,
    logged_in: bool,
    from: Option<String>,
    to: Vec<String>,
}

impl<'a> Session<'a> {
    fn new(stream: TcpStream, office: &'a Office) -> Self {
        Self {
            stream: BufStream::new(stream),
            office,
            logged_in: false,
            from: None,
            to: Vec::new(),
        }
    }

    async fn run(mut self) -> Option<()> {
        self.wait_while_hanging().await?;
        if *self.office.mood.borrow() == MailMood::Busy {
            return self.say("421 too busy, try again later").await;
        }
        self.say("220 lab ESMTP").await?;
        loop {
            let line = self.line().await?;
            self.wait_while_hanging().await?;
            self.obey(&line).await?;
        }
    }

    async fn obey(&mut self, line: &str) -> Option<()> {
        let (verb, rest) = line.split_once(' ').unwrap_or((line, ""));
        match verb.to_ascii_uppercase().as_str() {
            "EHLO" => self.say("250-lab\r\n250-8BITMIME\r\n250-SMTPUTF8\r\n250-AUTH PLAIN LOGIN\r\n250 SIZE 4194304").await,
            "HELO" | "NOOP" => self.say("250 ok").await,
            "AUTH" => self.authenticate(rest).await,
            "MAIL" => self.begin(rest).await,
            "RCPT" => self.address(rest).await,
            "DATA" => self.take().await,
            "RSET" => {
                self.forget();
                self.say("250 ok").await
            }
            "QUIT" => self.say("221 bye").await.and(None),
            _ => self.say("502 not implemented").await,
        }
    }

    async fn authenticate(&mut self, rest: &str) -> Option<()> {
        let (method, initial) = rest.split_once(' ').unwrap_or((rest, ""));
        let shown = match method.to_ascii_uppercase().as_str() {
            "PLAIN" => {
                let answer = if initial.is_empty() {
                    self.ask("334 ").await?
                } else {
                    decoded(initial)
                };
                let fields: Vec<String> = answer
                    .split(|byte| *byte == 0)
                    .map(|field| String::from_utf8_lossy(field).into_owned())
                    .collect();
                fields.get(1).cloned().zip(fields.get(2).cloned())
            }
            "LOGIN" => {
                let user = if initial.is_empty() {
                    self.ask("334 VXNlcm5hbWU6").await?
                } else {
                    decoded(initial)
                };
                let password = self.ask("334 UGFzc3dvcmQ6").await?;
                Some((
                    String::from_utf8_lossy(&user).into_owned(),
                    String::from_utf8_lossy(&password).into_owned(),
                ))
            }
            _ => return self.say("504 unrecognized authentication type").await,
        };
        let wanted = self
            .office
            .login
            .lock()
            .unwrap_or_else(PoisonError::into_inner)
            .clone();
        self.logged_in = shown.is_some() && (wanted.is_none() || wanted == shown);
        self.say(if self.logged_in {
            "235 welcome"
        } else {
            "535 authentication failed"
        })
        .await
    }

    async fn begin(&mut self, rest: &str) -> Option<()> {
        let needs_login = self
            .office
            .login
            .lock()
            .unwrap_or_else(PoisonError::into_inner)
            .is_some();
        if needs_login && !self.logged_in {
            return self.say("530 authentication required").await;
        }
        if *self.office.mood.borrow() == MailMood::Busy {
            return self.say("421 too busy, try again later").await.and(None);
        }
        self.forget();
        self.from = Some(path_of(rest));
        self.say("250 ok").await
    }

    async fn address(&mut self, rest: &str) -> Option<()> {
        if self.from.is_none() {
            return self.say("503 MAIL first").await;
        }
        if *self.office.mood.borrow() == MailMood::Rejecting {
            return self.say("550 no such user here").await;
        }
        self.to.push(path_of(rest));
        self.say("250 ok").await
    }

    async fn take(&mut self) -> Option<()> {
        let Some(from) = self.from.clone().filter(|_| !self.to.is_empty()) else {
            return self.say("503 RCPT first").await;
        };
        self.say("354 go ahead").await?;
        let Some(raw) = self.data().await? else {
            return self.say("552 too large").await;
        };
        let to = std::mem::take(&mut self.to);
        self.forget();
        let kept = self.office.keep(CaughtMail::new(from, to, raw));
        self.say(if kept { "250 caught" } else { "452 full" }).await
    }

    /// The mail, or `Some(None)` when it is too long.
    async fn data(&mut self) -> Option<Option<String>> {
        let mut raw = String::new();
        let mut fits = true;
        loop {
            let line = self.line().await?;
            if line == "." {
                return Some(fits.then_some(raw));
            }
            fits = fits && raw.len() + line.len() < MAX_MAIL_BYTES;
            if fits {
                raw.push_str(line.strip_prefix('.').unwrap_or(&line));
                raw.push_str("\r\n");
            }
        }
    }

    fn forget(&mut self) {
        self.from = None;
        self.to.clear();
    }

    async fn ask(&mut self, question: &str) -> Option<Vec<u8>> {
        self.say(question).await?;
        Some(decoded(&self.line().await?))
    }

    async fn say(&mut self, reply: &str) -> Option<()> {
        self.stream
            .write_all(format!("{reply}\r\n").as_bytes())
            .await
            .ok()?;
        self.stream.flush().await.ok()
    }

    async fn line(&mut self) -> Option<String> {
        let mut bytes = Vec::new();
        (&mut self.stream)
            .take(MAX_LINE_BYTES)
            .read_until(b'\n', &mut bytes)
            .await
            .ok()?;
        let line = bytes.strip_suffix(b"\n")?;
        Some(String::from_utf8_lossy(line.strip_suffix(b"\r").unwrap_or(line)).into_owned())
    }

    async fn wait_while_hanging(&self) -> Option<()> {
        self.office
            .mood
            .subscribe()
            .wait_for(|mood| *mood != MailMood::Hanging)
            .await
            .ok()
            .map(|_| ())
    }
}

impl Office {
    fn keep(&self, mail: CaughtMail) -> bool {
        let mut mails = self.mails.lock().unwrap_or_else(PoisonError::into_inner);
        let room = mails.len() < MAX_MAILS;
        if room {
            mails.push(mail);
            self.count.send_replace(mails.len());
        }
        room
    }
}

impl CaughtMail {
    fn new(from: String, to: Vec<String>, raw: String) -> Self {
        let parsed = MessageParser::default().parse(raw.as_bytes());
        let (mut subject, mut text, mut html) = (String::new(), String::new(), None);
        if let Some(mail) = &parsed {
            mail.subject().unwrap_or_default().clone_into(&mut subject);
            for part in &mail.parts {
                match &part.body {
                    PartType::Text(body) if text.is_empty() => text = body.replace("\r\n", "\n"),
                    PartType::Html(body) if html.is_none() => {
                        html = Some(body.replace("\r\n", "\n"));
                    }
                    _ => {}
                }
            }
        }
        Self {
            from,
            to,
            raw,
            subject,
            text,
            html,
        }
    }
}

/// Decodes base64; nothing for what is none.
fn decoded(text: &str) -> Vec<u8> {
    STANDARD.decode(text.trim()).unwrap_or_default()
}

/// The address between the angle brackets of `FROM:<a@b.org> SIZE=12`.
fn path_of(rest: &str) -> String {
    rest.split_once('<')
        .and_then(|(_, path)| path.split_once('>'))
        .map_or_else(String::new, |(path, _)| path.to_owned())
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
        // lettre's own timeout covers the connecting alone, and this server may hang after that.
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
    async fn it_fails_as_it_is_told_to_and_recovers() {
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
