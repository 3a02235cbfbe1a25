//! The status as it is published in a key-value store: the values of cn-infra's status check, in
//! the same form as `/readiness`.

use std::hash::{DefaultHasher, Hash, Hasher};

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
        let (state, about) = (component.state(), Published::Plugin(&component.name));
        let mark = mark(&(state.as_str(), component.last_change));
        let form = || json(&PluginStatus::from(Shown::component(component, health)));
        let value = is_wanted(about, mark).then(form).transpose()?;
        values.push((about, mark, value));
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
    let states: Vec<_> = health
        .components
        .iter()
        .map(|one| (&*one.name, one.state().as_str(), one.last_change))
        .collect();
    let mark = mark(&(state.as_str(), states));
    let form = || {
        json(&Status::of(health, state, |component| {
            health.is_fatal(component)
        }))
    };
    let value = is_wanted(Published::Agent, mark).then(form).transpose()?;
    Ok((Published::Agent, mark, value))
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
        json(&PluginStatus::from(Shown {
            detail: experiment::detail(view, snapshot, now).into(),
            ..Shown::experiment(view, health)
        }))
    };
    let value = is_wanted(about, mark).then(form).transpose()?;
    Ok((about, mark, value))
}

fn json(form: &impl serde::Serialize) -> Result<Vec<u8>, Refused> {
    serde_json::to_vec(form).map_err(|error| Refused::Unwritable(error.to_string()))
}

fn mark(of: &impl Hash) -> u64 {
    let mut hasher = DefaultHasher::new();
    of.hash(&mut hasher);
    hasher.finish()
}
