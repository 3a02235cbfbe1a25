//! The service's own health over HTTP: every view in every state against goldens, the traps that
//! other systems fell into, and what all paths have in common. `UPDATE=1` writes the goldens anew.

#![allow(
    clippy::too_many_lines,
    reason = "a test is one scenario from beginning to end"
)]
#![allow(
    clippy::expect_used,
    clippy::panic,
    reason = "helpers of tests may fail a test"
)]

#[path = "health/golden.rs"]
mod golden;
#[path = "health/lab.rs"]
mod lab;
#[path = "health/paths.rs"]
mod paths;
#[path = "api_v1/schema.rs"]
#[allow(
    dead_code,
    reason = "each test of the API has its own copy of this module, and not all have lists of version 1"
)]
mod schema;
#[path = "health/server.rs"]
mod server;
#[path = "health/services.rs"]
mod services;
#[path = "health/switches.rs"]
mod switches;
#[path = "health/traps.rs"]
mod traps;

use std::sync::Arc;
#[path = "health/truth.rs"]
mod truth;

use engine::Link;
use engine::model::{CallError, ConnectError, SourceHealth, SourceName};
use labwatch::health::dialects::{
    Query, Reader, actuator, health_json, health_page, info, of_endpoint,
};
use labwatch::health::{Acks, Finding, State};

use serde_json::Value;

use lab::{
    Bench, ack, ailing_service, at, closed, degraded, down, held, live, put, settings, source,
    unknown, without_reports,
};
use server::Server;

/// The requests in every state. `html` is what a browser accepts.
const ASKED: [(&str, &str); 17] = [
    ("/liveness", "*/*"),
    ("/readiness", "*/*"),
    ("/actuator/health/liveness", "*/*"),
    ("/actuator/health/liveness/self", "*/*"),
    ("/actuator/health/readiness", "*/*"),
    ("/actuator/health/readiness/book", "*/*"),
    ("/actuator/health/readiness/pend00", "*/*"),
    ("/__health", "application/json"),
    ("/__health?categories=pendulums", "application/json"),
    ("/__health", "text/html"),
    ("/__gtg", "*/*"),
    ("/__gtg?categories=pendulums", "*/*"),
    ("/__gtg?categories=exam", "*/*"),
    ("/__agghealth", "*/*"),
    ("/status", "*/*"),
    ("/status/store", "*/*"),
    ("/status/pend00", "*/*"),
];

/// The states whose answers are stored whole.
const WHOLE: [&str; 2] = ["ok", "error"];

/// Compares the answers with the goldens.
async fn check(name: &str, bench: &Bench, asked: &[(&str, &str)]) {
    let mut got = answers(bench, asked).await;
    if !WHOLE.contains(&name) {
        got = golden::differences(&answers(&Bench::well(), &ASKED).await, &got);
    }
    golden::compare(name, &got);
}

async fn answers(bench: &Bench, asked: &[(&str, &str)]) -> String {
    let server = Server::start(bench).await;
    let mut answers = String::new();
    let document = serde_json::to_value(labwatch::http::document_v2()).expect("serialises");
    for (path, accept) in asked {
        let answer = server.notified(path, accept).await;
        fits_its_schema(&document, path, &answer);
        assert!(
            !answer.contains("10.99.88.77"),
            "an address of a connection is in an open answer: {answer}"
        );
        answers = format!("{answers}=== GET {path} ({accept})\n{answer}\n");
    }
    answers
}

/// An answer in JSON conforms to the document: its fields, all of them and no other.
fn fits_its_schema(document: &Value, path: &str, answer: &str) {
    let Some(body) = answer.find("\n{").map(|start| &answer[start..]) else {
        return;
    };
    let (status, path) = (&answer[..3], path.split('?').next().expect("a path"));
    let is_this = |known: &str| {
        known.split('/').count() == path.split('/').count()
            && known
                .split('/')
                .zip(path.split('/'))
                .all(|(known, asked)| known == asked || known.starts_with('{'))
    };
    let paths = document["paths"].as_object().expect("paths");
    let notified = paths
        .get(path)
        .or_else(|| {
            paths
                .iter()
                .find(|(known, _)| is_this(known))
                .map(|(_, notified)| notified)
        })
        .expect("is documented");
    let answer = notified["get"]["responses"].get(status);
    let problem = &document["components"]["responses"]["Problem"];
    let content = &answer.unwrap_or(problem)["content"];
    let form = content
        .get("application/json")
        .unwrap_or(&content["application/problem+json"]);
    schema::check_answer(
        document,
        &form["schema"],
        &serde_json::from_str(body).expect("JSON"),
        &format!("{path} {status}"),
    );
}

