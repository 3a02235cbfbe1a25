//! The store as its users see it: what is written is remembered, whatever happens to the disk meanwhile.

use std::collections::BTreeMap;
use std::os::unix::fs::PermissionsExt;
use std::path::Path;
use std::sync::atomic::AtomicI64;
use std::time::Duration;

use proptest::prelude::*;
use serde_json::json;

use super::*;
use engine::model::{
    Availability, CallError, Health, JumpHealth, Private, ResourceName, SourceHealth, SourceName,
    StreamHealth, Stub, Topic,
};
use engine::{
    Booked, BookingChange, Event, Issue, ManifestChange, Record, Switch, SwitchOutcome, Why,
};

/// Long enough for any disk; a test that waits so long has failed.
const PATIENCE: Duration = Duration::from_secs(20);

/// A store in a folder of its own, on a clock that the test sets.
struct Bench {
    dir: tempfile::TempDir,
    clock: Arc<AtomicI64>,
}

impl Bench {
    fn new() -> Self {
        Self {
            dir: tempfile::tempdir().expect("a folder"),
            clock: Arc::new(AtomicI64::new(1_000_000)),
        }
    }

    fn file(&self) -> PathBuf {
        self.dir.path().join(DATABASE_FILE)
    }

    fn settings(&self) -> StoreSettings {
        StoreSettings {
            dir: self.dir.path().to_owned(),
            history_days: 10,
            ring: 3,
        }
    }

    fn try_open(&self) -> Result<(Store, Memory), StoreError> {
        let clock = Arc::clone(&self.clock);
        Store::open_with_clock(
            &self.settings(),
            Arc::new(move || time(clock.load(Ordering::SeqCst))),
        )
    }

    fn open(&self) -> (Store, Memory) {
        self.try_open().expect("it opens")
    }

    fn memory(&self) -> Memory {
        self.open().1
    }

    fn set_clock(&self, millis: i64) {
        self.clock.store(millis, Ordering::SeqCst);
    }

    fn others(&self, part: &str) -> Vec<PathBuf> {
        let files = std::fs::read_dir(self.dir.path())
            .expect("a folder")
            .map(|entry| entry.expect("an entry").path());
        files
            .filter(|path| path.to_string_lossy().contains(part))
            .collect()
    }
}

fn time(millis: i64) -> Timestamp {
    Timestamp::from_millisecond(millis).expect("in range")
}

fn stub(name: &str) -> Stub {
    Stub::try_new(name).expect("a name")
}

fn resource(name: &str) -> ResourceName {
    ResourceName::try_new(name).expect("a name")
}

fn event(millis: i64, health: Health) -> Event {
    let topic = |name| Topic::try_new(name).expect("a name");
    Event {
        when: time(millis),
        health,
        was: Health::Unknown,
        issues: vec![
            Issue::Required(topic("pend \"00\"-st-data"), StreamHealth::Missing),
            Issue::RelayOutage,
            Issue::JumpLost,
            Issue::Other(topic("pend00-st-\\video"), StreamHealth::Silent),
        ],
        jump: JumpHealth::Lost,
        streams: vec![
            (topic("pend00-st-data"), StreamHealth::Active),
            (topic("pend00-st-ü"), StreamHealth::Unknown),
        ],
        why: Why::SourceBack(SourceName::Jump),
    }
}

fn happened(name: &str, event: Event) -> Entry {
    Entry::Record {
        at: event.when,
        record: Record::Event {
            stub: stub(name),
            event: Arc::new(event),
        },
    }
}

fn record(millis: i64, record: Record) -> Entry {
    Entry::Record {
        at: time(millis),
        record,
    }
}

fn keep(key: &str, value: i64) -> Entry {
    Entry::Keep {
        key: key.to_owned(),
        value: Some(json!(value)),
    }
}

fn outgoing(id: u64) -> Outgoing {
    Outgoing {
        id,
        route: "team".into(),
        created: time(1),
        content: json!({ "subject": "1 down" }),
    }
}

fn wait_until(store: &Store, what: &str, holds: impl Fn(&StoreHealth, Progress) -> bool) {
    let begun = std::time::Instant::now();
    let progress = store.progress();
    while !holds(&store.health(), *progress.borrow()) {
        assert!(
            begun.elapsed() < PATIENCE,
            "{what} does not come: {:?} {:?}",
            store.health(),
            *progress.borrow()
        );
        std::thread::sleep(Duration::from_millis(5));
    }
}

fn write_and_wait(store: &Store, entries: Vec<Entry>) {
    let ticket = store.write(entries);
    assert!(ticket.is_taken());
    wait_until(store, "the disk", |_, progress| ticket.is_durable(progress));
}

/// All time.
fn ever() -> Range {
    Range {
        from: Timestamp::MIN,
        until: Timestamp::MAX,
    }
}

