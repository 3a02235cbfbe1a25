//! labwatch inside of another program, with no laboratory configured.

#![allow(
    clippy::too_many_lines,
    reason = "a test tells one story from beginning to end"
)]
#![allow(clippy::expect_used, reason = "tests may fail")]

use std::net::SocketAddr;
use std::sync::Arc;
use std::time::Duration;

use jiff::Timestamp;
use labwatch::config::{Config, Sources, load_without_laboratory};
use labwatch::health::dialects::Endpoint;
use labwatch::health::{Attempt, Finding, Identity, Pace, State};
use labwatch::http::{labwatch_on, status_on};
use labwatch::service::{Extensions, ServiceOptions, serve};
use serde_json::{Value, json};
use tokio::net::TcpListener;
use tokio::sync::oneshot;
use tokio::task::JoinSet;
use tokio_util::sync::CancellationToken;

fn config(more: &[(&str, &str)]) -> Config {
    let base = [
        ("port_serve", "0"),
        ("api_read", "open"),
        ("data_dir", "none"),
        ("label", "robot-fleet"),
    ];
    let overrides = base
        .iter()
        .chain(more)
        .map(|(key, value)| ((*key).to_owned(), (*value).to_owned()))
        .collect();
    let sources = Sources {
        overrides,
        ..Sources::default()
    };
    load_without_laboratory(&sources).expect("right").config
}

struct Running {
    address: SocketAddr,
    client: reqwest::Client,
    stop: CancellationToken,
    task: JoinSet<Result<(), labwatch::service::ServiceError>>,
}

impl Running {
    async fn start(config: Config, extensions: Extensions) -> Self {
        let (told, started) = oneshot::channel();
        let options = ServiceOptions {
            started: Box::new(move |address| {
                let _ = told.send(address);
            }),
            extensions,
            ..ServiceOptions::default()
        };
        let stop = CancellationToken::new();
        let mut task = JoinSet::new();
        task.spawn(serve(config, stop.clone(), options));
        let address = started.await.expect("it starts");
        let client = reqwest::Client::builder().no_proxy().build();
        Self {
            address,
            client: client.expect("a client"),
            stop,
            task,
        }
    }

    async fn ask(&self, address: SocketAddr, path: &str) -> (u16, Value) {
        let request = self.client.get(format!("http://{address}{path}"));
        let answer = request.header("accept", "application/json").send().await;
        let answer = answer.expect("answers");
        let status = answer.status().as_u16();
        let body = answer.bytes().await.expect("a body");
        (status, serde_json::from_slice(&body).unwrap_or_default())
    }

    /// Asks until the status is this.
    async fn becomes(&self, path: &str, status: u16) -> Value {
        for _ in 0..200 {
            let (now, body) = self.ask(self.address, path).await;
            if now == status {
                return body;
            }
            tokio::time::sleep(Duration::from_millis(50)).await;
        }
        let (now, body) = self.ask(self.address, path).await;
        assert_eq!(now, status, "{path}: {body}");
        body
    }

    async fn end(mut self) {
        self.stop.cancel();
        let ended = tokio::time::timeout(Duration::from_secs(20), self.task.join_next()).await;
        let ended = ended.expect("in time").expect("it runs");
        ended.expect("no panic").expect("well");
    }
}

const PACE: Pace = Pace {
    period: Duration::from_secs(60),
    timeout: Duration::from_secs(1),
    retries: 0,
    cooldown: Duration::ZERO,
};

