//! The simulated book: resources, their availability, and the answers of its admin API. Forgets everything when it is restarted, as the real one does.

use std::collections::{BTreeMap, VecDeque};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use jiff::Timestamp;
use serde::Serialize;
use serde_json::json;
use tokio::net::{TcpListener, TcpStream};
use tokio::sync::watch;
use tokio::time::sleep;

use super::bookings::bookings;
use super::door::{Door, accept};
use super::error::{LabError, Server};
use super::http::{Answer, Request, read_request};
use super::plan::Plan;
use super::token::{Trouble, verify};

/// How many switches the journal keeps; the oldest go first.
const MAX_JOURNAL: usize = 100_000;

/// What it says to a healthy-looking `/admin/status`.
const WELCOME: &str = "Welcome to the interval booking store";

/// A resource of the manifest, as book lists it.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct Resource {
    /// Where its user interface finds its configuration.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub config_url: Option<String>,
    /// The name of its description.
    pub description: String,
    /// The keys of its required streams.
    pub streams: Vec<String>,
    /// Always `null` here.
    pub tests: Option<Vec<String>>,
    /// The experiment behind it.
    pub topic_stub: String,
}

/// Book's resources by name.
pub type Manifest = BTreeMap<String, Resource>;

/// A switch that somebody asked for over HTTP and got.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Switched {
    /// When.
    pub at: Timestamp,
    /// The resource.
    pub resource: String,
    /// Whether it can be booked from then on.
    pub available: bool,
    /// What students read.
    pub reason: String,
}

/// How book misbehaves.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub(super) struct Ailments {
    pub frozen: bool,
    pub failing: bool,
    pub delay: Duration,
}

/// A running book.
pub(super) struct Book {
    door: Door,
    desk: Arc<Desk>,
}

/// What its connections share.
struct Desk {
    audience: String,
    secret: Mutex<String>,
    store: Mutex<Store>,
    ailments: watch::Sender<Ailments>,
    /// From when its bookings are counted, where it has some.
    booked_from: Option<Timestamp>,
}

#[derive(Debug, Default)]
struct Store {
    manifest: Manifest,
    availability: BTreeMap<String, (bool, String)>,
    journal: VecDeque<Switched>,
}

impl Store {
    fn upload(&mut self, manifest: Manifest, reason: &str) {
        self.manifest = manifest;
        self.reset(reason);
    }

    fn reset(&mut self, reason: &str) {
        self.availability = self
            .manifest
            .keys()
            .map(|name| (name.clone(), (true, reason.to_owned())))
            .collect();
    }

    fn note(&mut self, switched: Switched) {
        if self.journal.len() == MAX_JOURNAL {
            self.journal.pop_front();
        }
        self.journal.push_back(switched);
    }
}

impl Book {
    /// Takes the port and starts, without a manifest.
    pub async fn start(plan: &Plan) -> Result<Self, LabError> {
        let (door, listener) = Door::bind(Server::Book, plan.ports.book).await?;
        let audience = plan
            .audiences
            .book
            .clone()
            .unwrap_or_else(|| format!("http://{}", door.address));
        let secret = Mutex::new(plan.secrets.book.clone());
        let booked_from = plan.booked.then(Timestamp::now);
        let desk = Desk {
            audience,
            secret,
            store: Mutex::default(),
            ailments: watch::Sender::default(),
            booked_from,
        };
        let book = Self {
            door,
            desk: Arc::new(desk),
        };
        book.open(listener).await;
        Ok(book)
    }

    /// Host and port.
    pub fn host(&self) -> String {
        self.door.address.to_string()
    }

    /// What it wants to find in `aud`.
    pub fn audience(&self) -> &str {
        &self.desk.audience
    }

    /// Changes the secret.
    pub fn set_secret(&self, secret: &str) {
        secret.clone_into(
            &mut self
                .desk
                .secret
                .lock()
                .unwrap_or_else(PoisonError::into_inner),
        );
    }

