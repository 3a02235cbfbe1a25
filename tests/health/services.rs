//! Outside services, which are all that FT's aggregate healthcheck is about: where they count, how they stand in for each other, what of
//! them is shown.

use std::sync::Arc;

use labwatch::config::CategorySettings;
use labwatch::health::{About, Acks, Finding, Reporter, Settings, SingleCheck, State, strict};
use serde_json::{Value, json};

use super::lab::{Bench, ack, settings};
use super::server::Server;

/// A laboratory with two instances of a service in a resilient category, and a third service in a sticky one.
struct Services {
    bench: Bench,
    first: Reporter,
    second: Reporter,
    wiki: Reporter,
}

fn services() -> Services {
    let docs = CategorySettings {
        resilient: true,
        ..strict("docs")
    };
    let latch = CategorySettings {
        sticky: true,
        ..strict("latch")
    };
    let mut rules: Settings = settings();
    rules.categories.extend([docs, latch]);
    let bench = Bench::well_with(rules);
    let register = |name: &str, categories: &[&str]| {
        let categories: Vec<String> = categories.iter().map(|one| (*one).to_owned()).collect();
        let reporter = bench.registry.register(name, None, &categories);
        let reporter = reporter.expect("free");
        reporter.report(Finding::ok());
        reporter
    };
    let first = register("document-store-api-1", &["docs"]);
    let second = register("document-store-api-2", &["docs"]);
    let wiki = register("wiki", &["latch"]);
    Services {
        bench,
        first,
        second,
        wiki,
    }
}

async fn gtg(server: &Server, category: &str) -> u16 {
    server
        .status(&format!("/__gtg?categories={category}"))
        .await
}

#[tokio::test]
async fn a_service_counts_in_its_own_categories_alone() {
    let Services { bench, wiki, .. } = services();
    let server = Server::start(&bench).await;
    wiki.report(Finding::error("gone"));
    for (category, expect) in [
        ("latch", 503),
        ("docs", 200),
        ("pendulums", 200),
        ("exam", 200),
        ("default", 200),
        ("system", 200),
    ] {
        assert_eq!(gtg(&server, category).await, expect, "{category}");
    }
    for path in ["/readiness", "/liveness", "/status", "/__gtg"] {
        assert_eq!(server.status(path).await, 200, "{path}");
    }
    assert_eq!(server.status("/status/wiki").await, 503, "it is shown");
    let readiness = server.json("/readiness").await;
    assert_eq!(readiness["PluginStatus"]["wiki"]["state"], 2);
    let outside = readiness["NonFatalPlugins"].as_array().expect("a list");
    assert!(outside.contains(&json!("wiki")), "{outside:?}");
}

#[tokio::test]
async fn a_failing_laboratory_does_not_fail_a_category_of_services() {
    let Services {
        bench,
        first,
        second,
        ..
    } = services();
    let server = Server::start(&bench).await;
    bench.store.report(Finding::error("disk full"));
    assert_eq!(gtg(&server, "docs").await, 200);
    assert_eq!(gtg(&server, "pendulums").await, 503);
    first.report(Finding::error("gone"));
    second.report(Finding::error("gone"));
    assert_eq!(gtg(&server, "docs").await, 503);
}

#[tokio::test]
async fn instances_of_a_service_stand_in_for_each_other() {
    let Services {
        bench,
        first,
        second,
        ..
    } = services();
    let server = Server::start(&bench).await;
    first.report(Finding::error("gone"));
    assert_eq!(gtg(&server, "docs").await, 200, "one of two is enough");
    let health = server.json("/__health?categories=docs").await;
    assert_eq!(health["ok"], true);
    let check = &health["checks"][0];
    assert_eq!(
        (&check["name"], &check["ok"], &check["businessImpact"]),
        (
            &json!("document-store-api-1"),
            &json!(false),
            &json!("does not work; 1 of 2 document-store-api left")
        )
    );
    second.report(Finding::error("gone"));
    assert_eq!(gtg(&server, "docs").await, 503);
    bench.desk.acknowledge(Acks {
        components: ["document-store-api-1", "document-store-api-2"]
            .map(|name| (name.to_owned(), ack("known")))
            .into(),
        ..Acks::default()
    });
    assert_eq!(gtg(&server, "docs").await, 200, "it is known");
}

