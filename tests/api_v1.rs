//! Version 1 of the HTTP API over real sockets: its answers against goldens (`UPDATE=1` writes them
//! anew), its manners towards readers of every kind, and its consistency while the snapshots change
//! under many of them.

#![allow(
    clippy::too_many_lines,
    reason = "a test is one scenario from beginning to end"
)]
#![expect(
    clippy::expect_used,
    clippy::panic,
    reason = "the helpers of a test fail as tests do"
)]

#[path = "api_v1/lab.rs"]
mod lab;
#[path = "api_v1/schema.rs"]
mod schema;

use std::path::Path;
use std::sync::Arc;

use engine::model::{Bookable, Health, JumpHealth, StreamHealth, Topic};
use engine::{Evidence, ExperimentView, Issue, Scopes, Seen, Snapshot, Why};
use jiff::SignedDuration;
use labwatch::http::{ApiState, router, serve};
use reqwest::{Method, Response, StatusCode};
use serde_json::{Value, json};
use tokio::net::TcpListener;
use tokio::sync::watch;
use tokio::task::JoinSet;
use tokio_util::sync::CancellationToken;

use lab::{BUSY, Lab, REMOTE, at, event, gone, healthy, open_gate, resource, stream};

#[tokio::test]
async fn a_healthy_experiment_with_statistics() {
    let lab = Lab::new()
        .student("pend00-st-data")
        .streams("pend00-st-data", BUSY)
        .streams("pend00-st-video", BUSY)
        .host("pend00");
    check("healthy", "", lab.with(healthy("pend00")).snapshot()).await;
}

#[tokio::test]
async fn without_statistics_nothing_is_made_up() {
    let mut experiment = healthy("pend00");
    experiment.streams[0].evidence = Evidence::Sampled(Some(at(55)));
    experiment.streams[1].evidence = Evidence::Unverified;
    let lab = Lab::new()
        .streams("pend00-st-data", None)
        .streams("pend00-st-video", None)
        .host("pend00");
    check("no_statistics", "", lab.with(experiment).snapshot()).await;
}

#[tokio::test]
async fn a_missing_stream_shows_its_last_connection() {
    let mut experiment = healthy("pend02");
    experiment.health = Health::Down;
    experiment.streams[1].health = StreamHealth::Missing;
    experiment.streams[1].seen = Seen::At(at(30));
    experiment.streams[1].last = Some(gone(Scopes::EXPT, BUSY));
    experiment.issues = vec![Issue::Required(
        experiment.streams[1].topic.clone(),
        StreamHealth::Missing,
    )];
    experiment.resources = vec![resource(
        "r-pend02",
        Some(Bookable::Withdrawn),
        "labwatch: its video is missing",
    )];
    let lab = Lab::new().streams("pend02-st-data", BUSY).host("pend02");
    check("missing_stream", "", lab.with(experiment).snapshot()).await;
}

#[tokio::test]
async fn a_jump_and_a_stream_that_never_were() {
    let mut experiment = healthy("pend03");
    experiment.health = Health::Unknown;
    (experiment.jump, experiment.jump_seen) = (JumpHealth::Unknown, Seen::Never);
    for stream in &mut experiment.streams {
        (stream.health, stream.seen) = (StreamHealth::Unknown, Seen::Never);
    }
    experiment.resources = vec![resource("r-pend03", None, "")];
    check("never_seen", "", Lab::new().with(experiment).snapshot()).await;
}

#[tokio::test]
async fn an_unlisted_experiment() {
    let mut experiment = healthy("newx00");
    (
        experiment.listed,
        experiment.last_listed,
        experiment.resources,
    ) = (false, None, Vec::new());
    experiment.streams = vec![stream(&experiment.stub, "st-data")];
    experiment.streams[0].required = false;
    let lab = Lab::new().streams("newx00-st-data", BUSY).host("newx00");
    check("unlisted", "", lab.with(experiment).snapshot()).await;
}

