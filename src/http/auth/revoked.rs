//! What is revoked: ids of tokens and sessions, each remembered until what it names would have expired anyway.

use std::collections::BTreeMap;
use std::future::Future;
use std::pin::Pin;
use std::sync::{PoisonError, RwLock};

use jiff::Timestamp;
use serde::{Deserialize, Serialize};
use serde_json::Value;

use super::token::{LEEWAY, MAX_LIFE};

/// What the keys in the memory start with. The id follows.
const PREFIX: &str = "token.revoked.";

/// The most ids that are remembered. Only who has a token can add one.
pub const MAX_REVOKED: usize = 10_000;

/// Says whether what was handed over is on disk.
pub type Kept = Pin<Box<dyn Future<Output = bool> + Send>>;

/// Takes small state to keep: a key, and its value or nothing to remove it. It takes it at once; the answer says what became of it.
pub type Keep = Box<dyn Fn(String, Option<Value>) -> Kept + Send + Sync>;

/// The ids that nobody gets in with.
pub struct Revocations {
    ids: RwLock<BTreeMap<String, Timestamp>>,
    keep: Keep,
}

/// Something that is revoked.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Revoked {
    /// Its id.
    pub id: String,
    /// Until when it is remembered.
    pub until: Timestamp,
}

/// Nothing was revoked.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
pub enum RevokeError {
    /// There are [`MAX_REVOKED`] already.
    #[error("{max_revoked} ids are revoked, which is the most: change secret_api, which ends all tokens", max_revoked = MAX_REVOKED)]
    Full,
}

impl Revocations {
    /// What the memory holds of them. What is over is forgotten there.
    #[must_use]
    pub fn recall<'a>(
        memory: impl IntoIterator<Item = (&'a String, &'a Value)>,
        now: Timestamp,
        keep: Keep,
    ) -> Self {
        let all: Vec<Revoked> = revoked_in(memory).take(MAX_REVOKED).collect();
        let recalled = Self {
            ids: RwLock::new(
                all.into_iter()
                    .map(|revoked| (revoked.id, revoked.until))
                    .collect(),
            ),
            keep,
        };
        recalled.prune(now);
        recalled
    }

    /// Whether this id is revoked.
    #[must_use]
    pub fn has(&self, id: &str) -> bool {
        self.ids
            .read()
            .unwrap_or_else(PoisonError::into_inner)
            .contains_key(id)
    }

    /// All of them, by id.
    #[must_use]
    pub fn all(&self) -> Vec<Revoked> {
        let ids = self.ids.read().unwrap_or_else(PoisonError::into_inner);
        ids.iter()
            .map(|(id, until)| Revoked {
                id: id.clone(),
                until: *until,
            })
            .collect()
    }

    /// Revokes an id, from now until `until`, or for as long as any token could live. It holds at once; the answer says whether
    /// it is kept for a restart too.
    ///
    /// # Errors
    /// [`RevokeError`].
    pub fn revoke(
        &self,
        id: &str,
        until: Option<Timestamp>,
        now: Timestamp,
    ) -> Result<(Revoked, Kept), RevokeError> {
        self.prune(now);
        let until = until.unwrap_or_else(|| longest(now));
        let mut ids = self.ids.write().unwrap_or_else(PoisonError::into_inner);
        if ids.len() >= MAX_REVOKED && !ids.contains_key(id) {
            return Err(RevokeError::Full);
        }
        let until = *ids
            .entry(id.to_owned())
            .and_modify(|known| *known = until.max(*known))
            .or_insert(until);
        drop(ids);
        let revoked = Revoked {
            id: id.to_owned(),
            until,
        };
        let kept = (self.keep)(key(id), Some(value(until)));
        Ok((revoked, kept))
    }

    fn prune(&self, now: Timestamp) {
        let mut over = Vec::new();
        self.ids
            .write()
            .unwrap_or_else(PoisonError::into_inner)
            .retain(|id, until| {
                let lasts = *until > now;
                over.extend((!lasts).then(|| id.clone()));
                lasts
            });
        for id in over {
            // Should it not be kept, it is removed at the next start.
            drop((self.keep)(key(&id), None));
        }
    }
}

