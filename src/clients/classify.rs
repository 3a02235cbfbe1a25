//! What a failed call means: its error or its answer becomes a [`CallError`], by what a person has to do about it.

use std::error::Error;
use std::io;

use hyper_util::client::proxy::matcher::{Intercept, Matcher};
use reqwest::StatusCode;
use url::Url;

use super::http::MAX_QUOTED_BYTES;
use engine::model::CallError;

/// The way that a call takes.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) enum Way {
    /// To the server itself.
    Straight,
    /// Through our own proxy, which hears and answers the request itself: so it is without TLS. Holds the proxy's host and port.
    Proxy(String),
    /// Through a tunnel that our own proxy makes; what it carries is the server's own. Holds the proxy's host and port.
    Tunnel(String),
}

impl Way {
    /// The way to an address by these proxies.
    pub(super) fn to(proxies: &Matcher, url: &Url) -> Self {
        let proxy = url
            .as_str()
            .parse()
            .ok()
            .and_then(|there| proxies.intercept(&there));
        match proxy {
            None => Self::Straight,
            Some(proxy) if url.scheme() == "http" && is_http(&proxy) => {
                Self::Proxy(place_of(&proxy))
            }
            Some(proxy) => Self::Tunnel(place_of(&proxy)),
        }
    }

    fn proxy(&self) -> Option<&str> {
        match self {
            Self::Straight => None,
            Self::Proxy(place) | Self::Tunnel(place) => Some(place),
        }
    }
}

fn is_http(proxy: &Intercept) -> bool {
    matches!(proxy.uri().scheme_str(), Some("http" | "https"))
}

/// Where a proxy is, without its user and password.
pub(super) fn place_of(proxy: &Intercept) -> String {
    let host = proxy.uri().host().unwrap_or_default();
    match proxy.uri().port_u16() {
        Some(port) => format!("{host}:{port}"),
        None => host.to_owned(),
    }
}

/// Why an HTTP call has no answer.
pub(super) fn error_of(error: &reqwest::Error, way: &Way) -> CallError {
    if error.is_timeout() {
        CallError::TimedOut
    } else if error.is_connect() {
        not_connected(error, root_cause(error), way.proxy())
    } else if error.is_body() || error.is_decode() || is_no_http(error) {
        CallError::Protocol(root_cause(error))
    } else {
        CallError::Dropped
    }
}

