//! What a command would do, worked out on a snapshot: before it is given, for the person who is about to give it, and when it is carried
//! out, for the engine. Changes nothing.

use jiff::Timestamp;

use crate::groups::bookings::Affected;
use crate::model::{Availability, Bookable, Health, ResourceName, SourceHealth, SourceName, Stub};
use crate::protocol::category::CategoryState;
use crate::protocol::command::{Command, Impact, ManualOverride, Scope};
use crate::protocol::input::Role;
use crate::protocol::refusal::Refusal;
use crate::protocol::snapshot::{ExperimentView, ResourceView, Snapshot};
use crate::suppressions::{
    Acknowledgement, MAX_TEXT_BYTES, Maintenance, Refused, Silence, Subject, SuppressionEntry,
    SuppressionId, check_text,
};

/// The most names that an effect lists.
const NAMED: usize = 5;

/// What a command comes to.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Plan {
    /// What is added to what keeps quiet.
    pub(crate) adds: Vec<SuppressionEntry>,
    /// What is ended of it.
    pub(crate) ends: Vec<SuppressionId>,
    /// What a person wants of a resource.
    pub(crate) manual_override: Option<(ResourceName, ManualOverride)>,
    /// A category, and how it is to be.
    pub(crate) category: Option<(String, CategoryState)>,
    pub(crate) effect: Impact,
}

