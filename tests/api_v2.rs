//! Version 2 of the HTTP API over real sockets: its answers against goldens (`UPDATE=1` writes them
//! anew) and against its document, its filters, what it keeps from those who may not see it, and
//! the stream of changes.

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
#[allow(dead_code, reason = "version 1 needs other parts of it")]
mod lab;
#[path = "api_v2/past.rs"]
mod past;
#[path = "api_v1/schema.rs"]
#[allow(dead_code, reason = "version 1 needs other parts of it")]
mod schema;
#[path = "api_v2/server.rs"]
mod server;
#[path = "api_v2/stream.rs"]
mod stream;

use std::path::Path;
use std::sync::Arc;
use std::time::Duration;

use engine::model::{
    Bookable, CallError, ConnectError, Health, JumpHealth, Moment, RouteName, SourceHealth,
    StreamHealth, Stub,
};
use engine::{
    Affected, Cause, CauseKind, Channel, Hold, HoldView, Issue, Link, NotifiedView, PoolStatus,
    PoolView, RouteView, Scopes, Seen, Severity, Snapshot,
};
use reqwest::StatusCode;
use serde_json::Value;

use lab::{BUSY, Lab, REMOTE, at, event, gone, healthy, resource};
use server::Server;

/// A laboratory with an example of everything.
fn everything() -> Arc<Snapshot> {
    let topic = |n: usize| healthy("pend01").streams[n].topic.clone();
    let mut down = healthy("pend01");
    (down.health, down.jump, down.jump_seen) = (Health::Down, JumpHealth::Lost, Seen::At(at(5)));
    down.issues = vec![
        Issue::Required(topic(1), StreamHealth::Missing),
        Issue::JumpLost,
    ];
    down.streams[1].health = StreamHealth::Missing;
    (down.streams[1].seen, down.streams[1].last) =
        (Seen::At(at(30)), Some(gone(Scopes::EXPT, BUSY)));
    down.jump_last = Some(gone(Scopes::HOST, None));
    down.resources = vec![resource("r-pend01", Some(Bookable::Yes), "new")];
    down.resources[0].fault = Some(CallError::Unreachable("10.1.2.3 refused".to_owned()));
    down.advice = Some(Arc::from("Log in and look."));
    down.affected = Affected {
        next_day: 2,
        next_week: 5,
        first_start: Some(at(600)),
        in_session: false,
    };
    let streams = vec![
        (topic(0), StreamHealth::Active),
        (topic(1), StreamHealth::Missing),
    ];
    let why = engine::Why::Observed;
    down.events = vec![event(
        40,
        Health::Ok,
        Health::Down,
        down.issues.clone(),
        streams,
        why,
    )];
    let mut held = healthy("spin00");
    held.resources = vec![resource("r-b", Some(Bookable::Held), "maintenance")];
    let mut pend00 = healthy("pend00");
    pend00.pools = vec![Arc::from("pend")];
    down.pools = vec![Arc::from("pend")];
    let mut lab = Lab::new()
        .streams("pend00-st-data", BUSY)
        .streams("pend01-st-data", BUSY)
        .host("pend00");
    lab.pools = vec![pool()];
    lab.holds = vec![hold()];
    lab.causes = vec![cause()];
    let mut snapshot = lab.with(pend00).with(down).with(held).snapshot();
    let route = RouteName::try_new("mail").expect("a name");
    let fault = Some(CallError::Sick {
        status: 550,
        body: "students@example.org unknown".to_owned(),
    });
    let way = RouteView {
        name: route.clone(),
        channel: Channel::Mail,
        last_sent: Some(at(41)),
        waiting_since: None,
        fault,
        failures: 1,
        refused: None,
        unreached: Vec::new(),
    };
    let notified = NotifiedView {
        stub: stub("pend01"),
        route,
        health: Health::Down,
        at: at(41),
        unsteady: None,
    };
    let shown = Arc::make_mut(&mut snapshot);
    (shown.routes, shown.notified) = (vec![way], Arc::new(vec![notified]));
    let jump = &mut shown.sources[1];
    (jump.health, jump.link, jump.hides) = (
        SourceHealth::Down,
        Link::Failed(ConnectError::access(CallError::Unreachable(format!(
            "{REMOTE}:443"
        )))),
        3,
    );
    jump.said = format!("jump cannot be reached: {REMOTE}:443").into();
    snapshot
}

