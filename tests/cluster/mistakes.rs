//! What goes wrong by a person's hand: etcd emptied or set back, names given twice, addresses that
//! lead nowhere, a clock that is set.

use std::time::Duration;

use lab::RelayVersion;
use reqwest::Method;
use serde_json::{Value, json};

use super::admin::{SECRET, order};
use super::clock::SetClock;
use super::etcd::Etcd;
use super::eventually::eventually;
use super::laboratory::{laboratory, mail, switched, switches};
use super::monitor::{Monitor, environment};
use super::replicas::{LEASE, borrowed, leads, replica, settings, times_led};

const WITH_TOKENS: [(&str, &str); 3] = [
    ("SECRET_API", SECRET),
    ("API_READ", "open"),
    ("LOG_LEVEL", "info"),
];

/// Acknowledges pend00, which is down.
async fn acknowledge(monitor: &Monitor) {
    let text = Some(json!({"experiments": "pend00", "text": "motor ordered"}));
    let path = "/api/v2/acknowledgements";
    let (status, body) = order(monitor, Method::POST, path, text).await;
    assert_eq!(status, 201, "{body}");
}

/// Waits until this one has the acknowledgement.
async fn is_acknowledged(monitor: &Monitor, context: impl Fn() -> String) {
    let look = async || {
        let page = monitor.get("/api/v2/acknowledgements").await;
        (page["items"][0]["name"] == "pend00").then_some(())
    };
    eventually("the acknowledgement is there", context, look).await;
}

