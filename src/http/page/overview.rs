//! The overview: what needs attention first, then what is acknowledged, the healthy ones folded
//! into pools; and the list that a filter selects.

use std::collections::BTreeMap;

use maud::{Markup, html};

use super::bars::Bar;
use super::commands::Kind;
use super::filter::{Filter, address, address_of};
use super::layout::Frame;
use super::shapes::shape;
use super::state::{Booking, STATES, State};
use super::view::{self, Experiment, PoolCard};
use super::words::{self, clip};
use super::{components, pools, services};
use engine::model::{SourceHealth, SourceName};
use engine::{Counts, Snapshot};

/// The most problems of which a row shows the last day.
pub(super) const MAX_SKETCHES: usize = 30;

/// The most experiments that are named for one reason of not being evaluated.
const MAX_NAMED: usize = 20;

pub(super) struct Rows<'a> {
    /// Those that fit.
    pub(super) shown: Vec<Experiment<'a>>,
    /// How many there are.
    pub(super) total: usize,
    /// Those with a problem that maintainers know of; empty with a filter.
    known: Vec<Experiment<'a>>,
    /// How many of those there are.
    known_total: usize,
}

impl<'a> Rows<'a> {
    /// The rows that the filter selects or, without one, those that need attention.
    pub(super) fn of(snapshot: &'a Snapshot, filter: &Filter) -> Self {
        let mut shown = if filter.is_set() {
            let (mut problems, fine): (Vec<_>, Vec<_>) = view::experiments(snapshot)
                .filter(|experiment| filter.takes(experiment))
                .partition(Experiment::needs_attention);
            problems.extend(fine);
            problems
        } else {
            view::problems(snapshot)
        };
        let mut known = if filter.is_set() {
            Vec::new()
        } else {
            view::known(snapshot)
        };
        let (total, known_total) = (shown.len(), known.len());
        shown.truncate(filter.most_rows());
        known.truncate(filter.most_rows());
        Self {
            shown,
            total,
            known,
            known_total,
        }
    }

    /// Those with a problem that maintainers know of.
    pub(super) fn known(&self) -> &[Experiment<'a>] {
        &self.known
    }

    /// The first rows, whose last day is shown.
    pub(super) fn sketched(&self) -> impl Iterator<Item = &Experiment<'a>> {
        self.shown.iter().chain(&self.known).take(MAX_SKETCHES)
    }
}

/// The last day of experiments, by name.
pub(super) type Sketches<'a> = BTreeMap<&'a str, Bar>;

pub(super) fn page(
    frame: &Frame<'_>,
    filter: &Filter,
    rows: &Rows<'_>,
    days: &Sketches<'_>,
) -> Markup {
    let pools = PoolCard::all(frame.snapshot);
    html! {
        (verdict(frame, rows))
        (search(&pools, filter, "/", &html! {}))
        @if filter.is_set() {
            section #part-found aria-labelledby="found" {
                h2 #found { (words::count(rows.total, "experiment")) " found " a.more href="/" { "Show the overview" } }
                (table(frame, (&rows.shown, rows.total), days, filter))
            }
        } @else {
            @if rows.total > 0 {
                section #part-problems aria-labelledby="problems" {
                    h2 #problems { "Needs attention" }
                    (causes(frame))
                    (table(frame, (&rows.shown, rows.total), days, filter))
                }
            }
            @if rows.known_total > 0 {
                (components::section("known", "Acknowledged or in maintenance", &table(frame, (&rows.known, rows.known_total), days, filter)))
            }
            (unevaluated(frame.snapshot))
            (services::section(frame))
            (rest(frame, &pools))
        }
    }
}

/// The state of the laboratory in one sentence with numbers.
pub(super) fn verdict(frame: &Frame<'_>, rows: &Rows<'_>) -> Markup {
    let snapshot = frame.snapshot;
    let (total, unknown) = (snapshot.counts.total, snapshot.counts.unknown);
    let known = view::known(snapshot).len();
    let sentence = match (total, frame.problems, known, unknown) {
        (0, ..) => html! { "No experiments yet" },
        (_, 1.., ..) => {
            html! { (some_of(frame.problems, total)) @if frame.problems == 1 { " needs attention" } @else { " need attention" } }
        }
        (_, 0, 1.., _) => {
            html! { "No experiment needs attention, " (known) " of " (total) " acknowledged" }
        }
        (.., 1..) => unevaluated_link(unknown, total),
        (1, ..) => html! { "The experiment is ok" },
        (..) => html! { "All " (total) " experiments are ok" },
    };
    let worst = view::worst(snapshot);
    html! {
        div.verdict {
            h1 #verdict aria-live="polite" class={ "is-" (worst.as_str()) } { (shape(worst.as_str())) span { (sentence) } }
            @if unknown > 0 && (frame.problems > 0 || known > 0) { p { (unevaluated_link(unknown, total)) } }
            (counts(&snapshot.counts, rows.known_total))
            (sources(snapshot))
        }
    }
}

