//! Between the engine's words and the store's: which entries a record makes, and what a memory is to the engine.

use std::collections::BTreeMap;

use jiff::Timestamp;
use serde::{Deserialize, Serialize};
use serde_json::Value;

use super::entry::{Delivery, Entry, Note, NoteKind, Notified, OutboxState, Outgoing};
use super::letter::{Alerted, Letter, concern_named};
use super::memory::{Memory, Pending};
use engine::model::{Health, ResourceName, RouteName, Stub, Visibility};
use engine::{
    self, DeliveryFault, Heard, Issue, Known, MailThread, ManualOverride, MessageId, NotifiedAlert,
    Record, ReminderState, RouteMemory, Summary, SuppressionEntry, SuppressionId, SuppressionKind,
};

/// What subjects of experiments start with.
const EXPERIMENT: &str = "experiment/";

/// What subjects that concern the whole laboratory start with.
const CONCERN: &str = "laboratory/";

/// Under which key the pools stand, each with its experiments.
pub(super) const POOLS: &str = "pools";

/// What keys of people's wishes start with: the resource follows.
const WISH: &str = "wish.";

/// The subject of when people last heard anything.
const ROUNDS: &str = "rounds";

/// What people heard about an experiment, as it stands in the store.
#[derive(Debug, Serialize, Deserialize)]
struct HeardRow {
    health: Health,
    issues: Vec<Issue>,
    listed: bool,
    bad_since: Option<Timestamp>,
    #[serde(default)]
    thread: Option<StrandRow>,
}

/// What people heard about the whole laboratory, as it stands in the store.
#[derive(Debug, Serialize, Deserialize)]
struct ConcernRow {
    since: Timestamp,
    thread: Option<StrandRow>,
}

/// The summaries that told of an incident: when each was put together, and its number.
#[derive(Debug, Clone, Copy, Serialize, Deserialize)]
struct StrandRow {
    root: (Timestamp, u64),
    last: (Timestamp, u64),
}

#[derive(Debug, Serialize, Deserialize)]
struct RoundsRow {
    notified_at: Timestamp,
    reminders: u32,
    digest: Option<Timestamp>,
}

/// Makes entries of records. Remembers which summaries are on their way: a later one on the same route makes those before it needless, as
/// far as it tells the same. So there are never more of them than there are things to tell.
#[derive(Debug, Default)]
pub struct Clerk {
    on_their_way: Vec<OnItsWay>,
}

/// A summary of which it is not known that it arrived, with what it tells that no later one tells.
#[derive(Debug)]
struct OnItsWay {
    id: u64,
    route: String,
    created: Timestamp,
    letter: Letter,
}

impl Clerk {
    /// A clerk who knows which summaries were on their way when labwatch stopped.
    #[must_use]
    pub fn with(memory: &Memory) -> Self {
        let on_its_way = |pending: &Pending| {
            let Outgoing {
                id, route, created, ..
            } = pending.outgoing.clone();
            OnItsWay {
                id,
                route,
                created,
                letter: Letter::of_pending(pending),
            }
        };
        Self {
            on_their_way: memory.outbox.iter().map(on_its_way).collect(),
        }
    }

