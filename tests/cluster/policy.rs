//! The policy in etcd, as a person changes it there with etcdctl: what that does to `/__health`,
//! `/__gtg` and book, what labwatch writes back, and what an etcd that is away or a value that is
//! wrong changes.

use std::time::{Duration, Instant};

use axum::http::StatusCode;
use axum::{Router, routing};
use lab::{Lab, RelayVersion};
use reqwest::Method;
use serde_json::{Value, json};
use tokio::net::TcpListener;
use tokio::task::JoinSet;

use super::admin::{SECRET, order};
use super::etcd::Etcd;
use super::eventually::eventually;
use super::laboratory::{laboratory, switched, switches};
use super::monitor::{Monitor, get};
use super::replicas::{leads, replica};

const ACKS: &str = "/ft/healthcheck/";
const CATEGORIES: &str = "/ft/healthcheck-categories/";
const CLUSTER_ACK: &str = "/ft/config/aggregate-healthcheck/cluster-ack";

/// The category that a fault closes, and whose experiments are then kept withdrawn.
const STICKY: &str =
    "[[category]]\nname = \"exam\"\nmatch = [\"pend*\"]\nsticky = true\nsticky_booking = true\n";

/// A labwatch that is alone, with its policy in this etcd.
async fn with_policy(lab: &Lab, etcd: &Etcd, more: &[(&str, &str)]) -> Monitor {
    let endpoints = etcd.url();
    let own = [
        ("POLICY", "etcd"),
        ("CLUSTER_ENDPOINTS", &*endpoints),
        ("SECRET_API", SECRET),
        ("API_READ", "open"),
    ];
    Monitor::start(lab, &[&own[..], more].concat()).await
}

async fn put(etcd: &Etcd, key: &str, value: &str) {
    etcd.ctl(&["put", key, value]).await.expect("written");
}

async fn delete(etcd: &Etcd, key: &str) {
    etcd.ctl(&["del", key]).await.expect("deleted");
}

/// The status of `/__gtg` for a category.
async fn gtg(monitor: &Monitor, category: &str) -> u16 {
    let answer = get(monitor.port(), &format!("/__gtg?categories={category}")).await;
    answer.expect("it answers").0
}

/// Waits until `/__gtg` for a category has this status, and returns how long that took.
async fn gtg_is(monitor: &Monitor, category: &str, status: u16) -> Duration {
    let begun = Instant::now();
    let look = async || (gtg(monitor, category).await == status).then_some(());
    let what = format!("/__gtg of {category} is {status}");
    eventually(&what, || monitor.tail(), look).await;
    println!(
        "measured: {what} after {:.2} s",
        begun.elapsed().as_secs_f64()
    );
    begun.elapsed()
}

/// The check of this name in `/__health`, and the whole, as one with a token reads it: texts of
/// acknowledgements are not public.
async fn health(monitor: &Monitor, name: &str) -> (Value, Value) {
    let (status, whole) = order(monitor, Method::GET, "/__health", None).await;
    assert_eq!(status, 200, "{whole}");
    let checks = whole["checks"].as_array().expect("a list");
    let check = checks.iter().find(|check| check["name"] == name);
    (check.cloned().unwrap_or_default(), whole.clone())
}

async fn healthy(monitor: &Monitor, what: &str, name: &str, is: impl Fn(&Value, &Value) -> bool) {
    let look = async || {
        let (check, whole) = health(monitor, name).await;
        is(&check, &whole).then_some(())
    };
    eventually(what, || monitor.tail(), look).await;
}

/// Waits until the details of the component `policy` are as `is` wants them.
async fn policy(monitor: &Monitor, what: &str, is: impl Fn(&str) -> bool) {
    let look = async || {
        let status = monitor.get("/status/policy").await;
        is(status["details"].as_str().unwrap_or_default()).then_some(())
    };
    eventually(what, || monitor.tail(), look).await;
}

/// Waits until a key has this value.
async fn stands(etcd: &Etcd, monitor: &Monitor, key: &str, value: &str) {
    let look = async || {
        let found = etcd.ctl(&["get", "--print-value-only", key]).await;
        (found.ok()?.trim() == value).then_some(())
    };
    eventually(&format!("{key} is {value}"), || monitor.tail(), look).await;
}

