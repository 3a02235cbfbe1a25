//! Single-flight response cache: one rendering for all readers of one snapshot. What is long is kept compressed alone.

use std::sync::{Arc, Weak};

use axum::http::HeaderMap;
use axum::response::Response;
use tokio::sync::Mutex;

use super::etag::Tag;
use super::packed::Packed;

/// The rendering of the newest thing that was asked for.
///
/// It bounds what many readers cost: one rendering and one compression for each thing, and one compressed copy in memory, however many
/// read and however slowly. While it is rendered there is one whole copy, and there are never two at the same time.
pub(super) struct Shared<T> {
    latest: Mutex<Rendered<T>>,
}

struct Rendered<T> {
    of: Weak<T>,
    body: Option<(Tag, Packed)>,
}

impl<T> Default for Shared<T> {
    fn default() -> Self {
        Self {
            latest: Mutex::new(Rendered {
                of: Weak::new(),
                body: None,
            }),
        }
    }
}

impl<T> Shared<T> {
    /// The rendering of this thing, which is JSON, as an answer to a reader who asked with these headers. Its tag changes only with its bytes.
    ///
    /// # Errors
    /// What `render` says.
    pub(super) async fn answer<E>(
        &self,
        asked: &HeaderMap,
        thing: &Arc<T>,
        render: impl FnOnce(&T) -> Result<Vec<u8>, E>,
    ) -> Result<Response, E> {
        let mut latest = self.latest.lock().await;
        let of = Arc::downgrade(thing);
        let known = latest.body.clone().filter(|_| latest.of.ptr_eq(&of));
        let (tag, body) = if let Some(known) = known {
            known
        } else {
            latest.body = None;
            let whole = render(thing)?;
            let body = (Tag::of(&whole), Packed::of(whole.into()).await);
            *latest = Rendered {
                of,
                body: Some(body.clone()),
            };
            body
        };
        if tag.is_known(asked) {
            return Ok(tag.unchanged());
        }
        Ok(tag.on(body.answer(asked)))
    }
}

#[cfg(test)]
mod tests {
    use std::convert::Infallible;

    use axum::body::{Bytes, to_bytes};

    use super::super::packed::PACKED_FROM;
    use super::*;

    async fn bytes(answer: Result<Response, Infallible>) -> Bytes {
        to_bytes(answer.expect("renders").into_body(), 2 * PACKED_FROM)
            .await
            .expect("a body")
    }

    #[tokio::test]
    async fn readers_of_the_same_moment_share_one_rendering() {
        for length in [1, PACKED_FROM] {
            let (shared, plain, mut rendered) = (Shared::default(), HeaderMap::new(), 0);
            let mut render = |_: &u8| {
                rendered += 1;
                Ok(vec![rendered; length])
            };
            let (first, second) = (Arc::new(1), Arc::new(1));
            for (thing, expect) in [(&first, 1), (&first, 1), (&second, 2), (&second, 2)] {
                let body = bytes(shared.answer(&plain, thing, &mut render).await).await;
                assert_eq!(body, vec![expect; length], "another thing, another answer");
            }
        }
    }

    #[tokio::test]
    async fn a_failure_is_told_and_not_kept() {
        let (shared, thing, plain) = (Shared::default(), Arc::new(1), HeaderMap::new());
        assert_eq!(
            shared
                .answer(&plain, &thing, |_| Err("no"))
                .await
                .expect_err("fails"),
            "no"
        );
        let answer = shared
            .answer(&plain, &thing, |_| Ok::<_, Infallible>(vec![7]))
            .await;
        assert_eq!(bytes(answer).await[0], 7);
    }
}