#[tokio::test]
async fn ok() {
    let more = [
        ("/actuator", "*/*"),
        ("/actuator/info", "*/*"),
        ("/actuator/logger", "*/*"),
        ("/readiness?full=true", "*/*"),
    ];
    check("ok", &Bench::well(), &[&ASKED[..], &more].concat()).await;
}

#[tokio::test]
async fn init() {
    let bench = Bench::new(settings());
    let new = ["pend00", "pend01", "spin00"].map(|stub| unknown(stub, Some(at(61))));
    let mut starting = live(new.into());
    starting.sources = without_reports().sources;
    bench.show(5, |lab| *lab = starting);
    check("init", &bench, &ASKED).await;
}

#[tokio::test]
async fn warn() {
    let bench = Bench::well();
    bench.show(130, |lab| {
        put(lab, degraded("pend00"));
        lab.sources[0].health = SourceHealth::Late;
        lab.sources[0].note = "relay is late: the last report is 11s old".to_owned();
        lab.manifest_lost = Some(at(125));
    });
    bench.turn(130);
    check("warn", &bench, &ASKED).await;
}

#[tokio::test]
async fn error() {
    let mut settings = settings();
    settings.severity_1 = vec!["spin00".into()];
    let bench = Bench::well_with(settings);
    bench.show(130, |lab| {
        for stub in ["pend00", "spin00"] {
            put(lab, down(stub));
        }
        lab.sources[2].health = SourceHealth::Down;
        lab.sources[2].note = "book does not answer: cannot connect (refused)".to_owned();
        lab.routes[0].fault = Some(CallError::TimedOut);
        lab.routes[0].waiting_since = Some(at(101));
    });
    bench.web.report(ailing_service());
    bench.turn(130);
    check("error", &bench, &ASKED).await;
}

#[tokio::test]
async fn stale() {
    let bench = Bench::well();
    bench.show(160, |lab| {
        for stub in ["pend00", "pend01", "spin00"] {
            put(lab, unknown(stub, None));
        }
        lab.sources[0] = source(SourceName::Relay, SourceHealth::Down, Some(at(118)));
        lab.sources[1] = source(SourceName::Jump, SourceHealth::Down, Some(at(118)));
        lab.sources[1].link = Link::Failed(ConnectError::access(CallError::TimedOut));
        lab.sources[1].note = "jump does not answer: no answer within the time limit".to_owned();
    });
    check("stale", &bench, &ASKED).await;
}

#[tokio::test]
async fn empty() {
    let bench = Bench::well();
    bench.show(130, |lab| *lab = live(vec![]));
    bench.turn(130);
    check("empty", &bench, &ASKED).await;
}

#[tokio::test]
async fn disabled() {
    let bench = Bench::well();
    bench.show(120, |lab| {
        closed(lab, "pendulums", "moved to the <other> site", &[]);
        let states = Arc::make_mut(&mut lab.categories);
        let pendulums = states.get_mut("pendulums").expect("closed");
        (pendulums.by, pendulums.cause) = ("ann".into(), engine::CategoryCause::Person);
    });
    check("disabled", &bench, &ASKED).await;
}

#[tokio::test]
async fn acked() {
    let bench = Bench::well();
    bench.show(130, |lab| {
        put(lab, down("pend00"));
        put(lab, down("pend01"));
        put(lab, held(down("spin00")));
        lab.sources[2].health = SourceHealth::Down;
    });
    bench.turn(130);
    let experiments =
        ["pend00", "pend01"].map(|stub| (stub.to_owned(), ack("replacing the <motor>")));
    let components = [("book".to_owned(), ack("book is being moved"))];
    let acks = Acks {
        experiments: experiments.into(),
        components: components.into(),
        ..Acks::default()
    };
    bench.acknowledge(&acks);
    check("acked", &bench, &ASKED).await;

    bench.show(131, |lab| {
        put(lab, down("spin00"));
    });
    bench.turn(131);
    bench.acknowledge(&Acks {
        installation: Some(ack("lab move today")),
        ..Acks::default()
    });
    check("installation_acked", &bench, &ASKED).await;
}

