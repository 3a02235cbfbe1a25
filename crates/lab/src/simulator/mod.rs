//! The laboratory around an engine, with a virtual clock: experiments, relay, jump, book, mail and
//! samples, with all their faults. It
//! gives the engine its inputs; there is no socket.

mod canary;
mod deed;
mod faults;
mod outcomes;
mod pages;
mod reports;

pub use deed::{Deed, Mood, Wanted};

use std::collections::{BTreeMap, BTreeSet};
use std::sync::Arc;
use std::time::Duration;

use engine::model::{CallError, Moment, PageAddress, SourceName};
use engine::{Effect, Input, Link, Record, Sample, SampleOutcome, State, StateChange, Switch};
use jiff::{SignedDuration, Timestamp};

use crate::model::{Book, Fleet, Manifest, Resource};
use crate::plan::{ExperimentPlan, StreamPlan};
use crate::{Forwarding, Timeline, World};
use canary::CANARY_EVERY;
use deed::ordered;
use pages::Pages;

/// An output of the engine.
#[derive(Debug, Clone, PartialEq)]
pub enum Output {
    /// A record.
    Record(Record),
    /// An effect that it asked for.
    Effect(Effect),
}

/// An event around the engine.
#[derive(Debug, Clone)]
pub enum Event {
    /// Something is done.
    Do(Deed),
    /// A source's report is due; the number identifies the interval.
    Tick(SourceName, u64),
    /// A source answers a request for a report.
    Answer(SourceName),
    /// A connection is open.
    Opens(SourceName),
    /// The client closes a mute connection and reconnects.
    Redials(SourceName),
    /// The client tries a source that fails; the number identifies the failure.
    Tries(SourceName, u32),
    /// A switch has been tried.
    Lands(Switch, u64),
    /// A notification has been sent: its id, its route, the attempt.
    Sent(u64, String, u64),
    /// The canary's message is due; the number says how many of its messages in a row did not
    /// arrive.
    Sings(u32),
    /// A sample is at its end.
    Sampled(Sample),
    /// A check of a page is at its end.
    Checked(PageAddress),
}

#[derive(Debug, Clone)]
struct Source {
    every: Duration,
    up: bool,
    mute: bool,
    /// The result of each attempt while it fails, and how often it has begun to fail.
    fails: Option<Link>,
    failures: u32,
    /// How many experiments its next report lacks.
    leaves_out: u32,
    started: u32,
    ticks: u64,
}

impl Source {
    fn new(seconds: u64) -> Self {
        Self {
            every: Duration::from_secs(seconds),
            up: true,
            mute: false,
            fails: None,
            failures: 0,
            leaves_out: 0,
            started: 1,
            ticks: 0,
        }
    }
}

/// The laboratory.
#[derive(Debug)]
#[allow(
    clippy::struct_excessive_bools,
    reason = "each is a fault that is there or not, independent of the others"
)]
pub struct Simulator {
    fleet: Fleet,
    relay: Source,
    jump: Source,
    forwarding: Forwarding,
    statistics: bool,
    junk: bool,
    manifest: Manifest,
    /// The current state of book.
    pub book: Book,
    book_every: Duration,
    book_ticks: u64,
    book_fails: bool,
    switches_take: Duration,
    switches_fail: bool,
    mail_takes: Duration,
    mail: Mood,
    routes: BTreeMap<String, Mood>,
    samples: Mood,
    pages: Pages,
    /// Whether there is a canary, and the last state that it reported.
    canary: Option<engine::Forwarding>,
    next_attempt: u64,
    /// Switches whose outcome has not reached the engine.
    pub switching: BTreeMap<u64, Switch>,
    /// The same of mails.
    pub mailing: BTreeSet<u64>,
    /// All outputs of the engine.
    pub log: Vec<(Moment, Output)>,
    /// The durable state, from the changes so far.
    pub kept: State,
}

