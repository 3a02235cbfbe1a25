//! What a route has to send now, and when something is due next.

use std::collections::BTreeMap;
use std::sync::Arc;
use std::time::Duration;

use super::{
    Due, REMIND_AT_LEAST_EVERY, RouteNotifier, URGENT_WITHIN, WAIT_FOR_SETTLING, WAIT_FOR_SWITCHES,
};
use crate::model::Moment;
use crate::notifications::context::NotificationContext;
use crate::notifications::delivery::{InFlight, NotifiedState};
use crate::notifications::digest::Digests;
use crate::protocol::alert::Alert;
use crate::protocol::audience::Notification;
use crate::protocol::message_id::MessageId;
use crate::protocol::summary::{Line, Occasion, Reminder};

impl RouteNotifier {
    /// The message that failed, unchanged, if it is still up to date, or comes first whatever is
    /// new. Otherwise a new one replaces it.
    pub(super) fn send_again(
        &mut self,
        context: &NotificationContext<'_>,
        alert_states: &BTreeMap<Alert, Moment>,
    ) -> Option<Due> {
        let failed = self.delivery.failed()?;
        if !failed.comes_first(context.now) && !self.still_holds(failed, context, alert_states) {
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

    /// Whether a message is still up to date.
    fn still_holds(
        &self,
        failed: &InFlight,
        context: &NotificationContext<'_>,
        alert_states: &BTreeMap<Alert, Moment>,
    ) -> bool {
        let news = self.news(context);
        let entries: Vec<&NotifiedState> = news.iter().map(|(_, entry)| entry).collect();
        match failed.occasion() {
            Occasion::News => {
                failed.covers(&entries)
                    && failed.covers_alerts(alert_states)
                    && failed.closings.iter().eq(self.closing.keys())
            }
            Occasion::Reminder => {
                self.waiting_since.is_none() && self.is_still_open(alert_states, context)
            }
            Occasion::Digest => {
                let due = self
                    .digests
                    .as_ref()
                    .and_then(Digests::next)
                    .filter(|at| *at <= context.now.wall());
                self.waiting_since.is_none() && due.is_some() && due == failed.digest
            }
            Occasion::Test => false,
        }
    }

    pub(super) fn notify_news(
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
        let is_news = self.alert_states.pending_since.is_some()
            || !self.closing.is_empty()
            || news
                .iter()
                .any(|(line, _)| !context.is_suppressed(&line.stub));
        if is_news && !self.may_send(&news, context) {
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

    /// Composes a digest. News are sent as news first: a digest has only what was notified.
    pub(super) fn send_digest(
        &mut self,
        context: &NotificationContext<'_>,
        alert_states: &BTreeMap<Alert, Moment>,
        message: MessageId,
    ) -> Option<Notification> {
        let at = self.digests.as_mut()?.due(context.now.wall())?;
        let has_news = self.alert_states.pending_since.is_some()
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
            || !context.background(&self.route, &[]).is_empty();
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

    pub(super) fn remind(
        &mut self,
        context: &NotificationContext<'_>,
        alert_states: &BTreeMap<Alert, Moment>,
        message: MessageId,
    ) -> Option<Notification> {
        let is_due =
            self.waiting_since.is_none() && self.reminder_at().is_some_and(|at| at <= context.now);
        let is_due = is_due && self.budget.allows(self.route.interval, context.now);
        let is_open = is_due && self.is_still_open(alert_states, context);
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

    /// Whether a notified problem goes on.
    fn is_still_open(
        &self,
        alert_states: &BTreeMap<Alert, Moment>,
        context: &NotificationContext<'_>,
    ) -> bool {
        self.alert_states.has_notified_any_of(alert_states) || self.is_still_bad(context)
    }

    fn is_still_bad(&self, context: &NotificationContext<'_>) -> bool {
        let is_bad_now = |stub| {
            context
                .experiment(stub)
                .is_some_and(|experiment| experiment.health.is_bad())
        };
        self.notified.iter().any(|(stub, last)| {
            last.known.health.is_bad() && is_bad_now(stub) && !context.is_suppressed(stub)
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
                .any(|last| last.known.health.is_bad());
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
