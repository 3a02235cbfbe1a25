//! Common properties of all paths of health, and the effect of `cache=false`.

use std::sync::Arc;
use std::sync::atomic::{AtomicU32, Ordering};
use std::time::Duration;

use labwatch::health::{Attempt, Finding, Pace, Probes};
use reqwest::{Method, StatusCode};
use serde_json::{Value, json};
use tokio::task::JoinSet;
use tokio_util::sync::CancellationToken;

use super::lab::{Bench, at};
use super::server::Server;

const PATHS: [&str; 13] = [
    "/liveness",
    "/readiness",
    "/actuator",
    "/actuator/health/liveness",
    "/actuator/health/readiness",
    "/actuator/health/readiness/pend00",
    "/actuator/info",
    "/actuator/logger",
    "/__health",
    "/__gtg",
    "/__agghealth",
    "/status",
    "/status/pend00",
];

/// A misspelt value would be taken for none; parameters that probes add of their own are passed
/// over.
#[tokio::test]
async fn what_is_true_or_false_is_nothing_else() {
    let server = Server::start(&Bench::well()).await;
    for (path, status) in [
        ("/__health?cache=no", 400),
        ("/__gtg?cache=", 400),
        ("/__agghealth?cache=null", 400),
        ("/readiness?full=1", 400),
        ("/actuator/health/readiness?full", 400),
        ("/readiness?full=true&probe=7", 200),
        ("/__gtg?cache=true&_=1", 200),
    ] {
        let answer = server.ask(Method::GET, path, "*/*").await;
        assert_eq!(answer.status(), status, "{path}");
    }
}

#[tokio::test]
async fn every_path_is_only_read() {
    let server = Server::start(&Bench::well()).await;
    for path in PATHS.into_iter().filter(|path| *path != "/actuator/logger") {
        for method in [Method::POST, Method::PUT, Method::DELETE, Method::PATCH] {
            let answer = server.ask(method.clone(), path, "*/*").await;
            assert_eq!(
                answer.status(),
                StatusCode::METHOD_NOT_ALLOWED,
                "{method} {path}"
            );
            assert_eq!(
                answer.headers()["allow"],
                "GET,HEAD,OPTIONS",
                "{method} {path}"
            );
            let body: Value = answer.json().await.expect("JSON");
            let words = format!("method {method} is not allowed, but [GET] are");
            assert_eq!(
                (&body["detail"], &body["request_id"]),
                (&json!(words), &json!("7"))
            );
        }
    }
}

#[tokio::test]
async fn only_who_may_sets_a_level_of_the_log() {
    let server = Server::start(&Bench::well()).await;
    assert_eq!(server.status("/actuator/logger").await, 200);
    assert_eq!(
        server
            .ask(Method::POST, "/actuator/logger", "*/*")
            .await
            .status(),
        StatusCode::UNAUTHORIZED
    );
}

#[tokio::test]
async fn head_is_get_without_a_body() {
    let server = Server::start(&Bench::well()).await;
    for path in PATHS {
        let (get, head) = (
            server.ask(Method::GET, path, "*/*").await,
            server.ask(Method::HEAD, path, "*/*").await,
        );
        assert_eq!(
            (head.status(), head.headers().get("content-type")),
            (get.status(), get.headers().get("content-type")),
            "{path}"
        );
        assert_eq!(head.text().await.expect("no body"), "", "{path}");
    }
}

#[tokio::test]
async fn what_is_not_known_is_404_in_json() {
    let server = Server::start(&Bench::well()).await;
    for (path, message) in [
        (
            "/actuator/health/nope",
            "health nope was not found, but liveness and readiness are",
        ),
        (
            "/actuator/health/liveness/book",
            "book was not found in liveness",
        ),
        (
            "/actuator/health/readiness/nope",
            "nope was not found in readiness",
        ),
        ("/actuator/nope", "path /actuator/nope was not found"),
        ("/actuator/health", "path /actuator/health was not found"),
        ("/status/nope", "check nope was not found"),
        ("/status/%ff", "path /status/%ff was not found"),
        ("/status/", "path /status/ was not found"),
    ] {
        let answer = server.ask(Method::GET, path, "*/*").await;
        assert_eq!(
            (
                answer.status().as_u16(),
                answer.headers()["content-type"].as_bytes()
            ),
            (404, &b"application/problem+json"[..]),
            "{path}"
        );
        let body: Value = answer.json().await.expect("JSON");
        assert_eq!(
            (&body["detail"], &body["request_id"]),
            (&json!(message), &json!("7"))
        );
    }
}

/// A probe that counts how often it is asked, and takes its time.
fn counting(bench: &Bench) -> (Probes, Arc<AtomicU32>) {
    let (mut probes, count) = (Probes::default(), Arc::new(AtomicU32::new(0)));
    let counted = Arc::clone(&count);
    let pace = Pace {
        period: Duration::from_secs(3_600),
        timeout: Duration::from_secs(5),
        retries: 0,
        cooldown: Duration::ZERO,
    };
    let check = Box::new(move || {
        counted.fetch_add(1, Ordering::Relaxed);
        let found = async {
            tokio::time::sleep(Duration::from_millis(50)).await;
            Attempt::Found(Finding::ok())
        };
        Box::pin(found) as futures_util::future::BoxFuture<'static, Attempt>
    });
    probes
        .add(&bench.registry, "counted", &[], pace, check)
        .expect("free");
    (probes, count)
}

/// Many who ask at once share one run, soon after it no caller gets another, and book is read each
/// time.
#[tokio::test]
async fn a_fresh_run_is_shared_and_bounded() {
    let bench = Arc::new(Bench::well());
    let (probes, count) = counting(&bench);
    let read = Arc::new(AtomicU32::new(0));
    let (reading, snapshots) = (Arc::clone(&read), bench.snapshots.clone());
    let poll = Box::new(move || {
        reading.fetch_add(1, Ordering::Relaxed);
        snapshots.send_modify(|lab| Arc::make_mut(lab).sources[2].last_report = Some(at(130)));
    });
    let server = Server::start_with(&bench, &probes, poll).await;
    let mut running = JoinSet::new();
    running.spawn(probes.run(CancellationToken::new()));
    while bench
        .health_state
        .snapshot()
        .component("counted")
        .is_some_and(|one| one.last_update.is_none())
    {
        tokio::time::sleep(Duration::from_millis(5)).await;
    }
    assert_eq!(
        count.load(Ordering::Relaxed),
        1,
        "the first check is at once"
    );
    server.json("/__health?cache=false").await;
    assert_eq!(
        (count.load(Ordering::Relaxed), read.load(Ordering::Relaxed)),
        (1, 0),
        "a client without a token starts no run"
    );
    let ask = || server.json_for_reader("/__health?cache=false");
    let asked = futures_util::future::join_all((0..20).map(|_| ask())).await;
    assert_eq!(
        (count.load(Ordering::Relaxed), read.load(Ordering::Relaxed)),
        (2, 1)
    );
    for answer in asked {
        assert_eq!(answer["description"], "Health of test-lab served directly.");
        assert_eq!(answer["checks"][0]["name"], "book");
        assert_eq!(
            answer["checks"][0]["lastUpdated"],
            "2026-11-21T00:02:10.000Z"
        );
    }
    assert_eq!(
        server.json_for_reader("/__health?cache=false").await["description"],
        "Health of test-lab served from cache."
    );
    assert_eq!(server.status("/__gtg?cache=false").await, 200);
    assert_eq!(count.load(Ordering::Relaxed), 2, "not again so soon");
}
