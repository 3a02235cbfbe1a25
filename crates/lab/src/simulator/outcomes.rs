//! Outcomes of the engine's effects in the simulator.

use std::time::Duration;

use engine::model::{CallError, SourceName};
use engine::{Delivered, DeliveryFault, Input, Sample, SampleOutcome, Switch, SwitchOutcome};

use super::{Event, Mood, Simulator, steady};
use crate::Timeline;

impl Simulator {
    pub(super) fn lands(&mut self, switch: &Switch) -> Input {
        let outcome = if self.switches_fail || self.book_fails {
            SwitchOutcome::Failed(CallError::TimedOut)
        } else {
            self.book.switch(switch)
        };
        Input::Switched {
            resource: switch.resource.clone(),
            outcome,
        }
    }

    pub(super) fn sent(&self, id: u64, route: &str) -> Input {
        let fault = CallError::Unreachable("no route".to_owned());
        let outcome = match self.routes.get(route).unwrap_or(&self.mail) {
            Mood::Works => Ok(Delivered::to_all()),
            Mood::Fails => Err(DeliveryFault::passing(fault)),
            Mood::Refuses => Err(DeliveryFault::refused(fault)),
        };
        Input::Delivered { id, outcome }
    }

    pub(super) fn sampled(&self, sample: &Sample, now: Duration) -> SampleOutcome {
        let topic = sample.topic.as_str();
        let transmits = |_: &crate::Stream| self.fleet.newest_frame(topic, steady(now)).is_some();
        if self.samples != Mood::Works {
            SampleOutcome::Failed(CallError::TimedOut)
        } else if self.relay.mute || self.forwarding.of(topic, true).is_none() {
            SampleOutcome::Silent(sample.listen)
        } else if self.fleet.stream(topic).is_some_and(transmits) {
            SampleOutcome::Received
        } else {
            SampleOutcome::Silent(sample.listen)
        }
    }

    pub(super) fn pace(&mut self, name: SourceName, every: Duration, plan: &mut Timeline<Event>) {
        let is_start = plan.now().mono().is_zero();
        let ticks = match name {
            SourceName::Book => {
                self.book_every = every;
                self.book_ticks += u64::from(!is_start);
                self.book_ticks
            }
            SourceName::Relay | SourceName::Jump => {
                let source = self.source(name);
                source.every = every;
                source.ticks += u64::from(!is_start);
                source.ticks
            }
        };
        if !is_start {
            plan.after(every, Event::Tick(name, ticks));
        }
    }
}
