//! `/status` and `/status/{name}`, as Axway's agents tell them: OK or FAIL of every component and experiment.

use std::collections::BTreeMap;

use jiff::Timestamp;
use serde::Serialize;

use super::{Answer, Refused};
use crate::engine::ExperimentView;
use crate::health::experiment;
use crate::health::picture::Picture;
use crate::health::state::{Component, State, age};

/// What `/status` is marked as.
const JSON_UTF8: &str = "application/json; charset=utf-8";

#[derive(Serialize)]
struct Whole<'a> {
    name: &'a str,
    version: &'a str,
    status: &'static str,
    #[serde(skip_serializing_if = "String::is_empty")]
    details: String,
    #[serde(rename = "statusChecks")]
    checks: BTreeMap<String, Check<'a>>,
}

#[derive(Serialize)]
struct Check<'a> {
    name: &'a str,
    endpoint: String,
    status: CheckStatus,
}

#[derive(Serialize)]
struct CheckStatus {
    result: &'static str,
    #[serde(skip_serializing_if = "String::is_empty")]
    details: String,
    last_change: Timestamp,
    last_update: Option<Timestamp>,
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
        let endpoint = if picture.component(name).is_some() { format!("experiment:{name}") } else { name.to_owned() };
        checks.insert(endpoint.clone(), Check { name, endpoint, status: of_experiment(view, picture) });
    }
    for component in &picture.components {
        let endpoint = component.name.to_string();
        checks.insert(endpoint.clone(), Check { name: &component.name, endpoint, status: of_component(component, picture) });
    }
    let identity = &*picture.identity;
    let whole = Whole { name: identity.name, version: identity.version, status: word(state), details, checks };
    marked(Answer::json(state.is_ok(), &whole))
}

/// One check, by the endpoint that `/status` gives it.
///
/// # Errors
/// [`Refused::Unknown`]: there is no such check. [`Refused::Unwritable`].
pub fn status_of(picture: &Picture, endpoint: &str) -> Result<Answer, Refused> {
    if let Some(component) = picture.component(endpoint) {
        return marked(Answer::json(component.state().is_ok(), &of_component(component, picture)));
    }
    let name = endpoint.strip_prefix("experiment:").unwrap_or(endpoint);
    let view = picture.snapshot.experiment(name).or_else(|| picture.snapshot.experiment(endpoint));
    let view = view.ok_or_else(|| Refused::Unknown(format!("check {endpoint} was not found")))?;
    let is_ok = experiment::state(view, &picture.snapshot, picture.at).is_ok();
    marked(Answer::json(is_ok, &of_experiment(view, picture)))
}

fn marked(answer: Result<Answer, Refused>) -> Result<Answer, Refused> {
    answer.map(|answer| Answer { content_type: Some(JSON_UTF8), ..answer })
}

fn of_component(component: &Component, picture: &Picture) -> CheckStatus {
    CheckStatus {
        result: word(component.state()),
        details: component.detail().to_owned(),
        last_change: component.last_change,
        last_update: component.last_update,
        age: component.age(picture.at),
    }
}

fn of_experiment(view: &ExperimentView, picture: &Picture) -> CheckStatus {
    let last_update = experiment::last_update(view, &picture.snapshot);
    CheckStatus {
        result: word(experiment::state(view, &picture.snapshot, picture.at)),
        details: experiment::output(view, &picture.snapshot, picture.at),
        last_change: view.since,
        last_update,
        age: last_update.map(|at| age(at, picture.at)),
    }
}

fn word(state: State) -> &'static str {
    if state.is_ok() { "OK" } else { "FAIL" }
}
