//! One route: what its recipients were notified of, what is pending, and when it is due.

mod due;
mod outcome;

use std::collections::BTreeMap;
use std::time::Duration;

use jiff::Timestamp;

use crate::experiments::experiment::Experiment;
use crate::model::{CallError, ComponentName, Health, Moment, RouteName, Stub};
use crate::notifications::alerts::Alerts;
use crate::notifications::budget::Budget;
use crate::notifications::context::NotificationContext;
use crate::notifications::delivery::Delivery;
use crate::notifications::digest::Digests;
use crate::notifications::pending::{PARTS_FOLLOW_WITHIN, Pending};
use crate::notifications::route::Route;
use crate::notifications::unsteady::Unsteady;
use crate::protocol::{
    self, Alert, Audience, Closing, Known, MessageId, Notification, Notified, Recipient, Record,
    ReminderState,
};

pub(super) use outcome::not_reached;

/// A summary waits at most this long for switches that are under way, so that it can report their
/// outcome.
const WAIT_FOR_SWITCHES: Duration = Duration::from_secs(10);

/// A summary waits at most this long for a source to settle after its restart or return, so that
/// what comes back together is notified together.
const WAIT_FOR_SETTLING: Duration = Duration::from_secs(60);

/// After an experiment was notified as down, another cause is notified at the earliest after this
/// time: in a power cut, its remote login is often seen to be lost some seconds after its streams,
/// and one message is enough for that.
const CAUSES_FOLLOW_AFTER: Duration = Duration::from_secs(60);

/// What gets worse is sent at once, regardless of the budget, where it is booked now or within this
/// time.
const URGENT_WITHIN: Duration = Duration::from_secs(3600);

/// The longest wait between two reminders, unless the first one waits longer.
const REMIND_AT_LEAST_EVERY: Duration = Duration::from_secs(7 * 24 * 3600);

/// The last notified state of an experiment.
#[derive(Debug, Clone)]
pub(super) struct LastNotified {
    /// As it is kept.
    pub(super) said: protocol::NotifiedExperiment,
    /// Since when it is bad, as it was notified.
    pub(super) bad_since: Option<Moment>,
}

impl LastNotified {
    /// Restores it from the durable state.
    pub(super) fn recall(said: protocol::NotifiedExperiment, now: Moment) -> Self {
        let bad_since = said.known.bad_since.map(|at| now.back_at(at));
        Self { said, bad_since }
    }
}

/// A message that is due: what is recorded of it, and the message itself.
pub(crate) type Due = (Record, Notification);

/// What a message is put together from.
pub(super) struct Round<'a> {
    pub(super) context: &'a NotificationContext<'a>,
    /// What concerns the whole laboratory now, as far as the route hears of it, with since when.
    pub(super) alert_states: BTreeMap<Alert, Moment>,
    /// Since when switches are under way.
    pub(super) switching_since: Option<Moment>,
    /// What distinguishes the message from others.
    pub(super) message: MessageId,
}

/// Why a recipient does not have what the others have.
#[derive(Debug, Clone)]
pub(super) struct NotReached {
    pub(super) since: Moment,
    pub(super) fault: CallError,
    pub(super) refused: bool,
}

/// A route, and the notified state of its recipients; or a lane: recipients of a route who know
/// less than the others, until they know the same.
#[derive(Debug, Clone)]
pub(super) struct RouteNotifier {
    /// The name under which it is stored: that of the route, or of a lane of it.
    pub(super) name: RouteName,
    pub(super) audience: Audience,
    pub(super) unreached: BTreeMap<Recipient, NotReached>,
    pub(super) route: Route,
    pub(super) notified: BTreeMap<Stub, LastNotified>,
    pub(super) alert_states: Alerts,
    /// Experiments with pending news.
    pub(super) pending: BTreeMap<Stub, Pending>,
    /// Experiments of a summary that failed, with since when they were bad: delivery is
    /// unconfirmed, so they are notified again although their state may be the notified one again.
    pub(super) unconfirmed: BTreeMap<Stub, Moment>,
    /// Since when experiments are ok whose recovery was not notified yet. A source may have
    /// reported nothing since.
    pub(super) well_since: BTreeMap<Stub, Moment>,
    /// The worst health of experiments since they were last notified as ok.
    pub(super) worst: BTreeMap<Stub, Health>,
    /// Since when there are pending news that are not held back.
    waiting_since: Option<Moment>,
    pub(super) delivery: Delivery,
    pub(super) budget: Budget,
    pub(super) unsteady: Unsteady,
    /// The same for losses that leave an experiment usable. They hold back no news that concern
    /// students, and are not stored.
    pub(super) losses: Unsteady,
    /// When the next of the news that still wait may be sent: their other source reports, or they
    /// have lasted for long enough.
    next_ready: Option<Moment>,
    /// Pending closing notifications: experiments that are no longer watched although they were
    /// notified as bad.
    pub(super) closing: BTreeMap<Stub, Closing>,
    /// When a summary last arrived.
    pub(super) notified_at: Option<Moment>,
    pub(super) reminders: u32,
    pub(super) digests: Option<Digests>,
    /// The time of the last digest, from before digests were switched off.
    pub(super) last_digest: Option<Timestamp>,
    /// State to store of a digest that had nothing to report, or whose time was over when the route
    /// was made.
    pub(super) noted: Option<ReminderState>,
}

