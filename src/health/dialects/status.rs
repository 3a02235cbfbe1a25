//! `/status` and `/status/{name}`, as Axway's agents tell them: OK or FAIL of every component and
//! experiment.

use std::collections::BTreeMap;

use jiff::Timestamp;
use serde::Serialize;
use utoipa::ToSchema;

use super::answer::{Answer, Refused};
use crate::health::experiment;
use crate::health::snapshot::Picture;
use crate::health::state::{Component, State, age};
use engine::ExperimentView;

/// What `/status` is marked as.
const JSON_UTF8: &str = "application/json; charset=utf-8";

/// The status of labwatch, in the form of Axway's agents.
#[derive(Serialize, ToSchema)]
#[schema(as = AxwayStatus)]
pub(crate) struct Whole<'a> {
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
    /// What to ask for below `/status/` to get this check alone.
    #[schema(example = "book")]
    endpoint: String,
    /// How it is.
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

/// The whole picture: the components decide, the experiments are shown.
///
/// # Errors
/// [`Refused::Unwritable`].
pub fn status(picture: &Picture) -> Result<Answer, Refused> {
    let (state, details) = picture.overall();
    let mut checks: BTreeMap<String, Check<'_>> = BTreeMap::new();
    for view in picture.snapshot.experiments.iter() {
        let name = view.stub.as_str();
        let endpoint = if picture.component(name).is_some() {
            format!("experiment:{name}")
        } else {
            name.to_owned()
        };
        checks.insert(
            endpoint.clone(),
            Check {
                name,
                endpoint,
                status: of_experiment(view, picture),
            },
        );
    }
    for component in &picture.components {
        let endpoint = component.name.to_string();
        checks.insert(
            endpoint.clone(),
            Check {
                name: &component.name,
                endpoint,
                status: of_component(component, picture),
            },
        );
    }
    let identity = &*picture.identity;
    let whole = Whole {
        name: identity.name,
        version: identity.version,
        status: as_str(state),
        details,
        checks,
    };
    marked(Answer::json(state.is_ok(), &whole))
}

/// One check, by the endpoint that `/status` gives it.
///
/// # Errors
/// [`Refused::Unknown`]: there is no such check. [`Refused::Unwritable`].
pub fn status_of(picture: &Picture, endpoint: &str) -> Result<Answer, Refused> {
    if let Some(component) = picture.component(endpoint) {
        return marked(Answer::json(
            component.state().is_ok(),
            &of_component(component, picture),
        ));
    }
    let name = endpoint.strip_prefix("experiment:").unwrap_or(endpoint);
    let view = picture
        .snapshot
        .experiment(name)
        .or_else(|| picture.snapshot.experiment(endpoint));
    let view = view.ok_or_else(|| Refused::Unknown(format!("check {endpoint} was not found")))?;
    let is_ok = experiment::state(view, &picture.snapshot, picture.at).is_ok();
    marked(Answer::json(is_ok, &of_experiment(view, picture)))
}

fn marked(answer: Result<Answer, Refused>) -> Result<Answer, Refused> {
    answer.map(|answer| Answer {
        content_type: Some(JSON_UTF8),
        ..answer
    })
}

fn of_component(component: &Component, picture: &Picture) -> CheckStatus {
    CheckStatus {
        result: as_str(component.state()),
        details: component.detail().to_owned(),
        last_change: component.last_change,
        last_update: component.last_update,
        age: component.age(picture.at),
    }
}

fn of_experiment(view: &ExperimentView, picture: &Picture) -> CheckStatus {
    let last_update = experiment::last_update(view, &picture.snapshot);
    CheckStatus {
        result: as_str(experiment::state(view, &picture.snapshot, picture.at)),
        details: experiment::output(view, &picture.snapshot, picture.at),
        last_change: view.since,
        last_update,
        age: last_update.map(|at| age(at, picture.at)),
    }
}

fn as_str(state: State) -> &'static str {
    if state.is_ok() { "OK" } else { "FAIL" }
}
