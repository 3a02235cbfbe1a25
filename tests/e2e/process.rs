//! The process: how it starts, how it stops with work under way, and what it does after it was
//! killed.

use std::time::Duration;

use lab::{RelayVersion, Server};

use super::laboratory::{laboratory, switched, switches};
use super::monitor::{Monitor, run};

const ALL: [&str; 4] = ["pend00", "spin00", "trus00", "pend01"];

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn it_stops_with_a_switch_under_way() {
    tokio::join!(stops_with_a_slow_book(), stops_with_a_frozen_book());
}

/// The switch is finished.
async fn stops_with_a_slow_book() {
    let lab = laboratory(RelayVersion::V07, &ALL).await;
    let monitor = Monitor::start(&lab, &[]).await;
    monitor.sees_well(&ALL).await;
    lab.slow_book(Duration::from_millis(400));
    lab.power_off("pend00").expect("known");
    monitor.logs(&["withdraw r-pend00"]).await;
    let ended = monitor.stop("TERM", &lab).await;
    println!(
        "measured: SIGTERM with a switch under way: stopped after {:?}",
        ended.after
    );
    assert_eq!(
        switches(&lab, "r-pend00"),
        [false],
        "the switch that was under way is finished:\n{}",
        ended.said
    );
    assert!(
        ended.said.contains("\"signal\":\"SIGTERM\"")
            && ended.said.contains("\"message\":\"stopped\"")
    );
}

/// The switch is given up.
async fn stops_with_a_frozen_book() {
    let lab = laboratory(RelayVersion::V07, &ALL).await;
    let monitor = Monitor::start(&lab, &[("TIMEOUT_BOOK", "30s")]).await;
    monitor.sees_well(&ALL).await;
    lab.freeze(Server::Book, true);
    lab.freeze(Server::Mail, true);
    lab.power_off("pend00").expect("known");
    monitor.logs(&["withdraw r-pend00"]).await;
    lab.freeze(Server::Relay, true);
    lab.freeze(Server::Jump, true);
    let ended = monitor.stop("INT", &lab).await;
    println!(
        "measured: SIGINT with everything frozen: stopped after {:?}",
        ended.after
    );
    assert!(ended.said.contains("\"signal\":\"SIGINT\""));
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn it_stops_before_it_has_begun() {
    let lab = laboratory(RelayVersion::V08, &ALL).await;
    let monitor = Monitor::start(&lab, &[]).await;
    let ended = monitor.stop("TERM", &lab).await;
    println!(
        "measured: SIGTERM right after the start: stopped after {:?}",
        ended.after
    );
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_second_one_on_the_same_port_says_so_and_ends() {
    let lab = laboratory(RelayVersion::V07, &ALL).await;
    let monitor = Monitor::start(&lab, &[]).await;
    let second = run(
        &["serve"],
        &lab,
        &[("PORT_SERVE", &monitor.port().to_string())],
    )
    .await;
    assert_eq!(second.status.code(), Some(3), "{}", second.said);
    let version = env!("CARGO_PKG_VERSION");
    let notified = format!(
        "labwatch cannot serve: another labwatch, version {version}, answers on 127.0.0.1:{} already",
        monitor.port()
    );
    assert!(second.said.contains(&notified), "{}", second.said);
    monitor.sees_well(&ALL).await;
    monitor.stop("TERM", &lab).await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn another_program_on_its_port_is_not_taken_for_labwatch() {
    let lab = laboratory(RelayVersion::V07, &ALL).await;
    let program = std::net::TcpListener::bind("127.0.0.1:0").expect("a port");
    let port = program.local_addr().expect("bound").port().to_string();
    let ended = run(&["serve"], &lab, &[("PORT_SERVE", &port)]).await;
    assert_eq!(ended.status.code(), Some(1), "{}", ended.said);
    assert!(
        ended.said.contains(&format!(
            "cannot listen on 127.0.0.1:{port}: another program has it"
        )),
        "{}",
        ended.said
    );
}

/// Killed without a warning and started anew: it does not write what book says already, finds what
/// changed meanwhile, and leaves alone what a person has taken over.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn after_a_kill_it_goes_on_where_it_was() {
    let lab = laboratory(RelayVersion::V08, &ALL).await;
    let first = Monitor::start(&lab, &[]).await;
    first.sees_well(&ALL).await;
    for (stub, resource) in [
        ("pend00", "r-pend00"),
        ("spin00", "r-spin00"),
        ("trus00", "r-trus00"),
    ] {
        lab.power_off(stub).expect("known");
        switched(&lab, resource, 1).await;
    }
    first
        .sees("trus00", "is withdrawn", |it| it["bookable"] == "withdrawn")
        .await;
    let before = lab.switched().len();
    first.kill(&lab).await;

    lab.power_on("spin00").expect("known");
    lab.hold("r-trus00", "taken to the workshop")
        .expect("known");
    let second = Monitor::start(&lab, &[]).await;
    second
        .sees("pend00", "is evaluated as down again", |it| {
            it["health"] == "down" && it["bookable"] == "withdrawn"
        })
        .await;
    second
        .sees("trus00", "is down and held", |it| {
            it["health"] == "down" && it["bookable"] == "held"
        })
        .await;
    second.sees_well(&["spin00", "pend01"]).await;
    second
        .logs_times(
            &["experiments are ok"],
            second.lines(&["experiments are ok"]).len() + 3,
        )
        .await;
    assert_eq!(lab.switched().len(), before + 1, "{:#?}", lab.switched());
    assert_eq!(
        switches(&lab, "r-spin00"),
        [false, true],
        "it was mended while labwatch was off"
    );
    lab.power_on("pend00").expect("known");
    switched(&lab, "r-pend00", 2).await;
    second.stop("TERM", &lab).await;
}
