//! One rendering for all who read the same thing at the same time. Keeps nothing when nobody reads.

use std::sync::{Arc, Weak};

use axum::body::Bytes;
use tokio::sync::Mutex;

/// The rendering of the newest thing that was asked for, as long as somebody is being sent it.
///
/// It bounds what many readers cost: one rendering for each thing and one copy in memory, however many read.
pub(super) struct Shared<T> {
    latest: Mutex<Rendered<T>>,
}

struct Rendered<T> {
    of: Weak<T>,
    body: Weak<Vec<u8>>,
}

impl<T> Default for Shared<T> {
    fn default() -> Self {
        Self { latest: Mutex::new(Rendered { of: Weak::new(), body: Weak::new() }) }
    }
}

impl<T> Shared<T> {
    /// The rendering of this thing: the one that others are being sent, or a new one.
    ///
    /// # Errors
    /// What `render` says.
    pub(super) async fn body<E>(&self, thing: &Arc<T>, render: impl FnOnce(&T) -> Result<Vec<u8>, E>) -> Result<Bytes, E> {
        let of = Arc::downgrade(thing);
        let mut latest = self.latest.lock().await;
        if let Some(body) = latest.body.upgrade().filter(|_| latest.of.ptr_eq(&of)) {
            return Ok(Bytes::from_owner(Body(body)));
        }
        let body = Arc::new(render(thing)?);
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

    use super::*;

    #[tokio::test]
    async fn readers_of_the_same_moment_share_and_nothing_is_kept() {
        let shared = Shared::default();
        let mut rendered = 0;
        let mut render = |_: &u8| {
            rendered += 1;
            Ok::<_, Infallible>(vec![rendered])
        };
        let (first, second) = (Arc::new(1), Arc::new(1));
        let one = shared.body(&first, &mut render).await.expect("renders");
        let two = shared.body(&first, &mut render).await.expect("renders");
        assert_eq!((one[0], two[0], one.as_ptr()), (1, 1, two.as_ptr()), "one copy for two readers");
        assert_eq!(shared.body(&second, &mut render).await.expect("renders")[0], 2, "another thing, another answer");
        drop((one, two));
        assert_eq!(shared.body(&second, &mut render).await.expect("renders")[0], 3, "nothing is kept without readers");
    }

    #[tokio::test]
    async fn a_failure_is_told_and_not_kept() {
        let (shared, thing) = (Shared::default(), Arc::new(1));
        assert_eq!(shared.body(&thing, |_| Err("no")).await, Err("no"));
        assert_eq!(shared.body(&thing, |_| Ok::<_, Infallible>(vec![7])).await.expect("renders")[0], 7);
    }
}
