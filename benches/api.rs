//! Cost of readers of the largest laboratory: the whole list, the list when one experiment
//! changed, the list to a reader who has it, and a part of it.

#![allow(
    clippy::expect_used,
    reason = "a benchmark stops at what it does not expect"
)]

use std::hint::black_box;
use std::sync::Arc;
use std::time::{Duration, Instant};

use axum::body::{Body, to_bytes};
use axum::http::header::{ETAG, IF_NONE_MATCH};
use axum::http::{HeaderValue, Request, StatusCode};
use criterion::{Criterion, criterion_group, criterion_main};
use engine::model::{Availability, Moment, ResourceName, SourceName, Stub, Topic};
use engine::{
    BookReading, Connection, Engine, Input, Policy, Report, ResourceReading, Scopes, Snapshot,
    Traffic,
};
use hyper::service::Service;
use hyper_util::service::TowerToHyperService;
use jiff::Timestamp;
use labwatch::http::auth::{Audit, Kept, Reading, Revocations};
use labwatch::http::{AccessSettings, ApiState, Authenticator, Routes, router};
use tokio::runtime::Runtime;
use tokio::sync::watch;

/// The longest page of the list.
const LIST: &str = "/api/v2/experiments?limit=1000";

/// Experiments in the largest laboratory. Each has two streams.
const EXPERIMENTS: usize = 10_000;

criterion_group!(benches, lists);
criterion_main!(benches);

/// The API in front of a laboratory in which the first experiment can be turned silent and back.
struct Front {
    runtime: Runtime,
    router: TowerToHyperService<axum::Router>,
    snapshots: watch::Sender<Arc<Snapshot>>,
    engine: Engine,
    now: Moment,
    relays: [Arc<Report>; 2],
    turn: usize,
}

fn lists(criterion: &mut Criterion) {
    let mut front = Front::new();
    let (_, _, bytes) = front.ask(LIST, None);
    let mut group = criterion.benchmark_group(format!("10,000 experiments, {} kB", bytes / 1_000));
    group.sample_size(30);
    group.bench_function("longest page, nothing changed", |bencher| {
        bencher.iter(|| black_box(front.ask(LIST, None)));
    });
    group.bench_function("longest page, one changed", |bencher| {
        bencher.iter_custom(|times| {
            let mut took = Duration::ZERO;
            for _ in 0..times {
                front.report();
                let start = Instant::now();
                black_box(front.ask(LIST, None));
                took += start.elapsed();
            }
            took
        });
    });
    let (_, tag, _) = front.ask(LIST, None);
    group.bench_function("page to who has it (304)", |bencher| {
        bencher.iter(|| assert_eq!(front.ask(LIST, tag.as_ref()).0, StatusCode::NOT_MODIFIED));
    });
    group.bench_function("those that are down", |bencher| {
        bencher.iter(|| black_box(front.ask("/api/v2/experiments?state=down&limit=1000", None)));
    });
    group.bench_function("one experiment", |bencher| {
        bencher.iter(|| black_box(front.ask("/api/v2/experiments/e05000", None)));
    });
    group.bench_function("list of version 1", |bencher| {
        bencher.iter(|| black_box(front.ask("/api/v1/experiments", None)));
    });
    group.finish();
}

impl Front {
    fn new() -> Self {
        let now = Moment::new(Timestamp::UNIX_EPOCH, Duration::ZERO);
        let mut engine = Engine::new(
            Policy {
                startup: Duration::ZERO,
                ..Policy::default()
            },
            now,
        );
        engine.step(Input::Book(reading()), now);
        let (snapshots, receiver) = watch::channel(Arc::new(engine.snapshot()));
        let routes = router(ApiState::new(receiver), &gate(), Routes::default());
        let runtime = tokio::runtime::Builder::new_current_thread()
            .enable_all()
            .build()
            .expect("a runtime");
        let relays = [false, true].map(|silent| Arc::new(relay(silent)));
        let mut front = Self {
            runtime,
            router: TowerToHyperService::new(routes),
            snapshots,
            engine,
            now,
            relays,
            turn: 0,
        };
        for _ in 0..40 {
            front.report();
        }
        front
    }

