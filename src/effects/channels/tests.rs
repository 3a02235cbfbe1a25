//! Every channel against a receiver that answers as set, and records what it got.

use std::collections::VecDeque;
use std::sync::{Arc, Mutex};
use std::time::Instant;

use axum::Router;
use axum::body::Bytes;
use axum::http::{StatusCode, Uri};
use engine::model::{Bookable, Health, RouteName, StreamHealth, Stub, Topic};
use engine::{
    Affected, AlertLine, Background, Channel, Counts, Issue, Line, MessageId, Occasion, Steadiness,
    Summary, Thread,
};
use jiff::Timestamp;
use reqwest::Method;
use serde_json::Value;
use tokio::net::TcpListener;
use tokio::task::JoinSet;

use super::*;
use crate::clients;
use crate::config::{RouteTarget, Sources, load};

const SECRET: &str = "t0ken-s3cr3t";

/// What came.
#[derive(Debug, Clone)]
struct Got {
    method: Method,
    path: String,
    headers: HeaderMap,
    body: Value,
    bytes: usize,
}

/// A program or chat that gives these answers in turn, and 200 when there are none left.
struct Receiver {
    port: u16,
    got: Arc<Mutex<Vec<Got>>>,
    _server: JoinSet<()>,
}

impl Receiver {
    async fn start(answers: &[(u16, Option<&'static str>)]) -> Self {
        let answers = Arc::new(Mutex::new(VecDeque::from(answers.to_vec())));
        let got = Arc::new(Mutex::new(Vec::new()));
        let remember = Arc::clone(&got);
        let answer = move |method: Method, uri: Uri, headers: HeaderMap, bytes: Bytes| async move {
            remember.lock().expect("no holder panics").push(Got {
                method,
                path: uri.path().to_owned(),
                headers,
                body: serde_json::from_slice(&bytes).expect("JSON"),
                bytes: bytes.len(),
            });
            let next = answers.lock().expect("no holder panics").pop_front();
            let (status, pause) = next.unwrap_or((200, None));
            let mut headers = HeaderMap::new();
            if let Some(pause) = pause {
                headers.insert("retry-after", HeaderValue::from_static(pause));
            }
            (StatusCode::from_u16(status).expect("a status"), headers)
        };
        let listener = TcpListener::bind("127.0.0.1:0").await.expect("a port");
        let port = listener.local_addr().expect("bound").port();
        let mut server = JoinSet::new();
        server.spawn(async move {
            axum::serve(listener, Router::new().fallback(answer))
                .await
                .expect("serves");
        });
        Self {
            port,
            got,
            _server: server,
        }
    }

    fn got(&self) -> Vec<Got> {
        self.got.lock().expect("no holder panics").clone()
    }

    /// The route that these lines of the file make.
    fn target(&self, kind: HttpChannel) -> HttpTarget {
        let more = match kind {
            HttpChannel::Matrix => format!("room = \"!abc:x.org\"\nsecret = \"{SECRET}\"\n"),
            HttpChannel::Ntfy | HttpChannel::Alertmanager => format!("secret = \"{SECRET}\"\n"),
            HttpChannel::Webhook | HttpChannel::Slack | HttpChannel::Teams => String::new(),
        };
        let file = tempfile::NamedTempFile::new().expect("a file");
        let (kind, port) = (kind.as_str(), self.port);
        let text = format!(
            "[[route]]\nname = \"r\"\nmatch = \"*\"\n{kind} = \"http://127.0.0.1:{port}/some/s3cr3t\"\n{more}"
        );
        std::fs::write(file.path(), text).expect("written");
        let sources = Sources {
            file: Some(file.path().to_owned()),
            ..Sources::of_laboratory("127.0.0.1:1", &[])
        };
        let config = load(&sources).expect("loads").config;
        match config
            .notifications
            .routes
            .into_iter()
            .next()
            .map(|route| route.target)
        {
            Some(RouteTarget::Http(target)) => target,
            other => panic!("{other:?}"),
        }
    }
}

fn http() -> Http {
    let _ = rustls::crypto::aws_lc_rs::default_provider().install_default();
    let tls = clients::client_config(false).expect("TLS");
    Http::new(Duration::from_secs(5), tls).expect("a client")
}

fn presentation() -> Presentation {
    Presentation {
        subject: "[lab]".to_owned(),
        page: Some("https://lab.example.org".to_owned()),
        ..Presentation::default()
    }
}

fn at() -> Timestamp {
    "2026-11-21T01:05:00Z".parse().expect("a time")
}

fn line(stub: &str, health: Health, notified: Health) -> Line {
    let topic = Topic::try_new(&format!("{stub}-st-video")).expect("a topic");
    let issues = vec![Issue::Required(topic, StreamHealth::Missing)];
    Line {
        stub: Stub::try_new(stub).expect("a name"),
        health,
        notified,
        bookable: Some(Bookable::Withdrawn),
        listed: true,
        issues: if health == Health::Ok { vec![] } else { issues },
        since: at() - jiff::SignedDuration::from_secs(300),
        lasted: (health == Health::Ok).then_some(Duration::from_secs(600)),
        affected: Affected::default(),
        advice: None,
        notified_issues: vec![],
        worst: None,
        steadiness: None,
        last_seen: None,
        acknowledged: None,
    }
}

fn summary(news: Vec<Line>) -> Summary {
    let problems = news.iter().filter(|line| line.health != Health::Ok);
    Summary {
        id: 7,
        route: RouteName::try_new("r").expect("a name"),
        channel: Channel::Http(HttpChannel::Slack),
        occasion: Occasion::News,
        thread: Thread {
            id: MessageId { at: at(), id: 7 },
            references: vec![],
        },
        at: at(),
        problems: problems.cloned().collect(),
        news,
        alerts: vec![],
        counts: Counts::default(),
        background: Background::default(),
        reminder: None,
    }
}

fn one_down_one_back() -> Summary {
    summary(vec![
        line("pend01", Health::Down, Health::Ok),
        line("pend00", Health::Ok, Health::Down),
    ])
}

/// Names that would be markup, a call for all in the room, or a line of their own.
fn hostile() -> Summary {
    summary(vec![line(
        "<b>@all*_[x](http://e)",
        Health::Down,
        Health::Ok,
    )])
}

/// So many, each with a symptom of its own.
fn many(count: usize) -> Summary {
    let line = |n: usize| Line {
        advice: Some(format!("Look at shelf {n}: {}", "\u{e9}".repeat(400))),
        ..line(&format!("pend{n:05}"), Health::Down, Health::Ok)
    };
    summary((0..count).map(line).collect())
}

/// Those that are chats or programs of others.
const KINDS: [HttpChannel; 5] = [
    HttpChannel::Alertmanager,
    HttpChannel::Slack,
    HttpChannel::Teams,
    HttpChannel::Matrix,
    HttpChannel::Ntfy,
];

async fn sent(kind: HttpChannel, summary: &Summary) -> Got {
    let receiver = Receiver::start(&[]).await;
    let target = receiver.target(kind);
    deliver(&http(), &target, summary, &presentation())
        .await
        .expect("is taken");
    let mut got = receiver.got();
    assert_eq!(got.len(), 1, "{kind:?}");
    got.remove(0)
}

#[tokio::test]
async fn slack_gets_a_text_and_an_attachment() {
    let got = sent(HttpChannel::Slack, &one_down_one_back()).await;
    assert_eq!(
        (got.method, got.path.as_str()),
        (Method::POST, "/some/s3cr3t")
    );
    assert_eq!(got.body["text"], "*[lab] down: pend01 \u{b7} back: pend00*");
    let attachment = &got.body["attachments"][0];
    assert_eq!(attachment["color"], "#c5221f");
    let text = attachment["text"].as_str().expect("a text");
    assert!(
        text.starts_with("*pend01* down since 01:00 UTC (5 min); why: video is missing; booking: withdrawn by labwatch")
            && text.contains("<https://lab.example.org/experiments/pend01|Page>")
            && text.contains("\n*Back (1)*\n*pend00* back; was down from 00:50 to 01:00 UTC (10 min)"),
        "{text}"
    );
    assert!(!got.headers.contains_key("authorization"));
}

#[tokio::test]
async fn teams_gets_a_card() {
    let got = sent(HttpChannel::Teams, &one_down_one_back()).await;
    let attachment = &got.body["attachments"][0];
    assert_eq!(
        (
            &got.body["type"],
            &attachment["contentType"],
            &attachment["content"]["type"]
        ),
        (
            &Value::from("message"),
            &Value::from("application/vnd.microsoft.card.adaptive"),
            &Value::from("AdaptiveCard")
        )
    );
    let body = attachment["content"]["body"].as_array().expect("blocks");
    assert_eq!(
        body[0]["text"],
        "\\[lab\\] down: pend01 \u{b7} back: pend00"
    );
    assert_eq!(body[0]["color"], "Attention");
    assert!(
        body[1]["text"]
            .as_str()
            .is_some_and(|text| text.starts_with("**pend01** down since")),
        "{body:?}"
    );
}

#[tokio::test]
async fn matrix_gets_an_event_whose_transaction_is_the_message() {
    let got = sent(HttpChannel::Matrix, &one_down_one_back()).await;
    assert_eq!(got.method, Method::PUT);
    assert_eq!(
        got.path,
        "/some/s3cr3t/_matrix/client/v3/rooms/!abc:x.org/send/m.room.message/labwatch.1795223100000000000.7"
    );
    assert_eq!(got.headers["authorization"], format!("Bearer {SECRET}"));
    let text = got.body["body"].as_str().expect("a text");
    assert!(
        text.starts_with("[lab] down: pend01 \u{b7} back: pend00\npend01 down since"),
        "{text}"
    );
    let html = got.body["formatted_body"].as_str().expect("a text");
    assert!(
        html.contains("<strong>pend01</strong> down since"),
        "{html}"
    );
    assert_eq!(got.body["msgtype"], "m.text");
}

#[tokio::test]
async fn ntfy_gets_a_topic_a_title_and_a_priority() {
    let got = sent(HttpChannel::Ntfy, &one_down_one_back()).await;
    assert_eq!(got.path, "/some/");
    assert_eq!(got.headers["authorization"], format!("Bearer {SECRET}"));
    assert_eq!(
        (
            &got.body["topic"],
            &got.body["priority"],
            &got.body["click"]
        ),
        (
            &Value::from("s3cr3t"),
            &Value::from(4),
            &Value::from("https://lab.example.org/")
        )
    );
    assert_eq!(got.body["title"], "[lab] down: pend01 \u{b7} back: pend00");
    let well = summary(vec![line("pend00", Health::Ok, Health::Down)]);
    let got = sent(HttpChannel::Ntfy, &well).await;
    assert_eq!(
        (&got.body["priority"], &got.body["tags"][0]),
        (&Value::from(3), &Value::from("white_check_mark"))
    );
}

#[tokio::test]
async fn alertmanager_gets_an_alert_for_each_and_the_end_of_what_is_over() {
    let worse = line("pend02", Health::Down, Health::Degraded);
    let mut all = one_down_one_back();
    all.news.push(worse.clone());
    all.problems.push(worse);
    all.problems
        .push(line("pend03", Health::Degraded, Health::Degraded));
    let got = sent(HttpChannel::Alertmanager, &all).await;
    assert_eq!(
        (got.method, got.path.as_str()),
        (Method::POST, "/some/s3cr3t/api/v2/alerts")
    );
    let alerts = got.body.as_array().expect("alerts");
    let sent: Vec<(String, String, bool)> = alerts
        .iter()
        .map(|alert| {
            let label = |name: &str| {
                alert["labels"][name]
                    .as_str()
                    .unwrap_or_default()
                    .to_owned()
            };
            let ends: Timestamp = alert["endsAt"]
                .as_str()
                .expect("a time")
                .parse()
                .expect("one");
            assert_eq!(
                (label("alertname"), label("lab")),
                ("LabwatchExperiment".to_owned(), "lab".to_owned())
            );
            (label("experiment"), label("severity"), ends > at())
        })
        .collect();
    let row = |name: &str, severity: &str, lasts| (name.to_owned(), severity.to_owned(), lasts);
    assert_eq!(
        sent,
        [
            row("pend00", "critical", false),
            row("pend02", "warning", false),
            row("pend01", "critical", true),
            row("pend02", "critical", true),
            row("pend03", "warning", true),
        ]
    );
    assert_eq!(alerts[2]["startsAt"], "2026-11-21T01:00:00Z");
    assert_eq!(
        alerts[2]["generatorURL"],
        "https://lab.example.org/experiments/pend01"
    );
    assert_eq!(
        alerts[2]["annotations"]["summary"],
        "pend01: down since 01:00 UTC (5 min)"
    );
}

/// Severity and whether it lasts, of each alert of pend00.
async fn alerts_of_pend00(summary: &Summary) -> Vec<(String, bool)> {
    let got = sent(HttpChannel::Alertmanager, summary).await;
    let alerts = got.body.as_array().expect("alerts").clone();
    let own = alerts
        .iter()
        .filter(|alert| alert["labels"]["experiment"] == "pend00");
    own.map(|alert| {
        let severity = alert["labels"]["severity"].as_str().expect("one");
        let ends: Timestamp = alert["endsAt"]
            .as_str()
            .expect("a time")
            .parse()
            .expect("one");
        (severity.to_owned(), ends > at())
    })
    .collect()
}

/// Every alert that fires is resolved later: it keeps the labels that it was sent with to its end.
#[tokio::test]
async fn every_alert_of_an_experiment_is_ended() {
    let row = |severity: &str, lasts| (severity.to_owned(), lasts);
    // It is not evaluated, or its news is held back: the alert goes on as it was notified.
    for now in [Health::Unknown, Health::Degraded] {
        let known = Summary {
            problems: vec![line("pend00", now, Health::Down)],
            ..summary(vec![])
        };
        assert_eq!(alerts_of_pend00(&known).await, [row("critical", true)]);
    }
    // It was not notified yet: that comes as news.
    let not_notified = Summary {
        problems: vec![line("pend00", Health::Down, Health::Ok)],
        ..summary(vec![])
    };
    assert_eq!(alerts_of_pend00(&not_notified).await, []);
    // A message that may have arrived notified that it is down.
    let in_doubt = Line {
        worst: Some(Health::Down),
        ..line("pend00", Health::Ok, Health::Ok)
    };
    let over = summary(vec![in_doubt.clone()]);
    assert_eq!(alerts_of_pend00(&over).await, [row("critical", false)]);
    let both = Line {
        notified: Health::Degraded,
        ..in_doubt
    };
    let over = summary(vec![both]);
    assert_eq!(
        alerts_of_pend00(&over).await,
        [row("warning", false), row("critical", false)]
    );
    // It is not watched any more.
    let closing = AlertLine {
        alert: None,
        text: "pend00 is not watched any more".to_owned(),
        since: at(),
        ended: Some(Duration::from_secs(60)),
        new: true,
        experiment: Some((Stub::try_new("pend00").expect("a name"), Health::Degraded)),
    };
    let gone = Summary {
        alerts: vec![closing],
        ..summary(vec![])
    };
    assert_eq!(alerts_of_pend00(&gone).await, [row("warning", false)]);
}

#[tokio::test]
async fn what_comes_and_goes_says_so_everywhere() {
    let unsteady = Line {
        steadiness: Some(Steadiness::Unsteady(5)),
        ..line("pend00", Health::Down, Health::Ok)
    };
    let back = Line {
        worst: Some(Health::Flapping),
        ..line("pend01", Health::Ok, Health::Degraded)
    };
    let summary = summary(vec![unsteady, back]);
    for kind in KINDS {
        let said = sent(kind, &summary).await.body.to_string();
        assert!(
            said.contains("5 times within 24 h") && said.contains("was flapping"),
            "{kind:?} {said}"
        );
    }
    let got = sent(HttpChannel::Alertmanager, &summary).await;
    let annotations: Vec<Value> = ["worst", "unsteady"]
        .iter()
        .flat_map(|name| {
            let alerts = got.body.as_array().expect("alerts");
            alerts
                .iter()
                .map(|alert| alert["annotations"][*name].clone())
        })
        .filter(|value| !value.is_null())
        .collect();
    assert_eq!(annotations[0], "flapping");
    assert!(annotations.len() == 3, "{annotations:?}");
}

#[tokio::test]
async fn a_refusal_for_its_size_is_followed_by_less() {
    for kind in KINDS {
        let receiver = Receiver::start(&[(413, None), (413, None)]).await;
        let target = receiver.target(kind);
        let outcome = deliver(&http(), &target, &many(200), &presentation()).await;
        let sizes: Vec<usize> = receiver.got().iter().map(|got| got.bytes).collect();
        if kind == HttpChannel::Alertmanager {
            assert_eq!(sizes.len(), 3, "{sizes:?}");
        }
        assert_eq!(outcome, Ok(()), "{kind:?} {sizes:?}");
        assert!(
            sizes.windows(2).all(|pair| pair[1] < pair[0]),
            "{kind:?} {sizes:?}"
        );
    }
}

#[tokio::test]
async fn a_short_pause_is_kept_and_a_long_one_is_left_to_the_next_attempt() {
    let begun = Instant::now();
    let receiver = Receiver::start(&[(429, Some("1"))]).await;
    let target = receiver.target(HttpChannel::Slack);
    let outcome = deliver(&http(), &target, &one_down_one_back(), &presentation()).await;
    assert_eq!((outcome, receiver.got().len()), (Ok(()), 2));
    assert!(begun.elapsed() >= Duration::from_secs(1));
    for pauses in [
        [Some("3600"), None],
        [Some("0"), Some("0")],
        [Some("soon"), None],
    ] {
        let answers = pauses.map(|pause| (429, pause));
        let receiver = Receiver::start(&answers).await;
        let target = receiver.target(HttpChannel::Matrix);
        let outcome = deliver(&http(), &target, &one_down_one_back(), &presentation()).await;
        assert!(
            matches!(outcome, Err(CallError::Sick { status: 429, .. })),
            "{pauses:?}: {outcome:?}"
        );
    }
}

#[tokio::test]
async fn what_is_not_taken_says_its_status_and_no_address() {
    for (kind, status) in KINDS.into_iter().zip([400, 403, 404, 500, 503]) {
        let receiver = Receiver::start(&[(status, None)]).await;
        let target = receiver.target(kind);
        let error = deliver(&http(), &target, &one_down_one_back(), &presentation())
            .await
            .expect_err("is refused");
        assert!(matches!(error, CallError::Sick { status: said, .. } if said == status));
        let shown = format!("{error:?}{target:?}");
        assert!(!shown.contains("s3cr3t"), "{shown}");
    }
}

#[tokio::test]
async fn no_kind_says_more_than_its_receiver_takes() {
    for (kind, most) in KINDS
        .into_iter()
        .zip([2 << 20, 16_000, 28_000, 65_000, 8_000])
    {
        let got = sent(kind, &many(3_000)).await;
        assert!(got.bytes <= most, "{kind:?}: {}", got.bytes);
        if kind == HttpChannel::Ntfy {
            let text = got.body["message"].as_str().expect("a text");
            assert!(text.len() <= 4_096 && text.contains("more"), "{text}");
        }
    }
}

#[tokio::test]
async fn names_are_no_markup_and_call_for_no_attention() {
    let got = sent(HttpChannel::Slack, &hostile()).await;
    let text = format!("{}{}", got.body["text"], got.body["attachments"][0]["text"]);
    assert!(!text.contains("<b>") && !text.contains("@all"), "{text}");
    let got = sent(HttpChannel::Matrix, &hostile()).await;
    let html = got.body["formatted_body"].as_str().expect("a text");
    assert!(!html.contains("<b>"), "{html}");
    let got = sent(HttpChannel::Teams, &hostile()).await;
    let text = got.body["attachments"][0]["content"]["body"].to_string();
    assert!(!text.contains("[x](http"), "{text}");
}

#[tokio::test]
async fn a_test_says_so_everywhere() {
    let test = Summary {
        occasion: Occasion::Test,
        ..summary(vec![])
    };
    for kind in KINDS {
        let got = sent(kind, &test).await;
        assert!(
            got.body.to_string().contains("TEST"),
            "{kind:?} {}",
            got.body
        );
    }
}
