//! The status as it is published in a key-value store: the values of cn-infra's status check, in
//! the same form as `/readiness`.

use std::hash::{DefaultHasher, Hash, Hasher};

use serde::Serialize;

use super::answer::Refused;
use super::probes::{PluginStatus, Status};
use super::shown::Shown;
use crate::health::experiment;
use crate::health::snapshot::HealthSnapshot;
use engine::ExperimentView;

/// The subject of a value. Its name follows in the key.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub enum Published<'a> {
    /// labwatch as a whole.
    Agent,
    /// A component.
    Plugin(&'a str),
    /// An experiment.
    Experiment(&'a str),
}

/// A value to publish: its subject, a hash that changes with its content (but not with the age of
/// its evidence alone), and its JSON if requested.
pub type Value<'a> = (Published<'a>, u64, Option<Vec<u8>>);

/// All values to publish.
///
/// # Errors
/// [`Refused::Unwritable`].
pub fn published(
    health: &HealthSnapshot,
    is_wanted: impl Fn(Published<'_>, u64) -> bool,
) -> Result<Vec<Value<'_>>, Refused> {
    let mut values = vec![agent(health, &is_wanted)?];
    for component in &health.components {
        let about = Published::Plugin(&component.name);
        let mark = mark(&(component.state().as_str(), component.last_change));
        let form = || PluginStatus::from(Shown::component(component, health));
        values.push(value((about, mark), &is_wanted, form)?);
    }
    for view in health.snapshot.experiments.iter() {
        values.push(of_experiment(view, health, &is_wanted)?);
    }
    Ok(values)
}

fn agent(
    health: &HealthSnapshot,
    is_wanted: impl Fn(Published<'_>, u64) -> bool,
) -> Result<Value<'_>, Refused> {
    let (state, _) = health.overall();
    let components = health.components.iter();
    let states: Vec<_> = components
        .map(|one| (&*one.name, one.state().as_str(), one.last_change))
        .collect();
    let mark = mark(&(state.as_str(), states));
    let form = || Status::of(health, state, |component| health.is_fatal(component));
    value((Published::Agent, mark), is_wanted, form)
}

fn of_experiment<'a>(
    view: &'a ExperimentView,
    health: &'a HealthSnapshot,
    is_wanted: impl Fn(Published<'_>, u64) -> bool,
) -> Result<Value<'a>, Refused> {
    let (snapshot, now) = (&*health.snapshot, health.at);
    let about = Published::Experiment(view.stub.as_str());
    let state = experiment::state(view, snapshot, now);
    let issues: Vec<String> = view.issues.iter().map(ToString::to_string).collect();
    let mark = mark(&(state.as_str(), view.since, issues));
    let form = || {
        PluginStatus::from(Shown {
            detail: experiment::detail(view, snapshot, now).into(),
            ..Shown::experiment(view, health)
        })
    };
    value((about, mark), is_wanted, form)
}

/// What is published of a thing, with its form where that is wanted.
fn value<F: Serialize>(
    (about, mark): (Published<'_>, u64),
    is_wanted: impl Fn(Published<'_>, u64) -> bool,
    form: impl FnOnce() -> F,
) -> Result<Value<'_>, Refused> {
    let json = || serde_json::to_vec(&form());
    let json = is_wanted(about, mark).then(json).transpose();
    let json = json.map_err(|error| Refused::Unwritable(error.to_string()))?;
    Ok((about, mark, json))
}

fn mark(of: &impl Hash) -> u64 {
    let mut hasher = DefaultHasher::new();
    of.hash(&mut hasher);
    hasher.finish()
}
