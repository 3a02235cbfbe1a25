//! Notifications on several routes: whatever fails on the way, each route is finally notified of
//! the current state, nothing pending is lost, and no recipient notices a restart.
//!
//! `PROPTEST_CASES` sets how many cases are tried.

#![allow(
    clippy::too_many_lines,
    reason = "a test is one scenario from beginning to end"
)]
#![allow(
    clippy::expect_used,
    clippy::wildcard_enum_match_arm,
    reason = "a test stops at what it does not expect"
)]

use std::collections::{BTreeMap, BTreeSet, VecDeque};
use std::sync::Arc;
use std::time::Duration;

use engine::model::{
    Availability, CallError, Health, Moment, ResourceName, RouteName, SourceName, Stub, Topic,
};
use engine::{
    Advice, Alert, BookReading, Channel, Connection, DEFAULT_OVERDUE_AFTER, Delivered,
    DeliveryFault, Digest, Effect, Engine, HttpChannel, Input, Notification, Occasion, Policy,
    Report, ResourceReading, Route, Rules, Scopes, State, StateKey, StateValue, Step, Summary,
    SwitchOutcome, Traffic,
};
use jiff::tz::TimeZone;
use proptest::prelude::*;

const STUBS: [&str; 3] = ["a0", "a1", "b0"];

/// How long one round of reports lasts.
const ROUND: Duration = Duration::from_secs(60);

/// How many rounds everything works in the end: longer than an answer is waited for and than what
/// may have arrived waits, but not than a refusal.
const CALM: usize = 75;

/// The last notified states, by the summaries that arrived.
type Known = BTreeMap<RouteName, BTreeMap<Stub, Health>>;

/// Subjects of notifications to a route.
type Things = BTreeSet<(RouteName, String)>;

#[derive(Debug, Clone)]
enum Deed {
    /// An experiment's stream sends, or does not.
    Stream(usize, bool),
    /// An experiment's host is there, or is not.
    Host(usize, bool),
    /// Relay reports, or does not.
    Relay(bool),
    /// The same of jump.
    Jump(bool),
    /// Book answers, or does not.
    Book(bool),
    /// Sending on a route works, fails, is refused, or is not answered at all.
    Send(usize, Sending),
    /// The process is killed and started again.
    Restart,
    /// The configuration is read anew, with other routes or the same.
    Adopt(usize),
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Sending {
    Works,
    Fails,
    Refused,
    /// It arrives, but labwatch gets no confirmation.
    Unanswered,
    /// It is lost on the way, and labwatch gets no answer either.
    Lost,
}

fn deed() -> impl Strategy<Value = Deed> {
    let sending = proptest::sample::select(
        &[
            Sending::Works,
            Sending::Fails,
            Sending::Refused,
            Sending::Unanswered,
            Sending::Lost,
        ][..],
    );
    prop_oneof![
        4 => (0..STUBS.len(), any::<bool>()).prop_map(|(stub, on)| Deed::Stream(stub, on)),
        2 => (0..STUBS.len(), any::<bool>()).prop_map(|(stub, on)| Deed::Host(stub, on)),
        2 => any::<bool>().prop_map(Deed::Relay),
        1 => any::<bool>().prop_map(Deed::Jump),
        1 => any::<bool>().prop_map(Deed::Book),
        3 => (0..3_usize, sending).prop_map(|(route, sending)| Deed::Send(route, sending)),
        1 => Just(Deed::Restart),
        1 => (0..3_usize).prop_map(Deed::Adopt),
    ]
}

/// The action before each round.
fn timeline() -> impl Strategy<Value = Vec<Vec<Deed>>> {
    proptest::collection::vec(proptest::collection::vec(deed(), 0..3), 0..25)
}

fn name(text: &str) -> RouteName {
    RouteName::try_new(text).expect("a name")
}

fn routes() -> Vec<Route> {
    let digest = Digest {
        at: "07:00".parse().expect("a time"),
        zone: TimeZone::UTC,
        when_well: false,
    };
    let default = Route {
        digest: Some(digest),
        ..Route::everybody()
    };
    let hook = Route {
        name: name("hook"),
        channel: Channel::Http(HttpChannel::Webhook),
        gather: Duration::from_secs(30),
        ..Route::everybody()
    };
    let some = Route {
        name: name("some"),
        patterns: vec!["a*".to_owned()],
        alerts: false,
        ..Route::everybody()
    };
    vec![
        default,
        hook,
        Route {
            remind: Some(Duration::from_secs(300)),
            ..some
        },
    ]
}

/// The routes that a configuration may have: all; fewer; all, but with other subjects.
fn some_routes(which: usize) -> Vec<Route> {
    let all = routes();
    match which {
        0 => all,
        1 => all.into_iter().skip(1).collect(),
        _ => {
            let other = |route: Route| Route {
                patterns: vec!["b*".to_owned(), "a1".to_owned()],
                alerts: !route.alerts,
                digest: None,
                ..route
            };
            all.into_iter().map(other).collect()
        }
    }
}

fn rules(routes: Vec<Route>) -> Rules {
    let (maintenance, pools, advice) = (Vec::new(), Vec::new(), Advice::default());
    Rules {
        policy: policy(),
        categories: engine::CategoryRules::default(),
        acknowledged: engine::PolicyAcknowledgements::default(),
        routes,
        maintenance,
        pools,
        advice,
        hold_overdue: DEFAULT_OVERDUE_AFTER,
    }
}

struct World {
    engine: Engine,
    routes: Vec<Route>,
    kept: State,
    now: Moment,
    streams: [bool; 3],
    hosts: [bool; 3],
    relay: bool,
    jump: bool,
    book: bool,
    sending: [Sending; 3],
    known: Known,
    /// Alerts of the whole laboratory that were notified and whose end was not.
    alarmed: BTreeSet<(RouteName, Alert)>,
    /// News of a summary that did not arrive, and that no later one has delivered.
    unconfirmed: Things,
    /// What arrived, and whether labwatch got the confirmation.
    notified: Vec<(Arc<Summary>, bool)>,
}

impl World {
    fn new() -> Self {
        let start = "2026-01-10T06:55:00Z".parse().expect("a time");
        let now = Moment::new(start, Duration::from_secs(1_000_000));
        let mut world = Self {
            engine: Engine::resume(rules(routes()), &State::new(), now),
            routes: routes(),
            kept: State::new(),
            now,
            streams: [true; 3],
            hosts: [true; 3],
            relay: true,
            jump: true,
            book: true,
            sending: [Sending::Works; 3],
            known: routes()
                .into_iter()
                .map(|route| (route.name, BTreeMap::new()))
                .collect(),
            alarmed: BTreeSet::new(),
            unconfirmed: Things::new(),
            notified: Vec::new(),
        };
        world.give(Input::Book(reading()));
        world
    }

