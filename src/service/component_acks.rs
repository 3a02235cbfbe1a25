//! Ends the acknowledgements of components that are ok again: the engine knows only the sources.

use std::sync::Arc;

use tokio::sync::watch;
use tokio_util::sync::CancellationToken;

use super::task_set::TaskSet;
use crate::driver::CommandSender;
use crate::health::HealthState;
use engine::{Command, Scope, Snapshot};

/// The actor in records of what labwatch does by itself.
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
                tracing::warn!(component = name, %refusal, "cannot end the acknowledgement of a component that is ok yet, retrying");
            }
        }
        tokio::select! {
            () = stop.cancelled() => return,
            changed = snapshots.changed() => if changed.is_err() { return },
        }
    }
}
