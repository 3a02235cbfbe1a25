//! A member of a category, as it counts there: an experiment, a part of labwatch, or an outside
//! service.

use jiff::Timestamp;

use super::acknowledgements::Ack;
use super::experiment;
use super::settings::Settings;
use super::snapshot::HealthSnapshot;
use super::state::{Component, State};
use engine::model::Bookable;
use engine::{ExperimentView, matches, stem};

#[derive(Debug, Clone)]
pub struct CategoryMember<'a> {
    pub name: &'a str,
    pub what: What<'a>,
    pub state: State,
    /// The group whose members can replace it: a pool of experiments, or the instances of a
    /// service. A part of labwatch is a group of its own.
    pub group: &'a str,
    /// How many of its group are enough, unless its category sets that.
    pub enough: usize,
    /// Whether it counts for or against the category: what is away on purpose and what is not fatal
    /// do not.
    pub counts: bool,
    /// The severity that its failure has or would have: 1 critical, 2 warning, 3 remark.
    pub severity: u8,
    /// Its acknowledgement, unless it has expired.
    pub ack: Option<&'a Ack>,
}

/// What a member is.
#[derive(Debug, Clone, Copy)]
pub enum What<'a> {
    /// An experiment.
    Experiment(&'a ExperimentView),
    /// A component.
    Component(&'a Component),
}

impl CategoryMember<'_> {
    /// Whether it is a component.
    pub fn is_component(&self) -> bool {
        matches!(self.what, What::Component(_))
    }

    /// Whether it is an outside service, which counts in its own categories alone.
    pub fn is_service(&self) -> bool {
        matches!(self.what, What::Component(component) if component.is_service())
    }

    /// Its group, distinguished from groups of the same name that other kinds form.
    pub(super) fn group_key(&self) -> (bool, &str) {
        (self.is_component(), self.group)
    }
}

pub(super) fn of_component<'a>(
    component: &'a Component,
    health: &'a HealthSnapshot,
) -> CategoryMember<'a> {
    let is_service = component.is_service();
    let is_fatal = is_service || health.settings.is_fatal(&component.name);
    CategoryMember {
        name: &component.name,
        what: What::Component(component),
        state: component.state(),
        group: if is_service {
            stem(&component.name)
        } else {
            &component.name
        },
        enough: 1,
        counts: is_fatal,
        severity: if is_fatal { 2 } else { 3 },
        ack: health.acks.component(&component.name, health.at),
    }
}

pub(super) fn of_experiment<'a>(
    view: &'a ExperimentView,
    health: &'a HealthSnapshot,
) -> CategoryMember<'a> {
    let name = view.stub.as_str();
    let state = experiment::state(view, &health.snapshot, health.at);
    let (group, enough) = group_of(name, &health.settings);
    CategoryMember {
        name,
        what: What::Experiment(view),
        state,
        group,
        enough,
        counts: !is_away(view, health),
        severity: if state == State::Warn { 3 } else { 2 },
        ack: health.acks.experiment(name, health.at),
    }
}

/// Whether a person has taken it out of service: held in book, or in a maintenance window.
pub(super) fn is_away(view: &ExperimentView, health: &HealthSnapshot) -> bool {
    view.bookable() == Some(Bookable::Held) || health.acks.away.contains(view.stub.as_str())
}

/// The configured group of an experiment, or the stem of its name; and how many of the group are
/// enough.
fn group_of<'a>(name: &'a str, settings: &'a Settings) -> (&'a str, usize) {
    let configured = settings
        .pools
        .iter()
        .find(|pool| pool.members.iter().any(|pattern| matches(pattern, name)));
    configured.map_or_else(|| (stem(name), 1), |pool| (&pool.name, pool.min_healthy))
}

/// When there was last evidence of a member.
pub(super) fn last_update(
    member: &CategoryMember<'_>,
    health: &HealthSnapshot,
) -> Option<Timestamp> {
    match member.what {
        What::Experiment(view) => experiment::last_update(view, &health.snapshot),
        What::Component(component) => component.last_update,
    }
}
