//! What a route has to send now, and when something is due next.

use std::sync::Arc;
use std::time::Duration;

use super::{
    Due, REMIND_AT_LEAST_EVERY, Round, RouteNotifier, URGENT_WITHIN, WAIT_FOR_SETTLING,
    WAIT_FOR_SWITCHES,
};
use crate::model::{Moment, Stub};
use crate::notifications::context::NotificationContext;
use crate::notifications::delivery::{InFlight, NotifiedState};
use crate::notifications::digest::Digests;
use crate::protocol::{Line, Notification, Occasion, Record, Reminder};

impl RouteNotifier {
    /// The message that failed, unchanged, if it is still up to date, or comes first whatever is
    /// new. Otherwise a new one replaces it.
    pub(super) fn send_again(&mut self, round: &Round<'_>) -> Option<Due> {
        let (failed, now) = (self.delivery.failed()?, round.context.now);
        if !failed.comes_first(now) && !self.still_holds(failed, round) {
            return None;
        }
        self.budget.spend(self.route.interval, now);
        let message = self.delivery.send_again(now)?;
        let notification = Notification {
            summary: Arc::clone(&message.summary),
            audience: self.audience.clone(),
            digest: message.digest,
        };
        let record = Record::Retrying {
            id: notification.id,
            route: notification.lane().clone(),
            attempt: message.attempt,
        };
        Some((record, notification))
    }

    /// Whether a message is still up to date.
    fn still_holds(&self, failed: &InFlight, round: &Round<'_>) -> bool {
        let Round {
            context,
            alert_states,
            ..
        } = round;
        match failed.occasion() {
            Occasion::News => {
                let news = self.news(context);
                let entries: Vec<&NotifiedState> = news.iter().map(|(_, entry)| entry).collect();
                failed.covers(&entries)
                    && failed.covers_alerts(alert_states)
                    && failed.closings.iter().eq(self.closing.keys())
            }
            Occasion::Reminder => self.waiting_since.is_none() && self.is_still_open(round),
            Occasion::Digest => {
                let next = self.digests.as_ref().and_then(Digests::next);
                let due = next.filter(|at| *at <= context.now.wall());
                self.waiting_since.is_none() && due.is_some() && due == failed.digest
            }
            Occasion::Test => false,
        }
    }

    pub(super) fn notify_news(&mut self, round: &Round<'_>) -> Option<Notification> {
        let (first, context) = (self.waiting_since?, round.context);
        let gathered = Some(first + self.route.gather);
        let switched = round.switching_since.map(|since| since + WAIT_FOR_SWITCHES);
        let settles_until = context.settles_until;
        let settled = settles_until.map(|until| until.min(first + WAIT_FOR_SETTLING));
        if [gathered, switched, settled].into_iter().max().flatten() > Some(context.now) {
            return None;
        }
        let news = self.news(context);
        let is_news = self.has_news(&news, context) || !self.closing.is_empty();
        if is_news && !self.may_send(&news, context) {
            self.remember(&news, context);
            return None;
        }
        is_news.then(|| self.send(Occasion::News, news, None, round))
    }

    /// Whether something of this is due now, or there is news of the laboratory.
    fn has_news(&self, news: &[(Line, NotifiedState)], context: &NotificationContext<'_>) -> bool {
        let is_suppressed = |(line, _): &(Line, _)| context.suppressions.covers(&line.stub);
        self.alert_states.pending_since.is_some() || !news.iter().all(is_suppressed)
    }

    /// Whether the budget allows a message. What gets worse although it is booked soon does not
    /// wait for it.
    pub(super) fn may_send(
        &self,
        news: &[(Line, NotifiedState)],
        context: &NotificationContext<'_>,
    ) -> bool {
        let (every, now) = (self.route.interval, context.now);
        let is_urgent = |(line, _): &(Line, NotifiedState)| {
            line.health.is_unusable()
                && !line.notified.is_unusable()
                && context.is_booked_within(&line.stub, URGENT_WITHIN)
        };
        self.budget.allows(every, now)
            || (news.iter().any(is_urgent) && self.budget.allows_urgent(every, now))
    }

