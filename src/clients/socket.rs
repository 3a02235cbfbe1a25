//! One websocket, with limits on everything: opening it, keeping it alive, noticing that it is
//! dead, closing it. Does not interpret its messages, and never reconnects by itself.

use std::fmt;
use std::io;
use std::sync::Arc;
use std::time::Duration;

use futures_util::{SinkExt, StreamExt};
use rustls::ClientConfig;
use rustls::pki_types::ServerName;
use tokio::net::TcpStream;
use tokio::time::{Instant, sleep_until, timeout};
use tokio_rustls::TlsConnector;
use tokio_tungstenite::tungstenite::http::{Response, header::LOCATION};
use tokio_tungstenite::tungstenite::protocol::WebSocketConfig;
use tokio_tungstenite::tungstenite::protocol::frame::coding::CloseCode;
use tokio_tungstenite::tungstenite::protocol::{CloseFrame, Message};
use tokio_tungstenite::tungstenite::{Bytes, Error, Utf8Bytes, error::ProtocolError};
use tokio_tungstenite::{MaybeTlsStream, WebSocketStream, client_async_with_config};

use crate::clients;
use crate::clients::frames::AsBinary;
use crate::clients::ticket::WebsocketTicket;
use engine::model::CallError;

/// The largest message that is taken, in bytes: ten times relay's report of 10,000 experiments.
pub const MAX_MESSAGE_BYTES: usize = 64 << 20;

/// The largest frame, in bytes: relay sends a message of more than 8 KiB as one frame.
const MAX_FRAME_BYTES: usize = MAX_MESSAGE_BYTES;

/// The read buffer of a connection with reports, in bytes.
const REPORT_BUFFER_BYTES: usize = 16 << 10;

/// The read buffer of a stream that is sampled, in bytes: its first message is enough.
const SAMPLE_BUFFER_BYTES: usize = 4 << 10;

/// The most that may wait to be sent, in bytes. We send only commands of a few bytes, pings and
/// pongs.
const MAX_WRITE_BUFFER_BYTES: usize = 16 << 10;

/// The longest that connecting may take, TLS and upgrade included.
const CONNECT_WAIT: Duration = Duration::from_secs(10);

/// The longest that sending a few bytes may take. Longer means that the other side does not read.
const SEND_WAIT: Duration = Duration::from_millis(500);

/// The longest wait for the other side to close too. Two of these fit into the second of a stop.
const CLOSE_WAIT: Duration = Duration::from_millis(300);

/// The longest target of a redirect that is kept, in characters.
const MAX_LOCATION_CHARS: usize = 200;

/// The purpose of a connection, which decides how much memory it gets.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Use {
    /// Reports of some megabytes, over hours.
    Reports,
    /// The first message of a stream.
    Sample,
}

/// Keep-alive of a connection.
#[derive(Debug, Clone, Copy)]
pub struct Pace {
    /// The interval of our pings.
    pub ping_every: Duration,
    /// After this long without any whole message, ping or pong it counts as dead.
    pub dead_after: Duration,
}

/// The servers ping every 54 s and answer ours at once.
pub const PACE: Pace = Pace {
    ping_every: Duration::from_secs(20),
    dead_after: Duration::from_secs(50),
};

/// How an open connection ended.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum End {
    /// The other side closed it properly.
    Closed {
        /// The code of its close frame; 1005 when it gave none.
        code: u16,
        /// The reason of its close frame; may be empty.
        reason: String,
    },
    /// Cut without a close frame: the server died, our token ended, or the network broke.
    Cut,
    /// Nothing was received for this long, not even an answer to our pings.
    Dead(Duration),
    /// The other side does not read what we send.
    Stuck,
    /// The received bytes are no websocket traffic, or a message is larger than allowed.
    Broken(String),
}

impl fmt::Display for End {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Closed { code, reason } if reason.is_empty() => {
                write!(f, "it closed the connection (code {code})")
            }
            Self::Closed { code, reason } => {
                write!(f, "it closed the connection (code {code}: {reason})")
            }
            Self::Cut => write!(f, "the connection was cut"),
            Self::Dead(silence) => write!(
                f,
                "nothing came for {} s, not even an answer to pings",
                silence.as_secs()
            ),
            Self::Stuck => write!(f, "it does not take what is sent to it"),
            Self::Broken(what) => write!(f, "what came is no proper websocket traffic: {what}"),
        }
    }
}

/// The byte stream of a websocket.
type Wire = AsBinary<MaybeTlsStream<TcpStream>>;

