//! Conditional requests: tags of answers (`ETag`), which change only with the body, and the tags
//! that a reader has (`If-None-Match`) or means to change (`If-Match`).
//!
//! A tag is weak, because the same answer goes out compressed or not.

use aws_lc_rs::digest::{Context, SHA256};
use axum::body::{Body, HttpBody as _, to_bytes};
use axum::extract::Request;
use axum::http::header::{
    CACHE_CONTROL, CONTENT_LENGTH, CONTENT_TYPE, ETAG, HeaderName, IF_MATCH, IF_NONE_MATCH,
};
use axum::http::{HeaderMap, HeaderValue, Method, StatusCode};
use axum::middleware::Next;
use axum::response::{IntoResponse, Response};

use super::auth::hex;
use super::error;

/// The longest body that gets a tag made from its bytes. A handler that sends longer ones gives
/// them a tag of its own.
pub(super) const MAX_DIGESTED_BYTES: usize = 4 << 20;

/// How many bytes of a body's digest make its tag.
const TAG_BYTES: usize = 16;

/// The tag of an answer.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Tag(String);

/// Computes the tag of a body that is written piece by piece.
pub(super) struct Digest(Context);

impl Default for Digest {
    fn default() -> Self {
        Self(Context::new(&SHA256))
    }
}

impl Digest {
    pub(super) fn update(&mut self, piece: &[u8]) {
        self.0.update(piece);
    }

    pub(super) fn tag(self) -> Tag {
        let digest = self.0.finish();
        let bytes = digest.as_ref().get(..TAG_BYTES).unwrap_or_default();
        Tag(format!("\"{}\"", hex(bytes)))
    }
}

impl Tag {
    /// The tag of these bytes.
    pub(super) fn of(body: &[u8]) -> Self {
        let mut digest = Digest::default();
        digest.update(body);
        digest.tag()
    }

    /// Whether the reader has the answer with this tag.
    pub(super) fn is_known(&self, asked: &HeaderMap) -> bool {
        knows(asked, IF_NONE_MATCH, &self.0)
    }

    /// Whether a request may be applied to the version with this tag: `If-Match` is missing, `*` or
    /// contains it. The tags are made of the uncompressed bytes, so a weak one will do.
    pub(super) fn is_wanted(&self, asked: &HeaderMap) -> bool {
        !asked.contains_key(IF_MATCH) || knows(asked, IF_MATCH, &self.0)
    }

    /// The answer 304 with this tag.
    pub(super) fn unchanged(&self) -> Response {
        self.on(StatusCode::NOT_MODIFIED.into_response())
    }

    /// The answer with its tag.
    pub(super) fn on(&self, mut response: Response) -> Response {
        if let Ok(value) = HeaderValue::from_str(&format!("W/{}", self.0)) {
            response.headers_mut().insert(ETAG, value);
        }
        response
    }
}

fn knows(asked: &HeaderMap, name: HeaderName, tag: &str) -> bool {
    let lists = asked
        .get_all(name)
        .iter()
        .filter_map(|value| value.to_str().ok());
    let mut tags = lists.flat_map(|list| list.split(',')).map(str::trim);
    tags.any(|known| known == "*" || known.strip_prefix("W/").unwrap_or(known) == tag)
}

/// Adds a tag to answers that are whole in memory and have none, and answers 304 where the reader
/// has the body. `HEAD` is answered as `GET`, without the body. Answers that must not be cached get
/// no tag.
pub(super) async fn freshen(mut request: Request, next: Next) -> Response {
    let is_head = request.method() == Method::HEAD;
    if is_head {
        *request.method_mut() = Method::GET;
    }
    let reads = request.method() == Method::GET;
    let asked = request.headers().clone();
    let response = next.run(request).await;
    if !reads {
        return response;
    }
    let response = if response.status() == StatusCode::OK && may_be_kept(response.headers()) {
        tagged(response, &asked).await
    } else {
        response
    };
    if is_head { head_of(response) } else { response }
}

