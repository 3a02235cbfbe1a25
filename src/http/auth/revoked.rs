//! Revoked tokens, and sessions that were signed out of.
//!
//! Each has its own bound, because any holder of a token can cause sign-outs and only admins
//! revoke: however many sign out, a token can always be revoked. Sign-outs displace the oldest of
//! their own token, revocations the oldest into [`Revocations::not_before`].

mod shared;

use std::collections::BTreeMap;
use std::future::Future;
use std::pin::Pin;
use std::sync::{PoisonError, RwLock};

use engine::model::Gather as _;
use jiff::Timestamp;
use serde::{Deserialize, Serialize};
use serde_json::{Value, json};
use tokio::sync::Notify;

use super::token::{AccessToken, LEEWAY, MAX_LIFE, Session};

/// What the keys of revoked tokens in the store start with. The id follows.
const REVOKED: &str = "token.revoked.";

/// What the keys of sessions that were signed out of start with. The id follows.
const SIGNED_OUT: &str = "session.ended.";

/// The key of the time before which every token counts as revoked.
const NOT_BEFORE: &str = "token.not-before";

/// The most revoked ids that are kept one by one. Beyond, the oldest is folded into a time before
/// which all tokens are revoked.
pub const MAX_REVOKED: usize = 10_000;

/// The most sign-outs that are kept. Beyond, the one whose session ends first is dropped.
pub const MAX_SIGNED_OUT: usize = 10_000;

/// The most sign-outs that are kept of one token. Beyond, the one whose session ends first is
/// dropped: only the token's own holder can have caused them.
pub const MAX_SIGNED_OUT_OF_ONE: usize = 64;

/// Resolves to whether a value was written to disk.
pub type Kept = Pin<Box<dyn Future<Output = bool> + Send>>;

/// Stores small state: a key, and its value or `None` to remove it. It returns at once; the future
/// resolves when it is written.
pub type Keep = Box<dyn Fn(String, Option<Value>) -> Kept + Send + Sync>;

/// The tokens and sessions that are refused although their signature is right and their time is not
/// over.
pub struct Revocations {
    ended: RwLock<Ended>,
    keep: Keep,
    /// Notified when a token is revoked or a session signed out of.
    changed: Notify,
}

#[derive(Default)]
struct Ended {
    tokens: BTreeMap<String, Timestamp>,
    not_before: Option<Timestamp>,
    /// The expiry of each session, by the id of its token and its own.
    sessions: BTreeMap<String, BTreeMap<String, Timestamp>>,
    /// How many sessions there are.
    signed_out: usize,
    /// No entry expires before this time; `None`: not known.
    next_end: Option<Timestamp>,
}

/// A session that was signed out of, as it is stored.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
struct SignedOut {
    /// The id of its token.
    token: String,
    /// When it would have ended anyway.
    until: Timestamp,
}

/// A token that is revoked.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Revoked {
    /// Its id.
    pub id: String,
    /// Until when it is kept.
    pub until: Timestamp,
}

/// Changes to be stored when no lock is held.
type Changes = Vec<(String, Option<Value>)>;

