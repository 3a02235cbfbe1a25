//! Taking in a report: who is there, who has just come, who is gone. Judges nothing.

use std::sync::Arc;

use super::Fleet;
use crate::engine::report::{Connection, Report, Scopes};
use crate::engine::snapshot::LastConnection;
use crate::model::{Moment, Stub, Topic};

impl Fleet {
    /// Takes in a report of relay. Returns the required streams that have just connected. Look at everything afterwards.
    pub(in crate::engine) fn absorb_relay(&mut self, report: &Arc<Report>, now: Moment) -> Vec<Topic> {
        let before = self.relay.replace(report, now);
        let number = self.relay.number;
        for (entry, connection) in report.iter().enumerate() {
            if !is_experiment(&connection) {
                continue;
            }
            let known = self.topics.get(connection.topic).or_else(|| self.add_stray(connection.topic, now));
            let stream = known.and_then(|at| self.get_mut(at.experiment)?.streams.get_mut(at.stream as usize));
            if let Some(stream) = stream {
                stream.observe(number, entry, connection.tx);
            }
        }
        let mut returned = Vec::new();
        for experiment in self.slots.iter_mut().flatten() {
            let gone = |entry| before.report.get(entry).map(LastConnection::from);
            experiment.refresh_streams(number, now, before.at, gone, &mut returned);
        }
        returned
    }

    /// Takes in a report of jump. Look at everything afterwards.
    pub(in crate::engine) fn absorb_jump(&mut self, report: &Arc<Report>, now: Moment) {
        let before = self.jump.replace(report, now);
        let number = self.jump.number;
        for (entry, connection) in report.iter().enumerate() {
            if !connection.scopes.has(Scopes::HOST) {
                continue;
            }
            let id = self.stubs.get(connection.topic).or_else(|| self.add(&Stub::try_new(connection.topic).ok()?, now));
            if let Some(experiment) = id.and_then(|id| self.get_mut(id)) {
                experiment.observe_host(number, entry);
            }
        }
        for experiment in self.slots.iter_mut().flatten() {
            experiment.refresh_host(number, now, before.at, |entry| before.report.get(entry).map(LastConnection::from));
        }
    }
}

/// Whether a connection of relay is an experiment's. Servers before v0.6.5 do not say; there, whoever transmits is taken for one.
fn is_experiment(connection: &Connection<'_>) -> bool {
    let scopes = connection.scopes;
    scopes.has(Scopes::EXPT) || (scopes.has(Scopes::UNSAID) && connection.tx.is_some_and(|tx| tx.last.is_some()))
}
