//! A history with an example of everything, in a real store.

use std::sync::Arc;
use std::sync::atomic::{AtomicI64, Ordering};

use engine::model::{
    CallError, Health, JumpHealth, ResourceName, RouteName, SourceHealth, SourceName, StreamHealth,
    Stub, Topic,
};
use engine::{
    Background, Channel, Counts, DeliveryFault, Event, Issue, MessageId, Occasion, Record, Summary,
    Switch, SwitchOutcome, Thread, Why,
};
use jiff::Timestamp;
use labwatch::store::{Entry, Reader, Store, StoreSettings};

use super::lab::{REMOTE, at};

/// The store; it is closed when it is dropped.
pub struct History {
    store: Store,
    _dir: tempfile::TempDir,
}

impl History {
    /// labwatch ran, was off for an hour, and has run since then until now.
    pub async fn new() -> Self {
        let dir = tempfile::tempdir().expect("a folder");
        let settings = StoreSettings {
            dir: dir.path().to_owned(),
            history_days: 100_000,
            ring: 1,
        };
        let clock = Arc::new(AtomicI64::new(-7_000));
        let open = || {
            let clock = Arc::clone(&clock);
            Store::open_with_clock(
                &settings,
                Arc::new(move || at(clock.load(Ordering::SeqCst))),
            )
            .expect("it opens")
            .0
        };
        open().close();
        clock.store(-3_400, Ordering::SeqCst);
        let store = open();
        let ticket = store.write(entries());
        store.durable(ticket).await;
        clock.store(60, Ordering::SeqCst);
        Self { store, _dir: dir }
    }

    pub fn reader(&self) -> Reader {
        self.store.reader()
    }
}

fn entries() -> Vec<Entry> {
    let record = |second, record| Entry::Record {
        at: at(second),
        record,
    };
    let (stub, resource) = (
        Stub::try_new("pend01").expect("a name"),
        ResourceName::try_new("r-pend01").expect("a name"),
    );
    let happened = |second, was, health| {
        let topic = Topic::of(&stub, "st-data").expect("a name");
        let bad = health == Health::Down;
        let issues = if bad {
            vec![Issue::Required(topic.clone(), StreamHealth::Silent)]
        } else {
            vec![]
        };
        let streams = vec![(
            topic,
            if bad {
                StreamHealth::Silent
            } else {
                StreamHealth::Active
            },
        )];
        let event = Event {
            when: at(second),
            health,
            was,
            issues,
            jump: JumpHealth::Up,
            streams,
            why: Why::Observed,
        };
        record(
            second,
            Record::Event {
                stub: stub.clone(),
                event: Arc::new(event),
            },
        )
    };
    let switch = Switch {
        resource: resource.clone(),
        stub: stub.clone(),
        available: false,
        reason: "labwatch: no data".to_owned(),
        by_person: false,
    };
    let failed = SwitchOutcome::Failed(CallError::Unreachable(format!("{REMOTE} refused")));
    let source = |second, health, note: String| {
        record(
            second,
            Record::Source {
                name: SourceName::Jump,
                health,
                said: note.clone().into(),
                note,
            },
        )
    };
    vec![
        happened(-6_000, Health::Unknown, Health::Ok),
        happened(-3_000, Health::Ok, Health::Down),
        record(-2_999, Record::Switching(switch)),
        record(
            -2_998,
            Record::Switched {
                resource: resource.clone(),
                stub: stub.clone(),
                outcome: failed,
            },
        ),
        happened(-2_000, Health::Down, Health::Ok),
        happened(40, Health::Ok, Health::Down),
        source(
            -1_500,
            SourceHealth::Down,
            format!("jump cannot be reached: {REMOTE}"),
        ),
        source(-1_000, SourceHealth::Live, String::new()),
        record(
            -900,
            Record::Hold {
                resource: resource.clone(),
                reason: Some("maintenance".to_owned()),
            },
        ),
        record(
            -800,
            Record::Hold {
                resource,
                reason: None,
            },
        ),
        record(
            -700,
            Record::Notifying(engine::Notification::to_all(Arc::new(summary(at(-700))))),
        ),
        record(
            -699,
            Record::Delivered {
                id: 1,
                outcome: Err(DeliveryFault {
                    fault: CallError::Sick {
                        status: 550,
                        body: "students@example.org unknown".to_owned(),
                    },
                    outlook: engine::Outlook::Refused,
                }),
            },
        ),
    ]
}

/// A summary without anything in it.
fn summary(at: Timestamp) -> Summary {
    Summary {
        id: 1,
        route: RouteName::try_new("mail").expect("a name"),
        channel: Channel::Mail,
        occasion: Occasion::News,
        thread: Thread {
            id: MessageId { at, id: 1 },
            references: Vec::new(),
        },
        at,
        news: Vec::new(),
        problems: Vec::new(),
        alerts: Vec::new(),
        counts: Counts::default(),
        background: Background::default(),
        reminder: None,
    }
}
