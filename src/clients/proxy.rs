//! Outgoing connections other than HTTP calls: direct, or through the proxy of the environment
//! (`HTTP_PROXY`, `HTTPS_PROXY`, `ALL_PROXY`, `NO_PROXY`), as HTTP calls do.

use std::error::Error;
use std::io;
use std::time::Duration;

use hyper::Uri;
use hyper::service::Service as _;
use hyper_util::client::legacy::connect::HttpConnector;
use hyper_util::client::legacy::connect::proxy::SocksV5;
use hyper_util::client::proxy::matcher::Intercept;
use hyper_util::service::TowerToHyperService;
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::TcpStream;

use super::certificate::tls_error;
use super::classify::{not_connected, place_of, root_cause};
use super::connect::{ConnectError, ConnectFailure, dial};
use super::proxies::Proxies;
use engine::model::CallError;

/// Where a SOCKS proxy listens unless its address says so.
const SOCKS_PORT: u16 = 1080;

/// Where an HTTP proxy listens unless its address says so.
const HTTP_PORT: u16 = 80;

/// The longest that connecting to a host or to a proxy may take, all addresses together.
const DIAL_WAIT: Duration = Duration::from_secs(10);

/// The longest answer to the request for a tunnel that is read, in bytes.
const MAX_HEAD_BYTES: usize = 8 << 10;

/// A connection to a host, for a websocket, and whether it goes through the configured proxy.
/// `secure` is whether TLS will be used over it, which selects the proxy.
///
/// # Errors
/// When neither the host nor its proxy can be reached, or the proxy refuses. The text names no
/// secret.
pub async fn connect(secure: bool, host: &str, port: u16) -> Result<(TcpStream, bool), CallError> {
    connect_by(&Proxies::from_env(), secure, host, port).await
}

/// The error for a websocket that could not be opened.
pub fn no_websocket(error: &(dyn Error + 'static), host: &str, port: u16) -> CallError {
    let what = format!("websocket at {host}:{port}: {error}");
    #[expect(
        clippy::wildcard_enum_match_arm,
        reason = "all others stay as they are"
    )]
    match not_connected(error, what, None) {
        CallError::Tls(_) => tls_error(
            error,
            "set url_relay_socket or url_jump_socket to a ws:// address",
            |words| format!("websocket at {host}:{port}: {words}"),
        ),
        CallError::TimedOut => silent(host, port),
        other => other,
    }
}

/// The error for a websocket that was not opened in time.
pub fn silent(host: &str, port: u16) -> CallError {
    CallError::NoAnswer(format!(
        "the websocket at {host}:{port} cannot be reached: no answer within the time limit"
    ))
}

fn not_dialled(error: &ConnectError) -> CallError {
    let what = format!("websocket: {error}");
    match error.failure {
        ConnectFailure::Lookup(_)
        | ConnectFailure::LookupTimedOut(_)
        | ConnectFailure::NoAddress => CallError::NameLookup(what),
        ConnectFailure::NoRoute => CallError::NoRoute(what),
        ConnectFailure::Refused => CallError::Refused(what),
        ConnectFailure::TimedOut(_) => silent(&error.host, error.port),
        ConnectFailure::Other(_) => CallError::Unreachable(what),
    }
}

async fn connect_by(
    proxies: &Proxies,
    secure: bool,
    host: &str,
    port: u16,
) -> Result<(TcpStream, bool), CallError> {
    let scheme = if secure { "https" } else { "http" };
    let there: Uri = format!("{scheme}://{host}:{port}")
        .parse()
        .map_err(|error| CallError::Protocol(format!("websocket at {host}:{port}: {error}")))?;
    match proxies.intercept(&there) {
        None => dial(host, port, DIAL_WAIT)
            .await
            .map(|stream| (stream, false))
            .map_err(|error| not_dialled(&error)),
        Some(proxy) => through(&proxy, there)
            .await
            .map(|stream| (stream, true))
            .map_err(|why| {
                let place = place_of(&proxy);
                CallError::Proxy(format!(
                    "the proxy {place} for the websocket at {host}:{port}: {why}"
                ))
            }),
    }
}

