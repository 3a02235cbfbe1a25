//! Bodies of requests in JSON. An error text names the place of the error; unknown fields are
//! errors.

use std::fmt;
use std::marker::PhantomData;

use axum::body::Bytes;
use axum::extract::{FromRequest, Request};
use axum::http::HeaderMap;
use axum::http::header::CONTENT_TYPE;
use axum::response::IntoResponse as _;
use serde::de::value::MapAccessDeserializer;
use serde::de::{DeserializeOwned, MapAccess, Visitor};
use serde::{Deserialize, Deserializer};

use crate::http::error::{self, ApiError, ApiResult, Reason};

/// A body of this type.
pub(super) struct Json<T>(pub(super) T);

impl<S: Send + Sync, T: DeserializeOwned> FromRequest<S> for Json<T> {
    type Rejection = ApiError;

    async fn from_request(request: Request, state: &S) -> ApiResult<Self> {
        if !is_json(request.headers()) {
            return Err(error::no_json());
        }
        let body = Bytes::from_request(request, state)
            .await
            .map_err(|why| error::of_status(why.into_response().status()))?;
        parsed(&body).map(Self)
    }
}

fn parsed<T: DeserializeOwned>(body: &[u8]) -> ApiResult<T> {
    if body.is_empty() {
        return Err(invalid("it is empty"));
    }
    let mut text = serde_json::Deserializer::from_slice(body);
    let parsed = object(&mut text).and_then(|parsed| text.end().map(|()| parsed));
    parsed.map_err(|why| invalid(&why.to_string()))
}

/// Accepts only an object. By itself `serde` also accepts a list of the values in the order of the
/// fields.
pub(super) fn object<'de, T: Deserialize<'de>, D: Deserializer<'de>>(
    text: D,
) -> Result<T, D::Error> {
    struct Object<T>(PhantomData<T>);

    impl<'de, T: Deserialize<'de>> Visitor<'de> for Object<T> {
        type Value = T;

        fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
            f.write_str("an object")
        }

        fn visit_map<A: MapAccess<'de>>(self, map: A) -> Result<T, A::Error> {
            T::deserialize(MapAccessDeserializer::new(map))
        }
    }

    text.deserialize_map(Object(PhantomData))
}

fn invalid(why: &str) -> ApiError {
    ApiError::new(
        Reason::InvalidBody,
        format!("the body is not as the document describes it: {why}"),
    )
}

fn is_json(headers: &HeaderMap) -> bool {
    let kind = headers
        .get(CONTENT_TYPE)
        .and_then(|kind| kind.to_str().ok());
    let kind = kind
        .and_then(|kind| kind.split(';').next())
        .unwrap_or_default();
    let kind = kind.trim().to_ascii_lowercase();
    kind == "application/json"
        || kind
            .strip_prefix("application/")
            .is_some_and(|of| of.ends_with("+json"))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[derive(Debug, Deserialize)]
    #[serde(deny_unknown_fields)]
    struct Form {
        #[expect(dead_code, reason = "it is only parsed")]
        text: String,
    }

    #[test]
    fn a_mistake_says_where_it_is() {
        for (body, words) in [
            ("", "it is empty"),
            ("{}", "missing field `text` at line 1 column 2"),
            (
                "{\"text\":1}",
                "invalid type: integer `1`, expected a string at line 1 column 9",
            ),
            (
                "{\"text\":\"a\",\"x\":1}",
                "unknown field `x`, expected `text`",
            ),
            ("{", "EOF while parsing an object"),
            (
                "[\"a\"]",
                "invalid type: sequence, expected an object at line 1 column",
            ),
            ("\"a\"", "expected an object"),
            ("{\"text\":\"a\"} {}", "trailing characters"),
        ] {
            let error = parsed::<Form>(body.as_bytes()).expect_err("a mistake");
            assert_eq!(error.reason(), Reason::InvalidBody);
            assert!(error.detail().contains(words), "{body}: {}", error.detail());
        }
        assert!(parsed::<Form>(b"{\"text\":\"a\"}").is_ok());
    }

    #[test]
    fn json_is_known_by_its_media_type() {
        for (kind, expect) in [
            ("application/json", true),
            ("Application/JSON; charset=utf-8", true),
            ("application/vnd.lab+json", true),
            ("text/plain", false),
            ("text/json", false),
        ] {
            let mut headers = HeaderMap::new();
            headers.insert(CONTENT_TYPE, kind.parse().expect("a value"));
            assert_eq!(is_json(&headers), expect, "{kind}");
        }
        assert!(!is_json(&HeaderMap::new()));
    }
}
