//! Notification of recipients: on each route the difference between the last notified state and the
//! current one, until both are the same.

pub(crate) mod advice;
mod alerts;
mod budget;
mod closing;
mod compose;
mod context;
pub(crate) mod correlation;
pub(crate) mod delivery;
mod digest;
mod lanes;
pub(super) mod own;
mod pending;
mod reconfigure;
pub(crate) mod route;
mod route_notifier;
mod unsteady;

use std::collections::{BTreeMap, BTreeSet};
use std::sync::Arc;

pub(super) use context::{ActiveAlert, NOTIFY_OUTAGE_AFTER, NotificationContext};
pub use digest::Digest;

use crate::engine::restored::RestoredRoute;
use crate::experiments::experiment::Experiment;
use crate::model::{ComponentName, Moment, RouteName, Stub};
use crate::notifications::route::{Channel, Route};
use crate::protocol::{Alert, Audience, Lane, Notified, NotifiedView, Record, RouteView};
use route_notifier::{Due, RouteNotifier};

/// All routes, each with its last notified state. Routes do not affect each other.
#[derive(Debug, Clone, Default)]
pub(super) struct Notifications {
    notifiers: Vec<RouteNotifier>,
    next_id: u64,
    switching_since: Option<Moment>,
    /// Changes to store that no summary made.
    records: Vec<Record>,
    notified: Arc<Vec<NotifiedView>>,
    notified_changed: bool,
}

impl Notifications {
    /// Routes without any notification yet.
    pub(super) fn new(routes: Vec<Route>, now: Moment) -> Self {
        Self {
            notifiers: routes
                .into_iter()
                .map(|route| RouteNotifier::new(route, now))
                .collect(),
            ..Self::default()
        }
    }

    /// Restores what was notified before a start. State of routes that no longer exist is
    /// forgotten.
    pub(super) fn recall(
        &mut self,
        routes: &BTreeMap<RouteName, RestoredRoute>,
        last_summary: u64,
        now: Moment,
    ) {
        self.next_id = last_summary;
        self.notified_changed = true;
        for (name, restored) in routes {
            if let Some(lane) = &restored.lane {
                self.recall_lane(name, lane, now);
            }
            match self
                .notifiers
                .iter_mut()
                .find(|notifier| notifier.name == *name)
            {
                Some(notifier) => {
                    let gone = notifier.recall(restored, now);
                    self.records.extend(to_keep(name, gone));
                }
                None => self.records.push(Record::RouteGone(name.clone())),
            }
        }
    }

    fn recall_lane(&mut self, name: &RouteName, lane: &Lane, now: Moment) {
        let main = self
            .notifiers
            .iter_mut()
            .find(|notifier| notifier.route.name == lane.of && !notifier.is_lane());
        if let Some(main) = main {
            main.audience.remove(&lane.recipients);
            let mut behind = RouteNotifier::new(main.route.clone(), now);
            behind.audience = Audience::Only(name.clone(), lane.recipients.clone());
            behind.name = name.clone();
            self.notifiers.push(behind);
        }
    }

    /// Uses these routes from now on. What was notified on a route stays with its name. Returns
    /// whether anything changed.
    pub(super) fn adopt(&mut self, routes: &[Route], now: Moment) -> bool {
        let mains = self.notifiers.iter().filter(|notifier| !notifier.is_lane());
        if mains.map(|notifier| &notifier.route).eq(routes) {
            return false;
        }
        let (mut lanes, mut mains): (Vec<_>, Vec<_>) = std::mem::take(&mut self.notifiers)
            .into_iter()
            .partition(RouteNotifier::is_lane);
        for route in routes {
            let known = mains.iter().position(|known| known.name == route.name);
            let notifier = match known.map(|at| mains.remove(at)) {
                Some(notifier) => self.adopted(notifier, route, now),
                None => RouteNotifier::new(route.clone(), now),
            };
            self.notifiers.push(notifier);
        }
        for route in routes {
            let own = lanes.extract_if(.., |lane| lane.route.name == route.name);
            for lane in own.collect::<Vec<_>>() {
                let lane = self.adopted(lane, route, now);
                self.notifiers.push(lane);
            }
        }
        let gone = mains.into_iter().chain(lanes).map(|gone| gone.name);
        self.records.extend(gone.map(Record::RouteGone));
        self.notified_changed = true;
        true
    }

    /// A notifier that continues as this route.
    fn adopted(
        &mut self,
        mut notifier: RouteNotifier,
        route: &Route,
        now: Moment,
    ) -> RouteNotifier {
        let gone = notifier.adopt(route.clone(), now);
        self.records.extend(to_keep(&notifier.name, gone));
        notifier
    }

    /// Whether there are routes.
    pub(super) fn has_routes(&self) -> bool {
        !self.notifiers.is_empty()
    }

    /// Whether there is no work unless an alert is active now.
    pub(super) fn is_idle(&self, now: Moment) -> bool {
        self.notifiers.iter().all(|notifier| notifier.is_idle(now))
    }

