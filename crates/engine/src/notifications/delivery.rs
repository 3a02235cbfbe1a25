//! Delivery of a route's messages: one in flight at a time, when to retry after a failure, and
//! which message.

use std::collections::BTreeMap;
use std::sync::Arc;
use std::time::Duration;

use jiff::Timestamp;

use crate::model::{CallError, Gather as _, Health, Moment, Stub, earliest};
use crate::protocol::{
    Alert, DeliveryFault, Known, Line, MessageId, Occasion, OutboxEntry, Outlook, Summary,
};

/// The wait after the first failure; it doubles with each further one, up to [`RETRY_AT_MOST`].
const RETRY_AFTER: Duration = Duration::from_secs(10);

/// The longest wait before a failed message is retried.
const RETRY_AT_MOST: Duration = Duration::from_secs(600);

/// A permanently refused message is retried after this long, unless its content changes before: a
/// filter may be corrected.
const RETRY_REFUSED_AFTER: Duration = Duration::from_secs(3600);

/// A message that most likely arrived is retried after this long: slow receivers stay slow for a
/// while.
const RETRY_UNKNOWN_AFTER: Duration = Duration::from_secs(30 * 60);

/// A delivery whose outcome is not known this long after it began is given up. The delivering task
/// gives up before that.
const OUTCOME_WITHIN: Duration = Duration::from_secs(30 * 60);

/// A delivery that has not begun after this long never will: its task is gone.
const BEGUN_WITHIN: Duration = Duration::from_secs(6 * 3600);

/// A message whose outcome was lost with the process that sent it comes before anything newer for
/// so long after it was composed: it may have arrived, and a retry without changes is the same
/// message to its receiver. Later it is outdated, and says less than a new one.
const FINISHED_WITHIN: Duration = Duration::from_secs(15 * 60);

/// What recipients will have been notified of about an experiment, with since when it is bad;
/// `None`: that it is ok.
pub(super) type NotifiedState = (Stub, Option<(Known, Option<Moment>)>);

/// A message, with what its recipients know once it arrives.
#[derive(Debug, Clone)]
pub(super) struct InFlight {
    pub(super) summary: Arc<Summary>,
    /// When it was handed over for delivery.
    pub(super) since: Moment,
    /// When its delivery began: before that it waits in a queue.
    pub(super) begun: Option<Moment>,
    pub(super) entries: Vec<NotifiedState>,
    pub(super) alert_states: BTreeMap<Alert, Moment>,
    /// Experiments with their closing notification in it.
    pub(super) closings: Vec<Stub>,
    /// The time for which the digest was due, where it is one.
    pub(super) digest: Option<Timestamp>,
    /// The number of the attempt, from 0 on.
    pub(super) attempt: u32,
    /// Until when it is retried whatever is new: an earlier process may have delivered it.
    pub(super) finish_by: Option<Moment>,
}

impl InFlight {
    /// Restores an unconfirmed message.
    fn recall(summary: Arc<Summary>, entry: &OutboxEntry, now: Moment) -> Self {
        let alerts = summary.alerts.iter().filter(|line| line.ended.is_none());
        let closings = summary.alerts.iter();
        let closings = closings.filter_map(|line| Some(line.experiment.as_ref()?.0.clone()));
        let finish_by = now.back_at(entry.created) + FINISHED_WITHIN;
        let was_under_way = entry.not_before.is_none() && summary.occasion == Occasion::News;
        Self {
            since: now,
            begun: None,
            entries: summary
                .news
                .iter()
                .map(|line| notified_state(line, now))
                .collect(),
            alert_states: alerts
                .filter_map(|line| Some((line.alert.clone()?, now.back_at(line.since))))
                .gather(),
            closings: closings.collect(),
            digest: entry.digest,
            attempt: 0,
            finish_by: (was_under_way && now < finish_by).then_some(finish_by),
            summary,
        }
    }

    /// Whether it is retried before anything newer is sent.
    pub(super) fn comes_first(&self, now: Moment) -> bool {
        self.finish_by.is_some_and(|by| now < by)
    }

    /// When its outcome is overdue.
    fn overdue_at(&self) -> Moment {
        self.begun
            .map_or(self.since + BEGUN_WITHIN, |begun| begun + OUTCOME_WITHIN)
    }

    pub(super) fn is(&self, id: u64) -> bool {
        self.summary.id == id
    }

    pub(super) fn message(&self) -> MessageId {
        self.summary.thread.id
    }

    pub(super) fn occasion(&self) -> Occasion {
        self.summary.occasion
    }

    /// Whether it has exactly the current news of experiments.
    pub(super) fn covers(&self, entries: &[&NotifiedState]) -> bool {
        entries.len() == self.entries.len()
            && entries
                .iter()
                .all(|(stub, entry)| self.says(stub, entry.as_ref().map(|entry| &entry.0)))
    }

