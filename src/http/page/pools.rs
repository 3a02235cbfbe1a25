//! Pools: how many of each kind work, for admins by name and state, for students as text.

use jiff::Timestamp;
use maud::{Markup, html};

use super::commands::Kind;
use super::components;
use super::filter::{address, address_of};
use super::layout::Frame;
use super::shapes::shape;
use super::state::State;
use super::view::PoolCard;
use super::words::{self, clip};
use engine::Severity;

/// The most experiments that a card shows one by one.
const MAX_DOTS: usize = 120;

/// The text where there is no pool.
const NONE: &str = "No pools yet: labwatch makes them from the experiments that book lists.";

/// Returns the title of a pool by its name, by the current settings.
pub type PoolTitle = dyn Fn(&str) -> Option<String> + Send + Sync;

/// The pools as cards, each a link to its experiments.
pub(super) fn cards(frame: &Frame<'_>, pools: &[PoolCard<'_>]) -> Markup {
    html! {
        ul.pools {
            @for pool in pools {
                li id=(address_of("p", pool.name())) {
                    a class={ "edge-" (pool.worst().as_str()) } href=(address("pool", pool.name())) {
                        span.pool { (clip(pool.name())) }
                        (amount(pool))
                        @if let Some(words) = severity(pool.view.standing.severity, frame.now) { span.soft { (words) } }
                        @if pool.unknown() > 0 { span.soft { (pool.unknown()) " not evaluated" } }
                        (dots(pool))
                    }
                }
            }
        }
    }
}

/// How many can be used, as far as is known.
pub(super) fn amount(pool: &PoolCard<'_>) -> Markup {
    html! { span.amount { b { @if pool.unknown() == pool.total() { "?" } @else { (pool.usable()) } } " of " (pool.total()) } }
}

/// Whether what works is enough for the bookings of the next 24 h, if there are any.
pub(super) fn severity(severity: Severity, now: Timestamp) -> Option<Markup> {
    match severity {
        Severity::NoneAffected => None,
        Severity::Spare(left) => Some(html! { (left) " to spare at the busiest time in 24 h" }),
        Severity::Short { missing, first_at } => Some(
            html! { strong.is-down { (shape("down")) " " (missing) " too few, first at " (words::time(first_at, now)) } },
        ),
    }
}

/// A dot for each experiment, bad ones with their shape. The text beside it says the same.
pub(super) fn dots(pool: &PoolCard<'_>) -> Markup {
    html! {
        span.dots aria-hidden="true" {
            @if pool.total() <= MAX_DOTS {
                @for state in pool.members.iter().map(|of| of.state) { span class={ "is-" (state.as_str()) } { (shape(state.as_str())) } }
            }
        }
    }
}

/// The page of all pools.
pub(super) fn page(frame: &Frame<'_>) -> Markup {
    let pools = PoolCard::all(frame.snapshot);
    let rows = pools.iter().map(|pool| {
        [
            html! { a.name href=(address("pool", pool.name())) { (clip(pool.name())) } },
            amount(pool),
            html! { (pool.bookable()) },
            html! {
                @if let Some(words) = severity(pool.view.standing.severity, frame.now) { (words) } @else { "nothing booked" }
                @if let Some(at) = pool.view.standing.peak_at { span.soft.small { (pool.view.standing.peak) " booked at the same time, first at " (words::time(at, frame.now)) } }
            },
            html! { span.tally { @for (state, count) in pool.tally() { (components::marked(state.as_str(), format!("{count} {}", state.as_str()))) } } },
            html! {
                a href=(address_of("/lab", pool.name())) { "As students see it" }
                @if frame.acts && pool.tally().any(|(state, _)| state.is_bad()) {
                    " " a.action href=(Kind::Acknowledge.address(&[("what", "pool"), ("name", pool.name())])) { "Acknowledge" span.unseen { " " (clip(pool.name())) } }
                }
            },
        ]
    });
    html! {
        h1 { "Pools" }
        p.soft { "Experiments of one kind can stand in for each other: what counts is how many of them work." }
        (components::rows_or_none(NONE, "Pools", ["Pool", "Usable", "Of them bookable", "Next 24 h", "States", "Page"], rows))
        @if frame.categories.is_some() { p.after { "Other programs ask about " a href="/categories" { "categories" } ": sets of experiments and parts of the service, by name." } }
    }
}

/// All pools as students see them: no names of experiments, nothing internal.
pub(super) fn lab(frame: &Frame<'_>, given: &PoolTitle) -> Markup {
    let pools = PoolCard::all(frame.snapshot);
    html! {
        h1 { "What works in the lab" }
        @if pools.is_empty() { (components::none("Nothing is known yet.")) }
        ul.kinds { @for pool in &pools { li { (kind(pool, Some(&title(pool.name(), given)))) } } }
    }
}

/// The title and state of one pool, as students see it; `None` when there is no such pool.
pub(super) fn lab_pool(
    frame: &Frame<'_>,
    name: &str,
    given: &PoolTitle,
) -> Option<(String, Markup)> {
    let pools = PoolCard::all(frame.snapshot);
    let pool = pools.iter().find(|pool| pool.name() == name)?;
    let title = title(pool.name(), given);
    let content = html! {
        p { a href="/lab" { "All kinds of experiments" } }
        h1 { (title) }
        ul.kinds { li { (kind(pool, None)) } }
    };
    Some((title, content))
}

/// A pool's name for students: its title, else its name. `kind-a` becomes `Kind a`.
pub(super) fn title(name: &str, given: &PoolTitle) -> String {
    if let Some(title) = given(name) {
        return clip(&title);
    }
    let words: Vec<&str> = name
        .split(['-', '_', ' '])
        .filter(|word| !word.is_empty())
        .collect();
    let text = clip(&words.join(" "));
    if text.is_empty() {
        return clip(name);
    }
    words::capital(&text)
}

/// The state of one pool; with its title above where it is among others.
fn kind(pool: &PoolCard<'_>, title: Option<&str>) -> Markup {
    let (state, words) = match (pool.usable(), pool.bookable()) {
        (0, _) if pool.unknown() == pool.total() => (State::Unknown, "not known at the moment"),
        (0, _) => (State::Down, "none works at the moment"),
        (_, 0) => (State::Degraded, "works, but cannot be booked at the moment"),
        (usable, bookable) if usable == pool.total() && bookable == usable => {
            (State::Ok, "all work")
        }
        (..) => (State::Degraded, "some are out of order"),
    };
    html! {
        div class={ "kind edge-" (state.as_str()) } {
            @if let Some(title) = title { h2 { a href=(address_of("/lab", pool.name())) { (title) } } }
            @if state != State::Unknown { p.amount { span { b { (pool.bookable()) } " of " (pool.total()) " can be booked" } } }
            p class={ "is-" (state.as_str()) } { (shape(state.as_str())) (words) }
        }
    }
}
