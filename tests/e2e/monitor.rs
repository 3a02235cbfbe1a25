//! The program under test: started as a process of its own, asked over its API, read by its log,
//! stopped by signals. Whatever it writes or answers is searched for secrets.

use std::collections::BTreeMap;
use std::fs::{self, File};
use std::net::{Ipv4Addr, TcpListener};
use std::path::{Path, PathBuf};
use std::process::{ExitStatus, Stdio};
use std::sync::atomic::{AtomicU16, Ordering};
use std::time::{Duration, Instant};

use lab::Lab;
use serde_json::Value;
use tempfile::TempDir;
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::TcpStream;
use tokio::process::{Child, Command};
use tokio::time::timeout;

use super::eventually::eventually;

/// Quick rules, so that tests are. A test may override each.
const QUICK: [(&str, &str); 14] = [
    ("HEALTH_LAST_ACTIVE", "3s"),
    ("HEALTH_LAST_CHECKED", "3s"),
    ("HEALTH_STARTUP", "3s"),
    ("HEALTH_SETTLE", "5s"),
    ("HEALTH_LOG_EVERY", "1s"),
    ("QUERY_BOOK_EVERY", "1s"),
    ("TIMEOUT_BOOK", "2s"),
    ("SAMPLE_FOR", "1s"),
    ("EMAIL_TIMEOUT", "3s"),
    ("EMAIL_SUBJECT", "[test lab]"),
    ("EMAIL_LINK", "https://lab.example/status"),
    // A test makes more happen in a minute than a laboratory does in an hour.
    ("EMAIL_INTERVAL", "0s"),
    ("LOG_FORMAT", "json"),
    ("LOG_LEVEL", "trace"),
];

/// Within this time it stops, whatever is under way: several times what it gives itself, because
/// the machine may have other things to do.
const STOPS_WITHIN: Duration = Duration::from_secs(20);

/// An answer of the API that takes longer is a failure.
const ANSWERS_WITHIN: Duration = Duration::from_secs(30);

/// What every token starts with, and what stands in front of a code. Neither may be seen anywhere.
const TRACES_OF_ACCESS: [&str; 2] = ["eyJ", "code="];

/// A variable of the environment.
pub type Variable = (String, String);

/// The running program.
pub struct Monitor {
    child: Child,
    folder: TempDir,
    port: u16,
    secrets: Vec<String>,
    /// From the start of the process to the first answer of its API.
    pub answered_after: Duration,
    /// When the process was started.
    pub begun: Instant,
}

/// How a process ended.
pub struct Ended {
    pub status: ExitStatus,
    pub after: Duration,
    /// Standard output and standard error.
    pub said: String,
}

impl Monitor {
    /// Starts it on a laboratory, with quick rules and above them `settings` (named without
    /// `STATUS_`), and waits until it answers.
    pub async fn start(lab: &Lab, settings: &[(&str, &str)]) -> Self {
        Self::start_with(environment(lab, settings)).await
    }

    /// Starts it with this environment. A port is added where there is none.
    pub async fn start_with(variables: Vec<Variable>) -> Self {
        let given = variables
            .iter()
            .find(|(name, _)| name == "STATUS_PORT_SERVE")
            .and_then(|(_, value)| value.parse().ok());
        let port = given.unwrap_or_else(free_port);
        let folder = tempfile::tempdir().expect("a folder");
        let secrets = secrets_in(&variables);
        let begun = Instant::now();
        let child = spawn(&["serve"], &variables, port, folder.path());
        let mut monitor = Self {
            child,
            folder,
            port,
            secrets,
            answered_after: Duration::ZERO,
            begun,
        };
        monitor.answered_after = monitor.first_answer().await;
        monitor
    }

