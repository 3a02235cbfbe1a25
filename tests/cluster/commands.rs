//! Commands to a follower, the state of the cluster that it reports, and resignation of the leader.

use lab::RelayVersion;
use reqwest::Method;
use serde_json::{Value, json};

use super::admin::{SECRET, order};
use super::etcd::Etcd;
use super::eventually::eventually;
use super::laboratory::{laboratory, switched, switches};
use super::monitor::{Monitor, run};
use super::replicas::{borrowed, leads, replica, settings};

const WITH_TOKENS: [(&str, &str); 2] = [("SECRET_API", SECRET), ("API_READ", "open")];

/// Waits until this one's answer to a question about the cluster is as `is` wants it.
async fn shows(monitor: &Monitor, what: &str, is: impl Fn(&Value) -> bool) -> Value {
    let look = async || Some(monitor.get("/api/v2/cluster").await).filter(|body| is(body));
    eventually(what, || monitor.tail(), look).await
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
#[ignore = "needs etcd"]
async fn a_follower_has_the_leader_carry_commands_out_and_shows_what_came_of_them() {
    let lab = laboratory(RelayVersion::V07, &["pend00", "spin00"]).await;
    let etcd = Etcd::start(&[]).await;
    let first = replica(&lab, &etcd, "first", &WITH_TOKENS).await;
    leads(&first, 1).await;
    let second = replica(&lab, &etcd, "second", &WITH_TOKENS).await;
    first.sees_well(&["pend00", "spin00"]).await;
    second.sees_well(&["pend00", "spin00"]).await;

    let hold = Some(json!({"resource": "r-pend00", "reason": "exam"}));
    let (status, body) = order(&second, Method::POST, "/api/v2/holds", hold).await;
    assert_eq!(status, 201, "{body}");
    switched(&lab, "r-pend00", 1).await;
    let unknown = "/api/v2/holds/r-nothing";
    let (status, body) = order(&second, Method::DELETE, unknown, None).await;
    assert_eq!(status, 404, "as the leader answers: {body}");

    let seen = shows(&second, "both replicas", |body| {
        body["replicas"]
            .as_array()
            .is_some_and(|all| all.len() == 2)
    })
    .await;
    assert_eq!(
        (
            &seen["mode"],
            &seen["name"],
            &seen["role"],
            &seen["leader"]["name"]
        ),
        (
            &json!("etcd"),
            &json!("second"),
            &json!("follower"),
            &json!("first")
        )
    );
    assert_eq!(seen["lease_left_seconds"], Value::Null);

    // The leader has resigned and the commands stay in force.
    let (status, body) = order(&second, Method::POST, "/api/v2/cluster/resign", None).await;
    assert_eq!(
        (status, &body["reason"]),
        (409, &json!("not-leader")),
        "{body}"
    );
    let port = first.port().to_string();
    let given_up = run(
        &["cluster", "resign", "--port", &port],
        &lab,
        &borrowed(&settings(&etcd, "x", &WITH_TOKENS)),
    )
    .await;
    assert_eq!(given_up.status.code(), Some(0), "{}", given_up.said);
    leads(&second, 1).await;
    shows(&first, "it follows, and stands again", |body| {
        body["leader"]["name"] == "second"
            && body["replicas"]
                .as_array()
                .is_some_and(|all| all.len() == 2)
    })
    .await;
    let (status, body) = order(&first, Method::DELETE, "/api/v2/holds/r-pend00", None).await;
    assert_eq!(status, 200, "{body}");
    switched(&lab, "r-pend00", 2).await;
    assert_eq!(switches(&lab, "r-pend00"), [false, true]);
    let port = second.port().to_string();
    let outcome = run(
        &["cluster", "status", "--port", &port],
        &lab,
        &borrowed(&settings(&etcd, "x", &WITH_TOKENS)),
    )
    .await;
    assert_eq!(outcome.status.code(), Some(0), "{}", outcome.said);
    assert!(
        outcome.said.contains("second is leader"),
        "{}",
        outcome.said
    );
    assert!(outcome.said.contains("waits  first"), "{}", outcome.said);
    first.stop("TERM", &lab).await;
    second.stop("TERM", &lab).await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
#[ignore = "needs etcd"]
async fn a_solo_installation_joins_with_its_state_and_leaves_with_it() {
    let lab = laboratory(RelayVersion::V07, &["pend00"]).await;
    let etcd = Etcd::start(&[]).await;
    let folder = tempfile::tempdir().expect("a folder");
    let data = ("DATA_DIR", folder.path().to_str().expect("a name"));
    let solo = Monitor::start(&lab, &[data]).await;
    solo.sees_well(&["pend00"]).await;
    assert_eq!(solo.get("/api/v2/cluster").await["mode"], "solo");
    lab.power_off("pend00").expect("known");
    switched(&lab, "r-pend00", 1).await;
    super::laboratory::mail(&lab, "pend00 is down", |mail| mail.text.contains("pend00")).await;
    solo.logs(&["what everybody was notified of is kept"]).await;
    solo.stop("TERM", &lab).await;

    // The commands of docs/high-availability.md, on the first host.
    let there = settings(&etcd, "first", &[data]);
    let checked = run(&["check", "--connect"], &lab, &borrowed(&there)).await;
    let reached = checked.said.contains("lets us in; no replica leads");
    assert!(reached, "{}", checked.said);
    let imported = run(&["cluster", "import"], &lab, &borrowed(&there)).await;
    assert_eq!(imported.status.code(), Some(0), "{}", imported.said);
    let keys = etcd.keys("/labwatch/lab/state/").await;
    assert!(
        keys.contains(&"/labwatch/lab/state/experiment/pend00".to_owned()),
        "{keys:?}"
    );
    // What a later version wrote stays, whatever this one does.
    let later = "/labwatch/lab/state/quorum/room";
    etcd.ctl(&["put", later, "{\"later\":1}"])
        .await
        .expect("written");

    // It leads with a store of its own that knows nothing, and so does what the second host has.
    let first = replica(&lab, &etcd, "first", &[]).await;
    leads(&first, 1).await;
    let second = replica(&lab, &etcd, "second", &[]).await;
    let are_both = |body: &Value| {
        body["replicas"]
            .as_array()
            .is_some_and(|all| all.len() == 2)
    };
    shows(&second, "both replicas", are_both).await;
    let port = second.port().to_string();
    let outcome = run(
        &["cluster", "status", "--port", &port],
        &lab,
        &borrowed(&there),
    )
    .await;
    let names_both = ["leads  first", "waits  second"].map(|words| outcome.said.contains(words));
    assert_eq!(names_both, [true, true], "{}", outcome.said);
    let mails = lab.mail().mails().len();
    first
        .sees("pend00", "is down", |it| it["health"] == "down")
        .await;
    lab.power_on("pend00").expect("known");
    switched(&lab, "r-pend00", 2).await;
    first.sees_well(&["pend00"]).await;
    assert_eq!(etcd.keys(later).await, [later]);
    assert!(
        lab.mail().mails().len() <= mails + 1,
        "it knew what was mailed"
    );
    second.stop("TERM", &lab).await;
    first.stop("TERM", &lab).await;

    let left = run(&["cluster", "leave"], &lab, &borrowed(&there)).await;
    assert_eq!(left.status.code(), Some(0), "{}", left.said);
    let solo = Monitor::start(&lab, &[data]).await;
    solo.sees_well(&["pend00"]).await;
    assert_eq!(switches(&lab, "r-pend00"), [false, true]);
    solo.stop("TERM", &lab).await;
}