impl Revocations {
    /// Restores them from the store, where expired entries are removed.
    #[must_use]
    pub fn recall<'a>(
        stored: impl IntoIterator<Item = (&'a String, &'a Value)> + Clone,
        now: Timestamp,
        keep: Keep,
    ) -> Self {
        let tokens = revoked_in(stored.clone()).map(|revoked| (revoked.id, revoked.until));
        let mut ended = Ended {
            tokens: tokens.gather(),
            ..Ended::default()
        };
        for (key, value) in stored {
            if key == NOT_BEFORE {
                ended.not_before = value.as_str().and_then(|text| text.parse().ok());
            } else if let Some(id) = key.strip_prefix(SIGNED_OUT)
                && let Ok(session) = SignedOut::deserialize(value)
            {
                ended.add_session(id, &session);
            }
        }
        let changes = ended.prune(now);
        let recalled = Self {
            ended: RwLock::new(ended),
            keep,
            changed: Notify::new(),
        };
        recalled.hand_over(changes);
        recalled
    }

    /// Whether this token is revoked.
    #[must_use]
    pub fn has_token(&self, token: &AccessToken) -> bool {
        let ended = self.ended.read().unwrap_or_else(PoisonError::into_inner);
        ended.has_token(token)
    }

    /// Whether this session was signed out of, or its token is revoked.
    #[must_use]
    pub fn has_session(&self, session: &Session) -> bool {
        let ended = self.ended.read().unwrap_or_else(PoisonError::into_inner);
        // Version 0.1 kept sign-outs among the revoked tokens.
        ended.knows(&session.id, &session.pass.id)
            || ended.tokens.contains_key(&session.id)
            || ended.has_token(&session.pass)
    }

    /// All revoked tokens, by id.
    #[must_use]
    pub fn all(&self) -> Vec<Revoked> {
        let ended = self.ended.read().unwrap_or_else(PoisonError::into_inner);
        let revoked = ended.tokens.iter().map(|(id, until)| Revoked {
            id: id.clone(),
            until: *until,
        });
        revoked.collect()
    }

    /// The time before which every token counts as revoked, once there were more than
    /// [`MAX_REVOKED`] revocations.
    #[must_use]
    pub fn not_before(&self) -> Option<Timestamp> {
        let ended = self.ended.read().unwrap_or_else(PoisonError::into_inner);
        ended.not_before
    }

    /// Revokes the token of this id, and every session made from it, for as long as any token could
    /// live. It takes effect at once; the future resolves to whether it survives a restart.
    pub fn revoke(&self, id: &str, now: Timestamp) -> (Revoked, Kept) {
        let until = longest(now);
        let mut ended = self.ended.write().unwrap_or_else(PoisonError::into_inner);
        let mut changes = ended.prune(now);
        changes.extend(ended.forget_sessions_of(id));
        changes.extend(ended.make_room_for(id));
        ended.tokens.insert(id.to_owned(), until);
        ended.next_end = ended.next_end.min(Some(until));
        drop(ended);
        self.hand_over(changes);
        self.changed.notify_one();
        let kept = (self.keep)(revoked_key(id), Some(time(until)));
        let id = id.to_owned();
        (Revoked { id, until }, kept)
    }

    /// Ends this session early. It takes effect at once, and survives a restart as soon as the
    /// store has written it.
    pub fn sign_out(&self, session: &Session, now: Timestamp) {
        let mut ended = self.ended.write().unwrap_or_else(PoisonError::into_inner);
        let mut changes = ended.prune(now);
        changes.extend(ended.sign_out(session));
        drop(ended);
        self.hand_over(changes);
        self.changed.notify_one();
    }

    fn hand_over(&self, changes: Changes) {
        for (key, value) in changes {
            // A removal that is not stored is repeated at the next start; for a sign-out that is
            // not stored, the browser's cookie is removed.
            drop((self.keep)(key, value));
        }
    }
}

impl Ended {
    fn has_token(&self, token: &AccessToken) -> bool {
        self.tokens.contains_key(&token.id)
            || self
                .not_before
                .is_some_and(|not_before| token.issued < not_before)
    }

    /// Removes expired entries.
    fn prune(&mut self, now: Timestamp) -> Changes {
        if self.next_end.is_some_and(|next| now < next) {
            return Changes::new();
        }
        let mut over = Changes::new();
        self.tokens.retain(|id, until| {
            let lasts = *until > now;
            over.extend((!lasts).then(|| (revoked_key(id), None)));
            lasts
        });
        self.forget_sessions(&mut over, |_, until| until <= now);
        let ends = self.sessions.values().flat_map(BTreeMap::values);
        self.next_end = self.tokens.values().chain(ends).min().copied();
        over
    }

