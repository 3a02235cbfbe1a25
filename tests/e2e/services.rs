//! Outside services of a running labwatch: where they count, how often they are asked, their
//! acknowledgement, and a reload that adds one.

use std::sync::Arc;
use std::sync::atomic::{AtomicBool, AtomicU32, Ordering};

use axum::Router;
use axum::routing::get as answering;
use lab::RelayVersion;
use reqwest::Method;
use serde_json::json;
use tokio::net::TcpListener;
use tokio::task::JoinSet;

use super::admin::{SECRET, order};
use super::eventually::eventually;
use super::laboratory::laboratory;
use super::monitor::{Monitor, get, kill};

const ALL: [&str; 2] = ["pend00", "spin00"];

/// Services that answer with health documents of FT's standard.
struct Outside {
    port: u16,
    is_bad: [Arc<AtomicBool>; 2],
    calls: Arc<AtomicU32>,
    _task: JoinSet<()>,
}

async fn outside() -> Outside {
    let is_bad = [
        Arc::new(AtomicBool::new(false)),
        Arc::new(AtomicBool::new(false)),
    ];
    let calls = Arc::new(AtomicU32::new(0));
    let mut routes = Router::new();
    for (number, bad) in (1..).zip(&is_bad) {
        let (bad, calls) = (Arc::clone(bad), Arc::clone(&calls));
        let answer = move || {
            let (bad, calls) = (Arc::clone(&bad), Arc::clone(&calls));
            async move {
                calls.fetch_add(u32::from(number == 1), Ordering::Relaxed);
                let ok = !bad.load(Ordering::Relaxed);
                json!({"schemaVersion": 1, "systemCode": "document-store-api", "name": "Document store",
                    "checks": [{"id": "mongo", "name": "mongo", "ok": ok, "severity": 1, "checkOutput": "x"}]})
                .to_string()
            }
        };
        routes = routes.route(&format!("/{number}"), answering(answer));
    }
    let listener = TcpListener::bind("127.0.0.1:0").await.expect("binds");
    let port = listener.local_addr().expect("bound").port();
    let mut task = JoinSet::new();
    task.spawn(async move {
        let _ = axum::serve(listener, routes).await;
    });
    Outside {
        port,
        is_bad,
        calls,
        _task: task,
    }
}

fn file(port: u16, more: &str) -> String {
    let service = |number: u32, period: &str| {
        format!(
            "[[service]]\nname = \"document-store-api-{number}\"\nurl = \"http://127.0.0.1:{port}/{number}\"\nexpect = \"ft\"\n\
             categories = [\"docs\"]\nretries = 0\n{period}"
        )
    };
    let (first, second) = (service(1, ""), service(2, "period = \"1s\"\n"));
    format!(
        "[[category]]\nname = \"docs\"\nresilient = true\nperiod = \"1s\"\n[[category]]\nname = \"read\"\nmatch = [\"spin*\"]\n{first}{second}{more}"
    )
}

