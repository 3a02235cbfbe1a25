//! The canary's metrics: how long messages take through relay, and how many do not arrive. Absent
//! while the canary is off.

use std::fmt;
use std::time::Duration;

use super::encoder::{Encoder, unlabelled};
use engine::model::SourceName;
use engine::{CANARY_BOUNDS_MS, CanaryView, Forwarding, Snapshot};

pub(super) fn write(encoder: &mut Encoder<'_>, snapshot: &Snapshot) -> fmt::Result {
    let Some(canary) = &snapshot.source(SourceName::Relay).canary else {
        return Ok(());
    };
    unlabelled! { encoder;
        /// What the canary shows of relay: 0 not connected, 1 forwards, 2 forwards late, 3 does not forward
        gauge labwatch_canary_forwarding: code(canary.forwarding);
    }
    encoder.histogram(
        "labwatch_canary_seconds",
        "How long messages of the canary took through relay, in seconds",
        canary.sum.as_secs_f64(),
        &buckets(canary),
    )?;
    if let Some(last) = canary.last {
        unlabelled! { encoder;
            /// How long the last message of the canary took that arrived, in seconds
            gauge labwatch_canary_last_seconds: last.as_secs_f64();
        }
    }
    encoder.count(
        "labwatch_canary_lost",
        "How many messages of the canary did not arrive",
        canary.lost,
    )
}

fn code(forwarding: Forwarding) -> u64 {
    match forwarding {
        Forwarding::Off | Forwarding::Unknown => 0,
        Forwarding::Works => 1,
        Forwarding::Late => 2,
        Forwarding::Stopped => 3,
    }
}

/// Each upper bound in seconds, with how many were between it and the one before.
fn buckets(canary: &CanaryView) -> Vec<(f64, u64)> {
    let bounds = CANARY_BOUNDS_MS.iter().map(|ms| Duration::from_millis(*ms));
    let bounds = bounds.map(|bound| bound.as_secs_f64()).chain([f64::MAX]);
    bounds.zip(canary.counts).collect()
}
