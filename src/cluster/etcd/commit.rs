//! What a commit is made of: changes of the durable state as operations on keys, in transactions that etcd takes, what announces last.

use std::collections::BTreeMap;

use crate::clients::etcd::packed;
use engine::{StateChange, StateKey};

/// A change of one key.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Operation {
    /// The key, below the prefix of the state.
    pub(super) key: String,
    /// What stands under it then; `None`: nothing.
    pub(super) value: Option<Vec<u8>>,
}

impl Operation {
    fn bytes(&self) -> usize {
        self.key.len() + self.value.as_ref().map_or(0, Vec::len)
    }
}

/// Changes as transactions, to be made in this order. Of several changes of one entry the last one counts. What concerns the outbox comes
/// last: a summary that stands there without the rest would be sent and not be known as sent, or be known as sent twice.
pub(super) fn transactions(changes: Vec<StateChange>) -> Vec<Vec<Operation>> {
    let latest: BTreeMap<StateKey, _> = changes
        .into_iter()
        .map(|change| (change.key, change.value))
        .collect();
    let announces = |key: &StateKey| matches!(key, StateKey::Outbox(_));
    let (last, first): (Vec<_>, Vec<_>) = latest.into_iter().partition(|(key, _)| announces(key));
    let operations = first.into_iter().chain(last).map(|(key, value)| {
        let operation = Operation {
            key: key.to_string(),
            // What the engine keeps can be written: the store writes it in the same way.
            value: value.and_then(|value| serde_json::to_vec(&value).ok()),
        };
        let size = operation.bytes();
        (operation, size)
    });
    packed(operations)
}

#[cfg(test)]
mod tests {
    use super::*;
    use engine::model::{SourceName, Stub};
    use engine::{ExperimentState, StateValue};
    use jiff::Timestamp;

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
