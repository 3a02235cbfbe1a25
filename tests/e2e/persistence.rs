//! What survives a restart: nothing that is known is notified again, nothing that was notified is
//! left without its end, and one folder has one master.

use std::time::Duration;

use lab::RelayVersion;
use reqwest::Method;
use serde_json::json;

use super::admin::{SECRET, order};
use super::disk::Disk;
use super::eventually::eventually;
use super::laboratory::{laboratory, mail, switched, switches};
use super::monitor::{Monitor, get, run};

const ALL: [&str; 3] = ["pend00", "spin00", "trus00"];

/// Killed without a warning while one is down and notified, off for a while, and started anew on
/// the same folder.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn after_a_kill_nothing_is_notified_again() {
    let lab = laboratory(RelayVersion::V07, &ALL).await;
    let folder = tempfile::tempdir().expect("a folder");
    let settings = [
        ("DATA_DIR", folder.path().to_str().expect("a name")),
        ("HEALTH_STARTUP", "1h"),
    ];
    let first = Monitor::start(&lab, &[settings[0]]).await;
    first.sees_well(&ALL).await;
    lab.stream_silent("pend00-st-data").expect("known");
    mail(&lab, "pend00 is down", |mail| {
        mail.subject.contains("down: pend00")
    })
    .await;
    first.logs(&[" sent\""]).await;
    let (history, of_spin, of_trus) = (
        first.history("pend00").await,
        first.history("spin00").await,
        first.history("trus00").await,
    );
    first.kill(&lab).await;

    let notified = lab.mail().mails().len();
    // A start-up grace of an hour shows that known experiments have none.
    let second = Monitor::start(&lab, &settings).await;
    let remembered = second.experiment("pend00").await;
    assert_eq!(
        (
            remembered["health"].as_str(),
            remembered["healthy"].as_bool()
        ),
        (Some("down"), Some(false))
    );
    assert_eq!(
        second.history("pend00").await,
        history,
        "the ring is as it was"
    );
    second.sees_well(&["spin00", "trus00"]).await;
    second
        .sees("pend00", "is withdrawn", |it| it["bookable"] == "withdrawn")
        .await;
    second
        .logs_times(
            &["experiments are ok"],
            second.lines(&["experiments are ok"]).len() + 8,
        )
        .await;
    assert_eq!(
        lab.mail().mails().len(),
        notified,
        "{:#?}",
        lab.mail().mails()
    );
    assert_eq!(
        switches(&lab, "r-pend00"),
        [false],
        "it stays withdrawn without a word"
    );
    assert_eq!(
        (
            second.history("spin00").await,
            second.history("trus00").await
        ),
        (of_spin, of_trus),
        "what is well goes on as it was"
    );

    lab.stream_back("pend00-st-data").expect("known");
    switched(&lab, "r-pend00", 2).await;
    mail(&lab, "pend00 is back", |mail| {
        mail.subject.contains("back: pend00")
    })
    .await;
    second.stop("TERM", &lab).await;
}

/// A mail that was decided but not sent when the process was killed is sent by the next one.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_mail_that_was_not_sent_before_a_kill_is_sent_after_it() {
    let lab = laboratory(RelayVersion::V07, &ALL).await;
    let folder = tempfile::tempdir().expect("a folder");
    let settings = [("DATA_DIR", folder.path().to_str().expect("a name"))];
    let first = Monitor::start(&lab, &settings).await;
    first.sees_well(&ALL).await;
    lab.mail().refuse().await;
    lab.power_off("pend00").expect("known");
    first.logs(&[" not sent: "]).await;
    first.kill(&lab).await;

    lab.mail().open_again().await.expect("the port is free");
    let second = Monitor::start(&lab, &settings).await;
    mail(&lab, "pend00 is down", |mail| {
        mail.subject.contains("down: pend00")
    })
    .await;
    second.stop("TERM", &lab).await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_folder_has_one_master() {
    let lab = laboratory(RelayVersion::V07, &ALL).await;
    let folder = tempfile::tempdir().expect("a folder");
    let settings = [("DATA_DIR", folder.path().to_str().expect("a name"))];
    let monitor = Monitor::start(&lab, &settings).await;
    let second = run(&["serve"], &lab, &settings).await;
    assert_eq!(second.status.code(), Some(3), "{}", second.said);
    assert!(
        second
            .said
            .contains(folder.path().to_str().expect("a name")),
        "{}",
        second.said
    );
    monitor.stop("TERM", &lab).await;
}

