//! One replica leads; when it stops, dies or freezes another goes on where it was, and nothing is
//! switched or mailed twice.

use std::time::Duration;

use lab::{Lab, RelayVersion, Server};

use super::etcd::Etcd;
use super::eventually::eventually;
use super::laboratory::{laboratory, mail, switched, switches};
use super::monitor::{Monitor, get, kill};
use super::replicas::{LEADS_NO_MORE, LEASE, leads, replica, times_led};
use super::tcp_proxy::{Network, Way};

const ALL: [&str; 3] = ["pend00", "spin00", "trus00"];

/// Two replicas, of which the first leads and has withdrawn pend00 and mailed that.
struct Pair {
    lab: Lab,
    etcd: Etcd,
    first: Monitor,
    second: Monitor,
}

async fn pair() -> Pair {
    let lab = laboratory(RelayVersion::V07, &ALL).await;
    let etcd = Etcd::start(&[]).await;
    let first = replica(&lab, &etcd, "first", &[]).await;
    leads(&first, 1).await;
    let second = replica(&lab, &etcd, "second", &[]).await;
    first.sees_well(&ALL).await;
    second.sees_well(&ALL).await;
    lab.power_off("pend00").expect("known");
    switched(&lab, "r-pend00", 1).await;
    mail(&lab, "pend00 is down", |mail| mail.text.contains("pend00")).await;
    // That it has arrived is known in etcd.
    first.logs(&["notified"]).await;
    Pair {
        lab,
        etcd,
        first,
        second,
    }
}

