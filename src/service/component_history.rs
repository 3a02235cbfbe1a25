//! Stores the latest results of each component over a restart.

use std::collections::BTreeMap;
use std::sync::Arc;
use std::time::Duration;

use engine::model::Gather as _;
use serde_json::Value;
use tokio::time::sleep;
use tokio_util::sync::CancellationToken;

use crate::health::{Registry, Results};
use crate::store::{Entry, Store};

/// The prefix of the keys of components' results in the store; the component's name follows.
const KEY: &str = "component.";

/// Changes within this time are written together.
const GATHER: Duration = Duration::from_secs(1);

/// Results by component from before the start.
pub(super) type Remembered = BTreeMap<String, Results>;

/// Reads the stored results. Invalid ones are left out and logged.
pub(super) fn recall(keep: &BTreeMap<String, Value>) -> Remembered {
    let kept = keep
        .iter()
        .filter_map(|(key, value)| Some((key.strip_prefix(KEY)?, value)));
    let read = |(name, value): (&str, &Value)| {
        let results = serde_json::from_value(value.clone());
        results
            .inspect_err(|error| {
                tracing::warn!(component = name, %error, "cannot read the stored results of a component");
            })
            .ok()
            .map(|results| (name.to_owned(), results))
    };
    kept.filter_map(read).gather()
}

/// Writes the results of each component whenever they change, until `stop`. The results of a
/// removed
/// component are deleted.
pub(super) async fn follow(
    registry: Registry,
    store: Store,
    remembered: Remembered,
    stop: CancellationToken,
) {
    let mut written: BTreeMap<String, Arc<Results>> = remembered
        .into_iter()
        .map(|(name, results)| (name, Arc::new(results)))
        .gather();
    let mut followed = registry.changes();
    loop {
        let entries = differences(&registry, &mut written);
        if !entries.is_empty() && !store.write(entries).is_taken() {
            tracing::error!("cannot store the results of components: the store cannot be written");
            written.clear(); // at the next change they are all written
        }
        tokio::select! {
            () = stop.cancelled() => return,
            changed = followed.changed() => if changed.is_err() { return },
        }
        sleep(GATHER).await;
    }
}

fn differences(registry: &Registry, written: &mut BTreeMap<String, Arc<Results>>) -> Vec<Entry> {
    let components = registry.components();
    let now: BTreeMap<String, Arc<Results>> = components
        .iter()
        .filter(|component| !component.results.is_empty())
        .map(|component| (component.name.to_string(), Arc::clone(&component.results)))
        .collect();
    let keep = |name: &str, value: Option<Value>| Entry::Keep {
        key: format!("{KEY}{name}"),
        value,
    };
    let changed = now
        .iter()
        .filter(|(name, results)| written.get(*name) != Some(*results))
        .filter_map(|(name, results)| {
            Some(keep(name, Some(serde_json::to_value(&**results).ok()?)))
        });
    let is_gone = |name: &&String| !components.iter().any(|known| *known.name == ***name);
    let gone = written.keys().filter(is_gone).map(|name| keep(name, None));
    let entries = changed.chain(gone).collect();
    *written = now;
    entries
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::health::Finding;

    #[test]
    fn what_is_kept_is_what_is_recalled() {
        let registry = Registry::on_system_clock();
        let wiki = registry.register("wiki", None, &[]).expect("free");
        wiki.report(Finding::error("the disk is full"));
        let mut written = [("gone".to_owned(), Arc::default())].into();
        let entries = differences(&registry, &mut written);
        let kept: BTreeMap<String, Value> = entries
            .iter()
            .filter_map(|entry| {
                let Entry::Keep { key, value } = entry else {
                    return None;
                };
                Some((key.clone(), value.clone()?))
            })
            .collect();
        assert_eq!(entries.len(), 2, "{entries:?}");
        let recalled = recall(&kept);
        assert_eq!(recalled.get("wiki"), registry.results("wiki").as_deref());
        assert!(differences(&registry, &mut written).is_empty());
        assert!(recall(&[("component.x".to_owned(), Value::from(7))].into()).is_empty());
    }
}
