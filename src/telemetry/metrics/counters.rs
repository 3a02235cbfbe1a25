//! Counters from the records as they pass: changes of health, switches and notifications by
//! outcome.

use std::fmt;
use std::sync::atomic::{AtomicU64, Ordering};

use super::encoder::Encoder;
use engine::model::Health;
use engine::{Record, SwitchOutcome};

/// Counts since the start. One writer, many readers; none waits.
#[derive(Debug, Default)]
pub struct Counters {
    /// Changes of health, by the new health, in the order of [`Health::ALL`].
    became: [AtomicU64; Health::ALL.len()],
    confirmed: AtomicU64,
    held: AtomicU64,
    gone: AtomicU64,
    failed: AtomicU64,
    sent: AtomicU64,
    refused: AtomicU64,
    unsent: AtomicU64,
}

impl Counters {
    pub fn note(&self, record: &Record) {
        let counter = match record {
            Record::Event { event, .. } if event.health != event.was => self.became(event.health),
            Record::Switched { outcome, .. } => Some(match outcome {
                SwitchOutcome::Confirmed(_) => &self.confirmed,
                SwitchOutcome::Held(_) => &self.held,
                SwitchOutcome::Gone => &self.gone,
                SwitchOutcome::Failed(_) => &self.failed,
            }),
            Record::Delivered { outcome: Ok(_), .. } => Some(&self.sent),
            Record::Delivered {
                outcome: Err(fault),
                ..
            } => Some(if fault.refuses_content() {
                &self.refused
            } else {
                &self.unsent
            }),
            Record::Event { .. }
            | Record::Switching(_)
            | Record::Source { .. }
            | Record::Hold { .. }
            | Record::Seen(_)
            | Record::Forgotten(_)
            | Record::Notified { .. }
            | Record::RouteGone(_)
            | Record::Manifest(_)
            | Record::Bookings(_)
            | Record::Pools(_)
            | Record::Superseded(_)
            | Record::Blind(_)
            | Record::SecondLook { .. }
            | Record::Notifying(_)
            | Record::Retrying { .. }
            | Record::Lane { .. }
            | Record::Waiting { .. }
            | Record::Sampling { .. }
            | Record::Page { .. }
            | Record::Requested { .. }
            | Record::Category { .. }
            | Record::Commanded { .. }
            | Record::Suppression { .. }
            | Record::SuppressionEnded(_) => None,
        };
        if let Some(counter) = counter {
            counter.fetch_add(1, Ordering::Relaxed);
        }
    }

    fn became(&self, health: Health) -> Option<&AtomicU64> {
        let at = Health::ALL.iter().position(|known| *known == health)?;
        self.became.get(at)
    }

    pub(super) fn write(&self, encoder: &mut Encoder<'_>) -> fmt::Result {
        let mut changes = encoder.counts(
            "labwatch_health_changes",
            "How often an experiment's health became this",
        )?;
        for (health, counter) in Health::ALL.into_iter().zip(&self.became) {
            changes.set([("health", health.as_str())], read(counter))?;
        }
        let mut switches = encoder.counts(
            "labwatch_switches",
            "How many writes of an availability to book, by outcome",
        )?;
        for (outcome, counter) in [
            ("confirmed", &self.confirmed),
            ("held", &self.held),
            ("gone", &self.gone),
            ("failed", &self.failed),
        ] {
            switches.set([("outcome", outcome)], read(counter))?;
        }
        let mut summaries = encoder.counts(
            "labwatch_summaries",
            "How many notifications, by outcome: sent, refused for good, or failed and retried",
        )?;
        for (outcome, counter) in [
            ("sent", &self.sent),
            ("refused", &self.refused),
            ("failed", &self.unsent),
        ] {
            summaries.set([("outcome", outcome)], read(counter))?;
        }
        Ok(())
    }
}

fn read(counter: &AtomicU64) -> u64 {
    counter.load(Ordering::Relaxed)
}