    async fn first_answer(&mut self) -> Duration {
        loop {
            // 401: it answers, and reading needs a token.
            if let Some((200 | 401, _)) = get(self.port, "/api/v1/experiments").await {
                return self.begun.elapsed();
            }
            let ended = self.child.try_wait().expect("a process");
            assert!(ended.is_none(), "it ended with {ended:?}:\n{}", self.said());
            assert!(
                self.begun.elapsed() < Duration::from_secs(30),
                "it does not answer:\n{}",
                self.said()
            );
            tokio::time::sleep(Duration::from_millis(1)).await;
        }
    }

    pub fn port(&self) -> u16 {
        self.port
    }

    pub fn pid(&self) -> u32 {
        self.child.id().expect("it runs")
    }

    /// All experiments of the API, by name.
    pub async fn experiments(&self) -> BTreeMap<String, Value> {
        let all = self.get("/api/v1/experiments").await;
        let all = all.as_array().expect("a list").iter();
        all.map(|experiment| {
            (
                experiment["topic_name"]
                    .as_str()
                    .expect("a name")
                    .to_owned(),
                experiment.clone(),
            )
        })
        .collect()
    }

    /// One experiment; `null` when it is not known.
    pub async fn experiment(&self, stub: &str) -> Value {
        self.experiments().await.remove(stub).unwrap_or(Value::Null)
    }

    /// The healths in an experiment's events, oldest first.
    pub async fn history(&self, stub: &str) -> Vec<String> {
        let events = self
            .get(&format!("/api/v1/experiments/events/{stub}"))
            .await;
        events
            .as_array()
            .expect("a list")
            .iter()
            .map(|event| event["health"].as_str().expect("a word").to_owned())
            .collect()
    }

    /// An answer of the API, which must be a success.
    /// Acknowledgements, silences and maintenance windows.
    #[allow(dead_code, reason = "not every test has any")]
    pub async fn suppressions(&self) -> Vec<Value> {
        let mut all = Vec::new();
        for noun in ["acknowledgements", "silences", "maintenance-windows"] {
            let page = self.get(&format!("/api/v2/{noun}")).await;
            all.extend(page["items"].as_array().into_iter().flatten().cloned());
        }
        all
    }

    pub async fn get(&self, path: &str) -> Value {
        let answer = timeout(ANSWERS_WITHIN, get(self.port, path))
            .await
            .expect("an answer in time");
        let (status, body) =
            answer.unwrap_or_else(|| panic!("no answer to {path}:\n{}", self.said()));
        assert_eq!(status, 200, "{path}: {body}");
        self.assert_no_secret("the API", &body);
        serde_json::from_str(&body).expect("JSON")
    }

    /// Waits until an experiment is as `is` wants it.
    pub async fn sees(&self, stub: &str, what: &str, is: impl Fn(&Value) -> bool) -> Value {
        let look = async || Some(self.experiment(stub).await).filter(|experiment| is(experiment));
        eventually(&format!("{stub} {what}"), || self.tail(), look).await
    }

    /// Waits until these experiments are ok and can be booked.
    pub async fn sees_well(&self, stubs: &[&str]) {
        for stub in stubs {
            self.sees(stub, "is ok and bookable", |it| {
                it["health"] == "ok" && it["bookable"] == "bookable"
            })
            .await;
        }
    }

    /// Waits for a line of the log that has all of these in it, and gives it.
    pub async fn logs(&self, parts: &[&str]) -> String {
        self.logs_times(parts, 1).await
    }

    /// Waits until there are so many such lines, and gives the last of them.
    pub async fn logs_times(&self, parts: &[&str], times: usize) -> String {
        let look = async || self.lines(parts).into_iter().nth(times - 1);
        eventually(
            &format!("{times} lines of the log with {parts:?}"),
            || self.tail(),
            look,
        )
        .await
    }

    /// The lines so far that have all of these in them.
    pub fn lines(&self, parts: &[&str]) -> Vec<String> {
        let said = self.said();
        said.lines()
            .filter(|line| parts.iter().all(|part| line.contains(part)))
            .map(str::to_owned)
            .collect()
    }