    fn says(&self, stub: &Stub, known: Option<&Known>) -> bool {
        let mut same = self.entries.iter().filter(|(of, _)| of == stub);
        same.any(
            |(_, entry)| match (entry.as_ref().map(|entry| &entry.0), known) {
                (Some(notified), Some(known)) => notified.is_same(known),
                (notified, known) => {
                    notified.is_none_or(Known::is_plain) && known.is_none_or(Known::is_plain)
                }
            },
        )
    }

    /// Whether it has exactly the current alerts.
    pub(super) fn covers_alerts(&self, alert_states: &BTreeMap<Alert, Moment>) -> bool {
        let times = |states: &BTreeMap<Alert, Moment>| -> Vec<_> {
            let states = states.clone().into_iter();
            states.map(|(alert, since)| (alert, since.wall())).collect()
        };
        times(&self.alert_states) == times(alert_states)
    }
}

/// What a line says, as it is stored once delivered.
fn notified_state(line: &Line, now: Moment) -> NotifiedState {
    let bad_since = line.health.is_bad().then_some(line.since);
    let known = Known {
        health: line.health,
        issues: line.issues.clone(),
        listed: line.listed,
        bad_since,
    };
    let is_plain = line.health == Health::Ok && known.is_plain();
    let entry = (!is_plain).then(|| (known, bad_since.map(|at| now.back_at(at))));
    (line.stub.clone(), entry)
}

/// The last attempt, where it failed.
#[derive(Debug, Clone)]
struct Failed {
    attempt: InFlight,
    /// Since when the content has been refused permanently, where it is.
    refused_since: Option<Moment>,
    /// Before this moment not even changed content is worth another attempt.
    not_before: Moment,
    /// Whether it most likely arrived.
    is_unknown: bool,
}

#[derive(Debug, Clone, Default)]
pub(super) struct Delivery {
    in_flight: Option<InFlight>,
    failed: Option<Failed>,
    retry_at: Option<Moment>,
    pub(super) failures: u32,
    pub(super) last_sent: Option<Moment>,
    pub(super) fault: Option<CallError>,
}

impl Delivery {
    /// The delivery of a message has begun.
    pub(super) fn begun(&mut self, id: u64, now: Moment) {
        if let Some(message) = self.in_flight.as_mut().filter(|message| message.is(id)) {
            message.begun = Some(now);
        }
    }

    /// Drops the wait: what failed may work now. What most likely arrived waits all the same.
    pub(super) fn retry(&mut self, now: Moment) {
        if self.failed.is_some() && !self.may_have_arrived() {
            self.retry_at = Some(now);
        }
    }

    /// Whether nothing is in flight, nor due before anything newer.
    pub(super) fn is_idle(&self, now: Moment) -> bool {
        let comes_first = |failed: &InFlight| failed.comes_first(now);
        self.in_flight.is_none() && !self.failed().is_some_and(comes_first)
    }

    /// Whether nothing is in flight and nothing waits for a retry.
    pub(super) fn is_at_rest(&self) -> bool {
        self.in_flight.is_none() && self.failed.is_none()
    }

    /// Whether this message is in flight.
    pub(super) fn is_sending(&self, id: u64) -> bool {
        self.in_flight
            .as_ref()
            .is_some_and(|message| message.is(id))
    }

    /// The messages that are in flight or wait for a retry.
    pub(super) fn open(&self) -> impl Iterator<Item = &InFlight> {
        self.in_flight.iter().chain(self.failed())
    }

    pub(super) fn send(&mut self, message: InFlight) {
        self.in_flight = Some(message);
    }

    /// Restores a message that was unconfirmed when labwatch stopped.
    pub(super) fn recall(&mut self, entry: &OutboxEntry, now: Moment) {
        let Some(summary) = &entry.message else {
            return;
        };
        let wait = entry.not_before.filter(|_| entry.may_have_arrived);
        let wait = wait.map(|at| at.duration_since(now.wall()));
        let wait = wait.and_then(|wait| Duration::try_from(wait).ok());
        self.failed = Some(Failed {
            attempt: InFlight::recall(Arc::clone(summary), entry, now),
            refused_since: None,
            not_before: now,
            is_unknown: entry.may_have_arrived,
        });
        // A clock that was wrong makes no wait longer.
        self.retry_at = Some(now + wait.unwrap_or_default().min(RETRY_UNKNOWN_AFTER));
    }

    /// The message that failed, where it waits for a retry.
    pub(super) fn failed(&self) -> Option<&InFlight> {
        self.failed.as_ref().map(|failed| &failed.attempt)
    }

