//! Outside services on the overview: state, since when, past results, and the categories in which
//! each counts.

use maud::{Markup, html};

use super::commands::Kind;
use super::components;
use super::filter::MAX_ROWS;
use super::layout::Frame;
use super::words::{self, clip};
use crate::health::{Component, State};
use crate::http::{Categories, ServiceRow};

/// The most former results that a row shows.
const FORMER: usize = 3;

/// All services, those that fail first; nothing where there are none.
pub(super) fn section(frame: &Frame<'_>) -> Markup {
    let mut services = services(frame);
    services.sort_by_key(|service| service.component.state().is_ok());
    let rows = services
        .iter()
        .take(MAX_ROWS)
        .map(|service| row(frame, service));
    html! {
        @if !services.is_empty() {
            section #part-services aria-labelledby="services" {
                h2 #services { "Services" }
                (components::table("Services, those that fail first", ["Service", "State", "What is wrong", "Before", "Counts in"], rows))
                (components::more(services.len()))
            }
        }
    }
}

fn services(frame: &Frame<'_>) -> Vec<ServiceRow> {
    frame.categories.map_or_else(Vec::new, Categories::services)
}

/// The names of those that fail.
pub(super) fn failing(frame: &Frame<'_>) -> Vec<String> {
    let services = services(frame);
    services
        .iter()
        .filter(|service| !service.component.state().is_ok())
        .map(|service| clip(&service.component.name))
        .collect()
}

fn row(frame: &Frame<'_>, service: &ServiceRow) -> [Markup; 5] {
    let component = &service.component;
    let address = [("what", "component"), ("name", &*component.name)];
    [
        html! { (clip(&component.name)) },
        html! {
            (components::marked(shape_of(component.state()), component.state().as_str())) " "
            span.soft.small { (words::since(component.last_change, frame.now)) }
        },
        html! {
            @if component.detail().is_empty() { "nothing" } @else { (clip(component.detail())) }
            @if let Some(ack) = &service.ack {
                span.suppressed { strong { "acknowledged" } ": " (clip(&ack.words(frame.private))) }
            } @else if frame.acts && component.state() != State::Ok {
                " " a.action href=(Kind::Acknowledge.address(&address)) { "Acknowledge" span.unseen { " " (clip(&component.name)) } }
            }
        },
        former(frame, component),
        html! { (clip(&component.categories.join(", "))) },
    ]
}

/// Its past results, newest first.
fn former(frame: &Frame<'_>, component: &Component) -> Markup {
    html! {
        @for result in component.results.iter().rev().skip(1).take(FORMER) {
            span.soft.small { (result.state.as_str()) " " (words::ago(result.at, frame.now)) } " "
        }
    }
}

fn shape_of(state: State) -> &'static str {
    match state {
        State::Ok => "ok",
        State::Warn => "degraded",
        State::Init => "unknown",
        State::Stale | State::Error => "down",
    }
}
