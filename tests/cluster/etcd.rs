//! Real members of etcd, one or three, each in a folder of its own, which can be killed, frozen and
//! started again.

use std::fs::File;
use std::path::Path;
use std::process::Stdio;

use tempfile::TempDir;
use tokio::process::{Child, Command};

use super::eventually::eventually;
use super::monitor::{free_port, kill};

/// A member of etcd.
pub struct Etcd {
    child: Option<Child>,
    name: &'static str,
    /// All members, as configured in each.
    members: String,
    folder: TempDir,
    port: u16,
    peers: u16,
    more: Vec<String>,
    /// Further arguments of etcdctl, where etcd has certificates.
    of_client: Vec<String>,
}

impl Etcd {
    /// Starts one with these further arguments.
    pub async fn start(more: &[&str]) -> Self {
        let mut etcd = Self::new("one");
        etcd.more = more.iter().map(|text| (*text).to_owned()).collect();
        etcd.members = etcd.member();
        etcd.start_again().await;
        etcd
    }

    /// Starts one that shows a certificate (with its key, and the authority of its clients), with
    /// the client's for etcdctl.
    pub async fn secured(own: [String; 3], client: [String; 2]) -> Self {
        let mut etcd = Self::new("one");
        let flags = ["--cert-file", "--key-file", "--trusted-ca-file"];
        etcd.more = flags
            .into_iter()
            .map(str::to_owned)
            .zip(own.clone())
            .flat_map(<[String; 2]>::from)
            .collect();
        etcd.more.push("--client-cert-auth".to_owned());
        let [cert, key] = client;
        let [_, _, ca] = own;
        let flags = ["--cacert", "--cert", "--key"];
        etcd.of_client = flags
            .into_iter()
            .map(str::to_owned)
            .zip([ca, cert, key])
            .flat_map(<[String; 2]>::from)
            .collect();
        etcd.members = etcd.member();
        etcd.start_again().await;
        etcd
    }

    /// Starts three that are one etcd.
    pub async fn three() -> [Self; 3] {
        let mut all = ["one", "two", "three"].map(Self::new);
        let members = all.each_ref().map(Self::member).join(",");
        for etcd in &mut all {
            etcd.members.clone_from(&members);
            etcd.spawn();
        }
        for etcd in &all {
            etcd.answers().await;
        }
        all
    }

    fn new(name: &'static str) -> Self {
        Self {
            child: None,
            name,
            members: String::new(),
            folder: tempfile::tempdir().expect("a folder"),
            port: free_port(),
            peers: free_port(),
            more: Vec::new(),
            of_client: Vec::new(),
        }
    }

    fn member(&self) -> String {
        format!("{}=http://127.0.0.1:{}", self.name, self.peers)
    }

    /// The port for its clients.
    pub fn port(&self) -> u16 {
        self.port
    }

    /// Where it is reached.
    pub fn url(&self) -> String {
        let scheme = if self.of_client.is_empty() {
            "http"
        } else {
            "https"
        };
        format!("{scheme}://127.0.0.1:{}", self.port)
    }

    /// Saves what it has in a folder, and gives its name. It is stopped for that.
    pub async fn save(&mut self) -> String {
        self.kill().await;
        let saved = self.folder.path().join("saved");
        copy(&self.folder.path().join("data"), &saved).await;
        self.start_again().await;
        saved.to_str().expect("a name").to_owned()
    }

    /// Restores the saved state. It does not run.
    pub async fn restore(&self, saved: &str) {
        self.forget();
        copy(Path::new(saved), &self.folder.path().join("data")).await;
    }

    /// Lets it lose its disk. It does not run.
    pub fn forget(&self) {
        std::fs::remove_dir_all(self.folder.path().join("data")).expect("removed");
    }

    /// Starts it again on the same folder.
    pub async fn start_again(&mut self) {
        self.spawn();
        self.answers().await;
    }

    async fn answers(&self) {
        let look = async || self.ctl(&["endpoint", "health"]).await.ok();
        eventually("etcd answers", || "etcd".to_owned(), look).await;
    }

    /// Starts it without waiting for it.
    pub fn spawn(&mut self) {
        let (url, peers) = (self.url(), format!("http://127.0.0.1:{}", self.peers));
        let log = File::create(self.folder.path().join("log")).expect("a file");
        let mut command = Command::new("etcd");
        command
            .args(["--name", self.name, "--data-dir"])
            .arg(self.folder.path().join("data"))
            .args([
                "--listen-client-urls",
                &url,
                "--advertise-client-urls",
                &url,
            ])
            .args(["--listen-peer-urls", &peers])
            .args(["--initial-advertise-peer-urls", &peers])
            .args(["--initial-cluster", &self.members])
            .args(&self.more)
            .stdin(Stdio::null())
            .stdout(Stdio::null())
            .stderr(log)
            .kill_on_drop(true);
        self.child = Some(command.spawn().expect("etcd is installed: etcd-server"));
    }

    fn pid(&self) -> u32 {
        let child = self.child.as_ref().expect("it runs");
        child.id().expect("it runs")
    }

    /// Kills it without a warning.
    pub async fn kill(&mut self) {
        let mut child = self.child.take().expect("it runs");
        child.kill().await.expect("killed");
    }

    /// Freezes it, or lets it go on.
    pub async fn freeze(&self, frozen: bool) {
        kill(if frozen { "STOP" } else { "CONT" }, self.pid()).await;
    }

    /// Runs etcdctl. Returns its output, or the error.
    pub async fn ctl(&self, arguments: &[&str]) -> Result<String, String> {
        let output = Command::new("etcdctl")
            .env("ETCDCTL_API", "3")
            .args(["--command-timeout", "2s", "--endpoints", &self.url()])
            .args(&self.of_client)
            .args(arguments)
            .output()
            .await
            .expect("etcdctl is installed: etcd-client");
        let text = |bytes: &[u8]| String::from_utf8_lossy(bytes).into_owned();
        if output.status.success() {
            Ok(text(&output.stdout))
        } else {
            Err(text(&output.stderr))
        }
    }

    /// The keys below this path.
    pub async fn keys(&self, path: &str) -> Vec<String> {
        let answer = self.ctl(&["get", "--prefix", "--keys-only", path]).await;
        let answer = answer.expect("etcd answers");
        let lines = answer.lines().filter(|line| !line.is_empty());
        lines.map(str::to_owned).collect()
    }
}

async fn copy(from: &Path, to: &Path) {
    let status = Command::new("cp").arg("-r").args([from, to]).status().await;
    assert!(status.expect("cp").success(), "copied");
}