    /// The entries that a record makes.
    pub fn entries(&mut self, record: &Record, at: Timestamp) -> Vec<Entry> {
        let mut entries = match record {
            Record::Seen(stub) => {
                return vec![Entry::Seen {
                    stub: stub.clone(),
                    at,
                }];
            }
            Record::Forgotten(stub) => return self.forget_experiment(stub, at),
            Record::Pools(pools) => {
                return vec![Entry::Keep {
                    key: POOLS.to_owned(),
                    value: serde_json::to_value(pools).ok(),
                }];
            }
            Record::Notified { route, notified } => return self.notified(route, notified, at),
            Record::RouteGone(route) => return self.forget_route(route, at),
            Record::Wished {
                resource,
                manual_override,
            } => {
                let value = manual_override
                    .as_ref()
                    .and_then(|manual_override| serde_json::to_value(manual_override).ok());
                return vec![Entry::Keep {
                    key: format!("{WISH}{resource}"),
                    value,
                }];
            }
            Record::Commanded { order, .. } => vec![Entry::Audit {
                at,
                who: order.by.clone(),
                what: order.command.to_string(),
            }],
            Record::Suppression { id, entry } => return vec![Entry::Note(note(*id, entry))],
            Record::QuietEnded(ended) => {
                return vec![Entry::NoteEnded {
                    id: ended.id.to_string(),
                    at: ended.at,
                }];
            }
            Record::Telling(summary) => self.send(summary, at),
            Record::Delivered { id, outcome } => self.delivered(*id, outcome, at),
            Record::Event { .. }
            | Record::Switching(_)
            | Record::Switched { .. }
            | Record::Source { .. }
            | Record::Hold { .. }
            | Record::Manifest(_)
            | Record::Bookings(_)
            | Record::Blind(_)
            | Record::Sampling { .. } => Vec::new(),
        };
        entries.push(Entry::Record {
            at,
            record: record.clone(),
        });
        entries
    }

    fn send(&mut self, summary: &Summary, at: Timestamp) -> Vec<Entry> {
        let (route, mut letter) = (summary.route.to_string(), Letter::of(summary));
        for earlier in self
            .on_their_way
            .iter()
            .filter(|earlier| earlier.route == route)
        {
            letter.keep_times_of(&earlier.letter);
        }
        let mut entries = self.cross_out(at, |earlier| earlier.route == route, &letter);
        let on_its_way = OnItsWay {
            id: summary.id,
            route,
            created: at,
            letter,
        };
        entries.push(on_its_way.entry());
        self.on_their_way.push(on_its_way);
        entries
    }

    fn delivered(
        &mut self,
        id: u64,
        outcome: &Result<(), DeliveryFault>,
        at: Timestamp,
    ) -> Vec<Entry> {
        let delivery = |state, error| {
            vec![Entry::Delivery(Delivery {
                id,
                at,
                state,
                error,
            })]
        };
        if let Err(failure) = outcome {
            let state = if failure.refuses_content() {
                OutboxState::Refused
            } else {
                OutboxState::Pending
            };
            return delivery(state, Some(failure.fault.words(Visibility::MAINTAINER)));
        }
        let Some(at_place) = self
            .on_their_way
            .iter()
            .position(|summary| summary.id == id)
        else {
            return Vec::new();
        };
        self.on_their_way.remove(at_place);
        delivery(OutboxState::Sent, None)
    }

    /// Crosses out of some summaries what another letter tells. One that has nothing left to tell is needless.
    fn cross_out(
        &mut self,
        at: Timestamp,
        of: impl Fn(&OnItsWay) -> bool,
        what: &Letter,
    ) -> Vec<Entry> {
        let mut entries = Vec::new();
        self.on_their_way.retain_mut(|summary| {
            if !of(summary) {
                return true;
            }
            let changed = summary.letter.cross_out(what);
            if summary.letter.is_empty() {
                entries.push(summary.needless(at));
            } else if changed {
                entries.push(summary.entry());
            }
            !summary.letter.is_empty()
        });
        entries
    }

    /// What people need not hear of any more is not owed either: they heard of it, or their route does not tell of it any more.
    fn notified(
        &mut self,
        route: &RouteName,
        notified: &engine::Notified,
        at: Timestamp,
    ) -> Vec<Entry> {
        let mut entries = match notified {
            engine::Notified::Experiment(stub, None) => self.cross_out(
                at,
                |summary| summary.route == route.as_str(),
                &Letter::about(stub, at),
            ),
            engine::Notified::Alert(concern, None) => {
                let over = Letter {
                    concerns: vec![Alerted::over(*concern, at)],
                    ..Letter::default()
                };
                self.cross_out(at, |summary| summary.route == route.as_str(), &over)
            }
            engine::Notified::Experiment(_, Some(_))
            | engine::Notified::Alert(_, Some(_))
            | engine::Notified::ReminderState(_) => Vec::new(),
        };
        entries.push(told_entry(route, notified));
        entries
    }

