//! Every fault of a source and its class: the table of `docs/sources.md`, and the effect of each
//! row on a healthy laboratory.

#![allow(
    clippy::too_many_lines,
    reason = "a test is one scenario from beginning to end"
)]
#![allow(
    clippy::panic,
    clippy::expect_used,
    reason = "a test stops at what it does not expect"
)]

mod support;

use std::collections::BTreeSet;
use std::sync::Arc;
use std::time::Duration;

use engine::model::{
    Availability, CallError, ConnectError, FaultClass, Health, Moment, ResourceName, SourceName,
    Step, Stub, Topic,
};
use engine::{
    BookReading, Connection, Effect, Engine, Input, Link, Policy, Record, Report, ResourceReading,
    Route, Rules, Scopes, State,
};
use jiff::Timestamp;
use lab::Stage;
use support::lab::{Deed, Event, Lab, Output, fault};

use FaultClass::{Ours, Theirs, Undecided};

/// When the fault begins.
const BEGINS: Duration = Duration::from_secs(60);

/// More than twice `HEALTH_OUTAGE_HOLD`, and then some.
const LASTS: Duration = Duration::from_secs(40 * 60);

const STUBS: [&str; 3] = ["pend00", "pend01", "spin30"];

fn words() -> String {
    "its text".to_owned()
}

fn sick(status: u16) -> CallError {
    CallError::Sick {
        status,
        body: words(),
    }
}

#[rustfmt::skip]
/// The rows: what the document calls the fault, examples, and the classes of the two steps.
fn rows() -> Vec<(&'static str, Vec<CallError>, FaultClass, FaultClass)> {
    use CallError::{
        Audience, Busy, Certificate, Credentials, Dropped, Forbidden, NameLookup, NoAnswer, NoRoute, NotFound, Protocol,
        Proxy, Refused, SickByProxy, TimedOut, Tls, Unreachable,
    };
    let sick_of = |statuses: &[u16]| statuses.iter().map(|status| sick(*status)).collect();
    vec![
        ("`name-lookup`", vec![NameLookup(words())], Ours, Ours),
        ("`refused`", vec![Refused(words())], Theirs, Ours),
        ("`no-route`", vec![NoRoute(words())], Ours, Ours),
        ("`tls`", vec![Tls(words())], Ours, Ours),
        ("`certificate`", vec![Certificate(words())], Undecided, Undecided),
        ("`unreachable`", vec![Unreachable(words())], Undecided, Ours),
        ("`proxy`", vec![Proxy(words())], Ours, Ours),
        ("`timeout`", vec![TimedOut], Undecided, Undecided),
        ("`dropped`", vec![Dropped], Undecided, Undecided),
        ("`no-answer`", vec![NoAnswer(words())], Undecided, Undecided),
        ("`credentials`", vec![Credentials(words())], Ours, Ours),
        ("`audience`", vec![Audience(words())], Ours, Ours),
        ("`forbidden`", vec![Forbidden(words())], Ours, Ours),
        ("`not-found`", vec![NotFound(words())], Ours, Ours),
        ("`sick` 408, 429", sick_of(&[408, 429]), Undecided, Undecided),
        ("`sick` 501, 505, 511", sick_of(&[501, 505, 511]), Ours, Ours),
        ("`sick` other 5xx", sick_of(&[500, 502, 503, 504, 520, 599]), Theirs, Theirs),
        ("`sick` other", sick_of(&[101, 200, 301, 302, 400, 402, 405, 418, 426]), Ours, Ours),
        ("`sick-by-proxy`", vec![SickByProxy { status: 502, body: words() }], Undecided, Undecided),
        ("`protocol`", vec![Protocol(words())], Ours, Ours),
        ("`busy`", vec![Busy], Ours, Ours),
    ]
}