    fn forget_sessions(&mut self, gone: &mut Changes, which: impl Fn(&str, Timestamp) -> bool) {
        self.sessions.retain(|token, own| {
            own.retain(|id, until| {
                let stays = !which(token, *until);
                gone.extend((!stays).then(|| (signed_out_key(id), None)));
                stays
            });
            !own.is_empty()
        });
        self.signed_out = self.sessions.values().map(BTreeMap::len).sum();
    }

    fn add_session(&mut self, id: &str, session: &SignedOut) {
        let own = self.sessions.entry(session.token.clone()).or_default();
        let is_new = own.insert(id.to_owned(), session.until).is_none();
        self.signed_out += usize::from(is_new);
        self.next_end = self.next_end.min(Some(session.until));
    }

    fn sign_out(&mut self, session: &Session) -> Changes {
        let ended = SignedOut {
            token: session.pass.id.clone(),
            // A session is accepted for the leeway after its end, so its sign-out is kept for
            // longer.
            until: later(session.expires),
        };
        self.remember(&session.id, &ended)
    }

    /// Adds a sign-out. Beyond the bound, the one whose session ends first is dropped, even if it
    /// is this one: so replicas that share them converge.
    fn remember(&mut self, id: &str, session: &SignedOut) -> Changes {
        self.add_session(id, session);
        let own = self.sessions.get(&session.token).map_or(0, BTreeMap::len);
        let of_one = (own > MAX_SIGNED_OUT_OF_ONE)
            .then(|| self.forget_first_of(Some(&session.token)))
            .flatten();
        let of_all = (self.signed_out > MAX_SIGNED_OUT)
            .then(|| self.forget_first_of(None))
            .flatten();
        let key = signed_out_key(id);
        let forgotten: Changes = of_one.into_iter().chain(of_all).collect();
        if forgotten.iter().any(|(gone, _)| *gone == key) {
            return Changes::new();
        }
        forgotten
            .into_iter()
            .chain([(key, Some(json!(session)))])
            .collect()
    }

    /// Drops the sign-out whose session ends first, of one token or of all.
    fn forget_first_of(&mut self, token: Option<&str>) -> Option<(String, Option<Value>)> {
        let tokens = self.sessions.iter();
        let tokens = tokens.filter(|(known, _)| token.is_none_or(|token| token == *known));
        let all = tokens.flat_map(|(token, own)| own.iter().map(move |(id, end)| (end, token, id)));
        let (_, token, id) = all.min()?;
        let (token, id) = (token.clone(), id.clone());
        let own = self.sessions.get_mut(&token)?;
        own.remove(&id)?;
        if own.is_empty() {
            self.sessions.remove(&token);
        }
        self.signed_out -= 1;
        Some((signed_out_key(&id), None))
    }

    /// The sessions of a revoked token are refused with it, so their sign-outs need no room.
    fn forget_sessions_of(&mut self, token: &str) -> Changes {
        let mut gone = Changes::new();
        self.forget_sessions(&mut gone, |known, _| known == token);
        gone
    }

    /// Folds the oldest revocation into the time before which all tokens are revoked: a token was
    /// issued before it was revoked, so what is folded stays revoked.
    fn make_room_for(&mut self, id: &str) -> Changes {
        if self.tokens.len() < MAX_REVOKED || self.tokens.contains_key(id) {
            return Changes::new();
        }
        let oldest = self.tokens.iter().min_by_key(|(_, until)| **until);
        let Some((oldest, until)) = oldest.map(|(id, until)| (id.clone(), *until)) else {
            return Changes::new();
        };
        self.tokens.remove(&oldest);
        let not_before = self.not_before.max(Some(revoked_at(until)));
        self.not_before = not_before;
        vec![
            (NOT_BEFORE.to_owned(), not_before.map(time)),
            (revoked_key(&oldest), None),
        ]
    }
}

/// The values to store for a labwatch that does not run, so that it starts with the token revoked.
#[must_use]
pub fn revocation(id: &str, now: Timestamp) -> (String, Value) {
    (revoked_key(id), time(longest(now)))
}

