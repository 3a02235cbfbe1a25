//! Merges revocations and sign-outs between replicas.

use std::collections::BTreeMap;
use std::sync::PoisonError;
use std::time::Duration;

use engine::model::Gather as _;
use jiff::Timestamp;
use serde::Deserialize;
use serde_json::{Value, json};

use super::{
    Changes, Ended, NOT_BEFORE, REVOKED, Revocations, Revoked, SIGNED_OUT, SignedOut, revoked_at,
    revoked_in, revoked_key, signed_out_key, time, time_in,
};

/// Expired entries are removed this much later: a replica whose clock is behind would put them
/// back.
const CLOCKS_DIFFER: Duration = Duration::from_secs(3_600);

impl Revocations {
    /// Waits for a revocation or a sign-out. For one task.
    pub async fn changed(&self) {
        self.changed.notified().await;
    }

    /// Merges the entries of other replicas into ours and stores them. Expired ones are left out.
    pub fn merge(&self, shared: &BTreeMap<String, Value>, now: Timestamp) {
        let mut ended = self.ended.write().unwrap_or_else(PoisonError::into_inner);
        let changes = ended.merge(shared, now);
        drop(ended);
        self.hand_over(changes);
    }

    /// The changes to the shared entries: ours that are missing there, and the removal of those
    /// there that count no more. All shared entries must have been merged before.
    #[must_use]
    pub fn news(
        &self,
        shared: &BTreeMap<String, Value>,
        now: Timestamp,
    ) -> Vec<(String, Option<Value>)> {
        let ended = self.ended.read().unwrap_or_else(PoisonError::into_inner);
        let missing = ended.entries().into_iter().filter(|(key, value)| {
            let is_there = shared.get(key) == Some(value);
            !is_there && !is_over(key, value, now)
        });
        let long_ago = now.saturating_sub(CLOCKS_DIFFER).unwrap_or(now);
        let gone = shared.iter().filter(|(key, value)| {
            is_over(key, value, long_ago)
                || (!is_over(key, value, now) && ended.has_displaced(key, value))
        });
        // A replacement is written before what it replaces is removed.
        missing
            .map(|(key, value)| (key, Some(value)))
            .chain(gone.map(|(key, _)| (key.clone(), None)))
            .collect()
    }
}

impl Ended {
    fn entries(&self) -> BTreeMap<String, Value> {
        let tokens = self.tokens.iter();
        let tokens = tokens.map(|(id, until)| (revoked_key(id), time(*until)));
        let not_before = self.not_before.map(|at| (NOT_BEFORE.to_owned(), time(at)));
        let sessions = self.sessions.iter().flat_map(|(token, own)| {
            own.iter().map(move |(id, until)| {
                let (token, until) = (token.clone(), *until);
                (signed_out_key(id), json!(SignedOut { token, until }))
            })
        });
        tokens.chain(not_before).chain(sessions).gather()
    }

    fn merge(&mut self, shared: &BTreeMap<String, Value>, now: Timestamp) -> Changes {
        let mut changes = self.prune(now);
        let not_before = shared.get(NOT_BEFORE).and_then(time_in);
        if not_before > self.not_before {
            self.not_before = not_before;
            changes.extend(not_before.map(|at| (NOT_BEFORE.to_owned(), Some(time(at)))));
            changes.extend(self.forget_folded());
        }
        for Revoked { id, until } in revoked_in(shared) {
            // The later one counts, here as there: otherwise replicas that both revoked it would
            // overwrite each other for ever.
            let is_later = self.tokens.get(&id).is_none_or(|known| until > *known);
            if until > now && !self.has_folded(until) && is_later {
                changes.extend(self.forget_sessions_of(&id));
                changes.extend(self.make_room_for(&id));
                changes.push((revoked_key(&id), Some(time(until))));
                self.next_end = self.next_end.min(Some(until));
                self.tokens.insert(id, until);
            }
        }
        for (key, value) in shared {
            let id = key.strip_prefix(SIGNED_OUT);
            if let Some((id, session)) = id.zip(SignedOut::deserialize(value).ok())
                && session.until > now
                && !self.knows(id, &session.token)
                && !self.tokens.contains_key(&session.token)
            {
                changes.extend(self.remember(id, &session));
            }
        }
        changes
    }

