//! Crash tests of the store: a process that is killed while it writes, a disk that is really full,
//! a disk that takes no writes, a second process.

#![allow(
    clippy::too_many_lines,
    reason = "a test is one scenario from beginning to end"
)]
#![expect(clippy::expect_used, reason = "a test may stop where it stands")]

#[path = "support/disk.rs"]
mod disk;

use std::io::{BufRead, BufReader};
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Stdio};
use std::sync::Arc;
use std::time::{Duration, Instant};

use disk::Disk;
use engine::model::{Health, JumpHealth, Stub};
use engine::{Counter, Event, Record, StateChange, StateKey, StateValue, Why};
use jiff::Timestamp;
use labwatch::store::{
    DATABASE_FILE, Entry, Origin, Store, StoreError, StoreSettings, StoreState, verify,
};
use serde_json::json;

/// Makes the test's own program know that it is the one that will be killed, and in which folder it
/// writes.
const CHILD: &str = "LABWATCH_TEST_STORE_DIR";

/// How often a writer is killed.
const KILLS: u64 = 12;

/// Long enough for any disk; a test that waits so long has failed.
const PATIENCE: Duration = Duration::from_secs(30);

#[test]
fn what_was_acknowledged_survives_kill_9() {
    let dir = tempfile::tempdir().expect("a folder");
    let mut acknowledged = 0;
    for round in 0..KILLS {
        let mut child = writer(dir.path());
        let lines = child.stdout.take().expect("its output");
        let stop = acknowledged + 1 + (round * 37) % 120;
        for line in BufReader::new(lines).lines().map_while(Result::ok) {
            acknowledged = line
                .strip_prefix("kept ")
                .and_then(|number| number.parse().ok())
                .unwrap_or(acknowledged);
            if acknowledged >= stop {
                break;
            }
        }
        child.kill().expect("killed");
        child.wait().expect("gone");
        check(dir.path(), acknowledged);
    }
    assert!(acknowledged > KILLS, "the writers wrote: {acknowledged}");
}

/// Everything up to the acknowledged number is there, and every batch is there as a whole.
fn check(dir: &Path, acknowledged: u64) {
    let (store, stored) = open_again(dir);
    assert_eq!(stored.origin, Origin::Found);
    let last = stored
        .keep
        .get("last")
        .and_then(serde_json::Value::as_u64)
        .unwrap_or(0);
    assert!(
        last >= acknowledged,
        "{acknowledged} was acknowledged, {last} is there"
    );
    let counted = stored.state.get(&StateKey::Last(Counter::Summary));
    assert_eq!(
        counted.cloned().unwrap_or(StateValue::Last(0)),
        StateValue::Last(last)
    );
    drop(store);
    let report = verify(&dir.join(DATABASE_FILE)).expect("a report");
    assert_eq!(
        (
            report.problems.len(),
            report.rows["events"],
            report.rows["audit"]
        ),
        (0, last, last)
    );
}

/// Opens a store that this process has just closed. A process that another test starts at that
/// moment has the lock for as long as its own beginning takes.
fn open_again(dir: &Path) -> (Store, labwatch::store::StoredState) {
    let begun = Instant::now();
    loop {
        match Store::open(&settings(dir)) {
            Err(StoreError::InUse { .. }) if begun.elapsed() < PATIENCE => {
                std::thread::sleep(Duration::from_millis(10));
            }
            opened => return opened.expect("it opens"),
        }
    }
}

/// Not a test by itself: the program that is killed. It goes on from what it finds, and says what
/// is kept.
#[test]
fn the_one_that_is_killed() {
    let Some(dir) = std::env::var_os(CHILD).map(PathBuf::from) else {
        return;
    };
    let (store, stored) = Store::open(&settings(&dir)).expect("it opens");
    let runtime = tokio::runtime::Builder::new_current_thread()
        .build()
        .expect("a runtime");
    for number in last(&stored) + 1.. {
        let ticket = store.write(batch(number));
        // Some wait for the disk one by one, some do not: groups of all sizes are cut off.
        if number % 3 == 0 {
            runtime.block_on(store.durable(ticket));
            println!("\nkept {number}");
        } else if !ticket.is_taken() {
            return;
        }
    }
}

#[test]
fn a_second_process_is_refused() {
    let dir = tempfile::tempdir().expect("a folder");
    let mut child = writer(dir.path());
    let lines = child.stdout.take().expect("its output");
    let started = BufReader::new(lines)
        .lines()
        .map_while(Result::ok)
        .any(|line| line.starts_with("kept"));
    let refused = Store::open(&settings(dir.path()));
    let pid = child.id();
    child.kill().expect("killed");
    child.wait().expect("gone");
    assert!(started);
    assert!(
        matches!(refused, Err(StoreError::InUse { pid: Some(held), .. }) if held == pid),
        "{refused:?}"
    );
    assert!(
        Store::open(&settings(dir.path())).is_ok(),
        "a lock does not outlive its process"
    );
}

