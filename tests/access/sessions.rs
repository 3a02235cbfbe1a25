//! Sessions of browsers: from a token, in a cookie that scripts and other sites cannot use, against
//! pages of other sites, and over.

use labwatch::http::auth::{Reading, Scope};
use reqwest::{Method, Response, StatusCode};
use serde_json::{Value, json};

use super::server::{Server, header};
use super::{LIST, one};

/// What a browser sends back of a cookie that it was given.
fn given(response: &Response) -> String {
    let cookie = header(response, "set-cookie");
    cookie.split(';').next().expect("a cookie").to_owned()
}

async fn signed_in(server: &Server, scope: Scope) -> String {
    let response = server
        .sign_in(&server.token(scope))
        .send()
        .await
        .expect("answers");
    assert_eq!(response.status(), StatusCode::NO_CONTENT);
    given(&response)
}

async fn csrf(server: &Server, cookie: &str) -> String {
    let who: Value = server
        .get("/api/v2/session")
        .header("cookie", cookie)
        .send()
        .await
        .expect("answers")
        .json()
        .await
        .expect("is JSON");
    who["csrf"].as_str().expect("a text").to_owned()
}

#[tokio::test]
async fn a_token_makes_a_session_that_reads() {
    let server = Server::start(Reading::Token, one()).await;
    let response = server
        .sign_in(&server.token(Scope::Read))
        .send()
        .await
        .expect("answers");
    let cookie = header(&response, "set-cookie");
    assert!(
        cookie.starts_with("labwatch-")
            && cookie.contains(".status=")
            && cookie.contains("; Path=/; Max-Age="),
        "{cookie}"
    );
    assert!(
        cookie.ends_with("; HttpOnly; SameSite=Strict"),
        "without TLS it is not Secure: {cookie}"
    );
    let cookie = given(&response);
    let read = server
        .get(LIST)
        .header("cookie", &cookie)
        .send()
        .await
        .expect("answers");
    assert_eq!(read.status(), StatusCode::OK);
    let who: Value = server
        .get("/api/v2/session")
        .header("cookie", &cookie)
        .send()
        .await
        .expect("answers")
        .json()
        .await
        .expect("is JSON");
    assert_eq!(
        (&who["name"], &who["scopes"]),
        (&json!("read's"), &json!(["read"]))
    );
    assert_eq!(
        server.noted(),
        [("read's".to_owned(), "signed in".to_owned())]
    );

    let text = cookie.split_once('=').expect("a pair").1;
    let as_token = server
        .get(LIST)
        .bearer_auth(text)
        .send()
        .await
        .expect("answers");
    assert_eq!(
        as_token.status(),
        StatusCode::UNAUTHORIZED,
        "a session is no token"
    );
    let as_session = server
        .get(LIST)
        .header("cookie", cookie.replace(text, &server.token(Scope::Read)))
        .send()
        .await
        .expect("answers");
    assert_eq!(
        as_session.status(),
        StatusCode::UNAUTHORIZED,
        "a token is no session"
    );
}

#[tokio::test]
async fn behind_a_proxy_with_tls_the_cookie_is_for_tls_alone() {
    let server = Server::start(Reading::Token, one()).await;
    let response = server
        .sign_in(&server.token(Scope::Read))
        .header("x-forwarded-proto", "https")
        .send()
        .await
        .expect("answers");
    let cookie = header(&response, "set-cookie");
    assert!(
        cookie.starts_with("__Host-labwatch-")
            && cookie.contains(".status=")
            && cookie.ends_with("; Secure"),
        "{cookie}"
    );
    let cookie = given(&response);
    let plain = server
        .get(LIST)
        .header("cookie", &cookie)
        .send()
        .await
        .expect("answers");
    assert_eq!(plain.status(), StatusCode::UNAUTHORIZED);
    let secure = server
        .get(LIST)
        .header("cookie", &cookie)
        .header("x-forwarded-proto", "https")
        .send()
        .await
        .expect("answers");
    assert_eq!(secure.status(), StatusCode::OK);
}

