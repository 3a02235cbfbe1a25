//! The state of the health endpoints.

use std::sync::Arc;

use super::commands::Give;
use crate::health::dialects::{Contributor, Endpoint};
use crate::health::{HealthState, Levels, PassiveChecks, Refresher};

#[derive(Clone)]
pub struct HealthRoutes {
    /// Gives snapshots.
    pub health_state: HealthState,
    /// Gives snapshots for which everything was checked.
    pub refresher: Arc<Refresher>,
    /// The components that report themselves.
    pub passive: Arc<PassiveChecks>,
    /// What is contributed to `/actuator/info`.
    pub contributors: Arc<[Contributor]>,
    /// What is added to the actuator.
    pub endpoints: Arc<[Endpoint]>,
    /// Sends commands to the engine.
    pub give: Arc<Give>,
    /// The levels of the log; without them there is no `/actuator/logger`.
    pub levels: Option<Arc<dyn Levels>>,
}