fn may_be_kept(headers: &HeaderMap) -> bool {
    let said = headers.get(CACHE_CONTROL);
    said.is_none_or(|said| said.as_bytes() != b"no-store")
}

async fn tagged(response: Response, asked: &HeaderMap) -> Response {
    if let Some(tag) = response
        .headers()
        .get(ETAG)
        .and_then(|tag| tag.to_str().ok())
    {
        let tag = tag.strip_prefix("W/").unwrap_or(tag);
        return if knows(asked, IF_NONE_MATCH, tag) {
            without_body(response)
        } else {
            response
        };
    }
    let length = response.body().size_hint().exact();
    if length.is_some_and(|bytes| bytes <= MAX_DIGESTED_BYTES as u64) {
        digested(response, asked).await
    } else {
        response
    }
}

/// The answer without its body, with the body's length.
fn head_of(response: Response) -> Response {
    let (mut parts, body) = response.into_parts();
    if let Some(length) = body.size_hint().exact().filter(|length| *length > 0) {
        parts.headers.insert(CONTENT_LENGTH, length.into());
    }
    Response::from_parts(parts, Body::empty())
}

async fn digested(response: Response, asked: &HeaderMap) -> Response {
    let (parts, body) = response.into_parts();
    let body = match to_bytes(body, MAX_DIGESTED_BYTES).await {
        Ok(body) => body,
        Err(fault) => {
            tracing::error!(%fault, "cannot read the body of an answer");
            return error::internal().into_response();
        }
    };
    let tag = Tag::of(&body);
    let response = tag.on(Response::from_parts(parts, Body::from(body)));
    if tag.is_known(asked) {
        without_body(response)
    } else {
        response
    }
}

fn without_body(response: Response) -> Response {
    let (mut parts, _) = response.into_parts();
    parts.status = StatusCode::NOT_MODIFIED;
    for name in [CONTENT_LENGTH, CONTENT_TYPE] {
        parts.headers.remove(name);
    }
    Response::from_parts(parts, Body::empty())
}

/// How long an answer may be kept: as its handler says; else one with a tag until the next
/// question, and any other not at all.
pub(super) fn keeping(headers: &mut HeaderMap) {
    if !headers.contains_key(CACHE_CONTROL) {
        let keeping = if headers.contains_key(ETAG) {
            "private, no-cache"
        } else {
            "no-store"
        };
        headers.insert(CACHE_CONTROL, HeaderValue::from_static(keeping));
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn tags_are_compared_weakly() {
        let tag = Tag("\"a-1\"".to_owned());
        for (asked, expect) in [
            ("\"a-1\"", true),
            ("W/\"a-1\"", true),
            ("\"x\", W/\"a-1\"", true),
            ("*", true),
            ("\"a-2\"", false),
            ("a-1", false),
            ("", false),
        ] {
            let mut headers = HeaderMap::new();
            headers.insert(IF_NONE_MATCH, HeaderValue::from_static(asked));
            assert_eq!(tag.is_known(&headers), expect, "{asked}");
            let mut headers = HeaderMap::new();
            headers.insert(IF_MATCH, HeaderValue::from_static(asked));
            assert_eq!(tag.is_wanted(&headers), expect, "{asked}");
        }
        assert!(!tag.is_known(&HeaderMap::new()));
        assert!(tag.is_wanted(&HeaderMap::new()), "no condition was made");
        assert_eq!(
            tag.unchanged().headers().get(ETAG).expect("a tag"),
            "W/\"a-1\""
        );
    }

    #[test]
    fn a_tag_is_made_of_the_bytes() {
        assert_eq!(Tag::of(b"abc").0, "\"ba7816bf8f01cfea414140de5dae2223\"");
        assert_ne!(Tag::of(b"abc"), Tag::of(b"abd"));
    }
}
