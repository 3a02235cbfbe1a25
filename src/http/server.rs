//! Bounded HTTP/1.1 server, with or without TLS, that limits every resource a client could hold.
//! Knows no path.

use std::convert::Infallible;
use std::future::ready;
use std::io;
use std::net::SocketAddr;
use std::pin::{Pin, pin};
use std::sync::Arc;
use std::time::Duration;

use axum::Router;
use axum::body::Body;
use axum::http::header::{CONNECTION, HOST};
use axum::http::{HeaderValue, Request, Response, Version};
use axum::response::IntoResponse as _;
use hyper::body::Incoming;
use hyper::server::conn::http1;
use hyper::service::Service;
use hyper_util::rt::{TokioIo, TokioTimer};
use hyper_util::service::TowerToHyperService;
use ipnet::IpNet;
use tokio::io::{AsyncRead, AsyncWrite};
use tokio::net::{TcpListener, TcpStream};
use tokio::task::{JoinError, JoinSet};
use tokio::time::{sleep, timeout};
use tokio_rustls::TlsAcceptor;
use tokio_util::sync::CancellationToken;

use super::auth::client::Peer;
use super::places::{PlaceLimits, Places};
use super::seat::{Answered, Seat};
use super::tls::Certificate;
use super::{error, middleware};

/// How many connections are served at the same time, without streams. A further one replaces one
/// that waits for a request.
pub const MAX_CONNECTIONS: usize = 256;

/// How many of them one client may have. Clients on this host and trusted proxies may have all.
pub const MAX_CONNECTIONS_OF_ONE: usize = 64;

/// How many further connections only clients on this host may have, so that health is answered
/// under any load.
pub const CONNECTIONS_FOR_THIS_HOST: usize = 16;

/// The longest time from opening a connection, or from the last answer on it, to the end of the
/// next request's head.
pub const HEAD_TIMEOUT: Duration = Duration::from_secs(10);

/// The longest time for a TLS handshake. Meanwhile the connection has a place, which others may
/// take.
pub const HANDSHAKE_TIMEOUT: Duration = Duration::from_secs(10);

/// The maximum lifetime of a connection, so that a client that reads or sends drop by drop cannot
/// keep its place for ever.
pub const CONNECTION_LIFE: Duration = Duration::from_secs(60);

/// The maximum lifetime of a stream. A listener reconnects and continues where it was.
pub const STREAM_LIFE: Duration = Duration::from_secs(60 * 60);

/// How long an answer under way may still take after the stop, or after the maximum lifetime.
pub const DRAIN: Duration = Duration::from_secs(2);

/// The longest head of a request, in bytes.
pub const MAX_HEAD_BYTES: usize = 16 << 10;

/// After this many failures in a row to accept a connection the listener counts as broken: at one a
/// second, about a minute.
pub const MAX_ACCEPT_FAILURES: u32 = 60;

/// The wait after a failure to accept: file descriptors run out, and some are freed again.
const ACCEPT_PAUSE: Duration = Duration::from_secs(1);

/// The properties of a listener.
#[derive(Clone, Default)]
pub struct Door {
    /// The certificate; without one there is no TLS.
    pub certificate: Option<Arc<Certificate>>,
    /// The proxies that stand for many clients.
    pub trusted_proxies: Arc<[IpNet]>,
}

/// Serves without TLS until `stop`, then lets the answers under way end, for at most [`DRAIN`].
///
/// # Errors
/// As [`serve_through`].
pub async fn serve(
    listener: TcpListener,
    router: Router,
    stop: CancellationToken,
) -> io::Result<()> {
    serve_through(Door::default(), listener, router, stop).await
}

/// Serves with these properties until `stop`, then lets the answers under way end, for at most
/// [`DRAIN`].
///
/// # Errors
/// When accepting fails [`MAX_ACCEPT_FAILURES`] times in a row, with the last error. Also when TLS
/// cannot be set up, of which no case is known.
pub async fn serve_through(
    door: Door,
    listener: TcpListener,
    router: Router,
    stop: CancellationToken,
) -> io::Result<()> {
    serve_within(Limits::default(), door, listener, router, stop).await
}

