//! `/liveness` and `/readiness` in the form of cn-infra's status check. In each answer `state` is
//! the worst of the parts in `PluginStatus` that are not in `NonFatalPlugins`.

use std::borrow::Cow;
use std::collections::BTreeMap;

use jiff::Timestamp;
use serde::Serialize;
use utoipa::ToSchema;

use super::Query;
use super::answer::{Answer, Refused};
use super::listing::{self, Experiments, Stream};
use super::shown::Shown;
use crate::health::snapshot::{HealthSnapshot, worst};
use crate::health::state::{Component, State};

/// The status of labwatch, in cn-infra's form. Times are seconds since 1970.
#[derive(Serialize, ToSchema)]
#[schema(as = AgentStatus)]
#[expect(clippy::struct_field_names, reason = "cn-infra's name")]
pub(crate) struct Status<'a> {
    /// The version of labwatch.
    #[schema(example = "0.1.0")]
    build_version: &'a str,
    /// When it was built, where the build said so.
    #[serde(skip_serializing_if = "Option::is_none")]
    build_date: Option<&'a str>,
    /// 0 init, 1 ok, 2 error: the worst of the parts that are not in `NonFatalPlugins`.
    #[schema(maximum = 2, example = 1)]
    state: u8,
    /// When the process started.
    #[schema(example = 1_795_218_976)]
    start_time: i64,
    /// When the state of a part or of an experiment last changed.
    #[schema(example = 1_795_218_980)]
    last_change: i64,
    /// When there was last evidence of anything.
    #[serde(skip_serializing_if = "Option::is_none")]
    last_update: Option<i64>,
    /// The streams of the experiments that are listed; of readiness alone.
    #[serde(skip_serializing_if = "Option::is_none")]
    interface_stats: Option<Interfaces<'a>>,
    /// The experiments; of readiness alone.
    #[serde(skip_serializing_if = "Option::is_none")]
    experiments: Option<Experiments<'a>>,
    /// The commit it was built from, where the build said so.
    #[serde(skip_serializing_if = "Option::is_none")]
    commit_hash: Option<&'a str>,
    /// Whether labwatch runs in shadow: it decides, but writes nothing to book. Of readiness alone.
    #[serde(skip_serializing_if = "Option::is_none")]
    shadow: Option<bool>,
    /// The parts that have reported at least once.
    plugins: Vec<Plugin<'a>>,
    /// All parts, by name.
    #[serde(rename = "PluginStatus")]
    plugin_status: BTreeMap<&'a str, PluginStatus<'a>>,
    /// The parts whose failure does not count here.
    #[serde(rename = "NonFatalPlugins")]
    #[schema(example = json!(["jump", "mail"]))]
    non_fatal: Vec<&'a str>,
}

/// The streams, in the place of network interfaces.
#[derive(Serialize, ToSchema)]
#[schema(as = AgentInterfaces)]
pub(crate) struct Interfaces<'a> {
    /// One for each stream.
    interfaces: Vec<Stream<'a>>,
}

/// A part that has reported.
#[derive(Serialize, ToSchema)]
#[schema(as = AgentPlugin)]
pub(crate) struct Plugin<'a> {
    /// Its name.
    #[schema(example = "book")]
    name: &'a str,
    /// 0 init, 1 ok, 2 error.
    #[schema(maximum = 2, example = 1)]
    state: u8,
    /// What is wrong, where it is in error.
    #[serde(skip_serializing_if = "Option::is_none")]
    error: Option<Cow<'a, str>>,
}

/// The state of a part.
#[derive(Serialize, ToSchema)]
#[schema(as = AgentPluginStatus)]
pub(crate) struct PluginStatus<'a> {
    /// 0 init, 1 ok, 2 error.
    #[schema(maximum = 2, example = 1)]
    state: u8,
    /// When its state last changed.
    #[schema(example = 1_795_218_980)]
    last_change: i64,
    /// When there was last evidence of it.
    #[serde(skip_serializing_if = "Option::is_none")]
    last_update: Option<i64>,
    /// How old that evidence is, in seconds.
    #[serde(skip_serializing_if = "Option::is_none")]
    age: Option<i64>,
    /// What is wrong, where it is in error.
    #[serde(skip_serializing_if = "Option::is_none")]
    error: Option<Cow<'a, str>>,
}

/// Whether the process must be restarted. It depends on the loop and the store, and on nothing of
/// the laboratory; *init* is alive.
///
/// # Errors
/// [`Refused::Unwritable`].
pub fn liveness(health: &HealthSnapshot) -> Result<Answer, Refused> {
    let (state, _) = worst(health.vital());
    Answer::json(
        state.is_ok() || state == State::Init,
        &Status::of(health, state, |component| health.is_vital(component)),
    )
}

/// Whether labwatch can do its work: everything fatal is ok, and the first evaluation is done.
///
/// # Errors
/// [`Refused::Unwritable`].
pub fn readiness(health: &HealthSnapshot, query: &Query) -> Result<Answer, Refused> {
    let (state, _) = health.overall();
    let listed = listing::listed(health, query);
    let mut status = Status::of(health, state, |component| health.is_fatal(component));
    status.interface_stats = Some(Interfaces {
        interfaces: listing::streams(&health.snapshot, &listed),
    });
    status.experiments = Some(Experiments::of(health, &listed));
    status.shadow = health.snapshot.is_shadow.then_some(true);
    Answer::json(state.is_ok(), &status)
}

impl<'a> Status<'a> {
    pub(super) fn of(
        health: &'a HealthSnapshot,
        state: State,
        counts: impl Fn(&Component) -> bool,
    ) -> Self {
        let identity = &*health.identity;
        let shown = || {
            let components = health.components.iter();
            components.map(|component| Shown::component(component, health))
        };
        Self {
            build_version: identity.version,
            build_date: identity.built,
            state: number(state),
            start_time: identity.started.as_second(),
            last_change: health.last_change().as_second(),
            last_update: health.last_update().map(Timestamp::as_second),
            interface_stats: None,
            experiments: None,
            commit_hash: identity.commit,
            shadow: None,
            plugins: shown()
                .filter(|one| one.last_update.is_some())
                .map(|one| Plugin {
                    name: one.name,
                    state: number(one.state),
                    error: error(one),
                })
                .collect(),
            plugin_status: shown().map(|one| (one.name, one.into())).collect(),
            non_fatal: health
                .components
                .iter()
                .filter(|one| !counts(one))
                .map(|one| &*one.name)
                .collect(),
        }
    }
}

impl<'a> From<Shown<'a>> for PluginStatus<'a> {
    fn from(shown: Shown<'a>) -> Self {
        Self {
            state: number(shown.state),
            last_change: shown.last_change.as_second(),
            last_update: shown.last_update.map(Timestamp::as_second),
            age: shown.age,
            error: error(shown),
        }
    }
}

/// The problem of a component that is in error; one that can be used has none.
fn error(shown: Shown<'_>) -> Option<Cow<'_, str>> {
    let is_wrong = matches!(shown.state, State::Stale | State::Error);
    Some(shown.detail).filter(|detail| is_wrong && !detail.is_empty())
}

/// 0 init, 1 ok, 2 error. It is always written, so that a missing value does not mean init.
pub(super) fn number(state: State) -> u8 {
    match state {
        State::Init => 0,
        State::Ok | State::Warn => 1,
        State::Stale | State::Error => 2,
    }
}