impl RouteNotifier {
    pub(super) fn new(route: Route, now: Moment) -> Self {
        let digests = route
            .digest
            .clone()
            .map(|digest| Digests::new(digest, now.wall()));
        let passed_over = digests.as_ref().and_then(|digests| digests.last);
        Self {
            name: route.name.clone(),
            audience: Audience::All,
            unreached: BTreeMap::new(),
            noted: passed_over.map(|digest| ReminderState {
                notified_at: now.wall(),
                reminders: 0,
                digest: Some(digest),
                sent: Vec::new(),
            }),
            digests,
            last_digest: None,
            route,
            notified: BTreeMap::new(),
            alert_states: Alerts::default(),
            pending: BTreeMap::new(),
            unconfirmed: BTreeMap::new(),
            well_since: BTreeMap::new(),
            worst: BTreeMap::new(),
            waiting_since: None,
            delivery: Delivery::default(),
            budget: Budget::default(),
            unsteady: Unsteady::default(),
            losses: Unsteady::default(),
            next_ready: None,
            closing: BTreeMap::new(),
            notified_at: None,
            reminders: 0,
        }
    }

    /// Whether there is no work unless an alert is active now.
    pub(super) fn is_idle(&self, now: Moment) -> bool {
        let is_past = |at: Option<Moment>| at.is_some_and(|at| at <= now);
        self.pending.is_empty()
            && self.closing.is_empty()
            && self.alert_states.is_idle()
            && self.delivery.is_idle(now)
            && !is_past(self.reminder_at())
            && !is_past(self.digest_at(now))
    }

    pub(super) fn goes_on(&self, alert: &Alert) -> bool {
        self.alert_states.goes_on(alert)
    }

    /// The components whose alerts were or may have been notified, and that go on.
    pub(super) fn components(&self) -> impl Iterator<Item = &ComponentName> {
        self.alert_states
            .going_on()
            .filter_map(|alert| match alert {
                Alert::Component(name) => Some(name),
                Alert::Blind | Alert::Source(_) | Alert::ManifestLost | Alert::Sampling => None,
            })
    }

    /// Notes that an experiment changed. Returns the changes to store.
    pub(super) fn note_change(
        &mut self,
        experiment: &Experiment,
        manifest_known: bool,
        now: Moment,
    ) -> Vec<Notified> {
        let stub = &experiment.stub;
        let known = Known::of(experiment, manifest_known);
        let Some(known) = known.filter(|_| self.route.covers(stub)) else {
            return Vec::new();
        };
        let mut kept = self.reopen(stub, now);
        if let Some(worst) = known.health.worst_of(self.worst.get(stub).copied()) {
            self.worst.insert(stub.clone(), worst);
        }
        let unusable = known.health.is_unusable();
        if let Some(holds_at) = self.unsteady.note(stub, unusable, now) {
            self.delivery.note_change(stub, &known);
            self.pending.insert(stub.clone(), Pending::from(holds_at));
            kept.extend(self.unsteady.all_of(stub));
            return kept;
        }
        let last = self.notified.get(stub);
        let notified = last.map_or_else(Known::assumed, |last| last.said.known.clone());
        let for_students = unusable || notified.health.is_unusable();
        let holds_at = self.losses.note(stub, known.health.is_bad(), now);
        if let Some(holds_at) = holds_at.filter(|_| !for_students) {
            self.delivery.note_change(stub, &known);
            self.pending.insert(stub.clone(), Pending::from(holds_at));
            return kept;
        }
        let unconfirmed = self.unconfirmed.contains_key(stub);
        if !unconfirmed && !known.is_news_after(&notified) {
            self.pending.remove(stub);
            self.well_since.remove(stub);
            if known.is_plain() {
                self.worst.remove(stub);
            }
            return kept;
        }
        let notified_at = last
            .and_then(|last| last.said.thread)
            .map_or(now, |thread| now.back_at(thread.last.at));
        let pending = match (known.health.is_unusable(), notified.health.is_unusable()) {
            _ if unconfirmed => Pending::now(now),
            (true, true) if known.health == notified.health => {
                Pending::from((notified_at + CAUSES_FOLLOW_AFTER).max(now + PARTS_FOLLOW_WITHIN))
            }
            (true, true) | (false, false) => Pending::from(now + PARTS_FOLLOW_WITHIN),
            (true, false) | (false, true) => Pending::of_change(now),
        };
        self.delivery.note_change(stub, &known);
        if known.health == Health::Ok {
            self.well_since
                .entry(stub.clone())
                .or_insert(experiment.since);
        } else {
            self.well_since.remove(stub);
        }
        self.pending
            .entry(stub.clone())
            .and_modify(|known| known.add(pending))
            .or_insert(pending);
        kept
    }

