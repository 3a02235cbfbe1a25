//! Long answers are kept compressed while they are sent, so that a slow reader holds a thirtieth of
//! the memory.

use std::convert::Infallible;
use std::io::{self, Cursor, Read, Write};
use std::pin::Pin;
use std::sync::{Arc, Weak};
use std::task::{Context, Poll};

use axum::body::{Body, Bytes, HttpBody, to_bytes};
use axum::extract::{Request, State};
use axum::http::header::{ACCEPT_ENCODING, CONTENT_ENCODING, CONTENT_LENGTH, CONTENT_TYPE, VARY};
use axum::http::{HeaderMap, HeaderValue, Method};
use axum::middleware::Next;
use axum::response::{IntoResponse, Response};
use flate2::Compression;
use flate2::bufread::GzDecoder;
use flate2::write::GzEncoder;
use hyper::body::{Frame, SizeHint};
use tokio::sync::{OwnedSemaphorePermit, Semaphore};

use super::error;
use super::etag::{Digest, Tag};

/// Shorter bodies are sent as they are.
pub(super) const PACKED_FROM: usize = 256 << 10;

/// How much is packed or unpacked at a time.
pub(super) const PIECE_BYTES: usize = 32 << 10;

/// The longest answer that is packed, in bytes. None is longer.
const MAX_ANSWER_BYTES: usize = 256 << 20;

/// The most memory for long answers that are not compressed yet, in bytes.
const MAX_WHOLE_BYTES: usize = 24 << 20;

/// The most memory for compressed answers that their readers do not have yet, in bytes. Those that
/// all readers of one snapshot share have a bound of their own.
const MAX_PACKED_BYTES: usize = 16 << 20;

/// The memory for long answers: until they are compressed, and then until they are read. Clones
/// share it.
#[derive(Debug, Clone)]
pub(super) struct Room {
    whole: Arc<Semaphore>,
    packed: Arc<Semaphore>,
}

impl Default for Room {
    fn default() -> Self {
        let pieces = |bytes| Arc::new(Semaphore::new(bytes / PIECE_BYTES));
        Self {
            whole: pieces(MAX_WHOLE_BYTES),
            packed: pieces(MAX_PACKED_BYTES),
        }
    }
}

impl Room {
    /// Reserves memory for an answer of this length until dropped; `None` where others use it. One
    /// that is longer than the bound takes all.
    fn take(&self, length: u64) -> Option<OwnedSemaphorePermit> {
        taken(&self.whole, length.min(MAX_WHOLE_BYTES as u64))
    }

    /// The body with memory reserved until its reader has it; `None` where others use it.
    fn keep(&self, body: Packed) -> Option<Packed> {
        let room = taken(&self.packed, body.bytes.len().min(MAX_PACKED_BYTES) as u64)?;
        let bytes = Bytes::from_owner(Kept {
            bytes: body.bytes,
            _room: room,
        });
        Some(Packed { bytes, ..body })
    }
}

fn taken(room: &Arc<Semaphore>, length: u64) -> Option<OwnedSemaphorePermit> {
    let pieces = u32::try_from(length / PIECE_BYTES as u64).unwrap_or(u32::MAX);
    Arc::clone(room).try_acquire_many_owned(pieces.max(1)).ok()
}

/// Bytes with their reservation.
struct Kept {
    bytes: Bytes,
    _room: OwnedSemaphorePermit,
}

impl AsRef<[u8]> for Kept {
    fn as_ref(&self) -> &[u8] {
        &self.bytes
    }
}

/// The body of an answer, compressed where it is long. Clones share it.
#[derive(Debug, Clone)]
pub(super) struct Packed {
    bytes: Bytes,
    /// How long it is unpacked; `None` where it is short and was not packed.
    whole: Option<u64>,
    /// Lives as long as the bytes where they were packed.
    life: Weak<Vec<u8>>,
}

/// Bytes that show whether a reader still has them.
struct Counted(Arc<Vec<u8>>);

impl AsRef<[u8]> for Counted {
    fn as_ref(&self) -> &[u8] {
        &self.0
    }
}

/// Receives the body of an answer as it is written. A long one is compressed from the moment it
/// gets long, at the fastest level.
pub(super) struct Packer {
    digest: Digest,
    length: u64,
    form: Form,
}

enum Form {
    Plain(Vec<u8>),
    Gzip(GzEncoder<Vec<u8>>),
}

impl Default for Packer {
    fn default() -> Self {
        Self {
            digest: Digest::default(),
            length: 0,
            form: Form::Plain(Vec::new()),
        }
    }
}

