//! A history for the screenshots: ninety days in which some experiments were down at times, as
//! labwatch would have kept it.

use std::path::Path;
use std::sync::Arc;

use engine::model::{Availability, Health, JumpHealth, ResourceName, StreamHealth, Stub, Topic};
use engine::{
    Event, ExperimentState, Issue, Record, StateChange, StateKey, StateValue, Switch,
    SwitchOutcome, Why,
};
use jiff::{SignedDuration, Timestamp};
use labwatch::store::{DATABASE_FILE, Entry, Store, StoreSettings};
use rusqlite::Connection;

/// How long ago it begins, in minutes.
const BEGIN: i64 = 90 * 24 * 60;

/// What went wrong: the experiment, how long ago and for how long, in minutes, and what it was
/// meanwhile.
const INCIDENTS: [(&str, i64, i64, Health); 9] = [
    ("pend00", 83 * 1440, 2 * 1440, Health::Down),
    ("pend00", 40 * 1440, 300, Health::Down),
    ("pend00", 9 * 1440, 45, Health::Degraded),
    ("pend00", 600, 130, Health::Down),
    ("spin01", 61 * 1440, 5 * 1440, Health::Down),
    ("spin01", 900, 40, Health::Degraded),
    ("trus02", 30 * 1440, 60, Health::Down),
    ("trus02", 12 * 1440, 90, Health::Down),
    ("trus02", 300, 200, Health::Down),
];

/// Writes it for these experiments, into a folder that labwatch then goes on in.
pub async fn lived_through(folder: &Path, stubs: &[String]) {
    let now = Timestamp::now();
    let ago = move |minutes: i64| now - SignedDuration::from_mins(minutes);
    let settings = StoreSettings {
        dir: folder.to_owned(),
        history_days: 400,
        ring: 20,
    };
    let (store, _) =
        Store::open_with_clock(&settings, Arc::new(move || ago(BEGIN))).expect("it opens");
    let mut entries = Vec::new();
    for stub in stubs {
        let stub = Stub::try_new(stub).expect("a name");
        let known = ExperimentState::new(ago(BEGIN));
        entries.push(Entry::State(StateChange {
            key: StateKey::Experiment(stub.clone()),
            value: Some(StateValue::Experiment(Box::new(known))),
        }));
        entries.push(happened(&stub, ago(BEGIN - 1), Health::Unknown, Health::Ok));
    }
    for (stub, began, lasted, health) in INCIDENTS {
        let stub = Stub::try_new(stub).expect("a name");
        for (minutes, was, is) in [
            (began, Health::Ok, health),
            (began - lasted, health, Health::Ok),
        ] {
            entries.push(happened(&stub, ago(minutes), was, is));
            if health == Health::Down {
                entries.extend(switched(&stub, ago(minutes), is == Health::Ok));
            }
        }
    }
    let ticket = store.write(entries);
    store.durable(ticket).await;
    store.close();
    always_on(folder, now);
}

/// labwatch was on all the time, until just now.
fn always_on(folder: &Path, now: Timestamp) {
    let database = Connection::open(folder.join(DATABASE_FILE)).expect("it opens");
    database.execute("DELETE FROM gaps", []).expect("done");
    database
        .execute("UPDATE alive SET at = ?1", [now.as_millisecond()])
        .expect("done");
}

fn happened(stub: &Stub, when: Timestamp, was: Health, health: Health) -> Entry {
    let topic = Topic::of(stub, "st-data").expect("a name");
    let (issues, jump) = match health {
        Health::Down => (
            vec![Issue::Required(topic.clone(), StreamHealth::Silent)],
            JumpHealth::Up,
        ),
        Health::Degraded => (vec![Issue::JumpLost], JumpHealth::Lost),
        Health::Ok | Health::Unknown | Health::Flapping => (Vec::new(), JumpHealth::Up),
    };
    let streams = vec![(
        topic,
        if health == Health::Down {
            StreamHealth::Silent
        } else {
            StreamHealth::Active
        },
    )];
    let event = Event {
        when,
        health,
        was,
        issues,
        jump,
        streams,
        why: Why::Observed,
    };
    Entry::Record {
        at: when,
        record: Record::Event {
            stub: stub.clone(),
            event: Arc::new(event),
        },
    }
}

fn switched(stub: &Stub, at: Timestamp, available: bool) -> [Entry; 2] {
    let resource = ResourceName::try_new(&format!("r-{stub}")).expect("a name");
    let reason = if available {
        "labwatch: working again"
    } else {
        "labwatch: out of order at the moment, its data is connected but not sending"
    };
    let switch = Switch {
        resource: resource.clone(),
        stub: stub.clone(),
        available,
        reason: reason.to_owned(),
        by_person: false,
    };
    let done = Record::Switched {
        resource,
        stub: stub.clone(),
        outcome: SwitchOutcome::Confirmed(Availability {
            available,
            reason: reason.to_owned(),
        }),
    };
    [Record::Switching(switch), done].map(|record| Entry::Record { at, record })
}
