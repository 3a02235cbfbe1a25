//! Cost of a year of history: opening the store and reading what a restart needs, and memory,
//! with a million events of 130 experiments.
//!
//! `cargo bench --bench store` makes the file once, in the folder that `LABWATCH_BENCH_DIR` names
//! or a temporary one, and prints what it saw.

use std::path::{Path, PathBuf};
use std::process::{Command, ExitCode};
use std::sync::Arc;
use std::time::{Duration, Instant};

use engine::model::{Health, JumpHealth, StreamHealth, Stub, Topic};
use engine::{Event, ExperimentState, Issue, Record, StateChange, StateKey, StateValue, Why};
use jiff::Timestamp;
use jiff::tz::TimeZone;
use labwatch::reports::{self, Period};
use labwatch::store::{DATABASE_FILE, Entry, Part, Range, Store, StoreSettings, backup, verify};

const EVENTS: i64 = 1_000_000;
const EXPERIMENTS: i64 = 130;
const RING: usize = 100;

/// The start of a process in which only the store lives, so that its memory is the store's.
const ALONE: &str = "LABWATCH_BENCH_ALONE";

/// Milliseconds between two events, so that all of them make a year.
const APART: i64 = 365 * 86_400_000 / EVENTS;

/// When the year begins.
const START: i64 = 1_750_000_000_000;

/// How many events are written at once.
const BATCH: i64 = 1_000;

type Outcome<T> = Result<T, Box<dyn std::error::Error>>;

fn main() -> ExitCode {
    let alone = std::env::var_os(ALONE).map(PathBuf::from);
    let outcome = alone.map_or_else(all, |dir| open_alone(&dir));
    match outcome {
        Ok(()) => ExitCode::SUCCESS,
        Err(error) => {
            say(&format!("failed: {error}"));
            ExitCode::FAILURE
        }
    }
}

fn all() -> Outcome<()> {
    let temporary = tempfile::tempdir()?;
    let dir = std::env::var_os("LABWATCH_BENCH_DIR")
        .map_or_else(|| temporary.path().to_owned(), PathBuf::from);
    if !dir.join(DATABASE_FILE).exists() {
        timed("a year written", || generate(&dir))?;
    }
    let bytes = std::fs::metadata(dir.join(DATABASE_FILE))?.len();
    say(&format!("the file has {} MB", bytes >> 20));
    for _ in 0..3 {
        Command::new(std::env::current_exe()?)
            .env(ALONE, &dir)
            .status()?;
    }
    timed("a report of the year", || report(&dir))?;
    timed("full check", || {
        Ok(verify(&dir.join(DATABASE_FILE)).map(drop)?)
    })?;
    let copy = temporary.path().join("copy.db");
    timed("backup with its check", || {
        Ok(backup(&dir, &copy).map(drop)?)
    })
}

/// The year's report, from the folder to its JSON.
fn report(dir: &Path) -> Outcome<()> {
    let (zone, now) = (TimeZone::UTC, time(START + EVENTS * APART)?);
    let period = Period::between(&time(START)?.to_string(), &now.to_string(), &zone, now)?;
    let report = reports::of_folder(
        dir,
        &period,
        &[],
        now,
        Instant::now() + Duration::from_secs(600),
    )?;
    let failures = report.total.failures;
    say(&format!(
        "{failures} failures, {} bytes of JSON",
        serde_json::to_string(&report)?.len()
    ));
    Ok(())
}

