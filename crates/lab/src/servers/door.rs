//! A listening port that can be closed and reopened, as a server's is when it is killed and
//! started. Knows no protocol.

use std::future::Future;
use std::net::{Ipv4Addr, SocketAddr};
use std::time::Duration;

use tokio::net::{TcpListener, TcpStream};
use tokio::sync::Mutex;
use tokio::task::JoinSet;
use tokio::time::sleep;

use super::error::LabError;
use crate::Server;

/// How many connections a port takes at once; further ones are dropped.
const MAX_CONNECTIONS: usize = 4096;

/// How long to wait after a failed `accept`, which is usually a lack of file descriptors.
const ACCEPT_AGAIN_AFTER: Duration = Duration::from_millis(20);

/// A port of one of the servers, with the task that serves it.
#[derive(Debug)]
pub(super) struct Door {
    server: Server,
    pub address: SocketAddr,
    tasks: Mutex<JoinSet<()>>,
}

impl Door {
    /// Binds a port on 127.0.0.1 (0: any).
    pub async fn bind(server: Server, port: u16) -> Result<(Self, TcpListener), LabError> {
        let (listener, address) = listen(server, port).await?;
        Ok((
            Self {
                server,
                address,
                tasks: Mutex::default(),
            },
            listener,
        ))
    }

    /// Listens on the same port again.
    pub async fn listen(&self) -> Result<TcpListener, LabError> {
        Ok(listen(self.server, self.address.port()).await?.0)
    }

    /// Runs a task until the door is closed.
    pub async fn run(&self, task: impl Future<Output = ()> + Send + 'static) {
        self.tasks.lock().await.spawn(task);
    }

    /// Whether it is served.
    pub async fn is_open(&self) -> bool {
        !self.tasks.lock().await.is_empty()
    }

    /// Closes the listener and drops every connection.
    pub async fn close(&self) {
        self.tasks.lock().await.shutdown().await;
    }
}

async fn listen(server: Server, port: u16) -> Result<(TcpListener, SocketAddr), LabError> {
    let failed = |source| LabError::Port {
        server,
        port,
        source,
    };
    let listener = TcpListener::bind((Ipv4Addr::LOCALHOST, port))
        .await
        .map_err(failed)?;
    let address = listener.local_addr().map_err(failed)?;
    Ok((listener, address))
}

/// Passes every connection to `handle`. When this future is dropped, all of them are closed
/// abruptly.
pub(super) async fn accept<Handling>(listener: TcpListener, handle: impl Fn(TcpStream) -> Handling)
where
    Handling: Future<Output = ()> + Send + 'static,
{
    let mut connections = JoinSet::new();
    loop {
        tokio::select! {
            accepted = listener.accept() => match accepted {
                Ok((stream, _)) if connections.len() < MAX_CONNECTIONS => {
                    let _ = stream.set_nodelay(true);
                    connections.spawn(handle(stream));
                }
                Ok(_) => {}
                Err(_) => sleep(ACCEPT_AGAIN_AFTER).await,
            },
            Some(_) = connections.join_next() => {}
        }
    }
}
