//! Between the engine's words and the store's: which entries a record makes, and what a memory is to the engine.

use jiff::Timestamp;
use serde::{Deserialize, Serialize};

use super::entry::{Delivery, Entry, OutboxState, Outgoing, Told};
use super::memory::Memory;
use crate::engine::{self, Concern, Known, Record, Summary};
use crate::model::{Health, Stub};

/// The route of the mails to the maintainers.
const MAIL: &str = "mail";

/// What subjects of experiments start with.
const EXPERIMENT: &str = "experiment/";

/// What subjects that concern the whole laboratory start with.
const CONCERN: &str = "laboratory/";

/// Under which key the pools stand, each with its experiments.
pub(super) const POOLS: &str = "pools";

/// What is kept of a mail on its way: enough to tell it again, should nobody know whether it arrived.
#[derive(Debug, Serialize, Deserialize)]
struct Letter {
    news: Vec<News>,
}

#[derive(Debug, Serialize, Deserialize)]
struct News {
    stub: Stub,
    health: Health,
    since: Timestamp,
}

/// Makes entries of records. Remembers which mails are on their way: one that arrives makes all before it needless.
#[derive(Debug, Default)]
pub struct Clerk {
    on_their_way: Vec<u64>,
}

impl Clerk {
    /// A clerk who knows which mails were on their way when labwatch stopped.
    #[must_use]
    pub fn with(memory: &Memory) -> Self {
        Self { on_their_way: memory.outbox.iter().map(|pending| pending.outgoing.id).collect() }
    }

    /// The entries that a record makes.
    pub fn entries(&mut self, record: &Record, at: Timestamp) -> Vec<Entry> {
        let mut entries = match record {
            Record::Seen(stub) => return vec![Entry::Seen { stub: stub.clone(), at }],
            Record::Forgotten(stub) => return vec![Entry::Forgotten { stub: stub.clone(), at }],
            Record::Told(told) => return vec![told_entry(told)],
            Record::Pools(pools) => return vec![Entry::Keep { key: POOLS.to_owned(), value: serde_json::to_value(pools).ok() }],
            Record::Mailing(summary) => vec![self.send(summary, at)],
            Record::Mailed { id, outcome } => self.sent(*id, outcome.as_ref().err().map(|fault| fault.fault.to_string()), at),
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
        entries.push(Entry::Record { at, record: record.clone() });
        entries
    }

    fn send(&mut self, summary: &Summary, at: Timestamp) -> Entry {
        self.on_their_way.push(summary.id);
        let news = summary.news.iter().map(|line| News { stub: line.stub.clone(), health: line.health, since: line.since }).collect();
        let content = serde_json::to_value(Letter { news }).unwrap_or_default();
        Entry::Outgoing(Outgoing { id: summary.id, route: MAIL.to_owned(), created: at, content })
    }

    fn sent(&mut self, id: u64, error: Option<String>, at: Timestamp) -> Vec<Entry> {
        if error.is_some() {
            return vec![Entry::Delivery(Delivery { id, at, state: OutboxState::Pending, error })];
        }
        let state = |of: u64| if of == id { OutboxState::Sent } else { OutboxState::Superseded };
        let delivered = self.on_their_way.drain(..).map(|of| Entry::Delivery(Delivery { id: of, at, state: state(of), error: None }));
        delivered.collect()
    }
}

fn told_entry(told: &engine::Told) -> Entry {
    let route = MAIL.to_owned();
    let (subject, value) = match told {
        engine::Told::Experiment(stub, known) => {
            (format!("{EXPERIMENT}{stub}"), known.as_ref().and_then(|known| serde_json::to_value(known).ok()))
        }
        engine::Told::Concern(concern, since) => {
            (format!("{CONCERN}{}", concern.word()), since.and_then(|since| serde_json::to_value(since).ok()))
        }
    };
    match value {
        Some(value) => Entry::Told(Told { route, subject, value }),
        None => Entry::Untold { route, subject },
    }
}

impl From<Memory> for engine::Memory {
    fn from(memory: Memory) -> Self {
        let remembered =
            |(stub, known): (Stub, super::Remembered)| engine::Remembered { stub, first_seen: known.first_seen, events: known.events };
        let letters = memory.outbox.iter().filter_map(|pending| serde_json::from_value::<Letter>(pending.outgoing.content.clone()).ok());
        Self {
            owed: letters.flat_map(|letter| letter.news).map(|news| (news.stub, news.since)).collect(),
            told: memory.told.iter().filter(|told| told.route == MAIL).filter_map(recall_told).collect(),
            last_mail: memory.next_outgoing.saturating_sub(1),
            bookings: memory.bookings,
            experiments: memory.experiments.into_iter().map(remembered).collect(),
        }
    }
}

/// What people were told, as it stands in the store. What cannot be read is left out: then they are told again.
fn recall_told(told: &Told) -> Option<engine::Told> {
    if let Some(stub) = told.subject.strip_prefix(EXPERIMENT) {
        let known: Known = serde_json::from_value(told.value.clone()).ok()?;
        return Some(engine::Told::Experiment(Stub::try_new(stub).ok()?, Some(known)));
    }
    let word = told.subject.strip_prefix(CONCERN)?;
    let concern = Concern::ALL.into_iter().find(|concern| concern.word() == word)?;
    Some(engine::Told::Concern(concern, Some(serde_json::from_value(told.value.clone()).ok()?)))
}

#[cfg(test)]
mod tests {
    use super::OutboxState::{Pending, Sent, Superseded};
    use super::*;
    use crate::engine::{Issue, MailFault};
    use crate::model::{Fault, StreamHealth, Topic};