/// The bounds on clients; tests use smaller ones.
#[derive(Debug, Clone, Copy)]
struct Limits {
    places: PlaceLimits,
    head: Duration,
    handshake: Duration,
    life: Duration,
    stream_life: Duration,
    drain: Duration,
}

impl Default for Limits {
    fn default() -> Self {
        Self {
            places: PlaceLimits {
                together: MAX_CONNECTIONS,
                of_one: MAX_CONNECTIONS_OF_ONE,
                for_this_host: CONNECTIONS_FOR_THIS_HOST,
            },
            head: HEAD_TIMEOUT,
            handshake: HANDSHAKE_TIMEOUT,
            life: CONNECTION_LIFE,
            stream_life: STREAM_LIFE,
            drain: DRAIN,
        }
    }
}

async fn serve_within(
    limits: Limits,
    door: Door,
    listener: TcpListener,
    router: Router,
    stop: CancellationToken,
) -> io::Result<()> {
    let stop = stop.child_token();
    let tls = door.certificate.as_ref().map(Certificate::acceptor);
    let tls = tls.transpose().map_err(io::Error::other)?;
    let places = Places::new(limits.places);
    let mut connections = JoinSet::new();
    let mut failures = 0;
    let outcome = loop {
        tokio::select! {
            () = stop.cancelled() => break Ok(()),
            Some(ended) = connections.join_next() => note(ended),
            accepted = listener.accept() => match accepted {
                Ok((stream, from)) => {
                    failures = 0;
                    if let Some(service) = admit(&places, &door, from, &router) {
                        connections.spawn(handshake(limits, tls.clone(), stream, service, stop.clone()));
                    }
                }
                Err(fault) if is_the_clients(&fault) => {}
                Err(fault) if failures == MAX_ACCEPT_FAILURES => break Err(fault),
                Err(fault) => {
                    failures += 1;
                    tracing::warn!(%fault, failures, "the API cannot take a connection; trying again");
                    sleep(ACCEPT_PAUSE).await;
                }
            },
        }
    };
    drop(listener);
    stop.cancel();
    drain(connections).await;
    outcome
}

/// Gives a new connection a place. One that gets none is closed.
fn admit(places: &Arc<Places>, door: &Door, from: SocketAddr, router: &Router) -> Option<Known> {
    let address = from.ip().to_canonical();
    let speaks_for_many = door
        .trusted_proxies
        .iter()
        .any(|network| network.contains(&address));
    let place = places.take(address, speaks_for_many)?;
    Some(Known {
        peer: Peer {
            address: from,
            tls: door.certificate.is_some(),
        },
        seat: Seat::new(place),
        inner: TowerToHyperService::new(router.clone()),
    })
}

/// The router, which adds to each request its connection and that one's place.
struct Known {
    peer: Peer,
    seat: Seat,
    inner: TowerToHyperService<Router>,
}

impl Service<Request<Incoming>> for Known {
    type Response = Response<Answered>;
    type Error = Infallible;
    type Future = Pin<Box<dyn Future<Output = Result<Self::Response, Infallible>> + Send>>;

    fn call(&self, mut request: Request<Incoming>) -> Self::Future {
        request.extensions_mut().insert(self.peer);
        let answering = self.seat.answers();
        if !has_one_host(&request) {
            let request = request.map(Body::new);
            let answer =
                middleware::with_common_headers(&request, error::bad_host().into_response());
            return Box::pin(ready(Ok(answering.until_read(closing(answer)))));
        }
        request.extensions_mut().insert(self.seat.clone());
        let answer = self.inner.call(request);
        Box::pin(async move { Ok(answering.until_read(answer.await?)) })
    }
}

/// Whether a request names one host, as every request of HTTP/1.1 must (RFC 9112, 3.2).
fn has_one_host<B>(request: &Request<B>) -> bool {
    let mut hosts = request.headers().get_all(HOST).iter();
    let first = hosts.next();
    let is_old = request.version() < Version::HTTP_11;
    hosts.next().is_none() && (is_old || first.is_some())
}

