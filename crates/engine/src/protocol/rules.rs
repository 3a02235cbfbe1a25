//! The engine's part of the configuration: how to evaluate, whom to notify, and pools, categories
//! and maintenance. Can be replaced while it runs.

use std::collections::BTreeMap;
use std::time::Duration;

use crate::groups::holds::DEFAULT_OVERDUE_AFTER;
use crate::groups::pool::PoolRule;
use crate::notifications::advice::Advice;
use crate::notifications::route::Route;
use crate::protocol::{CategoryRules, Policy};
use crate::suppressions::Maintenance;

/// The engine's configuration.
#[derive(Debug, Clone, PartialEq)]
pub struct Rules {
    /// Parameters of the evaluation.
    pub policy: Policy,
    /// Notification routes, each with a unique name.
    pub routes: Vec<Route>,
    /// `[[maintenance]]`: planned maintenance windows.
    pub maintenance: Vec<Maintenance>,
    /// `[[pool]]`: interchangeable experiments, besides the pools that are derived.
    pub pools: Vec<PoolRule>,
    /// `[advice]`: texts with what maintainers can do.
    pub advice: Advice,
    /// `[[category]]`: which of them close by themselves.
    pub categories: CategoryRules,
    /// Acknowledgements of the policy, for as long as they are in it.
    pub acknowledged: PolicyAcknowledgements,
    /// `HOLD_OVERDUE`: after which time a manual hold looks forgotten.
    pub hold_overdue: Duration,
}

/// Acknowledgements of a policy outside of labwatch. Each holds for as long as it is in the policy,
/// also over a recovery.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct PolicyAcknowledgements {
    /// The texts, by the names of components (outside services too) or experiments. A component
    /// goes before an experiment of the same name, which is meant by `experiment:` in front of
    /// it.
    pub by_name: BTreeMap<String, String>,
    /// The text for the whole laboratory.
    pub installation: Option<String>,
}

impl Rules {
    /// These parameters and routes, and nothing else configured.
    pub fn new(policy: Policy, routes: Vec<Route>) -> Self {
        Self {
            policy,
            routes,
            maintenance: Vec::new(),
            pools: Vec::new(),
            advice: Advice::default(),
            categories: CategoryRules::default(),
            acknowledged: PolicyAcknowledgements::default(),
            hold_overdue: DEFAULT_OVERDUE_AFTER,
        }
    }
}