/// An open websocket.
#[derive(Debug)]
pub struct Socket {
    stream: Box<WebSocketStream<Wire>>,
    is_by_proxy: bool,
    pace: Pace,
    last_received: Instant,
    next_ping: Instant,
}

impl Socket {
    /// Opens the websocket of the ticket.
    ///
    /// # Errors
    /// [`CallError::TimedOut`], the fault of the connection or of TLS by its cause,
    /// [`CallError::Dropped`] when the upgrade gets no response, a plain HTTP response by its
    /// status.
    pub async fn open(
        ticket: &WebsocketTicket,
        tls: &Arc<ClientConfig>,
        purpose: Use,
        pace: Pace,
    ) -> Result<Self, CallError> {
        let opened = timeout(CONNECT_WAIT, connect(ticket, tls, purpose)).await;
        let (stream, is_by_proxy) = opened.unwrap_or_else(|_| Err(silent(ticket)))?;
        let now = Instant::now();
        Ok(Self {
            stream: Box::new(stream),
            is_by_proxy,
            pace,
            last_received: now,
            next_ping: now + pace.ping_every,
        })
    }

    /// The next message, text or binary, joined from its fragments. Pings and answers pings
    /// meanwhile. Loses nothing when it is dropped before it is done.
    ///
    /// # Errors
    /// The connection's [`End`]; it cannot be used any more then.
    pub async fn next(&mut self) -> Result<Bytes, End> {
        loop {
            tokio::select! {
                message = self.stream.next() => {
                    self.last_received = Instant::now();
                    if let Some(data) = data_of(message)? {
                        return Ok(data);
                    }
                }
                () = sleep_until(self.next_ping) => self.ping().await?,
            }
        }
    }

    /// Whether it goes through our own proxy.
    pub fn is_by_proxy(&self) -> bool {
        self.is_by_proxy
    }

    /// Whether any data has been received, also of a message that is not whole yet, or is too long.
    pub fn has_carried(&self) -> bool {
        self.stream.get_ref().has_carried()
    }

    /// Sends a text.
    ///
    /// # Errors
    /// [`End::Stuck`], or how the connection ended meanwhile.
    pub async fn send(&mut self, text: impl Into<Utf8Bytes>) -> Result<(), End> {
        self.put(Message::text(text)).await
    }

    /// Closes it (1000), and waits a moment for the other side to close too.
    pub async fn close(mut self) {
        let goodbye = async {
            if self.say_goodbye().await.is_ok() {
                while self
                    .stream
                    .next()
                    .await
                    .is_some_and(|message| message.is_ok())
                {}
            }
        };
        let _ = timeout(CLOSE_WAIT, goodbye).await;
    }

    /// Closes it (1000) without waiting.
    pub async fn leave(mut self) {
        let _ = self.say_goodbye().await;
    }

    async fn say_goodbye(&mut self) -> Result<(), End> {
        self.put(Message::Close(Some(CloseFrame {
            code: CloseCode::Normal,
            reason: "".into(),
        })))
        .await
    }

    /// Sends a ping, unless the other side has been silent for too long.
    async fn ping(&mut self) -> Result<(), End> {
        let silence = self.last_received.elapsed();
        if silence >= self.pace.dead_after {
            return Err(End::Dead(silence));
        }
        self.next_ping = Instant::now() + self.pace.ping_every;
        self.put(Message::Ping(Bytes::new())).await
    }

    async fn put(&mut self, message: Message) -> Result<(), End> {
        match timeout(SEND_WAIT, self.stream.send(message)).await {
            Ok(sent) => sent.map_err(|error| end_of(&error)),
            Err(_) => Err(End::Stuck),
        }
    }
}

fn silent(ticket: &WebsocketTicket) -> CallError {
    let (host, port) = (
        ticket.url().host_str(),
        ticket.url().port_or_known_default(),
    );
    clients::silent(host.unwrap_or_default(), port.unwrap_or_default())
}

async fn connect(
    ticket: &WebsocketTicket,
    tls: &Arc<ClientConfig>,
    purpose: Use,
) -> Result<(WebSocketStream<Wire>, bool), CallError> {
    let url = ticket.url();
    let (Some(host), Some(port)) = (url.host_str(), url.port_or_known_default()) else {
        return Err(CallError::Protocol(
            "the uri that it hands out has no host".to_owned(),
        ));
    };
    let secure = url.scheme() == "wss";
    let (tcp, is_by_proxy) = clients::connect(secure, host, port).await?;
    tcp.set_nodelay(true)
        .map_err(|error| clients::no_websocket(&error, host, port))?;
    let failed = |error: Error| refusal(&error, host, port);
    let wire = if secure {
        over_tls(tcp, tls, host).await.map_err(failed)?
    } else {
        MaybeTlsStream::Plain(tcp)
    };
    client_async_with_config(url.as_str(), AsBinary::new(wire), Some(limits(purpose)))
        .await
        .map(|(stream, _)| (stream, is_by_proxy))
        .map_err(failed)
}