fn closing(mut answer: Response<Body>) -> Response<Body> {
    let close = HeaderValue::from_static("close");
    answer.headers_mut().insert(CONNECTION, close);
    answer
}

/// Does the TLS handshake, where there is one, and serves the client.
async fn handshake(
    limits: Limits,
    tls: Option<TlsAcceptor>,
    stream: TcpStream,
    service: Known,
    stop: CancellationToken,
) {
    let Some(tls) = tls else {
        return serve_client(limits, stream, service, stop).await;
    };
    let displaced = service.seat.displaced();
    let agreed = tokio::select! {
        () = stop.cancelled() => return,
        () = displaced.cancelled() => return,
        agreed = timeout(limits.handshake, tls.accept(stream)) => agreed,
    };
    match agreed {
        Ok(Ok(stream)) => serve_client(limits, stream, service, stop).await,
        Ok(Err(fault)) => tracing::debug!(%fault, "a client of the API does not agree on TLS"),
        Err(_) => tracing::debug!(
            "a connection to the API was cut: its client is too slow to agree on TLS"
        ),
    }
}

/// Serves one client until it disconnects, is too slow or reaches its maximum lifetime, or until
/// the stop.
async fn serve_client(
    limits: Limits,
    stream: impl AsyncRead + AsyncWrite + Unpin + 'static,
    service: Known,
    stop: CancellationToken,
) {
    let seat = service.seat.clone();
    let connection = http1::Builder::new()
        .timer(TokioTimer::new())
        .header_read_timeout(limits.head)
        .max_buf_size(MAX_HEAD_BYTES)
        .serve_connection(TokioIo::new(stream), service);
    let mut connection = pin!(connection);
    let over = async {
        tokio::select! { () = stop.cancelled() => {} () = seat.lived(limits.life, limits.stream_life) => {} }
    };
    let ended = tokio::select! {
        ended = connection.as_mut() => Ok(ended),
        // It waits for a request, so nothing is lost.
        () = seat.displaced().cancelled_owned() => return,
        () = over => {
            connection.as_mut().graceful_shutdown();
            timeout(limits.drain, connection).await
        }
    };
    match ended {
        Ok(Ok(())) => {}
        Ok(Err(fault)) => tracing::debug!(%fault, "a connection to the API ended badly"),
        Err(_) => tracing::debug!("a connection to the API was cut: its client is too slow"),
    }
}

/// Failures of one client, which do not concern the listener.
fn is_the_clients(fault: &io::Error) -> bool {
    matches!(
        fault.kind(),
        io::ErrorKind::ConnectionAborted
            | io::ErrorKind::ConnectionReset
            | io::ErrorKind::ConnectionRefused
    )
}

/// Waits for the connections, each of which bounds its own end.
async fn drain(mut connections: JoinSet<()>) {
    while let Some(ended) = connections.join_next().await {
        note(ended);
    }
}

fn note(ended: Result<(), JoinError>) {
    if let Err(fault) = ended {
        tracing::error!(%fault, "the API lost a connection by a mistake of its own; everything else goes on");
    }
}

#[cfg(test)]
mod tests {
    use axum::routing::get;
    use tokio::io::{AsyncReadExt, AsyncWriteExt};
    use tokio::sync::Notify;
    use tokio::time::Instant;

    use super::*;
    use crate::http::TlsFiles;

    /// A server of two paths: `/` answers at once, `/late` on command, `/big` with more than any
    /// buffer holds.
    struct Server {
        address: SocketAddr,
        stop: CancellationToken,
        late: Arc<Notify>,
        asked: Arc<Notify>,
        tasks: JoinSet<io::Result<()>>,
    }

    const BIG: usize = 64 << 20;

    impl Server {
        async fn start(limits: Limits) -> Self {
            Self::start_with(limits, None).await
        }

