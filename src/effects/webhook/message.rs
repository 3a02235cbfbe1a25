//! What a program is told, as JSON: the shape and nothing else. Pure.
//!
//! The shape has a version. Fields may be added within a version; one that changes its meaning or goes makes the next. Times are RFC 3339
//! in UTC, durations whole seconds. No text names a user of a booking. A message has at most [`MAX_BYTES`]: where there is more to say it
//! names the first experiments, counts all of them, and says that it is truncated.

use jiff::Timestamp;
use serde::Serialize;

use engine::{Affected, AlertLine, Background, Counts, Issue, Line, MessageId, Summary};

/// The version of the shape.
pub const VERSION: u32 = 1;

/// The longest message, in bytes.
pub const MAX_BYTES: usize = 256 << 10;

/// The most experiments that each list of a message names.
pub const MAX_LINES: usize = 100;

/// A message.
#[derive(Debug, Serialize)]
struct Message<'a> {
    /// [`VERSION`].
    version: u32,
    /// Names this message alone. One that comes a second time with the same id is the same.
    id: String,
    /// The ids of earlier messages about the same incidents, oldest first.
    references: Vec<String>,
    /// The route that it goes: `webhook`, or the name of a `[[route]]`.
    route: &'a str,
    /// `news`, `reminder` or `digest`.
    occasion: &'static str,
    /// When it was put together.
    at: Timestamp,
    /// What is new since the last message that was taken.
    news: Vec<Experiment<'a>>,
    /// How many experiments that is; `news` may name fewer.
    news_total: usize,
    /// Every experiment that is not well now.
    problems: Vec<Experiment<'a>>,
    /// How many experiments that is; `problems` may name fewer.
    problems_total: usize,
    /// Whether lists were cut short.
    truncated: bool,
    /// What concerns the whole laboratory.
    alerts: Vec<Alert<'a>>,
    /// How many experiments are in which state.
    counts: Tally,
    /// What is worth knowing beside it, in words.
    background: Beside<'a>,
}

/// An experiment.
#[derive(Debug, Serialize)]
struct Experiment<'a> {
    name: &'a str,
    /// `ok`, `degraded`, `down`, `flapping` or `unknown`.
    health: &'static str,
    /// The health that was told last.
    #[serde(rename = "told")]
    notified: &'static str,
    /// `bookable`, `withdrawn` (by labwatch) or `held` (by a person); null when book has not told.
    bookable: Option<String>,
    /// Whether book's manifest lists it.
    listed: bool,
    /// What is wrong, in words.
    issues: Vec<String>,
    /// Since when it is as it is.
    since: Timestamp,
    /// How long it was bad, where it is well again.
    lasted_seconds: Option<u64>,
    /// What can be done about it.
    advice: Option<&'a str>,
    bookings: Bookings,
}

/// The bookings that are affected.
#[derive(Debug, Serialize)]
struct Bookings {
    /// Under way or starting within 24 h.
    next_day: usize,
    /// Under way or starting within 7 d.
    next_week: usize,
    first_start: Option<Timestamp>,
    /// Whether somebody is using the experiment now.
    in_session: bool,
}

/// Something that concerns the whole laboratory.
#[derive(Debug, Serialize)]
struct Alert<'a> {
    text: &'a str,
    since: Timestamp,
    /// How long it lasted, where it has ended.
    lasted_seconds: Option<u64>,
    /// Whether it was not told before.
    new: bool,
}

#[derive(Debug, Serialize)]
struct Tally {
    total: usize,
    ok: usize,
    degraded: usize,
    down: usize,
    unknown: usize,
    flapping: usize,
    withdrawn: usize,
    held: usize,
    unlisted: usize,
    acknowledged: usize,
    silenced: usize,
}

#[derive(Debug, Serialize)]
struct Beside<'a> {
    causes: &'a [String],
    short_pools: &'a [String],
    forgotten_holds: &'a [String],
    silences: &'a [String],
}

/// A summary as JSON, with at most so many experiments in each list.
///
/// # Errors
/// When it cannot be written as JSON, which the shape rules out.
pub fn json(summary: &Summary, mut lines: usize) -> Result<Vec<u8>, serde_json::Error> {
    loop {
        let body = serde_json::to_vec(&message(summary, lines))?;
        if body.len() <= MAX_BYTES || lines == 0 {
            return Ok(body);
        }
        lines /= 2;
    }
}

fn message(summary: &Summary, lines: usize) -> Message<'_> {
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
        news: first(&summary.news, lines),
        news_total: summary.news.len(),
        problems: first(&summary.problems, lines),
        problems_total: summary.problems.len(),
        truncated: is_longer(summary, lines),
        alerts: summary.alerts.iter().map(concern).collect(),
        counts: tally(&summary.counts),
        background: beside(&summary.background, lines),
    }
}

/// Whether a list of a summary has more than so many lines.
fn is_longer(summary: &Summary, lines: usize) -> bool {
    let Background {
        causes,
        short_pools,
        forgotten_holds,
        silences,
    } = &summary.background;
    let beside = [causes, short_pools, forgotten_holds, silences].map(Vec::len);
    let lists = [summary.news.len(), summary.problems.len()];
    beside.into_iter().chain(lists).any(|len| len > lines)
}

fn first(all: &[Line], lines: usize) -> Vec<Experiment<'_>> {
    all.iter().take(lines).map(experiment).collect()
}

fn experiment(line: &Line) -> Experiment<'_> {
    Experiment {
        name: line.stub.as_str(),
        health: line.health.as_str(),
        notified: line.notified.as_str(),
        bookable: line.bookable.map(|bookable| bookable.to_string()),
        listed: line.listed,
        issues: line.issues.iter().map(Issue::to_string).collect(),
        since: line.since,
        lasted_seconds: line.lasted.map(|lasted| lasted.as_secs()),
        advice: line.advice.as_deref(),
        bookings: bookings(&line.affected),
    }
}

fn bookings(affected: &Affected) -> Bookings {
    let Affected {
        next_day,
        next_week,
        first_start,
        in_session,
    } = *affected;
    Bookings {
        next_day,
        next_week,
        first_start,
        in_session,
    }
}

fn concern(alert: &AlertLine) -> Alert<'_> {
    Alert {
        text: &alert.text,
        since: alert.since,
        lasted_seconds: alert.ended.map(|lasted| lasted.as_secs()),
        new: alert.new,
    }
}

fn tally(counts: &Counts) -> Tally {
    let Counts {
        total,
        ok,
        degraded,
        down,
        unknown,
        withdrawn,
        held,
        unlisted,
        flapping,
        acknowledged,
        silenced,
    } = *counts;
    Tally {
        total,
        ok,
        degraded,
        down,
        unknown,
        flapping,
        withdrawn,
        held,
        unlisted,
        acknowledged,
        silenced,
    }
}

fn beside(background: &Background, lines: usize) -> Beside<'_> {
    let Background {
        causes,
        short_pools,
        forgotten_holds,
        silences,
    } = background;
    Beside {
        causes: &causes[..lines.min(causes.len())],
        short_pools: &short_pools[..lines.min(short_pools.len())],
        forgotten_holds: &forgotten_holds[..lines.min(forgotten_holds.len())],
        silences: &silences[..lines.min(silences.len())],
    }
}
