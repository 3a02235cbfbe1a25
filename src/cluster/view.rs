//! The view of the cluster for readers.

use std::time::Duration;

use engine::Role;
use jiff::Timestamp;
use serde::{Deserialize, Serialize};

/// A replica, as the others know it: the JSON value of its election key.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Peer {
    /// Its name.
    pub name: String,
    /// The URL of its API.
    pub url: String,
    /// Its version.
    #[serde(default)]
    pub version: String,
}

impl Peer {
    /// Whether this is another replica that has the same name or the same address, by mistake.
    pub fn is_namesake_of(&self, other: &Self) -> bool {
        (self.name == other.name) != (self.url == other.url)
    }

    /// Whether it is the same replica, in this life or an earlier one.
    pub fn is_same(&self, other: &Self) -> bool {
        self.name == other.name && self.url == other.url
    }
}

/// The state of etcd, as this replica sees it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Etcd {
    /// It was not reached yet.
    Connecting,
    /// It answers.
    Ok,
    /// It has a fault.
    Fault {
        /// The fault, without an address or a message of etcd's.
        what: &'static str,
        /// The same in full, with what to do.
        detail: String,
    },
}

/// The cluster, as this replica sees it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct View {
    /// This replica.
    pub this: Peer,
    /// Whether it leads.
    pub role: Role,
    /// Whether it acts without etcd.
    pub acts_alone: bool,
    /// Since when.
    pub since: Timestamp,
    /// The leader, if there is one.
    pub leader: Option<Peer>,
    /// All replicas that have a lease, the leader first.
    pub replicas: Vec<Peer>,
    /// Whether another replica has this one's name and address, by mistake.
    pub has_twin: bool,
    /// How long a lease lasts.
    pub lease: Duration,
    /// The state of etcd.
    pub etcd: Etcd,
    /// Since when it has it.
    pub etcd_since: Timestamp,
    /// When etcd last answered.
    pub last_answer: Option<Timestamp>,
    /// The revision of the state that this replica knows.
    pub revision: i64,
    /// How many entries of the state a later version wrote.
    pub unknown: usize,
    /// How often it was elected since its start.
    pub terms: u64,
    /// How many commits it has made since its start.
    pub commits: u64,
    /// How many of its commits have failed since its start.
    pub failed_commits: u64,
}

impl View {
    /// Who leads now, of the one that was listed first: what was received longer ago than a lease
    /// lasts says nothing of now.
    pub fn leading(&self, first: Option<&Peer>, now: Timestamp) -> Option<Peer> {
        if self.role == Role::Leader {
            return Some(self.this.clone());
        }
        let is_recent =
            |answered: Timestamp| now.duration_since(answered).unsigned_abs() <= self.lease;
        first
            .filter(|peer| self.last_answer.is_some_and(is_recent) && !peer.is_same(&self.this))
            .cloned()
    }

    /// Whether another replica has this one's name or address.
    pub fn has_namesake(&self) -> bool {
        let mut replicas = self.replicas.iter();
        self.has_twin || replicas.any(|peer| self.this.is_namesake_of(peer))
    }

    /// Before etcd was reached.
    pub fn connecting(this: Peer, lease: Duration, now: Timestamp) -> Self {
        Self {
            this,
            role: Role::Follower,
            acts_alone: false,
            since: now,
            leader: None,
            replicas: Vec::new(),
            has_twin: false,
            lease,
            etcd: Etcd::Connecting,
            etcd_since: now,
            last_answer: None,
            revision: 0,
            unknown: 0,
            terms: 0,
            commits: 0,
            failed_commits: 0,
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_last_known_leader_leads_for_no_longer_than_a_lease() {
        let peer = |name: &str| Peer {
            name: name.to_owned(),
            url: format!("http://{name}:3007/"),
            version: String::new(),
        };
        let (first, this) = (peer("first"), peer("second"));
        let at = |second: i64| Timestamp::from_second(second).expect("a time");
        let mut view = View::connecting(this.clone(), Duration::from_secs(10), at(0));
        assert_eq!(
            view.leading(Some(&first), at(5)),
            None,
            "nothing was answered"
        );
        view.last_answer = Some(at(100));
        assert_eq!(view.leading(Some(&first), at(110)), Some(first.clone()));
        assert_eq!(view.leading(Some(&first), at(111)), None);
        assert_eq!(view.leading(Some(&this), at(100)), None, "this one follows");
        assert_eq!(view.leading(None, at(100)), None);
        view.role = Role::Leader;
        assert_eq!(view.leading(Some(&first), at(500)), Some(this));
    }
}
