//! Invariants that hold for every sequence of faults: random laboratories with random faults, in
//! virtual time, against a book that keeps state.

#![allow(
    clippy::too_many_lines,
    reason = "a test is one scenario from beginning to end"
)]
#![allow(
    clippy::panic,
    clippy::expect_used,
    reason = "a test stops at what it does not expect"
)]
#![allow(
    clippy::wildcard_enum_match_arm,
    reason = "a property picks the few actions that it is about"
)]

mod support;

use std::collections::{BTreeMap, BTreeSet};
use std::sync::Arc;
use std::time::Duration;

use engine::model::{
    Availability, Bookable, CallError, ConnectError, Health, Moment, ResourceName, SourceName,
    Stub, Topic,
};
use engine::{
    BookReading, Connection, Delivered, DeliveryFault, Effect, Engine, FlapRule, Input, Link,
    Outlook, Policy, Record, Report, ResourceReading, Role, Route, Rules, SampleOutcome, Schedule,
    Scopes, State, SwitchOutcome, Traffic,
};
use jiff::Timestamp;
use lab::{Moved, Server, Stage};
use proptest::prelude::*;
use support::lab::{Deed, Event, Fault, Lab, Mood, Output, Wanted, fault, resource, server};

const STUBS: [&str; 4] = ["a0", "a1", "b0", "b1"];
const TOPICS: [&str; 8] = [
    "a0-st-data",
    "a0-st-video",
    "a1-st-data",
    "a1-st-video",
    "b0-st-data",
    "b0-st-video",
    "b1-st-data",
    "b1-st-video",
];

/// How long faults go on, in seconds.
const FAULTS_FOR: u64 = 900;

/// How long everything works afterwards, so that all comes to rest: longer than every back-off and
/// every wait.
const REST_FOR: u64 = 1_500;

/// How often relay and jump report.
const PACE: Duration = Duration::from_secs(5);

/// The most numbers that suppressions of a timeline are given: each of 60 may acknowledge four
/// experiments.
const MOST_NOTES: u64 = 240;

/// Where mail must change nothing, all else happens at whole multiples of this, and what concerns
/// mail alone beside them. Any input of the engine at the moment when it wants a report lets
/// it ask for one, even if one comes at that very moment: who is mailed then may see an experiment
/// some milliseconds later.
const GRID: u64 = 10;

/// How far beside: as long as the engine rests at least between two looks at the time.
const BESIDE: Duration = Duration::from_millis(1);

/// The most wakes of a whole run, in which eight streams may be listened to once a second.
const MOST_WAKES: usize = 12_000;

fn name() -> impl Strategy<Value = String> {
    prop_oneof![
        4 => proptest::sample::select(&TOPICS[..]).prop_map(str::to_owned),
        1 => proptest::sample::select(&STUBS[..]).prop_map(str::to_owned),
        1 => proptest::sample::select(&STUBS[..]).prop_map(|stub| format!("{stub}/jump")),
        1 => Just("stray-st-data".to_owned()),
    ]
}

fn topic() -> impl Strategy<Value = String> {
    proptest::sample::select(&TOPICS[..]).prop_map(str::to_owned)
}

fn resource_name() -> impl Strategy<Value = String> {
    proptest::sample::select(&STUBS[..]).prop_map(|stub| format!("r-{stub}"))
}

fn feed() -> impl Strategy<Value = SourceName> {
    prop_oneof![Just(SourceName::Relay), Just(SourceName::Jump)]
}

/// A permanent refusal lasts a day, which is longer than these laboratories live.
fn mood() -> impl Strategy<Value = Mood> {
    prop_oneof![1 => Just(Mood::Works), 1 => Just(Mood::Fails)]
}

fn pause() -> impl Strategy<Value = Duration> {
    proptest::sample::select(&[0_u64, 20, 900, 7_000, 45_000, 700_000][..])
        .prop_map(Duration::from_millis)
}

