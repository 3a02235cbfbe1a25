//! From the observations of an experiment to its effective health: second look, flapping,
//! hysteresis, and the event of a change.

use std::sync::Arc;

use super::{EvaluationContext, Experiment};
use crate::experiments::evaluate;
use crate::experiments::flapping::FlapTurn;
use crate::experiments::hysteresis::Hysteresis;
use crate::model::{Health, StreamHealth, Topic};
use crate::protocol::{Event, Issue, Why};

impl Experiment {
    /// Evaluates it. Returns an event when its health, its issues or its remote login changed.
    pub(crate) fn apply_rules(
        &mut self,
        why: Why,
        context: &EvaluationContext,
    ) -> Option<Arc<Event>> {
        if !context.may_evaluate || self.grace_end(context).is_some_and(|end| context.now < end) {
            return None;
        }
        let outage = context.outage && self.listed();
        let has_settled = self.settles_at.is_some_and(|at| context.now >= at);
        if !std::mem::take(&mut self.stale) && !has_settled && outage == self.evaluated_in_outage {
            return None;
        }
        self.evaluated_in_outage = outage;
        let all_required = !self.listed();
        let streams = self.streams.iter().map(|stream| {
            (
                &stream.topic,
                stream.required || all_required,
                stream.health,
            )
        });
        let pages = self.page_facts(&context.policy);
        let (observed, issues) = evaluate::experiment(streams, self.known_jump, outage, &pages);
        if observed.is_unusable() && !outage && self.awaits_second_look(context) {
            self.stale = true;
            return None;
        }
        let turn = self.count_changes(observed, &issues, outage, context);
        let health = self.settle(observed, outage, context);
        let issues = if health == Health::Flapping {
            self.last_loss.clone()
        } else {
            issues
        };
        let is_held_back = health != observed && health == self.health;
        if is_held_back || (health == self.health && issues == self.issues) {
            return None;
        }
        if !self.first_evaluated && health == Health::Unknown {
            return None;
        }
        let why = match turn {
            Some(FlapTurn::Started) => Why::Flaps,
            Some(FlapTurn::Ended { .. }) if self.health == Health::Flapping => Why::Steady,
            Some(FlapTurn::Ended { .. }) | None if self.first_evaluated => why,
            Some(FlapTurn::Ended { .. }) | None => Why::FirstEvaluated,
        };
        self.first_evaluated = true;
        Some(self.decide(health, issues, why, context))
    }

    /// Whether it was usable and is lost only in a report that lacks most of the fleet.
    fn awaits_second_look(&self, context: &EvaluationContext) -> bool {
        let is_new = self.lost_at.is_some() && self.lost_at == context.unconfirmed_report;
        is_new && !self.health.is_unusable()
    }

    /// Counts its changes between usable and unusable, before hysteresis. Changes by relay's outage
    /// are relay's and not counted, nor are losses that leave it usable, which need no withdrawal.
    fn count_changes(
        &mut self,
        observed: Health,
        issues: &[Issue],
        outage: bool,
        context: &EvaluationContext,
    ) -> Option<FlapTurn> {
        if observed == Health::Unknown || outage {
            return self.flapping.evaluate(context.now, context.policy.flap);
        }
        if observed.is_unusable() {
            self.last_loss = issues.to_vec();
        }
        let is_usable = !observed.is_unusable();
        let has_changed = self
            .seen_usable
            .replace(is_usable)
            .is_some_and(|was| was != is_usable);
        if has_changed {
            self.flapping.note(context.now, context.policy.flap)
        } else {
            self.flapping.evaluate(context.now, context.policy.flap)
        }
    }

    /// The effective health: flapping while it flaps, else the observed one once it has lasted for
    /// the hysteresis times. No hysteresis applies after flapping.
    fn settle(&mut self, observed: Health, outage: bool, context: &EvaluationContext) -> Health {
        if self.flapping.since().is_some() {
            self.holding = Hysteresis::default();
            self.settles_at = self.flapping.ends_at(context.policy.flap);
            return if outage || observed == Health::Unknown {
                observed
            } else {
                Health::Flapping
            };
        }
        let counted = if self.health == Health::Flapping {
            Health::Unknown
        } else {
            self.health
        };
        let settled = self
            .holding
            .settle(observed, counted, context.policy.hold, context.now);
        self.settles_at = settled.again;
        settled.health
    }

    fn decide(
        &mut self,
        health: Health,
        issues: Vec<Issue>,
        why: Why,
        context: &EvaluationContext,
    ) -> Arc<Event> {
        let was = std::mem::replace(&mut self.health, health);
        if was != health {
            self.since = context.now;
        }
        self.decided = context.now;
        (self.bad_since, self.worst) = health.after(self.bad_since, self.worst, context.now);
        self.issues = issues;
        let mut streams: Vec<(Topic, StreamHealth)> = self
            .streams
            .iter()
            .map(|s| (s.topic.clone(), s.health))
            .collect();
        streams.sort();
        let event = Arc::new(Event {
            when: context.now.wall(),
            health,
            was,
            issues: self.issues.clone(),
            jump: self.jump,
            streams,
            why,
        });
        while self.events.len() >= context.policy.events.max(1) {
            self.events.pop_front();
        }
        self.events.push_back(Arc::clone(&event));
        event
    }
}