    /// Kills it: manifest and availability are lost. What was asked of it stays in the journal, which is ours.
    pub async fn kill(&self) {
        self.door.close().await;
        self.desk.store().upload(Manifest::new(), "");
    }

    /// Closes the port alone.
    pub async fn refuse(&self) {
        self.door.close().await;
    }

    /// Listens again. Does nothing while it listens.
    pub async fn open_again(&self) -> Result<(), LabError> {
        if !self.door.is_open().await {
            self.open(self.door.listen().await?).await;
        }
        Ok(())
    }

    /// Changes how it misbehaves.
    pub fn ail(&self, change: impl FnOnce(&mut Ailments)) {
        self.desk.ailments.send_modify(change);
    }

    /// An admin uploads a manifest: everything can be booked again.
    pub fn upload_manifest(&self, manifest: Manifest) {
        self.desk
            .store()
            .upload(manifest, &format!("Loaded at {:.0}", Timestamp::now()));
    }

    /// An admin uploads bookings: everything can be booked again.
    pub fn upload_bookings(&self) {
        self.desk.store().reset("new");
    }

    /// An admin switches a resource by hand; whether it is known.
    pub fn set(&self, resource: &str, available: bool, reason: &str) -> bool {
        let mut store = self.desk.store();
        store
            .availability
            .get_mut(resource)
            .map(|state| *state = (available, reason.to_owned()))
            .is_some()
    }

    /// Whether a resource can be booked, and the reason as stored.
    pub fn availability(&self, resource: &str) -> Option<(bool, String)> {
        self.desk.store().availability.get(resource).cloned()
    }

    /// Every switch over HTTP so far, oldest first.
    pub fn journal(&self) -> Vec<Switched> {
        self.desk.store().journal.iter().cloned().collect()
    }

    async fn open(&self, listener: TcpListener) {
        let desk = Arc::clone(&self.desk);
        self.door
            .run(accept(listener, move |stream| {
                serve(stream, Arc::clone(&desk))
            }))
            .await;
    }
}

async fn serve(mut stream: TcpStream, desk: Arc<Desk>) {
    let Some(request) = read_request(&mut stream).await else {
        return;
    };
    let delay = desk.ailments.borrow().delay;
    if !delay.is_zero() {
        sleep(delay).await;
    }
    // An error would mean that the desk is gone, and this holds it.
    let _ = desk
        .ailments
        .subscribe()
        .wait_for(|ailments| !ailments.frozen)
        .await;
    desk.answer(&request).send(stream).await;
}

impl Desk {
    fn store(&self) -> MutexGuard<'_, Store> {
        self.store.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// The route first, then the token, then the parameters: the order of the real one's framework.
    fn answer(&self, request: &Request) -> Answer {
        let segments = request.segments();
        let path: Vec<&str> = segments.iter().map(String::as_str).collect();
        let ["api", "v1", "admin", route @ ..] = path.as_slice() else {
            return Answer::no_path(request);
        };
        let allowed = match route {
            ["resources", _] => "GET,PUT",
            ["resources" | "status" | "bookings" | "manifest"] => "GET",
            _ => return Answer::no_path(request),
        };
        if !allowed.split(',').any(|method| method == request.method) {
            return Answer::no_method(request, allowed);
        }
        if let Some(refusal) = self.refusal(request) {
            return refusal;
        }
        match (request.method.as_str(), route) {
            ("PUT", [_, name]) => self.switch(name, request),
            (_, [_, name]) => self.show(name),
            (_, ["resources"]) => said(&json!(self.store().manifest)),
            (_, ["status"]) => self.status(),
            (_, ["manifest"]) => self.whole_manifest(),
            _ => said(&self.booked_from.map_or_else(
                || json!([]),
                |opened| bookings(&self.store().manifest, opened),
            )),
        }
    }

