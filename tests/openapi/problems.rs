//! The conventions of version 2 over real sockets: problems with reasons, pages to the end, places
//! of what was made, keys that make a request safe to repeat, conditions, tags that follow the
//! body, methods, and other sites.

use std::collections::BTreeSet;
use std::sync::Arc;

use engine::model::{Bookable, ResourceName};
use engine::{Affected, Hold, HoldView, Snapshot};
use labwatch::http::Cors;
use labwatch::http::auth::{Reading, Scope};
use labwatch::store::{Entry, Store, StoreSettings};
use reqwest::{Method, Response, StatusCode};
use serde_json::{Value, json};
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::TcpStream;

use crate::support::lab::{Lab, at, healthy, resource};
use crate::support::{Parts, Server, large, of, token};

/// How many holds are made at one moment: more than any page takes.
const HOLDS: usize = 1_500;

fn header(response: &Response, name: &str) -> String {
    let value = response.headers().get(name);
    value
        .map(|value| value.to_str().expect("text").to_owned())
        .unwrap_or_default()
}

async fn body(response: Response) -> Value {
    response.json().await.expect("is JSON")
}

async fn send(request: reqwest::RequestBuilder) -> Response {
    request.send().await.expect("answers")
}

/// A problem: its status, its reason and its text.
async fn problem(response: Response) -> (u16, String, String) {
    let status = response.status().as_u16();
    assert_eq!(
        header(&response, "content-type"),
        "application/problem+json"
    );
    let id = header(&response, "x-request-id");
    let problem = body(response).await;
    let text = |name: &str| problem[name].as_str().expect(name).to_owned();
    assert_eq!(problem["status"], status, "{problem}");
    assert_eq!(text("request_id"), id);
    assert_eq!(
        text("type"),
        format!("urn:labwatch:problem:{}", text("reason"))
    );
    assert!(!text("title").is_empty());
    (status, text("reason"), text("detail"))
}