    fn act(&mut self, deed: &Deed) {
        match *deed {
            Deed::Stream(stub, on) => self.streams[stub] = on,
            Deed::Host(stub, on) => self.hosts[stub] = on,
            Deed::Relay(on) => self.relay = on,
            Deed::Jump(on) => self.jump = on,
            Deed::Book(on) => self.book = on,
            Deed::Send(route, sending) => self.sending[route] = sending,
            Deed::Restart => self.restart(),
            Deed::Adopt(which) => self.adopt(some_routes(which)),
        }
    }

    fn restart(&mut self) {
        let kept = written_and_read(&self.kept);
        assert_eq!(kept, self.kept);
        self.engine = Engine::resume(rules(self.routes.clone()), &kept, self.now);
        assert_eq!(self.engine.state(), &kept, "to resume changes nothing");
        self.poll();
    }

    /// A route that no longer covers something is not notified of its end either.
    fn adopt(&mut self, routes: Vec<Route>) {
        let route = |name: &RouteName| routes.iter().find(|route| route.name == *name);
        let covers =
            |name: &RouteName, stub: &Stub| route(name).is_some_and(|route| route.covers(stub));
        for (name, known) in &mut self.known {
            known.retain(|stub, _| covers(name, stub));
        }
        self.alarmed
            .retain(|(name, _)| route(name).is_some_and(|route| route.alerts));
        self.unconfirmed.retain(|(name, thing)| {
            match Stub::try_new(thing)
                .ok()
                .filter(|stub| STUBS.contains(&stub.as_str()))
            {
                Some(stub) => covers(name, &stub),
                None => route(name).is_some_and(|route| route.alerts),
            }
        });
        self.routes = routes;
        self.give(Input::Adopt(Box::new(rules(self.routes.clone()))));
    }

    fn poll(&mut self) {
        self.give(if self.book {
            Input::Book(reading())
        } else {
            Input::BookFailed(CallError::TimedOut)
        });
    }

    /// Applies reports, then every deadline within the round.
    fn round(&mut self) {
        let end = self.now + ROUND;
        if self.relay {
            self.give(Input::Report(
                SourceName::Relay,
                Arc::new(report(self.streams, "-st-data", Scopes::EXPT)),
            ));
        }
        if self.jump {
            self.give(Input::Report(
                SourceName::Jump,
                Arc::new(report(self.hosts, "", Scopes::HOST)),
            ));
        }
        self.poll();
        while let Some(at) = self.engine.next_deadline().filter(|at| *at < end) {
            self.now = at;
            self.give(Input::Wake);
        }
        self.now = end;
    }

