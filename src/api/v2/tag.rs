//! The ETag of answers that change only when experiments do: a reader that has the newest answer is not sent it again.

use axum::http::header::{CACHE_CONTROL, ETAG, IF_NONE_MATCH};
use axum::http::{HeaderMap, HeaderValue, StatusCode};
use axum::response::{IntoResponse, Response};

use crate::engine::Snapshot;

/// A reader may keep the answer, and asks each time whether it still holds.
const ASK_EACH_TIME: HeaderValue = HeaderValue::from_static("no-cache");

/// The tag of everything that is told of experiments, pools, holds and causes. Weak: the answer may be sent compressed.
/// It starts with the start of this process, because versions begin anew with it.
pub(super) fn of(snapshot: &Snapshot) -> HeaderValue {
    let text = format!("W/\"{:x}-{:x}\"", snapshot.started.as_nanosecond(), snapshot.changed);
    HeaderValue::try_from(text).unwrap_or(HeaderValue::from_static("W/\"0\""))
}

/// Whether the reader has what this tag stands for.
pub(super) fn is_known(headers: &HeaderMap, tag: &HeaderValue) -> bool {
    let bare = |tag: &str| tag.trim().trim_start_matches("W/").to_owned();
    let tag = tag.to_str().map(bare).unwrap_or_default();
    let known = headers.get_all(IF_NONE_MATCH).iter().filter_map(|value| value.to_str().ok());
    known.flat_map(|value| value.split(',')).any(|known| known.trim() == "*" || bare(known) == tag)
}

/// The answer to a reader that has it already.
pub(super) fn not_modified(tag: &HeaderValue) -> Response {
    tagged(StatusCode::NOT_MODIFIED.into_response(), tag)
}

/// The answer with its tag.
pub(super) fn tagged(mut response: Response, tag: &HeaderValue) -> Response {
    response.headers_mut().insert(ETAG, tag.clone());
    response.headers_mut().insert(CACHE_CONTROL, ASK_EACH_TIME);
    response
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_known_tag_is_found_among_others() {
        let tag = HeaderValue::from_static("W/\"1-2\"");
        let check = |given: &[&'static str], expect| {
            let mut headers = HeaderMap::new();
            for given in given {
                headers.append(IF_NONE_MATCH, HeaderValue::from_static(given));
            }
            assert_eq!(is_known(&headers, &tag), expect, "{given:?}");
        };
        check(&[], false);
        check(&["\"1-1\""], false);
        check(&["W/\"1-2\""], true);
        check(&["\"1-2\""], true);
        check(&["\"x\", W/\"1-2\""], true);
        check(&["\"x\"", "\"1-2\""], true);
        check(&["*"], true);
        check(&["1-2"], false);
    }
}
