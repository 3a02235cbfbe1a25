//! relay or jump as a process: two ports and a reporter around a hub. Starts, stops and fails as
//! the real one does.

use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, PoisonError};

use hyper_util::rt::TokioIo;
use tokio::net::{TcpListener, TcpStream};
use tokio::sync::watch;

use super::access::{self, Rules};
use super::door::{Door, accept};
use super::error::LabError;
use super::http::{Answer, HttpFaults, Request, serve};
use super::hub::{Hub, Kind, Mood, Seat};
use super::report::Guest;
use super::socket::{self, acceptance, stay_mute};
use super::{reporter, token::Claims};
use crate::{HttpFault, Place, Server};

/// The configuration of a station.
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
    access_faults: watch::Sender<HttpFaults>,
    socket_faults: watch::Sender<HttpFaults>,
    running: AtomicBool,
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
            refuse_all: AtomicBool::new(false),
        };
        let station = Self {
            hub: Arc::new(setup.hub),
            rules: Arc::new(rules),
            access,
            socket,
            access_faults: watch::Sender::default(),
            socket_faults: watch::Sender::default(),
            running: AtomicBool::new(true),
        };
        station.open_access(access_listener).await;
        station.open_socket(socket_listener).await;
        Ok(station)
    }

    /// Host and port of the access API.
    pub fn host(&self) -> String {
        self.access.address.to_string()
    }

    /// Its audience (`aud`).
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

    /// Refuses every token, or checks them again.
    pub fn refuse_tokens(&self, refuse: bool) {
        self.rules.refuse_all.store(refuse, Ordering::Relaxed);
    }

    /// Sets how calls to a path are answered.
    pub fn set_http(&self, place: Place, path: &str, fault: HttpFault) {
        let faults = match place {
            Place::Api(_) => &self.access_faults,
            Place::Socket(_) => &self.socket_faults,
        };
        faults.send_modify(|faults| faults.set(path, fault));
    }

    /// Kills the process: the ports are closed, and every socket is dropped without a close frame.
    pub async fn kill(&self) {
        self.running.store(false, Ordering::Relaxed);
        self.access.close().await;
        self.socket.close().await;
    }

    /// Starts it again on the same ports, without any state. Returns `false` and does nothing when
    /// it was running.
    pub async fn start_again(&self) -> Result<bool, LabError> {
        if self.running.load(Ordering::Relaxed) {
            return Ok(false);
        }
        let (access, socket) = (self.access.listen().await?, self.socket.listen().await?);
        self.running.store(true, Ordering::Relaxed);
        self.hub.restart();
        self.open_access(access).await;
        self.open_socket(socket).await;
        Ok(true)
    }

    /// Closes only the access API, as a server does that was asked to stop, or opens it again; open
    /// sockets go on.
    pub async fn refuse(&self, refuse: bool) -> Result<(), LabError> {
        if refuse {
            self.access.close().await;
        } else if self.running.load(Ordering::Relaxed) && !self.access.is_open().await {
            self.open_access(self.access.listen().await?).await;
        }
        Ok(())
    }

    /// Closes only the websocket port and drops its connections, or opens it again.
    pub async fn refuse_sockets(&self, refuse: bool) -> Result<(), LabError> {
        if refuse {
            self.socket.close().await;
            self.hub.drop_listeners();
        } else if self.running.load(Ordering::Relaxed) && !self.socket.is_open().await {
            self.open_socket(self.socket.listen().await?).await;
        }
        Ok(())
    }

    async fn open_access(&self, listener: TcpListener) {
        let (hub, rules) = (Arc::clone(&self.hub), Arc::clone(&self.rules));
        let faults = self.access_faults.subscribe();
        let handle = move |stream| {
            serve_access(stream, faults.clone(), Arc::clone(&hub), Arc::clone(&rules))
        };
        self.access.run(accept(listener, handle)).await;
    }

    async fn open_socket(&self, listener: TcpListener) {
        let (hub, faults) = (Arc::clone(&self.hub), self.socket_faults.subscribe());
        let handle = move |stream| serve_socket(stream, faults.clone(), Arc::clone(&hub));
        self.socket.run(accept(listener, handle)).await;
        let hub = Arc::clone(&self.hub);
        self.socket
            .run(async move { reporter::run(&hub).await })
            .await;
    }
}

async fn serve_access(
    stream: TcpStream,
    faults: watch::Receiver<HttpFaults>,
    hub: Arc<Hub>,
    rules: Arc<Rules>,
) {
    let handle = async |request| {
        thawed(&hub).await;
        access::answer(&request, &rules, &hub)
    };
    serve(stream, faults, |_| {}, handle).await;
}

async fn serve_socket(stream: TcpStream, faults: watch::Receiver<HttpFaults>, hub: Arc<Hub>) {
    let handle = async |request| {
        thawed(&hub).await;
        take_socket(&hub, request)
    };
    serve(stream, faults, |_| {}, handle).await;
}

fn take_socket(hub: &Arc<Hub>, request: Request) -> Answer {
    let refusal = |status, body: &str| Answer::Say {
        status,
        body: body.into(),
    };
    let Some((topic, code)) = door_of(&request, hub.kind) else {
        return refusal(404, "Not Found");
    };
    let Some((accept, protocol)) = acceptance(&request) else {
        return refusal(400, "Bad Request\n");
    };
    // A client that has its answer has its seat, so that it misses nothing from then on.
    let seated = hub
        .take_code(&code, &topic)
        .and_then(|claims| Some((enter(hub, &claims, &request)?, claims.expires())));
    let (hub, upgrade) = (Arc::clone(hub), request.upgrade);
    let afterwards = Box::pin(async move {
        let stream = upgrade.await.map(TokioIo::new);
        match (seated, stream) {
            (Some((seat, _)), Err(_)) => hub.leave(seat.id),
            (Some((seat, expires)), Ok(stream)) => {
                socket::converse(&hub, seat, stream, topic, expires).await;
            }
            (None, Ok(stream)) => stay_mute(stream).await,
            (None, Err(_)) => {}
        }
    });
    Answer::Upgrade {
        accept,
        protocol,
        afterwards,
    }
}

fn enter(hub: &Hub, claims: &Claims, request: &Request) -> Option<Seat> {
    let agent = request.header("user-agent").unwrap_or_default();
    let remote = request.header("x-forwarded-for").unwrap_or_default();
    hub.enter(Guest::new(claims, agent, remote), claims.booking_id.clone())
}

/// The topic and the code of a websocket's address; `None` for an unknown path.
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