        async fn start_with(limits: Limits, certificate: Option<Arc<Certificate>>) -> Self {
            let listener = TcpListener::bind("127.0.0.1:0").await.expect("binds");
            let address = listener.local_addr().expect("has an address");
            let (stop, late, asked) = (
                CancellationToken::new(),
                Arc::new(Notify::new()),
                Arc::new(Notify::new()),
            );
            let handler = {
                let (late, asked) = (Arc::clone(&late), Arc::clone(&asked));
                move || async move {
                    asked.notify_one();
                    late.notified().await;
                    "at last"
                }
            };
            let router = Router::new()
                .route("/", get(async || "hello"))
                .route("/late", get(handler))
                .route("/big", get(async || vec![b'x'; BIG]));
            let mut tasks = JoinSet::new();
            let door = Door {
                certificate,
                ..Door::default()
            };
            tasks.spawn(serve_within(limits, door, listener, router, stop.clone()));
            Self {
                address,
                stop,
                late,
                asked,
                tasks,
            }
        }

        async fn send(&self, text: &str) -> TcpStream {
            let mut stream = TcpStream::connect(self.address).await.expect("connects");
            stream.write_all(text.as_bytes()).await.expect("sends");
            stream
        }

        async fn ask(&self, path: &str) -> String {
            rest(self.send(&request(path)).await).await
        }

        async fn end(mut self) -> io::Result<()> {
            self.stop.cancel();
            self.tasks
                .join_next()
                .await
                .expect("it runs")
                .expect("it does not panic")
        }
    }

    fn request(path: &str) -> String {
        format!("GET {path} HTTP/1.1\r\nhost: x\r\nconnection: close\r\n\r\n")
    }

    /// All that arrives until the server ends the connection, in whatever way.
    async fn rest(mut stream: TcpStream) -> String {
        let mut bytes = Vec::new();
        let _ended_how = stream.read_to_end(&mut bytes).await;
        String::from_utf8_lossy(&bytes).into_owned()
    }

    #[tokio::test(start_paused = true)]
    async fn a_client_that_sends_drop_by_drop_is_cut() {
        let server = Server::start(Limits::default()).await;
        let start = Instant::now();
        let mut slow = server.send("GET / HTTP/1.1\r\n").await;
        sleep(HEAD_TIMEOUT / 2).await;
        slow.write_all(b"host: x\r\n").await.expect("still open");
        assert!(!rest(slow).await.contains("200 OK"));
        assert_eq!(start.elapsed().as_secs(), HEAD_TIMEOUT.as_secs());
        assert!(server.ask("/").await.ends_with("hello"));
        server.end().await.expect("ends well");
    }

    #[tokio::test(start_paused = true)]
    async fn a_client_that_agrees_on_tls_drop_by_drop_is_cut() {
        let folder = tempfile::tempdir().expect("a folder");
        let signed = rcgen::generate_simple_self_signed(vec!["localhost".to_owned()])
            .expect("a certificate");
        let files = TlsFiles {
            certificate: folder.path().join("cert.pem"),
            key: folder.path().join("key.pem"),
        };
        std::fs::write(&files.certificate, signed.cert.pem()).expect("writes");
        std::fs::write(&files.key, signed.signing_key.serialize_pem()).expect("writes");
        let certificate = Certificate::load(files).expect("loads");
        let server = Server::start_with(Limits::default(), Some(certificate)).await;
        let start = Instant::now();
        let mut slow = server.send("\u{16}\u{3}\u{1}").await;
        sleep(HANDSHAKE_TIMEOUT / 2).await;
        slow.write_all(b"\x02").await.expect("still open");
        assert_eq!(rest(slow).await, "");
        assert_eq!(start.elapsed().as_secs(), HANDSHAKE_TIMEOUT.as_secs());
        let junk = rest(server.send("GET / HTTP/1.1\r\n\r\n").await).await;
        assert!(
            !junk.contains("HTTP/1.1"),
            "its place is free again, and who speaks no TLS gets no answer: {junk}"
        );
        server.end().await.expect("ends well");
    }