#[tokio::test]
async fn every_refusal_has_a_reason() {
    let server = Server::start(large()).await;
    let silence = |until: &str| json!({"experiments": "*", "until": until, "reason": "x"});
    let admin = token(Scope::Admin);
    let delete = |path: &str| server.ask(Method::DELETE, path).bearer_auth(&admin);
    for (request, status, reason) in [
        (server.get("/api/v2/nope"), 404, "unknown-path"),
        (server.get("/nope"), 404, "unknown-path"),
        (server.get("/api/v2/lab?x=1"), 400, "unknown-parameter"),
        (
            server.get("/api/v2/experiments?state=bad"),
            400,
            "invalid-parameter",
        ),
        (
            server.get("/api/v2/experiments?limit=0"),
            400,
            "invalid-parameter",
        ),
        (
            server.get("/api/v2/experiments?cursor=pend00"),
            400,
            "invalid-cursor",
        ),
        (
            server.get("/api/v2/experiments/nope"),
            404,
            "unknown-experiment",
        ),
        (
            server.get("/api/v2/experiments?pool=nope"),
            404,
            "unknown-pool",
        ),
        (
            server.get("/api/v2/experiments?category=nope"),
            404,
            "unknown-category",
        ),
        (
            server.get("/api/v2/categories/nope"),
            404,
            "unknown-category",
        ),
        (server.get("/api/v2/pools/nope"), 404, "unknown-pool"),
        (server.get("/api/v2/holds/nope"), 404, "not-found"),
        (server.get("/api/v2/silences/7"), 404, "not-found"),
        (server.get("/api/v2/silences/x"), 404, "not-found"),
        (
            server.get("/api/v2/reports/component/nope"),
            404,
            "not-found",
        ),
        (server.get("/api/v2/history/holds"), 404, "no-history"),
        (server.get("/api/v2/tokens"), 401, "token-needed"),
        (
            server.get("/api/v2/tokens").bearer_auth("junk"),
            401,
            "token-refused",
        ),
        (
            server.get("/api/v2/tokens").bearer_auth(token(Scope::Read)),
            403,
            "scope-missing",
        ),
        (
            server.ask(Method::PUT, "/api/v2/holds"),
            405,
            "method-not-allowed",
        ),
        (
            server.post("/api/v2/holds", &json!({})),
            400,
            "invalid-body",
        ),
        (
            server.post("/api/v2/holds", &json!({"resource": "r-x", "reason": "x"})),
            404,
            "unknown-resource",
        ),
        (
            server.post(
                "/api/v2/holds",
                &json!({"resource": "r-pend001", "reason": ""}),
            ),
            400,
            "invalid-text",
        ),
        (
            server.post(
                "/api/v2/holds",
                &json!({"resource": "r-pend001", "reason": "labwatch: x"}),
            ),
            400,
            "reserved-prefix",
        ),
        (
            server.post("/api/v2/silences", &silence("1999-01-01T00:00:00Z")),
            400,
            "invalid-time",
        ),
        (
            server.post(
                "/api/v2/acknowledgements",
                &json!({"experiments": "pend001", "text": "x"}),
            ),
            409,
            "not-bad",
        ),
        (
            server.post(
                "/api/v2/acknowledgements",
                &json!({"component": "nope", "text": "x"}),
            ),
            404,
            "unknown-component",
        ),
        (
            server.post("/api/v2/acknowledgements", &json!({"text": "x"})),
            400,
            "invalid-body",
        ),
        (
            server
                .ask(Method::POST, "/api/v2/holds")
                .bearer_auth(&admin)
                .body("{}"),
            415,
            "not-json",
        ),
        (delete("/api/v2/holds/r-pend001"), 409, "not-held"),
        (delete("/api/v2/silences/9"), 404, "not-found"),
        (delete("/api/v2/tokens/a-b"), 400, "invalid-name"),
    ] {
        let request = request.build().expect("a request");
        let at = format!("{} {}", request.method(), request.url());
        let response = server.client.execute(request).await.expect("answers");
        let (is, why, words) = problem(response).await;
        assert_eq!((is, why.as_str()), (status, reason), "{at}: {words}");
        assert!(
            !words.contains("deserialize"),
            "the words are ours: {words}"
        );
    }
}

#[tokio::test]
async fn version_one_keeps_the_form_of_the_old_program() {
    let server = Server::start(Lab::new().snapshot()).await;
    let response = send(server.get("/api/v1/nope")).await;
    assert_eq!(header(&response, "content-type"), "application/json");
    let error = body(response).await;
    assert_eq!(error["code"], 404);
    assert_eq!(error["message"], "path /api/v1/nope was not found");
}

/// Reads a list to its end over `Link`, and checks that the cursor in the body leads to the same.
async fn pages(server: &Server, start: &str, admin: bool) -> Vec<Value> {
    let (mut all, mut next) = (Vec::new(), Some(start.to_owned()));
    while let Some(path) = next {
        let request = server.get(&path);
        let request = if admin {
            request.bearer_auth(token(Scope::Admin))
        } else {
            request
        };
        let response = send(request).await;
        assert_eq!(response.status(), StatusCode::OK, "{path}");
        let link = header(&response, "link");
        let mut page = body(response).await;
        let cursor = page["next"].as_str().map(str::to_owned);
        all.append(page["items"].as_array_mut().expect("items"));
        assert!(all.len() <= 10_000, "{start} ends");
        let (place, rel) = link.split_once('>').unwrap_or_default();
        assert_eq!(cursor.is_some(), rel == "; rel=\"next\"", "{path}: {link}");
        next = cursor.map(|cursor| {
            assert!(place.ends_with(&format!("cursor={cursor}")), "{link}");
            place.trim_start_matches('<').to_owned()
        });
    }
    all
}

fn names(items: &[Value], field: &str) -> BTreeSet<String> {
    items.iter().map(|item| item[field].to_string()).collect()
}

