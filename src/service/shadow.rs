//! What stands in for book and for what carries notifications when labwatch runs in shadow.

use std::sync::Arc;

use jiff::Timestamp;
use tokio::sync::{mpsc, watch};
use tokio_util::sync::CancellationToken;

use super::task_set::TaskSet;
use crate::clients::{Comparison, ShadowBook};
use crate::driver::NOTIFY_QUEUE;
use crate::effects;
use crate::store::{Entry, ShadowRow, ShadowSaid, Store};
use engine::model::Availability;
use engine::{ExperimentView, Input, Notification, Snapshot};

/// The book that labwatch would have; what changes in it, or in the real one beside it, is kept in
/// the store.
pub(super) fn book(store: Option<Store>, snapshots: watch::Receiver<Arc<Snapshot>>) -> ShadowBook {
    ShadowBook::new(Arc::new(move |comparison| {
        let Some(store) = &store else {
            return;
        };
        let row = row(comparison, &snapshots.borrow());
        let ticket = store.write(vec![Entry::Shadow {
            at: Timestamp::now(),
            row,
        }]);
        if !ticket.is_taken() {
            tracing::error!(
                "the store does not take what shadow compares; the comparison has a gap"
            );
        }
    }))
}

fn row(comparison: Comparison, snapshot: &Snapshot) -> ShadowRow {
    let stub = comparison.stub.as_ref();
    let view = stub.and_then(|stub| snapshot.experiment(stub.as_str()));
    ShadowRow {
        resource: comparison.resource.to_string(),
        experiment: stub.map(ToString::to_string),
        book: said(comparison.book),
        labwatch: said(comparison.ours),
        evaluated: view.map(|view| evaluated(view)),
    }
}

fn said(availability: Availability) -> ShadowSaid {
    ShadowSaid {
        available: availability.available,
        reason: availability.reason,
    }
}

/// Its health and what is wrong: `down: pend00-st-data is missing`.
fn evaluated(view: &ExperimentView) -> String {
    let issues: Vec<String> = view.issues.iter().map(ToString::to_string).collect();
    if issues.is_empty() {
        view.health.to_string()
    } else {
        format!("{}: {}", view.health, issues.join(", "))
    }
}

/// Where notifications go that are not sent.
pub(super) fn notifications(
    name: &'static str,
    parts: &mut TaskSet,
    inputs: &mpsc::Sender<Input>,
    stop: &CancellationToken,
) -> mpsc::Sender<Notification> {
    let (notifications, queue) = mpsc::channel(NOTIFY_QUEUE);
    parts.spawn(
        name,
        effects::shadow::run(queue, inputs.clone(), stop.clone()),
    );
    notifications
}
