//! Revocations and sign-outs of several replicas: what one knows is taken in by the others.

use std::collections::BTreeMap;
use std::sync::PoisonError;

use jiff::Timestamp;
use serde::Deserialize;
use serde_json::{Value, json};

use super::{
    Changes, Ended, MAX_SIGNED_OUT, MAX_SIGNED_OUT_OF_ONE, NOT_BEFORE, REVOKED, Revocations,
    Revoked, SIGNED_OUT, SignedOut, revoked_at, revoked_in, revoked_key, signed_out_key, time,
    time_in,
};

impl Revocations {
    /// Waits for a revocation or a sign-out. For one task.
    pub async fn changed(&self) {
        self.changed.notified().await;
    }

    /// All of it as it is kept, for other replicas.
    #[must_use]
    pub fn entries(&self) -> BTreeMap<String, Value> {
        let ended = self.ended.read().unwrap_or_else(PoisonError::into_inner);
        ended.entries()
    }

    /// Takes in what other replicas know, and keeps it. What is over is not taken in.
    pub fn merge(&self, shared: &BTreeMap<String, Value>, now: Timestamp) {
        let mut ended = self.ended.write().unwrap_or_else(PoisonError::into_inner);
        let changes = ended.merge(shared, now);
        drop(ended);
        self.hand_over(changes);
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
        tokens.chain(not_before).chain(sessions).collect()
    }

    fn merge(&mut self, shared: &BTreeMap<String, Value>, now: Timestamp) -> Changes {
        let mut changes = self.prune(now);
        let not_before = shared.get(NOT_BEFORE).and_then(time_in);
        if not_before > self.not_before {
            self.not_before = not_before;
            changes.extend(not_before.map(|at| (NOT_BEFORE.to_owned(), Some(time(at)))));
        }
        for Revoked { id, until } in revoked_in(shared) {
            let is_folded = self.not_before.is_some_and(|at| revoked_at(until) <= at);
            // The later one counts, here as there: otherwise replicas that both revoked it would write over each other for ever.
            let is_later = self.tokens.get(&id).is_none_or(|known| until > *known);
            if until > now && !is_folded && is_later {
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
                && self.has_room_for(id, &session.token)
            {
                self.add_session(id, &session);
                changes.push((key.clone(), Some(value.clone())));
            }
        }
        changes
    }

    /// Whether a sign-out that another replica knows is new here and displaces none.
    fn has_room_for(&self, id: &str, token: &str) -> bool {
        let own = self.sessions.get(token);
        let is_new = own.is_none_or(|own| !own.contains_key(id));
        let is_full = own.map_or(0, BTreeMap::len) >= MAX_SIGNED_OUT_OF_ONE
            || self.signed_out >= MAX_SIGNED_OUT;
        is_new && !is_full && !self.tokens.contains_key(token)
    }
}

/// Whether an entry that replicas share is over: it would have ended by itself.
#[must_use]
pub fn is_over(key: &str, value: &Value, now: Timestamp) -> bool {
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
    use super::*;

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
        let late = recall(&of_third, 0);
        late.merge(&shared, end);
        assert!(late.entries().is_empty(), "what is over is not taken in");
    }
}
