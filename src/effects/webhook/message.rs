//! Body of a webhook call, as JSON: the format and nothing else. Pure.
//!
//! The format has a version. Fields may be added within a version; a field that is removed or
//! changes its meaning makes the next. Times are RFC 3339 in UTC, durations whole seconds. No text
//! names a user of a booking.

use jiff::Timestamp;
use serde::Serialize;

use crate::effects::channels::Size;
use engine::model::Health;
use engine::{
    Affected, AlertLine, Background, Counts, Issue, Line, MessageId, Steadiness, Summary,
};

/// The longest message, in bytes: what programs and proxies accept by default.
pub const MAX_BYTES: usize = 256 << 10;

/// The most experiments in `news` and in `problems`.
pub const MAX_LISTED: usize = 100;

/// The most issues of an experiment.
const MAX_ISSUES: usize = 20;

/// The most texts of one kind.
const MAX_TEXTS: usize = 50;

/// The version of the format.
pub const VERSION: u32 = 1;

/// A message.
#[derive(Debug, Serialize)]
struct Message<'a> {
    /// [`VERSION`].
    version: u32,
    /// Unique id of the message. A message that comes a second time with the same id is the same.
    id: String,
    /// The ids of earlier messages about the same incidents, oldest first.
    references: Vec<String>,
    /// The route: `webhook`, or the name of a `[[route]]`.
    route: &'a str,
    /// `news`, `reminder`, `digest` or `test`.
    occasion: &'static str,
    /// When it was composed.
    at: Timestamp,
    /// What is new since the last message that was accepted.
    news: Vec<Experiment<'a>>,
    /// Every experiment that is not ok now.
    problems: Vec<Experiment<'a>>,
    /// Alerts about the whole laboratory.
    alerts: Vec<Alert<'a>>,
    /// The number of experiments by state.
    counts: &'a Counts,
    /// Further facts, as text.
    background: Background,
    /// Which reminder it is: 1 for the first since there was news; null when it is none.
    reminder: Option<u32>,
    /// When the next reminder comes if nothing changes.
    next_reminder: Option<Timestamp>,
    /// Whether something is left out: experiments of `news` or `problems` beyond the first, or
    /// issues beyond the first of one.
    truncated: bool,
    /// How many experiments `news` would have in full.
    news_total: usize,
    /// How many experiments `problems` would have in full.
    problems_total: usize,
}

/// An experiment.
#[derive(Debug, Serialize)]
struct Experiment<'a> {
    name: &'a str,
    /// `ok`, `degraded`, `down`, `flapping` or `unknown`.
    health: &'static str,
    /// The health in the last notification.
    #[serde(rename = "told")]
    notified: &'static str,
    /// `bookable`, `withdrawn` (by labwatch) or `held` (by a person); null when book has not
    /// reported it.
    bookable: Option<String>,
    /// Whether book's manifest lists it.
    listed: bool,
    /// What is wrong, as text.
    issues: Vec<String>,
    /// Since when it is in this state.
    since: Timestamp,
    /// How long the incident lasted, if it is over.
    lasted_seconds: Option<u64>,
    /// The worst health of the incident, if it is over.
    worst: Option<&'static str>,
    /// How often it was unusable; null when it is steady.
    unsteady: Option<Unsteady>,
    /// What can be done about it.
    advice: Option<&'a str>,
    /// When the missing streams were last reported.
    last_seen: Option<Timestamp>,
    /// Who has acknowledged it as bad, and with which text; null when it is not acknowledged.
    acknowledged: Option<Acknowledged<'a>>,
    /// Its bookings that are affected.
    bookings: &'a Affected,
}

/// How often an unsteady experiment was unusable.
#[derive(Debug, Serialize)]
struct Unsteady {
    /// How many times it was unusable within a day.
    times: u32,
    /// Whether that is over: it has been steady for long enough.
    ended: bool,
}

/// An acknowledgement.
#[derive(Debug, Serialize)]
struct Acknowledged<'a> {
    by: &'a str,
    text: &'a str,
}

