//! A restart of book is repaired; a book that does not answer blocks nothing.

use std::time::{Duration, Instant};

use lab::{Lab, Manifest, RelayVersion, Server};

use super::laboratory::{laboratory, switched, switches};
use super::monitor::Monitor;

const ALL: [&str; 3] = ["pend00", "spin00", "trus00"];

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn what_book_forgets_is_put_right() {
    let lab = laboratory(RelayVersion::V08, &ALL).await;
    let monitor = Monitor::start(&lab, &[]).await;
    monitor.sees_well(&ALL).await;
    lab.power_off("pend00").expect("known");
    switched(&lab, "r-pend00", 1).await;
    let reason = lab.availability("r-pend00");

    lab.upload_manifest();
    switched(&lab, "r-pend00", 2).await;
    lab.upload_bookings();
    switched(&lab, "r-pend00", 3).await;
    assert_eq!(
        lab.availability("r-pend00"),
        reason,
        "the reason is the same each time"
    );

    lab.kill(Server::Book).await;
    monitor.logs(&["polling book failed: cannot connect"]).await;
    lab.start_again(Server::Book).await.expect("starts");
    without_a_manifest(&monitor, &lab).await;
    lab.upload_manifest();
    switched(&lab, "r-pend00", 4).await;
    switched(&lab, "r-spin00", 1).await;

    lab.upload(&Manifest::new());
    monitor
        .logs_times(&["book gives an empty manifest"], 2)
        .await;
    lab.upload_manifest();
    switched(&lab, "r-pend00", 5).await;
    assert!(
        lab.switched().iter().all(|switch| !switch.available),
        "nothing was given back: {:?}",
        lab.switched()
    );
    assert_eq!(switches(&lab, "r-trus00"), [true; 0]);
    monitor.stop("TERM", &lab).await;
}

/// What was known is kept and shown; nothing is switched, although an experiment fails.
async fn without_a_manifest(monitor: &Monitor, lab: &Lab) {
    monitor
        .logs(&[
            "\"level\":\"ERROR\"",
            "book gives an empty manifest: upload it again",
        ])
        .await;
    lab.power_off("spin00").expect("known");
    let seen = monitor
        .sees("spin00", "is down", |it| it["health"] == "down")
        .await;
    assert_eq!(
        (seen["listed"].as_bool(), seen["resource_name"].as_str()),
        (Some(true), Some("r-spin00"))
    );
    monitor
        .logs_times(
            &["experiments are ok"],
            monitor.lines(&["experiments are ok"]).len() + 2,
        )
        .await;
    assert!(
        monitor.lines(&["withdraw r-spin00"]).is_empty(),
        "nothing is tried:\n{}",
        monitor.tail()
    );
}

/// A resource that an admin removes from the manifest is shown as unlisted and no longer switched.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn what_book_lists_no_more_is_let_go() {
    let lab = laboratory(RelayVersion::V07, &ALL).await;
    let monitor = Monitor::start(&lab, &[]).await;
    monitor.sees_well(&ALL).await;
    let mut manifest = lab.manifest();
    manifest.remove("r-pend00");
    lab.upload(&manifest);
    monitor
        .sees("pend00", "is unlisted", |it| {
            it["listed"] == false && it["resource_name"] == ""
        })
        .await;
    lab.power_off("pend00").expect("known");
    lab.power_off("spin00").expect("known");
    switched(&lab, "r-spin00", 1).await;
    lab.upload_manifest();
    switched(&lab, "r-pend00", 1).await;
    assert_eq!(
        lab.switched()
            .iter()
            .filter(|switch| switch.resource == "r-pend00")
            .count(),
        1
    );
    assert!(monitor.lines(&["book does not know"]).is_empty());
    monitor.stop("TERM", &lab).await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_book_that_hangs_or_fails_blocks_no_reader() {
    let lab = laboratory(RelayVersion::V07, &ALL).await;
    let monitor = Monitor::start(&lab, &[("TIMEOUT_BOOK", "5s")]).await;
    monitor.sees_well(&ALL).await;

    lab.freeze(Server::Book, true);
    lab.power_off("pend00").expect("known");
    let mut slowest = Duration::ZERO;
    loop {
        let begun = Instant::now();
        let seen = monitor.experiment("pend00").await;
        slowest = slowest.max(begun.elapsed());
        if seen["health"] == "down" {
            break;
        }
        tokio::time::sleep(Duration::from_millis(20)).await;
    }
    println!("measured: book frozen: the slowest answer of the API took {slowest:?}");
    assert!(
        slowest < Duration::from_secs(5),
        "it waits for book: {slowest:?}"
    );
    monitor
        .logs(&["polling book failed: no answer within the time limit"])
        .await;
    monitor
        .logs(&[
            "\"source\":\"book\"",
            "\"health\":\"late\"",
            "book cannot be read: no answer within the time limit",
        ])
        .await;
    lab.freeze(Server::Book, false);
    switched(&lab, "r-pend00", 1).await;

    lab.fail_book(true);
    lab.power_on("pend00").expect("known");
    monitor
        .logs(&["polling book failed: it answered 500"])
        .await;
    monitor
        .sees("pend00", "is ok but still withdrawn", |it| {
            it["health"] == "ok" && it["bookable"] == "withdrawn"
        })
        .await;
    lab.fail_book(false);
    switched(&lab, "r-pend00", 2).await;
    monitor.sees_well(&ALL).await;
    assert_eq!(switches(&lab, "r-pend00"), [false, true]);
    monitor.stop("TERM", &lab).await;
}
