//! Outcome of holding or enabling a resource, including the affected bookings.

use super::Plan;
use crate::groups::bookings::Affected;
use crate::model::{Availability, Bookable, ResourceName, SourceHealth, SourceName};
use crate::protocol::{ExperimentView, Impact, ManualOverride, Refusal, ResourceView, Snapshot};
use crate::suppressions::check_text;

impl Snapshot {
    pub(super) fn holding(&self, name: &ResourceName, reason: &str) -> Result<Plan, Refusal> {
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
        Ok(override_plan(
            name,
            ManualOverride::Hold(reason.to_owned()),
            text,
            view,
            affected,
        ))
    }

    pub(super) fn enabling(&self, name: &ResourceName) -> Result<Plan, Refusal> {
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
        Ok(override_plan(
            name,
            ManualOverride::Enable,
            text,
            view,
            affected,
        ))
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

    /// Adds that book is unreachable where a change has to wait for it.
    fn in_book(&self, text: String) -> String {
        if self.source(SourceName::Book).health == SourceHealth::Down {
            return format!("{text}. Book does not answer now: it is done as soon as book does");
        }
        text
    }
}

fn override_plan(
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

/// The affected bookings as text.
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