    fn at(second: i64) -> Timestamp {
        Timestamp::from_second(second).expect("in range")
    }

    fn stub() -> Stub {
        Stub::try_new("pend00").expect("a name")
    }

    #[test]
    fn what_was_told_is_read_back() {
        let issues = vec![Issue::Required(Topic::try_new("pend00-st-a").expect("a name"), StreamHealth::Missing), Issue::JumpLost];
        let known = Known { health: Health::Down, issues, listed: true, bad_since: Some(at(7)) };
        let concerns = Concern::ALL.map(|concern| engine::Told::Concern(concern, Some(at(9))));
        for told in concerns.into_iter().chain([engine::Told::Experiment(stub(), Some(known))]) {
            let Entry::Told(entry) = told_entry(&told) else { panic!("{told:?} is kept") };
            assert_eq!(recall_told(&entry), Some(told));
        }
        assert!(matches!(told_entry(&engine::Told::Experiment(stub(), None)), Entry::Untold { .. }));
    }

    #[test]
    fn a_mail_that_arrives_makes_those_before_it_needless() {
        let summary = |id| {
            let background = engine::Background::default();
            let counts = engine::Counts::default();
            Record::Mailing(std::sync::Arc::new(Summary {
                id,
                at: at(0),
                news: vec![],
                problems: vec![],
                alerts: vec![],
                counts,
                background,
            }))
        };
        let mailed = |id, outcome| Record::Mailed { id, outcome };
        let failed = || Err(MailFault { fault: Fault::TimedOut, permanent: false });
        let mut clerk = Clerk::default();
        let mut states = Vec::new();
        for record in [summary(1), mailed(1, failed()), summary(2), mailed(2, failed()), summary(3), mailed(3, Ok(()))] {
            for entry in clerk.entries(&record, at(1)) {
                if let Entry::Delivery(delivery) = entry {
                    states.push((delivery.id, delivery.state));
                }
            }
        }
        assert_eq!(states, [(1, Pending), (2, Pending), (1, Superseded), (2, Superseded), (3, Sent)]);
    }

    #[test]
    fn a_mail_on_its_way_is_owed() {
        let news = vec![News { stub: stub(), health: Health::Down, since: at(5) }];
        let content = serde_json::to_value(Letter { news }).expect("serialises");
        let outgoing = Outgoing { id: 4, route: MAIL.into(), created: at(6), content };
        let memory = Memory {
            outbox: vec![super::super::memory::Pending { outgoing, attempts: 1, last_error: None }],
            next_outgoing: 5,
            ..Memory::default()
        };
        let recalled = engine::Memory::from(memory);
        assert_eq!((recalled.owed, recalled.last_mail), (vec![(stub(), at(5))], 4));
    }
}
