//! The store as its users see it: what is written is restored, whatever happens to the disk
//! meanwhile.

use std::collections::BTreeMap;
use std::os::unix::fs::PermissionsExt;
use std::path::Path;
use std::sync::atomic::AtomicI64;
use std::time::Duration;

use proptest::prelude::*;
use serde_json::json;

use super::*;
use engine::model::{
    Availability, CallError, Health, JumpHealth, Private, ResourceName, RouteName, SourceHealth,
    SourceName, StreamHealth, Stub, Topic,
};
use engine::{
    Affected, Background, Booked, BookingChange, Channel, Counts, DeliveryFault, Event,
    ExperimentState, Issue, Line, ManifestChange, ManualOverride, MessageId, NamePattern, Occasion,
    OutboxEntry, OutboxNews, Record, Silence, StateChange, StateKey, StateValue, Summary,
    SuppressionEntry, SuppressionId, Switch, SwitchOutcome, Thread, Why,
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

    fn try_open(&self) -> Result<(Store, StoredState), StoreError> {
        let clock = Arc::clone(&self.clock);
        Store::open_with_clock(
            &self.settings(),
            Arc::new(move || time(clock.load(Ordering::SeqCst))),
        )
    }

    fn open(&self) -> (Store, StoredState) {
        self.try_open().expect("it opens")
    }

    fn stored(&self) -> StoredState {
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

/// A summary with this news of experiments.
fn outgoing(id: u64, news: &[(&str, Health)]) -> Entry {
    let line = |(name, health): &(&str, Health)| Line {
        stub: stub(name),
        health: *health,
        notified: Health::Ok,
        bookable: None,
        listed: true,
        issues: Vec::new(),
        since: time(1),
        lasted: None,
        affected: Affected::default(),
        advice: None,
        notified_issues: vec![],
        worst: None,
        steadiness: None,
        last_seen: None,
        acknowledged: None,
    };
    let message = MessageId { at: time(1), id };
    let summary = Summary {
        id,
        route: RouteName::try_new("team").expect("a name"),
        channel: Channel::Mail,
        occasion: Occasion::News,
        thread: Thread {
            id: message,
            references: Vec::new(),
        },
        at: time(1),
        news: news.iter().map(line).collect(),
        problems: Vec::new(),
        alerts: Vec::new(),
        counts: Counts::default(),
        background: Background::default(),
        reminder: None,
    };
    record(
        1,
        Record::Notifying(engine::Notification::to_all(Arc::new(summary))),
    )
}

fn sent(id: u64, millis: i64) -> Entry {
    let outcome = Ok(engine::Delivered::to_all());
    record(millis, Record::Delivered { id, outcome })
}

fn state(key: StateKey, value: Option<StateValue>) -> Entry {
    Entry::State(StateChange { key, value })
}

/// The engine's entry of a known experiment.
fn known(name: &str) -> Entry {
    let value = ExperimentState::new(time(3));
    let value = StateValue::Experiment(Box::new(value));
    state(StateKey::Experiment(stub(name)), Some(value))
}

fn requested(name: &str, reason: Option<&str>) -> Entry {
    let value = reason.map(|reason| StateValue::Request(ManualOverride::Hold(reason.to_owned())));
    state(StateKey::Request(resource(name)), value)
}

fn hold(millis: i64, name: &str, reason: Option<&str>) -> Entry {
    let (resource, reason) = (resource(name), reason.map(str::to_owned));
    record(millis, Record::Hold { resource, reason })
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
async fn gaps(store: &Store) -> Vec<Gap> {
    let page = store.reader().gap_page(Part::newest(ever())).await;
    page.expect("an answer").rows
}

fn ever() -> Range {
    Range {
        from: Timestamp::MIN,
        until: Timestamp::MAX,
    }
}

#[tokio::test]
async fn what_a_notification_says_is_kept() {
    let bench = Bench::new();
    let (store, _) = bench.open();
    let news = [("pend00", Health::Down), ("spin01", Health::Ok)];
    write_and_wait(&store, vec![outgoing(6, &news), outgoing(7, &[])]);
    let said = store
        .reader()
        .said(Part::newest(ever()))
        .await
        .expect("an answer")
        .rows;
    let said: Vec<_> = said
        .iter()
        .map(|said| {
            let news = said.news.iter();
            let news: Vec<_> = news
                .map(|news| (news.stub.as_str(), news.health, news.since))
                .collect();
            (said.message.id, news, said.occasion.as_deref())
        })
        .collect();
    assert_eq!(
        said,
        [
            (7, Vec::new(), Some("news")),
            (
                6,
                vec![
                    ("pend00", Health::Down, Some(time(1))),
                    ("spin01", Health::Ok, Some(time(1)))
                ],
                Some("news")
            )
        ]
    );
}

#[tokio::test]
async fn everything_that_matters_is_there_after_a_restart() {
    let bench = Bench::new();
    let (store, first) = bench.open();
    assert_eq!(first, StoredState::default());
    let fault = DeliveryFault {
        fault: CallError::TimedOut,
        outlook: engine::Outlook::Passing,
    };
    let failed = Record::Delivered {
        id: 6,
        outcome: Err(fault),
    };
    write_and_wait(
        &store,
        vec![
            known("pend00"),
            known("spin01"),
            known("gone00"),
            state(StateKey::Experiment(stub("gone00")), None),
            happened("gone00", event(1, Health::Ok)),
            happened("pend00", event(10, Health::Down)),
            happened("pend00", event(20, Health::Ok)),
            happened("pend00", event(15, Health::Down)),
            happened("pend00", event(30, Health::Degraded)),
            requested("r-a", Some("exam")),
            requested("r-b", Some("exam")),
            requested("r-b", None),
            outgoing(6, &[]),
            outgoing(7, &[]),
            record(8, failed),
            sent(7, 8),
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
            hold(1, "r-b", Some("repair")),
            hold(2, "r-b", Some("repair")),
            hold(4, "r-a", Some("exam")),
            hold(6, "r-a", None),
        ],
    );
    let holds = store
        .reader()
        .hold_page(Part::newest(ever()))
        .await
        .expect("an answer")
        .rows;
    let holds: Vec<_> = holds
        .iter()
        .map(|hold| (hold.resource.as_str(), hold.since, hold.until))
        .collect();
    assert_eq!(
        holds,
        [("r-a", time(4), Some(time(6))), ("r-b", time(1), None)]
    );
    let outbox = store
        .reader()
        .outbox_page(Part::newest(ever()))
        .await
        .expect("an answer")
        .rows;
    let outbox: Vec<_> = outbox
        .into_iter()
        .map(|row| (row.id, row.state, row.attempts, row.last_error))
        .collect();
    let error = Some(Private::new(CallError::TimedOut.to_string()));
    assert_eq!(
        outbox,
        [
            (7, OutboxState::Sent, 1, None),
            (6, OutboxState::Pending, 1, error)
        ]
    );
    drop(store);
    let stored = bench.stored();
    let ring = [
        event(20, Health::Ok),
        event(15, Health::Down),
        event(30, Health::Degraded),
    ];
    assert_eq!(stored.origin, Origin::Found);
    assert_eq!(
        stored
            .state
            .keys()
            .map(ToString::to_string)
            .collect::<Vec<_>>(),
        ["experiment/pend00", "experiment/spin01", "request/r-a"]
    );
    assert_eq!(
        stored.history.events,
        BTreeMap::from([(stub("pend00"), ring.map(Arc::new).to_vec())])
    );
    assert_eq!(
        stored.keep,
        BTreeMap::from([("digest.last".to_owned(), json!(4))])
    );
    assert_eq!((stored.gap, stored.unreadable), (None, 0));
}

/// Entries of a later version are neither lost nor in the way.
#[test]
fn a_state_that_is_not_known_stays_in_the_file() {
    let bench = Bench::new();
    drop(bench.open());
    let file = rusqlite::Connection::open(bench.file()).expect("opened");
    let rows = [
        ("later/x", r#"{"whatever":1}"#),
        ("request/r-a", r#"{"later":1}"#),
    ];
    for row in rows {
        file.execute("INSERT INTO state VALUES (?1, ?2)", row)
            .expect("a row");
    }
    drop(file);
    let (store, stored) = bench.open();
    assert_eq!((stored.state.len(), stored.unreadable), (0, 1));
    assert_eq!(stored.keep["later/x"], json!({ "whatever": 1 }));
    write_and_wait(&store, vec![keep("x", 1), requested("r-b", Some("exam"))]);
    drop(store);
    let file = rusqlite::Connection::open(bench.file()).expect("opened");
    let mut found = file
        .prepare("SELECT key, value FROM state ORDER BY key")
        .expect("a question");
    let found: Vec<(String, String)> = found
        .query_map([], |row| Ok((row.get(0)?, row.get(1)?)))
        .expect("an answer")
        .map(|row| row.expect("a row"))
        .collect();
    for (key, value) in rows {
        assert!(
            found.contains(&(key.to_owned(), value.to_owned())),
            "{found:?}"
        );
    }
    assert_eq!(found.len(), 4);
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
        outgoing(1, &[]),
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
                Part {
                    range: Range {
                        from: time(10),
                        until: time(40),
                    },
                    before,
                    limit: 2,
                },
            )
            .await
            .expect("an answer");
        seen.extend(
            page.rows
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
    for (of, expected) in [
        (rows[0].stub.clone(), rows.as_slice()),
        (stub("unseen"), &[]),
    ] {
        let page = reader.switch_page(Some(of), all).await.expect("an answer");
        assert_eq!(page.rows, expected);
    }
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
    let sources = reader
        .source_page(Part::newest(ever()))
        .await
        .expect("an answer")
        .rows;
    assert_eq!(
        sources,
        [SourceRow {
            at: time(20),
            source: SourceName::Relay,
            health: SourceHealth::Late,
            note: Private::new("slow".into())
        }]
    );
    let outbox = reader
        .outbox_page(Part::newest(ever()))
        .await
        .expect("an answer")
        .rows;
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
    // On a busy machine the reader's thread may run only after closing has timed out.
    reader.let_go(Duration::from_secs(60));
    store.close();
    assert!(
        bench.others("-wal").is_empty(),
        "a closed store is one file"
    );
}

#[tokio::test]
async fn notifications_of_an_experiment_are_found() {
    let bench = Bench::new();
    let (store, _) = bench.open();
    let reader = store.reader();
    let summaries = [
        outgoing(1, &[("a", Health::Down), ("b", Health::Down)]),
        outgoing(2, &[("b", Health::Ok)]),
        outgoing(3, &[("a", Health::Ok)]),
        outgoing(4, &[]),
        sent(1, 2),
    ];
    write_and_wait(&store, summaries.into());
    let said = async |name: &str| {
        let found = reader
            .mentions(&stub(name), Part::newest(ever()))
            .await
            .expect("an answer");
        found
            .rows
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
    let (store, stored) = bench.open();
    assert!(stored.gap.is_some());
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
    let (store, stored) = bench.open();
    assert_eq!(stored.gap, None);
    write_and_wait(&store, vec![keep("x", 3)]);
    assert_eq!(gaps(&store).await, [gap]);
    store.close();
}

#[tokio::test]
async fn time_off_is_a_gap_and_not_uptime() {
    let bench = Bench::new();
    let (store, _) = bench.open();
    write_and_wait(&store, vec![happened("a", event(1_000_000, Health::Ok))]);
    drop(store);
    bench.set_clock(1_000_000 + 119_000);
    assert_eq!(bench.stored().gap, None, "a short restart is no gap");
    let five_hours = 5 * 3_600_000;
    bench.set_clock(1_119_000 + five_hours);
    let (store, stored) = bench.open();
    let gap = Gap {
        since: time(1_119_000),
        until: time(1_119_000 + five_hours),
        why: GapCause::Off,
    };
    assert_eq!(stored.gap, Some(gap));
    write_and_wait(&store, vec![keep("x", 1)]);
    assert_eq!(gaps(&store).await, [gap]);
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
        bench.stored().gap,
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
        let (store, stored) = bench.open();
        assert!(
            matches!(&stored.origin, Origin::BegunAnew { aside, .. } if aside.exists()),
            "{how}: {:?}",
            stored.origin
        );
        assert_eq!(
            (stored.keep.len(), bench.others("broken").len()),
            (0, 1),
            "{how}"
        );
        write_and_wait(&store, vec![keep("x", 2)]);
        drop(store);
        assert_eq!(bench.stored().keep.get("x"), Some(&json!(2)), "{how}");
    }
}

#[test]
fn a_file_that_breaks_while_it_is_used_is_moved_aside() {
    let bench = Bench::new();
    let (store, _) = bench.open();
    let mut last = ExperimentState::new(time(0));
    last.note(Arc::new(event(4_999, Health::Ok)));
    let last = StateValue::Experiment(Box::new(last));
    let events = (0..5_000).map(|n| happened("a", event(n, Health::Ok)));
    let state_of_a = state(StateKey::Experiment(stub("a")), Some(last));
    write_and_wait(&store, events.chain([state_of_a]).collect());
    drop(store);
    let (store, _) = bench.open();
    let length = std::fs::metadata(bench.file()).expect("there").len();
    std::fs::write(
        bench.file(),
        vec![0xa5_u8; usize::try_from(length).expect("small")],
    )
    .expect("written");
    let entries: Vec<_> = (0..200)
        .map(|n| format!("b{n}"))
        .flat_map(|name| [known(&name), happened(&name, event(1, Health::Ok))])
        .collect();
    write_and_wait(&store, entries);
    let health = store.health();
    assert!(
        health.state == StoreState::Ok && health.anew.is_some() && health.lost == 0,
        "{health:?}"
    );
    assert!(health.set_aside.is_some_and(|path| path.exists()));
    drop(store);
    let stored = bench.stored();
    assert_eq!(
        stored.state.len(),
        201,
        "what was known before is known still"
    );
    assert_eq!(
        stored.history.events[&stub("a")].len(),
        3,
        "with its latest events"
    );
}

/// Everything that a restart reads is written to the new file: the stored state is the same, but
/// for its origin.
#[test]
fn a_file_that_is_removed_while_it_is_used_loses_only_the_past() {
    let bench = Bench::new();
    let (store, _) = bench.open();
    let mut last = ExperimentState::new(time(0));
    let mut entries = Vec::new();
    for millis in 0..9 {
        let event = event(millis, Health::Ok);
        last.note(Arc::new(event.clone()));
        entries.push(happened("a", event));
    }
    let silence = SuppressionEntry::Silence(Silence {
        pattern: NamePattern::try_new("pend*").expect("a pattern"),
        who: "ann".into(),
        reason: "repair".into(),
        since: time(5),
        until: time(90_000_000),
    });
    let held = engine::Hold {
        since: time(6),
        touched: time(6),
        reason: "repair".into(),
    };
    let unconfirmed = OutboxEntry {
        route: RouteName::try_new("team").expect("a name"),
        created: time(1),
        news: vec![OutboxNews {
            stub: stub("a"),
            health: Health::Down,
            since: time(1),
        }],
        alerts: Vec::new(),
        message: None,
        digest: None,
        not_before: None,
        may_have_arrived: false,
    };
    let SuppressionEntry::Silence(kept) = silence.clone() else {
        panic!("{silence:?}")
    };
    let last = StateValue::Experiment(Box::new(last));
    entries.extend([
        state(StateKey::Experiment(stub("a")), Some(last)),
        known("b"),
        outgoing(2, &[("a", Health::Down)]),
        state(StateKey::Outbox(2), Some(StateValue::Outbox(unconfirmed))),
        record(
            5,
            Record::Suppression {
                id: SuppressionId(7),
                entry: Box::new(silence),
            },
        ),
        state(
            StateKey::Silence(SuppressionId(7)),
            Some(StateValue::Silence(kept)),
        ),
        hold(6, "r-a", Some("repair")),
        state(
            StateKey::Hold(resource("r-a")),
            Some(StateValue::Hold(held)),
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
    let mut after = bench.stored();
    assert_eq!(after.keep.remove("z"), Some(json!(3)));
    assert_eq!(after.history.events, before.history.events);
    assert_eq!(after.state, before.state);
    assert_eq!(after.keep, before.keep);
    let rows = verify(&bench.file()).expect("a report").rows;
    assert_eq!(
        ["holds", "notes", "outbox", "events"].map(|table| rows[table]),
        [1, 1, 1, 3],
        "what goes on is in the history"
    );
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
    assert_eq!(bench.stored().keep.get("y"), Some(&json!(2)));
}

/// Puts something in the way of the file that blocks even the superuser, then removes it.
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
    assert_eq!(bench.stored().keep.get("y"), Some(&json!(2)));
}

#[tokio::test]
async fn the_backlog_has_a_bound_and_what_is_lost_is_a_gap() {
    let bench = Bench::new();
    std::fs::create_dir(bench.file()).expect("an obstacle");
    let (store, stored) = bench.open();
    assert!(
        matches!(stored.origin, Origin::Unavailable { .. }),
        "{:?}",
        stored.origin
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
    assert_eq!(gaps(&store).await, [gap]);
    assert_eq!(bench.stored().keep.len(), 2);
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
        bench.stored().keep.keys().collect::<Vec<_>>(),
        ["a", "c"],
        "a batch is kept as a whole or not at all"
    );
}

#[test]
fn a_file_that_another_program_holds_delays_no_writer() {
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
    wait_until(&store, "the disk problem", |health, _| {
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
        known("a"),
        known("b"),
        outgoing(1, &[]),
        outgoing(2, &[]),
        outgoing(3, &[]),
        sent(2, 2),
        hold(1, "r", Some("x")),
    ]);
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
    let stored = bench.stored();
    let last = |name: &str| {
        stored.history.events[&stub(name)]
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
            known("a"),
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
    let stored = bench.stored();
    assert_eq!(
        (stored.unreadable, stored.history.events[&stub("a")].len()),
        (1, 1)
    );
}

/// An action of a test on the store that a model can follow.
#[derive(Debug, Clone)]
enum Deed {
    Event(u8, i64, Health),
    Request(u8, Option<i64>),
    Send(u8),
    Sent(u8),
    Restart,
}

fn deed() -> impl Strategy<Value = Deed> {
    let health = proptest::sample::select(vec![Health::Ok, Health::Down, Health::Degraded]);
    prop_oneof![
        (0..4_u8, 0..2_000_i64, health)
            .prop_map(|(name, at, health)| Deed::Event(name, at, health)),
        (0..4_u8, proptest::option::of(0..9_i64))
            .prop_map(|(subject, value)| Deed::Request(subject, value)),
        (0..5_u8).prop_map(Deed::Send),
        (0..5_u8).prop_map(Deed::Sent),
        Just(Deed::Restart),
    ]
}

/// The model: the same state in plain collections.
#[derive(Default)]
struct Plain {
    events: BTreeMap<String, Vec<(i64, Health)>>,
    requests: BTreeMap<String, String>,
    outbox: BTreeMap<u64, bool>,
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
            Deed::Request(subject, value) => {
                let (name, reason) = (format!("r{subject}"), value.map(|value| value.to_string()));
                match &reason {
                    Some(reason) => drop(self.requests.insert(name.clone(), reason.clone())),
                    None => drop(self.requests.remove(&name)),
                }
                requested(&name, reason.as_deref())
            }
            Deed::Send(id) => {
                self.outbox.insert(u64::from(*id), true);
                outgoing(u64::from(*id), &[])
            }
            Deed::Sent(id) => {
                self.outbox
                    .entry(u64::from(*id))
                    .and_modify(|pending| *pending = false);
                sent(u64::from(*id), 1)
            }
            Deed::Restart => return None,
        })
    }

    fn compare(&self, stored: &StoredState, outbox: &[OutboxRow]) {
        let events = stored.history.events.iter().map(|(stub, ring)| {
            let ring = ring
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
        let requests = stored.state.iter().filter_map(|(key, value)| {
            if let (StateKey::Request(name), StateValue::Request(ManualOverride::Hold(reason))) =
                (key, value)
            {
                Some((name.to_string(), reason.clone()))
            } else {
                None
            }
        });
        assert_eq!(requests.collect::<BTreeMap<_, _>>(), self.requests);
        let states = outbox
            .iter()
            .map(|row| (row.id, row.state == OutboxState::Pending));
        assert_eq!(states.collect::<BTreeMap<_, _>>(), self.outbox);
    }
}

/// The stored state, and the content of the outbox.
fn looked_at(bench: &Bench) -> (Store, StoredState, Vec<OutboxRow>) {
    let (store, stored) = bench.open();
    let runtime = tokio::runtime::Builder::new_current_thread()
        .build()
        .expect("a runtime");
    let outbox = runtime.block_on(store.reader().outbox_page(Part::newest(ever())));
    (store, stored, outbox.expect("an answer").rows)
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 24, failure_persistence: None, ..ProptestConfig::default() })]
    #[test]
    fn the_store_equals_a_plain_model(deeds in proptest::collection::vec(deed(), 0..60)) {
        let bench = Bench::new();
        let mut plain = Plain::default();
        let mut store = bench.open().0;
        let experiments = (0..4).map(|name| known(&format!("e{name}"))).collect();
        prop_assert!(store.write(experiments).is_taken());
        for deed in &deeds {
            if let Some(entry) = plain.follow(deed) {
                prop_assert!(store.write(vec![entry]).is_taken());
            } else {
                drop(store);
                let (again, stored, outbox) = looked_at(&bench);
                plain.compare(&stored, &outbox);
                store = again;
            }
        }
        drop(store);
        let (_store, stored, outbox) = looked_at(&bench);
        plain.compare(&stored, &outbox);
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
        bench.stored().history.bookings,
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
            record(35, Record::Switching(switch(false))),
            record(36, confirmed()),
            record(37, Record::Switching(switch(true))),
            state(StateKey::Pools, Some(StateValue::Pools(pools.clone()))),
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
        [(7, Some(Health::Flapping), 4), (40, None, 0)]
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
        "no row says that labwatch runs"
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

/// A database that labwatch 0.1.0 made is migrated completely: `tests/data/labwatch-0.1.sql`.
#[test]
fn a_database_of_0_1_is_taken_over() {
    let bench = Bench::new();
    let old = rusqlite::Connection::open(bench.file()).expect("a file");
    old.execute_batch(include_str!("labwatch-0.1.sql"))
        .expect("tables and rows");
    drop(old);
    bench.set_clock(1_790_000_100_000);
    let (store, stored) = bench.open();
    assert_eq!((stored.unreadable, &stored.origin), (0, &Origin::Found));
    let keys: Vec<String> = stored.state.keys().map(ToString::to_string).collect();
    assert_eq!(
        keys,
        [
            "experiment/pend00",
            "experiment/pend01",
            "experiment/spin00",
            "notified/everybody/experiment/pend00",
            "notified/everybody/alert/jump",
            "reminder/everybody",
            "outbox/2",
            "outbox/3",
            "acknowledgement/experiment/pend00",
            "silence/2",
            "maintenance/3",
            "category/exam",
            "hold/r-spin00",
            "request/r-pend01",
            "source/relay",
            "pools",
            "last/summary",
            "last/suppression",
        ]
    );
    assert_eq!(stored.keep.keys().collect::<Vec<_>>(), ["revoked.abc"]);
    assert_eq!(
        (
            stored.history.events[&stub("pend00")].len(),
            stored.history.bookings.len()
        ),
        (2, 1)
    );
    let text = |key: &str| {
        let key = key.parse::<StateKey>().expect("a key");
        serde_json::to_string(&stored.state[&key]).expect("JSON")
    };
    for (key, part) in [
        (
            "experiment/pend00",
            r#""flips":["2026-09-21T14:13:40Z"],"flaps_since":null,"own_issues":[{"Required":["pend00-st-data","missing"]}]"#,
        ),
        (
            "notified/everybody/experiment/pend00",
            r#""health":"down","issues":[{"Required":["pend00-st-data","missing"]}],"listed":true,"bad_since":"2026-09-21T14:13:40Z"},"thread":{"root":{"at":"2026-09-21T14:13:41Z","id":1}"#,
        ),
        (
            "reminder/everybody",
            r#""reminders":1,"digest":"2026-09-21T14:13:30Z""#,
        ),
        (
            "outbox/2",
            r#""news":[{"stub":"pend01","health":"degraded","since":"2026-09-21T14:13:50Z"}],"alerts":[{"alert":"manifest","since":"2026-09-21T14:13:45Z","ended":"2026-09-21T14:13:48Z"}]"#,
        ),
        (
            "category/exam",
            r#""enabled":false,"at":"2026-09-21T14:14:15Z","by":"labwatch","cause":"fault","reason":"failing: pend00","quarantined":["pend00"]"#,
        ),
        ("hold/r-spin00", r#""reason":"in the workshop""#),
        ("request/r-pend01", r#"{"request":{"hold":"demo"}}"#),
        ("pools", r#"{"pools":{"pend":["pend00","pend01"]}}"#),
        ("last/summary", r#"{"last":3}"#),
        ("last/suppression", r#"{"last":4}"#),
    ] {
        assert!(text(key).contains(part), "{key}: {}", text(key));
    }
    let now = engine::model::Moment::new(time(1_790_000_100_000), Duration::from_secs(1));
    let everybody = engine::Route::everybody();
    let pends = engine::Route {
        name: RouteName::try_new("pends").expect("a name"),
        ..everybody.clone()
    };
    let rules = engine::Rules::new(engine::Policy::default(), vec![everybody, pends]);
    let engine = engine::Engine::resume(rules, &stored.state, now);
    assert_eq!(engine.state(), &stored.state);
    write_and_wait(&store, vec![keep("x", 1)]);
    drop(store);
    assert_eq!(bench.stored().state, stored.state, "the same once more");
    let report = verify(&bench.file()).expect("a report");
    assert_eq!(report.problems, Vec::<String>::new());
}

#[test]
fn a_folder_without_history_is_reported() {
    let nowhere = look(&Bench::new(), 0, 10, 10);
    assert!(
        matches!(&nowhere, Err(ReadError::Failed(why)) if why.contains("no file")),
        "{nowhere:?}"
    );
}
