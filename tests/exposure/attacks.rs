//! Attacks by clients without a token and by holders of one token, and what they must not reach.

use std::fs;
use std::io::{Read, Write};
use std::net::{Ipv4Addr, TcpStream};
use std::time::{Duration, Instant};

use lab::{Lab, RelayVersion};
use labwatch::http::auth::Scope;
use labwatch::store::DATABASE_FILE;
use reqwest::{Client, RequestBuilder, StatusCode};
use rusqlite::{Connection, OpenFlags};
use serde_json::Value;
use tokio::time::timeout;

use super::laboratory::{laboratory, plan};
use super::monitor::Monitor;
use super::{SECRET, issue, issue_for};

/// How large an attack is.
struct Size {
    sessions: usize,
    /// How many tokens that are none, and how many cookies of another time.
    bad_credentials: usize,
    sign_outs: usize,
    connections: usize,
    experiments: usize,
    readers: usize,
    /// How much the memory may grow, in MB.
    growth: u64,
    /// How long health may take to answer.
    answers_within: Duration,
}

const SCALED: Size = Size {
    sessions: 100,
    bad_credentials: 100,
    sign_outs: 300,
    connections: 512,
    experiments: 200,
    readers: 60,
    growth: 60,
    answers_within: Duration::from_secs(2),
};