    /// Whether the time before which all tokens are revoked includes a revocation that is kept
    /// until then.
    fn has_folded(&self, until: Timestamp) -> bool {
        self.not_before.is_some_and(|at| revoked_at(until) <= at)
    }

    fn forget_folded(&mut self) -> Changes {
        let tokens = self.tokens.iter();
        let folded = tokens.filter(|(_, until)| self.has_folded(**until));
        let folded: Vec<String> = folded.map(|(id, _)| id.clone()).collect();
        for id in &folded {
            self.tokens.remove(id);
        }
        folded.iter().map(|id| (revoked_key(id), None)).collect()
    }

    pub(super) fn knows(&self, id: &str, token: &str) -> bool {
        self.sessions
            .get(token)
            .is_some_and(|own| own.contains_key(id))
    }

    /// Whether a shared entry that has not expired was dropped here, for the bound or because its
    /// token is revoked.
    fn has_displaced(&self, key: &str, value: &Value) -> bool {
        if let Some(id) = key.strip_prefix(REVOKED) {
            let is_folded = time_in(value).is_some_and(|until| self.has_folded(until));
            return is_folded && !self.tokens.contains_key(id);
        }
        let id = key.strip_prefix(SIGNED_OUT);
        id.zip(SignedOut::deserialize(value).ok())
            .is_some_and(|(id, session)| !self.knows(id, &session.token))
    }
}

/// Whether a shared entry has expired.
fn is_over(key: &str, value: &Value, now: Timestamp) -> bool {
    let until = if key.starts_with(REVOKED) {
        time_in(value)
    } else if key.starts_with(SIGNED_OUT) {
        SignedOut::deserialize(value)
            .ok()
            .map(|session| session.until)
    } else {
        None
    };
    until.is_some_and(|until| until <= now)
}

#[cfg(test)]
mod tests {
    use super::super::tests::{Stored, at, recall, session, token};
    use super::super::{LEEWAY, MAX_REVOKED, MAX_SIGNED_OUT_OF_ONE};
    use super::*;

    impl Revocations {
        /// All entries in their stored form.
        fn entries(&self) -> BTreeMap<String, Value> {
            self.ended.read().expect("whole").entries()
        }

        /// Merges and then updates the shared entries. Returns the number of changes.
        fn sync(&self, shared: &mut BTreeMap<String, Value>, now: Timestamp) -> usize {
            self.merge(shared, now);
            let news = self.news(shared, now);
            for (key, value) in news.clone() {
                match value {
                    Some(value) => shared.insert(key, value),
                    None => shared.remove(&key),
                };
            }
            news.len()
        }
    }

    /// Makes all of them sync until none has changes.
    fn settle(replicas: &[&Revocations], shared: &mut BTreeMap<String, Value>, now: Timestamp) {
        for _ in 0..10 {
            let wrote = replicas.iter().map(|one| one.sync(shared, now));
            if wrote.sum::<usize>() == 0 {
                return;
            }
        }
        panic!("they write over each other for ever");
    }

