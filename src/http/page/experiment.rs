//! The page of one experiment: the five answers, its bars, its streams and its history.

use std::time::Duration;

use jiff::{SignedDuration, Timestamp};
use maud::{Markup, html};

use super::filter::{MAX_ROWS, address, address_of};
use super::history::Past;
use super::layout::Frame;
use super::{bars, commands, components, outbox};

use super::view::Experiment;
use super::words::{self, clip};
use crate::reports::{self, Restore};
use crate::store::{OutboxQuery, SwitchRow};
use engine::model::{JumpHealth, SourceName, StreamHealth, Visibility, spell_duration};
use engine::{
    Connection, Event, Evidence, Issue, PageHealth, Report, Scopes, Seen, SourceView, Steadiness,
    StreamView, Traffic,
};

pub(super) fn page(
    frame: &Frame<'_>,
    experiment: &Experiment<'_>,
    past: &Past,
    usual: &[Restore],
) -> Markup {
    html! {
        (head(experiment))
        (answers(frame, experiment, usual))
        (orders(frame, experiment))
        section #part-time aria-labelledby="time" {
            h2 #time { "Over time" }
            (bars::legend(&past.bars))
            @for bar in &past.bars { (bar.draw()) }
            @if past.bars.len() < 2 && past.error.is_none() { (components::none("No history is kept (data_dir is none): this is what was seen since the start.")) }
            @if let Some(error) = &past.error { (components::none(&format!("The history cannot be shown now: {error}."))) }
        }
        (components::section("bookings", "Booked in the next 24 h", &bookings(frame, experiment)))
        (components::section("streams", "Streams and jump connection", &streams(frame, experiment)))
        @if !experiment.view.pages.is_empty() {
            (components::section("pages", "Pages that students open", &pages(frame, experiment)))
        }
        (components::section("events", "Health changes", &events(experiment, past, frame.now)))
        (components::section("switches", "Switches by labwatch", &switches(&past.switches, frame.visibility, frame.now)))
        (components::section("mentions", "Notifications", &mentions(&past.mentions, frame.now)))
    }
}

fn head(experiment: &Experiment<'_>) -> Markup {
    let resources: Vec<_> = experiment
        .view
        .resources
        .iter()
        .map(|resource| clip(resource.name.as_str()))
        .collect();
    html! {
        div.title {
            h1 { (clip(experiment.name())) }
            (components::state(experiment.state)) (components::booking(experiment.booking)) (components::mismatch(experiment))
            p.soft {
                @for pool in experiment.pools() { "Pool " a href=(address("pool", pool)) { (clip(pool)) } " · " }
                @if resources.is_empty() { "not in book" } @else { "in book " (resources.join(", ")) }
            }
        }
    }
}

/// Since when, why, what labwatch did, who was notified, and what to do.
fn answers(frame: &Frame<'_>, experiment: &Experiment<'_>, usual: &[Restore]) -> Markup {
    let (view, now) = (experiment.view, frame.now);
    html! {
        dl class={ "answers edge-" (experiment.state.as_str()) } {
            div { dt { "Since when" } dd { (words::lasting(view.since, now)) @if let Some(until) = view.grace_until { ", evaluated from " (words::time(until, now)) } } }
            div { dt { "Why" } dd { (clip(&experiment.why())) } }
            div { dt { "What labwatch did" } dd {
                (clip(&experiment.done(frame.snapshot.role)))
                @if let Some(reason) = experiment.reason() { span.soft.small { "Students read: “" (clip(reason)) "”" } }
            } }
            @if experiment.is_problem() {
                div { dt { "Notified" } dd { (components::notified(experiment, now)) } }
            }
            @if let Some(advice) = experiment.advice(frame.private) { div { dt { "What you can do" } dd { (clip(advice)) } } }
            @if let Some(words) = lasts(experiment, usual) { div { dt { "Usually" } dd { (words) } } }
            @if let Some(cause) = cause(frame, experiment) { div { dt { "Not alone" } dd { (cause) } } }
            @if let Some(flapping) = &view.flapping {
                div { dt { "Flapping" } dd { (words::since(flapping.since, now)) ". It counts as steady if its health does not change until " (words::time(flapping.steady_at, now)) "." } }
            }
            @if experiment.unsteady().is_some() {
                div { dt { "Unsteady" } dd { "The next notification about it comes when it has held for " (spell_duration(Steadiness::HOLDS_AFTER)) "." } }
            }
            @if let Some(suppression) = &view.suppression { div { dt { "Notifications suppressed" } dd { (components::suppression(suppression, frame.private, now)) } } }
            @if experiment.affected().next_week > 0 { div { dt { "Who needs it" } dd { (components::needed(experiment, now)) } } }
        }
    }
}

/// How long such failures usually last, where enough were seen.
fn lasts(experiment: &Experiment<'_>, usual: &[Restore]) -> Option<String> {
    let cause = reports::cause(experiment.view)?;
    let usual = usual
        .iter()
        .find(|restore| restore.cause == cause && restore.median_minutes.is_some())?;
    Some(format!(
        "{} (90 days, all experiments)",
        reports::words::restore(usual)
    ))
}

