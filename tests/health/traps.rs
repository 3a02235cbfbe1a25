//! The defects of the four systems whose dialects are spoken here, each as a test that it is not
//! ours. Further ones stand where the thing itself is: 3 and 17 with the probes, 9, 11 and 12 with
//! the switches, 18 with the commands, 20 with negotiation.

use std::sync::Arc;
use std::time::Duration;

use engine::Issue;
use engine::model::{CallError, ConnectError, SourceHealth, SourceName, StreamHealth};
use engine::{CategoryPool, CategoryRule};
use labwatch::health::{Acks, Attempt, Finding, Pace, Probes, STORE, Settings, State, strict};
use serde_json::{Value, json};
use tokio::task::JoinSet;
use tokio_util::sync::CancellationToken;

use super::lab::{
    Bench, ack, at, degraded, down, healthy, held, live, put, settings, source, unknown,
};
use super::server::Server;

/// The names of the checks that fail.
fn failing(health: &Value) -> Vec<&str> {
    let checks = health["checks"].as_array().expect("a list").iter();
    checks
        .filter(|check| check["ok"] == false)
        .map(|check| check["name"].as_str().expect("a name"))
        .collect()
}

#[tokio::test]
async fn trap_01_one_part_that_recovers_does_not_speak_for_another() {
    let bench = Bench::well();
    let server = Server::start(&bench).await;
    bench.store.report(Finding::error("disk full"));
    bench.web.report(Finding::error("gone"));
    bench.web.report(Finding::ok());
    assert_eq!(
        bench.health_state.snapshot().overall(),
        (State::Error, "store: disk full".to_owned())
    );
    for path in [
        "/readiness",
        "/liveness",
        "/status",
        "/actuator/health/readiness",
        "/__gtg",
    ] {
        assert_eq!(server.status(path).await, 503, "{path}");
    }
    bench.store.report(Finding::ok());
    assert_eq!(server.status("/readiness").await, 200);
}

/// The store never answers, book is frozen, and there are ten thousand experiments.
#[tokio::test]
async fn trap_02_liveness_answers_while_the_store_hangs() {
    let bench = Bench::new(settings());
    let mut probes = Probes::default();
    let pace = Pace {
        period: Duration::from_secs(1),
        timeout: Duration::from_secs(3_600),
        retries: 0,
        cooldown: Duration::ZERO,
    };
    probes
        .add(
            &bench.registry,
            "disk",
            &[],
            pace,
            Box::new(|| Box::pin(std::future::pending())),
        )
        .expect("free");
    let many: Vec<_> = (0..10_000).map(|n| down(&format!("pend{n:05}"))).collect();
    bench.show(100, |lab| *lab = live(many));
    bench.turn(120);
    let server = Server::start_with(&bench, &probes, Box::new(|| {})).await;
    let mut running = JoinSet::new();
    running.spawn(probes.run(CancellationToken::new()));
    let begun = std::time::Instant::now();
    assert_eq!(server.status("/liveness").await, 200);
    println!(
        "measured: liveness with 10,000 experiments and a store that hangs: {:?}",
        begun.elapsed()
    );
    let readiness = server.json("/readiness").await;
    assert_eq!(readiness["experiments"]["total"], 10_000);
    assert_eq!(
        readiness["experiments"]["listed"]
            .as_array()
            .expect("a list")
            .len(),
        100,
        "the list is bounded"
    );
    assert_eq!(
        readiness["interface_stats"]["interfaces"]
            .as_array()
            .expect("a list")
            .len(),
        200
    );
}

#[tokio::test]
async fn trap_04_no_results_are_not_good_ones() {
    let bench = Bench::new(settings());
    let server = Server::start(&bench).await;
    assert_eq!(
        (
            server.status("/__gtg").await,
            server.json("/__health").await["ok"].clone()
        ),
        (503, json!(false))
    );
    assert_eq!(
        (
            server.status("/liveness").await,
            server.status("/actuator/health/liveness").await
        ),
        (200, 200),
        "starting is alive"
    );
    for path in ["/readiness", "/actuator/health/readiness", "/status"] {
        assert_eq!(server.status(path).await, 503, "{path}");
    }
    assert_eq!(
        server.json("/readiness").await["state"],
        0,
        "init is written, not left out"
    );
}

