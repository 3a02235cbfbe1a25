//! Serves a router to strangers: HTTP/1.1, over TLS or not, with a bound on everything that a client could hold on to. Knows no path and no
//! answer.

use std::io;
use std::net::SocketAddr;
use std::pin::pin;
use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;

use axum::Router;
use axum::http::Request;
use hyper::body::Incoming;
use hyper::server::conn::http1;
use hyper::service::Service;
use hyper_util::rt::{TokioIo, TokioTimer};
use hyper_util::service::TowerToHyperService;
use tokio::io::{AsyncRead, AsyncWrite};
use tokio::net::{TcpListener, TcpStream};
use tokio::sync::{OwnedSemaphorePermit, Semaphore};
use tokio::task::{JoinError, JoinSet};
use tokio::time::{sleep, timeout};
use tokio_rustls::TlsAcceptor;
use tokio_util::sync::CancellationToken;

use super::client::Peer;
use super::tls::Certificate;

/// How many connections are served at the same time, streams aside. Further ones wait in the system's queue until one ends.
pub const MAX_CONNECTIONS: usize = 256;

/// The longest time from opening a connection, or from the last answer on it, to the end of the next request's head.
pub const HEAD_TIMEOUT: Duration = Duration::from_secs(10);

/// The longest time for a TLS handshake. One under way takes the place of a connection, so there are at most [`MAX_CONNECTIONS`].
pub const HANDSHAKE_TIMEOUT: Duration = Duration::from_secs(10);

/// The longest life of a connection, so that a client that reads or sends drop by drop cannot keep its place for ever.
pub const CONNECTION_LIFE: Duration = Duration::from_secs(60);

/// The longest life of a connection that has become a stream. Whoever listens comes back and goes on where it was.
pub const STREAM_LIFE: Duration = Duration::from_secs(60 * 60);

/// How long an answer under way may still take after the stop, or after the end of its connection's life.
pub const DRAIN: Duration = Duration::from_secs(2);

/// The longest head of a request, in bytes.
pub const MAX_HEAD_BYTES: usize = 16 << 10;

/// After how many failures in a row to take a connection the listener counts as broken: at one a second, about a minute.
pub const MAX_ACCEPT_FAILURES: u32 = 60;

/// How long to wait after a failure to take a connection: file descriptors run out, and some come back.
const ACCEPT_PAUSE: Duration = Duration::from_secs(1);

/// Serves until `stop`, then lets the answers under way end, for at most [`DRAIN`].
///
/// # Errors
/// When the listener gives no connection [`MAX_ACCEPT_FAILURES`] times in a row; the error is the last one's.
pub async fn serve(
    listener: TcpListener,
    router: Router,
    stop: CancellationToken,
) -> io::Result<()> {
    serve_within(Limits::default(), None, listener, router, stop).await
}

/// Serves over TLS until `stop`, as [`serve`] does without.
///
/// # Errors
/// As [`serve`]; also when no TLS can be set up, of which no case is known.
pub async fn serve_over_tls(
    certificate: Arc<Certificate>,
    listener: TcpListener,
    router: Router,
    stop: CancellationToken,
) -> io::Result<()> {
    let acceptor = certificate.acceptor().map_err(io::Error::other)?;
    serve_within(Limits::default(), Some(acceptor), listener, router, stop).await
}

/// The bounds on clients; tests take smaller ones.
#[derive(Debug, Clone, Copy)]
struct Limits {
    connections: usize,
    head: Duration,
    handshake: Duration,
    life: Duration,
    stream_life: Duration,
    drain: Duration,
}

