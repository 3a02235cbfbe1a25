//! What etcd can do to a cluster: stand still, forget its history, be full, refuse. No replica acts
//! that cannot prove its lease, and all of it heals by itself.

use std::time::Duration;

use lab::RelayVersion;
use reqwest::Method;
use serde_json::json;

use super::admin::{SECRET, order};
use super::disk::Disk;
use super::etcd::Etcd;
use super::eventually::eventually;
use super::laboratory::{laboratory, mail, switched, switches};
use super::monitor::{get, kill};
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
async fn of_three_members_one_may_be_lost_and_without_two_none_acts() {
    let lab = laboratory(RelayVersion::V07, &["pend00", "spin00"]).await;
    let mut etcd = Etcd::three().await;
    let endpoints = etcd.each_ref().map(Etcd::url).join(", ");
    let all = [("CLUSTER_ENDPOINTS", endpoints.as_str())];
    let first = replica(&lab, &etcd[0], "first", &all).await;
    leads(&first, 1).await;
    let second = replica(&lab, &etcd[0], "second", &all).await;
    first.sees_well(&["pend00", "spin00"]).await;
    second.sees_well(&["pend00", "spin00"]).await;

    etcd[0].kill().await;
    lab.power_off("pend00").expect("known");
    switched(&lab, "r-pend00", 1).await;
    first.stop("TERM", &lab).await;
    leads(&second, 1).await;
    let led = times_led(&second);

    etcd[1].kill().await;
    second.logs(&[LEADS_NO_MORE]).await;
    lab.power_off("spin00").expect("known");
    second
        .sees("spin00", "is down", |it| it["health"] == "down")
        .await;
    tokio::time::sleep(LEASE).await;
    assert_eq!(switches(&lab, "r-spin00"), [true; 0]);
    etcd[1].spawn();
    leads(&second, led + 1).await;
    switched(&lab, "r-spin00", 1).await;
    assert_eq!(switches(&lab, "r-pend00"), [false]);
    second.stop("TERM", &lab).await;
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
    // While one hangs much happens, and etcd compacts the history.
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

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
#[ignore = "needs etcd, and the superuser"]
async fn a_leader_whose_disk_is_full_leads_on_and_hands_over_all_that_it_knows() {
    let lab = laboratory(RelayVersion::V07, &["pend00", "spin00"]).await;
    let etcd = Etcd::start(&[]).await;
    let folder = tempfile::tempdir().expect("a folder");
    let Some(disk) = Disk::mount(folder.path(), "size=2m") else {
        return;
    };
    let settings = [
        ("DATA_DIR", folder.path().to_str().expect("a name")),
        ("SECRET_API", SECRET),
        ("API_READ", "open"),
    ];
    let first = replica(&lab, &etcd, "first", &settings).await;
    leads(&first, 1).await;
    let second = replica(&lab, &etcd, "second", &settings[1..]).await;
    first.sees_well(&["pend00", "spin00"]).await;
    second.sees_well(&["pend00", "spin00"]).await;
    let ballast = std::fs::write(folder.path().join("ballast"), vec![1_u8; 4 << 20]);
    assert!(ballast.is_err(), "the disk is full");
    lab.power_off("pend00").expect("known");
    switched(&lab, "r-pend00", 1).await;
    mail(&lab, "pend00 is down", |mail| mail.text.contains("pend00")).await;
    first.logs(&["the store cannot be written"]).await;
    let until = jiff::Timestamp::now() + Duration::from_secs(3_600);
    let silence = json!({"experiments": "spin*", "until": until, "reason": "new cables"});
    let (status, body) = order(&first, Method::POST, "/api/v2/silences", Some(silence)).await;
    assert_eq!(status, 201, "{body}");
    let is_failing = async || {
        let (_, metrics) = get(first.port(), "/metrics").await?;
        metrics.contains("labwatch_store_ok 0").then_some(())
    };
    eventually("the store fails", || first.tail(), is_failing).await;
    assert_eq!((times_led(&first), times_led(&second)), (1, 0));
    let mails = lab.mail().mails().len();

    first.kill(&lab).await;
    leads(&second, 1).await;
    tokio::time::sleep(LEASE).await;
    assert_eq!(second.suppressions().await.len(), 1);
    assert_eq!(lab.mail().mails().len(), mails, "nothing is mailed again");
    assert_eq!(switches(&lab, "r-pend00"), [false]);
    lab.power_on("pend00").expect("known");
    switched(&lab, "r-pend00", 2).await;
    second.stop("TERM", &lab).await;
    drop(disk);
}
