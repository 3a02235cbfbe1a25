//! The metrics, read by the systems they are made for: a real Prometheus and a real carbon from
//! Debian. `scripts/test.sh` installs both.

#![allow(
    clippy::too_many_lines,
    reason = "a test is one scenario from beginning to end"
)]
#![expect(
    clippy::expect_used,
    clippy::panic,
    reason = "the helpers of a test fail as tests do"
)]

#[path = "metrics/daemon.rs"]
mod daemon;
#[path = "api_v1/lab.rs"]
#[allow(dead_code, reason = "the API's tests use all of it")]
mod lab;

use std::sync::Arc;
use std::time::Duration;

use engine::model::{Availability, Bookable, Health, ResourceName, Stub};
use engine::{Record, Snapshot, SwitchOutcome};
use labwatch::config::GraphiteSettings;
use labwatch::http::{ApiState, MetricsEndpoint, router, serve};
use labwatch::telemetry::graphite::{self, ComponentCheck};
use labwatch::telemetry::metrics::{
    CONTENT_TYPE, Counters, HttpCounts, Inside, Metrics, Queue, Service, StoreMetrics,
};
use tokio::net::TcpListener;
use tokio::sync::watch;
use tokio::task::JoinSet;
use tokio_util::sync::CancellationToken;

use daemon::{Daemon, eventually, free_port};
use lab::{Lab, healthy, open_gate, resource};

#[test]
fn every_figure_has_its_value() {
    let text = Bench::new(busy()).text();
    for line in [
        "lab_experiment_available{experiment=\"pend00\",group=\"pend\"} 1",
        "lab_experiment_available{experiment=\"pend01\",group=\"pend\"} 0",
        "labwatch_experiment_bookable{experiment=\"pend01\"} 0",
        "labwatch_group_experiments{group=\"pend\"} 2",
        "labwatch_group_available{group=\"pend\"} 1",
        "labwatch_source_health{source=\"relay\"} 1",
        "labwatch_source_report_age_seconds{source=\"relay\"} 0.0",
        "labwatch_report_entries_unreadable_total{source=\"relay\"} 0",
        "labwatch_switches_total{outcome=\"confirmed\"} 1",
        "labwatch_switches_total{outcome=\"failed\"} 0",
        "labwatch_queue_depth{queue=\"inputs\"} 3",
        "labwatch_queue_bound{queue=\"inputs\"} 256",
        "labwatch_store_lost_total 7",
        "labwatch_http_answers_total{route=\"/api/v1/experiments\",status=\"2xx\"} 1",
        "service_health{service=\"ed0\"} 1",
        "service_dependency_health{service=\"ed0\",dependency=\"book\"} 2",
        "lab_category_ok{category=\"pendulums\"} 0",
        "lab_acks 1",
        "lab_pilot_light 1",
        "labwatch_checks_total 1",
    ] {
        assert!(
            text.lines().any(|found| found == line),
            "{line} is missing:\n{text}"
        );
    }
    assert!(text.contains(&format!(
        "service_info{{service=\"ed0\",build_version=\"{}\"}} 1",
        env!("CARGO_PKG_VERSION")
    )));
    assert!(
        text.contains("process_resident_memory_bytes ")
            && text.contains("process_cpu_seconds_total ")
    );
    assert!(text.ends_with("# EOF\n"));
}

#[test]
fn what_has_vanished_has_no_series() {
    let bench = Bench::new(busy());
    assert!(bench.text().contains("pend01"));
    bench
        .snapshots
        .send_replace(Lab::new().with(healthy("pend00")).snapshot());
    let text = bench.text();
    assert!(
        text.contains("pend00") && !text.contains("pend01"),
        "{text}"
    );
}