fn held() -> Arc<Snapshot> {
    let mut lab = Lab::new();
    for n in 0..HOLDS {
        lab.holds.push(HoldView {
            resource: ResourceName::try_new(&format!("r-{n}")).expect("a name"),
            hold: Hold {
                since: at(0),
                touched: at(0),
                reason: "summer break".to_owned(),
            },
            blocked: Affected::default(),
            healthy_since: None,
            overdue: false,
        });
    }
    lab.snapshot()
}

#[tokio::test]
async fn manual_holds_are_listed_to_the_end() {
    let server = Server::start(held()).await;
    let first = body(send(server.get("/api/v2/holds")).await).await;
    assert_eq!(
        first["items"].as_array().map(Vec::len),
        Some(100),
        "where no limit is given"
    );
    for limit in [1_000, 7] {
        let all = pages(&server, &format!("/api/v2/holds?limit={limit}"), false).await;
        assert_eq!((all.len(), names(&all, "resource").len()), (HOLDS, HOLDS));
    }
    let one = body(send(server.get("/api/v2/holds/r-7")).await).await;
    assert_eq!(
        (&one["reason"], &one["confirmed"]),
        (&json!("summer break"), &json!(true))
    );
}

/// Rows of one moment are neither lost nor repeated.
#[tokio::test]
async fn the_history_of_one_moment_is_listed_to_the_end() {
    let dir = tempfile::tempdir().expect("a folder");
    let settings = StoreSettings {
        dir: dir.path().to_owned(),
        history_days: 100_000,
        ring: 1,
    };
    let (store, _) = Store::open(&settings).expect("it opens");
    let hold = |n: usize| Entry::Record {
        at: at(10),
        record: engine::Record::Hold {
            resource: ResourceName::try_new(&format!("r-{n}")).expect("a name"),
            reason: Some("summer break".to_owned()),
        },
    };
    for n in 0..3 {
        let part = HOLDS / 3;
        store
            .durable(store.write((n * part..(n + 1) * part).map(hold).collect()))
            .await;
    }
    let parts = Parts::new(held(), Reading::Open, Some(store.reader()));
    let server = Server::of(parts, Cors::Off).await;
    for limit in [100, 1_000] {
        let all = pages(
            &server,
            &format!("/api/v2/history/holds?limit={limit}"),
            false,
        )
        .await;
        assert_eq!((all.len(), names(&all, "resource").len()), (HOLDS, HOLDS));
    }
    store.close();
}

#[tokio::test]
async fn every_list_has_the_same_pages() {
    let server = Server::start(large()).await;
    for (path, least) in [
        ("/api/v2/experiments", 250),
        ("/api/v2/sources", 3),
        ("/api/v2/pools", 0),
        ("/api/v2/holds", 0),
        ("/api/v2/acknowledgements", 0),
        ("/api/v2/silences", 0),
        ("/api/v2/maintenance-windows", 0),
        ("/api/v2/categories", 2),
        ("/api/v2/reports", 1),
        ("/api/v2/tokens", 0),
    ] {
        let all = pages(&server, &format!("{path}?limit=2"), true).await;
        assert!(all.len() >= least, "{path}: {}", all.len());
        let whole: BTreeSet<_> = all.iter().map(Value::to_string).collect();
        assert_eq!(whole.len(), all.len(), "{path} repeats nothing");
        let asked = server
            .get(&format!("{path}?limit=1001"))
            .bearer_auth(token(Scope::Admin));
        assert_eq!(
            problem(send(asked).await).await.1,
            "invalid-parameter",
            "{path}"
        );
    }
}

