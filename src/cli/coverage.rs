//! How many of book's experiments each table of the configuration matches, and when a maintenance
//! window next begins: a pattern with a typing error matches none, which nothing else would show.

use std::collections::BTreeSet;

use jiff::Timestamp;
use jiff::tz::TimeZone;

use crate::clients::{self, BookClient, Http};
use crate::config::{Config, MaintenanceSettings, Planned};
use engine::NamePattern;

/// The most names that are shown.
const MAX_NAMES: usize = 4;

/// The experiments that a table matches.
#[derive(Debug, PartialEq, Eq)]
pub(super) struct Coverage {
    /// One line of text.
    pub(super) text: String,
    /// Whether it matches no experiment.
    pub(super) is_empty: bool,
}

/// The stubs of book's experiments; `None` when it does not answer, which is reported elsewhere.
pub(super) async fn experiments(config: &Config) -> Option<Vec<String>> {
    let tls = clients::client_config(false).ok()?;
    let http = Http::new(config.book.timeout, tls).ok()?;
    let client = BookClient::new(config.book.address.clone(), http);
    let found = client.resources().await.ok()?;
    let stubs: BTreeSet<String> = found
        .listed
        .values()
        .map(|listed| listed.stub.to_string())
        .collect();
    Some(stubs.into_iter().collect())
}

/// One for each route, window, pool and category, in the order of the configuration.
pub(super) fn all(config: &Config, stubs: &[String], now: Timestamp) -> Vec<Coverage> {
    let mut all = Vec::new();
    for route in &config.notifications.routes {
        all.push(taken("route", &route.name, &route.patterns, stubs));
    }
    for window in &config.maintenance {
        let mut found = taken("maintenance", &window.name, &window.patterns, stubs);
        found.text += &next(window, &config.notifications.zone.rules, now);
        all.push(found);
    }
    for pool in &config.pools {
        all.push(taken("pool", &pool.name, &pool.members, stubs));
    }
    for category in &config.categories {
        let of_pools = config
            .pools
            .iter()
            .filter(|pool| category.rule.pools.contains(&pool.name));
        let of_pools = of_pools.flat_map(|pool| &pool.members);
        let patterns = category.rule.patterns.iter().chain(of_pools);
        let patterns: Vec<String> = patterns.cloned().collect();
        // The two built-in ones have none, and pools may be those of book.
        if !patterns.is_empty() {
            all.push(taken("category", &category.rule.name, &patterns, stubs));
        }
    }
    all
}

fn taken(kind: &str, name: &str, patterns: &[String], stubs: &[String]) -> Coverage {
    let patterns = patterns.iter();
    let patterns: Vec<NamePattern> = patterns
        .filter_map(|pattern| NamePattern::try_new(pattern).ok())
        .collect();
    let is_taken = |stub: &&String| patterns.iter().any(|pattern| pattern.matches(stub));
    let taken: Vec<&str> = stubs.iter().filter(is_taken).map(|stub| &**stub).collect();
    let shown = taken.get(..MAX_NAMES).unwrap_or(&taken);
    let more = if taken.len() > MAX_NAMES { ", …" } else { "" };
    let names = if shown.is_empty() {
        String::new()
    } else {
        format!(" ({}{more})", shown.join(", "))
    };
    let (count, all) = (taken.len(), stubs.len());
    Coverage {
        text: format!("{kind} {name}: {count} of {all} experiments{names}"),
        is_empty: taken.is_empty(),
    }
}

/// When the window is next open, in its own time zone.
fn next(window: &MaintenanceSettings, zone: &TimeZone, now: Timestamp) -> String {
    let zone = match &window.when {
        Planned::Weekly { zone, .. } => &zone.rules,
        Planned::Once { .. } => zone,
    };
    let schedule = window.windows().into_iter().next();
    let occurrence = schedule.and_then(|window| window.schedule.next_occurrence(now));
    let shown = |at: Timestamp| at.to_zoned(zone.clone()).strftime("%a %-d %b %Y %H:%M %Z");
    match occurrence {
        None => "; it is over".to_owned(),
        Some(open) if open.from <= now => format!("; open until {}", shown(open.until)),
        Some(open) => format!("; next: {} to {}", shown(open.from), shown(open.until)),
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::config::{Sources, load_rules};

    #[test]
    fn each_table_says_what_it_takes_in() {
        let folder = tempfile::tempdir().expect("a folder");
        let file = folder.path().join("labwatch.toml");
        let text = r#"
time_zone = "Europe/London"
[[route]]
name = "pendulums"
match = ["pend*"]
webhook = "https://hooks.example.org/x"
[[route]]
name = "typo"
match = ["pnd*"]
webhook = "https://hooks.example.org/y"
[[maintenance]]
name = "service"
match = ["pend0?", "spin*"]
reason = "weekly service"
days = ["mon"]
at = "08:00"
for = "2h"
[[maintenance]]
name = "once"
match = ["spin*"]
reason = "moved"
from = "2026-11-30T10:00:00Z"
until = "2026-11-30T14:00:00Z"
[[pool]]
name = "all"
members = ["*"]
[[category]]
name = "teaching"
pools = ["all"]
"#;
        std::fs::write(&file, text).expect("writes");
        let sources = Sources {
            file: Some(file),
            ..Sources::default()
        };
        let config = load_rules(&sources).unwrap_or_else(|problems| panic!("{problems}"));
        let stubs = ["pend00", "pend01", "pend10", "spin00", "trus00"].map(str::to_owned);
        let now = "2026-11-30T12:00:00Z".parse().expect("a time");
        let found = all(&config.config, &stubs, now);
        let lines: Vec<&str> = found.iter().map(|found| &*found.text).collect();
        let expected = [
            "route pendulums: 3 of 5 experiments (pend00, pend01, pend10)",
            "route typo: 0 of 5 experiments",
            "maintenance service: 3 of 5 experiments (pend00, pend01, spin00); \
             next: Mon 7 Dec 2026 08:00 GMT to Mon 7 Dec 2026 10:00 GMT",
            "maintenance once: 1 of 5 experiments (spin00); open until Mon 30 Nov 2026 14:00 GMT",
            "pool all: 5 of 5 experiments (pend00, pend01, pend10, spin00, …)",
            "category teaching: 5 of 5 experiments (pend00, pend01, pend10, spin00, …)",
        ];
        assert_eq!(lines, expected);
        let empty: Vec<bool> = found.iter().map(|found| found.is_empty).collect();
        assert_eq!(empty, [false, true, false, false, false, false]);
    }
}
