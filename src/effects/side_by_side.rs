//! Concurrent work on a queue, with a bounded end.

use std::future::Future;

use tokio::sync::mpsc;
use tokio::task::JoinSet;
use tokio_util::sync::CancellationToken;

use super::STOP_GRACE;

/// Does the `work` for each item, `at_once` at a time, until the queue is closed. What is not
/// finished [`STOP_GRACE`] after `stop` is aborted; `what` names it in the log.
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
    let work_off = async {
        loop {
            tokio::select! {
                Some(_) = tasks.join_next() => {}
                next = queue.recv(), if tasks.len() < at_once => match next {
                    Some(next) => drop(tasks.spawn(work(next))),
                    None => break,
                },
            }
        }
        while tasks.join_next().await.is_some() {}
    };
    let too_long = async {
        stop.cancelled().await;
        tokio::time::sleep(STOP_GRACE).await;
    };
    tokio::select! {
        () = work_off => return,
        () = too_long => {}
    }
    if !tasks.is_empty() {
        tracing::warn!(
            what,
            count = tasks.len(),
            "stopping: work in flight is aborted"
        );
        tasks.shutdown().await;
    }
}
