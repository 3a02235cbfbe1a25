//! A relay that reports and does not forward: the canary sees it, relay is down, and nothing is
//! held against the experiments.

use std::time::Duration;

use lab::RelayVersion;
use tokio::time::sleep;

use super::laboratory::laboratory;
use super::monitor::Monitor;

/// How long nothing is forwarded: more than twice the limit of these tests' rules for streams.
const STOPPED: Duration = Duration::from_secs(8);

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_relay_that_stops_forwarding_is_no_fault_of_the_experiments() {
    tokio::join!(stops(RelayVersion::V07), stops(RelayVersion::V08));
}

async fn stops(relay: RelayVersion) {
    let names: Vec<String> = (0..12).map(|n| format!("pend{n:02}")).collect();
    let stubs: Vec<&str> = names.iter().map(String::as_str).collect();
    let lab = laboratory(relay, &stubs).await;
    let settings = [("CANARY_EVERY", "200ms"), ("CANARY_LATE", "300ms")];
    let monitor = Monitor::start(&lab, &settings).await;
    monitor.sees_well(&stubs).await;
    monitor.logs(&["messages of the canary arrive"]).await;
    let cause = async |fault: &str| {
        let fault = fault.parse().expect("a fault");
        lab.cause(&fault).await.expect("can");
    };

    cause("relay forwards nothing").await;
    let down = ["\"source\":\"relay\"", "\"health\":\"down\""];
    monitor
        .logs(&[down[0], down[1], "relay reports but forwards no messages"])
        .await;
    sleep(STOPPED).await;
    cause("relay forwards").await;
    monitor.sees_well(&stubs).await;

    for stub in &stubs {
        let history = monitor.history(stub).await;
        let is_spared = |health: &String| health == "ok" || health == "unknown";
        assert!(history.iter().all(is_spared), "{stub}: {history:?}");
    }
    assert_eq!(lab.switched(), []);
    monitor.stop("INT", &lab).await;
}