fn pool() -> PoolView {
    let severity = Severity::Short {
        missing: 1,
        first_at: at(600),
    };
    let standing = PoolStatus {
        members: 2,
        usable: 1,
        peak: 2,
        peak_at: Some(at(600)),
        severity,
    };
    PoolView {
        name: Arc::from("pend"),
        members: ["pend00", "pend01"].map(stub).into(),
        healthy: 1,
        bookable: 2,
        standing,
    }
}

fn hold() -> HoldView {
    HoldView {
        resource: healthy("b").resources[0].name.clone(),
        hold: Hold {
            since: at(-600),
            touched: at(-600),
            reason: "maintenance".to_owned(),
        },
        blocked: Affected {
            next_day: 0,
            next_week: 1,
            first_start: Some(at(90_000)),
            in_session: false,
        },
        healthy_since: Some(at(10)),
        overdue: true,
    }
}

fn cause() -> Cause {
    Cause {
        kind: CauseKind::Address,
        label_public: "one address in 10.99.x.x".to_owned(),
        label_private: REMOTE.to_owned().into(),
        stubs: vec![stub("pend01")],
        of: 3,
        began: Moment::new(at(40), Duration::ZERO),
    }
}

fn stub(name: &str) -> Stub {
    Stub::try_new(name).expect("a name")
}

/// Compares an answer with its golden, and with the form that the document gives it.
async fn check(server: &Server, name: &str, path: &str) {
    let response = server.get(path).await;
    assert_eq!(response.status(), StatusCode::OK, "{path}");
    let text = response.text().await.expect("a body");
    let answer: Value = serde_json::from_str(&text).expect("is JSON");
    let document = serde_json::to_value(labwatch::http::document_v2()).expect("serialises");
    schema::check_answer(&document, server::form(&document, path), &answer, name);
    golden(
        &format!("{name}.json"),
        &(serde_json::to_string_pretty(&answer).expect("serialises") + "\n"),
    );
}

fn golden(name: &str, text: &str) {
    let golden = Path::new(env!("CARGO_MANIFEST_DIR"))
        .join("tests/goldens/api_v2")
        .join(name);
    if std::env::var_os("UPDATE").is_some() {
        std::fs::write(&golden, text).expect("writes the golden");
        return;
    }
    let kept = std::fs::read_to_string(&golden).unwrap_or_default();
    assert!(
        kept == text,
        "{} differs; look, and run with UPDATE=1 if it is right. It is now:\n{text}",
        golden.display()
    );
}

#[tokio::test]
async fn what_is_now() {
    let server = Server::start(everything()).await;
    for (name, path) in [
        ("lab", "/api/v2/lab"),
        ("experiments", "/api/v2/experiments"),
        ("experiment", "/api/v2/experiments/pend01"),
        ("experiment_connected", "/api/v2/experiments/pend00"),
        ("pools", "/api/v2/pools"),
        ("pool", "/api/v2/pools/pend"),
        ("sources", "/api/v2/sources"),
        ("holds", "/api/v2/holds"),
    ] {
        check(&server, name, path).await;
    }
    check(
        &Server::start(Lab::new().snapshot()).await,
        "experiments_none",
        "/api/v2/experiments",
    )
    .await;
}

#[tokio::test]
async fn what_was() {
    let history = past::History::new().await;
    let server = Server::with(everything(), Some(history.reader())).await;
    let range = format!("from={}&until={}", at(-7200), at(60));
    for (name, path) in [
        ("events", "/api/v2/experiments/pend01/events"),
        ("uptime", "/api/v2/experiments/pend01/uptime?step=hour&"),
        ("incidents_of_one", "/api/v2/experiments/pend01/incidents"),
        ("switches_of_one", "/api/v2/experiments/pend01/switches"),
        ("incidents", "/api/v2/history/incidents"),
        ("switches", "/api/v2/history/switches"),
        ("source_changes", "/api/v2/history/sources"),
        ("past_holds", "/api/v2/history/holds"),
        ("gaps", "/api/v2/history/gaps"),
        ("outbox", "/api/v2/history/outbox"),
    ] {
        let path = if path.ends_with('&') {
            format!("{path}{range}")
        } else {
            format!("{path}?{range}")
        };
        check(&server, name, &path).await;
    }
    assert_eq!(
        server
            .pages("/api/v2/experiments/pend01/events")
            .await
            .len(),
        4
    );
    assert_eq!(server.pages("/api/v2/history/incidents").await.len(), 3);
}

