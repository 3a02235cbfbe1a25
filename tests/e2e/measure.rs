//! What it costs to run, in numbers. Not a test: it fails only where it cannot measure, and is run
//! by hand, with a release build: `cargo test --release --test e2e -- --ignored --nocapture
//! measure`

use std::fs;
use std::time::Duration;

use lab::{Lab, Plan, RelayVersion};

use super::monitor::{Monitor, get};

/// How long the steady state is watched.
const STEADY: Duration = Duration::from_secs(30);

/// How many starts the time to the first answer is taken from.
const STARTS: usize = 10;

/// The documented rules, instead of the quick ones of the tests: what a laboratory runs with.
pub const DEFAULTS: [(&str, &str); 8] = [
    ("HEALTH_LAST_ACTIVE", "10s"),
    ("HEALTH_LAST_CHECKED", "10s"),
    ("HEALTH_STARTUP", "5s"),
    ("HEALTH_LOG_EVERY", "1h"),
    ("QUERY_BOOK_EVERY", "15m"),
    ("SAMPLE_FOR", "2s"),
    ("LOG_LEVEL", "info"),
    ("LOG_FORMAT", "json"),
];

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
#[ignore = "measures for two minutes; run it by hand with a release build"]
async fn measure_what_it_costs() {
    starts().await;
    steady(130, RelayVersion::V07, "statistics", &[]).await;
    steady(
        130,
        RelayVersion::V08,
        "every stream sampled within 10 s",
        &[],
    )
    .await;
    steady(
        130,
        RelayVersion::V08,
        "every stream sampled within 5 min",
        &[("HEALTH_LAST_ACTIVE", "5m"), ("HEALTH_LAST_CHECKED", "5m")],
    )
    .await;
    steady(
        130,
        RelayVersion::V08,
        "no sampling",
        &[("SAMPLE", "never")],
    )
    .await;
}

async fn starts() {
    let lab = fleet(130, RelayVersion::V07).await;
    let mut times = Vec::new();
    for _ in 0..STARTS {
        let monitor = Monitor::start(&lab, &DEFAULTS).await;
        times.push(monitor.answered_after);
        monitor.stop("TERM", &lab).await;
    }
    times.sort();
    println!(
        "measured: start to the first answer: median {:?}, worst of {STARTS} {:?}",
        times[STARTS / 2],
        times[STARTS - 1]
    );
}

async fn steady(size: usize, relay: RelayVersion, what: &str, settings: &[(&str, &str)]) {
    let lab = fleet(size, relay).await;
    let monitor = Monitor::start(&lab, &[&DEFAULTS[..], settings].concat()).await;
    for stub in ["pend00", "spin42"] {
        monitor.sees(stub, "is ok", |it| it["health"] == "ok").await;
    }
    tokio::time::sleep(Duration::from_secs(15)).await;
    let before = usage(monitor.pid());
    tokio::time::sleep(STEADY).await;
    let after = usage(monitor.pid());
    let share = |ticks: f64| ticks / STEADY.as_secs_f64() * 100.0;
    println!(
        "measured: {size} experiments, relay {relay:?}, {what}: CPU {:.2} % (by ticks) {:.2} % (by the scheduler), resident {} kB (most {} kB)",
        share(after.ticks - before.ticks),
        share(after.scheduled - before.scheduled),
        after.resident,
        after.most
    );
    monitor.stop("TERM", &lab).await;
}

/// So many experiments, and a report of relay and of jump every second.
pub async fn fleet(size: usize, relay: RelayVersion) -> Lab {
    let half = Duration::from_millis(500);
    let plan = Plan {
        relay,
        relay_every: half,
        relay_pause: half,
        jump_every: half * 2,
        ..Plan::fleet(size)
    };
    Lab::start(plan).await.expect("a laboratory")
}

/// What a process has used so far.
pub struct Usage {
    /// Seconds of CPU time, user and system, as counted by ticks.
    ticks: f64,
    /// Seconds of CPU time as the scheduler sums them up, which is finer.
    pub scheduled: f64,
    /// Resident memory now and at most, in kB.
    resident: u64,
    most: u64,
    /// The anonymous and the file-backed part of it, in kB.
    own: u64,
    of_files: u64,
}

pub fn usage(pid: u32) -> Usage {
    let read = |file: &str| fs::read_to_string(format!("/proc/{pid}/{file}")).expect("a process");
    let stat = read("stat");
    let fields: Vec<&str> = stat
        .rsplit(')')
        .next()
        .expect("fields")
        .split_whitespace()
        .collect();
    let ticks: u32 = fields[11..13]
        .iter()
        .map(|field| field.parse::<u32>().expect("a number"))
        .sum();
    let status = read("status");
    let field = |name: &str| -> u64 {
        let line = status
            .lines()
            .find(|line| line.starts_with(name))
            .expect("a field");
        line.split_whitespace()
            .nth(1)
            .expect("a value")
            .parse()
            .expect("a number")
    };
    Usage {
        ticks: f64::from(ticks) / 100.0,
        scheduled: scheduled(pid),
        resident: field("VmRSS:"),
        most: field("VmHWM:"),
        own: field("RssAnon:"),
        of_files: field("RssFile:"),
    }
}

