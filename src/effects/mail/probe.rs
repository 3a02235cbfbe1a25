//! Tries the mail server. Sends no mail.

use std::time::Duration;

use lettre::transport::smtp::client::AsyncSmtpConnection;

use super::Mailer;
use crate::config::MailSettings;
use crate::model::CallError;

/// How long a mail server may take to say goodbye. Its answer changes nothing.
pub(super) const GOODBYE: Duration = Duration::from_secs(1);

/// Tries the mail server without sending a mail: connects, protects the connection, logs in, says goodbye.
///
/// # Errors
/// A [`CallError`] that says what to do about it.
pub async fn probe(settings: MailSettings) -> Result<(), CallError> {
    Mailer::new(settings, &[])
        .map_err(|error| CallError::Unreachable(error.to_string()))?
        .log_in()
        .await
}

impl Mailer {
    /// Finds out whether the mail server is there: connects, protects the connection, hears one answer, says goodbye. It does not log
    /// in, so that it can be done often: servers count logins, and lock who fails with them.
    ///
    /// # Errors
    /// A [`CallError`] that says what to do about it.
    pub async fn greet(&self) -> Result<(), CallError> {
        let connection = self
            .bounded(self.reach())
            .await
            .map_err(|failure| failure.fault)?;
        self.hear(connection).await
    }

    /// Finds out whether the mail server is there and lets us in: as [`Mailer::greet`], with a login where one is set.
    ///
    /// # Errors
    /// A [`CallError`] that says what to do about it.
    pub async fn log_in(&self) -> Result<(), CallError> {
        let connection = self
            .bounded(self.connect())
            .await
            .map_err(|failure| failure.fault)?;
        self.hear(connection).await
    }

    /// Hears one answer, and says goodbye.
    async fn hear(&self, mut connection: AsyncSmtpConnection) -> Result<(), CallError> {
        let test = async { Ok(connection.test_connected().await) };
        let alive = self.bounded(test).await.map_err(|failure| failure.fault)?;
        let _ = tokio::time::timeout(GOODBYE, connection.quit()).await;
        if alive {
            Ok(())
        } else {
            Err(CallError::Dropped)
        }
    }
}

#[cfg(test)]
mod tests {
    use super::super::fake_smtp::{FakeSmtp, Manner, settings};
    use super::*;
    use crate::config::MailAuth;

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

    #[tokio::test]
    async fn probing_sends_nothing_and_greeting_does_not_even_log_in() {
        let server = FakeSmtp::start(Manner {
            auth: true,
            ..Manner::default()
        })
        .await;
        assert_eq!(probe(with_login(server.port, PATIENT)).await, Ok(()));
        let lines = server.lines();
        assert_eq!(
            lines[1..],
            ["AUTH PLAIN AHVzZXIAc2VjcmV0", "NOOP", "QUIT"],
            "{lines:?}"
        );
        let remote = MailSettings {
            host: "mail.example.org".into(),
            ..with_login(25, PATIENT)
        };
        assert_eq!(
            probe(remote).await.expect_err("refused").word(),
            "unreachable"
        );

        let server = FakeSmtp::start(Manner {
            auth: true,
            ..Manner::default()
        })
        .await;
        assert_eq!(
            Mailer::new(with_login(server.port, PATIENT), &[])
                .expect("good settings")
                .greet()
                .await,
            Ok(())
        );
        assert_eq!(
            server.lines()[1..],
            ["NOOP", "QUIT"],
            "{:?}",
            server.lines()
        );
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
            assert_eq!(found.expect_err(word).word(), word, "{answers:?}");
        }
        let gone = impatient(1).greet().await;
        assert_eq!(gone.expect_err("nobody is there").word(), "unreachable");
    }
}
