//! The simulated book: its admin API. A restart loses everything, as with the real one.

use std::collections::{BTreeMap, BTreeSet, VecDeque};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use jiff::{SignedDuration, Timestamp};
use serde_json::json;
use tokio::net::TcpListener;
use tokio::sync::watch;

use super::bookings::bookings;
use super::calls::{Called, Calls};
use super::door::{Door, accept};
use super::error::LabError;
use super::http::{Answer, HttpFaults, Request, serve};
use super::token::{TokenError, verify};
use crate::model::{Book, Manifest, Resource};
use crate::plan::Plan;
use crate::{HttpFault, Server};

/// How many switches the journal keeps; the oldest are dropped first.
const MAX_JOURNAL: usize = 100_000;

/// The message in `/admin/status`.
const WELCOME: &str = "Welcome to the interval booking store";

/// A switch that a client made over HTTP.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Switched {
    pub at: Timestamp,
    pub resource: String,
    /// Whether it can be booked from then on.
    pub available: bool,
    /// The reason for students.
    pub reason: String,
    /// The host and port that the client called, which identify it where each has a port of its own.
    pub called: String,
}

/// A running book.
pub(super) struct BookServer {
    door: Door,
    office: Arc<Office>,
}

/// What its connections share.
struct Office {
    audience: String,
    secret: Mutex<String>,
    refuses_tokens: Mutex<bool>,
    store: Mutex<Store>,
    faults: watch::Sender<HttpFaults>,
    calls: Calls,
    /// The address of the pages that students open.
    pages: String,
    /// The start of its bookings' times, where it has some.
    booked_from: Option<Timestamp>,
}

#[derive(Debug, Default)]
struct Store {
    book: Book,
    journal: VecDeque<Switched>,
    /// How far its clock is ahead.
    ahead: SignedDuration,
}

impl Store {
    fn note(&mut self, switched: Switched) {
        if self.journal.len() == MAX_JOURNAL {
            self.journal.pop_front();
        }
        self.journal.push_back(switched);
    }

    /// The time on its clock.
    fn now(&self) -> Timestamp {
        let now = Timestamp::now();
        now.checked_add(self.ahead).unwrap_or(now)
    }
}

impl BookServer {
    /// Takes the port and starts, without a manifest. Students open its experiments on pages below the address `pages`.
    pub async fn start(plan: &Plan, pages: &str) -> Result<Self, LabError> {
        let (door, listener) = Door::bind(Server::Book, plan.ports.book).await?;
        let audience = plan
            .audiences
            .book
            .clone()
            .unwrap_or_else(|| format!("http://{}", door.address));
        let secret = Mutex::new(plan.secrets.book.clone());
        let booked_from = plan.booked.then(Timestamp::now);
        let office = Office {
            audience,
            secret,
            pages: pages.to_owned(),
            store: Mutex::default(),
            refuses_tokens: Mutex::default(),
            faults: watch::Sender::default(),
            calls: Calls::default(),
            booked_from,
        };
        let book = Self {
            door,
            office: Arc::new(office),
        };
        book.open(listener).await;
        Ok(book)
    }

    /// Host and port.
    pub fn host(&self) -> String {
        self.door.address.to_string()
    }

    /// Its audience (`aud`).
    pub fn audience(&self) -> &str {
        &self.office.audience
    }

    /// Changes the secret.
    pub fn set_secret(&self, secret: &str) {
        let kept = self.office.secret.lock();
        secret.clone_into(&mut kept.unwrap_or_else(PoisonError::into_inner));
    }

    /// Kills it: manifest and availability are lost. The journal of requests is kept.
    pub async fn kill(&self) {
        self.door.close().await;
        self.office.store().book.restart();
    }

    /// Closes the port alone, or listens again.
    pub async fn refuse(&self, refuse: bool) -> Result<(), LabError> {
        if refuse {
            self.door.close().await;
        } else if !self.door.is_open().await {
            self.open(self.door.listen().await?).await;
        }
        Ok(())
    }

    /// Freezes it, or lets it go on.
    pub fn freeze(&self, frozen: bool) {
        let change = |faults: &mut HttpFaults| faults.frozen = frozen;
        self.office.faults.send_modify(change);
    }

    /// Sets how calls to a path are answered.
    pub fn set_http(&self, path: &str, fault: HttpFault) {
        self.office
            .faults
            .send_modify(|faults| faults.set(path, fault));
    }

    /// Refuses every token, or checks them again.
    pub fn refuse_tokens(&self, refuse: bool) {
        let refuses = &self.office.refuses_tokens;
        *refuses.lock().unwrap_or_else(PoisonError::into_inner) = refuse;
    }

    /// Sets its clock ahead.
    pub fn set_ahead(&self, ahead: SignedDuration) {
        self.office.store().ahead = ahead;
    }

    /// Every call that it got, oldest first.
    pub fn called(&self) -> Vec<Called> {
        self.office.calls.all()
    }

    /// Lists one more resource.
    pub fn list(&self, name: &str, resource: Resource) {
        self.office.store().book.list(name, resource);
    }

    /// An admin uploads a manifest: everything can be booked again.
    pub fn upload_manifest(&self, manifest: &Manifest) {
        let reason = format!("Loaded at {:.0}", Timestamp::now());
        self.office.store().book.upload(manifest, &reason);
    }

    /// An admin uploads bookings: everything can be booked again.
    pub fn upload_bookings(&self) {
        self.office.store().book.reset("new");
    }

