//! Time-limited work: it may go on only while this replica can prove that it leads, and the limit
//! may change meanwhile.

use std::future::{Future, poll_fn};
use std::pin::pin;
use std::sync::Arc;
use std::task::Poll;
use std::time::Duration;

use tokio::sync::mpsc;

use engine::model::CallError;
use engine::{Delivered, DeliveryFault, Input};

/// How long this replica may still act; zero: it may not.
pub type Window = Arc<dyn Fn() -> Duration + Send + Sync>;

/// The result of the work; `None`: the window closed first. Without a window there is no limit,
/// because this labwatch is the only one. A time limit alone lets the work take one more step after
/// it, which is too late in a process that was frozen before it had a connection.
pub async fn while_open<T>(window: Option<&Window>, work: impl Future<Output = T>) -> Option<T> {
    let Some(left) = window else {
        return Some(work.await);
    };
    let mut work = pin!(work);
    loop {
        let guarded = poll_fn(|context| {
            if left().is_zero() {
                Poll::Ready(None)
            } else {
                work.as_mut().poll(context).map(Some)
            }
        });
        // The lease may have been renewed meanwhile.
        if let Ok(done) = tokio::time::timeout(left(), guarded).await {
            return done;
        }
    }
}

/// The outcome of delivering this message.
///
/// # Errors
/// Those of the work. Where the window closes first, a fault that passes: the next leader sends the
/// message again.
pub async fn deliver_while_open(
    window: Option<&Window>,
    message: u64,
    work: impl Future<Output = Result<Delivered, DeliveryFault>>,
) -> Result<Delivered, DeliveryFault> {
    while_open(window, work).await.unwrap_or_else(|| {
        tracing::info!(
            message,
            "a delivery is aborted: this replica no longer leads; the next leader sends the message"
        );
        Err(DeliveryFault::passing(CallError::TimedOut))
    })
}

/// Brings a message to its recipients, and reports to the driver when that begins, and its outcome.
pub(super) async fn deliver(
    message: u64,
    inputs: mpsc::Sender<Input>,
    window: Option<Window>,
    work: impl Future<Output = Result<Delivered, DeliveryFault>>,
) {
    // Where it is not taken, labwatch is about to stop.
    let _ = inputs.send(Input::DeliveryBegun(message)).await;
    let outcome = deliver_while_open(window.as_ref(), message, work).await;
    let delivered = Input::Delivered {
        id: message,
        outcome,
    };
    if inputs.send(delivered).await.is_err() {
        tracing::debug!(
            message,
            "the driver has ended before the outcome of the message arrived"
        );
    }
}

#[cfg(test)]
mod tests {
    use std::sync::atomic::{AtomicU64, Ordering};

    use tokio::time::{Instant, sleep};

    use super::*;

    /// A window that is open until so many milliseconds from now, and the handle that sets it.
    fn window(until: u64) -> (Window, Arc<AtomicU64>) {
        let (start, until) = (Instant::now(), Arc::new(AtomicU64::new(until)));
        let set = Arc::clone(&until);
        let left = move || {
            let until = Duration::from_millis(until.load(Ordering::SeqCst));
            until.saturating_sub(start.elapsed())
        };
        (Arc::new(left), set)
    }

    #[tokio::test(start_paused = true)]
    async fn work_goes_no_further_once_the_window_is_closed() {
        let (window, until) = window(5_000);
        let written = AtomicU64::new(0);
        let work = async {
            // As in a process that is frozen while it waits for its connection.
            until.store(0, Ordering::SeqCst);
            tokio::task::yield_now().await;
            written.store(1, Ordering::SeqCst);
        };
        assert_eq!(while_open(Some(&window), work).await, None);
        assert_eq!(written.load(Ordering::SeqCst), 0);
    }

    #[tokio::test(start_paused = true)]
    async fn work_goes_on_for_as_long_as_the_window_is_kept_open() {
        let (window, until) = window(1_000);
        let renewed = async {
            sleep(Duration::from_millis(900)).await;
            until.store(5_000, Ordering::SeqCst);
            std::future::pending::<()>().await;
        };
        let work = async {
            sleep(Duration::from_secs(3)).await;
            7
        };
        let done = tokio::select! {
            done = while_open(Some(&window), work) => done,
            () = renewed => None,
        };
        assert_eq!(done, Some(7));
        let endless = sleep(Duration::from_secs(3_600));
        assert_eq!(while_open(Some(&window), endless).await, None);
        assert_eq!(while_open(None, async { 8 }).await, Some(8));
    }

    #[tokio::test(start_paused = true)]
    async fn a_message_that_is_cut_off_is_left_to_the_next_leader() {
        let (window, _) = window(0);
        let sending = async { Ok(Delivered::to_all()) };
        let outcome = deliver_while_open(Some(&window), 7, sending).await;
        assert_eq!(outcome, Err(DeliveryFault::passing(CallError::TimedOut)));
    }
}
