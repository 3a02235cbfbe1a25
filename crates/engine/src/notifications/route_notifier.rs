//! One route: what its people were told, what they are to be told, and when.

use std::collections::BTreeMap;
use std::sync::Arc;
use std::time::Duration;

use jiff::Timestamp;

use super::alerts::Alerts;
use super::budget::Budget;
use super::closing::Closing;
use super::context::NotificationContext;
use super::delivery::{Delivery, InFlight, NotifiedState};
use super::digest::Digests;
use super::pending::{PARTS_FOLLOW_WITHIN, Pending};
use super::unsteady::Unsteady;
use crate::experiments::experiment::Experiment;
use crate::model::{CallError, Health, Moment, RouteName, Stub};
use crate::notifications::route::Route;
use crate::protocol::audience::{Audience, Notification, Recipient, Unreached};
use crate::protocol::input::{DeliveryFault, Outlook};
use crate::protocol::snapshot::{RouteView, ToldView, UnreachedView};
use crate::protocol::state::{self, Alert, Known, MailThread, MessageId, Notified, ReminderState};
use crate::protocol::summary::{Line, Occasion, Reminder};

/// A summary waits at most this long for switches that are under way, so that it can say what came of them.
const WAIT_FOR_SWITCHES: Duration = Duration::from_secs(10);

/// A summary waits at most this long for a source to settle after its restart or return, so that what comes back together is told together.
const WAIT_FOR_SETTLING: Duration = Duration::from_secs(60);

/// Who was told that an experiment is down hears of another cause at the earliest after this time: when power goes, its remote login
/// is often seen to be lost some seconds after its streams, and one message is enough for that.
const CAUSES_FOLLOW_AFTER: Duration = Duration::from_secs(60);

/// What gets worse is told at once, whatever was told before, where it is booked now or within this time.
const URGENT_WITHIN: Duration = Duration::from_secs(3600);

/// The longest wait between two reminders, unless the first one waits longer.
const REMIND_AT_LEAST_EVERY: Duration = Duration::from_secs(7 * 24 * 3600);

/// What people were last told about an experiment.
#[derive(Debug, Clone)]
pub(super) struct Heard {
    pub(super) known: Known,
    /// Since when it is bad, as they were told.
    pub(super) bad_since: Option<Moment>,
    pub(super) thread: Option<MailThread>,
}

/// A message that is due.
#[derive(Debug, Clone)]
pub(crate) enum Due {
    /// One that was not sent before.
    New(Notification),
    /// One that was, and did not arrive; with which attempt this is.
    Again(Notification, u32),
}

/// Why a recipient does not have what the others have.
#[derive(Debug, Clone)]
pub(super) struct NotReached {
    pub(super) since: Moment,
    pub(super) fault: CallError,
    pub(super) refused: bool,
}