/// The start of a sentence: this many of all.
fn some_of(number: usize, total: usize) -> Markup {
    html! { @if total == 1 { "The experiment" } @else { (number) " of " (total) " experiments" } }
}

/// The number of experiments that are not evaluated, with a link to the list of them.
fn unevaluated_link(number: usize, total: usize) -> Markup {
    html! {
        a href=(address("state", State::Unknown.as_str())) {
            (some_of(number, total)) @if number == 1 { " is not evaluated" } @else { " are not evaluated" }
        }
    }
}

/// The experiments that are not evaluated, by cause.
fn unevaluated(snapshot: &Snapshot) -> Markup {
    let mut why: BTreeMap<String, Vec<&str>> = BTreeMap::new();
    for experiment in view::experiments(snapshot).filter(|of| of.state == State::Unknown) {
        why.entry(experiment.why())
            .or_default()
            .push(experiment.name());
    }
    html! {
        @if !why.is_empty() {
            section.unevaluated #part-unevaluated aria-labelledby="unevaluated" {
                h2 #unevaluated { "Not evaluated" }
                ul.does {
                    @for (why, names) in &why {
                        li {
                            (clip(why)) ": "
                            @for (at, name) in names.iter().take(MAX_NAMED).enumerate() { @if at > 0 { ", " } (components::link(name)) }
                            @if names.len() > MAX_NAMED { " and " a href=(address("state", State::Unknown.as_str())) { (names.len() - MAX_NAMED) " more" } }
                        }
                    }
                }
            }
        }
    }
}

fn counts(counts: &Counts, known: usize) -> Markup {
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
            @if known > 0 { li { a href="/#part-known" { (shape("ok")) b { (known) } " acknowledged or in maintenance" } } }
        }
    }
}

