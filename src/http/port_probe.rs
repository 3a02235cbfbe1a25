//! Who answers on an address that we cannot have: another labwatch, or somebody else. Asks one question and believes only the headers.

use std::net::{IpAddr, Ipv4Addr, Ipv6Addr, SocketAddr};
use std::time::Duration;

use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::TcpStream;
use tokio::time::timeout;

/// What every answer of labwatch's API has in its header `Server`, good or bad.
pub(super) const SERVER: &str = concat!("labwatch/", env!("CARGO_PKG_VERSION"));

/// How long it may take to answer.
const WITHIN: Duration = Duration::from_secs(2);

/// The longest head of an answer that is read, in bytes.
const MAX_HEAD_BYTES: u64 = 8 << 10;

/// The longest version that is repeated, in characters.
const MAX_VERSION_CHARS: usize = 40;

/// The version of the labwatch that answers on this address; `None` where nobody answers in time, or somebody else does.
/// It is recognised whatever its answer is, so also while it is unwell.
pub async fn labwatch_on(address: SocketAddr) -> Option<String> {
    let head = timeout(WITHIN, head(reachable(address))).await.ok()?.ok()?;
    version(&head)
}

/// Who listens on every address is asked on this host.
fn reachable(address: SocketAddr) -> SocketAddr {
    let ip = match address.ip() {
        IpAddr::V4(ip) if ip.is_unspecified() => Ipv4Addr::LOCALHOST.into(),
        IpAddr::V6(ip) if ip.is_unspecified() => Ipv6Addr::LOCALHOST.into(),
        IpAddr::V4(_) | IpAddr::V6(_) => address.ip(),
    };
    SocketAddr::new(ip, address.port())
}

async fn head(address: SocketAddr) -> std::io::Result<String> {
    let mut stream = TcpStream::connect(address).await?;
    stream
        .write_all(
            format!("GET /status HTTP/1.1\r\nhost: {address}\r\nconnection: close\r\n\r\n")
                .as_bytes(),
        )
        .await?;
    let mut answer = Vec::new();
    let mut stream = stream.take(MAX_HEAD_BYTES);
    while !answer.windows(4).any(|end| end == b"\r\n\r\n")
        && stream.read_buf(&mut answer).await? > 0
    {}
    Ok(String::from_utf8_lossy(&answer).into_owned())
}

fn version(head: &str) -> Option<String> {
    let mut headers = head.lines().skip(1).take_while(|line| !line.is_empty());
    let server = headers
        .find_map(|line| {
            line.split_once(':')
                .filter(|(name, _)| name.eq_ignore_ascii_case("server"))
        })?
        .1;
    let version = server.trim().strip_prefix("labwatch/")?;
    Some(
        version
            .chars()
            .filter(|sign| !sign.is_control())
            .take(MAX_VERSION_CHARS)
            .collect(),
    )
}

#[cfg(test)]
mod tests {
    use tokio::net::TcpListener;
    use tokio::task::JoinSet;

    use super::*;

    async fn asked(answer: &'static str) -> Option<String> {
        let listener = TcpListener::bind("127.0.0.1:0").await.expect("binds");
        let address = listener.local_addr().expect("bound");
        let mut server = JoinSet::new();
        server.spawn(async move {
            let (mut stream, _) = listener.accept().await.expect("a client");
            let mut request = [0; 1024];
            let _ = stream.read(&mut request).await;
            let _ = stream.write_all(answer.as_bytes()).await;
            // Says no more, and leaves the connection open.
            std::future::pending::<()>().await;
        });
        labwatch_on(address).await
    }

    #[tokio::test]
    async fn labwatch_is_known_by_its_name_whatever_it_answers() {
        assert_eq!(
            asked("HTTP/1.1 200 OK\r\nserver: labwatch/0.1.0\r\n\r\n{}")
                .await
                .as_deref(),
            Some("0.1.0")
        );
        assert_eq!(
            asked("HTTP/1.1 503 Unavailable\r\ndate: x\r\nServer: labwatch/9.9\r\n\r\n")
                .await
                .as_deref(),
            Some("9.9")
        );
        for other in [
            "HTTP/1.1 200 OK\r\nserver: nginx\r\n\r\nserver: labwatch/1",
            "HTTP/1.1 200 OK\r\n\r\n",
            "220 mail\r\n\r\n",
        ] {
            assert_eq!(asked(other).await, None, "{other}");
        }
    }

    #[tokio::test]
    async fn who_says_nothing_is_nobody() {
        assert_eq!(asked("").await, None);
        let free = TcpListener::bind("127.0.0.1:0")
            .await
            .expect("binds")
            .local_addr()
            .expect("bound");
        assert_eq!(labwatch_on(free).await, None);
    }

    #[test]
    fn every_address_is_this_host() {
        let cases = [
            ("0.0.0.0:1", "127.0.0.1:1"),
            ("[::]:1", "[::1]:1"),
            ("10.0.0.1:1", "10.0.0.1:1"),
        ];
        for (given, asked) in cases {
            assert_eq!(
                reachable(given.parse().expect("an address")).to_string(),
                asked
            );
        }
    }
}