#[test]
fn everything_that_matters_is_there_after_a_restart() {
    let bench = Bench::new();
    let (store, first) = bench.open();
    assert_eq!(
        first,
        Memory {
            origin: Origin::New,
            next_outgoing: 1,
            ..Memory::default()
        }
    );
    let note = Note {
        id: "1".into(),
        kind: NoteKind::Silence,
        created: time(5),
        until: Some(time(9)),
        content: json!("pend*"),
    };
    let ended = Note {
        id: "2".into(),
        kind: NoteKind::Window,
        until: None,
        ..note.clone()
    };
    let notified = |subject: &str, value| Notified {
        route: "team".into(),
        subject: subject.into(),
        value: json!(value),
    };
    let refused = Delivery {
        id: 6,
        at: time(8),
        state: OutboxState::Pending,
        error: Some("greylisted".into()),
    };
    write_and_wait(
        &store,
        vec![
            Entry::Seen {
                stub: stub("spin01"),
                at: time(3),
            },
            Entry::Seen {
                stub: stub("spin01"),
                at: time(4),
            },
            Entry::Seen {
                stub: stub("gone00"),
                at: time(4),
            },
            Entry::Forgotten {
                stub: stub("gone00"),
                at: time(6),
            },
            happened("pend00", event(10, Health::Down)),
            happened("pend00", event(20, Health::Ok)),
            happened("pend00", event(15, Health::Down)),
            happened("pend00", event(30, Health::Degraded)),
            Entry::Notified(notified("pend00", "ok")),
            Entry::Notified(notified("pend00", "down")),
            Entry::Notified(notified("spin01", "down")),
            Entry::Untold {
                route: "team".into(),
                subject: "spin01".into(),
            },
            Entry::Outgoing(outgoing(6)),
            Entry::Outgoing(outgoing(7)),
            Entry::Delivery(refused),
            Entry::Delivery(Delivery {
                id: 7,
                at: time(8),
                state: OutboxState::Sent,
                error: None,
            }),
            Entry::Note(note.clone()),
            Entry::Note(ended),
            Entry::NoteEnded {
                id: "2".into(),
                at: time(8),
            },
            keep("digest.last", 4),
            keep("x", 5),
            Entry::Keep {
                key: "x".into(),
                value: None,
            },
            Entry::Audit {
                at: time(9),
                who: "admin".into(),
                what: "silenced pend*".into(),
            },
            record(
                1,
                Record::Hold {
                    resource: resource("r-b"),
                    reason: Some("repair".into()),
                },
            ),
            record(
                2,
                Record::Hold {
                    resource: resource("r-b"),
                    reason: Some("repair".into()),
                },
            ),
            record(
                3,
                Record::Hold {
                    resource: resource("r-a"),
                    reason: Some("exam".into()),
                },
            ),
            record(
                4,
                Record::Hold {
                    resource: resource("r-a"),
                    reason: Some("exam, longer".into()),
                },
            ),
            record(
                5,
                Record::Hold {
                    resource: resource("r-c"),
                    reason: Some("x".into()),
                },
            ),
            record(
                6,
                Record::Hold {
                    resource: resource("r-c"),
                    reason: None,
                },
            ),
        ],
    );
    drop(store);
    let hold = |name, reason: &str, since| Hold {
        resource: resource(name),
        reason: reason.into(),
        since: time(since),
        until: None,
    };
    let ring = [
        event(20, Health::Ok),
        event(15, Health::Down),
        event(30, Health::Degraded),
    ]
    .map(Arc::new)
    .to_vec();
    let expected = Memory {
        origin: Origin::Found,
        experiments: BTreeMap::from([
            (
                stub("pend00"),
                Remembered {
                    first_seen: time(10),
                    events: ring,
                },
            ),
            (
                stub("spin01"),
                Remembered {
                    first_seen: time(3),
                    events: Vec::new(),
                },
            ),
        ]),
        notified: vec![notified("pend00", "down")],
        outbox: vec![Pending {
            outgoing: outgoing(6),
            attempts: 1,
            last_error: Some("greylisted".into()),
        }],
        next_outgoing: 8,
        last_note: 2,
        notes: vec![note],
        holds: vec![hold("r-a", "exam, longer", 4), hold("r-b", "repair", 1)],
        bookings: Vec::new(),
        keep: BTreeMap::from([("digest.last".to_owned(), json!(4))]),
        gap: None,
        unreadable: 0,
    };
    assert_eq!(bench.memory(), expected);
}

#[tokio::test]
async fn the_history_answers() {
    let bench = Bench::new();
    let (store, _) = bench.open();
    let switch = Switch {
        resource: resource("r-a"),
        stub: stub("a"),
        available: false,
        reason: "labwatch: x".into(),
        by_person: false,
    };
    let confirmed = SwitchOutcome::Confirmed(Availability {
        available: false,
        reason: "labwatch: x".into(),
    });
    let switched = |outcome| Record::Switched {
        resource: resource("r-a"),
        stub: stub("a"),
        outcome,
    };
    let mut entries: Vec<_> = (0..5)
        .map(|n| happened("a", event(n * 10, Health::Ok)))
        .collect();
    entries.extend([
        record(7, Record::Switching(switch)),
        record(9, switched(confirmed)),
        record(12, switched(SwitchOutcome::Failed(CallError::TimedOut))),
        record(
            20,
            Record::Source {
                name: SourceName::Relay,
                health: SourceHealth::Late,
                note: "slow".into(),
                said: Private::new("slow".into()),
            },
        ),
        record(21, Record::Manifest(ManifestChange::Lost)),
        record(22, Record::Blind(true)),
        Entry::Outgoing(outgoing(1)),
    ]);
    let ticket = store.write(entries);
    store.durable(ticket).await;
    let reader = store.reader();
    let mut seen = Vec::new();
    let mut before = None;
    loop {
        let page = reader
            .events(
                &stub("a"),
                Range {
                    from: time(10),
                    until: time(40),
                },
                before,
                2,
            )
            .await
            .expect("an answer");
        seen.extend(
            page.events
                .iter()
                .map(|stored| stored.event.when.as_millisecond()),
        );
        before = page.next;
        if before.is_none() {
            break;
        }
    }
    assert_eq!(seen, [30, 20, 10]);
    let all = Part {
        range: ever(),
        before: None,
        limit: 10,
    };
    let rows = reader.switch_page(None, all).await.expect("an answer").rows;
    assert_eq!(
        reader
            .switches_of(&rows[0].stub, ever())
            .await
            .expect("an answer"),
        rows
    );
    assert_eq!(
        reader
            .switches_of(&stub("nobody"), ever())
            .await
            .expect("an answer"),
        []
    );
    let notified: Vec<_> = rows
        .iter()
        .map(|s| {
            (
                s.at.as_millisecond(),
                s.available,
                s.outcome.as_deref(),
                s.took,
            )
        })
        .collect();
    assert_eq!(
        notified,
        [
            (12, None, Some("failed"), None),
            (
                7,
                Some(false),
                Some("confirmed"),
                Some(Duration::from_millis(2))
            )
        ]
    );
    let sources = reader.sources(ever()).await.expect("an answer");
    assert_eq!(
        sources,
        [SourceRow {
            at: time(20),
            source: SourceName::Relay,
            health: SourceHealth::Late,
            note: Private::new("slow".into())
        }]
    );
    let outbox = reader.outbox(ever()).await.expect("an answer");
    assert_eq!(
        outbox
            .iter()
            .map(|row| (row.id, row.state))
            .collect::<Vec<_>>(),
        [(1, OutboxState::Pending)]
    );
    let uptime = reader
        .uptime(
            &stub("a"),
            Range {
                from: time(0),
                until: time(100),
            },
            Duration::from_millis(50),
        )
        .await;
    assert_eq!(
        uptime
            .expect("an answer")
            .iter()
            .map(|bucket| bucket.ok)
            .collect::<Vec<_>>(),
        [50, 50]
    );
    let endless = reader
        .uptime(&stub("a"), ever(), Duration::from_millis(1))
        .await;
    assert_eq!(endless, Err(ReadError::TooMuch));
    // On a busy machine the reader's thread may get its turn only after closing has lost patience.
    reader.let_go(Duration::from_secs(60));
    store.close();
    assert!(
        bench.others("-wal").is_empty(),
        "a closed store is one file"
    );
}