/// The revoked tokens in the store's small state.
pub fn revoked_in<'a>(
    stored: impl IntoIterator<Item = (&'a String, &'a Value)>,
) -> impl Iterator<Item = Revoked> {
    stored.into_iter().filter_map(|(key, value)| {
        let id = key.strip_prefix(REVOKED)?;
        Some(Revoked {
            id: id.to_owned(),
            until: time_in(value)?,
        })
    })
}

fn longest(now: Timestamp) -> Timestamp {
    now.checked_add(MAX_LIFE + 2 * LEEWAY)
        .unwrap_or(Timestamp::MAX)
}

/// When an entry that is kept until this time was revoked, less the leeway of the issuer's clock.
fn revoked_at(until: Timestamp) -> Timestamp {
    until
        .checked_sub(MAX_LIFE + LEEWAY)
        .unwrap_or(Timestamp::MAX)
}

fn later(end: Timestamp) -> Timestamp {
    end.checked_add(2 * LEEWAY).unwrap_or(Timestamp::MAX)
}

fn revoked_key(id: &str) -> String {
    format!("{REVOKED}{id}")
}

fn signed_out_key(id: &str) -> String {
    format!("{SIGNED_OUT}{id}")
}

fn time_in(value: &Value) -> Option<Timestamp> {
    value.as_str()?.parse().ok()
}

fn time(until: Timestamp) -> Value {
    Value::String(until.to_string())
}

#[cfg(test)]
mod tests {
    use std::sync::{Arc, Mutex};

    use super::super::reportable::Reportable;
    use super::super::scope::Scope;
    use super::*;

    pub(super) type Stored = Arc<Mutex<BTreeMap<String, Value>>>;

    /// Revocations that store their state in `stored`.
    pub(super) fn recall(stored: &Stored, now: i64) -> Revocations {
        let held = stored.lock().expect("whole").clone();
        let stored = Arc::clone(stored);
        let keep: Keep = Box::new(move |key, value| {
            let mut stored = stored.lock().expect("whole");
            match value {
                Some(value) => stored.insert(key, value),
                None => stored.remove(&key),
            };
            Box::pin(std::future::ready(true))
        });
        Revocations::recall(&held, at(now), keep)
    }

    pub(super) fn at(second: i64) -> Timestamp {
        Timestamp::from_second(1_800_000_000 + second).expect("in range")
    }

    pub(super) fn token(id: &str, issued: i64) -> AccessToken {
        AccessToken {
            id: id.to_owned(),
            name: "x".to_owned(),
            scopes: [Scope::Read].into_iter().collect(),
            reports: Reportable::default(),
            issued: at(issued),
            expires: at(1_000_000),
        }
    }

    pub(super) fn session(id: &str, token_id: &str, expires: i64) -> Session {
        Session {
            id: id.to_owned(),
            pass: token(token_id, 0),
            csrf: String::new(),
            expires: at(expires),
        }
    }

    #[tokio::test]
    async fn what_is_revoked_stays_so_over_a_restart_and_is_forgotten_in_its_time() {
        let stored = Stored::default();
        let revocations = recall(&stored, 0);
        assert!(!revocations.has_token(&token("abc", 0)));
        let (revoked, kept) = revocations.revoke("abc", at(0));
        assert!(kept.await && revocations.has_token(&token("abc", 0)));
        assert!(revocations.has_session(&session("s", "abc", 100)));
        assert_eq!(revocations.all(), vec![revoked.clone()]);
        assert!(recall(&stored, 10).has_token(&token("abc", 0)));
        let end = revoked.until.as_second() - at(0).as_second();
        assert!(!recall(&stored, end).has_token(&token("abc", 0)));
        assert_eq!(*stored.lock().expect("whole"), BTreeMap::new());
    }

