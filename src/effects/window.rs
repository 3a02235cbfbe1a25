//! Work that may go on only for a time which can become shorter meanwhile: while this replica can prove that it leads.

use std::future::{Future, poll_fn};
use std::pin::pin;
use std::task::Poll;
use std::time::Duration;

/// What comes of the work; `None`: what was `left` ended before. A time limit alone lets the work take one more step after it, which is
/// too late in a process that was frozen before it had a connection.
pub async fn while_open<T>(
    left: impl Fn() -> Duration,
    work: impl Future<Output = T>,
) -> Option<T> {
    let mut work = pin!(work);
    let guarded = poll_fn(|context| {
        if left().is_zero() {
            Poll::Ready(None)
        } else {
            work.as_mut().poll(context).map(Some)
        }
    });
    tokio::time::timeout(left(), guarded).await.ok()?
}
