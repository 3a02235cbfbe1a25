//! Notifications beside plain mail: reminders, digest, webhooks, the heartbeat, routes. Sends
//! nothing.

use std::time::Duration;

use jiff::civil::Time;
use secrecy::SecretString;

use super::hidden::HiddenUrl;
use super::mail::recipients;
use super::mail_settings::MailSettings;
use super::reader::Reader;
use super::zone::{self, Zone};
use engine::model::RouteName;
use engine::{self, Channel, Digest, HttpChannel};

/// The names of the routes that come from settings outside of tables.
const RESERVED: [&str; 3] = ["everybody", "mail", "webhook"];

/// Who is notified of what and when.
#[derive(Debug, Clone)]
pub struct NotificationSettings {
    /// `EMAIL_GATHER`: how long after the first news a message waits for the rest of a burst.
    pub gather: Duration,
    /// `EMAIL_INTERVAL`: how often a route is notified beyond the first messages.
    pub interval: Duration,
    /// `WEBHOOK_TIMEOUT`: how long a call may take.
    pub webhook_timeout: Duration,
    /// `EMAIL_REMIND`: time until the first reminder; `None`: never.
    pub remind: Option<Duration>,
    /// `EMAIL_DIGEST`: the time of the daily summary, in the time zone `zone`; `None`: never.
    pub digest: Option<Time>,
    /// `TIME_ZONE`, else the system's, else UTC.
    pub zone: Zone,
    /// `WEBHOOK_URL` and `SECRET_WEBHOOK`: a program that gets all notifications, as the route
    /// `webhook`.
    pub webhook: Option<HttpTarget>,
    /// `DEAD_MAN_URL`: the address that is requested while labwatch works.
    pub dead_man: Option<DeadMan>,
    /// `HOLD_OVERDUE`: after which time a manual hold looks forgotten.
    pub hold_overdue: Duration,
    /// `REPORT_MONTHLY`: whether the monthly report is mailed.
    pub report_monthly: bool,
    /// `[[route]]`, in the order of the file. The routes of all notifications (`EMAIL_TO`,
    /// `WEBHOOK_URL`) are not among them.
    pub routes: Vec<Route>,
}

/// A program or a chat that is notified by HTTP requests.
#[derive(Debug, Clone)]
pub struct HttpTarget {
    /// The kind of channel.
    pub channel: HttpChannel,
    /// Its address.
    pub url: HiddenUrl,
    /// The secret that signs requests to a webhook, or the token for all others; `None`: neither.
    pub secret: Option<SecretString>,
    /// The room of Matrix; empty for all others.
    pub room: String,
}

/// The heartbeat: another service alerts when the requests stop.
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
    /// Its unique name, which none of the routes outside of tables has.
    pub name: String,
    /// Patterns of the experiments that it is about; at least one.
    pub patterns: Vec<String>,
    pub target: RouteTarget,
    /// Whether it also gets alerts about the whole laboratory.
    pub alerts: bool,
    /// Time until the first reminder; `None`: never. Its own, else `EMAIL_REMIND`.
    pub remind: Option<Duration>,
    /// How long it waits for the rest of a burst. Its own, else `EMAIL_GATHER`.
    pub gather: Duration,
}

#[derive(Debug, Clone)]
pub enum RouteTarget {
    /// By mail, through the mail server of the other mail. Then there are [`MailSettings`].
    Mail { to: Vec<String>, cc: Vec<String> },
    /// To a program or a chat.
    Http(HttpTarget),
}

impl NotificationSettings {
    /// The routes for the engine: all recipients of `EMAIL_TO` where there is mail,
    /// `WEBHOOK_URL`, then `[[route]]`. The digest goes by mail.
    pub fn routes(&self, has_mail: bool) -> Vec<engine::Route> {
        let zone = self.zone.rules.clone();
        let digest = self.digest.map(|at| Digest {
            at,
            zone: zone.clone(),
            when_well: false,
        });
        let whole = engine::Route {
            gather: self.gather,
            interval: self.interval,
            remind: self.remind,
            zone: zone.clone(),
            ..engine::Route::everybody()
        };
        let all = has_mail.then(|| engine::Route {
            digest: digest.clone(),
            ..whole.clone()
        });
        let webhook = self.webhook.is_some().then(|| engine::Route {
            name: RouteName::webhook(),
            channel: Channel::Http(HttpChannel::Webhook),
            ..whole
        });
        let named = self.routes.iter().filter_map(|route| {
            let (channel, is_mail) = match &route.target {
                RouteTarget::Mail { .. } => (Channel::Mail, true),
                RouteTarget::Http(target) => (Channel::Http(target.channel), false),
            };
            Some(engine::Route {
                name: RouteName::try_new(&route.name).ok()?,
                patterns: route.patterns.clone(),
                channel,
                alerts: route.alerts,
                gather: route.gather,
                interval: self.interval,
                remind: route.remind,
                zone: zone.clone(),
                digest: digest.clone().filter(|_| is_mail),
            })
        });
        all.into_iter().chain(webhook).chain(named).collect()
    }
}

