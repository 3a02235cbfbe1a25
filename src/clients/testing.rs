//! A small server for the tests of this module: its access side answers as set, and the test itself
//! acts as the websocket side.

use std::collections::VecDeque;
use std::net::SocketAddr;
use std::sync::{Arc, Mutex};
use std::time::Duration;

use axum::Router;
use axum::http::{HeaderMap, StatusCode, Uri, header::AUTHORIZATION};
use futures_util::{SinkExt, StreamExt};
use tokio::net::{TcpListener, TcpStream};
use tokio::sync::mpsc;
use tokio::task::JoinSet;
use tokio::time::timeout;
use tokio_tungstenite::WebSocketStream;
use tokio_tungstenite::tungstenite::Message;
use url::Url;

use crate::clients::socket::{Pace, Socket, Use};
use crate::clients::ticket::WebsocketTicket;
use crate::clients::{Address, Http, client_config};
use engine::model::CallError;

/// Longer than anything in these tests takes.
pub const PATIENCE: Duration = Duration::from_secs(5);

/// How many connections and requests may wait for the test.
const QUEUE: usize = 512;

/// An access server, and a websocket server that hands its connections to the test.
pub struct FakeServer {
    access: SocketAddr,
    refusals: Arc<Mutex<VecDeque<(u16, String)>>>,
    requests: mpsc::Receiver<String>,
    sockets: mpsc::Receiver<WebSocketStream<TcpStream>>,
    _tasks: JoinSet<()>,
}

impl FakeServer {
    /// Starts it; it stops when it is dropped.
    pub async fn start() -> Self {
        let mut tasks = JoinSet::new();
        let (websocket, sockets) = serve_websockets(&mut tasks).await;
        let refusals = Arc::new(Mutex::new(VecDeque::new()));
        let (access, requests) = serve_access(&mut tasks, websocket, Arc::clone(&refusals)).await;
        Self {
            access,
            refusals,
            requests,
            sockets,
            _tasks: tasks,
        }
    }

    /// The address of its access side.
    pub fn address(&self) -> Address {
        address(self.access)
    }

    /// Sets the answer to the next access request.
    pub fn refuse(&self, status: u16, body: &str) {
        self.refusals
            .lock()
            .expect("not poisoned")
            .push_back((status, body.to_owned()));
    }

    /// The next access request: path, and a star where the token is bare.
    pub async fn request(&mut self) -> String {
        timeout(PATIENCE, self.requests.recv())
            .await
            .expect("a request in time")
            .expect("a request")
    }

    /// The next websocket connection.
    pub async fn accept(&mut self) -> Peer {
        Peer(
            timeout(PATIENCE, self.sockets.recv())
                .await
                .expect("a connection in time")
                .expect("a connection"),
        )
    }

    /// Whether a websocket connection is waiting to be accepted.
    pub fn has_visitor(&self) -> bool {
        !self.sockets.is_empty()
    }
}

/// The server's end of a websocket.
pub struct Peer(pub WebSocketStream<TcpStream>);

impl Peer {
    /// Sends a message.
    pub async fn send(&mut self, message: Message) {
        self.0.send(message).await.expect("sent");
    }

    /// Sends a text.
    pub async fn say(&mut self, text: &str) {
        self.send(Message::text(text)).await;
    }

    /// The next event as text: the text, `ping`, `pong`, `close 1000`, or `gone`.
    pub async fn receive(&mut self) -> String {
        match timeout(PATIENCE, self.0.next())
            .await
            .expect("a message in time")
        {
            Some(Ok(Message::Text(text))) => text.to_string(),
            Some(Ok(Message::Ping(_))) => "ping".to_owned(),
            Some(Ok(Message::Pong(_))) => "pong".to_owned(),
            Some(Ok(Message::Close(frame))) => {
                format!("close {}", frame.map_or(0, |frame| u16::from(frame.code)))
            }
            _ => "gone".to_owned(),
        }
    }
}

/// The address of an access server at this socket address.
pub fn address(access: SocketAddr) -> Address {
    Address {
        audience: "http://relay.example.org/access".to_owned(),
        connect: format!("http://{access}").parse().expect("a url"),
        websocket: None,
        secret: "somesecret".into(),
    }
}

/// A client without certificates, for plain HTTP.
pub fn http() -> Http {
    Http::new(
        PATIENCE,
        client_config(false).expect("a client configuration"),
    )
    .expect("a client")
}

/// A listener on a free port.
pub async fn listener() -> (TcpListener, SocketAddr) {
    let listener = TcpListener::bind("127.0.0.1:0").await.expect("a port");
    let address = listener.local_addr().expect("an address");
    (listener, address)
}

/// A ticket for a websocket there.
pub fn ticket(scheme: &str, address: SocketAddr) -> WebsocketTicket {
    WebsocketTicket::new(
        Url::parse(&format!(
            "{scheme}://localhost:{}/session/stats?code=c0de",
            address.port()
        ))
        .expect("a url"),
    )
}

/// Opens a websocket there, without TLS.
pub async fn open(address: SocketAddr, pace: Pace) -> Result<Socket, CallError> {
    let tls = Arc::new(client_config(false).expect("a client configuration"));
    Socket::open(&ticket("ws", address), &tls, Use::Sample, pace).await
}

/// A connection, and the server's end of it.
pub async fn pair(pace: Pace) -> (Socket, Peer) {
    let (listener, address) = listener().await;
    let accept = async {
        let (stream, _) = listener.accept().await.expect("a connection");
        Peer(
            tokio_tungstenite::accept_async(stream)
                .await
                .expect("a websocket"),
        )
    };
    let (socket, peer) = tokio::join!(open(address, pace), accept);
    (socket.expect("opens"), peer)
}

async fn serve_websockets(
    tasks: &mut JoinSet<()>,
) -> (SocketAddr, mpsc::Receiver<WebSocketStream<TcpStream>>) {
    let (listener, address) = listener().await;
    let (hand, sockets) = mpsc::channel(QUEUE);
    tasks.spawn(async move {
        while let Ok((stream, _)) = listener.accept().await {
            if let Ok(socket) = tokio_tungstenite::accept_async(stream).await {
                hand.send(socket).await.expect("the test looks");
            }
        }
    });
    (address, sockets)
}

async fn serve_access(
    tasks: &mut JoinSet<()>,
    websocket: SocketAddr,
    refusals: Arc<Mutex<VecDeque<(u16, String)>>>,
) -> (SocketAddr, mpsc::Receiver<String>) {
    let (listener, address) = listener().await;
    let (note, requests) = mpsc::channel(QUEUE);
    let router = Router::new().fallback(async move |uri: Uri, headers: HeaderMap| {
        let bare = headers
            .get(AUTHORIZATION)
            .and_then(|token| token.to_str().ok())
            .is_some_and(|token| token.starts_with("ey"));
        note.send(format!("{}{}", uri.path(), if bare { " *" } else { "" }))
            .await
            .expect("the test looks");
        let (status, body) = refusals
            .lock()
            .expect("not poisoned")
            .pop_front()
            .unwrap_or_else(|| {
                (
                    200,
                    format!(r#"{{"uri":"ws://{websocket}{}?code=c0de"}}"#, uri.path()),
                )
            });
        (StatusCode::from_u16(status).expect("a status"), body)
    });
    tasks.spawn(async move { axum::serve(listener, router).await.expect("serves") });
    (address, requests)
}