#[tokio::test]
async fn the_list_of_experiments_takes_a_category() {
    let bench = Bench::well();
    let server = Server::start(&bench).await;
    for (category, expect) in [
        ("pendulums", "pend00 pend01"),
        ("exam", "spin00"),
        ("default", "pend00 pend01 spin00"),
        ("system", ""),
    ] {
        let list = server
            .json(&format!("/api/v2/experiments?category={category}"))
            .await;
        let names: Vec<_> = list["items"]
            .as_array()
            .expect("a list")
            .iter()
            .filter_map(|it| it["name"].as_str())
            .collect();
        assert_eq!(names.join(" "), expect, "{category}");
    }
    let refused = server.json("/api/v2/experiments?category=nope").await;
    assert_eq!(
        refused["detail"],
        "there is no category nope: /api/v2/categories lists them"
    );
}

#[tokio::test]
async fn unknown_categories() {
    let asked = [
        "/__health?categories=nope",
        "/__gtg?categories=nope,%20never",
        "/__agghealth?categories=nope",
        "/__gtg?categories=nope,pendulums",
    ];
    let mut asked: Vec<_> = asked.map(|path| (path, "application/json")).into();
    asked.push((
        "/__health?categories=nope,pendulums,system",
        "application/json",
    ));
    asked.push(("/__health?categories=nope", "text/html"));
    check("unknown_category", &Bench::well(), &asked).await;
}

#[tokio::test]
async fn draining() {
    let bench = Bench::well();
    bench.health_state.stopping();
    bench.show(121, |_| {});
    check("draining", &bench, &ASKED).await;
}

#[tokio::test]
async fn without_a_component_that_fails_nothing_is_wrong() {
    assert_eq!(
        labwatch::health::worst([].iter()),
        (State::Ok, String::new())
    );
    let bench = Bench::well();
    bench.store.report(Finding::new(State::Warn, "slow"));
    assert_eq!(
        bench.health_state.snapshot().overall(),
        (State::Warn, "store: slow".to_owned())
    );
}

/// Texts of operators, and their names, are for readers who may see them.
#[tokio::test]
async fn texts_of_operators_are_for_those_who_may_see_them() {
    let bench = Bench::well();
    bench.show(121, |lab| put(lab, down("pend00")));
    bench.show(121, |lab| {
        closed(lab, "exam", "moved", &[]);
        let states = Arc::make_mut(&mut lab.categories);
        let exam = states.get_mut("exam").expect("closed");
        (exam.by, exam.cause) = ("ann".into(), engine::CategoryCause::Person);
    });
    bench.acknowledge(&Acks {
        experiments: [("pend00".to_owned(), ack("motor ordered"))].into(),
        installation: Some(ack("lab move")),
        ..Acks::default()
    });
    let snapshot = bench.health_state.snapshot();
    let query = Query::parse("categories=exam,default");
    for (reader, is_private_shown) in [
        (Reader::Public, false),
        (Reader::Full, true),
        (Reader::Maintainer, true),
    ] {
        let answers = [
            health_json(&snapshot, &query, reader),
            health_page(&snapshot, &query, reader),
            info(&snapshot, &[], reader),
        ];
        let answers = answers.map(|answer| String::from_utf8(answer.expect("an answer").body));
        let text = answers.map(|text| text.expect("text")).concat();
        for name in ["bob: motor ordered", "bob: lab move", "(ann, "] {
            assert_eq!(text.contains(name), is_private_shown, "{name} {reader:?}");
        }
        for words in ["motor ordered", "lab move", "moved"] {
            assert_eq!(text.contains(words), is_private_shown, "{words} {reader:?}");
        }
        assert_eq!(text.contains("by a maintainer"), !is_private_shown);
    }
}

/// A restart does not end what another program does with the database.
#[tokio::test]
async fn liveness_does_not_fail_by_a_store_that_is_busy() {
    let bench = Bench::well();
    let server = Server::start(&bench).await;
    let busy = || Finding::error("another program holds the database").external();
    bench.store.report(busy());
    assert_eq!(server.status("/liveness").await, 200);
    assert_eq!(server.status("/actuator/health/liveness").await, 200);
    assert_eq!(server.status("/readiness").await, 503, "something is lost");
    bench.store.report(Finding::error("disk full"));
    assert_eq!(server.status("/liveness").await, 503);
}

