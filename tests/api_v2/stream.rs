//! The stream of changes over a real socket: beginning, changes, coming back, slowness and the end.

use std::sync::Arc;
use std::time::Duration;

use engine::model::Health;
use labwatch::http::{KEPT_CHANGES, MAX_LISTENERS};
use serde_json::Value;
use tokio::io::{AsyncBufReadExt, AsyncWriteExt, BufReader};
use tokio::net::TcpStream;
use tokio::time::timeout;

use super::everything;
use super::lab::healthy;
use super::server::Server;

/// Longer than any step takes; a test that waits so long has failed.
const PATIENCE: Duration = Duration::from_secs(30);

/// A listener.
struct Listener {
    reader: BufReader<TcpStream>,
    status: String,
}

#[derive(Debug, Default)]
struct Notified {
    id: String,
    kind: String,
    data: Value,
}

impl Listener {
    async fn start(server: &Server, seen: Option<&str>) -> Self {
        let mut stream = TcpStream::connect(server.address).await.expect("connects");
        let seen = seen
            .map(|id| format!("last-event-id: {id}\r\n"))
            .unwrap_or_default();
        stream
            .write_all(format!("GET /api/v2/stream HTTP/1.1\r\nhost: x\r\n{seen}\r\n").as_bytes())
            .await
            .expect("sends");
        let mut listener = Self {
            reader: BufReader::new(stream),
            status: String::new(),
        };
        listener.status = listener.line().await.expect("an answer");
        listener
    }

    /// The next line that is not empty and not the length of a chunk; `None` at the end.
    async fn line(&mut self) -> Option<String> {
        loop {
            let mut line = String::new();
            let read = timeout(PATIENCE, self.reader.read_line(&mut line))
                .await
                .expect("in time");
            if read.unwrap_or(0) == 0 {
                return None;
            }
            let is_length = u64::from_str_radix(line.trim(), 16).is_ok();
            if !line.trim().is_empty() && !is_length {
                return Some(line.trim_end().to_owned());
            }
        }
    }

    /// The next whole event, pings aside; `None` at the end.
    async fn next(&mut self) -> Option<Notified> {
        let mut notified = Notified::default();
        while let Some(line) = self.line().await {
            match line.split_once(": ") {
                Some(("id", id)) => id.clone_into(&mut notified.id),
                Some(("event", kind)) => kind.clone_into(&mut notified.kind),
                Some(("data", data)) if notified.kind != "ping" => {
                    notified.data = serde_json::from_str(data).ok()?;
                    return Some(notified);
                }
                _ => {}
            }
        }
        None
    }

    async fn expect(&mut self, kind: &str) -> Notified {
        let notified = self.next().await.expect("goes on");
        assert_eq!(notified.kind, kind, "{notified:?}");
        notified
    }
}

/// Changes an experiment's health.
fn turn(server: &Server, health: Health) {
    server.change(|snapshot| {
        snapshot.changed += 1;
        let list = Arc::make_mut(&mut snapshot.experiments);
        Arc::make_mut(&mut list[0]).health = health;
    });
}

#[tokio::test]
async fn changes_are_sent_as_they_happen() {
    let server = Server::start(everything()).await;
    let mut listener = Listener::start(&server, None).await;
    assert_eq!(listener.status, "HTTP/1.1 200 OK");
    assert_eq!(listener.expect("reset").await.data["why"], "start");
    turn(&server, Health::Down);
    let notified = listener.expect("experiment").await;
    assert_eq!(
        (
            notified.data["name"].as_str(),
            notified.data["health"].as_str()
        ),
        (Some("pend00"), Some("down"))
    );
    assert_eq!(
        listener.expect("counts").await.data["mismatched"],
        3,
        "it can be booked and is down"
    );
    server.change(|snapshot| {
        snapshot.changed += 1;
        Arc::make_mut(&mut snapshot.experiments).remove(0);
    });
    assert_eq!(listener.expect("gone").await.data["name"], "pend00");
    listener.expect("counts").await;
    server.change(|snapshot| snapshot.sources[0].hides = 7);
    let sources = listener.expect("sources").await.data;
    assert_eq!(
        (sources[0]["hides"].as_u64(), sources[0]["note"].is_null()),
        (Some(7), true)
    );
    server.change(|snapshot| snapshot.changed += 1);
    server.change(|snapshot| snapshot.sources[0].hides = 8);
    assert_eq!(
        listener.expect("sources").await.data[0]["hides"],
        8,
        "what did not change is not sent"
    );
    server.ended().await;
}

