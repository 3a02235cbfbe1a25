//! A restart: the engine resumes its state, and no reader notices.

#![allow(
    clippy::too_many_lines,
    reason = "a test is one scenario from beginning to end"
)]
#![allow(
    clippy::expect_used,
    clippy::wildcard_enum_match_arm,
    reason = "a test stops at what it does not expect"
)]

use std::collections::BTreeMap;
use std::sync::Arc;
use std::time::Duration;

use engine::model::{
    Availability, CallError, Health, Moment, ResourceName, SourceName, Stub, Topic,
};
use engine::{
    BookReading, Connection, Delivered, Effect, Engine, History, Input, Policy, Record, Report,
    ResourceReading, Route, Rules, Scopes, State, Step, SwitchOutcome, Traffic,
};
use jiff::Timestamp;

/// Three experiments with a data stream each, a book that holds state, and a mail server that works
/// or does not.
struct World {
    engine: Engine,
    now: Moment,
    kept: State,
    history: History,
    silent: Vec<&'static str>,
    book: BTreeMap<String, Availability>,
    mail_works: bool,
    log: Vec<String>,
}

const STUBS: [&str; 3] = ["pend00", "pend01", "spin00"];

fn policy() -> Policy {
    Policy {
        startup: Duration::from_secs(5),
        ..Policy::default()
    }
}

fn rules() -> Rules {
    Rules::new(policy(), vec![Route::everybody()])
}

impl World {
    fn new() -> Self {
        let now = Moment::new(
            Timestamp::from_second(1_800_000_000).expect("in range"),
            Duration::from_secs(1_000_000),
        );
        let book = STUBS
            .map(|stub| (format!("r-{stub}"), Availability::from_book(true, "new")))
            .into();
        let engine = Engine::resume(rules(), &State::new(), now);
        Self {
            engine,
            now,
            kept: State::new(),
            history: History::default(),
            silent: vec![],
            book,
            mail_works: true,
            log: vec![],
        }
    }

    /// The program is off for a while and starts again, with its stored state.
    fn restart(&mut self, off: Duration) {
        self.now = self.now + off;
        self.engine =
            Engine::resume(rules(), &self.kept, self.now).with_history(self.history.clone());
        self.log.clear();
    }

    fn run(&mut self, seconds: u64) {
        for _ in 0..seconds {
            self.now = self.now + Duration::from_secs(1);
            self.give(Input::Report(
                SourceName::Relay,
                Arc::new(self.report(false)),
            ));
            self.give(Input::Report(SourceName::Jump, Arc::new(self.report(true))));
            self.give(Input::Wake);
        }
    }

    fn poll_book(&mut self) {
        let reading = |stub: &str| {
            let stub = Stub::try_new(stub).expect("a name");
            let name = format!("r-{stub}");
            ResourceReading {
                availability: self.book.get(&name).cloned(),
                name: ResourceName::try_new(&name).expect("a name"),
                streams: vec![Topic::of(&stub, "st-data").expect("a name")],
                stub,
            }
        };
        self.give(Input::Book(BookReading {
            resources: STUBS.map(reading).to_vec(),
        }));
    }

    fn report(&self, of_jump: bool) -> Report {
        let mut report = Report::default();
        for stub in STUBS {
            let topic = if of_jump {
                stub.to_owned()
            } else {
                format!("{stub}-st-data")
            };
            let last = if self.silent.contains(&stub) {
                Duration::from_secs(60)
            } else {
                Duration::ZERO
            };
            report.push(Connection {
                topic: &topic,
                scopes: if of_jump { Scopes::HOST } else { Scopes::EXPT },
                connected: "",
                expires: "",
                remote: "",
                user_agent: "",
                tx: Some(Traffic {
                    last: Some(last),
                    size: 1,
                    fps: 1.0,
                }),
                rx: None,
            });
        }
        report
    }

    fn give(&mut self, input: Input) {
        let Step {
            changes,
            records,
            effects,
        } = self.engine.step(input, self.now);
        for change in changes {
            change.apply(&mut self.kept);
        }
        assert_eq!(&self.kept, self.engine.state());
        for record in &records {
            self.note(record);
        }
        for effect in effects {
            match effect {
                Effect::Switch(switch) => {
                    self.log
                        .push(format!("switch {} {}", switch.resource, switch.available));
                    let said = Availability {
                        available: switch.available,
                        reason: switch.reason.clone(),
                    };
                    self.book.insert(switch.resource.to_string(), said.clone());
                    self.give(Input::Switched {
                        resource: switch.resource,
                        outcome: SwitchOutcome::Confirmed(said),
                    });
                }
                Effect::Notify(summary) => {
                    let lines = summary
                        .news
                        .iter()
                        .map(|line| format!("{} {}→{}", line.stub, line.notified, line.health));
                    let alerts = summary
                        .alerts
                        .iter()
                        .filter(|alert| alert.new)
                        .map(|alert| alert.text.clone());
                    self.log.push(format!(
                        "mail {}",
                        lines.chain(alerts).collect::<Vec<_>>().join(", ")
                    ));
                    let fault = engine::DeliveryFault::passing(CallError::TimedOut);
                    self.give(Input::Delivered {
                        id: summary.id,
                        outcome: if self.mail_works {
                            Ok(Delivered::to_all())
                        } else {
                            Err(fault)
                        },
                    });
                }
                Effect::Ask(_)
                | Effect::Reconnect(_)
                | Effect::Sample(_)
                | Effect::CheckPage(_) => {}
            }
        }
    }

