//! One connection to the mail catcher: plain SMTP (RFC 5321) with AUTH PLAIN and LOGIN.

use std::sync::PoisonError;

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use tokio::io::{AsyncBufReadExt, AsyncReadExt, AsyncWriteExt, BufStream};
use tokio::net::TcpStream;

use super::mail::{CaughtMail, MailMood, Office};

/// The longest mail that is taken, in bytes.
const MAX_MAIL_BYTES: usize = 4 << 20;

/// The longest line of a command, in bytes.
const MAX_LINE_BYTES: u64 = 4096;

/// A client's connection; `None` from any step ends it.
pub(super) struct Session<'a> {
    stream: BufStream<TcpStream>,
    office: &'a Office,
    logged_in: bool,
    from: Option<String>,
    to: Vec<String>,
}

impl<'a> Session<'a> {
    /// A connection that was just made.
    pub fn new(stream: TcpStream, office: &'a Office) -> Self {
        Self {
            stream: BufStream::new(stream),
            office,
            logged_in: false,
            from: None,
            to: Vec::new(),
        }
    }

    /// Serves it to its end.
    pub async fn run(mut self) -> Option<()> {
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