/// The variant. A new one must be counted here, and then needs a row.
fn variant(error: &CallError) -> usize {
    match error {
        CallError::NameLookup(_) => 0,
        CallError::Refused(_) => 1,
        CallError::NoRoute(_) => 2,
        CallError::Tls(_) => 3,
        CallError::Unreachable(_) => 4,
        CallError::Proxy(_) => 5,
        CallError::TimedOut => 6,
        CallError::Dropped => 7,
        CallError::Credentials(_) => 8,
        CallError::Audience(_) => 9,
        CallError::Forbidden(_) => 10,
        CallError::NotFound(_) => 11,
        CallError::Sick { .. } => 12,
        CallError::SickByProxy { .. } => 13,
        CallError::Protocol(_) => 14,
        CallError::Busy => 15,
        CallError::NoAnswer(_) => 16,
        CallError::Certificate(_) => 17,
    }
}

const VARIANTS: usize = 18;

/// What a connection that was open shows, and its class.
fn open_ends() -> Vec<(Deed, FaultClass)> {
    let fails = |link| Deed::Fails(SourceName::Relay, link);
    vec![
        (fault("relay mute"), Theirs),
        (fails(Link::OpenByProxy), Undecided),
        (fails(Link::Unreadable(words())), Ours),
        (fails(Link::Broken(words())), Ours),
        (fails(Link::Closed(words())), Undecided),
    ]
}

/// Every failed attempt that the rows hold, with its class.
fn failures() -> impl Iterator<Item = (ConnectError, FaultClass)> {
    rows()
        .into_iter()
        .flat_map(|(_, errors, access, websocket)| {
            errors.into_iter().flat_map(move |error| {
                [
                    (ConnectError::access(error.clone()), access),
                    (ConnectError::websocket(error), websocket),
                ]
            })
        })
}

/// A laboratory of some healthy experiments, and an engine that begins with this durable state.
fn laboratory(durable: &State) -> Stage<Lab> {
    let policy = Policy {
        startup: Duration::from_secs(5),
        ..Policy::default()
    };
    let routes = vec![Route::everybody()];
    let mut stage = Stage::new(
        policy,
        routes.clone(),
        Timestamp::UNIX_EPOCH,
        Lab::default(),
    );
    stage.engine = Engine::resume(Rules::new(policy, routes), durable, stage.plan.now());
    for stub in STUBS {
        let streams = vec!["st-data".to_owned(), "st-video".to_owned()];
        let deed = Deed::Experiment(stub.to_owned(), streams);
        stage.plan.at(Duration::ZERO, Event::Do(deed));
    }
    Lab::begin(&mut stage.plan);
    stage
}

/// The effect of a fault.
struct Outcome {
    withdrawn: BTreeSet<String>,
    alerts: Vec<String>,
    health: Vec<Health>,
}

fn outcome(stage: &mut Stage<Lab>) -> Outcome {
    let mut withdrawn = BTreeSet::new();
    let mut alerts = Vec::new();
    for (_, action) in &stage.world.log {
        if let Output::Effect(Effect::Switch(switch)) = action {
            assert!(!switch.available, "nothing is given back: {switch:?}");
            withdrawn.insert(switch.resource.to_string());
        }
        if let Output::Effect(Effect::Notify(summary)) = action {
            alerts.extend(summary.alerts.iter().map(|alert| alert.text.clone()));
        }
    }
    let snapshot = stage.engine.snapshot();
    Outcome {
        withdrawn,
        alerts,
        health: snapshot
            .experiments
            .iter()
            .map(|view| view.health)
            .collect(),
    }
}

/// The effect when this happens to a healthy laboratory and lasts.
fn after(deed: Deed) -> Outcome {
    let mut stage = laboratory(&State::new());
    stage.plan.at(BEGINS, Event::Do(deed));
    stage.run_until(BEGINS + LASTS);
    outcome(&mut stage)
}

/// Checks that experiments are withdrawn exactly where the fault is theirs, and what recipients are
/// notified where it is not.
fn check(outcome: &Outcome, class: FaultClass, what: &str) {
    let withdrawn = if class == Theirs { STUBS.len() } else { 0 };
    assert_eq!(outcome.withdrawn.len(), withdrawn, "{what}");
    let health = if class == Theirs {
        Health::Down
    } else {
        Health::Unknown
    };
    assert_eq!(outcome.health, [health; 3], "{what}");
    let says_so = |alert: &String| alert.contains("nothing is switched because of it");
    assert_eq!(
        outcome.alerts.iter().any(says_so),
        class != Theirs,
        "{what}: {:?}",
        outcome.alerts
    );
}

