//! The API above a bench, asked over HTTP.

use std::sync::{Arc, Mutex};
use std::time::Duration;

use labwatch::health::dialects::Contributor;
use labwatch::health::{Levels, PollBook, Probes, Refresher};
use labwatch::http::auth::{
    Audit, Authority, Grant, Kept, Reading, Reportable, Revocations, Scope,
};
use labwatch::http::{AccessSettings, ApiState, Authenticator, HealthRoutes, router, serve};
use reqwest::{Method, Response};
use serde_json::{Value, json};
use tokio::net::TcpListener;
use tokio::task::JoinSet;
use tokio_util::sync::CancellationToken;

use super::lab::Bench;

/// A log that only remembers.
#[derive(Default)]
pub struct Log(Mutex<std::collections::BTreeMap<String, String>>);

impl Levels for Log {
    fn levels(&self) -> std::collections::BTreeMap<String, String> {
        let mut levels = self.0.lock().expect("no panic").clone();
        levels.insert(String::new(), "warn".into());
        levels.insert("labwatch".into(), "info".into());
        levels
    }

    fn set(&self, targets: &[&str], level: &str) -> Result<(), String> {
        self.0.lock().expect("no panic").extend(
            targets
                .iter()
                .map(|target| ((*target).to_owned(), level.to_owned())),
        );
        Ok(())
    }
}

/// What the tokens of these tests are signed with.
const SECRET: &str = "0123456789abcdef0123456789abcdef";

/// A token of a reader.
fn reader() -> String {
    let grant = Grant {
        name: "reader".to_owned(),
        scopes: [Scope::Read].into_iter().collect(),
        reports: Reportable::default(),
        life: Duration::from_secs(600),
    };
    let issued = Authority::new(&SECRET.into()).issue(&grant, jiff::Timestamp::now());
    issued.expect("a token").token
}

/// An authenticator that lets every caller read.
fn open_gate() -> Arc<Authenticator> {
    let session = Duration::from_secs(3_600);
    let settings = AccessSettings {
        secret: Some(SECRET.into()),
        reading: Reading::Open,
        session,
        trusted_proxies: Vec::new(),
        url: None,
        base: String::new(),
    };
    let keep = Box::new(|_, _| Box::pin(std::future::ready(true)) as Kept);
    Arc::new(Authenticator::new(
        settings,
        Revocations::recall(
            &std::collections::BTreeMap::new(),
            jiff::Timestamp::UNIX_EPOCH,
            keep,
        ),
        Audit::new(|_, _| {}),
    ))
}

pub struct Server {
    address: String,
    client: reqwest::Client,
    _task: JoinSet<std::io::Result<()>>,
}

impl Server {
    pub async fn start(bench: &Bench) -> Self {
        Self::start_with(bench, &Probes::default(), Box::new(|| {})).await
    }

    pub async fn start_with(bench: &Bench, probes: &Probes, poll_book: PollBook) -> Self {
        let contributors: [Contributor; 2] = [
            ("config", Box::new(|_| Ok(json!({"health_startup": "1m"})))),
            ("host", Box::new(|_| Err("it does not say".to_owned()))),
        ];
        let health = HealthRoutes {
            health_state: bench.health_state.clone(),
            refresher: Arc::new(Refresher::new(
                bench.health_state.clone(),
                probes.asker(),
                poll_book,
            )),
            passive: Arc::clone(&bench.passive),
            contributors: Arc::new(contributors),
            endpoints: Arc::default(),
            give: Arc::new(|_, _| Box::pin(std::future::ready(Err(engine::Refusal::Stopping)))),
            levels: Some(Arc::new(Log::default())),
        };
        let routes = router(
            ApiState {
                health: Some(health),
                ..ApiState::new(bench.snapshots.subscribe())
            },
            &open_gate(),
            labwatch::http::Routes::default(),
        );
        let listener = TcpListener::bind("127.0.0.1:0").await.expect("binds");
        let address = format!("http://{}", listener.local_addr().expect("bound"));
        let mut task = JoinSet::new();
        task.spawn(serve(listener, routes, CancellationToken::new()));
        Self {
            address,
            client: reqwest::Client::builder()
                .no_proxy()
                .build()
                .expect("a client"),
            _task: task,
        }
    }

    pub async fn ask(&self, method: Method, path: &str, accept: &str) -> Response {
        let request = self
            .client
            .request(method, format!("{}{path}", self.address))
            .header("accept", accept)
            .header("x-request-id", "7");
        request.send().await.expect("answers")
    }

    /// The answer to a reader with a token.
    pub async fn json_for_reader(&self, path: &str) -> Value {
        let request = self
            .client
            .get(format!("{}{path}", self.address))
            .header("accept", "application/json")
            .bearer_auth(reader());
        let answer = request.send().await.expect("answers");
        answer.json().await.expect("JSON")
    }

    pub async fn status(&self, path: &str) -> u16 {
        self.ask(Method::GET, path, "application/json")
            .await
            .status()
            .as_u16()
    }

    pub async fn json(&self, path: &str) -> Value {
        let answer = self.ask(Method::GET, path, "application/json").await;
        serde_json::from_str(&answer.text().await.expect("a body"))
            .unwrap_or_else(|error| panic!("{path}: {error}"))
    }

    /// One answer as text: its status, its headers as far as they are ours, and its body.
    pub async fn notified(&self, path: &str, accept: &str) -> String {
        let answer = self.ask(Method::GET, path, accept).await;
        let mut text = format!("{}", answer.status().as_u16());
        for name in [
            "content-type",
            "cache-control",
            "vary",
            "content-security-policy",
        ] {
            for value in answer.headers().get_all(name) {
                text = format!("{text}\n{name}: {}", value.to_str().expect("text"));
            }
        }
        let body = answer.text().await.expect("a body");
        let body = serde_json::from_str::<Value>(&body).map_or(body, |json| {
            serde_json::to_string_pretty(&json).expect("JSON")
        });
        format!("{text}\n{body}")
    }
}