#[tokio::test]
async fn what_is_made_has_a_place_and_can_be_ended_there() {
    let server = Server::start(large()).await;
    let until = "2027-01-01T00:00:00Z";
    let once = json!({"once": {"from": "2026-12-01T08:00:00Z", "until": "2026-12-01T10:00:00Z"}});
    for (list, made) in [
        (
            "/api/v2/acknowledgements",
            json!({"experiments": "pend000", "text": "motor"}),
        ),
        (
            "/api/v2/silences",
            json!({"experiments": "pend*", "until": until, "reason": "moving"}),
        ),
        (
            "/api/v2/maintenance-windows",
            json!({"experiments": "pend*", "reason": "cleaning", "schedule": once}),
        ),
        (
            "/api/v2/holds",
            json!({"resource": "r-pend003", "reason": "exam"}),
        ),
        (
            "/api/v2/categories/default/closure",
            json!({"reason": "exam"}),
        ),
    ] {
        let dry = send(server.post(&format!("{list}?dry_run=true"), &made)).await;
        assert_eq!(
            (dry.status(), header(&dry, "location").as_str()),
            (StatusCode::OK, ""),
            "{list}"
        );
        assert_eq!(body(dry).await["done"], false);
        let response = send(server.post(list, &made)).await;
        let place = header(&response, "location");
        assert_eq!(response.status(), StatusCode::CREATED, "{list}");
        assert!(place.starts_with(list), "{list}: {place}");
        assert_eq!(body(response).await["done"], true);

        let entry = send(server.get(&place).bearer_auth(token(Scope::Read))).await;
        assert_eq!(entry.status(), StatusCode::OK, "{place}");
        let tag = header(&entry, "etag");
        let delete = |tag: &str, query: &str| {
            let request = server.ask(Method::DELETE, &format!("{place}?reason=done{query}"));
            let request = if list.ends_with("closure") {
                request
            } else {
                server.ask(
                    Method::DELETE,
                    &format!("{place}?{}", query.trim_start_matches('&')),
                )
            };
            request
                .bearer_auth(token(Scope::Admin))
                .header("if-match", tag)
        };
        let (status, reason, _) = problem(send(delete("\"other\"", "")).await).await;
        assert_eq!(
            (status, reason.as_str()),
            (412, "precondition-failed"),
            "{place}"
        );
        assert_eq!(
            send(delete(&tag, "&dry_run=true")).await.status(),
            StatusCode::OK,
            "{place}"
        );
        assert_eq!(
            send(delete(&tag, "")).await.status(),
            StatusCode::OK,
            "{place}"
        );
        assert_eq!(
            send(server.get(&place)).await.status(),
            StatusCode::NOT_FOUND,
            "{place}"
        );
    }
}

#[tokio::test]
async fn a_report_is_made_read_and_withdrawn() {
    let server = Server::start(large()).await;
    let place = "/api/v2/reports/component/wiki";
    let made = send(server.post(place, &json!({"state": "error", "detail": "disk full"}))).await;
    assert_eq!(
        (made.status(), header(&made, "location").as_str()),
        (StatusCode::CREATED, place)
    );
    let open = body(send(server.get(place)).await).await;
    assert_eq!(
        (&open["state"], &open["detail"]),
        (&json!("error"), &Value::Null)
    );
    let whole = body(send(server.get(place).bearer_auth(token(Scope::Read))).await).await;
    assert_eq!(whole["detail"], "disk full");
    let end = server
        .ask(Method::DELETE, place)
        .bearer_auth(token(Scope::Report));
    assert_eq!(send(end).await.status(), StatusCode::NO_CONTENT);
    assert_eq!(body(send(server.get(place)).await).await["state"], "init");
    let escaped = format!(
        r#"{{"state": "warn", "detail": "{}"}}"#,
        r"\u0041".repeat(1_000)
    );
    let long = server
        .ask(Method::POST, place)
        .bearer_auth(token(Scope::Admin))
        .header("content-type", "application/json")
        .body(escaped);
    assert_eq!(send(long).await.status(), StatusCode::CREATED);
    let other = server.post("/api/v2/reports/component/store", &json!({"state": "ok"}));
    assert_eq!(problem(send(other).await).await.1, "not-passive");
}