#[test]
fn every_variant_has_a_row_and_its_class() {
    let mut seen = BTreeSet::new();
    for (name, errors, access, websocket) in rows() {
        for error in errors {
            seen.insert(variant(&error));
            assert!(name.contains(&format!("`{}`", error.as_str())), "{name}");
            assert_eq!(error.class(Step::Access), access, "{name} {error:?}");
            assert_eq!(error.class(Step::Websocket), websocket, "{name} {error:?}");
        }
    }
    assert_eq!(seen, (0..VARIANTS).collect(), "a variant has no row");
}

#[test]
fn the_document_has_the_same_table() {
    let document = std::fs::read_to_string("docs/sources.md").expect("the document");
    let documented: Vec<(String, String, String)> = document
        .lines()
        .take_while(|line| *line != "## The canary")
        .filter(|line| line.starts_with("| `"))
        .map(|line| {
            let mut cells = line.trim_matches('|').split('|').map(str::trim);
            let mut next = || cells.next().expect("a cell").to_owned();
            let (fault, _, access, websocket) = (next(), next(), next(), next());
            (fault, access, websocket)
        })
        .collect();
    let expected: Vec<(String, String, String)> = rows()
        .into_iter()
        .map(|(name, _, access, websocket)| {
            let class = |class: FaultClass| class.as_str().to_owned();
            (name.to_owned(), class(access), class(websocket))
        })
        .collect();
    assert_eq!(documented, expected);
}

#[test]
fn the_table_of_pages_names_every_fault_of_a_call() {
    let document = std::fs::read_to_string("docs/sources.md").expect("the document");
    let (_, of_pages) = document
        .split_once("## The pages that students open")
        .expect("the part about pages");
    let table: String = of_pages
        .lines()
        .take_while(|line| !line.starts_with("## "))
        .filter(|line| line.starts_with('|'))
        .collect();
    // The answer of a page is known by its status alone.
    let of_answers = [
        "credentials",
        "audience",
        "forbidden",
        "not-found",
        "sick",
        "sick-by-proxy",
    ];
    for error in rows().into_iter().flat_map(|(_, errors, ..)| errors) {
        let name = error.as_str();
        let is_listed = table.contains(&format!("`{name}`"));
        assert!(is_listed != of_answers.contains(&name), "{name}");
    }
}

#[test]
fn relays_faults_withdraw_experiments_in_exactly_the_rows_that_say_so() {
    for (failure, class) in failures() {
        let what = format!("{failure:?}");
        let deed = Deed::Fails(SourceName::Relay, Link::Failed(failure));
        check(&after(deed), class, &what);
    }
    for (deed, class) in open_ends() {
        let what = format!("{deed:?}");
        check(&after(deed), class, &what);
    }
}

#[test]
fn no_fault_of_jump_withdraws_anything() {
    for (failure, _) in failures() {
        let what = format!("{failure:?}");
        let outcome = after(Deed::Fails(SourceName::Jump, Link::Failed(failure)));
        assert!(outcome.withdrawn.is_empty(), "{what}");
        assert_eq!(outcome.health, [Health::Ok; 3], "{what}");
    }
}

#[test]
fn no_fault_of_book_withdraws_anything() {
    for (failure, _) in failures() {
        let what = format!("{failure:?}");
        let mut stage = laboratory(&State::new());
        stage.plan.at(BEGINS, Event::Do(fault("book freezes")));
        stage.run_until(BEGINS);
        // A poll that fails in this way, each time.
        for minute in 0..20 {
            let input = Input::BookFailed(failure.error.clone());
            stage.run_until(BEGINS + Duration::from_secs(60 * minute));
            let _ = stage.engine.step(input, stage.plan.now());
        }
        stage.run_until(BEGINS + LASTS);
        let outcome = outcome(&mut stage);
        assert!(outcome.withdrawn.is_empty(), "{what}");
        assert_eq!(outcome.health, [Health::Ok; 3], "{what}");
    }
}