    /// Why the call is not answered, if there is a reason.
    fn refusal(&self, request: &Request) -> Option<Answer> {
        if self.ailments.borrow().failing {
            return Some(Answer::framework(500, "internal server error"));
        }
        let Some(token) = request.header("authorization") else {
            return Some(Answer::unauthenticated());
        };
        let secret = self
            .secret
            .lock()
            .unwrap_or_else(PoisonError::into_inner)
            .clone();
        match verify(token, &secret, &self.audience, Timestamp::now()) {
            Ok(claims) if claims.may("booking:admin") => None,
            Ok(_) => Some(Answer::handler(401, "no scope booking:admin")),
            Err(trouble @ Trouble::Audience { .. }) => {
                Some(Answer::framework(500, &trouble.to_string()))
            }
            Err(trouble) => Some(Answer::framework(
                500,
                &format!("error parsing claims was {trouble}"),
            )),
        }
    }

    fn show(&self, name: &str) -> Answer {
        let store = self.store();
        let Some((available, reason)) = store.availability.get(name) else {
            return unknown(name);
        };
        let reason = match (available, reason.as_str()) {
            (true, stored) => stored.to_owned(),
            (false, "") => "unavailable".to_owned(),
            (false, stored) => format!("unavailable because {stored}"),
        };
        said(&json!({"available": available, "reason": reason}))
    }

    fn switch(&self, name: &str, request: &Request) -> Answer {
        let parameter = |name: &str| {
            let value = request.query(name).filter(|value| !value.is_empty());
            value.ok_or_else(|| Answer::coded(422, 602, &format!("{name} in query is required")))
        };
        let (available, reason) = match (parameter("available"), parameter("reason")) {
            (Ok(available), Ok(reason)) => (means_true(&available), reason),
            (Err(answer), _) | (_, Err(answer)) => return answer,
        };
        let mut store = self.store();
        let Some(state) = store.availability.get_mut(name) else {
            return unknown(name);
        };
        *state = (available, reason.clone());
        store.note(Switched {
            at: Timestamp::now(),
            resource: name.to_owned(),
            available,
            reason,
        });
        Answer::Say {
            status: 204,
            body: String::new(),
        }
    }

    /// The manifest with a slot for each resource. What looks alike but for its number is booked in the same way.
    fn whole_manifest(&self) -> Answer {
        let store = self.store();
        let slot = |(name, resource): (&String, &Resource)| {
            let kind = resource
                .topic_stub
                .trim_end_matches(|c: char| c.is_ascii_digit());
            let slot = json!({"resource": name, "policy": "p-lab", "ui_set": format!("us-{kind}"), "window": "w-always"});
            (format!("sl-{}", resource.topic_stub), slot)
        };
        let slots: BTreeMap<String, serde_json::Value> = store.manifest.iter().map(slot).collect();
        said(&json!({"resources": store.manifest, "slots": slots}))
    }

    /// The counts of the real one's own example: apart from the resources, what a small manifest has.
    fn status(&self) -> Answer {
        let store = self.store();
        let resources = store.manifest.len();
        let streams: std::collections::BTreeSet<&String> = store
            .manifest
            .values()
            .flat_map(|resource| &resource.streams)
            .collect();
        let (one, descriptions) = if resources == 0 {
            (0, 0)
        } else {
            (1, resources + 4)
        };
        said(&json!({
            "bookings": 0, "descriptions": descriptions, "filters": one, "locked": false, "message": WELCOME,
            "now": format!("{:.3}", Timestamp::now()), "old_bookings": 0, "policies": one, "resources": resources, "slots": resources,
            "streams": streams.len(), "ui_sets": one, "uis": one, "users": 0, "windows": one,
        }))
    }
}

/// Anything else is false, without a word about it.
fn means_true(text: &str) -> bool {
    const TRUE: [&str; 10] = [
        "true", "1", "yes", "ok", "y", "on", "selected", "checked", "t", "enabled",
    ];
    TRUE.contains(&text.to_ascii_lowercase().as_str())
}

fn unknown(name: &str) -> Answer {
    Answer::handler(404, &format!("resource {name} not found"))
}

fn said(body: &serde_json::Value) -> Answer {
    Answer::ok(format!("{body}\n"))
}
