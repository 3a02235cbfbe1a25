//! Several recipients of one route, each with a mailbox that takes a message or does not: each gets every message once, and nothing because
//! of another one.
//!
//! `PROPTEST_CASES` sets how many cases are tried.

#![allow(
    clippy::expect_used,
    clippy::wildcard_enum_match_arm,
    reason = "a test stops at what it does not expect"
)]

use std::collections::{BTreeMap, BTreeSet, VecDeque};
use std::sync::Arc;
use std::time::Duration;

use engine::model::{
    Availability, CallError, Health, Moment, ResourceName, SourceName, Stub, Topic, Visibility,
};
use engine::{
    BookReading, Connection, Delivered, DeliveryFault, Effect, Engine, Input, MessageId,
    Notification, Outlook, Policy, Recipient, Report, ResourceReading, Route, Rules, Scopes, State,
    StateKey, StateValue, Step, Summary, SwitchOutcome, Traffic, Unreached,
};
use jiff::Timestamp;
use proptest::prelude::*;

const STUBS: [&str; 3] = ["pend00", "pend01", "spin00"];
const PEOPLE: [&str; 3] = ["ann@x.org", "bob@x.org", "cy@x.org"];

/// How often the sources report.
const EVERY: Duration = Duration::from_secs(5);

/// How a recipient's mailbox answers.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Mood {
    Takes,
    PutsOff,
    Refuses,
    /// It takes the message, and says nothing.
    Mute,
}

/// A message in a mailbox.
#[derive(Debug, Clone)]
struct Got {
    who: &'static str,
    message: Arc<Summary>,
}

struct World {
    engine: Engine,
    kept: State,
    now: Moment,
    silent: BTreeSet<&'static str>,
    moods: BTreeMap<&'static str, Mood>,
    mailboxes: Vec<Got>,
    attempts: Vec<MessageId>,
}

fn rules() -> Rules {
    let policy = Policy {
        startup: Duration::ZERO,
        ..Policy::default()
    };
    Rules::new(policy, vec![Route::everybody()])
}

impl World {
    fn new() -> Self {
        let start: Timestamp = "2026-01-10T06:55:00Z".parse().expect("a time");
        let now = Moment::new(start, Duration::from_secs(1_000_000));
        let mut world = Self {
            engine: Engine::resume(rules(), &State::new(), now),
            kept: State::new(),
            now,
            silent: BTreeSet::new(),
            moods: PEOPLE.map(|who| (who, Mood::Takes)).into(),
            mailboxes: Vec::new(),
            attempts: Vec::new(),
        };
        world.give(Input::Book(reading()));
        world.run(60);
        world
    }

    /// The process is killed, and another one goes on with what was kept.
    fn restart(&mut self) {
        let written = self.kept.iter().map(|(key, value)| {
            let value = serde_json::to_string(value).expect("it is written");
            (key.to_string(), value)
        });
        let read = |(key, value): (String, String)| -> (StateKey, StateValue) {
            let value = serde_json::from_str(&value).expect("it is read");
            (key.parse().expect("a key"), value)
        };
        let kept: State = written.map(read).collect();
        assert_eq!(kept, self.kept);
        self.engine = Engine::resume(rules(), &kept, self.now);
        self.give(Input::Book(reading()));
    }

    /// Reports come for so many seconds, and every deadline in between is met.
    fn run(&mut self, seconds: u64) {
        let end = self.now + Duration::from_secs(seconds);
        while self.now < end {
            for (name, suffix, scopes) in [
                (SourceName::Relay, "-st-data", Scopes::EXPT),
                (SourceName::Jump, "", Scopes::HOST),
            ] {
                let report = self.report(suffix, scopes);
                self.give(Input::Report(name, Arc::new(report)));
            }
            let next = self.now + EVERY;
            while let Some(at) = self.engine.next_deadline().filter(|at| *at < next) {
                self.now = at;
                self.give(Input::Wake);
            }
            self.now = next;
        }
    }

    fn report(&self, suffix: &str, scopes: Scopes) -> Report {
        let mut report = Report::default();
        for stub in STUBS.iter().filter(|stub| !self.silent.contains(*stub)) {
            let topic = format!("{stub}{suffix}");
            report.push(Connection {
                topic: &topic,
                scopes,
                connected: "",
                expires: "",
                remote: "",
                user_agent: "",
                tx: Some(Traffic {
                    last: Some(Duration::ZERO),
                    size: 1,
                    fps: 1.0,
                }),
                rx: None,
            });
        }
        report
    }

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

