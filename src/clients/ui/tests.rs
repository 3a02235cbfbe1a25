//! Checks of pages against servers of all kinds.

use std::sync::{Arc, Mutex};

use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::process::Command;
use tokio::task::JoinSet;

use super::*;
use crate::clients::testing::{PATIENCE, http, listener};
use engine::model::PageName;

/// An answer that never comes.
const HANGS: &str = "hangs";

/// A server of pages: each request is answered by its first line, and kept whole.
struct Server {
    base: String,
    asked: Arc<Mutex<Vec<String>>>,
    _tasks: JoinSet<()>,
}

impl Server {
    async fn start(answer: impl Fn(&str) -> String + Send + Sync + 'static) -> Self {
        let (listener, there) = listener().await;
        let asked: Arc<Mutex<Vec<String>>> = Arc::default();
        let (kept, answer) = (Arc::clone(&asked), Arc::new(answer));
        let mut tasks = JoinSet::new();
        tasks.spawn(async move {
            let mut serving = JoinSet::new();
            while let Ok((mut stream, _)) = listener.accept().await {
                let (kept, answer) = (Arc::clone(&kept), Arc::clone(&answer));
                serving.spawn(async move {
                    let mut bytes = [0; 4096];
                    let count = stream.read(&mut bytes).await.unwrap_or_default();
                    let request = String::from_utf8_lossy(&bytes[..count]).into_owned();
                    let line = request.lines().next().unwrap_or_default().to_owned();
                    kept.lock().expect("not poisoned").push(request);
                    let said = answer(line.trim_end_matches(" HTTP/1.1"));
                    if said == HANGS {
                        return std::future::pending().await;
                    }
                    let _ = stream.write_all(said.as_bytes()).await;
                });
            }
        });
        Self {
            base: format!("http://{there}"),
            asked,
            _tasks: tasks,
        }
    }

    async fn check(&self, path: &str) -> PageOutcome {
        let page = page(&format!("{}{path}", self.base));
        timeout(PATIENCE, check(&http(), &page))
            .await
            .expect("checked in time")
    }

    /// The request lines, without the version.
    fn asked(&self) -> Vec<String> {
        let mut asked = self.asked.lock().expect("not poisoned");
        let first = |request: String| {
            let line = request.lines().next().unwrap_or_default().to_owned();
            line.trim_end_matches(" HTTP/1.1").to_owned()
        };
        asked.drain(..).map(first).collect()
    }
}

fn page(address: &str) -> PageAddress {
    PageAddress::new(
        address,
        PageName::try_new("a page").expect("a name"),
        "a host",
    )
}

fn status(line: &str) -> String {
    format!("HTTP/1.1 {line}\r\ncontent-length: 0\r\nconnection: close\r\n\r\n")
}

fn redirect(to: &str) -> String {
    format!(
        "HTTP/1.1 302 Found\r\nlocation: {to}\r\ncontent-length: 0\r\nconnection: close\r\n\r\n"
    )
}

fn answered(status: u16) -> PageOutcome {
    PageOutcome::Answered {
        status,
        by_proxy: false,
    }
}

#[tokio::test]
async fn a_head_is_enough_where_it_is_answered_well() {
    let server = Server::start(|_| status("200 OK")).await;
    assert_eq!(server.check("/ui/?course=x").await, answered(200));
    assert_eq!(server.asked(), ["HEAD /ui/?course=x"]);
}

#[tokio::test]
async fn a_head_that_fails_is_no_evidence_against_the_page() {
    for (head, get, outcome) in [
        ("405 Method Not Allowed", "206 Partial Content", 206),
        ("501 Not Implemented", "200 OK", 200),
        ("404 Not Found", "200 OK", 200),
        ("404 Not Found", "404 Not Found", 404),
        ("500 Oh", "503 Busy", 503),
        ("403 Forbidden", "416 Range Not Satisfiable", 200),
        ("", "200 OK", 200),
    ] {
        let said = move |line: &str| match line.split(' ').next() {
            Some("HEAD") if head.is_empty() => String::new(),
            Some("HEAD") => status(head),
            _ => status(get),
        };
        let server = Server::start(said).await;
        assert_eq!(
            server.check("/ui/").await,
            answered(outcome),
            "{head} {get}"
        );
        let asked = server.asked.lock().expect("not poisoned").clone();
        let last = asked.last().expect("a request").to_ascii_lowercase();
        assert!(last.starts_with("get /ui/ http/1.1"), "{last}");
        assert!(last.contains("\r\nrange: bytes=0-0\r\n"), "{last}");
    }
}

#[tokio::test]
async fn a_head_without_an_answer_is_no_evidence_either() {
    for head in [HANGS, "", "SSH-2.0-x\r\n"] {
        let said = move |line: &str| match line.split(' ').next() {
            Some("HEAD") => head.to_owned(),
            _ => status("404 Not Found"),
        };
        let server = Server::start(said).await;
        let patient = http().with_timeout(Duration::from_secs(2));
        let near = page(&format!("{}/ui/", server.base));
        assert_eq!(check(&patient, &near).await, answered(404), "{head}");
        // The same through a proxy, which only the environment can configure.
        let mut child = Command::new(std::env::current_exe().expect("this test"));
        child.args([THROUGH_PROXY, "--exact", "--ignored"]);
        child.env_remove("NO_PROXY").env_remove("no_proxy");
        child.env("http_proxy", &server.base).kill_on_drop(true);
        let ended = timeout(PATIENCE * 12, child.output()).await;
        let ended = ended.expect("in time").expect("it runs");
        let said = String::from_utf8_lossy(&ended.stdout);
        assert!(
            ended.status.success() && said.contains("1 passed"),
            "{head} {said}"
        );
    }
}

