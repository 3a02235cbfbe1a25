//! Every route of the running program for every kind of caller, where reading is open and where
//! not; and tokens from the command line.

#![allow(
    clippy::similar_names,
    reason = "a role and a rule are called so everywhere"
)]

use std::fs;
use std::time::Duration;

use jiff::Timestamp;
use jsonwebtoken::{EncodingKey, Header};
use lab::RelayVersion;
use labwatch::http::Rule;
use labwatch::http::auth::{Authority, Grant, Need, Scope};
use reqwest::{Client, Method, RequestBuilder};
use serde_json::{Value, json};

use super::eventually::eventually;
use super::every_route;
use super::laboratory::laboratory;
use super::monitor::{Monitor, environment, run, said, spawn};

const SECRET: &str = "the-s3cr3t-of-the-ap1-of-the-tests";

/// A kind of caller, what they show, and the scope that it gives them.
struct Role {
    name: &'static str,
    token: Option<String>,
    session: bool,
    may: Option<Scope>,
}

fn role(name: &'static str, token: Option<String>, may: Option<Scope>) -> Role {
    Role {
        name,
        token,
        session: false,
        may,
    }
}

fn issue(scope: Scope, age: i64) -> String {
    let grant = Grant {
        name: "x".into(),
        scopes: [scope].into_iter().collect(),
        reports: vec!["*".to_owned()].try_into().expect("a name"),
        life: Duration::from_secs(600),
    };
    let then = Timestamp::from_second(Timestamp::now().as_second() - age).expect("in range");
    Authority::new(&SECRET.into())
        .issue(&grant, then)
        .expect("issues")
        .token
}

fn for_another_audience() -> String {
    let now = Timestamp::now().as_second();
    let claims = json!({"aud": "book", "exp": now + 600, "iat": now, "jti": "x", "sub": "x", "scopes": ["admin"]});
    jsonwebtoken::encode(
        &Header::default(),
        &claims,
        &EncodingKey::from_secret(SECRET.as_bytes()),
    )
    .expect("signs")
}

/// Requests to the program, each from another address, so that failures do not add up.
struct Asker {
    client: Client,
    base: String,
    asked: std::cell::Cell<u16>,
}

impl Asker {
    fn of(monitor: &Monitor) -> Self {
        let client = Client::builder()
            .no_proxy()
            .redirect(reqwest::redirect::Policy::none())
            .build()
            .expect("a client");
        Self {
            client,
            base: format!("http://127.0.0.1:{}", monitor.port()),
            asked: std::cell::Cell::new(0),
        }
    }

    fn ask(&self, method: Method, path: &str) -> RequestBuilder {
        self.asked.set(self.asked.get() + 1);
        let [high, low] = self.asked.get().to_be_bytes();
        self.client
            .request(method, format!("{}{path}", self.base))
            .header("x-forwarded-for", format!("10.1.{high}.{low}"))
    }

    /// The cookie of a session that a token makes.
    async fn signed_in(&self, token: &str) -> String {
        let form = self
            .ask(Method::POST, "/login")
            .header("content-type", "application/x-www-form-urlencoded");
        let response = form
            .body(format!("token={token}"))
            .send()
            .await
            .expect("answers");
        let cookie = response
            .headers()
            .get("set-cookie")
            .and_then(|cookie| cookie.to_str().ok())
            .expect("a cookie");
        cookie.split(';').next().expect("a pair").to_owned()
    }
}

/// What a caller gets: access, or the status of the refusal.
fn expected(rule: &Rule, role: &Role, open: bool) -> Option<u16> {
    let asked = match rule.need {
        Need::Always => return None,
        Need::Read | Need::Students => (!open).then_some(Scope::Read),
        Need::Scope(scope) => Some(scope),
    };
    if role.token.is_some() && role.may.is_none() {
        return Some(401);
    }
    let (asked, Some(has)) = (asked?, role.may) else {
        return Some(401);
    };
    let lacks = has != asked && has != Scope::Admin;
    // A session shows no text that only our pages know.
    let foreign = role.session && rule.method != Method::GET;
    (lacks || foreign).then_some(403)
}