const FULL: Size = Size {
    sessions: 10_010,
    bad_credentials: 10_000,
    sign_outs: 20_000,
    connections: 512,
    experiments: 10_000,
    readers: 60,
    growth: 60,
    answers_within: Duration::from_millis(50),
};

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn anonymous_clients_leave_nothing_and_hinder_no_revocation() {
    sessions_and_sign_outs(&SCALED).await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
#[ignore = "takes a minute; scripts/attacks.sh runs it"]
async fn anonymous_clients_at_full_size() {
    sessions_and_sign_outs(&FULL).await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn bad_credentials_lock_out_no_good_ones() {
    bad_credentials(&SCALED).await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
#[ignore = "takes a minute; scripts/attacks.sh runs it"]
async fn credentials_at_full_size() {
    bad_credentials(&FULL).await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn many_connections_leave_health_quick() {
    many_connections(&SCALED).await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
#[ignore = "needs an idle machine; scripts/attacks.sh runs it"]
async fn connections_at_full_size() {
    many_connections(&FULL).await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn slow_readers_leave_the_memory_flat() {
    slow_readers(&SCALED).await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
#[ignore = "takes two minutes; scripts/attacks.sh runs it"]
async fn readers_at_full_size() {
    slow_readers(&FULL).await;
}

/// A stream ends with the token that asked for it: at its end, and when it is revoked.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn streams_end_with_their_token_and_a_crash_leaves_no_core() {
    const PATIENCE: Duration = Duration::from_secs(60);
    let lab = laboratory(RelayVersion::V07, &["pend00"]).await;
    let monitor = start(&lab).await;
    let (client, base) = (client(), format!("http://127.0.0.1:{}", monitor.port()));
    let limits = fs::read_to_string(format!("/proc/{}/limits", monitor.pid())).expect("reads");
    let core = limits.lines().find(|line| line.starts_with("Max core"));
    let words: Vec<_> = core.expect("a limit").split_whitespace().collect();
    assert_eq!(words[4..6], ["0", "0"], "{words:?}");

    let listen = async |token: &str| {
        let stream = client.get(format!("{base}/api/v2/stream"));
        let stream = stream.bearer_auth(token).send().await.expect("answers");
        assert_eq!(stream.status(), StatusCode::OK);
        stream
    };
    let short = issue_for("short", Scope::Read, Duration::from_secs(5));
    let (leaked, good) = (issue("leaked", Scope::Read), issue("good", Scope::Read));
    let ending = listen(&short.token).await;
    let revoked = listen(&leaked.token).await;
    let lasting = listen(&good.token).await;
    let ended = timeout(PATIENCE, ending.bytes()).await;
    assert!(ended.is_ok(), "it outlives its token");
    let revocation = client
        .delete(format!("{base}/api/v2/tokens/{}", leaked.pass.id))
        .bearer_auth(issue("admin", Scope::Admin).token);
    let answer = revocation.send().await.expect("answers");
    assert_eq!(answer.status(), StatusCode::OK);
    let ended = timeout(PATIENCE, revoked.bytes()).await;
    assert!(ended.is_ok(), "it outlives the revocation");
    let ended = timeout(Duration::from_secs(1), lasting.bytes()).await;
    assert!(ended.is_err(), "others go on");
    monitor.stop("TERM", &lab).await;
}

async fn start(lab: &Lab) -> Monitor {
    let settings = [
        ("SECRET_API", SECRET),
        ("API_READ", "token"),
        ("LOG_LEVEL", "info"),
    ];
    Monitor::start(lab, &settings).await
}

async fn sessions_and_sign_outs(size: &Size) {
    let lab = laboratory(RelayVersion::V07, &["pend00"]).await;
    let monitor = start(&lab).await;
    let (client, base) = (client(), format!("http://127.0.0.1:{}", monitor.port()));
    let lines = monitor.lines(&["change"]).len();
    for _ in 0..size.sign_outs {
        let out = client.post(format!("{base}/logout"));
        let out = out.send().await.expect("answers");
        assert_eq!(out.status(), StatusCode::NO_CONTENT);
    }
    assert_eq!(
        audit_rows(&monitor),
        0,
        "a client without a token leaves no row"
    );
    assert_eq!(monitor.lines(&["change"]).len(), lines, "and no line");

    let leaked = issue("leaked", Scope::Read);
    for _ in 0..size.sessions {
        sign_in_and_out(&client, &base, &leaked.token).await;
    }
    let rows = audit_rows(&monitor);
    assert!(rows <= 10, "{rows} rows of one token");
    let revoked = client
        .delete(format!("{base}/api/v2/tokens/{}", leaked.pass.id))
        .bearer_auth(issue("admin", Scope::Admin).token)
        .send()
        .await
        .expect("answers");
    assert_eq!(revoked.status(), StatusCode::OK);
    let read = client
        .get(format!("{base}/api/v2/lab"))
        .bearer_auth(&leaked.token);
    let read = read.send().await.expect("answers");
    assert_eq!(read.status(), StatusCode::UNAUTHORIZED);
    monitor.stop("TERM", &lab).await;
}

/// Of one address: tokens that are none, then cookies of another time. Its good token, its session
/// and a new one go on.
async fn bad_credentials(size: &Size) {
    let lab = laboratory(RelayVersion::V07, &["pend00"]).await;
    let monitor = start(&lab).await;
    let (client, base) = (client(), format!("http://127.0.0.1:{}", monitor.port()));
    let good = issue("good", Scope::Read).token;
    let session = sign_in(&client, &base, &good).await;
    let (name, _) = session.split_once('=').expect("a pair");
    let (address, lines) = (format!("{base}/api/v2/lab"), monitor.lines(&[]).len());
    let begun = Instant::now();
    let mut refused = 0;
    for n in 0..size.bad_credentials {
        let junk = client.get(&address).bearer_auth(format!("junk.{n}"));
        let status = junk.send().await.expect("answers").status();
        refused += usize::from(status == StatusCode::TOO_MANY_REQUESTS);
        let old = client.get(&address);
        let old = old.header("cookie", format!("{name}=of.another.time"));
        let old = old.send().await.expect("answers");
        let removal = old.headers()["set-cookie"].to_str().expect("text");
        assert!(removal.contains("Max-Age=0"), "{removal}");
    }
    println!(
        "measured: {refused} of {} bad tokens were answered 429, all in {:?}",
        size.bad_credentials,
        begun.elapsed()
    );
    assert!(refused > size.bad_credentials / 2, "{refused} were slowed");
    let by_token = client.get(&address).bearer_auth(&good);
    let by_session = client.get(&address).header("cookie", &session);
    let again = sign_in(&client, &base, &good).await;
    let by_new = client.get(&address).header("cookie", again);
    for good in [by_token, by_session, by_new] {
        assert_eq!(good.send().await.expect("answers").status(), StatusCode::OK);
    }
    let new = monitor.lines(&[]).len() - lines;
    assert!(new < 100, "{new} lines of the log");
    monitor.stop("TERM", &lab).await;
}

fn form(client: &Client, address: String, body: String) -> RequestBuilder {
    let request = client.post(address).body(body);
    request.header("content-type", "application/x-www-form-urlencoded")
}

/// The cookie of a new session.
async fn sign_in(client: &Client, base: &str, token: &str) -> String {
    let signed_in = form(client, format!("{base}/login"), format!("token={token}"));
    let signed_in = signed_in.send().await.expect("answers");
    let cookie = signed_in.headers()["set-cookie"].to_str().expect("text");
    cookie.split(';').next().expect("a pair").to_owned()
}

async fn sign_in_and_out(client: &Client, base: &str, token: &str) {
    let cookie = sign_in(client, base, token).await;
    let who = client
        .get(format!("{base}/api/v2/session"))
        .header("cookie", &cookie);
    let who: Value = who
        .send()
        .await
        .expect("answers")
        .json()
        .await
        .expect("JSON");
    let csrf = who["csrf"].as_str().expect("a text");
    let out = form(client, format!("{base}/logout"), format!("csrf={csrf}"));
    let out = out.header("cookie", &cookie);
    let out = out.send().await.expect("answers");
    assert_eq!(out.status(), StatusCode::NO_CONTENT);
}

fn audit_rows(monitor: &Monitor) -> i64 {
    let file = monitor.folder().join("data").join(DATABASE_FILE);
    let flags = OpenFlags::SQLITE_OPEN_READ_ONLY | OpenFlags::SQLITE_OPEN_NO_MUTEX;
    let store = Connection::open_with_flags(file, flags).expect("opens");
    store
        .query_row("SELECT count(*) FROM audit", [], |row| row.get(0))
        .expect("a number")
}

/// Half of the answers come in time. The slowest says what else the machine does, as do those
/// without an attack.
async fn many_connections(size: &Size) {
    let lab = laboratory(RelayVersion::V07, &["pend00"]).await;
    let monitor = start(&lab).await;
    let (median, slowest) = liveness(&monitor);
    println!("measured: /liveness alone after {median:?}, at most {slowest:?}");
    let mut hostile = Vec::new();
    for n in 0..size.connections {
        let mut stream = connect(&monitor);
        if n % 2 == 1 {
            stream.write_all(b"GET / HTTP/1.1\r\nhost").expect("sends");
        }
        hostile.push(stream);
    }
    let (median, slowest) = liveness(&monitor);
    println!(
        "measured: /liveness after {median:?}, at most {slowest:?}, beside {} connections",
        hostile.len()
    );
    assert!(median < size.answers_within, "{median:?}");
    drop(hostile);
    monitor.stop("TERM", &lab).await;
}

/// How long `/liveness` takes, each time over a connection of its own: the median and the most.
fn liveness(monitor: &Monitor) -> (Duration, Duration) {
    const TIMES: usize = 9;
    let mut took: Vec<Duration> = Vec::with_capacity(TIMES);
    for _ in 0..TIMES {
        let asked = Instant::now();
        let mut stream = connect(monitor);
        let request = "GET /liveness HTTP/1.1\r\nhost: localhost\r\nconnection: close\r\n\r\n";
        stream.write_all(request.as_bytes()).expect("sends");
        let mut answer = String::new();
        stream.read_to_string(&mut answer).expect("answers");
        took.push(asked.elapsed());
        assert!(answer.starts_with("HTTP/1.1 200"), "{answer}");
    }
    took.sort();
    (took[TIMES / 2], took[TIMES - 1])
}

async fn slow_readers(size: &Size) {
    let stubs: Vec<String> = (0..size.experiments)
        .map(|n| format!("pend{n:05}"))
        .collect();
    let stubs: Vec<&str> = stubs.iter().map(String::as_str).collect();
    let lab = Lab::start(plan(RelayVersion::V07, &stubs))
        .await
        .expect("a laboratory");
    let settings = [("API_READ", "open"), ("LOG_LEVEL", "info")];
    let monitor = Monitor::start(&lab, &settings).await;
    sees_all(&monitor, size.experiments).await;
    tokio::time::sleep(Duration::from_secs(5)).await;
    let before = resident_mb(&monitor);
    let mut readers = Vec::new();
    for n in 0..size.readers {
        let mut stream = connect(&monitor);
        let path = ["/api/v1/experiments", "/api/v2/experiments", "/status"][n % 3];
        let request = format!("GET {path} HTTP/1.1\r\nhost: localhost\r\n\r\n");
        stream.write_all(request.as_bytes()).expect("sends");
        readers.push(stream);
        tokio::time::sleep(Duration::from_millis(200)).await;
    }
    let after = resident_mb(&monitor);
    println!(
        "measured: {before} MB before {} readers that do not read, {after} MB with them",
        readers.len()
    );
    assert!(after < before + size.growth, "from {before} to {after} MB");
    drop(readers);
    monitor.stop("TERM", &lab).await;
}

/// Waits until it knows of all experiments. The simulated laboratory is slow to report on many.
async fn sees_all(monitor: &Monitor, experiments: usize) {
    let begun = Instant::now();
    loop {
        let lab = monitor.get("/api/v2/lab").await;
        if lab["experiments"]["total"].as_u64() == u64::try_from(experiments).ok() {
            return;
        }
        let waited = begun.elapsed();
        assert!(waited < Duration::from_secs(400), "after {waited:?}: {lab}");
        tokio::time::sleep(Duration::from_secs(1)).await;
    }
}

fn connect(monitor: &Monitor) -> TcpStream {
    TcpStream::connect((Ipv4Addr::LOCALHOST, monitor.port())).expect("connects")
}

fn resident_mb(monitor: &Monitor) -> u64 {
    let status = fs::read_to_string(format!("/proc/{}/status", monitor.pid())).expect("reads");
    let line = status.lines().find_map(|line| line.strip_prefix("VmRSS:"));
    let kilobytes = line.and_then(|line| line.trim().split(' ').next()?.parse::<u64>().ok());
    kilobytes.expect("a number") / 1_024
}

fn client() -> Client {
    Client::builder()
        .no_proxy()
        .redirect(reqwest::redirect::Policy::none())
        .build()
        .expect("a client")
}