#[tokio::test]
async fn a_sticky_category_closes_by_a_service() {
    let Services { bench, wiki, .. } = services();
    let server = Server::start(&bench).await;
    wiki.report(Finding::error("gone"));
    assert_eq!(bench.show(121, |_| {}), ["latch failing: wiki"]);
    wiki.report(Finding::ok());
    assert!(bench.show(122, |_| {}).is_empty());
    assert_eq!(gtg(&server, "latch").await, 503, "a person opens it");
    assert_eq!(gtg(&server, "docs").await, 200);
}

/// A component changes also between two snapshots of the engine.
#[tokio::test]
async fn a_failure_between_two_snapshots_closes_a_sticky_category() {
    let Services { bench, wiki, .. } = services();
    let (closed, mut seen) = tokio::sync::mpsc::unbounded_channel();
    let mut following = tokio::task::JoinSet::new();
    following.spawn(
        bench
            .desk
            .clone()
            .follow(bench.snapshots.subscribe(), move |change| {
                let _ = closed.send(change.category);
            }),
    );
    tokio::time::sleep(std::time::Duration::from_millis(20)).await;
    wiki.report(Finding::error("gone"));
    let first = tokio::time::timeout(std::time::Duration::from_secs(5), seen.recv()).await;
    assert_eq!(first.expect("in time").as_deref(), Some("latch"));
    following.shutdown().await;
}

/// Every field of the standard is as the service gave it.
#[tokio::test]
async fn what_a_service_says_of_itself_is_passed_on() {
    let Services { bench, first, .. } = services();
    let server = Server::start(&bench).await;
    let check = SingleCheck {
        id: "mongo".into(),
        name: "MongoDB is reachable".into(),
        ok: false,
        severity: 1,
        business_impact: "Articles cannot be read.".into(),
        technical_summary: "The primary does not answer.".into(),
        panic_guide: "https://runbooks.example.org/mongo".into(),
        check_output: "timeout".into(),
        last_updated: "2026-11-21T00:01:50.000Z".into(),
        ack: "known".into(),
    };
    first.report(Finding {
        checks: Arc::from([check]),
        about: Some(Arc::new(About {
            system_code: "document-store-api".into(),
            name: "Document store".into(),
            description: "Keeps articles".into(),
        })),
        ..Finding::new(State::Error, "1 of its checks failing")
    });
    let open = server.json("/__agghealth?categories=docs").await;
    assert_eq!(
        (
            &open["checks"][0]["name"],
            &open["checks"][0]["checkOutput"]
        ),
        (&json!("MongoDB is reachable"), &json!("")),
        "its own words are for readers with a token"
    );
    let all = server.json_for_reader("/__agghealth?categories=docs").await;
    assert_eq!(
        all["checks"][0],
        json!({
            "id": "mongo", "name": "MongoDB is reachable", "ok": false, "severity": 1,
            "businessImpact": "Articles cannot be read.", "technicalSummary": "The primary does not answer.",
            "panicGuide": "https://runbooks.example.org/mongo", "checkOutput": "timeout",
            "lastUpdated": "2026-11-21T00:01:50.000Z", "checkSystemCode": "document-store-api", "ack": "known"
        })
    );
    let health = server.json_for_reader("/__health?categories=docs").await;
    let fields = ["businessImpact", "technicalSummary", "panicGuide"];
    assert_eq!(
        fields.map(|field| health["checks"][0][field].clone()),
        [
            "Articles cannot be read.",
            "The primary does not answer.",
            "https://runbooks.example.org/mongo"
        ]
        .map(Value::from)
    );
    let open = server.json("/__agghealth?categories=docs").await;
    assert_eq!(
        (&open["checks"][0]["id"], &open["checks"][0]["checkOutput"]),
        (&json!("mongo"), &json!("")),
        "the words of a service are for readers with a token"
    );
    let info = server.json("/actuator/info").await;
    assert_eq!(
        info["services"]["document-store-api-1"],
        json!({"system_code": "document-store-api", "name": "Document store", "description": "Keeps articles"})
    );
}

#[tokio::test]
async fn the_latest_results_of_a_component_are_shown() {
    let Services { bench, wiki, .. } = services();
    let server = Server::start(&bench).await;
    wiki.report(Finding::error("gone"));
    wiki.report(Finding::ok());
    let shown = server.json("/actuator/health/readiness/wiki").await;
    let results = shown["details"]["results"].as_array().expect("a list");
    let states: Vec<_> = results.iter().map(|one| &one["state"]).collect();
    assert_eq!(states, ["ok", "error", "ok"]);
    assert_eq!(results[1]["detail"], "gone");
}
