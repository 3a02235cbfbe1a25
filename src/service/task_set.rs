//! All tasks of the service, each with its name.

use std::collections::HashMap;
use std::future::Future;
use std::time::Duration;

use tokio::task::{Id, JoinSet};
use tokio_util::sync::CancellationToken;

/// How long everything has to end after it was told to stop. What has not ended by then is dropped.
const STOP_WITHIN: Duration = Duration::from_secs(4);

/// All tasks, each with its name. None of them ends before the service is told to stop.
#[derive(Default)]
pub(super) struct TaskSet {
    tasks: JoinSet<()>,
    names: HashMap<Id, &'static str>,
}

impl TaskSet {
    pub(super) fn spawn(
        &mut self,
        name: &'static str,
        part: impl Future<Output = ()> + Send + 'static,
    ) {
        let handle = self.tasks.spawn(part);
        self.names.insert(handle.id(), name);
    }

    #[cfg(test)]
    pub(super) fn is_empty(&self) -> bool {
        self.tasks.is_empty()
    }

    pub(super) async fn first_to_end(&mut self) -> &'static str {
        let (id, panic) = match self.tasks.join_next_with_id().await {
            Some(Ok((id, ()))) => (id, None),
            Some(Err(error)) => (error.id(), Some(error)),
            None => return "service",
        };
        let name = self.names.get(&id).copied().unwrap_or("unnamed part");
        let error = panic.map_or_else(|| "it has ended".to_owned(), |error| error.to_string());
        tracing::error!(
            part = name,
            error,
            "a part has failed; the service stops, to be started anew"
        );
        name
    }

    /// Waits for all to end, the API last by `close`, and drops what has not ended in time.
    pub(super) async fn wind_down(&mut self, close: &CancellationToken) {
        let all = async {
            while self.tasks.len() > 1 && self.tasks.join_next().await.is_some() {}
            close.cancel();
            while self.tasks.join_next().await.is_some() {}
        };
        if tokio::time::timeout(STOP_WITHIN, all).await.is_err() {
            tracing::warn!(
                parts = self.tasks.len(),
                "stopping: some parts have not ended in time and are dropped"
            );
            self.tasks.shutdown().await;
        }
    }
}
