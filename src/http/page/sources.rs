//! The sources of labwatch's data and its store: relay, jump, book, samples of streams, the
//! database.

use std::time::Duration;

use jiff::{SignedDuration, Timestamp};
use maud::{Markup, html};

use super::answer::Answer;
use super::canary::chart;
use super::commands::Kind;
use super::filter::MAX_ROWS;
use super::layout::Frame;
use super::overview::source_shape;
use super::words::{self, clip, spell};
use super::{components, replicas};
use crate::store::{Gap, GapCause, SourceRow, StoreState};
use engine::model::{SourceHealth, SourceName, Visibility};
use engine::{CanaryView, Forwarding, Link, SamplingView, SourceView};

/// From the store: changes of the sources, and times without history.
pub(super) type Changes = Answer<(Vec<SourceRow>, Vec<Gap>)>;

pub(super) fn page(frame: &Frame<'_>, changes: Option<&Changes>) -> Markup {
    let (snapshot, now) = (frame.snapshot, frame.now);
    let rows = SourceName::ALL
        .into_iter()
        .map(|name| row(frame, snapshot.source(name)));
    html! {
        h1 { "Sources" }
        p.soft { "Where labwatch gets its reports. Without reports of a source, labwatch does not evaluate what depends on it." }
        (components::table("Sources", ["Source", "State", "Last report", "Connection", "Not evaluated without it", "What is wrong and what to do"], rows))
        p { (sampling(&snapshot.sampling)) }
        (components::section("store", "Store", &store(frame)))
        @if let Some(cluster) = frame.cluster { (replicas::section(cluster, now)) }
        (components::section("changes", "What happened", &components::kept(changes, |(changes, gaps)| html! { (list(changes, frame)) (missing(gaps, now)) })))
    }
}

fn row(frame: &Frame<'_>, source: &SourceView) -> [Markup; 6] {
    let now = frame.now;
    let connection = if source.name == SourceName::Book {
        polled(source.pace)
    } else {
        link(&source.link, frame.visibility)
    };
    [
        html! { (source.name) },
        html! { (health(source.health)) " " span.soft.small { (words::since(source.since, now)) } },
        html! {
            (words::ago_or_never(source.last_report, now))
            @if let Some(pace) = source.pace.filter(|_| source.name != SourceName::Book) { span.soft.small { "about every " (pace_words(pace)) } }
        },
        html! {
            (connection)
            @if let Some(canary) = &source.canary { span.soft.small { (canary_words(canary)) (chart(canary)) } }
            @if let Some(started) = &source.server_started { span.soft.small { "server started " (words::timed(&clip(started), now)) } }
        },
        html! { @if source.hides > 0 { (words::count(source.hides, "experiment")) } @else { "nothing" } },
        html! {
            @if source.note.is_empty() { "nothing" } @else { (clip(source.said.show(frame.visibility).unwrap_or(&source.note))) }
            @if frame.acts && matches!(source.health, SourceHealth::Late | SourceHealth::Down) {
                " " a.action href=(Kind::Acknowledge.address(&[("what", "component"), ("name", source.name.as_str())])) { "Acknowledge" span.unseen { " " (source.name) } }
            }
        },
    ]
}

/// The canary's results of the last hour, as text.
fn canary_words(canary: &CanaryView) -> String {
    let shows = match canary.forwarding {
        Forwarding::Off | Forwarding::Unknown => return "canary: not connected".to_owned(),
        Forwarding::Works => "messages arrive",
        Forwarding::Late => "messages arrive late",
        Forwarding::Stopped => "messages do not arrive",
    };
    let millis = |time: Option<Duration>| {
        time.map_or_else(
            || "unknown".to_owned(),
            |time| format!("{} ms", time.as_millis()),
        )
    };
    let (median, p99) = (millis(canary.median), millis(canary.p99));
    let loss = canary.loss.unwrap_or_default() * 100.0;
    format!("canary: {shows}; last hour: median {median}, 99 % within {p99}, {loss:.1} % lost")
}

/// Book has no permanent connection: it is polled.
fn polled(pace: Option<Duration>) -> String {
    pace.map_or_else(
        || "polled".to_owned(),
        |pace| format!("polled every {}", pace_words(pace)),
    )
}

/// The health of a source with its shape.
pub(super) fn health(health: SourceHealth) -> Markup {
    components::marked(source_shape(health), health.as_str())
}

