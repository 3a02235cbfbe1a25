//! HTTP of the simulated servers, with faults on demand. Knows nothing of the requests' meaning.

use std::borrow::Cow;
use std::collections::BTreeMap;
use std::future::Future;
use std::pin::Pin;
use std::sync::atomic::{AtomicU32, Ordering};
use std::sync::{Mutex, PoisonError};

use http_body_util::Full;
use hyper::body::{Bytes, Incoming};
use hyper::header::{self, HeaderMap, HeaderValue};
use hyper::server::conn::http1;
use hyper::service::service_fn;
use hyper::upgrade::{OnUpgrade, Upgraded};
use hyper::{Response, StatusCode};
use hyper_util::rt::TokioIo;
use percent_encoding::percent_decode_str;
use serde_json::json;
use tokio::net::TcpStream;
use tokio::sync::watch;
use tokio::time::sleep;
use url::Url;

use crate::HttpFault;

/// The pattern of every path.
const EVERY_PATH: &str = "*";

/// The page of a proxy in place of the server behind it.
const PROXY_PAGE: &str = "<!DOCTYPE html><html><head><title>Gateway</title></head><body><h1>Please sign in</h1></body></html>";

/// A connection after its upgrade.
pub(super) type Stream = TokioIo<Upgraded>;

/// The work on a connection after its upgrade.
type Afterwards = Pin<Box<dyn Future<Output = ()> + Send>>;

/// A request. Its body is not read, for no call here has one.
#[derive(Debug)]
pub(super) struct Request {
    pub method: String,
    pub url: Url,
    headers: HeaderMap,
    /// The connection, where the client wants another protocol on it.
    pub upgrade: OnUpgrade,
}

/// The action for a request.
pub(super) enum Answer {
    /// Answers it in JSON.
    Say { status: u16, body: String },
    /// Answers it with a web page.
    Page { status: u16 },
    /// Takes a websocket with this key and protocol, and goes on with it.
    Upgrade {
        accept: String,
        protocol: Option<&'static str>,
        afterwards: Afterwards,
    },
    /// Drops the connection without an answer.
    Drop,
}

/// HTTP faults of a port.
#[derive(Debug, Clone, Default)]
pub(super) struct HttpFaults {
    /// Nothing is answered until this ends.
    pub frozen: bool,
    /// The faults of calls to a path, or below it.
    paths: BTreeMap<String, HttpFault>,
}

/// Drops the connection. Its text is not shown.
#[derive(Debug, thiserror::Error)]
#[error("dropped")]
struct Dropped;

impl Request {
    /// The first header of that name, where it is text.
    pub fn header(&self, name: &str) -> Option<&str> {
        self.headers.get(name)?.to_str().ok()
    }

    /// The path's segments, decoded; an empty one at the end (a trailing slash) is left out.
    pub fn segments(&self) -> Vec<String> {
        let path = self.url.path();
        let path = path.trim_start_matches('/').trim_end_matches('/');
        let decoded = |text| percent_decode_str(text).decode_utf8_lossy().into_owned();
        path.split('/').map(decoded).collect()
    }

    /// The query parameter of that name.
    pub fn query(&self, name: &str) -> Option<String> {
        let found = self.url.query_pairs().find(|(key, _)| key == name);
        found.map(|(_, value)| Cow::into_owned(value))
    }