#[tokio::test]
async fn the_same_request_with_one_key_is_done_once() {
    let server = Server::start(large()).await;
    let silence =
        json!({"experiments": "pend*", "until": "2027-01-01T00:00:00Z", "reason": "moving"});
    let with = |key: &str, body: &Value| {
        server
            .post("/api/v2/silences", body)
            .header("idempotency-key", key)
    };
    let first = send(with("one", &silence)).await;
    let place = header(&first, "location");
    let again = send(with("one", &silence)).await;
    assert_eq!(
        (again.status(), header(&again, "location")),
        (StatusCode::CREATED, place)
    );
    assert_eq!(header(&again, "idempotency-replayed"), "true");
    assert_eq!(body(again).await, body(first).await);
    assert_eq!(server.count(), 1, "it was given once");

    let other =
        json!({"experiments": "spin*", "until": "2027-01-01T00:00:00Z", "reason": "moving"});
    let (status, reason, _) = problem(send(with("one", &other)).await).await;
    assert_eq!((status, reason.as_str()), (422, "key-reused"));
    let long = "k".repeat(256);
    assert_eq!(
        problem(send(with(&long, &silence)).await).await.1,
        "invalid-idempotency-key"
    );
    assert_eq!(
        send(with("two", &silence)).await.status(),
        StatusCode::CREATED
    );
    assert_eq!(server.count(), 2);

    let refused = json!({"experiments": "pend001", "text": "x"});
    let ask = || {
        server
            .post("/api/v2/acknowledgements", &refused)
            .header("idempotency-key", "three")
    };
    let first = problem(send(ask()).await).await;
    assert_eq!(
        problem(send(ask()).await).await,
        first,
        "a refusal is repeated too"
    );
}

/// What is no key is refused by all, so none does a thing twice that was asked to do it once.
#[tokio::test]
async fn every_post_takes_a_key() {
    let server = Server::start(large()).await;
    let document = body(send(server.get("/api/v2/openapi.json")).await).await;
    let paths = document["paths"].as_object().expect("paths").iter();
    let posts =
        paths.filter(|(path, methods)| path.starts_with("/api/v2/") && methods["post"].is_object());
    for (path, methods) in posts {
        let parameters = methods["post"]["parameters"].to_string();
        assert!(
            parameters.contains("/Idempotency-Key"),
            "{path}: {parameters}"
        );
        let path = path
            .replace("{name}", "default")
            .replace("{kind}", "component");
        let asked = server.post(&path, &json!({})).header("idempotency-key", "");
        let (status, reason, _) = problem(send(asked).await).await;
        assert_eq!(
            (status, reason.as_str()),
            (400, "invalid-idempotency-key"),
            "{path}"
        );
    }
}

#[tokio::test]
async fn an_unchanged_laboratory_is_sent_once() {
    let server = Server::start(of(10)).await;
    for path in [
        "/api/v2/experiments",
        "/api/v2/holds",
        "/api/v2/pools",
        "/api/v1/experiments",
    ] {
        let first = send(server.get(path)).await;
        let tag = header(&first, "etag");
        assert!(!tag.is_empty(), "{path}");
        for n in 0..1_000 {
            // Something is painted anew, and what a list shows of it is the same.
            server.change(|snapshot| {
                snapshot.version += 1;
                snapshot.changed += 1;
                snapshot.experiments = Arc::new(snapshot.experiments.to_vec());
            });
            let method = if n % 2 == 0 {
                Method::GET
            } else {
                Method::HEAD
            };
            let again = send(server.ask(method, path).header("if-none-match", &tag)).await;
            assert_eq!(again.status(), StatusCode::NOT_MODIFIED, "{path}, poll {n}");
        }
        let head = send(server.ask(Method::HEAD, path)).await;
        assert_eq!(header(&head, "etag"), tag, "{path}");
        let length = header(&head, "content-length");
        let whole = send(server.get(path)).await.bytes().await.expect("a body");
        assert_eq!(length, whole.len().to_string(), "{path}");
    }
    let tag = header(&send(server.get("/api/v2/experiments")).await, "etag");
    server.change(|snapshot| {
        let list = Arc::make_mut(&mut snapshot.experiments);
        Arc::make_mut(&mut list[0]).since = at(61);
    });
    let changed = send(
        server
            .get("/api/v2/experiments")
            .header("if-none-match", tag),
    )
    .await;
    assert_eq!(changed.status(), StatusCode::OK);
}