#[tokio::test]
async fn trap_05_a_fresh_run_loses_no_acknowledgement() {
    let bench = Bench::well();
    bench.show(121, |lab| put(lab, down("pend00")));
    bench.acknowledge(&Acks {
        experiments: [("pend00".to_owned(), ack("known"))].into(),
        ..Acks::default()
    });
    let snapshots = bench.snapshots.clone();
    let poll = Box::new(move || {
        snapshots.send_modify(|lab| Arc::make_mut(lab).sources[2].last_report = Some(at(125)));
    });
    let server = Server::start_with(&bench, &Probes::default(), poll).await;
    for path in ["/__health", "/__health?cache=false", "/__health"] {
        let health = server.json(path).await;
        let pend = health["checks"]
            .as_array()
            .expect("a list")
            .iter()
            .find(|check| check["name"] == "pend00")
            .expect("is there")
            .clone();
        assert_eq!(
            (&pend["ok"], &pend["ack"], &pend["_acknowledged"]),
            (&json!(false), &json!("by a maintainer"), &json!(true)),
            "{path}"
        );
        assert_eq!(health["ok"], true, "{path}");
    }
    assert_eq!(server.status("/__gtg").await, 200);
}

/// `pend` and `pend00` are of one group, `pend-a` is another; none crashes.
#[tokio::test]
async fn trap_06_odd_names_have_groups() {
    let forgiving = CategoryRule {
        patterns: vec!["*".into()],
        resilient: true,
        ..strict("all")
    };
    let bench = Bench::well_with(Settings {
        categories: vec![forgiving.into()],
        ..settings()
    });
    bench.show(121, |lab| {
        let odd = ["pend", "pend-a", "pend00", "-", "7"].map(healthy);
        *lab = live(odd.into());
    });
    bench.turn(121);
    let server = Server::start(&bench).await;
    assert_eq!(server.status("/__gtg?categories=all").await, 200);
    bench.show(122, |lab| put(lab, down("pend00")));
    assert_eq!(
        server.status("/__gtg?categories=all").await,
        200,
        "pend stands in for pend00"
    );
    bench.show(123, |lab| put(lab, down("pend-a")));
    assert_eq!(
        server.status("/__gtg?categories=all").await,
        503,
        "nothing stands in for pend-a"
    );
}

/// Whichever of them is acknowledged: what speaks for the group is one that is not acknowledged.
#[tokio::test]
async fn trap_07_all_down_and_one_acknowledged_is_always_the_same() {
    for acked in ["pend00", "pend01"] {
        let bench = Bench::well();
        bench.show(121, |lab| {
            put(lab, down("pend00"));
            put(lab, down("pend01"));
        });
        bench.turn(121);
        bench.acknowledge(&Acks {
            experiments: [(acked.to_owned(), ack("known"))].into(),
            ..Acks::default()
        });
        let server = Server::start(&bench).await;
        let first = server.json("/__health?categories=pendulums").await;
        assert_eq!(
            (&first["ok"], &first["severity"]),
            (&json!(false), &json!(2))
        );
        for _ in 0..5 {
            assert_eq!(server.json("/__health?categories=pendulums").await, first);
        }
    }
}

#[tokio::test]
async fn trap_08_an_empty_list_makes_nothing_critical() {
    let bench = Bench::well();
    bench.show(121, |lab| {
        for stub in ["pend00", "pend01", "spin00"] {
            put(lab, down(stub));
        }
    });
    let server = Server::start(&bench).await;
    let health = server.json("/__health").await;
    assert_eq!(health["severity"], 2);
    assert!(
        health["checks"]
            .as_array()
            .expect("a list")
            .iter()
            .all(|check| check["severity"] != 1),
        "{health}"
    );
}

/// By name, by pattern, by group, by category; and the last of a group.
#[tokio::test]
async fn what_is_listed_is_critical_and_so_is_the_last_of_a_group() {
    for (listed, critical) in [
        ("spin00", &["spin00"][..]),
        ("sp*", &["spin00"]),
        ("spin", &["spin00"]),
        ("exam", &["spin00"]),
        ("book", &["book"]),
        ("nothing", &[]),
    ] {
        let bench = Bench::well_with(Settings {
            severity_1: vec![listed.into()],
            ..settings()
        });
        let server = Server::start(&bench).await;
        let of = |health: &Value| -> Vec<String> {
            let checks = health["checks"]
                .as_array()
                .expect("a list")
                .iter()
                .filter(|check| check["severity"] == 1);
            checks
                .map(|check| check["name"].as_str().expect("a name").to_owned())
                .collect()
        };
        assert_eq!(of(&server.json("/__health").await), critical, "{listed}");
        bench.show(121, |lab| put(lab, down("pend00")));
        let health = server.json("/__health").await;
        assert!(
            of(&health).contains(&"pend01".to_owned()),
            "pend01 is the last that works: {health}"
        );
    }
}

