//! The effect of opening or closing a category. The engine carries the command out; which
//! categories exist is known here.

use super::category_index::CategoryIndex;
use super::category_member::What;
use super::category_rules::DEFAULT;
use super::category_rules::is_enabled;
use super::handle::HealthState;
use super::snapshot::HealthSnapshot;
use engine::model::Stub;
use engine::{Impact, Refusal, Role, check_text};

/// The most failing members that an effect names.
const NAMED: usize = 5;

/// A command to open or close a category.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct CategoryOrder {
    pub category: String,
    /// To open or to close it.
    pub open: bool,
    /// Who gives it.
    pub by: String,
    /// Why: one line.
    pub reason: String,
}

impl HealthState {
    /// What a command would do now, without doing it.
    ///
    /// # Errors
    /// [`Refusal`]: there is no such category, it is so already, the reason cannot be kept, or this
    /// labwatch only watches.
    pub fn preview(&self, order: &CategoryOrder) -> Result<Impact, Refusal> {
        effect(order, &self.snapshot())
    }
}

fn effect(order: &CategoryOrder, health: &HealthSnapshot) -> Result<Impact, Refusal> {
    check_text("reason", &order.reason)?;
    if health.snapshot.role == Role::Follower {
        return Err(Refusal::Follower);
    }
    let name = order.category.as_str();
    let category_index = CategoryIndex::of(health);
    let Some(members) = category_index.in_category(name) else {
        return Err(Refusal::NoCategory(name.to_owned()));
    };
    if is_enabled(name, &health.switched) == order.open {
        return Err(Refusal::CategoryAlready {
            category: name.to_owned(),
            open: order.open,
        });
    }
    let stubs = members.iter().filter_map(|member| match member.what {
        What::Experiment(view) => Some(view.stub.clone()),
        What::Component(_) => None,
    });
    let text = if order.open {
        opening(name, &category_index, health)
    } else {
        closing(name)
    };
    Ok(Impact {
        text,
        stubs: stubs.collect(),
        affected: None,
    })
}

fn closing(name: &str) -> String {
    let everything = match name {
        DEFAULT => ", also where no category is asked for",
        _ => "",
    };
    format!(
        "{name} is closed until a person opens it: /__gtg answers 503 and /__health is not ok for it{everything}; book is not changed"
    )
}

fn opening(name: &str, category_index: &CategoryIndex<'_>, health: &HealthSnapshot) -> String {
    let category = health.settings.category(name);
    let kept = health.switched.get(name).map(|switch| &switch.quarantined);
    let kept = kept.into_iter().flatten().map(Stub::as_str);
    let given_back = match listed(kept) {
        none if none.is_empty() => none,
        kept => format!("; {kept} can be booked again when it works"),
    };
    let fails = match category_index
        .verdict(&category)
        .filter(|verdict| !verdict.ok)
    {
        None => String::new(),
        Some(verdict) => {
            let failing = listed(verdict.failing.iter().map(String::as_str));
            format!("; it fails now because of {failing}")
        }
    };
    let again = match (fails.is_empty(), category.sticky) {
        (false, true) => format!(
            ", and is closed again after {} bad checks in a row",
            category.failure_threshold
        ),
        _ => String::new(),
    };
    format!("{name} is open again{given_back}{fails}{again}")
}

/// The first few of these, and how many more there are.
fn listed<'a>(names: impl Iterator<Item = &'a str>) -> String {
    let names: Vec<&str> = names.collect();
    let more = names.len().saturating_sub(NAMED);
    let some = names.into_iter().take(NAMED).collect::<Vec<_>>().join(", ");
    if more == 0 {
        some
    } else {
        format!("{some} and {more} more")
    }
}
