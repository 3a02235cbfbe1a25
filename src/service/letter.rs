//! What notifications say beside what the engine has decided: addresses of the page, the clock of the readers, what is wrong with labwatch itself.

use std::sync::{Arc, OnceLock};

use jiff::Timestamp;
use jiff::tz::TimeZone;

use crate::config::Config;
use crate::effects::notification::Letter;
use crate::health::{Component, HealthState, Picture, State};
use engine::RouteView;
use engine::model::{SourceName, Visibility, spell_time_in};

/// So many attempts in a row must fail before other routes are told: a server that was busy once is no news.
const FAILURES_WORTH_SAYING: u32 = 3;

/// The health of labwatch itself, once it is set up.
pub(super) type OwnHealth = Arc<OnceLock<HealthState>>;

/// What all notifications have in common now.
pub(super) fn letter(config: &Config, own: &OwnHealth) -> Letter {
    let zone = config.telling.zone.rules.clone();
    let mail = config.mail.as_ref();
    let own = own.get().map(HealthState::picture);
    Letter {
        subject: mail.map_or_else(|| label(config), |mail| mail.subject.clone()),
        link: mail.map(|mail| mail.link.clone()).unwrap_or_default(),
        page: page_address(config),
        own: own.map_or_else(Vec::new, |picture| problems(&picture, &zone)),
        zone,
    }
}

/// Where people reach the page, without a slash at its end; `None` where there is none or that is not known.
pub(super) fn page_address(config: &Config) -> Option<String> {
    let is_served = config.api.listen.is_some();
    config.api.url.clone().filter(|_| is_served)
}

/// The same without a service that runs: nothing is known of its health.
#[must_use]
pub fn standalone(config: &Config) -> Letter {
    letter(config, &OwnHealth::default())
}

fn label(config: &Config) -> String {
    format!("[{}]", config.surfaces.label)
}

/// What is wrong with labwatch itself. Sources have alerts of their own, and outside services are not labwatch.
fn problems(picture: &Picture, zone: &TimeZone) -> Vec<String> {
    let at = |time: Timestamp| spell_time_in(time, picture.at, zone);
    let components = picture.components.iter().filter(|one| is_own_problem(one));
    let components = components.map(|one| {
        let (name, detail) = (&one.name, one.finding.detail.trim_end_matches('.'));
        format!("{name}: {detail}, since {}", at(one.last_change))
    });
    let routes = picture.snapshot.routes.iter();
    let routes = routes.filter_map(|route| unreached(route, &at));
    components.chain(routes).collect()
}

fn is_own_problem(component: &Component) -> bool {
    let is_source = SourceName::ALL
        .iter()
        .any(|name| *component.name == *name.as_str());
    !is_source
        && !component.is_service()
        && matches!(component.state(), State::Warn | State::Stale | State::Error)
        && !component.finding.detail.is_empty()
}

/// A route that is not reached, in words.
fn unreached(route: &RouteView, at: &impl Fn(Timestamp) -> String) -> Option<String> {
    let fault = route.fault.as_ref()?;
    if route.failures < FAILURES_WORTH_SAYING && route.refused.is_none() {
        return None;
    }
    let since = route.waiting_since.or(route.refused);
    let since = since.map_or(String::new(), |since| format!(" since {}", at(since)));
    let words = fault.words(Visibility::MAINTAINER);
    Some(format!(
        "the {} of the route {} is not delivered{since}: {words}",
        route.channel.as_str(),
        route.name
    ))
}
