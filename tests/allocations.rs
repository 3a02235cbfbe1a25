//! A steady report costs no allocation per experiment: what does not change is not copied. What is
//! not set costs none either.

#![allow(
    clippy::too_many_lines,
    reason = "a test is one scenario from beginning to end"
)]
#![allow(unsafe_code, reason = "only a global allocator can count allocations")]
#![allow(
    clippy::expect_used,
    reason = "a test stops at what it does not expect"
)]

use std::alloc::{GlobalAlloc, Layout, System};
use std::cell::Cell;
use std::pin::pin;
use std::sync::Arc;
use std::task::{Context, Poll, Waker};
use std::time::Duration;

use engine::model::{Availability, Moment, ResourceName, SourceName, Stub, Topic};
use engine::{
    BookReading, Connection, Engine, Input, Policy, Report, ResourceReading, Route, Rules, Scopes,
    State, Traffic,
};
use jiff::Timestamp;
use labwatch::effects::{Window, deliver_while_open, while_open};

thread_local! {
    static COUNT: Cell<usize> = const { Cell::new(0) };
}

struct Counting;

// SAFETY: everything is left to the system's allocator; only a counter of the own thread is touched
// beside it.
unsafe impl GlobalAlloc for Counting {
    unsafe fn alloc(&self, layout: Layout) -> *mut u8 {
        COUNT.with(|count| count.set(count.get() + 1));
        // SAFETY: the caller keeps the contract of `alloc`.
        unsafe { System.alloc(layout) }
    }

    unsafe fn dealloc(&self, at: *mut u8, layout: Layout) {
        // SAFETY: the caller keeps the contract of `dealloc`.
        unsafe { System.dealloc(at, layout) }
    }
}

#[global_allocator]
static COUNTING: Counting = Counting;

/// The most allocations that a steady report may cost, however many experiments there are.
const MOST: usize = 16;

#[test]
fn a_steady_report_allocates_nothing_per_experiment() {
    for broken in [0, 10] {
        let counts =
            [100, 1_000].map(|experiments| allocations_of_steady_reports(experiments, broken));
        assert_eq!(
            counts[0], counts[1],
            "of 100 and of 1,000 experiments, every n-th of which is broken: {broken}"
        );
        assert!(counts[0] <= MOST, "{counts:?}");
    }
}

/// What an effect passes in a cluster is not there without one: a labwatch that is alone pays for
/// it in no allocation, whatever it is built with.
#[test]
fn without_a_cluster_its_window_allocates_nothing() {
    let window: Option<Window> = None;
    let mut context = Context::from_waker(Waker::noop());
    let before = COUNT.with(Cell::get);
    let own = window.clone();
    let mut work = pin!(while_open(own.as_ref(), async { 7 }));
    let done = work.as_mut().poll(&mut context);
    let delivered = async { Ok(engine::Delivered::to_all()) };
    let mut delivery = pin!(deliver_while_open(own.as_ref(), 1, delivered));
    let outcome = delivery.as_mut().poll(&mut context);
    assert_eq!(COUNT.with(Cell::get), before);
    assert_eq!(done, Poll::Ready(Some(7)));
    assert_eq!(outcome, Poll::Ready(Ok(engine::Delivered::to_all())));
}

/// The allocations of a report of relay and one of jump once everything is known. Every `broken`-th
/// experiment lacks a stream; 0: none.
fn allocations_of_steady_reports(experiments: usize, broken: usize) -> usize {
    let policy = Policy {
        startup: Duration::ZERO,
        ..Policy::default()
    };
    let mut engine = Engine::resume(
        Rules::new(policy, vec![Route::everybody()]),
        &State::new(),
        at(0),
    );
    engine.step(Input::Book(reading(experiments)), at(0));
    for second in 1..30 {
        engine.step(relay(experiments, broken), at(second));
        for effect in engine.step(jump(experiments), at(second)).effects {
            if let engine::Effect::Notify(mail) = effect {
                engine.step(
                    Input::Delivered {
                        id: mail.id,
                        outcome: Ok(engine::Delivered::to_all()),
                    },
                    at(second),
                );
            }
        }
    }
    let reports = [relay(experiments, broken), jump(experiments)];
    let before = COUNT.with(Cell::get);
    for report in reports {
        assert_eq!(engine.step(report, at(30)), engine::Step::default());
    }
    COUNT.with(Cell::get) - before
}

fn at(seconds: u64) -> Moment {
    Moment::new(Timestamp::UNIX_EPOCH, Duration::ZERO) + Duration::from_secs(seconds)
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
            // Held by a person, so that nothing has to be switched.
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

fn relay(experiments: usize, broken: usize) -> Input {
    let mut report = Report::with_capacity(experiments * 2);
    report.set_started("2026-11-21T00:00:00Z");
    for n in 0..experiments {
        push(&mut report, &format!("e{n:05}-st-data"), Scopes::EXPT);
        if broken == 0 || n % broken != 0 {
            push(&mut report, &format!("e{n:05}-st-video"), Scopes::EXPT);
        }
    }
    Input::Report(SourceName::Relay, Arc::new(report))
}

fn jump(experiments: usize) -> Input {
    let mut report = Report::with_capacity(experiments);
    report.set_started("2026-11-21T00:00:00Z");
    for n in 0..experiments {
        push(&mut report, &format!("e{n:05}"), Scopes::HOST);
    }
    Input::Report(SourceName::Jump, Arc::new(report))
}

fn push(report: &mut Report, topic: &str, scopes: Scopes) {
    let tx = Some(Traffic {
        last: Some(Duration::from_millis(200)),
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
