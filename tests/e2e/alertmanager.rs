//! The real program and a real Alertmanager: what is down is an active alert there, what is back is
//! resolved.

use std::fs;
use std::process::{Child, Command, Stdio};

use lab::RelayVersion;
use tempfile::TempDir;

use super::eventually::eventually;
use super::laboratory::laboratory;
use super::monitor::{Monitor, free_port, get};

const ALL: [&str; 3] = ["pend00", "spin00", "trus00"];

/// Every second it is looked what is to be sent on, to nowhere.
const CONFIG: &str =
    "route: { receiver: none, group_wait: 1s, group_interval: 1s }\nreceivers: [{ name: none }]\n";

/// An Alertmanager that ends when this is dropped.
struct Alertmanager {
    child: Child,
    port: u16,
    _folder: TempDir,
}

impl Alertmanager {
    async fn start() -> Self {
        let (folder, port) = (tempfile::tempdir().expect("a folder"), free_port());
        let config = folder.path().join("alertmanager.yml");
        fs::write(&config, CONFIG).expect("writes");
        let log = fs::File::create(folder.path().join("log")).expect("a log");
        let child = Command::new("prometheus-alertmanager")
            .arg(format!("--config.file={}", config.display()))
            .arg(format!("--storage.path={}", folder.path().display()))
            .arg(format!("--web.listen-address=127.0.0.1:{port}"))
            .arg("--cluster.listen-address=")
            .stdin(Stdio::null())
            .stdout(Stdio::null())
            .stderr(log)
            .spawn()
            .expect("prometheus-alertmanager starts: scripts/test.sh installs it");
        let new = Self {
            child,
            port,
            _folder: folder,
        };
        let ready = async || {
            let (status, _) = get(new.port, "/-/ready").await?;
            (status == 200).then_some(())
        };
        eventually("Alertmanager is ready", String::new, ready).await;
        new
    }

    /// Waits for an answer to this question that is as `is` wants it.
    async fn answers(&self, path: &str, is: impl Fn(&str) -> bool) -> String {
        let look = async || {
            let (_, body) = get(self.port, path).await?;
            is(&body).then_some(body)
        };
        eventually(path, || format!("port {}", self.port), look).await
    }
}

impl Drop for Alertmanager {
    fn drop(&mut self) {
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
#[ignore = "needs prometheus-alertmanager; scripts/test.sh runs it"]
async fn what_is_down_is_an_alert_until_it_is_back() {
    let alertmanager = Alertmanager::start().await;
    let lab = laboratory(RelayVersion::V07, &ALL).await;
    let folder = tempfile::tempdir().expect("a folder");
    let file = folder.path().join("labwatch.toml");
    let route = format!(
        "[[route]]\nname = \"oncall\"\nmatch = \"*\"\nalertmanager = \"http://127.0.0.1:{}\"\n",
        alertmanager.port
    );
    fs::write(&file, route).expect("writes");
    let settings = [("CONFIG", file.to_str().expect("text"))];
    let monitor = Monitor::start(&lab, &settings).await;
    monitor.sees_well(&ALL).await;

    lab.power_off("pend00").expect("known");
    let active = "/api/v2/alerts?filter=experiment%3D%22pend00%22";
    let alert = alertmanager
        .answers(active, |body| body.contains("\"pend00\""))
        .await;
    assert!(
        alert.contains("\"alertname\":\"LabwatchExperiment\"")
            && alert.contains("\"severity\":\"critical\"")
            && alert.contains("\"state\":\"active\""),
        "{alert}"
    );

    lab.power_on("pend00").expect("known");
    alertmanager
        .answers(active, |body| body.trim() == "[]")
        .await;
    monitor.stop("TERM", &lab).await;
}