/// What to keep in the memory of a labwatch that does not run, so that it finds the id revoked.
#[must_use]
pub fn revocation(id: &str, now: Timestamp) -> (String, Value) {
    (key(id), value(longest(now)))
}

/// What small state in the memory says about them.
pub fn revoked_in<'a>(
    memory: impl IntoIterator<Item = (&'a String, &'a Value)>,
) -> impl Iterator<Item = Revoked> {
    memory.into_iter().filter_map(|(key, value)| {
        let id = key.strip_prefix(PREFIX)?;
        Some(Revoked {
            id: id.to_owned(),
            until: value.as_str()?.parse().ok()?,
        })
    })
}

fn longest(now: Timestamp) -> Timestamp {
    now.checked_add(MAX_LIFE + 2 * LEEWAY)
        .unwrap_or(Timestamp::MAX)
}

fn key(id: &str) -> String {
    format!("{PREFIX}{id}")
}

fn value(until: Timestamp) -> Value {
    Value::String(until.to_string())
}

#[cfg(test)]
mod tests {
    use std::sync::{Arc, Mutex};

    use super::*;

    type Written = Arc<Mutex<Vec<(String, Option<Value>)>>>;

    fn recall(memory: &BTreeMap<String, Value>, now: i64) -> (Revocations, Written) {
        let written = Written::default();
        let keep: Keep = {
            let written = Arc::clone(&written);
            Box::new(move |key, value| {
                written.lock().expect("whole").push((key, value));
                Box::pin(std::future::ready(true))
            })
        };
        (Revocations::recall(memory, at(now), keep), written)
    }

    fn at(second: i64) -> Timestamp {
        Timestamp::from_second(second).expect("in range")
    }

    #[tokio::test]
    async fn what_is_revoked_stays_so_through_a_restart_and_is_forgotten_at_its_end() {
        let (revocations, written) = recall(&BTreeMap::new(), 0);
        assert!(!revocations.has("abc"));
        let (revoked, kept) = revocations.revoke("abc", None, at(5)).expect("revokes");
        assert!(kept.await && revocations.has("abc"));
        let (_, again) = revocations
            .revoke("abc", Some(at(6)), at(5))
            .expect("revokes");
        assert!(again.await);
        assert_eq!(
            revocations.all(),
            vec![revoked.clone()],
            "it is never shortened"
        );

        let memory: BTreeMap<_, _> = written
            .lock()
            .expect("whole")
            .clone()
            .into_iter()
            .filter_map(|(k, v)| Some((k, v?)))
            .collect();
        let (recalled, _) = recall(&memory, 10);
        assert!(recalled.has("abc"));
        let (late, removed) = recall(&memory, revoked.until.as_second());
        assert!(!late.has("abc"));
        assert_eq!(
            *removed.lock().expect("whole"),
            [("token.revoked.abc".to_owned(), None)]
        );
    }

    #[test]
    fn there_is_a_most() {
        let memory: BTreeMap<_, _> = (0..MAX_REVOKED)
            .map(|n| (format!("{PREFIX}{n:06}"), value(at(100))))
            .collect();
        let (full, _) = recall(&memory, 0);
        assert!(matches!(
            full.revoke("x", None, at(0)),
            Err(RevokeError::Full)
        ));
        assert!(
            full.revoke("000001", None, at(0)).is_ok(),
            "what is there already can be revoked again"
        );
        assert!(
            full.revoke("x", None, at(100)).is_ok(),
            "there is room when others are over"
        );
    }

    #[test]
    fn what_makes_no_sense_is_left_out() {
        let memory = [
            ("token.revoked.a", Value::Null),
            ("token.revoked.b", "never".into()),
            ("other", value(at(9))),
        ];
        let memory: BTreeMap<_, _> = memory
            .into_iter()
            .map(|(key, value)| (key.to_owned(), value))
            .collect();
        assert_eq!(revoked_in(&memory).count(), 0);
    }
}
