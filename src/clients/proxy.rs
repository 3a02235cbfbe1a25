//! The way out for what is no HTTP call: straight, or through the proxy that the environment names (`HTTP_PROXY`, `HTTPS_PROXY`,
//! `ALL_PROXY`, `NO_PROXY`), as HTTP calls go by themselves.

use std::error::Error;
use std::io;
use std::time::Duration;

use hyper::Uri;
use hyper::service::Service as _;
use hyper_util::client::legacy::connect::HttpConnector;
use hyper_util::client::legacy::connect::proxy::{SocksV5, Tunnel};
use hyper_util::client::proxy::matcher::{Intercept, Matcher};
use hyper_util::service::TowerToHyperService;
use tokio::net::TcpStream;

use super::classify::{not_connected, place_of};
use super::connect::{ConnectError, ConnectFailure, dial};
use engine::model::CallError;

/// Where a SOCKS proxy listens unless its address says so.
const SOCKS_PORT: u16 = 1080;

/// The longest that connecting straight may take, all addresses together.
const STRAIGHT_WAIT: Duration = Duration::from_secs(10);

/// A connection to a host, for a websocket. `secure` says whether TLS will go over it, which decides whose proxy it is.
///
/// # Errors
/// When neither the host nor its proxy can be reached, or the proxy refuses. The text names no secret.
pub async fn connect(secure: bool, host: &str, port: u16) -> Result<TcpStream, CallError> {
    connect_by(&Matcher::from_env(), secure, host, port).await
}

/// Why there is no connection for a websocket at this place.
pub fn no_websocket(error: &(dyn Error + 'static), host: &str, port: u16) -> CallError {
    not_connected(error, format!("websocket at {host}:{port}: {error}"), None)
}

fn not_dialled(error: &ConnectError) -> CallError {
    let what = format!("websocket: {error}");
    match error.failure {
        ConnectFailure::Lookup(_)
        | ConnectFailure::LookupTimedOut(_)
        | ConnectFailure::NoAddress => CallError::NameLookup(what),
        ConnectFailure::NoRoute => CallError::NoRoute(what),
        ConnectFailure::Refused => CallError::Refused(what),
        ConnectFailure::TimedOut(_) => CallError::TimedOut,
        ConnectFailure::Other(_) => CallError::Unreachable(what),
    }
}

async fn connect_by(
    proxies: &Matcher,
    secure: bool,
    host: &str,
    port: u16,
) -> Result<TcpStream, CallError> {
    let scheme = if secure { "https" } else { "http" };
    let there: Uri = format!("{scheme}://{host}:{port}")
        .parse()
        .map_err(|error| CallError::Protocol(format!("websocket at {host}:{port}: {error}")))?;
    match proxies.intercept(&there) {
        None => dial(host, port, STRAIGHT_WAIT)
            .await
            .map_err(|error| not_dialled(&error)),
        Some(proxy) => through(&proxy, there).await.map_err(|error| {
            let what = format!("websocket at {host}:{port}: {error}");
            not_connected(&error, what, Some(&place_of(&proxy)))
        }),
    }
}

async fn through(proxy: &Intercept, there: Uri) -> io::Result<TcpStream> {
    let refused = |why: &dyn std::fmt::Display| io::Error::other(why.to_string());
    let mut connector = HttpConnector::new();
    connector.enforce_http(false);
    let stream = match proxy.uri().scheme_str() {
        Some("http") => {
            let tunnel = Tunnel::new(proxy.uri().clone(), connector);
            let tunnel = match proxy.basic_auth() {
                Some(auth) => tunnel.with_auth(auth.clone()),
                None => tunnel,
            };
            TowerToHyperService::new(tunnel)
                .call(there)
                .await
                .map_err(|error| refused(&error))?
        }
        Some(scheme @ ("socks5" | "socks5h")) => {
            let socks =
                SocksV5::new(with_port(proxy.uri())?, connector).local_dns(scheme == "socks5");
            let socks = match proxy.raw_auth() {
                Some((user, password)) => socks.with_auth(user.to_owned(), password.to_owned()),
                None => socks,
            };
            TowerToHyperService::new(socks)
                .call(there)
                .await
                .map_err(|error| refused(&error))?
        }
        other => {
            return Err(refused(&format!(
                "{} is not supported for websockets: use http, socks5 or socks5h",
                other.unwrap_or("its kind")
            )));
        }
    };
    Ok(stream.into_inner())
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
    use tokio::io::{AsyncReadExt, AsyncWriteExt};
    use tokio::net::TcpListener;
    use tokio::task::JoinSet;

    use super::*;

    /// A proxy that answers a request for a tunnel so, and sends back what comes through it; what it was asked is given back.
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

    #[tokio::test]
    async fn an_http_proxy_is_asked_for_a_tunnel() {
        let (port, mut asked) = proxy("HTTP/1.1 200 OK\r\n\r\n").await;
        let proxies = Matcher::builder()
            .all(format!("http://lab:pa55@127.0.0.1:{port}"))
            .no("near.example")
            .build();
        let mut stream = connect_by(&proxies, true, "relay.example", 443)
            .await
            .expect("connects");
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
        let proxies = Matcher::builder()
            .all(format!("http://lab:pa55@127.0.0.1:{port}"))
            .build();
        let error = connect_by(&proxies, true, "relay.example", 443)
            .await
            .expect_err("is refused");
        let said = error.to_string();
        assert_eq!(error.as_str(), "proxy");
        assert!(
            said.contains("websocket at relay.example:443") && !said.contains("pa55"),
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
            let proxies = Matcher::builder().all(proxy).build();
            let error = connect_by(&proxies, true, "relay.example", 443)
                .await
                .expect_err("there is no such proxy");
            assert_eq!(error.as_str(), "proxy", "{error}");
            assert!(error.to_string().contains(words), "{error}");
        }
    }

    #[tokio::test]
    async fn what_keeps_us_from_a_host_is_told_apart() {
        let straight = Matcher::builder().build();
        let refused = connect_by(&straight, false, "127.0.0.1", 1).await;
        assert_eq!(refused.expect_err("nothing there").as_str(), "refused");
        let lost = connect_by(&straight, false, "no-such-host.invalid", 80).await;
        assert_eq!(lost.expect_err("no such name").as_str(), "name-lookup");
    }

    #[tokio::test]
    async fn what_needs_no_proxy_goes_straight() {
        let listener = TcpListener::bind("127.0.0.1:0").await.expect("binds");
        let port = listener.local_addr().expect("bound").port();
        let proxies = Matcher::builder()
            .all("http://127.0.0.1:1")
            .no("127.0.0.1")
            .build();
        connect_by(&proxies, false, "127.0.0.1", port)
            .await
            .expect("connects");
    }
}