/// An alert about the whole laboratory.
#[derive(Debug, Serialize)]
struct Alert<'a> {
    text: &'a str,
    /// The experiment that is not watched any more; null where it is about the whole laboratory.
    experiment: Option<&'a str>,
    since: Timestamp,
    /// How long it lasted, where it has ended.
    lasted_seconds: Option<u64>,
    /// Whether it was not notified before.
    new: bool,
}

/// A summary as JSON, at most [`MAX_BYTES`] long.
///
/// # Errors
/// When serialisation fails, which the types rule out.
pub fn json(summary: &Summary, size: Size) -> Result<Vec<u8>, serde_json::Error> {
    let mut listed = size.of(MAX_LISTED);
    loop {
        let body = serde_json::to_vec(&message(summary, listed))?;
        if body.len() <= MAX_BYTES || listed == 0 {
            return Ok(body);
        }
        listed /= 2;
    }
}

fn message(summary: &Summary, listed: usize) -> Message<'_> {
    let some = |lines: &'_ [Line]| -> usize { lines.len().min(listed) };
    let (news, problems) = (some(&summary.news), some(&summary.problems));
    let has_many_issues = |line: &Line| line.issues.len() > MAX_ISSUES;
    let shown = || {
        let news = summary.news.iter().take(news);
        news.chain(summary.problems.iter().take(problems))
    };
    Message {
        version: VERSION,
        id: summary.thread.id.to_string(),
        references: summary
            .thread
            .references
            .iter()
            .map(MessageId::to_string)
            .collect(),
        route: summary.route.as_str(),
        occasion: summary.occasion.as_str(),
        at: summary.at,
        news: summary.news.iter().take(news).map(experiment).collect(),
        problems: summary
            .problems
            .iter()
            .take(problems)
            .map(experiment)
            .collect(),
        alerts: summary.alerts.iter().take(MAX_TEXTS).map(alert).collect(),
        counts: &summary.counts,
        background: beside(&summary.background),
        reminder: summary.reminder.map(|reminder| reminder.number),
        next_reminder: summary.reminder.map(|reminder| reminder.next),
        truncated: news < summary.news.len()
            || problems < summary.problems.len()
            || summary.alerts.len() > MAX_TEXTS
            || shown().any(has_many_issues),
        news_total: summary.news.len(),
        problems_total: summary.problems.len(),
    }
}

fn experiment(line: &Line) -> Experiment<'_> {
    Experiment {
        name: line.stub.as_str(),
        health: line.health.as_str(),
        notified: line.notified.as_str(),
        bookable: line.bookable.map(|bookable| bookable.to_string()),
        listed: line.listed,
        issues: line
            .issues
            .iter()
            .take(MAX_ISSUES)
            .map(Issue::to_string)
            .collect(),
        since: line.since,
        lasted_seconds: line.lasted.map(|lasted| lasted.as_secs()),
        worst: line.worst.map(Health::as_str),
        unsteady: line.steadiness.map(unsteady),
        advice: line.advice.as_deref(),
        last_seen: line.last_seen,
        acknowledged: line.acknowledged.as_ref().map(|by| Acknowledged {
            by: &by.who,
            text: &by.text,
        }),
        bookings: &line.affected,
    }
}

fn unsteady(steadiness: Steadiness) -> Unsteady {
    let (times, ended) = match steadiness {
        Steadiness::Unsteady(times) => (times, false),
        Steadiness::Steady(times) => (times, true),
    };
    Unsteady { times, ended }
}

fn alert(alert: &AlertLine) -> Alert<'_> {
    Alert {
        text: &alert.text,
        experiment: alert.experiment.as_ref().map(|(stub, _)| stub.as_str()),
        since: alert.since,
        lasted_seconds: alert.ended.map(|lasted| lasted.as_secs()),
        new: alert.new,
    }
}

/// The first texts of each kind.
fn beside(background: &Background) -> Background {
    let mut first = background.clone();
    for texts in [
        &mut first.causes,
        &mut first.short_pools,
        &mut first.forgotten_holds,
        &mut first.silences,
        &mut first.own,
    ] {
        texts.truncate(MAX_TEXTS);
    }
    first
}
