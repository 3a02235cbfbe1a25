//! All tasks of the service, each with its name.

use std::collections::HashMap;
use std::future::Future;
use std::time::Duration;

use tokio::task::{Id, JoinError, JoinSet};
use tokio_util::sync::CancellationToken;

/// How long all tasks have to end after the stop. Tasks that have not ended by then are aborted.
const STOP_WITHIN: Duration = Duration::from_secs(4);

/// All tasks, each with its name. None of them ends before the service is stopped.
#[derive(Default)]
pub(super) struct TaskSet {
    /// What ends the tasks.
    stop: CancellationToken,
    /// What ends those that end last.
    close: CancellationToken,
    tasks: JoinSet<()>,
    names: HashMap<Id, &'static str>,
    /// How many of them end last.
    last: usize,
}

impl TaskSet {
    pub(super) fn new(stop: CancellationToken) -> Self {
        Self {
            stop,
            ..Self::default()
        }
    }

    /// What ends the tasks.
    pub(super) fn stop(&self) -> CancellationToken {
        self.stop.clone()
    }

    /// What ends those that end last: they still answer while the others end.
    pub(super) fn close(&self) -> CancellationToken {
        self.close.clone()
    }

    pub(super) fn spawn(
        &mut self,
        name: &'static str,
        part: impl Future<Output = ()> + Send + 'static,
    ) {
        let handle = self.tasks.spawn(part);
        self.names.insert(handle.id(), name);
    }

    /// One that runs until the service stops.
    pub(super) fn spawn_until_stop(
        &mut self,
        name: &'static str,
        part: impl Future<Output = ()> + Send + 'static,
    ) {
        let stop = self.stop();
        self.spawn(name, async move {
            let _ = stop.run_until_cancelled(part).await;
        });
    }

    /// One that ends after all others, by [`TaskSet::close`].
    pub(super) fn spawn_last(
        &mut self,
        name: &'static str,
        part: impl Future<Output = ()> + Send + 'static,
    ) {
        self.spawn(name, part);
        self.last += 1;
    }

    #[cfg(test)]
    pub(super) fn is_empty(&self) -> bool {
        self.tasks.is_empty()
    }

    pub(super) async fn first_to_end(&mut self) -> &'static str {
        let (name, panic) = self.next_to_end().await;
        let error = panic.map_or_else(|| "it has ended".to_owned(), |error| error.to_string());
        tracing::error!(
            part = name,
            error,
            "a task has failed; the service stops, to be restarted"
        );
        name
    }

    /// Tells all to stop and waits for them, and drops what has not ended in time.
    pub(super) async fn wind_down(&mut self) {
        self.stop.cancel();
        let all = async {
            while self.tasks.len() > self.last {
                self.next_to_end().await;
            }
            self.close.cancel();
            while !self.tasks.is_empty() {
                self.next_to_end().await;
            }
        };
        if tokio::time::timeout(STOP_WITHIN, all).await.is_err() {
            let mut parts: Vec<_> = self.names.values().copied().collect();
            parts.sort_unstable();
            tracing::warn!(
                parts = parts.join(", "),
                "stopping: some parts have not ended in time and are dropped"
            );
            self.tasks.shutdown().await;
        }
    }

    async fn next_to_end(&mut self) -> (&'static str, Option<JoinError>) {
        let (id, panic) = match self.tasks.join_next_with_id().await {
            Some(Ok((id, ()))) => (id, None),
            Some(Err(error)) => (error.id(), Some(error)),
            None => return ("service", None),
        };
        (self.names.remove(&id).unwrap_or("unnamed part"), panic)
    }
}

#[cfg(test)]
mod tests {
    use std::sync::Arc;
    use std::sync::atomic::{AtomicUsize, Ordering};

    use super::*;

    #[tokio::test(start_paused = true)]
    async fn the_last_tasks_are_stopped_when_all_others_have_ended() {
        let (mut parts, ended) = (TaskSet::default(), Arc::new(AtomicUsize::new(0)));
        for _ in 0..2 {
            let (close, ended) = (parts.close(), Arc::clone(&ended));
            parts.spawn_last("API", async move {
                close.cancelled().await;
                assert_eq!(ended.load(Ordering::SeqCst), 2);
            });
        }
        for seconds in [1, 2] {
            let ended = Arc::clone(&ended);
            parts.spawn("worker", async move {
                tokio::time::sleep(Duration::from_secs(seconds)).await;
                ended.fetch_add(1, Ordering::SeqCst);
            });
        }
        let begun = tokio::time::Instant::now();
        parts.wind_down().await;
        assert_eq!(begun.elapsed(), Duration::from_secs(2));
        assert!(parts.is_empty());
    }
}
