//! Single-flight response cache: one rendering and one compression for all readers of one snapshot. The uncompressed one is kept only while it is
//! being sent.

use std::io::{self, Write as _};
use std::sync::{Arc, Weak};

use axum::body::Bytes;
use axum::http::header::{ACCEPT_ENCODING, CONTENT_ENCODING, CONTENT_TYPE, VARY};
use axum::http::{HeaderMap, HeaderValue};
use axum::response::{IntoResponse, Response};
use flate2::Compression;
use flate2::write::GzEncoder;
use tokio::sync::Mutex;

use super::etag::Tag;

/// The rendering of the newest thing that was asked for: compressed as it is, for that is a thirtieth; and whole as long as it is being
/// sent.
///
/// It bounds what many readers cost: one rendering and one compression for each thing, and one copy in memory, however many read.
pub(super) struct Shared<T> {
    latest: Mutex<Rendered<T>>,
}

struct Rendered<T> {
    of: Weak<T>,
    body: Weak<Vec<u8>>,
    packed: Option<Bytes>,
    tag: Option<Tag>,
}

impl<T> Default for Shared<T> {
    fn default() -> Self {
        Self {
            latest: Mutex::new(Rendered::nothing()),
        }
    }
}

impl<T> Rendered<T> {
    fn nothing() -> Self {
        Self {
            of: Weak::new(),
            body: Weak::new(),
            packed: None,
            tag: None,
        }
    }

    /// Lets go what is of another thing.
    fn turn_to(&mut self, thing: &Arc<T>) {
        let of = Arc::downgrade(thing);
        if !self.of.ptr_eq(&of) {
            *self = Self {
                of,
                ..Self::nothing()
            };
        }
    }

    /// The whole rendering: the one that others are being sent, or a new one.
    fn whole<E>(
        &mut self,
        thing: &T,
        render: impl FnOnce(&T) -> Result<Vec<u8>, E>,
    ) -> Result<Arc<Vec<u8>>, E> {
        if let Some(body) = self.body.upgrade() {
            return Ok(body);
        }
        let body = Arc::new(render(thing)?);
        self.body = Arc::downgrade(&body);
        self.tag.get_or_insert_with(|| Tag::of(&body));
        Ok(body)
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
        latest.turn_to(thing);
        if let Some(tag) = latest.tag.as_ref().filter(|tag| tag.is_known(asked)) {
            return Ok(tag.unchanged());
        }
        let packed = takes_gzip(asked);
        if let (Some(tag), Some(body)) = (&latest.tag, latest.packed.clone().filter(|_| packed)) {
            return Ok(tag.on(compressed(body)));
        }
        let whole = latest.whole(thing, render)?;
        let tag = latest.tag.get_or_insert_with(|| Tag::of(&whole)).clone();
        if tag.is_known(asked) {
            return Ok(tag.unchanged());
        }
        if packed {
            latest.packed = pack(Arc::clone(&whole)).await;
        }
        let short = latest.packed.clone().filter(|_| packed);
        let answer = short.map_or_else(
            || super::state::json(Bytes::from_owner(Body(whole))),
            compressed,
        );
        Ok(tag.on(answer))
    }
}

/// Compresses at the fastest level, beside what else is to be done. `None` when labwatch is stopping: then it is sent as it is.
async fn pack(body: Arc<Vec<u8>>) -> Option<Bytes> {
    let packing = tokio::task::spawn_blocking(move || -> io::Result<Vec<u8>> {
        let mut encoder = GzEncoder::new(Vec::new(), Compression::fast());
        encoder.write_all(&body)?;
        encoder.finish()
    });
    packing.await.ok()?.ok().map(Bytes::from)
}

fn compressed(body: Bytes) -> Response {
    let headers = [
        (CONTENT_TYPE, "application/json"),
        (CONTENT_ENCODING, "gzip"),
        (VARY, "accept-encoding"),
    ];
    (
        headers.map(|(name, value)| (name, HeaderValue::from_static(value))),
        body,
    )
        .into_response()
}