/// A logger is listed only where there is one, and what is added answers.
#[tokio::test]
async fn the_actuator_lists_what_it_has() {
    let names = |answer: labwatch::health::dialects::Answer| {
        let list: Value = serde_json::from_slice(&answer.body).expect("JSON");
        let list = list["endpoints"].as_array().expect("a list").clone();
        let names = list
            .iter()
            .map(|one| one["name"].as_str().expect("a name").to_owned());
        names.collect::<Vec<_>>().join(" ")
    };
    let added = [labwatch::health::dialects::Endpoint {
        name: "motd".to_owned(),
        answer: Arc::new(|snapshot| Ok(Value::from(snapshot.settings.label.clone()))),
    }];
    let base = "health/liveness health/readiness info";
    assert_eq!(names(actuator(false, &[]).expect("a list")), base);
    let all = actuator(true, &added).expect("a list");
    assert_eq!(names(all), format!("{base} logger motd"));
    let answer = of_endpoint(&added[0], &Bench::well().health_state.snapshot());
    assert_eq!(answer.expect("an answer").body, b"\"test-lab\"");
}

/// Row 37: the reader of a check knows where to read more, wherever labwatch is served.
#[tokio::test]
async fn a_check_names_its_details_by_their_whole_address() {
    let place = "https://lab.example.org/ed0/status".to_owned();
    let server = Server::start(&Bench::well_with(labwatch::health::Settings {
        place,
        ..settings()
    }))
    .await;
    let health = server.json("/__health").await;
    let summaries: Vec<_> = health["checks"]
        .as_array()
        .expect("a list")
        .iter()
        .filter_map(|it| it["technicalSummary"].as_str())
        .collect();
    for end in ["/status/book", "/actuator/health/readiness/pend00"] {
        let address = format!("details at https://lab.example.org/ed0/status{end}");
        assert!(
            summaries.iter().any(|summary| summary.contains(&address)),
            "{summaries:?}"
        );
    }
}

/// Row 38: the page leads a maintainer to the forms, with what they are about filled in, and no
/// other reader.
#[tokio::test]
async fn the_page_leads_maintainers_to_the_forms() {
    let bench = Bench::well();
    bench.show(121, |shown| {
        put(shown, down("spin00"));
        put(shown, held(lab::healthy("pend00")));
    });
    bench.store.report(Finding::error("disk full"));
    let page = |reader, asked: &str| {
        let answer = health_page(&bench.health_state.snapshot(), &Query::parse(asked), reader)
            .expect("a page");
        String::from_utf8(answer.body).expect("text")
    };
    let (shown, led) = (
        page(Reader::Public, ""),
        page(Reader::Maintainer, "categories=exam,pendulums"),
    );
    assert!(!shown.contains("href=\"do/"), "{shown}");
    for address in [
        "do/acknowledge?what=installation",
        "do/acknowledge?what=experiments&amp;name=spin00",
        "do/acknowledge?what=component&amp;name=store",
        "do/enable?resource=",
        "experiments/spin00",
        "https://wiki.example.org/exam",
        "?categories=exam%2Cpendulums",
        "?categories=exam%2Cpendulums&amp;cache=false",
    ] {
        assert!(
            led.contains(&format!("href=\"{address}")),
            "{address}\n{led}"
        );
    }
    assert!(
        !led.contains("name=pend01"),
        "what is well is not acknowledged"
    );
}

/// What 10,000 experiments cost that are all of different stems, so that each is a category of its
/// own: `cargo test --test health measure -- --ignored --nocapture`.
#[tokio::test]
#[ignore = "a measure"]
async fn measure_ten_thousand_categories() {
    let character = |n: usize| char::from(b'a' + u8::try_from(n % 26).expect("a character"));
    let name = |n: usize| {
        format!(
            "x{}{}{}00",
            character(n / 676),
            character(n / 26),
            character(n)
        )
    };
    let bench = Bench::well();
    bench.show(121, |shown| {
        *shown = live((0..10_000).map(|n| lab::healthy(&name(n))).collect());
    });
    let snapshot = bench.health_state.snapshot();
    let begun = std::time::Instant::now();
    let numbers = labwatch::health::dialects::numbers(&snapshot);
    let numbers_took = begun.elapsed();
    let listed = labwatch::health::category_statuses(&snapshot);
    println!(
        "numbers of {} categories: {numbers_took:?}; their list: {:?}",
        numbers.categories.len(),
        begun.elapsed().saturating_sub(numbers_took)
    );
    assert_eq!(
        (numbers.categories.len(), listed.len()),
        (10_004, 10_004),
        "two are configured, and there are default and system"
    );
}
