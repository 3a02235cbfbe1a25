//! Metrics for Graphite, by its plaintext protocol: once a period one line for each experiment, and
//! one for each check of a component since the last period with the time of that check, 0 where it
//! is ok and 1 where it fails, as in FT's aggregate healthcheck; and a heartbeat, `pilot-light 1`.
//!
//! Periods that cannot be sent wait in memory, up to a bound, and are sent with their own times
//! when Graphite is back: sending a value twice does no harm there. If the evaluation stops,
//! nothing is sent, so that the heartbeat stops too.

use std::collections::VecDeque;
use std::io;
use std::sync::Arc;
use std::time::Duration;

use jiff::Timestamp;
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::TcpStream;
use tokio::sync::watch;
use tokio::time::{MissedTickBehavior, interval, timeout};
use tokio_util::sync::CancellationToken;

use crate::config::GraphiteSettings;
use engine::model::{Health, SourceName, Stub};
use engine::{CANARY_BOUNDS_MS, CanaryView, Snapshot};

/// How many periods wait for Graphite to come back; the oldest are dropped first.
const MAX_WAITING: usize = 60;

/// How long connecting, or sending one period, may take.
const SEND_WITHIN: Duration = Duration::from_secs(10);

/// How long to check whether the other side has closed an open connection: long enough for the
/// runtime to notice it.
const LOOK_FOR_END: Duration = Duration::from_millis(5);

/// A snapshot older than this shows that the evaluation has stopped; the loop turns every few
/// seconds.
const STANDS_STILL_AFTER: Duration = Duration::from_secs(60);

/// Called once a period, must not block: the checks of each component since the last call.
pub type Components = Box<dyn Fn() -> Vec<ComponentCheck> + Send + Sync>;

/// Result of a check of a component.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct ComponentCheck {
    /// The component's name.
    pub name: Arc<str>,
    /// When it was checked; `None`: it was not, and this is its current state.
    pub at: Option<Timestamp>,
    /// Whether it is ok.
    pub is_ok: bool,
}

/// The metrics of one period. Names are shared with the snapshot, so that 60 periods of 10,000
/// experiments are some megabytes.
#[derive(Debug, Clone)]
struct Period {
    at: Timestamp,
    experiments: Vec<(Stub, bool)>,
    components: Vec<ComponentCheck>,
    canary: Option<Arc<CanaryView>>,
}

/// Sends until `stop`. Never fails: faults are logged, once for each change.
pub async fn run(
    graphite: GraphiteSettings,
    snapshots: watch::Receiver<Arc<Snapshot>>,
    components: Components,
    stop: CancellationToken,
) {
    let mut clock = interval(graphite.every);
    clock.set_missed_tick_behavior(MissedTickBehavior::Skip);
    let mut sender = Sender {
        graphite,
        waiting: VecDeque::new(),
        stream: None,
        failing: false,
    };
    loop {
        tokio::select! {
            () = stop.cancelled() => return,
            _ = clock.tick() => {}
        }
        let snapshot = Arc::clone(&snapshots.borrow());
        if turns(&snapshot, Timestamp::now()) {
            sender.keep(Period::of(&snapshot, components()));
        }
        tokio::select! {
            () = stop.cancelled() => return,
            () = sender.send_waiting() => {}
        }
    }
}

fn turns(snapshot: &Snapshot, now: Timestamp) -> bool {
    now.duration_since(snapshot.at).unsigned_abs() < STANDS_STILL_AFTER
}

impl Period {
    fn of(snapshot: &Snapshot, components: Vec<ComponentCheck>) -> Self {
        let evaluated = snapshot
            .experiments
            .iter()
            .filter(|view| view.health != Health::Unknown);
        let usable = |health| matches!(health, Health::Ok | Health::Degraded);
        let experiments = evaluated
            .map(|view| (view.stub.clone(), usable(view.health)))
            .collect();
        Self {
            at: snapshot.at,
            experiments,
            components,
            canary: snapshot.source(SourceName::Relay).canary.clone(),
        }
    }

