//! Servers of Debian, started on this machine alone for one test and ended with it.

use std::fs;
use std::net::{Ipv4Addr, TcpListener};
use std::path::Path;
use std::process::{Child, Command, Stdio};
use std::time::{Duration, Instant};

use tempfile::TempDir;

/// How long a server may take to start and to do what it is waited for.
const WITHIN: Duration = Duration::from_secs(90);

/// A server that ends when this is dropped.
pub struct Daemon {
    child: Child,
    folder: TempDir,
}

impl Daemon {
    /// Prometheus on this port, scraping the target once a second.
    pub fn prometheus(port: u16, target: &str) -> Self {
        let folder = tempfile::tempdir().expect("a folder");
        let config = format!(
            "global: {{ scrape_interval: 1s, scrape_timeout: 1s }}\n\
             scrape_configs: [{{ job_name: labwatch, static_configs: [{{ targets: ['{target}'] }}] }}]\n"
        );
        fs::write(folder.path().join("prometheus.yml"), config).expect("writes");
        let mut command = Command::new("prometheus");
        command.arg(format!(
            "--config.file={}",
            folder.path().join("prometheus.yml").display()
        ));
        command.arg(format!(
            "--storage.tsdb.path={}",
            folder.path().join("data").display()
        ));
        command.arg(format!("--web.listen-address=127.0.0.1:{port}"));
        Self::start(command, folder)
    }

    /// Carbon on this port, which keeps one value a second under `storage`.
    pub fn carbon(port: u16, storage: &Path) -> Self {
        let folder = tempfile::tempdir().expect("a folder");
        let (own, storage) = (folder.path().display(), storage.display());
        let config = format!(
            "[cache]\nSTORAGE_DIR = {storage}\nLOCAL_DATA_DIR = {storage}\nCONF_DIR = {own}\nLOG_DIR = {own}\nPID_DIR = {own}\nUSER =\n\
             LINE_RECEIVER_INTERFACE = 127.0.0.1\nLINE_RECEIVER_PORT = {port}\nPICKLE_RECEIVER_PORT = 0\nCACHE_QUERY_PORT = 0\n\
             ENABLE_UDP_LISTENER = False\nENABLE_LOGROTATION = False\nENABLE_TAGS = False\n\
             MAX_UPDATES_PER_SECOND = inf\nMAX_CREATES_PER_MINUTE = inf\n"
        );
        fs::write(folder.path().join("carbon.conf"), config).expect("writes");
        fs::write(
            folder.path().join("storage-schemas.conf"),
            "[all]\npattern = .*\nretentions = 1s:1h\n",
        )
        .expect("writes");
        let mut command = Command::new("carbon-cache");
        command.arg(format!(
            "--config={}",
            folder.path().join("carbon.conf").display()
        ));
        command.arg(format!("--pidfile={}", folder.path().join("pid").display()));
        command.args(["--debug", "start"]);
        Self::start(command, folder)
    }

    fn start(mut command: Command, folder: TempDir) -> Self {
        let log = fs::File::create(folder.path().join("log")).expect("a log");
        let errors = log.try_clone().expect("a second handle");
        let name = command.get_program().to_string_lossy().into_owned();
        let child = command
            .stdin(Stdio::null())
            .stdout(log)
            .stderr(errors)
            .spawn();
        let child = child.unwrap_or_else(|fault| {
            panic!("{name} cannot be started ({fault}): run scripts/test.sh, which installs it")
        });
        Self { child, folder }
    }

    /// What it has said so far.
    pub fn said(&self) -> String {
        fs::read_to_string(self.folder.path().join("log")).unwrap_or_default()
    }
}

impl Drop for Daemon {
    fn drop(&mut self) {
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}

/// The values that carbon keeps of a metric (its path below the storage), oldest first.
pub fn whisper(storage: &Path, metric: &str) -> Vec<(i64, String)> {
    let file = storage.join(format!("{metric}.wsp"));
    let Ok(out) = Command::new("whisper-fetch").arg(file).output() else {
        return Vec::new();
    };
    let text = String::from_utf8_lossy(&out.stdout).into_owned();
    let pairs = text.lines().filter_map(|line| line.split_once('\t'));
    pairs
        .filter_map(|(at, value)| Some((at.trim().parse().ok()?, whole(value)?)))
        .collect()
}

/// A value without the zeros behind it; `None` where carbon has none.
fn whole(value: &str) -> Option<String> {
    value.trim().strip_suffix(".000000").map(str::to_owned)
}

/// Looks until there is something.
pub async fn eventually<T>(
    what: &str,
    daemon: &Daemon,
    mut look: impl AsyncFnMut() -> Option<T>,
) -> T {
    let begun = Instant::now();
    loop {
        if let Some(found) = look().await {
            return found;
        }
        assert!(
            begun.elapsed() < WITHIN,
            "{what}: not within {WITHIN:?}\n{}",
            daemon.said()
        );
        tokio::time::sleep(Duration::from_millis(100)).await;
    }
}

/// A port without a listener.
pub fn free_port() -> u16 {
    let listener = TcpListener::bind((Ipv4Addr::LOCALHOST, 0)).expect("binds");
    listener.local_addr().expect("has an address").port()
}
