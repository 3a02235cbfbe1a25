//! Categories: whether each can be used, what makes it fail, and who opened or closed it. What all that comes to is the health room's word.

use maud::{Markup, html};

use super::commands::Kind;
use super::components;
use super::filter::MAX_ROWS;
use super::layout::Frame;
use super::words::{self, clip};
use crate::health::CategoryStatus;
use engine::model::spell_duration;

/// The most members that a row names.
const NAMED: usize = 5;

/// All categories, as a part of a page.
pub(super) fn section(frame: &Frame<'_>, standings: &[CategoryStatus]) -> Markup {
    let rows = standings
        .iter()
        .take(MAX_ROWS)
        .map(|standing| row(frame, standing));
    html! {
        section #part-categories aria-labelledby="categories" {
            h2 #categories { "Categories" }
            p.soft { "What other programs ask about by name: experiments and parts of the service that are used together. One can be used while it is open and works by its rule. Book is not changed by it." }
            @if !frame.acts { (components::sign_in(frame, "/pools", "open or close one")) }
            (components::table("Categories", ["Category", "Can be used", "Failing", "Open or closed", "Rule", "Do"], rows))
            @if standings.len() > MAX_ROWS { p.soft { (standings.len() - MAX_ROWS) " more." } }
        }
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
        html! { (clip(name)) span.soft.small { (words::count(standing.members, "member")) } },
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

/// Whether it is open, by whose word, since when and why. Who is for those who may know names.
fn switch(frame: &Frame<'_>, standing: &CategoryStatus) -> Markup {
    html! {
        (if standing.enabled { "open" } else { "closed" })
        @if let Some(switch) = &standing.switch {
            @if frame.private { " by " (clip(&switch.by)) }
            " " (words::since(switch.at, frame.now))
            span.soft.small { "“" (clip(&switch.reason)) "”" }
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
