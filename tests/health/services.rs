//! Outside services, which are all that FT's aggregate healthcheck is about: where they count, how
//! they stand in for each other, what of them is shown.

use std::sync::Arc;

use engine::{CategoryRule, Fitness};
use labwatch::health::{
    About, Acks, Finding, FitnessChange, Reporter, Settings, SingleCheck, State, strict,
};
use serde_json::{Value, json};

use super::lab::{Bench, ack, settings};
use super::server::Server;

/// A laboratory with two instances of a service in a resilient category, and a third service in a
/// sticky one.
struct Services {
    bench: Bench,
    first: Reporter,
    second: Reporter,
    wiki: Reporter,
}

fn services() -> Services {
    let docs = CategoryRule {
        resilient: true,
        ..strict("docs")
    };
    let latch = CategoryRule {
        sticky: true,
        ..strict("latch")
    };
    let mut rules: Settings = settings();
    rules.categories.extend([docs, latch].map(Into::into));
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
    bench.acknowledge(&Acks {
        components: ["document-store-api-1", "document-store-api-2"]
            .map(|name| (name.to_owned(), ack("known")))
            .into(),
        ..Acks::default()
    });
    assert_eq!(gtg(&server, "docs").await, 200, "it is known");
}

/// A failure between two looks reaches the engine, which closes the categories of the service by
/// it.
#[tokio::test]
async fn the_engine_is_notified_of_a_failure_that_is_over() {
    let Services { bench, wiki, .. } = services();
    let (changes, mut seen) = tokio::sync::mpsc::channel(64);
    let mut following = tokio::task::JoinSet::new();
    let registry = bench.registry.clone();
    following.spawn(async move {
        let send = |change| {
            let changes = changes.clone();
            async move { changes.send(change).await.is_ok() }
        };
        registry.follow(send).await;
    });
    tokio::time::sleep(std::time::Duration::from_millis(20)).await;
    wiki.report(Finding::error("gone"));
    wiki.report(Finding::ok());
    let mut fitness = Vec::new();
    while fitness.len() < 3 {
        let change = tokio::time::timeout(std::time::Duration::from_secs(5), seen.recv()).await;
        if let Some(FitnessChange::Is(component)) = change.expect("in time")
            && &*component.name == "wiki"
        {
            assert_eq!(*component.categories, ["latch".to_owned()]);
            fitness.push(component.fitness);
        }
    }
    assert_eq!(fitness[1..], [Fitness::Fails, Fitness::Works]);
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

#[tokio::test]
async fn components_and_their_results_are_lists_of_the_api() {
    let Services { bench, wiki, .. } = services();
    let server = Server::start(&bench).await;
    wiki.report(Finding::error("gone"));
    wiki.report(Finding::ok());
    wiki.report(Finding::error("gone again"));
    let all = server.json("/api/v2/components").await;
    let items = all["items"].as_array().expect("a list").iter();
    let names: Vec<_> = items
        .map(|one| one["name"].as_str().expect("a name"))
        .collect();
    for name in ["book", "document-store-api-1", "mail", "store", "wiki"] {
        assert!(names.contains(&name), "{names:?}");
    }
    let one = server.json("/api/v2/components/wiki").await;
    assert_eq!(
        [
            &one["state"],
            &one["detail"],
            &one["categories"],
            &one["fatal"]
        ],
        [
            &json!("error"),
            &json!("gone again"),
            &json!(["latch"]),
            &json!(false)
        ]
    );
    assert_eq!(server.status("/api/v2/components/nope").await, 404);
    assert_eq!(server.status("/api/v2/components?x=1").await, 400);

    let first = server
        .json("/api/v2/history/components?from=2026-11-01T00:00:00Z&until=2026-12-01T00:00:00Z&limit=2")
        .await;
    let next = first["next"].as_str().expect("there is more");
    let more = server
        .json(&format!("/api/v2/history/components?cursor={next}"))
        .await;
    let results = [&first, &more].map(|page| page["items"].as_array().expect("a list").clone());
    let of_wiki: Vec<_> = results
        .concat()
        .into_iter()
        .filter(|one| one["component"] == "wiki")
        .map(|one| format!("{} {}", one["state"], one["detail"]))
        .collect();
    assert_eq!(
        of_wiki,
        [
            r#""error" "gone again""#,
            r#""ok" """#,
            r#""error" "gone""#,
            r#""ok" """#
        ]
    );
    let none = "/api/v2/history/components?until=2001-01-02T00:00:00Z&from=2001-01-01T00:00:00Z";
    assert_eq!(server.json(none).await["items"], json!([]));
}