    /// Nobody is told of it any more: seen again, it is new.
    fn forget_experiment(&mut self, stub: &Stub, at: Timestamp) -> Vec<Entry> {
        let mut entries = self.cross_out(
            at,
            |summary| summary.letter.tells_of(stub),
            &Letter::about(stub, at),
        );
        entries.push(Entry::Forgotten {
            stub: stub.clone(),
            at,
        });
        entries
    }

    fn forget_route(&mut self, route: &RouteName, at: Timestamp) -> Vec<Entry> {
        let mut entries = vec![Entry::RouteForgotten(route.to_string())];
        let is_gone = |summary: &&OnItsWay| summary.route == route.as_str();
        entries.extend(
            self.on_their_way
                .iter()
                .filter(is_gone)
                .map(|summary| summary.needless(at)),
        );
        self.on_their_way.retain(|summary| !is_gone(&summary));
        entries
    }
}

impl OnItsWay {
    fn entry(&self) -> Entry {
        let content = serde_json::to_value(&self.letter).unwrap_or_default();
        Entry::Outgoing(Outgoing {
            id: self.id,
            route: self.route.clone(),
            created: self.created,
            content,
        })
    }

    fn needless(&self, at: Timestamp) -> Entry {
        Entry::Delivery(Delivery {
            id: self.id,
            at,
            state: OutboxState::Superseded,
            error: None,
        })
    }
}

fn note(id: SuppressionId, entry: &SuppressionEntry) -> Note {
    let kind = match entry.kind() {
        SuppressionKind::Acknowledged => NoteKind::Acknowledgement,
        SuppressionKind::Silenced => NoteKind::Silence,
        SuppressionKind::Maintenance => NoteKind::Window,
    };
    let content = serde_json::to_value(entry).unwrap_or_default();
    Note {
        id: id.to_string(),
        kind,
        created: entry.since(),
        until: entry.over_at(),
        content,
    }
}

/// What keeps quiet, as it stands in the store. What cannot be read is left out, and said: then more is told, not less.
fn recall_note(note: &Note) -> Option<(SuppressionId, SuppressionEntry)> {
    let recalled = note
        .id
        .parse()
        .ok()
        .map(SuppressionId)
        .zip(serde_json::from_value(note.content.clone()).ok());
    if recalled.is_none() {
        tracing::warn!(
            note = note.id,
            kind = note.kind.as_str(),
            "what was to keep quiet cannot be read and is left out"
        );
    }
    recalled
}

/// A person's wish of a resource, as it stands in the store.
fn recall_wish(key: &str, value: &Value) -> Option<(ResourceName, ManualOverride)> {
    let resource = ResourceName::try_new(key.strip_prefix(WISH)?).ok()?;
    Some((resource, serde_json::from_value(value.clone()).ok()?))
}

fn recall_hold(hold: super::Hold) -> (ResourceName, engine::Hold) {
    (
        hold.resource,
        engine::Hold {
            since: hold.since,
            touched: hold.since,
            reason: hold.reason,
        },
    )
}

fn told_entry(route: &RouteName, notified: &engine::Notified) -> Entry {
    let route = route.to_string();
    let (subject, value) = match notified {
        engine::Notified::Experiment(stub, heard) => (
            format!("{EXPERIMENT}{stub}"),
            heard.as_ref().map(heard_value),
        ),
        engine::Notified::Alert(concern, heard) => (
            format!("{CONCERN}{}", concern.as_str()),
            heard.as_ref().map(concern_value),
        ),
        engine::Notified::ReminderState(rounds) => (ROUNDS.to_owned(), Some(rounds_value(rounds))),
    };
    match value.and_then(Result::ok) {
        Some(value) => Entry::Notified(Notified {
            route,
            subject,
            value,
        }),
        None => Entry::Untold { route, subject },
    }
}

fn heard_value(heard: &Heard) -> Result<Value, serde_json::Error> {
    let Known {
        health,
        issues,
        listed,
        bad_since,
    } = heard.known.clone();
    serde_json::to_value(HeardRow {
        health,
        issues,
        listed,
        bad_since,
        thread: heard.thread.map(StrandRow::from),
    })
}

