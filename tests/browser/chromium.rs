//! A real Chromium without a window, driven over its protocol for developers (<https://chromedevtools.github.io/devtools-protocol/>): messages of
//! JSON, parted by zeros, over a pair of pipes. It ends by itself when its pipe closes, however the
//! tests end. It knows nothing of our pages.

use std::collections::BTreeMap;
use std::io::{BufRead, BufReader, Write};
use std::process::{ChildStdin, ChildStdout, Command, Stdio};
use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{LazyLock, Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use serde_json::{Value, json};
use tokio::sync::oneshot;
use tokio::time::timeout;

/// The time limit of an answer. Far above what it takes, because the machine may be busy.
const ANSWERS_WITHIN: Duration = Duration::from_secs(60);

/// Runs the browser with its pipes where it wants them, as descriptors 3 and 4, and with a profile
/// that is gone afterwards.
const LAUNCH: &str = r#"
    profile=$(mktemp -d) || exit
    trap : INT TERM
    [ "$(id -u)" -ne 0 ] || set -- --no-sandbox "$@"
    chromium --headless --remote-debugging-pipe "--user-data-dir=$profile" "$@" about:blank 3<&0 4>&1 </dev/null >"$profile/said" 2>&1
    rm -rf "$profile" || { sleep 1; rm -rf "$profile"; }
"#;

/// Nothing but what the tests ask for.
const FLAGS: [&str; 9] = [
    "--disable-gpu",
    "--disable-quic",
    "--no-first-run",
    "--disable-background-networking",
    "--disable-component-update",
    "--disable-sync",
    "--disable-dev-shm-usage",
    "--hide-scrollbars",
    "--no-proxy-server",
];

/// One for all tests of a process: it takes a second to start. Each page has cookies and storage of
/// its own.
static BROWSER: LazyLock<Chromium> = LazyLock::new(Chromium::start);

/// The running browser.
pub struct Chromium {
    to: Mutex<ChildStdin>,
    answers: Mutex<BTreeMap<u64, oneshot::Sender<Value>>>,
    events: Mutex<BTreeMap<String, Vec<Value>>>,
    next: AtomicU64,
}

/// The browser, started where it is not yet.
pub fn browser() -> &'static Chromium {
    &BROWSER
}

impl Chromium {
    fn start() -> Self {
        let mut command = Command::new("sh");
        command
            .args(["-c", LAUNCH, "sh"])
            .args(FLAGS)
            .stdin(Stdio::piped())
            .stdout(Stdio::piped());
        let mut child = command.spawn().expect("a shell");
        let (to, from) = (
            child.stdin.take().expect("a pipe"),
            child.stdout.take().expect("a pipe"),
        );
        std::thread::spawn(move || {
            read(from);
            child.wait()
        });
        Self {
            to: Mutex::new(to),
            answers: Mutex::default(),
            events: Mutex::default(),
            next: AtomicU64::new(1),
        }
    }

    /// Asks the browser or, with a session, one of its pages; the answer, or what is wrong with the
    /// question.
    pub async fn call(
        &self,
        session: Option<&str>,
        method: &str,
        params: Value,
    ) -> Result<Value, String> {
        let (sender, answer) = oneshot::channel();
        let id = self.next.fetch_add(1, Ordering::Relaxed);
        locked(&self.answers).insert(id, sender);
        self.send(id, session, method, &params);
        let answer = timeout(ANSWERS_WITHIN, answer)
            .await
            .unwrap_or_else(|_| panic!("the browser does not answer {method}"));
        let mut answer = answer.unwrap_or_else(|_| {
            panic!("the browser has ended before it answered {method}: is chromium installed? scripts/test.sh installs it")
        });
        if answer["error"].is_null() {
            Ok(answer["result"].take())
        } else {
            Err(answer["error"].to_string())
        }
    }

    /// Asks and does not wait for an answer.
    pub fn send_command(&self, method: &str, params: &Value) {
        self.send(
            self.next.fetch_add(1, Ordering::Relaxed),
            None,
            method,
            params,
        );
    }

    /// The events of a page's session so far.
    pub fn events(&self, session: &str) -> Vec<Value> {
        locked(&self.events)
            .get(session)
            .cloned()
            .unwrap_or_default()
    }

    fn send(&self, id: u64, session: Option<&str>, method: &str, params: &Value) {
        let mut message = json!({"id": id, "method": method, "params": params});
        if let Some(session) = session {
            message["sessionId"] = json!(session);
        }
        // Where the pipe is closed no answer comes, which the caller reports.
        let _ = locked(&self.to).write_all(format!("{message}\0").as_bytes());
    }

    fn receive(&self, message: Value) {
        if let Some(id) = message["id"].as_u64() {
            if let Some(waiting) = locked(&self.answers).remove(&id) {
                let _ = waiting.send(message);
            }
        } else if let Some(session) = message["sessionId"].as_str() {
            locked(&self.events)
                .entry(session.to_owned())
                .or_default()
                .push(message);
        }
    }
}

/// Takes what the browser says until it has ended; then no test waits any longer.
fn read(from: ChildStdout) {
    let mut from = BufReader::new(from);
    let mut message = Vec::new();
    while from.read_until(0, &mut message).is_ok_and(|read| read > 0) {
        message.pop();
        BROWSER.receive(serde_json::from_slice(&message).expect("a message of the protocol"));
        message.clear();
    }
    locked(&BROWSER.answers).clear();
}

/// A test that failed must not fail the others that use the browser.
fn locked<T>(mutex: &Mutex<T>) -> MutexGuard<'_, T> {
    mutex.lock().unwrap_or_else(PoisonError::into_inner)
}