    /// An admin switches a resource by hand; returns whether it is known.
    pub fn set(&self, resource: &str, available: bool, reason: &str) -> bool {
        self.office.store().book.set(resource, available, reason)
    }

    /// Whether a resource can be booked, and the reason as stored.
    pub fn availability(&self, resource: &str) -> Option<(bool, String)> {
        let store = self.office.store();
        let stored = store.book.stored(resource)?;
        Some((stored.available, stored.reason.clone()))
    }

    /// Every switch over HTTP so far, oldest first.
    pub fn journal(&self) -> Vec<Switched> {
        self.office.store().journal.iter().cloned().collect()
    }

    async fn open(&self, listener: TcpListener) {
        let office = Arc::clone(&self.office);
        let handle = move |stream| {
            let office = Arc::clone(&office);
            async move {
                let faults = office.faults.subscribe();
                let note = |request: &Request| office.calls.note(request);
                serve(stream, faults, note, async |request| {
                    office.answer(&request)
                })
                .await;
            }
        };
        self.door.run(accept(listener, handle)).await;
    }
}

impl Office {
    fn store(&self) -> MutexGuard<'_, Store> {
        self.store.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Checks the route first, then the token, then the parameters: the order of the real one's
    /// framework.
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
            (_, ["resources"]) => said(&json!(self.store().book.manifest())),
            (_, ["status"]) => self.status(),
            (_, ["manifest"]) => self.whole_manifest(),
            _ => said(&self.booked_from.map_or_else(
                || json!([]),
                |opened| bookings(self.store().book.manifest(), opened),
            )),
        }
    }

    /// Why the call is refused, if it is.
    fn refusal(&self, request: &Request) -> Option<Answer> {
        let Some(token) = request.header("authorization") else {
            return Some(Answer::unauthenticated());
        };
        let secret = self
            .secret
            .lock()
            .unwrap_or_else(PoisonError::into_inner)
            .clone();
        let refuses = *self
            .refuses_tokens
            .lock()
            .unwrap_or_else(PoisonError::into_inner);
        let verified = if refuses {
            Err(TokenError::Signature)
        } else {
            verify(token, &secret, &self.audience, self.store().now())
        };
        match verified {
            Ok(claims) if claims.may("booking:admin") => None,
            Ok(_) => Some(Answer::handler(401, "no scope booking:admin")),
            Err(error @ TokenError::Audience { .. }) => {
                Some(Answer::framework(500, &error.to_string()))
            }
            Err(error) => Some(Answer::framework(
                500,
                &format!("error parsing claims was {error}"),
            )),
        }
    }

    fn show(&self, name: &str) -> Answer {
        let store = self.store();
        let Some(stored) = store.book.stored(name) else {
            return unknown(name);
        };
        let available = stored.available;
        let reason = match (available, stored.reason.as_str()) {
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
        if !store.book.set(name, available, &reason) {
            return unknown(name);
        }
        store.note(Switched {
            at: Timestamp::now(),
            resource: name.to_owned(),
            available,
            reason,
            called: request.header("host").unwrap_or_default().to_owned(),
        });
        Answer::written()
    }

    /// The manifest with a slot for each resource. Names that differ only in their number are
    /// booked in the same way.
    fn whole_manifest(&self) -> Answer {
        let store = self.store();
        let slot = |(name, resource): (&String, &Resource)| {
            let kind = kind_of(resource);
            let slot = json!({"resource": name, "policy": "p-lab", "ui_set": format!("us-{kind}"), "window": "w-always"});
            (format!("sl-{}", resource.topic_stub), slot)
        };
        let slots: BTreeMap<String, serde_json::Value> =
            store.book.manifest().iter().map(slot).collect();
        let kinds: BTreeSet<&str> = store.book.manifest().values().map(kind_of).collect();
        let ui = |kind: &&str| {
            let url = format!(
                "{}/ui/{kind}/?streams={{{{streams}}}}&exp={{{{exp}}}}&course=everyone",
                self.pages
            );
            let ui = json!({"description": "d-ui", "url": url, "streams_required": []});
            (format!("ui-{kind}"), ui)
        };
        let ui_set = |kind: &&str| (format!("us-{kind}"), json!({"uis": [format!("ui-{kind}")]}));
        let uis: BTreeMap<String, serde_json::Value> = kinds.iter().map(ui).collect();
        let ui_sets: BTreeMap<String, serde_json::Value> = kinds.iter().map(ui_set).collect();
        said(&json!({
            "resources": store.book.manifest(), "slots": slots, "uis": uis, "ui_sets": ui_sets,
        }))
    }

    /// The counts of the real one's own example: apart from the resources, what a small manifest has.
    fn status(&self) -> Answer {
        let store = self.store();
        let resources = store.book.manifest().len();
        let streams: BTreeSet<&String> = store
            .book
            .manifest()
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
            "now": format!("{:.3}", store.now()), "old_bookings": 0, "policies": one, "resources": resources, "slots": resources,
            "streams": streams.len(), "ui_sets": one, "uis": one, "users": 0, "windows": one,
        }))
    }
}

/// The name of an experiment without its number.
fn kind_of(resource: &Resource) -> &str {
    let stub = resource.topic_stub.as_str();
    stub.trim_end_matches(|c: char| c.is_ascii_digit())
}

/// Anything else is false, without an error.
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