impl Plan {
    fn of(text: String, stubs: Vec<Stub>) -> Self {
        Self {
            adds: Vec::new(),
            ends: Vec::new(),
            manual_override: None,
            category: None,
            effect: Impact {
                text,
                stubs,
                affected: None,
            },
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
                let (pattern, who, reason) = (pattern.clone(), by.to_owned(), reason.clone());
                self.quieting(SuppressionEntry::Silence(Silence {
                    pattern,
                    who,
                    reason,
                    since: self.at,
                    until: *until,
                }))
            }
            Command::Maintain {
                pattern,
                schedule,
                reason,
            } => {
                let (pattern, who, reason, schedule) = (
                    pattern.clone(),
                    by.to_owned(),
                    reason.clone(),
                    schedule.clone(),
                );
                self.quieting(SuppressionEntry::Maintenance(Maintenance {
                    pattern,
                    who,
                    reason,
                    since: self.at,
                    schedule,
                }))
            }
            Command::Remove { id } if self.quiet.has(*id) => Ok(Plan {
                ends: vec![*id],
                ..Plan::of("what it kept quiet is told again".to_owned(), Vec::new())
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

    fn acknowledging(
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
            names(&stubs)
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
        adds.iter().try_for_each(|entry| self.quiet.check(entry))?;
        Ok(Plan {
            adds,
            ..Plan::of(format!("no mail about {about} until {ends}"), stubs)
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
        let known = |subject: &Subject| self.quiet.acknowledgement(subject);
        let fresh: Vec<(Subject, Health)> = bad
            .iter()
            .filter(|(subject, _)| known(subject).is_none())
            .cloned()
            .collect();
        if !fresh.is_empty() {
            return Ok(fresh);
        }
        Err(
            match bad
                .first()
                .and_then(|(subject, _)| known(subject).map(|known| (subject, known)))
            {
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

    /// A component that is bad, as far as that is known here: the sources are. How others are is known where they are probed; there it is
    /// checked before, and there the acknowledgement is ended once they are well.
    fn bad_component(&self, name: &str) -> Result<Subject, Refusal> {
        match SourceName::ALL
            .into_iter()
            .find(|source| source.as_str() == name)
        {
            Some(source) => match self.source(source).health {
                SourceHealth::Late | SourceHealth::Down => Ok(Subject::Component(name.to_owned())),
                SourceHealth::Starting | SourceHealth::Live => {
                    Err(Refusal::ComponentIsWell(name.to_owned()))
                }
            },
            None => Ok(Subject::Component(name.to_owned())),
        }
    }

    /// Which categories there are is known to the shell, which checks that before; here only those that were used are.
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

    fn unacknowledging(&self, scope: &Scope) -> Result<Plan, Refusal> {
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
            .filter_map(|subject| Some((self.quiet.acknowledgement(subject)?.0, subject)));
        let (ends, subjects): (Vec<SuppressionId>, Vec<&Subject>) = found.unzip();
        if ends.is_empty() {
            return Err(Refusal::NotAcknowledged(scope.to_string()));
        }
        let stubs = subjects.into_iter().filter_map(stub_of).collect();
        Ok(Plan {
            ends,
            ..Plan::of(format!("what is bad of {scope} is told again"), stubs)
        })
    }

    fn quieting(&self, entry: SuppressionEntry) -> Result<Plan, Refusal> {
        self.quiet.check(&entry)?;
        let (pattern, when) = match &entry {
            SuppressionEntry::Silence(silence) => {
                (&silence.pattern, format!("until {}", silence.until))
            }
            SuppressionEntry::Maintenance(maintenance) => {
                (&maintenance.pattern, maintenance.schedule.to_string())
            }
            SuppressionEntry::Acknowledgement(_) => {
                return Err(Refused::Text {
                    field: "pattern",
                    most: MAX_TEXT_BYTES,
                }
                .into());
            }
        };
        let matching = self
            .experiments
            .iter()
            .filter(|view| pattern.matches(view.stub.as_str()))
            .map(|view| view.stub.clone());
        let stubs: Vec<Stub> = matching.collect();
        let about = match stubs.as_slice() {
            [] => format!("{}, which no experiment is called now", pattern.as_str()),
            stubs => names(stubs),
        };
        Ok(Plan {
            adds: vec![entry],
            ..Plan::of(format!("no mail about {about}, {when}"), stubs)
        })
    }

    fn holding(&self, name: &ResourceName, reason: &str) -> Result<Plan, Refusal> {
        check_text("reason", reason)?;
        let wanted = Availability {
            available: false,
            reason: reason.to_owned(),
        };
        if wanted.bookable() != Bookable::Held {
            return Err(Refusal::OurPrefix);
        }
        let (view, resource) = self.resource(name)?;
        match resource.bookable {
            None => return Err(Refusal::NotRead(name.clone())),
            Some(Bookable::Held) if resource.reason == reason => {
                return Err(Refusal::HeldAlready(name.clone()));
            }
            Some(Bookable::Yes | Bookable::Withdrawn | Bookable::Held) => {}
        }
        let affected = self.calendar.affected(std::slice::from_ref(name), self.at);
        let text = format!(
            "{name} cannot be booked until a person enables it: {}",
            self.in_book(bookings(affected, "cannot start"))
        );
        Ok(wishing(
            name,
            ManualOverride::Hold(reason.to_owned()),
            text,
            view,
            affected,
        ))
    }

    fn enabling(&self, name: &ResourceName) -> Result<Plan, Refusal> {
        let (view, resource) = self.resource(name)?;
        match resource.bookable {
            None => return Err(Refusal::NotRead(name.clone())),
            Some(Bookable::Yes) => return Err(Refusal::Bookable(name.clone())),
            Some(Bookable::Withdrawn) => {
                if let Some(category) = self.quarantined.get(&view.stub) {
                    return Err(Refusal::Quarantined {
                        resource: name.clone(),
                        category: category.clone(),
                    });
                }
                return Err(Refusal::Ours {
                    resource: name.clone(),
                    stub: view.stub.clone(),
                    health: view.health,
                });
            }
            Some(Bookable::Held) => {}
        }
        let affected = self.calendar.affected(std::slice::from_ref(name), self.at);
        let text = if view.health.is_unusable() {
            let text = format!(
                "no person holds {name} any more, but {} is {}: it can be booked when that works",
                view.stub, view.health
            );
            self.in_book(text)
        } else {
            format!(
                "{name} can be booked again: {}",
                self.in_book(bookings(affected, "can start"))
            )
        };
        Ok(wishing(name, ManualOverride::Enable, text, view, affected))
    }

    fn resource(&self, name: &ResourceName) -> Result<(&ExperimentView, &ResourceView), Refusal> {
        let all = self.experiments.iter().flat_map(|view| {
            view.resources
                .iter()
                .map(move |resource| (view.as_ref(), resource))
        });
        all.into_iter()
            .find(|(_, resource)| resource.name == *name)
            .ok_or_else(|| Refusal::NoResource(name.clone()))
    }

    /// What is written into book waits for book.
    fn in_book(&self, text: String) -> String {
        if self.source(SourceName::Book).health == SourceHealth::Down {
            return format!("{text}. Book does not answer now: it is done as soon as book does");
        }
        text
    }
}

fn wishing(
    name: &ResourceName,
    manual_override: ManualOverride,
    text: String,
    view: &ExperimentView,
    affected: Affected,
) -> Plan {
    let plan = Plan::of(text, vec![view.stub.clone()]);
    let effect = Impact {
        affected: Some(affected),
        ..plan.effect
    };
    Plan {
        manual_override: Some((name.clone(), manual_override)),
        effect,
        ..plan
    }
}

fn stub_of(subject: &Subject) -> Option<Stub> {
    match subject {
        Subject::Experiment(stub) => Some(stub.clone()),
        Subject::Component(_) | Subject::Installation => None,
    }
}

/// The first few names.
fn names(stubs: &[Stub]) -> String {
    let named: Vec<&str> = stubs.iter().take(NAMED).map(Stub::as_str).collect();
    match stubs.len().saturating_sub(NAMED) {
        0 => named.join(", "),
        more => format!("{} and {more} more", named.join(", ")),
    }
}

/// The bookings that something happens to, in words.
fn bookings(affected: Affected, what: &str) -> String {
    let session = if affected.in_session {
        "; one is in session now"
    } else {
        ""
    };
    let day = match affected.next_day {
        0 => "nothing is booked in the next 24 h".to_owned(),
        1 => format!("1 booking of the next 24 h {what}"),
        n => format!("{n} bookings of the next 24 h {what}"),
    };
    match affected.next_week {
        week if week > affected.next_day => format!("{day}, {week} of the next 7 days{session}"),
        _ => format!("{day}{session}"),
    }
}
