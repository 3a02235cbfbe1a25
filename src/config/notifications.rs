//! Who is notified of what and when, beside plain mail: reminders, digest, webhooks, the heartbeat, routes. Sends nothing.

use std::time::Duration;

use jiff::civil::Time;
use secrecy::SecretString;

use super::MailSettings;
use super::hidden::HiddenUrl;
use super::mail::recipients;
use super::reader::{Reader, WordOr};
use super::zone::{self, Zone};
use engine::model::RouteName;
use engine::{self, Channel, Digest};

/// The names of the routes that come from settings outside of tables.
const RESERVED: [&str; 3] = ["everybody", "mail", "webhook"];

/// Who is told what and when.
#[derive(Debug, Clone)]
pub struct TellingSettings {
    /// `EMAIL_GATHER`: how long after the first news a message waits for the rest of a burst.
    pub gather: Duration,
    /// `EMAIL_INTERVAL`: how often a route is notified beyond the first messages.
    pub interval: Duration,
    /// `WEBHOOK_TIMEOUT`: how long a call may take.
    pub webhook_timeout: Duration,
    /// `EMAIL_REMIND`: after which time people are reminded first; `None`: never.
    pub remind: Option<Duration>,
    /// `EMAIL_DIGEST`: when the daily summary is sent, by the clock of `zone`; `None`: never.
    pub digest: Option<Time>,
    /// `TIME_ZONE`, else the system's, else UTC.
    pub zone: Zone,
    /// `WEBHOOK_URL` and `SECRET_WEBHOOK`: a program that hears everything, under the name `webhook`.
    pub webhook: Option<Webhook>,
    /// `DEAD_MAN_URL`: what is called while all is well with labwatch.
    pub dead_man: Option<DeadMan>,
    /// `HOLD_OVERDUE`: when a person's hold looks forgotten.
    pub hold_overdue: Duration,
    /// `REPORT_MONTHLY`: whether the monthly report is mailed.
    pub report_monthly: bool,
    /// `[[route]]`, in the order of the file. What hears everything (`EMAIL_TO`, `WEBHOOK_URL`) is not among them.
    pub routes: Vec<Route>,
}

/// A program that is called with news.
#[derive(Debug, Clone)]
pub struct Webhook {
    pub url: HiddenUrl,
    /// What calls are signed with; `None`: they are not.
    pub secret: Option<SecretString>,
}

/// The heartbeat: another service alerts when the calls stop.
#[derive(Debug, Clone)]
pub struct DeadMan {
    /// `DEAD_MAN_URL`.
    pub url: HiddenUrl,
    /// `DEAD_MAN_EVERY`.
    pub every: Duration,
}

/// Who gets the notifications about some experiments.
#[derive(Debug, Clone)]
pub struct Route {
    /// Its name, which no other route has and which none of the settings outside of tables has.
    pub name: String,
    /// Patterns of the experiments that it hears about; at least one.
    pub patterns: Vec<String>,
    pub target: RouteTarget,
    /// Whether it also hears what concerns the whole laboratory.
    pub alerts: bool,
    /// After which time it is reminded first; `None`: never. Its own, else `EMAIL_REMIND`.
    pub remind: Option<Duration>,
    /// How long it waits for the rest of a burst. Its own, else `EMAIL_GATHER`.
    pub gather: Duration,
}

#[derive(Debug, Clone)]
pub enum RouteTarget {
    /// To people, by the mail server of the other mail. Then there are [`MailSettings`].
    Mail {
        to: Vec<String>,
        cc: Vec<String>,
    },
    Webhook(Webhook),
}

impl TellingSettings {
    /// The routes, as the engine knows them: all recipients of `EMAIL_TO` where there is mail, `WEBHOOK_URL`, then `[[route]]`.
    /// The digest goes by mail.
    #[must_use]
    pub fn routes(&self, has_mail: bool) -> Vec<engine::Route> {
        let zone = self.zone.rules.clone();
        let digest = self.digest.map(|at| Digest {
            at,
            zone,
            when_well: false,
        });
        let whole = engine::Route {
            gather: self.gather,
            interval: self.interval,
            remind: self.remind,
            ..engine::Route::everybody()
        };
        let all = has_mail.then(|| engine::Route {
            digest: digest.clone(),
            ..whole.clone()
        });
        let webhook = self.webhook.is_some().then(|| engine::Route {
            name: RouteName::webhook(),
            channel: Channel::Webhook,
            ..whole
        });
        let named = self.routes.iter().filter_map(|route| {
            let is_mail = matches!(route.target, RouteTarget::Mail { .. });
            Some(engine::Route {
                name: RouteName::try_new(&route.name).ok()?,
                patterns: route.patterns.clone(),
                channel: if is_mail {
                    Channel::Mail
                } else {
                    Channel::Webhook
                },
                alerts: route.alerts,
                gather: route.gather,
                interval: self.interval,
                remind: route.remind,
                digest: digest.clone().filter(|_| is_mail),
            })
        });
        all.into_iter().chain(webhook).chain(named).collect()
    }
}