    #[test]
    fn a_session_that_was_signed_out_of_is_refused_until_it_would_have_ended() {
        let stored = Stored::default();
        let revocations = recall(&stored, 0);
        let (one, other) = (session("one", "abc", 100), session("other", "abc", 100));
        revocations.sign_out(&one, at(0));
        assert!(revocations.has_session(&one) && !revocations.has_session(&other));
        let again = recall(&stored, 105);
        assert!(
            again.has_session(&one),
            "a session is valid for the leeway after its end"
        );
        assert!(!again.has_token(&one.pass) && again.all().is_empty());
        recall(&stored, 200);
        assert_eq!(*stored.lock().expect("whole"), BTreeMap::new());
    }

    #[test]
    fn sign_outs_never_use_up_the_room_for_revocations() {
        let stored = Stored::default();
        let revocations = recall(&stored, 0);
        let other = session("other", "other", 100);
        revocations.sign_out(&other, at(0));
        let most = i64::try_from(MAX_SIGNED_OUT).expect("fits");
        for n in 0..most + 10 {
            revocations.sign_out(&session(&format!("s{n}"), "leaked", 1_000 + n), at(0));
        }
        assert!(
            revocations.has_session(&other),
            "the sign-outs of one token displace no other's"
        );
        let newest = session(&format!("s{}", most + 9), "leaked", 1_000);
        assert!(revocations.has_session(&newest));
        let held = stored.lock().expect("whole").len();
        assert_eq!(held, MAX_SIGNED_OUT_OF_ONE + 1);
        drop(revocations.revoke("leaked", at(0)));
        assert!(revocations.has_session(&newest) && revocations.has_token(&newest.pass));
        assert_eq!(
            stored.lock().expect("whole").len(),
            2,
            "the sign-outs of a revoked token need no room"
        );
    }

    #[test]
    fn sign_outs_of_many_tokens_have_a_bound() {
        let stored = Stored::default();
        let revocations = recall(&stored, 0);
        for n in 0..MAX_SIGNED_OUT + 5 {
            let end = 1_000 + i64::try_from(n).expect("fits");
            revocations.sign_out(&session(&format!("s{n}"), &format!("t{n}"), end), at(0));
        }
        assert_eq!(stored.lock().expect("whole").len(), MAX_SIGNED_OUT);
        assert!(!revocations.has_session(&session("s4", "t4", 1_004)));
        assert!(revocations.has_session(&session("s5", "t5", 1_005)));
    }

    /// A leaked admin token can revoke as many made-up ids as it likes, and can still be revoked
    /// itself.
    #[test]
    fn an_admin_can_always_revoke() {
        let stored = Stored::default();
        let revocations = recall(&stored, 0);
        for n in 0..MAX_REVOKED {
            let now = at(i64::try_from(n).expect("fits"));
            drop(revocations.revoke(&format!("t{n}"), now));
        }
        assert_eq!(revocations.not_before(), None);
        let now = 20_000;
        drop(revocations.revoke("leaked", at(now)));
        let revocations = recall(&stored, now);
        assert_eq!(revocations.all().len(), MAX_REVOKED);
        assert!(revocations.has_token(&token("leaked", now)));
        assert!(
            revocations.has_token(&token("t0", 0)),
            "what gave room is still refused"
        );
        assert!(
            !revocations.has_token(&token("good", now)),
            "later tokens are not concerned"
        );
    }

    #[test]
    fn what_makes_no_sense_is_left_out() {
        let stored = [
            ("token.revoked.a", Value::Null),
            ("token.revoked.b", "never".into()),
            ("session.ended.c", "never".into()),
            ("token.not-before", 7.into()),
            ("other", time(at(9))),
        ];
        let stored = stored.map(|(key, value)| (key.to_owned(), value));
        let stored = Stored::new(Mutex::new(stored.into_iter().collect()));
        let revocations = recall(&stored, 0);
        assert!(revocations.all().is_empty() && revocations.not_before().is_none());
    }
}