/// A route, and what its recipients know; or recipients of a route who know less than the others, until they know the same.
#[derive(Debug, Clone)]
pub(super) struct RouteNotifier {
    /// The name under which it is kept: that of the route, or of a lane of it.
    pub(super) name: RouteName,
    pub(super) audience: Audience,
    pub(super) unreached: BTreeMap<Recipient, NotReached>,
    pub(super) route: Route,
    pub(super) notified: BTreeMap<Stub, Heard>,
    pub(super) alert_states: Alerts,
    /// Experiments of which people must be told something, with from when on.
    pub(super) pending: BTreeMap<Stub, Pending>,
    /// Experiments of a summary that failed, with since when they were bad: it is not known whether it was read, so they are notified about
    /// them although they may be again as they were told before.
    pub(super) unconfirmed: BTreeMap<Stub, Moment>,
    /// Since when experiments are well again of which people do not know that yet. A source may have told nothing since.
    pub(super) well_since: BTreeMap<Stub, Moment>,
    /// Since when there is something to tell that is not held back.
    waiting_since: Option<Moment>,
    pub(super) delivery: Delivery,
    budget: Budget,
    pub(super) unsteady: Unsteady,
    /// When the next of those that are still waited for may be told: its other source reports, or it has held for long enough.
    next_ready: Option<Moment>,
    /// Experiments that are not watched any more although recipients were told that they are bad.
    pub(super) closing: BTreeMap<Stub, Closing>,
    /// When a summary last arrived.
    pub(super) notified_at: Option<Moment>,
    pub(super) reminders: u32,
    pub(super) digests: Option<Digests>,
    /// The time of the last digest, from before there were none any more.
    pub(super) last_digest: Option<Timestamp>,
    /// What is to be kept of a digest that had nothing to say, or whose time was over when the route came to be.
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
            }),
            digests,
            last_digest: None,
            route,
            notified: BTreeMap::new(),
            alert_states: Alerts::default(),
            pending: BTreeMap::new(),
            unconfirmed: BTreeMap::new(),
            well_since: BTreeMap::new(),
            waiting_since: None,
            delivery: Delivery::default(),
            budget: Budget::default(),
            unsteady: Unsteady::default(),
            next_ready: None,
            closing: BTreeMap::new(),
            notified_at: None,
            reminders: 0,
        }
    }

    /// Whether nothing is to be done, unless there is a trouble now.
    pub(super) fn is_idle(&self, now: Moment) -> bool {
        let is_past = |at: Option<Moment>| at.is_some_and(|at| at <= now);
        self.pending.is_empty()
            && self.closing.is_empty()
            && self.alert_states.is_idle()
            && self.delivery.is_idle()
            && !is_past(self.reminder_at())
            && !is_past(self.digest_at(now))
    }

    pub(super) fn goes_on(&self, alert: Alert) -> bool {
        self.alert_states.goes_on(alert)
    }

    /// Takes note that an experiment changed.
    pub(super) fn note_change(
        &mut self,
        experiment: &Experiment,
        manifest_known: bool,
        now: Moment,
    ) {
        let stub = &experiment.stub;
        if !self.route.hears_of(stub) {
            return;
        }
        let Some(known) = Known::of(experiment, manifest_known) else {
            return;
        };
        let unusable = known.health.is_unusable();
        if let Some(holds_at) = self.unsteady.note(stub, unusable, now) {
            self.delivery.note_change(stub, &known);
            self.pending.insert(stub.clone(), Pending::from(holds_at));
            return;
        }
        let heard = self.notified.get(stub);
        let notified = heard.map_or_else(Known::assumed, |heard| heard.known.clone());
        let unconfirmed = self.unconfirmed.contains_key(stub);
        if !unconfirmed && !known.is_worth_telling_after(&notified) {
            self.pending.remove(stub);
            self.well_since.remove(stub);
            return;
        }
        let heard_at = heard
            .and_then(|heard| heard.thread)
            .map_or(now, |thread| now.back_at(thread.last.at));
        let pending = match (known.health.is_unusable(), notified.health.is_unusable()) {
            _ if unconfirmed => Pending::now(now),
            (true, true) if known.health == notified.health => {
                Pending::from((heard_at + CAUSES_FOLLOW_AFTER).max(now + PARTS_FOLLOW_WITHIN))
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
    }

    /// Takes note that an experiment is forgotten. Who was told that it is bad hears that it is not watched any more. Returns what is to
    /// be forgotten.
    pub(super) fn forget(&mut self, stub: &Stub, now: Moment) -> Vec<Notified> {
        self.pending.remove(stub);
        self.unconfirmed.remove(stub);
        self.well_since.remove(stub);
        let mut gone = Vec::new();
        if self.unsteady.forget(stub) {
            gone.push(Notified::Unsteady(stub.clone(), Vec::new()));
        }
        if let Some(heard) = self.notified.remove(stub) {
            gone.push(Notified::Experiment(stub.clone(), None));
            if heard.known.health.is_bad() {
                self.closing.insert(stub.clone(), Closing::of(&heard, now));
            }
        }
        gone
    }

    /// Whether an experiment is unsteady, and it is not yet to be told how it is.
    pub(super) fn is_held(&self, stub: &Stub, now: Moment) -> bool {
        let waits = |pending: &Pending| pending.from > now;
        self.unsteady.is_unsteady(stub) && self.pending.get(stub).is_some_and(waits)
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
        let alert_states = if self.route.alerts {
            self.alert_states.evaluate(context)
        } else {
            BTreeMap::new()
        };
        self.delivery.consider_concerns(&alert_states);
        let first = self
            .pending
            .iter()
            .filter(|(stub, _)| !context.is_suppressed(stub) && !self.is_held(stub, now))
            .map(|(_, pending)| pending.ready(context.reported))
            .min();
        let ready = self.pending.values();
        self.next_ready = ready
            .map(|pending| pending.ready(context.reported))
            .filter(|at| *at > now)
            .min();
        self.waiting_since = first
            .into_iter()
            .chain(self.alert_states.untold_since)
            .chain(self.closing.values().map(|closing| closing.ended))
            .min();
        // What is known by half says soon whether a message that failed still holds.
        let mut pending = self.pending.values();
        let is_in_doubt = self.delivery.failed().is_some()
            && pending.any(|pending| pending.is_half_known(context.reported, now));
        if is_in_doubt || !self.delivery.may_send(now) {
            return None;
        }
        let message = MessageId {
            at: now.wall(),
            id: next_id,
        };
        if let Some(again) = self.send_again(context, &alert_states) {
            return Some(again);
        }
        let new = self
            .notify_news(context, switching_since, &alert_states, message)
            .or_else(|| self.tell_digest(context, &alert_states, message))
            .or_else(|| self.remind(context, &alert_states, message))?;
        self.budget.spend(self.route.interval, now);
        Some(Due::New(new))
    }

    /// The message that failed, as it was, if it still says what is to be said. Otherwise another one does.
    fn send_again(
        &mut self,
        context: &NotificationContext<'_>,
        alert_states: &BTreeMap<Alert, Moment>,
    ) -> Option<Due> {
        let failed = self.delivery.failed()?;
        let news = self.news(context);
        let entries: Vec<&NotifiedState> = news.iter().map(|(_, entry)| entry).collect();
        let still_holds = match failed.occasion() {
            Occasion::News => {
                failed.tells(&entries)
                    && failed.tells_alerts(alert_states)
                    && failed.closings.iter().eq(self.closing.keys())
            }
            Occasion::Reminder => self.waiting_since.is_none() && self.is_still_bad(context),
            Occasion::Digest => {
                let due = self
                    .digests
                    .as_ref()
                    .and_then(Digests::next)
                    .filter(|at| *at <= context.now.wall());
                self.waiting_since.is_none() && due.is_some() && due == failed.digest
            }
            Occasion::Test => false,
        };
        if !still_holds {
            return None;
        }
        let audience = self.audience.clone();
        self.budget.spend(self.route.interval, context.now);
        let message = self.delivery.send_again(context.now)?;
        let notification = Notification {
            summary: Arc::clone(&message.summary),
            audience,
            digest: message.digest,
        };
        Some(Due::Again(notification, message.attempt))
    }

    fn notify_news(
        &mut self,
        context: &NotificationContext<'_>,
        switching_since: Option<Moment>,
        alert_states: &BTreeMap<Alert, Moment>,
        message: MessageId,
    ) -> Option<Notification> {
        let first = self.waiting_since?;
        let switched = switching_since.map(|since| since + WAIT_FOR_SWITCHES);
        let settled = context
            .settles_until
            .map(|until| until.min(first + WAIT_FOR_SETTLING));
        if [Some(first + self.route.gather), switched, settled]
            .into_iter()
            .flatten()
            .any(|at| at > context.now)
        {
            return None;
        }
        let news = self.news(context);
        let is_news = self.alert_states.untold_since.is_some()
            || !self.closing.is_empty()
            || news
                .iter()
                .any(|(line, _)| !context.is_suppressed(&line.stub));
        if is_news && !self.may_tell(&news, context) {
            self.remember(&news, context);
            return None;
        }
        is_news.then(|| {
            self.send(
                Occasion::News,
                news,
                alert_states.clone(),
                None,
                message,
                context,
            )
        })
    }

    /// Whether the budget allows a message. What gets worse although it is booked soon does not wait for it.
    fn may_tell(&self, news: &[(Line, NotifiedState)], context: &NotificationContext<'_>) -> bool {
        let (every, now) = (self.route.interval, context.now);
        let is_urgent = |(line, _): &(Line, NotifiedState)| {
            line.health.is_unusable()
                && !line.notified.is_unusable()
                && context.is_booked_within(&line.stub, URGENT_WITHIN)
        };
        self.budget.allows(every, now)
            || (news.iter().any(is_urgent) && self.budget.allows_urgent(every, now))
    }

    /// What waits for the budget is told one day, although it may be over by then.
    fn remember(&mut self, news: &[(Line, NotifiedState)], context: &NotificationContext<'_>) {
        for (stub, entry) in news.iter().map(|(_, state)| state) {
            if let Some((known, bad_since)) = entry.as_ref().filter(|_| self.route.hears_of(stub))
                && known.health.is_unusable()
            {
                let since = bad_since.unwrap_or(context.now);
                self.unconfirmed.entry(stub.clone()).or_insert(since);
            }
        }
    }

    /// What is new is told as news first: a digest tells only what people know.
    fn tell_digest(
        &mut self,
        context: &NotificationContext<'_>,
        alert_states: &BTreeMap<Alert, Moment>,
        message: MessageId,
    ) -> Option<Notification> {
        let at = self.digests.as_mut()?.due(context.now.wall())?;
        let has_news = self.alert_states.untold_since.is_some()
            || self
                .news(context)
                .iter()
                .any(|(line, _)| !context.is_suppressed(&line.stub));
        if has_news {
            return None;
        }
        let when_well = self.digests.as_ref().is_some_and(Digests::when_well);
        let has_something = !alert_states.is_empty()
            || !self.problems(context).is_empty()
            || !context.background(&self.route).is_empty();
        if has_something || when_well {
            return Some(self.send(
                Occasion::Digest,
                Vec::new(),
                alert_states.clone(),
                Some(at),
                message,
                context,
            ));
        }
        self.digests.as_mut()?.done(at, context.now.wall());
        self.noted = Some(self.reminder_state(context.now));
        None
    }

    fn remind(
        &mut self,
        context: &NotificationContext<'_>,
        alert_states: &BTreeMap<Alert, Moment>,
        message: MessageId,
    ) -> Option<Notification> {
        let is_due =
            self.waiting_since.is_none() && self.reminder_at().is_some_and(|at| at <= context.now);
        let is_due = is_due && self.budget.allows(self.route.interval, context.now);
        let is_open = is_due
            && (self.alert_states.is_told_any_of(alert_states) || self.is_still_bad(context));
        is_open.then(|| {
            self.send(
                Occasion::Reminder,
                Vec::new(),
                alert_states.clone(),
                None,
                message,
                context,
            )
        })
    }

    fn is_still_bad(&self, context: &NotificationContext<'_>) -> bool {
        let is_bad_now = |stub| {
            context
                .experiment(stub)
                .is_some_and(|experiment| experiment.health.is_bad())
        };
        self.notified.iter().any(|(stub, heard)| {
            heard.known.health.is_bad() && is_bad_now(stub) && !context.is_suppressed(stub)
        })
    }

    /// When to look again although nothing came.
    pub(super) fn deadline(&self, switching_since: Option<Moment>, now: Moment) -> Option<Moment> {
        if let Some(overdue) = self.delivery.deadline() {
            return Some(overdue);
        }
        let first = self.waiting_since;
        let switched = switching_since
            .filter(|_| first.is_some())
            .map(|since| since + WAIT_FOR_SWITCHES);
        let news = first
            .map(|first| [first + self.route.gather, first + WAIT_FOR_SETTLING])
            .into_iter()
            .flatten();
        let budget = self.budget.ready_at(self.route.interval, now);
        let others = [
            switched,
            self.reminder_at().map(|at| at.max(budget)),
            self.digest_at(now),
            self.delivery.retry_at(),
            self.next_ready,
        ]
        .into_iter()
        .flatten();
        news.map(|at| at.max(budget))
            .chain(others)
            .map(|at| self.delivery.earliest(at))
            .filter(|at| *at > now)
            .min()
    }

    /// When people are to be reminded of what they were told bad.
    fn reminder_at(&self) -> Option<Moment> {
        let notified_at = self.notified_at?;
        let knows_bad = self.alert_states.is_any_told()
            || self
                .notified
                .values()
                .any(|heard| heard.known.health.is_bad());
        let wait = self.wait_before_reminder(self.reminders)?;
        knows_bad.then(|| notified_at + wait)
    }

    /// How long it takes to the next reminder after so many.
    fn wait_before_reminder(&self, reminders: u32) -> Option<Duration> {
        let first = self.route.remind?;
        let wait = first.saturating_mul(2_u32.saturating_pow(reminders));
        Some(wait.min(REMIND_AT_LEAST_EVERY.max(first)))
    }

    /// Which reminder one is that is sent now.
    pub(super) fn reminder(&self, now: Moment) -> Option<Reminder> {
        let number = self.reminders.saturating_add(1);
        let next = now + self.wait_before_reminder(number)?;
        Some(Reminder {
            number,
            next: next.wall(),
        })
    }

    fn digest_at(&self, now: Moment) -> Option<Moment> {
        let wait = self.digests.as_ref()?.next()?.duration_since(now.wall());
        Some(now + Duration::try_from(wait).unwrap_or_default())
    }

    /// Whether this message is in flight here, or is waited for.
    pub(super) fn is_about(&self, id: u64, arrived: bool) -> bool {
        self.delivery.is_sending(id)
            || (arrived
                && self
                    .delivery
                    .failed()
                    .is_some_and(|failed| failed.summary.id == id))
    }

    /// A message arrived, but not with these. Returns what the recipients now know.
    pub(super) fn delivered(
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
        self.unreached = refused.map(|one| not_reached(one, &before, now)).collect();
        self.arrived(message, now)
    }

    /// A message did not arrive with any of these recipients.
    pub(super) fn failed(&mut self, id: u64, fault: &DeliveryFault, now: Moment) {
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

    /// Until when the message that failed waits, and its number.
    pub(super) fn waits(&self) -> Option<(u64, Moment)> {
        Some((
            self.delivery.failed()?.summary.id,
            self.delivery.retry_at()?,
        ))
    }

    /// Whether nothing is to be sent, and both know the same.
    pub(super) fn is_level_with(&self, other: &Self) -> bool {
        let knows_the_same = self.notified.len() == other.notified.len()
            && self.notified.iter().all(|(stub, heard)| {
                let same = |other: &Heard| heard.known.is_same(&other.known);
                other.notified.get(stub).is_some_and(same)
            });
        let at_rest = |one: &Self| one.delivery.is_at_rest() && one.unconfirmed.is_empty();
        at_rest(self)
            && at_rest(other)
            && knows_the_same
            && self.alert_states.is_level_with(&other.alert_states)
    }

    /// All that its recipients know, to be kept.
    pub(super) fn all_notified(&self, now: Moment) -> Vec<Notified> {
        let experiments = self.notified.iter().map(|(stub, heard)| {
            let (known, thread) = (heard.known.clone(), heard.thread);
            Notified::Experiment(stub.clone(), Some(state::Heard { known, thread }))
        });
        let reminder_state = Notified::ReminderState(self.reminder_state(now));
        let unsteady = self.unsteady.all().map(|(stub, told)| {
            let told = told.iter().map(|at| at.wall()).collect();
            Notified::Unsteady(stub.clone(), told)
        });
        experiments
            .chain(unsteady)
            .chain(self.alert_states.all_notified())
            .chain([reminder_state])
            .collect()
    }

    fn arrived(&mut self, summary: InFlight, now: Moment) -> Vec<Notified> {
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
            let alert_states = if self.route.alerts {
                summary.alert_states
            } else {
                BTreeMap::new()
            };
            notified.extend(self.alert_states.learn(alert_states, message));
            for stub in &summary.closings {
                self.closing.remove(stub);
            }
            let heard: Vec<_> = summary
                .entries
                .into_iter()
                .filter(|(stub, _)| self.route.hears_of(stub))
                .collect();
            notified.extend(
                heard
                    .into_iter()
                    .flat_map(|(stub, entry)| self.learn(stub, entry, message, now)),
            );
        }
        notified.push(Notified::ReminderState(self.reminder_state(now)));
        notified
    }

    pub(super) fn reminder_state(&self, now: Moment) -> ReminderState {
        ReminderState {
            notified_at: self.notified_at.unwrap_or(now).wall(),
            reminders: self.reminders,
            digest: self.last_digest(),
        }
    }

    pub(super) fn last_digest(&self) -> Option<Timestamp> {
        self.digests
            .as_ref()
            .map_or(self.last_digest, |digests| digests.last)
    }

    /// What is to be kept although no summary was sent.
    pub(super) fn take_noted(&mut self) -> Option<Notified> {
        self.noted.take().map(Notified::ReminderState)
    }

    fn learn(
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
        let before = self.notified.remove(&stub).and_then(|heard| heard.thread);
        let thread = Some(MailThread {
            root: before.map_or(message, |strand| strand.root),
            last: message,
        });
        let notified = entry.as_ref().map(|(known, _)| state::Heard {
            known: known.clone(),
            thread,
        });
        if let Some((known, bad_since)) = entry {
            self.notified.insert(
                stub.clone(),
                Heard {
                    known,
                    bad_since,
                    thread,
                },
            );
        }
        unsteady
            .into_iter()
            .chain([Notified::Experiment(stub, notified)])
            .collect()
    }

    /// Counts how often recipients were told that an experiment is unusable. What was unsteady and is told has held.
    fn swings(&mut self, stub: &Stub, known: Option<&Known>, now: Moment) -> Option<Notified> {
        if self.unsteady.is_unsteady(stub) {
            self.unsteady.forget(stub);
            return Some(Notified::Unsteady(stub.clone(), Vec::new()));
        }
        let knew = |heard: &Heard| heard.known.health.is_unusable();
        let is_new = !self.notified.get(stub).is_some_and(knew);
        known
            .filter(|known| is_new && known.health.is_unusable())
            .map(|_| {
                let told = self.unsteady.told(stub, now);
                let told = told.iter().map(|at| at.wall()).collect();
                Notified::Unsteady(stub.clone(), told)
            })
    }

    /// It is not known whether the summary was read: its content is to be notified again.
    pub(super) fn owe(&mut self, summary: InFlight, now: Moment) {
        if summary.occasion() == Occasion::News && self.route.alerts {
            self.alert_states.owe(summary.alert_states);
        }
        for (stub, entry) in summary
            .entries
            .into_iter()
            .filter(|(stub, _)| self.route.hears_of(stub))
        {
            let bad_since = entry.and_then(|(_, since)| since).unwrap_or(now);
            self.unconfirmed.entry(stub.clone()).or_insert(bad_since);
            self.pending.entry(stub).or_insert(Pending::now(now));
        }
    }

    pub(super) fn view(&self) -> RouteView {
        let waits = !self.pending.is_empty() || self.alert_states.untold_since.is_some();
        RouteView {
            name: self.route.name.clone(),
            channel: self.route.channel,
            last_sent: self.delivery.last_sent.map(Moment::wall),
            waiting_since: self.waiting_since.filter(|_| waits).map(Moment::wall),
            fault: self.delivery.fault.clone(),
            failures: self.delivery.failures,
            refused: self.delivery.refused_since().map(Moment::wall),
            unreached: self.unreached_views(),
        }
    }

    /// The recipients who do not have what the others have.
    pub(super) fn unreached_views(&self) -> Vec<UnreachedView> {
        let views = self.unreached.iter().map(|(recipient, why)| UnreachedView {
            recipient: recipient.clone(),
            since: why.since.wall(),
            fault: why.fault.clone(),
            refused: why.refused,
        });
        views.collect()
    }

    /// What people were told bad.
    pub(super) fn notified(&self) -> impl Iterator<Item = ToldView> {
        let notified_at = self.notified_at.map(Moment::wall);
        self.notified
            .iter()
            .filter(|(_, heard)| heard.known.health.is_bad())
            .map(move |(stub, heard)| ToldView {
                stub: stub.clone(),
                route: self.route.name.clone(),
                health: heard.known.health,
                at: heard
                    .thread
                    .map(|strand| strand.last.at)
                    .or(notified_at)
                    .unwrap_or(Timestamp::UNIX_EPOCH),
            })
    }
}

/// A recipient who is not reached, since when by what is known already.
pub(super) fn not_reached(
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