    /// Notes that an experiment is forgotten. If it was notified as bad, a closing notification
    /// follows. Returns the entries to remove.
    pub(super) fn forget(&mut self, stub: &Stub, now: Moment) -> Vec<Notified> {
        self.pending.remove(stub);
        self.unconfirmed.remove(stub);
        self.well_since.remove(stub);
        self.worst.remove(stub);
        self.losses.forget(stub);
        let mut gone = Vec::new();
        if self.unsteady.forget(stub) {
            gone.push(Notified::Unsteady(stub.clone(), Vec::new()));
        }
        if let Some(last) = self.notified.remove(stub) {
            gone.push(Notified::Experiment(stub.clone(), None));
            if last.said.known.health.is_bad() {
                let closing = Closing::of(&last, now);
                gone.push(Notified::Closing(stub.clone(), Some(closing.clone())));
                self.closing.insert(stub.clone(), closing);
            }
        }
        gone
    }

    /// Whether an experiment is unsteady, and its state is not to be notified yet.
    pub(super) fn is_held(&self, stub: &Stub, now: Moment) -> bool {
        let waits = |pending: &Pending| pending.from > now;
        let is_unsteady = self.unsteady.is_unsteady(stub) || self.losses.is_unsteady(stub);
        is_unsteady && self.pending.get(stub).is_some_and(waits)
    }

    /// The summary that is due now, if one is.
    pub(super) fn due(
        &mut self,
        context: &NotificationContext<'_>,
        switching_since: Option<Moment>,
        next_id: u64,
    ) -> Option<Due> {
        let now = context.now;
        if let Some(lost) = self.delivery.expired(now) {
            self.owe(lost, now);
        }
        let mut alert_states = BTreeMap::new();
        if self.route.alerts {
            alert_states = self.alert_states.evaluate(context);
        }
        self.delivery.note_alerts(&alert_states);
        let first = self
            .pending
            .iter()
            .filter(|(stub, _)| !context.suppressions.covers(stub) && !self.is_held(stub, now))
            .map(|(stub, pending)| context.ready(stub, pending))
            .min();
        self.next_ready = self
            .pending
            .iter()
            .map(|(stub, pending)| context.ready(stub, pending))
            .filter(|at| *at > now)
            .min();
        let closed = self.closing.values();
        self.waiting_since = first
            .into_iter()
            .chain(self.alert_states.pending_since)
            .chain(closed.map(|closing| now.back_at(closing.ended)))
            .min();
        // News that wait for a source soon show whether a failed message still holds.
        let mut pending = self.pending.iter();
        let failed = self.delivery.failed();
        let is_in_doubt = failed.is_some_and(|failed| !failed.comes_first(now))
            && pending.any(|(stub, pending)| context.is_half_known(stub, pending));
        if is_in_doubt || !self.delivery.may_send(now) {
            return None;
        }
        let round = Round {
            context,
            alert_states,
            switching_since,
            message: MessageId {
                at: now.wall(),
                id: next_id,
            },
        };
        if let Some(again) = self.send_again(&round) {
            return Some(again);
        }
        let new = self
            .notify_news(&round)
            .or_else(|| self.send_digest(&round))
            .or_else(|| self.remind(&round))?;
        self.budget.spend(self.route.interval, now);
        Some((Record::Notifying(new.clone()), new))
    }
}