    /// The next reports come, with one experiment turned.
    fn report(&mut self) {
        self.turn += 1;
        self.now = self.now + Duration::from_secs(1);
        self.engine.step(
            Input::Report(SourceName::Relay, Arc::clone(&self.relays[self.turn % 2])),
            self.now,
        );
        self.engine
            .step(Input::Report(SourceName::Jump, Arc::new(jump())), self.now);
        self.snapshots
            .send_replace(Arc::new(self.engine.snapshot()));
    }

    /// The status, the tag and the length of an answer.
    fn ask(
        &self,
        path: &str,
        tag: Option<&HeaderValue>,
    ) -> (StatusCode, Option<HeaderValue>, usize) {
        let mut request = Request::get(path).body(Body::empty()).expect("a request");
        request
            .headers_mut()
            .extend(tag.map(|tag| (IF_NONE_MATCH, tag.clone())));
        self.runtime.block_on(async {
            let response = self.router.call(request).await.expect("answers");
            let (status, tag) = (response.status(), response.headers().get(ETAG).cloned());
            (
                status,
                tag,
                to_bytes(response.into_body(), usize::MAX)
                    .await
                    .expect("a body")
                    .len(),
            )
        })
    }
}

/// An authenticator that lets all readers in.
fn gate() -> Arc<Authenticator> {
    let session = Duration::from_secs(3_600);
    let settings = AccessSettings {
        secret: None,
        reading: Reading::Open,
        session,
        trusted_proxies: Vec::new(),
        url: None,
        base: String::new(),
    };
    let keep = Box::new(|_, _| Box::pin(std::future::ready(true)) as Kept);
    Arc::new(Authenticator::new(
        settings,
        Revocations::recall([], Timestamp::UNIX_EPOCH, keep),
        Audit::new(|_, _| {}),
    ))
}

fn reading() -> BookReading {
    let one = |n| {
        let stub = Stub::try_new(&format!("e{n:05}")).expect("a stub");
        ResourceReading {
            name: ResourceName::try_new(&format!("r-e{n:05}")).expect("a name"),
            streams: ["st-data", "st-video"]
                .iter()
                .map(|key| Topic::of(&stub, key).expect("a topic"))
                .collect(),
            stub,
            availability: Some(Availability {
                available: true,
                reason: "new".to_owned(),
            }),
        }
    };
    BookReading {
        resources: (0..EXPERIMENTS).map(one).collect(),
    }
}

/// A report in which all send, or the first one is silent.
fn relay(first_is_silent: bool) -> Report {
    let mut report = Report::with_capacity(EXPERIMENTS * 2);
    for n in 0..EXPERIMENTS {
        let last = Duration::from_secs(if first_is_silent && n == 0 { 60 } else { 0 });
        push(&mut report, &format!("e{n:05}-st-data"), Scopes::EXPT, last);
        push(
            &mut report,
            &format!("e{n:05}-st-video"),
            Scopes::EXPT,
            Duration::ZERO,
        );
    }
    report
}

fn jump() -> Report {
    let mut report = Report::with_capacity(EXPERIMENTS);
    for n in 0..EXPERIMENTS {
        push(
            &mut report,
            &format!("e{n:05}"),
            Scopes::HOST,
            Duration::ZERO,
        );
    }
    report
}

fn push(report: &mut Report, topic: &str, scopes: Scopes, last: Duration) {
    let tx = Some(Traffic {
        last: Some(last),
        size: 200,
        fps: 4.0,
    });
    report.push(Connection {
        topic,
        scopes,
        connected: "",
        expires: "",
        remote: "",
        user_agent: "",
        tx,
        rx: None,
    });
}
