//! The snapshot that all views are rendered from. Taking it copies a few components and clones some
//! reference counts; it never visits an experiment.

use std::sync::Arc;

use jiff::Timestamp;

use super::Switched;
use super::acknowledgements::Acks;
use super::passive_checks::SelfTests;
use super::settings::{Identity, Settings};
use super::state::{Component, State};
use engine::Snapshot;

/// The component for the main loop.
pub const SELF: &str = "self";

/// The component for the store: whether state and history are written.
pub const STORE: &str = "store";

/// The component for the start and the end of the service.
pub const STARTUP: &str = "runtime_startup";

/// The components on which liveness depends: nothing of the laboratory is among them.
pub const LIVENESS: [&str; 2] = [SELF, STORE];

/// The state of everything at one moment.
#[derive(Debug, Clone)]
pub struct HealthSnapshot {
    /// When it was taken.
    pub at: Timestamp,
    pub settings: Arc<Settings>,
    pub identity: Arc<Identity>,
    /// All components, sorted by name.
    pub components: Vec<Component>,
    /// The experiments and the sources.
    pub snapshot: Arc<Snapshot>,
    /// Categories that were closed or opened.
    pub switched: Arc<Switched>,
    pub acks: Arc<Acks>,
    /// The results of the experiments' self-tests.
    pub self_tests: Arc<SelfTests>,
    /// Whether everything was checked for this snapshot, instead of being read from the last
    /// results.
    pub is_fresh: bool,
}

impl HealthSnapshot {
    /// The component of this name.
    pub fn component(&self, name: &str) -> Option<&Component> {
        self.components
            .iter()
            .find(|component| &*component.name == name)
    }

    /// Whether a component's failure makes the whole fail: a part of labwatch that is not listed as
    /// non-fatal. Outside services count in their categories alone.
    pub fn is_fatal(&self, component: &Component) -> bool {
        !component.is_service() && self.settings.is_fatal(&component.name)
    }

    /// The components whose failure makes the whole fail.
    pub fn fatal(&self) -> impl Iterator<Item = &Component> {
        self.components
            .iter()
            .filter(|component| self.is_fatal(component))
    }

    /// Whether liveness depends on a component as it is now: not on a fault that a restart would
    /// not repair.
    pub fn is_vital(&self, component: &Component) -> bool {
        LIVENESS.contains(&&*component.name)
            && self.is_fatal(component)
            && !component.finding.is_external
    }

    /// The components on which liveness depends.
    pub fn vital(&self) -> impl Iterator<Item = &Component> {
        self.components
            .iter()
            .filter(|component| self.is_vital(component))
    }

    /// The overall state: the worst of what is fatal, and the component that has it, the first by
    /// name of several.
    pub fn overall(&self) -> (State, String) {
        worst(self.fatal())
    }

    /// Whether the service has started and is not about to end.
    pub fn has_started(&self) -> bool {
        self.component(STARTUP)
            .is_none_or(|startup| startup.state().is_ok())
    }

    /// When any component last changed.
    pub fn last_change(&self) -> Timestamp {
        self.components
            .iter()
            .map(|component| component.last_change)
            .max()
            .unwrap_or(self.identity.started)
    }

    /// When there was last evidence of any component.
    pub fn last_update(&self) -> Option<Timestamp> {
        self.components
            .iter()
            .filter_map(|component| component.last_update)
            .max()
    }
}

/// The worst state and the component that has it. Without components it is ok.
pub fn worst<'a>(components: impl Iterator<Item = &'a Component>) -> (State, String) {
    let worst = components.min_by(|a, b| (b.state(), &a.name).cmp(&(a.state(), &b.name)));
    match worst {
        None => (State::Ok, String::new()),
        Some(one) if one.detail().is_empty() => (one.state(), String::new()),
        Some(one) => (one.state(), format!("{}: {}", one.name, one.detail())),
    }
}
