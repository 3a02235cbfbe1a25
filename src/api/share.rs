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

#[cfg(test)]
mod tests {
    use std::convert::Infallible;

    use jiff::Timestamp;

    use super::*;
    use crate::engine::{Counts, Link, Role, SamplingView, SourceView};
    use crate::model::{SourceHealth, SourceName};

    #[tokio::test]
    async fn readers_of_the_same_moment_share_and_nothing_is_kept() {
        let shared = Shared::default();
        let mut rendered = 0;
        let mut render = |_: &Snapshot| {
            rendered += 1;
            Ok::<_, Infallible>(vec![rendered])
        };
        let (first, second) = (snapshot(), snapshot());
        let one = shared.body(&first, &mut render).await.expect("renders");
        let two = shared.body(&first, &mut render).await.expect("renders");
        assert_eq!((one[0], two[0], one.as_ptr()), (1, 1, two.as_ptr()), "one copy for two readers");
        assert_eq!(shared.body(&second, &mut render).await.expect("renders")[0], 2, "another snapshot, another answer");
        drop((one, two));
        assert_eq!(shared.body(&second, &mut render).await.expect("renders")[0], 3, "nothing is kept without readers");
    }

    #[tokio::test]
    async fn a_failure_is_told_and_not_kept() {
        let (shared, snapshot) = (Shared::default(), snapshot());
        assert_eq!(shared.body(&snapshot, |_| Err("no")).await, Err("no"));
        assert_eq!(shared.body(&snapshot, |_| Ok::<_, Infallible>(vec![7])).await.expect("renders")[0], 7);
    }

    fn snapshot() -> Arc<Snapshot> {
        let now = Timestamp::UNIX_EPOCH;
        Arc::new(Snapshot {
            version: 1,
            at: now,
            started: now,
            role: Role::Leader,
            experiments: Arc::default(),
            counts: Counts::default(),
            sources: SourceName::ALL.map(source),
            routes: Vec::new(),
            told: Arc::default(),
            sampling: SamplingView::default(),
            manifest_lost: None,
            blind: None,
            notes: Arc::default(),
            quiet: Arc::default(),
            calendar: Arc::default(),
            pools: Arc::default(),
        })
    }

    fn source(name: SourceName) -> SourceView {
        SourceView {
            name,
            health: SourceHealth::Starting,
            since: Timestamp::UNIX_EPOCH,
            last_report: None,
            pace: None,
            link: Link::Connecting,
            note: String::new(),
            server_started: None,
            hides: 0,
            report: None,
        }
    }
}