#[tokio::test]
async fn browsers_are_led_to_the_form_and_back() {
    let server = Server::start(Reading::Token, one()).await;
    let page = "text/html,application/xhtml+xml";
    let away = server
        .get(LIST)
        .header("accept", page)
        .send()
        .await
        .expect("answers");
    assert_eq!(
        (away.status(), header(&away, "location").as_str()),
        (
            StatusCode::SEE_OTHER,
            "/status/login?next=%2Fapi%2Fv1%2Fexperiments"
        )
    );
    let form = server.get("/login").send().await.expect("answers");
    assert!(header(&form, "content-type").starts_with("text/html"));
    assert!(
        form.text()
            .await
            .expect("a page")
            .contains("id=\"login\" method=\"post\" action=\"/status/login\">")
    );
    let back = server
        .sign_in(&server.token(Scope::Read))
        .header("accept", page)
        .send()
        .await
        .expect("answers");
    assert_eq!(
        (back.status(), header(&back, "location").as_str()),
        (StatusCode::SEE_OTHER, "/status/")
    );
    for (token, next, to) in [
        (
            server.token(Scope::Read),
            "/holds?did=ended",
            "/status/holds?did=ended",
        ),
        (server.token(Scope::Read), "//evil.example", "/status/"),
        (
            "eyJ.bad.token".to_owned(),
            "/holds",
            "/status/login?next=%2Fholds&refused=forged",
        ),
    ] {
        let form = server
            .form("/login", &[("token", &token), ("next", next)])
            .header("accept", page);
        let there = form.send().await.expect("answers");
        assert_eq!(
            (there.status(), header(&there, "location").as_str()),
            (StatusCode::SEE_OTHER, to)
        );
    }
    let again = server
        .get("/login?next=%2Fholds&refused=forged")
        .send()
        .await
        .expect("answers")
        .text()
        .await
        .expect("a page");
    assert!(
        again.contains("This is not a token of this labwatch.")
            && again.contains("name=\"next\" value=\"/holds\""),
        "{again}"
    );
    assert!(
        !server.noted().iter().any(|(_, what)| what.contains("POST")),
        "who is refused has changed nothing"
    );
}

#[tokio::test]
async fn a_session_changes_something_only_from_its_own_pages() {
    let server = Server::start(Reading::Open, one()).await;
    let cookie = signed_in(&server, Scope::Admin).await;
    let csrf = csrf(&server, &cookie).await;
    let revoke = |id: &str| {
        server
            .ask(Method::DELETE, &format!("/api/v2/tokens/{id}"))
            .header("cookie", &cookie)
    };
    for (request, code) in [
        (revoke("a1"), 403),
        (revoke("a2").header("x-csrf-token", "guessed"), 403),
        (
            revoke("a3")
                .header("x-csrf-token", &csrf)
                .header("sec-fetch-site", "cross-site"),
            403,
        ),
        (
            revoke("a4")
                .header("x-csrf-token", &csrf)
                .header("origin", "https://evil.example"),
            403,
        ),
        (
            revoke("a5")
                .header("x-csrf-token", &csrf)
                .header("origin", "https://lab.example"),
            200,
        ),
        (
            revoke("a6")
                .header("x-csrf-token", &csrf)
                .header("sec-fetch-site", "same-origin"),
            200,
        ),
        (
            revoke("a7")
                .header("content-type", "application/x-www-form-urlencoded")
                .body(format!("csrf={csrf}")),
            200,
        ),
        (revoke("a8").bearer_auth(server.token(Scope::Admin)), 200),
    ] {
        let response = request.send().await.expect("answers");
        assert_eq!(response.status().as_u16(), code, "{}", response.url());
    }
    let changes: Vec<_> = server
        .noted()
        .into_iter()
        .map(|(_, what)| what)
        .filter(|what| what.starts_with("revoked"))
        .collect();
    assert_eq!(changes.len(), 4, "only what happened is noted: {changes:?}");
    let form = server
        .get("/login")
        .header("cookie", &cookie)
        .send()
        .await
        .expect("answers")
        .text()
        .await
        .expect("a page");
    assert!(
        form.contains(&format!("name=\"csrf\" value=\"{csrf}\"")),
        "who is signed in can sign in anew: {form}"
    );
    let from_elsewhere = server
        .sign_in(&server.token(Scope::Read))
        .header("sec-fetch-site", "cross-site")
        .send()
        .await
        .expect("answers");
    assert_eq!(
        from_elsewhere.status(),
        StatusCode::FORBIDDEN,
        "no other site signs a user in"
    );
}

