//! Health from operators and other programs: categories opened and closed, reports that
//! come in, a second labwatch that only watches.

use lab::RelayVersion;
use reqwest::Method;
use serde_json::{Value, json};

use super::admin::{SECRET, order};
use super::eventually::eventually;
use super::laboratory::{laboratory, switched, switches};
use super::monitor::{Monitor, get};

const ALL: [&str; 2] = ["pend00", "spin00"];

/// Two categories that a fault closes and a service that reports by itself.
const FILE: &str = "non_fatal = [\"mail\", \"jump\", \"wiki\"]\n[[category]]\nname = \"exam\"\nmatch = [\"spin*\"]\nsticky = true\nsticky_booking = true\n\
    [[service]]\nname = \"wiki\"\nperiod = \"2s\"\n";

/// Waits until a path answers with this status.
async fn answers(monitor: &Monitor, path: &str, status: u16) {
    let look = async || {
        get(monitor.port(), path)
            .await
            .filter(|(code, _)| *code == status)
            .map(drop)
    };
    eventually(&format!("{path} answers {status}"), || monitor.tail(), look).await;
}

async fn category(monitor: &Monitor, name: &str) -> Value {
    let all = monitor.get("/api/v2/categories?limit=1000").await;
    all["items"]
        .as_array()
        .expect("a list")
        .iter()
        .find(|one| one["name"] == name)
        .cloned()
        .unwrap_or_default()
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_person_closes_and_opens_a_category() {
    let lab = laboratory(RelayVersion::V07, &ALL).await;
    let folder = tempfile::tempdir().expect("a folder");
    let settings = [
        ("SECRET_API", SECRET),
        ("DATA_DIR", folder.path().to_str().expect("a name")),
    ];
    let monitor = Monitor::start(&lab, &settings).await;
    monitor.sees_well(&ALL).await;
    answers(&monitor, "/__gtg?categories=pend", 200).await;
    let why = |reason: &str| Some(json!({ "reason": reason }));

    let (status, notified) = order(
        &monitor,
        Method::POST,
        "/api/v2/categories/pend/closure?dry_run=true",
        why("exam"),
    )
    .await;
    assert_eq!(
        (status, &notified["done"], &notified["experiments"]),
        (200, &json!(false), &json!(["pend00"])),
        "{notified}"
    );
    assert_eq!(
        category(&monitor, "pend").await["enabled"],
        true,
        "to ask for the effect changes nothing"
    );
    let (status, notified) = order(
        &monitor,
        Method::POST,
        "/api/v2/categories/pend/closure",
        why("exam"),
    )
    .await;
    assert_eq!(
        (status, &notified["done"]),
        (201, &json!(true)),
        "{notified}"
    );
    assert_eq!(
        get(monitor.port(), "/__gtg?categories=pend")
            .await
            .map(|(code, _)| code),
        Some(503),
        "at once"
    );
    monitor.logs(&["Ada: close the category pend: exam"]).await;
    let (status, notified) = order(
        &monitor,
        Method::POST,
        "/api/v2/categories/pend/closure",
        why("exam"),
    )
    .await;
    assert_eq!(
        (status, &notified["detail"]),
        (409, &json!("the category pend is closed already"))
    );
    for (path, expect) in [
        ("/api/v2/categories/nope/closure?reason=x", 404),
        ("/api/v2/categories/pend/closure?reason=", 400),
        ("/api/v2/categories/pend/closure", 400),
        ("/api/v2/categories/pend/closure?reason=x&dry-run=true", 400),
        ("/api/v2/categories/pend/open", 404),
    ] {
        let (status, notified) = order(&monitor, Method::DELETE, path, None).await;
        assert_eq!(status, expect, "{path}: {notified}");
    }
    monitor.kill(&lab).await;

    let monitor = Monitor::start(&lab, &settings).await;
    monitor.sees_well(&ALL).await;
    let pend = category(&monitor, "pend").await;
    assert_eq!(
        (&pend["enabled"], &pend["ok"], &pend["switched"]["reason"]),
        (&json!(false), &json!(false), &Value::Null),
        "{pend}"
    );
    assert_eq!(
        pend["switched"]["by"],
        Value::Null,
        "names and reasons are for those who have a token"
    );
    let (status, notified) = order(
        &monitor,
        Method::DELETE,
        "/api/v2/categories/pend/closure?reason=exam+is+over",
        None,
    )
    .await;
    assert_eq!(
        (status, &notified["effect"]),
        (200, &json!("pend is open again")),
        "{notified}"
    );
    answers(&monitor, "/__gtg?categories=pend", 200).await;
    monitor.stop("TERM", &lab).await;
}

/// Equipment that must be inspected after any fault: being ok again is not enough.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn what_failed_cannot_be_booked_until_it_was_inspected() {
    let lab = laboratory(RelayVersion::V07, &ALL).await;
    let folder = tempfile::tempdir().expect("a folder");
    let file = folder.path().join("labwatch.toml");
    std::fs::write(&file, FILE).expect("writes");
    let data = folder.path().join("data");
    let settings = [
        ("SECRET_API", SECRET),
        ("CONFIG", file.to_str().expect("a name")),
        ("DATA_DIR", data.to_str().expect("a name")),
    ];
    let monitor = Monitor::start(&lab, &settings).await;
    monitor.sees_well(&ALL).await;
    answers(&monitor, "/__gtg?categories=exam", 200).await;
    lab.power_off("spin00").expect("known");
    let inspected =
        |reason: &str| reason.contains("it can be booked again when a maintainer has inspected it");
    let kept = async || {
        Some(lab.switched()).filter(|all| {
            all.last()
                .is_some_and(|last| !last.available && inspected(&last.reason))
        })
    };
    eventually(
        "spin00 is withdrawn",
        || format!("{:#?}", lab.switched()),
        kept,
    )
    .await;
    lab.power_on("spin00").expect("known");
    monitor
        .sees("spin00", "is ok and not bookable", |it| {
            it["health"] == "ok" && it["bookable"] == "withdrawn"
        })
        .await;
    let exam = category(&monitor, "exam").await;
    assert_eq!(
        (&exam["quarantined"], &exam["ok"]),
        (&json!(["spin00"]), &json!(false)),
        "{exam}"
    );
    let (status, notified) = order(&monitor, Method::DELETE, "/api/v2/holds/r-spin00", None).await;
    assert_eq!(status, 409, "{notified}");
    assert!(
        notified["detail"]
            .as_str()
            .is_some_and(|said| said.contains("inspect it, then open the category")),
        "{notified}"
    );
    monitor.stop("TERM", &lab).await;

    let monitor = Monitor::start(&lab, &settings).await;
    monitor
        .sees("spin00", "is ok and not bookable", |it| {
            it["health"] == "ok" && it["bookable"] == "withdrawn"
        })
        .await;
    let before = switches(&lab, "r-spin00").len();
    let (status, notified) = order(
        &monitor,
        Method::DELETE,
        "/api/v2/categories/exam/closure?reason=inspected",
        None,
    )
    .await;
    assert_eq!(status, 200, "{notified}");
    assert!(
        switched(&lab, "r-spin00", before + 1).await.available,
        "{:#?}",
        lab.switched()
    );
    assert!(
        switches(&lab, "r-pend00").is_empty(),
        "what is not in it is left alone"
    );
    monitor.stop("TERM", &lab).await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn components_and_experiments_report_by_themselves() {
    let lab = laboratory(RelayVersion::V07, &ALL).await;
    let folder = tempfile::tempdir().expect("a folder");
    let file = folder.path().join("labwatch.toml");
    std::fs::write(&file, FILE).expect("writes");
    let monitor = Monitor::start(
        &lab,
        &[
            ("SECRET_API", SECRET),
            ("CONFIG", file.to_str().expect("a name")),
        ],
    )
    .await;
    monitor.sees_well(&ALL).await;
    assert_eq!(
        get(monitor.port(), "/status/wiki")
            .await
            .map(|(code, _)| code),
        Some(503),
        "it has not reported yet"
    );
    let report = async |path: &str, body: Value| {
        order(
            &monitor,
            Method::POST,
            &format!("/api/v2/reports/{path}"),
            Some(body),
        )
        .await
    };

    let (status, notified) = report("component/wiki", json!({"state": "ok"})).await;
    assert_eq!(
        (status, &notified["changed"]),
        (201, &json!(true)),
        "{notified}"
    );
    let (_, notified) = report("component/wiki", json!({"state": "ok"})).await;
    assert_eq!(
        notified["changed"], false,
        "the same again is no change: {notified}"
    );
    assert_eq!(
        get(monitor.port(), "/status/wiki")
            .await
            .map(|(code, _)| code),
        Some(200)
    );
    let stale = async || {
        get(monitor.port(), "/status/wiki")
            .await
            .filter(|(code, body)| *code == 503 && body.contains("no report for"))
    };
    eventually("it is stale", || monitor.tail(), stale).await;
    report(
        "component/wiki",
        json!({"state": "error", "detail": "the disk is full"}),
    )
    .await;
    let (_, body) = get(monitor.port(), "/status/wiki").await.expect("answers");
    assert!(body.contains("the disk is full"), "{body}");
    let lines = monitor
        .lines(&["took a report", "\"name\":\"wiki\"", "\"state\":\"ok\""])
        .len();
    assert_eq!(lines, 1, "what is no change is not reported");

    let long = "x".repeat(5_000);
    for (path, body, expect) in [
        ("component/nope", json!({"state": "ok"}), 404),
        ("component/book", json!({"state": "ok"}), 409),
        ("experiment/nope", json!({"state": "ok"}), 404),
        ("planet/mars", json!({"state": "ok"}), 404),
        ("component/wiki", json!({"state": "fine"}), 400),
        (
            "component/wiki",
            json!({"state": "ok", "detail": "two\nlines"}),
            400,
        ),
        (
            "component/wiki",
            json!({"state": "ok", "detail": long}),
            400,
        ),
    ] {
        let (status, notified) = report(path, body).await;
        assert_eq!(status, expect, "{path}: {notified}");
    }

    let (status, notified) = report(
        "experiment/pend00",
        json!({"state": "error", "detail": "encoder: no counts"}),
    )
    .await;
    assert_eq!(
        (status, &notified["changed"]),
        (201, &json!(true)),
        "{notified}"
    );
    let all = monitor.get("/__agghealth?categories=pend").await;
    let test = all["checks"]
        .as_array()
        .expect("a list")
        .iter()
        .find(|check| check["name"] == "self-test")
        .cloned()
        .unwrap_or_default();
    assert_eq!(
        (&test["ok"], &test["checkOutput"]),
        (&json!(false), &json!("encoder: no counts")),
        "{all}"
    );
    monitor.sees_well(&["pend00"]).await;
    monitor.stop("TERM", &lab).await;
}

/// One acts, the other shows the same and changes nothing.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn who_only_watches_shows_all_and_does_nothing() {
    let lab = laboratory(RelayVersion::V07, &ALL).await;
    let watching = Monitor::start(&lab, &[("SECRET_API", SECRET), ("OBSERVE", "true")]).await;
    watching.sees_well(&ALL).await;
    lab.power_off("pend00").expect("known");
    watching
        .sees("pend00", "is down", |it| it["health"] == "down")
        .await;
    assert_eq!(watching.get("/api/v2/lab").await["role"], "follower");
    let (status, notified) = order(
        &watching,
        Method::POST,
        "/api/v2/categories/pend/closure",
        Some(json!({"reason": "x"})),
    )
    .await;
    assert_eq!(status, 409, "{notified}");

    let acting = Monitor::start(&lab, &[("SECRET_API", SECRET)]).await;
    assert!(!switched(&lab, "r-pend00", 1).await.available);
    watching
        .sees("pend00", "is withdrawn by the other", |it| {
            it["bookable"] == "withdrawn"
        })
        .await;
    acting.stop("TERM", &lab).await;
    watching.stop("TERM", &lab).await;
    assert_eq!(switches(&lab, "r-pend00"), [false]);
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn the_log_is_made_to_talk_while_it_goes_on() {
    let lab = laboratory(RelayVersion::V07, &ALL).await;
    let monitor = Monitor::start(&lab, &[("SECRET_API", SECRET), ("LOG_LEVEL", "info")]).await;
    monitor.sees_well(&ALL).await;
    for (body, words) in [
        (
            json!({"component": "nope", "level": "debug"}),
            "component \"nope\" is not known",
        ),
        (
            json!({"component": "book", "level": "loud"}),
            "level \"loud\" is not known",
        ),
        (json!({"component": "book"}), "missing field"),
    ] {
        let (status, notified) =
            order(&monitor, Method::POST, "/actuator/logger", Some(body)).await;
        assert!(
            status == 400
                && notified["detail"]
                    .as_str()
                    .is_some_and(|said| said.contains(words)),
            "{notified}"
        );
    }
    let (status, notified) = order(
        &monitor,
        Method::POST,
        "/actuator/logger",
        Some(json!({"component": "book", "level": "error"})),
    )
    .await;
    assert_eq!(
        (
            status,
            &notified["components"]["book"],
            &notified["components"]["relay"]
        ),
        (200, &json!("error"), &json!("info")),
        "{notified}"
    );
    let levels = monitor.get("/actuator/logger").await;
    assert_eq!(
        (
            &levels["components"]["book"],
            &levels["targets"]["labwatch::effects::book"]
        ),
        (&json!("error"), &json!("error")),
        "{levels}"
    );
    monitor
        .logs(&["the level of the log was set", "book"])
        .await;
    monitor.stop("TERM", &lab).await;
}