    fn text(&self, graphite: &GraphiteSettings) -> String {
        let (at, root) = (
            self.at.as_second(),
            format!("{}.{}", graphite.prefix, node(&graphite.label)),
        );
        let heartbeat = format!("{root}.pilot-light 1 {at}\n");
        let line = |kind: &str, name: &str, is_ok: bool, at: i64| {
            let (name, value) = (node(name), u8::from(!is_ok));
            format!("{root}.{kind}.{name} {value} {at}\n")
        };
        let experiments = self.experiments.iter();
        let experiments = experiments.map(|(name, ok)| line("experiments", name.as_str(), *ok, at));
        let components = self.components.iter().map(|check| {
            let at = check.at.unwrap_or(self.at).as_second();
            line("components", &check.name, check.is_ok, at)
        });
        let lines = experiments.chain(components);
        let canary = self.canary.iter().flat_map(|canary| canary_lines(canary));
        let canary = canary.map(|(name, value)| format!("{root}.canary.{name} {value} {at}\n"));
        std::iter::once(heartbeat)
            .chain(lines)
            .chain(canary)
            .collect()
    }
}

/// The canary's metrics: times in milliseconds, and how many messages took at most as long as each
/// bound, since the start.
fn canary_lines(canary: &CanaryView) -> Vec<(String, String)> {
    let mut lines = Vec::new();
    if let Some(last) = canary.last {
        let millis = last.as_secs_f64() * 1_000.0;
        lines.push(("last-ms".to_owned(), millis.to_string()));
    }
    let mut within = 0;
    for (bound, count) in CANARY_BOUNDS_MS.iter().zip(canary.counts) {
        within += count;
        lines.push((format!("within-{bound}-ms"), within.to_string()));
    }
    let all = canary.counts.iter().sum::<u64>();
    lines.push(("arrived".to_owned(), all.to_string()));
    lines.push(("lost".to_owned(), canary.lost.to_string()));
    lines
}

/// A name as one node of Graphite's tree: characters that would separate nodes, lines or fields, or
/// are outside of ASCII, become dashes.
fn node(name: &str) -> String {
    let is_plain = |c: char| c.is_ascii_alphanumeric() || matches!(c, '-' | '_');
    name.replace(|c| !is_plain(c), "-")
}

struct Sender {
    graphite: GraphiteSettings,
    waiting: VecDeque<Period>,
    stream: Option<TcpStream>,
    failing: bool,
}

impl Sender {
    fn keep(&mut self, period: Period) {
        if self.waiting.len() == MAX_WAITING {
            self.waiting.pop_front();
        }
        self.waiting.push_back(period);
    }

    async fn send_waiting(&mut self) {
        while let Some(period) = self.waiting.front() {
            let text = period.text(&self.graphite);
            let sent = timeout(SEND_WITHIN, self.send(&text))
                .await
                .unwrap_or_else(|_| Err(io::ErrorKind::TimedOut.into()));
            match sent {
                Ok(()) => {
                    self.waiting.pop_front();
                    self.note_success();
                }
                Err(fault) => {
                    self.stream = None;
                    return self.note_failure(&fault);
                }
            }
        }
    }

    async fn send(&mut self, text: &str) -> io::Result<()> {
        let open = match self.stream.take() {
            Some(mut stream) => (!has_ended(&mut stream).await).then_some(stream),
            None => None,
        };
        let mut stream = match open {
            Some(stream) => stream,
            None => TcpStream::connect((self.graphite.host.as_str(), self.graphite.port)).await?,
        };
        stream.write_all(text.as_bytes()).await?;
        self.stream = Some(stream);
        Ok(())
    }

    fn note_success(&mut self) {
        if std::mem::take(&mut self.failing) {
            tracing::info!(
                host = self.graphite.host,
                port = self.graphite.port,
                "Graphite accepts metrics again"
            );
        }
    }

    fn note_failure(&mut self, fault: &io::Error) {
        if !std::mem::replace(&mut self.failing, true) {
            let GraphiteSettings { host, port, .. } = &self.graphite;
            tracing::warn!(
                host,
                port,
                waiting = self.waiting.len(),
                "Graphite accepts no metrics, they wait and are sent later: {fault}"
            );
        }
    }
}

/// Whether the other side has closed the connection. It never sends anything, so any event is an
/// end; without this check the first write after it would seem to succeed, and a period would be
/// lost.
async fn has_ended(stream: &mut TcpStream) -> bool {
    timeout(LOOK_FOR_END, stream.read(&mut [0])).await.is_ok()
}

#[cfg(test)]
mod tests {
    use tokio::io::{AsyncBufReadExt, BufReader};
    use tokio::net::TcpListener;

    use super::*;

