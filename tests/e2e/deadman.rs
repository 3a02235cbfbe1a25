//! The dead-man's call of the real program.

use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};

use lab::{RelayVersion, Server};
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::TcpListener;
use tokio::task::JoinSet;

use super::eventually::eventually;
use super::laboratory::laboratory;
use super::monitor::Monitor;

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn it_is_made_while_labwatch_hears_and_not_before() {
    let lab = laboratory(RelayVersion::V07, &["pend00"]).await;
    for server in [Server::Book, Server::Jump, Server::Relay] {
        lab.freeze(server, true);
    }
    let listener = TcpListener::bind("127.0.0.1:0").await.expect("a port");
    let url = format!(
        "http://{}/ping/s3cr3t-x7",
        listener.local_addr().expect("bound")
    );
    let calls = Arc::new(AtomicUsize::new(0));
    let count = Arc::clone(&calls);
    let mut server = JoinSet::new();
    server.spawn(async move {
        while let Ok((mut stream, _)) = listener.accept().await {
            let mut request = [0; 1_024];
            let _ = stream.read(&mut request).await;
            count.fetch_add(
                usize::from(request.starts_with(b"GET /ping/s3cr3t-x7 ")),
                Ordering::SeqCst,
            );
            let _ = stream
                .write_all(b"HTTP/1.1 200 OK\r\ncontent-length: 0\r\nconnection: close\r\n\r\n")
                .await;
        }
    });
    let monitor = Monitor::start(&lab, &[("DEAD_MAN_URL", &url), ("DEAD_MAN_EVERY", "10s")]).await;
    tokio::time::sleep(std::time::Duration::from_secs(3)).await;
    assert_eq!(
        calls.load(Ordering::SeqCst),
        0,
        "it has received nothing yet"
    );
    for server in [Server::Book, Server::Jump, Server::Relay] {
        lab.freeze(server, false);
    }
    eventually(
        "a second call",
        || monitor.tail(),
        async || (calls.load(Ordering::SeqCst) >= 2).then_some(()),
    )
    .await;
    monitor.logs(&["the heartbeat URL is reached"]).await;
    let ended = monitor.stop("TERM", &lab).await;
    assert!(
        !ended.said.contains("s3cr3t-x7"),
        "the URL is shown nowhere"
    );
}
