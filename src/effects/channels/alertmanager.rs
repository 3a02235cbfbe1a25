//! Prometheus Alertmanager, by version 2 of its API: one alert for each experiment and each alert
//! about the whole laboratory. It keeps its labels as long as it lasts, and is sent with an end
//! time when it is over. Alertmanager then groups, routes and silences by its own rules. Pure.
//!
//! Alertmanager takes an alert without an end time for resolved some minutes after it was sent. So
//! the end time lies far ahead, and the alert is sent again at intervals, because Alertmanager
//! forgets alerts when it is restarted.

use std::collections::{BTreeMap, BTreeSet};
use std::time::Duration;

use jiff::{SignedDuration, Timestamp};
use reqwest::Method;
use serde::Serialize;
use serde_json::Value;
use url::Url;

use super::message::{Message, Request, Size, below};
use crate::config::HttpTarget;
use crate::effects::notification::{Presentation, one_line, page_of, words};
use engine::model::Gather as _;
use engine::model::{Health, RouteName, Stub};
use engine::{AlertLine, Line, Occasion, Snapshot};

/// How often firing alerts are sent again.
pub const REPEAT_EVERY: Duration = Duration::from_secs(300);

/// When an alert ends that is not sent again, as when labwatch is gone for good.
const ENDS_AFTER: SignedDuration = SignedDuration::from_hours(7 * 24);

/// The most alerts of one request. One further alert stands for all experiments beyond it.
const MAX_ALERTS: usize = 1_000;

/// The longest annotation, in characters.
const MAX_CHARS: usize = 600;

/// An alert as Alertmanager takes it.
#[derive(Debug, Serialize, PartialEq, Eq)]
#[serde(rename_all = "camelCase")]
struct Alert {
    labels: BTreeMap<&'static str, String>,
    annotations: BTreeMap<&'static str, String>,
    starts_at: Timestamp,
    ends_at: Timestamp,
    #[serde(rename = "generatorURL", skip_serializing_if = "Option::is_none")]
    generator_url: Option<String>,
}

pub(super) fn request(
    target: &HttpTarget,
    message: &Message<'_>,
    size: Size,
) -> Result<(Method, Url, Value), String> {
    let alerts = serde_json::to_value(alerts(message, size)).map_err(|error| error.to_string())?;
    Ok((Method::POST, address(target)?, alerts))
}

fn address(target: &HttpTarget) -> Result<Url, String> {
    below(target.url.expose(), &["api", "v2", "alerts"])
}

/// The alerts of a notification: resolved ones first, so that they are not lost at the bound, then
/// firing ones.
fn alerts(message: &Message<'_>, size: Size) -> Vec<Alert> {
    let (summary, presentation) = (message.summary, message.presentation);
    let now = summary.at;
    if summary.occasion == Occasion::Test {
        return vec![test(message)];
    }
    let news: BTreeSet<&Stub> = summary.news.iter().map(|line| &line.stub).gather();
    let over = summary
        .news
        .iter()
        .flat_map(|line| resolved(line, presentation, now));
    // A problem that is not notified now keeps firing as it was last notified.
    let open = summary.problems.iter().filter_map(|line| {
        let is_news = news.contains(&line.stub);
        let health = if is_news { line.health } else { line.notified };
        health
            .is_bad()
            .then(|| firing(line, health, presentation, now))
    });
    let gone = summary.alerts.iter().filter_map(|alert| {
        let (stub, health) = alert.experiment.as_ref()?;
        let (name, texts) = (stub.as_str(), texts(&alert.text, ""));
        let times = (alert.since.min(now), now);
        Some(of_experiment(name, *health, texts, times, presentation))
    });
    let concerns = summary
        .alerts
        .iter()
        .filter(|alert| alert.experiment.is_none())
        .map(|alert| concern(alert, presentation, now));
    let mut all: Vec<Alert> = concerns.chain(gone).chain(over).chain(open).collect();
    let most = size.of(all.len().min(MAX_ALERTS)).max(1);
    let left_out = all.len().saturating_sub(most);
    all.truncate(most);
    if left_out > 0 {
        all.push(more(left_out, presentation, now));
    }
    all
}

/// An alert that is resolved at once: it shows that alerts arrive.
fn test(message: &Message<'_>) -> Alert {
    let now = message.summary.at;
    Alert {
        labels: labels("LabwatchTest", "info", message.presentation),
        annotations: texts(&message.content.title, &message.content.lead.join(" ")),
        starts_at: now,
        ends_at: now + SignedDuration::from_secs(60),
        generator_url: None,
    }
}

fn more(left_out: usize, presentation: &Presentation, now: Timestamp) -> Alert {
    let text = format!("{left_out} more experiments have a problem");
    Alert {
        labels: labels("LabwatchMore", "critical", presentation),
        annotations: texts(&text, "They are too many for an alert each."),
        starts_at: now,
        ends_at: now + SignedDuration::from_hours(1),
        generator_url: presentation.page.clone(),
    }
}

