//! Orders of maintainers: each refusal says why and what to do, each effect is said before it is
//! done, and a receipt outlives kill -9.

#![allow(
    clippy::too_many_lines,
    reason = "a test is one scenario from beginning to end"
)]
#![expect(clippy::expect_used, reason = "a test may stop where it stands")]

mod support;

use std::io::{BufRead, BufReader};
use std::path::{Path, PathBuf};
use std::process::{Child, Command as Program, Stdio};
use std::sync::Arc;
use std::time::Duration;

use engine::model::ResourceName;
use engine::{
    Booking, Command, Engine, Input, ManualOverride, NamePattern, Order, Policy, Receipt, Record,
    Role, Route, Rules, Schedule, Scope, Slot, StateKey, SuppressionId, Timetable,
};
use jiff::Timestamp;
use lab::Stage;
use labwatch::driver::{self, Clock, CommandSender, Driver, Journal, Observers, Outlets};
use labwatch::store::{Store, StoreSettings};
use support::lab::{Deed, Event, Lab, fault, resource};
use tokio::sync::{mpsc, watch};

/// Makes the test's own program know that it is the one that will be killed, and in which folder it
/// writes.
const CHILD: &str = "LABWATCH_TEST_ORDERS_DIR";

/// How often a labwatch is killed.
const KILLS: u64 = 6;

/// A laboratory after 30 s: `pend00` is down, `pend01` has lost its login, `pend02` and `spin00`
/// are well, `r-pend02` is held by a person, jump is silent.
fn stage() -> Stage<Lab> {
    let policy = Policy {
        startup: Duration::from_secs(5),
        ..Policy::default()
    };
    let mut stage = Stage::new(
        policy,
        vec![Route::everybody()],
        Timestamp::UNIX_EPOCH,
        Lab::default(),
    );
    for stub in ["pend00", "pend01", "pend02", "spin00"] {
        stage.plan.at(
            Duration::ZERO,
            Event::Do(Deed::Experiment(
                stub.to_owned(),
                vec!["st-data".to_owned()],
            )),
        );
    }
    stage.plan.at(
        Duration::from_secs(2),
        Event::Do(fault("hold r-pend02 exam")),
    );
    stage.plan.at(Duration::from_secs(3), Event::Do(Deed::Poll));
    stage
        .plan
        .at(Duration::from_secs(6), Event::Do(fault("vanish pend00")));
    stage.plan.at(
        Duration::from_secs(6),
        Event::Do(fault("vanish pend01/jump")),
    );
    Lab::begin(&mut stage.plan);
    stage.run_until(Duration::from_secs(20));
    stage
        .plan
        .at(Duration::from_secs(20), Event::Do(fault("jump dies")));
    stage.run_until(Duration::from_secs(50));
    stage
}

fn at(second: i64) -> Timestamp {
    Timestamp::from_second(second).expect("a time")
}

fn pattern(text: &str) -> NamePattern {
    NamePattern::try_new(text).expect("a pattern")
}

fn acknowledge(scope: Scope) -> Command {
    Command::Acknowledge {
        scope,
        text: "motor is ordered".to_owned(),
        until: None,
    }
}

fn experiments(text: &str) -> Scope {
    Scope::Experiments(pattern(text))
}

fn hold(name: &str, reason: &str) -> Command {
    Command::Hold {
        resource: resource(name),
        reason: reason.to_owned(),
    }
}

fn enable(name: &str) -> Command {
    Command::Enable {
        resource: resource(name),
    }
}

fn silence(text: &str, until: i64) -> Command {
    Command::Silence {
        pattern: pattern(text),
        until: at(until),
        reason: "new cables".to_owned(),
    }
}

fn order(command: Command) -> Order {
    Order {
        command,
        by: "ann".to_owned(),
    }
}