/// Why there is no connection; `what` tells it in words. What goes wrong on the way to our own proxy is the proxy's fault, not the server's.
pub(super) fn not_connected(
    error: &(dyn Error + 'static),
    what: String,
    proxy: Option<&str>,
) -> CallError {
    match (cause_of(error), proxy) {
        (Some(Cause::Tls), _) => CallError::Tls(what),
        (Some(Cause::TimedOut), _) => CallError::TimedOut,
        (_, Some(place)) => CallError::Proxy(format!("{place}: {what}")),
        (Some(Cause::NameLookup), None) => CallError::NameLookup(what),
        (Some(Cause::Refused), None) => CallError::Refused(what),
        (Some(Cause::NoRoute), None) => CallError::NoRoute(what),
        (None, None) => CallError::Unreachable(what),
    }
}

/// What there is no connection for.
enum Cause {
    NameLookup,
    Refused,
    NoRoute,
    Tls,
    TimedOut,
}

/// The first cause that is known, from the outermost error to the innermost. An error of the system hides what it was made of from
/// `source`, so that is asked too.
fn cause_of(error: &(dyn Error + 'static)) -> Option<Cause> {
    let mut next = Some(error);
    while let Some(error) = next {
        if error.is::<rustls::Error>() {
            return Some(Cause::Tls);
        }
        // Neither the standard library nor hyper gives these a type of their own.
        let words = error.to_string();
        if words == "dns error" || words.starts_with("failed to lookup address information") {
            return Some(Cause::NameLookup);
        }
        if let Some(error) = error.downcast_ref::<io::Error>() {
            let inner = error.get_ref().and_then(|inner| cause_of(inner));
            if let Some(cause) = inner.or_else(|| cause_of_kind(error.kind())) {
                return Some(cause);
            }
        }
        next = error.source();
    }
    None
}

fn cause_of_kind(kind: io::ErrorKind) -> Option<Cause> {
    use io::ErrorKind::{
        AddrNotAvailable, ConnectionRefused, HostUnreachable, NetworkDown, NetworkUnreachable,
        PermissionDenied, TimedOut,
    };
    let no_route = [
        AddrNotAvailable,
        HostUnreachable,
        NetworkDown,
        NetworkUnreachable,
        PermissionDenied,
    ];
    if kind == ConnectionRefused {
        Some(Cause::Refused)
    } else if kind == TimedOut {
        Some(Cause::TimedOut)
    } else {
        no_route.contains(&kind).then_some(Cause::NoRoute)
    }
}

/// Whether what came is no HTTP at all.
fn is_no_http(error: &(dyn Error + 'static)) -> bool {
    let mut next = Some(error);
    while let Some(error) = next {
        if error
            .downcast_ref::<hyper::Error>()
            .is_some_and(hyper::Error::is_parse)
        {
            return true;
        }
        next = error.source();
    }
    false
}

/// The innermost cause: the outer ones repeat the URL, which may carry a code.
pub(super) fn root_cause(error: &dyn Error) -> String {
    let mut cause = error;
    while let Some(source) = cause.source() {
        cause = source;
    }
    cause.to_string()
}

/// Tells an answer with a bad status by its body: these servers answer 500 to a token that they do not accept.
pub(super) fn error_of_answer(status: StatusCode, body: &[u8], way: &Way) -> CallError {
    let said = said(body);
    match (status.as_u16(), way) {
        (500, _) if said.contains("does not match this host") => CallError::Audience(said),
        (500, _) if TOKEN_TROUBLE.iter().any(|words| said.contains(words)) => {
            CallError::Credentials(said)
        }
        (400, _) => CallError::Forbidden(said),
        (status @ 500.., Way::Proxy(_)) => CallError::SickByProxy { status, body: said },
        (status, _) => error_of_status(status, said),
    }
}

/// What an answer with a bad status means, by the status alone.
pub fn error_of_status(status: u16, said: String) -> CallError {
    match status {
        401 | 403 => CallError::Forbidden(said),
        404 => CallError::NotFound(said),
        407 => CallError::Proxy(format!("it answered 407: {said}")),
        status => CallError::Sick { status, body: said },
    }
}

/// What the servers say in a 500 when the token is at fault: relay; book; jump, and its library for tokens.
const TOKEN_TROUBLE: [&str; 6] = [
    "token invalid",
    "error parsing claims",
    "error reading token",
    "token is expired",
    "token is not valid yet",
    "oken used before issued",
];

/// What an error body says: the message of a JSON object, a bare JSON string, or the text itself; cut and without control characters.
pub(super) fn said(body: &[u8]) -> String {
    let text = String::from_utf8_lossy(&body[..body.len().min(4 * MAX_QUOTED_BYTES)]);
    let message = match serde_json::from_slice::<serde_json::Value>(body) {
        Ok(serde_json::Value::String(message)) => message,
        Ok(serde_json::Value::Object(object)) => object
            .get("message")
            .and_then(|message| message.as_str())
            .map_or_else(|| text.to_string(), str::to_owned),
        _ => text.to_string(),
    };
    let mut clean: String = message
        .chars()
        .map(|c| if c.is_control() { ' ' } else { c })
        .collect();
    if clean.len() > MAX_QUOTED_BYTES {
        let cut = (0..=MAX_QUOTED_BYTES)
            .rev()
            .find(|&at| clean.is_char_boundary(at))
            .unwrap_or(0);
        clean.truncate(cut);
        clean.push('\u{2026}');
    }
    clean.trim().to_owned()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn answers_are_told_apart_by_what_to_do() {
        let rows: [(u16, &str, &str); 12] = [
            (
                500,
                r#"{"code":500,"message":"token invalid"}"#,
                "credentials",
            ),
            (
                500,
                r#"{"code":500,"message":"error parsing claims was token is expired"}"#,
                "credentials",
            ),
            (
                500,
                r#"{"code":500,"message":"error reading token was signature is invalid"}"#,
                "credentials",
            ),
            (
                500,
                r#"{"code":500,"message":"token is expired by 1.19s"}"#,
                "credentials",
            ),
            (
                500,
                r#"{"code":500,"message":"aud [x] does not match this host y"}"#,
                "audience",
            ),
            (500, "oops", "sick"),
            (
                401,
                r#"{"code":"401","message":"no scope booking:admin"}"#,
                "forbidden",
            ),
            (401, r#""Token Wrong Topic""#, "forbidden"),
            (
                400,
                r#"{"code":"400","message":"bookingID has been deny-listed"}"#,
                "forbidden",
            ),
            (
                404,
                r#"{"code":404,"message":"path /nope was not found"}"#,
                "not-found",
            ),
            (
                422,
                r#"{"code":602,"message":"reason in query is required"}"#,
                "sick",
            ),
            (502, "<html>bad gateway</html>", "sick"),
        ];
        for (status, body, as_str) in rows {
            let status = StatusCode::from_u16(status).expect("a status");
            assert_eq!(
                error_of_answer(status, body.as_bytes(), &Way::Straight).as_str(),
                as_str,
                "{status} {body}"
            );
        }
    }

    #[test]
    fn what_our_own_proxy_does_is_not_the_servers_doing() {
        let proxies = Matcher::builder()
            .http("http://lab:pa55@proxy.example:3128")
            .https("http://proxy.example:3128")
            .no("near.example")
            .build();
        let proxy = Way::Proxy("proxy.example:3128".to_owned());
        let tunnel = Way::Tunnel("proxy.example:3128".to_owned());
        for (url, way) in [
            ("http://relay.example/session/stats", &proxy),
            ("https://relay.example/session/stats", &tunnel),
            ("http://near.example/session/stats", &Way::Straight),
        ] {
            let url = Url::parse(url).expect("a url");
            assert_eq!(Way::to(&proxies, &url), *way, "{url}");
        }
        let refused = io::Error::from(io::ErrorKind::ConnectionRefused);
        let answered = |status: u16, way: &Way| {
            let status = StatusCode::from_u16(status).expect("a status");
            error_of_answer(status, b"<html></html>", way).as_str()
        };
        for (way, connecting, bad_gateway) in [
            (&Way::Straight, "refused", "sick"),
            (&proxy, "proxy", "sick-by-proxy"),
            (&tunnel, "proxy", "sick"),
        ] {
            let error = not_connected(&refused, refused.to_string(), way.proxy());
            assert_eq!(error.as_str(), connecting, "{way:?}");
            assert_eq!(answered(502, way), bad_gateway, "{way:?}");
            assert_eq!(answered(407, way), "proxy", "{way:?}");
        }
    }

    #[test]
    fn what_keeps_us_from_connecting_is_told_apart() {
        use io::ErrorKind::{HostUnreachable, NetworkUnreachable, Other, PermissionDenied};
        let tls = rustls::Error::General("x".to_owned());
        for (error, as_str) in [
            (io::Error::from(HostUnreachable), "no-route"),
            (io::Error::from(NetworkUnreachable), "no-route"),
            (io::Error::from(PermissionDenied), "no-route"),
            (io::Error::from(io::ErrorKind::TimedOut), "timeout"),
            (io::Error::new(Other, tls), "tls"),
            (
                io::Error::other("failed to lookup address information: try again"),
                "name-lookup",
            ),
            (io::Error::other("odd"), "unreachable"),
        ] {
            let what = error.to_string();
            assert_eq!(
                not_connected(&error, what, None).as_str(),
                as_str,
                "{error}"
            );
        }
    }

    #[test]
    fn a_quoted_body_is_short_and_clean() {
        assert_eq!(said(b"\"Token Wrong Topic\"\n"), "Token Wrong Topic");
        assert_eq!(said(b"a\r\nb"), "a  b");
        assert!(said("\u{e9}".repeat(10_000).as_bytes()).len() <= MAX_QUOTED_BYTES + 3);
    }
}
