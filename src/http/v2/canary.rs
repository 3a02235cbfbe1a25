//! The canary's metrics of the last hour.

use std::time::Duration;

use serde::Serialize;
use utoipa::ToSchema;

use super::words::Forwarding;
use engine::CanaryView;

/// The canary: whether labwatch's own messages through relay arrive, and how long they take.
#[derive(Debug, Serialize, ToSchema)]
pub(super) struct Canary {
    /// Its result.
    forwarding: Forwarding,
    /// How long the last message that arrived took, in seconds; null before the first.
    #[schema(required)]
    last_seconds: Option<f64>,
    /// The median of the last hour, in seconds; null when none arrived.
    #[schema(required)]
    median_seconds: Option<f64>,
    /// The 99th percentile of the last hour, in seconds; null when none arrived.
    #[schema(required)]
    p99_seconds: Option<f64>,
    /// The share of the messages of the last hour that did not arrive, from 0 to 1; null when none
    /// was sent.
    #[schema(required)]
    loss: Option<f64>,
}

impl Canary {
    pub(super) fn new(canary: &CanaryView) -> Self {
        let seconds = |time: Option<Duration>| time.map(|time| time.as_secs_f64());
        Self {
            forwarding: canary.forwarding.into(),
            last_seconds: seconds(canary.last),
            median_seconds: seconds(canary.median),
            p99_seconds: seconds(canary.p99),
            loss: canary.loss,
        }
    }
}
