//! Categories: whether each can be used, what makes it fail, and who opened or closed it. `health`
//! evaluates them.

use maud::{Markup, html};

use super::commands::Kind;
use super::components;
use super::filter::MAX_ROWS;
use super::layout::Frame;
use super::words::{self, clip};
use crate::health::{CategoryStatus, DEFAULT, SYSTEM};
use engine::model::spell_duration;

/// The most members that a row names.
const NAMED: usize = 5;

pub(super) fn page(frame: &Frame<'_>) -> Markup {
    let category_statuses = frame
        .categories
        .map(crate::http::Categories::category_statuses)
        .unwrap_or_default();
    let rows = category_statuses
        .iter()
        .take(MAX_ROWS)
        .map(|status| row(frame, status));
    html! {
        h1 { "Categories" }
        p.soft { "Sets of experiments and components that other programs ask about by name. A category can be used while it is open and works by its rule. Book is not changed by it. For experiments that can stand in for each other see " a href="/pools" { "Pools" } "." }
        @if !frame.acts { (components::sign_in(frame, "/categories", "open or close one")) }
        (components::rows_or_none("There are no categories.", "Categories", ["Category", "Can be used", "Failing", "Open or closed", "Rule", "Do"], rows))
        (components::more(category_statuses.len()))
    }
}

fn row(frame: &Frame<'_>, status: &CategoryStatus) -> [Markup; 6] {
    let name = status.rules.name.as_str();
    let kind = if status.enabled {
        Kind::Close
    } else {
        Kind::Open
    };
    [
        html! { (clip(name)) span.soft.small { @if let Some(all) = contents(name) { (all) ": " } (words::count(status.members, "member")) } },
        if status.ok {
            components::marked("ok", "yes")
        } else {
            components::marked("down", "no")
        },
        names(frame, &status.failing),
        switch(frame, status),
        rule(status),
        html! { @if frame.acts { a.action href=(kind.address(&[("category", name)])) { (kind.verb()) span.unseen { " the category " (clip(name)) } } } },
    ]
}

/// The contents of the built-in categories.
fn contents(name: &str) -> Option<&'static str> {
    match name {
        DEFAULT => Some("all experiments and all components"),
        SYSTEM => Some("all components"),
        _ => None,
    }
}

/// The first of these; experiments link to their pages.
fn names(frame: &Frame<'_>, names: &[String]) -> Markup {
    html! {
        @if names.is_empty() { "nothing" }
        @for (at, name) in names.iter().take(NAMED).enumerate() {
            @if at > 0 { ", " }
            @if frame.snapshot.experiment(name).is_some() { (components::link(name)) } @else { (clip(name)) }
        }
        @if names.len() > NAMED { " and " (names.len() - NAMED) " more" }
    }
}

/// Whether it is open, since when, by whom and why. The last two are for readers who may see
/// private data.
fn switch(frame: &Frame<'_>, status: &CategoryStatus) -> Markup {
    html! {
        (if status.enabled { "open" } else { "closed" })
        @if let Some(switch) = &status.switch {
            @if frame.private { " by " (clip(&switch.by)) }
            " " (words::since(switch.at, frame.now))
            @if frame.private { span.soft.small { "“" (clip(&switch.reason)) "”" } }
        }
        @if !status.quarantined.is_empty() { span.small { "Cannot be booked until it is opened: " (names(frame, &status.quarantined)) } }
    }
}

fn rule(status: &CategoryStatus) -> Markup {
    let rules = &status.rules;
    html! {
        (if rules.resilient { "works while enough of each pool do" } else { "works while all of it does" })
        span.soft.small {
            "evaluated every " (spell_duration(rules.period))
            @if rules.sticky { "; closed after " (words::count(rules.failure_threshold as usize, "bad check")) " in a row until a person opens it" }
            @if rules.sticky && rules.sticky_booking { ", and what failed cannot be booked until then" }
        }
    }
}
