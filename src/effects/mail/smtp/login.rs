//! Login (RFC 4954): AUTH PLAIN and LOGIN, by what the server offers.

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use secrecy::{ExposeSecret, SecretString};

use super::error::{Problem, SmtpError, Step};
use super::session::Session;
use crate::config::MailAuth;

/// A login mechanism.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Mechanism {
    Plain,
    Login,
}

impl Mechanism {
    fn name(self) -> &'static str {
        match self {
            Self::Plain => "PLAIN",
            Self::Login => "LOGIN",
        }
    }
}

/// Logs in with the configured credentials.
///
/// # Errors
/// [`SmtpError`] when the server offers no mechanism that is allowed and known, or refuses.
pub async fn log_in(session: &mut Session, auth: &MailAuth) -> Result<(), SmtpError> {
    let (allowed, user, password): (&[Mechanism], &str, &SecretString) = match auth {
        MailAuth::None => return Ok(()),
        MailAuth::Plain { user, password } => (&[Mechanism::Plain], user, password),
        MailAuth::Login { user, password } => (&[Mechanism::Login], user, password),
        MailAuth::Auto { user, password } => {
            (&[Mechanism::Plain, Mechanism::Login], user, password)
        }
    };
    let offered = session.abilities.logins.clone();
    if offered.is_empty() {
        return Err(SmtpError::new(Step::Login, Problem::NoLogin));
    }
    let usable = allowed
        .iter()
        .filter(|mechanism| offered.iter().any(|offer| offer == mechanism.name()));
    let mut outcome = Err(SmtpError::new(
        Step::Login,
        Problem::OtherLogins(offered.clone()),
    ));
    for mechanism in usable {
        outcome = try_one(session, *mechanism, user, password).await;
        match &outcome {
            Err(error) if is_about_mechanism(error) => {}
            _ => break,
        }
    }
    outcome
}

/// Whether another mechanism may succeed: the server does not know this one, or finds it too weak
/// (RFC 4954: 504, 534).
fn is_about_mechanism(error: &SmtpError) -> bool {
    matches!(error.code(), Some(504 | 534))
}

async fn try_one(
    session: &mut Session,
    mechanism: Mechanism,
    user: &str,
    password: &SecretString,
) -> Result<(), SmtpError> {
    let step = Step::Login;
    let password = password.expose_secret();
    let reply = match mechanism {
        Mechanism::Plain => {
            let shown = STANDARD.encode(format!("\0{user}\0{password}"));
            session.ask(step, &format!("AUTH PLAIN {shown}")).await?
        }
        Mechanism::Login => {
            let mut reply = session.ask(step, "AUTH LOGIN").await?;
            for answer in [user, password] {
                if reply.code != 334 {
                    break;
                }
                reply = session.ask(step, &STANDARD.encode(answer)).await?;
            }
            reply
        }
    };
    session.yes(step, reply).map(drop)
}
