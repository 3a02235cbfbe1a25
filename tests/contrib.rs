//! What operators copy from `contrib/`: every metric that a rule or a panel names exists, and every
//! runbook is written.

#![allow(
    clippy::too_many_lines,
    reason = "a test is one scenario from beginning to end"
)]
#![allow(
    clippy::expect_used,
    clippy::panic,
    reason = "helpers of tests may fail a test"
)]

use std::collections::BTreeSet;
use std::path::Path;
use std::{fs, process::Command};

fn read(path: &str) -> String {
    let path = Path::new(env!("CARGO_MANIFEST_DIR")).join(path);
    fs::read_to_string(&path).unwrap_or_else(|error| panic!("{}: {error}", path.display()))
}

/// The names of labwatch's own metrics in a text of expressions.
fn metrics_in(text: &str) -> BTreeSet<&str> {
    let is_name = |c: char| c.is_ascii_lowercase() || c.is_ascii_digit() || c == '_';
    text.split(|c: char| !is_name(c))
        .filter(|name| name.starts_with("labwatch_") || name.starts_with("lab_"))
        .collect()
}

/// The names that the code registers, with the ending that counters get.
fn registered() -> BTreeSet<String> {
    let mut names = BTreeSet::new();
    for entry in fs::read_dir(Path::new(env!("CARGO_MANIFEST_DIR")).join("src/telemetry/metrics"))
        .expect("the metrics' folder")
    {
        let text = fs::read_to_string(entry.expect("an entry").path()).expect("a source file");
        for name in metrics_in(&text) {
            names.insert(name.to_owned());
            names.insert(format!("{name}_total"));
        }
    }
    names
}

#[test]
fn every_metric_that_is_named_exists() {
    let registered = registered();
    for path in [
        "contrib/prometheus/labwatch.rules.yml",
        "contrib/grafana/labwatch.json",
    ] {
        let text = read(path);
        let exprs: String = text
            .lines()
            .filter(|line| line.contains("expr") || line.contains("label_values"))
            .collect();
        let named = metrics_in(&exprs);
        assert!(named.len() > 5, "{path} names metrics");
        for name in named {
            assert!(registered.contains(name), "{path} names {name}");
        }
    }
}

#[test]
fn every_alert_has_a_runbook() {
    let rules = read("contrib/prometheus/labwatch.rules.yml");
    let operations = read("docs/operations.md");
    let alerts: Vec<&str> = rules
        .lines()
        .filter_map(|line| line.trim().strip_prefix("- alert: "))
        .collect();
    assert!(alerts.len() >= 8);
    for runbook in rules
        .lines()
        .filter_map(|line| line.split_once("operations.md#"))
    {
        let anchor = runbook.1.trim_end_matches('"');
        let heading = |line: &str| {
            line.strip_prefix("### ")
                .is_some_and(|title| title.to_lowercase() == anchor)
        };
        assert!(operations.lines().any(heading), "no runbook {anchor}");
    }
}

/// The dashboard has everything that Grafana needs to load it: a schema version, panels with a
/// place, a type,
/// a query and an id of their own.
#[test]
fn the_dashboard_is_well_formed() {
    let dashboard: serde_json::Value =
        serde_json::from_str(&read("contrib/grafana/labwatch.json")).expect("JSON");
    assert!(
        dashboard["schemaVersion"]
            .as_u64()
            .is_some_and(|version| version >= 36)
    );
    let panels = dashboard["panels"].as_array().expect("panels");
    let mut ids = BTreeSet::new();
    for panel in panels {
        let title = panel["title"].as_str().expect("a title");
        assert!(ids.insert(panel["id"].as_u64().expect("an id")), "{title}");
        assert!(
            panel["type"].is_string() && panel["gridPos"]["w"].as_u64() <= Some(24),
            "{title}"
        );
        assert!(
            panel["targets"]
                .as_array()
                .is_some_and(|targets| !targets.is_empty()),
            "{title}"
        );
    }
}

/// promtool comes with the package `prometheus` and is installed by `scripts/test.sh`.
#[test]
#[ignore = "needs promtool; scripts/test.sh runs it"]
fn the_alert_rules_pass_their_unit_tests() {
    let folder = Path::new(env!("CARGO_MANIFEST_DIR")).join("contrib/prometheus");
    let out = Command::new("promtool")
        .args(["test", "rules", "labwatch.rules.test.yml"])
        .current_dir(folder)
        .output()
        .expect("promtool runs");
    assert!(
        out.status.success(),
        "{}{}",
        String::from_utf8_lossy(&out.stdout),
        String::from_utf8_lossy(&out.stderr)
    );
}
