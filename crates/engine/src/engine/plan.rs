//! What a command would do, computed on a snapshot: as a preview before it is given, and by the
//! engine when it is carried out. Changes nothing.

mod resource;
mod suppression;

use crate::model::{ResourceName, Stub};
use crate::protocol::{
    CategoryState, Command, ExperimentView, Impact, ManualOverride, Refusal, Role, Scope, Snapshot,
};
use crate::suppressions::{
    Maintenance, Refused, Silence, SuppressionEntry, SuppressionId, check_text,
};

/// The most names that an effect lists.
const NAMED: usize = 5;

/// The outcome of a command.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub(crate) struct Plan {
    /// Suppressions that it adds.
    pub(crate) adds: Vec<SuppressionEntry>,
    /// Suppressions that it ends.
    pub(crate) ends: Vec<SuppressionId>,
    /// The manual override of a resource.
    pub(crate) manual_override: Option<(ResourceName, ManualOverride)>,
    /// The category and its new state.
    pub(crate) category: Option<(String, CategoryState)>,
    pub(crate) effect: Impact,
}

impl Plan {
    fn of(text: String, stubs: Vec<Stub>) -> Self {
        Self {
            effect: Impact {
                text,
                stubs,
                affected: None,
            },
            ..Self::default()
        }
    }
}

impl Snapshot {
    /// What a command would do if `by` gave it now, without doing it.
    ///
    /// # Errors
    /// [`Refusal`] where it would be refused.
    pub fn preview(&self, command: &Command, by: &str) -> Result<Impact, Refusal> {
        self.plan(command, by).map(|plan| plan.effect)
    }

    pub(crate) fn plan(&self, command: &Command, by: &str) -> Result<Plan, Refusal> {
        check_text("who", by)?;
        if self.role == Role::Follower {
            return Err(Refusal::Follower);
        }
        match command {
            Command::Acknowledge { scope, text, until } => {
                self.acknowledging(scope, by, text, *until)
            }
            Command::Unacknowledge { scope } => self.unacknowledging(scope),
            Command::Silence {
                pattern,
                until,
                reason,
            } => {
                let silence = Silence {
                    pattern: pattern.clone(),
                    who: by.to_owned(),
                    reason: reason.clone(),
                    since: self.at,
                    until: *until,
                };
                let when = format!("until {until}");
                self.suppressing(SuppressionEntry::Silence(silence), pattern, &when)
            }
            Command::Maintain {
                pattern,
                schedule,
                reason,
            } => {
                let maintenance = Maintenance {
                    pattern: pattern.clone(),
                    who: by.to_owned(),
                    reason: reason.clone(),
                    since: self.at,
                    schedule: schedule.clone(),
                };
                let when = schedule.to_string();
                self.suppressing(SuppressionEntry::Maintenance(maintenance), pattern, &when)
            }
            Command::Remove { id } if self.suppressions.has(*id) => Ok(Plan {
                ends: vec![*id],
                ..Plan::of(
                    "what it suppressed is notified again".to_owned(),
                    Vec::new(),
                )
            }),
            Command::Remove { id } => Err(Refused::NotFound(*id).into()),
            Command::Category { name, open, reason } => {
                self.switching_category(name, *open, by, reason)
            }
            Command::Hold { resource, reason } => self.holding(resource, reason),
            Command::Enable { resource } => self.enabling(resource),
        }
    }

    /// The experiments of a scope; none where it is not about experiments.
    fn in_scope(&self, scope: &Scope) -> Result<Vec<&ExperimentView>, Refusal> {
        let all = self.experiments.iter().map(AsRef::as_ref);
        let found: Vec<&ExperimentView> = match scope {
            Scope::Experiments(pattern) => all
                .filter(|view| pattern.matches(view.stub.as_str()))
                .collect(),
            Scope::Pool(name) => {
                let pool = self
                    .pools
                    .get(name)
                    .ok_or_else(|| Refusal::NoPool(name.clone()))?;
                pool.members()
                    .filter_map(|stub| self.experiment(stub.as_str()))
                    .map(AsRef::as_ref)
                    .collect()
            }
            Scope::Component(_) | Scope::Installation => return Ok(Vec::new()),
        };
        if found.is_empty() {
            Err(Refusal::NoExperiment(scope.to_string()))
        } else {
            Ok(found)
        }
    }

    /// All categories are known to the shell, which checks the name before; here only those that
    /// were used are.
    fn switching_category(
        &self,
        name: &str,
        open: bool,
        by: &str,
        reason: &str,
    ) -> Result<Plan, Refusal> {
        check_text("reason", reason)?;
        let known = self.categories.get(name);
        if known.is_none_or(|state| state.enabled) == open {
            return Err(Refusal::CategoryAlready {
                category: name.to_owned(),
                open,
            });
        }
        let quarantined = known.into_iter().flat_map(|state| &state.quarantined);
        let stubs = quarantined.filter(|_| open).cloned().collect();
        let text = if open {
            format!("{name} is open again")
        } else {
            format!("{name} is closed until a person opens it; book is not changed")
        };
        let state = CategoryState::by_person(open, by, reason, self.at);
        Ok(Plan {
            category: Some((name.to_owned(), state)),
            ..Plan::of(text, stubs)
        })
    }
}
