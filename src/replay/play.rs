//! Plays a recording: its inputs reach the engine when they were recorded, and a small book and
//! mail server answer it.

use std::collections::BTreeMap;
use std::time::Duration;

use jiff::Timestamp;
use serde_json::Value;

use super::recording::{Exchange, Recorded, Recording};
use super::words::{Kind, Notified};
use engine::model::Gather as _;
use engine::model::{Availability, ResourceName, Stub};
use engine::{Delivered, Effect, Input, Policy, Record, Route, Sampling, Switch};
use lab::{Book, Manifest, Stage, Timeline, World};

/// The default start-up grace of a replay: a recording begins in the middle of a laboratory's life.
pub const STARTUP: Duration = Duration::from_secs(5);

/// How long a switch takes in a replay.
const SWITCH_TAKES: Duration = Duration::from_millis(20);

/// How long a mail takes in a replay.
const MAIL_TAKES: Duration = Duration::from_millis(100);

/// How long a replay goes on after the last recorded input.
const GOES_ON: Duration = Duration::from_secs(5);

/// The outcome of a replay.
#[derive(Debug, Clone)]
pub struct Outcome {
    /// The rules of its evaluation.
    pub policy: Policy,
    /// When it began.
    pub from: Timestamp,
    /// When it ended.
    pub until: Timestamp,
    /// What happened and what was done, in order.
    pub notified: Vec<Notified>,
    /// How often each resource was withdrawn and given back.
    pub switches: BTreeMap<ResourceName, Switched>,
    /// How many mails were sent.
    pub mails: usize,
    /// Withdrawals of experiments that the recording's faults do not name; `None` when the
    /// recording has none.
    pub unexplained: Option<Vec<ResourceName>>,
}

/// How often a resource was switched.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub struct Switched {
    /// How often it was withdrawn. A withdrawal with another reason than before is not counted
    /// again.
    pub withdrawn: usize,
    /// How often it was given back.
    pub given_back: usize,
    /// Whether it was withdrawn at the end.
    pub is_withdrawn: bool,
}

/// Runs a recording through an engine of its own. A recording can answer neither samples nor
/// requests for reports, so sampling is off.
pub fn replay(recording: &Recording, mut policy: Policy) -> Outcome {
    policy.sample = Sampling::Never;
    let last = recording
        .happened
        .last()
        .map_or(Duration::ZERO, |(at, _)| *at);
    let mut stage = Stage::new(
        policy,
        vec![Route::everybody()],
        recording.origin,
        Player::new(policy.query_book_every),
    );
    for (at, recorded) in &recording.happened {
        stage.plan.at(*at, Event::Recorded(recorded.clone()));
    }
    stage.plan.after(policy.query_book_every, Event::Poll);
    stage.run_until(last + GOES_ON);
    let until = stage.plan.now().wall();
    stage.world.outcome(policy, recording.origin, until)
}

/// An event around the engine.
#[derive(Debug)]
enum Event {
    Recorded(Recorded),
    Poll,
    Lands(Switch),
    Sent(u64),
}

/// The environment of a replay.
#[derive(Debug)]
struct Player {
    poll_every: Duration,
    book: Book,
    manifest: Manifest,
    /// What book says of resources that were not switched since the last upload.
    loaded: Option<String>,
    notified: Vec<Notified>,
    switches: BTreeMap<ResourceName, Switched>,
    withdrawals: Vec<(ResourceName, Stub)>,
    mails: usize,
}

impl Player {
    fn new(poll_every: Duration) -> Self {
        Self {
            poll_every,
            book: Book::default(),
            manifest: Manifest::new(),
            loaded: None,
            notified: Vec::new(),
            switches: BTreeMap::new(),
            withdrawals: Vec::new(),
            mails: 0,
        }
    }

    fn recorded(&mut self, recorded: Recorded, now: Timestamp) -> Vec<Input> {
        match recorded {
            Recorded::Report(source, report) => vec![Input::Report(source, report)],
            Recorded::Link(source, link) => vec![Input::Link(source, link)],
            Recorded::Exchange(exchange) => self
                .exchanged(&exchange)
                .map_or_else(Vec::new, |()| vec![Input::Book(self.book.reading())]),
            Recorded::Did(text) => {
                self.notified.push(Notified {
                    at: now,
                    kind: Kind::Did,
                    text,
                    lines: Vec::new(),
                });
                Vec::new()
            }
        }
    }

