//! Applying the outcome of a message to a route.

use std::collections::BTreeMap;

use jiff::Timestamp;

use super::{LastNotified, NotReached, RouteNotifier};
use crate::model::Gather as _;
use crate::model::{Health, Moment, Stub};
use crate::notifications::delivery::InFlight;
use crate::notifications::pending::Pending;
use crate::protocol::{
    self, DeliveryFault, Known, MailThread, MessageId, Notified, NotifiedView, Occasion, Outlook,
    Recipient, ReminderState, RouteView, Unreached, UnreachedView,
};

impl RouteNotifier {
    /// Whether this message is in flight here, or waits for a retry.
    pub(in crate::notifications) fn is_about(&self, id: u64, arrived: bool) -> bool {
        self.delivery.is_sending(id)
            || (arrived
                && self
                    .delivery
                    .failed()
                    .is_some_and(|failed| failed.summary.id == id))
    }

    /// Applies the delivery of a message to all but these. Returns what the recipients now know.
    pub(in crate::notifications) fn delivered(
        &mut self,
        id: u64,
        unreached: &[Unreached],
        now: Moment,
    ) -> Vec<Notified> {
        let Some(message) = self.delivery.take(id) else {
            return Vec::new();
        };
        let refused = unreached
            .iter()
            .filter(|one| one.outlook == Outlook::Refused);
        let before = std::mem::take(&mut self.unreached);
        self.unreached = refused.map(|one| not_reached(one, &before, now)).gather();
        self.arrived(message, now)
    }

    /// Applies the failure of a message for all recipients.
    pub(in crate::notifications) fn failed(&mut self, id: u64, fault: &DeliveryFault, now: Moment) {
        let Some(message) = self.delivery.take(id) else {
            return;
        };
        if fault.outlook != Outlook::Unknown {
            self.budget.give_back(self.route.interval);
        }
        self.delivery.failed_with(message.clone(), fault, now);
        self.owe(message, now);
        for recipient in self.audience.only().into_iter().flatten() {
            let one = Unreached {
                recipient: recipient.clone(),
                fault: fault.fault.clone(),
                outlook: fault.outlook,
            };
            let (recipient, why) = not_reached(&one, &self.unreached, now);
            self.unreached.insert(recipient, why);
        }
    }

    /// Until when the failed message waits, and its number. For one that comes first nothing is
    /// stored: it comes first after a further restart too.
    pub(in crate::notifications) fn waits(&self, now: Moment) -> Option<(u64, Moment)> {
        let failed = self.delivery.failed()?;
        let is_kept = self.is_lane() || !failed.comes_first(now);
        is_kept.then_some((failed.summary.id, self.delivery.retry_at()?))
    }

    /// Whether nothing is pending, and both know the same.
    pub(in crate::notifications) fn is_level_with(&self, other: &Self) -> bool {
        let knows_the_same = self.notified.len() == other.notified.len()
            && self.notified.iter().all(|(stub, last)| {
                let same = |other: &LastNotified| last.said.known.is_same(&other.said.known);
                other.notified.get(stub).is_some_and(same)
            });
        let at_rest = |one: &Self| one.delivery.is_at_rest() && one.unconfirmed.is_empty();
        at_rest(self)
            && at_rest(other)
            && knows_the_same
            && self.closing.keys().eq(other.closing.keys())
            && self.alert_states.is_level_with(&other.alert_states)
    }

    /// All that its recipients know, to be stored.
    pub(in crate::notifications) fn all_notified(&self, now: Moment) -> Vec<Notified> {
        let experiments = self
            .notified
            .iter()
            .map(|(stub, last)| Notified::Experiment(stub.clone(), Some(last.said.clone())));
        let reminder_state = Notified::ReminderState(self.reminder_state(now));
        let unsteady = self.unsteady.all().map(|(stub, times)| {
            let times = times.iter().map(|at| at.wall()).collect();
            Notified::Unsteady(stub.clone(), times)
        });
        let closing = self.closing.iter();
        let closing =
            closing.map(|(stub, closing)| Notified::Closing(stub.clone(), Some(closing.clone())));
        experiments
            .chain(unsteady)
            .chain(closing)
            .chain(self.alert_states.all_notified())
            .chain([reminder_state])
            .collect()
    }

    pub(super) fn arrived(&mut self, summary: InFlight, now: Moment) -> Vec<Notified> {
        self.delivery.arrived(now);
        self.notified_at = Some(now);
        let message = summary.message();
        match summary.occasion() {
            Occasion::News => self.reminders = 0,
            Occasion::Reminder => self.reminders = self.reminders.saturating_add(1),
            Occasion::Digest | Occasion::Test => {}
        }
        if let (Some(digests), Some(at)) = (&mut self.digests, summary.digest) {
            digests.done(at, now.wall());
        }
        let mut notified = Vec::new();
        if summary.occasion() == Occasion::News {
            let mut alert_states = summary.alert_states;
            alert_states.retain(|_, _| self.route.alerts);
            notified.extend(self.alert_states.learn(alert_states, message));
            for stub in &summary.closings {
                self.closing.remove(stub);
                notified.push(Notified::Closing(stub.clone(), None));
            }
            let mut entries = summary.entries;
            entries.retain(|(stub, _)| self.route.covers(stub));
            for (stub, entry) in entries {
                notified.extend(self.learn(stub, entry, message, now));
            }
        }
        notified.push(Notified::ReminderState(self.reminder_state(now)));
        notified
    }

