//! Lists in pages: one form of a page, one opaque cursor, one limit for every list.

use axum::http::header::LINK;
use axum::http::{HeaderValue, Uri};
use axum::response::Response;
use base64::Engine as _;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use serde::Serialize;
use serde::de::DeserializeOwned;
use url::form_urlencoded;
use utoipa::ToSchema;

use super::params::Params;
use crate::http::error::{ApiError, ApiResult, Reason};
use crate::http::json::answer;

/// The default number of items of a page.
const DEFAULT_LIMIT: usize = 100;

/// The most items of a page.
pub(super) const MAX_LIMIT: usize = 1_000;

/// The longest cursor that is parsed, in bytes. Two names of the longest kind fit into it.
const MAX_CURSOR_BYTES: usize = 4_096;

/// A page of a list.
#[derive(Debug, Serialize, ToSchema)]
pub(super) struct Page<T> {
    /// The items of this page.
    pub(super) items: Vec<T>,
    /// The `cursor` of the next page; null on the last one.
    #[schema(required)]
    pub(super) next: Option<String>,
}

/// The requested page of a list.
#[derive(utoipa::IntoParams)]
#[into_params(parameter_in = Query)]
#[expect(dead_code, reason = "it documents what `Paging` reads")]
pub(super) struct PageParams {
    /// The most items of a page.
    #[param(minimum = 1, maximum = 1000, default = 100)]
    limit: Option<usize>,
    /// `next` of the previous page.
    #[param(min_length = 1, max_length = 4096, pattern = "^[A-Za-z0-9_-]+$")]
    cursor: Option<String>,
}

/// A requested page: the items after the one with the key `after`.
#[derive(Debug)]
pub(super) struct Paging<K> {
    pub(super) limit: usize,
    pub(super) after: Option<K>,
}

impl<K: DeserializeOwned> Paging<K> {
    /// The page of a list that takes no other parameters.
    pub(super) fn asked(uri: &Uri) -> ApiResult<Self> {
        Self::of(&Params::parse(uri.query(), &["limit", "cursor"])?, uri)
    }

    /// Parses `limit` and `cursor`. A cursor of another list is refused, so that it is not misread.
    pub(super) fn of(params: &Params, uri: &Uri) -> ApiResult<Self> {
        let after = params
            .text("cursor")
            .map(|text| {
                decoded(uri, text).ok_or_else(|| {
                    ApiError::new(
                        Reason::InvalidCursor,
                        "cursor is not understood; allowed: what `next` of the page before says",
                    )
                })
            })
            .transpose()?;
        Ok(Self {
            limit: params.limit(MAX_LIMIT)?.unwrap_or(DEFAULT_LIMIT),
            after,
        })
    }
}

impl<K: DeserializeOwned + Serialize + Ord> Paging<K> {
    /// The page of a list in memory, which is sorted by its keys here. Items that come or go
    /// between two pages move no others.
    pub(super) fn pick<T>(self, uri: &Uri, items: impl Iterator<Item = (K, T)>) -> Page<T> {
        // The keys are sorted with the indices of their items: so the code is compiled for each
        // kind of key, not for each kind of item.
        let wanted = items.filter(|(key, _)| self.after.as_ref().is_none_or(|after| key > after));
        let (mut keys, mut items): (Vec<_>, Vec<_>) = wanted
            .enumerate()
            .map(|(place, (key, item))| ((key, place), Some(item)))
            .unzip();
        keys.sort();
        let more = keys.len() > self.limit;
        keys.truncate(self.limit);
        let next = keys
            .last()
            .filter(|_| more)
            .map(|(key, _)| encoded(uri, key));
        let picked = keys
            .iter()
            .filter_map(|(_, place)| items.get_mut(*place)?.take());
        Page {
            items: picked.collect(),
            next,
        }
    }
}

impl<T: Serialize> Page<T> {
    /// The page as an answer, with a link to the next one.
    pub(super) fn answer(self, uri: &Uri) -> ApiResult {
        let response = answer(&self)?;
        Ok(linked(response, uri, self.next.as_deref()))
    }
}

/// A cursor: the path of the list, and the key of the last item of the page.
pub(super) fn encoded(uri: &Uri, key: &impl Serialize) -> String {
    let key = serde_json::to_vec(&(uri.path(), key)).unwrap_or_default();
    URL_SAFE_NO_PAD.encode(key)
}

fn decoded<K: DeserializeOwned>(uri: &Uri, text: &str) -> Option<K> {
    if text.len() > MAX_CURSOR_BYTES {
        return None;
    }
    let bytes = URL_SAFE_NO_PAD.decode(text).ok()?;
    let (of, key): (String, K) = serde_json::from_slice(&bytes).ok()?;
    (of == uri.path()).then_some(key)
}

/// Adds the address of the next page to an answer (RFC 8288).
pub(super) fn linked(mut response: Response, uri: &Uri, next: Option<&str>) -> Response {
    let Some(next) = next else {
        return response;
    };
    let mut query = form_urlencoded::Serializer::new(String::new());
    let asked = form_urlencoded::parse(uri.query().unwrap_or_default().as_bytes());
    query.extend_pairs(asked.filter(|(name, _)| name != "cursor"));
    query.append_pair("cursor", next);
    let link = format!("<{}?{}>; rel=\"next\"", uri.path(), query.finish());
    if let Ok(link) = HeaderValue::from_str(&link) {
        response.headers_mut().insert(LINK, link);
    }
    response
}

#[cfg(test)]
mod tests {
    use super::*;

    fn uri(text: &str) -> Uri {
        text.parse().expect("a URI")
    }

    fn page(query: &str, count: usize) -> (Vec<usize>, Option<String>) {
        let uri = uri(&format!("/numbers?{query}"));
        let paging: Paging<usize> = Paging::asked(&uri).expect("understood");
        let page = paging.pick(&uri, (0..count).rev().map(|n| (n, n)));
        (page.items, page.next)
    }

    #[test]
    fn a_list_is_given_whole_and_once() {
        let (mut all, mut query) = (Vec::new(), "limit=3".to_owned());
        loop {
            let (items, next) = page(&query, 7);
            assert!(items.len() <= 3);
            all.extend(items);
            let Some(next) = next else { break };
            query = format!("limit=3&cursor={next}");
        }
        assert_eq!(all, [0, 1, 2, 3, 4, 5, 6]);
        assert_eq!(page("limit=7", 7).1, None, "it is the last one");
        assert_eq!(page("", 1_000).0.len(), DEFAULT_LIMIT);
    }

    #[test]
    fn a_cursor_of_another_list_is_refused() {
        let refused = |cursor: &str| {
            Paging::<usize>::asked(&uri(&format!("/a/numbers?cursor={cursor}")))
                .err()
                .map(|error| error.reason())
        };
        assert_eq!(refused(&encoded(&uri("/a/numbers?limit=2"), &7)), None);
        let other = encoded(&uri("/b/numbers"), &7);
        let long = "a".repeat(MAX_CURSOR_BYTES + 1);
        for cursor in [other.as_str(), "", "*", "abc", "pend00", &long] {
            assert_eq!(refused(cursor), Some(Reason::InvalidCursor), "{cursor}");
        }
    }

    #[test]
    fn the_link_keeps_what_was_asked_for() {
        let uri = uri("/api/v2/experiments?state=down&cursor=a&limit=2");
        let response = linked(Response::default(), &uri, Some("b"));
        assert_eq!(
            response.headers()[LINK],
            "</api/v2/experiments?state=down&limit=2&cursor=b>; rel=\"next\""
        );
        assert!(linked(Response::default(), &uri, None).headers().is_empty());
    }
}