fn open_alone(dir: &Path) -> Outcome<()> {
    let before = resident();
    let begun = Instant::now();
    let (store, stored) = Store::open(&settings(dir))?;
    let took = begun.elapsed();
    let events: usize = stored.history.events.values().map(Vec::len).sum();
    say(&format!(
        "open and load: {took:?}, {events} events in rings, {before} kB resident before, {} kB after",
        resident()
    ));
    let runtime = tokio::runtime::Builder::new_current_thread().build()?;
    let (reader, stub) = (store.reader(), stub(0)?);
    let year = Range {
        from: time(START)?,
        until: time(START + EVENTS * APART)?,
    };
    timed("uptime of a year by day", || {
        Ok(runtime
            .block_on(reader.uptime(&stub, year, Duration::from_secs(86_400)))
            .map(drop)?)
    })?;
    timed("a page of 100 events", || {
        Ok(runtime
            .block_on(reader.events(
                &stub,
                Part {
                    limit: 100,
                    ..Part::newest(year)
                },
            ))
            .map(drop)?)
    })?;
    timed("one batch on disk", || {
        let ticket = store.write(vec![event(EVENTS)?]);
        runtime.block_on(store.durable(ticket));
        Ok(())
    })?;
    say(&format!("{} kB resident at the end", resident()));
    Ok(())
}

fn generate(dir: &Path) -> Outcome<()> {
    let (store, _) = Store::open(&settings(dir))?;
    let runtime = tokio::runtime::Builder::new_current_thread().build()?;
    for first in (0..EVENTS).step_by(usize::try_from(BATCH)?) {
        let mut entries = (first..first + BATCH)
            .map(event)
            .collect::<Outcome<Vec<_>>>()?;
        let value = ExperimentState::new(time(START)?);
        entries.push(Entry::State(StateChange {
            key: StateKey::Experiment(stub(first / BATCH)?),
            value: Some(StateValue::Experiment(Box::new(value))),
        }));
        let ticket = store.write(entries);
        runtime.block_on(store.durable(ticket));
    }
    Ok(())
}

/// The event of this number, as large as real ones are.
fn event(number: i64) -> Outcome<Entry> {
    let stub = stub(number)?;
    let topics = [
        Topic::of(&stub, "st-data")?,
        Topic::of(&stub, "st-video")?,
        Topic::of(&stub, "st-video-alt")?,
    ];
    let down = number / EXPERIMENTS % 2 == 0;
    let stream = if down {
        StreamHealth::Missing
    } else {
        StreamHealth::Active
    };
    let issues = if down {
        vec![Issue::Required(topics[0].clone(), stream), Issue::JumpLost]
    } else {
        Vec::new()
    };
    let (health, was) = if down {
        (Health::Down, Health::Ok)
    } else {
        (Health::Ok, Health::Down)
    };
    let when = time(START + number * APART)?;
    let streams = topics.into_iter().map(|topic| (topic, stream)).collect();
    let event = Event {
        when,
        health,
        was,
        issues,
        jump: JumpHealth::Up,
        streams,
        why: Why::Observed,
    };
    Ok(Entry::Record {
        at: when,
        record: Record::Event {
            stub,
            event: Arc::new(event),
        },
    })
}

fn stub(number: i64) -> Outcome<Stub> {
    Ok(Stub::try_new(&format!("pend{:02}", number % EXPERIMENTS))?)
}

fn time(millis: i64) -> Outcome<Timestamp> {
    Ok(Timestamp::from_millisecond(millis)?)
}

fn settings(dir: &Path) -> StoreSettings {
    StoreSettings {
        dir: dir.to_owned(),
        history_days: 1_826,
        ring: RING,
    }
}

/// How much memory this process has, in kB; 0 where the system does not say.
fn resident() -> u64 {
    let status = std::fs::read_to_string("/proc/self/status").unwrap_or_default();
    let line = status.lines().find_map(|line| line.strip_prefix("VmRSS:"));
    line.and_then(|line| line.split_whitespace().next())
        .and_then(|number| number.parse().ok())
        .unwrap_or(0)
}

fn timed(what: &str, action: impl FnOnce() -> Outcome<()>) -> Outcome<()> {
    let begun = Instant::now();
    action()?;
    say(&format!("{what}: {:?}", begun.elapsed()));
    Ok(())
}

#[expect(clippy::print_stdout, reason = "this is what it is for")]
fn say(text: &str) {
    println!("{text}");
}
