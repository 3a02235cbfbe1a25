//! A session with a mail server: connected, greeted, protected and logged in as the settings say.

use std::time::Duration;

use tokio::time::timeout;

use super::connection::Connection;
use super::error::{Problem, SmtpError, Step};
use super::limits::Limits;
use super::reply::Reply;
use super::{hello, login, tls};
use crate::clients;
use crate::config::{MailSettings, MailTls};

/// The extensions of a server (RFC 5321, section 4.1.1.1).
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct Abilities {
    /// STARTTLS.
    pub starttls: bool,
    /// SMTPUTF8.
    pub smtp_utf8: bool,
    /// 8BITMIME.
    pub eight_bit: bool,
    /// The mechanisms of AUTH, in capitals.
    pub logins: Vec<String>,
}

impl Abilities {
    /// From the reply to EHLO, in any case, and with the `AUTH=` of old servers.
    fn of(reply: &Reply) -> Self {
        let mut found = Self::default();
        for line in reply.lines.iter().skip(1) {
            let line = line.to_ascii_uppercase().replace("AUTH=", "AUTH ");
            let mut words = line.split_whitespace();
            match words.next() {
                Some("STARTTLS") => found.starttls = true,
                Some("SMTPUTF8") => found.smtp_utf8 = true,
                Some("8BITMIME") => found.eight_bit = true,
                Some("AUTH") => {
                    for word in words.map(str::to_owned) {
                        if !found.logins.contains(&word) {
                            found.logins.push(word);
                        }
                    }
                }
                _ => {}
            }
        }
        found
    }
}

/// An open session.
pub struct Session {
    pub(super) connection: Connection,
    pub(super) abilities: Abilities,
    pub(super) limits: Limits,
    hello: String,
}

impl Session {
    /// A session that is protected as configured, with a server that has greeted us.
    pub async fn reach(settings: &MailSettings, limits: Limits) -> Result<Self, SmtpError> {
        let step = Step::Connect;
        let stream = clients::dial(&settings.host, settings.port, limits.connect)
            .await
            .map_err(|error| SmtpError::new(step, Problem::Unreachable(error)))?;
        // Without it the final dot would wait for the server to acknowledge what came before. If it
        // cannot be set, delivery is only slower.
        let _ = stream.set_nodelay(true);
        let local = stream.local_addr().ok().map(|address| address.ip());
        let hello = hello::name(settings.hello.as_deref(), local).await;
        let connection = match settings.tls {
            MailTls::Implicit => {
                let protected = bounded(limits.connect, tls::protect(stream, settings)).await?;
                Connection::over(protected)
            }
            MailTls::None | MailTls::StartTls => Connection::over(stream),
        };
        let mut session = Self {
            connection,
            abilities: Abilities::default(),
            limits,
            hello,
        };
        session.hear_greeting().await?;
        session.greet().await?;
        if settings.tls == MailTls::StartTls {
            session = session.upgrade(settings).await?;
        }
        Ok(session)
    }

    /// A session as of [`Session::reach`], logged in.
    pub async fn open(settings: &MailSettings, limits: Limits) -> Result<Self, SmtpError> {
        let mut session = Self::reach(settings, limits).await?;
        login::log_in(&mut session, &settings.auth).await?;
        Ok(session)
    }

    /// Ends the session. The outcome changes nothing.
    pub async fn quit(mut self) {
        let limit = self.limits.quit;
        let _ = self.connection.command(Step::Idle, "QUIT", limit).await;
    }

    /// The reply to a command.
    pub(super) async fn ask(&mut self, step: Step, command: &str) -> Result<Reply, SmtpError> {
        self.connection
            .command(step, command, self.limits.command)
            .await
    }

    /// The reply to a command, if it is positive.
    pub(super) async fn want(&mut self, step: Step, command: &str) -> Result<Reply, SmtpError> {
        let reply = self.ask(step, command).await?;
        self.yes(step, reply)
    }

    /// A reply that must say yes.
    pub(super) fn yes(&self, step: Step, reply: Reply) -> Result<Reply, SmtpError> {
        if reply.is_yes() {
            Ok(reply)
        } else {
            Err(self.refused(step, reply))
        }
    }

    /// The error for a refusal in this session.
    pub(super) fn refused(&self, step: Step, reply: Reply) -> SmtpError {
        SmtpError::answered(step, reply, &self.hello)
    }

    async fn hear_greeting(&mut self) -> Result<(), SmtpError> {
        let step = Step::Greeting;
        let greeting = self.connection.reply(step, self.limits.command).await?;
        self.yes(step, greeting).map(drop)
    }

    /// EHLO, or HELO where the server does not support it.
    async fn greet(&mut self) -> Result<(), SmtpError> {
        let (step, name) = (Step::Hello, self.hello.clone());
        let reply = self.ask(step, &format!("EHLO {name}")).await?;
        if reply.is_yes() {
            self.abilities = Abilities::of(&reply);
            return Ok(());
        }
        if !matches!(reply.code, 500 | 502) {
            return Err(self.refused(step, reply));
        }
        self.abilities = Abilities::default();
        self.want(step, &format!("HELO {name}")).await.map(|_| ())
    }

    /// STARTTLS. Nothing that was received before it counts afterwards.
    async fn upgrade(mut self, settings: &MailSettings) -> Result<Self, SmtpError> {
        if !self.abilities.starttls {
            return Err(SmtpError::new(Step::StartTls, Problem::NoStartTls));
        }
        self.want(Step::StartTls, "STARTTLS").await?;
        let stream = self.connection.into_clear_stream()?;
        let protected = bounded(self.limits.connect, tls::protect(stream, settings)).await?;
        let mut session = Self {
            connection: Connection::over(protected),
            abilities: Abilities::default(),
            ..self
        };
        session.greet().await?;
        Ok(session)
    }
}

async fn bounded<T>(
    limit: Duration,
    work: impl Future<Output = Result<T, SmtpError>>,
) -> Result<T, SmtpError> {
    timeout(limit, work)
        .await
        .unwrap_or(Err(SmtpError::new(Step::Tls, Problem::TimedOut(limit))))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn offers_are_read_in_any_case_and_form() {
        let of = |lines: &[&str]| {
            Abilities::of(&Reply {
                code: 250,
                lines: lines.iter().map(|line| (*line).to_owned()).collect(),
            })
        };
        let all = of(&["mx", "starttls", "8bitmime", "SmtpUtf8", "auth plain login"]);
        assert!(all.starttls && all.eight_bit && all.smtp_utf8);
        assert_eq!(all.logins, ["PLAIN", "LOGIN"]);
        assert_eq!(of(&["mx", "AUTH=PLAIN LOGIN"]).logins, ["PLAIN", "LOGIN"]);
        assert_eq!(of(&["mx", "AUTH LOGIN", "AUTH=LOGIN"]).logins, ["LOGIN"]);
        assert_eq!(of(&["starttls", "SIZE 1"]), Abilities::default());
    }
}
