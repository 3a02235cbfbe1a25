//! What happens to single experiments: each fault on one of its own, at the same time, with both
//! versions of relay.

use jiff::{SignedDuration, Timestamp};
use lab::{Lab, RelayVersion, Server};
use serde_json::{Value, json};

use super::laboratory::{RULE, laboratory, mail, reaction, switched, switches};
use super::monitor::Monitor;

/// Those that nothing is wrong with at first.
const WELL: [&str; 7] = [
    "pend00", "spin00", "trus00", "pend01", "spin01", "trus01", "pend02",
];

/// One that is broken before the program starts.
const BROKEN: &str = "spin02";

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn single_experiments_fail_and_come_back() {
    tokio::join!(
        fail_and_come_back(RelayVersion::V07),
        fail_and_come_back(RelayVersion::V08)
    );
}

async fn fail_and_come_back(relay: RelayVersion) {
    let lab = laboratory(relay, &[&WELL[..], &[BROKEN]].concat()).await;
    lab.stream_vanishes("spin02-st-video").expect("known");
    let start = Timestamp::now();
    let monitor = Monitor::start(&lab, &[]).await;
    println!(
        "measured: {relay:?}: answers after {:?}",
        monitor.answered_after
    );

    monitor.sees_well(&WELL).await;
    broken_from_the_start(&monitor, &lab, start, relay).await;

    // A second connection that sends nothing, junk and floods disturb nothing.
    let calm = histories(&monitor).await;
    lab.twin_appears("spin01-st-data").expect("known");
    for server in [Server::Relay, Server::Jump] {
        lab.flood(server, 40).expect("can");
        lab.junk(server).expect("can");
    }
    break_some(&monitor, &lab, relay).await;
    shown_while_broken(&monitor).await;
    notified_while_broken(&lab).await;
    lab.junk(Server::Relay).expect("can");
    mend(&lab);

    monitor.sees_well(&WELL).await;
    monitor.sees_well(&[BROKEN]).await;
    for resource in ["r-pend00", "r-spin00", "r-trus00", "r-spin02"] {
        // Its streams are back one after another, so the reason may be written anew in between.
        let mut switched = switches(&lab, resource);
        switched.dedup();
        assert_eq!(switched, [false, true], "{resource}: {:#?}", lab.switched());
        assert_eq!(
            lab.availability(resource),
            Some((true, "labwatch: working again".to_owned()))
        );
    }
    for resource in ["r-pend01", "r-spin01", "r-trus01", "r-pend02"] {
        assert_eq!(switches(&lab, resource), [true; 0], "{resource}");
    }
    let after = histories(&monitor).await;
    for calm_one in 4..WELL.len() {
        assert_eq!(after[calm_one], calm[calm_one], "{}", WELL[calm_one]);
    }
    for (broken, between) in [
        ("pend00", "down"),
        ("spin00", "down"),
        ("trus00", "down"),
        ("pend01", "degraded"),
    ] {
        let history = monitor.history(broken).await;
        assert_eq!(
            history
                .iter()
                .filter(|health| *health == between)
                .count()
                .min(1),
            1,
            "{broken}: {history:?}"
        );
        assert_eq!(history.last().map(String::as_str), Some("ok"), "{broken}");
    }
    notified_when_repaired(&lab).await;
    monitor.stop("TERM", &lab).await;
}

async fn broken_from_the_start(
    monitor: &Monitor,
    lab: &Lab,
    start: Timestamp,
    relay: RelayVersion,
) {
    let switch = reaction(
        lab,
        "r-spin02",
        1,
        start,
        &format!("{relay:?}: broken at the start"),
        RULE,
    )
    .await;
    let grace = SignedDuration::try_from(RULE).expect("small");
    assert!(
        !switch.available && switch.at.duration_since(start) >= grace,
        "not before the grace is over: {switch:?}"
    );
    monitor
        .sees(BROKEN, "is withdrawn", |it| {
            it["bookable"] == "withdrawn" && it["health"] == "down"
        })
        .await;
}

async fn break_some(monitor: &Monitor, lab: &Lab, relay: RelayVersion) {
    let begun = Timestamp::now();
    lab.stream_vanishes("pend00-st-video").expect("known");
    lab.power_off("spin00").expect("known");
    lab.stream_silent("trus00-st-data").expect("known");
    lab.jump_lost("pend01").expect("known");
    lab.experiment_appears("newx00");
    for (resource, what) in [
        ("r-pend00", "a stream vanished"),
        ("r-spin00", "power off"),
        ("r-trus00", "a stream is silent"),
    ] {
        let switch = reaction(lab, resource, 1, begun, &format!("{relay:?}: {what}"), RULE).await;
        assert!(!switch.available, "{switch:?}");
    }
    monitor
        .sees("pend01", "is degraded", |it| it["health"] == "degraded")
        .await;
    monitor
        .sees("newx00", "is evaluated", |it| it["health"] == "ok")
        .await;
}