impl Default for Limits {
    fn default() -> Self {
        Self {
            connections: MAX_CONNECTIONS,
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
    tls: Option<TlsAcceptor>,
    listener: TcpListener,
    router: Router,
    stop: CancellationToken,
) -> io::Result<()> {
    let stop = stop.child_token();
    let places = Arc::new(Semaphore::new(limits.connections));
    let mut connections = JoinSet::new();
    let mut failures = 0;
    let outcome = loop {
        tokio::select! {
            () = stop.cancelled() => break Ok(()),
            Some(ended) = connections.join_next() => note(ended),
            (place, taken) = next(&places, &listener) => match taken {
                Ok((stream, from)) => {
                    failures = 0;
                    let peer = Peer { address: from, tls: tls.is_some() };
                    let service = Known { peer, seat: Seat::new(place), inner: TowerToHyperService::new(router.clone()) };
                    connections.spawn(welcome(limits, tls.clone(), stream, service, stop.clone()));
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

/// The next connection, as soon as there is a place for it.
async fn next(
    places: &Arc<Semaphore>,
    listener: &TcpListener,
) -> (
    Option<OwnedSemaphorePermit>,
    io::Result<(TcpStream, SocketAddr)>,
) {
    // Nobody closes the places, so there always comes one.
    let place = Arc::clone(places).acquire_owned().await.ok();
    (place, listener.accept().await)
}

/// A connection's place among those that are served at the same time. Every request carries that of its connection.
#[derive(Debug, Clone)]
pub(super) struct Seat(Arc<Held>);

#[derive(Debug)]
struct Held {
    place: Mutex<Option<OwnedSemaphorePermit>>,
    streams: CancellationToken,
    cut: CancellationToken,
}

impl Seat {
    fn new(place: Option<OwnedSemaphorePermit>) -> Self {
        Self(Arc::new(Held {
            place: Mutex::new(place),
            streams: CancellationToken::new(),
            cut: CancellationToken::new(),
        }))
    }

    /// Says that the connection is a stream from now on: it lives longer, and leaves its place to another connection.
    /// Whoever says so bounds how many streams there are.
    pub(super) fn becomes_a_stream(&self) {
        self.0.streams.cancel();
        drop(
            self.0
                .place
                .lock()
                .unwrap_or_else(PoisonError::into_inner)
                .take(),
        );
    }

    /// Ends the connection: its client does not read.
    pub(super) fn cut(&self) {
        self.0.cut.cancel();
    }

    /// Waits until the connection has lived its life.
    async fn lived(&self, limits: Limits) {
        let life = async {
            tokio::select! { () = sleep(limits.life) => {} () = self.0.streams.cancelled() => sleep(limits.stream_life).await }
        };
        tokio::select! { () = life => {} () = self.0.cut.cancelled() => {} }
    }
}

/// The router, with each request told whose connection it came over and what place that has.
struct Known {
    peer: Peer,
    seat: Seat,
    inner: TowerToHyperService<Router>,
}

impl Service<Request<Incoming>> for Known {
    type Response = <TowerToHyperService<Router> as Service<Request<Incoming>>>::Response;
    type Error = <TowerToHyperService<Router> as Service<Request<Incoming>>>::Error;
    type Future = <TowerToHyperService<Router> as Service<Request<Incoming>>>::Future;

    fn call(&self, mut request: Request<Incoming>) -> Self::Future {
        request.extensions_mut().insert(self.peer);
        request.extensions_mut().insert(self.seat.clone());
        self.inner.call(request)
    }
}

/// Agrees with one client on TLS, where that is wanted, and answers it.
async fn welcome(
    limits: Limits,
    tls: Option<TlsAcceptor>,
    stream: TcpStream,
    service: Known,
    stop: CancellationToken,
) {
    let Some(tls) = tls else {
        return converse(limits, stream, service, stop).await;
    };
    let agreed = tokio::select! {
        () = stop.cancelled() => return,
        agreed = timeout(limits.handshake, tls.accept(stream)) => agreed,
    };
    match agreed {
        Ok(Ok(stream)) => converse(limits, stream, service, stop).await,
        Ok(Err(fault)) => tracing::debug!(%fault, "a client of the API does not agree on TLS"),
        Err(_) => tracing::debug!(
            "a connection to the API was cut: its client is too slow to agree on TLS"
        ),
    }
}

/// Answers one client until it leaves, is too slow, has lived its life, or the stop comes.
async fn converse(
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
        tokio::select! { () = stop.cancelled() => {} () = seat.lived(limits) => {} }
    };
    let ended = tokio::select! {
        ended = connection.as_mut() => Ok(ended),
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

/// Failures that say something about one client and nothing about the listener.
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

    /// A server of two paths: `/` answers at once, `/late` when it is told to, `/big` with more than any buffer holds.
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

        async fn start_with(limits: Limits, tls: Option<TlsAcceptor>) -> Self {
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
            tasks.spawn(serve_within(limits, tls, listener, router, stop.clone()));
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

    /// What comes until the server ends the connection, in whatever way.
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
        let acceptor = Certificate::load(files)
            .expect("loads")
            .acceptor()
            .expect("makes TLS");
        let server = Server::start_with(
            Limits {
                connections: 1,
                ..Limits::default()
            },
            Some(acceptor),
        )
        .await;
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

    #[tokio::test(start_paused = true)]
    async fn a_full_house_lets_the_next_one_in_when_a_place_is_free() {
        let server = Server::start(Limits {
            connections: 2,
            ..Limits::default()
        })
        .await;
        let _first = server.send("").await;
        let _second = server.send("").await;
        let start = Instant::now();
        assert!(server.ask("/").await.ends_with("hello"));
        assert_eq!(start.elapsed().as_secs(), HEAD_TIMEOUT.as_secs());
        server.end().await.expect("ends well");
    }

    #[tokio::test(start_paused = true)]
    async fn junk_gets_an_error_and_harms_nobody() {
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
    async fn an_answer_under_way_ends_before_the_stop() {
        let server = Server::start(Limits::default()).await;
        let reader = server.send(&request("/late")).await;
        server.asked.notified().await;
        server.stop.cancel();
        server.late.notify_one();
        assert!(rest(reader).await.ends_with("at last"));
        let address = server.address;
        server.end().await.expect("ends well");
        assert!(TcpStream::connect(address).await.is_err(), "nobody listens");
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
