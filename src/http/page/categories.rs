//! Categories: whether each can be used, what makes it fail, and who opened or closed it. Whether
//! each can be used is decided by `health`.

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

/// The page.
pub(super) fn page(frame: &Frame<'_>) -> Markup {
    let standings = frame
        .categories
        .map(crate::http::Categories::standings)
        .unwrap_or_default();
    let rows = standings
        .iter()
        .take(MAX_ROWS)
        .map(|standing| row(frame, standing));
    html! {
        h1 { "Categories" }
        p.soft { "Sets of experiments and components that other programs ask about by name. A category can be used while it is open and works by its rule. Book is not changed by it. For experiments that can stand in for each other see " a href="/pools" { "Pools" } "." }
        @if !frame.acts { (components::sign_in(frame, "/categories", "open or close one")) }
        (components::rows_or_none("There are no categories.", "Categories", ["Category", "Can be used", "Failing", "Open or closed", "Rule", "Do"], rows))
        (components::more(standings.len()))
    }
}

fn row(frame: &Frame<'_>, standing: &CategoryStatus) -> [Markup; 6] {
    let name = standing.rules.name.as_str();
    let kind = if standing.enabled {
        Kind::Close
    } else {
        Kind::Open
    };
    [
        html! { (clip(name)) span.soft.small { @if let Some(all) = contents(name) { (all) ": " } (words::count(standing.members, "member")) } },
        if standing.ok {
            components::marked("ok", "yes")
        } else {
            components::marked("down", "no")
        },
        names(frame, &standing.failing),
        switch(frame, standing),
        rule(standing),
        html! { @if frame.acts { a.action href=(kind.address(&[("category", name)])) { (kind.verb()) span.unseen { " the category " (clip(name)) } } } },
    ]
}

/// What is in the categories that every installation has.
fn contents(name: &str) -> Option<&'static str> {
    match name {
        DEFAULT => Some("all experiments and all components"),
        SYSTEM => Some("all components"),
        _ => None,
    }
}

/// The first of these; those that are experiments lead to their pages.
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

/// Whether it is open, since when, by whose word and why. Both are for readers who may see what is
/// private.
fn switch(frame: &Frame<'_>, standing: &CategoryStatus) -> Markup {
    html! {
        (if standing.enabled { "open" } else { "closed" })
        @if let Some(switch) = &standing.switch {
            @if frame.private { " by " (clip(&switch.by)) }
            " " (words::since(switch.at, frame.now))
            @if frame.private { span.soft.small { "“" (clip(&switch.reason)) "”" } }
        }
        @if !standing.quarantined.is_empty() { span.small { "Cannot be booked until it is opened: " (names(frame, &standing.quarantined)) } }
    }
}

fn rule(standing: &CategoryStatus) -> Markup {
    let rules = &standing.rules;
    html! {
        (if rules.resilient { "works while enough of each pool do" } else { "works while all of it does" })
        span.soft.small {
            "evaluated every " (spell_duration(rules.period))
            @if rules.sticky { "; closed after " (words::count(rules.failure_threshold as usize, "bad check")) " in a row until a person opens it" }
            @if rules.sticky && rules.sticky_booking { ", and what failed cannot be booked until then" }
        }
    }
}
