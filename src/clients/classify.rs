//! Classification of failed calls: an error or a response becomes a [`CallError`], by what an
//! operator has to do about it.

use std::error::Error;
use std::io;

use hyper_util::client::proxy::matcher::Intercept;
use url::Url;

use super::certificate::tls_error;
use super::proxies::Proxies;
use engine::model::{CallError, SourceName};

/// How much of a server's error text is kept, in bytes.
pub const MAX_QUOTED_BYTES: usize = 200;

/// The route of a call.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) enum Way {
    /// Directly to the server.
    Straight,
    /// Through the configured proxy, which receives and answers the request itself: so it is
    /// without TLS. Holds the proxy's host and port.
    Proxy(String),
    /// Through a tunnel of the configured proxy; its content is the server's own. Holds the proxy's
    /// host and port.
    Tunnel(String),
}

impl Way {
    /// The route to an address with these proxies.
    pub(super) fn to(proxies: &Proxies, url: &Url) -> Self {
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

    pub(super) fn proxy(&self) -> Option<&str> {
        match self {
            Self::Straight => None,
            Self::Proxy(place) | Self::Tunnel(place) => Some(place),
        }
    }

    /// The variable of the environment that names the proxy.
    fn variable(&self) -> &'static str {
        match self {
            Self::Straight | Self::Proxy(_) => "HTTP_PROXY",
            Self::Tunnel(_) => "HTTPS_PROXY",
        }
    }
}

/// The properties of a call on which its failures depend.
#[derive(Debug)]
pub(super) struct Sent {
    pub(super) way: Way,
    pub(super) server: Option<SourceName>,
    pub(super) is_https: bool,
    pub(super) host: String,
    port: u16,
}

impl Sent {
    /// A call to an address, of one of the three servers or of another.
    pub(super) fn new(proxies: &Proxies, server: Option<SourceName>, url: &Url) -> Self {
        Self {
            way: Way::to(proxies, url),
            server,
            is_https: url.scheme() == "https",
            host: url.host_str().unwrap_or_default().to_owned(),
            port: url.port_or_known_default().unwrap_or_default(),
        }
    }

    /// Whether there is no response because the connection ended.
    pub(super) fn is_lost(&self, error: &CallError) -> bool {
        *error == CallError::Dropped || *error == self.by_proxy(CallError::Dropped)
    }

    pub(super) fn set_scheme(&self, scheme: &str) -> String {
        match self.server {
            Some(server) => format!("set scheme_{server}={scheme}"),
            None => format!("write {scheme}:// in its address"),
        }
    }

    /// The error with the proxy named, where the call went through one.
    pub(super) fn by_proxy(&self, error: CallError) -> CallError {
        use CallError::{
            Audience, Busy, Certificate, Credentials, Dropped, Forbidden, NameLookup, NoAnswer,
            NoRoute, NotFound, Protocol, Proxy, Refused, Sick, SickByProxy, TimedOut, Tls,
            Unreachable,
        };
        let Some(place) = self.way.proxy() else {
            return error;
        };
        let named = |words: String| match words.as_str() {
            "" => format!("through the proxy {place}"),
            _ => format!("{words}, through the proxy {place}"),
        };
        match error {
            TimedOut | Dropped => NoAnswer(named(error.to_string())),
            NoAnswer(words) => NoAnswer(named(words)),
            NameLookup(words) => NameLookup(named(words)),
            Refused(words) => Refused(named(words)),
            NoRoute(words) => NoRoute(named(words)),
            Tls(words) => Tls(named(words)),
            Certificate(words) => Certificate(named(words)),
            Unreachable(words) => Unreachable(named(words)),
            Credentials(words) => Credentials(named(words)),
            Audience(words) => Audience(named(words)),
            Forbidden(words) => Forbidden(named(words)),
            NotFound(words) => NotFound(named(words)),
            Protocol(words) => Protocol(named(words)),
            Sick { status, body } => Sick {
                status,
                body: named(body),
            },
            SickByProxy { status, body } => SickByProxy {
                status,
                body: named(body),
            },
            Proxy(_) | Busy => error,
        }
    }
}

fn is_http(proxy: &Intercept) -> bool {
    matches!(proxy.uri().scheme_str(), Some("http" | "https"))
}

/// The address of a proxy, without its user and password.
pub(super) fn place_of(proxy: &Intercept) -> String {
    let host = proxy.uri().host().unwrap_or_default();
    match proxy.uri().port_u16() {
        Some(port) => format!("{host}:{port}"),
        None => host.to_owned(),
    }
}

/// Why an HTTP call has no response.
pub(super) fn error_of(error: &reqwest::Error, sent: &Sent) -> CallError {
    let found = if error.is_timeout() {
        CallError::TimedOut
    } else if error.is_connect() {
        let what = words_of_connecting(error, sent);
        #[expect(
            clippy::wildcard_enum_match_arm,
            reason = "all others stay as they are"
        )]
        return match not_connected(error, what, sent.way.proxy()) {
            CallError::Tls(_) => {
                sent.by_proxy(tls_error(error, &sent.set_scheme("http"), |words| words))
            }
            CallError::TimedOut => sent.by_proxy(CallError::TimedOut),
            other => other,
        };
    } else if is_no_http(error) {
        let hint = if sent.is_https {
            String::new()
        } else {
            format!(": is it https? {}", sent.set_scheme("https"))
        };
        CallError::Protocol(format!("what answers is no HTTP{hint}"))
    } else if error.is_body() || error.is_decode() {
        CallError::Protocol(words_of_body(error))
    } else {
        CallError::Dropped
    };
    sent.by_proxy(found)
}

