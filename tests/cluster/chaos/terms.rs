//! Who led when, as etcd says: the election keys as a watch of the test sees them come and go. What
//! it sees it sees late, never early.

use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;

use etcd_client::{Client, EventType, GetOptions, WatchOptions};
use jiff::Timestamp;
use lab::Switched;
use tokio::task::JoinSet;
use tokio::time::{sleep, timeout};

const ELECTION: &str = "/labwatch/lab/leader";

/// An earlier candidate is seen to be gone at most so long after a later one leads.
const SEEN_WITHIN: Duration = Duration::from_secs(20);

/// A member that hangs sends nothing: the watch is renewed after this long without an event.
const EVENT_WITHIN: Duration = Duration::from_secs(5);

/// A candidate: the one that came first leads.
#[derive(Debug, Clone)]
pub struct Candidate {
    pub name: String,
    key: String,
    since: i64,
    pub gone: Option<Timestamp>,
}

/// The watch. It ends with this.
pub struct Terms {
    seen: Arc<Mutex<Vec<Candidate>>>,
    _task: JoinSet<()>,
}

impl Terms {
    pub fn watch(endpoints: Vec<String>) -> Self {
        let seen = Arc::default();
        let mut task = JoinSet::new();
        task.spawn(watch(endpoints, Arc::clone(&seen)));
        Self { seen, _task: task }
    }

    /// All that there were, in the order in which they came.
    pub fn all(&self) -> Vec<Candidate> {
        let mut all = locked(&self.seen).clone();
        all.sort_by_key(|candidate| candidate.since);
        all
    }
}

fn locked(seen: &Mutex<Vec<Candidate>>) -> std::sync::MutexGuard<'_, Vec<Candidate>> {
    seen.lock().unwrap_or_else(PoisonError::into_inner)
}

/// One member after another: one that hangs answers nothing.
async fn watch(endpoints: Vec<String>, seen: Arc<Mutex<Vec<Candidate>>>) {
    for endpoint in endpoints.iter().cycle() {
        // What ends it is etcd's fault of the moment.
        let _ = watch_once(endpoint, &seen).await;
        sleep(Duration::from_millis(100)).await;
    }
}

async fn watch_once(
    endpoint: &String,
    seen: &Mutex<Vec<Candidate>>,
) -> Result<(), etcd_client::Error> {
    let options = etcd_client::ConnectOptions::new().with_timeout(EVENT_WITHIN);
    let mut client = Client::connect([endpoint], Some(options)).await?;
    let prefix = GetOptions::new().with_prefix();
    let now = client.get(ELECTION, Some(prefix)).await?;
    let revision = now
        .header()
        .map_or(0, etcd_client::ResponseHeader::revision);
    let at = Timestamp::now();
    let there: Vec<_> = now
        .kvs()
        .iter()
        .map(|kv| candidate(kv.key(), kv.value(), kv.create_revision()))
        .collect();
    {
        let mut seen = locked(seen);
        for old in seen.iter_mut().filter(|old| old.gone.is_none()) {
            if !there.iter().any(|new| new.since == old.since) {
                old.gone = Some(at);
            }
        }
        for new in there {
            add(&mut seen, new);
        }
    }
    let from = WatchOptions::new()
        .with_prefix()
        .with_start_revision(revision + 1);
    let mut stream = client.watch(ELECTION, Some(from)).await?;
    while let Ok(Ok(Some(answer))) = timeout(EVENT_WITHIN, stream.message()).await {
        if answer.canceled() {
            return Ok(());
        }
        let at = Timestamp::now();
        let mut seen = locked(seen);
        for event in answer.events() {
            let Some(kv) = event.kv() else { continue };
            if event.event_type() == EventType::Put {
                add(
                    &mut seen,
                    candidate(kv.key(), kv.value(), kv.create_revision()),
                );
                continue;
            }
            let key = String::from_utf8_lossy(kv.key());
            for old in seen.iter_mut().filter(|old| old.key == key) {
                old.gone.get_or_insert(at);
            }
        }
    }
    Ok(())
}

fn add(seen: &mut Vec<Candidate>, new: Candidate) {
    if seen.iter().all(|old| old.since != new.since) {
        seen.push(new);
    }
}

fn candidate(key: &[u8], value: &[u8], since: i64) -> Candidate {
    let peer: serde_json::Value = serde_json::from_slice(value).unwrap_or_default();
    Candidate {
        name: peer["name"].as_str().unwrap_or_default().to_owned(),
        key: String::from_utf8_lossy(key).into_owned(),
        since,
        gone: None,
    }
}

/// Whether every write to book can be one of a leader: each in a term of its writer that was not
/// seen to be over, and no term after a later one. Gives the first that cannot.
pub fn foreign_write<'a>(
    terms: &[Candidate],
    writes: impl IntoIterator<Item = (&'a Switched, &'a str)>,
) -> Option<String> {
    let mut reached = 0;
    for (write, writer) in writes {
        let is_over =
            |term: &Candidate| term.gone.is_some_and(|gone| gone <= write.at + SEEN_WITHIN);
        let possible = |term: &&Candidate| {
            term.name == writer
                && term.since >= reached
                && term.gone.is_none_or(|gone| gone >= write.at)
                && terms
                    .iter()
                    .all(|other| other.since >= term.since || is_over(other))
        };
        match terms.iter().find(possible) {
            Some(term) => reached = term.since,
            None => {
                return Some(format!(
                    "{writer} wrote {write:?} without the lead; the terms: {terms:#?}"
                ));
            }
        }
    }
    None
}

#[test]
fn a_write_outside_of_a_term_is_found() {
    let at = |second| Timestamp::from_second(second).expect("in range");
    let term = |name: &str, since, gone: Option<i64>| Candidate {
        name: name.to_owned(),
        key: String::new(),
        since,
        gone: gone.map(at),
    };
    let write = |second| Switched {
        at: at(second),
        resource: "r-pend00".to_owned(),
        available: true,
        reason: String::new(),
        called: String::new(),
    };
    let terms = [
        term("a", 1, Some(10)),
        term("b", 2, Some(30)),
        term("a", 3, None),
    ];
    let is_foreign = |rows: &[(i64, &str)]| {
        let writes: Vec<_> = rows.iter().map(|(at, by)| (write(*at), *by)).collect();
        foreign_write(&terms, writes.iter().map(|(write, by)| (write, *by))).is_some()
    };
    assert!(!is_foreign(&[(5, "a"), (9, "a"), (12, "b"), (31, "a")]));
    assert!(is_foreign(&[(31, "b")]), "its term was over");
    assert!(
        is_foreign(&[(40, "a"), (12, "b"), (41, "c")]),
        "no candidate"
    );
    let waiting = [term("a", 1, None), term("b", 2, None)];
    let early = write(5);
    assert!(
        foreign_write(&waiting, [(&early, "b")]).is_some(),
        "it waited"
    );
    let late = [term("a", 1, Some(10)), term("b", 2, None)];
    let (first, second) = (write(5), write(6));
    let third = write(7);
    let order = [(&first, "a"), (&second, "b"), (&third, "a")];
    assert!(
        foreign_write(&late, order).is_some(),
        "another led meanwhile"
    );
}
