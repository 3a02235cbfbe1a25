//! One rendering for all who read the same snapshot at the same time. Keeps nothing when nobody reads.

use std::sync::{Arc, Weak};

use axum::body::Bytes;
use tokio::sync::Mutex;

use crate::engine::Snapshot;

/// The rendering of the newest snapshot that was asked for, as long as somebody is being sent it.
///
/// It bounds what many readers cost: one rendering for each snapshot and one copy in memory, however many read.
#[derive(Default)]
pub(super) struct Shared {
    latest: Mutex<Rendered>,
}

#[derive(Default)]
struct Rendered {
    of: Weak<Snapshot>,
    body: Weak<Vec<u8>>,
}

impl Shared {
    /// The rendering of this snapshot: the one that others are being sent, or a new one.
    ///
    /// # Errors
    /// What `render` says.
    pub(super) async fn body<E>(&self, snapshot: &Arc<Snapshot>, render: impl FnOnce(&Snapshot) -> Result<Vec<u8>, E>) -> Result<Bytes, E> {
        let of = Arc::downgrade(snapshot);
        let mut latest = self.latest.lock().await;
        if let Some(body) = latest.body.upgrade().filter(|_| latest.of.ptr_eq(&of)) {
            return Ok(Bytes::from_owner(Body(body)));
        }
        let body = Arc::new(render(snapshot)?);
        *latest = Rendered { of, body: Arc::downgrade(&body) };
        Ok(Bytes::from_owner(Body(body)))
    }
}

struct Body(Arc<Vec<u8>>);

impl AsRef<[u8]> for Body {
    fn as_ref(&self) -> &[u8] {
        &self.0
    }
}