fn words_of_connecting(error: &reqwest::Error, sent: &Sent) -> String {
    let words = root_cause(error);
    match words.as_str() {
        "proxy authorization required" => wants_a_password(sent),
        "unsuccessful" | "tunnel error: unsuccessful" => {
            format!("it refused CONNECT to {}:{}", sent.host, sent.port)
        }
        _ => words,
    }
}

pub(super) fn wants_a_password(sent: &Sent) -> String {
    format!("wants another user or password ({})", sent.way.variable())
}

/// Why the rest of a response did not come.
fn words_of_body(error: &reqwest::Error) -> String {
    let words = root_cause(error);
    let cut = [
        "EOF",
        "end of file",
        "reset",
        "before message",
        "close_notify",
    ];
    if cut.iter().any(|word| words.contains(word)) {
        "its answer was cut off".to_owned()
    } else {
        words
    }
}

/// The first error of a kind, from the outermost to the innermost. An error of the system hides its
/// cause from `source`, so its inner error is searched too.
pub(super) fn find<'a, T: Error + 'static>(error: &'a (dyn Error + 'static)) -> Option<&'a T> {
    let mut next = Some(error);
    while let Some(error) = next {
        let inner = error
            .downcast_ref::<io::Error>()
            .and_then(io::Error::get_ref);
        let found = error
            .downcast_ref::<T>()
            .or_else(|| inner.and_then(|inner| find::<T>(inner)));
        if found.is_some() {
            return found;
        }
        next = error.source();
    }
    None
}

/// Why there is no connection; `what` is the text. A failure on the way to the configured proxy is
/// the proxy's fault, not the server's.
pub(super) fn not_connected(
    error: &(dyn Error + 'static),
    what: String,
    proxy: Option<&str>,
) -> CallError {
    match (cause_of(error), proxy) {
        (Some(Cause::Tls), _) => CallError::Tls(what),
        (Some(Cause::TimedOut), _) => CallError::TimedOut,
        (_, Some(place)) => CallError::Proxy(format!("the proxy {place} {what}")),
        (Some(Cause::NameLookup), None) => CallError::NameLookup(what),
        (Some(Cause::Refused), None) => CallError::Refused(what),
        (Some(Cause::NoRoute), None) => CallError::NoRoute(what),
        (None, None) => CallError::Unreachable(what),
    }
}

/// Why there is no connection.
enum Cause {
    NameLookup,
    Refused,
    NoRoute,
    Tls,
    TimedOut,
}

/// The first known cause, from the outermost error to the innermost. An error of the system hides
/// its cause from `source`, so its inner error is searched too.
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

/// Whether the response is no HTTP at all.
fn is_no_http(error: &(dyn Error + 'static)) -> bool {
    find::<hyper::Error>(error).is_some_and(hyper::Error::is_parse)
}

/// The innermost cause: the outer ones repeat the URL, which may carry a code.
pub(super) fn root_cause(error: &dyn Error) -> String {
    let mut cause = error;
    while let Some(source) = cause.source() {
        cause = source;
    }
    cause.to_string()
}

#[cfg(test)]
pub(super) mod tests {
    use hyper_util::client::proxy::matcher::Matcher;
    use reqwest::StatusCode;
    use reqwest::header::HeaderMap;

    use super::super::answer::error_of_answer;
    use engine::model::Visibility;

    use super::*;

    /// A call to book by this route.
    pub(in crate::clients) fn by(way: &Way) -> Sent {
        let url = Url::parse("http://app.example.org/book/").expect("a URL");
        Sent {
            way: way.clone(),
            ..Sent::new(&Proxies::none(), Some(SourceName::Book), &url)
        }
    }

    #[test]
    fn every_message_names_the_proxy() {
        let place = "proxy.example:3128".to_owned();
        for way in [Way::Proxy(place.clone()), Way::Tunnel(place)] {
            let sent = by(&way);
            for error in [CallError::TimedOut, CallError::Dropped] {
                let said = sent.by_proxy(error.clone()).words(Visibility::MAINTAINER);
                assert_eq!(
                    said,
                    format!("{error}, through the proxy proxy.example:3128")
                );
            }
            assert!(sent.is_lost(&sent.by_proxy(CallError::Dropped)));
            assert!(!sent.is_lost(&sent.by_proxy(CallError::TimedOut)));
            for status in [301, 400, 401, 403, 404, 407, 429, 500, 502] {
                for body in [
                    "",
                    "<html></html>",
                    "token invalid",
                    "aud does not match this host",
                ] {
                    let status = StatusCode::from_u16(status).expect("a status");
                    let error = error_of_answer(status, &HeaderMap::new(), body.as_bytes(), &sent);
                    let said = error.words(Visibility::MAINTAINER);
                    assert!(said.contains("the proxy proxy.example:3128"), "{said}");
                }
            }
        }
    }

    #[test]
    fn what_our_own_proxy_does_is_not_the_servers_doing() {
        let matcher = Matcher::builder()
            .http("http://lab:pa55@proxy.example:3128")
            .https("http://proxy.example:3128")
            .no("near.example")
            .build();
        let proxies = Proxies::new(matcher, "");
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
            error_of_answer(status, &HeaderMap::new(), b"<html></html>", &by(way)).as_str()
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
    fn connection_failures_are_distinguished() {
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
}