#[test]
fn each_refusal_says_why_and_what_to_do() {
    let mut stage = stage();
    give(&mut stage, acknowledge(experiments("pend00")));
    let once = |from, until| Schedule::Once {
        from: at(from),
        until: at(until),
    };
    let maintain = |schedule| Command::Maintain {
        pattern: pattern("*"),
        schedule,
        reason: "cleaning".to_owned(),
    };
    let until = |scope, until| Command::Acknowledge {
        scope,
        text: "x".to_owned(),
        until: Some(at(until)),
    };
    #[rustfmt::skip]
    let table = [
        (acknowledge(experiments("pend02")), "pend02 is ok: only what is bad can be acknowledged; to suppress its notifications beforehand, silence it"),
        (acknowledge(experiments("pend00")), "pend00 is acknowledged already by ann (number 1): end that one first"),
        (acknowledge(experiments("pend77")), "no experiment is called pend77: check the name"),
        (acknowledge(Scope::Pool("fish".to_owned())), "there is no pool fish: check the name"),
        (acknowledge(Scope::Component("relay".to_owned())), "relay reports as it should: only what is bad can be acknowledged"),
        (until(experiments("pend01"), 49), "its end, 1970-01-01T00:00:49Z, has passed already: give one in the future"),
        (Command::Acknowledge { scope: Scope::Installation, text: String::new(), until: None }, "\"text\" must be one line of text, not empty and at most 500 bytes long"),
        (Command::Unacknowledge { scope: experiments("pend01") }, "nothing of pend01 is acknowledged: it has ended, or never was"),
        (Command::Unacknowledge { scope: Scope::Installation }, "nothing of the whole laboratory is acknowledged: it has ended, or never was"),
        (silence("*", 50), "its end, 1970-01-01T00:00:50Z, has passed already: give one in the future"),
        (silence("*", 400 * 86_400), "it would last for more than 366 days: give an earlier end"),
        (maintain(once(90, 80)), "it would end at 1970-01-01T00:01:20Z, which is not after its begin at 1970-01-01T00:01:30Z"),
        (Command::Remove { id: SuppressionId(9) }, "there is nothing with the number 9: it has ended, or never was"),
        (hold("r-pend77", "x"), "book lists no resource r-pend77: check the name"),
        (hold("r-pend02", "exam"), "r-pend02 is held for this very reason already"),
        (hold("r-pend02", "labwatch: x"), "a reason that starts with \"labwatch:\" or \"status server:\" would be taken for labwatch's own: begin it otherwise"),
        (hold("r-pend02", "two\nlines"), "\"reason\" must be one line of text, not empty and at most 500 bytes long"),
        (enable("r-spin00"), "r-spin00 can be booked already"),
        (enable("r-pend00"), "no person holds r-pend00: labwatch withdrew it because pend00 is down, and gives it back when pend00 works"),
    ];
    let now = stage.plan.now();
    for (command, words) in table {
        let refusal = stage.engine.refuses(&order(command.clone()), now);
        assert_eq!(
            refusal.map(|refusal| refusal.to_string()).as_deref(),
            Some(words),
            "{command}"
        );
        let before = stage.engine.snapshot();
        let step = stage
            .engine
            .step(Input::Command(order(command.clone())), now);
        assert_eq!(step, engine::Step::default(), "{command} does nothing");
        assert_eq!(stage.engine.snapshot().notes, before.notes);
    }
    let unnamed = Order {
        by: " ".to_owned(),
        command: silence("*", 90),
    };
    assert!(
        stage
            .engine
            .refuses(&unnamed, now)
            .is_some_and(|refusal| refusal.to_string().starts_with("\"who\" must be"))
    );
    stage.engine.step(Input::Role(Role::Follower), now);
    let refusal = stage
        .engine
        .refuses(&order(silence("*", 90)), now)
        .map(|refusal| refusal.to_string());
    assert_eq!(
        refusal.as_deref(),
        Some("this labwatch only watches: give the command to the one that leads")
    );
}

#[test]
fn several_that_are_all_well_cannot_be_acknowledged() {
    let mut stage = stage();
    stage
        .plan
        .at(Duration::from_secs(51), Event::Do(fault("back pend00")));
    stage.plan.at(
        Duration::from_secs(51),
        Event::Do(fault("back pend01/jump")),
    );
    stage
        .plan
        .at(Duration::from_secs(52), Event::Do(fault("jump starts")));
    stage.run_until(Duration::from_secs(120));
    let refusal = stage
        .engine
        .refuses(&order(acknowledge(experiments("pend*"))), stage.plan.now())
        .map(|refusal| refusal.to_string());
    let words = "none of the 3 experiments of pend* is bad: only what is bad can be acknowledged; to suppress their notifications beforehand, silence them";
    assert_eq!(refusal.as_deref(), Some(words));
}

