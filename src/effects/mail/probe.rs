//! Probes of the mail server. They send no mail.

use super::Mailer;
use super::outcome::fault_of;
use super::smtp::{self, Preflight, SmtpError};
use engine::model::CallError;

impl Mailer {
    /// Checks that the mail server answers: connects, protects the connection, reads one reply,
    /// quits. It does not log in, so that it can run often: servers count logins, and lock clients
    /// whose logins fail.
    ///
    /// # Errors
    /// A [`CallError`] that says what to do about it.
    pub async fn greet(&self) -> Result<(), CallError> {
        let greeted = smtp::greet(&self.settings, self.limits.of_a_look()).await;
        greeted.map_err(|error| fault_of(&error))
    }

    /// Checks that the mail server answers and accepts us: as [`Mailer::greet`], with a login where
    /// one is set, and whether it accepts our sender.
    ///
    /// # Errors
    /// A [`CallError`] that says what to do about it.
    pub async fn log_in(&self) -> Result<(), CallError> {
        let let_in = smtp::log_in(&self.settings, self.limits.of_a_look(), &self.sender()).await;
        let_in.map_err(|error| fault_of(&error))
    }

    /// Checks all that can be checked without sending: as [`Mailer::log_in`], and the server's
    /// reply to each recipient of each route.
    ///
    /// # Errors
    /// [`SmtpError`] when it fails before the recipients.
    pub async fn preflight(&self) -> Result<Preflight, SmtpError> {
        smtp::preflight(
            &self.settings,
            self.limits.of_a_look(),
            &self.sender(),
            &self.all_recipients(),
        )
        .await
    }
}

#[cfg(test)]
mod tests {
    use std::time::Duration;

    use super::super::tests::{FakeSmtp, Manner, settings};
    use super::*;
    use crate::config::{MailAuth, MailSettings};

    const PATIENT: Duration = Duration::from_secs(30);

    fn with_login(port: u16, timeout: Duration) -> MailSettings {
        MailSettings {
            auth: MailAuth::Plain {
                user: "user".into(),
                password: "secret".into(),
            },
            timeout,
            ..settings(port)
        }
    }

    fn impatient(port: u16) -> Mailer {
        Mailer::new(with_login(port, Duration::from_millis(500)), &[]).expect("good settings")
    }

    async fn with_auth() -> FakeSmtp {
        FakeSmtp::start(Manner {
            auth: true,
            ..Manner::default()
        })
        .await
    }

    #[tokio::test]
    async fn probing_sends_nothing_and_greeting_does_not_even_log_in() {
        let mailer = |port| Mailer::new(with_login(port, PATIENT), &[]).expect("good settings");
        let server = with_auth().await;
        assert_eq!(mailer(server.port).log_in().await, Ok(()));
        let sender = "MAIL FROM:<labwatch@lab.example.org>";
        assert_eq!(
            server.lines()[1..],
            ["AUTH PLAIN AHVzZXIAc2VjcmV0", sender, "RSET", "QUIT"]
        );

        let server = with_auth().await;
        let found = mailer(server.port).preflight().await.expect("comes so far");
        assert!(found.iter().all(|(_, answer)| answer.is_ok()));
        assert_eq!(
            server.lines()[2..],
            [
                sender,
                "RCPT TO:<ann@example.org>",
                "RCPT TO:<bob@example.org>",
                "RSET",
                "QUIT"
            ]
        );
        assert!(server.mails().is_empty());

        let server = with_auth().await;
        assert_eq!(mailer(server.port).greet().await, Ok(()));
        assert_eq!(server.lines()[1..], ["NOOP", "QUIT"]);
    }

    #[tokio::test]
    async fn a_server_that_cannot_be_used_is_found_out() {
        for (answers, word) in [
            (&[("greeting", "hang")][..], "timeout"),
            (&[("greeting", "554 go away")], "sick"),
            (&[("greeting", "421 busy")], "sick"),
            (&[("greeting", "drop")], "dropped"),
            (&[("EHLO", "what?")], "protocol"),
            (&[("NOOP", "hang")], "timeout"),
            (&[("NOOP", "drop")], "dropped"),
        ] {
            let server = FakeSmtp::start(Manner {
                answers,
                ..Manner::default()
            })
            .await;
            let found = impatient(server.port).greet().await;
            assert_eq!(found.expect_err(word).as_str(), word, "{answers:?}");
        }
        let gone = impatient(1).greet().await;
        assert_eq!(
            gone.expect_err("no server is there").as_str(),
            "unreachable"
        );
    }
}
