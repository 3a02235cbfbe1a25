//! relay or jump as a process: two ports and a reporter around a hub. Starts, stops and breaks as the real one does.

use std::sync::{Arc, PoisonError};

use tokio::io::AsyncWriteExt;
use tokio::net::{TcpListener, TcpStream};

use super::access::{self, Rules};
use super::door::{Door, accept};
use super::error::{LabError, Server};
use super::http::{Answer, Request, read_request};
use super::hub::{Hub, Kind, Mood, Seat, guest};
use super::socket::{Conversation, acceptance, stay_mute};
use super::{reporter, token::Claims};

/// What a station is made from.
pub(super) struct Setup {
    pub server: Server,
    pub hub: Hub,
    pub audience: Option<String>,
    pub secret: String,
    pub allow_no_booking_id: bool,
    pub access_port: u16,
    pub socket_port: u16,
}

/// A running relay or jump.
pub(super) struct Station {
    pub hub: Arc<Hub>,
    rules: Arc<Rules>,
    access: Door,
    socket: Door,
}

impl Station {
    /// Takes the ports and starts.
    pub async fn start(setup: Setup) -> Result<Self, LabError> {
        let (access, access_listener) = Door::bind(setup.server, setup.access_port).await?;
        let (socket, socket_listener) = Door::bind(setup.server, setup.socket_port).await?;
        let rules = Rules {
            audience: setup
                .audience
                .unwrap_or_else(|| format!("http://{}", access.address)),
            secret: setup.secret.into(),
            socket: format!("ws://{}", socket.address),
            allow_no_booking_id: setup.allow_no_booking_id,
        };
        let station = Self {
            hub: Arc::new(setup.hub),
            rules: Arc::new(rules),
            access,
            socket,
        };
        station.open_access(access_listener).await;
        station.open_socket(socket_listener).await;
        Ok(station)
    }

    /// Host and port of the access API.
    pub fn host(&self) -> String {
        self.access.address.to_string()
    }

    /// What it wants to find in `aud`.
    pub fn audience(&self) -> &str {
        &self.rules.audience
    }

    /// Changes the secret: tokens signed with the old one are refused from now on.
    pub fn set_secret(&self, secret: &str) {
        secret.clone_into(
            &mut self
                .rules
                .secret
                .lock()
                .unwrap_or_else(PoisonError::into_inner),
        );
    }

    /// Kills the process: the ports are closed, and every socket is dropped without a close frame.
    pub async fn kill(&self) {
        self.access.close().await;
        self.socket.close().await;
    }

    /// Starts it again on the same ports, knowing nobody. `false` and nothing else when it was running.
    pub async fn start_again(&self) -> Result<bool, LabError> {
        if self.socket.is_open().await {
            return Ok(false);
        }
        let (access, socket) = (self.access.listen().await?, self.socket.listen().await?);
        self.hub.restart();
        self.open_access(access).await;
        self.open_socket(socket).await;
        Ok(true)
    }

    /// Closes the access API alone, as a server does that was asked to stop; open sockets go on.
    pub async fn refuse(&self) {
        self.access.close().await;
    }

    /// Opens the access API again.
    pub async fn welcome(&self) -> Result<(), LabError> {
        if !self.access.is_open().await && self.socket.is_open().await {
            self.open_access(self.access.listen().await?).await;
        }
        Ok(())
    }

    async fn open_access(&self, listener: TcpListener) {
        let (hub, rules) = (Arc::clone(&self.hub), Arc::clone(&self.rules));
        let handle = move |stream| serve_access(stream, Arc::clone(&hub), Arc::clone(&rules));
        self.access.run(accept(listener, handle)).await;
    }

    async fn open_socket(&self, listener: TcpListener) {
        let hub = Arc::clone(&self.hub);
        self.socket
            .run(accept(listener, move |stream| {
                serve_socket(stream, Arc::clone(&hub))
            }))
            .await;
        let hub = Arc::clone(&self.hub);
        self.socket
            .run(async move { reporter::run(&hub).await })
            .await;
    }
}

async fn serve_access(mut stream: TcpStream, hub: Arc<Hub>, rules: Arc<Rules>) {
    let Some(request) = read_request(&mut stream).await else {
        return;
    };
    thawed(&hub).await;
    access::answer(&request, &rules, &hub).send(stream).await;
}

async fn serve_socket(mut stream: TcpStream, hub: Arc<Hub>) {
    let Some(request) = read_request(&mut stream).await else {
        return;
    };
    thawed(&hub).await;
    let Some((topic, code)) = door_of(&request, hub.kind) else {
        return Answer::Say {
            status: 404,
            body: "Not Found".into(),
        }
        .send(stream)
        .await;
    };
    let Some(accepted) = acceptance(&request) else {
        return Answer::Say {
            status: 400,
            body: "Bad Request\n".into(),
        }
        .send(stream)
        .await;
    };
    // A client that has its answer has its seat, so that it misses nothing from then on.
    let seated = hub
        .take_code(&code, &topic)
        .and_then(|claims| Some((enter(&hub, &claims, &request)?, claims.expires())));
    let answered = stream.write_all(accepted.as_bytes()).await.is_ok();
    match seated {
        Some((seat, _)) if !answered => hub.leave(seat.id),
        Some((seat, expires)) => {
            Conversation::new(&hub, seat, stream, request.rest, topic)
                .await
                .run(expires)
                .await
        }
        None => stay_mute(stream).await,
    }
}

fn enter(hub: &Hub, claims: &Claims, request: &Request) -> Option<Seat> {
    let agent = request.header("user-agent").unwrap_or_default();
    let remote = request.header("x-forwarded-for").unwrap_or_default();
    hub.enter(guest(claims, agent, remote), claims.booking_id.clone())
}

/// The topic and the code of a websocket's address; `None` for a path that is not there.
fn door_of(request: &Request, kind: Kind) -> Option<(String, String)> {
    let prefix = if kind == Kind::Jump {
        "connect"
    } else {
        "session"
    };
    let segments = request.segments();
    let (first, topic) = segments.split_first()?;
    (first == prefix).then(|| (topic.join("/"), request.query("code").unwrap_or_default()))
}

async fn thawed(hub: &Hub) {
    // An error would mean that the hub is gone, and this holds it.
    let _ = hub.mood().wait_for(|mood| *mood != Mood::Frozen).await;
}