fn deed() -> impl Strategy<Value = Deed> {
    prop_oneof![
        6 => name().prop_map(|name| Deed::Fault(Fault::Vanish(name))),
        6 => name().prop_map(|name| Deed::Fault(Fault::Back(name))),
        3 => topic().prop_map(|name| Deed::Fault(Fault::Silent(name))),
        3 => topic().prop_map(|name| Deed::Fault(Fault::Sends(name))),
        1 => (topic(), any::<bool>()).prop_map(|(topic, twin)| Deed::Fault(if twin { Fault::Twin(topic) } else { Fault::Untwin(topic) })),
        1 => any::<bool>().prop_map(Deed::Junk),
        2 => feed().prop_map(|name| Deed::Fault(Fault::Kill(server(name)))),
        3 => feed().prop_map(|name| Deed::Fault(Fault::Start(server(name)))),
        1 => (feed(), any::<bool>()).prop_map(|(name, mute)| Deed::Fault(Fault::Mute(server(name), mute))),
        1 => feed().prop_map(|name| Deed::Fault(Fault::Blink(server(name)))),
        1 => (feed(), 1_u64..70).prop_map(|(name, seconds)| Deed::Every(name, Duration::from_secs(seconds))),
        1 => any::<bool>().prop_map(Deed::Statistics),
        2 => resource_name().prop_map(|name| Deed::Fault(Fault::Hold(name, "a person wants it".to_owned()))),
        2 => resource_name().prop_map(|name| Deed::Fault(Fault::Release(name, "free again".to_owned()))),
        1 => Just(fault("upload")),
        1 => Just(fault("upload nothing")),
        1 => resource_name().prop_map(Deed::Unlist),
        1 => proptest::sample::select(&STUBS[..]).prop_map(listed),
        2 => Just(Deed::Poll),
        2 => any::<bool>().prop_map(|fails| Deed::Fault(Fault::Freeze(Server::Book, fails))),
        1 => pause().prop_map(Deed::SwitchesTake),
        2 => any::<bool>().prop_map(Deed::SwitchesFail),
        // What sends mails gives up long before the engine does, so none arrives after a later one.
        1 => pause().prop_map(|pause| Deed::MailTakes(pause.min(Duration::from_secs(300)))),
        2 => mood().prop_map(Deed::Mail),
        1 => mood().prop_map(Deed::Samples),
        1 => (-100_000_i64..100_000).prop_map(Deed::Clock),
        2 => suppressing(),
        2 => ordering(),
        1 => any::<bool>().prop_map(|leads| Deed::Role(if leads { Role::Leader } else { Role::Follower })),
    ]
}

/// Suppresses mail, or ends a suppression.
fn suppressing() -> impl Strategy<Value = Deed> {
    let names = || {
        proptest::sample::select(&["a0", "a*", "*", "relay/source", "jump/source", "all"][..])
            .prop_map(str::to_owned)
    };
    let patterns = || proptest::sample::select(&["a0", "a*", "*"][..]).prop_map(str::to_owned);
    let lengths = || (1_u64..600).prop_map(Duration::from_secs);
    prop_oneof![
        3 => (names(), proptest::option::of(lengths())).prop_map(|(name, length)| Deed::Command(Wanted::Acknowledge(name, length))),
        1 => names().prop_map(|what| Deed::Command(Wanted::Unacknowledge(what))),
        2 => (patterns(), lengths()).prop_map(|(name, length)| Deed::Command(Wanted::Silence(name, length))),
        2 => (patterns(), 0_i64..900, 1_i64..600).prop_map(|(name, from, length)| {
            let at = |second: i64| Timestamp::from_second(1_000_000 + second).expect("a time");
            Deed::Command(Wanted::Maintain(name, Schedule::Once { from: at(from), until: at(from + length) }))
        }),
        1 => (1_u64..8).prop_map(|what| Deed::Command(Wanted::Remove(what))),
    ]
}

/// Commands to hold and to enable.
fn ordering() -> impl Strategy<Value = Deed> {
    prop_oneof![
        resource_name()
            .prop_map(|name| Deed::Command(Wanted::Hold(name, "a maintainer wants it".to_owned()))),
        resource_name().prop_map(|what| Deed::Command(Wanted::Enable(what))),
    ]
}

fn listed(stub: &str) -> Deed {
    Deed::List(
        format!("r-{stub}"),
        stub.to_owned(),
        vec!["st-data".to_owned(), "st-video".to_owned()],
    )
}

fn timeline() -> impl Strategy<Value = Vec<(u64, Deed)>> {
    proptest::collection::vec((0..FAULTS_FOR * 1_000, deed()), 0..60)
}