#[test]
fn what_is_theirs_must_last_without_a_break() {
    let failed = |error| Link::Failed(ConnectError::access(error));
    for (between, withdrawn) in [
        (failed(sick(502)), STUBS.len()),
        (failed(CallError::TimedOut), 0),
        (failed(CallError::Credentials(words())), 0),
        (Link::Unreadable(words()), 0),
    ] {
        let mut stage = laboratory(&State::new());
        let mut at = BEGINS;
        for link in [
            failed(CallError::Refused(words())),
            between.clone(),
            failed(CallError::Refused(words())),
        ] {
            let deed = Deed::Fails(SourceName::Relay, link);
            stage.plan.at(at, Event::Do(deed));
            at += Duration::from_secs(10 * 60);
        }
        stage.run_until(BEGINS + Duration::from_secs(34 * 60));
        assert_eq!(
            outcome(&mut stage).withdrawn.len(),
            withdrawn,
            "{between:?}"
        );
    }
}

#[test]
fn an_outage_that_turns_into_another_fault_stays_as_it_is() {
    let fails = |error| Deed::Fails(SourceName::Relay, Link::Failed(ConnectError::access(error)));
    for later in [CallError::Credentials(words()), CallError::TimedOut] {
        let mut stage = laboratory(&State::new());
        stage.plan.at(BEGINS, Event::Do(fails(sick(502))));
        let turns = BEGINS + Duration::from_secs(20 * 60);
        stage.plan.at(turns, Event::Do(fails(later.clone())));
        let streams = vec!["st-data".to_owned()];
        let new = Deed::Experiment("new00".to_owned(), streams);
        stage
            .plan
            .at(turns + Duration::from_secs(60), Event::Do(new));
        stage.run_until(turns + LASTS);
        let found = outcome(&mut stage);
        assert_eq!(found.withdrawn.len(), STUBS.len(), "{later:?}");
        assert!(found.health.iter().all(|health| *health == Health::Unknown));
    }
}

/// The effect when relay is in this state from the first moment, with this durable state from
/// before.
fn from_the_start(deed: Deed, durable: &State) -> Outcome {
    let mut stage = laboratory(durable);
    stage.plan.at(Duration::ZERO, Event::Do(deed));
    stage.run_until(LASTS);
    outcome(&mut stage)
}

/// The durable state of a healthy laboratory.
fn remembered() -> State {
    let mut stage = laboratory(&State::new());
    stage.run_until(BEGINS);
    assert!(
        stage
            .world
            .log
            .iter()
            .any(|(_, action)| matches!(action, Output::Record(Record::Event { .. }))),
        "there is something to remember"
    );
    stage.world.kept.clone()
}

#[test]
fn a_relay_that_has_never_reported_is_no_evidence() {
    let failed = |error| Link::Failed(ConnectError::access(error));
    let remembered = remembered();
    for deed in [
        Deed::Fails(SourceName::Relay, failed(CallError::Refused(words()))),
        Deed::Fails(SourceName::Relay, failed(sick(502))),
        fault("relay mute"),
    ] {
        let fresh = from_the_start(deed.clone(), &State::new());
        assert!(fresh.withdrawn.is_empty(), "{deed:?}");
        let address = |alert: &String| alert.contains("its address may be wrong");
        assert!(fresh.alerts.iter().any(address), "{:?}", fresh.alerts);
        let known = from_the_start(deed.clone(), &remembered);
        assert_eq!(known.withdrawn.len(), STUBS.len(), "{deed:?}");
    }
}

