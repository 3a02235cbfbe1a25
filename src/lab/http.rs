//! The little of HTTP/1.1 that the simulated servers need: one request a connection, which is what the real ones do.
//! Knows nothing of what is asked.

use std::borrow::Cow;

use jiff::Timestamp;
use serde_json::json;
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::TcpStream;
use url::Url;

/// The longest head of a request that is read, in bytes.
const MAX_HEAD_BYTES: usize = 16 << 10;

/// The longest body of a request that is read (and thrown away: no call here has one), in bytes.
const MAX_BODY_BYTES: usize = 1 << 20;

/// A request, without its body.
#[derive(Debug)]
pub(super) struct Request {
    pub method: String,
    pub url: Url,
    headers: Vec<(String, String)>,
    /// What came behind the head and the body.
    pub rest: Vec<u8>,
}

/// What a server does with a request.
#[derive(Debug, PartialEq)]
pub(super) enum Answer {
    /// Answers it.
    Say { status: u16, body: String },
    /// Drops the connection without a word.
    Drop,
}

impl Request {
    /// The first header of that name (in lower case).
    pub fn header(&self, name: &str) -> Option<&str> {
        self.headers
            .iter()
            .find(|(key, _)| key == name)
            .map(|(_, value)| value.as_str())
    }

    /// The path's segments, decoded; an empty one at the end (a trailing slash) is left out.
    pub fn segments(&self) -> Vec<String> {
        let path = self
            .url
            .path()
            .trim_start_matches('/')
            .trim_end_matches('/');
        path.split('/').map(percent_decode).collect()
    }

    /// The query parameter of that name.
    pub fn query(&self, name: &str) -> Option<String> {
        self.url
            .query_pairs()
            .find(|(key, _)| key == name)
            .map(|(_, value)| Cow::into_owned(value))
    }
}

impl Answer {
    /// 200 with a JSON body.
    pub fn ok(body: impl Into<String>) -> Self {
        Self::Say {
            status: 200,
            body: body.into(),
        }
    }

    /// An error of the servers' framework: its code is a number, and no newline follows.
    pub fn framework(status: u16, message: &str) -> Self {
        Self::coded(status, status, message)
    }