fn firing(line: &Line, health: Health, presentation: &Presentation, now: Timestamp) -> Alert {
    let times = (line.since.min(now), now + ENDS_AFTER);
    let annotations = annotations(line, presentation, now);
    of_experiment(line.stub.as_str(), health, annotations, times, presentation)
}

/// The ends of the alerts that were sent before, or may have been; not of those that keep firing.
fn resolved(
    line: &Line,
    presentation: &Presentation,
    now: Timestamp,
) -> impl Iterator<Item = Alert> {
    let worst = line.worst.filter(|worst| *worst != line.notified);
    let were = [Some(line.notified), worst].into_iter().flatten();
    let mut ended: Vec<Health> = were
        .filter(|was| was.is_bad() && severity(*was) != severity(line.health))
        .collect();
    ended.dedup_by_key(|was| severity(*was));
    ended.into_iter().map(move |was| {
        let times = (line.since.min(now), now);
        let annotations = annotations(line, presentation, now);
        of_experiment(line.stub.as_str(), was, annotations, times, presentation)
    })
}

fn concern(alert: &AlertLine, presentation: &Presentation, now: Timestamp) -> Alert {
    let mut labels = labels("LabwatchLaboratory", "critical", presentation);
    let about = alert
        .alert
        .clone()
        .map_or_else(|| "labwatch".to_owned(), String::from);
    labels.insert("concern", about);
    Alert {
        labels,
        annotations: texts(&alert.text, ""),
        starts_at: alert.since.min(now),
        ends_at: match alert.ended {
            Some(lasted) => alert.since.checked_add(lasted).unwrap_or(now).min(now),
            None => now + ENDS_AFTER,
        },
        generator_url: presentation.page.clone(),
    }
}

/// The alerts of experiments that a route was last notified as bad, to be sent again; `None` where
/// there are none.
///
/// # Errors
/// Why they cannot be built.
pub(super) fn still_firing(
    target: &HttpTarget,
    route: &RouteName,
    snapshot: &Snapshot,
    presentation: &Presentation,
) -> Result<Option<Request>, String> {
    let now = snapshot.at;
    let notified = snapshot.notified.iter().filter(|one| one.route == *route);
    let bad = notified.filter(|one| one.health.is_bad());
    let alerts: Vec<Alert> = bad
        .take(MAX_ALERTS)
        .map(|one| {
            let name = one.stub.as_str();
            let unsteady = one
                .unsteady
                .map(|times| format!("down {times} times within 24 h"));
            let mut annotations = texts(&format!("{name} is {}", one.health), "");
            annotations.extend(unsteady.map(|text| ("unsteady", text)));
            let times = (one.at.min(now), now + ENDS_AFTER);
            of_experiment(name, one.health, annotations, times, presentation)
        })
        .collect();
    if alerts.is_empty() {
        return Ok(None);
    }
    Ok(Some(Request {
        method: Method::POST,
        url: address(target)?,
        with_token: true,
        body: serde_json::to_vec(&alerts).map_err(|error| error.to_string())?,
    }))
}

fn severity(health: Health) -> &'static str {
    match health {
        Health::Down | Health::Flapping => "critical",
        Health::Degraded | Health::Unknown => "warning",
        Health::Ok => "none",
    }
}

/// The alert of an experiment, from when to when.
fn of_experiment(
    name: &str,
    health: Health,
    annotations: BTreeMap<&'static str, String>,
    (starts_at, ends_at): (Timestamp, Timestamp),
    presentation: &Presentation,
) -> Alert {
    let mut labels = labels("LabwatchExperiment", severity(health), presentation);
    labels.insert("experiment", name.to_owned());
    Alert {
        labels,
        annotations,
        starts_at,
        ends_at,
        generator_url: page_of(name, presentation),
    }
}

/// The labels that identify an alert: they stay as long as it lasts.
fn labels(
    name: &str,
    severity: &str,
    presentation: &Presentation,
) -> BTreeMap<&'static str, String> {
    let lab = presentation.subject.trim().trim_matches(['[', ']']);
    set([("alertname", name), ("severity", severity), ("lab", lab)])
}

/// Summary and description of an experiment, the worst health that it had, and how often it was
/// unusable.
fn annotations(
    line: &Line,
    presentation: &Presentation,
    now: Timestamp,
) -> BTreeMap<&'static str, String> {
    let (said, facts) = one_line(line, presentation, now);
    let mut all = texts(&said, &facts);
    all.extend(words::steadiness(line).map(|text| ("unsteady", text)));
    all.extend(line.worst.map(|worst| ("worst", worst.to_string())));
    all
}

fn texts(summary: &str, description: &str) -> BTreeMap<&'static str, String> {
    set([("summary", summary), ("description", description)])
}

/// Those of which there is something, each cut.
fn set<const N: usize>(all: [(&'static str, &str); N]) -> BTreeMap<&'static str, String> {
    let set = all.into_iter().filter(|(_, value)| !value.is_empty());
    set.map(|(name, value)| (name, words::clip(value, MAX_CHARS)))
        .collect()
}
