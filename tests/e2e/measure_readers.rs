//! What readers cost, in numbers: live listeners while nothing changes, and the whole list of a
//! large laboratory. As `measure.rs`, run by hand with a release build: `cargo test --release
//! --test e2e -- --ignored --nocapture measure_readers`

use std::io::{Read, Write};
use std::net::{Ipv4Addr, TcpStream};
use std::time::{Duration, Instant};

use lab::{RelayVersion, Server};
use reqwest::header::{ACCEPT_ENCODING, ETAG, IF_NONE_MATCH};
use reqwest::{Client, Response};

use super::measure::{DEFAULTS, fleet, usage};
use super::monitor::Monitor;

/// How long the steady state is watched.
const STEADY: Duration = Duration::from_secs(30);

/// How many listen.
const LISTENERS: usize = 200;

/// How often each question is asked.
const TIMES: usize = 50;

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
#[ignore = "measures for two minutes; run it by hand with a release build"]
async fn measure_readers_who_listen() {
    let lab = fleet(130, RelayVersion::V07).await;
    let monitor = Monitor::start(&lab, &DEFAULTS).await;
    monitor
        .sees("spin42", "is ok", |it| it["health"] == "ok")
        .await;
    tokio::time::sleep(Duration::from_secs(15)).await;
    let without = share(monitor.pid()).await;
    let client = Client::new();
    let mut listeners: Vec<Response> = Vec::new();
    for _ in 0..LISTENERS {
        listeners.push(
            client
                .get(url(&monitor, "/api/v2/stream"))
                .send()
                .await
                .expect("listens"),
        );
    }
    tokio::time::sleep(Duration::from_secs(5)).await;
    let with = share(monitor.pid()).await;
    println!(
        "measured: CPU {without:.2} % without listeners, {with:.2} % with {LISTENERS} of them while nothing changes"
    );
    drop(listeners);
    monitor.stop("TERM", &lab).await;
}

/// What share of a core it uses, in per cent.
async fn share(pid: u32) -> f64 {
    let before = usage(pid).scheduled;
    tokio::time::sleep(STEADY).await;
    (usage(pid).scheduled - before) / STEADY.as_secs_f64() * 100.0
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
#[ignore = "measures for a minute; run it by hand with a release build"]
async fn measure_readers_of_a_large_laboratory() {
    let lab = fleet(10_000, RelayVersion::V07).await;
    let monitor = Monitor::start(&lab, &DEFAULTS).await;
    monitor
        .sees("spin42", "is ok", |it| it["health"] == "ok")
        .await;
    tokio::time::sleep(Duration::from_secs(15)).await;
    let client = Client::new();
    for path in [
        "/api/v2/experiments?limit=1000",
        "/api/v2/experiments?state=down&limit=1000",
        "/api/v2/lab",
        "/",
        "/lab",
        "/__health",
        "/metrics",
        "/liveness",
    ] {
        for encoding in ["identity", "gzip"] {
            let ask = async || {
                let request = client
                    .get(url(&monitor, path))
                    .header(ACCEPT_ENCODING, encoding);
                request
                    .send()
                    .await
                    .expect("answers")
                    .bytes()
                    .await
                    .expect("a body")
                    .len()
            };
            let (median, worst) = timed(ask).await;
            println!(
                "measured: {path} as {encoding}: {} kB, median {median:?}, worst of {TIMES} {worst:?}",
                ask().await / 1_000
            );
        }
    }
    let first = client
        .get(url(&monitor, "/api/v2/experiments?limit=1000"))
        .send()
        .await
        .expect("answers");
    let tag = first.headers().get(ETAG).expect("a tag").clone();
    drop(first);
    let (median, worst) = timed(async || {
        let request = client
            .get(url(&monitor, "/api/v2/experiments?limit=1000"))
            .header(IF_NONE_MATCH, tag.clone());
        assert_eq!(request.send().await.expect("answers").status(), 304);
    })
    .await;
    println!(
        "measured: the list to who has it (304): median {median:?}, worst of {TIMES} {worst:?}"
    );
    monitor.stop("TERM", &lab).await;
}

/// The median and the longest of many times.
async fn timed<T>(ask: impl AsyncFn() -> T) -> (Duration, Duration) {
    let mut times = Vec::new();
    for _ in 0..TIMES {
        let start = Instant::now();
        ask().await;
        times.push(start.elapsed());
        tokio::time::sleep(Duration::from_millis(20)).await;
    }
    times.sort();
    (times[TIMES / 2], times[TIMES - 1])
}

fn url(monitor: &Monitor, path: &str) -> String {
    format!("http://127.0.0.1:{}{path}", monitor.port())
}

/// How often liveness is asked.
const LIFE_SIGNS: usize = 1_000;

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
#[ignore = "measures for a minute; run it by hand with a release build"]
async fn measure_liveness_while_all_around_it_hangs() {
    let lab = fleet(10_000, RelayVersion::V07).await;
    let monitor = Monitor::start(&lab, &DEFAULTS).await;
    monitor.logs(&["relay is live"]).await;
    lab.freeze(Server::Book, true);
    // No other process can write into the store until this ends.
    let file = monitor
        .folder()
        .join("data")
        .join(labwatch::store::DATABASE_FILE);
    let taken = rusqlite::Connection::open(file).expect("the store");
    taken.execute_batch("BEGIN IMMEDIATE").expect("takes it");
    tokio::time::sleep(Duration::from_secs(10)).await;
    let port = monitor.port();
    let (mut times, well) = tokio::task::spawn_blocking(move || life_signs(port))
        .await
        .expect("they were asked for");
    times.sort();
    println!(
        "measured: liveness with 10,000 experiments, a frozen book and a store that cannot be written: median {:?}, 99 % {:?}, worst of {LIFE_SIGNS} {:?}; {well} said 200",
        times[LIFE_SIGNS / 2],
        times[LIFE_SIGNS * 99 / 100],
        times[LIFE_SIGNS - 1],
    );
    drop(taken);
    monitor.stop("TERM", &lab).await;
}

/// How long each of [`LIFE_SIGNS`] answers took, and how many of them said 200. On a thread of its
/// own, because the simulated laboratory keeps the runtime's busy while it writes its reports.
fn life_signs(port: u16) -> (Vec<Duration>, usize) {
    let (mut times, mut well) = (Vec::new(), 0);
    for _ in 0..LIFE_SIGNS {
        let begun = Instant::now();
        let mut stream = TcpStream::connect((Ipv4Addr::LOCALHOST, port)).expect("connects");
        stream
            .write_all(b"GET /liveness HTTP/1.1\r\nHost: 127.0.0.1\r\nConnection: close\r\n\r\n")
            .expect("asks");
        let mut answer = String::new();
        stream.read_to_string(&mut answer).expect("answers");
        times.push(begun.elapsed());
        well += usize::from(answer.starts_with("HTTP/1.1 200"));
        std::thread::sleep(Duration::from_millis(20));
    }
    (times, well)
}
