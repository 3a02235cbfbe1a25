//! A simulated laboratory: experiments, relay, jump, book, mail and listening, with everything that can go wrong with them.

use std::collections::{BTreeMap, BTreeSet};
use std::sync::Arc;
use std::time::Duration;

use engine::model::{CallError, ConnectError, Moment, ResourceName, SourceName, Stub, Topic};
use engine::{
    Command, Connection, DeliveryFault, Effect, Input, Link, NamePattern, Order, Record, Report,
    Role, Rules, Sample, SampleOutcome, Schedule, Scope, Scopes, State, StateChange, SuppressionId,
    Switch, SwitchOutcome, Traffic,
};
use jiff::{SignedDuration, Timestamp};
use labwatch::replay::{Listed, ModelBook, Plan, World};

/// Something that is done to the laboratory. Names are topics (`pend00-st-data`), hosts (`pend00/jump`) or experiments (`pend00`).
#[derive(Debug, Clone)]
pub enum Deed {
    /// Puts an experiment up, with these streams and a remote login, and into the manifest as `r-<stub>`.
    Experiment(String, Vec<String>),
    /// Puts a resource into the manifest: name, stub, stream keys.
    List(String, String, Vec<String>),
    /// Takes a resource out of the manifest.
    Unlist(String),
    Connect(String),
    Vanish(String),
    Silent(String),
    Send(String),
    Twin(String, bool),
    Junk(bool),
    Every(SourceName, Duration),
    /// Whether relay's reports carry statistics.
    Statistics(bool),
    /// The server is killed; what was connected is gone.
    Dies(SourceName),
    /// The server is started again; what was connected comes back within some seconds.
    Starts(SourceName),
    /// The connection ends, and whatever is tried from then on shows this; until it starts.
    Fails(SourceName, Link),
    /// The connection stays open, reports stop (or go on).
    Mute(SourceName, bool),
    /// Restarted so quickly that only its start time tells.
    Blinks(SourceName),
    Hold(String, String),
    Release(String),
    /// The manifest is uploaded: every availability is forgotten.
    Upload,
    /// Book is restarted without a manifest.
    Empty,
    Poll,
    BookFails(bool),
    SwitchesTake(Duration),
    SwitchesFail(bool),
    MailTakes(Duration),
    /// How sending goes, on every route.
    Mail(Mood),
    /// How sending goes on this route alone.
    Route(String, Mood),
    Samples(Mood),
    Clock(i64),
    Role(Role),
    /// The configuration is read anew.
    Adopt(Box<Rules>),
    /// Ann acknowledges experiments, a component (`relay/source`), or everything (`all`), for so long if that is said.
    Acknowledge(String, Option<Duration>),
    Unacknowledge(String),
    Silence(String, Duration),
    Maintain(String, Schedule),
    Remove(u64),
    OrderHold(String, String),
    OrderEnable(String),
}

/// Whether something works.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Mood {
    Works,
    Fails,
    /// Refused for good (mail).
    Refuses,
}

/// What happens around the engine.
#[derive(Debug, Clone)]
pub enum Event {
    Do(Deed),
    Tick(SourceName, u64),
    Answer(SourceName),
    Opens(SourceName),
    /// The feed gives a mute connection up and dials anew.
    Redials(SourceName),
    /// The feed tries a server that fails; the number says which of the failures.
    Tries(SourceName, u32),
    Lands(Switch, u64),
    Sent(u64, String, u64),
    Listened(Sample),
}

#[derive(Debug, Clone)]
struct Stream {
    connected_from: Option<Duration>,
    silent_since: Option<Duration>,
    twin: bool,
}

impl Stream {
    fn connected(&self, now: Duration) -> bool {
        self.connected_from.is_some_and(|from| from <= now)
    }
}

#[derive(Debug, Clone)]
struct Server {
    every: Duration,
    up: bool,
    mute: bool,
    /// What each attempt shows while it fails, and how often it has begun to fail.
    fails: Option<Link>,
    failures: u32,
    started: u32,
    ticks: u64,
}

