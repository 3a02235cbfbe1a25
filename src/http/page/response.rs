//! Responses with pages: their security policy, the path below which their links lead, and the
//! theme.

use axum::http::HeaderMap;
use axum::http::header::{
    CACHE_CONTROL, CONTENT_SECURITY_POLICY, CONTENT_TYPE, COOKIE, HeaderValue, REFERRER_POLICY,
    X_CONTENT_TYPE_OPTIONS,
};
use axum::response::{IntoResponse, Response};
use engine::model::escape_deceptive;
use maud::Markup;

/// The security policy of a page: it loads from here alone, runs no script but ours, and turns text
/// into markup only where our own policy allows it.
const POLICY: &str = "default-src 'none'; script-src 'self'; style-src 'self'; img-src 'self'; connect-src 'self'; form-action 'self'; \
                      base-uri 'none'; require-trusted-types-for 'script'; trusted-types labwatch; frame-ancestors";

/// The cookie that holds the reader's choice of a theme.
const THEME_COOKIE: &str = "labwatch-theme=";

/// A page that no other site may put into a frame.
pub(super) fn framed(base: &str, page: Markup) -> Response {
    answer(base, page, "'none'")
}

/// A page that any site may put into a frame.
pub(super) fn embeddable(base: &str, page: Markup) -> Response {
    answer(base, page, "*")
}

#[expect(clippy::needless_pass_by_value, reason = "a page is answered once")]
fn answer(base: &str, page: Markup, ancestors: &str) -> Response {
    let policy = HeaderValue::try_from(format!("{POLICY} {ancestors}"))
        .unwrap_or(HeaderValue::from_static("default-src 'none'"));
    let headers = [
        (
            CONTENT_TYPE,
            HeaderValue::from_static("text/html; charset=utf-8"),
        ),
        (CONTENT_SECURITY_POLICY, policy),
        (CACHE_CONTROL, HeaderValue::from_static("private, no-cache")),
        (REFERRER_POLICY, HeaderValue::from_static("same-origin")),
        (X_CONTENT_TYPE_OPTIONS, HeaderValue::from_static("nosniff")),
    ];
    (headers, below(base, escape_deceptive(&page.0).into_owned())).into_response()
}

/// A page whose links lead below `base`. In texts quotation marks are escaped, so that only our own
/// attributes are changed.
fn below(base: &str, page: String) -> String {
    if base.is_empty() {
        return page;
    }
    let attributes = ["href", "src", "action", "data-stream"];
    attributes.into_iter().fold(page, |page, name| {
        page.replace(&format!(" {name}=\"/"), &format!(" {name}=\"{base}/"))
    })
}

/// The reader's choice of a theme, if any.
pub(super) fn theme(headers: &HeaderMap) -> Option<&'static str> {
    let cookies = headers
        .get_all(COOKIE)
        .iter()
        .filter_map(|cookies| cookies.to_str().ok())
        .flat_map(|cookies| cookies.split("; "));
    let chosen = cookies
        .filter_map(|cookie| cookie.strip_prefix(THEME_COOKIE))
        .last()?;
    ["light", "dark"].into_iter().find(|theme| *theme == chosen)
}