/// Whether the reader takes gzip. One that takes it grudgingly (`gzip;q=0.1`) gets it too.
fn takes_gzip(asked: &HeaderMap) -> bool {
    let lists = asked
        .get_all(ACCEPT_ENCODING)
        .iter()
        .filter_map(|value| value.to_str().ok());
    lists.flat_map(|list| list.split(',')).any(|coding| {
        let (name, weight) = coding.split_once(';').unwrap_or((coding, ""));
        let refused = weight
            .trim()
            .strip_prefix("q=")
            .and_then(|weight| weight.parse().ok())
            == Some(0.0);
        name.trim().eq_ignore_ascii_case("gzip") && !refused
    })
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
    use std::io::Read as _;

    use axum::body::to_bytes;
    use flate2::read::GzDecoder;

    use super::*;

    fn asking(coding: &'static str) -> HeaderMap {
        HeaderMap::from_iter([(ACCEPT_ENCODING, HeaderValue::from_static(coding))])
    }

    /// Counts how often it renders.
    fn render(rendered: &mut u8) -> impl FnMut(&u8) -> Result<Vec<u8>, Infallible> {
        |_| {
            *rendered += 1;
            Ok(vec![*rendered])
        }
    }

    async fn bytes(answer: Result<Response, Infallible>) -> Bytes {
        to_bytes(answer.expect("renders").into_body(), 1_000)
            .await
            .expect("a body")
    }

    #[tokio::test]
    async fn readers_of_the_same_moment_share_and_nothing_long_is_kept() {
        let (shared, plain, mut times) = (Shared::default(), HeaderMap::new(), 0);
        let mut render = render(&mut times);
        let (first, second) = (Arc::new(1), Arc::new(1));
        let one = bytes(shared.answer(&plain, &first, &mut render).await).await;
        let two = bytes(shared.answer(&plain, &first, &mut render).await).await;
        assert_eq!(
            (one[0], two[0], one.as_ptr()),
            (1, 1, two.as_ptr()),
            "one copy for two readers"
        );
        assert_eq!(
            bytes(shared.answer(&plain, &second, &mut render).await).await[0],
            2,
            "another thing, another answer"
        );
        drop((one, two));
        assert_eq!(
            bytes(shared.answer(&plain, &second, &mut render).await).await[0],
            3,
            "nothing is kept without readers"
        );
    }

    #[tokio::test]
    async fn it_is_compressed_once_for_all_who_take_that() {
        let (shared, mut times) = (Shared::default(), 0);
        let mut render = render(&mut times);
        let thing = Arc::new(1);
        let first = shared
            .answer(&asking("br, gzip"), &thing, &mut render)
            .await
            .expect("renders");
        assert_eq!(first.headers()[CONTENT_ENCODING], "gzip");
        let first = to_bytes(first.into_body(), 1_000).await.expect("a body");
        let mut plain = Vec::new();
        GzDecoder::new(&*first)
            .read_to_end(&mut plain)
            .expect("gzip");
        assert_eq!(plain, [1]);
        let second = bytes(shared.answer(&asking("gzip"), &thing, &mut render).await).await;
        assert_eq!(first.as_ptr(), second.as_ptr(), "kept without readers");
        let other = bytes(
            shared
                .answer(&asking("gzip"), &Arc::new(1), &mut render)
                .await,
        )
        .await;
        assert_ne!(first, other, "another thing, another answer");
    }

    #[test]
    fn who_takes_gzip() {
        for (coding, takes) in [
            ("gzip", true),
            ("br;q=1, GZIP ;q=0.5", true),
            ("gzip;q=0", false),
            ("gzip; q=0.0", false),
            ("br", false),
        ] {
            assert_eq!(takes_gzip(&asking(coding)), takes, "{coding}");
        }
        assert!(!takes_gzip(&HeaderMap::new()));
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
