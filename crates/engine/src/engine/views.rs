//! The views of experiments, pools, holds and causes for readers: changed parts are rebuilt, the
//! rest is shared.

use std::collections::BTreeSet;
use std::sync::Arc;

use jiff::Timestamp;

use super::derived::{DerivedViews, is_bad, take_due};
use crate::experiments::experiment::view::DerivedView;
use crate::experiments::experiment::{EvaluationContext, Experiment};
use crate::experiments::fleet::{Fleet, Id};
use crate::groups::Groups;
use crate::groups::pool::Pool;
use crate::model::pattern::stem;
use crate::model::{Bookable, Health, ResourceName, Stub};
use crate::notifications::route::Route;
use crate::protocol::{Counts, ExperimentView, PageView, PoolView};
use crate::suppressions::{SuppressionKind, SuppressionLookup, Suppressions};
use crate::switching::availability::Resources;

/// The views, and the version at which they last changed.
#[derive(Debug, Clone, Default)]
pub(crate) struct Views {
    /// Grows with every step.
    pub(crate) version: u64,
    /// The version at which the views last changed.
    pub(crate) changed: u64,
    /// All experiments, sorted by stub.
    pub(crate) experiments: Arc<Vec<Arc<ExperimentView>>>,
    pub(crate) counts: Counts,
    /// The pages that students open.
    pub(crate) pages: Arc<Vec<PageView>>,
    pub(crate) derived: DerivedViews,
}

/// What the views are built from, besides the experiments.
pub(super) struct ViewContext<'a> {
    pub(super) now: Timestamp,
    pub(super) evaluation: EvaluationContext,
    pub(super) resources: &'a Resources,
    pub(super) groups: &'a Groups,
    pub(super) suppressions: &'a Suppressions,
}

impl Views {
    /// Updates the views for all changes and for the time.
    pub(super) fn refresh(&mut self, fleet: &mut Fleet, context: &ViewContext<'_>) {
        for id in take_due(&mut self.derived.agenda, context.now) {
            fleet.mark_dirty(id);
        }
        // An experiment's advice depends on its neighbours, which the first pass may change, so
        // some views are built twice.
        for _ in 0..2 {
            if fleet.is_touched() {
                self.refresh_touched(fleet, context);
            }
        }
        self.refresh_pools(fleet, context);
        self.refresh_holds(fleet, context);
        self.refresh_causes(fleet);
    }

    /// How many of the experiments that a route covers are in which state.
    pub(crate) fn counts_of(&self, route: &Route) -> Counts {
        if route.covers_all() {
            self.counts
        } else {
            let views = self.experiments.iter();
            count(views.filter(|view| route.covers(&view.stub)))
        }
    }

    fn refresh_touched(&mut self, fleet: &mut Fleet, context: &ViewContext<'_>) {
        let now = context.now;
        let (mut views, touched, mut turns) = (
            std::mem::take(&mut self.experiments),
            fleet.take_touched(),
            Vec::new(),
        );
        let lookup = context.suppressions.lookup(fleet, now);
        let changes = fleet.refresh_views(&mut views, touched, |id, experiment| {
            let next = context
                .groups
                .calendar
                .next_change(&experiment.resources, now);
            turns.extend(next.map(|at| (at, id)));
            let resources = experiment.resources.iter();
            let resources = resources.map(|name| context.resources.view(name)).collect();
            let derived = self.derived_view(experiment, lookup, context);
            experiment.view(resources, derived, &context.evaluation)
        });
        self.experiments = views;
        self.derived.agenda.extend(turns);
        if changes.is_empty() {
            return;
        }
        self.changed = self.version;
        self.counts = count(self.experiments.iter());
        let stems = changes
            .iter()
            .filter_map(|change| self.derived.note(change));
        for changed in stems.collect::<BTreeSet<&str>>() {
            let is_near = |near: &Experiment| stem(near.stub.as_str()) == changed && is_bad(near);
            let near = fleet
                .starting_with(changed)
                .filter(|(_, near)| is_near(near));
            let advised: Vec<Id> = near.map(|(id, _)| id).collect();
            for id in advised {
                fleet.mark_dirty(id);
            }
        }
    }

    fn derived_view(
        &self,
        experiment: &Experiment,
        lookup: SuppressionLookup<'_>,
        context: &ViewContext<'_>,
    ) -> DerivedView {
        let (derived, calendar) = (&self.derived, &context.groups.calendar);
        let pools = derived.pools_of.get(&experiment.stub);
        DerivedView {
            suppression: lookup.suppression(&experiment.stub),
            pools: pools.cloned().unwrap_or_default(),
            affected: calendar.affected(&experiment.resources, context.now),
            advice: derived.advice_for(experiment, false).map(Arc::from),
        }
    }