/// Ends all faults but those of the experiments themselves.
fn peace() -> Vec<Deed> {
    let feeds = [SourceName::Relay, SourceName::Jump].into_iter();
    let mut deeds = vec![
        Deed::Mail(Mood::Works),
        Deed::MailTakes(Duration::from_millis(100)),
        Deed::SwitchesFail(false),
        Deed::SwitchesTake(Duration::from_millis(20)),
        Deed::Samples(Mood::Works),
        fault("book thaws"),
        Deed::Role(Role::Leader),
        Deed::Command(Wanted::Unacknowledge("all".to_owned())),
        Deed::Command(Wanted::Unacknowledge("*".to_owned())),
    ];
    deeds.extend(STUBS.map(listed));
    // A clock that was set back makes a silence longer than the rest: a person ends what still
    // suppresses mail.
    deeds.extend((1..=MOST_NOTES).map(|what| Deed::Command(Wanted::Remove(what))));
    deeds.extend(feeds.flat_map(|name| {
        [
            Deed::Fault(Fault::Kill(server(name))),
            Deed::Fault(Fault::Start(server(name))),
            Deed::Every(name, PACE),
        ]
    }));
    deeds
}

fn stage(timeline: &[(u64, Deed)], policy: Policy) -> Stage<Lab> {
    let mut stage = Stage::new(
        policy,
        vec![Route::everybody()],
        Timestamp::from_second(1_000_000).expect("a time"),
        Lab::default(),
    );
    for stub in STUBS {
        let keys = vec!["st-data".to_owned(), "st-video".to_owned()];
        stage.plan.at(
            Duration::ZERO,
            Event::Do(Deed::Experiment(stub.to_owned(), keys)),
        );
    }
    for name in [SourceName::Relay, SourceName::Jump] {
        stage
            .plan
            .at(Duration::ZERO, Event::Do(Deed::Every(name, PACE)));
    }
    for (at, deed) in timeline {
        stage
            .plan
            .at(Duration::from_millis(*at), Event::Do(deed.clone()));
    }
    Lab::begin(&mut stage.plan);
    stage
}

fn quick() -> Policy {
    // What flaps has calmed down long before the end of the rest.
    let flap = FlapRule {
        window: Duration::from_secs(600),
        ..FlapRule::default()
    };
    Policy {
        startup: Duration::from_secs(5),
        outage_hold: Duration::from_secs(300),
        flap,
        ..Policy::default()
    }
}

/// Checks the engine after each step.
#[derive(Default)]
struct Watch {
    seen: usize,
    held: BTreeSet<ResourceName>,
    relay_down: Option<Moment>,
}

impl Watch {
    fn look(&mut self, moved: Moved, stage: &Stage<Lab>) {
        let fresh = stage.world.log.get(self.seen..).unwrap_or_default();
        self.seen = stage.world.log.len();
        for (at, action) in fresh {
            self.action(*at, action);
        }
        let mut resources = BTreeSet::new();
        let all_apart = stage
            .world
            .switching
            .values()
            .all(|switch| resources.insert(switch.resource.clone()));
        assert!(
            all_apart,
            "two switches under way for one resource: {:?}",
            stage.world.switching
        );
        assert!(stage.world.switching.len() <= 16, "too many switches");
        assert!(stage.world.mailing.len() <= 2, "mails pile up");
        if let Some(deadline) = stage.engine.next_deadline() {
            let is_later = if moved == Moved::Wake {
                deadline > stage.plan.now()
            } else {
                deadline >= stage.plan.now()
            };
            assert!(is_later, "the deadline does not advance");
        }
    }

    fn action(&mut self, at: Moment, action: &Output) {
        match action {
            Output::Record(Record::Hold {
                resource,
                reason: Some(_),
            }) => drop(self.held.insert(resource.clone())),
            Output::Record(Record::Hold {
                resource,
                reason: None,
            }) => drop(self.held.remove(resource)),
            Output::Record(Record::Manifest(engine::ManifestChange::Changed {
                removed, ..
            })) => {
                self.held.retain(|name| !removed.contains(name));
            }
            Output::Record(Record::Source {
                name: SourceName::Relay,
                health,
                ..
            }) => {
                let is_down = *health == engine::model::SourceHealth::Down;
                self.relay_down = is_down.then_some(self.relay_down.unwrap_or(at));
            }
            Output::Effect(Effect::Switch(switch)) => {
                assert!(
                    switch.by_person || !self.held.contains(&switch.resource),
                    "a person's hold is overridden: {switch:?}"
                );
                let early = self
                    .relay_down
                    .is_some_and(|since| at.since(since) < Duration::from_secs(300));
                let outage = switch.reason.contains("the connection to all experiments");
                assert!(
                    !(early && outage),
                    "withdrawn for an outage before its time: {switch:?}"
                );
            }
            _ => {}
        }
    }
}