/// The probable common cause of this loss and others at the same time. Full addresses are for
/// readers who signed in.
fn cause(frame: &Frame<'_>, experiment: &Experiment<'_>) -> Option<Markup> {
    let cause = frame
        .snapshot
        .causes
        .iter()
        .find(|cause| cause.stubs.binary_search(&experiment.view.stub).is_ok())?;
    let label = cause
        .label_private
        .show(frame.visibility)
        .unwrap_or(&cause.label_public);
    Some(html! {
        (cause.stubs.len()) " of " (cause.of) " at " strong { (clip(label)) } " were lost together, the first at "
        (words::time(cause.began.wall(), frame.now)) ": probably one cause."
    })
}

/// The commands that the reader can give about it, or how to get access to them.
fn orders(frame: &Frame<'_>, experiment: &Experiment<'_>) -> Markup {
    html! {
        @if frame.acts { (components::actions(&commands::about(experiment.view))) }
        @else { (components::sign_in(frame, &address_of("/experiments", experiment.name()), "acknowledge, silence, plan maintenance or hold it")) }
    }
}

/// Its next bookings, without names.
fn bookings(frame: &Frame<'_>, experiment: &Experiment<'_>) -> Markup {
    let now = frame.now;
    let resources: Vec<_> = experiment
        .view
        .resources
        .iter()
        .map(|resource| resource.name.clone())
        .collect();
    let booked = frame.snapshot.calendar.next_day(&resources, now);
    let rows = booked.iter().take(MAX_ROWS).map(|of| {
        let begins = match (of.start > now, of.started) {
            (true, _) => html! { "in " (words::spell_between(now, of.start)) },
            (false, true) => html! { strong { "in session now" } },
            (false, false) => html! { "under way, not started" },
        };
        [
            words::time(of.start, now),
            words::time(of.end, now),
            html! { (words::spell_between(of.start, of.end)) },
            begins,
        ]
    });
    html! {
        @if booked.is_empty() { (components::none(if resources.is_empty() { "Book does not list it, so it cannot be booked." } else { "No booking." })) }
        @else { (components::table("Bookings of the next 24 h", ["From", "Until", "For", "Begins"], rows)) }
    }
}

fn streams(frame: &Frame<'_>, experiment: &Experiment<'_>) -> Markup {
    let (view, now) = (experiment.view, frame.now);
    let (relay, jump) = (
        frame.snapshot.source(SourceName::Relay),
        frame.snapshot.source(SourceName::Jump),
    );
    let jump_shape = match view.jump {
        JumpHealth::Up => "ok",
        JumpHealth::Lost => "degraded",
        JumpHealth::Unknown => "unknown",
    };
    let login = [
        html! { "jump " span.soft { "(remote login)" } },
        components::marked(jump_shape, view.jump.as_str()),
        html! { "–" },
        html! { "–" },
        words::ago_or_never(view.jump_seen.time(jump.last_report), now),
    ];
    let rows = view
        .streams
        .iter()
        .map(|stream| stream_row(stream, relay, now))
        .chain([login]);
    html! {
        @if view.streams.is_empty() { (components::none("No stream of it is known.")) }
        (components::table("Streams and jump connection", ["Stream", "State", "Last sent", "Rate", "Last in a report"], rows))
    }
}

/// The pages on which students open it, and whether they answer.
fn pages(frame: &Frame<'_>, experiment: &Experiment<'_>) -> Markup {
    let pages = experiment.view.pages.iter().take(MAX_ROWS);
    let rows = pages.map(|page| {
        let shape = match page.health {
            PageHealth::Works => "ok",
            PageHealth::Fails => "degraded",
            PageHealth::Unknown => "unknown",
        };
        [
            html! { (clip(page.page.as_str())) },
            components::marked(shape, page.health.as_str()),
            html! { (clip(&page.words(frame.visibility))) },
        ]
    });
    components::table(
        "Pages that students open",
        ["Page", "State", "Latest check"],
        rows,
    )
}

fn stream_row(stream: &StreamView, relay: &SourceView, now: Timestamp) -> [Markup; 5] {
    let shape_of = match (stream.health, stream.required) {
        (StreamHealth::Active, _) => "ok",
        (StreamHealth::Unknown, _) => "unknown",
        (StreamHealth::Silent | StreamHealth::Missing, true) => "down",
        (StreamHealth::Silent | StreamHealth::Missing, false) => "degraded",
    };
    let connection = relay
        .report
        .as_deref()
        .and_then(|report| connection(report, stream.topic.as_str()));
    let traffic = connection.and_then(|connection| connection.tx);
    let last_sent = last_sent(stream, traffic, now);
    let traffic = traffic.filter(|traffic| traffic.fps > 0.0);
    [
        html! { (clip(stream.topic.as_str())) @if !stream.required { span.soft { " not required" } } },
        components::marked(shape_of, stream.health.as_str()),
        last_sent,
        html! { (traffic.map_or_else(|| "–".to_owned(), |traffic| rate(traffic.fps, traffic.size))) },
        words::ago_or_never(stream.seen.time(relay.last_report), now),
    ]
}

