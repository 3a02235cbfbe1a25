//! A replica that lives several times on one folder, reached by one port, with a network of its own
//! to etcd and to book.

use std::fs;
use std::time::Duration;

use lab::{Lab, Server};
use reqwest::Method;
use tempfile::TempDir;
use tokio::process::Child;
use tokio::time::timeout;

use super::super::admin::try_order;
use super::super::etcd::Etcd;
use super::super::monitor::{Variable, environment, free_port, kill, said, spawn};
use super::super::tcp_proxy::Network;

/// A replica that was asked to stop has stopped within this time, or never will.
const STOPS_WITHIN: Duration = Duration::from_secs(30);

pub struct Node {
    pub name: String,
    pub port: u16,
    /// Host and port by which it calls book, which nothing else does.
    pub calls_book: String,
    /// Its proxy to etcd.
    pub network: Network,
    /// Its proxy to book, which is always open.
    _book: Network,
    folder: TempDir,
    lives: usize,
    child: Option<Child>,
    is_stopping: bool,
    variables: Vec<Variable>,
}

impl Node {
    /// Not started yet.
    pub async fn new(lab: &Lab, etcd: &[Etcd], name: &str, settings: &[(&str, &str)]) -> Self {
        let (mut network, mut book) = (Network::new(), Network::new());
        let mut endpoints = Vec::new();
        for member in etcd {
            let port = network.lead_to(member.port()).await;
            endpoints.push(format!("http://127.0.0.1:{port}"));
        }
        let address = lab.address(Server::Book);
        let (_, at) = address.rsplit_once(':').expect("a port");
        let to_book = book.lead_to(at.parse().expect("a port")).await;
        let (calls_book, port) = (format!("127.0.0.1:{to_book}"), free_port());
        let folder = tempfile::tempdir().expect("a folder");
        let data = folder.path().join("data");
        let own = [
            ("CLUSTER", "etcd"),
            ("CLUSTER_ENDPOINTS", &*endpoints.join(", ")),
            ("CLUSTER_URL", &*format!("http://127.0.0.1:{port}")),
            ("CLUSTER_NAME", name),
            ("PORT_SERVE", &*port.to_string()),
            ("URL_BOOK", &*format!("http://{calls_book}")),
            ("DATA_DIR", data.to_str().expect("a name")),
        ];
        let all: Vec<_> = own.iter().chain(settings).copied().collect();
        Self {
            name: name.to_owned(),
            port,
            network,
            _book: book,
            lives: 0,
            child: None,
            is_stopping: false,
            variables: environment(lab, &all),
            calls_book,
            folder,
        }
    }

    pub fn runs(&self) -> bool {
        self.child.is_some()
    }

    pub fn start(&mut self) {
        self.lives += 1;
        self.is_stopping = false;
        let life = self.folder.path().join(format!("life{}", self.lives));
        fs::create_dir(&life).expect("a folder");
        self.child = Some(spawn(&["serve"], &self.variables, self.port, &life));
    }

    /// Asks it to stop.
    pub async fn stop(&mut self) {
        self.is_stopping = true;
        self.signal("TERM").await;
    }

    /// Sends a signal, where it runs.
    pub async fn signal(&self, signal: &str) {
        if let Some(pid) = self.child.as_ref().and_then(Child::id) {
            kill(signal, pid).await;
        }
    }

    /// Waits for its end after a signal. Returns what was wrong with it.
    pub async fn ended(&mut self) -> Option<String> {
        let mut child = self.child.take()?;
        match timeout(STOPS_WITHIN, child.wait()).await {
            Ok(Ok(status)) if status.success() => None,
            Ok(status) => Some(format!("{} ended with {status:?}", self.name)),
            Err(_) => {
                child.kill().await.expect("killed");
                Some(format!("{} did not stop when it was asked to", self.name))
            }
        }
    }

    pub async fn kill(&mut self) {
        if let Some(mut child) = self.child.take() {
            child.kill().await.expect("killed");
        }
    }

    /// Whether it has ended without having been asked to.
    pub fn has_crashed(&mut self) -> bool {
        let ended = |child: &mut Child| child.try_wait().expect("a process").is_some();
        !self.is_stopping && self.child.as_mut().is_some_and(ended)
    }

    /// What it answers an admin, where it does in time.
    pub async fn get(&self, path: &str) -> Option<serde_json::Value> {
        let asking = try_order(self.port, Method::GET, path, None);
        let (status, body) = timeout(Duration::from_secs(10), asking).await.ok()??;
        (status == 200).then_some(body)
    }

    /// All that it wrote, in all its lives.
    pub fn said(&self) -> String {
        (1..=self.lives)
            .map(|life| said(&self.folder.path().join(format!("life{life}"))))
            .collect()
    }
}
