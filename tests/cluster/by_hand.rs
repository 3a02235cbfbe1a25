//! What a person does to etcd, or with it, while replicas run or before they do: keys deleted,
//! members that are no one etcd, rights that do not suffice, a state that is taken from the wrong
//! host.

use lab::RelayVersion;
use reqwest::Method;
use serde_json::{Value, json};

use super::admin::{SECRET, order};
use super::etcd::Etcd;
use super::eventually::eventually;
use super::laboratory::{laboratory, mail, switched};
use super::monitor::{Monitor, get, run};
use super::replicas::{borrowed, leads, replica, settings, times_led};

const WITH_TOKENS: [(&str, &str); 2] = [("SECRET_API", SECRET), ("API_READ", "open")];

const STATE: &str = "/labwatch/lab/state/";

/// The state of the cluster as this replica reports it, whatever the status of the response.
async fn details(monitor: &Monitor) -> String {
    let (_, body) = get(monitor.port(), "/status/cluster")
        .await
        .expect("an answer");
    let status: Value = serde_json::from_str(&body).expect("JSON");
    status["details"].as_str().unwrap_or_default().to_owned()
}

/// Waits until the state of the cluster, as this replica reports it, satisfies `is`.
async fn says(monitor: &Monitor, what: &str, is: impl Fn(&str) -> bool) {
    let look = async || is(&details(monitor).await).then_some(());
    eventually(what, || monitor.tail(), look).await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
#[ignore = "needs etcd"]
async fn what_another_hand_takes_from_the_state_the_leader_puts_back() {
    let lab = laboratory(RelayVersion::V07, &["pend00", "spin00"]).await;
    let etcd = Etcd::start(&[]).await;
    let first = replica(&lab, &etcd, "first", &WITH_TOKENS).await;
    leads(&first, 1).await;
    let second = replica(&lab, &etcd, "second", &WITH_TOKENS).await;
    second.sees_well(&["pend00", "spin00"]).await;
    lab.power_off("pend00").expect("known");
    switched(&lab, "r-pend00", 1).await;
    mail(&lab, "pend00 is down", |mail| mail.text.contains("pend00")).await;
    let text = Some(json!({"experiments": "pend00", "text": "motor ordered"}));
    let (status, body) = order(&first, Method::POST, "/api/v2/acknowledgements", text).await;
    assert_eq!(status, 201, "{body}");
    let later = format!("{STATE}quorum/room");
    etcd.ctl(&["put", &later, "{\"later\":1}"])
        .await
        .expect("written");
    for harm in [&["del", "--prefix", STATE][..], &["del", STATE]] {
        etcd.ctl(harm).await.expect("deleted");
        let look = async || {
            let keys = etcd.keys(STATE).await;
            let is_there = |kind: &str| keys.iter().any(|key| key.contains(kind));
            let kinds = ["acknowledgement/", "notified/", "experiment/spin00"];
            kinds.into_iter().all(is_there).then_some(())
        };
        eventually("all is there again", || first.tail(), look).await;
    }
    let mails = lab.mail().mails().len();
    first.kill(&lab).await;
    leads(&second, 1).await;
    tokio::time::sleep(std::time::Duration::from_secs(3)).await;
    let page = second.get("/api/v2/acknowledgements").await;
    assert_eq!(page["items"][0]["name"], "pend00", "{page}");
    assert_eq!(lab.mail().mails().len(), mails, "{:#?}", lab.mail().mails());
    second.stop("TERM", &lab).await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
#[ignore = "needs etcd"]
async fn members_that_were_started_alone_are_named_and_none_leads() {
    let lab = laboratory(RelayVersion::V07, &["pend00"]).await;
    let (etcd, other) = (Etcd::start(&[]).await, Etcd::start(&[]).await);
    let both = format!("{},{}", etcd.url(), other.url());
    let settings = [
        &settings(&etcd, "first", &[])[..],
        &[("CLUSTER_ENDPOINTS".to_owned(), both)],
    ]
    .concat();
    let checked = run(&["check", "--connect"], &lab, &borrowed(&settings)).await;
    assert_eq!(checked.status.code(), Some(1), "{}", checked.said);
    let words = "belong to different etcds: each was started alone";
    assert!(checked.said.contains(words), "{}", checked.said);
    let first = Monitor::start(&lab, &borrowed(&settings)).await;
    first.logs(&[words]).await;
    let said = "cluster_endpoints belong to different etcds; nothing is switched";
    says(&first, said, |details| details.contains(said)).await;
    tokio::time::sleep(std::time::Duration::from_secs(5)).await;
    assert_eq!(times_led(&first), 0);
    first.stop("TERM", &lab).await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
#[ignore = "needs etcd"]
async fn a_user_that_may_lead_and_not_commit_is_reported_while_it_leads() {
    let lab = laboratory(RelayVersion::V07, &["pend00"]).await;
    let etcd = Etcd::start(&[]).await;
    let below = "/labwatch/lab/";
    for arguments in [
        &["user", "add", "root:the-r1ght-passw0rd"][..],
        &["user", "grant-role", "root", "root"],
        &["user", "add", "labwatch:the-r1ght-passw0rd"],
        &["role", "add", "leads"],
        &[
            "role",
            "grant-permission",
            "--prefix",
            "leads",
            "read",
            below,
        ],
        &[
            "role",
            "grant-permission",
            "--prefix",
            "leads",
            "readwrite",
            "/labwatch/lab/leader",
        ],
        &["user", "grant-role", "labwatch", "leads"],
        &["auth", "enable"],
    ] {
        etcd.ctl(arguments).await.expect("done");
    }
    let user = [
        ("CLUSTER_USER", "labwatch"),
        ("CLUSTER_PASSWORD", "the-r1ght-passw0rd"),
    ];
    let first = replica(&lab, &etcd, "first", &user).await;
    leads(&first, 1).await;
    let refused = |details: &str| details.contains("etcd refuses us; nothing is switched");
    says(&first, "it is refused", refused).await;
    leads(&first, 3).await;
    for _ in 0..20 {
        let details = details(&first).await;
        assert!(refused(&details), "{details}");
        tokio::time::sleep(std::time::Duration::from_millis(100)).await;
    }
    first.stop("TERM", &lab).await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
#[ignore = "needs etcd"]
async fn a_state_that_is_longer_than_an_answer_usually_is_can_be_read() {
    let lab = laboratory(RelayVersion::V07, &["pend00"]).await;
    let etcd = Etcd::start(&[]).await;
    let text = format!("{{\"later\":\"{}\"}}", "x".repeat(100_000));
    for n in 0..50 {
        let key = format!("{STATE}quorum/{n}");
        etcd.ctl(&["put", &key, &text]).await.expect("written");
    }
    let first = replica(&lab, &etcd, "first", &WITH_TOKENS).await;
    leads(&first, 1).await;
    let second = replica(&lab, &etcd, "second", &WITH_TOKENS).await;
    says(&second, "it follows", |details| {
        details.contains("first leads")
    })
    .await;
    first.stop("TERM", &lab).await;
    leads(&second, 1).await;
    second.stop("TERM", &lab).await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
#[ignore = "needs etcd"]
async fn an_import_takes_nothing_away_unless_that_is_said() {
    let lab = laboratory(RelayVersion::V07, &["pend00"]).await;
    let etcd = Etcd::start(&[]).await;
    let first = replica(&lab, &etcd, "first", &WITH_TOKENS).await;
    leads(&first, 1).await;
    first.sees_well(&["pend00"]).await;
    let folder = tempfile::tempdir().expect("a folder");
    let data = ("DATA_DIR", folder.path().to_str().expect("a name"));
    let there = settings(&etcd, "second", &[data]);
    let import = async |more: &[&str]| {
        let arguments = [&["cluster", "import"], more].concat();
        run(&arguments, &lab, &borrowed(&there)).await
    };
    let refused = import(&["--replace"]).await;
    assert_eq!(refused.status.code(), Some(1), "{}", refused.said);
    assert!(refused.said.contains("first runs"), "{}", refused.said);
    first.stop("TERM", &lab).await;
    let keys = etcd.keys(STATE).await;
    let refused = import(&[]).await;
    assert_eq!(refused.status.code(), Some(1), "{}", refused.said);
    assert!(refused.said.contains("give --replace"), "{}", refused.said);
    assert_eq!(etcd.keys(STATE).await, keys);
    for _ in 0..2 {
        let imported = import(&["--replace"]).await;
        assert_eq!(imported.status.code(), Some(0), "{}", imported.said);
    }
    assert_eq!(etcd.keys(STATE).await, [""; 0]);
    let again = import(&[]).await;
    assert_eq!(again.status.code(), Some(0), "{}", again.said);
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
#[ignore = "needs etcd"]
async fn a_replica_that_is_gone_leaves_nothing_and_another_laboratory_is_reported() {
    let lab = laboratory(RelayVersion::V07, &["pend00"]).await;
    let other_lab = laboratory(RelayVersion::V07, &["spin00"]).await;
    let etcd = Etcd::start(&[]).await;
    let first = replica(&lab, &etcd, "first", &WITH_TOKENS).await;
    leads(&first, 1).await;
    let second = replica(&other_lab, &etcd, "second", &WITH_TOKENS).await;
    for (monitor, name) in [(&first, "second"), (&second, "first")] {
        let words = format!("{name} watches another laboratory");
        says(monitor, &words, |details| details.contains(&words)).await;
    }
    let rules = "/labwatch/lab/shared/rules/";
    let both = ["first", "second"].map(|name| format!("{rules}{name}"));
    assert_eq!(etcd.keys(rules).await, both);
    second.kill(&other_lab).await;
    let look = async || (etcd.keys(rules).await == both[..1]).then_some(());
    eventually("only the rules of one are left", || first.tail(), look).await;
    first.stop("TERM", &lab).await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
#[ignore = "needs etcd"]
async fn a_configuration_that_was_copied_whole_is_reported() {
    let lab = laboratory(RelayVersion::V07, &["pend00"]).await;
    let etcd = Etcd::start(&[]).await;
    let url = [("CLUSTER_URL", "http://127.0.0.1:9")];
    let first = replica(&lab, &etcd, "watch1", &url).await;
    leads(&first, 1).await;
    let second = replica(&lab, &etcd, "watch1", &url).await;
    let words = "another replica is called watch1 too, or has the same cluster_url";
    says(&first, words, |details| details.contains(words)).await;
    second.stop("TERM", &lab).await;
    let alone = "this replica is alone";
    says(&first, alone, |details| details.contains(alone)).await;
    // What it was in an earlier life is no other one.
    first.kill(&lab).await;
    let first = replica(&lab, &etcd, "watch1", &url).await;
    leads(&first, 1).await;
    assert_eq!(first.lines(&[words]), [""; 0]);
    first.stop("TERM", &lab).await;
}
