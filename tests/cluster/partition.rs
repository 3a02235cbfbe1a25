//! A leader that is cut off from etcd, in both directions or in one: another one leads after its
//! lease, and the one that was cut off acts on nothing until it is elected anew.

use std::time::Instant;

use lab::{Lab, RelayVersion};

use super::etcd::Etcd;
use super::eventually::eventually;
use super::laboratory::{laboratory, mail, switched, switches};
use super::monitor::Monitor;
use super::replicas::{LEADS_NO_MORE, LEASE, leads, replica, times_led};
use super::tcp_proxy::{Network, Way};

const ALL: [&str; 2] = ["pend00", "spin00"];

/// A replica with a network of its own to etcd.
async fn behind(lab: &Lab, etcd: &Etcd, name: &str) -> (Monitor, Network) {
    let mut network = Network::new();
    let port = network.lead_to(etcd.port()).await;
    let endpoints = format!("http://127.0.0.1:{port}");
    let settings = [("CLUSTER_ENDPOINTS", &*endpoints), ("LOG_LEVEL", "info")];
    (replica(lab, etcd, name, &settings).await, network)
}

/// How many mails say that pend00 is down.
fn down_mails(lab: &Lab) -> usize {
    let mails = lab.mail().mails();
    let down = mails
        .iter()
        .filter(|mail| mail.text.contains("pend00: down since"));
    down.count()
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
#[ignore = "needs etcd"]
async fn a_leader_that_is_cut_off_is_followed_after_its_lease_whichever_direction_is_cut() {
    let lab = laboratory(RelayVersion::V07, &ALL).await;
    let etcd = Etcd::start(&[]).await;
    let (first, of_first) = behind(&lab, &etcd, "first").await;
    leads(&first, 1).await;
    let (second, of_second) = behind(&lab, &etcd, "second").await;
    first.sees_well(&ALL).await;
    second.sees_well(&ALL).await;
    let both = [(&first, &of_first), (&second, &of_second)];
    let mut changes = 0;
    for (n, way) in [Way::CUT, Way::NO_ANSWERS, Way::NO_REQUESTS]
        .into_iter()
        .enumerate()
    {
        let ((leader, network), (other, _)) = (both[n % 2], both[(n + 1) % 2]);
        let (led, no_more) = (times_led(other), leader.lines(&[LEADS_NO_MORE]).len());
        network.set(way);
        let begun = Instant::now();
        let look = async || (times_led(other) > led).then_some(());
        let both = || [first.tail(), second.tail()].join("\n");
        eventually("another one leads", both, look).await;
        let took = begun.elapsed();
        println!("measured: {way:?}: the next one leads after {took:?}");
        assert!(took < LEASE * 4, "{took:?}");
        // Only the other replica handles what happens meanwhile.
        lab.power_off("pend00").expect("known");
        changes += 1;
        switched(&lab, "r-pend00", changes).await;
        let look = async || (down_mails(&lab) > n).then_some(());
        eventually("it is mailed", both, look).await;
        leader.logs_times(&[LEADS_NO_MORE], no_more + 1).await;
        network.set(Way::OPEN);
        lab.power_on("pend00").expect("known");
        changes += 1;
        switched(&lab, "r-pend00", changes).await;
        tokio::time::sleep(LEASE).await;
        assert_eq!(
            switches(&lab, "r-pend00"),
            [false, true].repeat(changes / 2)
        );
    }
    assert_eq!(down_mails(&lab), 3, "{:#?}", lab.mail().mails());
    first.stop("TERM", &lab).await;
    second.stop("TERM", &lab).await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
#[ignore = "needs etcd"]
async fn before_its_lease_ends_the_last_leader_mails_once_that_etcd_is_away() {
    let lab = laboratory(RelayVersion::V07, &ALL).await;
    let mut etcd = Etcd::start(&[]).await;
    let lease = [("CLUSTER_LEASE", "10s")];
    let first = replica(&lab, &etcd, "first", &lease).await;
    leads(&first, 1).await;
    let second = replica(&lab, &etcd, "second", &lease).await;
    first.sees_well(&ALL).await;
    second.sees_well(&ALL).await;
    etcd.kill().await;
    let said = mail(&lab, "etcd is away", |mail| mail.subject.contains("etcd")).await;
    assert!(
        said.subject
            .contains("nothing is switched or notified after"),
        "{}",
        said.subject
    );
    assert!(said.text.contains("as first sees it"), "{}", said.text);
    assert_eq!(
        first.lines(&[LEADS_NO_MORE]),
        [""; 0],
        "it led when it said so"
    );
    first.logs(&[LEADS_NO_MORE]).await;
    // No replica notifies anything else, whatever happens.
    lab.power_off("pend00").expect("known");
    first
        .sees("pend00", "is down", |it| it["health"] == "down")
        .await;
    tokio::time::sleep(LEASE * 2).await;
    assert_eq!(lab.mail().mails().len(), 1, "{:#?}", lab.mail().mails());
    etcd.start_again().await;
    switched(&lab, "r-pend00", 1).await;
    mail(&lab, "pend00 is down", |mail| {
        mail.text.contains("pend00: down")
    })
    .await;
    let about_etcd = lab.mail().mails();
    let about_etcd = about_etcd
        .iter()
        .filter(|mail| mail.subject.contains("etcd"));
    assert_eq!(about_etcd.count(), 1);
    first.stop("TERM", &lab).await;
    second.stop("TERM", &lab).await;
}