#[tokio::test]
async fn a_name_in_a_path_is_no_word_of_ours() {
    let lab = Lab::new().with(healthy("events"));
    let server = Server::start(lab.snapshot()).await;
    let one = body(send(server.get("/api/v2/experiments/events")).await).await;
    assert_eq!(one["experiment"]["name"], "events");
}

#[tokio::test]
async fn methods_are_listed_where_a_path_is() {
    let server = Server::start(Lab::new().snapshot()).await;
    for (path, allow) in [
        ("/api/v2/lab", "GET,HEAD,OPTIONS"),
        ("/api/v2/holds", "GET,HEAD,POST,OPTIONS"),
        ("/api/v2/holds/r-x", "GET,HEAD,DELETE,OPTIONS"),
        ("/api/v1/experiments", "GET,HEAD,OPTIONS"),
    ] {
        let response = send(server.ask(Method::OPTIONS, path)).await;
        let sorted = |list: &str| list.split(',').map(str::to_owned).collect::<BTreeSet<_>>();
        assert_eq!(response.status(), StatusCode::NO_CONTENT, "{path}");
        assert_eq!(sorted(&header(&response, "allow")), sorted(allow), "{path}");
        assert_eq!(
            header(&response, "access-control-allow-origin"),
            "",
            "none is allowed"
        );
    }
    let nowhere = send(server.ask(Method::OPTIONS, "/api/v2/nope")).await;
    assert_eq!(problem(nowhere).await.1, "unknown-path");
}

#[tokio::test]
async fn other_sites_read_where_it_is_set() {
    let origins = Cors::Origins(vec!["https://lab.example".to_owned()]);
    let parts = Parts::new(large(), Reading::Open, None);
    let server = Server::of(parts, origins).await;
    for (origin, allowed) in [
        ("https://lab.example", "https://lab.example"),
        ("https://other.example", ""),
    ] {
        let read = send(server.get("/api/v2/experiments").header("origin", origin)).await;
        assert_eq!(read.status(), StatusCode::OK);
        assert_eq!(header(&read, "access-control-allow-origin"), allowed);
        assert_eq!(header(&read, "access-control-allow-credentials"), "");
        let vary = read.headers().get_all("vary").iter();
        assert!(
            vary.into_iter().any(|vary| vary == "origin"),
            "it depends on who asks"
        );
        let before = server
            .ask(Method::OPTIONS, "/api/v2/silences")
            .header("origin", origin);
        let before = send(before.header("access-control-request-method", "POST")).await;
        assert_eq!(before.status(), StatusCode::NO_CONTENT);
        let methods = header(&before, "access-control-allow-methods");
        assert_eq!(methods.contains("POST"), !allowed.is_empty(), "{methods}");
        let page = send(server.get("/login").header("origin", origin)).await;
        assert_eq!(
            header(&page, "access-control-allow-origin"),
            "",
            "pages are ours"
        );
    }
}

#[tokio::test]
async fn what_is_for_later_says_when() {
    let server = Server::start(Lab::new().snapshot()).await;
    let mut listeners = Vec::new();
    let busy = loop {
        let response = send(server.get("/api/v2/stream")).await;
        if response.status() == StatusCode::SERVICE_UNAVAILABLE {
            break response;
        }
        listeners.push(response);
    };
    assert!(header(&busy, "retry-after").parse::<u64>().is_ok());
    assert_eq!(problem(busy).await.1, "busy");
}

