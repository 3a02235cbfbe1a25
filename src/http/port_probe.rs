//! Detects whether another labwatch already owns the port. Sends one request, and recognises
//! labwatch by its headers alone.

use std::net::{IpAddr, Ipv4Addr, Ipv6Addr, SocketAddr};
use std::time::Duration;

use serde_json::Value;
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::TcpStream;
use tokio::time::timeout;

/// The value of the header `Server` in every answer of labwatch's API, successful or not.
pub(super) const SERVER: &str = concat!("labwatch/", env!("CARGO_PKG_VERSION"));

/// How long it may take to answer.
const WITHIN: Duration = Duration::from_secs(2);

/// The longest head of an answer that is read, in bytes.
const MAX_HEAD_BYTES: u64 = 8 << 10;

/// The longest answer that is read, in bytes: the status of 10,000 experiments is about 3 MB.
const MAX_STATUS_BYTES: u64 = 32 << 20;

/// The longest version that is shown, in characters.
const MAX_VERSION_CHARS: usize = 40;

/// The version of the labwatch that answers on this address; `None` where nothing answers in time,
/// or another program does. It is recognised whatever its answer is, so also while it is unwell.
pub async fn labwatch_on(address: SocketAddr) -> Option<String> {
    let asked = ask(reachable(address), MAX_HEAD_BYTES, Until::Head);
    let head = timeout(WITHIN, asked).await.ok()?.ok()?;
    version(&String::from_utf8_lossy(&head))
}

/// The answer of another labwatch about itself.
#[derive(Debug, Clone, PartialEq)]
pub struct StatusAnswer {
    pub version: String,
    /// 200 where it is OK, 503 where it is not, 401 where reading needs a token.
    pub status: u16,
    /// The answer, as `/status` has it.
    pub body: Value,
}

/// The status of the labwatch that answers on this address in plain HTTP; `None` where nothing
/// answers in time, or another program does.
pub async fn status_on(address: SocketAddr) -> Option<StatusAnswer> {
    let asked = ask(reachable(address), MAX_STATUS_BYTES, Until::End);
    let answer = timeout(WITHIN, asked).await.ok()?.ok()?;
    let end = answer.windows(4).position(|end| end == b"\r\n\r\n")?;
    let (head, body) = (answer.get(..end)?, answer.get(end + 4..)?);
    let head = String::from_utf8_lossy(head);
    Some(StatusAnswer {
        version: version(&head)?,
        status: head.split(' ').nth(1)?.parse().ok()?,
        body: serde_json::from_slice(body).ok()?,
    })
}

/// An address of this host for a server that listens on every address.
fn reachable(address: SocketAddr) -> SocketAddr {
    let ip = match address.ip() {
        IpAddr::V4(ip) if ip.is_unspecified() => Ipv4Addr::LOCALHOST.into(),
        IpAddr::V6(ip) if ip.is_unspecified() => Ipv6Addr::LOCALHOST.into(),
        IpAddr::V4(_) | IpAddr::V6(_) => address.ip(),
    };
    SocketAddr::new(ip, address.port())
}

/// How far an answer is read.
#[derive(Clone, Copy, PartialEq, Eq)]
enum Until {
    Head,
    End,
}

/// Sends the request in HTTP/1.0, whose answers end with the connection and are in one piece.
async fn ask(address: SocketAddr, most: u64, until: Until) -> std::io::Result<Vec<u8>> {
    let mut stream = TcpStream::connect(address).await?;
    let question = format!("GET /status HTTP/1.0\r\nhost: {address}\r\nconnection: close\r\n\r\n");
    stream.write_all(question.as_bytes()).await?;
    let mut answer = Vec::new();
    let mut stream = stream.take(most);
    let is_enough =
        |answer: &[u8]| until == Until::Head && answer.windows(4).any(|end| end == b"\r\n\r\n");
    while !is_enough(&answer) && stream.read_buf(&mut answer).await? > 0 {}
    Ok(answer)
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
    async fn a_caller_without_credentials_is_unknown() {
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
