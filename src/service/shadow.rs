//! Shadow mode: a simulated book, and a sink for notifications.

use std::sync::Arc;

use jiff::Timestamp;
use tokio::sync::{mpsc, watch};

use super::task_set::TaskSet;
use crate::clients::{Comparison, ShadowBook};
use crate::driver::NOTIFY_QUEUE;
use crate::effects;
use crate::store::{Entry, ShadowRow, Store};
use engine::{ExperimentView, Input, Notification, Snapshot};

/// The book as labwatch would have written it; changes in it, and in the real one beside it, are
/// stored.
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
            tracing::error!("cannot store a comparison of shadow; it has a gap");
        }
    }))
}

fn row(comparison: Comparison, snapshot: &Snapshot) -> ShadowRow {
    let stub = comparison.stub.as_ref();
    let view = stub.and_then(|stub| snapshot.experiment(stub.as_str()));
    ShadowRow {
        resource: comparison.resource.to_string(),
        experiment: stub.map(ToString::to_string),
        book: comparison.book,
        labwatch: comparison.ours,
        evaluated: view.map(|view| evaluated(view)),
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

/// The queue of notifications that are not sent.
pub(super) fn notifications(
    name: &'static str,
    parts: &mut TaskSet,
    inputs: &mpsc::Sender<Input>,
) -> mpsc::Sender<Notification> {
    let (notifications, queue) = mpsc::channel(NOTIFY_QUEUE);
    let recording = effects::shadow::run(queue, inputs.clone(), parts.stop());
    parts.spawn(name, recording);
    notifications
}