    /// Everything that it wrote so far: standard output, standard error, and log files.
    pub fn said(&self) -> String {
        said(self.folder.path())
    }

    /// Its working directory, which is gone with it.
    pub fn folder(&self) -> &Path {
        self.folder.path()
    }

    /// Stops it by a signal (`TERM`, `INT`), which must succeed in time, and searches for secrets
    /// in all that it wrote and mailed.
    pub async fn stop(mut self, signal: &str, lab: &Lab) -> Ended {
        let begun = Instant::now();
        kill(signal, self.pid()).await;
        let status = timeout(STOPS_WITHIN, self.child.wait()).await;
        let status = status
            .unwrap_or_else(|_| panic!("it does not stop:\n{}", self.tail()))
            .expect("a status");
        let ended = Ended {
            status,
            after: begun.elapsed(),
            said: self.said(),
        };
        assert_eq!(ended.status.code(), Some(0), "{}", self.tail());
        assert!(
            !ended.said.contains("have not ended in time"),
            "every part ends when it is stopped:\n{}",
            self.tail()
        );
        self.assert_no_secrets(lab);
        ended
    }

    /// Kills it without a warning.
    pub async fn kill(mut self, lab: &Lab) {
        self.child.kill().await.expect("killed");
        self.assert_no_secrets(lab);
    }

    /// Waits for it to end by itself, in whatever way.
    #[cfg(debug_assertions)]
    pub async fn ends(mut self, lab: &Lab) -> ExitStatus {
        let status = timeout(Duration::from_secs(60), self.child.wait()).await;
        let status = status
            .unwrap_or_else(|_| panic!("it does not end:\n{}", self.tail()))
            .expect("a status");
        self.assert_no_secrets(lab);
        status
    }

    fn assert_no_secrets(&self, lab: &Lab) {
        self.assert_no_secret("its log or output", &self.said());
        for mail in lab.mail().mails() {
            self.assert_no_secret(
                "a mail",
                &format!(
                    "{}\n{}\n{}\n{:?}",
                    mail.raw, mail.subject, mail.text, mail.html
                ),
            );
        }
    }

    fn assert_no_secret(&self, place: &str, text: &str) {
        let traces = TRACES_OF_ACCESS
            .into_iter()
            .chain(self.secrets.iter().map(String::as_str));
        for secret in traces {
            let found = text.lines().find(|line| line.contains(secret));
            assert!(found.is_none(), "{place} holds {secret}: {found:?}");
        }
    }

    /// The last lines that it wrote, for the message of a test that fails.
    pub fn tail(&self) -> String {
        let said = self.said();
        let lines: Vec<&str> = said
            .lines()
            .filter(|line| !line.contains(" experiments are ok"))
            .collect();
        lines[lines.len().saturating_sub(60)..].join("\n")
    }
}

/// Runs the program to its end with other arguments, on a laboratory.
pub async fn run(arguments: &[&str], lab: &Lab, settings: &[(&str, &str)]) -> Ended {
    run_with(arguments, &environment(lab, settings), free_port()).await
}

/// The same with this environment, as if the API were on this port.
pub async fn run_with(arguments: &[&str], variables: &[Variable], port: u16) -> Ended {
    let folder = tempfile::tempdir().expect("a folder");
    let begun = Instant::now();
    let mut child = spawn(arguments, variables, port, folder.path());
    let status = timeout(Duration::from_secs(60), child.wait())
        .await
        .expect("it ends")
        .expect("a status");
    Ended {
        status,
        after: begun.elapsed(),
        said: said(folder.path()),
    }
}

/// The laboratory's environment, quick rules, and `settings` (named without `STATUS_`); later ones
/// win.
pub fn environment(lab: &Lab, settings: &[(&str, &str)]) -> Vec<Variable> {
    let named = |(name, value): &(&str, &str)| (format!("STATUS_{name}"), (*value).to_owned());
    lab.environment()
        .into_iter()
        .chain(QUICK.iter().map(named))
        .chain(settings.iter().map(named))
        .collect()
}