async fn over_tls(
    tcp: TcpStream,
    tls: &Arc<ClientConfig>,
    host: &str,
) -> Result<MaybeTlsStream<TcpStream>, Error> {
    let name = host.trim_start_matches('[').trim_end_matches(']');
    let name = ServerName::try_from(name.to_owned()).map_err(io::Error::other)?;
    let stream = TlsConnector::from(Arc::clone(tls)).connect(name, tcp);
    Ok(MaybeTlsStream::Rustls(stream.await?))
}

fn limits(purpose: Use) -> WebSocketConfig {
    let read = match purpose {
        Use::Reports => REPORT_BUFFER_BYTES,
        Use::Sample => SAMPLE_BUFFER_BYTES,
    };
    WebSocketConfig::default()
        .read_buffer_size(read)
        .write_buffer_size(0)
        .max_write_buffer_size(MAX_WRITE_BUFFER_BYTES)
        .max_message_size(Some(MAX_MESSAGE_BYTES))
        .max_frame_size(Some(MAX_FRAME_BYTES))
}

/// Why the upgrade to a websocket failed. The address, which holds a code, is not quoted.
fn refusal(error: &Error, host: &str, port: u16) -> CallError {
    if let Error::Http(answer) = error {
        refused_by(answer.status().as_u16(), location_of(answer), host, port)
    } else if was_cut(error) {
        CallError::Dropped
    } else if matches!(error, Error::Io(_) | Error::Tls(_)) {
        clients::no_websocket(error, host, port)
    } else if matches!(error, Error::Protocol(ProtocolError::HttparseError(_))) {
        CallError::Protocol(format!(
            "what answers at {host}:{port} is no HTTP: is it TLS? Set url_relay_socket or url_jump_socket to wss://{host}:{port}"
        ))
    } else {
        CallError::Protocol(format!("no websocket at {host}:{port}: {error}"))
    }
}

/// The error where the address of a websocket was answered in plain HTTP.
fn refused_by(status: u16, location: Option<String>, host: &str, port: u16) -> CallError {
    let place = format!("at {host}:{port} to the opening of a websocket");
    let words = match location {
        Some(location) => format!("{place}: it redirects to {location}"),
        None => format!("{place}; does the proxy pass upgrades on to the server?"),
    };
    clients::error_of_status(status, words)
}

/// The target of a redirect, without the query, which may hold a code.
fn location_of<B>(answer: &Response<B>) -> Option<String> {
    let location = answer.headers().get(LOCATION)?.to_str().ok()?;
    let bare = location.split(['?', '#']).next()?;
    Some(bare.chars().take(MAX_LOCATION_CHARS).collect())
}

/// The payload of a message that carries one.
fn data_of(message: Option<Result<Message, Error>>) -> Result<Option<Bytes>, End> {
    match message {
        Some(Ok(Message::Text(text))) => Ok(Some(text.into())),
        Some(Ok(Message::Binary(bytes))) => Ok(Some(bytes)),
        Some(Ok(Message::Ping(_) | Message::Pong(_) | Message::Frame(_))) => Ok(None),
        Some(Ok(Message::Close(frame))) => Err(closed(frame)),
        Some(Err(error)) => Err(end_of(&error)),
        None => Err(End::Cut),
    }
}

fn closed(frame: Option<CloseFrame>) -> End {
    match frame {
        Some(frame) => End::Closed {
            code: frame.code.into(),
            reason: frame.reason.chars().filter(|c| !c.is_control()).collect(),
        },
        None => End::Closed {
            code: CloseCode::Status.into(),
            reason: String::new(),
        },
    }
}

fn end_of(error: &Error) -> End {
    if was_cut(error) {
        End::Cut
    } else if matches!(error, Error::WriteBufferFull(_)) {
        End::Stuck
    } else if matches!(error, Error::Utf8(_)) {
        // Data is read as bytes, so that the error is the reason of a close frame.
        closed(None)
    } else {
        End::Broken(error.to_string())
    }
}

