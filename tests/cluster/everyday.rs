//! Days on which nothing happens, laboratories that are large, and a disk that is full.

use std::time::Duration;

use lab::RelayVersion;

use super::disk::Disk;
use super::etcd::Etcd;
use super::eventually::eventually;
use super::laboratory::{laboratory, mail, switched, switches};
use super::replicas::{leads, replica, times_led};

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
#[ignore = "needs etcd"]
async fn a_quiet_cluster_stays_connected() {
    let lab = laboratory(RelayVersion::V07, &["pend00"]).await;
    let etcd = Etcd::start(&[]).await;
    let first = replica(&lab, &etcd, "first", &[]).await;
    leads(&first, 1).await;
    let second = replica(&lab, &etcd, "second", &[]).await;
    second.sees_well(&["pend00"]).await;
    // etcd closes connections that ping too often, after three pings at the latest.
    tokio::time::sleep(Duration::from_secs(30)).await;
    for monitor in [&first, &second] {
        for said in ["cannot follow what stands in etcd", "is stood for again"] {
            assert_eq!(monitor.lines(&[said]), [""; 0]);
        }
    }
    assert_eq!((times_led(&first), times_led(&second)), (1, 0));
    first.stop("TERM", &lab).await;
    second.stop("TERM", &lab).await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
#[ignore = "needs etcd"]
async fn a_change_of_more_entries_than_a_transaction_takes_is_committed_in_parts() {
    let names: Vec<String> = (0..130).map(|n| format!("pend{n:03}")).collect();
    let all: Vec<&str> = names.iter().map(String::as_str).collect();
    let lab = laboratory(RelayVersion::V07, &all).await;
    let etcd = Etcd::start(&[]).await;
    let first = replica(&lab, &etcd, "first", &[("LOG_LEVEL", "info")]).await;
    leads(&first, 1).await;
    let second = replica(&lab, &etcd, "second", &[("LOG_LEVEL", "info")]).await;
    second.sees_well(&all).await;
    let experiments = "/labwatch/lab/state/experiment/";
    let look = async || (etcd.keys(experiments).await.len() == 130).then_some(());
    eventually("all are in etcd", || first.tail(), look).await;
    // A power cut of all but some, all at once.
    for name in &all[..120] {
        lab.power_off(name).expect("known");
    }
    for name in &all[..120] {
        switched(&lab, &format!("r-{name}"), 1).await;
    }
    mail(&lab, "a power cut", |mail| mail.text.contains("pend000")).await;
    first.logs(&["notified"]).await;
    let mails = lab.mail().mails().len();
    first.kill(&lab).await;
    leads(&second, 1).await;
    tokio::time::sleep(Duration::from_secs(3)).await;
    assert_eq!(lab.mail().mails().len(), mails, "{:#?}", lab.mail().mails());
    for name in &all[..120] {
        assert_eq!(switches(&lab, &format!("r-{name}")), [false], "{name}");
    }
    second.stop("TERM", &lab).await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
#[ignore = "needs etcd and the superuser"]
async fn a_leader_whose_disk_is_full_acts_all_the_same_and_is_followed() {
    let lab = laboratory(RelayVersion::V07, &["pend00", "spin00"]).await;
    let etcd = Etcd::start(&[]).await;
    let folder = tempfile::tempdir().expect("a folder");
    let Some(_disk) = Disk::mount(folder.path(), "size=2m") else {
        return;
    };
    let data = folder.path().to_str().expect("a name").to_owned();
    let first = replica(&lab, &etcd, "first", &[("DATA_DIR", &data)]).await;
    leads(&first, 1).await;
    let second = replica(&lab, &etcd, "second", &[]).await;
    first.sees_well(&["pend00", "spin00"]).await;
    second.sees_well(&["pend00", "spin00"]).await;
    let full = std::fs::write(folder.path().join("full"), vec![0; 3 << 20]);
    assert!(full.is_err(), "it is full");
    lab.power_off("pend00").expect("known");
    switched(&lab, "r-pend00", 1).await;
    mail(&lab, "pend00 is down", |mail| {
        mail.text.contains("pend00: down")
    })
    .await;
    first
        .logs(&["\"component\":\"store\",\"state\":\"error\""])
        .await;
    assert_eq!(times_led(&second), 0);
    first.logs(&["notified"]).await;
    first.kill(&lab).await;
    leads(&second, 1).await;
    lab.power_on("pend00").expect("known");
    switched(&lab, "r-pend00", 2).await;
    let mails = lab.mail().mails();
    let down = mails
        .iter()
        .filter(|mail| mail.text.contains("pend00: down since"));
    assert_eq!(down.count(), 1, "{mails:#?}");
    second.stop("TERM", &lab).await;
}
