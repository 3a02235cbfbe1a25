//! Methods that a path does not take: `OPTIONS` lists the methods, any other is refused with the
//! list.

use axum::http::header::ALLOW;
use axum::http::{HeaderValue, Method, StatusCode};
use axum::response::{IntoResponse, Response};

use super::error;

/// The methods of a path, as `Allow` lists them.
pub(super) fn allow(methods: &[Method]) -> String {
    let mut words: Vec<_> = methods.iter().map(Method::as_str).collect();
    if let Some(get) = words.iter().position(|word| *word == "GET") {
        words.insert(get + 1, "HEAD");
    }
    words.push("OPTIONS");
    words.join(",")
}

/// The answer to a request with a method that the path does not take.
pub(super) fn answer(method: &Method, allow: &str) -> Response {
    let mut response = if method == Method::OPTIONS {
        StatusCode::NO_CONTENT.into_response()
    } else {
        error::wrong_method(method, allow).into_response()
    };
    if let Ok(allow) = HeaderValue::from_str(allow) {
        response.headers_mut().insert(ALLOW, allow);
    }
    response
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_is_implied_is_listed_too() {
        assert_eq!(allow(&[Method::GET]), "GET,HEAD,OPTIONS");
        assert_eq!(allow(&[Method::GET, Method::POST]), "GET,HEAD,POST,OPTIONS");
        assert_eq!(allow(&[Method::POST]), "POST,OPTIONS");
    }
}