#[test]
fn the_effect_is_said_before_it_is_done() {
    let mut stage = stage();
    let booking = |name: &str, start, end| Booking {
        start: at(start),
        end: at(end),
        resource: resource(name),
        started: start < 50,
        unfulfilled: false,
    };
    let slot = |name: &str| Slot {
        resource: resource(name),
        policy: "p".to_owned(),
        ui_set: "u".to_owned(),
    };
    let mut bookings = vec![
        booking("r-pend00", 10, 600),
        booking("r-pend02", 900, 1_800),
        booking("r-pend02", 90_000, 91_000),
    ];
    bookings.sort();
    let timetable = Timetable {
        slots: vec![slot("r-pend00"), slot("r-pend01")],
        bookings,
        pages: Vec::new(),
        slots_read: None,
        bookings_read: None,
    };
    stage
        .engine
        .step(Input::Timetable(timetable), stage.plan.now());
    #[rustfmt::skip]
    let table = [
        (acknowledge(experiments("p*")), "no notification about pend00, pend01 until each is well again or gets worse"),
        (acknowledge(Scope::Pool("pend".to_owned())), "no notification about pend00, pend01 until each is well again or gets worse"),
        (acknowledge(Scope::Component("jump".to_owned())), "no notification about component jump until it is well again"),
        (acknowledge(Scope::Installation), "no notification about the whole laboratory until this is taken back"),
        (silence("spin*", 90), "no notification about spin00, until 1970-01-01T00:01:30Z"),
        (silence("fish*", 90), "no notification about fish*, which no experiment is called now, until 1970-01-01T00:01:30Z"),
        (hold("r-pend00", "exam"), "r-pend00 cannot be booked until a person enables it: 1 booking of the next 24 h cannot start; one is in session now"),
        (hold("r-spin00", "exam"), "r-spin00 cannot be booked until a person enables it: nothing is booked in the next 24 h"),
        (enable("r-pend02"), "r-pend02 can be booked again: 1 booking of the next 24 h can start, 2 of the next 7 days"),
    ];
    for (command, words) in table {
        let effect = stage
            .engine
            .snapshot()
            .preview(&command, "ann")
            .expect("it can be done");
        assert_eq!(effect.text, words, "{command}");
        let receipt = give(&mut stage.clone_engine(), command.clone());
        assert_eq!(receipt.effect, effect, "{command}");
    }
}

/// A stage whose engine can be tried without changing the first one.
trait CloneEngine {
    fn clone_engine(&self) -> Stage<Lab>;
}

impl CloneEngine for Stage<Lab> {
    fn clone_engine(&self) -> Stage<Lab> {
        let mut other = stage();
        other.engine = self.engine.clone();
        other
    }
}

/// Gives a command to the engine. Returns the receipt.
fn give(stage: &mut Stage<Lab>, command: Command) -> Receipt {
    let step = stage
        .engine
        .step(Input::Command(order(command)), stage.plan.now());
    let receipts = step.records.into_iter().filter_map(|record| {
        if let Record::Commanded { receipt, .. } = record {
            Some(*receipt)
        } else {
            None
        }
    });
    receipts.last().expect("a receipt")
}

#[test]
fn a_receipt_outlives_kill_9() {
    let dir = tempfile::tempdir().expect("a folder");
    let mut given = 0;
    for round in 0..KILLS {
        let mut child = labwatch_in(dir.path());
        let lines = child.stdout.take().expect("its output");
        let stop = given + 1 + (round * 7) % 20;
        for line in BufReader::new(lines).lines().map_while(Result::ok) {
            given = line
                .strip_prefix("receipt ")
                .and_then(|number| number.parse().ok())
                .unwrap_or(given);
            if given >= stop {
                break;
            }
        }
        child.kill().expect("killed");
        child.wait().expect("gone");
        check(dir.path(), given);
    }
    assert!(given > KILLS, "orders were given: {given}");
}

/// Every order whose receipt came is there: the suppressions, and the audit.
fn check(dir: &Path, given: u64) {
    let (store, stored) = Store::open(&settings(dir)).expect("it opens");
    drop(store);
    let number = |key: &StateKey| {
        if let StateKey::Silence(id) = key {
            Some(id.0)
        } else {
            None
        }
    };
    let numbers: Vec<u64> = stored.state.keys().filter_map(number).collect();
    assert!(
        (1..=given).all(|number| numbers.contains(&number)),
        "{given} receipts, kept: {numbers:?}"
    );
    let report =
        labwatch::store::verify(&dir.join(labwatch::store::DATABASE_FILE)).expect("a report");
    assert!(
        report.rows["audit"] >= given,
        "{} rows of the audit for {given} receipts",
        report.rows["audit"]
    );
}