fn on_grid(millis: u64) -> u64 {
    millis - millis % GRID
}

/// The deed on the [`GRID`], but mails arrive beside it.
fn mailed_beside((at, deed): (u64, Deed)) -> (u64, Deed) {
    match deed {
        Deed::MailTakes(time) => (on_grid(at), Deed::MailTakes(time + BESIDE)),
        other => (on_grid(at), other),
    }
}

fn run(stage: &mut Stage<Lab>, until: u64) -> usize {
    let mut watch = Watch::default();
    let mut wakes = 0;
    while let Some(moved) = stage.advance(Duration::from_secs(until)) {
        wakes += usize::from(moved == Moved::Wake);
        watch.look(moved, stage);
    }
    wakes
}

/// The last notified states, from the mails that arrived.
fn notified(stage: &Stage<Lab>) -> BTreeMap<Stub, Health> {
    let mut notified = BTreeMap::new();
    let mut sent = BTreeMap::new();
    for (_, action) in &stage.world.log {
        match action {
            Output::Effect(Effect::Notify(summary)) => {
                drop(sent.insert(summary.id, Arc::clone(&summary.summary)));
            }
            Output::Record(Record::Delivered { id, outcome: Ok(_) }) => {
                let summary = sent.get(id).expect("a mail that was sent");
                notified.extend(
                    summary
                        .news
                        .iter()
                        .map(|line| (line.stub.clone(), line.health)),
                );
            }
            _ => {}
        }
    }
    notified
}

