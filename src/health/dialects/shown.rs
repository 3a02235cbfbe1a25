//! A component or an experiment as all dialects show it; each has its own words for the state.

use std::borrow::Cow;

use jiff::Timestamp;

use crate::health::experiment;
use crate::health::snapshot::HealthSnapshot;
use crate::health::state::{Component, State, age};
use engine::ExperimentView;

pub(super) struct Shown<'a> {
    pub(super) name: &'a str,
    pub(super) state: State,
    /// What is wrong, of an experiment behind its streams; may be empty.
    pub(super) detail: Cow<'a, str>,
    pub(super) last_change: Timestamp,
    /// When there was last evidence; `None` when there was none yet.
    pub(super) last_update: Option<Timestamp>,
    /// How old that evidence is, in seconds.
    pub(super) age: Option<i64>,
}

impl<'a> Shown<'a> {
    pub(super) fn component(component: &'a Component, health: &HealthSnapshot) -> Self {
        Self {
            name: &component.name,
            state: component.state(),
            detail: component.detail().into(),
            last_change: component.last_change,
            last_update: component.last_update,
            age: component.age(health.at),
        }
    }

    pub(super) fn experiment(view: &'a ExperimentView, health: &HealthSnapshot) -> Self {
        let (snapshot, now) = (&*health.snapshot, health.at);
        let last_update = experiment::last_update(view, snapshot);
        Self {
            name: view.stub.as_str(),
            state: experiment::state(view, snapshot, now),
            detail: experiment::output(view, snapshot, now).into(),
            last_change: view.since,
            last_update,
            age: last_update.map(|at| age(at, now)),
        }
    }
}