fn concern_value(heard: &NotifiedAlert) -> Result<Value, serde_json::Error> {
    serde_json::to_value(ConcernRow {
        since: heard.since,
        thread: heard.thread.map(StrandRow::from),
    })
}

fn rounds_value(rounds: &ReminderState) -> Result<Value, serde_json::Error> {
    serde_json::to_value(RoundsRow {
        notified_at: rounds.notified_at,
        reminders: rounds.reminders,
        digest: rounds.digest,
    })
}

impl From<MailThread> for StrandRow {
    fn from(strand: MailThread) -> Self {
        let pair = |message: MessageId| (message.at, message.id);
        Self {
            root: pair(strand.root),
            last: pair(strand.last),
        }
    }
}

impl From<StrandRow> for MailThread {
    fn from(row: StrandRow) -> Self {
        let message = |(at, id)| MessageId { at, id };
        Self {
            root: message(row.root),
            last: message(row.last),
        }
    }
}

impl From<Memory> for engine::Memory {
    fn from(memory: Memory) -> Self {
        let remembered = |(stub, known): (Stub, super::Remembered)| engine::Remembered {
            stub,
            first_seen: known.first_seen,
            events: known.events,
        };
        Self {
            routes: routes(&memory),
            last_summary: memory.next_outgoing.saturating_sub(1),
            quiet: memory.notes.iter().filter_map(recall_note).collect(),
            last_quiet: memory.last_note,
            manual_overrides: memory
                .keep
                .iter()
                .filter_map(|(key, value)| recall_wish(key, value))
                .collect(),
            holds: memory.holds.into_iter().map(recall_hold).collect(),
            bookings: memory.bookings,
            experiments: memory.experiments.into_iter().map(remembered).collect(),
        }
    }
}

fn routes(memory: &Memory) -> BTreeMap<RouteName, RouteMemory> {
    let mut routes: BTreeMap<RouteName, RouteMemory> = BTreeMap::new();
    for row in &memory.notified {
        let Ok(route) = RouteName::try_new(&row.route) else {
            continue;
        };
        routes
            .entry(route)
            .or_default()
            .notified
            .extend(recall_told(row));
    }
    for pending in &memory.outbox {
        let Ok(route) = RouteName::try_new(&pending.outgoing.route) else {
            continue;
        };
        let (letter, memory) = (
            Letter::of_pending(pending),
            routes.entry(route).or_default(),
        );
        memory
            .unconfirmed
            .extend(letter.news.into_iter().map(|news| (news.stub, news.since)));
        memory
            .owed_concerns
            .extend(letter.concerns.iter().filter_map(Alerted::unconfirmed));
    }
    routes
}

/// What people were told, as it stands in the store. What cannot be read is left out: then they are told again.
fn recall_told(notified: &Notified) -> Option<engine::Notified> {
    if notified.subject == ROUNDS {
        let RoundsRow {
            notified_at,
            reminders,
            digest,
        } = serde_json::from_value(notified.value.clone()).ok()?;
        return Some(engine::Notified::ReminderState(ReminderState {
            notified_at,
            reminders,
            digest,
        }));
    }
    if let Some(stub) = notified.subject.strip_prefix(EXPERIMENT) {
        let HeardRow {
            health,
            issues,
            listed,
            bad_since,
            thread,
        } = serde_json::from_value(notified.value.clone()).ok()?;
        let heard = Heard {
            known: Known {
                health,
                issues,
                listed,
                bad_since,
            },
            thread: thread.map(MailThread::from),
        };
        return Some(engine::Notified::Experiment(
            Stub::try_new(stub).ok()?,
            Some(heard),
        ));
    }
    let concern = concern_named(notified.subject.strip_prefix(CONCERN)?)?;
    Some(engine::Notified::Alert(
        concern,
        Some(recall_concern(&notified.value)?),
    ))
}