#[tokio::test(flavor = "multi_thread")]
async fn a_program_adds_its_own_to_a_service_without_a_laboratory() {
    let mut extensions = Extensions {
        identity: Some(Identity::of_program("robots", "7.8.9", Timestamp::now())),
        ..Extensions::default()
    };
    let queue = extensions
        .components
        .push("queue", None, &[])
        .expect("free");
    let disk = Box::new(|| Box::pin(async { Attempt::Found(Finding::error("full")) }) as _);
    let storage = ["storage".to_owned()];
    let added = extensions.components.probe("disk", &storage, PACE, disk);
    added.expect("free");
    let fleet = Box::new(|_: &_| Ok(json!({ "robots": 7 })));
    extensions.contributors.push(("fleet", fleet));
    extensions.endpoints.push(Endpoint {
        name: "motd".to_owned(),
        answer: Arc::new(|health| Ok(json!({ "label": health.settings.label }))),
    });
    let (told, health) = oneshot::channel();
    extensions.health = Some(Box::new(move |health| drop(told.send(health))));
    let running = Running::start(config(&[]), extensions).await;
    let health = health.await.expect("it is handed over");

    assert_eq!(
        running.ask(running.address, "/readiness").await.0,
        503,
        "the queue says nothing yet"
    );
    let missing = health.wait_until_ready(Duration::from_millis(10)).await;
    assert!(
        missing.is_err_and(|missing| missing.contains(&"queue".to_owned())),
        "and so does the program's own view"
    );
    queue.report(Finding::ok());
    let ready = health.wait_until_ready(Duration::from_secs(60)).await;
    assert_eq!(ready, Ok(()));
    assert_eq!(health.overall().0, State::Ok);
    assert_eq!(
        health.status_of("disk").map(|disk| disk.state()),
        Some(State::Error),
        "an outside service counts in its own categories alone"
    );
    assert!(health.status_of("nope").is_none());
    let ready = running.becomes("/readiness", 200).await;
    let parts = ready["PluginStatus"].as_object().expect("parts");
    let names: Vec<&str> = parts.keys().map(String::as_str).collect();
    assert_eq!(
        names,
        ["configuration", "disk", "queue", "runtime_startup", "self"],
        "there is no laboratory to wait for"
    );
    queue.report(Finding::error("it is full"));
    running.becomes("/readiness", 503).await;
    running.becomes("/status/queue", 503).await;
    running.becomes("/__gtg?categories=storage", 503).await;
    let (_, info) = running.ask(running.address, "/actuator/info").await;
    assert_eq!(
        [&info["app"]["name"], &info["app"]["version"], &info["git"]],
        [&json!("robots"), &json!("7.8.9"), &Value::Null],
        "what labwatch was built from is not what this program was"
    );
    let (_, alive) = running.ask(running.address, "/liveness").await;
    assert_eq!(alive["build_version"], "7.8.9");
    let (_, status) = running.ask(running.address, "/status").await;
    assert_eq!(
        [&status["name"], &status["version"]],
        [&json!("robots"), &json!("7.8.9")]
    );
    assert_eq!(info["fleet"], json!({ "robots": 7 }));
    let answer = running.ask(running.address, "/actuator/motd").await;
    assert_eq!(answer, (200, json!({ "label": "robot-fleet" })));
    let (_, list) = running.ask(running.address, "/actuator").await;
    assert_eq!(list["endpoints"][3]["path"], "/actuator/motd");

    let version = env!("CARGO_PKG_VERSION");
    assert_eq!(labwatch_on(running.address).await.as_deref(), Some(version));
    let status = status_on(running.address).await.expect("it answers");
    assert_eq!((status.version.as_str(), status.status), (version, 503));
    assert_eq!(
        status.body["statusChecks"]["queue"]["status"]["result"],
        "FAIL"
    );
    running.end().await;
}

/// The health endpoints have a listener of their own, where neither the page nor the API is.
#[tokio::test(flavor = "multi_thread")]
async fn health_has_a_listener_of_its_own() {
    let free = TcpListener::bind("127.0.0.1:0").await.expect("binds");
    let actuator = free.local_addr().expect("bound");
    drop(free);
    let port = actuator.port().to_string();
    let running = Running::start(config(&[("port_actuator", &port)]), Extensions::default()).await;
    running.becomes("/readiness", 200).await;
    for path in [
        "/liveness",
        "/readiness",
        "/actuator",
        "/actuator/info",
        "/__health",
        "/__gtg",
        "/__agghealth",
        "/status",
    ] {
        assert_eq!(running.ask(actuator, path).await.0, 200, "{path}");
    }
    for path in ["/", "/api/v1/experiments", "/api/v2/categories", "/metrics"] {
        assert_eq!(running.ask(actuator, path).await.0, 404, "{path}");
    }
    running.end().await;
}
