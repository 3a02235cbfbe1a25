//! An event in version 1 of the API.

use std::collections::BTreeMap;

use jiff::Timestamp;
use serde::Serialize;
use utoipa::ToSchema;

use engine::model::Gather as _;
use engine::model::{Health, JumpHealth, StreamHealth};
use engine::{self, Issue};

/// A change of an experiment's health, as it was at that moment.
#[derive(Debug, Serialize, ToSchema)]
pub(super) struct Event<'a> {
    /// The health from then on: `ok`, `degraded`, `down` or `unknown`.
    #[schema(example = "down")]
    health: &'static str,
    /// Whether the health was `ok`.
    healthy: bool,
    /// What was wrong, most important first: `missing jump`, `missing required <topic>`,
    /// `unhealthy <topic>`, `relay outage`.
    #[schema(example = json!(["unhealthy pend00-st-data"]))]
    issues: Vec<String>,
    /// The jump connection (remote login): `up`, `lost` or `unknown`.
    #[schema(example = "up")]
    jump: &'static str,
    /// Whether the jump connection was up.
    jump_ok: bool,
    /// Whether each stream was active, by topic.
    #[schema(value_type = BTreeMap<String, bool>, example = json!({"pend00-st-data": false}))]
    stream_ok: BTreeMap<&'a str, bool>,
    /// The health until then.
    #[schema(example = "ok")]
    was: &'static str,
    /// When it was decided.
    when: Timestamp,
    /// What led to the decision, as text.
    #[schema(example = "its streams or its remote login changed")]
    why: String,
}

impl<'a> Event<'a> {
    pub(super) fn new(event: &'a engine::Event) -> Self {
        Self {
            health: event.health.as_str(),
            healthy: event.health == Health::Ok,
            issues: event.issues.iter().map(Issue::code).collect(),
            jump: event.jump.as_str(),
            jump_ok: event.jump == JumpHealth::Up,
            stream_ok: event
                .streams
                .iter()
                .map(|(topic, health)| (topic.as_str(), *health == StreamHealth::Active))
                .gather(),
            was: event.was.as_str(),
            when: event.when,
            why: event.why.to_string(),
        }
    }
}