/// Everything about telling. `mail` are the settings of mail that have been read already.
pub(super) fn telling(
    reader: &mut Reader<'_>,
    gather: Duration,
    mail: Option<&MailSettings>,
) -> TellingSettings {
    let remind = reader
        .word_or_duration("email_remind")
        .and_then(WordOr::duration);
    let digest = reader.parsed("email_digest", digest_time).flatten();
    let url = reader.secret_address("webhook_url");
    let webhook = webhook(reader, url, "webhook_url", "secret_webhook");
    let every = reader.duration("dead_man_every");
    let url = reader.secret_address("dead_man_url");
    TellingSettings {
        gather,
        interval: reader.duration("email_interval"),
        webhook_timeout: reader.duration("webhook_timeout"),
        remind,
        digest,
        zone: zone::configured(reader, "time_zone").unwrap_or_else(Zone::of_system),
        webhook,
        dead_man: url.map(|url| DeadMan { url, every }),
        hold_overdue: reader.duration("hold_overdue"),
        report_monthly: report(reader, mail),
        routes: reader.named_rows("route", &RESERVED, |reader, name| {
            route(reader, name, (remind, gather), mail)
        }),
    }
}

fn report(reader: &mut Reader<'_>, mail: Option<&MailSettings>) -> bool {
    let report = reader.switch("report_monthly");
    if report && mail.is_none() {
        reader
            .warnings
            .push("report_monthly is on, but mail is off".to_owned());
    }
    report
}

fn webhook(
    reader: &mut Reader<'_>,
    url: Option<HiddenUrl>,
    url_key: &str,
    secret_key: &str,
) -> Option<Webhook> {
    let secret = reader.secret(secret_key);
    let is_set = |key: &str| reader.find(key).is_some();
    if url.is_none() && secret.is_some() && !is_set(url_key) && !is_set(&format!("{url_key}_file"))
    {
        let (secret, url) = (reader.label(secret_key), reader.label(url_key));
        reader
            .warnings
            .push(format!("{secret} is set but not used: {url} is not set"));
    }
    url.map(|url| Webhook { url, secret })
}

fn route(
    reader: &mut Reader<'_>,
    name: String,
    (remind, gather): (Option<Duration>, Duration),
    mail: Option<&MailSettings>,
) -> Option<Route> {
    let patterns = reader.required_patterns("match");
    let alerts = reader.switch("alerts");
    let remind = reader
        .word_or_duration("remind")
        .map_or(remind, WordOr::duration);
    let gather = if reader.is_set("gather") {
        reader.duration("gather")
    } else {
        gather
    };
    let target = target(reader, mail)?;
    Some(Route {
        name,
        patterns,
        target,
        alerts,
        remind,
        gather,
    })
}

fn target(reader: &mut Reader<'_>, mail: Option<&MailSettings>) -> Option<RouteTarget> {
    let before = reader.problems.len();
    let (to, cc) = (recipients(reader, "to"), recipients(reader, "cc"));
    let url = reader.secret_address("webhook");
    let webhook = webhook(reader, url, "webhook", "secret");
    if reader.problems.len() > before {
        return None;
    }
    match (to.is_empty(), webhook) {
        (true, None) => reader.missing("to", "it needs a recipient: write a webhook or "),
        (false, Some(_)) => reader.wrong("webhook", "is set and so is to", "make two routes of it"),
        (true, Some(webhook)) if cc.is_empty() => return Some(RouteTarget::Webhook(webhook)),
        (true, Some(_)) => reader.wrong("cc", "is set without to", "a webhook has no copies"),
        (false, None) if mail.is_none() => {
            reader.wrong(
                "to",
                "is set, but mail is off",
                "set email_host, email_from and email_to, which gets every notification",
            );
        }
        (false, None) => return Some(RouteTarget::Mail { to, cc }),
    }
    None
}

fn digest_time(text: &str) -> Result<Option<Time>, String> {
    if text.eq_ignore_ascii_case("off") {
        Ok(None)
    } else {
        clock(text).map(Some)
    }
}

/// A time by the clock on the wall, in hours and minutes.
pub(super) fn clock(text: &str) -> Result<Time, String> {
    let wrong = || "is not a time".to_owned();
    let (hours, minutes) = text.split_once(':').ok_or_else(wrong)?;
    let plain =
        |part: &str| (1..=2).contains(&part.len()) && part.bytes().all(|b| b.is_ascii_digit());
    if !plain(hours) || !plain(minutes) || minutes.len() != 2 {
        return Err(wrong());
    }
    let time = Time::new(
        hours.parse().map_err(|_| wrong())?,
        minutes.parse().map_err(|_| wrong())?,
        0,
        0,
    );
    time.map_err(|_| wrong())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn times_by_the_clock() {
        for (text, time) in [
            ("07:30", Some((7, 30))),
            ("7:05", Some((7, 5))),
            ("00:00", Some((0, 0))),
            ("23:59", Some((23, 59))),
        ] {
            assert_eq!(
                clock(text).ok(),
                time.and_then(|(h, m)| Time::new(h, m, 0, 0).ok()),
                "{text}"
            );
        }
        for bad in [
            "24:00", "7", "7:5", "07:30:00", "+7:30", "", ":", "7.30", "12:60",
        ] {
            assert!(clock(bad).is_err(), "{bad}");
        }
    }
}