#[tokio::test]
async fn several_experiments_by_name_one_of_them_held_with_its_login_lost() {
    let mut held = healthy("pend01");
    (held.health, held.jump, held.jump_seen) =
        (Health::Degraded, JumpHealth::Lost, Seen::At(at(5)));
    held.issues = vec![Issue::JumpLost];
    held.jump_last = Some(gone(Scopes::HOST, None));
    held.resources = vec![
        resource("r-a", Some(Bookable::Yes), "Loaded at 2026-11-21T00:00:00Z"),
        resource("r-b", Some(Bookable::Held), "maintenance until \"Friday\""),
    ];
    let lab = Lab::new().streams("pend00-st-data", BUSY).host("pend00");
    check(
        "held",
        "",
        lab.with(healthy("pend00")).with(held).snapshot(),
    )
    .await;
}

#[tokio::test]
async fn an_empty_laboratory() {
    check("empty", "", Lab::new().snapshot()).await;
}

#[tokio::test]
async fn events_oldest_first() {
    check(
        "events",
        "/events/spin00",
        Lab::new().with(eventful("spin00")).snapshot(),
    )
    .await;
}

fn eventful(stub: &str) -> ExperimentView {
    let mut experiment = healthy(stub);
    let topics: Vec<Topic> = experiment
        .streams
        .iter()
        .map(|stream| stream.topic.clone())
        .collect();
    let streams = |data, video| {
        topics
            .iter()
            .cloned()
            .zip([data, video])
            .collect::<Vec<_>>()
    };
    let (data, video) = (topics[0].clone(), topics[1].clone());
    let wrong = vec![
        Issue::Required(data, StreamHealth::Silent),
        Issue::Required(video, StreamHealth::Missing),
        Issue::JumpLost,
    ];
    experiment.events = vec![
        event(
            60,
            Health::Unknown,
            Health::Ok,
            vec![],
            streams(StreamHealth::Active, StreamHealth::Active),
            Why::FirstEvaluated,
        ),
        event(
            90,
            Health::Ok,
            Health::Down,
            wrong,
            streams(StreamHealth::Silent, StreamHealth::Missing),
            Why::Observed,
        ),
        event(
            95,
            Health::Down,
            Health::Down,
            vec![Issue::RelayOutage],
            vec![],
            Why::Outage(engine::model::SourceName::Relay),
        ),
    ];
    experiment
}

#[tokio::test]
async fn what_is_wrong_is_said_in_json() {
    let server = Server::start(Lab::new().with(healthy("pend00")).snapshot()).await;
    let rows = [
        (
            Method::GET,
            "/api/v1/nope",
            404,
            "path /api/v1/nope was not found",
        ),
        (
            Method::GET,
            "/api/v1/experiments/events/nope",
            404,
            "experiment nope was not found",
        ),
        (
            Method::GET,
            "/api/v1/experiments/events/a%20%22b",
            404,
            "experiment a \"b was not found",
        ),
        (
            Method::GET,
            "/api/v1/experiments/events/%ff",
            404,
            "path /api/v1/experiments/events/%ff was not found",
        ),
        (
            Method::POST,
            "/api/v1/experiments",
            405,
            "method POST is not allowed, but [GET] are",
        ),
        (
            Method::DELETE,
            "/api/v1/experiments/events/pend00",
            405,
            "method DELETE is not allowed, but [GET] are",
        ),
    ];
    for (method, path, code, message) in rows {
        let response = server.ask(method, path).await;
        assert_eq!(response.status().as_u16(), code, "{path}");
        careful(&response);
        assert_eq!(header(&response, "cache-control"), "no-store");
        if code == 405 {
            assert_eq!(header(&response, "allow"), "GET,HEAD,OPTIONS");
        }
        assert_eq!(header(&response, "content-type"), "application/json");
        let id = header(&response, "x-request-id");
        assert_eq!(
            response.json::<Value>().await.expect("is JSON"),
            json!({"code": code, "message": message, "request_id": id})
        );
    }
}

