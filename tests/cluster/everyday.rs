//! Days on which nothing happens, and laboratories that are large.

use std::time::Duration;

use lab::RelayVersion;

use super::etcd::Etcd;
use super::eventually::eventually;
use super::laboratory::{laboratory, mail, switched, switches};
use super::replicas::{leads, replica, times_led};

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
#[ignore = "needs etcd"]
async fn an_idle_cluster_stays_connected() {
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
    let outbox = "/labwatch/lab/state/outbox/";
    let look = async || etcd.keys(outbox).await.is_empty().then_some(());
    eventually("all is known to have arrived", || first.tail(), look).await;
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