/// The laboratory.
#[derive(Debug)]
#[allow(
    clippy::struct_excessive_bools,
    reason = "each is a fault that is there or not, independent of the others"
)]
pub struct Lab {
    streams: BTreeMap<String, Stream>,
    hosts: BTreeMap<String, Option<Duration>>,
    relay: Server,
    jump: Server,
    statistics: bool,
    junk: bool,
    manifest: BTreeMap<ResourceName, Listed>,
    pub book: ModelBook,
    book_every: Duration,
    book_ticks: u64,
    book_fails: bool,
    switches_take: Duration,
    switches_fail: bool,
    mail_takes: Duration,
    mail: Mood,
    routes: BTreeMap<String, Mood>,
    samples: Mood,
    next_attempt: u64,
    /// Switches and mails whose outcome has not reached the engine.
    pub switching: BTreeMap<u64, Switch>,
    pub mailing: BTreeSet<u64>,
    /// Everything that came out of the engine.
    pub log: Vec<(Moment, Output)>,
    /// The durable state, as it was told change by change.
    pub kept: State,
}

/// What came out of the engine.
#[derive(Debug, Clone, PartialEq)]
pub enum Output {
    Record(Record),
    Effect(Effect),
}

impl Lab {
    pub fn new() -> Self {
        let server = |seconds| Server {
            every: Duration::from_secs(seconds),
            up: true,
            mute: false,
            fails: None,
            failures: 0,
            started: 1,
            ticks: 0,
        };
        Self {
            streams: BTreeMap::new(),
            hosts: BTreeMap::new(),
            relay: server(2),
            jump: server(1),
            statistics: true,
            junk: false,
            manifest: BTreeMap::new(),
            book: ModelBook::default(),
            book_every: Duration::from_secs(60),
            book_ticks: 0,
            book_fails: false,
            switches_take: Duration::from_millis(20),
            switches_fail: false,
            mail_takes: Duration::from_millis(100),
            mail: Mood::Works,
            routes: BTreeMap::new(),
            samples: Mood::Works,
            next_attempt: 0,
            switching: BTreeMap::new(),
            mailing: BTreeSet::new(),
            log: Vec::new(),
            kept: State::new(),
        }
    }

    /// What is to happen for the laboratory to come to life.
    pub fn begin(plan: &mut Plan<Event>) {
        for name in [SourceName::Relay, SourceName::Jump] {
            plan.after(Duration::from_millis(100), Event::Opens(name));
            plan.after(Duration::from_millis(200), Event::Tick(name, 0));
        }
        plan.after(Duration::from_millis(150), Event::Tick(SourceName::Book, 0));
    }

    fn server(&mut self, name: SourceName) -> &mut Server {
        if name == SourceName::Jump {
            &mut self.jump
        } else {
            &mut self.relay
        }
    }

    /// The topics and hosts that a name means.
    fn named(&self, name: &str) -> (Vec<String>, Vec<String>) {
        if let Some(stub) = name.strip_suffix("/jump") {
            return (Vec::new(), vec![stub.to_owned()]);
        }
        if self.streams.contains_key(name) || name.contains("-st-") {
            return (vec![name.to_owned()], Vec::new());
        }
        let is_meant = |stub: &str| name == "*" || stub == name;
        let topics = self
            .streams
            .keys()
            .filter(|topic| is_meant(Stub::of_stray_topic(topic).unwrap_or(topic)));
        (
            topics.cloned().collect(),
            self.hosts
                .keys()
                .filter(|stub| is_meant(stub))
                .cloned()
                .collect(),
        )
    }

    fn connect(&mut self, name: &str, at: Option<Duration>) {
        let (topics, hosts) = self.named(name);
        for topic in topics {
            let fresh = Stream {
                connected_from: None,
                silent_since: None,
                twin: false,
            };
            self.streams.entry(topic).or_insert(fresh).connected_from = at;
        }
        for host in hosts {
            self.hosts.insert(host, at);
        }
    }