    /// Whether an alert was or may have been notified, and has not ended since.
    pub(super) fn goes_on(&self, alert: &Alert) -> bool {
        self.notifiers
            .iter()
            .any(|notifier| notifier.goes_on(alert))
    }

    /// The components whose failure was or may have been notified, without an end of it.
    pub(super) fn failing_components(&self) -> BTreeSet<&ComponentName> {
        self.notifiers
            .iter()
            .flat_map(RouteNotifier::components)
            .collect()
    }

    /// Notes that an experiment changed.
    pub(super) fn note_change(
        &mut self,
        experiment: &Experiment,
        manifest_known: bool,
        now: Moment,
    ) {
        self.keep(|notifier| notifier.note_change(experiment, manifest_known, now));
    }

    /// Notes that an experiment is forgotten.
    pub(super) fn forget(&mut self, stub: &Stub, now: Moment) {
        self.keep(|notifier| notifier.forget(stub, now));
    }

    /// Keeps what a change says of each route.
    fn keep(&mut self, change: impl Fn(&mut RouteNotifier) -> Vec<Notified>) {
        for notifier in &mut self.notifiers {
            let noted = change(notifier);
            self.notified_changed |= !noted.is_empty();
            self.records.extend(to_keep(&notifier.name, noted));
        }
    }

    /// The messages that are due now, at most one for each route or lane.
    pub(super) fn due(&mut self, context: &NotificationContext<'_>) -> Vec<Due> {
        self.switching_since = context
            .is_switching
            .then(|| self.switching_since.unwrap_or(context.now));
        let mut all = Vec::new();
        for notifier in &mut self.notifiers {
            let due = notifier.due(context, self.switching_since, self.next_id + 1);
            if let Some((Record::Notifying(new), _)) = &due {
                self.next_id = new.id;
            }
            all.extend(due);
            let noted = notifier.take_noted();
            self.records.extend(to_keep(&notifier.name, noted));
        }
        all
    }

    /// When to continue although no input came.
    pub(super) fn deadline(&self, now: Moment) -> Option<Moment> {
        self.notifiers
            .iter()
            .filter_map(|notifier| notifier.deadline(self.switching_since, now))
            .min()
    }

    /// A delivery has begun: until then it waited in a queue.
    pub(super) fn begun(&mut self, id: u64, now: Moment) {
        for notifier in &mut self.notifiers {
            notifier.delivery.begun(id, now);
        }
    }

    /// Retries failed messages now, on this channel or on all.
    pub(super) fn retry(&mut self, channel: Option<Channel>, now: Moment) {
        let concerned = self
            .notifiers
            .iter_mut()
            .filter(|notifier| channel.is_none_or(|channel| notifier.route.channel == channel));
        concerned.for_each(|notifier| notifier.delivery.retry(now));
    }

    /// The changes to store that no summary made.
    pub(super) fn take_records(&mut self) -> Vec<Record> {
        std::mem::take(&mut self.records)
    }

    pub(super) fn views(&self) -> Vec<RouteView> {
        let mains = self.notifiers.iter().filter(|notifier| !notifier.is_lane());
        mains.map(|main| self.view(main)).collect()
    }

    /// A route with its lanes.
    fn view(&self, main: &RouteNotifier) -> RouteView {
        let mut view = main.view();
        let lanes = self
            .notifiers
            .iter()
            .filter(|notifier| notifier.is_lane() && notifier.route.name == main.route.name);
        for lane in lanes {
            let its = lane.view();
            view.unreached.extend(its.unreached);
            let waiting = [view.waiting_since, its.waiting_since];
            view.waiting_since = waiting.into_iter().flatten().min();
        }
        view.unreached
            .sort_by(|a, b| (&a.recipient, a.since).cmp(&(&b.recipient, b.since)));
        view.unreached.dedup_by(|a, b| a.recipient == b.recipient);
        view
    }

    /// The experiments that were notified as bad, sorted by experiment and route. Rebuilt only when
    /// that changed.
    pub(super) fn notified(&mut self) -> Arc<Vec<NotifiedView>> {
        if std::mem::take(&mut self.notified_changed) {
            let mut notified: Vec<NotifiedView> = self
                .notifiers
                .iter()
                .filter(|notifier| !notifier.is_lane())
                .flat_map(RouteNotifier::notified)
                .collect();
            notified.sort_by(|a, b| (&a.stub, &a.route).cmp(&(&b.stub, &b.route)));
            self.notified = Arc::new(notified);
        }
        Arc::clone(&self.notified)
    }
}

/// The records that store the state of a route.
fn to_keep(
    route: &RouteName,
    notified: impl IntoIterator<Item = Notified>,
) -> impl Iterator<Item = Record> {
    notified.into_iter().map(|notified| Record::Notified {
        route: route.clone(),
        notified,
    })
}