proptest! {
    #![proptest_config(ProptestConfig { failure_persistence: None, ..ProptestConfig::default() })]

    #[test]
    fn whatever_happens_all_comes_right_in_the_end(timeline in timeline()) {
        let mut stage = stage(&timeline, quick());
        for deed in peace() {
            stage.plan.at(Duration::from_secs(FAULTS_FOR), Event::Do(deed));
        }
        let rest = FAULTS_FOR + REST_FOR;
        let wakes = run(&mut stage, rest);
        prop_assert!(wakes < MOST_WAKES, "{wakes} wakes");
        let steady_from = stage.world.log.len();
        run(&mut stage, rest + 400);
        for (at, action) in &stage.world.log[steady_from..] {
            prop_assert!(!matches!(action, Output::Effect(Effect::Switch(_) | Effect::Notify(_))), "no rest: {at:?} {action:?}");
        }
        let known = notified(&stage);
        for view in stage.engine.snapshot().experiments.iter() {
            prop_assert!(view.health != Health::Unknown, "{} is not evaluated", view.stub);
            let said = known.get(&view.stub).copied().unwrap_or(Health::Ok);
            prop_assert_eq!(said, view.health, "what recipients know of {}", view.stub);
            for shown in &view.resources {
                let is = stage.world.book.stored(shown.name.as_str()).map(Availability::bookable);
                prop_assert_eq!(is, shown.bookable, "what is shown of {}", shown.name);
                let right = match is {
                    Some(Bookable::Held) => true,
                    Some(Bookable::Withdrawn) => view.health.is_unusable(),
                    Some(Bookable::Yes) => !view.health.is_unusable(),
                    None => false,
                };
                prop_assert!(right, "{} is {is:?} while {} is {}", shown.name, view.stub, view.health);
            }
        }
    }

    /// What is acknowledged, silenced or maintained is evaluated and switched as if it were not.
    #[test]
    fn a_suppression_changes_no_evaluation_and_no_switch(timeline in timeline(), suppressions in proptest::collection::vec((0..FAULTS_FOR * 1_000, suppressing()), 1..20)) {
        let mail = (0, Deed::MailTakes(Duration::from_millis(100)));
        let timeline: Vec<_> = [mail].into_iter().chain(timeline).map(mailed_beside).collect();
        let done = |suppressions: Vec<(u64, Deed)>| {
            let mut stage = stage(&timeline, quick());
            for (at, deed) in suppressions {
                stage.plan.at(Duration::from_millis(on_grid(at)) + BESIDE, Event::Do(deed));
            }
            run(&mut stage, FAULTS_FOR + 100);
            let kept = stage.world.log.into_iter().filter(|(_, action)| {
                matches!(action, Output::Effect(Effect::Switch(_)) | Output::Record(Record::Event { .. } | Record::Source { .. } | Record::Hold { .. }))
            });
            kept.map(|(at, action)| (at.mono(), action)).collect::<Vec<_>>()
        };
        prop_assert_eq!(done(suppressions), done(Vec::new()));
    }

    #[test]
    fn a_follower_does_nothing_outward(timeline in timeline()) {
        let calm = timeline.into_iter().filter(|(_, deed)| !matches!(deed, Deed::Role(_)));
        let mut timeline = vec![(0, Deed::Role(Role::Follower))];
        timeline.extend(calm);
        let mut stage = stage(&timeline, quick());
        run(&mut stage, FAULTS_FOR);
        let outward = stage.world.log.iter().find(|(_, action)| matches!(action, Output::Effect(Effect::Switch(_) | Effect::Notify(_))));
        prop_assert!(outward.is_none(), "{outward:?}");
    }

    #[test]
    fn a_silent_relay_withdraws_nothing_before_its_time(down_at in 20_u64..100, mute in any::<bool>(), lost in proptest::collection::vec(name(), 0..5)) {
        let gone = fault(if mute { "relay mute" } else { "relay dies" });
        let mut timeline = vec![(down_at * 1_000, gone)];
        timeline.extend(lost.into_iter().map(|name| ((down_at + 3) * 1_000, Deed::Fault(Fault::Vanish(name)))));
        let mut stage = stage(&timeline, quick());
        run(&mut stage, down_at + 299);
        let switched = stage.world.log.iter().find(|(_, action)| matches!(action, Output::Effect(Effect::Switch(_))));
        prop_assert!(switched.is_none(), "{switched:?}");
        run(&mut stage, down_at + 330);
        let switches = stage.world.log.iter().filter(|(_, action)| matches!(action, Output::Effect(Effect::Switch(_)))).count();
        prop_assert_eq!(switches, STUBS.len());
    }

    #[test]
    fn no_row_of_inputs_makes_a_step_panic(inputs in proptest::collection::vec((0_u64..400_000, input()), 0..120)) {
        let mut engine = Engine::resume(Rules::new(quick(), vec![Route::everybody()]), &State::new(), moment(0));
        for (millis, input) in inputs {
            let now = moment(millis);
            engine.step(input, now);
            if let Some(at) = engine.next_deadline() {
                engine.step(Input::Wake, at);
                prop_assert!(engine.next_deadline().is_none_or(|next| next > at));
            }
            engine.snapshot();
        }
    }
}

#[test]
fn a_steady_laboratory_costs_little_and_says_nothing() {
    for ask in [true, false] {
        let policy = Policy {
            ask: quick().ask.filter(|_| ask),
            ..quick()
        };
        let pace = [SourceName::Relay, SourceName::Jump]
            .map(|name| (0, Deed::Every(name, Duration::from_secs(2))));
        let mut stage = stage(&pace, policy);
        run(&mut stage, 60);
        let begun = stage.world.log.len();
        let wakes = run(&mut stage, 3_660);
        assert!(wakes < 100, "{wakes} wakes in an hour");
        assert_eq!(
            stage.world.log.len(),
            begun,
            "{:?}",
            &stage.world.log[begun..]
        );
    }
    let mut slow = stage(
        &[(0, Deed::Every(SourceName::Relay, Duration::from_secs(61)))],
        quick(),
    );
    let wakes = run(&mut slow, 3_600);
    assert!(wakes < 2_000, "{wakes} wakes in an hour");
}

fn moment(millis: u64) -> Moment {
    Moment::new(Timestamp::UNIX_EPOCH, Duration::ZERO) + Duration::from_millis(millis)
}

