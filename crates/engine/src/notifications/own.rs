//! labwatch's own problems as text: its components, and recipients that cannot be reached.

use std::collections::BTreeMap;
use std::sync::Arc;

use jiff::Timestamp;
use jiff::tz::TimeZone;

use crate::groups::KnownComponent;
use crate::model::{ComponentName, SourceName, Visibility, spell_time_in};
use crate::protocol::{Alert, AlertLine, ComponentHealth, Fitness, RouteView};

/// This many attempts in a row must fail before other routes are notified of it: a server that was
/// busy once is no news.
const FAILURES_WORTH_SAYING: u32 = 3;

/// How many recipients are named.
const MAX_NAMED: usize = 10;

/// The sentences. Sources have alerts of their own, outside services are not labwatch, and alerts
/// are not listed twice.
pub(super) fn problems(
    components: &BTreeMap<Arc<str>, KnownComponent>,
    routes: &[RouteView],
    alerts: &[AlertLine],
    now: Timestamp,
    zone: &TimeZone,
) -> Vec<String> {
    let at = |time: Timestamp| spell_time_in(time, now, zone);
    let is_alert = |one: &ComponentHealth| {
        let alert = alert_of(one);
        alert.is_some() && alerts.iter().any(|line| line.alert == alert)
    };
    let all = components.values().map(|known| &known.health);
    let failing = all.filter(|one| is_own_failure(one) && !is_alert(one));
    let failing = failing.map(|one| component(&one.name));
    let routes_waiting = routes.iter().filter_map(|route| waiting(route, &at));
    let unreached = routes.iter().flat_map(|route| {
        let unreached = route.unreached.iter().take(MAX_NAMED);
        unreached.filter_map(|one| {
            let who = one.recipient.show(Visibility::MAINTAINER)?;
            Some(format!("{who} is not reached since {}", at(one.since)))
        })
    });
    failing.chain(routes_waiting).chain(unreached).collect()
}

/// The alert of a component; `None` for what has others.
pub(crate) fn alert_of(component: &ComponentHealth) -> Option<Alert> {
    let has_others = &*component.name == ComponentName::MAIL || is_source(component);
    let name = (!has_others).then(|| ComponentName::try_new(&component.name).ok());
    name.flatten().map(Alert::Component)
}

/// What is wrong with a component, for an alert; `None` where nothing is.
pub(crate) fn problem(health: &ComponentHealth) -> Option<String> {
    let problem = health.problem.as_deref()?;
    let name = &*health.name;
    Some(match health.fitness {
        Fitness::Fails if health.categories.is_empty() => {
            format!("{}: {problem}", component(name))
        }
        Fitness::Fails => format!("{name} does not work: {problem}"),
        Fitness::Unknown | Fitness::Works => {
            format!("whether {name} works is not known: {problem}")
        }
    })
}

/// The text for a component without a report since a start.
pub(crate) fn not_known(name: &str) -> String {
    format!("whether {name} works is not known again yet")
}

fn is_source(component: &ComponentHealth) -> bool {
    SourceName::named(&component.name).is_some()
}

fn is_own_failure(component: &ComponentHealth) -> bool {
    component.fitness == Fitness::Fails && component.categories.is_empty() && !is_source(component)
}

fn component(name: &str) -> String {
    match name {
        "store" => "the store takes nothing: what happens is not kept".to_owned(),
        "configuration" => "the newest configuration is not in force".to_owned(),
        "dead_man" => "the heartbeat is not taken".to_owned(),
        ComponentName::MAIL => "the mail server cannot be used".to_owned(),
        name => format!("{name} does not work"),
    }
}

/// A route without any reachable recipient.
fn waiting(route: &RouteView, at: &impl Fn(Timestamp) -> String) -> Option<String> {
    if route.failures < FAILURES_WORTH_SAYING && route.refused.is_none() {
        return None;
    }
    let since = route.waiting_since.or(route.refused)?;
    let (channel, name) = (route.channel.as_str(), &route.name);
    Some(format!(
        "{channel} of the route {name} is not delivered since {}",
        at(since)
    ))
}

#[cfg(test)]
mod tests {
    use std::time::Duration;

    use super::*;
    use crate::model::{CallError, Moment, RouteName};
    use crate::notifications::route::Channel;
    use crate::protocol::{Recipient, UnreachedView};

    #[test]
    fn what_fails_and_who_is_not_reached_is_said() {
        let at: Timestamp = "2026-11-21T01:05:00Z".parse().expect("a time");
        let component = |name: &str, fitness, categories: &[&str]| {
            let categories: Vec<String> = categories.iter().map(ToString::to_string).collect();
            let health = ComponentHealth {
                name: name.into(),
                fitness,
                categories: categories.into(),
                problem: (fitness == Fitness::Fails).then(|| "x".into()),
            };
            let since = Moment::new(at, Duration::ZERO);
            (health.name.clone(), KnownComponent { health, since })
        };
        let components = BTreeMap::from([
            component("store", Fitness::Fails, &[]),
            component("mail", Fitness::Works, &[]),
            component("relay", Fitness::Fails, &[]),
            component("wiki", Fitness::Fails, &["teaching"]),
        ]);
        let route = |name: &str, failures| RouteView {
            name: RouteName::try_new(name).expect("a name"),
            channel: Channel::Mail,
            last_sent: None,
            waiting_since: Some(at),
            fault: None,
            failures,
            refused: None,
            unreached: Vec::new(),
        };
        let unreached = RouteView {
            unreached: vec![UnreachedView {
                recipient: Recipient::new("bob@example.org"),
                since: at,
                fault: CallError::TimedOut,
                refused: false,
            }],
            ..route("everybody", 0)
        };
        let routes = [unreached, route("busy", 2), route("heads", 3)];
        assert_eq!(
            problems(&components, &routes, &[], at, &TimeZone::UTC),
            [
                "the store takes nothing: what happens is not kept",
                "mail of the route heads is not delivered since 01:05 UTC",
                "bob@example.org is not reached since 01:05 UTC",
            ]
        );
    }
}
