//! Which categories are open: closed by a fault where they are sticky, closed and opened by people. Pure: it is told the time.

use std::collections::{BTreeMap, BTreeSet};
use std::sync::Arc;
use std::time::Duration;

use jiff::Timestamp;
use serde::{Deserialize, Serialize};
use serde_json::Value;

use super::category::{Verdict, is_fault};
use super::category_index::{CategoryIndex, pace};
use super::category_member::{CategoryMember, What};
use super::snapshot::Picture;
use crate::config::CategorySettings;
use engine::Quarantined;
use engine::model::{Moment, Stub};

/// What the key of a switch in the store starts with; the category's name follows.
pub const KEY: &str = "category.";

/// The name under which what labwatch does by itself stands in the records.
const OURSELVES: &str = "labwatch";

/// The most failing members that a cause names.
const NAMED: usize = 5;

/// What has used a switch. A name does not tell: a token may be called as we are.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Cause {
    /// A person's word.
    #[default]
    Person,
    /// A fault that was seen often enough.
    CallError,
}

/// Whether a category is open, since when, and by whose word. This is also how it is stored.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Switch {
    /// Whether it is open.
    pub enabled: bool,
    /// Since when.
    pub at: Timestamp,
    /// Who said so, for people to read.
    pub by: String,
    /// What has used it.
    #[serde(default)]
    pub cause: Cause,
    /// Why.
    pub reason: String,
    /// The experiments that nobody can book until a person opens it.
    #[serde(default, skip_serializing_if = "BTreeSet::is_empty")]
    pub quarantined: BTreeSet<Stub>,
}

/// All switches that somebody or something has used, by category.
pub type Switched = BTreeMap<String, Switch>;

/// A switch that was used: to be stored, and told.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Change {
    /// The category.
    pub category: String,
    /// How it is now.
    pub switch: Switch,
}

impl Change {
    /// Its key in the store.
    #[must_use]
    pub fn key(&self) -> String {
        format!("{KEY}{}", self.category)
    }

    /// Its value in the store.
    ///
    /// # Errors
    /// Never for what a [`Change`] can hold; the signature is the serialiser's.
    pub fn value(&self) -> Result<Value, serde_json::Error> {
        serde_json::to_value(&self.switch)
    }
}

/// Why a stored switch is not taken. What was in force stays.
#[derive(Debug, thiserror::Error)]
#[error("the switch of category {category} cannot be read, it stays as it was: {error}")]
pub struct Unreadable {
    category: String,
    error: serde_json::Error,
}

/// The switches, and how often in a row each sticky category has failed.
#[derive(Debug, Clone, Default)]
pub struct Categories {
    switched: Arc<Switched>,
    failing: BTreeMap<String, Failing>,
}

/// Judgements in a row that a category has failed.
#[derive(Debug, Clone, Copy)]
struct Failing {
    count: u32,
    last: Moment,
}

impl Categories {
    /// Takes in what the store remembers under `key`; other keys are not looked at.
    ///
    /// # Errors
    /// [`Unreadable`]: the value makes no sense. What was in force stays.
    pub fn restore(&mut self, key: &str, value: &Value) -> Result<(), Unreadable> {
        let Some(category) = key.strip_prefix(KEY) else {
            return Ok(());
        };
        let switch = Switch::deserialize(value).map_err(|error| Unreadable {
            category: category.to_owned(),
            error,
        })?;
        Arc::make_mut(&mut self.switched).insert(category.to_owned(), switch);
        Ok(())
    }

    /// All switches that were used, as they are.
    #[must_use]
    pub fn switched(&self) -> Arc<Switched> {
        Arc::clone(&self.switched)
    }

    /// Judges every sticky category by a picture, and closes those that have failed often enough. Given every picture that there is,
    /// it misses no fault. A judgement counts again only when the category's pace has passed since the last that counted, so many
    /// pictures of one fault are one; a good one in between begins anew. What fails while a category keeps back is kept back too.
    pub fn judge(&mut self, picture: &Picture, now: Moment) -> Vec<Change> {
        let sticky = picture
            .settings
            .categories
            .iter()
            .filter(|category| category.sticky);
        let watched: Vec<_> = sticky
            .filter(|category| {
                is_enabled(&category.name, &self.switched) || self.keeps_back(category)
            })
            .collect();
        if watched.is_empty() || !picture.has_started() {
            return Vec::new();
        }
        let category_index = CategoryIndex::of(picture);
        watched
            .into_iter()
            .filter_map(|category| self.judge_one(category, &category_index, now))
            .collect()
    }

