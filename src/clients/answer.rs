//! Meaning of an error response, by its status, its headers and its body.

use std::time::Duration;

use jiff::Timestamp;
use jiff::fmt::rfc2822;
use reqwest::StatusCode;
use reqwest::header::{DATE, HeaderMap, HeaderName, LOCATION, SERVER};
use url::Url;

use super::classify::{MAX_QUOTED_BYTES, Sent, Way, wants_a_password};
use engine::model::{CallError, format_duration};

/// Clocks that differ by less than this agree, in seconds: a header has whole seconds, and an
/// answer takes its time.
const CLOCKS_AGREE: u64 = 2;

/// The error for a response with an error status, by its body: these servers answer 500 to a token
/// that they do not accept.
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
        (500, _) if TOKEN_ERRORS.iter().any(|words| said.contains(words)) => {
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

/// Texts of a 400 to plain HTTP where the server speaks https: nginx, and servers in Go.
const SPEAKS_HTTPS: [&str; 2] = [
    "HTTP request was sent to HTTPS port",
    "sent an HTTP request to an HTTPS server",
];

/// The target of a redirect, without the query, which may hold a code.
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

/// The text for a web page that refuses access: it does not come from any of the three servers.
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

/// A server's text about a token, with the skew of the clocks if that may be the reason. The server
/// writes its time into each response.
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
        let apart = format_duration(Duration::from_secs(apart.as_secs()));
        format!("{said}; its clock is {apart} {which} ours")
    }
}

fn text_of<'a>(headers: &'a HeaderMap, name: &HeaderName) -> &'a str {
    let value = headers.get(name).and_then(|value| value.to_str().ok());
    value.unwrap_or_default()
}

/// Whether this is a web page and not a response of a program.
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

/// The error for a response, by the status alone.
pub fn error_of_status(status: u16, said: String) -> CallError {
    match status {
        401 | 403 => CallError::Forbidden(said),
        404 => CallError::NotFound(said),
        407 => CallError::Proxy(format!("it answered 407: {said}")),
        status => CallError::Sick { status, body: said },
    }
}

/// Texts in a 500 when the token is at fault: relay; book; jump, and its library for tokens.
const TOKEN_ERRORS: [&str; 6] = [
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

/// The text of an error body: the message of a JSON object, a bare JSON string, or the body itself;
/// cut and without control characters.
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
    use super::super::classify::tests::by;
    use engine::model::Visibility;

    use super::*;

    fn headers(rows: &[(HeaderName, &str)]) -> HeaderMap {
        let row =
            |(name, value): &(HeaderName, &str)| (name.clone(), value.parse().expect("a header"));
        rows.iter().map(row).collect()
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
            assert_eq!(found.words(Visibility::MAINTAINER), words);
            assert!(!found.refuses_us(), "{found}");
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
    fn a_quoted_body_is_short_and_clean() {
        assert_eq!(said(b"\"Token Wrong Topic\"\n"), "Token Wrong Topic");
        assert_eq!(said(b"a\r\nb"), "a  b");
        assert!(said("\u{e9}".repeat(10_000).as_bytes()).len() <= MAX_QUOTED_BYTES + 3);
    }
}