    fn carry_out(&mut self, effect: Effect) -> Option<Input> {
        match effect {
            Effect::Notify(notification) => Some(self.deliver(&notification)),
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

    fn deliver(&mut self, notification: &Notification) -> Input {
        self.attempts.push(notification.thread.id);
        let mut unreached = Vec::new();
        let mut asked = 0;
        for who in PEOPLE {
            let recipient = Recipient::new(who);
            if !notification.audience.includes(&recipient) {
                continue;
            }
            asked += 1;
            let mood = self.moods[who];
            if matches!(mood, Mood::Takes | Mood::Mute) {
                let message = Arc::clone(&notification.summary);
                self.mailboxes.push(Got { who, message });
            }
            let outlook = match mood {
                Mood::Takes => continue,
                Mood::PutsOff => Outlook::Passing,
                Mood::Refuses => Outlook::Refused,
                Mood::Mute => Outlook::Unknown,
            };
            let fault = CallError::TimedOut;
            unreached.push(Unreached {
                recipient,
                fault,
                outlook,
            });
        }
        Input::Delivered {
            id: notification.id,
            outcome: outcome(asked, unreached),
        }
    }

    /// The numbers of the messages that one has got since the mailboxes were emptied.
    fn got(&self, who: &str) -> Vec<u64> {
        let own = self.mailboxes.iter().filter(|got| got.who == who);
        own.map(|got| got.message.id).collect()
    }

    /// The news that one has got.
    fn read(&self, who: &str) -> Vec<String> {
        let own = self.mailboxes.iter().filter(|got| got.who == who);
        own.flat_map(|got| &got.message.news)
            .map(|line| format!("{} {}", line.stub, line.health))
            .collect()
    }

    fn unreached(&mut self) -> Vec<(String, bool)> {
        let snapshot = self.engine.snapshot();
        let all = snapshot.routes.iter().flat_map(|route| &route.unreached);
        all.map(|one| {
            let who = one.recipient.show(Visibility::MAINTAINER);
            (who.expect("it is shown").to_owned(), one.refused)
        })
        .collect()
    }

    fn lanes(&self) -> usize {
        let is_lane = |key: &&StateKey| matches!(key, StateKey::Lane(_));
        self.kept.keys().filter(is_lane).count()
    }
}

/// As the mailer puts it: a failure as a whole where none of them has it, and all for the same reason.
fn outcome(asked: usize, unreached: Vec<Unreached>) -> Result<Delivered, DeliveryFault> {
    match unreached.first().cloned() {
        Some(first)
            if unreached.len() == asked
                && unreached.iter().all(|one| one.outlook == first.outlook) =>
        {
            Err(DeliveryFault {
                fault: first.fault,
                outlook: first.outlook,
            })
        }
        _ => Ok(Delivered { unreached }),
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

/// Bob is put off while pend00 goes down.
fn bob_is_behind() -> World {
    let mut world = World::new();
    world.moods.insert("bob@x.org", Mood::PutsOff);
    world.silent.insert("pend00");
    world.run(60);
    assert_eq!(world.read("ann@x.org"), ["pend00 down"]);
    assert_eq!(world.read("bob@x.org"), [""; 0]);
    world
}

#[test]
fn who_is_put_off_gets_the_same_message_later_and_the_others_get_it_once() {
    let mut world = bob_is_behind();
    assert_eq!(world.unreached(), [("bob@x.org".to_owned(), false)]);
    assert!(world.attempts.len() > 2, "{:?}", world.attempts);
    world.moods.insert("bob@x.org", Mood::Takes);
    world.run(900);
    for who in PEOPLE {
        assert_eq!(world.got(who), [1], "{who}");
    }
    let first = world.attempts[0];
    assert!(world.attempts.iter().all(|message| *message == first));
    assert_eq!((world.unreached(), world.lanes()), (Vec::new(), 0));
}

#[test]
fn after_a_restart_the_same_message_goes_to_those_who_wait_for_it() {
    let mut world = bob_is_behind();
    world.restart();
    world.moods.insert("bob@x.org", Mood::Takes);
    world.run(900);
    for who in PEOPLE {
        assert_eq!(world.got(who), [1], "{who}");
    }
    assert_eq!(world.lanes(), 0);
}

#[test]
fn a_message_that_reached_no_recipient_is_the_same_after_a_restart() {
    let mut world = World::new();
    world.moods = PEOPLE.map(|who| (who, Mood::PutsOff)).into();
    world.silent.insert("pend00");
    world.run(60);
    world.restart();
    world.moods = PEOPLE.map(|who| (who, Mood::Takes)).into();
    world.run(900);
    for who in PEOPLE {
        assert_eq!(world.got(who), [1], "{who}");
    }
    let first = world.attempts[0];
    assert!(world.attempts.iter().all(|message| *message == first));
}

#[test]
fn a_refused_recipient_is_shown_and_tried_with_the_next_message_only() {
    let mut world = World::new();
    world.moods.insert("bob@x.org", Mood::Refuses);
    world.silent.insert("pend00");
    world.run(900);
    assert_eq!(world.attempts.len(), 1);
    assert_eq!(world.unreached(), [("bob@x.org".to_owned(), true)]);
    world.moods.insert("bob@x.org", Mood::Takes);
    world.silent.clear();
    world.run(900);
    assert_eq!(world.got("bob@x.org"), world.got("ann@x.org")[1..]);
    assert_eq!(world.unreached(), []);
}

#[test]
fn what_is_new_meanwhile_goes_to_each_with_what_that_one_does_not_know() {
    let mut world = bob_is_behind();
    world.silent.insert("spin00");
    world.run(60);
    world.moods.insert("bob@x.org", Mood::Takes);
    world.run(900);
    assert_eq!(world.read("ann@x.org"), ["pend00 down", "spin00 down"]);
    assert_eq!(world.read("bob@x.org"), ["pend00 down", "spin00 down"]);
    assert_eq!(world.got("bob@x.org").len(), 1);
    assert_eq!(world.lanes(), 0);
}

#[test]
fn a_message_that_may_have_arrived_waits_longer() {
    let mut world = World::new();
    world.moods = PEOPLE.map(|who| (who, Mood::Mute)).into();
    world.silent.insert("pend00");
    world.run(29 * 60);
    assert_eq!(world.attempts.len(), 1);
    world.run(2 * 60);
    assert_eq!(world.attempts.len(), 2);
    assert_eq!(world.attempts[0], world.attempts[1]);
}

#[derive(Debug, Clone)]
enum Deed {
    Sends(usize, bool),
    Mailbox(usize, Mood),
    Restart,
}

fn deed() -> impl Strategy<Value = Deed> {
    let moods = [Mood::Takes, Mood::PutsOff, Mood::Refuses, Mood::Mute];
    let mood = proptest::sample::select(moods.to_vec());
    prop_oneof![
        3 => (0..STUBS.len(), any::<bool>()).prop_map(|(stub, on)| Deed::Sends(stub, on)),
        3 => (1..PEOPLE.len(), mood).prop_map(|(who, mood)| Deed::Mailbox(who, mood)),
        1 => Just(Deed::Restart),
    ]
}

proptest! {
    #![proptest_config(ProptestConfig { failure_persistence: None, ..ProptestConfig::default() })]

    #[test]
    fn each_one_is_told_everything_once(deeds in proptest::collection::vec((deed(), 0_u64..120), 0..20)) {
        let mut world = World::new();
        let mut ever_refused = BTreeSet::new();
        for (deed, seconds) in deeds {
            match deed {
                Deed::Sends(stub, true) => drop(world.silent.remove(STUBS[stub])),
                Deed::Sends(stub, false) => drop(world.silent.insert(STUBS[stub])),
                Deed::Mailbox(who, mood) => {
                    if mood == Mood::Refuses {
                        ever_refused.insert(PEOPLE[who]);
                    }
                    world.moods.insert(PEOPLE[who], mood);
                }
                Deed::Restart => world.restart(),
            }
            world.run(seconds);
        }
        world.moods = PEOPLE.map(|who| (who, Mood::Takes)).into();
        world.run(3 * 3600);
        let snapshot = world.engine.snapshot();
        for who in PEOPLE.into_iter().filter(|who| !ever_refused.contains(who)) {
            let own = || world.mailboxes.iter().filter(|got| got.who == who);
            let known: BTreeMap<Stub, Health> = own()
                .flat_map(|got| &got.message.news)
                .map(|line| (line.stub.clone(), line.health))
                .collect();
            for view in snapshot.experiments.iter() {
                let told = known.get(&view.stub).copied().unwrap_or(Health::Ok);
                prop_assert_eq!(told, view.health, "what {} knows of {}", who, view.stub);
            }
        }
        let mut contents: BTreeMap<MessageId, Arc<Summary>> = BTreeMap::new();
        for got in &world.mailboxes {
            let first = contents.entry(got.message.thread.id).or_insert_with(|| Arc::clone(&got.message));
            prop_assert_eq!(&*got.message, &**first, "one name, one content");
        }
        let mut known: BTreeMap<&Stub, Health> = BTreeMap::new();
        for line in world.mailboxes.iter().filter(|got| got.who == PEOPLE[0]).flat_map(|got| &got.message.news) {
            let before = known.insert(&line.stub, line.health);
            prop_assert!(before != Some(line.health), "who takes everything is told nothing twice: {:?}", line);
        }
        prop_assert_eq!(world.lanes(), 0);
        prop_assert!(snapshot.routes.iter().all(|route| route.unreached.iter().all(|one| one.refused)));
    }
}
