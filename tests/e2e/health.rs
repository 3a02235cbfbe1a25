//! The service's own health, as scripts, containers and load balancers see it: by its paths, its
//! commands, and its exit codes.

use std::time::{Duration, Instant};

use lab::{Lab, RelayVersion, Server};
use serde_json::Value;

use super::eventually::eventually;
use super::laboratory::{laboratory, switches};
use super::monitor::{Ended, Monitor, get, kill, run};

const ALL: [&str; 2] = ["pend00", "spin00"];

/// Runs a command against the running program.
async fn ask(lab: &Lab, monitor: &Monitor, arguments: &[&str]) -> Ended {
    let url = format!("http://127.0.0.1:{}", monitor.port());
    run(&[arguments, &["--url", &url]].concat(), lab, &[]).await
}

/// Waits until a path answers with this status.
async fn answers(monitor: &Monitor, path: &str, status: u16) -> String {
    let look = async || {
        get(monitor.port(), path)
            .await
            .filter(|(code, _)| *code == status)
            .map(|(_, body)| body)
    };
    eventually(&format!("{path} answers {status}"), || monitor.tail(), look).await
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn it_gets_ready_and_says_what_fails() {
    let lab = laboratory(RelayVersion::V07, &ALL).await;
    let monitor = Monitor::start(&lab, &[]).await;
    assert_eq!(
        get(monitor.port(), "/liveness").await.map(|(code, _)| code),
        Some(200),
        "alive before it is ready"
    );
    let waited = ask(&lab, &monitor, &["wait-for-ready", "--timeout", "45s"]).await;
    assert_eq!((waited.status.code(), waited.said.as_str()), (Some(0), ""));

    let notified = ask(&lab, &monitor, &["status"]).await;
    assert_eq!(notified.status.code(), Some(0), "{}", notified.said);
    assert!(
        notified
            .said
            .starts_with(concat!("labwatch ", env!("CARGO_PKG_VERSION"), ": OK\n")),
        "{}",
        notified.said
    );
    for (args, code, words) in [
        (
            &["status", "--check", "pend00"][..],
            0,
            "OK  2/2 streams active",
        ),
        (
            &["status", "--check", "nope"],
            1,
            "check nope was not found",
        ),
        (&["status", "--categories", "pend,spin"], 0, "OK    pend00"),
        (
            &["status", "--categories", "nope"],
            1,
            "no such category: nope",
        ),
        (&["status", "--json"], 0, "\"statusChecks\""),
    ] {
        let notified = ask(&lab, &monitor, args).await;
        assert_eq!(
            (notified.status.code(), notified.said.contains(words)),
            (Some(code), true),
            "{args:?}\n{}",
            notified.said
        );
    }

    lab.power_off("pend00").expect("known");
    answers(&monitor, "/status/pend00", 503).await;
    let notified = ask(&lab, &monitor, &["status", "--categories", "pend"]).await;
    assert_eq!(notified.status.code(), Some(1), "{}", notified.said);
    answers(&monitor, "/__gtg?categories=spin", 200).await;
    answers(&monitor, "/readiness", 200).await;
    monitor.stop("TERM", &lab).await;
}

/// Book is gone: readiness says so, liveness does not mind, and a caller who waits gets the name
/// and ends with an error.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn trap_18_who_waits_in_vain_ends_with_an_error_that_names_the_part() {
    let lab = laboratory(RelayVersion::V07, &ALL).await;
    lab.kill(Server::Book).await;
    let monitor = Monitor::start(&lab, &[]).await;
    let waited = ask(&lab, &monitor, &["wait-for-ready", "--timeout", "2s"]).await;
    assert_eq!(waited.status.code(), Some(1));
    assert!(
        waited
            .said
            .starts_with("labwatch is not ready after 2s: book "),
        "{}",
        waited.said
    );
    assert_eq!(
        get(monitor.port(), "/liveness").await.map(|(code, _)| code),
        Some(200)
    );
    let notified = ask(&lab, &monitor, &["status"]).await;
    assert_eq!(notified.status.code(), Some(1), "{}", notified.said);
    monitor.stop("TERM", &lab).await;
    let notified = ask_without_answer(&lab).await;
    assert_eq!(notified.status.code(), Some(2), "{}", notified.said);
    assert!(
        notified
            .said
            .starts_with("labwatch at http://127.0.0.1:1/ is not reachable: cannot connect"),
        "{}",
        notified.said
    );
}

