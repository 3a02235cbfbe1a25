//! Works off a queue, some of it at the same time, and ends in a bounded time.

use std::future::Future;

use tokio::sync::mpsc;
use tokio::task::JoinSet;
use tokio_util::sync::CancellationToken;

use super::STOP_GRACE;

/// Does the `work` of each that comes, `at_once` at a time, until `stop` or until no more can come. What is under way then is finished, or
/// given up after [`STOP_GRACE`]; `what` names it in the log.
pub(super) async fn side_by_side<T, F>(
    what: &'static str,
    mut queue: mpsc::Receiver<T>,
    at_once: usize,
    work: impl Fn(T) -> F,
    stop: CancellationToken,
) where
    F: Future<Output = ()> + Send + 'static,
{
    let mut tasks = JoinSet::new();
    loop {
        tokio::select! {
            () = stop.cancelled() => break,
            Some(_) = tasks.join_next() => {}
            next = queue.recv(), if tasks.len() < at_once => match next {
                Some(next) => drop(tasks.spawn(work(next))),
                None => break,
            },
        }
    }
    let done = async { while tasks.join_next().await.is_some() {} };
    if tokio::time::timeout(STOP_GRACE, done).await.is_err() {
        tracing::warn!(
            what,
            count = tasks.len(),
            "stopping: what is under way is given up"
        );
        tasks.shutdown().await;
    }
}
