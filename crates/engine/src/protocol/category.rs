//! Categories: their rules, whether each is open, and the fitness of components that the engine
//! receives as input.

use std::collections::{BTreeMap, BTreeSet};
use std::sync::Arc;
use std::time::Duration;

use jiff::Timestamp;
use serde::{Deserialize, Serialize};

use crate::groups::pool::PoolRule;
use crate::model::Stub;

/// The rules of all configured categories.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct CategoryRules {
    /// `[[category]]`, each with a unique name.
    pub categories: Vec<CategoryRule>,
    /// Groups of interchangeable experiments; others are grouped by the stem of their names.
    pub pools: Vec<CategoryPool>,
    /// Components whose failure counts for no category.
    pub non_fatal: BTreeSet<String>,
}

/// The rule of one category.
#[derive(Debug, Clone, PartialEq, Eq)]
#[expect(
    clippy::struct_excessive_bools,
    reason = "each is a setting of its own"
)]
pub struct CategoryRule {
    /// Its name. `default` takes in everything, `system` every component.
    pub name: String,
    /// Patterns of the experiments and components in it.
    pub patterns: Vec<String>,
    /// Pools whose experiments are in it.
    pub pools: Vec<String>,
    /// Whether it has the members that it would have without a rule: experiments whose names have
    /// it as their stem, and that are in no other category.
    pub by_stem: bool,
    /// Whether a minimum of healthy experiments in each pool suffices.
    pub resilient: bool,
    /// That minimum; `None`: as the pool says, else 1.
    pub min_healthy: Option<usize>,
    /// How often it is evaluated while it fails.
    pub period: Duration,
    /// Whether a fault closes it until a maintainer opens it.
    pub sticky: bool,
    /// After this many failed evaluations in a row, at least 1.
    pub failure_threshold: u32,
    /// Whether experiments that failed stay withdrawn until then.
    pub sticky_booking: bool,
}

/// How often a category is evaluated, unless set otherwise.
const PERIOD: Duration = Duration::from_secs(60);

impl CategoryRule {
    /// A category without members of its own, in which any failure counts.
    #[must_use]
    pub fn strict(name: &str) -> Self {
        Self {
            name: name.to_owned(),
            patterns: Vec::new(),
            pools: Vec::new(),
            by_stem: false,
            resilient: false,
            min_healthy: None,
            period: PERIOD,
            sticky: false,
            failure_threshold: 1,
            sticky_booking: false,
        }
    }
}

/// A group of interchangeable experiments.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct CategoryPool {
    /// Its name.
    pub name: String,
    /// Patterns of its experiments.
    pub members: Vec<String>,
    /// The minimum of healthy experiments.
    pub min_healthy: usize,
}

impl CategoryPool {
    /// Its rule as a pool of book's experiments.
    pub fn rule(&self) -> PoolRule {
        PoolRule {
            name: self.name.clone(),
            patterns: self.members.clone(),
        }
    }
}

/// Whether a member works, as a category counts it.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub enum Fitness {
    /// It can be used.
    Works,
    /// Unknown: no fault, and no proof of the contrary.
    Unknown,
    /// It has a fault of its own.
    Fails,
}

/// The health of a component that the engine does not observe itself.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct ComponentHealth {
    /// Its name, unique among components.
    pub name: Arc<str>,
    /// Its fitness now.
    pub fitness: Fitness,
    /// The categories of its own settings. A component with some is an outside service: it counts
    /// in those alone.
    pub categories: Arc<[String]>,
    /// The problem to notify, as text that every reader may see: it fails, or its state cannot be
    /// determined any more. `None`: it works, or its state is not known yet.
    pub problem: Option<Arc<str>>,
}

/// What closed or opened a category. Not derivable from the name: a token may be called `labwatch`.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum CategoryCause {
    /// A maintainer.
    #[default]
    Person,
    /// A fault that was observed often enough.
    Fault,
}

/// Whether a category is open, since when, and why.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct CategoryState {
    /// Whether it is open.
    pub enabled: bool,
    /// Since when.
    pub at: Timestamp,
    /// Who opened or closed it; `labwatch` for a fault.
    pub by: String,
    /// Whether a maintainer or a fault did.
    #[serde(default)]
    pub cause: CategoryCause,
    /// Why.
    pub reason: String,
    /// The experiments that are quarantined until a maintainer opens it.
    #[serde(
        default,
        skip_serializing_if = "BTreeSet::is_empty",
        alias = "kept_back"
    )]
    pub quarantined: BTreeSet<Stub>,
}

/// All categories that were ever closed or opened, by name. Others are open.
pub type CategoryStates = BTreeMap<String, CategoryState>;

/// Quarantined experiments: they stay withdrawn, whatever their health, until a maintainer opens a
/// category; with its name.
pub type Quarantined = BTreeMap<Stub, String>;
