//! The published status as files: they agree with the API, a change is written at once,
//! and a clean stop removes them.

use std::fs;
use std::path::Path;

use lab::RelayVersion;
use serde_json::Value;

use super::eventually::eventually;
use super::laboratory::laboratory;
use super::monitor::Monitor;

const BELOW: &str = "vnf-agent/lab/check/status/v1";

fn read(folder: &Path, key: &str) -> Option<Value> {
    let text = fs::read(folder.join(BELOW).join(key)).ok()?;
    Some(serde_json::from_slice(&text).expect("a whole file of JSON"))
}

async fn reads(monitor: &Monitor, folder: &Path, key: &str, is: impl Fn(&Value) -> bool) -> Value {
    let look = async || read(folder, key).filter(|value| is(value));
    eventually(&format!("the file {key}"), || monitor.tail(), look).await
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn files_say_what_the_api_says_and_go_with_a_clean_stop() {
    let lab = laboratory(RelayVersion::V07, &["pend00"]).await;
    let folder = tempfile::tempdir().expect("a folder");
    let settings = [
        ("PUBLISH", "files"),
        ("PUBLISH_DIR", folder.path().to_str().expect("text")),
        ("PUBLISH_EVERY", "1s"),
    ];
    let monitor = Monitor::start(&lab, &settings).await;
    monitor.sees_well(&["pend00"]).await;
    let agent = reads(&monitor, folder.path(), "agent", |agent| {
        agent["state"] == 1 && agent["PluginStatus"]["publish"]["state"] == 1
    })
    .await;
    let shown = monitor.get("/readiness").await;
    for field in ["build_version", "start_time", "state", "NonFatalPlugins"] {
        assert_eq!(agent[field], shown[field], "{field}");
    }
    let book = reads(&monitor, folder.path(), "plugin/book", |book| {
        book["state"] == 1
    })
    .await;
    assert_eq!(
        book["last_change"],
        shown["PluginStatus"]["book"]["last_change"]
    );
    reads(&monitor, folder.path(), "experiment/pend00", |it| {
        it["state"] == 1
    })
    .await;

    let before = agent["last_update"].as_i64();
    reads(&monitor, folder.path(), "agent", |agent| {
        agent["last_update"].as_i64() > before
    })
    .await;
    lab.power_off("pend00").expect("known");
    let down = reads(&monitor, folder.path(), "experiment/pend00", |it| {
        it["state"] == 2
    })
    .await;
    assert!(
        down["error"]
            .as_str()
            .is_some_and(|error| error.contains("pend00-st-")),
        "{down}"
    );
    monitor.stop("TERM", &lab).await;
    assert_eq!(read(folder.path(), "agent"), None);
    assert_eq!(read(folder.path(), "plugin/book"), None);
    assert_eq!(read(folder.path(), "experiment/pend00"), None);
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_folder_that_cannot_be_written_is_shown_and_heals_by_itself() {
    let lab = laboratory(RelayVersion::V07, &["pend00"]).await;
    let folder = tempfile::tempdir().expect("a folder");
    let inside = folder.path().join("published");
    fs::write(&inside, "a file where a folder should be").expect("written");
    let settings = [
        ("PUBLISH", "files"),
        ("PUBLISH_DIR", inside.to_str().expect("text")),
        ("PUBLISH_EVERY", "1s"),
    ];
    let monitor = Monitor::start(&lab, &settings).await;
    let how = async || {
        let status = monitor.get("/status/publish").await;
        status["details"].as_str().unwrap_or_default().to_owned()
    };
    let shows = async || Some(how().await).filter(|details| details.contains("publish_dir"));
    eventually("the fault", || monitor.tail(), shows).await;
    monitor.sees_well(&["pend00"]).await;
    fs::remove_file(&inside).expect("removed");
    reads(&monitor, &inside, "agent", |agent| agent["state"] == 1).await;
    let healed = async || Some(how().await).filter(String::is_empty);
    eventually("no fault", || monitor.tail(), healed).await;
    monitor.stop("TERM", &lab).await;
}
