//! Acknowledgements as the views need them. They change what is counted, never what is reported.

use std::collections::{BTreeMap, BTreeSet};

use jiff::Timestamp;

use engine::model::Gather as _;
use engine::{Acknowledgement, Snapshot, Subject, SuppressionEntry, SuppressionKind};

/// An acknowledgement.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Ack {
    pub by: String,
    /// The text given with it.
    pub text: String,
    pub at: Timestamp,
    /// When it ends; `None` without end.
    pub until: Option<Timestamp>,
}

impl Ack {
    /// The text with the author's name, as the views show it. Readers who may not see names get
    /// only that it is acknowledged.
    pub fn words(&self, sees_private: bool) -> String {
        if !sees_private {
            "by a maintainer".to_owned()
        } else if self.by.is_empty() {
            self.text.clone()
        } else {
            format!("{}: {}", self.by, self.text)
        }
    }

    fn holds(&self, now: Timestamp) -> bool {
        self.until.is_none_or(|until| now < until)
    }
}

/// All acknowledgements, replaced as a set at each change. Within a set, only its own expiry ends
/// one.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct Acks {
    /// Of the whole installation.
    pub installation: Option<Ack>,
    /// Of experiments, by name.
    pub experiments: BTreeMap<String, Ack>,
    /// Of components, by name.
    pub components: BTreeMap<String, Ack>,
    /// Experiments that are away on purpose, as in a maintenance window: they count neither for
    /// nor against anything.
    pub away: BTreeSet<String>,
}

impl Acks {
    /// Those that hold in this snapshot of the laboratory.
    pub fn of(snapshot: &Snapshot) -> Self {
        let mut acks = Self::default();
        for note in snapshot.notes.iter().filter(|note| note.active) {
            if let SuppressionEntry::Acknowledgement(given) = &note.entry {
                acks.add(given);
            }
        }
        let away = snapshot.experiments.iter().filter(|view| {
            view.suppression
                .as_ref()
                .is_some_and(|suppression| suppression.kind == SuppressionKind::Maintenance)
        });
        acks.away = away.map(|view| view.stub.as_str().to_owned()).gather();
        acks
    }

    fn add(&mut self, given: &Acknowledgement) {
        let ack = Ack {
            by: given.who.clone(),
            text: given.text.clone(),
            at: given.since,
            until: given.until,
        };
        match &given.subject {
            Subject::Experiment(stub) => {
                drop(self.experiments.insert(stub.as_str().to_owned(), ack));
            }
            Subject::Component(name) => drop(self.components.insert(name.clone(), ack)),
            Subject::Installation => self.installation = Some(ack),
        }
    }

    /// The acknowledgement of the whole installation, unless it has expired.
    pub fn installation(&self, now: Timestamp) -> Option<&Ack> {
        self.installation.as_ref().filter(|ack| ack.holds(now))
    }

    /// The acknowledgement of an experiment, unless it has expired.
    pub fn experiment(&self, name: &str, now: Timestamp) -> Option<&Ack> {
        self.experiments.get(name).filter(|ack| ack.holds(now))
    }

    /// The acknowledgement of a component, unless it has expired.
    pub fn component(&self, name: &str, now: Timestamp) -> Option<&Ack> {
        self.components.get(name).filter(|ack| ack.holds(now))
    }

    /// How many experiments and components are acknowledged.
    pub fn count(&self, now: Timestamp) -> usize {
        self.experiments
            .values()
            .chain(self.components.values())
            .filter(|ack| ack.holds(now))
            .count()
    }
}
