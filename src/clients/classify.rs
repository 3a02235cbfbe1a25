//! What a failed call means: its error or its answer becomes a [`CallError`], by what a person has to do about it.

use std::error::Error;
use std::io;

use hyper_util::client::proxy::matcher::Intercept;
use jiff::Timestamp;
use jiff::fmt::rfc2822;
use reqwest::StatusCode;
use reqwest::header::{DATE, HeaderMap, HeaderName, LOCATION, SERVER};
use rustls::CertificateError as Certificate;
use rustls::pki_types::UnixTime;
use url::Url;

use super::http::MAX_QUOTED_BYTES;
use super::proxies::Proxies;
use engine::model::{CallError, SourceName, format_duration};

/// Clocks that differ by less than this agree, in seconds: a header has whole seconds, and an answer takes its time.
const CLOCKS_AGREE: u64 = 2;

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

    fn proxy(&self) -> Option<&str> {
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

/// A call, as far as its failures depend on it.
#[derive(Debug)]
pub(super) struct Sent {
    pub(super) way: Way,
    server: Option<SourceName>,
    is_https: bool,
    host: String,
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

    /// Whether no answer came because the connection ended.
    pub(super) fn is_lost(&self, error: &CallError) -> bool {
        match error {
            CallError::Dropped => true,
            CallError::NoAnswer(_) => *error == self.by_proxy(CallError::Dropped),
            _ => false,
        }
    }

    fn set_scheme(&self, scheme: &str) -> String {
        match self.server {
            Some(server) => format!("set scheme_{server}={scheme}"),
            None => format!("write {scheme}:// in its address"),
        }
    }

    /// The error with the proxy named, where the call went through one.
    fn by_proxy(&self, error: CallError) -> CallError {
        use CallError::{
            Audience, Busy, Credentials, Dropped, Forbidden, NameLookup, NoAnswer, NoRoute,
            NotFound, Protocol, Proxy, Refused, Sick, SickByProxy, TimedOut, Tls, Unreachable,
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

/// Where a proxy is, without its user and password.
pub(super) fn place_of(proxy: &Intercept) -> String {
    let host = proxy.uri().host().unwrap_or_default();
    match proxy.uri().port_u16() {
        Some(port) => format!("{host}:{port}"),
        None => host.to_owned(),
    }
}

/// Why an HTTP call has no answer.
pub(super) fn error_of(error: &reqwest::Error, sent: &Sent) -> CallError {
    let found = if error.is_timeout() {
        CallError::TimedOut
    } else if error.is_connect() {
        let what = words_of_connecting(error, sent);
        return match not_connected(error, what, sent.way.proxy()) {
            CallError::Tls(_) => sent.by_proxy(CallError::Tls(words_of_tls(
                error,
                &sent.set_scheme("http"),
            ))),
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

fn wants_a_password(sent: &Sent) -> String {
    format!("wants another user or password ({})", sent.way.variable())
}

/// Why the rest of an answer did not come.
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

/// What is wrong with TLS to a server and what to do; `no_tls` is for the case that it does not speak TLS there.
pub(super) fn words_of_tls(error: &(dyn Error + 'static), no_tls: &str) -> String {
    use rustls::{Error as Tls, InvalidMessage};
    let Some(found) = find::<Tls>(error) else {
        return root_cause(error);
    };
    match found {
        Tls::InvalidMessage(InvalidMessage::InvalidContentType) => {
            format!("it does not speak TLS there: {no_tls}")
        }
        Tls::InvalidCertificate(certificate) => words_of_certificate(certificate),
        other => format!("{other}: check that it speaks TLS there"),
    }
}

fn words_of_certificate(error: &Certificate) -> String {
    match error {
        Certificate::UnknownIssuer => {
            "its certificate is signed by no CA that this host trusts: put the CA's certificate into \
             /usr/local/share/ca-certificates and run update-ca-certificates, or let the server send its chain"
                .to_owned()
        }
        Certificate::Expired => "its certificate has ended".to_owned(),
        Certificate::ExpiredContext { not_after, .. } => {
            format!("its certificate ended on {}", day(*not_after))
        }
        Certificate::NotValidYet => "its certificate has not begun: check the clocks".to_owned(),
        Certificate::NotValidYetContext { not_before, .. } => format!(
            "its certificate begins only on {}: check the clocks",
            day(*not_before)
        ),
        Certificate::NotValidForName => "its certificate is for another name".to_owned(),
        Certificate::NotValidForNameContext {
            expected,
            presented,
        } => {
            let mut names = presented.join(", ");
            names.truncate(names.floor_char_boundary(MAX_QUOTED_BYTES));
            format!(
                "its certificate is not for {} but for {}",
                expected.to_str(),
                if names.is_empty() { "no name" } else { &names }
            )
        }
        other => format!("its certificate is not accepted ({other})"),
    }
}

fn day(time: UnixTime) -> String {
    let seconds = i64::try_from(time.as_secs()).unwrap_or(i64::MAX);
    Timestamp::from_second(seconds).map_or_else(
        |_| "a day that cannot be written".to_owned(),
        |at| at.strftime("%-d %b %Y").to_string(),
    )
}

/// The first error of a kind, from the outermost to the innermost. An error of the system hides what it was made of from `source`, so
/// that is asked too.
fn find<'a, T: Error + 'static>(error: &'a (dyn Error + 'static)) -> Option<&'a T> {
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

/// Why there is no connection; `what` tells it in words. What goes wrong on the way to our own proxy is the proxy's fault, not the server's.
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

/// Tells an answer with a bad status by its body: these servers answer 500 to a token that they do not accept.
pub(super) fn error_of_answer(
    status: StatusCode,
    headers: &HeaderMap,
    body: &[u8],
    sent: &Sent,
) -> CallError {
    let said = said(body);
    let is_page = is_web_page(body);
    let found = match (status.as_u16(), &sent.way) {
        (407, Way::Proxy(place) | Way::Tunnel(place)) => {
            CallError::Proxy(format!("the proxy {place} {}", wants_a_password(sent)))
        }
        (status @ 300..=399, _) if headers.contains_key(LOCATION) => CallError::Sick {
            status,
            body: words_of_redirect(headers, sent),
        },
        (500, _) if said.contains("does not match this host") => CallError::Audience(said),
        (500, _) if TOKEN_TROUBLE.iter().any(|words| said.contains(words)) => {
            CallError::Credentials(with_clocks(said, headers, Timestamp::now()))
        }
        (400, _) if SPEAKS_HTTPS.iter().any(|words| said.contains(words)) => CallError::Protocol(
            format!("it speaks https there: {}", sent.set_scheme("https")),
        ),
        (status @ (401 | 403), _) if is_page => CallError::Sick {
            status,
            body: words_of_gate(status, headers),
        },
        (400, _) if !is_page => CallError::Forbidden(said),
        (status @ 500.., Way::Proxy(_)) => CallError::SickByProxy { status, body: said },
        (status, _) => error_of_status(status, said),
    };
    sent.by_proxy(found)
}

/// What servers say in a 400 to plain HTTP where they speak https: nginx, and servers in Go.
const SPEAKS_HTTPS: [&str; 2] = [
    "HTTP request was sent to HTTPS port",
    "sent an HTTP request to an HTTPS server",
];

/// Where an answer redirects to, without the query, which may hold a code.
fn words_of_redirect(headers: &HeaderMap, sent: &Sent) -> String {
    let location = text_of(headers, &LOCATION);
    let bare = location.split(['?', '#']).next().unwrap_or_default();
    let same_host = Url::parse(bare)
        .is_ok_and(|url| url.scheme() == "https" && url.host_str() == Some(sent.host.as_str()));
    let advice = match (same_host && !sent.is_https, sent.server) {
        (true, _) => sent.set_scheme("https"),
        (false, Some(server)) => format!("check host_{server} and basepath_{server}"),
        (false, None) => "check its address".to_owned(),
    };
    format!("it redirects to {}: {advice}", said(bare.as_bytes()))
}

/// A web page that refuses us does not come from any of the three servers.
fn words_of_gate(status: u16, headers: &HeaderMap) -> String {
    let server = text_of(headers, &SERVER);
    let name = server.split(['/', ' ']).next().unwrap_or_default();
    let name = match name {
        "" => String::new(),
        name => format!(" ({})", said(name.as_bytes())),
    };
    let does = if status == 401 {
        "asks for a password"
    } else {
        "blocks this host"
    };
    format!("a proxy in front{name} {does}")
}

/// What a server says of a token, and whether the clocks may be why. It writes its own into each answer.
fn with_clocks(said: String, headers: &HeaderMap, now: Timestamp) -> String {
    let Ok(theirs) = rfc2822::DateTimeParser::new().parse_timestamp(text_of(headers, &DATE)) else {
        return said;
    };
    let ahead = theirs.duration_since(now);
    let apart = ahead.unsigned_abs();
    let which = if ahead.is_negative() {
        "behind"
    } else {
        "ahead of"
    };
    if apart.as_secs() <= CLOCKS_AGREE {
        format!("{said}; its clock agrees with ours, so the secret is another")
    } else {
        let apart = format_duration(std::time::Duration::from_secs(apart.as_secs()));
        format!("{said}; its clock is {apart} {which} ours")
    }
}

fn text_of<'a>(headers: &'a HeaderMap, name: &HeaderName) -> &'a str {
    let value = headers.get(name).and_then(|value| value.to_str().ok());
    value.unwrap_or_default()
}

/// Whether this is a web page and not an answer of a program.
pub(crate) fn is_web_page(body: &[u8]) -> bool {
    let start = body.trim_ascii_start();
    let start = start.strip_prefix(b"\xef\xbb\xbf").unwrap_or(start);
    let starts = |with: &[u8]| {
        start
            .get(..with.len())
            .is_some_and(|it| it.eq_ignore_ascii_case(with))
    };
    starts(b"<!doctype") || starts(b"<html") || starts(b"<head")
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

/// The title of a web page.
fn title_of(text: &str) -> Option<&str> {
    let (_, rest) = text.split_once("<title>")?;
    rest.split_once("</title>").map(|(title, _)| title)
}

/// What an error body says: the message of a JSON object, a bare JSON string, or the text itself; cut and without control characters.
pub(super) fn said(body: &[u8]) -> String {
    let text = String::from_utf8_lossy(&body[..body.len().min(4 * MAX_QUOTED_BYTES)]);
    let text = title_of(&text).unwrap_or(&text);
    let message = match serde_json::from_slice::<serde_json::Value>(body) {
        Ok(serde_json::Value::String(message)) => message,
        Ok(serde_json::Value::Object(object)) => object
            .get("message")
            .and_then(|message| message.as_str())
            .map_or_else(|| text.to_owned(), str::to_owned),
        _ => text.to_owned(),
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
    use hyper_util::client::proxy::matcher::Matcher;
    use std::time::Duration;

    use super::*;

    fn by(way: &Way) -> Sent {
        let url = Url::parse("http://app.example.org/book/").expect("a URL");
        Sent {
            way: way.clone(),
            ..Sent::new(&Proxies::none(), Some(SourceName::Book), &url)
        }
    }

    fn headers(rows: &[(HeaderName, &str)]) -> HeaderMap {
        let row =
            |(name, value): &(HeaderName, &str)| (name.clone(), value.parse().expect("a header"));
        rows.iter().map(row).collect()
    }

    #[test]
    fn answers_say_what_to_do() {
        let to = |location| headers(&[(LOCATION, location)]);
        let nginx = headers(&[(SERVER, "nginx/1.22.1")]);
        let page = |title: &str| format!("<html>\r\n<head><title>{title}</title></head></html>");
        for (status, headers, body, words) in [
            (
                301,
                to("https://app.example.org/book/?code=c0de"),
                page("301 Moved"),
                "it answered 301 (it redirects to https://app.example.org/book/: set scheme_book=https)",
            ),
            (
                302,
                to("https://login.example.org/"),
                String::new(),
                "it answered 302 (it redirects to https://login.example.org/: check host_book and basepath_book)",
            ),
            (
                400,
                nginx.clone(),
                page("400 The plain HTTP request was sent to HTTPS port"),
                "it does not speak as it should: it speaks https there: set scheme_book=https",
            ),
            (
                400,
                nginx.clone(),
                page("400 Bad Request"),
                "it answered 400 (400 Bad Request)",
            ),
            (
                401,
                nginx,
                page("401 Authorization Required"),
                "it answered 401 (a proxy in front (nginx) asks for a password)",
            ),
            (
                403,
                HeaderMap::new(),
                page("Forbidden"),
                "it answered 403 (a proxy in front blocks this host)",
            ),
        ] {
            let status = StatusCode::from_u16(status).expect("a status");
            let found = error_of_answer(status, &headers, body.as_bytes(), &by(&Way::Straight));
            assert_eq!(found.to_string(), words);
            assert!(!found.refuses_us(), "{found}");
        }
    }

    #[test]
    fn every_message_names_the_proxy() {
        let place = "proxy.example:3128".to_owned();
        for way in [Way::Proxy(place.clone()), Way::Tunnel(place)] {
            let sent = by(&way);
            for error in [CallError::TimedOut, CallError::Dropped] {
                let said = sent.by_proxy(error.clone()).to_string();
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
                    let said = error.to_string();
                    assert!(said.contains("the proxy proxy.example:3128"), "{said}");
                }
            }
        }
    }

    #[test]
    fn a_refused_token_says_what_the_clocks_say() {
        let now = "2026-11-30T10:00:45Z".parse().expect("a time");
        for (date, words) in [
            (
                "Mon, 30 Nov 2026 10:00:00 GMT",
                "token invalid; its clock is 45s behind ours",
            ),
            (
                "Mon, 30 Nov 2026 10:01:45 GMT",
                "token invalid; its clock is 1m0s ahead of ours",
            ),
            (
                "Mon, 30 Nov 2026 10:00:44 GMT",
                "token invalid; its clock agrees with ours, so the secret is another",
            ),
            ("yesterday", "token invalid"),
        ] {
            let headers = headers(&[(DATE, date)]);
            assert_eq!(
                with_clocks("token invalid".to_owned(), &headers, now),
                words
            );
        }
    }

    #[test]
    fn what_is_wrong_with_tls_is_said() {
        use rustls::{Error as Tls, InvalidMessage};
        let at = |seconds| UnixTime::since_unix_epoch(Duration::from_secs(seconds));
        let certificate = |error| Tls::InvalidCertificate(error);
        for (error, words) in [
            (
                Tls::InvalidMessage(InvalidMessage::InvalidContentType),
                "it does not speak TLS there: set scheme_book=http",
            ),
            (
                certificate(Certificate::UnknownIssuer),
                "its certificate is signed by no CA that this host trusts: put the CA's certificate into \
                 /usr/local/share/ca-certificates and run update-ca-certificates, or let the server send its chain",
            ),
            (
                certificate(Certificate::ExpiredContext {
                    time: at(1_796_023_309),
                    not_after: at(1_795_936_909),
                }),
                "its certificate ended on 29 Nov 2026",
            ),
            (
                certificate(Certificate::NotValidYetContext {
                    time: at(0),
                    not_before: at(1_795_936_909),
                }),
                "its certificate begins only on 29 Nov 2026: check the clocks",
            ),
        ] {
            let error = io::Error::other(error);
            assert_eq!(words_of_tls(&error, "set scheme_book=http"), words);
        }
    }

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
                error_of_answer(
                    status,
                    &HeaderMap::new(),
                    body.as_bytes(),
                    &by(&Way::Straight)
                )
                .as_str(),
                as_str,
                "{status} {body}"
            );
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