/// Whether the other side is gone without a close frame.
fn was_cut(error: &Error) -> bool {
    use ProtocolError::{HandshakeIncomplete, ResetWithoutClosingHandshake, SendAfterClosing};
    use std::io::ErrorKind::{
        BrokenPipe, ConnectionAborted, ConnectionReset, TimedOut, UnexpectedEof,
    };
    if let Error::Io(error) = error {
        return matches!(
            error.kind(),
            BrokenPipe | ConnectionAborted | ConnectionReset | TimedOut | UnexpectedEof
        );
    }
    let cut = |error: &ProtocolError| {
        matches!(
            error,
            HandshakeIncomplete | ResetWithoutClosingHandshake | SendAfterClosing
        )
    };
    matches!(error, Error::ConnectionClosed | Error::AlreadyClosed)
        || matches!(error, Error::Protocol(error) if cut(error))
}

#[cfg(test)]
mod tests {
    use std::net::{SocketAddr, TcpListener as StdListener};
    use std::thread;

    use rustls::pki_types::PrivateKeyDer;
    use rustls::{RootCertStore, ServerConfig, ServerConnection, StreamOwned};
    use tokio::io::AsyncWriteExt;
    use tokio_tungstenite::tungstenite::protocol::frame::Frame;
    use tokio_tungstenite::tungstenite::protocol::frame::coding::{Data, OpCode};

    use super::*;
    use crate::clients::client_config;
    use crate::clients::testing::{listener, open, pair, ticket};

    const QUICK: Pace = Pace {
        ping_every: Duration::from_millis(40),
        dead_after: Duration::from_millis(100),
    };

    #[tokio::test]
    async fn messages_come_and_pings_are_answered_meanwhile() {
        let (mut socket, mut peer) = pair(PACE).await;
        peer.send(Message::Ping(Bytes::from_static(b"x"))).await;
        peer.say("hello").await;
        assert_eq!(socket.next().await, Ok(Bytes::from_static(b"hello")));
        let (_, received) = tokio::join!(
            timeout(Duration::from_millis(50), socket.next()),
            peer.receive()
        );
        assert_eq!(received, "pong");
        socket.send("text").await.expect("sent");
        assert_eq!(peer.receive().await, "text");
    }

    /// A data frame with these bytes, whatever its opcode says about them.
    fn frame(opcode: Data, is_final: bool, bytes: &'static [u8]) -> Message {
        Message::Frame(Frame::message(bytes, OpCode::Data(opcode), is_final))
    }

    #[tokio::test]
    async fn text_that_is_no_utf8_is_taken_as_bytes() {
        let (mut socket, mut peer) = pair(PACE).await;
        assert!(!socket.has_carried());
        peer.send(frame(Data::Text, true, b"21\xb0C")).await;
        assert_eq!(socket.next().await, Ok(Bytes::from_static(b"21\xb0C")));
        peer.send(frame(Data::Text, false, b"\xff")).await;
        peer.send(frame(Data::Continue, true, b"\xfe")).await;
        assert_eq!(socket.next().await, Ok(Bytes::from_static(b"\xff\xfe")));
        peer.say("and on").await;
        assert_eq!(socket.next().await, Ok(Bytes::from_static(b"and on")));
        assert!(socket.has_carried());
    }

    #[tokio::test]
    async fn silence_without_pongs_is_death_and_with_pongs_is_not() {
        let (mut socket, peer) = pair(QUICK).await;
        assert!(
            matches!(socket.next().await, Err(End::Dead(silence)) if silence >= QUICK.dead_after)
        );
        drop(peer);
        let (mut socket, mut peer) = pair(QUICK).await;
        let alive = timeout(3 * QUICK.dead_after, async {
            tokio::join!(socket.next(), async {
                while peer.receive().await == "ping" {}
            })
        });
        assert!(alive.await.is_err());
    }

    #[tokio::test]
    async fn every_end_is_distinguished() {
        let (mut socket, peer) = pair(PACE).await;
        drop(peer);
        assert_eq!(socket.next().await, Err(End::Cut));
        let (mut socket, mut peer) = pair(PACE).await;
        peer.send(Message::Close(Some(CloseFrame {
            code: CloseCode::Away,
            reason: "bye\n".into(),
        })))
        .await;
        assert_eq!(
            socket.next().await,
            Err(End::Closed {
                code: 1001,
                reason: "bye".to_owned()
            })
        );
        let too_large = [0x82, 0x7f, 0, 0, 0, 0, 0x04, 0, 0, 1];
        for bytes in [too_large.as_slice(), &[b'H'; 200]] {
            let (mut socket, peer) = pair(PACE).await;
            let mut stream = peer.0.into_inner();
            stream.write_all(bytes).await.expect("written");
            assert!(
                matches!(socket.next().await, Err(End::Broken(_))),
                "{bytes:?}"
            );
        }
    }

