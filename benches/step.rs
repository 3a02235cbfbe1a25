//! Cost of a steady pair of reports in the engine, and of one experiment that changed.
//! Making the reports is not measured.

#![allow(
    clippy::expect_used,
    reason = "a benchmark stops at what it does not expect"
)]

use std::hint::black_box;
use std::sync::Arc;
use std::time::Duration;

use criterion::{BenchmarkId, Criterion, criterion_group, criterion_main};
use engine::model::{Availability, Moment, ResourceName, SourceName, Stub, Topic};
use engine::{
    BookReading, Connection, Engine, Input, Policy, Report, ResourceReading, Scopes, Traffic,
};
use jiff::Timestamp;

/// Experiments in a small, a large and the largest laboratory. Each has two streams.
const EXPERIMENTS: [usize; 3] = [130, 1_000, 10_000];

criterion_group!(benches, steps);
criterion_main!(benches);

fn steps(criterion: &mut Criterion) {
    for (name, changing) in [
        ("steady pair of reports", false),
        ("one experiment changed", true),
    ] {
        let mut group = criterion.benchmark_group(name);
        for experiments in EXPERIMENTS {
            let jump = Arc::new(jump(experiments));
            let relays = [
                Arc::new(relay(experiments, false)),
                Arc::new(relay(experiments, changing)),
            ];
            let (mut engine, mut now) = settled(experiments, &relays[0], &jump);
            let mut turn = 0;
            group.bench_with_input(
                BenchmarkId::from_parameter(experiments),
                &experiments,
                |bencher, _| {
                    bencher.iter(|| {
                        turn += 1;
                        now = now + Duration::from_secs(1);
                        let relay = Arc::clone(&relays[turn % 2]);
                        black_box(engine.step(Input::Report(SourceName::Relay, relay), now));
                        black_box(
                            engine.step(Input::Report(SourceName::Jump, Arc::clone(&jump)), now),
                        );
                    });
                },
            );
        }
        group.finish();
    }
}

/// An engine with a steady state and no pending work.
fn settled(experiments: usize, relay: &Arc<Report>, jump: &Arc<Report>) -> (Engine, Moment) {
    let mut now = Moment::new(Timestamp::UNIX_EPOCH, Duration::ZERO);
    let mut engine = Engine::new(
        Policy {
            startup: Duration::ZERO,
            ..Policy::default()
        },
        now,
    );
    engine.step(Input::Book(reading(experiments)), now);
    for _ in 0..30 {
        now = now + Duration::from_secs(1);
        engine.step(Input::Report(SourceName::Relay, Arc::clone(relay)), now);
        engine.step(Input::Report(SourceName::Jump, Arc::clone(jump)), now);
    }
    (engine, now)
}

fn reading(experiments: usize) -> BookReading {
    let one = |n| {
        let stub = Stub::try_new(&format!("e{n:05}")).expect("a stub");
        ResourceReading {
            name: ResourceName::try_new(&format!("r-e{n:05}")).expect("a name"),
            streams: ["st-data", "st-video"]
                .iter()
                .map(|key| Topic::of(&stub, key).expect("a topic"))
                .collect(),
            stub,
            // Held by a person, so that nothing is switched while the time is taken.
            availability: Some(Availability {
                available: false,
                reason: "held".to_owned(),
            }),
        }
    };
    BookReading {
        resources: (0..experiments).map(one).collect(),
    }
}

/// A report in which all send, or the first one is silent.
fn relay(experiments: usize, first_is_silent: bool) -> Report {
    let mut report = Report::with_capacity(experiments * 2);
    for n in 0..experiments {
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

fn jump(experiments: usize) -> Report {
    let mut report = Report::with_capacity(experiments);
    for n in 0..experiments {
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