impl Default for Simulator {
    fn default() -> Self {
        Self {
            fleet: Fleet::default(),
            relay: Source::new(2),
            jump: Source::new(1),
            forwarding: Forwarding::Works,
            statistics: true,
            junk: false,
            manifest: Manifest::new(),
            book: Book::default(),
            book_every: Duration::from_secs(60),
            book_ticks: 0,
            book_fails: false,
            switches_take: Duration::from_millis(20),
            switches_fail: false,
            mail_takes: Duration::from_millis(100),
            mail: Mood::Works,
            routes: BTreeMap::new(),
            samples: Mood::Works,
            pages: Pages::default(),
            canary: None,
            next_attempt: 0,
            switching: BTreeMap::new(),
            mailing: BTreeSet::new(),
            log: Vec::new(),
            kept: State::new(),
        }
    }
}

/// The clock of the experiments: it is not affected when the wall clock is set.
fn steady(now: Duration) -> Timestamp {
    Timestamp::UNIX_EPOCH
        .checked_add(now)
        .unwrap_or(Timestamp::MAX)
}

impl Simulator {
    /// The events that start the laboratory.
    pub fn begin(plan: &mut Timeline<Event>) {
        for name in [SourceName::Relay, SourceName::Jump] {
            plan.after(Duration::from_millis(100), Event::Opens(name));
            plan.after(Duration::from_millis(200), Event::Tick(name, 0));
        }
        plan.after(Duration::from_millis(150), Event::Tick(SourceName::Book, 0));
        plan.after(CANARY_EVERY, Event::Sings(0));
    }

    fn source(&mut self, name: SourceName) -> &mut Source {
        if name == SourceName::Jump {
            &mut self.jump
        } else {
            &mut self.relay
        }
    }

    fn report(&mut self, name: SourceName, now: Duration) -> Vec<Input> {
        let source = self.source(name);
        if !source.up || source.mute {
            return Vec::new();
        }
        let left_out = std::mem::take(&mut source.leaves_out);
        let report = if name == SourceName::Jump {
            self.jump_report(now, left_out)
        } else {
            self.relay_report(now, left_out)
        };
        vec![Input::Report(name, Arc::new(report))]
    }

    fn poll(&self) -> Vec<Input> {
        if self.book_fails {
            return vec![Input::BookFailed(CallError::TimedOut)];
        }
        let timetable = self.pages.timetable(&self.book);
        [Input::Book(self.book.reading())]
            .into_iter()
            .chain(timetable)
            .collect()
    }

