//! A proxy in the environment: what is on this host is reached without it.

use std::collections::BTreeSet;
use std::sync::{Arc, Mutex};

use lab::RelayVersion;
use tokio::io::{self, AsyncReadExt, AsyncWriteExt, copy_bidirectional};
use tokio::net::{TcpListener, TcpStream};
use tokio::task::JoinSet;

use super::laboratory::{laboratory, switched};
use super::monitor::{Monitor, environment};

/// The ports that a client wanted to reach through the proxy.
type Reached = Arc<Mutex<BTreeSet<u16>>>;

/// Takes one connection through to where it wants: SOCKS 5 without a login, to an address or a name.
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
