//! The overview: what needs somebody first, the healthy ones folded into pools, and a list of whatever is asked for.

use std::collections::BTreeMap;

use maud::{Markup, html};

use super::commands::Kind;
use super::components;
use super::filter::{Filter, address, address_of};
use super::layout::Frame;
use super::pools;
use super::services;
use super::shapes::shape;
use super::state::{Booking, State};
use super::timeline::Bar;
use super::view::{self, Experiment, PoolCard};
use super::words::{self, clip};
use engine::model::{SourceHealth, SourceName};
use engine::{Counts, Snapshot};

/// The most problems of which a row shows the last day.
pub(super) const MAX_SKETCHES: usize = 30;

/// The rows that the overview shows.
pub(super) struct Rows<'a> {
    /// Those that fit.
    pub(super) shown: Vec<Experiment<'a>>,
    /// How many there are.
    pub(super) total: usize,
}

impl<'a> Rows<'a> {
    /// What is asked for or, when nothing is, what needs somebody.
    pub(super) fn of(snapshot: &'a Snapshot, filter: &Filter) -> Self {
        let mut shown = if filter.is_set() {
            let (mut problems, fine): (Vec<_>, Vec<_>) = view::experiments(snapshot)
                .filter(|experiment| filter.takes(experiment))
                .partition(Experiment::is_problem);
            problems.extend(fine);
            problems
        } else {
            view::problems(snapshot)
        };
        let total = shown.len();
        shown.truncate(filter.most_rows());
        Self { shown, total }
    }

    /// The first rows, whose last day is shown.
    pub(super) fn sketched(&self) -> impl Iterator<Item = &Experiment<'a>> {
        self.shown.iter().take(MAX_SKETCHES)
    }
}

/// The last day of experiments, by name.
pub(super) type Sketches<'a> = BTreeMap<&'a str, Bar>;

/// The page.
pub(super) fn page(
    frame: &Frame<'_>,
    filter: &Filter,
    rows: &Rows<'_>,
    days: &Sketches<'_>,
) -> Markup {
    let pools = PoolCard::all(frame.snapshot);
    html! {
        (verdict(frame))
        @if !filter.wall() { (search(&pools, filter)) }
        @if filter.is_set() {
            section #part-found aria-labelledby="found" {
                h2 #found { (words::count(rows.total, "experiment")) " found" " " a.more href="/" { "Show the overview" } }
                (table(frame, rows, days, filter))
            }
        } @else {
            @if rows.total > 0 {
                section #part-problems aria-labelledby="problems" {
                    h2 #problems { "Needs somebody" }
                    (causes(frame))
                    (table(frame, rows, days, filter))
                }
            }
            (services::section(frame))
            (rest(frame, &pools))
        }
    }
}

/// How the laboratory is, in one sentence, and counted.
fn verdict(frame: &Frame<'_>) -> Markup {
    let (snapshot, problems) = (frame.snapshot, frame.problems);
    let total = snapshot.counts.total;
    let sentence = match (total, problems, snapshot.counts.unknown) {
        (0, ..) => "No experiments yet".to_owned(),
        (1, 0, 0) => "The experiment is ok".to_owned(),
        (_, 0, 0) => format!("All {total} experiments are ok"),
        (_, 0, unknown) => format!("{unknown} of {total} experiments are not judged"),
        (_, 1, _) => format!("1 of {total} experiments needs somebody"),
        (..) => format!("{problems} of {total} experiments need somebody"),
    };
    html! {
        div.verdict {
            h1 #verdict aria-live="polite" class={ "is-" (view::worst(snapshot).as_str()) } { (shape(view::worst(snapshot).as_str())) span { (sentence) } }
            (counts(&snapshot.counts))
            (sources(snapshot))
        }
    }
}

fn counts(counts: &Counts) -> Markup {
    let states = [
        (State::Down, counts.down),
        (State::Flapping, counts.flapping),
        (State::Degraded, counts.degraded),
        (State::Unknown, counts.unknown),
        (State::Ok, counts.ok),
    ];
    let bookings = [
        (Booking::Withdrawn, counts.withdrawn),
        (Booking::Held, counts.held),
        (Booking::Unlisted, counts.unlisted),
    ];
    html! {
        ul.counts {
            @for (state, count) in states.into_iter().filter(|(_, count)| *count > 0) {
                li { a class={ "is-" (state.as_str()) } href=(address("state", state.as_str())) { (shape(state.as_str())) b { (count) } " " (state.as_str()) } }
            }
            @for (booking, count) in bookings.into_iter().filter(|(_, count)| *count > 0) {
                li { a href=(address("booking", booking.as_str())) { (shape(booking.shape())) b { (count) } " " (booking.words()) } }
            }
        }
    }
}

/// What labwatch learns from, and what it tells by.
fn sources(snapshot: &Snapshot) -> Markup {
    let failing = snapshot.routes.iter().any(|route| route.failures > 0);
    let (people, as_str) = match (snapshot.routes.is_empty(), failing) {
        (true, _) => ("unknown", "nobody"),
        (false, false) => ("ok", "can be told"),
        (false, true) => ("down", "cannot be told"),
    };
    html! {
        ul.sources {
            @for name in SourceName::ALL {
                @let source = snapshot.source(name);
                li { a href="/sources" { (name) " " span class={ "is-" (source_shape(source.health)) } { (shape(source_shape(source.health))) (source.health) } } }
            }
            li { a href="/outbox" { "people " span class={ "is-" (people) } { (shape(people)) (as_str) } } }
        }
    }
}

/// The shape and colour of a source's health.
pub(super) fn source_shape(health: SourceHealth) -> &'static str {
    match health {
        SourceHealth::Starting => "unknown",
        SourceHealth::Live => "ok",
        SourceHealth::Late => "degraded",
        SourceHealth::Down => "down",
    }
}