    fn note(&mut self, record: &Record) {
        if let Record::Event { stub, event } = record {
            let events = self.history.events.entry(stub.clone()).or_default();
            events.push(Arc::clone(event));
            self.log
                .push(format!("event {stub} {}→{}", event.was, event.health));
        }
    }

    fn health(&mut self, stub: &str) -> Option<Health> {
        self.engine
            .snapshot()
            .experiment(stub)
            .map(|view| view.health)
    }
}

/// A world in which pend00 is down, withdrawn and notified.
fn one_down() -> World {
    let mut world = World::new();
    world.poll_book();
    world.run(10);
    world.silent = vec!["pend00"];
    world.run(30);
    let said = [
        "event pend00 ok→down",
        "switch r-pend00 false",
        "mail pend00 ok→down",
    ];
    assert_eq!(world.log[world.log.len() - 3..], said);
    world
}

#[test]
fn a_restart_while_one_is_down_says_nothing() {
    let mut world = one_down();
    world.restart(Duration::from_secs(5));
    assert_eq!(world.health("pend00"), Some(Health::Down));
    assert_eq!(world.health("pend01"), Some(Health::Ok));
    world.poll_book();
    world.run(120);
    assert_eq!(world.log, [""; 0]);
    assert_eq!(
        world
            .engine
            .snapshot()
            .experiment("pend00")
            .map(|view| view.events.len()),
        Some(2)
    );
}

#[test]
fn the_order_in_which_the_sources_are_heard_again_does_not_matter() {
    let mut world = one_down();
    world.restart(Duration::from_secs(3600));
    world.run(20);
    assert_eq!(
        world.log, [""; 0],
        "book has not said yet what experiments must have"
    );
    world.poll_book();
    world.run(120);
    assert_eq!(world.log, [""; 0]);
}

#[test]
fn what_recovered_while_we_were_off_is_given_back_and_notified() {
    let mut world = one_down();
    world.silent.clear();
    world.restart(Duration::from_secs(5 * 3600));
    world.poll_book();
    world.run(30);
    assert_eq!(
        world.log,
        [
            "event pend00 down→ok",
            "switch r-pend00 true",
            "mail pend00 down→ok"
        ]
    );
}

#[test]
fn what_broke_while_we_were_off_needs_no_grace() {
    let mut world = one_down();
    world.silent = vec!["pend00", "spin00"];
    world.restart(Duration::from_secs(60));
    world.poll_book();
    world.run(3);
    assert_eq!(
        world.log,
        [
            "event spin00 ok→down",
            "switch r-spin00 false",
            "mail spin00 ok→down"
        ]
    );
}

#[test]
fn a_withdrawal_that_book_forgot_while_we_were_off_is_made_again() {
    let mut world = one_down();
    for said in world.book.values_mut() {
        *said = Availability::from_book(true, "Loaded at 2026-11-21T00:00:00Z");
    }
    world.restart(Duration::from_secs(60));
    world.poll_book();
    assert_eq!(
        world.log, [""; 0],
        "not before relay has reported the current state"
    );
    world.run(30);
    assert_eq!(world.log, ["switch r-pend00 false"]);
}

#[test]
fn a_mail_of_unknown_fate_is_sent_again() {
    let mut world = World::new();
    world.poll_book();
    world.run(10);
    world.mail_works = false;
    world.silent = vec!["pend00"];
    world.run(5);
    world.restart(Duration::from_secs(60));
    world.mail_works = true;
    world.silent.clear();
    world.poll_book();
    world.run(30);
    assert_eq!(
        world.log,
        [
            "event pend00 down→ok",
            "switch r-pend00 true",
            "mail pend00 ok→ok"
        ]
    );
}

#[test]
fn a_notified_outage_ends_in_a_mail_after_a_restart_too() {
    let mut world = World::new();
    world.poll_book();
    world.run(10);
    for _ in 0..200 {
        world.now = world.now + Duration::from_secs(1);
        world.give(Input::Report(
            SourceName::Jump,
            Arc::new(world.report(true)),
        ));
        world.give(Input::Wake);
    }
    assert!(
        world
            .log
            .iter()
            .any(|line| line.contains("3 experiments are not evaluated")),
        "{:?}",
        world.log
    );
    world.restart(Duration::from_secs(10));
    world.poll_book();
    world.run(100);
    let mails: Vec<&String> = world
        .log
        .iter()
        .filter(|line| line.starts_with("mail"))
        .collect();
    assert_eq!(mails, ["mail relay reports again"]);
}