    fn relay_report(&self, now: Duration) -> Report {
        let mut report = Report::with_capacity(self.streams.len());
        report.set_started(&format!("start {}", self.relay.started));
        for (topic, stream) in self
            .streams
            .iter()
            .filter(|(_, stream)| stream.connected(now))
        {
            let last = stream
                .silent_since
                .map_or(Duration::from_millis(200), |since| {
                    now.saturating_sub(since)
                });
            self.push(
                &mut report,
                topic,
                Some(last),
                Scopes::READ.with(Scopes::WRITE).with(Scopes::EXPT),
            );
            if stream.twin {
                self.push(
                    &mut report,
                    topic,
                    None,
                    Scopes::READ.with(Scopes::WRITE).with(Scopes::EXPT),
                );
            }
        }
        if self.junk {
            let long = "x".repeat(70_000);
            let topics = [
                "",
                "-st-",
                "../../etc",
                "a\u{7}b-st-data",
                &long,
                "pend00-st-data",
                "canary",
            ];
            for topic in topics {
                self.push(&mut report, topic, None, Scopes::READ.with(Scopes::USER));
            }
            for topic in ["", "-st-", "canary", "a\u{7}b-st-data", &long] {
                self.push(&mut report, topic, None, Scopes::READ.with(Scopes::EXPT));
            }
        }
        report
    }

    fn push(&self, report: &mut Report, topic: &str, last: Option<Duration>, scopes: Scopes) {
        let traffic = self.statistics.then_some(Traffic {
            last,
            size: 200,
            fps: 4.0,
        });
        report.push(Connection {
            topic,
            scopes,
            connected: "2026-11-21T00:00:00Z",
            expires: "2026-11-22T00:00:00Z",
            remote: "10.0.0.1",
            user_agent: "",
            tx: traffic,
            rx: traffic,
        });
    }

    fn jump_report(&self, now: Duration) -> Report {
        let mut report = Report::with_capacity(self.hosts.len());
        report.set_started(&format!("start {}", self.jump.started));
        for (stub, _) in self
            .hosts
            .iter()
            .filter(|(_, from)| from.is_some_and(|from| from <= now))
        {
            self.push(&mut report, stub, None, Scopes::READ.with(Scopes::HOST));
        }
        report
    }

    fn report(&mut self, name: SourceName, now: Duration) -> Vec<Input> {
        let server = self.server(name);
        if !server.up || server.mute {
            return Vec::new();
        }
        let report = if name == SourceName::Jump {
            self.jump_report(now)
        } else {
            self.relay_report(now)
        };
        vec![Input::Report(name, Arc::new(report))]
    }

    fn poll(&self) -> Vec<Input> {
        if self.book_fails {
            return vec![Input::BookFailed(CallError::TimedOut)];
        }
        vec![Input::Book(self.book.reading())]
    }

    fn tick(&mut self, name: SourceName, ticks: u64, plan: &mut Plan<Event>) -> Vec<Input> {
        let (current, every) = match name {
            SourceName::Book => (
                self.book_ticks,
                if self.book_fails {
                    Duration::from_secs(5)
                } else {
                    self.book_every
                },
            ),
            SourceName::Relay | SourceName::Jump => {
                (self.server(name).ticks, self.server(name).every)
            }
        };
        if ticks != current {
            return Vec::new();
        }
        plan.after(every, Event::Tick(name, ticks));
        let now = plan.now().mono();
        if name == SourceName::Book {
            self.poll()
        } else {
            self.report(name, now)
        }
    }

    fn dies(&mut self, name: SourceName) -> Vec<Input> {
        self.server(name).up = false;
        let closed = Input::Link(name, Link::Closed("reset by peer".to_owned()));
        let failed = Input::Link(
            name,
            Link::Failed(ConnectError::access(CallError::Refused(
                "connection refused".to_owned(),
            ))),
        );
        vec![closed, failed]
    }

    /// It is connected as before, and cannot be heard from here.
    fn fails(&mut self, name: SourceName, link: Link, plan: &mut Plan<Event>) -> Vec<Input> {
        let server = self.server(name);
        let was_up = std::mem::replace(&mut server.up, false);
        server.failures += 1;
        server.fails = Some(link);
        let failures = server.failures;
        let mut inputs = self.tries(name, failures, plan);
        if was_up {
            let closed = Link::Closed("reset by peer".to_owned());
            inputs.insert(0, Input::Link(name, closed));
        }
        inputs
    }