#[tokio::test]
async fn what_told_of_an_experiment_is_found() {
    let bench = Bench::new();
    let (store, _) = bench.open();
    let reader = store.reader();
    let news =
        |name: &str, health: &str| json!({ "stub": name, "health": health, "since": time(1) });
    let letter = |id, news: Vec<serde_json::Value>| {
        Entry::Outgoing(Outgoing {
            content: json!({ "news": news }),
            ..outgoing(id)
        })
    };
    let sent = Entry::Delivery(Delivery {
        id: 1,
        at: time(2),
        state: OutboxState::Sent,
        error: None,
    });
    let letters = [
        letter(1, vec![news("a", "down"), news("b", "down")]),
        letter(2, vec![news("b", "ok")]),
        letter(3, vec![news("a", "ok")]),
        letter(4, vec![news("a", "splendid")]),
        Entry::Outgoing(outgoing(5)),
    ];
    write_and_wait(&store, letters.into_iter().chain([sent]).collect());
    let said = async |name: &str| {
        let found = reader
            .mentions(&stub(name), ever())
            .await
            .expect("an answer");
        found
            .into_iter()
            .map(|mention| (mention.message.id, mention.message.state, mention.said))
            .collect::<Vec<_>>()
    };
    assert_eq!(
        said("a").await,
        [
            (3, OutboxState::Pending, Health::Ok),
            (1, OutboxState::Sent, Health::Down)
        ]
    );
    assert_eq!(said("c").await, []);
}

#[tokio::test]
async fn bad_times_are_put_together_from_changes() {
    let bench = Bench::new();
    let (store, _) = bench.open();
    let mut entries: Vec<_> = [
        (0, Health::Ok),
        (10, Health::Degraded),
        (20, Health::Down),
        (30, Health::Unknown),
        (40, Health::Ok),
        (50, Health::Down),
    ]
    .map(|(at, health)| happened("a", event(at, health)))
    .into();
    entries.extend((0..3).map(|n| happened("b", event(n * 10, Health::Ok))));
    let source = |at, health, note: &str| {
        record(
            at,
            Record::Source {
                name: SourceName::Jump,
                health,
                note: note.into(),
                said: Private::new(note.into()),
            },
        )
    };
    entries.extend([
        source(5, SourceHealth::Live, ""),
        source(15, SourceHealth::Down, "mute"),
        source(25, SourceHealth::Live, ""),
    ]);
    write_and_wait(&store, entries);
    let reader = store.reader();
    let ask = async |of: Option<Subject>, from, until, limit| {
        let (mut seen, mut after) = (Vec::new(), None);
        loop {
            let page = reader
                .incidents(
                    of.clone(),
                    Range {
                        from: time(from),
                        until: time(until),
                    },
                    after,
                    limit,
                )
                .await
                .expect("an answer");
            let last = page
                .incidents
                .last()
                .map(|it| (it.begin, it.subject.clone()));
            seen.extend(page.incidents.into_iter().map(|it| {
                (
                    it.begin.as_millisecond(),
                    it.end.map(Timestamp::as_millisecond),
                    it.was_down,
                )
            }));
            if !page.more {
                return seen;
            }
            after = last;
        }
    };
    for limit in [1, 100] {
        assert_eq!(
            ask(None, 0, 100, limit).await,
            [(50, None, true), (15, Some(25), true), (10, Some(40), true)]
        );
    }
    let a = Some(Subject::Experiment(stub("a")));
    assert_eq!(
        ask(a.clone(), 20, 50, 9).await,
        [(10, Some(40), true)],
        "it began before the range"
    );
    assert_eq!(
        ask(a.clone(), 40, 50, 9).await,
        [],
        "it was over, or had not begun"
    );
    assert_eq!(ask(a, 60, 70, 9).await, [(50, None, true)], "it goes on");
    assert_eq!(
        ask(Some(Subject::Experiment(stub("b"))), 0, 100, 9).await,
        []
    );
    assert_eq!(
        ask(Some(Subject::Source(SourceName::Jump)), 0, 100, 9).await,
        [(15, Some(25), true)]
    );
    assert_eq!(
        ask(Some(Subject::Source(SourceName::Relay)), 0, 100, 9).await,
        []
    );
    store.close();
}

/// A start with a clock that is years ahead, and one that is right again.
#[tokio::test]
async fn a_gap_of_a_wrong_clock_ends_when_the_clock_is_right_again() {
    let bench = Bench::new();
    let (store, _) = bench.open();
    write_and_wait(&store, vec![keep("x", 1)]);
    drop(store);
    let six_years = 6 * 365 * 86_400_000;
    bench.set_clock(1_000_000 + six_years);
    let (store, memory) = bench.open();
    assert!(memory.gap.is_some());
    write_and_wait(&store, vec![keep("x", 2)]);
    drop(store);
    bench.set_clock(1_600_000);
    let past = look(&bench, 0, 10_000_000, 1_600_000).expect("an answer");
    let gap = Gap {
        since: time(1_000_000),
        until: time(1_600_000),
        why: GapCause::Off,
    };
    assert_eq!(
        past.gaps,
        [gap],
        "a report does not wait for the next start"
    );
    let (store, memory) = bench.open();
    assert_eq!(memory.gap, None);
    write_and_wait(&store, vec![keep("x", 3)]);
    assert_eq!(store.reader().gaps(ever()).await, Ok(vec![gap]));
    store.close();
}