/// Private values are in no public answer, and are there for those who may see them.
#[tokio::test]
async fn addresses_and_others_words_are_for_those_who_may_see_them() {
    let secrets = [REMOTE, "relay/expt", "10.1.2.3", "students@example.org"];
    let history = past::History::new().await;
    let server = Server::with(everything(), Some(history.reader())).await;
    let bearer = format!("Bearer {}", server::token());
    let mut seen = Vec::new();
    for path in server::paths()
        .into_iter()
        .filter(|path| path != "/api/v2/stream")
    {
        let open = server.get(&path).await.text().await.expect("a body");
        let whole = server
            .get_with(&path, "authorization", &bearer)
            .await
            .text()
            .await
            .expect("a body");
        for secret in secrets {
            assert!(!open.contains(secret), "{path} shows {secret}: {open}");
            seen.extend(whole.contains(secret).then_some(secret));
        }
    }
    assert!(
        secrets.iter().all(|secret| seen.contains(secret)),
        "the test would see them: {seen:?}"
    );
}

#[tokio::test]
async fn filters_take_in_what_fits_all_of_them() {
    let server = Server::start(everything()).await;
    for (query, expect) in [
        ("", "pend00 pend01 spin00"),
        ("state=ok", "pend00 spin00"),
        ("state=down,ok", "pend00 pend01 spin00"),
        ("state=unknown", ""),
        ("bookable=held", "spin00"),
        ("bookable=bookable&state=down", "pend01"),
        ("pool=pend", "pend00 pend01"),
        ("search=R-B", "spin00"),
        ("search=pend&state=ok", "pend00"),
        ("search=%25", ""),
        ("state=down&state=ok", "pend00 pend01 spin00"),
        ("limit=2", "pend00 pend01 ..."),
        ("limit=1&state=ok", "pend00 ..."),
        ("limit=3", "pend00 pend01 spin00"),
    ] {
        let answer: Value = server
            .get(&format!("/api/v2/experiments?{query}"))
            .await
            .json()
            .await
            .expect("is JSON");
        let names: Vec<_> = answer["items"]
            .as_array()
            .expect("a list")
            .iter()
            .filter_map(|it| it["name"].as_str())
            .collect();
        let more = if answer["next"].is_string() {
            " ..."
        } else {
            ""
        };
        assert_eq!(names.join(" ") + more, expect, "{query}");
    }
    let all = server.pages("/api/v2/experiments").await;
    let names: Vec<_> = all.iter().filter_map(|it| it["name"].as_str()).collect();
    assert_eq!(names, ["pend00", "pend01", "spin00"], "page by page");
}

#[tokio::test]
async fn what_is_wrong_is_said_with_what_would_be_right() {
    let history = past::History::new().await;
    let server = Server::with(everything(), Some(history.reader())).await;
    for (path, code, words) in [
        (
            "/api/v2/experiments?colour=red",
            400,
            "there are: state, bookable, pool, category, search, limit, cursor",
        ),
        (
            "/api/v2/experiments?state=bad",
            400,
            "expected one of `ok`, `degraded`, `flapping`, `down`, `unknown`",
        ),
        (
            "/api/v2/experiments?bookable=",
            400,
            "expected one of `bookable`, `withdrawn`, `held`, `unknown`",
        ),
        (
            "/api/v2/experiments?pool=none",
            404,
            "there is no pool \"none\"; /api/v2/pools lists them",
        ),
        (
            "/api/v2/experiments?category=x",
            404,
            "there is no category x",
        ),
        (
            "/api/v2/experiments?limit=0",
            400,
            "a whole number from 1 to 1000",
        ),
        (
            "/api/v2/experiments/nope",
            404,
            "experiment nope was not found",
        ),
        ("/api/v2/experiments/pend00?x=1", 400, "there are: none"),
        (
            "/api/v2/experiments/%ff",
            404,
            "path /api/v2/experiments/%ff was not found",
        ),
        ("/api/v2/pools/nope", 404, "pool nope was not found"),
        (
            "/api/v2/experiments/pend00/events?from=never",
            400,
            "a time as 2026-11-21T08:00:00Z",
        ),
        (
            "/api/v2/experiments/pend00/events?cursor=7",
            400,
            "what `next` of the page before says",
        ),
        (
            "/api/v2/experiments/pend00/events?from=2026-01-02T00:00:00Z&until=2026-01-01T00:00:00Z",
            400,
            "is not before",
        ),
        (
            "/api/v2/experiments/pend00/uptime?step=week",
            400,
            "expected `hour` or `day`",
        ),
        (
            "/api/v2/experiments/pend00/uptime?step=hour&from=1999-01-01T00:00:00Z",
            400,
            "more than 1000 buckets",
        ),
        (
            "/api/v2/experiments/nope/events",
            404,
            "experiment nope was not found",
        ),
        (
            "/api/v2/experiments/nope/uptime",
            404,
            "experiment nope was not found",
        ),
        (
            "/api/v2/experiments/nope/incidents",
            404,
            "experiment nope was not found",
        ),
        (
            "/api/v2/experiments/nope/switches",
            404,
            "experiment nope was not found",
        ),
        (
            "/api/v2/history/nope",
            404,
            "path /api/v2/history/nope was not found",
        ),
        (
            "/badge/pend00.png",
            404,
            "path /badge/pend00.png was not found",
        ),
        (
            "/badge/nope.svg",
            404,
            "experiment or pool nope was not found",
        ),
    ] {
        let response = server.get(path).await;
        let got = response.status().as_u16();
        let answer: Value = response.json().await.expect("is JSON");
        assert_eq!(got, code, "{path}: {answer}");
        assert_eq!(answer["status"], code, "{path}");
        assert!(
            answer["detail"]
                .as_str()
                .is_some_and(|message| message.contains(words)),
            "{path}: {answer}"
        );
    }
}

