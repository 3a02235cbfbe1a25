//! The durable state as etcd stores it: a map of texts. Entries that this version cannot read stay
//! as they are, for the version that can.

use std::borrow::Cow;
use std::collections::BTreeMap;
use std::io::Read as _;

use flate2::read::GzDecoder;

use engine::model::Gather as _;
use engine::{State, StateChange, StateKey, StateValue};

/// The longest value, once it is unpacked.
const MAX_VALUE_BYTES: u64 = 64 << 20;

/// The first bytes of a compressed value. JSON does not begin with them.
const GZIP: [u8; 2] = [0x1f, 0x8b];

/// The entries below the prefix of the state, by key.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct StateMap(BTreeMap<String, Vec<u8>>);

impl StateMap {
    /// Sets an entry.
    pub fn put(&mut self, key: String, value: Vec<u8>) {
        self.0.insert(key, value);
    }

    /// Removes an entry.
    pub fn remove(&mut self, key: &str) {
        self.0.remove(key);
    }

    /// Whether nothing is kept.
    pub fn is_empty(&self) -> bool {
        self.0.is_empty()
    }

    /// What this version understands.
    pub fn state(&self) -> State {
        self.0
            .iter()
            .filter_map(|(key, value)| understood(key, value))
            .gather()
    }

    /// The entries that this version does not understand: those of a later one.
    pub fn unknown(&self) -> impl Iterator<Item = (&str, &[u8])> {
        self.0
            .iter()
            .filter(|(key, value)| understood(key, value).is_none())
            .map(|(key, value)| (key.as_str(), value.as_slice()))
    }
}

fn understood(key: &str, value: &[u8]) -> Option<(StateKey, StateValue)> {
    Some((
        key.parse().ok()?,
        serde_json::from_slice(&unpacked(value)?).ok()?,
    ))
}

/// A value as JSON: a long one is compressed in etcd.
pub fn unpacked(value: &[u8]) -> Option<Cow<'_, [u8]>> {
    if !value.starts_with(&GZIP) {
        return Some(value.into());
    }
    let mut json = Vec::new();
    let mut reader = GzDecoder::new(value).take(MAX_VALUE_BYTES);
    reader.read_to_end(&mut json).ok()?;
    Some(json.into())
}

/// The changes from one state to another.
pub fn difference(from: &State, to: &State) -> Vec<StateChange> {
    let gone = from.keys().filter(|key| !to.contains_key(key));
    let gone = gone.map(|key| StateChange {
        key: key.clone(),
        value: None,
    });
    let set = to
        .iter()
        .filter(|(key, value)| from.get(key) != Some(value));
    let set = set.map(|(key, value)| StateChange {
        key: key.clone(),
        value: Some(value.clone()),
    });
    gone.chain(set).collect()
}

#[cfg(test)]
mod tests {
    use super::*;
    use engine::Counter;
    use engine::model::SourceName;
    use jiff::Timestamp;

    #[test]
    fn what_a_later_version_wrote_is_kept_and_not_understood() {
        let mut map = StateMap::default();
        map.put("last/summary".to_owned(), b"{\"last\":7}".to_vec());
        map.put("quorum/room".to_owned(), b"{\"new\":1}".to_vec());
        map.put("last/suppression".to_owned(), b"{\"later\":7}".to_vec());
        let expected: State = [(StateKey::Last(Counter::Summary), StateValue::Last(7))].into();
        assert_eq!(map.state(), expected);
        let unknown: Vec<&str> = map.unknown().map(|(key, _)| key).collect();
        assert_eq!(unknown, ["last/suppression", "quorum/room"]);
        map.remove("quorum/room");
        assert!(!map.is_empty());
    }

    #[test]
    fn a_difference_makes_one_state_of_the_other() {
        let last = |n| (StateKey::Last(Counter::Summary), StateValue::Last(n));
        let source = (
            StateKey::Source(SourceName::Jump),
            StateValue::Source(Timestamp::UNIX_EPOCH),
        );
        let outbox = (StateKey::Outbox(3), StateValue::Last(3));
        let before: State = [last(1), outbox].into();
        let after: State = [last(2), source].into();
        let changes = difference(&before, &after);
        assert_eq!(changes.len(), 3);
        let mut made = before;
        for change in changes {
            change.apply(&mut made);
        }
        assert_eq!(made, after);
        assert_eq!(difference(&after, &after), []);
    }
}