    /// Marks what depends on the timetable as stale.
    pub(super) fn timetable_changed(&mut self, groups: &Groups) {
        let derived = &mut self.derived;
        derived.agenda.clear();
        derived.pool_agenda.clear();
        derived.pools_of = groups.pools.by_experiment();
        let pools = groups.pools.iter();
        derived.stale_pools = pools.map(|pool| Arc::from(pool.name.as_str())).collect();
        derived.stale_holds = true;
        let is_gone = |view: &PoolView| groups.pools.get(&view.name).is_none();
        if derived.pools.iter().any(is_gone) {
            Arc::make_mut(&mut derived.pools).retain(|view| !is_gone(view));
            self.changed = self.version;
        }
    }

    fn refresh_pools(&mut self, fleet: &Fleet, context: &ViewContext<'_>) {
        let now = context.now;
        let derived = &mut self.derived;
        derived
            .stale_pools
            .extend(take_due(&mut derived.pool_agenda, now));
        for name in std::mem::take(&mut self.derived.stale_pools) {
            let Some(pool) = context.groups.pools.get(&name) else {
                continue;
            };
            let next = pool.next_change(&context.groups.calendar, now);
            let next = next.map(|at| (at, Arc::clone(&name)));
            self.derived.pool_agenda.extend(next);
            let view = self.pool_view(name, pool, fleet, context);
            let pools = &mut self.derived.pools;
            match pools.binary_search_by(|known| known.name.cmp(&view.name)) {
                Ok(at) if pools[at] == view => continue,
                Ok(at) => Arc::make_mut(pools)[at] = view,
                Err(at) => Arc::make_mut(pools).insert(at, view),
            }
            self.changed = self.version;
        }
    }

    fn pool_view(
        &self,
        name: Arc<str>,
        pool: &Pool,
        fleet: &Fleet,
        context: &ViewContext<'_>,
    ) -> PoolView {
        let members: Vec<Stub> = pool.members().cloned().collect();
        let view = |stub: &Stub| {
            let at = self
                .experiments
                .binary_search_by(|view| view.stub.cmp(stub));
            self.experiments.get(at.ok()?)
        };
        let count = |rule: &dyn Fn(&ExperimentView) -> bool| {
            let views = members.iter().filter_map(view);
            views.filter(|view| rule(view)).count()
        };
        PoolView {
            name,
            healthy: count(&|view| view.health == Health::Ok),
            bookable: count(&|view| view.bookable() == Some(Bookable::Yes)),
            standing: pool.standing(&context.groups.calendar, context.now, |stub| {
                fleet.is_usable(stub)
            }),
            members,
        }
    }

    fn refresh_holds(&mut self, fleet: &Fleet, context: &ViewContext<'_>) {
        let now = context.now;
        let derived = &self.derived;
        if !derived.stale_holds && derived.next_overdue.is_none_or(|at| now < at) {
            return;
        }
        let healthy_since = |resource: &ResourceName| {
            let experiment = fleet.named(context.resources.stub(resource)?.as_str())?;
            (experiment.health == Health::Ok).then(|| experiment.since.wall())
        };
        let groups = context.groups;
        let holds = groups.holds.list(&groups.calendar, now, healthy_since);
        self.derived.stale_holds = false;
        self.derived.next_overdue = groups.holds.next_overdue(now);
        if *self.derived.holds != holds {
            self.derived.holds = Arc::new(holds);
            self.changed = self.version;
        }
    }

    fn refresh_causes(&mut self, fleet: &Fleet) {
        if !std::mem::take(&mut self.derived.stale_causes) {
            return;
        }
        let lost = fleet.experiments().filter(|it| it.health.is_unusable());
        let causes = fleet.causes(&lost.collect::<Vec<_>>());
        if *self.derived.causes != causes {
            self.derived.causes = Arc::new(causes);
            self.changed = self.version;
        }
    }
}

fn count<'a>(views: impl Iterator<Item = &'a Arc<ExperimentView>>) -> Counts {
    let mut counts = Counts::default();
    for view in views {
        counts.total += 1;
        match view.health {
            Health::Ok => counts.ok += 1,
            Health::Degraded => counts.degraded += 1,
            Health::Flapping => counts.flapping += 1,
            Health::Down => counts.down += 1,
            Health::Unknown => counts.unknown += 1,
        }
        match view.bookable() {
            Some(Bookable::Withdrawn) => counts.withdrawn += 1,
            Some(Bookable::Held) => counts.held += 1,
            Some(Bookable::Yes) | None => {}
        }
        match view
            .suppression
            .as_ref()
            .map(|suppression| suppression.kind)
        {
            Some(SuppressionKind::Acknowledged) => counts.acknowledged += 1,
            Some(SuppressionKind::Silenced | SuppressionKind::Maintenance) => counts.silenced += 1,
            None => {}
        }
        counts.unlisted += usize::from(!view.listed);
    }
    counts
}