/// Starts the program with its output in files of `folder`. A port among the variables wins over
/// `port`.
pub fn spawn(arguments: &[&str], variables: &[Variable], port: u16, folder: &Path) -> Child {
    let file = |name: &str| Stdio::from(File::create(folder.join(name)).expect("a file"));
    let mut command = Command::new(program());
    command
        .args(arguments)
        .current_dir(folder)
        .env_clear()
        .env("STATUS_PORT_SERVE", port.to_string());
    // Each process has a store of its own, unless the test gives it another's.
    command.env("STATUS_DATA_DIR", folder.join("data"));
    command.envs(variables.iter().map(|(name, value)| (name, value)));
    command
        .stdin(Stdio::null())
        .stdout(file("stdout"))
        .stderr(file("stderr"))
        .kill_on_drop(true);
    command.spawn().expect("it starts")
}

/// The program: the one built with the tests, or `LABWATCH_PROGRAM`, as a packed one.
pub fn program() -> PathBuf {
    let given = std::env::var_os("LABWATCH_PROGRAM").map(PathBuf::from);
    given.unwrap_or_else(|| env!("CARGO_BIN_EXE_labwatch").into())
}

/// Sends a signal.
pub async fn kill(signal: &str, pid: u32) {
    let status = Command::new("sh")
        .args(["-c", &format!("kill -{signal} {pid}")])
        .status()
        .await
        .expect("a shell");
    assert!(status.success(), "kill -{signal}");
}

/// A port below those that the system gives to outgoing connections, so that no other process takes
/// it before the program does.
pub fn free_port() -> u16 {
    static NEXT: AtomicU16 = AtomicU16::new(0);
    let first = 20_000 + u16::try_from(std::process::id() % 100).expect("small") * 100;
    let mut candidates =
        std::iter::repeat_with(|| first + NEXT.fetch_add(1, Ordering::Relaxed) % 100).take(100);
    candidates
        .find(|port| TcpListener::bind((Ipv4Addr::LOCALHOST, *port)).is_ok())
        .expect("a free port")
}

/// Status and body of an answer; `None` where there is no answer.
pub async fn get(port: u16, path: &str) -> Option<(u16, String)> {
    let mut stream = TcpStream::connect((Ipv4Addr::LOCALHOST, port)).await.ok()?;
    let request = format!("GET {path} HTTP/1.1\r\nHost: 127.0.0.1\r\nConnection: close\r\n\r\n");
    stream.write_all(request.as_bytes()).await.ok()?;
    let mut answer = String::new();
    stream.read_to_string(&mut answer).await.ok()?;
    let (head, body) = answer.split_once("\r\n\r\n")?;
    let status = head.split(' ').nth(1)?.parse().ok()?;
    Some((status, body.to_owned()))
}

/// Every file of a folder, one after another.
pub fn said(folder: &Path) -> String {
    let entries = fs::read_dir(folder).expect("a folder");
    let mut files: Vec<PathBuf> = entries
        .filter_map(|entry| Some(entry.ok()?.path()))
        .filter(|path| path.is_file())
        .collect();
    files.sort();
    files
        .iter()
        .map(|path| String::from_utf8_lossy(&fs::read(path).unwrap_or_default()).into_owned())
        .collect()
}

/// The values that may not be seen. An empty one is none.
fn secrets_in(variables: &[Variable]) -> Vec<String> {
    let is_secret = |name: &str| {
        (name.contains("SECRET") || name.contains("PASSWORD")) && !name.ends_with("_FILE")
    };
    variables
        .iter()
        .filter(|(name, value)| is_secret(name) && !value.is_empty())
        .map(|(_, value)| value.clone())
        .collect()
}