    pub(in crate::notifications) fn reminder_state(&self, now: Moment) -> ReminderState {
        ReminderState {
            notified_at: self.notified_at.unwrap_or(now).wall(),
            reminders: self.reminders,
            digest: self.last_digest(),
            sent: self.budget.sent().map(Moment::wall).collect(),
        }
    }

    pub(in crate::notifications) fn last_digest(&self) -> Option<Timestamp> {
        self.digests
            .as_ref()
            .map_or(self.last_digest, |digests| digests.last)
    }

    /// Changes to store although no summary was sent.
    pub(in crate::notifications) fn take_noted(&mut self) -> Option<Notified> {
        self.noted.take().map(Notified::ReminderState)
    }

    pub(super) fn learn(
        &mut self,
        stub: Stub,
        entry: Option<(Known, Option<Moment>)>,
        message: MessageId,
        now: Moment,
    ) -> Vec<Notified> {
        let unsteady = self.swings(&stub, entry.as_ref().map(|(known, _)| known), now);
        self.pending.remove(&stub);
        self.unconfirmed.remove(&stub);
        self.well_since.remove(&stub);
        if entry.is_none() {
            self.worst.remove(&stub);
        }
        let before = self.notified.remove(&stub);
        let before = before.and_then(|last| last.said.thread);
        let thread = Some(MailThread {
            root: before.map_or(message, |strand| strand.root),
            last: message,
        });
        let last = entry.map(|(known, bad_since)| LastNotified {
            said: protocol::NotifiedExperiment { known, thread },
            bad_since,
        });
        let notified = last.as_ref().map(|last| last.said.clone());
        self.notified.extend(last.map(|last| (stub.clone(), last)));
        unsteady
            .into_iter()
            .chain([Notified::Experiment(stub, notified)])
            .collect()
    }

    /// Counts how often an experiment was notified as unusable, or as having a loss. An unsteady
    /// one that is notified again has become stable.
    pub(super) fn swings(
        &mut self,
        stub: &Stub,
        known: Option<&Known>,
        now: Moment,
    ) -> Option<Notified> {
        let was = self.notified.get(stub);
        let was = was.map_or(Health::Ok, |last| last.said.known.health);
        let is = known.map_or(Health::Ok, |known| known.health);
        if !was.is_unusable() && !is.is_unusable() {
            if self.losses.is_unsteady(stub) {
                self.losses.forget(stub);
            } else if is.is_bad() && !was.is_bad() {
                self.losses.note_notified(stub, now);
            }
        }
        if self.unsteady.is_unsteady(stub) {
            self.unsteady.forget(stub);
            return Some(Notified::Unsteady(stub.clone(), Vec::new()));
        }
        (is.is_unusable() && !was.is_unusable()).then(|| {
            let times = self.unsteady.note_notified(stub, now);
            let times = times.iter().map(|at| at.wall()).collect();
            Notified::Unsteady(stub.clone(), times)
        })
    }

    /// Marks the content of a summary as unconfirmed: it is notified again.
    pub(in crate::notifications) fn owe(&mut self, summary: InFlight, now: Moment) {
        if summary.occasion() == Occasion::News && self.route.alerts {
            self.alert_states.owe(summary.alert_states);
        }
        let entries = summary.entries.into_iter();
        for (stub, entry) in entries.filter(|(stub, _)| self.route.covers(stub)) {
            let bad_since = entry.and_then(|(_, since)| since).unwrap_or(now);
            self.unconfirmed.entry(stub.clone()).or_insert(bad_since);
            self.pending.entry(stub).or_insert(Pending::now(now));
        }
    }

    pub(in crate::notifications) fn view(&self) -> RouteView {
        let waits = !self.pending.is_empty() || self.alert_states.pending_since.is_some();
        let unreached = self.unreached.iter();
        let unreached = unreached.map(|(recipient, why)| UnreachedView {
            recipient: recipient.clone(),
            since: why.since.wall(),
            fault: why.fault.clone(),
            refused: why.refused,
        });
        RouteView {
            name: self.route.name.clone(),
            channel: self.route.channel,
            last_sent: self.delivery.last_sent.map(Moment::wall),
            waiting_since: self.waiting_since.filter(|_| waits).map(Moment::wall),
            fault: self.delivery.fault.clone(),
            failures: self.delivery.failures,
            refused: self.delivery.refused_since().map(Moment::wall),
            unreached: unreached.collect(),
        }
    }

    /// What was notified as bad.
    pub(in crate::notifications) fn notified(&self) -> impl Iterator<Item = NotifiedView> {
        let notified_at = self.notified_at.map(Moment::wall);
        self.notified
            .iter()
            .filter(|(_, last)| last.said.known.health.is_bad())
            .map(move |(stub, last)| NotifiedView {
                stub: stub.clone(),
                route: self.route.name.clone(),
                health: last.said.known.health,
                unsteady: self.unsteady.times(stub),
                at: last
                    .said
                    .thread
                    .map(|strand| strand.last.at)
                    .or(notified_at)
                    .unwrap_or(Timestamp::UNIX_EPOCH),
            })
    }
}

/// A recipient who is not reached, since the earliest known time.
pub(in crate::notifications) fn not_reached(
    one: &Unreached,
    before: &BTreeMap<Recipient, NotReached>,
    now: Moment,
) -> (Recipient, NotReached) {
    let since = before.get(&one.recipient).map_or(now, |known| known.since);
    let why = NotReached {
        since,
        fault: one.fault.clone(),
        refused: one.outlook == Outlook::Refused,
    };
    (one.recipient.clone(), why)
}
