//! Bringing a route's summaries to its people: one under way at a time, and when to try again after a failure.

use std::collections::{BTreeMap, BTreeSet};
use std::time::Duration;

use jiff::Timestamp;

use crate::model::{CallError, Moment, Stub};
use crate::protocol::input::DeliveryFault;
use crate::protocol::state::{Alert, Known, MessageId};
use crate::protocol::summary::Occasion;

/// The wait after the first failure; it doubles with each further one, up to [`RETRY_AT_MOST`].
const RETRY_AFTER: Duration = Duration::from_secs(10);

/// The longest wait before a failed summary is tried again.
const RETRY_AT_MOST: Duration = Duration::from_secs(600);

/// What was refused for good is tried again after this long, should nothing change before.
const RETRY_REFUSED_AFTER: Duration = Duration::from_secs(24 * 3600);

/// A summary whose outcome is not known after this long counts as failed.
const OUTCOME_WITHIN: Duration = Duration::from_secs(600);

/// What people will have been told of an experiment, with since when it is bad; `None`: that it is well.
pub(super) type NotifiedState = (Stub, Option<(Known, Option<Moment>)>);

/// A summary on its way, with what people will have been told when it arrives.
#[derive(Debug, Clone)]
pub(super) struct InFlight {
    pub(super) message: MessageId,
    pub(super) since: Moment,
    pub(super) occasion: Occasion,
    pub(super) entries: Vec<NotifiedState>,
    pub(super) alert_states: BTreeMap<Alert, Moment>,
    /// The time for which the digest was due, where it is one.
    pub(super) digest: Option<Timestamp>,
}

/// The last attempt, where it failed.
#[derive(Debug, Clone)]
struct Failed {
    /// Since when what was to be told is refused for good, where it is.
    refused_since: Option<Moment>,
    /// Before this moment not even a change is worth another attempt.
    not_before: Moment,
    entries: BTreeMap<Stub, Known>,
    alert_states: BTreeSet<Alert>,
}

/// The state of bringing.
#[derive(Debug, Clone, Default)]
pub(super) struct Delivery {
    on_its_way: Option<InFlight>,
    failed: Option<Failed>,
    retry_at: Option<Moment>,
    pub(super) failures: u32,
    pub(super) last_sent: Option<Moment>,
    pub(super) fault: Option<CallError>,
}

impl Delivery {
    pub(super) fn is_idle(&self) -> bool {
        self.on_its_way.is_none()
    }

    pub(super) fn on_its_way(&self) -> Option<&InFlight> {
        self.on_its_way.as_ref()
    }

    pub(super) fn send(&mut self, summary: InFlight) {
        self.on_its_way = Some(summary);
    }

    /// Whether nothing is under way and no wait is prescribed.
    pub(super) fn may_send(&self, now: Moment) -> bool {
        self.on_its_way.is_none() && self.retry_at.is_none_or(|at| at <= now)
    }

    /// When something that is due at `at` can be sent.
    pub(super) fn earliest(&self, at: Moment) -> Moment {
        self.retry_at.map_or(at, |retry| retry.max(at))
    }

    /// When to look whether a summary's outcome is overdue.
    pub(super) fn deadline(&self) -> Option<Moment> {
        self.on_its_way
            .as_ref()
            .map(|summary| summary.since + OUTCOME_WITHIN)
    }

    /// Gives up a summary whose outcome never came.
    pub(super) fn expired(&mut self, now: Moment) -> Option<InFlight> {
        let summary = self
            .on_its_way
            .take_if(|summary| now >= summary.since + OUTCOME_WITHIN)?;
        self.failed(
            &summary,
            &DeliveryFault {
                fault: CallError::TimedOut,
                permanent: false,
            },
            now,
        );
        Some(summary)
    }

    /// The summary of this number, if it is the one on its way.
    pub(super) fn take(&mut self, id: u64) -> Option<InFlight> {
        self.on_its_way.take_if(|summary| summary.message.id == id)
    }

    pub(super) fn arrived(&mut self, now: Moment) {
        *self = Self {
            last_sent: Some(now),
            ..Self::default()
        };
    }

    /// A mended password or token is tried within minutes, not after a day.
    pub(super) fn failed(&mut self, summary: &InFlight, fault: &DeliveryFault, now: Moment) {
        let wait = (RETRY_AFTER * 2_u32.saturating_pow(self.failures.min(16))).min(RETRY_AT_MOST);
        let refused_since = fault
            .refuses_content()
            .then(|| self.refused_since().unwrap_or(now));
        self.failures = self.failures.saturating_add(1);
        self.fault = Some(fault.fault.clone());
        let known = |(stub, entry): &NotifiedState| {
            (
                stub.clone(),
                entry.clone().map_or_else(Known::assumed, |entry| entry.0),
            )
        };
        self.failed = Some(Failed {
            refused_since,
            not_before: now + if fault.permanent { wait } else { RETRY_AFTER },
            entries: summary.entries.iter().map(known).collect(),
            alert_states: summary.alert_states.keys().copied().collect(),
        });
        self.retry_at = Some(match (refused_since, fault.permanent) {
            (Some(_), _) => now + RETRY_REFUSED_AFTER,
            (None, true) => now + RETRY_AT_MOST,
            (None, false) => now + wait,
        });
    }

    /// Takes note of what there is to tell of an experiment. Where that is not what the last attempt told, it is worth another one: what
    /// an attempt has told is on disk, and people hear of it one day although it is over by then.
    pub(super) fn note_change(&mut self, stub: &Stub, known: &Known) {
        if self
            .failed
            .as_ref()
            .is_some_and(|failed| failed.entries.get(stub) != Some(known))
        {
            self.try_again();
        }
    }

    /// The same for what concerns the whole laboratory.
    pub(super) fn consider_concerns(&mut self, alert_states: &BTreeMap<Alert, Moment>) {
        if self
            .failed
            .as_ref()
            .is_some_and(|failed| !failed.alert_states.iter().eq(alert_states.keys()))
        {
            self.try_again();
        }
    }

    fn try_again(&mut self) {
        let not_before = self.failed.as_ref().map(|failed| failed.not_before);
        self.retry_at = [self.retry_at, not_before].into_iter().flatten().min();
    }

    pub(super) fn refused_since(&self) -> Option<Moment> {
        self.failed.as_ref()?.refused_since
    }
}
