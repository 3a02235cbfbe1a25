//! Servers that do not let the program in: each reason has words of its own, nothing crashes, and
//! all goes well once it is put right.

use lab::{Audiences, Lab, RelayVersion, Server};

use super::laboratory::{laboratory, plan, switched};
use super::monitor::Monitor;

const ALL: [&str; 2] = ["pend00", "spin00"];

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn wrong_secrets_are_named_and_mended() {
    let lab = laboratory(RelayVersion::V07, &ALL).await;
    for server in [Server::Book, Server::Jump, Server::Relay] {
        lab.set_secret(server, "an0ther-s3cr3t").expect("can");
    }
    let monitor = Monitor::start(&lab, &[]).await;
    for (server, what) in [
        ("book", "polling book failed"),
        ("jump", "cannot subscribe"),
        ("relay", "cannot subscribe"),
    ] {
        let source = format!("\"source\":\"{server}\"");
        let line = monitor
            .logs(&[
                "\"level\":\"ERROR\"",
                &source,
                "\"fault\":\"credentials\"",
                what,
            ])
            .await;
        assert!(
            line.contains("check the secret and that the clocks agree"),
            "{line}"
        );
    }
    assert!(monitor.experiments().await.is_empty());
    let plan = lab.plan().secrets.clone();
    for (server, secret) in [
        (Server::Book, &plan.book),
        (Server::Jump, &plan.jump),
        (Server::Relay, &plan.relay),
    ] {
        lab.set_secret(server, secret).expect("can");
    }
    monitor.sees_well(&ALL).await;
    assert_eq!(lab.switched(), []);
    monitor.stop("TERM", &lab).await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn wrong_audiences_are_named_and_the_right_ones_work() {
    let called = |name: &str| Some(format!("https://lab.example/ed0/{name}"));
    let audiences = Audiences {
        book: called("book"),
        jump: called("jump"),
        relay: called("access"),
    };
    let lab = Lab::start(lab::Plan {
        audiences,
        ..plan(RelayVersion::V08, &ALL)
    })
    .await
    .expect("a laboratory");
    let wrong = Monitor::start(&lab, &[]).await;
    for server in ["book", "jump", "relay"] {
        let line = wrong
            .logs(&[
                "\"level\":\"ERROR\"",
                &format!("\"source\":\"{server}\""),
                "\"fault\":\"audience\"",
            ])
            .await;
        assert!(
            line.contains("our audience is not the server's own"),
            "{line}"
        );
    }
    wrong.stop("TERM", &lab).await;

    let mut settings = Vec::new();
    for (server, name) in [
        (Server::Book, "BOOK"),
        (Server::Jump, "JUMP"),
        (Server::Relay, "RELAY"),
    ] {
        settings.push((format!("AUDIENCE_{name}"), lab.audience(server).to_owned()));
        settings.push((format!("URL_{name}"), lab.address(server)));
    }
    let settings: Vec<(&str, &str)> = settings
        .iter()
        .map(|(name, value)| (name.as_str(), value.as_str()))
        .collect();
    let right = Monitor::start(&lab, &settings).await;
    right.sees_well(&ALL).await;
    right.stop("TERM", &lab).await;
}

/// No server is running when the program starts; the servers come one after another.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn servers_that_are_not_there_are_waited_for() {
    let lab = laboratory(RelayVersion::V08, &ALL).await;
    for server in [Server::Relay, Server::Jump, Server::Book] {
        lab.kill(server).await;
    }
    let monitor = Monitor::start(&lab, &[]).await;
    for source in ["relay", "jump"] {
        monitor
            .logs(&[
                &format!("\"source\":\"{source}\""),
                "\"fault\":\"refused\"",
                "cannot subscribe: cannot connect",
            ])
            .await;
    }
    monitor.logs(&["polling book failed: cannot connect"]).await;
    lab.start_again(Server::Book).await.expect("starts");
    lab.upload_manifest();
    monitor
        .sees("pend00", "is listed but not evaluated", |it| {
            it["listed"] == true && it["health"] == "unknown"
        })
        .await;
    for server in [Server::Jump, Server::Relay] {
        lab.start_again(server).await.expect("starts");
    }
    monitor.sees_well(&ALL).await;
    assert_eq!(
        lab.switched(),
        [],
        "no experiment is evaluated by the absence of the servers"
    );
    monitor.stop("TERM", &lab).await;
}

/// Access is refused while the connection stands: nothing happens. Then the connection is lost too.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn refused_access_and_a_denied_booking() {
    let lab = laboratory(RelayVersion::V07, &ALL).await;
    let monitor = Monitor::start(&lab, &[]).await;
    monitor.sees_well(&ALL).await;
    lab.refuse(Server::Relay, true).await.expect("can");
    lab.deny_booking("labwatch");
    monitor
        .logs(&["\"source\":\"relay\"", "connection lost: "])
        .await;
    monitor
        .logs(&["\"source\":\"relay\"", "cannot subscribe: cannot connect"])
        .await;
    lab.refuse(Server::Relay, false).await.expect("can");
    monitor
        .logs(&[
            "\"source\":\"relay\"",
            "\"fault\":\"forbidden\"",
            "cannot subscribe: ",
        ])
        .await;
    monitor
        .sees("pend00", "is not evaluated", |it| it["health"] == "unknown")
        .await;
    assert_eq!(lab.switched(), []);
    lab.kill(Server::Relay).await;
    lab.start_again(Server::Relay).await.expect("starts");
    monitor.sees_well(&ALL).await;
    lab.power_off("pend00").expect("known");
    switched(&lab, "r-pend00", 1).await;
    monitor.stop("TERM", &lab).await;
}
