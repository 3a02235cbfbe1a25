//! Sent and pending notifications: the text of each, and its recipients.

use std::sync::Arc;

use maud::{Markup, html};

use super::answer::Answer;
use super::components;
use super::filter::MAX_ROWS;
use super::layout::Frame;
use super::web_state::WebState;
use super::words::{self, clip};
use crate::http::{TestMessages, TestOutcome, TestReport, TestedRoute};
use crate::store::{OutboxState, Said};
use engine::RouteView;
use engine::model::Health;

/// The path that sends a test message.
pub(super) const TEST_PATH: &str = "/do/test-message";

/// The most experiments that a subject names for each health.
const MAX_NAMED: usize = 4;

pub(super) fn page(frame: &Frame<'_>, rows: Option<&Answer<Vec<Said>>>, tests: &Tests) -> Markup {
    html! {
        h1 { "Outbox" }
        p.soft { "The notifications that labwatch sends, and by which routes." }
        (routes(frame))
        @if frame.acts { (tests.form(frame)) }
        @if let Some(last) = tests.last.as_deref().filter(|_| frame.private) { (tested(frame, last)) }
        (components::section("sent", "The last 30 days", &components::kept(rows, |rows| list(frame, rows))))
    }
}

/// The test messages that can be sent, and the result of the last one.
pub(super) struct Tests {
    routes: Vec<TestedRoute>,
    last: Option<Arc<TestReport>>,
}

impl Tests {
    /// `acts`: the reader may send one, and so sees the routes.
    pub(super) fn of(state: &WebState, acts: bool) -> Self {
        let tests = state.orders.as_ref().map(|orders| &orders.tests);
        let routes = tests.filter(|_| acts).map(|tests| (tests.routes)());
        Self {
            routes: routes.unwrap_or_default(),
            last: tests.and_then(TestMessages::last),
        }
    }

    /// The button, with the choice of a route where there are several.
    fn form(&self, frame: &Frame<'_>) -> Markup {
        html! {
            @if !self.routes.is_empty() {
                form.confirm #test method="post" action=(TEST_PATH) {
                    @if let Some(csrf) = frame.caller.csrf() { input type="hidden" name="csrf" value=(csrf); }
                    @if self.routes.len() > 1 {
                        label for="test-route" { "Route" }
                        select #test-route name="route" {
                            option value="" { "all routes" }
                            @for route in &self.routes { option { (route.route.as_str()) } }
                        }
                    }
                    button #send-test type="submit" { "Send a test message" }
                }
            }
        }
    }
}

/// The result of a test, for each recipient.
pub(super) fn tested(frame: &Frame<'_>, report: &TestReport) -> Markup {
    let recipients = report
        .routes
        .iter()
        .flat_map(|route| route.recipients.iter().map(move |one| (route, one)));
    let rows = recipients.map(|(route, one)| {
        let (shape_of, said, why) = match &one.outcome {
            TestOutcome::Pending => ("unknown", "no answer yet", "–"),
            TestOutcome::Taken => ("ok", "taken", "–"),
            TestOutcome::Failed(why) => ("down", "not taken", why.as_str()),
        };
        [
            html! { (clip(route.route.as_str())) },
            html! { (route.channel.as_str()) },
            html! { (clip(&one.recipient)) },
            components::marked(shape_of, said),
            html! { (clip(why)) },
        ]
    });
    html! {
        section #part-test aria-labelledby="tested" {
            h2 #tested { "Last test message" }
            p.soft { "Sent " (words::ago(report.at, frame.now)) " by " (clip(&report.by)) ". Taken means that the other side has it: look whether it arrives." }
            (components::table("Test message", ["Route", "Channel", "Recipient", "State", "Why"], rows))
        }
    }
}

/// The routes, and whether notifications are delivered.
fn routes(frame: &Frame<'_>) -> Markup {
    let now = frame.now;
    let rows = frame.snapshot.routes.iter().map(|route| {
        let (shape_of, said) = match (route.failures, route.unreached.len()) {
            (0, 0) => ("ok", "ok"),
            (0, _) => ("degraded", "reaches some"),
            (..) => ("down", "failing"),
        };
        let waiting = route.waiting_since.map_or_else(|| html! { "nothing" }, |waiting| words::since(waiting, now));
        [
            html! { (clip(route.name.as_str())) },
            html! { (route.channel.as_str()) },
            components::marked(shape_of, said),
            words::ago_or_never(route.last_sent, now),
            waiting,
            unreached(frame, route),
            html! { @if let Some(fault) = &route.fault { (private(Some(&fault.words(frame.visibility)).filter(|_| frame.private))) } @else { "–" } },
        ]
    });
    html! { (components::rows_or_none("No route is configured (email_to, or [[route]]): labwatch sends no notifications.", "Routes", ["Route", "Channel", "State", "Last sent", "Waiting", "Not reached", "Last failure"], rows)) }
}

/// The recipients of a route that lack notifications which others have. Names are for readers who
/// may see them.
fn unreached(frame: &Frame<'_>, route: &RouteView) -> Markup {
    let now = frame.now;
    html! {
        @if route.unreached.is_empty() { "–" }
        @else if frame.private {
            @for one in &route.unreached {
                span.small {
                    (clip(one.recipient.show(frame.visibility).unwrap_or_default())) " " (words::since(one.since, now))
                    ": " (clip(&one.fault.words(frame.visibility)))
                    @if one.refused { " (refused)" }
                }
            }
        } @else { (words::count(route.unreached.len(), "recipient")) }
    }
}