#[tokio::test]
async fn a_session_ends_by_signing_out_and_with_its_token() {
    let server = Server::start(Reading::Token, one()).await;
    let read = async |cookie: &str| {
        server
            .get(LIST)
            .header("cookie", cookie)
            .send()
            .await
            .expect("answers")
            .status()
            .as_u16()
    };
    let cookie = signed_in(&server, Scope::Read).await;
    let csrf = csrf(&server, &cookie).await;
    assert_eq!(
        server
            .form("/logout", &[])
            .header("cookie", &cookie)
            .send()
            .await
            .expect("answers")
            .status(),
        StatusCode::FORBIDDEN
    );
    let out = server
        .form("/logout", &[("csrf", &csrf)])
        .header("cookie", &cookie)
        .send()
        .await
        .expect("answers");
    assert!(header(&out, "set-cookie").contains(".status=; Path=/; Max-Age=0;"));
    assert_eq!(read(&cookie).await, 401, "a kept cookie is worth nothing");
    assert_eq!(server.noted().last().expect("a note").1, "signed out");

    let issued = server.issue(Scope::Read, std::time::Duration::from_secs(60));
    let cookie = given(&server.sign_in(&issued.token).send().await.expect("answers"));
    assert_eq!(read(&cookie).await, 200);
    let path = format!("/api/v2/tokens/{}", issued.pass.id);
    server
        .ask(Method::DELETE, &path)
        .bearer_auth(server.token(Scope::Admin))
        .send()
        .await
        .expect("answers");
    assert_eq!(read(&cookie).await, 401);
}

#[tokio::test]
async fn an_old_cookie_is_removed_and_never_counted() {
    let server = Server::start(Reading::Open, one()).await;
    let name = signed_in(&server, Scope::Read).await;
    let name = name.split_once('=').expect("a pair").0;
    for _ in 0..20 {
        let response = server
            .get(LIST)
            .header("cookie", format!("{name}=of.another.secret"))
            .send()
            .await
            .expect("answers");
        assert_eq!(response.status(), StatusCode::OK);
        let removal = header(&response, "set-cookie");
        assert!(
            removal.starts_with(&format!("{name}=; Path=/; Max-Age=0")),
            "{removal}"
        );
    }
    let response = server
        .sign_in(&server.token(Scope::Read))
        .header("cookie", format!("{name}=of.another.secret"))
        .send()
        .await
        .expect("answers");
    assert_eq!(response.status(), StatusCode::NO_CONTENT);
    assert_eq!(response.headers().get_all("set-cookie").iter().count(), 1);
    assert!(!header(&response, "set-cookie").contains("Max-Age=0"));
    let other = server
        .get(LIST)
        .header("cookie", "labwatch-000000.status=x");
    assert_eq!(
        header(&other.send().await.expect("answers"), "set-cookie"),
        "",
        "the cookie of another labwatch on this host stays"
    );
}

#[tokio::test]
async fn signing_out_without_a_session_leaves_nothing() {
    let server = Server::start(Reading::Open, one()).await;
    for _ in 0..200 {
        let out = server.form("/logout", &[]).send().await.expect("answers");
        assert_eq!(out.status(), StatusCode::NO_CONTENT);
    }
    let token = server.token(Scope::Read);
    let out = server.form("/logout", &[]).bearer_auth(&token);
    assert_eq!(
        out.send().await.expect("answers").status(),
        StatusCode::NO_CONTENT
    );
    assert_eq!((server.noted(), server.kept()), (vec![], vec![]));
}

/// The holder of one token signs in and out without end: every sign-out works, the record has a
/// bound, and the token can be revoked.
#[tokio::test]
async fn signing_in_and_out_without_end_hinders_no_revocation() {
    let server = Server::start(Reading::Token, one()).await;
    let leaked = server.issue(Scope::Read, std::time::Duration::from_secs(3_600));
    for _ in 0..150 {
        let cookie = given(&server.sign_in(&leaked.token).send().await.expect("answers"));
        let csrf = csrf(&server, &cookie).await;
        let out = server
            .form("/logout", &[("csrf", &csrf)])
            .header("cookie", &cookie);
        let out = out.send().await.expect("answers");
        assert_eq!(out.status(), StatusCode::NO_CONTENT);
    }
    let noted = server.noted().len();
    assert!(noted <= 10, "{noted} records of one token");
    let path = format!("/api/v2/tokens/{}", leaked.pass.id);
    let revoked = server
        .ask(Method::DELETE, &path)
        .bearer_auth(server.token(Scope::Admin));
    assert_eq!(
        revoked.send().await.expect("answers").status(),
        StatusCode::OK
    );
    let read = server.get(LIST).bearer_auth(&leaked.token);
    assert_eq!(
        read.send().await.expect("answers").status(),
        StatusCode::UNAUTHORIZED
    );
}

#[tokio::test]
async fn a_token_that_only_reports_makes_no_session() {
    let server = Server::start(Reading::Token, one()).await;
    let response = server.sign_in(&server.token(Scope::Report));
    let response = response.send().await.expect("answers");
    assert_eq!(
        (response.status(), header(&response, "set-cookie").as_str()),
        (StatusCode::UNAUTHORIZED, "")
    );
}
