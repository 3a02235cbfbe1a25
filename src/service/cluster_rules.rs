//! By which rules each replica goes: marks of them are shared, so that one that is configured otherwise is named.

use serde_json::{Value, json};

use crate::build;
use crate::cluster::{Share, Shared};
use crate::config::Fingerprint;
use engine::Rules;

/// By its name each replica shows below this by which rules it goes.
const RULES: &str = "rules/";

/// Marks of the rules that all replicas are to have alike, by what they are called. What a policy in etcd says is the same for all of them.
pub(super) fn marks(rules: &Rules) -> Value {
    let mark = |text: String| Fingerprint::of(text.as_bytes()).to_string();
    json!({
        "version": build::VERSION,
        "the rules of health": mark(format!("{:?}", rules.policy)),
        "routes": mark(format!("{:?}", rules.routes)),
        "[[maintenance]]": mark(format!("{:?}", rules.maintenance)),
        "[[pool]]": mark(format!("{:?}", rules.pools)),
        "[advice]": mark(format!("{:?}", rules.advice)),
        "hold_overdue": mark(format!("{:?}", rules.hold_overdue)),
    })
}

/// The rules of the replica of this name, to be shared; `None`: they are.
pub(super) fn own_rules(shared: &Shared, name: &str, own: &Value) -> Option<Share> {
    let key = format!("{RULES}{name}");
    (shared.get(&key) != Some(own)).then(|| (key, Some(own.clone())))
}

/// Which of these replicas goes by other rules, and in what they differ. One of another version is not compared.
pub(super) fn other_rules<'a>(
    shared: &Shared,
    own: &Value,
    mut others: impl Iterator<Item = &'a str>,
) -> Option<String> {
    others.find_map(|name| {
        let theirs = shared.get(&format!("{RULES}{name}"))?;
        let own = own.as_object()?.iter();
        let differing: Vec<&str> = own
            .filter(|(part, mark)| theirs.get(part.as_str()) != Some(*mark))
            .map(|(part, _)| part.as_str())
            .collect();
        let is_comparable = !differing.is_empty() && !differing.contains(&"version");
        is_comparable.then(|| {
            let parts = differing.join(", ");
            format!(
                "{name} is configured otherwise ({parts}): give all replicas the same configuration"
            )
        })
    })
}

#[cfg(test)]
mod tests {
    use std::time::Duration;

    use super::*;
    use engine::Policy;

    #[test]
    fn a_replica_that_is_configured_otherwise_is_named() {
        let rules = |hold_overdue: u64, startup: u64| {
            let policy = Policy {
                startup: Duration::from_secs(startup),
                ..Policy::default()
            };
            marks(&Rules {
                hold_overdue: Duration::from_secs(hold_overdue),
                ..Rules::new(policy, Vec::new())
            })
        };
        let own = rules(1, 1);
        let mut shared = Shared::new();
        let names = || ["second", "third"].into_iter();
        assert_eq!(other_rules(&shared, &own, names()), None);
        let of_second = own_rules(&shared, "second", &rules(1, 1));
        shared.extend(of_second.map(|(key, value)| (key, value.unwrap_or_default())));
        assert_eq!(own_rules(&shared, "second", &rules(1, 1)), None);
        assert_eq!(other_rules(&shared, &own, names()), None);
        shared.insert("rules/third".to_owned(), rules(2, 3));
        let words = other_rules(&shared, &own, names()).expect("another");
        let start = "third is configured otherwise (hold_overdue, the rules of health)";
        assert!(words.starts_with(start), "{words}");
        shared.insert("rules/third".to_owned(), json!({"version": "9.9.9"}));
        assert_eq!(other_rules(&shared, &own, names()), None);
    }
}
