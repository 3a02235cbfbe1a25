//! Outcome of commands about acknowledgements, silences and maintenance windows.

use jiff::Timestamp;

use super::{NAMED, Plan};
use crate::model::{Health, NamePattern, SourceHealth, SourceName, Stub};
use crate::protocol::{ExperimentView, Refusal, Scope, Snapshot, first_of};
use crate::suppressions::{Acknowledgement, Refused, Subject, SuppressionEntry, SuppressionId};

impl Snapshot {
    pub(super) fn acknowledging(
        &self,
        scope: &Scope,
        by: &str,
        text: &str,
        until: Option<Timestamp>,
    ) -> Result<Plan, Refusal> {
        let subjects = match scope {
            Scope::Experiments(_) | Scope::Pool(_) => self.to_acknowledge(scope)?,
            Scope::Component(name) => vec![(self.bad_component(name)?, Health::Down)],
            Scope::Installation => vec![(Subject::Installation, Health::Down)],
        };
        let entry = |(subject, health): (Subject, Health)| {
            let (who, text) = (by.to_owned(), text.to_owned());
            SuppressionEntry::Acknowledgement(Acknowledgement {
                subject,
                health,
                who,
                text,
                since: self.at,
                until,
            })
        };
        let stubs: Vec<Stub> = subjects
            .iter()
            .filter_map(|(subject, _)| stub_of(subject))
            .collect();
        let about = if stubs.is_empty() {
            scope.to_string()
        } else {
            first_of(&stubs, NAMED)
        };
        let ends = match (scope, until) {
            (Scope::Experiments(_) | Scope::Pool(_), None) if stubs.len() > 1 => {
                "each is well again or gets worse".to_owned()
            }
            (Scope::Experiments(_) | Scope::Pool(_), None) => {
                "it is well again or gets worse".to_owned()
            }
            (Scope::Component(_), None) => "it is well again".to_owned(),
            (Scope::Installation, None) => "this is taken back".to_owned(),
            (_, Some(until)) => format!("{until} at the latest"),
        };
        let adds: Vec<SuppressionEntry> = subjects.into_iter().map(entry).collect();
        adds.iter()
            .try_for_each(|entry| self.suppressions.check(entry))?;
        Ok(Plan {
            adds,
            ..Plan::of(format!("no notification about {about} until {ends}"), stubs)
        })
    }

    /// The bad experiments of a scope that are not acknowledged.
    fn to_acknowledge(&self, scope: &Scope) -> Result<Vec<(Subject, Health)>, Refusal> {
        let found = self.in_scope(scope)?;
        let subject =
            |view: &&ExperimentView| (Subject::Experiment(view.stub.clone()), view.health);
        let bad: Vec<(Subject, Health)> = found
            .iter()
            .filter(|view| view.health.is_bad())
            .map(subject)
            .collect();
        if let ([view], []) = (found.as_slice(), bad.as_slice()) {
            return Err(Refused::NotBad {
                stub: view.stub.clone(),
                health: view.health,
            }
            .into());
        }
        let known = |subject: &Subject| self.suppressions.acknowledgement(subject);
        let fresh = bad.iter().filter(|(subject, _)| known(subject).is_none());
        let fresh: Vec<(Subject, Health)> = fresh.cloned().collect();
        if !fresh.is_empty() {
            return Ok(fresh);
        }
        let first = bad.first();
        Err(
            match first.and_then(|(subject, _)| Some((subject, known(subject)?))) {
                Some((subject, (id, other))) => Refused::AlreadyAcknowledged {
                    subject: subject.clone(),
                    id,
                    who: other.who.clone(),
                }
                .into(),
                None => Refusal::NothingBad {
                    scope: scope.to_string(),
                    count: found.len(),
                },
            },
        )
    }

    /// A bad component, as far as the engine knows: only the sources' health is known here. Other
    /// components are checked where they are probed, and their acknowledgements are ended there
    /// too.
    fn bad_component(&self, name: &str) -> Result<Subject, Refusal> {
        let health = SourceName::named(name).map(|source| self.source(source).health);
        match health {
            Some(SourceHealth::Starting | SourceHealth::Live) => {
                Err(Refusal::ComponentIsWell(name.to_owned()))
            }
            Some(SourceHealth::Late | SourceHealth::Down) | None => {
                Ok(Subject::Component(name.to_owned()))
            }
        }
    }

    pub(super) fn unacknowledging(&self, scope: &Scope) -> Result<Plan, Refusal> {
        let subjects = match scope {
            Scope::Experiments(_) | Scope::Pool(_) => self
                .in_scope(scope)?
                .into_iter()
                .map(|view| Subject::Experiment(view.stub.clone()))
                .collect(),
            Scope::Component(name) => vec![Subject::Component(name.clone())],
            Scope::Installation => vec![Subject::Installation],
        };
        let found = subjects
            .iter()
            .filter_map(|subject| Some((self.suppressions.acknowledgement(subject)?.0, subject)));
        let (ends, subjects): (Vec<SuppressionId>, Vec<&Subject>) = found.unzip();
        if ends.is_empty() {
            return Err(Refusal::NotAcknowledged(scope.to_string()));
        }
        let stubs = subjects.into_iter().filter_map(stub_of).collect();
        Ok(Plan {
            ends,
            ..Plan::of(format!("what is bad of {scope} is notified again"), stubs)
        })
    }

    pub(super) fn suppressing(
        &self,
        entry: SuppressionEntry,
        pattern: &NamePattern,
        when: &str,
    ) -> Result<Plan, Refusal> {
        self.suppressions.check(&entry)?;
        let all = self.experiments.iter().map(|view| &view.stub);
        let stubs = all.filter(|stub| pattern.matches(stub.as_str()));
        let stubs: Vec<Stub> = stubs.cloned().collect();
        let about = match stubs.as_slice() {
            [] => format!("{}, which no experiment is called now", pattern.as_str()),
            stubs => first_of(stubs, NAMED),
        };
        Ok(Plan {
            adds: vec![entry],
            ..Plan::of(format!("no notification about {about}, {when}"), stubs)
        })
    }
}

fn stub_of(subject: &Subject) -> Option<Stub> {
    match subject {
        Subject::Experiment(stub) => Some(stub.clone()),
        Subject::Component(_) | Subject::Installation => None,
    }
}