    fn graphite(port: u16) -> GraphiteSettings {
        GraphiteSettings {
            host: "127.0.0.1".to_owned(),
            port,
            prefix: "lab.health".to_owned(),
            label: "ed0".to_owned(),
            every: Duration::from_millis(20),
        }
    }

    fn period(second: i64) -> Period {
        let at = Timestamp::from_second(second).expect("in range");
        let stub = |name: &str| Stub::try_new(name).expect("a name");
        Period {
            at,
            experiments: vec![(stub("pend.00"), true), (stub("pend01"), false)],
            components: [
                ("book", None, true),
                ("wiki", Some(second - 5), true),
                ("wiki", Some(second - 3), false),
            ]
            .map(|(name, checked, is_ok)| ComponentCheck {
                name: name.into(),
                at: checked.map(|second| Timestamp::from_second(second).expect("in range")),
                is_ok,
            })
            .into(),
            canary: None,
        }
    }

    #[test]
    fn lines_are_as_carbon_reads_them() {
        let lines = "lab.health.ed0.pilot-light 1 7\n\
                     lab.health.ed0.experiments.pend-00 0 7\n\
                     lab.health.ed0.experiments.pend01 1 7\n\
                     lab.health.ed0.components.book 0 7\n\
                     lab.health.ed0.components.wiki 0 2\n\
                     lab.health.ed0.components.wiki 1 4\n";
        assert_eq!(period(7).text(&graphite(0)), lines);
    }

    #[test]
    fn the_canary_has_its_last_time_and_its_histogram() {
        let mut counts = [0; CANARY_BOUNDS_MS.len() + 1];
        (counts[0], counts[2], counts[11]) = (3, 2, 1);
        let canary = CanaryView {
            last: Some(Duration::from_micros(3_500)),
            counts,
            lost: 4,
            ..CanaryView::default()
        };
        let lines = canary_lines(&canary);
        let value = |name: &str| {
            lines
                .iter()
                .find(|(n, _)| n == name)
                .map(|(_, v)| v.as_str())
        };
        assert_eq!(value("last-ms"), Some("3.5"));
        assert_eq!(value("within-5-ms"), Some("3"));
        assert_eq!(value("within-10000-ms"), Some("5"));
        assert_eq!((value("arrived"), value("lost")), (Some("6"), Some("4")));
    }

    #[test]
    fn hostile_names_stay_one_node() {
        for (name, expect) in [
            ("a b", "a-b"),
            ("a\nb 1 2", "a-b-1-2"),
            ("é;x=1", "--x-1"),
            ("..", "--"),
        ] {
            assert_eq!(node(name), expect);
        }
    }

    #[test]
    fn what_waits_is_bounded_and_the_newest() {
        let mut sender = Sender {
            graphite: graphite(0),
            waiting: VecDeque::new(),
            stream: None,
            failing: false,
        };
        for second in 0..100 {
            sender.keep(period(second));
        }
        assert_eq!(sender.waiting.len(), MAX_WAITING);
        assert_eq!(
            sender.waiting.front().map(|period| period.at.as_second()),
            Some(40)
        );
    }

    #[tokio::test]
    async fn what_graphite_missed_is_sent_when_it_is_back() {
        let listener = TcpListener::bind("127.0.0.1:0").await.expect("binds");
        let address = listener.local_addr().expect("has an address");
        let mut sender = Sender {
            graphite: graphite(address.port()),
            waiting: VecDeque::new(),
            stream: None,
            failing: false,
        };
        sender.keep(period(1));
        sender.send_waiting().await;
        let (first, _) = listener.accept().await.expect("connects");
        assert_eq!(
            BufReader::new(first)
                .lines()
                .next_line()
                .await
                .expect("reads")
                .as_deref(),
            Some("lab.health.ed0.pilot-light 1 1")
        );

        drop(listener); // and with it the first connection, above: Graphite is gone
        for second in [2, 3] {
            sender.keep(period(second));
            sender.send_waiting().await;
        }
        assert_eq!(
            sender.waiting.len(),
            2,
            "nothing is taken for sent that was not"
        );

        let listener = TcpListener::bind(address).await.expect("binds again");
        sender.send_waiting().await;
        let (second, _) = listener.accept().await.expect("connects");
        let mut lines = BufReader::new(second).lines();
        assert_eq!(
            lines.next_line().await.expect("reads").as_deref(),
            Some("lab.health.ed0.pilot-light 1 2")
        );
        assert!(sender.waiting.is_empty());
    }
}