fn settings(dir: &Path) -> StoreSettings {
    StoreSettings {
        dir: dir.to_owned(),
        history_days: 30,
        ring: 10,
    }
}

fn labwatch_in(dir: &Path) -> Child {
    let program = std::env::current_exe().expect("this program");
    Program::new(program)
        .args(["--exact", "the_one_that_is_killed", "--nocapture"])
        .env(CHILD, dir)
        .stdout(Stdio::piped())
        .spawn()
        .expect("it starts")
}

/// Not a test by itself: the program that is killed. It goes on from what it finds, and says each
/// receipt that it got.
#[test]
fn the_one_that_is_killed() {
    let Some(dir) = std::env::var_os(CHILD).map(PathBuf::from) else {
        return;
    };
    let runtime = tokio::runtime::Builder::new_current_thread()
        .enable_all()
        .build()
        .expect("a runtime");
    runtime.block_on(async {
        let (store, stored) = Store::open(&settings(&dir)).expect("it opens");
        let (orders, running) = start(store, &stored);
        let until = Timestamp::now() + jiff::SignedDuration::from_hours(1);
        for _ in 0..1_000 {
            let silence = Command::Silence {
                pattern: pattern("pend*"),
                until,
                reason: "new cables".to_owned(),
            };
            let Ok(receipt) = orders.give(silence, "ann".to_owned()).await else {
                break;
            };
            println!("\nreceipt {}", receipt.ids.first().expect("a number").0);
        }
        drop(running);
    });
}

/// A driver on this store, without any tasks around it.
fn start(store: Store, stored: &labwatch::store::StoredState) -> (CommandSender, impl Sized) {
    let clock = Clock::start();
    let mut engine = Engine::resume(
        Rules::new(Policy::default(), Vec::new()),
        &stored.state,
        clock.now(),
    );
    let (inputs, input_queue) = mpsc::channel(4);
    let (orders, order_queue) = driver::orders();
    let (snapshots, receiver) = watch::channel(Arc::new(engine.snapshot()));
    let (switches, switch_queue) = mpsc::channel(4);
    let (samples, sample_queue) = mpsc::channel(4);
    let (pages, page_queue) = mpsc::channel(4);
    let (relay, relay_commands) = mpsc::channel(4);
    let (jump, jump_commands) = mpsc::channel(4);
    let (book, polls) = mpsc::channel(1);
    let outlets = Outlets {
        switches,
        mails: mpsc::channel(1).0,
        webhooks: mpsc::channel(1).0,
        samples,
        pages,
        relay,
        jump,
        book,
    };
    let hooks = Observers {
        record: Box::new(|_| {}),
        turned: Box::new(|| {}),
    };
    let journal = Journal::new(store);
    let driver = Driver::new(
        engine,
        clock,
        input_queue,
        order_queue,
        outlets,
        snapshots,
        Some(journal),
        hooks,
    );
    let mut running = tokio::task::JoinSet::new();
    running.spawn(driver.run());
    (
        orders,
        (
            running,
            inputs,
            receiver,
            switch_queue,
            (sample_queue, page_queue),
            relay_commands,
            jump_commands,
            polls,
        ),
    )
}

#[test]
fn a_wish_is_what_is_kept_until_book_says_so() {
    let mut stage = stage();
    give(&mut stage, hold("r-spin00", "exam"));
    let manual_override = |stage: &mut Stage<Lab>| {
        let picture = stage.engine.snapshot();
        picture.experiment("spin00").and_then(|view| {
            view.resources
                .first()
                .and_then(|resource| resource.manual_override.clone())
        })
    };
    assert_eq!(
        manual_override(&mut stage),
        Some(ManualOverride::Hold("exam".to_owned()))
    );
    let name = ResourceName::try_new("r-spin00").expect("a name");
    let said = engine::model::Availability {
        available: false,
        reason: "exam".to_owned(),
    };
    stage.engine.step(
        Input::Switched {
            resource: name,
            outcome: engine::SwitchOutcome::Confirmed(said),
        },
        stage.plan.now(),
    );
    assert_eq!(manual_override(&mut stage), None);
}