fn pace_words(pace: Duration) -> String {
    SignedDuration::try_from(pace).map_or_else(
        |_| "never".to_owned(),
        |pace| spell(pace.max(SignedDuration::from_secs(1))),
    )
}

fn link(link: &Link, reader: Visibility) -> String {
    match link {
        Link::Connecting => "connecting".to_owned(),
        Link::Open | Link::OpenByProxy => "open".to_owned(),
        Link::Unreadable(why) if reader.is_full() => {
            format!("open, and what comes cannot be read: {}", clip(why))
        }
        Link::Unreadable(_) => "open, and what comes cannot be read".to_owned(),
        Link::Failed(failure) => format!("failed: {}", clip(&failure.words(reader))),
        Link::Closed(why) | Link::Broken(why) if reader.is_full() => {
            format!("closed: {}", clip(why))
        }
        Link::Closed(_) | Link::Broken(_) => "closed".to_owned(),
        Link::GivenUp => "closed: it was open but brought no reports".to_owned(),
    }
}

fn sampling(view: &SamplingView) -> String {
    match (view.streams, view.failures, view.keeps_up) {
        (0, ..) => {
            "labwatch takes no samples: relay reports which streams transmit, or sampling is off."
                .to_owned()
        }
        (streams, 1.., _) => format!(
            "Samples of {} fail: meanwhile a connected stream counts as active.",
            words::count(streams, "stream")
        ),
        (streams, 0, keeps_up) => {
            let round = pace_words(view.round);
            let enough = if keeps_up {
                "as often as needed"
            } else {
                "which is too seldom: raise sample_at_once or health_last_active"
            };
            format!(
                "Relay does not report which streams transmit, so labwatch samples {} in turn: one round takes {round}, {enough}.",
                words::count(streams, "stream")
            )
        }
    }
}

fn store(frame: &Frame<'_>) -> Markup {
    let Some(store) = frame.store else {
        return components::none("Nothing is kept for a restart (data_dir is none).");
    };
    let (shape_of, words_of) = match store.state {
        StoreState::Ok => ("ok", "ok"),
        StoreState::Degraded => ("degraded", "cannot be written"),
    };
    html! {
        p {
            (components::marked(shape_of, words_of)) " " (words::since(store.since, frame.now)) "."
            @if store.waiting > 0 { " " (words::count(store.waiting, "entry")) " not yet on the disk." }
            @if store.lost > 0 { " " (words::count(store.lost, "entry")) " lost." }
            @if let Some(error) = store.last_error.as_ref().filter(|_| frame.private) { " The last failure: " (words::sentence(error)) }
            @if store.set_aside.is_some() { " A broken file was set aside, and the history begins anew." }
        }
    }
}

/// The error of a change, for readers who may see it.
fn wrong(change: &SourceRow, frame: &Frame<'_>) -> String {
    if matches!(change.health, SourceHealth::Starting | SourceHealth::Live) {
        return "nothing".to_owned();
    }
    let note = change.note.show(frame.visibility);
    note.map_or_else(|| "sign in to read it".to_owned(), |note| clip(note))
}

fn list(changes: &[SourceRow], frame: &Frame<'_>) -> Markup {
    let rows = changes.iter().take(MAX_ROWS).map(|change| {
        [
            words::stamp(change.at, frame.now),
            html! { (change.source) },
            health(change.health),
            html! { (wrong(change, frame)) },
        ]
    });
    html! { (components::rows_or_none("Nothing in the last 30 days.", "Changes of sources, newest first", ["When", "Source", "State", "What was wrong"], rows)) }
}

/// Why there is no history of a time.
pub(super) fn gap_words(why: GapCause) -> &'static str {
    match why {
        GapCause::Off => "labwatch did not run",
        GapCause::Lost => "the disk could not be written",
    }
}

fn missing(gaps: &[Gap], now: Timestamp) -> Markup {
    let rows = gaps.iter().take(MAX_ROWS).map(|gap| {
        let length = words::spell_between(gap.since, gap.until);
        [
            words::stamp(gap.since, now),
            words::stamp(gap.until, now),
            html! { (length) },
            html! { (gap_words(gap.why)) },
        ]
    });
    html! {
        @if !gaps.is_empty() {
            h3 { "Times without history" }
            (components::table("Times without history, newest first", ["From", "Until", "For", "Because"], rows))
        }
    }
}