/// A text that may hold users' addresses.
fn private(text: Option<&String>) -> String {
    text.map_or_else(|| "sign in to read it".to_owned(), |text| clip(text))
}

fn list(frame: &Frame<'_>, outgoing: &[Said]) -> Markup {
    let now = frame.now;
    let rows = outgoing.iter().take(MAX_ROWS).map(|said| {
        let row = &said.message;
        [
            words::stamp(row.created, now),
            says(frame, said),
            html! { (clip(&row.route)) },
            html! {
                (components::marked(shape_of(row.state), row.state.as_str()))
                @if row.attempts > 1 { span.soft.small { (words::count(row.attempts, "attempt")) @if let Some(tried) = row.tried { ", the last " (words::ago(tried, now)) } } }
            },
            html! { @if let Some(error) = &row.last_error { (private(error.show(frame.visibility))) } @else if row.state == OutboxState::Sent { "all recipients have it" } @else { "–" } },
        ]
    });
    html! {
        (components::rows_or_none("No notifications.", "Notifications, newest first", ["Created", "Subject", "Route", "State", "Who does not have it"], rows))
        @if outgoing.iter().any(|said| said.message.state == OutboxState::Superseded) {
            p.soft { "superseded: not sent, because a newer notification says it, or because its route was changed." }
        }
        @if outgoing.len() > MAX_ROWS { p.soft { (words::count(outgoing.len() - MAX_ROWS, "older notification")) "." } }
    }
}

/// The text of a notification: its subject, and each experiment and alert.
fn says(frame: &Frame<'_>, said: &Said) -> Markup {
    let alerts = said.alerts.show(frame.visibility);
    let alerts = alerts.map(Vec::as_slice).unwrap_or_default();
    let subject = subject(said, alerts);
    html! {
        @if said.news.is_empty() && alerts.is_empty() { (subject) }
        @else {
            details.says id={ "says-" (said.message.id) } {
                summary { (subject) }
                ul.does {
                    @for alert in alerts { li { "Alert: " (words::timed(&words::sentence(alert), frame.now)) } }
                    @for news in &said.news {
                        li {
                            (components::link(news.stub.as_str())) ": " (components::state(news.health))
                            @if let Some(since) = news.since { " since " (words::stamp(since, frame.now)) }
                        }
                    }
                }
            }
        }
    }
}

/// The subject in one line: the alerts, then the number of experiments by health, with the names of
/// the first.
fn subject(said: &Said, alerts: &[String]) -> String {
    let mut parts = Vec::new();
    match said.occasion.as_deref() {
        Some("reminder") => parts.push("reminder".to_owned()),
        Some("digest") => parts.push("digest".to_owned()),
        _ => {}
    }
    if !alerts.is_empty() {
        parts.push(words::count(alerts.len(), "alert"));
    }
    for health in [
        Health::Down,
        Health::Flapping,
        Health::Degraded,
        Health::Unknown,
        Health::Ok,
    ] {
        let of = said.news.iter().filter(|news| news.health == health);
        let names: Vec<String> = of.map(|news| clip(news.stub.as_str())).collect();
        if let Some(named) = names
            .get(..names.len().min(MAX_NAMED))
            .filter(|named| !named.is_empty())
        {
            let more = names.len() - named.len();
            let rest = if more > 0 {
                format!(" and {more} more")
            } else {
                String::new()
            };
            parts.push(format!(
                "{} {}: {}{rest}",
                names.len(),
                if health == Health::Ok {
                    "back"
                } else {
                    health.as_str()
                },
                named.join(", ")
            ));
        }
    }
    if parts.is_empty() {
        "an alert".to_owned()
    } else {
        parts.join("; ")
    }
}

/// The shape for the state of a message.
pub(super) fn shape_of(state: OutboxState) -> &'static str {
    match state {
        OutboxState::Sent => "ok",
        OutboxState::Pending => "degraded",
        OutboxState::Refused => "down",
        OutboxState::Superseded => "unknown",
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::store::{OutboxRow, SaidNews};
    use engine::model::{Private, Stub};
    use jiff::Timestamp;

    fn said(occasion: &str, news: &[(&str, Health)]) -> Said {
        let news = news.iter().map(|(stub, health)| SaidNews {
            stub: Stub::try_new(stub).expect("a name"),
            health: *health,
            since: None,
        });
        Said {
            message: OutboxRow {
                id: 1,
                route: "everybody".to_owned(),
                created: Timestamp::UNIX_EPOCH,
                state: OutboxState::Sent,
                attempts: 1,
                tried: None,
                last_error: None,
            },
            news: news.collect(),
            occasion: Some(occasion.to_owned()),
            alerts: Private::new(vec!["relay gives no access".to_owned()]),
        }
    }

    #[test]
    fn a_subject_says_what_happened_to_which_experiments() {
        let two = [
            ("pend00", Health::Down),
            ("spin00", Health::Ok),
            ("pend01", Health::Down),
        ];
        assert_eq!(
            subject(&said("news", &two), &[]),
            "2 down: pend00, pend01; 1 back: spin00"
        );
        assert_eq!(subject(&said("reminder", &[]), &[]), "reminder");
        assert_eq!(
            subject(&said("news", &[]), &["relay gives no access".to_owned()]),
            "1 alert"
        );
        assert_eq!(
            subject(&said("news", &[]), &[]),
            "an alert",
            "a reader who may not read the alert sees that there is one"
        );
        let many = ["a", "b", "c", "d", "e", "f"].map(|name| (name, Health::Degraded));
        assert_eq!(
            subject(&said("news", &many), &[]),
            "6 degraded: a, b, c, d and 2 more"
        );
    }
}
