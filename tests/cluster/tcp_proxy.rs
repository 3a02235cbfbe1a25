//! A TCP proxy between a replica and a server: it lets bytes through in both directions, in one, or
//! in none, as a network does that is broken.
//!
//! What does not get through is kept and delivered later, as TCP does when the network is mended
//! before the connection is given up.

use std::net::SocketAddr;
use std::sync::Arc;

use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::tcp::{OwnedReadHalf, OwnedWriteHalf};
use tokio::net::{TcpListener, TcpStream};
use tokio::sync::watch;
use tokio::task::JoinSet;

/// Which directions are open.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Way {
    /// To the server.
    pub there: bool,
    /// From the server.
    pub back: bool,
}

impl Way {
    pub const OPEN: Self = Self {
        there: true,
        back: true,
    };
    pub const CUT: Self = Self {
        there: false,
        back: false,
    };
    /// What is asked arrives, and no answer does.
    pub const NO_ANSWERS: Self = Self {
        there: true,
        back: false,
    };
    /// Nothing that is asked arrives.
    pub const NO_REQUESTS: Self = Self {
        there: false,
        back: true,
    };
}

/// One or more such proxies that are cut and mended together. It ends with this.
pub struct Network {
    way: Arc<watch::Sender<Way>>,
    tasks: JoinSet<()>,
}

impl Network {
    pub fn new() -> Self {
        Self {
            way: Arc::new(watch::Sender::new(Way::OPEN)),
            tasks: JoinSet::new(),
        }
    }

    /// A port that leads to this one, both of this host.
    pub async fn lead_to(&mut self, port: u16) -> u16 {
        let listener = TcpListener::bind("127.0.0.1:0").await.expect("binds");
        let own = listener.local_addr().expect("bound").port();
        let there = SocketAddr::from(([127, 0, 0, 1], port));
        self.tasks.spawn(serve(listener, there, self.way.clone()));
        own
    }

    /// Opens and closes directions, for connections that are there and new ones.
    pub fn set(&self, way: Way) {
        self.way.send_replace(way);
    }
}

async fn serve(listener: TcpListener, there: SocketAddr, way: Arc<watch::Sender<Way>>) {
    let mut connections = JoinSet::new();
    loop {
        tokio::select! {
            Ok((client, _)) = listener.accept() => {
                drop(connections.spawn(pass(client, there, way.clone())));
            }
            Some(_) = connections.join_next() => {}
        }
    }
}

/// Passes a connection on, once anything can get through.
async fn pass(client: TcpStream, there: SocketAddr, way: Arc<watch::Sender<Way>>) {
    let mut opened = way.subscribe();
    // A connection needs both directions to come about. The sender lives as long as this.
    let _ = opened.wait_for(|way| *way == Way::OPEN).await;
    let Ok(server) = TcpStream::connect(there).await else {
        return;
    };
    let (from_client, to_client) = client.into_split();
    let (from_server, to_server) = server.into_split();
    // The end of one direction ends the connection.
    tokio::select! {
        () = copy(from_client, to_server, way.subscribe(), |way| way.there) => {}
        () = copy(from_server, to_client, way.subscribe(), |way| way.back) => {}
    }
}

async fn copy(
    mut from: OwnedReadHalf,
    mut to: OwnedWriteHalf,
    mut way: watch::Receiver<Way>,
    is_open: fn(&Way) -> bool,
) {
    let mut buffer = vec![0; 1 << 14];
    loop {
        let read = from.read(&mut buffer).await;
        if way.wait_for(is_open).await.is_err() {
            return;
        }
        match read {
            Ok(length) if length > 0 => {
                if to.write_all(&buffer[..length]).await.is_err() {
                    return;
                }
            }
            Ok(_) | Err(_) => return,
        }
    }
}