    fn tick(&mut self, name: SourceName, ticks: u64, plan: &mut Timeline<Event>) -> Vec<Input> {
        let (current, every) = match name {
            SourceName::Book if self.book_fails => (self.book_ticks, Duration::from_secs(5)),
            SourceName::Book => (self.book_ticks, self.book_every),
            SourceName::Relay | SourceName::Jump => {
                (self.source(name).ticks, self.source(name).every)
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

    /// The client asks for a report as soon as it is connected.
    fn opens(&mut self, name: SourceName, plan: &mut Timeline<Event>) -> Vec<Input> {
        if !self.source(name).up {
            return Vec::new();
        }
        plan.after(Duration::from_millis(100), Event::Answer(name));
        vec![Input::Link(name, Link::Open)]
    }

    fn redials(&mut self, name: SourceName, plan: &mut Timeline<Event>) -> Vec<Input> {
        if !self.source(name).up {
            return Vec::new();
        }
        plan.after(Duration::from_millis(300), Event::Opens(name));
        [Link::GivenUp, Link::Connecting]
            .map(|link| Input::Link(name, link))
            .to_vec()
    }

    fn experiment(&mut self, stub: &str, keys: &[String]) {
        let stream = |key: &String| StreamPlan {
            key: key.clone(),
            ..StreamPlan::data()
        };
        let plan = ExperimentPlan {
            streams: keys.iter().map(stream).collect(),
            ..ExperimentPlan::new(stub)
        };
        self.fleet.add(&plan, steady(Duration::ZERO));
        self.list(&format!("r-{stub}"), stub, keys);
    }

    fn list(&mut self, name: &str, stub: &str, keys: &[String]) {
        let keys: Vec<&str> = keys.iter().map(String::as_str).collect();
        let listed = Resource::new(stub, &keys);
        let before = self.manifest.insert(name.to_owned(), listed.clone());
        if before != Some(listed) || self.book.is_empty() {
            self.book.upload(&self.manifest, "Loaded");
        }
    }

    fn act_on(&mut self, deed: Deed, plan: &mut Timeline<Event>) -> Vec<Input> {
        match deed {
            Deed::Fault(fault) => return self.apply(&fault, plan),
            Deed::Experiment(stub, keys) => self.experiment(&stub, &keys),
            Deed::List(name, stub, keys) => self.list(&name, &stub, &keys),
            Deed::Unlist(name) => {
                self.manifest.remove(&name);
                self.book.upload(&self.manifest, "Loaded");
            }
            Deed::Fails(name, link) => return self.fails(name, link, plan),
            Deed::Junk(junk) => self.junk = junk,
            Deed::Every(name, every) => self.pace(name, every, plan),
            Deed::Statistics(statistics) => self.statistics = statistics,
            Deed::Poll => return self.poll(),
            Deed::SwitchesTake(takes) => self.switches_take = takes,
            Deed::SwitchesFail(fail) => self.switches_fail = fail,
            Deed::MailTakes(takes) => self.mail_takes = takes,
            Deed::Mail(mood) => {
                self.mail = mood;
                self.routes.clear();
            }
            Deed::Route(route, mood) => drop(self.routes.insert(route, mood)),
            Deed::Samples(mood) => self.samples = mood,
            Deed::Pages => self.pages.are_listed = true,
            Deed::PagesShow(outcome) => self.pages.shown = outcome,
            Deed::Canary => self.canary = Some(engine::Forwarding::Unknown),
            Deed::Clock(seconds) => plan.set_clock(SignedDuration::from_secs(seconds)),
            Deed::Role(role) => return vec![Input::Role(role)],
            Deed::Adopt(rules) => return vec![Input::Adopt(rules)],
            Deed::Command(wanted) => {
                return ordered(wanted, plan.now().wall()).into_iter().collect();
            }
        }
        Vec::new()
    }
}

impl World for Simulator {
    type Event = Event;

    fn happen(&mut self, event: Event, plan: &mut Timeline<Event>) -> Vec<Input> {
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
            // The process that sent it may be gone meanwhile, and the outcome with it.
            Event::Sent(id, route, attempt) => {
                if self.mailing.remove(&attempt) {
                    vec![self.sent(id, &route)]
                } else {
                    Vec::new()
                }
            }
            Event::Sings(missed) => self.sings(missed, plan),
            Event::Checked(page) => {
                let outcome = self.pages.outcome(&page);
                vec![Input::PageChecked { page, outcome }]
            }
            Event::Sampled(sample) => {
                let outcome = self.sampled(&sample, plan.now().mono());
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

    fn record(&mut self, record: Record, plan: &Timeline<Event>) {
        self.log.push((plan.now(), Output::Record(record)));
    }

    fn act(&mut self, effect: Effect, plan: &mut Timeline<Event>) {
        self.log.push((plan.now(), Output::Effect(effect.clone())));
        self.next_attempt += 1;
        let attempt = self.next_attempt;
        match effect {
            Effect::Switch(switch) => {
                self.switching.insert(attempt, switch.clone());
                plan.after(self.switches_take, Event::Lands(switch, attempt));
            }
            Effect::Notify(notification) => {
                self.mailing.insert(attempt);
                plan.after(
                    self.mail_takes,
                    Event::Sent(notification.id, notification.route.to_string(), attempt),
                );
            }
            Effect::Ask(name) => plan.after(Duration::from_millis(50), Event::Answer(name)),
            Effect::CheckPage(page) => plan.after(pages::TAKES, Event::Checked(page)),
            Effect::Reconnect(name) => plan.after(Duration::ZERO, Event::Redials(name)),
            Effect::Sample(sample) => {
                let now = plan.now().mono();
                let has_data = self.sampled(&sample, now) == SampleOutcome::Received;
                let takes = if has_data {
                    Duration::from_millis(250)
                } else {
                    sample.listen
                };
                plan.after(takes, Event::Sampled(sample));
            }
        }
    }
}