/// Book lists a resource and never reports whether it is available: what is down because of its
/// missing stream cannot be withdrawn, and that is said.
#[test]
fn what_cannot_be_withdrawn_is_said() {
    let policy = Policy {
        startup: Duration::ZERO,
        ..Policy::default()
    };
    let at = |seconds| Moment::new(Timestamp::UNIX_EPOCH, Duration::from_secs(seconds));
    let routes = vec![Route::everybody()];
    let mut engine = Engine::resume(Rules::new(policy, routes), &State::new(), at(0));
    let stub = Stub::try_new("pend00").expect("a stub");
    let reading = |availability| BookReading {
        resources: vec![ResourceReading {
            name: ResourceName::try_new("r-pend00").expect("a name"),
            streams: vec![Topic::of(&stub, "st-data").expect("a topic")],
            stub: stub.clone(),
            availability,
        }],
    };
    let mut note_after = |availability: Option<Availability>, from: u64| {
        for second in from..from + 60 {
            let _ = engine.step(Input::Book(reading(availability.clone())), at(second));
            for source in [SourceName::Relay, SourceName::Jump] {
                let mut report = Report::default();
                report.set_started("T");
                let _ = engine.step(Input::Report(source, Arc::new(report)), at(second));
            }
        }
        engine.snapshot().source(SourceName::Book).note.clone()
    };
    assert_eq!(
        note_after(None, 0),
        "pend00 is down but cannot be withdrawn: book does not report whether r-pend00 is available"
    );
    let available = Availability {
        available: true,
        reason: String::new(),
    };
    assert_eq!(note_after(Some(available), 60), "");
}

/// A report with these topics, and so many entries of which no topic can be read.
fn report(topics: &[&str], nameless: usize) -> Arc<Report> {
    let mut report = Report::default();
    report.set_started("T");
    for topic in topics {
        report.push(Connection {
            topic,
            scopes: Scopes::READ.with(Scopes::WRITE).with(Scopes::EXPT),
            connected: "",
            expires: "",
            remote: "",
            user_agent: "",
            tx: None,
            rx: None,
        });
    }
    report.set_nameless(nameless);
    Arc::new(report)
}

#[test]
fn an_entry_without_a_topic_that_can_be_read_may_be_what_is_missing() {
    let both: &[&str] = &["pend00-st-data", "pend01-st-data"];
    let (first, none): (&[&str], &[&str]) = (&["pend00-st-data"], &[]);
    for (before, after, withdrawn) in [
        (report(both, 0), report(first, 1), 0),
        (report(both, 0), report(first, 0), 1),
        (report(both, 1), report(first, 2), 0),
        // It was there before, so it is another's.
        (report(both, 1), report(first, 1), 1),
        // More are missing than can be in it.
        (report(both, 0), report(none, 1), 2),
    ] {
        let policy = Policy {
            startup: Duration::ZERO,
            ..Policy::default()
        };
        let at = |seconds| Moment::new(Timestamp::UNIX_EPOCH, Duration::from_secs(seconds));
        let rules = Rules::new(policy, vec![Route::everybody()]);
        let mut engine = Engine::resume(rules, &State::new(), at(0));
        let resource = |stub: &str| {
            let stub = Stub::try_new(stub).expect("a stub");
            ResourceReading {
                name: ResourceName::try_new(&format!("r-{stub}")).expect("a name"),
                streams: vec![Topic::of(&stub, "st-data").expect("a topic")],
                stub,
                availability: Some(Availability {
                    available: true,
                    reason: String::new(),
                }),
            }
        };
        let reading = BookReading {
            resources: ["pend00", "pend01"].map(resource).into(),
        };
        let mut switched = BTreeSet::new();
        for second in 0..120 {
            let relay = if second < 60 { &before } else { &after };
            for input in [
                Input::Book(reading.clone()),
                Input::Report(SourceName::Jump, report(&[], 0)),
                Input::Report(SourceName::Relay, Arc::clone(relay)),
            ] {
                for effect in engine.step(input, at(second)).effects {
                    if let Effect::Switch(switch) = effect {
                        switched.insert(switch.resource.to_string());
                    }
                }
            }
        }
        assert_eq!(switched.len(), withdrawn, "{after:?}: {switched:?}");
    }
}
