//! Where the program is served: below a path that no proxy takes off, over TLS where reading needs
//! a token, and nowhere at all. What is on the page leads below the path, and the commands find the
//! program without its address as an argument.

use std::path::Path;
use std::time::Duration;

use jiff::Timestamp;
use lab::{Lab, RelayVersion};
use labwatch::http::auth::{Authority, Grant, Scope};
use reqwest::{Client, Method, Response};
use serde_json::Value;
use tokio::process::Child;
use url::Url;

use super::eventually::eventually;
use super::laboratory::{laboratory, switched};
use super::monitor::{environment, free_port, kill, run, said, spawn};

const SECRET: &str = "the-s3cr3t-of-the-ap1-of-the-places";

/// The path, and that in front of it which a proxy does not take off either: they are one here.
const PREFIX: &str = "/ed0/lab";

fn token(scope: Scope) -> String {
    let grant = Grant {
        name: "Ada".into(),
        scopes: [scope].into_iter().collect(),
        reports: vec!["*".to_owned()].try_into().expect("a name"),
        life: Duration::from_secs(600),
    };
    Authority::new(&SECRET.into())
        .issue(&grant, Timestamp::now())
        .expect("issues")
        .token
}

/// Starts the program, and waits until it runs.
async fn started(lab: &Lab, settings: &[(&str, &str)], folder: &Path) -> Child {
    let child = spawn(
        &["serve", "--label", "ed0/lab"],
        &environment(lab, settings),
        0,
        folder,
    );
    let runs = async || said(folder).contains("labwatch is running").then_some(());
    eventually("it runs", || said(folder), runs).await;
    child
}

fn header<'a>(answer: &'a Response, name: &str) -> &'a str {
    answer
        .headers()
        .get(name)
        .map(|value| value.to_str().expect("text"))
        .unwrap_or_default()
}

/// A program that is served below [`PREFIX`], and a browser.
struct Below {
    start: Url,
    client: Client,
    cookie: String,
}

impl Below {
    fn on(port: &str) -> Self {
        let client = Client::builder()
            .no_proxy()
            .redirect(reqwest::redirect::Policy::none())
            .build()
            .expect("a client");
        let start = Url::parse(&format!("http://127.0.0.1:{port}{PREFIX}/")).expect("a URL");
        Self {
            start,
            client,
            cookie: String::new(),
        }
    }

    async fn ask(&self, method: Method, address: &str, form: &[(&str, &str)]) -> Response {
        let request = self
            .client
            .request(method, self.start.join(address).expect("an address"));
        let request = request
            .header("accept", "text/html")
            .header("cookie", &self.cookie);
        let body = url::form_urlencoded::Serializer::new(String::new())
            .extend_pairs(form)
            .finish();
        let request = request
            .header("content-type", "application/x-www-form-urlencoded")
            .body(body);
        request.send().await.expect("answers")
    }

    async fn get(&self, address: &str) -> Response {
        self.ask(Method::GET, address, &[]).await
    }

    async fn page(&self, address: &str) -> String {
        let answer = self.get(address).await;
        assert_eq!(answer.status(), 200, "{address}");
        answer.text().await.expect("a page")
    }
}

