//! The probe of the mail server: often whether it answers, seldom whether it accepts the login.
//! Sends no mail.

use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, Mutex, PoisonError};
use std::time::{Duration, Instant};

use jiff::Timestamp;
use tokio::sync::{mpsc, watch};

use super::config_watch::ConfigWatch;
use super::notifications;
use crate::config::Config;
use crate::health::{Attempt, Check, Finding, Pace, State};
use engine::model::CallError;
use engine::{Channel, Input, Snapshot};

/// Interval and time limit of the probe. The mail server belongs to others: it is not probed more
/// often than maintainers need. One that does not answer is detected within 25 s.
pub(super) const PACE: Pace = Pace {
    period: Duration::from_secs(60),
    timeout: Duration::from_secs(10),
    retries: 1,
    cooldown: Duration::from_secs(5),
};

/// How often the probe logs in. Servers count logins, and lock clients with a few failed logins
/// within minutes: between two logins the server is only greeted, and the result of the last login
/// stays. The first probe only greets, so that a labwatch that is restarted again and again does
/// not log in each time.
const LOGIN_EVERY: Duration = Duration::from_secs(3_600);

/// The last login that the server answered.
struct Login {
    config: Arc<Config>,
    /// `None`: the server was only greeted so far.
    at: Option<Instant>,
    /// When a mail was last sent, as known at that time.
    sent: Option<Timestamp>,
    refusal: Option<CallError>,
}

impl Login {
    /// Whether its result is out of date: it is long ago, the configuration was reloaded since, or
    /// it was refused and a mail was delivered since.
    fn is_past(&self, config: &Arc<Config>, sent: Option<Timestamp>, now: Instant) -> bool {
        !Arc::ptr_eq(&self.config, config)
            || self
                .at
                .is_none_or(|at| now.duration_since(at) >= LOGIN_EVERY)
            || (self.refusal.is_some() && sent > self.sent)
    }
}

/// Probes the mail server, with the current settings. Without a mail server the result is ok.
pub(super) fn check(
    config: ConfigWatch,
    snapshots: watch::Receiver<Arc<Snapshot>>,
    inputs: mpsc::Sender<Input>,
) -> Check {
    let latest = Arc::<Mutex<Option<Login>>>::default();
    let fails = Arc::<AtomicBool>::default();
    Box::new(move || {
        let (fails, inputs) = (Arc::clone(&fails), inputs.clone());
        let (config, latest) = (Arc::clone(&config.borrow()), Arc::clone(&latest));
        let sent = snapshots
            .borrow()
            .routes
            .iter()
            .filter_map(|route| route.last_sent)
            .max();
        Box::pin(async move {
            let attempt = attempt(config, sent, &latest).await;
            wake_what_waits(&attempt, &fails, &inputs);
            attempt
        })
    })
}

/// Retries pending mails once the mail server works again.
fn wake_what_waits(attempt: &Attempt, fails: &AtomicBool, inputs: &mpsc::Sender<Input>) {
    let works = matches!(attempt, Attempt::Found(finding) if finding.state == State::Ok);
    if fails.swap(!works, Ordering::Relaxed) && works {
        // A full queue must not delay the probe: pending mails are retried by themselves.
        let _ = inputs.try_send(Input::Retry(Some(Channel::Mail)));
    }
}

async fn attempt(
    config: Arc<Config>,
    sent: Option<Timestamp>,
    latest: &Mutex<Option<Login>>,
) -> Attempt {
    let mailer = match notifications::mailer(&config) {
        Ok(None) => return Attempt::Found(Finding::ok()),
        Ok(Some(mailer)) => mailer,
        Err(error) => return Attempt::Found(Finding::error(error.to_string())),
    };
    let latest = || latest.lock().unwrap_or_else(PoisonError::into_inner);
    let due = latest()
        .as_ref()
        .map(|login| login.is_past(&config, sent, Instant::now()));
    let found = if due == Some(true) {
        let answer = match mailer.log_in().await {
            Err(refusal) if refusal.refuses_us() => Ok(Some(refusal)),
            other => other.map(|()| None),
        };
        if let Ok(refusal) = answer.clone() {
            *latest() = Some(Login {
                config,
                at: Some(Instant::now()),
                sent,
                refusal,
            });
        }
        answer
    } else {
        let greeted = mailer.greet().await;
        let mut latest = latest();
        greeted.map(|()| {
            latest
                .get_or_insert(Login {
                    config,
                    at: None,
                    sent,
                    refusal: None,
                })
                .refusal
                .clone()
        })
    };
    match found {
        Ok(None) => Attempt::Found(Finding::ok()),
        Ok(Some(refusal)) => Attempt::Found(Finding::error(unusable(&refusal))),
        Err(fault) => Attempt::Failed(unusable(&fault)),
    }
}