const THROUGH_PROXY: &str = "clients::ui::tests::a_page_is_checked_through_a_proxy";

#[tokio::test]
#[ignore = "is started by another test, with a proxy in its environment"]
async fn a_page_is_checked_through_a_proxy() {
    let through = http().with_timeout(Duration::from_secs(2));
    let far = page("http://pages.example/ui/");
    let outcome = PageOutcome::Answered {
        status: 404,
        by_proxy: true,
    };
    assert_eq!(check(&through, &far).await, outcome);
}

#[tokio::test]
async fn redirects_are_followed_on_the_host_alone() {
    let elsewhere = Server::start(|_| status("404 Not Found")).await;
    let other = elsewhere.base.replace("127.0.0.1", "localhost");
    let server = Server::start(move |line| match line.split(' ').nth(1) {
        Some("/moved") => redirect("/ui/"),
        Some("/ui/") => status("200 OK"),
        Some("/to-gone") => redirect("gone"),
        Some("/loop") => redirect("/loop"),
        Some("/login") => redirect(&format!("{other}/login?next=x")),
        Some("/mail") => redirect("mailto:lab@lab.example"),
        Some("/nowhere") => status("302 Found"),
        _ => status("404 Not Found"),
    })
    .await;
    assert_eq!(server.check("/moved").await, answered(200));
    assert_eq!(server.asked(), ["HEAD /moved", "HEAD /ui/"]);
    assert_eq!(server.check("/to-gone").await, answered(404));
    assert_eq!(server.check("/login").await, answered(302));
    assert_eq!(server.check("/mail").await, answered(302));
    assert_eq!(server.check("/nowhere").await, answered(302));
    assert_eq!(elsewhere.asked(), [""; 0], "no other host is asked");
    let endless = server.check("/loop").await;
    assert!(
        matches!(endless, PageOutcome::Failed(CallError::Protocol(_))),
        "{endless:?}"
    );
}

#[tokio::test]
async fn no_body_is_read_and_no_cookie_is_kept() {
    let server = Server::start(|line| {
        let cookie = "set-cookie: session=s3cr3t; Path=/";
        let length = 1_u64 << 40;
        if line.starts_with("HEAD") {
            status("405 No")
        } else {
            format!("HTTP/1.1 200 OK\r\n{cookie}\r\ncontent-length: {length}\r\n\r\nxxx")
        }
    })
    .await;
    for _ in 0..2 {
        assert_eq!(server.check("/ui/").await, answered(200));
    }
    let asked = server.asked.lock().expect("not poisoned").concat();
    assert!(!asked.to_ascii_lowercase().contains("cookie"), "{asked}");
}

#[tokio::test]
async fn failures_to_reach_a_page_are_distinguished() {
    let (listener, there) = listener().await;
    drop(listener);
    let refused = check(&http(), &page(&format!("http://{there}/"))).await;
    assert!(
        matches!(refused, PageOutcome::Failed(CallError::Refused(_))),
        "{refused:?}"
    );
    let unknown = check(&http(), &page("http://pages.invalid/")).await;
    assert!(
        matches!(unknown, PageOutcome::Failed(CallError::NameLookup(_))),
        "{unknown:?}"
    );
    let silent = Server::start(|_| String::new()).await;
    assert_eq!(
        silent.check("/").await,
        PageOutcome::Failed(CallError::Dropped)
    );
}

#[tokio::test]
async fn every_request_gets_one_answer() {
    let server = Server::start(|line| {
        status(if line.contains("gone") {
            "404 No"
        } else {
            "200 OK"
        })
    })
    .await;
    let (give, mut inputs) = mpsc::channel(2);
    let (requests, taken) = mpsc::channel(64);
    let stop = CancellationToken::new();
    let mut tasks = JoinSet::new();
    tasks.spawn(run(http(), give, taken, stop.clone()));
    let many = MAX_AT_ONCE + 8;
    for number in 0..many {
        let path = if number % 2 == 0 { "gone" } else { "ui" };
        let page = page(&format!("{}/{path}", server.base));
        requests.send(page).await.expect("it runs");
    }
    for _ in 0..many {
        let input = timeout(PATIENCE * 4, inputs.recv()).await.expect("in time");
        let Some(Input::PageChecked { page, outcome }) = input else {
            panic!("an answer")
        };
        let expected = if page.expose().ends_with("gone") {
            404
        } else {
            200
        };
        let is_busy = outcome == PageOutcome::Failed(CallError::Busy);
        assert!(is_busy || outcome == answered(expected), "{outcome:?}");
    }
    stop.cancel();
    timeout(PATIENCE, tasks.join_all()).await.expect("it stops");
}

#[tokio::test]
async fn a_page_that_does_not_answer_times_out() {
    let (listener, there) = listener().await;
    let short = http().with_timeout(Duration::from_millis(200));
    let outcome = check(&short, &page(&format!("http://{there}/"))).await;
    assert_eq!(outcome, PageOutcome::Failed(CallError::TimedOut));
    drop(listener);
}