    /// One attempt after the other. What cannot be read comes over an open connection.
    fn tries(&mut self, name: SourceName, failures: u32, plan: &mut Plan<Event>) -> Vec<Input> {
        let server = self.server(name);
        let Some(link) = server.fails.clone().filter(|_| server.failures == failures) else {
            return Vec::new();
        };
        plan.after(Duration::from_secs(20), Event::Tries(name, failures));
        let mut links = vec![Link::Connecting];
        if matches!(
            link,
            Link::Unreadable(_) | Link::Closed(_) | Link::Broken(_)
        ) {
            links.push(Link::Open);
        }
        links.push(link);
        links
            .into_iter()
            .map(|link| Input::Link(name, link))
            .collect()
    }

    /// What was connected comes back one after the other, within eight seconds.
    fn starts(&mut self, name: SourceName, plan: &mut Plan<Event>) {
        self.server(name).up = true;
        self.server(name).mute = false;
        self.server(name).fails = None;
        self.server(name).started += 1;
        let now = plan.now().mono();
        let back =
            |n: usize| now + Duration::from_millis(u64::try_from(n).unwrap_or(0) * 700 % 8_000);
        let times = if name == SourceName::Jump {
            self.hosts.values_mut().collect::<Vec<_>>()
        } else {
            self.streams
                .values_mut()
                .map(|stream| &mut stream.connected_from)
                .collect()
        };
        for (n, time) in times.into_iter().enumerate() {
            *time = time.map(|_| back(n));
        }
        plan.after(Duration::from_millis(500), Event::Opens(name));
    }

    /// The feed asks for a report as soon as it is connected.
    fn opens(&mut self, name: SourceName, plan: &mut Plan<Event>) -> Vec<Input> {
        if !self.server(name).up {
            return Vec::new();
        }
        plan.after(Duration::from_millis(100), Event::Answer(name));
        vec![Input::Link(name, Link::Open)]
    }

    fn redials(&mut self, name: SourceName, plan: &mut Plan<Event>) -> Vec<Input> {
        if !self.server(name).up {
            return Vec::new();
        }
        plan.after(Duration::from_millis(300), Event::Opens(name));
        [Link::GivenUp, Link::Connecting]
            .map(|link| Input::Link(name, link))
            .to_vec()
    }

    fn experiment(&mut self, stub: &str, keys: &[String]) {
        for key in keys {
            self.connect(&format!("{stub}-{key}"), Some(Duration::ZERO));
        }
        self.hosts.insert(stub.to_owned(), Some(Duration::ZERO));
        self.list(&format!("r-{stub}"), stub, keys);
    }

    fn list(&mut self, name: &str, stub: &str, keys: &[String]) {
        let stub = Stub::try_new(stub).expect("a stub");
        let streams = keys
            .iter()
            .map(|key| Topic::of(&stub, key).expect("a topic"))
            .collect();
        let listed = Listed { stub, streams };
        let before = self.manifest.insert(resource(name), listed.clone());
        if before != Some(listed) || self.book.is_empty() {
            self.book.upload(&self.manifest, "Loaded");
        }
    }

