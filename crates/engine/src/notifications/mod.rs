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

pub(super) use context::{Scene, Trouble};
pub use digest::Digest;

use crate::experiments::experiment::Experiment;
use crate::model::{Moment, RouteName, Stub};
use crate::notifications::route::Route;
use crate::protocol::effect::Record;
use crate::protocol::input::DeliveryFault;
use crate::protocol::snapshot::{RouteView, ToldView};
use crate::protocol::state::{Concern, RouteMemory, Told};
use crate::protocol::summary::Summary;
use route_notifier::Teller;

/// All routes, each with what its people were told. Nothing that happens on one of them touches another.
#[derive(Debug, Clone, Default)]
pub(super) struct Telling {
    tellers: Vec<Teller>,
    next_id: u64,
    switching_since: Option<Moment>,
    /// What is to be kept of changes that no summary made.
    records: Vec<Record>,
    told: Arc<Vec<ToldView>>,
    told_changed: bool,
}

impl Telling {
    /// Routes whose people were told nothing yet.
    pub(super) fn new(routes: Vec<Route>, now: Moment) -> Self {
        Self {
            tellers: routes
                .into_iter()
                .map(|route| Teller::new(route, now))
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
                .tellers
                .iter_mut()
                .find(|teller| teller.route.name == *name)
            {
                Some(teller) => {
                    let told = teller
                        .recall(memory, now)
                        .into_iter()
                        .map(|told| Record::Told {
                            route: name.clone(),
                            told,
                        });
                    self.records.extend(told);
                }
                None => self.records.push(Record::RouteGone(name.clone())),
            }
        }
    }

    /// Tells people on these routes from now on. What was told on a route stays with its name. Returns whether anything changes by that.
    pub(super) fn adopt(&mut self, routes: Vec<Route>, now: Moment) -> bool {
        if self.tellers.iter().map(|teller| &teller.route).eq(&routes) {
            return false;
        }
        let mut known: BTreeMap<RouteName, Teller> = std::mem::take(&mut self.tellers)
            .into_iter()
            .map(|teller| (teller.route.name.clone(), teller))
            .collect();
        for route in routes {
            let name = route.name.clone();
            let teller = match known.remove(&name) {
                Some(mut teller) => {
                    let gone = teller.adopt(route, now);
                    self.records
                        .extend(gone.into_iter().map(|told| Record::Told {
                            route: name.clone(),
                            told,
                        }));
                    teller
                }
                None => Teller::new(route, now),
            };
            self.tellers.push(teller);
        }
        self.records
            .extend(known.into_keys().map(Record::RouteGone));
        self.told_changed = true;
        true
    }

    /// Whether there is somebody to tell.
    pub(super) fn has_routes(&self) -> bool {
        !self.tellers.is_empty()
    }

    /// Whether nothing is to be done, unless there is a trouble now.
    pub(super) fn is_idle(&self, now: Moment) -> bool {
        self.tellers.iter().all(|teller| teller.is_idle(now))
    }

    /// Whether anybody was told of a concern, or may have been, and it has not ended since.
    pub(super) fn goes_on(&self, concern: Concern) -> bool {
        self.tellers.iter().any(|teller| teller.goes_on(concern))
    }

    /// Takes note that an experiment changed.
    pub(super) fn consider(&mut self, experiment: &Experiment, manifest_known: bool, now: Moment) {
        for teller in &mut self.tellers {
            teller.consider(experiment, manifest_known, now);
        }
    }

    /// Takes note that an experiment is forgotten.
    pub(super) fn forget(&mut self, stub: &Stub) {
        for teller in self
            .tellers
            .iter_mut()
            .filter_map(|teller| teller.forget(stub).then_some(&*teller))
        {
            self.told_changed = true;
            self.records.push(Record::Told {
                route: teller.route.name.clone(),
                told: Told::Experiment(stub.clone(), None),
            });
        }
    }

    /// The summaries that are due now, at most one for each route.
    pub(super) fn due(&mut self, scene: &Scene<'_>) -> Vec<Summary> {
        self.switching_since = scene
            .is_switching
            .then(|| self.switching_since.unwrap_or(scene.now));
        let mut summaries = Vec::new();
        for teller in &mut self.tellers {
            if let Some(summary) = teller.due(scene, self.switching_since, self.next_id + 1) {
                self.next_id = summary.id;
                summaries.push(summary);
            }
            let noted = teller.take_noted();
            self.records.extend(noted.map(|told| Record::Told {
                route: teller.route.name.clone(),
                told,
            }));
        }
        summaries
    }

    /// When to look again although nothing came.
    pub(super) fn deadline(&self, now: Moment) -> Option<Moment> {
        self.tellers
            .iter()
            .filter_map(|teller| teller.deadline(self.switching_since, now))
            .min()
    }

    /// Takes in what a summary came to. Returns its route, and what people now know; `None` when nobody waits for it any more.
    pub(super) fn delivered(
        &mut self,
        id: u64,
        outcome: &Result<(), DeliveryFault>,
        now: Moment,
    ) -> Option<(RouteName, Vec<Told>)> {
        let (name, told) = self.tellers.iter_mut().find_map(|teller| {
            Some((
                teller.route.name.clone(),
                teller.delivered(id, outcome, now)?,
            ))
        })?;
        self.told_changed |= !told.is_empty();
        Some((name, told))
    }

    /// What is to be kept of changes that no summary made.
    pub(super) fn take_records(&mut self) -> Vec<Record> {
        std::mem::take(&mut self.records)
    }

    pub(super) fn views(&self) -> Vec<RouteView> {
        self.tellers.iter().map(Teller::view).collect()
    }

    /// What people were told bad, sorted by experiment and route. It is put together anew only when it changed.
    pub(super) fn told(&mut self) -> Arc<Vec<ToldView>> {
        if std::mem::take(&mut self.told_changed) {
            let mut told: Vec<ToldView> = self.tellers.iter().flat_map(Teller::told).collect();
            told.sort_by(|a, b| (&a.stub, &a.route).cmp(&(&b.stub, &b.route)));
            self.told = Arc::new(told);
        }
        Arc::clone(&self.told)
    }
}