async fn walk(monitor: &Monitor, roles: &[Role], open: bool) {
    let asker = Asker::of(monitor);
    for rule in every_route::all().rules() {
        let path = rule
            .path
            .replace("{name}", "pend00")
            .replace("{id}", "0123abcd");
        let path = path.replace(['{', '}'], "");
        for role in roles {
            let mut request = asker.ask(rule.method.clone(), &path);
            request = match &role.token {
                Some(token) if role.session => {
                    request.header("cookie", asker.signed_in(token).await)
                }
                Some(token) => request.bearer_auth(token),
                None => request,
            };
            let got = request.send().await.expect("answers").status().as_u16();
            let case = format!(
                "{} {} for {}, reading open: {open}",
                rule.method, rule.path, role.name
            );
            match expected(rule, role, open) {
                Some(refused) => assert_eq!(got, refused, "{case}"),
                None => assert!(!is_refusal(got, rule, role), "{case} is answered {got}"),
            }
        }
    }
}

/// Whether a status says that the caller may not, or that the route is not there. A path with a
/// name in it may lead to nothing, and a session changes nothing without the text that only our
/// pages know. A 503 is what a part that is not well says of itself.
fn is_refusal(status: u16, rule: &Rule, role: &Role) -> bool {
    let csrf = role.session && rule.method != Method::GET && status == 403;
    let named = rule.path.contains('{') && status == 404;
    !csrf && !named && ([401, 403, 404, 405, 429].contains(&status) || status == 500)
}