/// When a stream last sent, as far as relay's statistics or a sample show it.
fn last_sent(stream: &StreamView, traffic: Option<Traffic>, now: Timestamp) -> Markup {
    let of_last = stream.last.as_deref().and_then(|last| last.tx?.last);
    match (
        traffic.and_then(|traffic| traffic.last),
        stream.seen,
        stream.evidence,
    ) {
        // Relay reports the age at the time of its report: counted from now it would seem to grow
        // until the next report.
        (Some(before), ..) => {
            html! { (words::spell(SignedDuration::try_from(before).unwrap_or(SignedDuration::MAX))) " before the newest report" }
        }
        (None, Seen::Never, Evidence::Unverified | Evidence::Statistics) => {
            html! { "never connected" }
        }
        (None, _, Evidence::Sampled(Some(received))) => {
            html! {
                (words::ago(received, now))
                span.soft { " in a sample" @if stream.health == StreamHealth::Silent { ", nothing since" } }
            }
        }
        (None, Seen::At(seen), _) => {
            let sent = of_last.and_then(|before| seen.checked_sub(before).ok());
            html! { @if let Some(sent) = sent { (words::ago(sent, now)) } @else { span.soft { "not known: not connected any more" } } }
        }
        (None, _, Evidence::Sampled(None)) => html! { "nothing in the newest sample" },
        (None, _, Evidence::Unverified) => {
            html! { span.soft { "not known: without statistics of relay, a connected stream counts as active" } }
        }
        (None, Seen::InNewest, Evidence::Statistics) => html! { "nothing since it connected" },
    }
}

/// The connection of a stream that sent last.
fn connection<'a>(report: &'a Report, topic: &str) -> Option<Connection<'a>> {
    let own = report.iter().filter(|connection| connection.topic == topic);
    let own = own.filter(|connection| {
        connection.scopes.has(Scopes::EXPT) || connection.scopes.has(Scopes::UNSAID)
    });
    own.min_by_key(|connection| {
        connection
            .tx
            .and_then(|tx| tx.last)
            .unwrap_or(Duration::MAX)
    })
}

/// Messages a second and their mean size, since it connected.
fn rate(fps: f32, size: u32) -> String {
    let bits = f64::from(fps) * f64::from(size) * 8.0;
    let (amount, unit) = if bits >= 1e6 {
        (bits / 1e6, "Mbit/s")
    } else {
        (bits / 1e3, "kbit/s")
    };
    format!("{fps:.1}/s, {amount:.1} {unit}")
}

fn events(experiment: &Experiment<'_>, past: &Past, now: Timestamp) -> Markup {
    let events: Vec<&Event> = match &past.events {
        Some(page) => page.rows.iter().map(|stored| &stored.event).collect(),
        None => experiment
            .view
            .events
            .iter()
            .rev()
            .map(|event| &**event)
            .collect(),
    };
    let rows = events.iter().map(|event| {
        let issues: Vec<_> = event.issues.iter().map(Issue::to_string).collect();
        [
            words::stamp(event.when, now),
            components::state(event.was),
            components::state(event.health),
            html! { (clip(&issues.join("; "))) @if !issues.is_empty() { " " } span.soft { (event.why) } },
        ]
    });
    html! {
        @if events.is_empty() { (components::none("Nothing yet.")) }
        @else {
            (components::table("Events, newest first", ["When", "Was", "Is", "Why"], rows))
            @if past.events.as_ref().is_some_and(|page| page.next.is_some()) { p.soft { "Older ones are in the history." } }
        }
    }
}

fn switches(switches: &[SwitchRow], reader: Visibility, now: Timestamp) -> Markup {
    let rows = switches.iter().map(|switch| {
        let what = components::switched(switch.available);
        let note = switch.note.as_ref().and_then(|note| note.show(reader));
        let note = note.filter(|note| **note != switch.reason);
        [
            words::stamp(switch.at, now),
            html! { (clip(switch.resource.as_str())) " " (what) },
            html! { (components::outcome(switch.outcome.as_deref())) @if let Some(note) = note { span.soft { " " (clip(note)) } } },
            html! { (clip(&switch.reason)) },
        ]
    });
    html! { (components::rows_or_none("Nothing in the last 30 days, as far as is kept.", "Switches, newest first", ["When", "What", "Outcome", "What students read"], rows)) }
}

/// The notifications about it, with the names of routes and no address.
fn mentions(mentions: &[OutboxQuery], now: Timestamp) -> Markup {
    let rows = mentions.iter().map(|OutboxQuery { message, said }| {
        [
            words::stamp(message.created, now),
            html! { (clip(&message.route)) },
            components::state(*said),
            components::marked(outbox::shape_of(message.state), message.state.as_str()),
        ]
    });
    html! { (components::rows_or_none("Nothing in the last 30 days, as far as is kept.", "Notifications, newest first", ["Created", "Route", "Health", "State"], rows)) }
}
