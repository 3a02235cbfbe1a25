//! A proxy in the environment: what is on this host is reached without it.

use std::collections::BTreeSet;
use std::sync::{Arc, Mutex};
use std::time::Duration;

use lab::{RelayVersion, Server};
use tokio::io::{self, AsyncReadExt, AsyncWriteExt, copy_bidirectional};
use tokio::net::{TcpListener, TcpStream};
use tokio::task::JoinSet;

use super::eventually::eventually;
use super::laboratory::{laboratory, switched};
use super::monitor::{Monitor, environment, run};

/// The ports that a client wanted to reach through the proxy.
type Reached = Arc<Mutex<BTreeSet<u16>>>;

/// Takes one connection through to where it wants: SOCKS 5 without a login, to an address or a
/// name.
async fn take_through(mut stream: TcpStream, reached: Reached) -> io::Result<()> {
    let _version = stream.read_u8().await?;
    let methods = stream.read_u8().await?;
    stream.read_exact(&mut vec![0; methods.into()]).await?;
    stream.write_all(&[5, 0]).await?;
    let mut head = [0; 4];
    stream.read_exact(&mut head).await?;
    let length = if head[3] == 1 {
        4
    } else {
        stream.read_u8().await?.into()
    };
    stream.read_exact(&mut vec![0; length]).await?;
    let port = stream.read_u16().await?;
    reached.lock().expect("whole").insert(port);
    stream.write_all(&[5, 0, 0, 1, 0, 0, 0, 0, 0, 0]).await?;
    // Everything in this laboratory is on this host.
    let mut there = TcpStream::connect(("127.0.0.1", port)).await?;
    copy_bidirectional(&mut stream, &mut there).await.map(drop)
}

async fn serve(listener: TcpListener, reached: Reached) {
    let mut connections = JoinSet::new();
    while let Ok((stream, _)) = listener.accept().await {
        connections.spawn(take_through(stream, Arc::clone(&reached)));
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn this_host_is_never_reached_through_a_proxy() {
    let lab = laboratory(RelayVersion::V07, &["pend00"]).await;
    let listener = TcpListener::bind("127.0.0.1:0").await.expect("binds");
    let proxy = format!(
        "socks5h://127.0.0.1:{}",
        listener.local_addr().expect("bound").port()
    );
    let reached = Reached::default();
    let mut serving = JoinSet::new();
    serving.spawn(serve(listener, Arc::clone(&reached)));

    let mut variables = environment(&lab, &[]);
    variables.push(("ALL_PROXY".to_owned(), proxy));
    let monitor = Monitor::start_with(variables).await;
    monitor.sees_well(&["pend00"]).await;
    lab.power_off("pend00").expect("known");
    assert!(!switched(&lab, "r-pend00", 1).await.available);
    let reached = reached.lock().expect("whole").clone();
    assert!(reached.is_empty(), "loopback is never proxied: {reached:?}");
    monitor.stop("TERM", &lab).await;
}

/// A plain HTTP proxy that answers every request itself with this status.
async fn makes_up(status: u16) -> (String, JoinSet<()>) {
    let listener = TcpListener::bind("127.0.0.1:0").await.expect("binds");
    let place = format!("http://{}", listener.local_addr().expect("bound"));
    let mut serving = JoinSet::new();
    serving.spawn(async move {
        while let Ok((mut stream, _)) = listener.accept().await {
            let mut request = [0; 4096];
            let _ = stream.read(&mut request).await;
            let answer = format!(
                "HTTP/1.1 {status} X\r\ncontent-length: 6\r\nconnection: close\r\n\r\n<html>"
            );
            let _ = stream.write_all(answer.as_bytes()).await;
        }
    });
    (place, serving)
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn what_a_proxy_makes_up_does_not_count_against_a_service() {
    let lab = laboratory(RelayVersion::V07, &["pend00"]).await;
    for (status, state) in [(502, "stale"), (403, "stale"), (200, "ok")] {
        let (proxy, _serving) = makes_up(status).await;
        let folder = tempfile::tempdir().expect("a folder");
        let path = folder.path().join("labwatch.toml");
        let service = "[[service]]\nname = \"wiki\"\nurl = \"http://wiki.lab.example/\"\nperiod = \"1s\"\nretries = 0\n";
        std::fs::write(&path, service).expect("written");
        let config = path.to_str().expect("a name");
        let mut variables = environment(&lab, &[("CONFIG", config)]);
        variables.push(("HTTP_PROXY".to_owned(), proxy));
        let monitor = Monitor::start_with(variables).await;
        let look = async || {
            let all = monitor.get("/api/v2/components").await;
            let all = all["items"].as_array().expect("a list").clone();
            let wiki = all.into_iter().find(|one| one["name"] == "wiki")?;
            (wiki["state"] != "init").then_some(wiki)
        };
        let wiki = eventually("the wiki is asked", || monitor.tail(), look).await;
        assert_eq!(wiki["state"], state, "{status} {wiki}");
        monitor.stop("TERM", &lab).await;
    }
}

/// A proxy that holds back what comes looks like a relay whose hub is stuck: that withdraws
/// nothing, where a mute relay itself does.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_relay_that_is_mute_behind_our_proxy_withdraws_nothing() {
    let listener = TcpListener::bind("127.0.0.1:0").await.expect("binds");
    let proxy = format!("socks5h://{}", listener.local_addr().expect("bound"));
    let reached = Reached::default();
    let mut serving = JoinSet::new();
    serving.spawn(serve(listener, Arc::clone(&reached)));
    let start = async |way: Option<&str>| {
        let lab = laboratory(RelayVersion::V07, &["pend00"]).await;
        let checked = run(&["check", "--connect"], &lab, &[]).await.said;
        let is_of_relay = |line: &&str| line.contains("relay") && line.contains("ws://");
        let line = checked.lines().find(is_of_relay);
        let (_, after) = line
            .and_then(|line| line.split_once("ws://127.0.0.1:"))
            .expect("its websocket");
        let port: String = after.chars().take_while(char::is_ascii_digit).collect();
        let host = way.map_or("127.0.0.1", |_| "relay.lab.example");
        let socket = format!("ws://{host}:{port}");
        let settings = [
            ("CANARY", "off"),
            ("HEALTH_OUTAGE_HOLD", "10s"),
            ("URL_RELAY_SOCKET", socket.as_str()),
        ];
        let mut variables = environment(&lab, &settings);
        variables.extend(way.map(|proxy| ("ALL_PROXY".to_owned(), proxy.to_owned())));
        let monitor = Monitor::start_with(variables).await;
        monitor.sees_well(&["pend00"]).await;
        lab.mute(Server::Relay, true).expect("can");
        (lab, monitor, port)
    };
    let (proxied, of_proxied, port) = start(Some(&proxy)).await;
    let (straight, of_straight, _) = start(None).await;
    let is_reached = reached
        .lock()
        .expect("whole")
        .contains(&port.parse().expect("a port"));
    assert!(is_reached, "the websocket goes through the proxy");
    assert!(!switched(&straight, "r-pend00", 1).await.available);
    let look = async || {
        let sources = of_proxied.get("/api/v2/sources").await;
        let sources = sources["items"].as_array().expect("a list").clone();
        let relay = sources.into_iter().find(|source| source["name"] == "relay");
        relay.filter(|relay| relay["health"] == "down").map(drop)
    };
    eventually("relay is down", || of_proxied.tail(), look).await;
    tokio::time::sleep(Duration::from_secs(25)).await;
    assert_eq!(proxied.switched(), []);
    of_straight.stop("TERM", &straight).await;
    of_proxied.stop("TERM", &proxied).await;
}
