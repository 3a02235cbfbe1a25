//! Between the engine's words and the store's: which entries a record makes, and what a memory is to the engine.

use jiff::Timestamp;
use serde::{Deserialize, Serialize};

use super::entry::{Delivery, Entry, OutboxState, Outgoing, Told};
use super::memory::Memory;
use crate::engine::{self, Concern, Known, MailFault, Record, Summary};
use crate::model::{Health, ResourceName, Stub};

/// The route of the mails to the maintainers.
const MAIL: &str = "mail";

/// How many experiments are written as one part into a file that is begun anew: few enough for no part to hold up the others long.
const EXPERIMENTS_AT_ONCE: usize = 64;

/// What subjects of experiments start with.
const EXPERIMENT: &str = "experiment/";

/// What subjects that concern the whole laboratory start with.
const CONCERN: &str = "laboratory/";

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
            Record::Forgotten(stub) => return vec![Entry::Forgotten(stub.clone())],
            Record::Told(told) => return vec![told_entry(told)],
            Record::Mailing(summary) => vec![self.send(summary, at)],
            Record::Mailed { id, outcome } => self.sent(*id, outcome.as_ref().err(), at),
            Record::Event { .. }
            | Record::Switching(_)
            | Record::Switched { .. }
            | Record::Source { .. }
            | Record::Hold { .. }
            | Record::Manifest(_)
            | Record::Blind(_)
            | Record::Sampling { .. } => Vec::new(),
        };
        entries.push(Entry::Record { at, record: record.clone() });
        entries
    }

    /// The entries, in parts, that make a file which was begun anew know what is still true. What people know comes first.
    #[must_use]
    pub fn all_of(&self, memory: &engine::Memory, at: Timestamp) -> Vec<Vec<Entry>> {
        let news = memory.owed.iter().map(|(stub, since)| News { stub: stub.clone(), health: Health::Unknown, since: *since }).collect();
        let content = serde_json::to_value(Letter { news }).unwrap_or_default();
        let outgoing = Outgoing { id: memory.last_mail, route: MAIL.to_owned(), created: at, content };
        let owed = (!memory.owed.is_empty()).then_some(Entry::Outgoing(outgoing));
        let hold = |(resource, hold): &(ResourceName, engine::Hold)| Entry::Record {
            at: hold.since,
            record: Record::Hold { resource: resource.clone(), reason: Some(hold.reason.clone()) },
        };
        let first = memory.told.iter().map(told_entry).chain(owed).chain(memory.holds.iter().map(hold)).collect();
        let remembered = |known: &engine::Remembered| Entry::Remembered {
            stub: known.stub.clone(),
            first_seen: known.first_seen,
            events: known.events.clone(),
        };
        let experiments = memory.experiments.chunks(EXPERIMENTS_AT_ONCE).map(|some| some.iter().map(remembered).collect());
        std::iter::once(first).chain(experiments).collect()
    }

    fn send(&mut self, summary: &Summary, at: Timestamp) -> Entry {
        self.on_their_way.push(summary.id);
        let news = summary.news.iter().map(|line| News { stub: line.stub.clone(), health: line.health, since: line.since }).collect();
        let content = serde_json::to_value(Letter { news }).unwrap_or_default();
        Entry::Outgoing(Outgoing { id: summary.id, route: MAIL.to_owned(), created: at, content })
    }

    /// What was refused for good is kept as that: nobody got it, so after a restart nothing is owed for it.
    fn sent(&mut self, id: u64, failure: Option<&MailFault>, at: Timestamp) -> Vec<Entry> {
        if let Some(MailFault { fault, permanent }) = failure {
            let state = if *permanent { OutboxState::Refused } else { OutboxState::Pending };
            self.on_their_way.retain(|of| !(*permanent && *of == id));
            return vec![Entry::Delivery(Delivery { id, at, state, error: Some(fault.to_string()) })];
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
            holds: memory.holds.into_iter().map(recall_hold).collect(),
            experiments: memory.experiments.into_iter().map(remembered).collect(),
        }
    }
}

fn recall_hold(hold: super::Hold) -> (ResourceName, engine::Hold) {
    (hold.resource, engine::Hold { since: hold.since, touched: hold.since, reason: hold.reason })
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
    use super::OutboxState::{Pending, Refused, Sent, Superseded};
    use super::*;
    use crate::engine::Issue;
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
        let refused = || Err(MailFault { fault: Fault::Sick { status: 550, body: "no such user".into() }, permanent: true });
        let mut clerk = Clerk::default();
        let mut states = Vec::new();
        let first = [summary(1), mailed(1, failed()), summary(2), mailed(2, refused())];
        for record in first.into_iter().chain([summary(3), mailed(3, failed()), summary(4), mailed(4, Ok(()))]) {
            for entry in clerk.entries(&record, at(1)) {
                if let Entry::Delivery(delivery) = entry {
                    states.push((delivery.id, delivery.state));
                }
            }
        }
        assert_eq!(states, [(1, Pending), (2, Refused), (3, Pending), (1, Superseded), (3, Superseded), (4, Sent)]);
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

    #[test]
    fn a_file_begun_anew_is_told_what_is_true() {
        let (held, bad) = (
            ResourceName::try_new("r-pend00").expect("a name"),
            Known { health: Health::Down, issues: vec![], listed: true, bad_since: Some(at(7)) },
        );
        let truth = engine::Memory {
            experiments: vec![engine::Remembered { stub: stub(), first_seen: at(1), events: vec![] }],
            told: vec![engine::Told::Experiment(stub(), Some(bad)), engine::Told::Concern(Concern::Blind, Some(at(9)))],
            owed: vec![(stub(), at(7))],
            last_mail: 12,
            holds: vec![(held, engine::Hold { since: at(3), touched: at(3), reason: "repair".into() })],
        };
        let dir = tempfile::tempdir().expect("a folder");
        let settings = super::super::StoreSettings { dir: dir.path().to_owned(), history_days: 10, ring: 3 };
        let (store, _) = super::super::Store::open(&settings).expect("it opens");
        for part in Clerk::default().all_of(&truth, at(20)) {
            assert!(store.write(part).is_taken());
        }
        drop(store);
        let (_, memory) = super::super::Store::open(&settings).expect("it opens");
        let mut recalled = engine::Memory::from(memory);
        recalled.told.reverse();
        let mut expected = truth;
        expected.told.sort_by_key(|told| matches!(told, engine::Told::Concern(..)));
        recalled.told.sort_by_key(|told| matches!(told, engine::Told::Concern(..)));
        assert_eq!(recalled, expected);
    }
}
