//! The status that is published in etcd, as another program reads it there: with etcdctl.

use std::time::{Duration, Instant};

use lab::{Lab, RelayVersion};
use serde_json::Value;

use super::etcd::Etcd;
use super::eventually::eventually;
use super::laboratory::{laboratory, switched};
use super::monitor::Monitor;
use super::replicas::{leads, replica};

const BELOW: &str = "/vnf-agent/lab/check/status/v1/";

/// A labwatch that is alone, and publishes in this etcd.
async fn publishing(lab: &Lab, etcd: &Etcd) -> Monitor {
    let settings = [
        ("PUBLISH", "etcd"),
        ("CLUSTER_ENDPOINTS", &*etcd.url()),
        ("PUBLISH_EVERY", "1s"),
    ];
    Monitor::start(lab, &settings).await
}

/// The value of a key below the prefix; `None`: there is no such key, or etcd does not answer.
async fn read(etcd: &Etcd, key: &str) -> Option<Value> {
    let answer = etcd
        .ctl(&["get", "--print-value-only", &format!("{BELOW}{key}")])
        .await;
    serde_json::from_str(&answer.ok()?).ok()
}

/// Waits until the value of a key is as `is` wants it.
async fn reads(monitor: &Monitor, etcd: &Etcd, key: &str, is: impl Fn(&Value) -> bool) -> Value {
    let look = async || read(etcd, key).await.filter(|value| is(value));
    eventually(&format!("the key {key}"), || monitor.tail(), look).await
}