impl Write for Packer {
    fn write(&mut self, piece: &[u8]) -> io::Result<usize> {
        self.digest.update(piece);
        self.length += piece.len() as u64;
        if let Form::Plain(body) = &self.form
            && self.length >= PACKED_FROM as u64
        {
            let mut encoder = GzEncoder::new(Vec::new(), Compression::fast());
            encoder.write_all(body)?;
            self.form = Form::Gzip(encoder);
        }
        match &mut self.form {
            Form::Plain(body) => body.write_all(piece)?,
            Form::Gzip(encoder) => encoder.write_all(piece)?,
        }
        Ok(piece.len())
    }

    fn flush(&mut self) -> io::Result<()> {
        Ok(())
    }
}

impl Packer {
    /// The written body with its tag.
    pub(super) fn finish(self) -> io::Result<(Tag, Packed)> {
        let tag = self.digest.tag();
        let encoder = match self.form {
            Form::Plain(body) => return Ok((tag, Packed::plain(body.into()))),
            Form::Gzip(encoder) => encoder,
        };
        let mut bytes = encoder.finish()?;
        bytes.shrink_to_fit();
        let bytes = Arc::new(bytes);
        let packed = Packed {
            whole: Some(self.length),
            life: Arc::downgrade(&bytes),
            bytes: Bytes::from_owner(Counted(bytes)),
        };
        Ok((tag, packed))
    }
}

impl Packed {
    fn plain(bytes: Bytes) -> Self {
        Self {
            bytes,
            whole: None,
            life: Weak::new(),
        }
    }

    /// Dangles when no reader has the bytes any more; at once where they were not compressed.
    pub(super) fn life(&self) -> Weak<Vec<u8>> {
        Weak::clone(&self.life)
    }

    /// Compresses a long body, in a thread of its own.
    async fn of(body: Bytes) -> Self {
        let fallback = Self::plain(body.clone());
        let packing = tokio::task::spawn_blocking(move || {
            let mut packer = Packer::default();
            packer.write_all(&body)?;
            packer.finish()
        });
        match packing.await {
            Ok(Ok((_, packed))) => packed,
            // Labwatch is stopping: it is sent as it is.
            Ok(Err(_)) | Err(_) => fallback,
        }
    }

    /// The body for a reader with these headers, and whether it is compressed.
    fn body_for(self, asked: &HeaderMap) -> (Body, bool) {
        let Some(whole) = self.whole else {
            return (Body::from(self.bytes), false);
        };
        if takes_gzip(asked) {
            return (Body::from(self.bytes), true);
        }
        let unpacked = Unpacked {
            decoder: GzDecoder::new(Cursor::new(self.bytes)),
            left: whole,
        };
        (Body::new(unpacked), false)
    }

    /// An answer in JSON to a reader with these headers.
    pub(super) fn answer(self, asked: &HeaderMap) -> Response {
        let json = (CONTENT_TYPE, HeaderValue::from_static("application/json"));
        let (body, is_compressed) = self.body_for(asked);
        marked(([json], body).into_response(), is_compressed)
    }
}

/// Compresses every long answer that is whole in memory and not compressed yet. While too many are
/// being compressed it is refused, so that parallel requests cannot fill the memory.
pub(super) async fn pack(State(room): State<Room>, request: Request, next: Next) -> Response {
    let asked = request.headers().clone();
    let has_body = request.method() != Method::HEAD;
    let response = next.run(request).await;
    let length = response.body().size_hint().exact().unwrap_or_default();
    let is_long = length >= PACKED_FROM as u64;
    let headers = response.headers();
    // A body that is compressed already is unpacked piece by piece, and its length is known all the
    // same.
    let is_packed = headers.contains_key(CONTENT_ENCODING)
        || response.extensions().get::<AlreadyPacked>().is_some();
    if !has_body || !is_long || is_packed {
        return response;
    }
    let Some(_taken) = room.take(length) else {
        return error::too_many_long().into_response();
    };
    let (mut parts, body) = response.into_parts();
    let Ok(body) = to_bytes(body, MAX_ANSWER_BYTES).await else {
        tracing::error!("a long answer of the API broke off");
        return error::internal().into_response();
    };
    let Some(packed) = room.keep(Packed::of(body).await) else {
        return error::too_many_long().into_response();
    };
    let (body, is_compressed) = packed.body_for(&asked);
    parts.headers.remove(CONTENT_LENGTH);
    marked(Response::from_parts(parts, body), is_compressed)
}