/// Any input, whether valid or not.
fn input() -> impl Strategy<Value = Input> {
    let fault = || Just(CallError::Dropped);
    prop_oneof![
        4 => (source(), report()).prop_map(|(name, report)| Input::Report(name, Arc::new(report))),
        1 => (source(), link()).prop_map(|(name, link)| Input::Link(name, link)),
        2 => proptest::collection::vec(reading(), 0..4).prop_map(|resources| Input::Book(BookReading { resources })),
        1 => fault().prop_map(Input::BookFailed),
        2 => (resource_name(), outcome()).prop_map(|(name, outcome)| Input::Switched { resource: resource(&name), outcome }),
        2 => (topic(), sample_outcome()).prop_map(|(topic, outcome)| Input::Sampled { topic: Topic::try_new(&topic).expect("a topic"), outcome }),
        2 => (0_u64..5, any::<Option<bool>>()).prop_map(|(id, failed)| {
            let outlook = |refused| if refused { Outlook::Refused } else { Outlook::Passing };
            let outcome = failed.map_or(Ok(Delivered::to_all()), |refused| Err(DeliveryFault { fault: CallError::TimedOut, outlook: outlook(refused) }));
            Input::Delivered { id, outcome }
        }),
        1 => any::<bool>().prop_map(|leads| Input::Role(if leads { Role::Leader } else { Role::Follower })),
        2 => Just(Input::Wake),
    ]
}

fn source() -> impl Strategy<Value = SourceName> {
    proptest::sample::select(&SourceName::ALL[..])
}

fn link() -> impl Strategy<Value = Link> {
    prop_oneof![
        Just(Link::Connecting),
        Just(Link::Open),
        Just(Link::Failed(ConnectError::access(CallError::TimedOut))),
        Just(Link::Closed("gone".to_owned())),
    ]
}

fn report() -> impl Strategy<Value = Report> {
    let last = proptest::option::of(proptest::option::of(0_u64..100));
    let scopes =
        proptest::sample::select(&[Scopes::EXPT, Scopes::HOST, Scopes::UNSAID, Scopes::READ][..]);
    let topic = prop_oneof![
        topic(),
        resource_name(),
        proptest::sample::select(&STUBS[..]).prop_map(str::to_owned),
        "\\PC{0,8}(-st-x)?"
    ];
    let connections = proptest::collection::vec((topic, scopes, last), 0..12);
    (connections, 0_u8..3).prop_map(|(connections, started)| {
        let mut report = Report::default();
        if started > 0 {
            report.set_started(&started.to_string());
        }
        for (topic, scopes, last) in &connections {
            let tx = last.map(|last| Traffic {
                last: last.map(Duration::from_secs),
                size: 1,
                fps: 1.0,
            });
            report.push(Connection {
                topic,
                scopes: *scopes,
                connected: "",
                expires: "",
                remote: "",
                user_agent: "",
                tx,
                rx: None,
            });
        }
        report
    })
}

fn reading() -> impl Strategy<Value = ResourceReading> {
    let stub = proptest::sample::select(&STUBS[..]);
    (
        resource_name(),
        stub,
        proptest::collection::vec(topic(), 0..3),
        proptest::option::of(said()),
    )
        .prop_map(|(name, stub, topics, availability)| ResourceReading {
            name: resource(&name),
            stub: Stub::try_new(stub).expect("a stub"),
            streams: topics
                .iter()
                .map(|topic| Topic::try_new(topic).expect("a topic"))
                .collect(),
            availability,
        })
}

fn said() -> impl Strategy<Value = Availability> {
    let reason = proptest::sample::select(&["labwatch: x", "mine", "", "Loaded"][..]);
    (any::<bool>(), reason).prop_map(|(available, reason)| Availability {
        available,
        reason: reason.to_owned(),
    })
}

fn outcome() -> impl Strategy<Value = SwitchOutcome> {
    prop_oneof![
        said().prop_map(SwitchOutcome::Confirmed),
        said().prop_map(SwitchOutcome::Held),
        Just(SwitchOutcome::Gone),
        Just(SwitchOutcome::Failed(CallError::Busy)),
    ]
}

fn sample_outcome() -> impl Strategy<Value = SampleOutcome> {
    prop_oneof![
        Just(SampleOutcome::Received),
        (0_u64..20).prop_map(|seconds| SampleOutcome::Silent(Duration::from_secs(seconds))),
        Just(SampleOutcome::Failed(CallError::TimedOut)),
    ]
}