#[tokio::test]
async fn time_off_is_a_gap_and_not_uptime() {
    let bench = Bench::new();
    let (store, _) = bench.open();
    write_and_wait(&store, vec![happened("a", event(1_000_000, Health::Ok))]);
    drop(store);
    bench.set_clock(1_000_000 + 119_000);
    assert_eq!(bench.memory().gap, None, "a short restart is no gap");
    let five_hours = 5 * 3_600_000;
    bench.set_clock(1_119_000 + five_hours);
    let (store, memory) = bench.open();
    let gap = Gap {
        since: time(1_119_000),
        until: time(1_119_000 + five_hours),
        why: GapCause::Off,
    };
    assert_eq!(memory.gap, Some(gap));
    write_and_wait(&store, vec![keep("x", 1)]);
    assert_eq!(store.reader().gaps(ever()).await, Ok(vec![gap]));
    let range = Range {
        from: time(1_000_000),
        until: time(1_119_000 + five_hours),
    };
    let uptime = store
        .reader()
        .uptime(&stub("a"), range, Duration::from_secs(86_400))
        .await
        .expect("an answer");
    assert_eq!(
        uptime,
        [Bucket {
            ok: 119_000,
            gap: five_hours,
            ..Bucket::default()
        }]
    );
    drop(store);
    bench.set_clock(5_000);
    assert_eq!(
        bench.memory().gap,
        None,
        "a clock that is set back leaves none"
    );
}

#[test]
fn a_machine_that_slept_leaves_a_gap() {
    let bench = Bench::new();
    let (store, _) = bench.open();
    write_and_wait(&store, vec![keep("x", 1)]);
    bench.set_clock(1_000_000 + 3_600_000);
    write_and_wait(&store, vec![keep("x", 2)]);
    drop(store);
    let report = verify(&bench.file()).expect("a report");
    assert_eq!(report.rows.get("gaps"), Some(&1));
}