    /// Retries the message that failed.
    pub(super) fn send_again(&mut self, now: Moment) -> Option<&InFlight> {
        let mut message = self.failed.take()?.attempt;
        message.since = now;
        message.begun = None;
        message.attempt = message.attempt.saturating_add(1);
        Some(self.in_flight.insert(message))
    }

    /// Whether nothing is in flight and no wait is prescribed.
    pub(super) fn may_send(&self, now: Moment) -> bool {
        self.in_flight.is_none() && self.retry_at.is_none_or(|at| at <= now)
    }

    /// When something that is due at `at` can be sent.
    pub(super) fn earliest(&self, at: Moment) -> Moment {
        self.retry_at.map_or(at, |retry| retry.max(at))
    }

    /// Whether the message that failed most likely arrived.
    pub(super) fn may_have_arrived(&self) -> bool {
        self.failed.as_ref().is_some_and(|failed| failed.is_unknown)
    }

    /// When the message that failed is retried.
    pub(super) fn retry_at(&self) -> Option<Moment> {
        self.retry_at.filter(|_| self.failed.is_some())
    }

    /// When a message's outcome becomes overdue.
    pub(super) fn deadline(&self) -> Option<Moment> {
        self.in_flight.as_ref().map(InFlight::overdue_at)
    }

    /// Gives up a message whose outcome never came: it may have arrived.
    pub(super) fn expired(&mut self, now: Moment) -> Option<InFlight> {
        let message = self
            .in_flight
            .take_if(|message| now >= message.overdue_at())?;
        let fault = DeliveryFault {
            fault: CallError::TimedOut,
            outlook: Outlook::Unknown,
        };
        self.failed_with(message.clone(), &fault, now);
        Some(message)
    }

    /// The message of this number, if it is in flight, or was given up and arrived all the same.
    pub(super) fn take(&mut self, id: u64) -> Option<InFlight> {
        let in_flight = self.in_flight.take_if(|message| message.is(id));
        in_flight.or_else(|| Some(self.failed.take_if(|failed| failed.attempt.is(id))?.attempt))
    }

    pub(super) fn arrived(&mut self, now: Moment) {
        *self = Self {
            last_sent: Some(now),
            ..Self::default()
        };
    }

    /// A corrected password or token is tried within minutes, not after an hour.
    pub(super) fn failed_with(
        &mut self,
        mut attempt: InFlight,
        fault: &DeliveryFault,
        now: Moment,
    ) {
        let doubled = RETRY_AFTER.saturating_mul(2_u32.saturating_pow(self.failures.min(16)));
        let backoff = doubled.min(RETRY_AT_MOST);
        let refused_since = fault
            .refuses_content()
            .then(|| self.refused_since().unwrap_or(now));
        self.failures = self.failures.saturating_add(1);
        self.fault = Some(fault.fault.clone());
        let (wait, at_least) = match fault.outlook {
            _ if fault.fault.refuses_us() => (RETRY_AT_MOST, backoff),
            Outlook::Passing => (backoff, RETRY_AFTER),
            Outlook::Refused => (RETRY_REFUSED_AFTER, backoff),
            Outlook::Unknown => (RETRY_UNKNOWN_AFTER, RETRY_AFTER),
        };
        // Where it is refused, or may have arrived again, waiting for it would hold back newer
        // news.
        if fault.outlook != Outlook::Passing {
            attempt.finish_by = None;
        }
        self.failed = Some(Failed {
            attempt,
            refused_since,
            not_before: now + at_least,
            is_unknown: fault.outlook == Outlook::Unknown,
        });
        self.retry_at = Some(now + wait);
    }

    /// Drops the message that failed: its content is composed anew, as soon as the wait is over.
    pub(super) fn put_together_anew(&mut self) {
        self.try_again();
        self.failed = None;
    }

    /// Notes the current state of an experiment. Where the last attempt said something else,
    /// another one is worthwhile: that content is stored, and is notified one day although it is
    /// over by then.
    pub(super) fn note_change(&mut self, stub: &Stub, known: &Known) {
        let failed = self.failed();
        if failed.is_some_and(|failed| !failed.says(stub, Some(known))) {
            self.try_again();
        }
    }

    /// The same for alerts of the whole laboratory.
    pub(super) fn note_alerts(&mut self, alert_states: &BTreeMap<Alert, Moment>) {
        let failed = self.failed();
        if failed.is_some_and(|failed| !failed.alert_states.keys().eq(alert_states.keys())) {
            self.try_again();
        }
    }

    fn try_again(&mut self) {
        let not_before = self.failed.as_ref().map(|failed| failed.not_before);
        self.retry_at = earliest([self.retry_at, not_before]);
    }

    pub(super) fn refused_since(&self) -> Option<Moment> {
        self.failed.as_ref()?.refused_since
    }
}
