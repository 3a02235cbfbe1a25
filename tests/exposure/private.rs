//! A marked text stands in every failure of every peer, in the names of maintainers and in the
//! addresses that hold secrets. Then every open route is read, by the program's own list of routes,
//! in every mode of reading.

use std::fs;
use std::path::Path;
use std::time::Duration;

use jiff::{SignedDuration, Timestamp};
use lab::{Lab, RelayVersion};
use labwatch::http::auth::Scope;
use reqwest::{Client, Method, StatusCode};
use serde_json::json;
use tokio::time::timeout;

use super::eventually::eventually;
use super::every_route;
use super::laboratory::laboratory;
use super::monitor::{Monitor, environment};
use super::peers::{Peers, SAID};
use super::{SECRET, issue};

/// The name of the maintainer who does everything.
const NAME: &str = "m4rked-name";

/// A part of the addresses of webhook and heartbeat.
const ADDRESS: &str = "m4rked-address";

/// The recipients of mail.
const RECIPIENT: &str = "m4rked-recipient@lab.example";

/// A part of everything that a maintainer writes, except reasons in book for students.
const TEXT: &str = "m4rked-text";

const MARKS: [&str; 5] = [SAID, NAME, ADDRESS, RECIPIENT, TEXT];

/// What reads without a token in each mode.
const MODES: [&str; 3] = ["open", "token", "students"];

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn nothing_private_is_public_while_messages_and_services_fail() {
    let (lab, peers) = (
        laboratory(RelayVersion::V07, &["pend00", "spin00"]).await,
        Peers::start().await,
    );
    for mode in MODES {
        let monitor = start(&lab, &peers, mode).await;
        lab.power_off("pend00").expect("known");
        monitor.logs(&[" not sent: ", "it answered 500"]).await;
        monitor
            .logs(&["mail not delivered", "it answered 550"])
            .await;
        command_everything(&monitor).await;
        tokio::time::sleep(Duration::from_secs(3)).await;
        sweep(&monitor, mode).await;
        maintainers_do(&monitor).await;
        lab.power_on("pend00").expect("known");
        assert_clean_log(&monitor.said());
        assert_no_address(&monitor.folder().join("data"));
        monitor.stop("TERM", &lab).await;
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn nothing_private_is_public_while_sources_fail() {
    let (lab, peers) = (
        laboratory(RelayVersion::V07, &["pend00"]).await,
        Peers::start().await,
    );
    for mode in MODES {
        let address = |name: &str| format!("{}/{name}", peers.http);
        let (book, jump, relay) = (address("book"), address("jump"), address("relay"));
        let settings = [
            ("URL_BOOK", book.as_str()),
            ("URL_JUMP", &jump),
            ("URL_RELAY", &relay),
            ("SECRET_API", SECRET),
            ("API_READ", mode),
            ("LOG_LEVEL", "info"),
        ];
        let monitor = Monitor::start(&lab, &settings).await;
        for source in ["book", "jump", "relay"] {
            monitor
                .logs(&[&format!("\"source\":\"{source}\""), "it answered 500"])
                .await;
        }
        tokio::time::sleep(Duration::from_secs(6)).await;
        sweep(&monitor, mode).await;
        maintainers_do(&monitor).await;
        assert_clean_log(&monitor.said());
        monitor.stop("TERM", &lab).await;
    }
}

async fn start(lab: &Lab, peers: &Peers, mode: &str) -> Monitor {
    let folder = lab_file(peers);
    let port = peers.smtp.to_string();
    let webhook = format!("{}/err/{ADDRESS}?k={ADDRESS}", peers.http);
    let config = folder.display().to_string();
    let settings = [
        ("CONFIG", config.as_str()),
        ("EMAIL_HOST", "127.0.0.1"),
        ("EMAIL_PORT", &port),
        ("EMAIL_TLS", "none"),
        ("EMAIL_TO", RECIPIENT),
        ("EMAIL_FROM", "lab@lab.example"),
        ("WEBHOOK_URL", &webhook),
        ("DEAD_MAN_URL", &webhook),
        ("DEAD_MAN_EVERY", "10s"),
        ("SECRET_API", SECRET),
        ("API_READ", mode),
        ("LOG_LEVEL", "info"),
    ];
    Monitor::start_with(environment(lab, &settings)).await
}

/// A configuration file with an outside service, and texts of maintainers.
fn lab_file(peers: &Peers) -> std::path::PathBuf {
    let file = std::env::temp_dir().join(format!("labwatch-exposure-{}.toml", peers.smtp));
    let (from, hour) = (Timestamp::now(), SignedDuration::from_hours(1));
    let text = format!(
        r#"
[[service]]
name = "wiki"
url = "{}/service/health"
expect = "ft"
period = "10s"

[[maintenance]]
name = "service"
match = ["spin*"]
reason = "{TEXT}"
from = "{from}"
until = "{}"

[advice]
whole_site_lost = "{TEXT}"
both_down_neighbours_up = "{TEXT}"
both_down = "{TEXT}"
"#,
        peers.http,
        from + hour
    );
    fs::write(&file, text).expect("writes");
    file
}

/// Every command that keeps the name of the maintainer who gave it. A hold of an earlier round is
/// still there.
async fn command_everything(monitor: &Monitor) {
    let now = Timestamp::now();
    let until = (now + SignedDuration::from_hours(1)).to_string();
    let schedule = json!({"once": {"from": now, "until": until}});
    for (path, body) in [
        (
            "/api/v2/acknowledgements",
            json!({"experiments": "pend00", "text": TEXT, "until": until}),
        ),
        (
            "/api/v2/silences",
            json!({"experiments": "spin*", "reason": TEXT, "until": until}),
        ),
        (
            "/api/v2/maintenance-windows",
            json!({"experiments": "spin*", "reason": TEXT, "schedule": schedule}),
        ),
        (
            "/api/v2/holds",
            json!({"resource": "r-spin00", "reason": "exam"}),
        ),
        (
            "/api/v2/acknowledgements",
            json!({"component": "mail", "text": TEXT, "until": until}),
        ),
        (
            "/api/v2/acknowledgements",
            json!({"installation": true, "text": TEXT, "until": until}),
        ),
        (
            "/api/v2/categories/default/closure",
            json!({"reason": TEXT}),
        ),
    ] {
        let token = issue(NAME, Scope::Admin).token;
        let answer = client()
            .post(url(monitor, path))
            .bearer_auth(token)
            .json(&body)
            .send()
            .await
            .expect("answers");
        let status = answer.status();
        let is_held = path.ends_with("/holds") && status == StatusCode::CONFLICT;
        let said = answer.text().await.unwrap_or_default();
        assert!(status.is_success() || is_held, "{path}: {status} {said}");
    }
}

/// Reads every route that there is, without a token.
async fn sweep(monitor: &Monitor, mode: &str) {
    let every_route = every_route::all();
    let reading = every_route
        .rules()
        .filter(|rule| rule.method == Method::GET);
    for rule in reading {
        for path in addresses(&rule.path) {
            for accept in ["application/json", "text/html"] {
                let request = client().get(url(monitor, &path)).header("accept", accept);
                let response = request.send().await.expect("answers");
                let headers = format!("{:?}", response.headers());
                // The stream does not end; what it says first is enough.
                let body = timeout(Duration::from_secs(2), text(response)).await;
                let place = format!("{path} as {accept}, reading {mode}");
                assert_clean(&place, &headers);
                assert_clean(&place, &body.unwrap_or_default());
            }
        }
    }
}

/// What a route is read by: each of its placeholders with names that lead somewhere, and the
/// parameters that show more.
fn addresses(route: &str) -> Vec<String> {
    let names = [
        "pend00", "spin00", "mail", "book", "relay", "jump", "wiki", "default",
    ];
    let kinds = ["readiness", "liveness", "component", "experiment"];
    let mut all = Vec::new();
    for name in names {
        for kind in kinds {
            let path = route
                .replace("{name}", name)
                .replace("{stub}", name)
                .replace("{pool}", name)
                .replace("{resource}", &format!("r-{name}"))
                .replace("{id}", "1")
                .replace("{kind}", kind)
                .replace("{file}", &format!("{name}.json"));
            for query in ["", "?full=true", "?categories=default"] {
                all.push(format!("{path}{query}"));
            }
        }
    }
    all.sort();
    all.dedup();
    all
}

/// The same facts are there for those who may see them: else the sweep would prove nothing.
async fn maintainers_do(monitor: &Monitor) {
    let token = issue("reader", Scope::Read).token;
    let look = async || {
        let mut seen = String::new();
        for path in [
            "/api/v2/sources",
            "/api/v2/history/outbox",
            "/",
            "/outbox",
            "/sources",
        ] {
            let request = client().get(url(monitor, path)).bearer_auth(&token);
            seen += &request
                .send()
                .await
                .expect("answers")
                .text()
                .await
                .expect("a body");
        }
        seen.contains(SAID).then_some(())
    };
    eventually(
        "a reader with a token sees what the peers said",
        || monitor.tail(),
        look,
    )
    .await;
}

async fn text(mut response: reqwest::Response) -> String {
    let mut text = String::new();
    while let Ok(Some(chunk)) = response.chunk().await {
        text += &String::from_utf8_lossy(&chunk);
        if text.contains("event:") {
            break;
        }
    }
    text
}

fn assert_clean(place: &str, text: &str) {
    for mark in MARKS {
        let found = text.lines().find(|line| line.contains(mark));
        assert!(found.is_none(), "{place} shows {mark}: {found:?}");
    }
}

/// The log is the operator's own: it says who changed what, as the audit does, and nothing else
/// that is private.
fn assert_clean_log(text: &str) {
    let others = text
        .lines()
        .filter(|line| !line.contains("\"who\"") && !line.contains("\"by\""));
    assert_clean("the log", &others.collect::<Vec<_>>().join("\n"));
    for mark in [SAID, ADDRESS, RECIPIENT] {
        assert!(!text.contains(mark), "the log shows {mark}");
    }
}

/// The secrets of addresses are in no file of the store either.
fn assert_no_address(folder: &Path) {
    for entry in fs::read_dir(folder).expect("a folder").flatten() {
        let bytes = fs::read(entry.path()).unwrap_or_default();
        let holds = bytes
            .windows(ADDRESS.len())
            .any(|part| part == ADDRESS.as_bytes());
        assert!(!holds, "{} holds an address", entry.path().display());
    }
}

fn client() -> Client {
    Client::builder()
        .no_proxy()
        .redirect(reqwest::redirect::Policy::none())
        .build()
        .expect("a client")
}

fn url(monitor: &Monitor, path: &str) -> String {
    format!("http://127.0.0.1:{}{path}", monitor.port())
}