    #[tokio::test(start_paused = true)]
    async fn a_client_that_does_not_read_is_cut() {
        let server = Server::start(Limits::default()).await;
        let slow = server.send(&request("/big")).await;
        sleep(CONNECTION_LIFE + DRAIN + Duration::from_secs(1)).await;
        assert!(rest(slow).await.len() < BIG);
        server.end().await.expect("ends well");
    }

    /// More clients than places, which send nothing or a part of a head: the next one is answered
    /// at once.
    #[tokio::test(start_paused = true)]
    async fn clients_that_send_nothing_keep_out_no_others() {
        let server = Server::start(Limits::default()).await;
        let mut hostile = Vec::new();
        for n in 0..2 * MAX_CONNECTIONS {
            let part = ["", "GET / HTTP/1.1\r\nhost"];
            hostile.push(server.send(part[n % 2]).await);
        }
        let start = Instant::now();
        assert!(server.ask("/").await.ends_with("hello"));
        assert!(start.elapsed() < Duration::from_millis(50));
        let first = hostile.swap_remove(0);
        assert_eq!(rest(first).await, "", "the oldest made room");
        server.end().await.expect("ends well");
    }

    #[tokio::test(start_paused = true)]
    async fn an_answer_under_way_makes_no_room() {
        let server = Server::start(Limits {
            places: PlaceLimits {
                together: 1,
                of_one: 1,
                for_this_host: 0,
            },
            ..Limits::default()
        })
        .await;
        let reader = server.send(&request("/late")).await;
        server.asked.notified().await;
        assert_eq!(server.ask("/").await, "", "there is no place");
        server.late.notify_one();
        assert!(rest(reader).await.ends_with("at last"));
        assert!(server.ask("/").await.ends_with("hello"));
        server.end().await.expect("ends well");
    }

    #[tokio::test(start_paused = true)]
    async fn junk_gets_an_error_and_does_no_harm() {
        let server = Server::start(Limits::default()).await;
        assert!(
            rest(server.send("\u{0}\u{1}junk\r\n\r\n").await)
                .await
                .starts_with("HTTP/1.1 400")
        );
        let long = format!("GET /{} HTTP/1.1\r\n\r\n", "x".repeat(2 * MAX_HEAD_BYTES));
        assert!(!rest(server.send(&long).await).await.contains("200 OK"));
        assert!(server.ask("/").await.ends_with("hello"));
        server.end().await.expect("ends well");
    }

    #[tokio::test(start_paused = true)]
    async fn a_request_names_one_host() {
        let server = Server::start(Limits::default()).await;
        for (head, status) in [
            (
                "GET / HTTP/1.1\r\nhost: x\r\nconnection: close\r\n\r\n",
                "200",
            ),
            ("GET / HTTP/1.1\r\nconnection: close\r\n\r\n", "400"),
            ("GET / HTTP/1.1\r\nhost: x\r\nhost: x\r\n\r\n", "400"),
            ("GET / HTTP/1.0\r\n\r\n", "200"),
        ] {
            let answer = rest(server.send(head).await).await;
            assert!(answer.contains(&format!(" {status} ")), "{head}: {answer}");
        }
        server.end().await.expect("ends well");
    }

    #[tokio::test(start_paused = true)]
    async fn an_answer_under_way_ends_before_the_stop() {
        let server = Server::start(Limits::default()).await;
        let reader = server.send(&request("/late")).await;
        server.asked.notified().await;
        server.stop.cancel();
        server.late.notify_one();
        assert!(rest(reader).await.ends_with("at last"));
        let address = server.address;
        server.end().await.expect("ends well");
        assert!(
            TcpStream::connect(address).await.is_err(),
            "there is no listener"
        );
    }

    #[tokio::test(start_paused = true)]
    async fn an_answer_that_never_comes_does_not_hold_the_stop() {
        let server = Server::start(Limits::default()).await;
        let _reader = server.send(&request("/late")).await;
        server.asked.notified().await;
        let start = Instant::now();
        server.end().await.expect("ends well");
        assert_eq!(start.elapsed().as_secs(), DRAIN.as_secs());
    }
}
