//! Queries of the service's health that wait, or that concern one component.

use std::sync::Arc;
use std::time::Duration;

use tokio::time::timeout;

use super::acknowledgements::Acks;
use super::handle::HealthState;
use super::state::{Component, State};
use engine::model::SourceName;
use engine::{Snapshot, Subject, SuppressionEntry};

/// The longest time between two looks at whether everything is ready.
const READY_TICK: Duration = Duration::from_millis(500);

impl HealthState {
    /// The overall state, and the component that causes it; the same as in a new snapshot.
    pub fn overall(&self) -> (State, String) {
        self.snapshot().overall()
    }

    /// The status of a component; `None` when there is none of this name.
    pub fn status_of(&self, component: &str) -> Option<Component> {
        self.snapshot().component(component).cloned()
    }

    /// Waits until everything that is fatal is well.
    ///
    /// # Errors
    /// After `within`: the names of what is not well.
    pub async fn wait_until_ready(&self, within: Duration) -> Result<(), Vec<String>> {
        let ready = async {
            let mut changes = self.component_changes();
            while !self.not_ready().is_empty() {
                // What changes by time alone shows without a report.
                let _ = timeout(READY_TICK, changes.changed()).await;
            }
        };
        timeout(within, ready).await.map_err(|_| self.not_ready())
    }

    fn not_ready(&self) -> Vec<String> {
        let health = self.snapshot();
        let failing = health
            .fatal()
            .filter(|component| !component.state().is_ok());
        failing
            .map(|component| component.name.to_string())
            .collect()
    }

    /// The components, without the sources, whose acknowledgement lasts until they are well, and
    /// that are well or gone.
    pub fn acknowledged_and_well(&self, snapshot: &Arc<Snapshot>) -> Vec<String> {
        let is_source = |name: &str| SourceName::named(name).is_some();
        // An acknowledgement from a policy lasts as long as the policy has it.
        let is_of_policy = |name: &str| {
            let mut of_policy = snapshot.notes.iter().filter(|note| note.id.is_none());
            of_policy.any(|note| match &note.entry {
                SuppressionEntry::Acknowledgement(given) => {
                    matches!(&given.subject, Subject::Component(known) if known == name)
                }
                SuppressionEntry::Silence(_) | SuppressionEntry::Maintenance(_) => false,
            })
        };
        let mut open: Vec<String> = Acks::of(snapshot)
            .components
            .into_iter()
            .filter(|(name, ack)| ack.until.is_none() && !is_source(name) && !is_of_policy(name))
            .map(|(name, _)| name)
            .collect();
        if open.is_empty() {
            return open;
        }
        let health = self.snapshot_of(Arc::clone(snapshot));
        open.retain(|name| {
            health
                .component(name)
                .is_none_or(|component| component.state() == State::Ok)
        });
        open
    }
}
