//! Who may use the API, over real sockets: tokens and sessions, what each may see and change, what
//! is refused and for how long, the record of changes, TLS with a certificate that is replaced, and
//! the common headers of every response.

#![allow(
    clippy::too_many_lines,
    reason = "a test is one scenario from beginning to end"
)]
#![expect(clippy::expect_used, reason = "the helpers of a test fail as tests do")]

#[path = "api_v1/lab.rs"]
#[allow(dead_code, reason = "the API's tests use all of it")]
mod lab;
#[path = "access/server.rs"]
mod server;
#[path = "access/sessions.rs"]
mod sessions;
#[path = "access/tls.rs"]
mod tls;

use std::sync::Arc;
use std::time::Duration;

use labwatch::http::MAX_BODY_BYTES;
use labwatch::http::auth::{MAX_FAILURES, Reading, Scope};
use reqwest::{Method, StatusCode};
use serde_json::{Value, json};

use lab::{BUSY, Lab, healthy};
use server::{Server, header};

const LIST: &str = "/api/v1/experiments";

/// The user agents that an answer shows of its first experiment.
fn user_agents(answer: &Value) -> Vec<&str> {
    let experiment = &answer[0];
    let reports = experiment["stream_reports"]
        .as_object()
        .expect("streams")
        .values()
        .chain([&experiment["jump_report"]]);
    reports
        .map(|report| report["user_agent"].as_str().expect("a text"))
        .collect()
}

fn one() -> Lab {
    let lab = Lab::new()
        .streams("pend00-st-data", BUSY)
        .streams("pend00-st-video", BUSY)
        .host("pend00");
    lab.with(healthy("pend00"))
}

#[tokio::test]
async fn private_things_are_for_those_who_may_read_them() {
    let server = Server::start(Reading::Open, one()).await;
    let anonymous: Value = server
        .get(LIST)
        .send()
        .await
        .expect("answers")
        .json()
        .await
        .expect("is JSON");
    assert!(
        user_agents(&anonymous).iter().all(|agent| agent.is_empty()),
        "{anonymous}"
    );
    for (scope, sees) in [
        (Scope::Read, true),
        (Scope::Report, false),
        (Scope::Admin, true),
    ] {
        let answer = server
            .get(LIST)
            .bearer_auth(server.token(scope))
            .send()
            .await
            .expect("answers");
        let answer: Value = answer.json().await.expect("is JSON");
        assert_eq!(
            user_agents(&answer).iter().any(|agent| !agent.is_empty()),
            sees,
            "{scope}"
        );
        let fields = |answer: &Value| {
            answer[0]
                .as_object()
                .expect("an experiment")
                .keys()
                .cloned()
                .collect::<Vec<_>>()
        };
        assert_eq!(
            fields(&answer),
            fields(&anonymous),
            "the fields are the same"
        );
    }
}

/// Prometheus and old checkers know no other way. A browser repeats a password by itself, so it
/// changes nothing.
#[tokio::test]
async fn a_token_as_a_password_reads_and_changes_nothing() {
    let server = Server::start(Reading::Token, one()).await;
    let with = async |password: &str| {
        server
            .get(LIST)
            .basic_auth("prometheus", Some(password))
            .send()
            .await
            .expect("answers")
    };
    assert_eq!(
        with(&server.token(Scope::Read)).await.status(),
        StatusCode::OK
    );
    assert_eq!(
        with(&server.token(Scope::Report)).await.status(),
        StatusCode::FORBIDDEN
    );
    let change = server
        .ask(Method::DELETE, "/api/v2/tokens/0123abcd")
        .basic_auth("ada", Some(server.token(Scope::Admin)));
    assert_eq!(
        change.send().await.expect("answers").status(),
        StatusCode::UNAUTHORIZED
    );
    assert_eq!(server.noted(), [], "nothing was changed");

    for _ in 0..=MAX_FAILURES {
        let other = with("the password of a proxy in front").await;
        assert_eq!(
            other.status(),
            StatusCode::UNAUTHORIZED,
            "it belongs to no token, and cannot be guessed"
        );
    }
    for _ in 0..MAX_FAILURES {
        assert_eq!(
            with("eyJhbGciOiJIUzI1NiJ9.e30.c2lnbmF0dXJl").await.status(),
            StatusCode::UNAUTHORIZED
        );
    }
    assert_eq!(
        with("eyJhbGciOiJIUzI1NiJ9.e30.c2lnbmF0dXJl").await.status(),
        StatusCode::TOO_MANY_REQUESTS,
        "a program that guesses waits"
    );
    assert_eq!(
        with(&server.token(Scope::Read)).await.status(),
        StatusCode::OK,
        "and a good token is answered meanwhile"
    );
}

