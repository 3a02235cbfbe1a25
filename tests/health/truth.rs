//! One truth: over random states `/__gtg`, `/__health`, the list of categories and the metrics say
//! the same of every category.

use std::collections::BTreeMap;

use labwatch::health::dialects::{Query, Reader, gtg, health_json, numbers, readiness};
use labwatch::health::{
    Acks, CategoryIndex, Finding, HealthSnapshot, Settings, State, category_statuses, strict,
};
use proptest::prelude::*;
use serde_json::Value;

use engine::CategoryRule;
use engine::model::SourceHealth;

use super::lab::{Bench, ack, closed, degraded, down, healthy, held, live, put, settings, unknown};

/// Experiments of two stems.
const EXPERIMENTS: [&str; 4] = ["pend00", "pend01", "spin00", "spin01"];

/// Services with the categories that they name.
const SERVICES: [(&str, &[&str]); 4] = [
    ("docs-1", &["docs"]),
    ("docs-2", &["docs"]),
    ("wiki", &["default", "read"]),
    ("shop", &["unconfigured"]),
];

/// Everything that can differ between two states.
#[derive(Debug, Clone)]
struct Case {
    experiments: Vec<u8>,
    services: Vec<u8>,
    store: u8,
    sources: Vec<u8>,
    acknowledged: Vec<bool>,
    closed: Vec<bool>,
    stopping: bool,
    critical: bool,
}

fn case() -> impl Strategy<Value = Case> {
    let each = |kinds: u8, count: usize| proptest::collection::vec(0..kinds, count);
    let flags = |count: usize| proptest::collection::vec(proptest::bool::weighted(0.2), count);
    (
        each(6, EXPERIMENTS.len()),
        each(4, SERVICES.len()),
        0..4_u8,
        each(4, 3),
        flags(EXPERIMENTS.len() + SERVICES.len() + 2),
        flags(7),
        proptest::bool::weighted(0.1),
        any::<bool>(),
    )
        .prop_map(
            |(experiments, services, store, sources, acknowledged, closed, stopping, critical)| {
                Case {
                    experiments,
                    services,
                    store,
                    sources,
                    acknowledged,
                    closed,
                    stopping,
                    critical,
                }
            },
        )
}

fn rules(critical: bool) -> Settings {
    let resilient = CategoryRule {
        resilient: true,
        ..strict("docs")
    };
    let read = CategoryRule {
        patterns: vec!["spin*".into(), "jump".into()],
        ..strict("read")
    };
    let mut rules = settings();
    rules.categories.extend([resilient, read].map(Into::into));
    if critical {
        rules.severity_1 = vec!["docs*".into(), "spin".into()];
    }
    rules
}

fn finding(kind: u8) -> Finding {
    match kind {
        0 => Finding::ok(),
        1 => Finding::new(State::Warn, "slow"),
        2 => Finding::new(State::Init, "starting"),
        _ => Finding::error("gone"),
    }
}

/// The snapshot of a case, and the bench that it is of.
fn snapshot(case: &Case) -> HealthSnapshot {
    let bench = Bench::well_with(rules(case.critical));
    for ((name, categories), kind) in SERVICES.iter().zip(&case.services) {
        let categories: Vec<String> = categories.iter().map(|one| (*one).to_owned()).collect();
        let reporter = bench.registry.register(name, None, &categories);
        reporter.expect("free").report(finding(*kind));
    }
    bench.store.report(finding(case.store));
    bench.show(121, |lab| {
        *lab = live(Vec::new());
        for (name, kind) in EXPERIMENTS.iter().zip(&case.experiments) {
            match kind {
                0 => put(lab, healthy(name)),
                1 => put(lab, degraded(name)),
                2 => put(lab, down(name)),
                3 => put(lab, unknown(name, None)),
                4 => put(lab, held(down(name))),
                _ => {}
            }
        }
        for (source, kind) in lab.sources.iter_mut().zip(&case.sources) {
            source.health = [
                SourceHealth::Live,
                SourceHealth::Late,
                SourceHealth::Starting,
                SourceHealth::Down,
            ][usize::from(*kind)];
        }
    });
    let names = EXPERIMENTS
        .iter()
        .chain(SERVICES.iter().map(|(name, _)| name));
    let names = names.chain(&["book", "store"]).zip(&case.acknowledged);
    let acks: BTreeMap<String, _> = names
        .filter(|(_, is_acknowledged)| **is_acknowledged)
        .map(|(name, _)| ((*name).to_owned(), ack("known")))
        .collect();
    bench.acknowledge(&Acks {
        experiments: acks.clone(),
        components: acks,
        ..Acks::default()
    });
    let all = [
        "default",
        "system",
        "pendulums",
        "exam",
        "docs",
        "read",
        "unconfigured",
    ];
    for (category, _) in all.iter().zip(&case.closed).filter(|(_, closed)| **closed) {
        bench.show(121, |lab| closed(lab, category, "moved", &[]));
    }
    if case.stopping {
        bench.health_state.stopping();
    }
    bench.health_state.snapshot()
}

/// The result for a category in each view.
fn said(snapshot: &HealthSnapshot, name: &str) -> [bool; 4] {
    let query = Query::parse(&format!("categories={name}"));
    let health = health_json(snapshot, &query, Reader::Public).expect("there is this category");
    let health: Value = serde_json::from_slice(&health.body).expect("JSON");
    let listed = category_statuses(snapshot);
    let listed = listed.iter().find(|one| one.rules.name == name);
    let measured = numbers(snapshot).categories;
    let measured = measured.iter().find(|(known, _)| known == name);
    [
        gtg(snapshot, &query).status == 200,
        health["ok"] == true,
        listed.expect("is listed").ok,
        measured.expect("is measured").1,
    ]
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 300, failure_persistence: None, ..ProptestConfig::default() })]

    #[test]
    fn all_views_say_the_same_of_every_category(case in case()) {
        let snapshot = snapshot(&case);
        let names = CategoryIndex::of(&snapshot).categories();
        prop_assert!(names.len() >= 7, "{names:?}");
        let mut of_each = BTreeMap::new();
        for name in &names {
            let said = said(&snapshot, name);
            prop_assert!(said.iter().all(|one| *one == said[0]), "{name}: {said:?}");
            of_each.insert(name.as_str(), said[0]);
        }
        let pair = Query::parse("categories=docs,pendulums");
        prop_assert_eq!(gtg(&snapshot, &pair).status == 200, of_each["docs"] && of_each["pendulums"]);
        let whole = Query::parse("");
        prop_assert_eq!(gtg(&snapshot, &whole).status == 200, of_each["default"]);

        // A service counts in its own categories and nowhere else, and not for whether labwatch is ready.
        let mut without = case.clone();
        without.services = vec![0; SERVICES.len()];
        let without = self::snapshot(&without);
        for name in ["pendulums", "exam", "system"] {
            prop_assert_eq!(said(&without, name)[0], of_each[name], "{}", name);
        }
        let ready = |snapshot: &HealthSnapshot| readiness(snapshot, &whole).expect("an answer").status;
        prop_assert_eq!(ready(&without), ready(&snapshot));
    }
}