    fn of(mut request: hyper::Request<Incoming>) -> Option<Self> {
        let upgrade = hyper::upgrade::on(&mut request);
        let target = request.uri().path_and_query()?.as_str();
        Some(Self {
            method: request.method().to_string(),
            url: Url::parse("http://lab/").ok()?.join(target).ok()?,
            headers: request.headers().clone(),
            upgrade,
        })
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

    /// 204: what was to be written is.
    pub fn written() -> Self {
        Self::Say {
            status: 204,
            body: String::new(),
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
        let method = &request.method;
        Self::framework(
            405,
            &format!("method {method} is not allowed, but [{allowed}] are"),
        )
    }
}

impl HttpFaults {
    /// Sets how calls to this path, and to all below it, are answered.
    pub fn set(&mut self, path: &str, fault: HttpFault) {
        if fault == HttpFault::Works {
            self.paths.remove(path);
        } else {
            self.paths.insert(path.to_owned(), fault);
        }
    }

    /// The fault of the longest path that the call is at or below.
    fn of(&self, called: &str) -> HttpFault {
        let is_meant = |path: &str| path == EVERY_PATH || called.starts_with(path);
        let meant = self.paths.iter().filter(|(path, _)| is_meant(path));
        let closest = meant.max_by_key(|(path, _)| path.len());
        closest.map_or(HttpFault::Works, |(_, fault)| fault.clone())
    }

    fn resets(&self) -> bool {
        self.paths.values().any(|fault| *fault == HttpFault::Reset)
    }
}

/// Serves one connection: one request, which is what the real servers do. Each is shown to `arrived` first, answered or not.
pub(super) async fn serve<Handling>(
    stream: TcpStream,
    faults: watch::Receiver<HttpFaults>,
    arrived: impl Fn(&Request),
    handle: impl Fn(Request) -> Handling,
) where
    Handling: Future<Output = Answer>,
{
    if faults.borrow().resets() {
        // However the connection ends now, the client sees a reset.
        let _ = stream.set_zero_linger();
    }
    let (calls, afterwards) = (AtomicU32::new(0), Mutex::new(None));
    let service = service_fn(async |request| {
        let request = Request::of(request).ok_or(Dropped)?;
        arrived(&request);
        let is_first = calls.fetch_add(1, Ordering::Relaxed) == 0;
        let (fault, answer) = answer(request, &faults, is_first, &handle).await;
        let mut response = respond(answer, &afterwards)?;
        if fault != HttpFault::Reset && response.status() != StatusCode::SWITCHING_PROTOCOLS {
            let close = HeaderValue::from_static("close");
            response.headers_mut().insert(header::CONNECTION, close);
        }
        Ok::<_, Dropped>(response)
    });
    let mut builder = http1::Builder::new();
    builder.title_case_headers(true);
    let connection = builder.serve_connection(TokioIo::new(stream), service);
    // An error is the client's leaving, or a requested fault.
    let _ = connection.with_upgrades().await;
    let afterwards = afterwards
        .into_inner()
        .unwrap_or_else(PoisonError::into_inner);
    if let Some(afterwards) = afterwards {
        afterwards.await;
    }
}

async fn answer<Handling: Future<Output = Answer>>(
    request: Request,
    faults: &watch::Receiver<HttpFaults>,
    is_first: bool,
    handle: impl Fn(Request) -> Handling,
) -> (HttpFault, Answer) {
    let path = request.url.path().to_owned();
    let fault = faults.borrow().of(&path);
    if let HttpFault::Slow(delay) = fault {
        sleep(delay).await;
    }
    let is_answered = |now: &HttpFaults| !now.frozen && now.of(&path) != HttpFault::Hang;
    // An error would mean that the server is gone, and it holds this connection.
    let _ = faults.clone().wait_for(is_answered).await;
    let answer = match &fault {
        HttpFault::Status(code) => Answer::framework(*code, &words_of(*code)),
        HttpFault::Answer(status, body) => Answer::Say {
            status: *status,
            body: body.clone(),
        },
        HttpFault::Page(status) => Answer::Page { status: *status },
        HttpFault::Deaf if request.method == "PUT" => Answer::written(),
        HttpFault::Drop => Answer::Drop,
        HttpFault::Reset if !is_first => Answer::Drop,
        HttpFault::Works
        | HttpFault::Slow(_)
        | HttpFault::Hang
        | HttpFault::Reset
        | HttpFault::Deaf => handle(request).await,
    };
    (fault, answer)
}

fn words_of(code: u16) -> String {
    let status = StatusCode::from_u16(code).ok();
    let words = status.and_then(|status| status.canonical_reason());
    words.unwrap_or("no words").to_ascii_lowercase()
}

fn respond(
    answer: Answer,
    later: &Mutex<Option<Afterwards>>,
) -> Result<Response<Full<Bytes>>, Dropped> {
    let of_kind = |status, kind, body: String| {
        Response::builder()
            .status(status)
            .header(header::CONTENT_TYPE, kind)
            .body(Full::from(body))
    };
    let response = match answer {
        Answer::Drop => return Err(Dropped),
        Answer::Say { status, body } => of_kind(status, "application/json", body),
        Answer::Page { status } => of_kind(status, "text/html", PROXY_PAGE.to_owned()),
        Answer::Upgrade {
            accept,
            protocol,
            afterwards,
        } => {
            *later.lock().unwrap_or_else(PoisonError::into_inner) = Some(afterwards);
            let protocol = protocol.map(|protocol| (header::SEC_WEBSOCKET_PROTOCOL, protocol));
            let mut builder = Response::builder()
                .status(StatusCode::SWITCHING_PROTOCOLS)
                .header(header::UPGRADE, "websocket")
                .header(header::CONNECTION, "Upgrade")
                .header(header::SEC_WEBSOCKET_ACCEPT, accept);
            if let Some((name, protocol)) = protocol {
                builder = builder.header(name, protocol);
            }
            builder.body(Full::default())
        }
    };
    response.map_err(|_| Dropped)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_fault_of_the_longest_path_counts() {
        let mut faults = HttpFaults::default();
        faults.set("*", HttpFault::Status(503));
        faults.set("/api/v1", HttpFault::Hang);
        assert_eq!(faults.of("/api/v1/admin"), HttpFault::Hang);
        assert_eq!(faults.of("/api"), HttpFault::Status(503));
        faults.set("*", HttpFault::Works);
        assert_eq!(faults.of("/api"), HttpFault::Works);
    }

    #[test]
    fn errors_have_the_servers_two_shapes() {
        let body = |answer| {
            let Answer::Say { status, body } = answer else {
                panic!("not an answer")
            };
            (status, body)
        };
        let framework = r#"{"code":404,"message":"path /nope was not found"}"#;
        assert_eq!(
            body(Answer::framework(404, "path /nope was not found")),
            (404, framework.into())
        );
        let handler = "{\"code\":\"404\",\"message\":\"resource \\\"x\\\"\"}\n";
        assert_eq!(
            body(Answer::handler(404, "resource \"x\"")),
            (404, handler.into())
        );
        let bare = "\"Token Wrong Topic\"\n";
        assert_eq!(
            body(Answer::bare(401, "Token Wrong Topic")),
            (401, bare.into())
        );
    }
}