/// Waits until the component `publish` has a fault, or none.
async fn publishes(monitor: &Monitor, is_well: bool) -> String {
    let look = async || {
        let status = monitor.get("/status/publish").await;
        let details = status["details"].as_str().unwrap_or_default().to_owned();
        (details.is_empty() == is_well).then_some(details)
    };
    eventually("the component publish", || monitor.tail(), look).await
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
#[ignore = "needs etcd"]
async fn what_is_read_back_is_what_the_api_says() {
    let lab = laboratory(RelayVersion::V07, &["pend00", "spin00"]).await;
    let etcd = Etcd::start(&[]).await;
    let stray = format!("{BELOW}experiment/gone00");
    etcd.ctl(&["put", &stray, "{}"]).await.expect("written");
    let monitor = publishing(&lab, &etcd).await;
    monitor.sees_well(&["pend00", "spin00"]).await;
    reads(&monitor, &etcd, "experiment/pend00", |it| it["state"] == 1).await;
    publishes(&monitor, true).await;

    // Every component, with the state and the time that the API gives it.
    let settled = async || {
        let shown = monitor.get("/readiness?full=true").await;
        let agent = read(&etcd, "agent").await?;
        let all = shown["PluginStatus"].as_object().expect("an object");
        let mut is_same =
            agent["state"] == shown["state"] && agent["start_time"] == shown["start_time"];
        for (name, status) in all {
            let found = read(&etcd, &format!("plugin/{name}")).await?;
            is_same &= ["state", "last_change", "error"]
                .iter()
                .all(|it| found[it] == status[it]);
        }
        is_same.then_some(all.len())
    };
    let components = eventually(
        "the same in etcd and in the API",
        || monitor.tail(),
        settled,
    )
    .await;
    let keys = etcd.keys(BELOW).await;
    assert_eq!(keys.len(), 1 + components + 2, "{keys:?}");
    assert!(
        !keys.contains(&stray),
        "what another time has left there is removed"
    );

    // A change is written at once, and a deleted key is back at the next heartbeat.
    lab.power_off("pend00").expect("known");
    let down = reads(&monitor, &etcd, "experiment/pend00", |it| it["state"] == 2).await;
    assert!(
        down["error"]
            .as_str()
            .is_some_and(|error| error.contains("pend00-st-")),
        "{down}"
    );
    etcd.ctl(&["del", &format!("{BELOW}agent")])
        .await
        .expect("deleted");
    let agent = reads(&monitor, &etcd, "agent", |_| true).await;
    let before = agent["last_update"].as_i64();
    reads(&monitor, &etcd, "agent", |agent| {
        agent["last_update"].as_i64() > before
    })
    .await;

    monitor.stop("TERM", &lab).await;
    assert_eq!(
        etcd.keys(BELOW).await,
        [""; 0],
        "a clean stop removes them at once"
    );
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
#[ignore = "needs etcd"]
async fn the_keys_of_a_labwatch_that_dies_go() {
    let lab = laboratory(RelayVersion::V07, &["pend00"]).await;
    let etcd = Etcd::start(&[]).await;
    let monitor = publishing(&lab, &etcd).await;
    reads(&monitor, &etcd, "agent", |_| true).await;
    monitor.kill(&lab).await;
    assert_ne!(etcd.keys(BELOW).await, [""; 0]);
    let gone = async || etcd.keys(BELOW).await.is_empty().then_some(());
    eventually("no key is left", || "etcd".to_owned(), gone).await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
#[ignore = "needs etcd"]
async fn an_etcd_that_stands_still_or_is_away_stalls_nothing() {
    let lab = laboratory(RelayVersion::V07, &["pend00", "spin00"]).await;
    let mut etcd = Etcd::start(&[]).await;
    let monitor = publishing(&lab, &etcd).await;
    monitor.sees_well(&["pend00", "spin00"]).await;
    publishes(&monitor, true).await;

    etcd.freeze(true).await;
    let fault = publishes(&monitor, false).await;
    assert!(fault.contains("etcd"), "{fault}");
    lab.power_off("pend00").expect("known");
    switched(&lab, "r-pend00", 1).await;
    let asked = Instant::now();
    assert_eq!(
        monitor.get("/readiness").await["state"],
        1,
        "it is not fatal"
    );
    assert!(
        asked.elapsed() < Duration::from_secs(3),
        "{:?}",
        asked.elapsed()
    );
    etcd.freeze(false).await;
    publishes(&monitor, true).await;
    reads(&monitor, &etcd, "experiment/pend00", |it| it["state"] == 2).await;

    etcd.kill().await;
    publishes(&monitor, false).await;
    lab.power_off("spin00").expect("known");
    switched(&lab, "r-spin00", 1).await;
    etcd.start_again().await;
    reads(&monitor, &etcd, "experiment/spin00", |it| it["state"] == 2).await;
    publishes(&monitor, true).await;
    monitor.stop("TERM", &lab).await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
#[ignore = "needs etcd"]
async fn of_several_replicas_the_leader_publishes() {
    let lab = laboratory(RelayVersion::V07, &["pend00"]).await;
    let etcd = Etcd::start(&[]).await;
    let publish = [("PUBLISH", "etcd"), ("PUBLISH_EVERY", "1s")];
    let first = replica(&lab, &etcd, "first", &publish).await;
    leads(&first, 1).await;
    tokio::time::sleep(Duration::from_secs(1)).await; // so that their starts differ
    let second = replica(&lab, &etcd, "second", &publish).await;
    first.sees_well(&["pend00"]).await;
    let start_of = async |replica: &Monitor| replica.get("/liveness").await["start_time"].clone();
    let (of_first, of_second) = (start_of(&first).await, start_of(&second).await);
    assert_ne!(of_first, of_second);
    reads(&first, &etcd, "agent", |agent| {
        agent["start_time"] == of_first
    })
    .await;
    tokio::time::sleep(Duration::from_secs(3)).await;
    assert_eq!(
        read(&etcd, "agent").await.expect("there")["start_time"],
        of_first
    );

    first.stop("TERM", &lab).await;
    leads(&second, 1).await;
    reads(&second, &etcd, "agent", |agent| {
        agent["start_time"] == of_second
    })
    .await;
    reads(&second, &etcd, "plugin/publish", |publish| {
        publish["state"] == 1
    })
    .await;
    second.stop("TERM", &lab).await;
}
