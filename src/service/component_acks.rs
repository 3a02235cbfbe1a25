//! Acknowledgements of components end once the component is well: the engine knows only how the
//! sources are.

use std::sync::Arc;

use tokio::sync::watch;
use tokio_util::sync::CancellationToken;

use super::task_set::TaskSet;
use crate::driver::CommandSender;
use crate::health::HealthState;
use engine::{Command, Scope, Snapshot};

/// The name under which what labwatch does by itself stands in the records.
const OURSELVES: &str = "labwatch";

/// Starts what ends the acknowledgements of components that are well again. The engine knows how the
/// sources are and ends theirs.
pub(super) fn start(
    health_state: HealthState,
    snapshots: watch::Receiver<Arc<Snapshot>>,
    orders: CommandSender,
    parts: &mut TaskSet,
) {
    let following = follow(health_state, snapshots, orders, parts.stop());
    parts.spawn("acknowledgements of components", following);
}

async fn follow(
    health_state: HealthState,
    mut snapshots: watch::Receiver<Arc<Snapshot>>,
    orders: CommandSender,
    stop: CancellationToken,
) {
    loop {
        let over = health_state.acknowledged_and_well(&snapshots.borrow_and_update());
        for name in over {
            let command = Command::Unacknowledge {
                scope: Scope::Component(name.clone()),
            };
            if let Err(refusal) = orders.give(command, OURSELVES.to_owned()).await {
                tracing::warn!(component = name, %refusal, "the acknowledgement of a component that is well does not end yet");
            }
        }
        tokio::select! {
            () = stop.cancelled() => return,
            changed = snapshots.changed() => if changed.is_err() { return },
        }
    }
}