    /// Notes what waits for the budget: it is notified one day, although it may be over by then.
    pub(super) fn remember(
        &mut self,
        news: &[(Line, NotifiedState)],
        context: &NotificationContext<'_>,
    ) {
        for (stub, entry) in news.iter().map(|(_, state)| state) {
            if let Some((known, bad_since)) = entry.as_ref().filter(|_| self.route.covers(stub))
                && known.health.is_unusable()
            {
                let since = bad_since.unwrap_or(context.now);
                self.unconfirmed.entry(stub.clone()).or_insert(since);
            }
        }
    }

    /// What is new is notified as news first: a digest repeats only what was notified.
    pub(super) fn send_digest(&mut self, round: &Round<'_>) -> Option<Notification> {
        let context = round.context;
        let at = self.digests.as_mut()?.due(context.now.wall())?;
        if self.has_news(&self.news(context), context) {
            return None;
        }
        let when_well = self.digests.as_ref().is_some_and(Digests::when_well);
        let has_something = !round.alert_states.is_empty()
            || !self.problems(context).is_empty()
            || !context.background(&self.route, &[]).is_empty();
        if has_something || when_well {
            return Some(self.send(Occasion::Digest, Vec::new(), Some(at), round));
        }
        self.digests.as_mut()?.done(at, context.now.wall());
        self.noted = Some(self.reminder_state(context.now));
        None
    }

    pub(super) fn remind(&mut self, round: &Round<'_>) -> Option<Notification> {
        let now = round.context.now;
        let is_due = self.waiting_since.is_none()
            && self.reminder_at().is_some_and(|at| at <= now)
            && self.budget.allows(self.route.interval, now)
            && self.is_still_open(round);
        is_due.then(|| self.send(Occasion::Reminder, Vec::new(), None, round))
    }

    /// Whether anything that was notified lasts.
    fn is_still_open(&self, round: &Round<'_>) -> bool {
        let context = round.context;
        let is_bad_now = |stub: &Stub| {
            let experiment = context.experiment(stub);
            experiment.is_some_and(|experiment| experiment.health.is_bad())
        };
        let mut notified = self.notified.iter();
        self.alert_states.has_notified_any_of(&round.alert_states)
            || notified.any(|(stub, last)| {
                let is_open = last.said.known.health.is_bad() && is_bad_now(stub);
                is_open && !context.suppressions.covers(stub)
            })
    }

    /// When to continue although no input came.
    pub(in crate::notifications) fn deadline(
        &self,
        switching_since: Option<Moment>,
        now: Moment,
    ) -> Option<Moment> {
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

    /// When recipients are to be reminded of problems.
    pub(super) fn reminder_at(&self) -> Option<Moment> {
        let notified_at = self.notified_at?;
        let knows_bad = self.alert_states.is_any_notified()
            || self
                .notified
                .values()
                .any(|last| last.said.known.health.is_bad());
        let wait = self.wait_before_reminder(self.reminders)?;
        knows_bad.then(|| notified_at + wait)
    }

    /// The wait before the next reminder after this many.
    pub(super) fn wait_before_reminder(&self, reminders: u32) -> Option<Duration> {
        let first = self.route.remind?;
        let wait = first.saturating_mul(2_u32.saturating_pow(reminders));
        Some(wait.min(REMIND_AT_LEAST_EVERY.max(first)))
    }

    /// The number of the reminder that is sent now.
    pub(in crate::notifications) fn reminder(&self, now: Moment) -> Option<Reminder> {
        let number = self.reminders.saturating_add(1);
        let next = now + self.wait_before_reminder(number)?;
        Some(Reminder {
            number,
            next: next.wall(),
        })
    }

    pub(super) fn digest_at(&self, now: Moment) -> Option<Moment> {
        let wait = self.digests.as_ref()?.next()?.duration_since(now.wall());
        Some(now + Duration::try_from(wait).unwrap_or_default())
    }
}
