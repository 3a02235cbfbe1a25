//! Evaluates the requested categories. `/__health`, `/__gtg`, `/__agghealth` and the page are all
//! rendered from it.

use std::fmt::Write as _;

use super::Query;
use super::answer::{Reader, Refused};
use crate::health::category::Verdict;
use crate::health::category_index::CategoryIndex;
use crate::health::category_member::CategoryMember;
use crate::health::category_rules::DEFAULT;
use crate::health::snapshot::HealthSnapshot;
use engine::{CategoryCause, CategoryRule};

/// The requested categories, evaluated.
pub(super) struct RatedCategories<'a> {
    pub(super) health: &'a HealthSnapshot,
    pub(super) category_index: &'a CategoryIndex<'a>,
    /// Those that exist, in the requested order.
    pub(super) categories: Vec<CategoryRule>,
    /// Those that do not exist.
    pub(super) unknown: Vec<String>,
    /// Those that are closed.
    pub(super) closed: Vec<String>,
    /// All their members, and the failing parts of labwatch; sorted by name.
    pub(super) members: Vec<&'a CategoryMember<'a>>,
    pub(super) verdict: Verdict,
}

impl<'a> RatedCategories<'a> {
    /// Evaluates each category by its own rule, and labwatch itself with all of them.
    pub(super) fn of(
        health: &'a HealthSnapshot,
        category_index: &'a CategoryIndex<'a>,
        query: &Query,
    ) -> Result<Self, Refused> {
        let everything = [DEFAULT.to_owned()];
        let asked = if query.categories.is_empty() {
            &everything[..]
        } else {
            &query.categories
        };
        let (mut categories, mut unknown, mut members) = (Vec::new(), Vec::new(), Vec::new());
        let (mut verdict, mut closed) = (Verdict::by(Vec::new()), Vec::new());
        for name in asked {
            let (Some(of_category), Some(evaluated)) = (
                category_index.in_category(name),
                category_index.evaluate(name, &health.switched),
            ) else {
                unknown.push(name.clone());
                continue;
            };
            verdict = verdict.and(evaluated.verdict);
            if !evaluated.enabled {
                closed.push(name.clone());
            }
            categories.push(evaluated.rules);
            members.extend(of_category);
            members.extend(category_index.failing_labwatch(name));
            if name == DEFAULT {
                // The page of everything shows all members, so that no failure is overlooked;
                // services of other categories do not count in it.
                members.extend(category_index.services());
            }
        }
        if categories.is_empty() {
            return Err(Refused::Senseless(format!(
                "no such category: {}",
                unknown.join(", ")
            )));
        }
        members.sort_by_key(|member| (member.name, !member.is_component()));
        members.dedup_by_key(|member| (member.name, member.is_component()));
        Ok(Self {
            health,
            category_index,
            categories,
            unknown,
            closed,
            members,
            verdict,
        })
    }

    /// Whether it is good to go: all categories are open and work.
    pub(super) fn is_good(&self) -> bool {
        self.closed.is_empty() && self.verdict.ok
    }

    /// Whether the traffic light is green: as [`RatedCategories::is_good`], and also when the whole
    /// installation is acknowledged.
    pub(super) fn is_green(&self) -> bool {
        self.is_good() || self.health.acks.installation(self.health.at).is_some()
    }

    pub(super) fn description(&self, reader: Reader) -> String {
        let label = &self.health.settings.label;
        let how = if self.health.is_fresh {
            "served directly"
        } else {
            "served from cache"
        };
        // Writing to a string cannot fail.
        let mut text = format!("Health of {label} {how}.");
        if !self.unknown.is_empty() {
            let _ = write!(text, " Unknown categories: {}.", self.unknown.join(", "));
        }
        for name in &self.closed {
            let _ = write!(
                text,
                " Category {name} is disabled: {}.",
                self.why_closed(name, reader)
            );
        }
        if let Some(ack) = self.health.acks.installation(self.health.at) {
            let words = ack.words(reader.sees_private());
            let _ = write!(text, " Installation is acknowledged: {words}.");
        }
        text
    }

    /// Why a category is closed and since when. A reason that a user wrote is for readers who may
    /// see it; one of labwatch is for all.
    pub(super) fn why_closed(&self, category: &str, reader: Reader) -> String {
        match self.health.switched.get(category) {
            Some(switch) if reader.sees_private() || switch.cause == CategoryCause::Fault => {
                format!("{} ({}, {:.0})", switch.reason, switch.by, switch.at)
            }
            Some(switch) => format!("by a maintainer ({:.0})", switch.at),
            None => String::new(),
        }
    }
}