/// The leader goes on where the one before was: what it knew is not mailed again, what changes is
/// switched and mailed once.
async fn goes_on(lab: &Lab, leader: &Monitor) {
    let mails = lab.mail().mails().len();
    tokio::time::sleep(Duration::from_secs(3)).await;
    let again = lab.mail().mails();
    assert_eq!(again.len(), mails, "{again:#?}");
    assert_eq!(switches(lab, "r-pend00"), [false]);
    lab.power_off("spin00").expect("known");
    switched(lab, "r-spin00", 1).await;
    mail(lab, "spin00 is down", |mail| {
        mail.subject.contains("spin00") || mail.text.contains("spin00")
    })
    .await;
    lab.power_on("pend00").expect("known");
    lab.power_on("spin00").expect("known");
    switched(lab, "r-pend00", 2).await;
    switched(lab, "r-spin00", 2).await;
    leader.sees_well(&ALL).await;
    assert_eq!(switches(lab, "r-pend00"), [false, true]);
    assert_eq!(switches(lab, "r-spin00"), [false, true]);
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
#[ignore = "needs etcd"]
async fn a_leader_that_is_stopped_hands_over_at_once() {
    let Pair {
        lab,
        etcd,
        first,
        second,
    } = pair().await;
    assert_eq!(times_led(&second), 0);
    let (_, took) = tokio::join!(first.stop("TERM", &lab), leads(&second, 1));
    println!("measured: stopped: the next one leads after {took:?}");
    // It does not wait for the lease to end; how quick it is, is printed.
    assert!(took < LEASE, "{took:?}");
    goes_on(&lab, &second).await;
    assert_eq!(etcd.keys("/labwatch/lab/leader").await.len(), 1);
    second.stop("TERM", &lab).await;
    assert_eq!(etcd.keys("/labwatch/lab/leader").await, [""; 0]);
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
#[ignore = "needs etcd"]
async fn a_leader_that_dies_is_followed_after_its_lease() {
    let Pair {
        lab,
        etcd: _etcd,
        first,
        second,
    } = pair().await;
    let ((), took) = tokio::join!(first.kill(&lab), leads(&second, 1));
    println!("measured: killed: the next one leads after {took:?}");
    // A loaded machine may be late by as much again; how quick it is, is printed.
    assert!(took < LEASE * 3, "{took:?}");
    goes_on(&lab, &second).await;
    second.stop("TERM", &lab).await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
#[ignore = "needs etcd"]
async fn a_leader_that_was_frozen_sees_that_its_lease_is_over_before_it_acts() {
    let Pair {
        lab,
        etcd: _etcd,
        first,
        second,
    } = pair().await;
    let pid = first.pid();
    kill("STOP", pid).await;
    let took = leads(&second, 1).await;
    println!("measured: frozen: the next one leads after {took:?}");
    // Only the other replica handles what happens meanwhile.
    lab.power_off("spin00").expect("known");
    switched(&lab, "r-spin00", 1).await;
    kill("CONT", pid).await;
    first.logs(&[LEADS_NO_MORE]).await;
    tokio::time::sleep(LEASE).await;
    assert_eq!(switches(&lab, "r-spin00"), [false]);
    assert_eq!((times_led(&first), times_led(&second)), (1, 1));
    lab.power_on("spin00").expect("known");
    switched(&lab, "r-spin00", 2).await;
    second.stop("TERM", &lab).await;
    leads(&first, 2).await;
    assert_eq!(switches(&lab, "r-spin00"), [false, true]);
    first.stop("TERM", &lab).await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
#[ignore = "needs etcd"]
async fn without_etcd_all_observe_and_none_acts_until_it_is_back() {
    let Pair {
        lab,
        mut etcd,
        first,
        second,
    } = pair().await;
    etcd.kill().await;
    first.logs(&[LEADS_NO_MORE]).await;
    lab.power_off("spin00").expect("known");
    for monitor in [&first, &second] {
        monitor
            .sees("spin00", "is down", |it| it["health"] == "down")
            .await;
    }
    tokio::time::sleep(LEASE).await;
    assert_eq!(switches(&lab, "r-spin00"), [true; 0]);
    for monitor in [&first, &second] {
        let look = async || {
            let leader = &monitor.get("/api/v2/cluster").await["leader"];
            leader.is_null().then_some(())
        };
        eventually("no replica leads", || monitor.tail(), look).await;
        let (_, page) = get(monitor.port(), "/").await.expect("an answer");
        assert!(page.contains("No replica leads"), "{page}");
    }
    etcd.start_again().await;
    switched(&lab, "r-spin00", 1).await;
    tokio::time::sleep(LEASE).await;
    assert_eq!(switches(&lab, "r-spin00"), [false]);
    assert_eq!(switches(&lab, "r-pend00"), [false]);
    assert_eq!(times_led(&first) + times_led(&second), 2);
    first.stop("TERM", &lab).await;
    second.stop("TERM", &lab).await;
}

/// The Message-ID of the one message in flight, as stored in etcd.
async fn under_way(etcd: &Etcd, monitor: &Monitor) -> String {
    let look = async || {
        let kept = etcd.ctl(&["get", "--prefix", "--print-value-only", OUTBOX]);
        let kept: serde_json::Value = serde_json::from_str(&kept.await.ok()?).ok()?;
        let id = &kept["outbox"]["message"]["thread"]["id"];
        let at: jiff::Timestamp = id["at"].as_str()?.parse().ok()?;
        Some(format!("labwatch.{}.{}", at.as_nanosecond(), id["id"]))
    };
    eventually("a message is under way", || monitor.tail(), look).await
}

const OUTBOX: &str = "/labwatch/lab/state/outbox/";

/// Waits for so many mails, and gives their subjects and the ends of their Message-IDs.
async fn mailed(lab: &Lab, count: usize) -> Vec<(String, String)> {
    let look = async || {
        let mails = lab.mail().mails();
        let id = |raw: &str| {
            let rest = raw.split("Message-ID: <").nth(1)?;
            Some(rest.split('@').next()?.to_owned())
        };
        let each = mails.iter().map(|mail| {
            let id = id(&mail.raw).unwrap_or_default();
            (mail.subject.clone(), id)
        });
        (mails.len() >= count).then(|| each.collect())
    };
    let context = || format!("{:#?}", lab.mail().mails());
    eventually(&format!("{count} mails"), context, look).await
}

/// A laboratory, an etcd, and two replicas, of which the first leads and mails by way of this
/// network.
async fn mailing_by(network: &mut Network) -> Pair {
    let lab = laboratory(RelayVersion::V07, &ALL).await;
    let etcd = Etcd::start(&[]).await;
    let address = lab.address(Server::Mail);
    let (_, port) = address.rsplit_once(':').expect("a port");
    let port = network.lead_to(port.parse().expect("a port")).await;
    let port = port.to_string();
    // It waits for longer than the test does.
    let patient = ("EMAIL_TIMEOUT", "300s");
    let first = replica(&lab, &etcd, "first", &[patient, ("EMAIL_PORT", &port)]).await;
    leads(&first, 1).await;
    let second = replica(&lab, &etcd, "second", &[patient]).await;
    first.sees_well(&ALL).await;
    second.sees_well(&ALL).await;
    Pair {
        lab,
        etcd,
        first,
        second,
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
#[ignore = "needs etcd"]
async fn the_message_under_way_comes_as_it_was_and_then_the_news() {
    let mut network = Network::new();
    let Pair {
        lab,
        etcd,
        first,
        second,
    } = mailing_by(&mut network).await;
    network.set(Way::CUT);
    lab.power_off("pend00").expect("known");
    let id = under_way(&etcd, &first).await;
    lab.power_on("pend00").expect("known");
    second.sees_well(&["pend00"]).await;
    tokio::join!(first.kill(&lab), leads(&second, 1));
    let mails = mailed(&lab, 2).await;
    assert!(mails[0].0.contains("down: pend00"), "{mails:?}");
    assert!(mails[1].0.contains("back: pend00"), "{mails:?}");
    assert_eq!((&mails[0].1, mails.len()), (&id, 2), "{mails:?}");
    second.stop("TERM", &lab).await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
#[ignore = "needs etcd"]
async fn a_leader_that_was_frozen_while_it_mailed_sends_nothing_more() {
    let mut network = Network::new();
    let Pair {
        lab,
        etcd,
        first,
        second,
    } = mailing_by(&mut network).await;
    network.set(Way::CUT);
    lab.power_off("pend00").expect("known");
    let id = under_way(&etcd, &first).await;
    kill("STOP", first.pid()).await;
    leads(&second, 1).await;
    let mails = mailed(&lab, 1).await;
    assert_eq!(mails[0].1, id, "{mails:?}");
    // When it wakes the mail server's answers wait for it.
    network.set(Way::OPEN);
    tokio::time::sleep(Duration::from_secs(1)).await;
    kill("CONT", first.pid()).await;
    first.logs(&["a delivery is aborted"]).await;
    first.logs(&[LEADS_NO_MORE]).await;
    tokio::time::sleep(LEASE).await;
    assert_eq!(mailed(&lab, 1).await.len(), 1);
    first.stop("TERM", &lab).await;
    second.stop("TERM", &lab).await;
}