/// A refusal that comes before the body says that the connection ends, so that no client sends its
/// next request behind a body that is not read.
#[tokio::test]
async fn an_early_refusal_announces_the_end_of_the_connection() {
    let server = Server::start(Lab::new().snapshot()).await;
    let mut stream = TcpStream::connect(server.address).await.expect("connects");
    let head = "POST /api/v2/holds HTTP/1.1\r\nhost: x\r\ncontent-type: application/json\r\ncontent-length: 2\r\n\r\n";
    stream.write_all(head.as_bytes()).await.expect("sends");
    let mut answer = String::new();
    stream.read_to_string(&mut answer).await.expect("it ends");
    assert!(answer.starts_with("HTTP/1.1 401"), "{answer}");
    assert!(
        answer.to_lowercase().contains("\r\nconnection: close\r\n"),
        "{answer}"
    );

    let whole = send(server.post("/api/v2/holds", &json!({}))).await;
    assert_eq!(
        header(&whole, "connection"),
        "",
        "a body that was read ends nothing"
    );
}

#[tokio::test]
async fn times_have_milliseconds_and_lengths_are_seconds() {
    let mut view = healthy("pend00");
    view.resources = vec![resource("r-pend00", Some(Bookable::Yes), "new")];
    let server = Server::start(Lab::new().with(view).snapshot()).await;
    let mut times = 0;
    for path in [
        "/api/v2/lab",
        "/api/v2/experiments/pend00",
        "/api/v2/sources",
    ] {
        let answer = body(send(server.get(path)).await).await;
        walk(&answer, &mut |text| {
            if text.len() > 18 && text.parse::<jiff::Timestamp>().is_ok() {
                assert_eq!(
                    text.len(),
                    "2026-11-21T00:00:00.000Z".len(),
                    "{path}: {text}"
                );
                times += 1;
            }
        });
    }
    assert!(times > 5);
}

fn walk(value: &Value, see: &mut impl FnMut(&str)) {
    match value {
        Value::String(text) => see(text),
        Value::Array(items) => items.iter().for_each(|item| walk(item, see)),
        Value::Object(fields) => fields.values().for_each(|field| walk(field, see)),
        Value::Null | Value::Bool(_) | Value::Number(_) => {}
    }
}

#[cfg(feature = "api-docs")]
#[tokio::test]
async fn the_documents_are_shown_without_the_world() {
    let server = Server::start(Lab::new().snapshot()).await;
    let folder = send(server.get("/api/v2/docs")).await;
    assert_eq!(
        (
            folder.status().as_u16(),
            header(&folder, "location").as_str()
        ),
        (307, "docs/")
    );
    let old = send(server.get("/api/v1/docs")).await;
    assert_eq!(header(&old, "location"), "../v2/docs/");
    let page = send(
        server
            .get("/api/v2/docs/")
            .header("accept-encoding", "gzip"),
    )
    .await;
    let policy = header(&page, "content-security-policy");
    assert!(
        policy
            .starts_with("default-src 'none'; script-src 'self'; style-src 'self' 'unsafe-inline'"),
        "{policy}"
    );
    for file in [
        "swagger-ui-bundle.js",
        "swagger-ui.css",
        "swagger-initializer.js",
    ] {
        let path = format!("/api/v2/docs/{file}");
        assert_eq!(
            send(server.get(&path)).await.status(),
            StatusCode::OK,
            "{file}"
        );
    }
    assert_eq!(
        problem(send(server.get("/api/v2/docs/nope.js")).await)
            .await
            .1,
        "unknown-path"
    );
    let document = send(server.get("/api/v2/openapi.json"))
        .await
        .text()
        .await
        .expect("a body");
    assert_eq!(document, labwatch::http::DOCUMENT_V2_JSON);
}
