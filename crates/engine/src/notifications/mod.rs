//! Telling people: on each route the difference between what they were last told and what is, until both are the same.

pub(crate) mod advice;
mod alerts;
mod compose;
mod context;
pub(crate) mod correlation;
pub(crate) mod delivery;
mod digest;
mod reconfigure;
pub(crate) mod route;
mod route_notifier;

use std::collections::BTreeMap;
use std::sync::Arc;

pub(super) use context::{ActiveAlert, Scene};
pub use digest::Digest;

use crate::experiments::experiment::Experiment;
use crate::model::{Moment, RouteName, Stub};
use crate::notifications::route::Route;
use crate::protocol::effect::Record;
use crate::protocol::input::DeliveryFault;
use crate::protocol::snapshot::{RouteView, ToldView};
use crate::protocol::state::{Alert, Notified, RouteMemory};
use crate::protocol::summary::Summary;
use route_notifier::RouteNotifier;

/// All routes, each with what its people were told. Nothing that happens on one of them touches another.
#[derive(Debug, Clone, Default)]
pub(super) struct Telling {
    notifiers: Vec<RouteNotifier>,
    next_id: u64,
    switching_since: Option<Moment>,
    /// What is to be kept of changes that no summary made.
    records: Vec<Record>,
    notified: Arc<Vec<ToldView>>,
    told_changed: bool,
}

impl Telling {
    /// Routes whose people were told nothing yet.
    pub(super) fn new(routes: Vec<Route>, now: Moment) -> Self {
        Self {
            notifiers: routes
                .into_iter()
                .map(|route| RouteNotifier::new(route, now))
                .collect(),
            ..Self::default()
        }
    }

    /// Takes up what was told before a start. What concerns no route that there is now is forgotten.
    pub(super) fn recall(
        &mut self,
        routes: &BTreeMap<RouteName, RouteMemory>,
        last_summary: u64,
        now: Moment,
    ) {
        self.next_id = last_summary;
        self.told_changed = true;
        for (name, memory) in routes {
            match self
                .notifiers
                .iter_mut()
                .find(|notifier| notifier.route.name == *name)
            {
                Some(notifier) => {
                    let recalled = notifier.recall(memory, now).into_iter();
                    self.records
                        .extend(recalled.map(|notified| Record::Notified {
                            route: name.clone(),
                            notified,
                        }));
                }
                None => self.records.push(Record::RouteGone(name.clone())),
            }
        }
    }

    /// Tells people on these routes from now on. What was told on a route stays with its name. Returns whether anything changes by that.
    pub(super) fn adopt(&mut self, routes: Vec<Route>, now: Moment) -> bool {
        if self
            .notifiers
            .iter()
            .map(|notifier| &notifier.route)
            .eq(&routes)
        {
            return false;
        }
        let mut known: BTreeMap<RouteName, RouteNotifier> = std::mem::take(&mut self.notifiers)
            .into_iter()
            .map(|notifier| (notifier.route.name.clone(), notifier))
            .collect();
        for route in routes {
            let name = route.name.clone();
            let notifier = match known.remove(&name) {
                Some(mut notifier) => {
                    let gone = notifier.adopt(route, now);
                    self.records
                        .extend(gone.into_iter().map(|notified| Record::Notified {
                            route: name.clone(),
                            notified,
                        }));
                    notifier
                }
                None => RouteNotifier::new(route, now),
            };
            self.notifiers.push(notifier);
        }
        self.records
            .extend(known.into_keys().map(Record::RouteGone));
        self.told_changed = true;
        true
    }

    /// Whether there is somebody to tell.
    pub(super) fn has_routes(&self) -> bool {
        !self.notifiers.is_empty()
    }

    /// Whether nothing is to be done, unless there is a trouble now.
    pub(super) fn is_idle(&self, now: Moment) -> bool {
        self.notifiers.iter().all(|notifier| notifier.is_idle(now))
    }

    /// Whether anybody was told of a concern, or may have been, and it has not ended since.
    pub(super) fn goes_on(&self, alert: Alert) -> bool {
        self.notifiers
            .iter()
            .any(|notifier| notifier.goes_on(alert))
    }

    /// Takes note that an experiment changed.
    pub(super) fn note_change(
        &mut self,
        experiment: &Experiment,
        manifest_known: bool,
        now: Moment,
    ) {
        for notifier in &mut self.notifiers {
            notifier.note_change(experiment, manifest_known, now);
        }
    }

    /// Takes note that an experiment is forgotten.
    pub(super) fn forget(&mut self, stub: &Stub) {
        for notifier in self
            .notifiers
            .iter_mut()
            .filter_map(|notifier| notifier.forget(stub).then_some(&*notifier))
        {
            self.told_changed = true;
            self.records.push(Record::Notified {
                route: notifier.route.name.clone(),
                notified: Notified::Experiment(stub.clone(), None),
            });
        }
    }

    /// The summaries that are due now, at most one for each route.
    pub(super) fn due(&mut self, scene: &Scene<'_>) -> Vec<Summary> {
        self.switching_since = scene
            .is_switching
            .then(|| self.switching_since.unwrap_or(scene.now));
        let mut summaries = Vec::new();
        for notifier in &mut self.notifiers {
            if let Some(summary) = notifier.due(scene, self.switching_since, self.next_id + 1) {
                self.next_id = summary.id;
                summaries.push(summary);
            }
            let noted = notifier.take_noted();
            self.records.extend(noted.map(|notified| Record::Notified {
                route: notifier.route.name.clone(),
                notified,
            }));
        }
        summaries
    }

    /// When to look again although nothing came.
    pub(super) fn deadline(&self, now: Moment) -> Option<Moment> {
        self.notifiers
            .iter()
            .filter_map(|notifier| notifier.deadline(self.switching_since, now))
            .min()
    }

    /// Takes in what a summary came to. Returns its route, and what people now know; `None` when nobody waits for it any more.
    pub(super) fn delivered(
        &mut self,
        id: u64,
        outcome: &Result<(), DeliveryFault>,
        now: Moment,
    ) -> Option<(RouteName, Vec<Notified>)> {
        let (name, notified) = self.notifiers.iter_mut().find_map(|notifier| {
            Some((
                notifier.route.name.clone(),
                notifier.delivered(id, outcome, now)?,
            ))
        })?;
        self.told_changed |= !notified.is_empty();
        Some((name, notified))
    }

    /// What is to be kept of changes that no summary made.
    pub(super) fn take_records(&mut self) -> Vec<Record> {
        std::mem::take(&mut self.records)
    }

    pub(super) fn views(&self) -> Vec<RouteView> {
        self.notifiers.iter().map(RouteNotifier::view).collect()
    }

    /// What people were told bad, sorted by experiment and route. It is put together anew only when it changed.
    pub(super) fn notified(&mut self) -> Arc<Vec<ToldView>> {
        if std::mem::take(&mut self.told_changed) {
            let mut notified: Vec<ToldView> = self
                .notifiers
                .iter()
                .flat_map(RouteNotifier::notified)
                .collect();
            notified.sort_by(|a, b| (&a.stub, &a.route).cmp(&(&b.stub, &b.route)));
            self.notified = Arc::new(notified);
        }
        Arc::clone(&self.notified)
    }
}
