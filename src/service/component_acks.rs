//! Ends the acknowledgements of components that are ok again: the engine knows only the sources.

use std::sync::Arc;

use tokio::sync::watch;
use tokio_util::sync::CancellationToken;

use crate::driver::CommandSender;
use crate::health::HealthState;
use engine::{Command, Scope, Snapshot};

/// The actor in records of what labwatch does by itself.
const OURSELVES: &str = "labwatch";

/// Ends the acknowledgements of components that are ok again, until `stop`. The engine knows the
/// sources and ends theirs.
pub(super) async fn follow(
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