    /// The same with a code that is not the status.
    pub fn coded(status: u16, code: u16, message: &str) -> Self {
        Self::Say {
            status,
            body: format!(r#"{{"code":{code},"message":{}}}"#, json!(message)),
        }
    }

    /// An error of the servers' own handlers: its code is a string, and a newline follows.
    pub fn handler(status: u16, message: &str) -> Self {
        Self::Say {
            status,
            body: format!("{{\"code\":\"{status}\",\"message\":{}}}\n", json!(message)),
        }
    }

    /// An error that is a bare JSON string.
    pub fn bare(status: u16, message: &str) -> Self {
        Self::Say {
            status,
            body: format!("{}\n", json!(message)),
        }
    }

    /// No `Authorization` header.
    pub fn unauthenticated() -> Self {
        Self::framework(401, "unauthenticated for invalid credentials")
    }

    /// No such path.
    pub fn no_path(request: &Request) -> Self {
        Self::framework(404, &format!("path {} was not found", request.url.path()))
    }

    /// The path is there, but not for this method.
    pub fn no_method(request: &Request, allowed: &str) -> Self {
        Self::framework(
            405,
            &format!(
                "method {} is not allowed, but [{allowed}] are",
                request.method
            ),
        )
    }

    /// Sends it and closes the connection: these servers keep none alive.
    pub async fn send(self, mut stream: TcpStream) {
        if let Self::Say { status, body } = self {
            let reply = head(status, &body) + &body;
            if stream.write_all(reply.as_bytes()).await.is_ok() {
                let _ = stream.shutdown().await;
            }
        }
    }
}

/// Reads a request; `None` when the peer leaves or sends something else.
pub(super) async fn read_request(stream: &mut TcpStream) -> Option<Request> {
    let mut bytes = Vec::new();
    let end = loop {
        if let Some(at) = bytes.windows(4).position(|four| four == b"\r\n\r\n") {
            break at + 4;
        }
        if bytes.len() > MAX_HEAD_BYTES || stream.read_buf(&mut bytes).await.ok()? == 0 {
            return None;
        }
    };
    let rest = bytes.split_off(end);
    let mut request = parse_head(std::str::from_utf8(&bytes).ok()?)?;
    request.rest = rest;
    skip_body(stream, &mut request).await?;
    Some(request)
}

async fn skip_body(stream: &mut TcpStream, request: &mut Request) -> Option<()> {
    let length: usize = request
        .header("content-length")
        .map_or(Some(0), |length| length.parse().ok())?;
    while request.rest.len() < length {
        if length > MAX_BODY_BYTES || stream.read_buf(&mut request.rest).await.ok()? == 0 {
            return None;
        }
    }
    request.rest.drain(..length);
    Some(())
}

fn parse_head(head: &str) -> Option<Request> {
    let mut lines = head.split("\r\n");
    let mut first = lines.next()?.split(' ');
    let (method, target) = (first.next()?, first.next()?);
    let url = Url::parse("http://lab/")
        .and_then(|base| base.join(target))
        .ok()?;
    let headers = lines
        .filter_map(|line| line.split_once(':'))
        .map(|(key, value)| (key.to_ascii_lowercase(), value.trim().to_owned()));
    Some(Request {
        method: method.to_owned(),
        url,
        headers: headers.collect(),
        rest: Vec::new(),
    })
}

fn head(status: u16, body: &str) -> String {
    let reason = match status {
        200 => "OK",
        204 => "No Content",
        400 => "Bad Request",
        401 => "Unauthorized",
        404 => "Not Found",
        405 => "Method Not Allowed",
        422 => "Unprocessable Entity",
        500 => "Internal Server Error",
        _ => "",
    };
    let date = Timestamp::now().strftime("%a, %d %b %Y %H:%M:%S GMT");
    let length = if status == 204 {
        String::new()
    } else {
        format!("Content-Length: {}\r\n", body.len())
    };
    format!(
        "HTTP/1.1 {status} {reason}\r\nContent-Type: application/json\r\nDate: {date}\r\n{length}Connection: close\r\n\r\n"
    )
}

fn percent_decode(text: &str) -> String {
    let mut bytes = Vec::with_capacity(text.len());
    let mut rest = text.as_bytes();
    while let Some((&first, behind)) = rest.split_first() {
        let escaped = behind
            .get(..2)
            .filter(|_| first == b'%')
            .and_then(|hex| u8::from_str_radix(std::str::from_utf8(hex).ok()?, 16).ok());
        bytes.push(escaped.unwrap_or(first));
        rest = if escaped.is_some() {
            &behind[2..]
        } else {
            behind
        };
    }
    String::from_utf8_lossy(&bytes).into_owned()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_head_is_taken_apart() {
        let head = "PUT /api/v1/admin/resources/r%2Fa%20b/?available=true&reason=a+b%20c HTTP/1.1\r\nHost: x\r\nAuthorization:  abc \r\n\r\n";
        let request = parse_head(head).expect("a request");
        assert_eq!(request.method, "PUT");
        assert_eq!(
            request.segments(),
            ["api", "v1", "admin", "resources", "r/a b"]
        );
        assert_eq!(request.query("reason").as_deref(), Some("a b c"));
        assert_eq!(request.query("nope"), None);
        assert_eq!(request.header("authorization"), Some("abc"));
        for junk in ["", "\r\n\r\n", "GET\r\n\r\n"] {
            assert!(parse_head(junk).is_none(), "{junk:?}");
        }
    }

    #[test]
    fn errors_have_the_servers_two_shapes() {
        let say = |status, body: &str| Answer::Say {
            status,
            body: body.into(),
        };
        assert_eq!(
            Answer::framework(404, "path /nope was not found"),
            say(404, r#"{"code":404,"message":"path /nope was not found"}"#)
        );
        assert_eq!(
            Answer::handler(404, "resource \"x\""),
            say(
                404,
                "{\"code\":\"404\",\"message\":\"resource \\\"x\\\"\"}\n"
            )
        );
        assert_eq!(
            Answer::bare(401, "Token Wrong Topic"),
            say(401, "\"Token Wrong Topic\"\n")
        );
    }
}