async fn answers(monitor: &Monitor, path: &str, status: u16) {
    let look = async || {
        get(monitor.port(), path)
            .await
            .filter(|(code, _)| *code == status)
            .map(drop)
    };
    eventually(&format!("{path} answers {status}"), || monitor.tail(), look).await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn services_count_where_they_belong_and_come_with_a_reload() {
    let (lab, outside) = (laboratory(RelayVersion::V07, &ALL).await, outside().await);
    let folder = tempfile::tempdir().expect("a folder");
    let path = folder.path().join("labwatch.toml");
    std::fs::write(&path, file(outside.port, "")).expect("written");
    let settings = [
        ("CONFIG", path.to_str().expect("a name")),
        ("SECRET_API", SECRET),
    ];
    let monitor = Monitor::start(&lab, &settings).await;
    monitor.sees_well(&ALL).await;
    answers(&monitor, "/__gtg?categories=docs", 200).await;
    let often = async || (outside.calls.load(Ordering::Relaxed) >= 5).then_some(());
    eventually(
        "the period of its category reaches a service",
        || monitor.tail(),
        often,
    )
    .await;

    let ack = "/api/v2/acknowledgements";
    let known = || Some(json!({"component": "document-store-api-1", "text": "known"}));
    let (status, refused) = order(&monitor, Method::POST, ack, known()).await;
    assert_eq!(status, 409, "what is well is not acknowledged: {refused}");
    outside.is_bad[0].store(true, Ordering::Relaxed);
    answers(&monitor, "/status/document-store-api-1", 503).await;
    answers(&monitor, "/__gtg?categories=docs", 200).await;
    outside.is_bad[1].store(true, Ordering::Relaxed);
    answers(&monitor, "/__gtg?categories=docs", 503).await;
    for other in ["read", "default", "pend"] {
        let path = format!("/__gtg?categories={other}");
        assert_eq!(
            get(monitor.port(), &path).await.map(|(code, _)| code),
            Some(200),
            "{other}"
        );
    }
    let (_, page) = get(monitor.port(), "/").await.expect("a page");
    assert!(page.contains("document-store-api-2"), "it is on the page");

    let (status, done) = order(&monitor, Method::POST, ack, known()).await;
    assert_eq!(status, 201, "{done}");
    let is_known = async |wanted: bool| {
        let list = monitor.get("/api/v2/acknowledgements").await.to_string();
        (list.contains("document-store-api-1") == wanted).then_some(())
    };
    eventually(
        "it is acknowledged",
        || monitor.tail(),
        async || is_known(true).await,
    )
    .await;
    outside.is_bad[0].store(false, Ordering::Relaxed);
    eventually(
        "that ends when it is well",
        || monitor.tail(),
        async || is_known(false).await,
    )
    .await;

    answers(&monitor, "/status/late-service", 404).await;
    let late = format!(
        "[[service]]\nname = \"late-service\"\nurl = \"http://127.0.0.1:{}/1\"\n",
        outside.port
    );
    std::fs::write(&path, file(outside.port, &late)).expect("written");
    kill("HUP", monitor.pid()).await;
    answers(&monitor, "/status/late-service", 200).await;
    answers(&monitor, "/status/configuration", 200).await;
    monitor.stop("TERM", &lab).await;
}

/// The texts of mails about this service.
fn notified(lab: &lab::Lab, service: &str) -> Vec<String> {
    let mails = lab.mail().mails();
    let lines = mails.iter().flat_map(|mail| mail.text.lines());
    let about = lines.filter(|line| line.contains(service));
    about.map(str::to_owned).collect()
}

async fn is_mailed(monitor: &Monitor, lab: &lab::Lab, words: &str) {
    let look = async || (!notified(lab, words).is_empty()).then_some(());
    eventually(&format!("a mail says {words:?}"), || monitor.tail(), look).await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_service_that_fails_is_mailed_once_with_its_end() {
    let (lab, outside) = (laboratory(RelayVersion::V07, &ALL).await, outside().await);
    let folder = tempfile::tempdir().expect("a folder");
    let path = folder.path().join("labwatch.toml");
    let service = |name: &str, url: &str| {
        format!("[[service]]\nname = \"{name}\"\nurl = \"{url}\"\nperiod = \"1s\"\nretries = 0\n")
    };
    let wiki = format!(
        "{}expect = \"ft\"\n",
        service("wiki", &format!("http://127.0.0.1:{}/1", outside.port))
    );
    let far = service("far", "http://no-such-host.invalid/");
    std::fs::write(&path, format!("{wiki}{far}")).expect("written");
    let settings = [
        ("CONFIG", path.to_str().expect("a name")),
        ("SECRET_API", SECRET),
        ("EMAIL_TO", "ann@lab.example"),
    ];
    let monitor = Monitor::start(&lab, &settings).await;
    monitor.sees_well(&ALL).await;
    answers(&monitor, "/status/wiki", 200).await;
    answers(&monitor, "/status/far", 503).await;
    let (_, far) = get(monitor.port(), "/status/far").await.expect("answers");
    assert!(far.contains("labwatch itself cannot reach it"), "{far}");
    outside.is_bad[0].store(true, Ordering::Relaxed);
    is_mailed(
        &monitor,
        &lab,
        "hether far works is not known: labwatch itself cannot reach it",
    )
    .await;
    is_mailed(
        &monitor,
        &lab,
        "iki does not work: 1 of its checks failing (mongo)",
    )
    .await;
    outside.is_bad[0].store(false, Ordering::Relaxed);
    is_mailed(&monitor, &lab, "iki works again").await;
    assert_eq!(notified(&lab, "far works again"), [""; 0]);
    let history = monitor.get("/api/v2/history/components").await;
    let items = history["items"].as_array().expect("a list").iter();
    let of_wiki = items.filter(|one| one["component"] == "wiki");
    let states: Vec<_> = of_wiki
        .map(|one| one["state"].as_str().expect("a word"))
        .collect();
    assert_eq!(states, ["ok", "error", "ok"]);
    monitor.stop("TERM", &lab).await;
}
