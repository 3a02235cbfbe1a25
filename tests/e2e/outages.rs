//! Servers that are there but report nothing: the kind of fault is reported; nothing is
//! switched; maintainers are notified once.

use std::time::Duration;

use lab::{Lab, Manifest, RelayVersion, Server};

use super::laboratory::{laboratory, mail, switched};
use super::monitor::Monitor;

const ALL: [&str; 3] = ["pend00", "spin00", "trus00"];

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_stuck_hub_is_distinguished_from_lost_experiments() {
    tokio::join!(
        stuck(RelayVersion::V07, Server::Jump),
        stuck(RelayVersion::V07, Server::Relay),
        stuck(RelayVersion::V08, Server::Relay)
    );
}

/// A relay that is stuck hands on nothing of any stream either: that must not be held against the
/// experiments.
async fn stuck(relay: RelayVersion, server: Server) {
    let lab = laboratory(relay, &ALL).await;
    // The canary notices a stuck relay too, and reports it.
    let monitor = Monitor::start(&lab, &[("CANARY", "off")]).await;
    monitor.sees_well(&ALL).await;
    let source = format!("\"source\":\"{server}\"");

    lab.mute(server, true).expect("can");
    let stopped = format!("the reports of {server} have stopped although the connection is open");
    monitor
        .logs(&[&source, "\"health\":\"down\"", &stopped])
        .await;
    monitor
        .logs(&[
            &source,
            "the connection is open but sends no report: reconnecting",
        ])
        .await;
    // An operator follows the advice in the text.
    let said = monitor.lines(&[&source, "reports are coming"]).len();
    lab.kill(server).await;
    lab.mute(server, false).expect("can");
    lab.start_again(server).await.expect("starts");
    monitor
        .logs_times(&[&source, "reports are coming"], said + 1)
        .await;
    monitor.sees_well(&ALL).await;
    for stub in ALL {
        let history = monitor.history(stub).await;
        assert!(
            history
                .iter()
                .all(|health| health == "ok" || health == "unknown"),
            "{stub}: {history:?}"
        );
    }
    assert_eq!(lab.switched(), []);
    monitor.stop("INT", &lab).await;
}

/// The longest test: what is mailed only after a minute, because servers are restarted and come
/// back within seconds.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn outages_that_last_are_mailed_once() {
    tokio::join!(
        mailed_once(
            Server::Jump,
            "jump accepts the connection but sends no reports: its hub is probably stuck; restart jump"
        ),
        mailed_once(
            Server::Book,
            "book gives an empty manifest: it has probably been restarted; upload the manifest"
        )
    );
}

async fn mailed_once(server: Server, words: &str) {
    let lab = laboratory(RelayVersion::V07, &ALL).await;
    let monitor = Monitor::start(&lab, &[]).await;
    monitor.sees_well(&ALL).await;
    match server {
        Server::Book => lab.upload(&Manifest::new()),
        Server::Jump | Server::Relay | Server::Mail | Server::Pages => {
            lab.mute(server, true).expect("can");
        }
    }
    lab.mail().wait_for(1, Duration::from_secs(90)).await;
    let is_said = |text: &str| text.to_lowercase().contains(words);
    mail(&lab, words, |mail| is_said(&mail.text)).await;
    assert_eq!(lab.switched(), []);
    end(&lab, server).await;
    mail(&lab, "that it has ended", |mail| {
        mail.text.contains("The problem was there from ")
    })
    .await;
    assert_eq!(lab.mail().mails().len(), 2, "{:#?}", lab.mail().mails());
    lab.power_off("pend00").expect("known");
    switched(&lab, "r-pend00", 1).await;
    monitor.stop("TERM", &lab).await;
}

async fn end(lab: &Lab, server: Server) {
    if server == Server::Book {
        return lab.upload_manifest();
    }
    lab.kill(server).await;
    lab.mute(server, false).expect("can");
    lab.start_again(server).await.expect("starts");
}