fn search(pools: &[PoolCard<'_>], filter: &Filter) -> Markup {
    let selected = filter.state();
    html! {
        form.search method="get" action="/" role="search" {
            label for="q" { "Find" }
            input #q type="search" name="q" value=(filter.search()) placeholder="name of an experiment" autocomplete="off" spellcheck="false" maxlength="100";
            label.unseen for="state" { "State" }
            select #state name="state" {
                option value="" { "any state" }
                @for state in State::ALL.into_iter().rev() { option value=(state.as_str()) selected[selected == Some(state)] { (state.as_str()) } }
            }
            label.unseen for="booking" { "Bookability" }
            select #booking name="booking" {
                option value="" { "bookable or not" }
                @for booking in Booking::ALL { option value=(booking.as_str()) selected[filter.booking() == Some(booking)] { (booking.words()) } }
            }
            label.unseen for="pool" { "Pool" }
            select #pool name="pool" {
                option value="" { "any pool" }
                @for pool in pools { option value=(pool.name) selected[filter.pool() == Some(pool.name)] { (clip(pool.name)) } }
            }
            button type="submit" { "Show" }
        }
    }
}

fn table(frame: &Frame<'_>, rows: &Rows<'_>, days: &Sketches<'_>, filter: &Filter) -> Markup {
    let with_need = rows
        .shown
        .iter()
        .any(|experiment| experiment.affected().next_week > 0);
    let heads = [
        ("State", true),
        ("Experiment", true),
        ("Needed", with_need),
        ("Booking", true),
        ("Last 24 h", true),
    ];
    html! {
        @if rows.shown.is_empty() { (components::none("Nothing is like that. Ask for less.")) }
        @else {
            table.rows role="table" {
                caption.unseen { "Experiments, what is needed first first" }
                thead role="rowgroup" { tr role="row" {
                    @for (head, shown) in heads { @if shown { th scope="col" role="columnheader" { (head) } } }
                } }
                tbody role="rowgroup" { @for experiment in &rows.shown { (row(frame, experiment, days.get(experiment.name()), with_need)) } }
            }
        }
        @if rows.total > rows.shown.len() {
            p { a.more href=(filter.address_of_all()) { "Show all " (rows.total) } " – " (rows.shown.len()) " are shown." }
        }
    }
}

/// An experiment with the five answers: since when, why, what was done, who was told, what can be done.
fn row(
    frame: &Frame<'_>,
    experiment: &Experiment<'_>,
    day: Option<&Bar>,
    with_need: bool,
) -> Markup {
    let (view, now) = (experiment.view, frame.now);
    html! {
        tr role="row" data-row id=(address_of("x", experiment.name())) class={ "edge-" (experiment.state.as_str()) } {
            td.c-state role="cell" { (components::state(experiment.state)) span.soft.small { (words::since(view.since, now)) } }
            td.c-what role="cell" {
                (components::link(experiment.name())) " "
                span.soft[experiment.state == State::Ok] { (clip(&experiment.why())) }
                @if let Some(advice) = experiment.advice() { p.advice { (clip(advice)) } }
                @if let Some(quieted) = &view.quiet { span.small { (components::quiet(quieted, frame.private, now)) } }
                @else if frame.acts && view.health.is_bad() {
                    a.small.act href=(Kind::Acknowledge.address(&[("name", experiment.name())])) { "Acknowledge" span.unseen { " " (clip(experiment.name())) } }
                }
            }
            @if with_need { td.c-need role="cell" { (components::needed(experiment, now)) } }
            td.c-book role="cell" {
                (components::booking(experiment.booking)) " " (components::mismatch(experiment))
                @if experiment.is_problem() {
                    @if experiment.done_is_news() { span.soft.small { (clip(&experiment.done(frame.snapshot.role))) } }
                    span.soft.small { (components::notified(experiment, now)) }
                }
            }
            td.c-day role="cell" { @if let Some(day) = day { (day.sketch("last 24 hours")) } }
        }
    }
}

/// What those that cannot be used probably have in common. Whole addresses are for those who signed in.
fn causes(frame: &Frame<'_>) -> Markup {
    html! {
        @for cause in frame.snapshot.causes.iter() {
            p.cause {
                (shape("clash")) " " strong { (cause.stubs.len()) " of " (cause.of) } " at "
                strong { (clip(cause.label_private.show(frame.visibility).unwrap_or(&cause.label_public))) }
                " were lost together, first at " (words::time(cause.began.wall(), frame.now)) ": probably one cause."
            }
        }
    }
}

/// Everything else, folded; or why there is nothing.
fn rest(frame: &Frame<'_>, pools: &[PoolCard<'_>]) -> Markup {
    let snapshot = frame.snapshot;
    html! {
        @if snapshot.counts.total == 0 { (nothing_yet(snapshot)) }
        @else if !pools.is_empty() {
            section #part-pools aria-labelledby="pools" {
                h2 #pools { "Pools" }
                (pools::cards(frame, pools))
            }
        }
    }
}

fn nothing_yet(snapshot: &Snapshot) -> Markup {
    let waiting = SourceName::ALL
        .into_iter()
        .filter(|name| snapshot.source(*name).health != SourceHealth::Live);
    let waiting: Vec<_> = waiting.map(SourceName::as_str).collect();
    html! {
        div.empty {
            @if waiting.is_empty() {
                p { "relay, jump and book all tell, and none of them knows an experiment. Upload a manifest to book, or connect an experiment." }
            } @else {
                p { "labwatch has only just begun to listen. It still waits for " (waiting.join(", ")) "." }
                p { "Experiments appear here as soon as a source tells of them. " a href="/sources" { "See how the sources are" } "." }
            }
        }
    }
}