    /// Applies a recorded call. `None` when it changes nothing.
    fn exchanged(&mut self, exchange: &Exchange) -> Option<()> {
        let name = exchange
            .path
            .strip_prefix("/admin/resources/")
            .map(ResourceName::try_new);
        match (exchange.method.as_str(), exchange.status, name) {
            ("GET", 200, None) if exchange.path == "/admin/resources" => {
                self.listed(manifest(&exchange.body))
            }
            ("GET", 200, Some(Ok(name))) => self.read(&name, &exchange.body),
            ("PUT", 204, Some(Ok(name))) => {
                let text = |key: &str| exchange.params.get(key).and_then(Value::as_str);
                self.book
                    .set(name.as_str(), text("available")? == "true", text("reason")?)
                    .then_some(())
            }
            _ => None,
        }
    }

    fn listed(&mut self, manifest: Manifest) -> Option<()> {
        if manifest.is_empty() {
            self.book.restart();
            return Some(());
        }
        let is_new = self.book.is_empty() || manifest != self.manifest;
        self.manifest = manifest;
        is_new.then(|| self.book.upload(&self.manifest, "Loaded"))
    }

    /// An answer with a new time of loading means that a manifest was uploaded.
    fn read(&mut self, name: &ResourceName, body: &Value) -> Option<()> {
        let reason = body.get("reason")?.as_str()?;
        let said = Availability::from_book(body.get("available")?.as_bool()?, reason);
        let is_loaded = said.reason.starts_with("Loaded at ");
        if is_loaded && (self.book.is_empty() || self.loaded.as_ref() != Some(&said.reason)) {
            let is_first = self.loaded.replace(said.reason.clone()).is_none();
            if !is_first || self.book.is_empty() {
                self.book.upload(&self.manifest, &said.reason);
                return Some(());
            }
        }
        self.book.stored(name.as_str())?;
        None
    }

    fn switching(&mut self, switch: &Switch) {
        let count = self.switches.entry(switch.resource.clone()).or_default();
        if switch.available {
            count.given_back += 1;
        } else if !count.is_withdrawn {
            count.withdrawn += 1;
            self.withdrawals
                .push((switch.resource.clone(), switch.stub.clone()));
        }
        count.is_withdrawn = !switch.available;
    }

    fn outcome(self, policy: Policy, from: Timestamp, until: Timestamp) -> Outcome {
        let did: Vec<&str> = self
            .notified
            .iter()
            .filter(|notified| notified.kind == Kind::Did)
            .map(|notified| notified.text.as_str())
            .collect();
        let is_named = |stub: &Stub| did.iter().any(|text| text.contains(stub.as_str()));
        let unexplained = self
            .withdrawals
            .iter()
            .filter(|(_, stub)| !is_named(stub))
            .map(|(name, _)| name.clone())
            .collect();
        let unexplained = (!did.is_empty()).then_some(unexplained);
        Outcome {
            policy,
            from,
            until,
            notified: self.notified,
            switches: self.switches,
            mails: self.mails,
            unexplained,
        }
    }
}

/// Book's list of resources, as far as they are readable.
fn manifest(body: &Value) -> Manifest {
    let resources = body.as_object().into_iter().flatten();
    resources
        .filter_map(|(name, resource)| {
            Some((name.clone(), serde_json::from_value(resource.clone()).ok()?))
        })
        .gather()
}

impl World for Player {
    type Event = Event;

    fn happen(&mut self, event: Event, plan: &mut Timeline<Event>) -> Vec<Input> {
        match event {
            Event::Recorded(recorded) => self.recorded(recorded, plan.now().wall()),
            Event::Poll => {
                plan.after(self.poll_every, Event::Poll);
                vec![Input::Book(self.book.reading())]
            }
            Event::Lands(switch) => {
                let outcome = self.book.switch(&switch);
                vec![Input::Switched {
                    resource: switch.resource,
                    outcome,
                }]
            }
            Event::Sent(id) => vec![Input::Delivered {
                id,
                outcome: Ok(Delivered::to_all()),
            }],
        }
    }

    fn record(&mut self, record: Record, plan: &Timeline<Event>) {
        let notified = Notified::of_record(&record, plan.now().wall(), &|at| {
            at.strftime("%H:%M:%S").to_string()
        });
        self.notified
            .extend(notified.filter(|notified| notified.kind != Kind::Sampling));
    }

    fn act(&mut self, effect: Effect, plan: &mut Timeline<Event>) {
        match effect {
            Effect::Switch(switch) => {
                self.switching(&switch);
                plan.after(SWITCH_TAKES, Event::Lands(switch));
            }
            Effect::Notify(notification) => {
                self.mails += 1;
                plan.after(MAIL_TAKES, Event::Sent(notification.id));
            }
            Effect::Ask(_) | Effect::Reconnect(_) | Effect::Sample(_) | Effect::CheckPage(_) => {}
        }
    }
}
