//! What experiments belong to: pools, bookings, holds and categories.

pub(crate) mod booking_history;
pub(crate) mod bookings;
pub(crate) mod category;
pub(crate) mod holds;
pub(crate) mod pool;

use std::collections::BTreeMap;
use std::sync::Arc;

use crate::model::{Moment, Stub};
use crate::protocol::{ComponentHealth, Record, Step, Timetable};
use crate::switching::availability::Resources;
use booking_history::BookingHistory;
use bookings::Calendar;
use category::Categories;
use holds::ManualHolds;
use pool::{PoolRule, Pools};

/// A component whose health the engine receives as input.
#[derive(Debug, Clone)]
pub(crate) struct KnownComponent {
    pub(crate) health: ComponentHealth,
    /// Since when it has its problem; where it has none, since its latest report.
    pub(crate) since: Moment,
}

/// Pools, bookings, holds and categories.
#[derive(Debug, Clone, Default)]
pub(crate) struct Groups {
    pub(crate) calendar: Arc<Calendar>,
    pub(crate) booking_history: BookingHistory,
    pub(crate) pool_rules: Vec<PoolRule>,
    pub(crate) pools: Arc<Pools>,
    /// The pools in the history.
    pub(crate) pools_kept: BTreeMap<String, Vec<Stub>>,
    pub(crate) holds: ManualHolds,
    pub(crate) categories: Categories,
    /// The components whose health the engine receives as input.
    pub(crate) components: BTreeMap<Arc<str>, KnownComponent>,
    /// Whether the start is over, so that a category may be closed.
    pub(crate) has_started: bool,
}

impl Groups {
    /// Applies a component's health. The same problem in other words is no new problem.
    pub(crate) fn component(&mut self, health: ComponentHealth, now: Moment) {
        let was = self.components.get(&health.name);
        let since = was
            .filter(|was| was.health.problem.is_some() && health.problem.is_some())
            .map_or(now, |was| was.since);
        let known = KnownComponent { health, since };
        self.components
            .insert(Arc::clone(&known.health.name), known);
        self.categories.mark_dirty();
    }

    /// Removes a component that is no longer watched.
    pub(crate) fn component_gone(&mut self, name: &str) {
        self.components.remove(name);
        self.categories.mark_dirty();
    }

    /// Applies what book says about bookings and pools.
    pub(crate) fn read(&mut self, timetable: &Timetable, resources: &Resources) {
        self.pools = Arc::new(Pools::of(timetable, &self.pool_rules, |resource| {
            resources.stub(resource).cloned()
        }));
        self.calendar = Arc::new(Calendar::of(timetable));
    }

    /// Records what a timetable changes for the history.
    pub(crate) fn record(
        &mut self,
        timetable: &Timetable,
        resources: &Resources,
        now: Moment,
        step: &mut Step,
    ) {
        if let Some(read) = timetable.bookings_read {
            let changes = self.booking_history.compare(
                &timetable.bookings,
                read,
                |resource| resources.stub(resource),
                now.wall(),
            );
            if !changes.is_empty() {
                step.record(Record::Bookings(changes));
            }
        }
        let pools: BTreeMap<String, Vec<Stub>> = self
            .pools
            .iter()
            .map(|pool| (pool.name.clone(), pool.members().cloned().collect()))
            .collect();
        if pools != self.pools_kept {
            self.pools_kept.clone_from(&pools);
            step.record(Record::Pools(pools));
        }
    }

    /// When a category may be closed although nothing changes.
    pub(crate) fn deadline(&self) -> Option<Moment> {
        self.categories.deadline().filter(|_| self.has_started)
    }
}