/// A way to break a file, and its name.
type Breakage = (&'static str, fn(&Path));

#[test]
fn a_broken_file_is_moved_aside() {
    let ways: [Breakage; 3] = [
        ("garbage", |path| {
            std::fs::write(path, [7_u8; 9_000]).expect("written");
        }),
        ("cut off", |path| {
            let file = std::fs::OpenOptions::new()
                .write(true)
                .open(path)
                .expect("opened");
            file.set_len(file.metadata().expect("a length").len() / 2)
                .expect("cut");
        }),
        ("overwritten inside", |path| {
            let mut bytes = std::fs::read(path).expect("read");
            bytes.iter_mut().skip(4_096).for_each(|byte| *byte = 0xa5);
            std::fs::write(path, bytes).expect("written");
        }),
    ];
    for (how, break_it) in ways {
        let bench = Bench::new();
        let (store, _) = bench.open();
        write_and_wait(
            &store,
            vec![happened("a", event(1, Health::Ok)), keep("x", 1)],
        );
        drop(store);
        break_it(&bench.file());
        let (store, memory) = bench.open();
        assert!(
            matches!(&memory.origin, Origin::BegunAnew { aside, .. } if aside.exists()),
            "{how}: {:?}",
            memory.origin
        );
        assert_eq!(
            (memory.keep.len(), bench.others("broken").len()),
            (0, 1),
            "{how}"
        );
        write_and_wait(&store, vec![keep("x", 2)]);
        drop(store);
        assert_eq!(bench.memory().keep.get("x"), Some(&json!(2)), "{how}");
    }
}

#[test]
fn a_file_that_breaks_while_it_is_used_is_moved_aside() {
    let bench = Bench::new();
    let (store, _) = bench.open();
    write_and_wait(
        &store,
        (0..5_000)
            .map(|n| happened("a", event(n, Health::Ok)))
            .collect(),
    );
    drop(store);
    let (store, _) = bench.open();
    let length = std::fs::metadata(bench.file()).expect("there").len();
    std::fs::write(
        bench.file(),
        vec![0xa5_u8; usize::try_from(length).expect("small")],
    )
    .expect("written");
    let entries: Vec<_> = (0..200)
        .map(|n| happened(&format!("b{n}"), event(n, Health::Ok)))
        .collect();
    write_and_wait(&store, entries);
    let health = store.health();
    assert!(
        health.state == StoreState::Ok && health.anew.is_some() && health.lost == 0,
        "{health:?}"
    );
    assert!(health.set_aside.is_some_and(|path| path.exists()));
    drop(store);
    let memory = bench.memory();
    assert_eq!(
        memory.experiments.len(),
        201,
        "what was known before is known still"
    );
    assert_eq!(
        memory.experiments[&stub("a")].events.len(),
        3,
        "with its ring"
    );
}

/// Everything that a restart reads is told to the new file: the memory is the same, but for where it comes from.
#[test]
fn a_file_that_is_removed_while_it_is_used_loses_only_the_past() {
    let bench = Bench::new();
    let (store, _) = bench.open();
    let (route, subject) = ("team".to_owned(), "experiment/a".to_owned());
    let note = Note {
        id: "7".into(),
        kind: NoteKind::Silence,
        created: time(5),
        until: None,
        content: json!({ "why": "repair" }),
    };
    let mut entries: Vec<Entry> = (0..9)
        .map(|n| happened("a", event(n, Health::Ok)))
        .collect();
    entries.extend([
        Entry::Seen {
            stub: stub("b"),
            at: time(3),
        },
        Entry::Notified(Notified {
            route: route.clone(),
            subject: subject.clone(),
            value: json!(1),
        }),
        Entry::Notified(Notified {
            route: route.clone(),
            subject: "gone".into(),
            value: json!(1),
        }),
        Entry::Untold {
            route,
            subject: "gone".into(),
        },
        Entry::Outgoing(outgoing(1)),
        Entry::Outgoing(outgoing(2)),
        Entry::Delivery(Delivery {
            id: 1,
            at: time(8),
            state: OutboxState::Sent,
            error: None,
        }),
        Entry::Note(note),
        record(
            6,
            Record::Hold {
                resource: resource("r-a"),
                reason: Some("repair".into()),
            },
        ),
        record(
            7,
            Record::Hold {
                resource: resource("r-b"),
                reason: Some("repair".into()),
            },
        ),
        record(
            8,
            Record::Hold {
                resource: resource("r-b"),
                reason: None,
            },
        ),
        keep("x", 1),
        keep("y", 2),
        Entry::Keep {
            key: "y".into(),
            value: None,
        },
    ]);
    write_and_wait(&store, entries);
    drop(store);
    let (store, before) = bench.open();
    for path in bench.others("labwatch.db") {
        std::fs::remove_file(path).expect("removed");
    }
    write_and_wait(&store, vec![keep("z", 3)]);
    assert!(store.health().anew.is_some() && store.health().lost == 0);
    drop(store);
    let mut after = bench.memory();
    assert_eq!(after.keep.remove("z"), Some(json!(3)));
    assert_eq!(after, before);
}

#[test]
fn what_a_person_must_change_is_an_error() {
    let bench = Bench::new();
    let (store, _) = bench.open();
    let second = bench.try_open().expect_err("it is in use").to_string();
    assert!(
        second.contains(&format!("process {} already uses", std::process::id())),
        "{second}"
    );
    drop(store);
    let file = rusqlite::Connection::open(bench.file()).expect("opened");
    file.pragma_update(None, "user_version", 99).expect("set");
    drop(file);
    let newer = bench.try_open().expect_err("it is newer").to_string();
    assert!(newer.contains("newer labwatch (version 99"), "{newer}");
    assert!(bench.others("broken").is_empty());
    let settings = StoreSettings {
        dir: bench.file().join("below-a-file"),
        ..bench.settings()
    };
    let folder = Store::open(&settings).expect_err("no folder").to_string();
    assert!(folder.contains("STATUS_DATA_DIR"), "{folder}");
}

#[test]
fn a_removed_folder_is_made_again() {
    let bench = Bench::new();
    let (store, _) = bench.open();
    write_and_wait(&store, vec![keep("x", 1)]);
    std::fs::remove_dir_all(bench.dir.path()).expect("removed");
    write_and_wait(&store, vec![keep("y", 2)]);
    let health = store.health();
    assert!(
        health.state == StoreState::Ok && health.anew.is_some() && health.lost == 0,
        "{health:?}"
    );
    assert!(bench.try_open().is_err(), "the new folder is locked too");
    drop(store);
    assert_eq!(bench.memory().keep.get("y"), Some(&json!(2)));
}

/// Puts something in the way of the file that no rights of the superuser get past, then takes it away.
#[test]
fn a_disk_that_takes_nothing_loses_nothing_for_a_while() {
    let bench = Bench::new();
    let (store, _) = bench.open();
    write_and_wait(&store, vec![keep("x", 1)]);
    let hidden = bench.dir.path().join("hidden");
    std::fs::rename(bench.file(), &hidden).expect("renamed");
    for end in ["-wal", "-shm"] {
        let _ = std::fs::remove_file(format!("{}{end}", bench.file().display()));
    }
    std::fs::create_dir(bench.file()).expect("an obstacle");
    let ticket = store.write(vec![keep("y", 2)]);
    wait_until(&store, "the loss", |health, progress| {
        health.state == StoreState::Degraded && ticket.is_settled(progress)
    });
    let health = store.health();
    assert!(
        health.waiting == 1 && health.lost == 0 && health.last_error.is_some(),
        "{health:?}"
    );
    assert!(
        !ticket.is_durable(*store.progress().borrow()),
        "nothing is promised that is not there"
    );
    std::fs::remove_dir(bench.file()).expect("out of the way");
    wait_until(&store, "recovery", |health, progress| {
        health.state == StoreState::Ok && ticket.is_durable(progress)
    });
    drop(store);
    assert_eq!(bench.memory().keep.get("y"), Some(&json!(2)));
}

#[tokio::test]
async fn the_backlog_has_a_bound_and_what_is_lost_is_a_gap() {
    let bench = Bench::new();
    std::fs::create_dir(bench.file()).expect("an obstacle");
    let (store, memory) = bench.open();
    assert!(
        matches!(memory.origin, Origin::Unavailable { .. }),
        "{:?}",
        memory.origin
    );
    assert_eq!(store.health().state, StoreState::Degraded);
    let half: Vec<_> = std::iter::repeat_n(keep("x", 1), BACKLOG / 2 + 1).collect();
    bench.set_clock(1_060_000);
    let tickets = [
        store.write(half.clone()),
        store.write(half.clone()),
        store.write(vec![keep("y", 1)]),
    ];
    wait_until(&store, "the loss", |health, progress| {
        health.lost > 0 && tickets[2].is_settled(progress)
    });
    assert_eq!(
        store.health().lost,
        half.len() as u64,
        "the oldest batch goes"
    );
    std::fs::remove_dir(bench.file()).expect("out of the way");
    wait_until(&store, "recovery", |_, progress| {
        tickets[2].is_durable(progress)
    });
    store.close();
    let gap = Gap {
        since: time(1_000_000),
        until: time(1_060_000),
        why: GapCause::Lost,
    };
    assert_eq!(store.reader().gaps(ever()).await, Ok(vec![gap]));
    assert_eq!(bench.memory().keep.len(), 2);
}

#[test]
fn a_batch_that_cannot_be_kept_harms_no_other() {
    let bench = Bench::new();
    let (store, _) = bench.open();
    let monster = Entry::Keep {
        key: "big".into(),
        value: Some(json!("x".repeat(MAX_CONTENT_BYTES))),
    };
    let tickets = [
        store.write(vec![keep("a", 1)]),
        store.write(vec![keep("b", 1), monster]),
        store.write(vec![keep("c", 1)]),
    ];
    wait_until(&store, "the disk", |_, progress| {
        tickets[2].is_durable(progress)
    });
    assert_eq!(
        (store.health().lost, store.health().state),
        (2, StoreState::Ok)
    );
    drop(store);
    assert_eq!(
        bench.memory().keep.keys().collect::<Vec<_>>(),
        ["a", "c"],
        "a batch is kept as a whole or not at all"
    );
}

#[test]
fn a_file_that_another_program_holds_delays_nobody() {
    let bench = Bench::new();
    let (store, _) = bench.open();
    let admin = rusqlite::Connection::open(bench.file()).expect("opened");
    admin.execute_batch("BEGIN IMMEDIATE").expect("held");
    let tickets: Vec<_> = (0..2 * WRITE_QUEUE)
        .map(|_| store.write(vec![keep("x", 1)]))
        .collect();
    let (taken, refused): (Vec<_>, Vec<_>) =
        tickets.into_iter().partition(|ticket| ticket.is_taken());
    assert!(taken.len() >= WRITE_QUEUE, "{}", taken.len());
    assert_eq!(
        store.health().lost,
        refused.len() as u64,
        "what finds the queue full is counted"
    );
    assert!(
        refused
            .iter()
            .all(|ticket| ticket.is_settled(Progress::default())),
        "and holds nothing up"
    );
    wait_until(&store, "the trouble", |health, _| {
        health.state == StoreState::Degraded
    });
    admin.execute_batch("ROLLBACK").expect("let go");
    wait_until(&store, "recovery", |_, progress| {
        taken.iter().all(|ticket| ticket.is_durable(progress))
    });
    assert_eq!(
        (store.health().lost, store.health().state),
        (refused.len() as u64, StoreState::Ok)
    );
}

#[test]
fn after_closing_writes_are_lost_and_counted() {
    let bench = Bench::new();
    let (store, _) = bench.open();
    store.close();
    assert!(!store.write(vec![keep("a", 1), keep("b", 1)]).is_taken());
    assert_eq!(
        (store.health().lost, store.health().state),
        (2, StoreState::Degraded)
    );
    assert!(bench.try_open().is_ok(), "the folder is free");
}

#[test]
fn the_old_is_forgotten_and_the_last_is_not() {
    let bench = Bench::new();
    let (store, _) = bench.open();
    let mut entries: Vec<_> = (0..1_200)
        .map(|n| happened(if n % 2 == 0 { "a" } else { "b" }, event(n, Health::Ok)))
        .collect();
    entries.extend((0..3).map(|n| happened("c", event(20 * 86_400_000 + n, Health::Ok))));
    entries.extend([
        Entry::Outgoing(outgoing(1)),
        Entry::Outgoing(outgoing(2)),
        Entry::Outgoing(outgoing(3)),
    ]);
    entries.push(Entry::Delivery(Delivery {
        id: 2,
        at: time(2),
        state: OutboxState::Sent,
        error: None,
    }));
    entries.push(record(
        1,
        Record::Hold {
            resource: resource("r"),
            reason: Some("x".into()),
        },
    ));
    write_and_wait(&store, entries);
    drop(store);
    let file = rusqlite::Connection::open(bench.file()).expect("opened");
    let (mut walk, mut steps) = (prune::Walk::default(), 1);
    while !walk.step(&file, time(10 * 86_400_000)).expect("a step") {
        steps += 1;
    }
    assert!(steps >= 11, "a step looks at few rows: {steps}");
    drop(file);
    let rows = verify(&bench.file()).expect("a report").rows;
    assert_eq!(
        ["events", "outbox", "holds"].map(|table| rows[table]),
        [2 + 3, 2, 1]
    );
    let memory = bench.memory();
    let last = |name: &str| {
        memory.experiments[&stub(name)]
            .events
            .last()
            .map(|event| event.when.as_millisecond())
    };
    assert_eq!([last("a"), last("b")], [Some(1_198), Some(1_199)]);
}

#[test]
fn a_backup_is_whole_and_overwrites_nothing() {
    let bench = Bench::new();
    let (store, _) = bench.open();
    write_and_wait(
        &store,
        vec![happened("a", event(77, Health::Ok)), keep("x", 1)],
    );
    let to = bench.dir.path().join("copy.db");
    let report = backup(bench.dir.path(), &to).expect("a copy, while the service runs");
    assert_eq!(
        (report.newest, report.rows["events"], report.problems.len()),
        (Some(time(77)), 1, 0)
    );
    assert_eq!(
        std::fs::metadata(&to).expect("there").permissions().mode() & 0o777,
        0o600
    );
    assert!(matches!(
        backup(bench.dir.path(), &to),
        Err(BackupError::Exists(_))
    ));
    assert_eq!(verify(&to).expect("a report"), report);
    assert!(bench.others(".part").is_empty());
    let nowhere = bench.dir.path().join("no/copy.db");
    assert!(matches!(
        backup(bench.dir.path(), &nowhere),
        Err(BackupError::Failed("making the copy", _))
    ));
    std::fs::write(&to, "garbage, garbage, garbage").expect("written");
    assert!(matches!(verify(&to), Err(VerifyError::Unreadable(..))));
    assert!(matches!(verify(&nowhere), Err(VerifyError::Missing(_))));
}

#[test]
fn rows_that_make_no_sense_are_left_out() {
    let bench = Bench::new();
    let (store, _) = bench.open();
    write_and_wait(
        &store,
        vec![
            happened("a", event(1, Health::Ok)),
            happened("a", event(2, Health::Down)),
            keep("x", 1),
        ],
    );
    drop(store);
    let file = rusqlite::Connection::open(bench.file()).expect("opened");
    file.execute("UPDATE events SET health = 'splendid' WHERE at = 2", [])
        .expect("edited");
    drop(file);
    let memory = bench.memory();
    assert_eq!(
        (
            memory.unreadable,
            memory.experiments[&stub("a")].events.len()
        ),
        (1, 1)
    );
}

/// What a test does with the store, in a form that a model can follow.
#[derive(Debug, Clone)]
enum Deed {
    Event(u8, i64, Health),
    Notified(u8, Option<i64>),
    Send(u8),
    Sent(u8),
    Hold(u8, Option<u8>),
    Restart,
}

fn deed() -> impl Strategy<Value = Deed> {
    let health = proptest::sample::select(vec![Health::Ok, Health::Down, Health::Degraded]);
    prop_oneof![
        (0..4_u8, 0..2_000_i64, health)
            .prop_map(|(name, at, health)| Deed::Event(name, at, health)),
        (0..4_u8, proptest::option::of(0..9_i64))
            .prop_map(|(subject, value)| Deed::Notified(subject, value)),
        (0..5_u8).prop_map(Deed::Send),
        (0..5_u8).prop_map(Deed::Sent),
        (0..3_u8, proptest::option::of(0..3_u8))
            .prop_map(|(name, reason)| Deed::Hold(name, reason)),
        Just(Deed::Restart),
    ]
}

/// The model: the same memory, kept the plain way.
#[derive(Default)]
struct Plain {
    events: BTreeMap<String, Vec<(i64, Health)>>,
    notified: BTreeMap<String, i64>,
    outbox: BTreeMap<u64, bool>,
    holds: BTreeMap<String, String>,
}

impl Plain {
    fn follow(&mut self, deed: &Deed) -> Option<Entry> {
        Some(match deed {
            Deed::Event(name, at, health) => {
                self.events
                    .entry(format!("e{name}"))
                    .or_default()
                    .push((*at, *health));
                happened(&format!("e{name}"), event(*at, *health))
            }
            Deed::Notified(subject, Some(value)) => {
                self.notified.insert(format!("s{subject}"), *value);
                Entry::Notified(Notified {
                    route: "r".into(),
                    subject: format!("s{subject}"),
                    value: json!(value),
                })
            }
            Deed::Notified(subject, None) => {
                self.notified.remove(&format!("s{subject}"));
                Entry::Untold {
                    route: "r".into(),
                    subject: format!("s{subject}"),
                }
            }
            Deed::Send(id) => {
                self.outbox.insert(u64::from(*id), true);
                Entry::Outgoing(outgoing(u64::from(*id)))
            }
            Deed::Sent(id) => {
                self.outbox
                    .entry(u64::from(*id))
                    .and_modify(|pending| *pending = false);
                Entry::Delivery(Delivery {
                    id: u64::from(*id),
                    at: time(1),
                    state: OutboxState::Sent,
                    error: None,
                })
            }
            Deed::Hold(name, reason) => {
                let (name, reason) = (
                    format!("r{name}"),
                    reason.map(|reason| format!("because {reason}")),
                );
                match &reason {
                    Some(reason) => drop(self.holds.insert(name.clone(), reason.clone())),
                    None => drop(self.holds.remove(&name)),
                }
                record(
                    1,
                    Record::Hold {
                        resource: resource(&name),
                        reason,
                    },
                )
            }
            Deed::Restart => return None,
        })
    }

    fn compare(&self, memory: &Memory) {
        let events = memory.experiments.iter().map(|(stub, is)| {
            let ring = is
                .events
                .iter()
                .map(|event| (event.when.as_millisecond(), event.health))
                .collect::<Vec<_>>();
            (stub.to_string(), ring)
        });
        let rings = self
            .events
            .iter()
            .map(|(name, all)| (name.clone(), all[all.len().saturating_sub(3)..].to_vec()));
        assert_eq!(
            events.collect::<BTreeMap<_, _>>(),
            rings.collect::<BTreeMap<_, _>>()
        );
        let notified = memory.notified.iter().map(|notified| {
            (
                notified.subject.clone(),
                notified.value.as_i64().unwrap_or(-1),
            )
        });
        assert_eq!(notified.collect::<BTreeMap<_, _>>(), self.notified);
        let pending: Vec<_> = self
            .outbox
            .iter()
            .filter(|(_, pending)| **pending)
            .map(|(id, _)| *id)
            .collect();
        assert_eq!(
            memory
                .outbox
                .iter()
                .map(|pending| pending.outgoing.id)
                .collect::<Vec<_>>(),
            pending
        );
        let holds = memory
            .holds
            .iter()
            .map(|hold| (hold.resource.to_string(), hold.reason.clone()));
        assert_eq!(holds.collect::<BTreeMap<_, _>>(), self.holds);
    }
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 24, failure_persistence: None, ..ProptestConfig::default() })]
    #[test]
    fn memory_is_what_a_plain_model_says(deeds in proptest::collection::vec(deed(), 0..60)) {
        let bench = Bench::new();
        let mut plain = Plain::default();
        let mut store = bench.open().0;
        for deed in &deeds {
            if let Some(entry) = plain.follow(deed) {
                prop_assert!(store.write(vec![entry]).is_taken());
            } else {
                drop(store);
                let (again, memory) = bench.open();
                plain.compare(&memory);
                store = again;
            }
        }
        drop(store);
        plain.compare(&bench.memory());
    }
}

