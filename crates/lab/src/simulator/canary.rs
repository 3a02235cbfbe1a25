//! The canary in the simulator: one message per second, and its fate.

use std::sync::Arc;
use std::time::Duration;

use engine::{CanaryView, Forwarding, Input};

use super::{Event, Simulator};
use crate::Timeline;

/// How often it sends a message.
pub(super) const CANARY_EVERY: Duration = Duration::from_secs(1);

/// The topic that it sends on.
const TOPIC: &str = "canary-labwatch-st-data";

/// After how long a message is late.
const LATE: Duration = Duration::from_secs(1);

/// How many messages in a row must be missing; each is found missing when the next but one is sent.
const MISSES: u32 = 4;

impl Simulator {
    /// The next message. `missed` of those before have not arrived.
    pub(super) fn sings(&mut self, missed: u32, plan: &mut Timeline<Event>) -> Vec<Input> {
        let is_open = self.relay.up && !self.relay.mute;
        let delay = self.forwarding.of(TOPIC, false).filter(|_| is_open);
        let missed = if delay.is_some() {
            0
        } else {
            missed.saturating_add(1)
        };
        plan.after(CANARY_EVERY, Event::Sings(missed));
        let shows = match delay {
            Some(delay) if delay > LATE => Forwarding::Late,
            Some(_) => Forwarding::Works,
            None if !self.relay.up => Forwarding::Unknown,
            None if missed >= MISSES => Forwarding::Stopped,
            None => return Vec::new(),
        };
        match self.canary {
            Some(was) if was != shows => {
                self.canary = Some(shows);
                let view = CanaryView {
                    forwarding: shows,
                    last: delay,
                    ..CanaryView::default()
                };
                vec![Input::Canary(Arc::new(view))]
            }
            Some(_) | None => Vec::new(),
        }
    }
}