/// One experiment changes: the state of all others, and the texts of operators, stay to the
/// character.
#[tokio::test]
async fn trap_10_one_change_touches_nothing_else() {
    let bench = Bench::well();
    bench.acknowledge(&Acks {
        experiments: [("pend01".to_owned(), ack("known"))].into(),
        ..Acks::default()
    });
    let server = Server::start(&bench).await;
    let before = server.json("/__health").await;
    bench.show(120, |lab| put(lab, down("spin00")));
    let after = server.json("/__health").await;
    let others = |health: &Value| -> Vec<Value> {
        health["checks"]
            .as_array()
            .expect("a list")
            .iter()
            .filter(|check| check["name"] != "spin00")
            .cloned()
            .collect()
    };
    assert_eq!(others(&after), others(&before));
    assert_eq!(
        (failing(&before), failing(&after)),
        (vec![], vec!["spin00"])
    );
}

#[tokio::test]
async fn trap_13_what_cannot_be_reached_is_listed_as_failing() {
    let bench = Bench::well();
    bench.show(121, |lab| {
        for name in SourceName::ALL {
            lab.sources[name as usize] = source(name, SourceHealth::Down, Some(at(60)));
            lab.sources[name as usize].link =
                engine::Link::Failed(ConnectError::access(CallError::TimedOut));
        }
        for stub in ["pend00", "pend01", "spin00"] {
            put(lab, unknown(stub, None));
        }
    });
    bench.web.report(Finding::error("cannot connect (refused)"));
    let server = Server::start(&bench).await;
    let health = server.json("/__agghealth").await;
    let codes: Vec<_> = health["checks"]
        .as_array()
        .expect("a list")
        .iter()
        .filter(|check| check["ok"] == false)
        .collect();
    for code in ["book", "jump", "relay", "web", "pend00", "pend01", "spin00"] {
        assert!(
            codes.iter().any(|check| check["checkSystemCode"] == code),
            "{code} is not among {codes:?}"
        );
    }
}

#[tokio::test]
async fn trap_14_what_has_started_can_fail_and_recover() {
    let bench = Bench::well();
    let server = Server::start(&bench).await;
    for (finding, code, as_str) in [
        (Finding::error("full"), 503, "DOWN"),
        (Finding::ok(), 200, "UP"),
        (Finding::error("full"), 503, "DOWN"),
    ] {
        bench.store.report(finding);
        assert_eq!(server.status("/actuator/health/liveness").await, code);
        assert_eq!(
            server.json("/actuator/health/liveness").await["components"][STORE]["status"],
            as_str
        );
    }
}

/// An instance is recognised by its name whether it is well or not: the answer names it in both.
#[tokio::test]
async fn trap_15_who_runs_here_is_named_when_it_fails_too() {
    let bench = Bench::well();
    let server = Server::start(&bench).await;
    for (finding, code) in [(Finding::ok(), 200), (Finding::error("full"), 503)] {
        bench.store.report(finding);
        assert_eq!(server.status("/status").await, code);
        assert_eq!(server.json("/status").await["name"], "labwatch");
    }
}

#[tokio::test]
async fn trap_16_of_two_that_fail_the_same_speaks_and_nothing_is_said_twice() {
    let bench = Bench::well();
    bench.web.report(Finding::new(State::Stale, "silent"));
    assert!(bench.store.report(Finding::error("full")));
    assert!(
        !bench.store.report(Finding::error("full")),
        "the same is no news"
    );
    let since = bench
        .health_state
        .snapshot()
        .component(STORE)
        .expect("is there")
        .last_change;
    for second in 121..126 {
        bench.show(second, |lab| lab.sources[2].health = SourceHealth::Down);
        bench.store.report(Finding::error("full"));
        let snapshot = bench.health_state.snapshot();
        assert_eq!(
            snapshot.overall(),
            (State::Error, "book: it does not answer".to_owned()),
            "the worst, then by name"
        );
        assert_eq!(
            snapshot.component(STORE).expect("is there").last_change,
            since
        );
    }
}

/// A check that reads all others while they are read.
#[tokio::test(start_paused = true)]
async fn trap_17_a_check_may_read_the_status_of_others() {
    let bench = Bench::well();
    let mut probes = Probes::default();
    let (registry, health_state) = (bench.registry.clone(), bench.health_state.clone());
    let pace = Pace {
        period: Duration::from_secs(60),
        timeout: Duration::from_secs(5),
        retries: 0,
        cooldown: Duration::ZERO,
    };
    let check = Box::new(move || {
        let seen = registry.components().len() + health_state.snapshot().components.len();
        Box::pin(async move { Attempt::Found(Finding::new(State::Warn, format!("{seen} seen"))) })
            as futures_util::future::BoxFuture<'static, Attempt>
    });
    probes
        .add(&bench.registry, "curious", &[], pace, check)
        .expect("free");
    let mut running = JoinSet::new();
    running.spawn(probes.run(CancellationToken::new()));
    tokio::time::sleep(Duration::from_secs(1)).await;
    assert_eq!(
        bench
            .health_state
            .snapshot()
            .component("curious")
            .expect("is there")
            .detail(),
        "13 seen"
    );
}