#[tokio::test]
async fn an_unchanged_answer_is_not_sent_again_and_not_to_who_may_see_more() {
    let server = Server::start(Reading::Open, one()).await;
    for path in [
        LIST,
        "/api/v1/experiments/events/pend00",
        "/api/v1/openapi.json",
        "/login",
    ] {
        let first = server.get(path).send().await.expect("answers");
        let tag = header(&first, "etag");
        assert!(tag.starts_with("W/\""), "{path}: {tag}");
        let again = server
            .get(path)
            .header("if-none-match", &tag)
            .send()
            .await
            .expect("answers");
        assert_eq!(
            (again.status(), header(&again, "etag")),
            (StatusCode::NOT_MODIFIED, tag),
            "{path}"
        );
        assert_eq!(again.text().await.expect("no body"), "");
        let other = server
            .get(path)
            .header("if-none-match", "\"other\"")
            .send()
            .await
            .expect("answers");
        assert_eq!(other.status(), StatusCode::OK);
    }
    let open = header(&server.get(LIST).send().await.expect("answers"), "etag");
    let whole = server
        .get(LIST)
        .header("if-none-match", &open)
        .bearer_auth(server.token(Scope::Read))
        .send()
        .await
        .expect("answers");
    assert_eq!(whole.status(), StatusCode::OK, "who may see more gets more");
    let mut next =
        Arc::into_inner(one().with(healthy("pend01")).snapshot()).expect("there is no other owner");
    next.version += 1;
    server
        .snapshots
        .send(Arc::new(next))
        .expect("the server runs");
    let changed = server
        .get(LIST)
        .header("if-none-match", &open)
        .send()
        .await
        .expect("answers");
    assert_eq!(changed.status(), StatusCode::OK, "a new snapshot is sent");
}

#[tokio::test]
async fn long_answers_are_compressed_and_short_ones_are_not() {
    let many = (0..50).fold(Lab::new(), |lab, n| {
        lab.with(healthy(&format!("pend{n:02}")))
    });
    let server = Server::start(Reading::Open, many).await;
    let plain = server.get(LIST).send().await.expect("answers");
    assert_eq!(header(&plain, "content-encoding"), "");
    let plain = plain.bytes().await.expect("a body");
    let packed = server
        .get(LIST)
        .header("accept-encoding", "gzip")
        .send()
        .await
        .expect("answers");
    assert_eq!(header(&packed, "content-encoding"), "gzip");
    assert!(
        packed
            .headers()
            .get_all("vary")
            .iter()
            .any(|vary| vary.as_bytes().eq_ignore_ascii_case(b"accept-encoding"))
    );
    let packed = packed.bytes().await.expect("a body");
    assert!(
        packed.starts_with(&[0x1f, 0x8b]) && packed.len() * 5 < plain.len(),
        "{} of {}",
        packed.len(),
        plain.len()
    );
    let short = server
        .get("/api/v2/session")
        .header("accept-encoding", "gzip")
        .send()
        .await
        .expect("answers");
    assert_eq!(header(&short, "content-encoding"), "");
}

#[tokio::test]
async fn errors_have_one_form_whatever_makes_them() {
    let server = Server::start(Reading::Token, one()).await;
    let long = "x".repeat(MAX_BODY_BYTES + 1);
    for (request, code) in [
        (server.get("/nope"), 404),
        (server.get(LIST), 401),
        (server.get(LIST).bearer_auth("junk"), 401),
        (
            server.get(LIST).bearer_auth(server.token(Scope::Report)),
            403,
        ),
        (server.ask(Method::PUT, LIST), 405),
        (server.ask(Method::POST, "/login").body("x"), 400),
        (server.ask(Method::POST, "/login").body(long), 413),
    ] {
        let response = request
            .header("x-request-id", "the-id")
            .send()
            .await
            .expect("answers");
        assert_eq!(
            (
                response.status().as_u16(),
                header(&response, "x-request-id").as_str()
            ),
            (code, "the-id")
        );
        assert_eq!(header(&response, "cache-control"), "no-store");
        assert_eq!(
            header(&response, "www-authenticate").is_empty(),
            code != 401
        );
        let body: Value = response.json().await.expect("is JSON");
        // Version 1 keeps the names of the old program.
        let (status, words) = match body.get("code") {
            Some(status) => (status, &body["message"]),
            None => (&body["status"], &body["detail"]),
        };
        assert_eq!(
            (status, &body["request_id"]),
            (&json!(code), &json!("the-id")),
            "{body}"
        );
        assert!(
            words.as_str().is_some_and(|message| !message.is_empty()),
            "{body}"
        );
    }
    let strange = server
        .get("/login")
        .header("x-request-id", "a b")
        .send()
        .await
        .expect("answers");
    assert_ne!(header(&strange, "x-request-id"), "a b");
}

