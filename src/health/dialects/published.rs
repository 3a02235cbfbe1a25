//! The status as it is published in a store of keys: the values of cn-infra's status check, by the same forms as `/readiness`.

use std::hash::{DefaultHasher, Hash, Hasher};

use super::answer::Refused;
use super::probes::{self, PluginStatus, Status};
use crate::health::experiment;
use crate::health::snapshot::Picture;
use engine::ExperimentView;

/// What a value is about. Its name follows in the key.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub enum Published<'a> {
    /// labwatch as a whole.
    Agent,
    /// A component.
    Plugin(&'a str),
    /// An experiment.
    Experiment(&'a str),
}

/// Every value: what it is about, a mark that changes when it says something else than before (and not with the age of its evidence
/// alone), and it in JSON.
///
/// # Errors
/// [`Refused::Unwritable`].
pub fn published(picture: &Picture) -> Result<Vec<(Published<'_>, u64, Vec<u8>)>, Refused> {
    let mut values = vec![agent(picture)?];
    for component in &picture.components {
        let form = probes::part(component, picture.at);
        let mark = mark(&(component.state().as_str(), component.last_change));
        values.push((Published::Plugin(&component.name), mark, json(&form)?));
    }
    for view in picture.snapshot.experiments.iter() {
        values.push(of_experiment(view, picture)?);
    }
    Ok(values)
}

fn agent(picture: &Picture) -> Result<(Published<'_>, u64, Vec<u8>), Refused> {
    let (state, _) = picture.overall();
    let states: Vec<_> = picture
        .components
        .iter()
        .map(|one| (&*one.name, one.state().as_str(), one.last_change))
        .collect();
    let form = Status::of(picture, state, |component| picture.is_fatal(component));
    Ok((
        Published::Agent,
        mark(&(state.as_str(), states)),
        json(&form)?,
    ))
}

fn of_experiment<'a>(
    view: &'a ExperimentView,
    picture: &'a Picture,
) -> Result<(Published<'a>, u64, Vec<u8>), Refused> {
    let (snapshot, now) = (&*picture.snapshot, picture.at);
    let state = experiment::state(view, snapshot, now);
    let detail = experiment::detail(view, snapshot, now);
    let issues: Vec<String> = view.issues.iter().map(ToString::to_string).collect();
    let mark = mark(&(state.as_str(), view.since, issues));
    let last_update = experiment::last_update(view, snapshot);
    let detail = Some(&*detail).filter(|detail| !detail.is_empty());
    let form = PluginStatus::of_experiment(state, view.since, last_update, now, detail);
    Ok((
        Published::Experiment(view.stub.as_str()),
        mark,
        json(&form)?,
    ))
}

fn json(form: &impl serde::Serialize) -> Result<Vec<u8>, Refused> {
    serde_json::to_vec(form).map_err(|error| Refused::Unwritable(error.to_string()))
}

fn mark(of: &impl Hash) -> u64 {
    let mut hasher = DefaultHasher::new();
    of.hash(&mut hasher);
    hasher.finish()
}
