//! Single-flight response cache: one rendering for all readers of one snapshot. Long ones are kept
//! in compressed form only.

use std::io::{self, BufWriter, Write};
use std::sync::{Arc, Weak};

use axum::http::HeaderMap;
use tokio::sync::Mutex;

use super::error::{self, ApiResult};
use super::etag::Tag;
use super::packed::{PIECE_BYTES, Packed, Packer};

/// How many long renderings may exist at the same time, including those that slow readers still
/// have. Beyond that the newest one is given to all, until the readers of another have it or their
/// connections have reached their maximum lifetime.
const MAX_ALIVE: usize = 3;

/// The rendering of the newest version that was requested.
///
/// It bounds the cost of many readers: one rendering and one compression for each version, and
/// [`MAX_ALIVE`] compressed copies in memory, however many read and however slowly. A long
/// rendering is compressed while it is written, so it is never whole in memory.
pub(super) struct Shared<T> {
    latest: Mutex<Rendered<T>>,
}

struct Rendered<T> {
    of: Weak<T>,
    body: Option<(Tag, Packed)>,
    /// Past long renderings, as long as a reader has them.
    alive: Vec<Weak<Vec<u8>>>,
}

impl<T> Default for Shared<T> {
    fn default() -> Self {
        Self {
            latest: Mutex::new(Rendered {
                of: Weak::new(),
                body: None,
                alive: Vec::new(),
            }),
        }
    }
}

impl<T: Send + Sync + 'static> Shared<T> {
    /// The rendering of this version, which is JSON, as an answer to a reader with these headers.
    /// Its tag changes only with its bytes. It is written in a thread of its own.
    ///
    /// # Errors
    /// When `render` fails.
    pub(super) async fn answer(
        &self,
        asked: &HeaderMap,
        thing: &Arc<T>,
        render: impl FnOnce(&T, &mut dyn Write) -> io::Result<()> + Send + 'static,
    ) -> ApiResult {
        let mut latest = self.latest.lock().await;
        let of = Arc::downgrade(thing);
        latest.alive.retain(|life| life.strong_count() > 0);
        let is_full = latest.alive.len() >= MAX_ALIVE;
        let known = latest.body.clone();
        let known = known.filter(|_| is_full || latest.of.ptr_eq(&of));
        let (tag, body) = if let Some(known) = known {
            known
        } else {
            latest.body = None;
            let thing = Arc::clone(thing);
            let written = tokio::task::spawn_blocking(move || written::<T>(&thing, render)).await;
            let body = written
                .map_err(io::Error::other)
                .flatten()
                .map_err(|fault| {
                    tracing::error!(%fault, "cannot write an answer of the API");
                    error::internal()
                })?;
            latest.of = of;
            latest.alive.push(body.1.life());
            latest.body = Some(body.clone());
            body
        };
        if tag.is_known(asked) {
            return Ok(tag.unchanged());
        }
        Ok(tag.on(body.answer(asked)))
    }
}

fn written<T>(
    thing: &T,
    render: impl FnOnce(&T, &mut dyn Write) -> io::Result<()>,
) -> io::Result<(Tag, Packed)> {
    // Values come a few bytes at a time.
    let mut writer = BufWriter::with_capacity(PIECE_BYTES, Packer::default());
    render(thing, &mut writer)?;
    let packer = writer
        .into_inner()
        .map_err(io::IntoInnerError::into_error)?;
    packer.finish()
}

#[cfg(test)]
mod tests {
    use std::sync::atomic::{AtomicU8, Ordering};

    use axum::body::{Bytes, to_bytes};

    use super::super::packed::PACKED_FROM;
    use super::*;

    async fn bytes(answer: ApiResult) -> Bytes {
        to_bytes(answer.expect("renders").into_body(), 2 * PACKED_FROM)
            .await
            .expect("a body")
    }

    #[tokio::test]
    async fn readers_of_the_same_moment_share_one_rendering() {
        for length in [1, PACKED_FROM] {
            let (shared, plain) = (Shared::default(), HeaderMap::new());
            let rendered = Arc::new(AtomicU8::new(0));
            let (first, second) = (Arc::new(1), Arc::new(1));
            for (thing, expect) in [(&first, 1), (&first, 1), (&second, 2), (&second, 2)] {
                let rendered = Arc::clone(&rendered);
                let render = move |_: &u8, writer: &mut dyn Write| {
                    let count = rendered.fetch_add(1, Ordering::Relaxed) + 1;
                    writer.write_all(&vec![count; length])
                };
                let body = bytes(shared.answer(&plain, thing, render).await).await;
                assert_eq!(body, vec![expect; length], "another thing, another answer");
            }
        }
    }

    #[tokio::test]
    async fn slow_readers_hold_a_few_renderings_alone() {
        let (shared, plain) = (Shared::default(), HeaderMap::new());
        let answer = async |thing: u8| {
            let render =
                |thing: &u8, writer: &mut dyn Write| writer.write_all(&vec![*thing; PACKED_FROM]);
            shared.answer(&plain, &Arc::new(thing), render).await
        };
        let first = answer(1).await;
        let mut slow: Vec<_> = vec![answer(2).await, answer(3).await];
        for _ in 0..3 {
            assert_eq!(
                bytes(answer(4).await).await[0],
                3,
                "the newest that there is"
            );
        }
        drop(first);
        assert_eq!(
            bytes(answer(5).await).await[0],
            5,
            "one has its readers no more"
        );
        slow.push(answer(5).await);
        assert_eq!(bytes(answer(6).await).await[0], 5);
        slow.clear();
        assert_eq!(bytes(answer(7).await).await[0], 7);
    }

    #[tokio::test]
    async fn a_failure_is_reported_and_not_cached() {
        let (shared, thing, plain) = (Shared::default(), Arc::new(1), HeaderMap::new());
        let fails = |_: &u8, _: &mut dyn Write| Err(io::Error::other("no"));
        let refused = shared.answer(&plain, &thing, fails).await;
        assert_eq!(
            refused.expect_err("fails").detail(),
            error::internal().detail()
        );
        let works = |_: &u8, writer: &mut dyn Write| writer.write_all(&[7]);
        assert_eq!(
            bytes(shared.answer(&plain, &thing, works).await).await[0],
            7
        );
    }
}