/// Where a page leads: what stands in these attributes of it.
fn addresses(page: &str) -> Vec<String> {
    let of = |name: &str| {
        page.split(&format!(" {name}=\""))
            .skip(1)
            .map(|rest| rest.split('"').next().unwrap_or_default())
            .collect::<Vec<_>>()
    };
    let all = ["href", "src", "action", "data-stream"]
        .into_iter()
        .flat_map(of);
    let mut all: Vec<String> = all
        .filter(|address| !address.starts_with('#'))
        .map(|address| address.replace("&amp;", "&"))
        .collect();
    all.sort();
    all.dedup();
    all
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn below_a_path_is_everything_and_outside_of_it_nothing() {
    let lab = laboratory(RelayVersion::V07, &["pend00", "spin00"]).await;
    let (folder, port) = (
        tempfile::tempdir().expect("a folder"),
        free_port().to_string(),
    );
    let settings = [
        ("SECRET_API", SECRET),
        ("API_READ", "token"),
        ("API_PREFIX", PREFIX),
        ("PORT_SERVE", &port),
    ];
    let mut child = started(&lab, &settings, folder.path()).await;
    let mut below = Below::on(&port);

    for outside in [
        "/",
        "/liveness",
        "/status",
        "/ed0/",
        "/ed0/labwatch/liveness",
        "/ED0/lab/",
    ] {
        let answer = below.get(outside).await;
        assert_eq!(
            (answer.status().as_u16(), header(&answer, "content-type")),
            (404, "application/problem+json"),
            "{outside}"
        );
        assert!(
            header(&answer, "server").starts_with("labwatch/")
                && !header(&answer, "content-security-policy").is_empty()
        );
        let notified: Value = answer.json().await.expect("JSON");
        let message =
            format!("path {outside} was not found: every path here begins with {PREFIX}/");
        assert_eq!(
            (&notified["status"], &notified["detail"]),
            (&404.into(), &message.into()),
            "{notified}"
        );
        assert!(
            notified["request_id"]
                .as_str()
                .is_some_and(|id| !id.is_empty()),
            "{notified}"
        );
    }
    let without_slash = below.get(&format!("{PREFIX}?a=b")).await;
    assert_eq!(
        (
            without_slash.status().as_u16(),
            header(&without_slash, "location")
        ),
        (307, "lab/?a=b")
    );
    assert_eq!(below.get("liveness").await.status(), 200);

    found_by_commands(&lab, &settings).await;
    signs_in(&mut below).await;
    leads_below(&below).await;
    sent_to_programs(&below).await;
    signs_out(&mut below).await;
    kill("TERM", child.id().expect("it runs")).await;
    assert_eq!(
        child.wait().await.expect("a status").code(),
        Some(0),
        "{}",
        said(folder.path())
    );
}

/// A reader who wants a page without a session is led to the form, and from there to where they
/// wanted to go.
async fn signs_in(below: &mut Below) {
    let away = below.get("pools?x=1").await;
    let form = "/ed0/lab/login?next=%2Fpools%3Fx%3D1";
    assert_eq!(
        (away.status().as_u16(), header(&away, "location")),
        (303, form)
    );
    let page = below.page(form).await;
    assert!(
        page.contains("method=\"post\" action=\"/ed0/lab/login\"")
            && page.contains("name=\"next\" value=\"/pools?x=1\""),
        "{page}"
    );
    let wrong = below
        .ask(Method::POST, "login", &[("token", "eyJ.a.b")])
        .await;
    assert_eq!(
        (wrong.status().as_u16(), header(&wrong, "location")),
        (303, "/ed0/lab/login?refused=forged")
    );
    let there = below
        .ask(
            Method::POST,
            "login",
            &[("token", &token(Scope::Admin)), ("next", "/pools?x=1")],
        )
        .await;
    assert_eq!(
        (there.status().as_u16(), header(&there, "location")),
        (303, "/ed0/lab/pools?x=1")
    );
    let cookie = header(&there, "set-cookie");
    assert!(
        cookie.starts_with("labwatch-") && cookie.contains(".ed0.lab="),
        "{cookie}"
    );
    cookie
        .split(';')
        .next()
        .unwrap_or_default()
        .clone_into(&mut below.cookie);
}

/// Every address on the pages lies below the path, and there is something at it.
async fn leads_below(below: &Below) {
    let mut seen = 0;
    for page in [
        "",
        "pools",
        "sources",
        "holds",
        "outbox",
        "reports",
        "experiments/pend00",
        "do/silence",
        "__health",
        "api/v2/docs/",
        "nope",
    ] {
        let text = below.get(page).await.text().await.expect("a page");
        let from = below.start.join(page).expect("an address");
        for address in addresses(&text) {
            let there = from.join(&address).expect("an address");
            assert!(
                there.path().starts_with("/ed0/lab/"),
                "{page} leads to {address}"
            );
            if !there.path().ends_with("/logout") {
                let answer = below.get(there.as_str()).await;
                let (status, may_fail) = (
                    answer.status().as_u16(),
                    there.path().starts_with("/ed0/lab/status/"),
                );
                assert!(
                    [200, 303].contains(&status) || may_fail && status == 503,
                    "{page} leads to {address}: {status}"
                );
                seen += 1;
            }
        }
    }
    assert!(seen > 50, "{seen} addresses are no page");
    let home = below.page("").await;
    assert!(home.contains("<title>ed0/lab status</title>"), "{home}");
    assert!(
        home.contains("data-stream=\"/ed0/lab/api/v2/stream\""),
        "news come from below the path too: {home}"
    );
}

async fn sent_to_programs(below: &Below) {
    for name in ["v1", "v2"] {
        let place = below
            .start
            .join(&format!("api/{name}/openapi.json"))
            .expect("an address");
        let document: Value = below
            .client
            .get(place.clone())
            .send()
            .await
            .expect("answers")
            .json()
            .await
            .expect("JSON");
        let server = document["servers"][0]["url"].as_str().expect("a server");
        assert_eq!(
            place.join(server).expect("an address"),
            below.start,
            "the document's paths lie below the path"
        );
    }
    let list = below.start.join("api/v1/experiments").expect("an address");
    assert_eq!(
        below
            .client
            .get(list.clone())
            .send()
            .await
            .expect("answers")
            .status(),
        401
    );
    for request in [
        below
            .client
            .get(list.clone())
            .bearer_auth(token(Scope::Read)),
        below
            .client
            .get(list)
            .basic_auth("prometheus", Some(token(Scope::Read))),
    ] {
        let list: Value = request
            .send()
            .await
            .expect("answers")
            .json()
            .await
            .expect("JSON");
        assert!(list.is_array(), "{list}");
    }
    let ack = below
        .start
        .join("api/v2/acknowledgements")
        .expect("an address");
    let unmarked = below
        .client
        .post(ack)
        .bearer_auth(token(Scope::Admin))
        .body("{\"text\": \"x\"}")
        .send()
        .await
        .expect("answers");
    assert_eq!(
        unmarked.status(),
        415,
        "{}",
        unmarked.text().await.unwrap_or_default()
    );
}

/// The commands know where the program is and what lets them read, and a second one knows the
/// first.
async fn found_by_commands(lab: &Lab, settings: &[(&str, &str)]) {
    let ready = run(&["wait-for-ready", "--timeout", "45s"], lab, settings).await;
    assert_eq!((ready.status.code(), ready.said.as_str()), (Some(0), ""));
    for arguments in [
        &["status"][..],
        &["status", "--categories", "pend"],
        &["status", "--check", "book"],
    ] {
        let notified = run(arguments, lab, settings).await;
        assert_eq!(
            notified.status.code(),
            Some(0),
            "{arguments:?}: {}",
            notified.said
        );
    }
    let port = settings
        .iter()
        .find(|(name, _)| *name == "PORT_SERVE")
        .expect("a port")
        .1;
    let elsewhere = [settings, &[("PORT_SERVE", "1")]].concat();
    let notified = run(&["status", "--port", port], lab, &elsewhere).await;
    assert_eq!(notified.status.code(), Some(0), "{}", notified.said);
    assert_eq!(
        run(&["status"], lab, &elsewhere).await.status.code(),
        Some(2)
    );
    let above = run(
        &["status", "--url", &format!("http://127.0.0.1:{port}")],
        lab,
        settings,
    )
    .await;
    assert!(
        above.status.code() == Some(2)
            && above.said.contains("There is no labwatch below that path"),
        "{}",
        above.said
    );
    let unreachable = [
        settings,
        &[("SECRET_API", "another-s3cr3t-of-more-than-32-bytes")],
    ]
    .concat();
    let notified = run(&["status"], lab, &unreachable).await;
    assert!(
        notified.status.code() == Some(2) && notified.said.contains("does not allow reading"),
        "{}",
        notified.said
    );
    let second = run(&["serve"], lab, settings).await;
    assert!(
        second.status.code() == Some(3) && second.said.contains("another labwatch"),
        "{}",
        second.said
    );
}

async fn signs_out(below: &mut Below) {
    let home = below.page("").await;
    let csrf = home
        .split("name=\"csrf\" value=\"")
        .nth(1)
        .and_then(|rest| rest.split('"').next())
        .expect("a form")
        .to_owned();
    let out = below.ask(Method::POST, "logout", &[("csrf", &csrf)]).await;
    assert_eq!(
        (out.status().as_u16(), header(&out, "location")),
        (303, "/ed0/lab/")
    );
    assert!(header(&out, "set-cookie").contains(".ed0.lab=; "));
    assert_eq!(below.get("").await.status(), 303, "the session is over");
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn without_an_api_it_works_all_the_same() {
    let lab = laboratory(RelayVersion::V07, &["pend00"]).await;
    let folder = tempfile::tempdir().expect("a folder");
    let settings = [("PORT_SERVE", "none")];
    let mut child = started(&lab, &settings, folder.path()).await;
    lab.power_off("pend00").expect("known");
    assert!(!switched(&lab, "r-pend00", 1).await.available);
    let notified = run(&["status"], &lab, &settings).await;
    assert!(
        notified.status.code() == Some(2) && notified.said.contains("port_serve is none"),
        "{}",
        notified.said
    );
    let checked = run(&["check"], &lab, &settings).await;
    assert!(
        checked.said.contains("API      none, and no page"),
        "{}",
        checked.said
    );
    kill("TERM", child.id().expect("it runs")).await;
    assert_eq!(
        child.wait().await.expect("a status").code(),
        Some(0),
        "{}",
        said(folder.path())
    );
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn over_tls_the_commands_need_no_further_arguments() {
    let lab = laboratory(RelayVersion::V07, &["pend00"]).await;
    let (folder, port) = (
        tempfile::tempdir().expect("a folder"),
        free_port().to_string(),
    );
    let path = |name: &str| {
        folder
            .path()
            .join(name)
            .to_str()
            .expect("a name")
            .to_owned()
    };
    let signed =
        rcgen::generate_simple_self_signed(vec!["lab.example".to_owned()]).expect("a certificate");
    let (cert, key) = (path("cert.pem"), path("cert.key"));
    std::fs::write(&cert, signed.cert.pem()).expect("writes");
    std::fs::write(&key, signed.signing_key.serialize_pem()).expect("writes");
    let settings = [
        ("SECRET_API", SECRET),
        ("API_READ", "token"),
        ("PORT_SERVE", &port),
        ("API_TLS_CERT", &cert),
        ("API_TLS_KEY", &key),
        ("API_PREFIX", "/lab"),
    ];
    // What it writes stands beside the certificate and its key, which are no words of it.
    let output = tempfile::tempdir().expect("a folder");
    let mut child = started(&lab, &settings, output.path()).await;
    let ready = run(&["wait-for-ready", "--timeout", "45s"], &lab, &settings).await;
    assert_eq!(ready.status.code(), Some(0), "{}", ready.said);
    let notified = run(&["status"], &lab, &settings).await;
    assert_eq!(notified.status.code(), Some(0), "{}", notified.said);
    child.kill().await.expect("killed");
}
