//! Applying a report: what is connected, newly connected or gone. Evaluates nothing.

use std::sync::Arc;
use std::time::Duration;

use super::{Fleet, Id};
use crate::experiments::experiment::Experiment;
use crate::experiments::mass::Tally;
use crate::experiments::stream::LastSeen;
use crate::model::{Moment, Stub, Topic};
use crate::protocol::{Connection, LastConnection, Report, Scopes};

impl Fleet {
    /// Applies a report of relay. Returns the required streams that have just connected. The caller
    /// evaluates all experiments afterwards.
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
            stream.sighting.nameless = report.nameless();
            if stream.has_statistics() != had_statistics {
                self.touched.insert(at.experiment);
            }
        }
        self.keep_nameless(report.nameless());
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

    /// Keeps the state of streams that are missing from relay's newest report and may be in it
    /// nevertheless, in entries whose topic cannot be read. Where more are missing than there are
    /// such entries, the report counts as it is.
    fn keep_nameless(&mut self, nameless: usize) {
        if nameless == 0 {
            return;
        }
        let number = self.relay.number;
        let mut missing: Vec<&mut LastSeen> = self
            .slots
            .iter_mut()
            .flatten()
            .flat_map(|experiment| &mut experiment.streams)
            .map(|stream| &mut stream.sighting)
            .filter(|sighting| sighting.may_be_nameless(number, nameless))
            .collect();
        if missing.len() <= nameless {
            for sighting in &mut missing {
                sighting.report = number;
                sighting.entry = usize::MAX;
            }
        }
    }

    /// Notes which experiments relay's newest report is the first to show lost. In a mass event
    /// they wait for a second look; returns how many of the usable ones are lost, if a second look
    /// is needed.
    pub(crate) fn note_losses(&mut self, last_active: Duration) -> Option<Tally> {
        let number = self.relay.number;
        let (mut seen, mut is_news) = (Tally::default(), false);
        for experiment in self.slots.iter_mut().flatten().filter(|it| it.listed()) {
            let was_usable = experiment.lost_at.is_none() && !experiment.health.is_unusable();
            experiment.note_loss(number, last_active);
            let is_lost = was_usable && experiment.lost_at.is_some();
            seen.of += usize::from(was_usable);
            seen.lost += usize::from(is_lost);
            is_news |= is_lost && experiment.is_evaluated();
        }
        self.unconfirmed_report = seen.is_mass().then_some(number);
        (seen.is_mass() && is_news).then_some(seen)
    }

    /// Applies a report of jump. The caller evaluates all experiments afterwards.
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
                (experiment.host.report, experiment.host.entry) = (number, entry);
            }
        }
        for (slot, experiment) in (0_u32..).zip(&mut self.slots) {
            let gone = |entry| before.report.get(entry).map(LastConnection::from);
            if experiment
                .as_mut()
                .is_some_and(|it| it.host.refresh(number, now, before.at, gone))
            {
                self.touched.insert(Id(slot));
            }
        }
    }
}

/// What the topics of canaries start with: relay's own, and labwatch's unless it is set to another.
const CANARY: &str = "canary-";

/// Whether a connection of relay is an experiment's. Servers before v0.6.5 do not say; there, every
/// connection that transmits counts as one, except those of canaries.
fn is_experiment(connection: &Connection<'_>) -> bool {
    let scopes = connection.scopes;
    scopes.has(Scopes::EXPT)
        || (scopes.has(Scopes::UNSAID)
            && connection.tx.is_some_and(|tx| tx.last.is_some())
            && !connection.topic.starts_with(CANARY))
}
