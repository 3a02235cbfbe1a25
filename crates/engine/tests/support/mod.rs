//! A laboratory of one data stream each, a route with recipients, and mailboxes that accept
//! messages or do not.

#![allow(dead_code, reason = "each test file uses a part of it")]
#![allow(
    clippy::expect_used,
    clippy::wildcard_enum_match_arm,
    reason = "a test stops at what it does not expect"
)]

use std::collections::{BTreeMap, BTreeSet, VecDeque};
use std::sync::Arc;
use std::time::Duration;

use engine::model::{
    Availability, CallError, Moment, ResourceName, SourceName, Stub, Topic, Visibility,
};
use engine::{
    BookReading, Booking, Connection, Delivered, DeliveryFault, Effect, Engine, Input, MessageId,
    Notification, Outlook, Policy, Recipient, Report, ResourceReading, Route, Rules, Scopes, Slot,
    State, StateKey, StateValue, Steadiness, Step, Summary, SwitchOutcome, Timetable, Traffic,
    Unreached,
};
use jiff::Timestamp;

/// The experiments of a small laboratory.
pub const STUBS: [&str; 3] = ["pend00", "pend01", "spin00"];

/// The recipients.
pub const RECIPIENTS: [&str; 3] = ["ann@x.org", "bob@x.org", "cy@x.org"];

/// How a recipient's mailbox answers.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Mood {
    Takes,
    PutsOff,
    Refuses,
    /// It accepts the message, and does not answer.
    Mute,
}

/// When within a step the process is killed: the state of the step is stored in any case.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Killed {
    /// Before its effects are carried out.
    BeforeEffects,
    /// When they are carried out, and their outcome is not applied.
    AfterEffects,
}

/// A message in a mailbox.
#[derive(Debug, Clone)]
pub struct Got {
    pub at: Moment,
    pub who: &'static str,
    pub message: Arc<Summary>,
}

pub struct World {
    pub engine: Engine,
    pub kept: State,
    pub now: Moment,
    pub stubs: Vec<&'static str>,
    /// How often the sources report.
    pub every: Duration,
    rules: Rules,
    /// Experiments whose streams are not in relay's reports.
    pub silent: BTreeSet<&'static str>,
    /// Experiments that are not in jump's reports.
    pub unreachable: BTreeSet<&'static str>,
    /// Whether relay reports nothing.
    pub relay_is_mute: bool,
    /// How long after relay jump reports.
    pub jump_behind: Duration,
    pub listed: BTreeSet<&'static str>,
    pub bookings: Vec<Booking>,
    pub moods: BTreeMap<&'static str, Mood>,
    pub mailboxes: Vec<Got>,
    pub attempts: Vec<MessageId>,
    pub withdrawn: Vec<(Moment, ResourceName)>,
    /// In which of the next steps that have effects the process is killed.
    pub kill: Option<(usize, Killed)>,
}

/// How many cases of a property are tried: `PROPTEST_CASES`, else this many.
pub fn cases(usual: u32) -> u32 {
    let asked = std::env::var("PROPTEST_CASES").ok();
    asked.and_then(|text| text.parse().ok()).unwrap_or(usual)
}

fn usual() -> Policy {
    Policy {
        startup: Duration::ZERO,
        ..Policy::default()
    }
}

impl World {
    /// A small laboratory that is well.
    pub fn new() -> Self {
        Self::of(&STUBS)
    }

    /// The same where everything goes five times as fast.
    pub fn quick() -> Self {
        let policy = Policy {
            last_checked: Duration::from_secs(3),
            last_active: Duration::from_secs(3),
            settle: Duration::from_secs(1),
            ..usual()
        };
        Self::with(&STUBS, policy, Duration::from_secs(1))
    }

