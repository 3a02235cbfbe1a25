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
        let counter = if let Record::Event { event, .. } = record {
            Some(event.health)
                .filter(|health| *health != event.was)
                .and_then(|health| self.became(health))
        } else if let Record::Switched { outcome, .. } = record {
            Some(match outcome {
                SwitchOutcome::Confirmed(_) => &self.confirmed,
                SwitchOutcome::Held(_) => &self.held,
                SwitchOutcome::Gone => &self.gone,
                SwitchOutcome::Failed(_) => &self.failed,
            })
        } else if let Record::Delivered { outcome, .. } = record {
            Some(match outcome {
                Ok(_) => &self.sent,
                Err(fault) if fault.refuses_content() => &self.refused,
                Err(_) => &self.unsent,
            })
        } else {
            None
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
        encoder.counts(
            "labwatch_health_changes",
            "How often an experiment's health became this",
            Health::ALL
                .into_iter()
                .zip(&self.became)
                .map(|(health, counter)| ([("health", health.as_str())], read(counter))),
        )?;
        let by_outcome = |(outcome, counter)| ([("outcome", outcome)], read(counter));
        encoder.counts(
            "labwatch_switches",
            "Availability set in book, by outcome",
            [
                ("confirmed", &self.confirmed),
                ("held", &self.held),
                ("gone", &self.gone),
                ("failed", &self.failed),
            ]
            .map(by_outcome),
        )?;
        encoder.counts(
            "labwatch_summaries",
            "Deliveries of notifications, by outcome: sent, refused for good, or failed and retried",
            [
                ("sent", &self.sent),
                ("refused", &self.refused),
                ("failed", &self.unsent),
            ]
            .map(by_outcome),
        )
    }
}

fn read(counter: &AtomicU64) -> u64 {
    counter.load(Ordering::Relaxed)
}