/// Every path of the document is there, answers with a documented status, takes no
/// parameter that it does not, and is only read.
#[tokio::test]
async fn the_document_and_the_paths_agree() {
    let history = past::History::new().await;
    let with = Server::with(everything(), Some(history.reader())).await;
    let without = Server::start(everything()).await;
    let document = serde_json::to_value(labwatch::http::document_v2()).expect("serialises");
    for path in server::paths() {
        let documented = &document["paths"][server::template(&document, &path)]["get"]["responses"];
        assert_eq!(with.get(&path).await.status(), StatusCode::OK, "{path}");
        let status = without.get(&path).await.status();
        let is_documented = status == StatusCode::OK || documented["default"].is_object();
        assert!(is_documented, "{path}: {status}");
        assert_eq!(
            without.get(&format!("{path}?nonsense=1")).await.status(),
            StatusCode::BAD_REQUEST,
            "{path}"
        );
        let refused = without.ask(reqwest::Method::PUT, &path).await;
        assert_eq!(refused.status(), StatusCode::METHOD_NOT_ALLOWED, "{path}");
    }
}

#[tokio::test]
async fn who_has_the_newest_list_is_not_sent_it_again() {
    let server = Server::start(everything()).await;
    for path in [
        "/api/v2/experiments",
        "/api/v2/experiments?state=ok",
        "/api/v2/pools",
        "/api/v2/pools/pend",
        "/api/v2/holds",
    ] {
        let first = server.get(path).await;
        let tag = server::header(&first, "etag");
        assert_eq!(server::header(&first, "cache-control"), "private, no-cache");
        let again = server.get_with(path, "if-none-match", &tag).await;
        assert_eq!(
            (again.status(), server::header(&again, "etag")),
            (StatusCode::NOT_MODIFIED, tag.clone()),
            "{path}"
        );
        assert_eq!(again.text().await.expect("no body"), "");
        server.change(|snapshot| snapshot.at = at(61));
        assert_eq!(
            server.get_with(path, "if-none-match", &tag).await.status(),
            StatusCode::NOT_MODIFIED,
            "only time has passed"
        );
        server.change(|snapshot| snapshot.changed += 1);
        assert_eq!(
            server.get_with(path, "if-none-match", &tag).await.status(),
            StatusCode::NOT_MODIFIED,
            "what is not shown changes nothing: {path}"
        );
    }
    let wrong = server
        .get_with("/api/v2/experiments?state=bad", "if-none-match", "*")
        .await;
    assert_eq!(
        wrong.status(),
        StatusCode::BAD_REQUEST,
        "an error is documented in any case"
    );
}

#[tokio::test]
async fn badges_show_the_health_of_a_pool_or_an_experiment() {
    let server = Server::start(everything()).await;
    for (file, label, message) in [
        ("pend", "pend", "1 of 2 work, 1 too few"),
        ("pend00", "pend00", "ok"),
        ("pend01", "pend01", "down"),
        ("spin00", "spin00", "ok, held"),
    ] {
        let badge: Value = server
            .get(&format!("/badge/{file}.json"))
            .await
            .json()
            .await
            .expect("is JSON");
        assert_eq!(
            (badge["schemaVersion"].as_u64(), badge["label"].as_str()),
            (Some(1), Some(label))
        );
        assert_eq!(badge["message"], message);
        let image = server.get(&format!("/badge/{file}.svg")).await;
        assert_eq!(server::header(&image, "content-type"), "image/svg+xml");
        assert_eq!(
            server::header(&image, "cache-control"),
            "public, max-age=60"
        );
        golden(&format!("{file}.svg"), &image.text().await.expect("a body"));
    }
}