    fn act_on(&mut self, deed: Deed, plan: &mut Plan<Event>) -> Vec<Input> {
        let now = plan.now().mono();
        match deed {
            Deed::Experiment(stub, keys) => self.experiment(&stub, &keys),
            Deed::List(name, stub, keys) => self.list(&name, &stub, &keys),
            Deed::Unlist(name) => {
                self.manifest.remove(&resource(&name));
                self.book.upload(&self.manifest, "Loaded");
            }
            Deed::Connect(name) => self.connect(&name, Some(now)),
            Deed::Vanish(name) => self.connect(&name, None),
            Deed::Silent(topic) => self.silence(&topic, Some(now)),
            Deed::Send(topic) => self.silence(&topic, None),
            Deed::Twin(topic, twin) => drop(
                self.streams
                    .entry(topic)
                    .and_modify(|stream| stream.twin = twin),
            ),
            Deed::Junk(junk) => self.junk = junk,
            Deed::Every(name, every) => self.pace(name, every, plan),
            Deed::Statistics(statistics) => self.statistics = statistics,
            Deed::Dies(name) => return self.dies(name),
            Deed::Starts(name) => self.starts(name, plan),
            Deed::Fails(name, link) => return self.fails(name, link, plan),
            Deed::Mute(name, mute) => self.server(name).mute = mute,
            Deed::Blinks(name) => self.server(name).started += 1,
            Deed::Hold(name, reason) => drop(self.book.set(&resource(&name), false, &reason)),
            Deed::Release(name) => drop(self.book.set(&resource(&name), true, "free again")),
            Deed::Upload => self.book.upload(&self.manifest, "Loaded again"),
            Deed::Empty => self.book.restart(),
            Deed::Poll => return self.poll(),
            Deed::BookFails(fails) => {
                self.book_fails = fails;
                self.book_ticks += 1;
                plan.after(
                    Duration::ZERO,
                    Event::Tick(SourceName::Book, self.book_ticks),
                );
            }
            Deed::SwitchesTake(takes) => self.switches_take = takes,
            Deed::SwitchesFail(fail) => self.switches_fail = fail,
            Deed::MailTakes(takes) => self.mail_takes = takes,
            Deed::Mail(mood) => {
                self.mail = mood;
                self.routes.clear();
            }
            Deed::Route(route, mood) => drop(self.routes.insert(route, mood)),
            Deed::Samples(mood) => self.samples = mood,
            Deed::Clock(seconds) => plan.set_clock(SignedDuration::from_secs(seconds)),
            Deed::Role(role) => return vec![Input::Role(role)],
            Deed::Adopt(rules) => return vec![Input::Adopt(rules)],
            deed @ (Deed::Acknowledge(..)
            | Deed::Unacknowledge(_)
            | Deed::Silence(..)
            | Deed::Maintain(..)
            | Deed::Remove(_)
            | Deed::OrderHold(..)
            | Deed::OrderEnable(_)) => {
                return ordered(deed, plan.now().wall()).into_iter().collect();
            }
        }
        Vec::new()
    }

    fn silence(&mut self, name: &str, since: Option<Duration>) {
        for topic in self.named(name).0 {
            self.streams
                .entry(topic)
                .and_modify(|stream| stream.silent_since = since);
        }
    }

    fn pace(&mut self, name: SourceName, every: Duration, plan: &mut Plan<Event>) {
        let is_start = plan.now().mono().is_zero();
        let ticks = match name {
            SourceName::Book => {
                self.book_every = every;
                self.book_ticks += u64::from(!is_start);
                self.book_ticks
            }
            SourceName::Relay | SourceName::Jump => {
                let server = self.server(name);
                server.every = every;
                server.ticks += u64::from(!is_start);
                server.ticks
            }
        };
        if !is_start {
            plan.after(every, Event::Tick(name, ticks));
        }
    }

    fn lands(&mut self, switch: &Switch) -> Input {
        let outcome = if self.switches_fail || self.book_fails {
            SwitchOutcome::Failed(CallError::TimedOut)
        } else {
            self.book.switch(switch)
        };
        Input::Switched {
            resource: switch.resource.clone(),
            outcome,
        }
    }

    fn sent(&self, id: u64, route: &str) -> Input {
        let fault = |permanent| DeliveryFault {
            fault: CallError::Unreachable("no route".to_owned()),
            permanent,
        };
        let outcome = match self.routes.get(route).unwrap_or(&self.mail) {
            Mood::Works => Ok(()),
            Mood::Fails => Err(fault(false)),
            Mood::Refuses => Err(fault(true)),
        };
        Input::Delivered { id, outcome }
    }

    fn listened(&self, sample: &Sample, now: Duration) -> SampleOutcome {
        match self.streams.get(sample.topic.as_str()) {
            _ if self.samples != Mood::Works => SampleOutcome::Failed(CallError::TimedOut),
            _ if self.relay.mute => SampleOutcome::ActiveSuppressions(sample.listen),
            Some(stream) if stream.connected(now) && stream.silent_since.is_none() => {
                SampleOutcome::Heard
            }
            Some(_) | None => SampleOutcome::ActiveSuppressions(sample.listen),
        }
    }
}

impl World for Lab {
    type Event = Event;

