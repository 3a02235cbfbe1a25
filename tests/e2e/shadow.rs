//! In shadow, beside the monitor that acts: everything is decided and recorded, nothing is written
//! to book, nothing is sent.

use std::time::Duration;

use lab::RelayVersion;
use serde_json::Value;
use tokio::process::Command;

use super::eventually::eventually;
use super::laboratory::{laboratory, switches};
use super::monitor::{Monitor, get, program};

const ALL: [&str; 2] = ["pend00", "spin00"];

/// What the other monitor writes.
const THEIRS: &str = "status server: 2026-11-21 00:05:00 +0000 UTC";

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn in_shadow_everything_is_recorded_and_nothing_is_done() {
    let lab = laboratory(RelayVersion::V07, &ALL).await;
    let settings = [("SHADOW", "true"), ("EMAIL_TO", "ann@lab.example")];
    let monitor = Monitor::start(&lab, &settings).await;
    monitor.sees_well(&ALL).await;
    // labwatch would withdraw the one, the other monitor withdraws the other.
    lab.stream_vanishes("pend00-st-video").expect("known");
    lab.hold("r-spin00", THEIRS).expect("known");
    monitor
        .sees("pend00", "would be withdrawn", |it| {
            it["bookable"] == "withdrawn"
        })
        .await;
    monitor
        .logs(&["shadow: did not write to book", "r-pend00"])
        .await;
    monitor.logs(&["shadow: did not send a notification"]).await;
    let two = async || {
        let compared = compare(&monitor).await;
        (compared["differences"].as_array()?.len() == 2).then_some(compared)
    };
    let compared = eventually("two differences", || monitor.tail(), two).await;
    let of = |resource: &str| -> Value {
        let all = compared["differences"].as_array().expect("a list");
        let one = all.iter().find(|one| one["resource"] == resource);
        one.expect("it differs").clone()
    };
    let (pend, spin) = (of("r-pend00"), of("r-spin00"));
    assert_eq!(
        (&pend["book"]["available"], &pend["labwatch"]["available"]),
        (&Value::Bool(true), &Value::Bool(false)),
        "{pend}"
    );
    let why = pend["why"].as_str().expect("words");
    assert!(why.contains("video"), "{why}");
    assert_eq!(spin["book"]["reason"], THEIRS);
    assert_eq!(spin["evaluated"], "ok", "{spin}");
    assert!(compared["notifications"].as_u64() >= Some(1), "{compared}");

    assert_eq!(monitor.get("/api/v2/lab").await["shadow"], true);
    let (_, ready) = get(monitor.port(), "/readiness").await.expect("answers");
    assert!(ready.contains("\"shadow\":true"), "{ready}");
    let (_, page) = get(monitor.port(), "/").await.expect("answers");
    assert!(page.contains("runs in shadow"), "{page}");

    lab.stream_back("pend00-st-video").expect("known");
    monitor.sees_well(&ALL).await;
    tokio::time::sleep(Duration::from_secs(2)).await;
    assert_eq!(switches(&lab, "r-pend00"), [true; 0], "book is not touched");
    assert_eq!(switches(&lab, "r-spin00"), [true; 0]);
    assert!(lab.mail().mails().is_empty(), "and nothing is mailed");
    monitor.stop("TERM", &lab).await;
}

async fn compare(monitor: &Monitor) -> Value {
    let output = Command::new(program())
        .args(["compare", "--since", "1h", "--output", "json"])
        .env_clear()
        .env("STATUS_DATA_DIR", monitor.folder().join("data"))
        .output()
        .await
        .expect("runs");
    let said = String::from_utf8_lossy(&output.stderr);
    assert!(output.status.success(), "{said}");
    serde_json::from_slice(&output.stdout).expect("JSON")
}