fn booked(name: &str, start: i64, end: i64) -> Booked {
    let resource = resource(&format!("r-{name}"));
    Booked {
        resource,
        stub: stub(name),
        start: time(start),
        end: time(end),
        students: 1,
        started: false,
        unfulfilled: false,
    }
}

fn booking_changes(at: i64, changes: Vec<BookingChange>) -> Entry {
    record(at, Record::Bookings(changes))
}

fn look(bench: &Bench, from: i64, until: i64, now: i64) -> Result<Past, ReadError> {
    let latest = std::time::Instant::now() + PATIENCE;
    look_back(
        bench.dir.path(),
        Range {
            from: time(from),
            until: time(until),
        },
        time(now),
        latest,
    )
}

#[test]
fn bookings_are_kept_as_they_took_place() {
    let bench = Bench::new();
    let (store, _) = bench.open();
    let started = Booked {
        students: 3,
        started: true,
        unfulfilled: true,
        ..booked("a", 10, 20)
    };
    write_and_wait(
        &store,
        vec![
            booking_changes(
                1,
                ["a", "b", "c", "d"]
                    .map(|name| BookingChange::Stands(booked(name, 10, 20)))
                    .to_vec(),
            ),
            booking_changes(
                2,
                vec![
                    BookingChange::Stands(started.clone()),
                    BookingChange::Cancelled(booked("b", 10, 20)),
                ],
            ),
            booking_changes(
                15,
                ["c", "d"]
                    .map(|name| BookingChange::Ended {
                        booked: booked(name, 10, 20),
                        at: time(15),
                    })
                    .to_vec(),
            ),
            booking_changes(
                16,
                vec![
                    BookingChange::Stands(booked("d", 10, 20)),
                    BookingChange::Stands(booked("e", 10, 1_000_000_000)),
                ],
            ),
        ],
    );
    let kept = |from, until| {
        let past = look(&bench, from, until, 900).expect("an answer");
        past.bookings
            .into_iter()
            .map(|kept| (kept.booked, kept.ended.map(Timestamp::as_millisecond)))
            .collect::<Vec<_>>()
    };
    let (c, d, e) = (
        booked("c", 10, 20),
        booked("d", 10, 20),
        booked("e", 10, 1_000_000_000),
    );
    assert_eq!(
        kept(0, 100),
        [(started, None), (c, Some(15)), (d, None), (e.clone(), None)]
    );
    assert_eq!(
        kept(20, 100),
        [(e.clone(), None)],
        "one that only touches is not in it"
    );
    assert_eq!(kept(0, 10), []);
    drop(store);
    assert_eq!(
        bench.memory().bookings,
        [e],
        "what is over need not be remembered"
    );
}

