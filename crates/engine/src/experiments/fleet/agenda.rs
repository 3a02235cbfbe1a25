//! Evaluating exactly what an input or a deadline affects.

use std::sync::Arc;

use super::{Fleet, Id};
use crate::experiments::experiment::EvaluationContext;
use crate::model::{Moment, Stub, earliest};
use crate::protocol::{Event, Why};

impl Fleet {
    /// Evaluates one experiment. What has to be recorded is pushed to `events`.
    pub(crate) fn evaluate(
        &mut self,
        id: Id,
        why: Why,
        context: &EvaluationContext,
        events: &mut Vec<(Id, Arc<Event>)>,
    ) {
        let Some(experiment) = self.slots.get_mut(id.0 as usize).and_then(Option::as_mut) else {
            return;
        };
        let looked = experiment.evaluate(context);
        let event = experiment.apply_rules(why, context);
        let again = earliest([looked.again, experiment.settles_at]);
        let old = std::mem::replace(&mut experiment.deadline, again);
        if old != again {
            old.map(|old| self.agenda.remove(&(old, id)));
            again.map(|again| self.agenda.insert((again, id)));
        }
        if looked.changed || event.is_some() {
            self.touched.insert(id);
        }
        events.extend(event.map(|event| (id, event)));
        if looked.forget {
            self.forget(id);
        } else if looked.prune {
            self.drop_streams(id, |stream| {
                stream.forget_at(true).is_some_and(|at| context.now >= at)
            });
        }
    }

    /// Evaluates every experiment, in the order of their names.
    pub(crate) fn evaluate_all(
        &mut self,
        why: Why,
        context: &EvaluationContext,
        events: &mut Vec<(Id, Arc<Event>)>,
    ) {
        for slot in 0..self.slots.len() {
            if let Ok(slot) = u32::try_from(slot) {
                self.evaluate(Id(slot), why, context, events);
            }
        }
        events.sort_by(|(a, _), (b, _)| self.name_of(*a).cmp(&self.name_of(*b)));
    }

    fn name_of(&self, id: Id) -> Option<&Stub> {
        self.get(id).map(|experiment| &experiment.stub)
    }

    /// Evaluates those whose deadline has come.
    pub(crate) fn evaluate_due(
        &mut self,
        context: &EvaluationContext,
        events: &mut Vec<(Id, Arc<Event>)>,
    ) {
        while let Some(&(at, id)) = self.agenda.first() {
            if at > context.now {
                break;
            }
            self.agenda.remove(&(at, id));
            if let Some(experiment) = self.get_mut(id) {
                experiment.deadline = None;
            }
            self.touched.insert(id);
            self.evaluate(id, Why::Observed, context, events);
        }
    }

    pub(crate) fn deadline(&self) -> Option<Moment> {
        self.agenda.first().map(|(at, _)| *at)
    }
}