#[tokio::test]
async fn bad_tokens_wait_and_good_ones_do_not() {
    let server = Server::start(Reading::Token, one()).await;
    let good = server.token(Scope::Read);
    let try_with = async |token: &str, from: &str| {
        let response = server
            .get(LIST)
            .bearer_auth(token)
            .header("x-forwarded-for", from)
            .send()
            .await
            .expect("answers");
        (response.status().as_u16(), header(&response, "retry-after"))
    };
    for _ in 0..MAX_FAILURES {
        assert_eq!(try_with("junk", "192.0.2.1").await.0, 401);
    }
    let (code, wait) = try_with("junk", "192.0.2.1").await;
    assert!(
        code == 429
            && wait
                .parse::<u64>()
                .is_ok_and(|seconds| (1..=61).contains(&seconds)),
        "{code} {wait}"
    );
    assert_eq!(
        try_with(&good, "192.0.2.1").await.0,
        200,
        "a good token is never locked out by others' junk"
    );
    let cookie = server.sign_in(&good).header("x-forwarded-for", "192.0.2.1");
    let cookie = header(&cookie.send().await.expect("answers"), "set-cookie");
    let session = server
        .get(LIST)
        .header("cookie", cookie.split(';').next().expect("a cookie"))
        .header("x-forwarded-for", "192.0.2.1");
    assert_eq!(
        session.send().await.expect("answers").status(),
        StatusCode::OK,
        "nor is a session, nor signing in"
    );
    assert_eq!(
        try_with("junk", "192.0.2.2").await.0,
        401,
        "others are not affected"
    );
    for same in [
        "192.0.2.1:4711",
        "1.1.1.1, 192.0.2.1",
        "192.0.2.2, 192.0.2.1",
    ] {
        assert_eq!(try_with("junk", same).await.0, 429, "{same}");
    }
    assert_eq!(
        try_with("junk", "192.0.2.1, 192.0.2.3").await.0,
        401,
        "only what the proxy added counts"
    );
    let health = server
        .get("/api/v2/session")
        .bearer_auth("junk")
        .header("x-forwarded-for", "192.0.2.1")
        .send()
        .await
        .expect("answers");
    assert_eq!(health.status(), StatusCode::OK, "what is public stays so");
    let form = server
        .sign_in("junk")
        .header("x-forwarded-for", "192.0.2.1")
        .send()
        .await
        .expect("answers");
    assert_eq!(
        form.status(),
        StatusCode::TOO_MANY_REQUESTS,
        "the form is no way round"
    );
}

#[tokio::test]
async fn a_revoked_token_is_refused_and_that_is_recorded() {
    let server = Server::start(Reading::Token, one()).await;
    let lost = server.issue(Scope::Read, Duration::from_secs(60));
    let admin = server.token(Scope::Admin);
    let read = async || {
        server
            .get(LIST)
            .bearer_auth(&lost.token)
            .send()
            .await
            .expect("answers")
            .status()
            .as_u16()
    };
    assert_eq!(read().await, 200);
    let path = format!("/api/v2/tokens/{}", lost.pass.id);
    let response = server
        .ask(Method::DELETE, &path)
        .bearer_auth(&admin)
        .send()
        .await
        .expect("answers");
    let answer: Value = response.json().await.expect("is JSON");
    assert_eq!(
        (&answer["id"], &answer["kept"]),
        (&json!(lost.pass.id), &json!(true))
    );
    assert_eq!(read().await, 401);
    let all: Value = server
        .get("/api/v2/tokens")
        .bearer_auth(&admin)
        .send()
        .await
        .expect("answers")
        .json()
        .await
        .expect("is JSON");
    assert_eq!(
        all["items"],
        json!([{"id": lost.pass.id, "until": answer["until"]}])
    );
    assert_eq!(server.kept(), [format!("token.revoked.{}", lost.pass.id)]);
    assert_eq!(
        server.noted(),
        [(
            "admin's".to_owned(),
            format!("revoked the token {}", lost.pass.id)
        )],
        "once, and by no other words"
    );
    let bad = server
        .ask(Method::DELETE, "/api/v2/tokens/a-b")
        .bearer_auth(&admin)
        .send()
        .await
        .expect("answers");
    assert_eq!(bad.status(), StatusCode::BAD_REQUEST);
}

#[tokio::test]
async fn pages_and_answers_have_security_headers() {
    let server = Server::start(Reading::Open, one()).await;
    let page = server.get("/login").send().await.expect("answers");
    for (name, part) in [
        (
            "content-security-policy",
            "require-trusted-types-for 'script'",
        ),
        ("content-security-policy", "frame-ancestors 'none'"),
        ("x-content-type-options", "nosniff"),
        // Without any referrer browsers would not say either from which page a form is sent.
        ("referrer-policy", "same-origin"),
        ("permissions-policy", "camera=()"),
        ("cross-origin-opener-policy", "same-origin"),
        ("cross-origin-resource-policy", "same-origin"),
    ] {
        assert!(
            header(&page, name).contains(part),
            "{name}: {}",
            header(&page, name)
        );
    }
    assert_eq!(
        header(&page, "strict-transport-security"),
        "",
        "there is no TLS"
    );
    let answer = server.get(LIST).send().await.expect("answers");
    assert_eq!(
        header(&answer, "cross-origin-resource-policy"),
        "same-origin",
        "other sites read only where it is set"
    );
}