fn unusable(fault: &CallError) -> String {
    format!("the mail server cannot be used: {fault}")
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::config::{MailAuth, MailSettings, MailTls, Sources, load_rules};
    use lab::{MailCatcher, MailMood};

    #[tokio::test]
    async fn a_server_that_works_again_is_given_what_waits() {
        let (inputs, mut woken) = mpsc::channel(4);
        let fails = AtomicBool::default();
        let works = || Attempt::Found(Finding::ok());
        for (attempt, wakes) in [
            (works(), false),
            (Attempt::Failed("away".to_owned()), false),
            (Attempt::Found(Finding::error("refused")), false),
            (works(), true),
            (works(), false),
        ] {
            wake_what_waits(&attempt, &fails, &inputs);
            let input = woken.try_recv().ok();
            assert_eq!(input.is_some(), wakes);
            assert!(input.is_none_or(|input| matches!(input, Input::Retry(Some(Channel::Mail)))));
        }
    }

    fn config(port: u16) -> Arc<Config> {
        let mail = MailSettings {
            host: "127.0.0.1".into(),
            port,
            tls: MailTls::None,
            hello: None,
            tls_ca: None,
            tls_fingerprint: None,
            auth: MailAuth::Plain {
                user: "lab".into(),
                password: "right".into(),
            },
            from: "labwatch@lab.example.org".into(),
            to: vec!["ann@example.org".into()],
            cc: vec![],
            subject: String::new(),
            link: String::new(),
            timeout: Duration::from_secs(1),
            gather: Duration::ZERO,
        };
        let rules = load_rules(&Sources::default()).expect("right").config;
        Arc::new(Config {
            mail: Some(mail),
            ..rules
        })
    }

    fn state(attempt: Attempt) -> Result<State, String> {
        match attempt {
            Attempt::Found(finding) => Ok(finding.state),
            Attempt::Failed(why) | Attempt::Hindered(why) => Err(why),
        }
    }

    /// The server changes its mind about the password, which shows only when a login is due.
    #[tokio::test]
    async fn a_login_is_tried_seldom_and_its_answer_stands_meanwhile() {
        let catcher = MailCatcher::start().await.expect("starts");
        let (config, latest) = (config(catcher.addr().port()), Mutex::default());
        let tried = async |config: &Arc<Config>, sent| {
            state(attempt(Arc::clone(config), sent, &latest).await)
        };
        catcher.set_login(Some(("lab", "other")));
        assert_eq!(
            tried(&config, None).await,
            Ok(State::Ok),
            "the first look only greets"
        );
        assert_eq!(tried(&config, None).await, Ok(State::Error));
        catcher.set_login(Some(("lab", "right")));
        assert_eq!(
            tried(&config, None).await,
            Ok(State::Error),
            "it is not tried again at once"
        );
        assert_eq!(
            tried(&config, Some(Timestamp::UNIX_EPOCH)).await,
            Ok(State::Ok),
            "a mail got through"
        );
        catcher.set_login(Some(("lab", "other")));
        assert_eq!(tried(&config, Some(Timestamp::MAX)).await, Ok(State::Ok));
        let anew = Arc::new(Config::clone(&config));
        assert_eq!(
            tried(&anew, Some(Timestamp::MAX)).await,
            Ok(State::Error),
            "the configuration was read anew"
        );
        let now = Instant::now();
        let login = Login {
            config: anew,
            at: Some(now),
            sent: None,
            refusal: None,
        };
        assert!(
            !login.is_past(&login.config, None, now)
                && login.is_past(&login.config, None, now + LOGIN_EVERY)
        );
        assert!(catcher.mails().is_empty());
    }

    #[tokio::test]
    async fn a_mail_server_that_is_silent_busy_or_gone_is_found_out() {
        let catcher = MailCatcher::start().await.expect("starts");
        catcher.set_login(Some(("lab", "right")));
        let (config, latest) = (config(catcher.addr().port()), Mutex::default());
        let tried = async || state(attempt(Arc::clone(&config), None, &latest).await);
        for known in [false, true, true] {
            for mood in [MailMood::Hanging, MailMood::Busy] {
                catcher.set_mood(mood);
                assert!(tried().await.is_err(), "{mood:?} {known}");
            }
            catcher.set_mood(MailMood::Well);
            assert_eq!(tried().await, Ok(State::Ok), "{known}");
        }
        catcher.refuse().await;
        assert!(
            tried()
                .await
                .is_err_and(|why| why.contains("cannot connect"))
        );
        assert!(catcher.mails().is_empty());
    }
}
