//! What the paths of health answer from.

use std::sync::Arc;

use super::commands::Give;
use crate::health::dialects::{Contributor, Endpoint};
use crate::health::{HealthState, Levels, PassiveChecks, Refresher};

/// What the paths of health answer from.
#[derive(Clone)]
pub struct HealthRoutes {
    /// Gives pictures.
    pub health_state: HealthState,
    /// Gives pictures for which everything was checked.
    pub refresher: Arc<Refresher>,
    /// The components that report by themselves.
    pub pushed: Arc<PassiveChecks>,
    /// What is contributed to `/actuator/info`.
    pub contributors: Arc<[Contributor]>,
    /// What is added to the actuator.
    pub endpoints: Arc<[Endpoint]>,
    /// The way of commands to the engine.
    pub give: Arc<Give>,
    /// The levels of the log; without them there is no `/actuator/logger`.
    pub levels: Option<Arc<dyn Levels>>,
}
