//! A webhook that is called by the real program: signed, tried again while it is unwell, and by a
//! state of its own.

use std::sync::{Arc, Mutex};

use lab::RelayVersion;
use labwatch::effects::webhook::signature;
use secrecy::SecretString;
use serde_json::Value;
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::{TcpListener, TcpStream};
use tokio::task::JoinSet;

use super::eventually::eventually;
use super::laboratory::{laboratory, mail};
use super::monitor::Monitor;

const SECRET: &str = "webh00k-s3cr3t-x8";

/// A webhook that fails at first, and the requests that it received: head and body.
struct Program {
    url: String,
    received: Arc<Mutex<Vec<(String, String)>>>,
    _server: JoinSet<()>,
}

impl Program {
    async fn start(unwell: usize) -> Self {
        let listener = TcpListener::bind("127.0.0.1:0").await.expect("a port");
        let url = format!("http://{}/hook", listener.local_addr().expect("bound"));
        let received = Arc::new(Mutex::new(Vec::new()));
        let (mut server, all) = (JoinSet::new(), Arc::clone(&received));
        server.spawn(async move {
            while let Ok((mut stream, _)) = listener.accept().await {
                let Some(request) = request(&mut stream).await else {
                    continue;
                };
                let count = {
                    let mut all = all.lock().expect("no thread panics");
                    all.push(request);
                    all.len()
                };
                let status = if count <= unwell {
                    "503 Unwell"
                } else {
                    "200 OK"
                };
                let answer =
                    format!("HTTP/1.1 {status}\r\ncontent-length: 0\r\nconnection: close\r\n\r\n");
                let _ = stream.write_all(answer.as_bytes()).await;
            }
        });
        Self {
            url,
            received,
            _server: server,
        }
    }

    /// The messages so far.
    fn received(&self) -> Vec<(String, String)> {
        self.received.lock().expect("no thread panics").clone()
    }

    /// Waits for the `count`th message.
    async fn message(&self, count: usize) -> Value {
        let look = async || self.received().into_iter().nth(count - 1);
        let (head, body) = eventually(
            &format!("message {count}"),
            || format!("{:#?}", self.received()),
            look,
        )
        .await;
        let header = |name: &str| {
            let mut lines = head.lines().filter_map(|line| line.split_once(": "));
            lines
                .find(|(known, _)| known.eq_ignore_ascii_case(name))
                .map(|(_, value)| value.to_owned())
                .unwrap_or_default()
        };
        let expected = signature(
            &SecretString::from(SECRET),
            &header("x-labwatch-timestamp"),
            body.as_bytes(),
        );
        assert_eq!(header("x-labwatch-signature"), format!("sha256={expected}"));
        let message: Value = serde_json::from_str(&body).expect("JSON");
        assert_eq!(message["id"], header("x-labwatch-id").as_str());
        message
    }
}

async fn request(stream: &mut TcpStream) -> Option<(String, String)> {
    let mut bytes = Vec::new();
    loop {
        stream
            .read_buf(&mut bytes)
            .await
            .ok()
            .filter(|read| *read > 0)?;
        let text = String::from_utf8_lossy(&bytes);
        let Some((head, body)) = text.split_once("\r\n\r\n") else {
            continue;
        };
        let length = head
            .to_ascii_lowercase()
            .lines()
            .find_map(|line| line.strip_prefix("content-length: ")?.parse::<usize>().ok())?;
        if body.len() >= length {
            return Some((head.to_owned(), body.to_owned()));
        }
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_webhook_gets_what_mail_recipients_get() {
    let program = Program::start(1).await;
    let lab = laboratory(RelayVersion::V07, &["pend00", "spin00"]).await;
    let monitor = Monitor::start(
        &lab,
        &[("WEBHOOK_URL", &program.url), ("SECRET_WEBHOOK", SECRET)],
    )
    .await;
    monitor.sees_well(&["pend00", "spin00"]).await;
    lab.stream_silent("pend00-st-data").expect("known");
    mail(&lab, "pend00 is down", |mail| {
        mail.subject.contains("down: pend00")
    })
    .await;
    let unconfirmed = program.message(1).await;
    // The first was answered by 503: recipients have it by mail, the webhook is called again.
    let down = program.message(2).await;
    assert_eq!(unconfirmed, down, "each attempt is the same message");
    assert_eq!(
        (&down["version"], &down["route"], &down["occasion"]),
        (&1.into(), &"webhook".into(), &"news".into())
    );
    assert_eq!(
        (&down["news"][0]["name"], &down["news"][0]["health"]),
        (&"pend00".into(), &"down".into())
    );
    lab.stream_back("pend00-st-data").expect("known");
    let back = program.message(3).await;
    assert_eq!(
        (&back["news"][0]["health"], &back["news"][0]["told"]),
        (&"ok".into(), &"down".into())
    );
    assert!(
        back["news"][0]["lasted_seconds"].as_u64().is_some(),
        "{back}"
    );
    mail(&lab, "pend00 is back", |mail| {
        mail.subject.contains("back: pend00")
    })
    .await;
    assert_eq!(lab.mail().mails().len(), 2, "mail has a state of its own");
    monitor.stop("TERM", &lab).await;
}
