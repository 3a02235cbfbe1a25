//! Queries of the history with a time limit, and the errors when there is no answer.

use std::future::Future;
use std::time::Duration;

use crate::http::error::{self, ApiError, ApiResult, Reason};
use crate::store::{ReadError, Reader};

/// The longest time for a query of the history. It runs outside of the runtime's threads, so a disk
/// that hangs delays no other request.
pub(in crate::http) const READ_TIMEOUT: Duration = Duration::from_secs(5);

/// The history, where one is kept.
#[derive(Debug, Clone)]
pub(in crate::http) struct Past(Option<Reader>);

impl Past {
    pub(in crate::http) fn new(reader: Option<Reader>) -> Self {
        Self(reader)
    }

    /// Whether a history is kept.
    pub(super) fn is_kept(&self) -> bool {
        self.0.is_some()
    }

    /// The result of a query.
    pub(super) async fn ask<'a, T, F>(
        &'a self,
        question: impl FnOnce(&'a Reader) -> F,
    ) -> ApiResult<T>
    where
        F: Future<Output = Result<T, ReadError>>,
    {
        let reader = self.0.as_ref().ok_or_else(error::no_history)?;
        match tokio::time::timeout(READ_TIMEOUT, question(reader)).await {
            Ok(Ok(answer)) => Ok(answer),
            Ok(Err(ReadError::TooMuch)) => Err(ApiError::new(Reason::TooMuch, ReadError::TooMuch)),
            Ok(Err(ReadError::Failed(why))) => {
                tracing::warn!(why, "cannot read the history");
                Err(error::unavailable(
                    "the history cannot be read now; labwatch's log says why",
                ))
            }
            Ok(Err(refused @ (ReadError::Busy | ReadError::Closed))) => {
                Err(ApiError::new(Reason::Busy, refused))
            }
            Err(_) => {
                tracing::warn!(
                    limit_seconds = READ_TIMEOUT.as_secs(),
                    "gave up reading the history, because its disk is slow or hangs"
                );
                Err(error::unavailable(
                    "the history does not answer in time: try again in a moment, or ask for a shorter time",
                ))
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use axum::response::IntoResponse;
    use tokio::time::Instant;

    use super::*;
    use crate::store::{Store, StoreSettings};

    /// The status of the answer when a query has this result.
    async fn status<F: Future<Output = Result<(), ReadError>>>(answer: impl FnOnce() -> F) -> u16 {
        let dir = tempfile::tempdir().expect("a folder");
        let settings = StoreSettings {
            dir: dir.path().to_owned(),
            history_days: 1,
            ring: 1,
        };
        let (store, _) = Store::open(&settings).expect("it opens");
        let past = Past::new(Some(store.reader()));
        past.ask(|_| answer())
            .await
            .map_or_else(|error| error.into_response().status().as_u16(), |()| 200)
    }

    #[tokio::test(start_paused = true)]
    async fn a_history_that_hangs_is_given_up_in_time() {
        let start = Instant::now();
        assert_eq!(status(std::future::pending).await, 503);
        assert_eq!(start.elapsed(), READ_TIMEOUT);
    }

    #[tokio::test]
    async fn every_fault_has_its_answer() {
        assert_eq!(status(async || Ok(())).await, 200);
        assert_eq!(status(async || Err(ReadError::Busy)).await, 503);
        assert_eq!(status(async || Err(ReadError::Closed)).await, 503);
        assert_eq!(
            status(async || Err(ReadError::Failed("disk".to_owned()))).await,
            503
        );
        assert_eq!(status(async || Err(ReadError::TooMuch)).await, 400);
        let nowhere = Past::new(None).ask(async |_| Ok::<(), _>(())).await;
        assert_eq!(
            nowhere
                .err()
                .map(|error| error.into_response().status().as_u16()),
            Some(404)
        );
    }
}