#[test]
#[ignore = "needs the superuser; scripts/test.sh runs it"]
fn a_full_disk_is_survived() {
    let dir = tempfile::tempdir().expect("a folder");
    let Some(disk) = Disk::mount(dir.path(), "size=1m") else {
        return;
    };
    let (store, _) = Store::open(&settings(dir.path())).expect("it opens");
    let ballast = dir.path().join("ballast");
    let full = std::fs::write(&ballast, vec![1_u8; 2 << 20]);
    assert!(full.is_err(), "the disk is full");
    let tickets: Vec<_> = (1..=40).map(|number| store.write(batch(number))).collect();
    wait(|| store.health().state == StoreState::Degraded);
    let health = store.health();
    assert!(
        health
            .last_error
            .as_deref()
            .is_some_and(|why| why.contains("full") || why.contains("I/O")),
        "{health:?}"
    );
    std::fs::remove_file(&ballast).expect("removed");
    wait(|| {
        tickets
            .iter()
            .all(|ticket| ticket.is_durable(*store.progress().borrow()))
    });
    assert_eq!(
        (store.health().state, store.health().lost),
        (StoreState::Ok, 0)
    );
    drop(store);
    check(dir.path(), 40);
    drop(disk);
}

#[test]
#[ignore = "needs the superuser; scripts/test.sh runs it"]
fn a_disk_that_takes_no_writes_is_read_and_used_again_when_it_does() {
    let dir = tempfile::tempdir().expect("a folder");
    let Some(disk) = Disk::mount(dir.path(), "size=8m") else {
        return;
    };
    let (store, _) = Store::open(&settings(dir.path())).expect("it opens");
    let ticket = store.write(batch(1));
    wait(|| ticket.is_durable(*store.progress().borrow()));
    drop(store);
    disk.remount("ro");
    let (store, stored) = open_again(dir.path());
    assert!(
        matches!(stored.origin, Origin::ReadOnly { .. }),
        "{:?}",
        stored.origin
    );
    assert_eq!(
        (last(&stored), store.health().state),
        (1, StoreState::Degraded)
    );
    let ticket = store.write(batch(2));
    wait(|| ticket.is_settled(*store.progress().borrow()));
    disk.remount("rw");
    wait(|| ticket.is_durable(*store.progress().borrow()));
    drop(store);
    check(dir.path(), 2);
}

fn writer(dir: &Path) -> Child {
    let program = std::env::current_exe().expect("this program");
    let mut command = Command::new(program);
    command
        .args(["--exact", "the_one_that_is_killed", "--nocapture"])
        .env(CHILD, dir);
    command
        .stdout(Stdio::piped())
        .stderr(Stdio::null())
        .spawn()
        .expect("started")
}

fn settings(dir: &Path) -> StoreSettings {
    StoreSettings {
        dir: dir.to_owned(),
        history_days: 1_826,
        ring: 10,
    }
}

/// Four entries that belong together and all say the number.
fn batch(number: u64) -> Vec<Entry> {
    let when =
        Timestamp::from_millisecond(1_700_000_000_000 + i64::try_from(number).expect("small"))
            .expect("in range");
    let health = Health::Ok;
    let event = Event {
        when,
        health,
        was: health,
        issues: Vec::new(),
        jump: JumpHealth::Up,
        streams: Vec::new(),
        why: Why::Observed,
    };
    let stub = Stub::try_new(&format!("pend{:02}", number % 20)).expect("a name");
    vec![
        Entry::Record {
            at: when,
            record: Record::Event {
                stub,
                event: Arc::new(event),
            },
        },
        Entry::Audit {
            at: when,
            who: "ann".into(),
            what: "x".repeat(2_000),
        },
        Entry::State(StateChange {
            key: StateKey::Last(Counter::Summary),
            value: Some(StateValue::Last(number)),
        }),
        Entry::Keep {
            key: "last".into(),
            value: Some(json!(number)),
        },
    ]
}

/// The highest number that was kept.
fn last(stored: &labwatch::store::StoredState) -> u64 {
    match stored.state.get(&StateKey::Last(Counter::Summary)) {
        Some(StateValue::Last(number)) => *number,
        _ => 0,
    }
}

fn wait(until: impl Fn() -> bool) {
    let begun = Instant::now();
    while !until() {
        assert!(begun.elapsed() < PATIENCE, "it does not come");
        std::thread::sleep(Duration::from_millis(10));
    }
}
