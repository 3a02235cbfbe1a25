//! `/status` and `/status/{name}` in the form of Axway's agents: OK or FAIL of every component and
//! experiment.

use std::collections::BTreeMap;

use jiff::Timestamp;
use serde::Serialize;
use utoipa::ToSchema;

use super::answer::{Answer, Refused};
use super::shown::Shown;
use crate::health::snapshot::HealthSnapshot;
use crate::health::state::State;

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

impl<'a> Check<'a> {
    fn of(endpoint: String, shown: Shown<'a>) -> Self {
        Self {
            name: shown.name,
            endpoint,
            status: shown.into(),
        }
    }
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
    let experiments = health.snapshot.experiments.iter().map(|view| {
        let shown = Shown::experiment(view, health);
        let is_taken = health.component(shown.name).is_some();
        let kind = if is_taken { "experiment:" } else { "" };
        (format!("{kind}{}", shown.name), shown)
    });
    let components = health.components.iter();
    let components = components.map(|one| (one.name.to_string(), Shown::component(one, health)));
    let identity = &*health.identity;
    let whole = OverallStatus {
        name: identity.name,
        version: identity.version,
        status: as_str(state),
        details,
        checks: experiments
            .chain(components)
            .map(|(endpoint, shown)| (endpoint.clone(), Check::of(endpoint, shown)))
            .collect(),
    };
    marked(Answer::json(state.is_ok(), &whole))
}

/// One check, by the endpoint that `/status` reports.
///
/// # Errors
/// [`Refused::Unknown`]: there is no such check. [`Refused::Unwritable`].
pub fn status_of(health: &HealthSnapshot, endpoint: &str) -> Result<Answer, Refused> {
    let shown = if let Some(component) = health.component(endpoint) {
        Some(Shown::component(component, health))
    } else {
        let name = endpoint.strip_prefix("experiment:").unwrap_or(endpoint);
        let view = health.snapshot.experiment(name);
        let view = view.or_else(|| health.snapshot.experiment(endpoint));
        view.map(|view| Shown::experiment(view, health))
    };
    let shown = shown.ok_or_else(|| Refused::Unknown(format!("check {endpoint} was not found")))?;
    marked(Answer::json(shown.state.is_ok(), &CheckStatus::from(shown)))
}

fn marked(answer: Result<Answer, Refused>) -> Result<Answer, Refused> {
    answer.map(|answer| Answer {
        content_type: Some(JSON_UTF8),
        ..answer
    })
}

impl From<Shown<'_>> for CheckStatus {
    fn from(shown: Shown<'_>) -> Self {
        Self {
            result: as_str(shown.state),
            details: shown.detail.into_owned(),
            last_change: shown.last_change,
            last_update: shown.last_update,
            age: shown.age,
        }
    }
}

fn as_str(state: State) -> &'static str {
    if state.is_ok() { "OK" } else { "FAIL" }
}