/// A connection through a proxy.
///
/// # Errors
/// The error as text, without the proxy's password.
async fn through(proxy: &Intercept, there: Uri) -> Result<TcpStream, String> {
    match proxy.uri().scheme_str() {
        Some("http") => tunnel(proxy, &there).await,
        Some(scheme @ ("socks5" | "socks5h")) => {
            let mut connector = HttpConnector::new();
            connector.enforce_http(false);
            let proxy_there = with_port(proxy.uri()).map_err(|error| error.to_string())?;
            let socks = SocksV5::new(proxy_there, connector).local_dns(scheme == "socks5");
            let socks = match proxy.raw_auth() {
                Some((user, password)) => socks.with_auth(user.to_owned(), password.to_owned()),
                None => socks,
            };
            let stream = TowerToHyperService::new(socks).call(there).await;
            let stream = stream.map_err(|error| root_cause(&error))?;
            Ok(stream.into_inner())
        }
        other => Err(format!(
            "{} is not supported for websockets: use http, socks5 or socks5h",
            other.unwrap_or("its kind")
        )),
    }
}

/// Asks an HTTP proxy for a tunnel.
async fn tunnel(proxy: &Intercept, there: &Uri) -> Result<TcpStream, String> {
    let host = proxy.uri().host().unwrap_or_default();
    let port = proxy.uri().port_u16().unwrap_or(HTTP_PORT);
    let mut stream = dial(host, port, DIAL_WAIT)
        .await
        .map_err(|error| error.to_string())?;
    let place = there.authority().map_or("", |authority| authority.as_str());
    let mut ask = format!("CONNECT {place} HTTP/1.1\r\nHost: {place}\r\n");
    if let Some(auth) = proxy.basic_auth().and_then(|auth| auth.to_str().ok()) {
        ask.push_str("Proxy-Authorization: ");
        ask.push_str(auth);
        ask.push_str("\r\n");
    }
    ask.push_str("\r\n");
    let lost = |error: io::Error| format!("it hung up on CONNECT {place} ({error})");
    stream.write_all(ask.as_bytes()).await.map_err(lost)?;
    let head = read_head(&mut stream).await.map_err(lost)?;
    let status = head.lines().next().and_then(|line| line.split_once(' '));
    match status.map(|(_, status)| status.trim()) {
        Some(status) if status.starts_with('2') => Ok(stream),
        Some(status) if status.starts_with("407") => {
            Err("it wants another user or password (HTTP_PROXY, HTTPS_PROXY)".to_owned())
        }
        Some(status) => Err(format!(
            "it answered {status} to CONNECT {place}: it must let websockets through, or name the host in NO_PROXY"
        )),
        None => Err(format!("it does not answer CONNECT {place} in HTTP")),
    }
}

/// The head of a response, byte by byte: what follows belongs to the tunnel.
async fn read_head(stream: &mut TcpStream) -> io::Result<String> {
    let mut head = Vec::new();
    while !head.ends_with(b"\r\n\r\n") {
        if head.len() >= MAX_HEAD_BYTES {
            return Err(io::Error::other("its answer is too long"));
        }
        head.push(stream.read_u8().await?);
    }
    let text = String::from_utf8_lossy(&head);
    let printable = |c: &char| !c.is_control() || *c == '\n';
    Ok(text.chars().filter(printable).collect())
}

fn with_port(proxy: &Uri) -> io::Result<Uri> {
    let host = proxy.host().unwrap_or_default();
    let port = proxy.port_u16().unwrap_or(SOCKS_PORT);
    format!("{}://{host}:{port}", proxy.scheme_str().unwrap_or("socks5"))
        .parse()
        .map_err(io::Error::other)
}

#[cfg(test)]
mod tests {
    use hyper_util::client::proxy::matcher::{Builder, Matcher};
    use tokio::net::TcpListener;
    use tokio::task::JoinSet;

    use super::*;

