//! Answers that need not be sent again: their tags (`ETag`), and what a reader says that it has (`If-None-Match`).
//!
//! A tag is weak, because the same answer goes out compressed or not.

use std::fmt::{self, Write as _};

use axum::body::{Body, HttpBody as _, to_bytes};
use axum::extract::Request;
use axum::http::header::{CACHE_CONTROL, CONTENT_LENGTH, CONTENT_TYPE, ETAG, IF_NONE_MATCH};
use axum::http::{HeaderMap, HeaderValue, Method, StatusCode};
use axum::middleware::Next;
use axum::response::{IntoResponse, Response};

use super::error;

/// The longest body that gets a tag made from its bytes. Whoever sends longer ones gives them a tag of their own.
pub(super) const MAX_DIGESTED_BYTES: usize = 4 << 20;

/// How many bytes of a body's digest make its tag.
const TAG_BYTES: usize = 16;

/// The tag of an answer.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Tag(String);

impl Tag {
    /// A tag of letters, digits and dashes that changes whenever the answer does.
    pub(super) fn new(what: fmt::Arguments<'_>) -> Self {
        Self(format!("\"{what}\""))
    }

    /// The tag of these bytes.
    fn of(body: &[u8]) -> Self {
        let digest = aws_lc_rs::digest::digest(&aws_lc_rs::digest::SHA256, body);
        let text = digest
            .as_ref()
            .iter()
            .take(TAG_BYTES)
            .fold(String::new(), |mut text, byte| {
                // Writing into a text cannot fail.
                let _ = write!(text, "{byte:02x}");
                text
            });
        Self(format!("\"{text}\""))
    }

    /// Whether the reader has the answer with this tag.
    pub(super) fn is_known(&self, asked: &HeaderMap) -> bool {
        knows(asked, &self.0)
    }

    /// Says that the reader has the answer.
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

fn knows(asked: &HeaderMap, tag: &str) -> bool {
    let lists = asked
        .get_all(IF_NONE_MATCH)
        .iter()
        .filter_map(|value| value.to_str().ok());
    let mut tags = lists.flat_map(|list| list.split(',')).map(str::trim);
    tags.any(|known| known == "*" || known.strip_prefix("W/").unwrap_or(known) == tag)
}

/// Gives answers that are whole in memory a tag, where they have none, and sends none that the reader has.
pub(super) async fn freshen(request: Request, next: Next) -> Response {
    let read = [Method::GET, Method::HEAD].contains(request.method());
    let whole = request.method() == Method::GET;
    let asked = request.headers().clone();
    let response = next.run(request).await;
    if !read || response.status() != StatusCode::OK {
        return response;
    }
    if let Some(tag) = response
        .headers()
        .get(ETAG)
        .and_then(|tag| tag.to_str().ok())
    {
        let tag = tag.strip_prefix("W/").unwrap_or(tag);
        return if knows(&asked, tag) {
            without_body(response)
        } else {
            response
        };
    }
    let is_kept = response
        .headers()
        .get(CACHE_CONTROL)
        .is_none_or(|keeping| keeping != "no-store");
    let small = response
        .body()
        .size_hint()
        .exact()
        .is_some_and(|bytes| bytes <= MAX_DIGESTED_BYTES as u64);
    if whole && small && is_kept {
        digested(response, &asked).await
    } else {
        response
    }
}

async fn digested(response: Response, asked: &HeaderMap) -> Response {
    let (parts, body) = response.into_parts();
    let body = match to_bytes(body, MAX_DIGESTED_BYTES).await {
        Ok(body) => body,
        Err(fault) => {
            tracing::error!(%fault, "an answer of the API broke off");
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

/// How long an answer may be kept: as its handler says; else one with a tag until the next question, and any other not at all.
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
        let tag = Tag::new(format_args!("a-1"));
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
        }
        assert!(!tag.is_known(&HeaderMap::new()));
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