/// Without a folder it watches all the same, and logs that nothing is stored.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn without_a_folder_it_watches_all_the_same() {
    let lab = laboratory(RelayVersion::V07, &ALL).await;
    let monitor = Monitor::start(&lab, &[("DATA_DIR", "/dev/null/labwatch")]).await;
    monitor
        .logs(&["\"level\":\"ERROR\"", "nothing is kept for a restart"])
        .await;
    monitor.sees_well(&ALL).await;
    lab.power_off("pend00").expect("known");
    switched(&lab, "r-pend00", 1).await;
    monitor.stop("TERM", &lab).await;
}

/// The file is removed while it runs: a new one is begun with the current state, so that nothing is
/// notified again after the next restart.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_store_that_is_lost_while_it_runs_is_made_anew() {
    let lab = laboratory(RelayVersion::V07, &ALL).await;
    let folder = tempfile::tempdir().expect("a folder");
    let settings = [
        ("DATA_DIR", folder.path().to_str().expect("a name")),
        ("HEALTH_STARTUP", "1h"),
    ];
    let first = Monitor::start(&lab, &[settings[0]]).await;
    first.sees_well(&ALL).await;
    lab.stream_silent("pend00-st-data").expect("known");
    mail(&lab, "pend00 is down", |mail| {
        mail.subject.contains("down: pend00")
    })
    .await;
    first.logs(&[" sent\""]).await;
    let history = first.history("pend00").await;
    for file in ["labwatch.db", "labwatch.db-wal", "labwatch.db-shm"] {
        std::fs::remove_file(folder.path().join(file)).expect("removed");
    }
    lab.hold("r-trus00", "taken to the workshop")
        .expect("known");
    first
        .logs(&["a new data file is begun with the current state"])
        .await;
    first
        .sees("trus00", "is held", |it| it["bookable"] == "held")
        .await;
    checked(&lab, &settings, 0, "store ok").await;
    first.kill(&lab).await;

    let notified = lab.mail().mails().len();
    let second = Monitor::start(&lab, &settings).await;
    assert_eq!(
        second.history("pend00").await,
        history,
        "the ring is as it was"
    );
    second.sees_well(&["spin00"]).await;
    second
        .logs_times(
            &["experiments are ok"],
            second.lines(&["experiments are ok"]).len() + 8,
        )
        .await;
    assert_eq!(
        lab.mail().mails().len(),
        notified,
        "{:#?}",
        lab.mail().mails()
    );
    lab.stream_back("pend00-st-data").expect("known");
    mail(&lab, "pend00 is back", |mail| {
        mail.subject.contains("back: pend00")
    })
    .await;
    second.stop("TERM", &lab).await;
}

/// Checks the store beside the running service, and says when it is damaged; it writes
/// nothing.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn the_store_can_be_checked() {
    let lab = laboratory(RelayVersion::V07, &ALL).await;
    let folder = tempfile::tempdir().expect("a folder");
    let settings = [("DATA_DIR", folder.path().to_str().expect("a name"))];
    checked(&lab, &settings, 0, "nothing is kept yet").await;
    assert_eq!(
        std::fs::read_dir(folder.path()).expect("a folder").count(),
        0,
        "nothing is made"
    );
    let monitor = Monitor::start(&lab, &settings).await;
    monitor.sees_well(&ALL).await;
    checked(&lab, &settings, 0, "labwatch.db with ").await;
    monitor.stop("TERM", &lab).await;

    let file = folder.path().join("labwatch.db");
    let sound = std::fs::read(&file).expect("read");
    let damaged: Vec<u8> = sound
        .iter()
        .enumerate()
        .map(|(at, byte)| {
            if at > 8_192 && at % 4_096 < 64 {
                0xa5
            } else {
                *byte
            }
        })
        .collect();
    for bytes in [damaged, b"no database at all".repeat(100)] {
        std::fs::write(&file, &bytes).expect("written");
        checked(&lab, &settings, 1, "put a backup in its place").await;
        assert_eq!(
            std::fs::read(&file).expect("read"),
            bytes,
            "it is not touched"
        );
    }
    let skipped = run(&["check", "--no-memory"], &lab, &settings).await;
    assert_eq!(skipped.status.code(), Some(0), "{}", skipped.said);
}

