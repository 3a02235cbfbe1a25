//! The simulated laboratory against what is known and recorded of the real one.

mod access;
mod book;
mod faults;
mod feeds;
mod recorded;
mod scripts;

use std::time::Duration;

use futures_util::{SinkExt, StreamExt};
use jiff::Timestamp;
use jsonwebtoken::{EncodingKey, Header};
use serde_json::{Value, json};
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::TcpStream;
use tokio::time::timeout;
use tokio_tungstenite::tungstenite::{Error, Message};
use tokio_tungstenite::{MaybeTlsStream, WebSocketStream, connect_async};

use super::*;
use crate::Script;

/// Longer than anything that is waited for takes.
const PATIENCE: Duration = Duration::from_secs(10);

/// How long no message has to come to count as silence.
const SILENCE: Duration = Duration::from_millis(300);

type Socket = WebSocketStream<MaybeTlsStream<TcpStream>>;

/// A plan whose servers report ten times a second and whose experiments come back at once.
fn quick(experiments: usize) -> Plan {
    let (tick, now) = (Duration::from_millis(100), Duration::ZERO);
    Plan {
        relay_every: tick,
        relay_pause: now,
        jump_every: tick,
        return_within: now,
        ..Plan::fleet(experiments)
    }
}

/// The same, but reports are sent only on request.
fn on_request(experiments: usize) -> Plan {
    let long = Duration::from_secs(3600);
    Plan {
        relay_every: long,
        jump_every: long,
        ..quick(experiments)
    }
}

async fn lab(plan: Plan) -> Lab {
    Lab::start(plan).await.expect("starts")
}

fn secret(lab: &Lab, server: Server) -> &str {
    let secrets = &lab.plan().secrets;
    match server {
        Server::Book => &secrets.book,
        Server::Jump => &secrets.jump,
        Server::Relay => &secrets.relay,
        Server::Mail | Server::Pages => "",
    }
}

fn sign(secret: &str, claims: &Value) -> String {
    jsonwebtoken::encode(
        &Header::default(),
        claims,
        &EncodingKey::from_secret(secret.as_bytes()),
    )
    .expect("signs")
}

/// Claims that are good for a server's topic.
fn claims(lab: &Lab, server: Server, topic: &str, scopes: &[&str]) -> Value {
    let now = Timestamp::now().as_second();
    let prefix = if server == Server::Jump {
        "connect"
    } else {
        "session"
    };
    json!({
        "aud": lab.audience(server), "iat": now - 30, "nbf": now - 30, "exp": now + 600,
        "topic": topic, "prefix": prefix, "scopes": scopes, "booking_id": "tests",
    })
}

/// Calls a server; `None` when it drops the connection without an answer.
async fn call(
    address: &str,
    method: &str,
    path: &str,
    token: Option<&str>,
) -> Option<(u16, String)> {
    let host = address.trim_start_matches("http://");
    let mut stream = TcpStream::connect(host).await.expect("connects");
    let token = token.map_or_else(String::new, |token| format!("Authorization: {token}\r\n"));
    let request =
        format!("{method} {path} HTTP/1.1\r\nHost: {host}\r\n{token}Content-Length: 0\r\n\r\n");
    stream.write_all(request.as_bytes()).await.expect("writes");
    let mut reply = String::new();
    stream.read_to_string(&mut reply).await.expect("reads");
    let (head, body) = reply.split_once("\r\n\r\n")?;
    assert!(
        head.contains("Connection: close") && head.contains("\r\nDate: "),
        "{head}"
    );
    Some((head.split(' ').nth(1)?.parse().ok()?, body.to_owned()))
}

/// The path of a topic's access call.
fn access_path(server: Server, topic: &str) -> String {
    if server == Server::Jump {
        format!("/api/v1/connect/{topic}")
    } else {
        format!("/session/{topic}")
    }
}

/// Causes a fault by its text.
async fn cause(lab: &Lab, fault: &str) {
    lab.cause(&fault.parse().expect(fault)).await.expect(fault);
}

/// Gets the address of a websocket.
async fn uri(lab: &Lab, server: Server, claims: &Value) -> String {
    let topic = claims["topic"].as_str().expect("a topic");
    let token = sign(secret(lab, server), claims);
    let (status, body) = call(
        &lab.address(server),
        "POST",
        &access_path(server, topic),
        Some(&token),
    )
    .await
    .expect("an answer");
    assert_eq!(status, 200, "{body}");
    let body: Value = serde_json::from_str(&body).expect("json");
    body["uri"].as_str().expect("a uri").to_owned()
}

async fn open(uri: &str) -> Socket {
    connect_async(uri).await.expect("is upgraded").0
}

/// A listener to a server's reports that may ask for them.
async fn listen(lab: &Lab, server: Server) -> Socket {
    let scopes: &[&str] = if server == Server::Jump {
        &["stats"]
    } else {
        &["read", "write"]
    };
    open(&uri(lab, server, &claims(lab, server, "stats", scopes)).await).await
}

async fn say(socket: &mut Socket, text: &str) {
    socket
        .send(Message::text(text.to_owned()))
        .await
        .expect("sends");
}

/// The next message, pings left out.
async fn next(socket: &mut Socket) -> Message {
    loop {
        let message = timeout(PATIENCE, socket.next())
            .await
            .expect("in time")
            .expect("is open")
            .expect("is a message");
        if !message.is_ping() {
            return message;
        }
    }
}

/// The next report.
async fn report(socket: &mut Socket) -> Vec<Value> {
    loop {
        if let Ok(Value::Array(entries)) = serde_json::from_slice(&next(socket).await.into_data()) {
            return entries;
        }
    }
}

/// Waits for a report that is as wanted.
async fn report_until(socket: &mut Socket, wanted: impl Fn(&[Value]) -> bool) -> Vec<Value> {
    let search = async {
        loop {
            let entries = report(socket).await;
            if wanted(&entries) {
                return entries;
            }
        }
    };
    timeout(PATIENCE, search)
        .await
        .expect("such a report comes")
}

fn count(entries: &[Value], topic: &str) -> usize {
    entries
        .iter()
        .filter(|entry| entry["topic"] == topic)
        .count()
}

async fn is_silent(socket: &mut Socket) -> bool {
    timeout(SILENCE, socket.next()).await.is_err()
}

/// Waits for the end of a connection; whether it came without a close frame.
async fn is_cut(socket: &mut Socket) -> bool {
    let end = async {
        loop {
            match socket.next().await {
                Some(Ok(Message::Close(_)) | Err(Error::ConnectionClosed)) => return false,
                Some(Ok(_)) => {}
                Some(Err(_)) | None => return true,
            }
        }
    };
    timeout(PATIENCE, end).await.expect("it ends")
}