/// A time alone is what was kept before summaries had threads.
fn recall_concern(value: &Value) -> Option<NotifiedAlert> {
    if value.is_string() {
        return Some(NotifiedAlert {
            since: serde_json::from_value(value.clone()).ok()?,
            thread: None,
        });
    }
    let row: ConcernRow = serde_json::from_value(value.clone()).ok()?;
    Some(NotifiedAlert {
        since: row.since,
        thread: row.thread.map(MailThread::from),
    })
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::OutboxState::{Pending, Refused, Sent, Superseded};
    use super::*;
    use crate::store::letter::News;
    use engine::model::{CallError, StreamHealth, Topic};
    use engine::{Alert, Channel, Occasion, Thread, UnconfirmedAlert};

    fn at(second: i64) -> Timestamp {
        Timestamp::from_second(second).expect("in range")
    }

    fn stub() -> Stub {
        Stub::try_new("pend00").expect("a name")
    }

    fn route(name: &str) -> RouteName {
        RouteName::try_new(name).expect("a name")
    }

    fn strand() -> MailThread {
        MailThread {
            root: MessageId { at: at(7), id: 3 },
            last: MessageId { at: at(9), id: 5 },
        }
    }

    #[test]
    fn what_was_told_is_read_back() {
        let issues = vec![
            Issue::Required(
                Topic::try_new("pend00-st-a").expect("a name"),
                StreamHealth::Missing,
            ),
            Issue::JumpLost,
        ];
        let known = Known {
            health: Health::Down,
            issues,
            listed: true,
            bad_since: Some(at(7)),
        };
        let mut notified: Vec<engine::Notified> = Alert::ALL
            .map(|concern| {
                engine::Notified::Alert(
                    concern,
                    Some(NotifiedAlert {
                        since: at(9),
                        thread: Some(strand()),
                    }),
                )
            })
            .into();
        notified.push(engine::Notified::Experiment(
            stub(),
            Some(Heard {
                known,
                thread: Some(strand()),
            }),
        ));
        notified.push(engine::Notified::ReminderState(ReminderState {
            notified_at: at(8),
            reminders: 2,
            digest: Some(at(1)),
        }));
        for notified in notified {
            let Entry::Notified(entry) = told_entry(&route("pends"), &notified) else {
                panic!("{notified:?} is kept")
            };
            assert_eq!(
                (recall_told(&entry), entry.route.as_str()),
                (Some(notified), "pends")
            );
        }
        let untold = told_entry(&route("pends"), &engine::Notified::Experiment(stub(), None));
        assert!(matches!(untold, Entry::Untold { .. }));
    }

    #[test]
    fn what_an_older_labwatch_kept_is_read_back() {
        let row = |subject: &str, value| Notified {
            route: "everybody".into(),
            subject: subject.into(),
            value,
        };
        let known =
            json!({ "health": "down", "issues": ["JumpLost"], "listed": true, "bad_since": at(7) });
        let known_then = Known {
            health: Health::Down,
            issues: vec![Issue::JumpLost],
            listed: true,
            bad_since: Some(at(7)),
        };
        let expected = engine::Notified::Experiment(
            stub(),
            Some(Heard {
                known: known_then,
                thread: None,
            }),
        );
        assert_eq!(
            recall_told(&row("experiment/pend00", known)),
            Some(expected)
        );
        let expected = engine::Notified::Alert(
            Alert::Blind,
            Some(NotifiedAlert {
                since: at(9),
                thread: None,
            }),
        );
        assert_eq!(
            recall_told(&row("laboratory/blind", json!(at(9)))),
            Some(expected)
        );
    }

    fn telling(id: u64, on: &str) -> Record {
        Record::Telling(std::sync::Arc::new(Summary {
            id,
            route: route(on),
            channel: Channel::Mail,
            occasion: Occasion::News,
            thread: Thread {
                id: MessageId { at: at(0), id },
                references: vec![],
            },
            at: at(0),
            news: vec![],
            problems: vec![],
            alerts: vec![],
            counts: engine::Counts::default(),
            background: engine::Background::default(),
        }))
    }

    fn states(clerk: &mut Clerk, records: Vec<Record>) -> Vec<(u64, OutboxState)> {
        let entries = records
            .into_iter()
            .flat_map(|record| clerk.entries(&record, at(1)));
        let state = |entry| {
            if let Entry::Delivery(delivery) = entry {
                Some((delivery.id, delivery.state))
            } else {
                None
            }
        };
        entries.filter_map(state).collect()
    }

    fn delivered(id: u64, outcome: Result<(), DeliveryFault>) -> Record {
        Record::Delivered { id, outcome }
    }

    #[test]
    fn a_summary_makes_those_before_it_on_its_route_needless() {
        let failed = |permanent| {
            Err(DeliveryFault {
                fault: CallError::TimedOut,
                permanent,
            })
        };
        let mut clerk = Clerk::default();
        let records = vec![
            telling(1, "a"),
            delivered(1, failed(false)),
            telling(2, "b"),
            telling(3, "a"),
            delivered(3, failed(true)),
            telling(4, "a"),
            telling(5, "a"),
            delivered(5, Ok(())),
            delivered(9, Ok(())),
        ];
        let expected = [
            (1, Pending),
            (1, Superseded),
            (3, Refused),
            (3, Superseded),
            (4, Superseded),
            (5, Sent),
        ];
        assert_eq!(states(&mut clerk, records), expected);
        assert_eq!(
            states(&mut clerk, vec![Record::RouteGone(route("b"))]),
            [(2, Superseded)]
        );
        assert!(clerk.on_their_way.is_empty(), "{:?}", clerk.on_their_way);
    }

    /// A summary with these experiments, bad since `since`, and these alerts: a concern, since when, and when it ended.
    fn about(id: u64, stubs: &[&str], since: i64, alerts: &[(Alert, i64, Option<i64>)]) -> Record {
        let Record::Telling(summary) = telling(id, "a") else {
            panic!("a summary")
        };
        let line = |stub: &&str| engine::Line {
            stub: Stub::try_new(stub).expect("a name"),
            health: Health::Down,
            notified: Health::Ok,
            bookable: None,
            listed: true,
            issues: vec![],
            since: at(since),
            lasted: None,
            affected: engine::Affected::default(),
            advice: None,
        };
        let alert = |(concern, since, ended): &(Alert, i64, Option<i64>)| engine::AlertLine {
            alert: Some(*concern),
            text: String::new(),
            since: at(*since),
            ended: ended.map(|ended| std::time::Duration::from_secs(ended.abs_diff(*since))),
            new: true,
        };
        let (news, alerts) = (
            stubs.iter().map(line).collect(),
            alerts.iter().map(alert).collect(),
        );
        Record::Telling(std::sync::Arc::new(Summary {
            news,
            alerts,
            ..(*summary).clone()
        }))
    }

    /// What is owed on route `a` to a process that starts after these records.
    fn owed_after(records: Vec<Record>) -> Vec<String> {
        let mut clerk = Clerk::default();
        let mut open: BTreeMap<u64, Outgoing> = BTreeMap::new();
        for entry in records.into_iter().flat_map(|record| {
            clerk
                .entries(&record, at(1))
                .into_iter()
                .collect::<Vec<_>>()
        }) {
            if let Entry::Delivery(Delivery {
                id,
                state: Sent | Superseded,
                ..
            }) = &entry
            {
                open.remove(id);
            }
            if let Entry::Outgoing(outgoing) = entry {
                open.insert(outgoing.id, outgoing);
            }
        }
        let pending = |outgoing| super::super::memory::Pending {
            outgoing,
            attempts: 1,
            last_error: None,
        };
        let memory = Memory {
            outbox: open.into_values().map(pending).collect(),
            ..Memory::default()
        };
        let RouteMemory {
            unconfirmed,
            owed_concerns,
            ..
        } = engine::Memory::from(memory)
            .routes
            .remove(&route("a"))
            .unwrap_or_default();
        let second = |at: Timestamp| at.as_second();
        let experiments = unconfirmed
            .into_iter()
            .map(|(stub, since)| format!("{stub} {}", second(since)));
        let concerns = owed_concerns.into_iter().map(
            |UnconfirmedAlert {
                 alert: concern,
                 since,
                 ended,
             }| {
                format!(
                    "{} {}-{}",
                    concern.as_str(),
                    second(since),
                    ended.map(|at| second(at).to_string()).unwrap_or_default()
                )
            },
        );
        experiments.chain(concerns).collect()
    }

    #[test]
    fn what_a_later_summary_does_not_tell_stays_owed() {
        let relay = Alert::Source(engine::model::SourceName::Relay);
        let first = || about(1, &["x", "y"], 5, &[(relay, 6, None)]);
        assert_eq!(owed_after(vec![first()]), ["x 5", "y 5", "relay 6-"]);
        assert_eq!(
            owed_after(vec![first(), about(2, &[], 0, &[]), delivered(2, Ok(()))]),
            ["x 5", "y 5", "relay 6-"]
        );
        let told_in_part = vec![first(), about(2, &["x"], 9, &[]), delivered(2, Ok(()))];
        assert_eq!(owed_after(told_in_part), ["y 5", "relay 6-"]);
        assert_eq!(
            owed_after(vec![first(), about(2, &["x"], 9, &[])]),
            ["y 5", "x 5", "relay 6-"],
            "x was bad from the first on"
        );
        assert_eq!(
            owed_after(vec![
                first(),
                about(2, &["x", "y"], 9, &[(relay, 6, Some(8))])
            ]),
            ["x 5", "y 5", "relay 6-8"]
        );
        assert_eq!(
            owed_after(vec![
                first(),
                Record::Forgotten(Stub::try_new("x").expect("a name"))
            ]),
            ["y 5", "relay 6-"]
        );
    }

    #[test]
    fn what_keeps_quiet_and_what_is_wished_is_read_back() {
        let (who, text, since) = ("Ann".to_owned(), "motor".to_owned(), at(5));
        let subject = engine::Subject::Experiment(stub());
        let entry = SuppressionEntry::Acknowledgement(engine::Acknowledgement {
            subject,
            health: Health::Down,
            who,
            text,
            since,
            until: None,
        });
        let mut clerk = Clerk::default();
        let [Entry::Note(kept)] = &clerk.entries(
            &Record::Suppression {
                id: SuppressionId(7),
                entry: Box::new(entry.clone()),
            },
            at(5),
        )[..] else {
            panic!("a note")
        };
        assert_eq!(
            (kept.kind, recall_note(kept)),
            (NoteKind::Acknowledgement, Some((SuppressionId(7), entry)))
        );
        let resource = ResourceName::try_new("r pend/00").expect("a name");
        for manual_override in [
            ManualOverride::Hold("fire: out".into()),
            ManualOverride::Enable,
        ] {
            let record = Record::Wished {
                resource: resource.clone(),
                manual_override: Some(manual_override.clone()),
            };
            let [
                Entry::Keep {
                    key,
                    value: Some(value),
                },
            ] = &clerk.entries(&record, at(5))[..]
            else {
                panic!("it is kept")
            };
            assert_eq!(
                recall_wish(key, value),
                Some((resource.clone(), manual_override))
            );
        }
        assert!(matches!(
            &clerk.entries(
                &Record::Wished {
                    resource,
                    manual_override: None
                },
                at(5)
            )[..],
            [Entry::Keep { value: None, .. }]
        ));
    }

    #[test]
    fn a_summary_on_its_way_is_owed_on_its_route() {
        let news = vec![News {
            stub: stub(),
            health: Health::Down,
            since: at(5),
        }];
        let content = serde_json::to_value(Letter {
            news,
            ..Letter::default()
        })
        .expect("serialises");
        let outgoing = Outgoing {
            id: 4,
            route: "pends".into(),
            created: at(6),
            content,
        };
        let memory = Memory {
            outbox: vec![super::super::memory::Pending {
                outgoing,
                attempts: 1,
                last_error: None,
            }],
            next_outgoing: 5,
            ..Memory::default()
        };
        let recalled = engine::Memory::from(memory);
        let unconfirmed = RouteMemory {
            unconfirmed: vec![(stub(), at(5))],
            ..RouteMemory::default()
        };
        assert_eq!(
            (recalled.routes, recalled.last_summary),
            (BTreeMap::from([(route("pends"), unconfirmed)]), 4)
        );
    }
}
