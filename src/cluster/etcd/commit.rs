//! Commits: changes of the durable state as operations on keys, in transactions of a size that etcd
//! accepts, notifications last.

use std::collections::BTreeMap;
use std::io::Write as _;

use flate2::Compression;
use flate2::write::GzEncoder;

use crate::clients::etcd::{MAX_BYTES, packed};
use engine::model::Gather as _;
use engine::{StateChange, StateKey, StateValue};

/// A longer value is compressed: a message of many lines has to fit into a request to etcd (1.5
/// MiB).
const PLAIN_BYTES: usize = 64 << 10;

/// A change of one key.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Operation {
    /// The key, below the prefix of the state.
    pub(super) key: String,
    /// Its value then; `None`: it is removed.
    pub(super) value: Option<Vec<u8>>,
}

impl Operation {
    fn bytes(&self) -> usize {
        self.key.len() + self.value.as_ref().map_or(0, Vec::len)
    }
}

/// Changes as transactions, to be made in this order. Of several changes of one entry the last one
/// counts. The outbox comes last: a summary without the rest would be sent and not be known as
/// sent, or be known as sent twice.
pub(super) fn transactions(changes: Vec<StateChange>) -> Vec<Vec<Operation>> {
    let latest: BTreeMap<StateKey, _> = changes
        .into_iter()
        .map(|change| (change.key, change.value))
        .gather();
    let announces = |key: &StateKey| matches!(key, StateKey::Outbox(_));
    let (last, first): (Vec<_>, Vec<_>) = latest.into_iter().partition(|(key, _)| announces(key));
    let operations = first.into_iter().chain(last).map(|(key, value)| {
        let operation = Operation {
            key: key.to_string(),
            value: value.and_then(fitting),
        };
        let size = operation.bytes();
        (operation, size)
    });
    packed(operations)
}

/// A value as it is written. A message that is too long even so is left out: the next leader
/// composes it anew.
fn fitting(mut value: StateValue) -> Option<Vec<u8>> {
    let whole = written(&value)?;
    if let StateValue::Outbox(entry) = &mut value
        && whole.len() > MAX_BYTES
    {
        entry.message = None;
        return written(&value);
    }
    Some(whole)
}