#[tokio::test]
async fn every_way_to_the_answers() {
    let server = Server::start(Lab::new().with(healthy("pend00")).snapshot()).await;
    let whole = server
        .ask(Method::GET, "/api/v1/experiments")
        .await
        .text()
        .await
        .expect("a body");
    assert_eq!(
        server
            .ask(Method::GET, "/api/v1/experiments/")
            .await
            .text()
            .await
            .expect("a body"),
        whole
    );
    assert_eq!(
        server
            .ask(Method::GET, "/api/v1/experiments/events/pend00")
            .await
            .text()
            .await
            .expect("a body"),
        "[]"
    );
    for (path, root) in [("/api/v1/openapi.json", "../.."), ("/swagger.json", ".")] {
        let response = server.ask(Method::GET, path).await;
        assert_eq!(header(&response, "content-type"), "application/json");
        let document: Value = response.json().await.expect("JSON");
        assert_eq!(
            document["servers"][0]["url"], root,
            "where the paths begin, seen from {path}"
        );
        let checked_in: Value = serde_json::from_str(labwatch::http::DOCUMENT_JSON).expect("JSON");
        assert_eq!(document["paths"], checked_in["paths"]);
    }
    let head = server.ask(Method::HEAD, "/api/v1/experiments").await;
    assert_eq!(
        (head.status(), header(&head, "content-length")),
        (StatusCode::OK, whole.len().to_string())
    );
    assert_eq!(head.text().await.expect("no body"), "");
}

#[tokio::test]
async fn other_sites_read_nothing_unless_it_is_set() {
    let server = Server::start(Lab::new().snapshot()).await;
    let read = server.ask(Method::GET, "/api/v1/experiments").await;
    careful(&read);
    assert_eq!(header(&read, "access-control-allow-origin"), "");
    let before = server.ask(Method::OPTIONS, "/api/v1/experiments").await;
    assert_eq!(
        (before.status(), header(&before, "allow").as_str()),
        (StatusCode::NO_CONTENT, "GET,HEAD,OPTIONS")
    );
    let nowhere = server.ask(Method::OPTIONS, "/api/v1/nope").await;
    assert_eq!(nowhere.status(), StatusCode::NOT_FOUND);
}

/// Each snapshot contains its number in two places of every experiment, so that an answer that
/// mixes
/// two is detected.
#[tokio::test(flavor = "multi_thread", worker_threads = 4)]
async fn many_readers_get_whole_snapshots_in_order_while_they_change() {
    const READERS: usize = 16;
    const READS: usize = 15;
    const EXPERIMENTS: usize = 50;
    let server = Server::start(numbered(0, EXPERIMENTS)).await;
    let mut readers = JoinSet::new();
    for _ in 0..READERS {
        let (client, url) = (server.client.clone(), server.url("/api/v1/experiments"));
        readers.spawn(async move {
            let mut newest = 0;
            for _ in 0..READS {
                let answer: Value = client
                    .get(&url)
                    .send()
                    .await
                    .expect("answers")
                    .json()
                    .await
                    .expect("is JSON");
                let number = number_of(&answer, EXPERIMENTS);
                assert!(number >= newest, "{number} came after {newest}");
                newest = number;
            }
        });
    }
    let mut number = 0;
    while !readers.is_empty() {
        number += 1;
        server
            .snapshots
            .send(numbered(number, EXPERIMENTS))
            .expect("the server runs");
        tokio::task::yield_now().await;
        while let Some(reader) = readers.try_join_next() {
            reader.expect("a reader saw nothing wrong");
        }
    }
    let last: Value = server
        .ask(Method::GET, "/api/v1/experiments")
        .await
        .json()
        .await
        .expect("is JSON");
    assert_eq!(
        number_of(&last, EXPERIMENTS),
        number,
        "the newest snapshot is served"
    );
}