/// All settings of notifications. `mail` are the settings of mail that have been read already.
pub(super) fn notifications(
    reader: &mut Reader<'_>,
    gather: Duration,
    mail: Option<&MailSettings>,
) -> NotificationSettings {
    let remind = reader.word_or_duration("email_remind").and_then(Result::ok);
    let digest = reader.parsed("email_digest", digest_time).flatten();
    let url = reader.secret_address("webhook_url");
    let secret = reader.secret("secret_webhook");
    let is_set = ["webhook_url", "webhook_url_file"].map(|key| reader.find(key).is_some());
    if url.is_none() && secret.is_some() && is_set == [false; 2] {
        unused(reader, "secret_webhook", "webhook_url");
    }
    let webhook = url.map(|url| HttpTarget {
        channel: HttpChannel::Webhook,
        url,
        secret,
        room: String::new(),
    });
    let every = reader.duration("dead_man_every");
    let url = reader.secret_address("dead_man_url");
    NotificationSettings {
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
        let warning = "report_monthly is on, but mail is off";
        reader.warnings.push(warning.to_owned());
    }
    report
}

/// Warns of a secret without the address that it is for.
fn unused(reader: &mut Reader<'_>, secret: &str, url: &str) {
    let (secret, url) = (reader.label(secret), reader.label(url));
    reader
        .warnings
        .push(format!("{secret} is set but not used: {url} is not set"));
}

fn route(
    reader: &mut Reader<'_>,
    name: String,
    (remind, gather): (Option<Duration>, Duration),
    mail: Option<&MailSettings>,
) -> Option<Route> {
    let patterns = reader.required_patterns("match");
    let alerts = reader.switch("alerts");
    let remind = reader.word_or_duration("remind").map_or(remind, Result::ok);
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
    let http = http_target(reader);
    if reader.problems.len() > before {
        return None;
    }
    match (to.is_empty(), http) {
        (true, None) => {
            let others = HttpChannel::ALL.map(HttpChannel::as_str).join(", ");
            let why = format!("a route leads somewhere: write one of {others} or ");
            reader.missing("to", &why);
        }
        (false, Some(http)) => reader.wrong(
            http.channel.as_str(),
            "is set and so is to",
            "make two routes of it",
        ),
        (true, Some(http)) if cc.is_empty() => return Some(RouteTarget::Http(http)),
        (true, Some(_)) => reader.wrong("cc", "is set without to", "only mail has copies"),
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

/// The one address of a webhook or a chat that a route has.
fn http_target(reader: &mut Reader<'_>) -> Option<HttpTarget> {
    let addresses = HttpChannel::ALL.map(|channel| {
        let url = reader.secret_address(channel.as_str());
        url.map(|url| (channel, url))
    });
    let secret = reader.secret("secret");
    let room = reader.text("room").unwrap_or_default();
    let mut addresses = addresses.into_iter().flatten();
    let first = addresses.next();
    if let (Some((channel, _)), Some((other, _))) = (&first, addresses.next()) {
        let wrong = format!("is set and so is {}", channel.as_str());
        reader.wrong(other.as_str(), &wrong, "make two routes of it");
    }
    let Some((channel, url)) = first else {
        let is_set =
            |key: &str| reader.find(key).is_some() || reader.find(&format!("{key}_file")).is_some();
        let is_any_set = HttpChannel::ALL.iter().any(|kind| is_set(kind.as_str()));
        if secret.is_some() && !is_any_set {
            unused(reader, "secret", "webhook");
        }
        return None;
    };
    let is_matrix = channel == HttpChannel::Matrix;
    if is_matrix && room.is_empty() {
        reader.missing("room", "a message of Matrix goes to a room: ");
    }
    if is_matrix && secret.is_none() && (reader.secrets)("secret") {
        reader.missing("secret", "Matrix wants the access token of a user: ");
    }
    if secret.is_some() && matches!(channel, HttpChannel::Slack | HttpChannel::Teams) {
        let (secret, what) = (reader.label("secret"), channel.as_str());
        reader.warnings.push(format!(
            "{secret} is set but not used: the address is all that {what} needs"
        ));
    }
    if !room.is_empty() && !is_matrix {
        reader.wrong("room", "is set without matrix", "only Matrix has rooms");
    }
    let topic = url
        .expose()
        .path_segments()
        .and_then(|mut path| path.next_back());
    if channel == HttpChannel::Ntfy && topic.is_none_or(str::is_empty) {
        let allowed = "an address such as https://ntfy.example.org/labwatch";
        reader.wrong("ntfy", "has no topic", allowed);
    }
    Some(HttpTarget {
        channel,
        url,
        secret,
        room,
    })
}

fn digest_time(text: &str) -> Result<Option<Time>, String> {
    if text.eq_ignore_ascii_case("off") {
        Ok(None)
    } else {
        clock(text).map(Some)
    }
}

/// A time of day, in hours and minutes.
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