/// A value as JSON, compressed if long. The engine's values can always be written: the store writes
/// them in the same way.
fn written(value: &StateValue) -> Option<Vec<u8>> {
    let json = serde_json::to_vec(value).ok()?;
    if json.len() <= PLAIN_BYTES {
        return Some(json);
    }
    let mut packed = GzEncoder::new(Vec::new(), Compression::default());
    packed.write_all(&json).ok()?;
    packed.finish().ok()
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::cluster::StateMap;
    use engine::model::{Health, RouteName, SourceName, Stub};
    use engine::{
        Affected, Background, Channel, Counts, ExperimentState, HttpChannel, Issue, Line,
        MessageId, Occasion, OutboxEntry, OutboxNews, Summary, Thread,
    };
    use jiff::Timestamp;
    use std::sync::Arc;

    fn experiment(name: &str) -> StateChange {
        let state = ExperimentState::new(Timestamp::UNIX_EPOCH);
        StateChange {
            key: StateKey::Experiment(Stub::try_new(name).expect("a name")),
            value: Some(StateValue::Experiment(Box::new(state))),
        }
    }

    fn gone(key: StateKey) -> StateChange {
        StateChange { key, value: None }
    }

    #[test]
    fn what_announces_comes_last_and_no_transaction_is_too_long() {
        let mut changes = vec![gone(StateKey::Outbox(7))];
        changes.extend((0..250).map(|n| experiment(&format!("pend{n:03}"))));
        let all = transactions(changes);
        let sizes: Vec<usize> = all.iter().map(Vec::len).collect();
        assert_eq!(sizes, [100, 100, 51]);
        let last = all.last().and_then(|batch| batch.last());
        let expected = Operation {
            key: "outbox/7".to_owned(),
            value: None,
        };
        assert_eq!(last, Some(&expected));
    }

    /// A message about this many experiments, each with this advice.
    fn message(experiments: usize, advice: impl Fn(usize) -> String) -> StateValue {
        let at = Timestamp::UNIX_EPOCH;
        let stub = |n: usize| Stub::try_new(&format!("pend{n:04}")).expect("a name");
        let line = |n: usize| Line {
            stub: stub(n),
            health: Health::Down,
            notified: Health::Ok,
            bookable: None,
            listed: true,
            issues: vec![Issue::RelayOutage; 3],
            since: Timestamp::from_millisecond(i64::try_from(n * n).expect("small"))
                .expect("a time"),
            lasted: None,
            affected: Affected::default(),
            advice: Some(advice(n)),
            notified_issues: vec![],
            worst: None,
            steadiness: None,
            last_seen: None,
            acknowledged: None,
        };
        let lines: Vec<Line> = (0..experiments).map(line).collect();
        let news = |n: usize| OutboxNews {
            stub: stub(n),
            health: Health::Down,
            since: at,
        };
        let id = 7;
        let summary = Summary {
            id,
            route: RouteName::webhook(),
            channel: Channel::Http(HttpChannel::Webhook),
            occasion: Occasion::News,
            thread: Thread {
                id: MessageId { at, id },
                references: vec![],
            },
            at,
            problems: lines.clone(),
            news: lines,
            alerts: vec![],
            counts: Counts::default(),
            background: Background::default(),
            reminder: None,
        };
        StateValue::Outbox(OutboxEntry {
            route: RouteName::webhook(),
            created: at,
            news: (0..experiments).map(news).collect(),
            alerts: vec![],
            message: Some(Arc::new(summary)),
            digest: None,
            not_before: None,
            may_have_arrived: false,
        })
    }

    /// What is read back of a value that was written, and whether a request to etcd accepts it.
    fn read_back(value: &StateValue) -> StateValue {
        let key = StateKey::Outbox(7);
        let change = StateChange {
            key: key.clone(),
            value: Some(value.clone()),
        };
        let [batch] = &transactions(vec![change])[..] else {
            panic!("one transaction")
        };
        let written = batch[0].value.clone().expect("it is written");
        assert!(written.len() <= MAX_BYTES, "{}", written.len());
        let mut map = StateMap::default();
        map.put(batch[0].key.clone(), written);
        map.state().remove(&key).expect("it is read")
    }

    #[test]
    fn a_long_message_fits_as_a_whole() {
        let advice = |n: usize| format!("{n}: {}", "look at the motor. ".repeat(50));
        let long = message(2_500, advice);
        assert!(read_back(&long) == long, "it comes back as it was");
    }

    #[test]
    fn of_a_message_that_is_too_long_all_the_same_it_stays_known_what_was_news() {
        let mut random = 1_u64;
        let mut noise = || {
            random = random
                .wrapping_mul(6_364_136_223_846_793_005)
                .wrapping_add(1);
            format!("{random:x}")
        };
        let texts: Vec<String> = (0..2_500)
            .map(|_| (0..60).map(|_| noise()).collect())
            .collect();
        let long = message(2_500, |n| texts[n].clone());
        let (StateValue::Outbox(short), StateValue::Outbox(long)) = (read_back(&long), long) else {
            panic!("a message")
        };
        assert!(short.message.is_none() && short.news == long.news);
    }

    #[test]
    fn of_one_entry_the_last_change_counts() {
        let source = StateKey::Source(SourceName::Relay);
        let set = StateChange {
            key: source.clone(),
            value: Some(StateValue::Source(Timestamp::UNIX_EPOCH)),
        };
        let all = transactions(vec![set, gone(source)]);
        let expected = Operation {
            key: "source/relay".to_owned(),
            value: None,
        };
        assert_eq!(all, [[expected]]);
        assert_eq!(transactions(Vec::new()), Vec::<Vec<Operation>>::new());
    }
}
