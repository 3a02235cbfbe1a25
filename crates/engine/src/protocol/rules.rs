//! What the engine is told by the configuration: how to evaluate, whom to tell, what surrounds
//! experiments. It can be told anew while it runs.

use std::collections::BTreeMap;
use std::time::Duration;

use crate::groups::holds::DEFAULT_OVERDUE_AFTER;
use crate::groups::pool::PoolRule;
use crate::notifications::advice::Advice;
use crate::notifications::route::Route;
use crate::protocol::{CategoryRules, Policy};
use crate::suppressions::Maintenance;

/// All of it.
#[derive(Debug, Clone, PartialEq)]
pub struct Rules {
    /// The numbers to evaluate by.
    pub policy: Policy,
    /// Whom to tell, each route with a name of its own.
    pub routes: Vec<Route>,
    /// `[[maintenance]]`: when experiments are worked on.
    pub maintenance: Vec<Maintenance>,
    /// `[[pool]]`: experiments that can stand in for each other, beside those that are found.
    pub pools: Vec<PoolRule>,
    /// `[advice]`: what maintainers are told to do.
    pub advice: Advice,
    /// `[[category]]`: which of them close by themselves.
    pub categories: CategoryRules,
    /// What is acknowledged for as long as it stands in the policy.
    pub acknowledged: PolicyAcknowledgements,
    /// `HOLD_OVERDUE`: after which time a person's hold looks forgotten.
    pub hold_overdue: Duration,
}

/// Acknowledgements that stand in a policy outside of labwatch. Each holds for as long as it stands
/// there, also over a recovery.
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
    /// These numbers and routes, and nothing else configured.
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