#[tokio::test]
async fn who_comes_back_gets_what_was_missed() {
    let server = Server::start(everything()).await;
    let mut listener = Listener::start(&server, None).await;
    let start = listener.expect("reset").await.id;
    turn(&server, Health::Down);
    let seen = listener.expect("experiment").await.id;
    listener.expect("counts").await;
    drop(listener);
    turn(&server, Health::Degraded);

    let mut back = Listener::start(&server, Some(&seen)).await;
    back.expect("counts").await;
    assert_eq!(back.expect("experiment").await.data["health"], "degraded");
    let mut anew = Listener::start(&server, Some(&start)).await;
    assert_eq!(anew.expect("experiment").await.data["health"], "down");
    for strange in ["ffff-1", &format!("{seen}9"), "", "nonsense"] {
        let mut unlisted = Listener::start(&server, Some(strange)).await;
        assert_eq!(
            unlisted.expect("reset").await.data["why"],
            "too-old",
            "{strange}"
        );
    }
}

#[tokio::test]
async fn what_is_no_longer_kept_and_what_is_too_much_is_a_reset() {
    let server = Server::start(everything()).await;
    let mut listener = Listener::start(&server, None).await;
    let start = listener.expect("reset").await.id;
    for n in 0..=KEPT_CHANGES {
        server.change(|snapshot| snapshot.sources[0].hides = n + 1);
        listener.expect("sources").await;
    }
    let mut late = Listener::start(&server, Some(&start)).await;
    assert_eq!(late.expect("reset").await.data["why"], "too-old");
    server.change(|snapshot| {
        snapshot.changed += 1;
        Arc::make_mut(&mut snapshot.experiments)
            .extend((0..300).map(|n| Arc::new(healthy(&format!("x{n:03}")))));
    });
    assert_eq!(listener.expect("reset").await.data["why"], "too-much");
}

/// A listener who does not read is cut when what it has not taken is no longer kept; others notice
/// nothing.
#[tokio::test]
async fn who_does_not_read_is_cut() {
    let server = Server::start(everything()).await;
    let mut slow = Listener::start(&server, None).await;
    let mut quick = Listener::start(&server, None).await;
    slow.expect("reset").await;
    quick.expect("reset").await;
    let mut notified = 0_u64;
    // Together more than the buffers of both sides and what is kept.
    let long = "x".repeat(100_000);
    for n in 0..400 {
        server.change(|snapshot| {
            snapshot.changed += 1;
            let list = Arc::make_mut(&mut snapshot.experiments);
            Arc::make_mut(&mut list[0]).pools = vec![Arc::from(format!("{n}{long}"))];
        });
        let change = quick.expect("experiment").await;
        notified = change
            .id
            .rsplit('-')
            .next()
            .and_then(|number| number.parse().ok())
            .expect("a number");
    }
    let mut last = 0;
    while let Some(change) = slow.next().await {
        last = change
            .id
            .rsplit('-')
            .next()
            .and_then(|number| number.parse().ok())
            .expect("a number");
    }
    assert!(last < notified, "it ended at {last}, before {notified}");
}

#[tokio::test]
async fn a_stop_ends_every_stream_at_once() {
    let server = Server::start(everything()).await;
    let mut listener = Listener::start(&server, None).await;
    listener.expect("reset").await;
    server.ended().await;
    assert!(listener.next().await.is_none());
}

/// Listeners take no places from others, and have a bound of their own.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn listeners_block_no_reader_and_are_bounded() {
    let server = Server::start(everything()).await;
    let mut listeners = Vec::new();
    for _ in 0..MAX_LISTENERS {
        let listener = Listener::start(&server, None).await;
        assert_eq!(listener.status, "HTTP/1.1 200 OK");
        listeners.push(listener);
    }
    assert_eq!(server.get("/api/v2/stream").await.status().as_u16(), 503);
    assert_eq!(server.get("/api/v2/lab").await.status().as_u16(), 200);
    listeners.clear();
    let freed = async {
        while Listener::start(&server, None).await.status != "HTTP/1.1 200 OK" {
            turn(&server, Health::Down);
            tokio::task::yield_now().await;
        }
    };
    timeout(PATIENCE, freed)
        .await
        .expect("a place is free again");
}
