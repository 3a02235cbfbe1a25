//! Taking in a report: who is there, who has just come, who is gone. Judges nothing.

use std::sync::Arc;

use super::{Fleet, Id};
use crate::experiments::experiment::Experiment;
use crate::model::{Moment, Stub, Topic};
use crate::protocol::report::{Connection, Report, Scopes};
use crate::protocol::snapshot::LastConnection;

impl Fleet {
    /// Takes in a report of relay. Returns the required streams that have just connected. Look at everything afterwards.
    pub(crate) fn apply_relay_report(&mut self, report: &Arc<Report>, now: Moment) -> Vec<Topic> {
        let before = self.relay.replace(report, now);
        let number = self.relay.number;
        for (entry, connection) in report.iter().enumerate() {
            if !is_experiment(&connection) {
                continue;
            }
            let known = self
                .topics
                .get(connection.topic)
                .or_else(|| self.add_stray(connection.topic, now));
            let Some(at) = known else { continue };
            let Some(stream) = self
                .get_mut(at.experiment)
                .and_then(|it| it.streams.get_mut(at.stream as usize))
            else {
                continue;
            };
            let had_statistics = stream.has_statistics();
            stream.observe(number, entry, connection.tx);
            if stream.has_statistics() != had_statistics {
                self.touched.insert(at.experiment);
            }
        }
        let mut returned = Vec::new();
        for (slot, experiment) in (0_u32..).zip(&mut self.slots) {
            let gone = |entry| before.report.get(entry).map(LastConnection::from);
            let refresh = |it: &mut Experiment| {
                it.refresh_streams(number, now, before.at, gone, &mut returned)
            };
            if experiment.as_mut().is_some_and(refresh) {
                self.touched.insert(Id(slot));
            }
        }
        returned
    }

    /// Takes in a report of jump. Look at everything afterwards.
    pub(crate) fn apply_jump_report(&mut self, report: &Arc<Report>, now: Moment) {
        let before = self.jump.replace(report, now);
        let number = self.jump.number;
        for (entry, connection) in report.iter().enumerate() {
            if !connection.scopes.has(Scopes::HOST) {
                continue;
            }
            let id = self
                .stubs
                .get(connection.topic)
                .or_else(|| self.add(&Stub::try_new(connection.topic).ok()?, now));
            if let Some(experiment) = id.and_then(|id| self.get_mut(id)) {
                experiment.observe_host(number, entry);
            }
        }
        for (slot, experiment) in (0_u32..).zip(&mut self.slots) {
            let gone = |entry| before.report.get(entry).map(LastConnection::from);
            if experiment
                .as_mut()
                .is_some_and(|it| it.refresh_host(number, now, before.at, gone))
            {
                self.touched.insert(Id(slot));
            }
        }
    }
}

/// Whether a connection of relay is an experiment's. Servers before v0.6.5 do not say; there, every connection that transmits is taken for one.
fn is_experiment(connection: &Connection<'_>) -> bool {
    let scopes = connection.scopes;
    scopes.has(Scopes::EXPT)
        || (scopes.has(Scopes::UNSAID) && connection.tx.is_some_and(|tx| tx.last.is_some()))
}