#[test]
fn hostile_names_stay_labels() {
    let text = Bench::new(Lab::new().with(healthy("a\"} 1\\n")).snapshot()).text();
    assert!(
        text.contains(r#"lab_experiment_available{experiment="a\"} 1\\n",group="a\"} 1\\n"} 1"#),
        "{text}"
    );
}

#[tokio::test]
#[ignore = "needs prometheus; scripts/test.sh runs it"]
async fn a_real_prometheus_reads_them() {
    let bench = Bench::new(busy());
    let listener = TcpListener::bind("127.0.0.1:0").await.expect("binds");
    let address = listener.local_addr().expect("has an address");
    let mut served = JoinSet::new();
    let state = ApiState {
        metrics: Some(bench.endpoint()),
        ..ApiState::new(bench.snapshots.subscribe())
    };
    let routes = router(state, &open_gate(), labwatch::http::Routes::default());
    served.spawn(serve(listener, routes, CancellationToken::new()));

    let port = free_port();
    let prometheus = Daemon::prometheus(port, &address.to_string());
    let ask = async |query: &str| {
        let answer = reqwest::get(format!(
            "http://127.0.0.1:{port}/api/v1/query?query={query}"
        ))
        .await
        .ok()?;
        let answer: serde_json::Value = answer.json().await.ok()?;
        Some(
            answer["data"]["result"]
                .as_array()?
                .iter()
                .map(|one| one["value"][1].clone())
                .collect::<Vec<_>>(),
        )
        .filter(|found| !found.is_empty())
    };
    let up = eventually("Prometheus has read the metrics", &prometheus, async || {
        ask("up==1").await
    })
    .await;
    assert_eq!(up, ["1"]);
    for (query, expect) in [
        ("lab_experiment_available{experiment=%22pend00%22}", "1"),
        ("lab_experiment_available{experiment=%22pend01%22}", "0"),
        ("labwatch_switches_total{outcome=%22confirmed%22}", "1"),
        ("service_dependency_health{dependency=%22book%22}", "2"),
    ] {
        assert_eq!(
            ask(query).await.unwrap_or_default(),
            [expect],
            "{query}\n{}",
            prometheus.said()
        );
    }
}

#[tokio::test]
#[ignore = "needs carbon; scripts/test.sh runs it"]
async fn a_real_carbon_keeps_them_and_what_it_missed() {
    let port = free_port();
    let (snapshots, receiver) = watch::channel(now(&busy()));
    let stop = CancellationToken::new();
    let settings = GraphiteSettings {
        host: "127.0.0.1".to_owned(),
        port,
        prefix: "lab.health".to_owned(),
        label: "ed0".to_owned(),
        every: Duration::from_secs(1),
    };
    let mut sending = JoinSet::new();
    let book = || ComponentCheck {
        name: "book".into(),
        at: None,
        is_ok: true,
    };
    let components = Box::new(move || vec![book()]);
    sending.spawn(graphite::run(settings, receiver, components, stop.clone()));
    let mut ticking = JoinSet::new();
    ticking.spawn(async move {
        loop {
            tokio::time::sleep(Duration::from_millis(200)).await;
            snapshots.send_replace(now(&busy()));
        }
    });

    let folder = tempfile::tempdir().expect("a folder");
    tokio::time::sleep(Duration::from_secs(2)).await; // carbon is not there yet: what it misses must wait
    let begun = jiff::Timestamp::now().as_second();
    let carbon = Daemon::carbon(port, folder.path());
    let read = async |metric: &str| {
        let values = daemon::whisper(folder.path(), metric);
        (values.len() >= 3).then_some(values)
    };
    let lit = eventually("carbon has the heartbeat", &carbon, async || {
        read("lab/health/ed0/pilot-light").await
    })
    .await;
    assert!(lit.iter().all(|(_, value)| *value == "1"), "{lit:?}");
    assert!(
        lit.first().is_some_and(|(at, _)| *at < begun),
        "what it missed is there with its own time: {lit:?}, it began at {begun}"
    );
    for (metric, expect) in [
        ("experiments/pend00", "0"),
        ("experiments/pend01", "1"),
        ("components/book", "0"),
    ] {
        let values = eventually(metric, &carbon, async || {
            read(&format!("lab/health/ed0/{metric}")).await
        })
        .await;
        assert!(
            values.iter().all(|(_, value)| *value == expect),
            "{metric}: {values:?}"
        );
    }
    stop.cancel();
}

/// Two experiments, one of them down and withdrawn.
fn busy() -> Arc<Snapshot> {
    let mut broken = healthy("pend01");
    broken.health = Health::Down;
    broken.resources = vec![resource(
        "r-pend01",
        Some(Bookable::Withdrawn),
        "labwatch: broken",
    )];
    Lab::new().with(healthy("pend00")).with(broken).snapshot()
}

/// The same snapshot, taken now.
fn now(snapshot: &Snapshot) -> Arc<Snapshot> {
    Arc::new(Snapshot {
        at: jiff::Timestamp::now(),
        ..snapshot.clone()
    })
}

/// Metrics of a laboratory, with something in each.
struct Bench {
    snapshots: watch::Sender<Arc<Snapshot>>,
    metrics: Metrics,
    http: Arc<HttpCounts>,
}

impl Bench {
    fn new(snapshot: Arc<Snapshot>) -> Self {
        let (snapshots, receiver) = watch::channel(snapshot);
        let (counters, http) = (
            Arc::new(Counters::default()),
            Arc::new(HttpCounts::default()),
        );
        counters.note(&Record::Switched {
            resource: ResourceName::try_new("r-pend01").expect("a name"),
            stub: Stub::try_new("pend01").expect("a name"),
            outcome: SwitchOutcome::Confirmed(Availability {
                available: false,
                reason: "labwatch: broken".to_owned(),
            }),
        });
        http.note(Some("/api/v1/experiments"), 200, Duration::from_millis(1));
        let inside = Inside {
            label: "ed0".to_owned(),
            service: Box::new(|| Service {
                state: 1,
                components: vec![("book".to_owned(), 2)],
                categories: vec![("pendulums".to_owned(), false)],
                acknowledged: 1,
                turns: true,
            }),
            queues: vec![Queue {
                name: "inputs",
                depth: Box::new(|| 3),
                bound: 256,
            }],
            store: Some(Box::new(|| StoreMetrics {
                ok: true,
                lost: 7,
                waiting: 0,
            })),
            cluster: None,
        };
        let metrics = Metrics::new(receiver, counters, Arc::clone(&http), inside);
        Self {
            snapshots,
            metrics,
            http,
        }
    }

    fn text(&self) -> String {
        self.metrics.text().expect("a text")
    }

    fn endpoint(&self) -> MetricsEndpoint {
        let (metrics, http) = (self.metrics.clone(), Arc::clone(&self.http));
        MetricsEndpoint {
            content_type: CONTENT_TYPE,
            text: Arc::new(move || metrics.text().ok()),
            count: Arc::new(move |route, status, took| http.note(route, status, took)),
        }
    }
}