    #[test]
    fn what_is_displaced_goes_from_what_is_shared() {
        let [of_first, of_second] = [(); 2].map(|()| Stored::default());
        let (first, second) = (recall(&of_first, 0), recall(&of_second, 0));
        let mut shared = BTreeMap::new();
        let most = i64::try_from(MAX_SIGNED_OUT_OF_ONE).expect("fits");
        for n in 0..most + 10 {
            for (replica, name) in [(&first, "a"), (&second, "b")] {
                replica.sign_out(&session(&format!("{name}{n}"), "busy", 1_000 + n), at(0));
            }
            if n % 20 == 0 {
                settle(&[&first, &second], &mut shared, at(0));
            }
        }
        settle(&[&second, &first], &mut shared, at(0));
        assert_eq!(shared.len(), MAX_SIGNED_OUT_OF_ONE);
        assert_eq!(
            (first.entries(), second.entries()),
            (shared.clone(), shared.clone())
        );
        assert!(first.has_session(&session(&format!("b{}", most + 9), "busy", 1_000)));
        drop(first.revoke("busy", at(1)));
        settle(&[&first, &second], &mut shared, at(1));
        assert_eq!(shared.len(), 1, "a revoked token needs no sign-outs");
        shared.insert("session.ended.x".to_owned(), Value::Bool(true));
        settle(&[&first, &second], &mut shared, at(2));
        assert_eq!(shared.len(), 2, "what is not understood stays");
    }

    #[test]
    fn revocations_that_are_folded_go_from_what_is_shared() {
        let [of_first, of_second] = [(); 2].map(|()| Stored::default());
        let (first, second) = (recall(&of_first, 0), recall(&of_second, 0));
        let mut shared = BTreeMap::new();
        drop(second.revoke("early", at(0)));
        drop(first.revoke("early too", at(1)));
        settle(&[&first, &second], &mut shared, at(1));
        for n in 0..MAX_REVOKED {
            let now = at(100 + i64::try_from(n).expect("fits"));
            drop(first.revoke(&format!("t{n}"), now));
        }
        settle(&[&first, &second], &mut shared, at(20_000));
        assert_eq!(
            shared.len(),
            MAX_REVOKED + 1,
            "with the time before which all are"
        );
        for replica in [&first, &second] {
            assert_eq!(replica.entries(), shared);
            assert!(
                replica.has_token(&token("early", 0)) && replica.has_token(&token("early too", 1))
            );
        }
    }

    #[test]
    fn what_two_replicas_revoke_ends_alike() {
        let [of_first, of_second] = [(); 2].map(|()| Stored::default());
        let (first, second) = (recall(&of_first, 0), recall(&of_second, 0));
        drop(first.revoke("leaked", at(0)));
        drop(second.revoke("leaked", at(10)));
        assert_ne!(first.entries(), second.entries());
        first.merge(&second.entries(), at(11));
        second.merge(&first.entries(), at(11));
        assert_eq!(first.entries(), second.entries());
        assert_eq!(
            *of_first.lock().expect("whole"),
            first.entries(),
            "it is kept"
        );
    }

    #[test]
    fn what_one_replica_revokes_the_others_take_in() {
        let [of_first, of_second, of_third] = [(); 3].map(|()| Stored::default());
        let (first, second) = (recall(&of_first, 0), recall(&of_second, 0));
        drop(first.revoke("leaked", at(0)));
        first.sign_out(&session("s1", "good", 1_000), at(0));
        let shared = first.entries();
        assert_eq!(shared.len(), 2);
        for _ in 0..2 {
            second.merge(&shared, at(1));
        }
        assert_eq!(second.entries(), shared);
        assert_eq!(*of_second.lock().expect("whole"), shared, "it is kept");
        assert!(second.has_token(&token("leaked", 0)));
        assert!(second.has_session(&session("s1", "good", 1_000)));
        assert!(!second.has_session(&session("s2", "good", 1_000)));
        let end = second.all()[0].until;
        assert!(shared.iter().all(|(key, value)| is_over(key, value, end)));
        let session_end = at(1_000).checked_add(2 * LEEWAY).expect("in range");
        assert!(
            second.news(&shared, session_end).is_empty(),
            "other clocks may be behind"
        );
        let late = end.checked_add(CLOCKS_DIFFER).expect("in range");
        assert_eq!(second.news(&shared, late).len(), 2, "it is removed");
        let third = recall(&of_third, 0);
        third.merge(&shared, end);
        assert!(third.entries().is_empty(), "what is over is not taken in");
    }
}