    /// A step is done whole, records and all, before the engine receives the outcome.
    fn give(&mut self, input: Input) {
        let mut inputs = VecDeque::from([input]);
        while let Some(input) = inputs.pop_front() {
            let Step {
                changes, effects, ..
            } = self.engine.step(input, self.now);
            for change in changes {
                change.apply(&mut self.kept);
            }
            assert_eq!(&self.kept, self.engine.state());
            inputs.extend(
                effects
                    .into_iter()
                    .filter_map(|effect| self.carry_out(effect)),
            );
        }
    }

    /// Does what the engine asks for. Returns the resulting inputs.
    fn carry_out(&mut self, effect: Effect) -> Option<Input> {
        match effect {
            Effect::Notify(notification) => Some(self.send(&notification)),
            Effect::Switch(switch) => {
                let said = Availability {
                    available: switch.available,
                    reason: switch.reason,
                };
                Some(Input::Switched {
                    resource: switch.resource,
                    outcome: SwitchOutcome::Confirmed(said),
                })
            }
            _ => None,
        }
    }

    fn send(&mut self, notification: &Notification) -> Input {
        let summary = Arc::clone(&notification.summary);
        let at = routes()
            .iter()
            .position(|route| route.name == summary.route)
            .expect("a route that there is");
        let sending = self.sending[at];
        let id = summary.id;
        if matches!(sending, Sending::Works | Sending::Unanswered) {
            self.read(&summary);
            self.notified.push((summary, sending == Sending::Works));
        } else {
            self.unconfirmed.extend(things(&summary));
        }
        let outcome = match sending {
            Sending::Works => Ok(Delivered::to_all()),
            Sending::Unanswered | Sending::Lost => return Input::DeliveryBegun(id),
            Sending::Fails => Err(DeliveryFault::passing(CallError::TimedOut)),
            Sending::Refused => Err(DeliveryFault::refused(CallError::TimedOut)),
        };
        Input::Delivered { id, outcome }
    }

    /// It is read.
    fn read(&mut self, summary: &Summary) {
        let known = self.known.entry(summary.route.clone()).or_default();
        known.extend(
            summary
                .news
                .iter()
                .map(|line| (line.stub.clone(), line.health)),
        );
        for thing in things(summary) {
            self.unconfirmed.remove(&thing);
        }
        for alert in summary.alerts.iter().filter(|alert| alert.new) {
            let about = (
                summary.route.clone(),
                alert.alert.clone().expect("an alert"),
            );
            match alert.ended {
                None => drop(self.alarmed.insert(about)),
                Some(_) => drop(self.alarmed.remove(&about)),
            }
        }
    }

