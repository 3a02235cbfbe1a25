//! Restoring a route after a restart, and replacing it by another one of the same name: its
//! notified state stays, as far as the route still covers it.

use std::collections::BTreeSet;

use super::digest::Digests;
use super::route_notifier::{LastNotified, RouteNotifier};
use crate::engine::restored::RestoredRoute;
use crate::model::Gather as _;
use crate::model::Moment;
use crate::notifications::route::Route;
use crate::protocol::{Alert, Notified, OutboxNews};

impl RouteNotifier {
    /// Restores the durable state. Returns the entries to remove: what this route no longer covers.
    pub(super) fn recall(&mut self, restored: &RestoredRoute, now: Moment) -> Vec<Notified> {
        let mut gone = Vec::new();
        self.noted = None;
        for notified in &restored.notified {
            match notified {
                Notified::Experiment(stub, Some(said)) if self.route.covers(stub) => {
                    let last = LastNotified::recall(said.clone(), now);
                    self.notified.insert(stub.clone(), last);
                }
                Notified::Alert(alert, Some(last)) if self.route.alerts => {
                    self.alert_states.recall(alert.clone(), last, now);
                }
                Notified::Unsteady(stub, times) if self.route.covers(stub) => {
                    let times = times.iter().map(|at| now.back_at(*at)).collect();
                    self.unsteady.recall(stub, times);
                }
                Notified::Unsteady(stub, _) => {
                    gone.push(Notified::Unsteady(stub.clone(), Vec::new()));
                }
                Notified::Closing(stub, Some(closing)) if self.route.covers(stub) => {
                    self.closing.insert(stub.clone(), closing.clone());
                }
                Notified::Closing(stub, _) => gone.push(Notified::Closing(stub.clone(), None)),
                Notified::Experiment(stub, _) => {
                    gone.push(Notified::Experiment(stub.clone(), None));
                }
                Notified::Alert(alert, _) => gone.push(Notified::Alert(alert.clone(), None)),
                Notified::ReminderState(reminder_state) => {
                    (self.notified_at, self.reminders) = (
                        Some(now.back_at(reminder_state.notified_at)),
                        reminder_state.reminders,
                    );
                    self.last_digest = reminder_state.digest;
                    // Times in the future come from a clock that was wrong.
                    let sent = reminder_state.sent.iter().filter(|at| **at <= now.wall());
                    let sent = sent.map(|at| now.back_at(*at));
                    self.budget.recall(self.route.interval, sent);
                }
            }
        }
        self.notified_at = self.notified_at.or(Some(now));
        // Entries come in the order of their numbers: the last message covers the most.
        if let Some(entry) = restored.outbox.last() {
            self.delivery.recall(entry, now);
        }
        if let Some(digests) = &mut self.digests {
            digests.recall(self.last_digest, now.wall());
        }
        for OutboxNews { stub, since, .. } in restored.outbox.iter().flat_map(|entry| &entry.news) {
            if !self.route.covers(stub) {
                gone.push(Notified::Experiment(stub.clone(), None));
                continue;
            }
            let since = now.back_at(*since);
            self.unconfirmed
                .entry(stub.clone())
                .and_modify(|first| *first = since.min(*first))
                .or_insert(since);
        }
        for unconfirmed in restored.outbox.iter().flat_map(|entry| &entry.alerts) {
            if self.route.alerts {
                self.alert_states.recall_unconfirmed(unconfirmed, now);
            } else {
                gone.push(Notified::Alert(unconfirmed.alert.clone(), None));
            }
        }
        gone
    }

    /// Continues as this route. Returns the entries to remove: what it no longer covers.
    pub(super) fn adopt(&mut self, route: Route, now: Moment) -> Vec<Notified> {
        if route.digest != self.route.digest {
            self.last_digest = self.last_digest();
            self.digests = route
                .digest
                .clone()
                .map(|digest| Digests::new(digest, now.wall()));
            if let (Some(digests), Some(_)) = (&mut self.digests, self.last_digest) {
                digests.recall(self.last_digest, now.wall());
            }
            self.noted = Some(self.reminder_state(now));
        }
        let on_its_way = self
            .delivery
            .open()
            .flat_map(|message| &message.entries)
            .map(|(stub, _)| stub);
        let deaf_to = self
            .notified
            .keys()
            .chain(self.unconfirmed.keys())
            .chain(on_its_way)
            .filter(|stub| !route.covers(stub));
        let mut gone: Vec<Notified> = deaf_to
            .map(|stub| Notified::Experiment(stub.clone(), None))
            .collect();
        let unsteady = self.unsteady.all().map(|(stub, _)| stub);
        let unsteady = unsteady.filter(|stub| !route.covers(stub));
        gone.extend(unsteady.map(|stub| Notified::Unsteady(stub.clone(), Vec::new())));
        self.unsteady.retain(|stub| route.covers(stub));
        self.losses.retain(|stub| route.covers(stub));
        let closing = self.closing.keys().filter(|stub| !route.covers(stub));
        gone.extend(closing.map(|stub| Notified::Closing(stub.clone(), None)));
        self.closing.retain(|stub, _| route.covers(stub));
        self.pending.retain(|stub, _| route.covers(stub));
        self.unconfirmed.retain(|stub, _| route.covers(stub));
        self.well_since.retain(|stub, _| route.covers(stub));
        self.worst.retain(|stub, _| route.covers(stub));
        self.notified.retain(|stub, _| route.covers(stub));
        if !route.alerts {
            let known = std::mem::take(&mut self.alert_states).into_known();
            let all = known.chain(Alert::OF_LABORATORY);
            let all: BTreeSet<Alert> = all.gather();
            gone.extend(all.into_iter().map(|alert| Notified::Alert(alert, None)));
        }
        if (&route.patterns, route.alerts) != (&self.route.patterns, self.route.alerts) {
            self.delivery.put_together_anew();
        }
        self.route = route;
        gone
    }
}