    fn judge_one(
        &mut self,
        category: &CategorySettings,
        category_index: &CategoryIndex<'_>,
        now: Moment,
    ) -> Option<Change> {
        let members = category_index.in_category(&category.name)?;
        if let Some(closed) = self
            .switched
            .get(&category.name)
            .filter(|switch| !switch.enabled)
        {
            let quarantined: BTreeSet<Stub> = closed
                .quarantined
                .iter()
                .cloned()
                .chain(faulty(&members))
                .collect();
            let changed = quarantined != closed.quarantined;
            return changed
                .then(|| Switch {
                    quarantined,
                    ..closed.clone()
                })
                .map(|switch| self.switch(&category.name, switch));
        }
        let judged: Vec<&CategoryMember<'_>> = members
            .into_iter()
            .filter(|member| member.state.is_ok() || is_fault(member.state))
            .collect();
        let verdict = if judged.is_empty() {
            None
        } else {
            Some(Verdict::of(category, &judged))
        };
        let Some(verdict) = verdict.filter(|verdict| !verdict.ok) else {
            self.failing.remove(&category.name);
            return None;
        };
        if self.count(category, pace(category_index, &judged), now) < category.failure_threshold {
            return None;
        }
        let named = verdict
            .failing
            .iter()
            .take(NAMED)
            .map(String::as_str)
            .collect::<Vec<_>>()
            .join(", ");
        let quarantined = if category.sticky_booking {
            faulty(&judged).collect()
        } else {
            BTreeSet::new()
        };
        let (by, reason) = (OURSELVES.to_owned(), format!("failing: {named}"));
        Some(self.switch(
            &category.name,
            Switch {
                enabled: false,
                at: now.wall(),
                by,
                cause: Cause::CallError,
                reason,
                quarantined,
            },
        ))
    }

    /// Whether a fault closed the category, and its experiments wait for an inspection.
    fn keeps_back(&self, category: &CategorySettings) -> bool {
        category.sticky_booking
            && self
                .switched
                .get(&category.name)
                .is_some_and(|switch| !switch.enabled && switch.cause == Cause::CallError)
    }

    /// The experiments that closed categories keep back, as far as these settings still have it so.
    #[must_use]
    pub fn quarantined(&self, settings: &[CategorySettings]) -> Quarantined {
        let keeping = settings.iter().filter(|category| self.keeps_back(category));
        let switches =
            keeping.filter_map(|category| Some((category, self.switched.get(&category.name)?)));
        switches
            .flat_map(|(category, switch)| {
                switch
                    .quarantined
                    .iter()
                    .map(|stub| (stub.clone(), category.name.clone()))
            })
            .collect()
    }

    fn count(&mut self, category: &CategorySettings, pace: Duration, now: Moment) -> u32 {
        match self.failing.get_mut(&category.name) {
            Some(failing) if now.since(failing.last) < pace => failing.count,
            Some(failing) => {
                *failing = Failing {
                    count: failing.count + 1,
                    last: now,
                };
                failing.count
            }
            None => {
                self.failing.insert(
                    category.name.clone(),
                    Failing {
                        count: 1,
                        last: now,
                    },
                );
                1
            }
        }
    }

    /// Opens or closes a category by a person's word.
    pub fn switch(&mut self, category: &str, switch: Switch) -> Change {
        self.failing.remove(category);
        Arc::make_mut(&mut self.switched).insert(category.to_owned(), switch.clone());
        Change {
            category: category.to_owned(),
            switch,
        }
    }
}

/// The experiments among these that have a fault of which nobody knows.
fn faulty(members: &[&CategoryMember<'_>]) -> impl Iterator<Item = Stub> {
    let faulty = members
        .iter()
        .filter(|member| member.counts && member.ack.is_none() && is_fault(member.state));
    faulty.filter_map(|member| match member.what {
        What::Experiment(view) => Some(view.stub.clone()),
        What::Component(_) => None,
    })
}

/// Whether a category is open: it is unless somebody or something closed it.
#[must_use]
pub fn is_enabled(category: &str, switched: &Switched) -> bool {
    switched.get(category).is_none_or(|switch| switch.enabled)
}