#[tokio::test]
async fn an_experiment_was_booked_when_it_took_place() {
    let bench = Bench::new();
    let (store, _) = bench.open();
    let ended = BookingChange::Ended {
        booked: booked("a", 30, 40),
        at: time(35),
    };
    let changes = vec![
        BookingChange::Stands(booked("a", 10, 20)),
        BookingChange::Stands(booked("b", 10, 20)),
        BookingChange::Stands(booked("a", 30, 40)),
        ended,
    ];
    write_and_wait(&store, vec![booking_changes(1, changes)]);
    let reader = store.reader();
    let (a, b, c) = (stub("a"), stub("b"), stub("c"));
    let ask = async |stubs: &[&Stub], from, until| {
        let found = reader
            .booked(
                stubs.iter().copied(),
                Range {
                    from: time(from),
                    until: time(until),
                },
            )
            .await
            .expect("an answer");
        let times = |of: &Range| (of.from.as_millisecond(), of.until.as_millisecond());
        found
            .iter()
            .map(|(stub, ranges)| {
                (
                    stub.to_string(),
                    ranges.iter().map(times).collect::<Vec<_>>(),
                )
            })
            .collect::<Vec<_>>()
    };
    let notified = |name: &str, times: &[(i64, i64)]| (name.to_owned(), times.to_vec());
    assert_eq!(
        ask(&[&a], 0, 100).await,
        [notified("a", &[(10, 20), (30, 35)])]
    );
    assert_eq!(
        ask(&[&a], 15, 32).await,
        [notified("a", &[(15, 20), (30, 32)])],
        "what is outside is cut off"
    );
    assert_eq!(ask(&[&a], 36, 100).await, []);
    assert_eq!(
        ask(&[&c, &b, &a], 0, 30).await,
        [notified("a", &[(10, 20)]), notified("b", &[(10, 20)])],
        "several at once"
    );
    assert_eq!(ask(&[], 0, 100).await, []);
}