/// A file with these tables, and the setting that names it.
fn file(text: &str) -> (tempfile::TempDir, String) {
    let folder = tempfile::tempdir().expect("a folder");
    let path = folder.path().join("labwatch.toml");
    std::fs::write(&path, text).expect("written");
    let path = path.to_str().expect("text").to_owned();
    (folder, path)
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
#[ignore = "needs etcd"]
async fn an_acknowledgement_holds_while_its_key_is_there() {
    let lab = laboratory(RelayVersion::V07, &["pend00", "spin00"]).await;
    let etcd = Etcd::start(&[]).await;
    let monitor = with_policy(&lab, &etcd, &[]).await;
    monitor.sees_well(&["pend00", "spin00"]).await;
    let ack = format!("{ACKS}pend00/ack");
    put(&etcd, &ack, "replacing the motor").await;
    let acknowledged = |check: &Value, whole: &Value| {
        let text = check["ack"].as_str().unwrap_or_default();
        text.ends_with("replacing the motor") && whole["ok"] == true
    };
    healthy(
        &monitor,
        "it is acknowledged while it is well",
        "pend00",
        acknowledged,
    )
    .await;

    // It fails: that counts for nothing, book is switched all the same, and there is no mail about
    // it.
    lab.power_off("pend00").expect("known");
    switched(&lab, "r-pend00", 1).await;
    healthy(
        &monitor,
        "it is bad and acknowledged",
        "pend00",
        |check, whole| check["ok"] == false && acknowledged(check, whole),
    )
    .await;
    assert_eq!(gtg(&monitor, "default").await, 200);
    tokio::time::sleep(Duration::from_secs(3)).await;
    let mails = lab.mail().mails();
    assert!(
        mails
            .iter()
            .all(|mail| !mail.text.contains("pend00: down since")),
        "{mails:?}"
    );

    delete(&etcd, &ack).await;
    gtg_is(&monitor, "default", 503).await;
    healthy(
        &monitor,
        "it is not acknowledged",
        "pend00",
        |check, whole| check["ack"].is_null() && whole["ok"] == false,
    )
    .await;

    // The whole laboratory: /__health turns ok, /__gtg does not.
    put(&etcd, CLUSTER_ACK, "the lab moves today").await;
    healthy(&monitor, "all is acknowledged", "pend00", |_, whole| {
        let description = whole["description"].as_str().unwrap_or_default();
        whole["ok"] == true && description.contains("the lab moves today")
    })
    .await;
    assert_eq!(gtg(&monitor, "default").await, 503);
    delete(&etcd, CLUSTER_ACK).await;
    healthy(&monitor, "nothing is acknowledged", "pend00", |_, whole| {
        whole["ok"] == false
    })
    .await;
    monitor.stop("TERM", &lab).await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
#[ignore = "needs etcd"]
async fn a_category_is_closed_and_opened_by_its_key() {
    let lab = laboratory(RelayVersion::V07, &["pend00", "spin00"]).await;
    let etcd = Etcd::start(&[]).await;
    let monitor = with_policy(&lab, &etcd, &[]).await;
    monitor.sees_well(&["pend00", "spin00"]).await;
    gtg_is(&monitor, "pend", 200).await;
    let enabled = format!("{CATEGORIES}pend/enabled");
    put(&etcd, &enabled, "false").await;
    gtg_is(&monitor, "pend", 503).await;
    assert_eq!(
        gtg(&monitor, "spin").await,
        200,
        "the others are as they were"
    );
    put(&etcd, &enabled, "maybe").await;
    policy(&monitor, "the wrong value is named", |details| {
        details.contains(&enabled) && details.contains("maybe") && details.contains("true or false")
    })
    .await;
    assert_eq!(gtg(&monitor, "pend").await, 503, "the former value stays");
    put(&etcd, &enabled, "true").await;
    gtg_is(&monitor, "pend", 200).await;
    policy(&monitor, "nothing is wrong", str::is_empty).await;
    put(&etcd, &enabled, "false").await;
    gtg_is(&monitor, "pend", 503).await;
    delete(&etcd, &enabled).await;
    gtg_is(&monitor, "pend", 200).await;

    // Over the API: that is written to etcd, and does not come back as a change from outside.
    let closure = "/api/v2/categories/pend/closure";
    let reason = Some(json!({"reason": "exam"}));
    let (status, body) = order(&monitor, Method::POST, closure, reason).await;
    assert!((200..300).contains(&status), "{status} {body}");
    stands(&etcd, &monitor, &enabled, "false").await;
    let (status, body) = order(
        &monitor,
        Method::DELETE,
        &format!("{closure}?reason=over"),
        None,
    )
    .await;
    assert!((200..300).contains(&status), "{status} {body}");
    stands(&etcd, &monitor, &enabled, "true").await;
    tokio::time::sleep(Duration::from_secs(1)).await;
    assert_eq!(gtg(&monitor, "pend").await, 200);
    assert_eq!(
        switches(&lab, "r-pend00"),
        [true; 0],
        "book is not changed by it"
    );
    monitor.stop("TERM", &lab).await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
#[ignore = "needs etcd"]
async fn what_a_fault_closes_is_written_and_a_person_opens_it_there() {
    let lab = laboratory(RelayVersion::V07, &["pend00", "spin00"]).await;
    let etcd = Etcd::start(&[]).await;
    let (_folder, config) = file(STICKY);
    let monitor = with_policy(&lab, &etcd, &[("CONFIG", &config)]).await;
    monitor.sees_well(&["pend00", "spin00"]).await;
    lab.power_off("pend00").expect("known");
    switched(&lab, "r-pend00", 1).await;
    let enabled = format!("{CATEGORIES}exam/enabled");
    stands(&etcd, &monitor, &enabled, "false").await;
    lab.power_on("pend00").expect("known");
    monitor
        .sees("pend00", "is well again", |it| it["health"] == "ok")
        .await;
    assert_eq!(gtg(&monitor, "exam").await, 503, "it stays closed");
    assert_eq!(
        switches(&lab, "r-pend00"),
        [false],
        "and what failed stays withdrawn"
    );
    put(&etcd, &enabled, "true").await;
    gtg_is(&monitor, "exam", 200).await;
    switched(&lab, "r-pend00", 2).await;
    assert_eq!(switches(&lab, "r-pend00"), [false, true]);

    // Without the rule, which etcd takes away, a fault closes nothing.
    put(&etcd, &format!("{CATEGORIES}exam/sticky"), "false").await;
    put(&etcd, &format!("{CATEGORIES}spin/sticky"), "true").await;
    let rules = async || {
        let all = monitor.get("/api/v2/categories").await;
        let all = all["items"].as_array().cloned().unwrap_or_default();
        let sticky = |name: &str| {
            let one = all.iter().find(|one| one["name"] == name)?;
            one["sticky"].as_bool()
        };
        (sticky("exam") == Some(false) && sticky("spin") == Some(true)).then_some(())
    };
    eventually("the rules of etcd are in force", || monitor.tail(), rules).await;
    lab.power_off("pend00").expect("known");
    lab.power_off("spin00").expect("known");
    switched(&lab, "r-pend00", 3).await;
    switched(&lab, "r-spin00", 1).await;
    stands(
        &etcd,
        &monitor,
        &format!("{CATEGORIES}spin/enabled"),
        "false",
    )
    .await;
    stands(&etcd, &monitor, &enabled, "true").await;
    monitor.stop("TERM", &lab).await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
#[ignore = "needs etcd"]
async fn an_etcd_that_is_away_leaves_the_last_policy_also_over_a_restart() {
    let lab = laboratory(RelayVersion::V07, &["pend00", "spin00"]).await;
    let mut etcd = Etcd::start(&[]).await;
    let data = tempfile::tempdir().expect("a folder");
    let more = [("DATA_DIR", data.path().to_str().expect("text"))];
    put(&etcd, &format!("{ACKS}pend00/ack"), "known").await;
    put(&etcd, &format!("{CATEGORIES}spin/enabled"), "false").await;
    let monitor = with_policy(&lab, &etcd, &more).await;
    monitor.sees_well(&["pend00", "spin00"]).await;
    gtg_is(&monitor, "spin", 503).await;
    etcd.kill().await;
    policy(&monitor, "the fault is shown", |details| {
        details.contains("the last policy stays")
    })
    .await;
    assert_eq!(
        monitor.get("/readiness").await["state"],
        1,
        "it is not fatal"
    );
    monitor.stop("TERM", &lab).await;

    let monitor = with_policy(&lab, &etcd, &more).await;
    monitor.sees_well(&["pend00", "spin00"]).await;
    lab.power_off("pend00").expect("known");
    switched(&lab, "r-pend00", 1).await;
    healthy(&monitor, "it is acknowledged", "pend00", |check, _| {
        check["ok"] == false
            && check["ack"]
                .as_str()
                .is_some_and(|text| text.ends_with("known"))
    })
    .await;
    assert_eq!(gtg(&monitor, "spin").await, 503);

    // Meanwhile a person has opened it: that was not known until etcd is back.
    etcd.start_again().await;
    delete(&etcd, &format!("{CATEGORIES}spin/enabled")).await;
    gtg_is(&monitor, "spin", 200).await;
    policy(&monitor, "nothing is wrong", str::is_empty).await;
    monitor.stop("TERM", &lab).await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
#[ignore = "needs etcd"]
async fn a_history_that_is_gone_is_read_anew() {
    let lab = laboratory(RelayVersion::V07, &["pend00"]).await;
    let etcd = Etcd::start(&[]).await;
    let monitor = with_policy(&lab, &etcd, &[]).await;
    monitor.sees_well(&["pend00"]).await;
    gtg_is(&monitor, "pend", 200).await;
    super::monitor::kill("STOP", monitor.pid()).await;
    put(&etcd, &format!("{CATEGORIES}pend/enabled"), "false").await;
    let written = etcd.ctl(&["put", "/other", "1", "-w", "json"]).await;
    let written: Value = serde_json::from_str(&written.expect("written")).expect("JSON");
    let revision = written["header"]["revision"].to_string();
    etcd.ctl(&["compact", &revision]).await.expect("compacted");
    super::monitor::kill("CONT", monitor.pid()).await;
    gtg_is(&monitor, "pend", 503).await;
    put(&etcd, &format!("{CATEGORIES}pend/enabled"), "true").await;
    gtg_is(&monitor, "pend", 200).await;
    monitor.stop("TERM", &lab).await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
#[ignore = "needs etcd"]
async fn of_several_replicas_the_leader_writes_and_all_go_by_the_policy() {
    let lab = laboratory(RelayVersion::V07, &["pend00", "spin00"]).await;
    let etcd = Etcd::start(&[]).await;
    let (_folder, config) = file(STICKY);
    let with = [("POLICY", "etcd"), ("CONFIG", &*config)];
    let first = replica(&lab, &etcd, "first", &with).await;
    leads(&first, 1).await;
    let second = replica(&lab, &etcd, "second", &with).await;
    first.sees_well(&["pend00", "spin00"]).await;
    second.sees_well(&["pend00", "spin00"]).await;
    put(&etcd, &format!("{CATEGORIES}spin/enabled"), "false").await;
    gtg_is(&first, "spin", 503).await;
    gtg_is(&second, "spin", 503).await;
    lab.power_off("pend00").expect("known");
    let enabled = format!("{CATEGORIES}exam/enabled");
    stands(&etcd, &first, &enabled, "false").await;
    first.stop("TERM", &lab).await;
    leads(&second, 1).await;
    lab.power_on("pend00").expect("known");
    second
        .sees("pend00", "is well again", |it| it["health"] == "ok")
        .await;
    assert_eq!(gtg(&second, "exam").await, 503);
    stands(&etcd, &second, &enabled, "false").await;
    put(&etcd, &enabled, "true").await;
    gtg_is(&second, "exam", 200).await;
    switched(&lab, "r-pend00", 2).await;
    assert_eq!(gtg(&second, "spin").await, 503);
    second.stop("TERM", &lab).await;
}

/// A server that answers with success at `/well` only.
async fn well_at_one_path() -> (u16, JoinSet<()>) {
    let listener = TcpListener::bind("127.0.0.1:0").await.expect("a port");
    let port = listener.local_addr().expect("bound").port();
    let sick = || async { StatusCode::SERVICE_UNAVAILABLE };
    let router = Router::new().route("/well", routing::get(|| async {}));
    let mut tasks = JoinSet::new();
    tasks.spawn(async move {
        let served = axum::serve(listener, router.fallback(sick)).await;
        served.expect("serves");
    });
    (port, tasks)
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
#[ignore = "needs etcd"]
async fn the_path_of_a_service_is_where_it_is_asked_while_its_key_is_there() {
    let lab = laboratory(RelayVersion::V07, &["pend00"]).await;
    let etcd = Etcd::start(&[]).await;
    let (port, _server) = well_at_one_path().await;
    let text = format!(
        "[[service]]\nname = \"wiki\"\nurl = \"http://127.0.0.1:{port}/health\"\nperiod = \"1s\"\nretries = 0\n"
    );
    let (_folder, file) = file(&text);
    let monitor = with_policy(&lab, &etcd, &[("CONFIG", &file)]).await;
    let is = async |what: &str, well: bool| {
        let look = |check: &Value, _: &Value| check["ok"] == well;
        healthy(&monitor, what, "wiki", look).await;
    };
    is("it is asked where the file says", false).await;
    let path = format!("{ACKS}wiki/path");
    put(&etcd, &path, "/well").await;
    is("it is asked where the policy says", true).await;
    put(&etcd, &path, "well").await;
    let named = |words: &str| words.contains("wiki/path is \"well\", expected is a path");
    policy(&monitor, "the wrong path is named", named).await;
    is("the former path stays", true).await;
    delete(&etcd, &path).await;
    is("it is asked where the file says again", false).await;
    monitor.stop("TERM", &lab).await;
}
