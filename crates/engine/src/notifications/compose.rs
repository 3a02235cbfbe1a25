//! Putting a summary together: what is new, what is open, what concerns the whole laboratory, and which messages it belongs to.

use std::collections::{BTreeMap, BTreeSet};

use jiff::Timestamp;

use super::context::Scene;
use super::delivery::{OnItsWay, Tale};
use super::route_notifier::Teller;
use crate::experiments::experiment::Experiment;
use crate::groups::bookings::Affected;
use crate::model::{Health, Moment, Stub};
use crate::protocol::state::{Concern, Known, MessageId, Strand};
use crate::protocol::summary::{Line, Occasion, Summary, Thread};

/// The most earlier messages that one refers to. A mail program needs one of an incident's to put a message beside them.
const MAX_REFERENCES: usize = 10;

impl Teller {
    /// Puts a summary together and takes note that it is on its way.
    pub(super) fn send(
        &mut self,
        occasion: Occasion,
        news: Vec<(Line, Tale)>,
        concerns: BTreeMap<Concern, Moment>,
        digest: Option<Timestamp>,
        message: MessageId,
        scene: &Scene<'_>,
    ) -> Summary {
        let (news, tales): (Vec<Line>, Vec<Tale>) = news.into_iter().unzip();
        let problems = self.problems(scene);
        let alerts = self
            .concerns
            .alerts(occasion == Occasion::News, &concerns, scene);
        let references = self.references(occasion, &news, &problems, &concerns);
        self.carriage.send(OnItsWay {
            message,
            since: scene.now,
            occasion,
            tales,
            concerns,
            digest,
        });
        Summary {
            id: message.id,
            route: self.route.name.clone(),
            channel: self.route.channel,
            occasion,
            thread: Thread {
                id: message,
                references,
            },
            at: message.at,
            news,
            problems,
            alerts,
            counts: (scene.counts)(&self.route),
            background: (scene.background)(&self.route),
        }
    }

    /// What is new of each experiment, problems first, with what people will know once they have read it. Of an experiment of which they
    /// do not want to hear now, only that one is well again that they know as bad.
    pub(super) fn news(&self, scene: &Scene<'_>) -> Vec<(Line, Tale)> {
        let known = self
            .untold
            .keys()
            .filter_map(|stub| (scene.experiments)(stub))
            .filter_map(|experiment| {
                let known = Known::of(experiment, scene.manifest_known)?;
                let is_recovery = known.health == Health::Ok && self.knows_bad(&experiment.stub);
                (is_recovery || !(scene.is_quiet)(&experiment.stub)).then_some((experiment, known))
            });
        let mut news: Vec<_> = known
            .map(|(experiment, known)| {
                let tale = (!known.is_plain()).then_some((known, experiment.bad_since));
                (
                    self.line(experiment, scene),
                    (experiment.stub.clone(), tale),
                )
            })
            .collect();
        news.sort_by(|(a, _), (b, _)| {
            is_well(a)
                .cmp(&is_well(b))
                .then_with(|| a.stub.cmp(&b.stub))
        });
        news
    }

    /// Every open problem that people may hear of.
    pub(super) fn problems(&self, scene: &Scene<'_>) -> Vec<Line> {
        let all = (scene.all)().into_iter();
        let open = all.filter(|experiment| {
            self.is_problem(experiment) && self.route.hears_of(&experiment.stub)
        });
        let told = open.filter(|experiment| {
            self.told.contains_key(&experiment.stub) || !(scene.is_quiet)(&experiment.stub)
        });
        told.map(|experiment| self.line(experiment, scene))
            .collect()
    }

    /// Whether an experiment belongs among the open problems: it is bad, or it was told bad and is not judged now.
    fn is_problem(&self, experiment: &Experiment) -> bool {
        match experiment.health {
            Health::Degraded | Health::Flapping | Health::Down => true,
            Health::Unknown => self
                .told
                .get(&experiment.stub)
                .is_some_and(|told| told.known.health != Health::Ok),
            Health::Ok => false,
        }
    }

    fn knows_bad(&self, stub: &Stub) -> bool {
        self.told
            .get(stub)
            .is_some_and(|told| told.known.health.is_bad())
    }

    fn line(&self, experiment: &Experiment, scene: &Scene<'_>) -> Line {
        let told = self.told.get(&experiment.stub);
        let owed = self.owed.get(&experiment.stub).copied();
        let bad_since = told.and_then(|told| told.bad_since).or(owed);
        let is_well = experiment.health == Health::Ok;
        let well_since = self
            .well_since
            .get(&experiment.stub)
            .copied()
            .unwrap_or(experiment.since);
        Line {
            stub: experiment.stub.clone(),
            health: experiment.health,
            told: told.map_or(Health::Ok, |told| told.known.health),
            bookable: (scene.bookable)(experiment),
            listed: experiment.listed() || !scene.manifest_known,
            issues: experiment.issues.clone(),
            since: experiment.bad_since.unwrap_or(experiment.since).wall(),
            lasted: bad_since
                .filter(|_| is_well)
                .map(|since| well_since.since(since)),
            affected: Affected::default(),
            advice: None,
        }
    }

    /// Earlier messages about what this one tells, or reminds of.
    fn references(
        &self,
        occasion: Occasion,
        news: &[Line],
        problems: &[Line],
        concerns: &BTreeMap<Concern, Moment>,
    ) -> Vec<MessageId> {
        let of_line = |line: &Line| self.told.get(&line.stub).and_then(|heard| heard.thread);
        let strands: Vec<Strand> = match occasion {
            Occasion::News => news
                .iter()
                .filter_map(of_line)
                .chain(self.concerns.strands_of_ended(concerns))
                .collect(),
            Occasion::Reminder => problems
                .iter()
                .filter_map(of_line)
                .chain(self.concerns.strands())
                .collect(),
            Occasion::Digest => Vec::new(),
        };
        let all: BTreeSet<MessageId> = strands
            .iter()
            .flat_map(|strand| [strand.root, strand.last])
            .collect();
        let surplus = all.len().saturating_sub(MAX_REFERENCES);
        all.into_iter().skip(surplus).collect()
    }
}

fn is_well(line: &Line) -> bool {
    line.health == Health::Ok && line.listed
}