#[test]
fn a_look_back_knows_how_it_began() {
    let bench = Bench::new();
    let (store, _) = bench.open();
    let switch = |available| Switch {
        resource: resource("r-a"),
        stub: stub("a"),
        available,
        by_person: false,
        reason: "labwatch: x".into(),
    };
    let confirmed = || {
        let outcome = SwitchOutcome::Confirmed(Availability {
            available: false,
            reason: "labwatch: x".into(),
        });
        Record::Switched {
            resource: resource("r-a"),
            stub: stub("a"),
            outcome,
        }
    };
    let pools = BTreeMap::from([("pend".to_owned(), vec![stub("a"), stub("b")])]);
    write_and_wait(
        &store,
        vec![
            happened("a", event(5, Health::Down)),
            happened("a", event(10, Health::Ok)),
            happened("a", event(20, Health::Down)),
            happened("a", event(30, Health::Unknown)),
            happened("a", event(60, Health::Ok)),
            happened("b", event(7, Health::Flapping)),
            record(40, Record::Forgotten(stub("b"))),
            record(41, Record::Forgotten(stub("b"))),
            record(35, Record::Switching(switch(false))),
            record(36, confirmed()),
            record(37, Record::Switching(switch(true))),
            Entry::Keep {
                key: "pools".into(),
                value: serde_json::to_value(&pools).ok(),
            },
        ],
    );
    let past = look(&bench, 25, 50, 1_000_001).expect("an answer");
    let changes = |name: &str| {
        let changes = past.changes.get(name).expect("it is there");
        changes
            .iter()
            .map(|change| {
                (
                    change.at.as_millisecond(),
                    change.health,
                    change.issues.len(),
                )
            })
            .collect::<Vec<_>>()
    };
    assert_eq!(
        changes("a"),
        [
            (10, Some(Health::Ok), 0),
            (20, Some(Health::Down), 4),
            (30, Some(Health::Unknown), 0)
        ]
    );
    assert_eq!(
        changes("b"),
        [(7, Some(Health::Flapping), 4), (40, None, 0)],
        "forgotten once"
    );
    assert_eq!(
        (past.withdrawals, past.pools),
        (vec![(time(35), stub("a"))], pools)
    );
    assert_eq!(past.gaps, []);
    let later = look(&bench, 25, 20_000_000, 10_000_000)
        .expect("an answer")
        .gaps;
    assert_eq!(
        later,
        [Gap {
            since: time(1_000_000),
            until: time(10_000_000),
            why: GapCause::Off
        }],
        "nobody says that labwatch runs"
    );
    let late = look_back(bench.dir.path(), ever(), time(0), std::time::Instant::now());
    assert!(late.is_ok(), "so few rows need no time");
}

#[test]
fn an_older_folder_is_brought_up_to_date() {
    let bench = Bench::new();
    let old = rusqlite::Connection::open(bench.file()).expect("a file");
    old.execute_batch(include_str!("schema.sql"))
        .expect("tables");
    let insert = "INSERT INTO events (at, stub, health, was, issues, jump, streams, why) VALUES (?1, ?2, 'down', 'ok', '[]', 'up', '[]', 'observed')";
    for (at, stub) in [(5, "gone"), (9, "gone"), (7, "here")] {
        old.execute(insert, (at, stub)).expect("a row");
    }
    old.execute_batch("INSERT INTO experiments VALUES ('here', 1); PRAGMA user_version = 1")
        .expect("a row");
    drop(old);
    let early = look(&bench, 0, 10, 10);
    assert!(
        matches!(&early, Err(ReadError::Failed(why)) if why.contains("labwatch serve")),
        "{early:?}"
    );
    drop(bench.open());
    let past = look(&bench, 0, 100, 100).expect("an answer");
    let forgotten = |name: &str| {
        past.changes
            .get(name)
            .and_then(|changes| changes.last())
            .is_some_and(|last| last.health.is_none())
    };
    assert!(forgotten("gone") && !forgotten("here"), "{past:?}");
}

#[test]
fn a_folder_without_history_is_said() {
    let nowhere = look(&Bench::new(), 0, 10, 10);
    assert!(
        matches!(&nowhere, Err(ReadError::Failed(why)) if why.contains("no file")),
        "{nowhere:?}"
    );
}