    #[tokio::test]
    async fn both_sides_close_properly() {
        let (socket, mut peer) = pair(PACE).await;
        let (received, ()) = tokio::join!(peer.receive(), socket.close());
        assert_eq!(received, "close 1000");
    }

    /// The fault of an opening that is answered with these bytes, or not at all.
    async fn refused_with(answer: &'static [u8]) -> CallError {
        let (listener, address) = listener().await;
        let server = async {
            let (mut stream, _) = listener.accept().await.expect("a connection");
            stream.readable().await.expect("a request");
            let _ = stream.try_read(&mut [0; 1024]);
            stream.write_all(answer).await.expect("written");
        };
        let (opened, ()) = tokio::join!(open(address, PACE), server);
        opened.expect_err("no websocket")
    }

    #[tokio::test]
    async fn answers_without_websocket_are_distinguished_and_hide_the_code() {
        let rows: [(&[u8], &str); 5] = [
            (b"", "dropped"),
            (
                b"HTTP/1.1 404 Not Found\r\ncontent-length: 0\r\n\r\n",
                "not-found",
            ),
            (
                b"HTTP/1.1 403 Forbidden\r\ncontent-length: 0\r\n\r\n",
                "forbidden",
            ),
            (b"HTTP/1.1 200 OK\r\ncontent-length: 0\r\n\r\n", "sick"),
            (b"SSH-2.0-OpenSSH_9.2\r\n\r\n", "protocol"),
        ];
        for (answer, as_str) in rows {
            let fault = refused_with(answer).await;
            assert_eq!(fault.as_str(), as_str, "{fault}");
            assert!(!fault.to_string().contains("c0de"), "{fault}");
        }
        let nowhere = SocketAddr::from(([127, 0, 0, 1], 1));
        assert_eq!(
            open(nowhere, PACE)
                .await
                .map(|_| ())
                .map_err(|fault| fault.as_str()),
            Err("refused")
        );
    }

    /// A server for one websocket over TLS, which sends hello. Returns its address and the
    /// certificate to trust.
    fn tls_server() -> (SocketAddr, rustls::pki_types::CertificateDer<'static>) {
        let signed = rcgen::generate_simple_self_signed(vec!["localhost".to_owned()])
            .expect("a certificate");
        let certificate = signed.cert.der().clone();
        let key = PrivateKeyDer::try_from(signed.signing_key.serialize_der()).expect("a key");
        let provider = Arc::new(rustls::crypto::aws_lc_rs::default_provider());
        let builder = ServerConfig::builder_with_provider(provider)
            .with_safe_default_protocol_versions()
            .expect("versions");
        let config = Arc::new(
            builder
                .with_no_client_auth()
                .with_single_cert(vec![certificate.clone()], key)
                .expect("a server configuration"),
        );
        let listener = StdListener::bind("127.0.0.1:0").expect("a port");
        let address = listener.local_addr().expect("an address");
        thread::spawn(move || {
            for stream in listener.incoming().take(2).flatten() {
                let tls = ServerConnection::new(Arc::clone(&config)).expect("a connection");
                if let Ok(mut socket) =
                    tokio_tungstenite::tungstenite::accept(StreamOwned::new(tls, stream))
                {
                    socket.send(Message::text("hello")).expect("sent");
                    while socket.read().is_ok() {}
                }
            }
        });
        (address, certificate)
    }

    #[tokio::test]
    async fn tls_goes_by_the_configuration_that_is_given() {
        let (address, certificate) = tls_server();
        let untrusted = Arc::new(client_config(false).expect("a client configuration"));
        let refused = Socket::open(&ticket("wss", address), &untrusted, Use::Reports, PACE).await;
        assert_eq!(
            refused.map(|_| ()).map_err(|fault| fault.as_str()),
            Err("tls")
        );
        let mut roots = RootCertStore::empty();
        roots.add(certificate).expect("a root");
        let provider = Arc::new(rustls::crypto::aws_lc_rs::default_provider());
        let builder = ClientConfig::builder_with_provider(provider)
            .with_safe_default_protocol_versions()
            .expect("versions");
        let trusting = Arc::new(builder.with_root_certificates(roots).with_no_client_auth());
        let mut socket = Socket::open(&ticket("wss", address), &trusting, Use::Reports, PACE)
            .await
            .expect("opens");
        assert_eq!(socket.next().await, Ok(Bytes::from_static(b"hello")));
        socket.close().await;
    }
}