fn numbered(number: i64, experiments: usize) -> Arc<Snapshot> {
    (0..experiments)
        .fold(Lab::new(), |lab, index| {
            let mut experiment = healthy(&format!("pend{index:03}"));
            experiment.resources[0].reason = number.to_string();
            experiment.since = at(0) + SignedDuration::from_secs(number);
            lab.with(experiment)
        })
        .snapshot()
}

fn number_of(answer: &Value, experiments: usize) -> i64 {
    let list = answer.as_array().expect("a list");
    assert_eq!(list.len(), experiments);
    let number: i64 = list[0]["reason"]
        .as_str()
        .and_then(|text| text.parse().ok())
        .expect("a number");
    for experiment in list {
        assert_eq!(experiment["reason"], number.to_string());
        assert_eq!(
            experiment["since"],
            (at(0) + SignedDuration::from_secs(number)).to_string()
        );
    }
    number
}

/// Asks for `/api/v1/experiments<rest>` and compares the answer with
/// `tests/goldens/api/<name>.json`, and with the OpenAPI document.
async fn check(name: &str, rest: &str, snapshot: Arc<Snapshot>) {
    let server = Server::start(snapshot).await;
    let response = server
        .ask(Method::GET, &format!("/api/v1/experiments{rest}"))
        .await;
    assert_eq!(
        (
            response.status(),
            header(&response, "content-type").as_str()
        ),
        (StatusCode::OK, "application/json")
    );
    let text = response.text().await.expect("a body");
    assert!(!text.contains(REMOTE), "no address is shown: {text}");
    let answer: Value = serde_json::from_str(&text).expect("is JSON");
    schema::check(
        &labwatch::http::document(),
        &answer,
        if rest.is_empty() {
            "Experiment"
        } else {
            "Event"
        },
    );

    let golden =
        Path::new(env!("CARGO_MANIFEST_DIR")).join(format!("tests/goldens/api/{name}.json"));
    let pretty = serde_json::to_string_pretty(&answer).expect("serialises") + "\n";
    if std::env::var_os("UPDATE").is_some() {
        std::fs::write(&golden, &pretty).expect("writes the golden");
        return;
    }
    let kept = std::fs::read_to_string(&golden).unwrap_or_default();
    assert!(
        kept == pretty,
        "{} differs; look, and run with UPDATE=1 if it is right. It is now:\n{pretty}",
        golden.display()
    );
}

/// The common headers of all answers.
fn careful(response: &Response) {
    assert_eq!(header(response, "x-content-type-options"), "nosniff");
    assert_eq!(header(response, "access-control-allow-credentials"), "");
    assert!(header(response, "content-security-policy").starts_with("default-src 'none';"));
    assert!(!header(response, "x-request-id").is_empty());
}

fn header(response: &Response, name: &str) -> String {
    response
        .headers()
        .get(name)
        .map(|value| value.to_str().expect("text").to_owned())
        .unwrap_or_default()
}

/// The API on a port of its own; it stops when it is dropped.
struct Server {
    base: String,
    client: reqwest::Client,
    snapshots: watch::Sender<Arc<Snapshot>>,
    _task: JoinSet<std::io::Result<()>>,
}

impl Server {
    async fn start(snapshot: Arc<Snapshot>) -> Self {
        let listener = TcpListener::bind("127.0.0.1:0").await.expect("binds");
        let base = format!("http://{}", listener.local_addr().expect("has an address"));
        let (snapshots, receiver) = watch::channel(snapshot);
        let mut task = JoinSet::new();
        task.spawn(serve(
            listener,
            router(
                ApiState::new(receiver),
                &open_gate(),
                labwatch::http::Routes::default(),
            ),
            CancellationToken::new(),
        ));
        let client = reqwest::Client::builder()
            .no_proxy()
            .build()
            .expect("a client");
        Self {
            base,
            client,
            snapshots,
            _task: task,
        }
    }

    fn url(&self, path: &str) -> String {
        format!("{}{path}", self.base)
    }

    async fn ask(&self, method: Method, path: &str) -> Response {
        self.client
            .request(method, self.url(path))
            .send()
            .await
            .expect("answers")
    }
}