    fn happen(&mut self, event: Event, plan: &mut Plan<Event>) -> Vec<Input> {
        match event {
            Event::Do(deed) => self.act_on(deed, plan),
            Event::Tick(name, ticks) => self.tick(name, ticks, plan),
            Event::Answer(SourceName::Book) => self.poll(),
            Event::Answer(name) => self.report(name, plan.now().mono()),
            Event::Opens(name) => self.opens(name, plan),
            Event::Redials(name) => self.redials(name, plan),
            Event::Tries(name, failures) => self.tries(name, failures, plan),
            Event::Lands(switch, attempt) => {
                self.switching.remove(&attempt);
                vec![self.lands(&switch)]
            }
            // Whoever sent it may be gone meanwhile, and nobody hears what came of it.
            Event::Sent(id, route, attempt) => {
                if self.mailing.remove(&attempt) {
                    vec![self.sent(id, &route)]
                } else {
                    Vec::new()
                }
            }
            Event::Listened(sample) => {
                let outcome = self.listened(&sample, plan.now().mono());
                vec![Input::Sampled {
                    topic: sample.topic,
                    outcome,
                }]
            }
        }
    }

    fn keep(&mut self, changes: Vec<StateChange>) {
        for change in changes {
            change.apply(&mut self.kept);
        }
    }

    fn record(&mut self, record: Record, plan: &Plan<Event>) {
        self.log.push((plan.now(), Output::Record(record)));
    }

    fn act(&mut self, effect: Effect, plan: &mut Plan<Event>) {
        self.log.push((plan.now(), Output::Effect(effect.clone())));
        self.next_attempt += 1;
        let attempt = self.next_attempt;
        match effect {
            Effect::Switch(switch) => {
                self.switching.insert(attempt, switch.clone());
                plan.after(self.switches_take, Event::Lands(switch, attempt));
            }
            Effect::Notify(summary) => {
                self.mailing.insert(attempt);
                plan.after(
                    self.mail_takes,
                    Event::Sent(summary.id, summary.route.to_string(), attempt),
                );
            }
            Effect::Ask(name) => plan.after(Duration::from_millis(50), Event::Answer(name)),
            Effect::Reconnect(name) => plan.after(Duration::ZERO, Event::Redials(name)),
            Effect::Sample(sample) => {
                let now = plan.now().mono();
                let heard = self.listened(&sample, now) == SampleOutcome::Heard;
                let takes = if heard {
                    Duration::from_millis(250)
                } else {
                    sample.listen
                };
                plan.after(takes, Event::Listened(sample));
            }
        }
    }
}

/// The order that a deed is, given at this time.
#[expect(
    clippy::wildcard_enum_match_arm,
    reason = "it is about the few deeds that are orders"
)]
fn ordered(deed: Deed, now: Timestamp) -> Option<Input> {
    let until = |length: Duration| now + SignedDuration::try_from(length).expect("a short time");
    let pattern = |name: &str| NamePattern::try_new(name).expect("a pattern");
    let command = match deed {
        Deed::Acknowledge(name, length) => Command::Acknowledge {
            scope: scope(&name),
            text: "I know".to_owned(),
            until: length.map(until),
        },
        Deed::Unacknowledge(name) => Command::Unacknowledge {
            scope: scope(&name),
        },
        Deed::Silence(name, length) => Command::Silence {
            pattern: pattern(&name),
            until: until(length),
            reason: "new cables".to_owned(),
        },
        Deed::Maintain(name, schedule) => Command::Maintain {
            pattern: pattern(&name),
            schedule,
            reason: "cleaning".to_owned(),
        },
        Deed::Remove(id) => Command::Remove {
            id: SuppressionId(id),
        },
        Deed::OrderHold(name, reason) => Command::Hold {
            resource: resource(&name),
            reason,
        },
        Deed::OrderEnable(name) => Command::Enable {
            resource: resource(&name),
        },
        _ => return None,
    };
    Some(Input::Command(Order {
        command,
        by: "ann".to_owned(),
    }))
}

fn scope(name: &str) -> Scope {
    match name.strip_suffix("/source") {
        Some(source) => Scope::Component(source.to_owned()),
        None if name == "all" => Scope::Installation,
        None => Scope::Experiments(NamePattern::try_new(name).expect("a pattern")),
    }
}

pub fn resource(name: &str) -> ResourceName {
    ResourceName::try_new(name).expect("a resource's name")
}