    /// A proxy that answers a tunnel request so, and sends back what comes through it; returns the
    /// request.
    async fn proxy(answer: &'static str) -> (u16, JoinSet<String>) {
        let listener = TcpListener::bind("127.0.0.1:0").await.expect("binds");
        let port = listener.local_addr().expect("bound").port();
        let mut asked = JoinSet::new();
        asked.spawn(async move {
            let (mut stream, _) = listener.accept().await.expect("comes");
            let mut head = Vec::new();
            while !head.ends_with(b"\r\n\r\n") {
                head.push(stream.read_u8().await.expect("asks"));
            }
            stream.write_all(answer.as_bytes()).await.expect("answers");
            let mut through = [0; 5];
            if stream.read_exact(&mut through).await.is_ok() {
                stream.write_all(&through).await.expect("echoes");
            }
            String::from_utf8_lossy(&head).into_owned()
        });
        (port, asked)
    }

    fn built(matcher: Builder) -> Proxies {
        Proxies::new(matcher.build(), "")
    }

    #[tokio::test]
    async fn an_http_proxy_is_asked_for_a_tunnel() {
        let (port, mut asked) = proxy("HTTP/1.1 200 OK\r\n\r\n").await;
        let all = format!("http://lab:pa55@127.0.0.1:{port}");
        let proxies = built(Matcher::builder().all(all).no("near.example"));
        let (mut stream, is_by_proxy) = connect_by(&proxies, true, "relay.example", 443)
            .await
            .expect("connects");
        assert!(is_by_proxy);
        stream.write_all(b"hello").await.expect("sends");
        let mut hello = [0; 5];
        stream.read_exact(&mut hello).await.expect("reads");
        assert_eq!(&hello, b"hello");
        let head = asked.join_next().await.expect("one").expect("no panic");
        assert!(
            head.starts_with("CONNECT relay.example:443 HTTP/1.1\r\n"),
            "{head}"
        );
        assert!(
            head.to_lowercase()
                .contains("proxy-authorization: basic bgfionbhntu="),
            "{head}"
        );
    }

    #[tokio::test]
    async fn what_a_proxy_refuses_is_said_without_its_password() {
        let (port, _asked) = proxy("HTTP/1.1 403 Forbidden\r\n\r\n").await;
        let all = format!("http://lab:pa55@127.0.0.1:{port}");
        let proxies = built(Matcher::builder().all(all));
        let error = connect_by(&proxies, true, "relay.example", 443)
            .await
            .expect_err("is refused");
        let said = error.words(engine::model::Visibility::MAINTAINER);
        assert_eq!(error.as_str(), "proxy");
        assert!(
            said.contains(
                "answered 403 Forbidden to CONNECT relay.example:443: it must let websockets through, or name the host in NO_PROXY"
            ) && said.contains(&format!("the proxy 127.0.0.1:{port}"))
                && !said.contains("pa55"),
            "{said}"
        );
        for (proxy, words) in [
            (
                "https://127.0.0.1:1",
                "https is not supported for websockets: use http, socks5 or socks5h",
            ),
            ("http://127.0.0.1:1", "127.0.0.1:1"),
            ("socks5://127.0.0.1:1", "127.0.0.1:1"),
        ] {
            let proxies = built(Matcher::builder().all(proxy));
            let error = connect_by(&proxies, true, "relay.example", 443)
                .await
                .expect_err("there is no such proxy");
            assert_eq!(error.as_str(), "proxy", "{error}");
            let said = error.words(engine::model::Visibility::MAINTAINER);
            assert!(said.contains(words), "{said}");
        }
    }

    #[tokio::test]
    async fn failures_to_reach_a_host_are_distinguished() {
        let straight = Proxies::none();
        let refused = connect_by(&straight, false, "127.0.0.1", 1).await;
        assert_eq!(refused.expect_err("nothing there").as_str(), "refused");
        let lost = connect_by(&straight, false, "no-such-host.invalid", 80).await;
        assert_eq!(lost.expect_err("no such name").as_str(), "name-lookup");
    }

    #[tokio::test]
    async fn what_needs_no_proxy_goes_straight() {
        let listener = TcpListener::bind("127.0.0.1:0").await.expect("binds");
        let port = listener.local_addr().expect("bound").port();
        let proxies = built(Matcher::builder().all("http://127.0.0.1:1"));
        for host in ["127.0.0.1", "localhost"] {
            let (_, is_by_proxy) = connect_by(&proxies, false, host, port)
                .await
                .expect("connects");
            assert!(!is_by_proxy);
        }
    }
}