/// Two replicas, of which the first leads and has mailed and withdrawn pend00, which is
/// acknowledged. What is done to etcd then loses nothing.
async fn survives(harm: impl AsyncFnOnce(&mut Etcd, &str)) {
    let lab = laboratory(RelayVersion::V07, &["pend00", "spin00"]).await;
    let mut etcd = Etcd::start(&[]).await;
    let first = replica(&lab, &etcd, "first", &WITH_TOKENS).await;
    leads(&first, 1).await;
    let second = replica(&lab, &etcd, "second", &WITH_TOKENS).await;
    first.sees_well(&["pend00", "spin00"]).await;
    second.sees_well(&["pend00", "spin00"]).await;
    let before = etcd.save().await;
    leads(&first, 1).await;
    lab.power_off("pend00").expect("known");
    switched(&lab, "r-pend00", 1).await;
    mail(&lab, "pend00 is down", |mail| mail.text.contains("pend00")).await;
    acknowledge(&first).await;
    // Either may lead by now, and the other one takes up within a second what changes.
    is_acknowledged(&first, || first.tail()).await;
    is_acknowledged(&second, || second.tail()).await;
    let led = times_led(&first) + times_led(&second);
    let about_pend00 = || {
        let mails = lab.mail().mails();
        let about = mails.iter().filter(|mail| mail.text.contains("pend00"));
        about.count()
    };
    let mails = about_pend00();
    harm(&mut etcd, &before).await;
    let look = async || (times_led(&first) + times_led(&second) > led).then_some(());
    eventually("one leads again", || first.tail() + &second.tail(), look).await;
    tokio::time::sleep(LEASE).await;
    for monitor in [&first, &second] {
        let both = || [first.tail(), second.tail()].join("\n");
        is_acknowledged(monitor, both).await;
    }
    let there = etcd.keys("/labwatch/lab/state/").await;
    for key in ["acknowledgement/", "experiment/pend00", "notified/"] {
        assert!(there.iter().any(|it| it.contains(key)), "{key}: {there:?}");
    }
    assert_eq!(about_pend00(), mails, "nothing is mailed again");
    assert_eq!(switches(&lab, "r-pend00"), [false]);
    lab.power_on("pend00").expect("known");
    switched(&lab, "r-pend00", 2).await;
    first.stop("TERM", &lab).await;
    second.stop("TERM", &lab).await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
#[ignore = "needs etcd"]
async fn what_etcd_knew_is_there_again_after_all_keys_were_deleted() {
    survives(async |etcd, _| {
        etcd.ctl(&["del", "--prefix", "/labwatch/"])
            .await
            .expect("deleted");
    })
    .await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
#[ignore = "needs etcd"]
async fn what_etcd_knew_is_there_again_after_it_lost_its_disk() {
    survives(async |etcd, _| {
        etcd.kill().await;
        etcd.forget();
        etcd.start_again().await;
    })
    .await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
#[ignore = "needs etcd"]
async fn what_etcd_knew_is_there_again_after_it_was_set_back_to_a_snapshot() {
    survives(async |etcd, before| {
        etcd.kill().await;
        etcd.restore(before).await;
        etcd.start_again().await;
    })
    .await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
#[ignore = "needs etcd"]
async fn a_name_given_twice_and_an_address_that_leads_nowhere_are_said() {
    let lab = laboratory(RelayVersion::V07, &["pend00"]).await;
    let etcd = Etcd::start(&[]).await;
    // Nothing listens there.
    let nowhere = [
        WITH_TOKENS[0],
        WITH_TOKENS[1],
        ("CLUSTER_URL", "http://127.0.0.1:9"),
    ];
    let first = replica(&lab, &etcd, "watch1", &nowhere).await;
    leads(&first, 1).await;
    let second = replica(&lab, &etcd, "watch1", &WITH_TOKENS).await;
    for monitor in [&first, &second] {
        monitor
            .logs(&["another replica is called watch1 too, or has the same cluster_url: give each"])
            .await;
    }
    assert_eq!(times_led(&second), 0, "one of them leads all the same");
    let hold = Some(json!({"resource": "r-pend00", "reason": "exam"}));
    let (status, body) = order(&second, Method::POST, "/api/v2/holds", hold).await;
    assert_eq!(status, 503, "{body}");
    let detail = body["detail"].as_str().unwrap_or_default();
    assert!(detail.contains("does not answer"), "{body}");
    second
        .logs(&["cannot pass a command on to the leader"])
        .await;
    first.stop("TERM", &lab).await;
    second.stop("TERM", &lab).await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
#[ignore = "needs etcd"]
async fn a_clock_that_is_set_changes_no_lead() {
    let lab = laboratory(RelayVersion::V07, &["pend00"]).await;
    let etcd = Etcd::start(&[]).await;
    let clock = SetClock::new();
    let own = settings(&etcd, "first", &[]);
    let mut variables = environment(&lab, &borrowed(&own));
    variables.extend(clock.variables());
    let first = Monitor::start_with(variables).await;
    leads(&first, 1).await;
    let second = replica(&lab, &etcd, "second", &[]).await;
    first.sees_well(&["pend00"]).await;
    for hours in [7, -7] {
        clock.set(hours * 3_600);
        first
            .logs_times(&["clock was set"], if hours > 0 { 1 } else { 2 })
            .await;
        tokio::time::sleep(LEASE * 3).await;
        assert_eq!((times_led(&first), times_led(&second)), (1, 0), "{hours} h");
        let left = first.get("/api/v2/cluster").await["lease_left_seconds"].clone();
        let is_within = |left: f64| left > 0.0 && left <= LEASE.as_secs_f64();
        assert!(left.as_f64().is_some_and(is_within), "{left}");
    }
    clock.set(0);
    first.sees_well(&["pend00"]).await;
    lab.power_off("pend00").expect("known");
    switched(&lab, "r-pend00", 1).await;
    first.stop("TERM", &lab).await;
    leads(&second, 1).await;
    tokio::time::sleep(Duration::from_secs(2)).await;
    assert_eq!(switches(&lab, "r-pend00"), [false]);
    second.stop("TERM", &lab).await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
#[ignore = "needs etcd"]
async fn a_token_that_one_replica_revokes_is_refused_by_all_also_when_etcd_was_away() {
    let lab = laboratory(RelayVersion::V07, &["pend00"]).await;
    let mut etcd = Etcd::start(&[]).await;
    let first = replica(&lab, &etcd, "first", &WITH_TOKENS).await;
    leads(&first, 1).await;
    let second = replica(&lab, &etcd, "second", &WITH_TOKENS).await;
    let knows = async |monitor: &Monitor, id: &str| {
        let path = format!("/api/v2/tokens/{id}");
        let look = async || {
            let (status, _) = order(monitor, Method::GET, &path, None).await;
            (status == 200).then_some(())
        };
        eventually("the token is revoked here too", || monitor.tail(), look).await;
    };
    let revoke = async |monitor: &Monitor, id: &str| {
        let path = format!("/api/v2/tokens/{id}");
        let (status, body) = order(monitor, Method::DELETE, &path, None).await;
        assert_eq!((status, &body["kept"]), (200, &Value::Bool(true)), "{body}");
    };
    revoke(&second, "leaked1").await;
    knows(&first, "leaked1").await;
    etcd.kill().await;
    revoke(&second, "leaked2").await;
    etcd.start_again().await;
    knows(&first, "leaked2").await;
    // One that comes later knows both.
    let third = replica(&lab, &etcd, "third", &WITH_TOKENS).await;
    knows(&third, "leaked1").await;
    knows(&third, "leaked2").await;
    for monitor in [first, second, third] {
        monitor.stop("TERM", &lab).await;
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
#[ignore = "needs etcd"]
async fn two_laboratories_share_an_etcd_and_know_nothing_of_each_other() {
    let etcd = Etcd::start(&[]).await;
    let places = [[("LABEL", "north")], [("CLUSTER_ROOT", "/other/labs")]];
    let mut all = Vec::new();
    for place in &places {
        let lab = laboratory(RelayVersion::V07, &["pend00"]).await;
        let settings = [&WITH_TOKENS[..], place].concat();
        let monitor = replica(&lab, &etcd, "watch", &settings).await;
        leads(&monitor, 1).await;
        monitor.sees_well(&["pend00"]).await;
        all.push((lab, monitor));
    }
    all[0].0.power_off("pend00").expect("known");
    switched(&all[0].0, "r-pend00", 1).await;
    acknowledge(&all[0].1).await;
    // Their keys are apart, and each is sure to be alone.
    for (prefix, is_acknowledged) in [("/labwatch/north/", true), ("/other/labs/lab/", false)] {
        let there = etcd.keys(prefix).await;
        let has = |part: &str| there.iter().any(|key| key.contains(part));
        assert!(
            has("/leader/") && has("/state/experiment/pend00"),
            "{there:?}"
        );
        assert_eq!(has("/state/acknowledgement/"), is_acknowledged, "{there:?}");
    }
    let others = etcd.keys("/").await;
    let is_known =
        |key: &&String| key.starts_with("/labwatch/north/") || key.starts_with("/other/labs/lab/");
    assert_eq!(others.iter().find(|key| !is_known(key)), None);
    assert_eq!(switches(&all[1].0, "r-pend00"), [true; 0]);
    for (lab, monitor) in all {
        assert_eq!(times_led(&monitor), 1);
        let status = monitor.get("/status/cluster").await;
        let words = status["details"].as_str().unwrap_or_default();
        assert!(
            words.contains("cluster_root, label or etcd is another"),
            "{status}"
        );
        monitor.stop("TERM", &lab).await;
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
#[ignore = "needs etcd"]
async fn replicas_that_are_configured_otherwise_say_so() {
    let lab = laboratory(RelayVersion::V07, &["pend00"]).await;
    let etcd = Etcd::start(&[]).await;
    let first = replica(&lab, &etcd, "first", &WITH_TOKENS).await;
    leads(&first, 1).await;
    let other = [&WITH_TOKENS[..], &[("HOLD_OVERDUE", "3h")]].concat();
    let second = replica(&lab, &etcd, "second", &other).await;
    for (monitor, name) in [(&first, "second"), (&second, "first")] {
        let words = format!("{name} is configured otherwise (hold_overdue)");
        let look = async || {
            let status = monitor.get("/status/cluster").await;
            let details = status["details"].as_str().unwrap_or_default();
            details.contains(&words).then_some(())
        };
        eventually(&words, || monitor.tail(), look).await;
    }
    second.stop("TERM", &lab).await;
    let alike = replica(&lab, &etcd, "second", &WITH_TOKENS).await;
    let look = async || {
        let status = first.get("/status/cluster").await;
        let details = status["details"].as_str().unwrap_or_default();
        details.contains("would take over").then_some(())
    };
    eventually("both are alike", || first.tail(), look).await;
    alike.stop("TERM", &lab).await;
    first.stop("TERM", &lab).await;
}