async fn ask_without_answer(lab: &Lab) -> Ended {
    run(&["status", "--url", "http://127.0.0.1:1"], lab, &[]).await
}

/// While the last switch is finished, readiness makes load balancers choose another replica.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn it_says_that_it_is_about_to_end() {
    let lab = laboratory(RelayVersion::V07, &ALL).await;
    let monitor = Monitor::start(&lab, &[]).await;
    answers(&monitor, "/readiness", 200).await;
    lab.slow_book(Duration::from_millis(500));
    lab.power_off("pend00").expect("known");
    monitor.logs(&["withdraw r-pend00"]).await;
    kill("TERM", monitor.pid()).await;
    let body = answers(&monitor, "/readiness", 503).await;
    let body: Value = serde_json::from_str(&body).expect("JSON");
    assert_eq!(
        body["PluginStatus"]["runtime_startup"]["error"], "shutdown",
        "{body}"
    );
    monitor.stop("TERM", &lab).await;
    assert_eq!(
        switches(&lab, "r-pend00"),
        [false],
        "the switch that was under way is finished"
    );
}

/// A category that does not forget is still closed after the program was killed and started anew.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_closed_category_stays_closed() {
    let lab = laboratory(RelayVersion::V07, &ALL).await;
    let folder = tempfile::tempdir().expect("a folder");
    let file = folder.path().join("labwatch.toml");
    std::fs::write(
        &file,
        "[[category]]\nname = \"exam\"\nmatch = [\"spin*\"]\nsticky = true\n",
    )
    .expect("writes");
    let (file, data) = (file.to_str().expect("text"), folder.path().join("data"));
    let settings = [("CONFIG", file), ("DATA_DIR", data.to_str().expect("text"))];
    let first = Monitor::start(&lab, &settings).await;
    answers(&first, "/__gtg?categories=exam", 200).await;
    lab.power_off("spin00").expect("known");
    first.logs(&["category exam is closed by labwatch"]).await;
    lab.power_on("spin00").expect("known");
    answers(&first, "/status/spin00", 200).await;
    answers(&first, "/__gtg?categories=exam", 503).await;
    tokio::time::sleep(Duration::from_secs(1)).await; // for the store to write it: it is killed without a warning
    first.kill(&lab).await;

    let second = Monitor::start(&lab, &settings).await;
    answers(&second, "/status/spin00", 200).await;
    answers(&second, "/readiness", 200).await;
    let (code, body) = get(second.port(), "/__health?categories=exam")
        .await
        .expect("answers");
    assert!(
        code == 200 && body.contains("Category exam is disabled: failing: spin00"),
        "{body}"
    );
    answers(&second, "/__gtg?categories=exam", 503).await;
    second.stop("TERM", &lab).await;
}

/// The servers that it calls hang; it does not.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn liveness_is_quick_while_book_is_frozen() {
    let lab = laboratory(RelayVersion::V07, &ALL).await;
    let monitor = Monitor::start(&lab, &[]).await;
    answers(&monitor, "/readiness", 200).await;
    lab.freeze(Server::Book, true);
    lab.freeze(Server::Mail, true);
    let begun = Instant::now();
    for _ in 0..100 {
        assert_eq!(
            get(monitor.port(), "/liveness").await.map(|(code, _)| code),
            Some(200)
        );
    }
    println!(
        "measured: 100 answers of liveness with a frozen book: {:?}",
        begun.elapsed()
    );
    monitor.stop("TERM", &lab).await;
}
