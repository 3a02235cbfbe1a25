//! The rules of each replica: hashes of them are shared, so that a replica with a different
//! configuration is named.

use serde_json::{Value, json};

use crate::build;
use crate::cluster::{OF_REPLICA, Share, Shared};
use crate::config::{Config, Fingerprint};
use crate::health::{Finding, State};
use engine::Rules;

/// The name of the laboratory's addresses in the hashes.
const LABORATORY: &str = "relay, jump and book";

/// Hashes of all settings that replicas have to have in common, by name. The content of a policy in
/// etcd is the same for all of them.
pub(super) fn marks(config: &Config) -> Value {
    let of_laboratory = [
        &config.relay.address,
        &config.jump.address,
        &config.book.address,
    ];
    marks_of(
        &config.rules(),
        &of_laboratory.map(|address| address.audience.clone()),
    )
}

fn marks_of(rules: &Rules, laboratory: &[String; 3]) -> Value {
    let mark = |text: String| Fingerprint::of(text.as_bytes()).to_string();
    json!({
        "version": build::VERSION,
        LABORATORY: mark(format!("{laboratory:?}")),
        "the rules of health": mark(format!("{:?}", rules.policy)),
        "routes": mark(format!("{:?}", rules.routes)),
        "[[maintenance]]": mark(format!("{:?}", rules.maintenance)),
        "[[pool]]": mark(format!("{:?}", rules.pools)),
        "[advice]": mark(format!("{:?}", rules.advice)),
        "hold_overdue": mark(format!("{:?}", rules.hold_overdue)),
    })
}

/// The rules of this replica, to be shared; `None`: they are shared already.
pub(super) fn own_rules(shared: &Shared, name: &str, own: &Value) -> Option<Share> {
    let key = format!("{OF_REPLICA}{name}");
    (shared.get(&key) != Some(own)).then(|| (key, Some(own.clone())))
}

/// The finding about replicas with other rules, and the differences. A replica of another version
/// is not compared.
pub(super) fn other_rules<'a>(
    shared: &Shared,
    own: &Value,
    mut others: impl Iterator<Item = &'a str>,
) -> Option<Finding> {
    others.find_map(|name| {
        let theirs = shared.get(&format!("{OF_REPLICA}{name}"))?;
        let own = own.as_object()?.iter();
        let differing: Vec<&str> = own
            .filter(|(part, mark)| theirs.get(part.as_str()) != Some(*mark))
            .map(|(part, _)| part.as_str())
            .collect();
        let is_comparable = !differing.is_empty() && !differing.contains(&"version");
        if differing.contains(&LABORATORY) && is_comparable {
            let words = format!("{name} watches another laboratory ({LABORATORY}): give each laboratory a label of its own");
            return Some(Finding::error(words).external());
        }
        is_comparable.then(|| {
            let parts = differing.join(", ");
            let words = format!(
                "{name} is configured otherwise ({parts}): give all replicas the same configuration"
            );
            Finding::new(State::Warn, words)
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
        let laboratory = |book: &str| ["relay", "jump", book].map(str::to_owned);
        let rules = |hold_overdue: u64, startup: u64| {
            let policy = Policy {
                startup: Duration::from_secs(startup),
                ..Policy::default()
            };
            let rules = Rules {
                hold_overdue: Duration::from_secs(hold_overdue),
                ..Rules::new(policy, Vec::new())
            };
            marks_of(&rules, &laboratory("book"))
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
        let finding = other_rules(&shared, &own, names()).expect("another");
        let start = "third is configured otherwise (hold_overdue, the rules of health)";
        assert!(finding.detail.starts_with(start), "{}", finding.detail);
        assert_eq!(finding.state, State::Warn);
        let rules = Rules::new(Policy::default(), Vec::new());
        let of_third = marks_of(&rules, &laboratory("another"));
        shared.insert("rules/third".to_owned(), of_third);
        let finding = other_rules(&shared, &own, names()).expect("another");
        let start = "third watches another laboratory";
        assert!(finding.detail.starts_with(start), "{}", finding.detail);
        assert_eq!(finding.state, State::Error);
        shared.insert("rules/third".to_owned(), json!({"version": "9.9.9"}));
        assert_eq!(other_rules(&shared, &own, names()), None);
    }
}
