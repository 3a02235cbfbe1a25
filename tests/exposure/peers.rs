//! Peers that fail, and put a marked text into all that they say.

use tokio::io::{AsyncBufReadExt, AsyncReadExt, AsyncWriteExt, BufReader};
use tokio::net::{TcpListener, TcpStream};
use tokio::task::JoinSet;

/// The text that every peer sends. No client without a token may see it.
pub const SAID: &str = "m4rked-words";

/// An HTTP server that answers everything with an error and its own path; and an SMTP server that
/// refuses every recipient.
pub struct Peers {
    pub http: String,
    pub smtp: u16,
    _servers: JoinSet<()>,
}

impl Peers {
    pub async fn start() -> Self {
        let (http, smtp) = (bind().await, bind().await);
        let (http_port, smtp_port) = (port(&http), port(&smtp));
        let mut servers = JoinSet::new();
        servers.spawn(async move {
            let mut answers = JoinSet::new();
            while let Ok((stream, _)) = http.accept().await {
                answers.spawn(answer(stream));
            }
        });
        servers.spawn(async move {
            let mut answers = JoinSet::new();
            while let Ok((stream, _)) = smtp.accept().await {
                answers.spawn(refuse(stream));
            }
        });
        Self {
            http: format!("http://127.0.0.1:{http_port}"),
            smtp: smtp_port,
            _servers: servers,
        }
    }
}

async fn bind() -> TcpListener {
    TcpListener::bind("127.0.0.1:0").await.expect("a port")
}

fn port(listener: &TcpListener) -> u16 {
    listener.local_addr().expect("bound").port()
}

/// Answers as many frameworks do, with the path in the body.
async fn answer(mut stream: TcpStream) {
    let mut head = vec![0; 8 << 10];
    let read = stream.read(&mut head).await.unwrap_or_default();
    let head = String::from_utf8_lossy(&head[..read]).into_owned();
    let path = head.split(' ').nth(1).unwrap_or_default();
    let body = format!("{SAID} alice@{SAID}.example at 10.0.0.5: cannot do {path}");
    let status = if path.contains("service") {
        "200 OK"
    } else {
        "500 Sick"
    };
    let body = if path.contains("service") {
        document()
    } else {
        body
    };
    let answer = format!(
        "HTTP/1.1 {status}\r\ncontent-type: application/json\r\ncontent-length: {}\r\nconnection: close\r\n\r\n{body}",
        body.len()
    );
    let _ = stream.write_all(answer.as_bytes()).await;
}

/// The health document of an outside service with a check that fails.
fn document() -> String {
    format!(
        r#"{{"schemaVersion":1,"name":"wiki","checks":[{{"id":"db","name":"database","ok":false,"severity":1,"businessImpact":"{SAID}",
        "technicalSummary":"{SAID}","panicGuide":"{SAID}","checkOutput":"{SAID}","lastUpdated":"2026-01-01T00:00:00Z"}}]}}"#
    )
}

async fn refuse(stream: TcpStream) {
    let mut stream = BufReader::new(stream);
    let mut said = format!("220 {SAID}\r\n");
    loop {
        if stream.write_all(said.as_bytes()).await.is_err() {
            return;
        }
        let mut line = String::new();
        if stream.read_line(&mut line).await.unwrap_or_default() == 0 {
            return;
        }
        said = match line
            .get(..4)
            .unwrap_or_default()
            .to_ascii_uppercase()
            .as_str()
        {
            "RCPT" => format!("550 5.1.1 <alice@{SAID}.example>: {SAID}\r\n"),
            "QUIT" => return,
            _ => format!("250 {SAID}\r\n"),
        };
    }
}