async fn checked(lab: &lab::Lab, settings: &[(&str, &str)], code: i32, words: &str) {
    let checked = run(&["check"], lab, settings).await;
    assert!(
        checked.status.code() == Some(code) && checked.said.contains(words),
        "{}",
        checked.said
    );
}

/// The disk fills up while something breaks: decisions are carried out and notified, all readers
/// see the fault of the disk, and when there is room again nothing is lost. Needs the superuser.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
#[ignore = "needs the superuser; scripts/test.sh runs it"]
async fn a_full_disk_is_said_everywhere_and_stops_nothing() {
    let lab = laboratory(RelayVersion::V07, &ALL).await;
    let folder = tempfile::tempdir().expect("a folder");
    let Some(disk) = Disk::mount(folder.path(), "size=2m") else {
        return;
    };
    let settings = [
        ("DATA_DIR", folder.path().to_str().expect("a name")),
        ("SECRET_API", SECRET),
    ];
    let monitor = Monitor::start(&lab, &settings).await;
    monitor.sees_well(&ALL).await;
    let ballast = folder.path().join("ballast");
    assert!(
        std::fs::write(&ballast, vec![1_u8; 4 << 20]).is_err(),
        "the disk is full"
    );

    lab.stream_silent("pend00-st-data").expect("known");
    switched(&lab, "r-pend00", 1).await;
    mail(&lab, "pend00 is down", |mail| {
        mail.subject.contains("down: pend00")
    })
    .await;
    monitor
        .logs(&[
            "\"level\":\"ERROR\"",
            "the store cannot be written and is retried",
        ])
        .await;
    for (path, words) in [
        ("/status", "store"),
        ("/metrics", "labwatch_store_ok 0"),
        ("/readiness", "store"),
    ] {
        says(&monitor, path, words).await;
    }
    let body = json!({"experiments": "spin*", "until": jiff::Timestamp::now() + Duration::from_secs(3_600), "reason": "new cables"});
    let (status, notified) = order(&monitor, Method::POST, "/api/v2/silences", Some(body)).await;
    assert_eq!(
        (status, &notified["done"], &notified["kept"]),
        (201, &json!(true), &json!(false)),
        "{notified}"
    );

    // On a full disk a short write may still get through once.
    let again = ["the store is written again", "\"lost\":0"];
    let before = monitor.lines(&again).len();
    std::fs::remove_file(&ballast).expect("removed");
    monitor.logs_times(&again, before + 1).await;
    let notified = lab.mail().mails().len();
    monitor.kill(&lab).await;
    let again = Monitor::start(&lab, &settings).await;
    assert_eq!(
        again.suppressions().await.len(),
        1,
        "what was commanded meanwhile is kept"
    );
    again
        .sees("pend00", "is withdrawn", |it| it["bookable"] == "withdrawn")
        .await;
    again.logs_times(&["experiments are ok"], 4).await;
    assert_eq!(
        (lab.mail().mails().len(), switches(&lab, "r-pend00")),
        (notified, vec![false]),
        "nothing is notified again"
    );
    again.kill(&lab).await;
    drop(disk);
}

async fn says(monitor: &Monitor, path: &str, words: &str) {
    let look = async || {
        get(monitor.port(), path)
            .await
            .filter(|(_, body)| body.contains(words))
    };
    eventually(&format!("{path} says {words}"), || monitor.tail(), look).await;
}