    /// Everything on the way works, and the experiments stay as they are. What was refused for good
    /// waits for a day, unless labwatch is started anew.
    fn calm(&mut self) {
        self.adopt(routes());
        (self.relay, self.jump, self.book, self.sending) = (true, true, true, [Sending::Works; 3]);
        if self
            .engine
            .snapshot()
            .routes
            .iter()
            .any(|route| route.refused.is_some())
        {
            self.restart();
        }
        for _ in 0..CALM {
            self.round();
        }
    }
}

/// The news of a summary.
fn things(summary: &Summary) -> impl Iterator<Item = (RouteName, String)> {
    let experiments = summary.news.iter().map(|line| line.stub.to_string());
    let alerts = summary
        .alerts
        .iter()
        .filter(|alert| alert.new)
        .filter_map(|alert| Some(alert.alert.as_ref()?.word().into_owned()));
    experiments
        .chain(alerts)
        .map(|thing| (summary.route.clone(), thing))
}

/// A state as a store would return it.
fn written_and_read(state: &State) -> State {
    let texts = state.iter().map(|(key, value)| {
        let value = serde_json::to_string(value).expect("it is written");
        (key.to_string(), value)
    });
    let read = |(key, value): (String, String)| -> (StateKey, StateValue) {
        let value = serde_json::from_str(&value).expect("it is read");
        (key.parse().expect("a key"), value)
    };
    texts.map(read).collect()
}

fn policy() -> Policy {
    Policy {
        startup: Duration::ZERO,
        last_active: Duration::from_secs(90),
        last_checked: Duration::from_secs(90),
        outage_hold: Duration::from_secs(600),
        ask: None,
        query_book_every: Duration::from_secs(24 * 3600),
        ..Policy::default()
    }
}

fn reading() -> BookReading {
    let one = |stub: &str| {
        let stub = Stub::try_new(stub).expect("a stub");
        ResourceReading {
            name: ResourceName::try_new(&format!("r-{stub}")).expect("a name"),
            streams: vec![Topic::of(&stub, "st-data").expect("a topic")],
            stub,
            availability: Some(Availability::from_book(true, "new")),
        }
    };
    BookReading {
        resources: STUBS.map(one).to_vec(),
    }
}

fn report(there: [bool; 3], suffix: &str, scopes: Scopes) -> Report {
    let mut report = Report::default();
    let tx = Some(Traffic {
        last: Some(Duration::ZERO),
        size: 1,
        fps: 1.0,
    });
    for stub in STUBS
        .iter()
        .zip(there)
        .filter_map(|(stub, there)| there.then_some(stub))
    {
        let topic = format!("{stub}{suffix}");
        report.push(Connection {
            topic: &topic,
            scopes,
            connected: "",
            expires: "",
            remote: "",
            user_agent: "",
            tx,
            rx: None,
        });
    }
    report
}

fn is_bad(health: Health) -> bool {
    matches!(health, Health::Degraded | Health::Down)
}

proptest! {
    #![proptest_config(ProptestConfig { failure_persistence: None, ..ProptestConfig::default() })]

    #[test]
    fn each_route_knows_in_the_end_what_is(timeline in timeline()) {
        let mut world = World::new();
        for deeds in timeline {
            for deed in &deeds {
                world.act(deed);
            }
            world.round();
        }
        world.calm();
        let snapshot = world.engine.snapshot();
        for route in routes() {
            let known = &world.known[&route.name];
            for view in snapshot.experiments.iter() {
                let is = if route.covers(&view.stub) { view.health } else { Health::Ok };
                prop_assert_eq!(known.get(&view.stub).copied().unwrap_or(Health::Ok), is, "what {} knows of {}", route.name, view.stub);
                let notified = snapshot.notified(view.stub.as_str()).iter().find(|notified| notified.route == route.name);
                prop_assert_eq!(notified.map(|notified| notified.health), is_bad(is).then_some(is), "what the snapshot says of {}", view.stub);
            }
        }
        prop_assert!(snapshot.routes.iter().all(|route| route.waiting_since.is_none()), "{:?}", snapshot.routes);
        prop_assert!(world.alarmed.is_empty(), "who was notified of an outage is notified of its end: {:?}", world.alarmed);
        prop_assert!(world.unconfirmed.is_empty(), "what is pending is delivered in the end: {:?}", world.unconfirmed);

        let notified = world.notified.len();
        world.restart();
        for _ in 0..10 {
            world.round();
        }
        let news = world.notified[notified..].iter().find(|(summary, _)| summary.occasion == Occasion::News);
        prop_assert!(news.is_none(), "a restart notifies nothing: {news:?}");
    }

    #[test]
    fn the_same_rules_read_again_change_nothing(timeline in timeline()) {
        let (mut one, mut other) = (World::new(), World::new());
        for deeds in timeline {
            for deed in &deeds {
                one.act(deed);
                other.act(deed);
            }
            one.give(Input::Wake);
            other.give(Input::Adopt(Box::new(rules(other.routes.clone()))));
            one.round();
            other.round();
            prop_assert_eq!(one.engine.next_deadline(), other.engine.next_deadline());
        }
        prop_assert_eq!(one.notified, other.notified);
        let (one, other) = (one.engine.snapshot(), other.engine.snapshot());
        prop_assert_eq!(one.experiments, other.experiments);
        prop_assert_eq!((one.routes, one.notified, one.counts), (other.routes, other.notified, other.counts));
    }

    #[test]
    fn routes_refer_to_their_own_messages_and_get_one_digest(timeline in timeline()) {
        let mut world = World::new();
        for deeds in timeline {
            for deed in &deeds {
                world.act(deed);
            }
            world.round();
        }
        world.calm();
        let mut before: BTreeMap<(RouteName, u64), Arc<Summary>> = BTreeMap::new();
        let mut digests: BTreeMap<RouteName, usize> = BTreeMap::new();
        for (summary, is_known) in &world.notified {
            let is_before = |id| before.contains_key(&(summary.route.clone(), id));
            prop_assert!(summary.thread.references.iter().all(|message| is_before(message.id)), "{summary:?}");
            let same = before.insert((summary.route.clone(), summary.id), Arc::clone(summary));
            prop_assert!(same.is_none_or(|same| same == *summary), "a number that was used for another message");
            *digests.entry(summary.route.clone()).or_default() += usize::from(summary.occasion == Occasion::Digest && *is_known);
        }
        prop_assert!(digests.values().all(|count| *count <= 1), "{digests:?}");
    }
}