async fn shown_while_broken(monitor: &Monitor) {
    let withdrawn = |it: &Value| {
        it["bookable"] == "withdrawn" && it["available"] == false && it["health"] == "down"
    };
    let rows = [
        (
            "pend00",
            json!(["missing required pend00-st-video"]),
            "its video is not connected",
        ),
        (
            "trus00",
            json!(["unhealthy trus00-st-data"]),
            "its data is connected but not sending",
        ),
    ];
    for (stub, issues, reason) in rows {
        let seen = monitor.sees(stub, "is withdrawn", withdrawn).await;
        assert_eq!(seen["issues"], issues);
        let expected = format!(
            "labwatch: out of order at the moment, {reason}; it can be booked again as soon as it works"
        );
        assert_eq!(seen["reason"], json!(expected));
    }
    let all_lost = json!([
        "missing required spin00-st-data",
        "missing required spin00-st-video",
        "missing jump"
    ]);
    monitor
        .sees("spin00", "has lost all", |it| {
            withdrawn(it) && it["issues"] == all_lost
        })
        .await;
    let degraded = monitor.experiment("pend01").await;
    assert_eq!(
        (
            &degraded["issues"],
            &degraded["bookable"],
            &degraded["jump"]
        ),
        (&json!(["missing jump"]), &json!("bookable"), &json!("lost"))
    );
    let unlisted = monitor.experiment("newx00").await;
    assert_eq!(
        (
            &unlisted["listed"],
            &unlisted["resource_name"],
            &unlisted["bookable"]
        ),
        (&json!(false), &json!(""), &json!("unknown"))
    );
}

async fn notified_while_broken(lab: &Lab) {
    for (state, why) in [
        ("spin02=down/withdrawn", "video is missing"),
        ("pend00=down/withdrawn", "video is missing"),
        ("spin00=down/withdrawn", "data and video are missing"),
        (
            "trus00=down/withdrawn",
            "data is connected but sends nothing",
        ),
        ("pend01=degraded/bookable", "remote login is lost"),
        ("newx00=ok/unlisted", "ok, but not listed in book"),
    ] {
        mail(lab, state, |mail| {
            mail.raw.contains(state) && mail.text.contains(why)
        })
        .await;
    }
}

fn mend(lab: &Lab) {
    for topic in ["spin02-st-video", "pend00-st-video", "trus00-st-data"] {
        lab.stream_back(topic).expect("known");
    }
    lab.power_on("spin00").expect("known");
    lab.jump_back("pend01").expect("known");
    lab.twin_leaves("spin01-st-data").expect("known");
    lab.experiment_goes("newx00").expect("known");
}

async fn notified_when_repaired(lab: &Lab) {
    for stub in ["spin02", "pend00", "spin00", "trus00", "pend01"] {
        let state = format!(" {stub}=ok/bookable");
        mail(lab, &state, |mail| mail.raw.contains(&state)).await;
    }
    for ok in ["spin01", "trus01", "pend02"] {
        assert!(
            lab.mail()
                .mails()
                .iter()
                .all(|mail| !mail.text.contains(ok)),
            "no notification about {ok}"
        );
    }
}

async fn histories(monitor: &Monitor) -> Vec<Vec<String>> {
    let mut histories = Vec::new();
    for stub in WELL {
        histories.push(monitor.history(stub).await);
    }
    histories
}

/// A student whose connection looks like the experiment's own must not hide that the experiment is
/// gone.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_student_is_no_experiment() {
    tokio::join!(student(RelayVersion::V07), student(RelayVersion::V08));
}

async fn student(relay: RelayVersion) {
    let lab = laboratory(relay, &["pend00", "spin00"]).await;
    let monitor = Monitor::start(&lab, &[]).await;
    monitor.sees_well(&["pend00", "spin00"]).await;
    lab.user_joins("pend00-st-video").expect("known");
    lab.stream_vanishes("pend00-st-video").expect("known");
    assert!(!switched(&lab, "r-pend00", 1).await.available);
    lab.user_leaves("pend00-st-video").expect("known");
    monitor.stop("INT", &lab).await;
}
