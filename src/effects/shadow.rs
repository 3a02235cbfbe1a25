//! Notifications in shadow mode: each is logged and counts as delivered, and none is sent.

use tokio::sync::mpsc;
use tokio_util::sync::CancellationToken;
use tracing::info;

use engine::{Delivered, Input, Notification};

/// Takes notifications until `stop`, or until the queue is closed. Each ends in one
/// `Input::Delivered`.
pub async fn run(
    mut queue: mpsc::Receiver<Notification>,
    inputs: mpsc::Sender<Input>,
    stop: CancellationToken,
) {
    let taking = async {
        while let Some(notification) = queue.recv().await {
            info!(
                id = notification.id,
                route = notification.route.as_str(),
                occasion = notification.occasion.as_str(),
                "shadow: did not send a notification"
            );
            let delivered = Input::Delivered {
                id: notification.id,
                outcome: Ok(Delivered::to_all()),
            };
            if inputs.send(delivered).await.is_err() {
                return;
            }
        }
    };
    // What is queued at the stop is not delivered, which changes nothing.
    let _ = stop.run_until_cancelled(taking).await;
}