/// When the loop hangs, every answer has an age, and nothing is good any more.
#[tokio::test]
async fn trap_19_a_snapshot_that_is_not_renewed_is_recognisably_old() {
    let bench = Bench::well();
    let server = Server::start(&bench).await;
    assert_eq!(server.status("/__gtg").await, 200);
    let turns = || labwatch::health::dialects::numbers(&bench.health_state.snapshot()).turns;
    assert!(turns());
    bench.hands.set(162);
    assert!(!turns(), "the heartbeat has stopped");
    let own = server.json("/status/self").await;
    assert_eq!(
        (&own["result"], &own["details"], &own["age"]),
        (
            &json!("FAIL"),
            &json!("the loop does not turn: no report for 42s"),
            &json!(42)
        )
    );
    for path in [
        "/__gtg",
        "/liveness",
        "/readiness",
        "/status",
        "/__gtg?categories=pendulums",
    ] {
        assert_eq!(server.status(path).await, 503, "{path}");
    }
    assert_eq!(
        server.json("/readiness").await["PluginStatus"]["store"]["state"],
        2,
        "what did not report is stale"
    );
}

/// What is not fatal fails nothing, in any view; what is made not fatal neither.
#[tokio::test]
async fn the_list_of_what_is_not_fatal_holds_in_every_view() {
    let all = [
        "/readiness",
        "/actuator/health/readiness",
        "/status",
        "/__gtg",
        "/__gtg?categories=system",
        "/__gtg?categories=pendulums",
    ];
    for (non_fatal, code) in [
        (vec!["mail", "jump"], 503),
        (vec!["mail", "jump", "store"], 200),
    ] {
        let non_fatal = non_fatal.into_iter().map(str::to_owned).collect();
        let bench = Bench::well_with(Settings {
            non_fatal,
            ..settings()
        });
        bench.show(121, |lab| {
            lab.routes[0].fault = Some(CallError::TimedOut);
            lab.sources[1] = source(SourceName::Jump, SourceHealth::Down, None);
        });
        bench.store.report(Finding::ok());
        let server = Server::start(&bench).await;
        for path in all.iter().chain(&["/liveness"]) {
            assert_eq!(server.status(path).await, 200, "{path}");
        }
        bench.store.report(Finding::error("full"));
        for path in all
            .iter()
            .chain(&["/liveness", "/actuator/health/liveness"])
        {
            assert_eq!(server.status(path).await, code, "{path}");
        }
    }
}

/// `min_healthy` of a category, else of the pool; what a person has taken away counts neither for
/// nor against.
#[tokio::test]
async fn enough_of_a_pool_is_enough() {
    let pool = CategoryPool {
        name: "swing".into(),
        members: vec!["pend*".into(), "spin*".into()],
        min_healthy: 2,
    };
    let category = |min_healthy| CategoryRule {
        pools: vec!["swing".into()],
        resilient: true,
        min_healthy,
        ..strict("swings")
    };
    for (min_healthy, lost, away, code) in [
        (None, 1, 0, 200),
        (None, 2, 0, 503),
        (Some(1), 2, 0, 200),
        (Some(3), 1, 0, 503),
        (Some(3), 0, 1, 200),
        (None, 1, 1, 503),
        (None, 0, 3, 200),
    ] {
        let settings = Settings {
            categories: vec![category(min_healthy).into()],
            pools: vec![pool.clone()],
            ..settings()
        };
        let bench = Bench::well_with(settings);
        bench.show(121, |lab| {
            let stubs = ["pend00", "pend01", "spin00"];
            stubs
                .iter()
                .take(lost)
                .for_each(|stub| put(lab, down(stub)));
            stubs
                .iter()
                .rev()
                .take(away)
                .for_each(|stub| put(lab, held(down(stub))));
        });
        let server = Server::start(&bench).await;
        assert_eq!(
            server.status("/__gtg?categories=swings").await,
            code,
            "{min_healthy:?} {lost} lost, {away} away"
        );
    }
}

/// What can be used with a loss is good to go; the loss itself is shown where single checks are.
#[tokio::test]
async fn a_loss_that_students_can_live_with_is_no_failure() {
    let bench = Bench::well();
    bench.show(121, |lab| {
        let mut view = degraded("pend00");
        view.streams[1].required = false;
        view.streams[1].health = StreamHealth::Silent;
        view.issues.push(Issue::Other(
            view.streams[1].topic.clone(),
            StreamHealth::Silent,
        ));
        put(lab, view);
    });
    let server = Server::start(&bench).await;
    assert_eq!(
        (
            server.status("/__gtg").await,
            failing(&server.json("/__health").await).len()
        ),
        (200, 0)
    );
    assert_eq!(
        failing(&server.json("/__agghealth").await),
        ["pend00-st-video", "jump"]
    );
}
