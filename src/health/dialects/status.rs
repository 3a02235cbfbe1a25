//! `/status` and `/status/{name}` in the form of Axway's agents: OK or FAIL of every component and
//! experiment.

use std::collections::BTreeMap;

use jiff::Timestamp;
use serde::Serialize;
use utoipa::ToSchema;

use super::answer::{Answer, Refused};
use crate::health::experiment;
use crate::health::snapshot::HealthSnapshot;
use crate::health::state::{Component, State, age};
use engine::ExperimentView;

/// The content type of `/status`.
const JSON_UTF8: &str = "application/json; charset=utf-8";

/// The status of labwatch, in the form of Axway's agents.
#[derive(Serialize, ToSchema)]
#[schema(as = AxwayStatus)]
pub(crate) struct OverallStatus<'a> {
    /// The name of the program, by which another instance is recognised.
    #[schema(example = "labwatch")]
    name: &'a str,
    /// Its version.
    #[schema(example = "0.1.0")]
    version: &'a str,
    /// `OK` or `FAIL`: the components decide.
    #[schema(pattern = "^(OK|FAIL)$", example = "OK")]
    status: &'static str,
    /// What is wrong, where something is.
    #[serde(skip_serializing_if = "String::is_empty")]
    #[schema(required = false)]
    details: String,
    /// Every component and every experiment, by its endpoint.
    #[serde(rename = "statusChecks")]
    checks: BTreeMap<String, Check<'a>>,
}

/// One check of the status.
#[derive(Serialize, ToSchema)]
#[schema(as = AxwayCheck)]
pub(crate) struct Check<'a> {
    /// The name of the component or experiment.
    #[schema(example = "book")]
    name: &'a str,
    /// The part of the path below `/status/` that requests this check alone.
    #[schema(example = "book")]
    endpoint: String,
    /// Its state.
    status: CheckStatus,
}

/// The result of a check.
#[derive(Serialize, ToSchema)]
#[schema(as = AxwayResult)]
pub(crate) struct CheckStatus {
    /// `OK` or `FAIL`.
    #[schema(pattern = "^(OK|FAIL)$", example = "OK")]
    result: &'static str,
    /// What is wrong, or more about it.
    #[serde(skip_serializing_if = "String::is_empty")]
    #[schema(required = false)]
    details: String,
    /// When it last changed.
    last_change: Timestamp,
    /// When there was last evidence of it; null before the first.
    #[schema(required)]
    last_update: Option<Timestamp>,
    /// How old that evidence is, in seconds.
    #[schema(required)]
    age: Option<i64>,
}

/// The whole status: the components decide, the experiments are listed.
///
/// # Errors
/// [`Refused::Unwritable`].
pub fn status(health: &HealthSnapshot) -> Result<Answer, Refused> {
    let (state, details) = health.overall();
    let mut checks: BTreeMap<String, Check<'_>> = BTreeMap::new();
    for view in health.snapshot.experiments.iter() {
        let name = view.stub.as_str();
        let endpoint = if health.component(name).is_some() {
            format!("experiment:{name}")
        } else {
            name.to_owned()
        };
        checks.insert(
            endpoint.clone(),
            Check {
                name,
                endpoint,
                status: of_experiment(view, health),
            },
        );
    }
    for component in &health.components {
        let endpoint = component.name.to_string();
        checks.insert(
            endpoint.clone(),
            Check {
                name: &component.name,
                endpoint,
                status: of_component(component, health),
            },
        );
    }
    let identity = &*health.identity;
    let whole = OverallStatus {
        name: identity.name,
        version: identity.version,
        status: as_str(state),
        details,
        checks,
    };
    marked(Answer::json(state.is_ok(), &whole))
}

/// One check, by the endpoint that `/status` reports.
///
/// # Errors
/// [`Refused::Unknown`]: there is no such check. [`Refused::Unwritable`].
pub fn status_of(health: &HealthSnapshot, endpoint: &str) -> Result<Answer, Refused> {
    if let Some(component) = health.component(endpoint) {
        return marked(Answer::json(
            component.state().is_ok(),
            &of_component(component, health),
        ));
    }
    let name = endpoint.strip_prefix("experiment:").unwrap_or(endpoint);
    let view = health
        .snapshot
        .experiment(name)
        .or_else(|| health.snapshot.experiment(endpoint));
    let view = view.ok_or_else(|| Refused::Unknown(format!("check {endpoint} was not found")))?;
    let is_ok = experiment::state(view, &health.snapshot, health.at).is_ok();
    marked(Answer::json(is_ok, &of_experiment(view, health)))
}

fn marked(answer: Result<Answer, Refused>) -> Result<Answer, Refused> {
    answer.map(|answer| Answer {
        content_type: Some(JSON_UTF8),
        ..answer
    })
}

fn of_component(component: &Component, health: &HealthSnapshot) -> CheckStatus {
    CheckStatus {
        result: as_str(component.state()),
        details: component.detail().to_owned(),
        last_change: component.last_change,
        last_update: component.last_update,
        age: component.age(health.at),
    }
}

fn of_experiment(view: &ExperimentView, health: &HealthSnapshot) -> CheckStatus {
    let last_update = experiment::last_update(view, &health.snapshot);
    CheckStatus {
        result: as_str(experiment::state(view, &health.snapshot, health.at)),
        details: experiment::output(view, &health.snapshot, health.at),
        last_change: view.since,
        last_update,
        age: last_update.map(|at| age(at, health.at)),
    }
}

fn as_str(state: State) -> &'static str {
    if state.is_ok() { "OK" } else { "FAIL" }
}
