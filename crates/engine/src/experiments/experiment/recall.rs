//! Restoring an experiment from the durable state.

use std::sync::Arc;

use super::Experiment;
use crate::experiments::flapping::FlapRule;
use crate::experiments::stream::Stream;
use crate::model::Moment;
use crate::protocol::ExperimentState;

impl Experiment {
    /// Restores its durable state: its health stays until something else is observed.
    pub(crate) fn recall(&mut self, known: &ExperimentState, rule: FlapRule, now: Moment) {
        let Some(last) = &known.last else { return };
        self.first_evaluated = true;
        self.health = last.health;
        self.issues.clone_from(&last.issues);
        self.since = now.back_at(known.since.unwrap_or(last.when));
        self.bad_since = known.bad_since.map(|at| now.back_at(at));
        self.worst = known.worst;
        self.decided = now.back_at(last.when);
        self.jump = last.jump;
        self.known_jump = known.jump;
        self.streams = last
            .streams
            .iter()
            .map(|(topic, health)| Stream::recalled(topic.clone(), *health, now))
            .collect();
        self.recall_flapping(known, rule, now);
        self.events = [Arc::clone(last)].into();
    }

    /// Restores flap detection: earlier changes count, and an experiment that flapped goes on to
    /// flap until it has been stable.
    fn recall_flapping(&mut self, known: &ExperimentState, rule: FlapRule, now: Moment) {
        for at in &known.flips {
            self.flapping.note(now.back_at(*at), rule);
        }
        self.flapping = match known.flaps_since {
            Some(since) => std::mem::take(&mut self.flapping).resumed(now.back_at(since), now),
            None => std::mem::take(&mut self.flapping).steady(),
        };
        self.last_loss.clone_from(&known.own_issues);
    }
}