async fn every_role(monitor: &Monitor) -> Vec<Role> {
    let revoked = issue(Scope::Admin, 0);
    let id = Authority::new(&SECRET.into())
        .verify(&revoked, Timestamp::now())
        .expect("is good")
        .id;
    let asker = Asker::of(monitor);
    let admin = issue(Scope::Admin, 0);
    let response = asker
        .ask(Method::DELETE, &format!("/api/v2/tokens/{id}"))
        .bearer_auth(&admin)
        .send()
        .await
        .expect("answers");
    assert_eq!(response.json::<Value>().await.expect("JSON")["kept"], true);
    let mut roles = vec![
        role("anonymous", None, None),
        role("a bad token", Some("eyJ.bad.token".into()), None),
        role("an expired token", Some(issue(Scope::Admin, 700)), None),
        role(
            "a token for something else",
            Some(for_another_audience()),
            None,
        ),
        role("a revoked token", Some(revoked), None),
    ];
    for (name, session, scope) in [
        ("a reader", false, Scope::Read),
        ("a reporter", false, Scope::Report),
        ("an admin", false, Scope::Admin),
        ("a reader's session", true, Scope::Read),
        ("an admin's session", true, Scope::Admin),
    ] {
        roles.push(Role {
            session,
            ..role(name, Some(issue(scope, 0)), Some(scope))
        });
    }
    roles
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn every_route_lets_in_the_right_roles_and_no_other() {
    let lab = laboratory(RelayVersion::V07, &["pend00"]).await;
    for (reading, open) in [("open", true), ("token", false)] {
        let settings = [("SECRET_API", SECRET), ("API_READ", reading)];
        let monitor = Monitor::start(&lab, &settings).await;
        walk(&monitor, &every_role(&monitor).await, open).await;
        monitor.stop("TERM", &lab).await;
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn students_may_read_their_page_alone_where_that_is_set() {
    let lab = laboratory(RelayVersion::V07, &["pend00"]).await;
    let monitor = Monitor::start(&lab, &[("SECRET_API", SECRET), ("API_READ", "students")]).await;
    let asker = Asker::of(&monitor);
    let every_route = every_route::all();
    let reading = every_route
        .rules()
        .filter(|rule| rule.method == Method::GET);
    for rule in reading {
        let path = rule.path.replace("{pool}", "pend");
        let path = path.replace(['{', '}'], "");
        let got = asker
            .ask(Method::GET, &path)
            .send()
            .await
            .expect("answers")
            .status()
            .as_u16();
        match rule.need {
            Need::Read | Need::Scope(_) => assert_eq!(got, 401, "{path}"),
            Need::Always | Need::Students => {
                assert!(![401, 403].contains(&got), "{path} is answered {got}");
            }
        }
    }
    monitor.stop("TERM", &lab).await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn tokens_from_the_command_line_are_revoked_there_whether_it_runs_or_not() {
    let lab = laboratory(RelayVersion::V07, &["pend00"]).await;
    let folder = tempfile::tempdir().expect("a folder");
    let port = super::monitor::free_port().to_string();
    let data = folder.path().to_str().expect("a name");
    let settings = [
        ("SECRET_API", SECRET),
        ("DATA_DIR", data),
        ("PORT_SERVE", port.as_str()),
    ];
    let made = run(
        &["token", "--scope", "admin", "--for", "30d", "--name", "Ada"],
        &lab,
        &settings,
    )
    .await;
    let id = made
        .said
        .split("revoke ")
        .nth(1)
        .and_then(|rest| rest.split_whitespace().next())
        .expect("an id")
        .to_owned();
    let token = made
        .said
        .lines()
        .find(|line| line.contains("eyJ"))
        .expect("a token")
        .trim()
        .to_owned();

    let monitor = Monitor::start(&lab, &settings).await;
    let tokens = async |monitor: &Monitor| {
        let asked = Asker::of(monitor)
            .ask(Method::GET, "/api/v2/tokens")
            .bearer_auth(&token);
        asked.send().await.expect("answers").status().as_u16()
    };
    assert_eq!(tokens(&monitor).await, 200);
    let listed = run(&["token", "list"], &lab, &settings).await;
    assert!(
        listed.said.contains("Nothing is revoked."),
        "{}",
        listed.said
    );
    let revoked = run(&["token", "revoke", &id], &lab, &settings).await;
    assert!(revoked.status.success(), "{}", revoked.said);
    assert_eq!(tokens(&monitor).await, 401, "it holds at once");
    monitor
        .logs(&["a change was made over the API", &id, "command line"])
        .await;
    monitor.stop("TERM", &lab).await;

    let while_off = run(&["token", "revoke", "0123abcd"], &lab, &settings).await;
    assert!(while_off.status.success(), "{}", while_off.said);
    let monitor = Monitor::start(&lab, &settings).await;
    assert_eq!(tokens(&monitor).await, 401, "it holds after a restart");
    let listed = run(&["token", "list"], &lab, &settings).await;
    assert!(
        listed.said.contains(&id) && listed.said.contains("0123abcd until "),
        "{}",
        listed.said
    );
    monitor.stop("TERM", &lab).await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn over_tls_the_command_line_trusts_the_certificate_that_is_set_and_no_other() {
    let lab = laboratory(RelayVersion::V07, &["pend00"]).await;
    let folder = tempfile::tempdir().expect("a folder");
    let path = |name: &str| {
        folder
            .path()
            .join(name)
            .to_str()
            .expect("a name")
            .to_owned()
    };
    for name in ["ours", "other"] {
        let signed = rcgen::generate_simple_self_signed(vec!["lab.example".to_owned()])
            .expect("a certificate");
        fs::write(path(&format!("{name}.pem")), signed.cert.pem()).expect("writes");
        fs::write(
            path(&format!("{name}.key")),
            signed.signing_key.serialize_pem(),
        )
        .expect("writes");
    }
    let (port, data) = (super::monitor::free_port().to_string(), path("data"));
    let (cert, key, other) = (path("ours.pem"), path("ours.key"), path("other.pem"));
    let rest = [
        ("SECRET_API", SECRET),
        ("DATA_DIR", &data),
        ("PORT_SERVE", &port),
        ("API_TLS_KEY", &key),
    ];
    let settings = [&rest[..], &[("API_TLS_CERT", cert.as_str())]].concat();
    let mut child = spawn(&["serve"], &environment(&lab, &settings), 0, folder.path());
    let runs = async || {
        said(folder.path())
            .contains("labwatch is running")
            .then_some(())
    };
    eventually("it runs", || said(folder.path()), runs).await;

    let revoked = run(&["token", "revoke", "0123abcd"], &lab, &settings).await;
    assert!(revoked.status.success(), "{}", revoked.said);
    let mistaken = [&rest[..], &[("API_TLS_CERT", other.as_str())]].concat();
    let refused = run(&["token", "list"], &lab, &mistaken).await;
    assert!(
        refused.status.code() == Some(1) && refused.said.contains("cannot be asked"),
        "{}",
        refused.said
    );
    child.kill().await.expect("killed");
}
