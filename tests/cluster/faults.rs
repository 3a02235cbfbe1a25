//! What etcd can do to a cluster: stand still, forget its history, be full, refuse. No replica acts that cannot prove its lease, and all of it
//! heals by itself.

use std::time::Duration;

use lab::RelayVersion;

use super::etcd::Etcd;
use super::laboratory::{laboratory, mail, switched, switches};
use super::monitor::kill;
use super::replicas::{LEADS_NO_MORE, LEASE, leads, replica, times_led};

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
#[ignore = "needs etcd"]
async fn an_etcd_that_stands_still_ends_the_lead_and_goes_on_without_harm() {
    let lab = laboratory(RelayVersion::V07, &["pend00"]).await;
    let etcd = Etcd::start(&[]).await;
    let first = replica(&lab, &etcd, "first", &[]).await;
    leads(&first, 1).await;
    first.sees_well(&["pend00"]).await;
    etcd.freeze(true).await;
    first.logs(&[LEADS_NO_MORE]).await;
    lab.power_off("pend00").expect("known");
    first
        .sees("pend00", "is down", |it| it["health"] == "down")
        .await;
    tokio::time::sleep(LEASE).await;
    assert_eq!(switches(&lab, "r-pend00"), [true; 0]);
    etcd.freeze(false).await;
    leads(&first, 2).await;
    switched(&lab, "r-pend00", 1).await;
    first.stop("TERM", &lab).await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
#[ignore = "needs etcd"]
async fn a_leader_that_may_goes_on_alone_and_brings_what_it_did_into_etcd() {
    let lab = laboratory(RelayVersion::V07, &["pend00", "spin00"]).await;
    let mut etcd = Etcd::start(&[]).await;
    let alone = [("CLUSTER_ALONE", "act")];
    let first = replica(&lab, &etcd, "first", &alone).await;
    leads(&first, 1).await;
    let second = replica(&lab, &etcd, "second", &alone).await;
    first.sees_well(&["pend00", "spin00"]).await;
    etcd.kill().await;
    first.logs(&["goes on acting alone"]).await;
    lab.power_off("pend00").expect("known");
    switched(&lab, "r-pend00", 1).await;
    mail(&lab, "pend00 is down", |mail| mail.text.contains("pend00")).await;
    assert_eq!(times_led(&second), 0, "a follower never goes on alone");
    etcd.start_again().await;
    first.logs_times(&["this replica leads\""], 2).await;
    let mails = lab.mail().mails().len();
    tokio::time::sleep(LEASE).await;
    assert_eq!(switches(&lab, "r-pend00"), [false]);
    first.stop("TERM", &lab).await;
    leads(&second, 1).await;
    tokio::time::sleep(LEASE).await;
    assert_eq!(lab.mail().mails().len(), mails, "it knows what was mailed");
    lab.power_on("pend00").expect("known");
    switched(&lab, "r-pend00", 2).await;
    assert_eq!(switches(&lab, "r-pend00"), [false, true]);
    second.stop("TERM", &lab).await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
#[ignore = "needs etcd"]
async fn a_history_that_is_gone_is_read_anew() {
    let lab = laboratory(RelayVersion::V07, &["pend00"]).await;
    let etcd = Etcd::start(&[]).await;
    let first = replica(&lab, &etcd, "first", &[]).await;
    leads(&first, 1).await;
    let second = replica(&lab, &etcd, "second", &[]).await;
    second.sees_well(&["pend00"]).await;
    // While one stands still much happens, and etcd forgets how.
    kill("STOP", second.pid()).await;
    lab.power_off("pend00").expect("known");
    switched(&lab, "r-pend00", 1).await;
    tokio::time::sleep(Duration::from_secs(6)).await;
    let put = etcd
        .ctl(&["put", "/other", "1", "-w", "json"])
        .await
        .expect("written");
    let answer: serde_json::Value = serde_json::from_str(&put).expect("JSON");
    let revision = answer["header"]["revision"].to_string();
    etcd.ctl(&["compact", &revision]).await.expect("compacted");
    kill("CONT", second.pid()).await;
    second
        .sees("pend00", "is down", |it| it["health"] == "down")
        .await;
    first.stop("TERM", &lab).await;
    leads(&second, 1).await;
    lab.power_on("pend00").expect("known");
    switched(&lab, "r-pend00", 2).await;
    assert_eq!(switches(&lab, "r-pend00"), [false, true]);
    second.stop("TERM", &lab).await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
#[ignore = "needs etcd"]
async fn an_etcd_that_is_full_is_named_and_all_goes_on_when_it_is_not() {
    let lab = laboratory(RelayVersion::V07, &["pend00"]).await;
    let etcd = Etcd::start(&["--quota-backend-bytes", "200000"]).await;
    let first = replica(&lab, &etcd, "first", &[]).await;
    leads(&first, 1).await;
    first.sees_well(&["pend00"]).await;
    let much = "x".repeat(100_000);
    let mut full = false;
    for n in 0..20 {
        full = full
            || etcd
                .ctl(&["put", &format!("/fill/{n}"), &much])
                .await
                .is_err();
    }
    assert!(full, "it is full");
    lab.power_off("pend00").expect("known");
    first.logs(&[LEADS_NO_MORE, "NOSPACE"]).await;
    assert_eq!(
        switches(&lab, "r-pend00"),
        [true; 0],
        "nothing is committed"
    );
    etcd.ctl(&["del", "--prefix", "/fill/"])
        .await
        .expect("deleted");
    let put = etcd
        .ctl(&["get", "/fill", "-w", "json"])
        .await
        .expect("read");
    let answer: serde_json::Value = serde_json::from_str(&put).expect("JSON");
    let revision = answer["header"]["revision"].to_string();
    etcd.ctl(&["compact", &revision]).await.expect("compacted");
    etcd.ctl(&["defrag"]).await.expect("defragmented");
    etcd.ctl(&["alarm", "disarm"]).await.expect("disarmed");
    leads(&first, 2).await;
    switched(&lab, "r-pend00", 1).await;
    first.stop("TERM", &lab).await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
#[ignore = "needs etcd"]
async fn an_etcd_that_refuses_us_is_named_and_the_password_stays_hidden() {
    let lab = laboratory(RelayVersion::V07, &["pend00"]).await;
    let etcd = Etcd::start(&[]).await;
    let user = [
        ("CLUSTER_USER", "root"),
        ("CLUSTER_PASSWORD", "the-wr0ng-passw0rd"),
    ];
    etcd.ctl(&["user", "add", "root:the-r1ght-passw0rd"])
        .await
        .expect("added");
    etcd.ctl(&["user", "grant-role", "root", "root"])
        .await
        .expect("granted");
    etcd.ctl(&["auth", "enable"]).await.expect("enabled");
    let first = replica(&lab, &etcd, "first", &user).await;
    first.logs(&["etcd refuses us"]).await;
    first
        .sees("pend00", "is ok", |it| it["health"] == "ok")
        .await;
    assert_eq!(times_led(&first), 0);
    first.stop("TERM", &lab).await;
    let user = [user[0], ("CLUSTER_PASSWORD", "the-r1ght-passw0rd")];
    let first = replica(&lab, &etcd, "first", &user).await;
    leads(&first, 1).await;
    lab.power_off("pend00").expect("known");
    switched(&lab, "r-pend00", 1).await;
    first.stop("TERM", &lab).await;
}
