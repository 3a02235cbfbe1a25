//! relay and jump are killed and started again, as happens every day in a real laboratory: nothing
//! is withdrawn because of it, and what a person holds is left alone all the while.

use std::time::Duration;

use jiff::{SignedDuration, Timestamp};
use lab::{Lab, RelayVersion, Server};
use serde_json::Value;

use super::laboratory::{laboratory, switched};
use super::monitor::Monitor;

const ALL: [&str; 4] = ["pend00", "spin00", "trus00", "pend01"];

/// Longer than the settle time of the tests, so that absence would count.
const SETTLED: SignedDuration = SignedDuration::from_secs(8);

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn restarts_withdraw_nothing() {
    tokio::join!(
        restarts(RelayVersion::V07, Server::Relay, Server::Jump),
        restarts(RelayVersion::V08, Server::Relay, Server::Jump),
        restarts(RelayVersion::V08, Server::Jump, Server::Relay)
    );
}

async fn restarts(relay: RelayVersion, long: Server, short: Server) {
    let lab = laboratory(relay, &ALL).await;
    lab.hold("r-pend00", "maintenance until Friday")
        .expect("known");
    let monitor = Monitor::start(&lab, &[]).await;
    monitor.sees_well(&["spin00", "trus00", "pend01"]).await;
    lab.hold("r-spin00", "reserved for the open day")
        .expect("known");

    killed_for_long(&monitor, &lab, long).await;
    killed_and_started_at_once(&monitor, &lab, short).await;
    held(&monitor).await;
    assert_eq!(lab.switched(), [], "a restart switches nothing");

    // The same absence counts when it is the experiment's own, but not against a person's word.
    for stub in ["pend00", "spin00", "trus00"] {
        lab.power_off(stub).expect("known");
    }
    switched(&lab, "r-trus00", 1).await;
    for stub in ["pend00", "spin00"] {
        monitor
            .sees(stub, "is down and held", |it| {
                it["health"] == "down" && it["bookable"] == "held"
            })
            .await;
        lab.power_on(stub).expect("known");
    }
    monitor
        .sees("spin00", "is ok and held", |it| {
            it["health"] == "ok" && it["bookable"] == "held"
        })
        .await;
    lab.power_on("trus00").expect("known");
    switched(&lab, "r-trus00", 2).await;
    assert!(
        lab.switched()
            .iter()
            .all(|switch| switch.resource == "r-trus00"),
        "{:?}",
        lab.switched()
    );
    assert_eq!(
        lab.availability("r-pend00"),
        Some((false, "maintenance until Friday".to_owned()))
    );
    monitor.stop("TERM", &lab).await;
}

/// The server is away until that is seen.
async fn killed_for_long(monitor: &Monitor, lab: &Lab, server: Server) {
    let (source, begun) = (format!("\"source\":\"{server}\""), Timestamp::now());
    lab.kill(server).await;
    monitor.logs(&[&source, "connection lost"]).await;
    monitor.logs(&[&source, "\"health\":\"down\""]).await;
    let seen = |it: &Value| {
        if server == Server::Jump {
            it["jump"] == "unknown"
        } else {
            it["health"] == "unknown"
        }
    };
    for stub in ALL {
        monitor
            .sees(stub, "is not evaluated while the source is down", seen)
            .await;
    }
    println!(
        "measured: {server} killed: said after {:.2} s",
        Timestamp::now().duration_since(begun).as_secs_f64()
    );
    let said = monitor.lines(&[&source, "reports are coming"]).len();
    lab.start_again(server).await.expect("starts");
    monitor
        .logs_times(&[&source, "reports are coming"], said + 1)
        .await;
    settled(monitor, server, Timestamp::now()).await;
}

/// The server is back before more than a lost connection is noticed.
async fn killed_and_started_at_once(monitor: &Monitor, lab: &Lab, server: Server) {
    let source = format!("\"source\":\"{server}\"");
    let said = monitor.lines(&[&source, "reports are coming"]).len();
    lab.kill(server).await;
    lab.start_again(server).await.expect("starts");
    monitor
        .logs_times(&[&source, "reports are coming"], said + 1)
        .await;
    settled(monitor, server, Timestamp::now()).await;
}

/// Waits until every experiment has been in the reports for longer than absence is excused, and
/// checks that none was ever called bad.
async fn settled(monitor: &Monitor, server: Server, back: Timestamp) {
    let field = if server == Server::Jump {
        "last_checked_jump"
    } else {
        "last_checked_streams"
    };
    let long_after = |it: &Value| {
        let seen = it[field]
            .as_str()
            .and_then(|time| time.parse::<Timestamp>().ok());
        seen.is_some_and(|seen| seen.duration_since(back) > SETTLED) && it["health"] == "ok"
    };
    for stub in ALL {
        monitor
            .sees(stub, "is ok long after the restart", long_after)
            .await;
        let history = monitor.history(stub).await;
        assert!(
            history
                .iter()
                .all(|health| health == "ok" || health == "unknown"),
            "{stub}: {history:?}"
        );
    }
}

async fn held(monitor: &Monitor) {
    for (stub, reason) in [
        ("pend00", "maintenance until Friday"),
        ("spin00", "reserved for the open day"),
    ] {
        let seen = monitor.experiment(stub).await;
        assert_eq!(
            (seen["bookable"].as_str(), seen["reason"].as_str()),
            (Some("held"), Some(reason)),
            "{stub}"
        );
        monitor.logs(&["is held by a person", reason]).await;
    }
}

/// The connection is renewed on schedule, the new one before the old one is closed: no report is
/// missed, and there is no event.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn connections_are_renewed_unnoticed() {
    let lab = laboratory(RelayVersion::V07, &ALL).await;
    let monitor = Monitor::start(
        &lab,
        &[
            ("RECONNECT_RELAY_EVERY", "10s"),
            ("RECONNECT_JUMP_EVERY", "10s"),
        ],
    )
    .await;
    monitor.sees_well(&ALL).await;
    let mut fewest = [usize::MAX; 2];
    let begun = tokio::time::Instant::now();
    while begun.elapsed() < Duration::from_secs(14) {
        for (fewest, server) in fewest.iter_mut().zip([Server::Relay, Server::Jump]) {
            *fewest = (*fewest).min(lab.listeners(server));
        }
        tokio::time::sleep(Duration::from_millis(5)).await;
    }
    for source in ["relay", "jump"] {
        monitor
            .logs_times(
                &[&format!("\"source\":\"{source}\""), "reports are coming"],
                2,
            )
            .await;
    }
    assert_eq!(fewest, [1, 1], "there is always a connection");
    assert!(monitor.lines(&["connection lost"]).is_empty());
    for stub in ALL {
        let history = monitor.history(stub).await;
        assert!(history.len() <= 1, "{stub}: {history:?}");
    }
    monitor.stop("TERM", &lab).await;
}