/// The sources, and whether notifications are delivered.
fn sources(snapshot: &Snapshot) -> Markup {
    let failing = snapshot.routes.iter().any(|route| route.failures > 0);
    let (routes, as_str) = match (snapshot.routes.is_empty(), failing) {
        (true, _) => ("unknown", "no route"),
        (false, false) => ("ok", "ok"),
        (false, true) => ("down", "failing"),
    };
    html! {
        ul.sources {
            @for name in SourceName::ALL {
                @let source = snapshot.source(name);
                li { a href="/sources" { (name) " " span class={ "is-" (source_shape(source.health)) } { (shape(source_shape(source.health))) (source.health) } } }
            }
            li { a href="/outbox" { "notifications " span class={ "is-" (routes) } { (shape(routes)) (as_str) } } }
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

/// The form of the filters, for the page of this path; `more` is a field of that page alone.
pub(super) fn search(pools: &[PoolCard<'_>], filter: &Filter, path: &str, more: &Markup) -> Markup {
    let selected = filter.state();
    html! {
        form.search method="get" action=(path) role="search" {
            label for="q" { "Find" }
            input #q type="search" name="q" value=(filter.search()) placeholder="name of an experiment" autocomplete="off" spellcheck="false" maxlength="100";
            label.unseen for="state" { "State" }
            select #state name="state" {
                option value="" { "any state" }
                @for state in STATES.into_iter().rev() { option value=(state.as_str()) selected[selected == Some(state)] { (state.as_str()) } }
            }
            label.unseen for="booking" { "Bookability" }
            select #booking name="booking" {
                option value="" { "bookable or not" }
                @for booking in Booking::ALL { option value=(booking.as_str()) selected[filter.booking() == Some(booking)] { (booking.words()) } }
            }
            label.unseen for="pool" { "Pool" }
            select #pool name="pool" {
                option value="" { "any pool" }
                @for pool in pools { option value=(pool.name()) selected[filter.pool() == Some(pool.name())] { (clip(pool.name())) } }
            }
            (more)
            button type="submit" { "Show" }
        }
    }
}

/// Rows of experiments, and how many there are of them in all.
fn table(
    frame: &Frame<'_>,
    (rows, total): (&[Experiment<'_>], usize),
    days: &Sketches<'_>,
    filter: &Filter,
) -> Markup {
    let columns = Columns {
        need: rows.iter().any(|of| of.affected().next_week > 0),
        notified: rows.iter().any(Experiment::is_problem),
    };
    let heads = [
        ("State", true),
        ("Experiment", true),
        ("Needed", columns.need),
        ("Booking", true),
        ("Notified", columns.notified),
        ("Last 24 h", true),
    ];
    html! {
        @if rows.is_empty() { (components::none("No experiment matches. Remove a filter to see more.")) }
        @else {
            table.rows role="table" {
                caption.unseen { "Experiments, the most urgent first" }
                thead role="rowgroup" { tr role="row" {
                    @for (head, shown) in heads { @if shown { th scope="col" role="columnheader" { (head) } } }
                } }
                tbody role="rowgroup" { @for experiment in rows { (row(frame, experiment, days.get(experiment.name()), columns)) } }
            }
        }
        @if total > rows.len() {
            p { a.more href=(filter.address_of_all("/")) { "Show all " (total) } " – " (rows.len()) " are shown." }
        }
    }
}

/// The columns that a table has only where a row has a value for it.
#[derive(Clone, Copy)]
struct Columns {
    need: bool,
    notified: bool,
}

/// An experiment with the five answers: since when, why, what was done, who was notified, what to
/// do.
fn row(
    frame: &Frame<'_>,
    experiment: &Experiment<'_>,
    day: Option<&Bar>,
    columns: Columns,
) -> Markup {
    let (view, now) = (experiment.view, frame.now);
    html! {
        tr role="row" data-row id=(address_of("x", experiment.name())) class={ "edge-" (experiment.state.as_str()) } {
            td.c-state role="cell" { (components::state(experiment.state)) span.soft.small { (words::since(view.since, now)) } }
            td.c-what role="cell" {
                (components::link(experiment.name())) " "
                span.soft[experiment.state == State::Ok] { (clip(&experiment.why())) }
                @if let Some(advice) = experiment.advice(frame.private) { p.advice { (clip(advice)) } }
                @if let Some(suppression) = &view.suppression { span.small { (components::suppression(suppression, frame.private, now)) } }
                @else if frame.acts && view.health.is_bad() {
                    a.small.act href=(Kind::Acknowledge.address(&[("name", experiment.name())])) { "Acknowledge" span.unseen { " " (clip(experiment.name())) } }
                }
            }
            @if columns.need { td.c-need role="cell" { (components::needed(experiment, now)) } }
            td.c-book role="cell" {
                (components::booking(experiment.booking)) " " (components::mismatch(experiment))
                @if experiment.is_problem() && experiment.done_is_news() { span.soft.small { (clip(&experiment.done(frame.snapshot.role))) } }
            }
            @if columns.notified { td.c-notified role="cell" { @if experiment.is_problem() { span.soft { (components::notified(experiment, now)) } } } }
            td.c-day role="cell" { @if let Some(day) = day { (day.sketch("last 24 hours")) } }
        }
    }
}

/// The probable common causes of what cannot be used. Full addresses are for readers who signed in.
fn causes(frame: &Frame<'_>) -> Markup {
    html! {
        @for cause in frame.snapshot.causes.iter() {
            p.cause {
                (shape("clash")) " " strong { (cause.stubs.len()) " of " (cause.of) } " at "
                strong { (clip(cause.label_private.show(frame.visibility).unwrap_or(&cause.label_public))) }
                " were lost together, the first at " (words::time(cause.began.wall(), frame.now)) ": probably one cause."
            }
        }
    }
}

/// Everything else, folded; or why the list is empty.
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
                p { "relay, jump and book all report, and none of them has an experiment. Upload a manifest to book, or connect an experiment." }
            } @else {
                p { "labwatch has just started. It still waits for " (waiting.join(", ")) "." }
                p { "Experiments appear here as soon as a source reports them. " a href="/sources" { "State of the sources" } "." }
            }
        }
    }
}