fn scheduled(pid: u32) -> f64 {
    let tasks = fs::read_dir(format!("/proc/{pid}/task")).expect("threads");
    let spent =
        tasks.filter_map(|task| fs::read_to_string(task.ok()?.path().join("schedstat")).ok());
    spent
        .filter_map(|text| {
            Some(Duration::from_nanos(text.split_whitespace().next()?.parse().ok()?).as_secs_f64())
        })
        .sum()
}

/// How long two that differ in the canary alone are watched side by side.
const WITH_AND_WITHOUT: Duration = Duration::from_secs(120);

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
#[ignore = "measures for two minutes; run it by hand with a release build"]
async fn measure_the_canary() {
    let lab = fleet(10, RelayVersion::V08).await;
    let start = async |canary| {
        let settings = [&DEFAULTS[..], &[("CANARY", canary), ("SAMPLE", "never")]].concat();
        let monitor = Monitor::start(&lab, &settings).await;
        monitor
            .sees("pend00", "is ok", |it| it["health"] == "ok")
            .await;
        monitor
    };
    let both = [start("auto").await, start("off").await];
    tokio::time::sleep(Duration::from_secs(15)).await;
    let scheduled = || {
        both.each_ref()
            .map(|monitor| usage(monitor.pid()).scheduled)
    };
    let before = scheduled();
    tokio::time::sleep(WITH_AND_WITHOUT).await;
    let after = scheduled();
    let share = |at: usize| (after[at] - before[at]) / WITH_AND_WITHOUT.as_secs_f64() * 100.0;
    println!(
        "measured: CPU {:.3} % of a core with the canary, {:.3} % without",
        share(0),
        share(1)
    );
    for monitor in both {
        monitor.stop("TERM", &lab).await;
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
#[ignore = "measures for a minute; run it by hand with a release build"]
async fn measure_a_large_laboratory() {
    steady(10_000, RelayVersion::V07, "statistics", &[]).await;
}

/// How many events a year or more of a restless laboratory leaves.
const EVENTS: i64 = 1_000_000;

/// What it takes to answer from a long history, and to have forgotten a step of it.
async fn asked_for_its_history(monitor: &Monitor) {
    for path in [
        "experiments/pend00/events",
        "experiments/pend00/uptime",
        "experiments/pend00/incidents",
        "history/incidents",
        "history/switches",
    ] {
        let status = get(monitor.port(), &format!("/api/v2/{path}"))
            .await
            .map(|(status, _)| status);
        let usage = usage(monitor.pid());
        println!(
            "measured: after {path} ({status:?}): resident {} kB (most {} kB)",
            usage.resident, usage.most
        );
    }
    tokio::time::sleep(Duration::from_secs(70)).await;
    let usage = usage(monitor.pid());
    println!(
        "measured: a minute later: resident {} kB (most {} kB), {} kB its own and {} kB of files",
        usage.resident, usage.most, usage.own, usage.of_files
    );
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
#[ignore = "writes some hundred megabytes and measures; run it by hand with a release build"]
async fn measure_a_start_with_a_long_history() {
    let lab = fleet(130, RelayVersion::V07).await;
    let folder = tempfile::tempdir().expect("a folder");
    let settings = [
        &DEFAULTS[..],
        &[("DATA_DIR", folder.path().to_str().expect("a name"))],
    ]
    .concat();
    // The first start makes an event of each experiment, which then stand for all.
    let first = Monitor::start(&lab, &settings).await;
    for stub in ["pend00", "spin42"] {
        first.sees(stub, "is ok", |it| it["health"] == "ok").await;
    }
    tokio::time::sleep(Duration::from_secs(5)).await;
    first.stop("TERM", &lab).await;
    let file = rusqlite::Connection::open(folder.path().join(labwatch::store::DATABASE_FILE))
        .expect("the memory size");
    let rows: i64 = file
        .query_row("SELECT count(*) FROM events", [], |row| row.get(0))
        .expect("a count");
    let copies = format!(
        "WITH RECURSIVE n(i) AS (SELECT 1 UNION ALL SELECT i + 1 FROM n WHERE i < {}) INSERT INTO events (at, stub, health, was, issues, jump, \
         streams, why) SELECT at - i * 4000000, stub, health, was, issues, jump, streams, why FROM n CROSS JOIN (SELECT * FROM events)",
        EVENTS / rows
    );
    file.execute_batch(&copies).expect("copied");
    drop(file);
    let mut times = Vec::new();
    for _ in 0..STARTS {
        let monitor = Monitor::start(&lab, &settings).await;
        times.push(monitor.answered_after);
        monitor
            .sees("pend00", "is ok", |it| it["health"] == "ok")
            .await;
        tokio::time::sleep(Duration::from_secs(3)).await;
        let usage = usage(monitor.pid());
        println!(
            "measured: resident {} kB (most {} kB)",
            usage.resident, usage.most
        );
        if times.len() == STARTS {
            asked_for_its_history(&monitor).await;
        }
        monitor.stop("TERM", &lab).await;
    }
    times.sort();
    println!(
        "measured: {EVENTS} events: start to the first answer: median {:?}, worst of {STARTS} {:?}",
        times[STARTS / 2],
        times[STARTS - 1]
    );
}
