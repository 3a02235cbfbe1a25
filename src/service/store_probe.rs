//! The probe of the store: writes a value, waits until it is on disk, and reads it back.

use std::time::Duration;

use jiff::Timestamp;
use serde_json::{Value, json};
use tokio::time::timeout;

use crate::health::{Attempt, Check, Finding, Pace, State};
use crate::store::{Entry, ReadError, Store, StoreHealth, StoreState};

/// Interval and time limit of the probe.
pub(super) const PACE: Pace = Pace {
    period: Duration::from_secs(10),
    timeout: Duration::from_secs(8),
    retries: 0,
    cooldown: Duration::from_secs(0),
};

/// How long a write may take to reach the disk. After that it is reported as slow, which is no
/// fault
/// while nothing is lost.
const WRITE_WITHIN: Duration = Duration::from_secs(4);

/// The longest that reading it back may take. Other queries may be long, and come first.
const READ_BACK_WITHIN: Duration = Duration::from_secs(2);

const STORE_KEY: &str = "health.probe";

/// Errors of SQLite when another program locks the file.
const BUSY: [&str; 2] = ["database is locked", "database table is locked"];

/// Writes a value, waits until it is on disk and reads it back.
pub(super) fn check(store: Store) -> Check {
    Box::new(move || {
        let store = store.clone();
        Box::pin(async move { Attempt::Found(try_store(&store).await) })
    })
}

async fn try_store(store: &Store) -> Finding {
    let health = store.health();
    if health.state == StoreState::Degraded {
        return cannot_write(&health);
    }
    let written = json!(Timestamp::now());
    let ticket = store.write(vec![Entry::Keep {
        key: STORE_KEY.to_owned(),
        value: Some(written.clone()),
    }]);
    if !ticket.is_taken() {
        return Finding::error("it is so far behind that it accepts no entries");
    }
    if timeout(WRITE_WITHIN, store.durable(ticket)).await.is_err() {
        return takes_long(&store.health());
    }
    read_back(store, &written).await
}

/// The finding when writing fails. Another program that locks the file is no fault of this process,
/// and no loss while entries can wait for it.
fn cannot_write(health: &StoreHealth) -> Finding {
    let why = health.last_error.as_deref().unwrap_or_default();
    let (waiting, lost) = (health.waiting, health.lost);
    let is_busy = BUSY.iter().any(|busy| why.contains(busy));
    if !is_busy {
        return Finding::error(format!(
            "it cannot write ({why}); {waiting} entries wait, {lost} are lost"
        ));
    }
    let state = if lost == 0 { State::Warn } else { State::Error };
    let words = format!(
        "another program holds the database ({why}): end it; {waiting} entries wait, {lost} are lost"
    );
    Finding::new(state, words).external()
}

/// The finding when the disk is slow, or another program locks the file.
fn takes_long(health: &StoreHealth) -> Finding {
    if health.state == StoreState::Degraded {
        return cannot_write(health);
    }
    let words = format!(
        "its disk takes long, or another program holds the database: {} entries wait",
        health.waiting
    );
    Finding::new(State::Warn, words).external()
}

/// Whether the value can be read. Many waiting queries, or a long one, are no fault of the disk:
/// they
/// are reported, and the store is ok.
async fn read_back(store: &Store, written: &Value) -> Finding {
    match timeout(READ_BACK_WITHIN, store.reader().kept(STORE_KEY)).await {
        Ok(Ok(Some(found))) if found == *written => Finding::ok(),
        Ok(Ok(_)) => Finding::error("what was written is not there when it is read back"),
        Err(_) | Ok(Err(ReadError::Busy)) => Finding::new(
            State::Warn,
            "it writes, but its history answers slowly: many questions wait",
        ),
        Ok(Err(error)) => Finding::error(format!("what was written cannot be read back: {error}")),
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::store::{DATABASE_FILE, StoreSettings};

    /// Repeats the check until it has this result, for at most half a minute.
    async fn becomes(wanted: State, ask: impl AsyncFn() -> Finding) -> Finding {
        let mut last = ask().await;
        for _ in 0..300 {
            if last.state == wanted {
                break;
            }
            tokio::time::sleep(Duration::from_millis(100)).await;
            last = ask().await;
        }
        assert_eq!(last.state, wanted, "{}", last.detail);
        last
    }

    #[tokio::test]
    async fn a_store_is_written_and_read_back_and_one_that_is_busy_is_no_fault_of_ours() {
        let folder = tempfile::tempdir().expect("a folder");
        let settings = StoreSettings {
            dir: folder.path().to_owned(),
            history_days: 1,
            ring: 5,
        };
        let (store, _) = Store::open(&settings).expect("opens");
        let tried = async || try_store(&store).await;
        becomes(State::Ok, tried).await;
        let kept = store.reader().kept(STORE_KEY).await.expect("can be read");
        assert!(kept.is_some_and(|value| {
            value
                .as_str()
                .is_some_and(|text| text.parse::<Timestamp>().is_ok())
        }));

        let other =
            rusqlite::Connection::open(folder.path().join(DATABASE_FILE)).expect("the file");
        other
            .execute_batch("BEGIN IMMEDIATE")
            .expect("takes the file");
        let busy = becomes(State::Warn, tried).await;
        assert!(
            busy.is_external && busy.detail.contains("another program holds the database"),
            "{busy:?}"
        );
        other.execute_batch("ROLLBACK").expect("gives it back");
        becomes(State::Ok, tried).await;
    }

    #[test]
    fn what_is_lost_or_no_other_program_does_is_an_error() {
        for (why, lost, state, is_external) in [
            ("database is locked", 0, State::Warn, true),
            ("database is locked", 3, State::Error, true),
            ("disk is full", 0, State::Error, false),
        ] {
            let finding = cannot_write(&StoreHealth {
                state: StoreState::Degraded,
                since: Timestamp::UNIX_EPOCH,
                lost,
                waiting: 7,
                last_error: Some(why.to_owned()),
                anew: None,
                set_aside: None,
            });
            assert_eq!(
                (finding.state, finding.is_external),
                (state, is_external),
                "{why} {lost}"
            );
        }
    }

    #[tokio::test]
    async fn what_is_not_there_when_it_is_read_back_is_an_error() {
        let folder = tempfile::tempdir().expect("a folder");
        let settings = StoreSettings {
            dir: folder.path().to_owned(),
            history_days: 1,
            ring: 5,
        };
        let (store, _) = Store::open(&settings).expect("opens");
        assert_eq!(try_store(&store).await, Finding::ok());
        assert_eq!(
            read_back(&store, &json!("other")).await.detail,
            "what was written is not there when it is read back"
        );
    }
}