/// Marks an answer that comes from its compressed form.
#[derive(Debug, Clone, Copy)]
struct AlreadyPacked;

fn marked(mut response: Response, is_compressed: bool) -> Response {
    response.extensions_mut().insert(AlreadyPacked);
    let headers = response.headers_mut();
    headers.append(VARY, HeaderValue::from_static("accept-encoding"));
    if is_compressed {
        headers.insert(CONTENT_ENCODING, HeaderValue::from_static("gzip"));
    }
    response
}

/// Whether the reader takes gzip. One that prefers another encoding (`gzip;q=0.1`) gets it too.
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

/// A packed body that is unpacked as it is sent.
struct Unpacked {
    decoder: GzDecoder<Cursor<Bytes>>,
    left: u64,
}

impl HttpBody for Unpacked {
    type Data = Bytes;
    type Error = Infallible;

    fn poll_frame(
        mut self: Pin<&mut Self>,
        _: &mut Context<'_>,
    ) -> Poll<Option<Result<Frame<Bytes>, Infallible>>> {
        let mut piece = Vec::with_capacity(PIECE_BYTES);
        let mut reader = (&mut self.decoder).take(PIECE_BYTES as u64);
        let read = reader.read_to_end(&mut piece);
        // What we compressed ourselves can be unpacked; if not, the answer would end before its
        // length and show it.
        if read.is_err() || piece.is_empty() {
            return Poll::Ready(None);
        }
        self.left = self.left.saturating_sub(piece.len() as u64);
        Poll::Ready(Some(Ok(Frame::data(piece.into()))))
    }

    fn is_end_stream(&self) -> bool {
        self.left == 0
    }

    fn size_hint(&self) -> SizeHint {
        SizeHint::with_exact(self.left)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn asking(coding: &'static str) -> HeaderMap {
        HeaderMap::from_iter([(ACCEPT_ENCODING, HeaderValue::from_static(coding))])
    }

    async fn bytes(answer: Response) -> Bytes {
        to_bytes(answer.into_body(), MAX_ANSWER_BYTES)
            .await
            .expect("a body")
    }

    #[tokio::test]
    async fn a_long_body_is_held_packed_and_sent_as_it_is_asked_for() {
        let text: Vec<u8> = (0..3_000_000_u32)
            .map(|n| (n / 1_000 % 251) as u8)
            .collect();
        let packed = Packed::of(text.clone().into()).await;
        assert!(packed.bytes.len() * 10 < text.len());
        let plain = packed.clone().answer(&HeaderMap::new());
        assert_eq!(plain.body().size_hint().exact(), Some(3_000_000));
        assert_eq!(bytes(plain).await, text);
        let gzip = packed.clone().answer(&asking("br, gzip"));
        assert_eq!(gzip.headers()[CONTENT_ENCODING], "gzip");
        let mut unpacked = Vec::new();
        GzDecoder::new(&*bytes(gzip).await)
            .read_to_end(&mut unpacked)
            .expect("gzip");
        assert_eq!(unpacked, text);
    }

    #[tokio::test]
    async fn a_short_body_stays_as_it_is() {
        let packed = Packed::of(Bytes::from_static(b"{}")).await;
        let answer = packed.answer(&asking("gzip"));
        assert!(!answer.headers().contains_key(CONTENT_ENCODING));
        assert_eq!(bytes(answer).await, "{}");
    }

    #[test]
    fn long_answers_that_are_not_packed_yet_have_a_bound() {
        let room = Room::default();
        let mut taken: Vec<_> = (0..3).map(|_| room.take(8 << 20)).collect();
        assert!(taken.iter().all(Option::is_some));
        assert!(room.take(PACKED_FROM as u64).is_none());
        drop(taken.pop());
        assert!(room.take(PACKED_FROM as u64).is_some());
        taken.clear();
        assert!(
            room.take(u64::MAX).is_some(),
            "none is too long for all room"
        );
    }

    #[test]
    fn packed_answers_have_a_bound_until_they_are_read() {
        let (room, half) = (Room::default(), vec![0; MAX_PACKED_BYTES / 2]);
        let answer = || {
            let kept = room.keep(Packed::plain(half.clone().into()))?;
            Some(kept.answer(&HeaderMap::new()))
        };
        let (first, second) = (answer(), answer());
        assert!(first.is_some() && second.is_some());
        assert!(answer().is_none(), "two slow readers have all room");
        drop(first);
        assert!(answer().is_some(), "one of them has read it");
    }

    #[test]
    fn readers_that_take_gzip() {
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
}