    /// A laboratory of these experiments that is well.
    pub fn of(stubs: &[&'static str]) -> Self {
        Self::with(stubs, usual(), Duration::from_secs(5))
    }

    /// A small laboratory that is well, whose recipients are notified by this route.
    pub fn with_route(route: Route) -> Self {
        let rules = Rules::new(usual(), vec![route]);
        Self::under(&STUBS, rules, Duration::from_secs(5))
    }

    fn with(stubs: &[&'static str], policy: Policy, every: Duration) -> Self {
        let rules = Rules::new(policy, vec![Route::everybody()]);
        Self::under(stubs, rules, every)
    }

    fn under(stubs: &[&'static str], rules: Rules, every: Duration) -> Self {
        let start: Timestamp = "2026-01-10T06:55:00Z".parse().expect("a time");
        let now = Moment::new(start, Duration::from_secs(1_000_000));
        let mut world = Self {
            engine: Engine::resume(rules.clone(), &State::new(), now),
            rules,
            every,
            kept: State::new(),
            now,
            stubs: stubs.to_vec(),
            silent: BTreeSet::new(),
            unreachable: BTreeSet::new(),
            relay_is_mute: false,
            jump_behind: Duration::ZERO,
            listed: stubs.iter().copied().collect(),
            bookings: Vec::new(),
            moods: RECIPIENTS.map(|who| (who, Mood::Takes)).into(),
            mailboxes: Vec::new(),
            attempts: Vec::new(),
            withdrawn: Vec::new(),
            kill: None,
        };
        world.poll();
        world.run(60);
        world
    }

    /// The process is killed, and another one resumes from the stored state.
    pub fn restart(&mut self) {
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
        self.engine = Engine::resume(self.rules.clone(), &kept, self.now);
        self.poll();
    }

    /// The wall clock is set.
    pub fn set_clock(&mut self, to: &str) {
        self.now = Moment::new(to.parse().expect("a time"), self.now.mono());
    }

    /// Book is polled.
    pub fn poll(&mut self) {
        let reading = self.reading();
        self.give(Input::Book(reading));
        let slots = self.listed.iter().map(|stub| Slot {
            resource: resource(stub),
            policy: "p".to_owned(),
            ui_set: "u".to_owned(),
        });
        let timetable = Timetable {
            slots: slots.collect(),
            bookings: self.bookings.clone(),
            pages: Vec::new(),
            slots_read: Some(self.now.wall()),
            bookings_read: Some(self.now.wall()),
        };
        self.give(Input::Timetable(timetable));
    }

    /// Reports come for this many seconds, and every deadline in between is met.
    pub fn run(&mut self, seconds: u64) {
        let end = self.now + Duration::from_secs(seconds);
        while self.now < end {
            let (round, behind) = (self.now, self.jump_behind);
            if !self.relay_is_mute {
                let report = self.report("-st-data", Scopes::EXPT, &self.silent);
                self.give(Input::Report(SourceName::Relay, Arc::new(report)));
            }
            self.wake_until(round + behind);
            let report = self.report("", Scopes::HOST, &self.unreachable);
            self.give(Input::Report(SourceName::Jump, Arc::new(report)));
            self.wake_until(round + self.every);
        }
    }

    fn wake_until(&mut self, until: Moment) {
        while let Some(at) = self.engine.next_deadline().filter(|at| *at < until) {
            self.now = at;
            self.give(Input::Wake);
        }
        self.now = until;
    }

    /// These lose power.
    pub fn lose(&mut self, stubs: &[&'static str]) {
        self.silent.extend(stubs);
        self.unreachable.extend(stubs);
    }

    /// These get it back.
    pub fn regain(&mut self, stubs: &[&'static str]) {
        self.silent.retain(|stub| !stubs.contains(stub));
        self.unreachable.retain(|stub| !stubs.contains(stub));
    }

    fn report(&self, suffix: &str, scopes: Scopes, lost: &BTreeSet<&'static str>) -> Report {
        let mut report = Report::default();
        for stub in self.stubs.iter().filter(|stub| !lost.contains(*stub)) {
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

    pub fn give(&mut self, input: Input) {
        let mut inputs = VecDeque::from([input]);
        while let Some(input) = inputs.pop_front() {
            let Step {
                changes, effects, ..
            } = self.engine.step(input, self.now);
            for change in changes {
                change.apply(&mut self.kept);
            }
            assert_eq!(&self.kept, self.engine.state());
            if let Some(killed) = self.is_killed(&effects) {
                if killed == Killed::AfterEffects {
                    for effect in effects {
                        drop(self.carry_out(effect));
                    }
                }
                self.restart();
                return;
            }
            inputs.extend(
                effects
                    .into_iter()
                    .filter_map(|effect| self.carry_out(effect)),
            );
        }
    }

    /// Whether the process dies in a step with these effects.
    fn is_killed(&mut self, effects: &[Effect]) -> Option<Killed> {
        if effects.is_empty() {
            return None;
        }
        match self.kill.take()? {
            (0, killed) => Some(killed),
            (more, killed) => {
                self.kill = Some((more - 1, killed));
                None
            }
        }
    }

    fn carry_out(&mut self, effect: Effect) -> Option<Input> {
        match effect {
            Effect::Notify(notification) => Some(self.deliver(&notification)),
            Effect::Switch(switch) => {
                if !switch.available {
                    self.withdrawn.push((self.now, switch.resource.clone()));
                }
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
        for who in RECIPIENTS {
            let recipient = Recipient::new(who);
            if !notification.audience.includes(&recipient) {
                continue;
            }
            asked += 1;
            let mood = self.moods[who];
            if matches!(mood, Mood::Takes | Mood::Mute) {
                let message = Arc::clone(&notification.summary);
                let at = self.now;
                self.mailboxes.push(Got { at, who, message });
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

    /// The numbers of the messages that a recipient has got since the mailboxes were emptied.
    pub fn got(&self, who: &str) -> Vec<u64> {
        let own = self.mailboxes.iter().filter(|got| got.who == who);
        own.map(|got| got.message.id).collect()
    }

    /// The news that a recipient has got.
    pub fn read(&self, who: &str) -> Vec<String> {
        let own = self.mailboxes.iter().filter(|got| got.who == who);
        own.flat_map(|got| &got.message.news)
            .map(|line| format!("{} {}", line.stub, line.health))
            .collect()
    }

    pub fn unreached(&mut self) -> Vec<(String, bool)> {
        let snapshot = self.engine.snapshot();
        let all = snapshot.routes.iter().flat_map(|route| &route.unreached);
        all.map(|one| {
            let who = one.recipient.show(Visibility::MAINTAINER);
            (who.expect("it is shown").to_owned(), one.refused)
        })
        .collect()
    }

    fn reading(&self) -> BookReading {
        let one = |stub: &&'static str| ResourceReading {
            name: resource(stub),
            stub: Stub::try_new(stub).expect("a stub"),
            streams: vec![Topic::try_new(&format!("{stub}-st-data")).expect("a topic")],
            availability: Some(Availability::from_book(true, "new")),
        };
        BookReading {
            resources: self.listed.iter().map(one).collect(),
        }
    }

    /// The messages of a recipient as text, each with the second since `from`.
    pub fn messages(&self, who: &str, from: Moment) -> Vec<(u64, String)> {
        let own = self.mailboxes.iter().filter(|got| got.who == who);
        own.map(|got| (got.at.since(from).as_secs(), in_words(&got.message)))
            .collect()
    }

    pub fn lanes(&self) -> usize {
        let is_lane = |key: &&StateKey| matches!(key, StateKey::Lane(_));
        self.kept.keys().filter(is_lane).count()
    }
}

/// The news of a message.
fn in_words(message: &Summary) -> String {
    let lines = message.news.iter().map(|line| {
        let lasted = line.lasted.map_or(String::new(), |lasted| {
            let worst = line.worst.unwrap_or(line.notified);
            format!(" after {} s {worst}", lasted.as_secs())
        });
        let steadiness = match line.steadiness {
            Some(Steadiness::Unsteady(times)) => format!(" (unsteady, {times} times)"),
            Some(Steadiness::Steady(times)) => format!(" (steady after {times} times)"),
            None => String::new(),
        };
        format!("{} {}{lasted}{steadiness}", line.stub, line.health)
    });
    let alerts = message.alerts.iter().filter(|alert| alert.new);
    let alerts = alerts.map(|alert| alert.text.clone());
    lines.chain(alerts).collect::<Vec<_>>().join(", ")
}

/// The mailer's outcome: a failure as a whole where none of them has it, and all for the same
/// reason.
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

fn resource(stub: &str) -> ResourceName {
    ResourceName::try_new(&format!("r-{stub}")).expect("a name")
}

/// The days of a laboratory in which these are booked, from this many seconds after now on.
pub fn booked(stub: &str, now: Moment, seconds: u64) -> Booking {
    Booking {
        start: (now + Duration::from_secs(seconds)).wall(),
        end: (now + Duration::from_secs(seconds + 600)).wall(),
        resource: resource(stub),
        started: false,
        unfulfilled: false,
    }
}
