//! What the member publishes: its standing for the driver, and the view of the cluster for readers.

use std::sync::Arc;

use jiff::Timestamp;

use super::member::Member;
use super::session::Session;
use crate::cluster::view::Etcd;
use engine::Role;

/// For this many leases a failed commit is shown, unless one has succeeded: where etcd grants
/// leases but accepts no commits, the replicas lead by turns, and none of them does anything.
const COMMIT_FAULT_LEASES: u32 = 5;

impl Member {
    /// Publishes this replica's standing, and the state to resume from.
    pub(super) fn stand(&mut self, role: Role) {
        let state = self.known.as_ref().map(|known| Arc::new(known.map.state()));
        let (term, is_ours_later) = (self.term, self.is_ours_later);
        let later = self.later.clone();
        self.ends.standing.send_modify(|standing| {
            standing.role = role;
            standing.term = term;
            standing.version += 1;
            standing.is_ours_later = is_ours_later;
            standing.later = later.filter(|_| is_ours_later);
            standing.state = state.or_else(|| standing.state.take());
        });
        if self.view.role != role {
            self.view.role = role;
            self.view.since = Timestamp::now();
        }
    }

    /// Whether a later candidate has the same name and address: this replica's own earlier life
    /// would have come before.
    fn has_twin(&self) -> bool {
        let Some(known) = &self.known else {
            return false;
        };
        let own = self.session.as_ref().and_then(Session::own_key);
        let own = known
            .peers
            .iter()
            .find(|(key, ..)| Some(key) == own.as_ref());
        own.is_some_and(|(_, own, _)| {
            let mut same = known
                .peers
                .iter()
                .filter(|(.., peer)| peer.as_ref().is_some_and(|peer| peer.is_same(&self.this)));
            same.any(|(_, since, _)| since > own)
        })
    }

    pub(super) fn publish_view(&mut self) {
        let of_commit = self.fault_of_commit.as_ref();
        let of_commit =
            of_commit.filter(|(_, at)| at.elapsed() < self.settings.lease * COMMIT_FAULT_LEASES);
        let fault = self
            .fault_of_lease
            .as_ref()
            .or(of_commit.map(|(fault, _)| fault))
            .or(self.fault_of_watch.as_ref());
        let etcd = match (fault, self.view.last_answer) {
            (Some(fault), _) => Etcd::Fault {
                what: fault.what(),
                detail: fault.to_string(),
            },
            (None, Some(_)) => Etcd::Ok,
            (None, None) => Etcd::Connecting,
        };
        if self.view.etcd != etcd {
            self.view.etcd = etcd;
            self.view.etcd_since = Timestamp::now();
        }
        self.view.acts_alone = self.alone.is_some();
        if let Some(known) = &self.known {
            let mut peers = known.peers.clone();
            peers.sort_by_key(|(_, since, _)| *since);
            self.view.replicas = peers.into_iter().filter_map(|(.., peer)| peer).collect();
            self.view.has_twin = self.has_twin();
            self.view.revision = known.revision;
            self.view.unknown = known.map.unknown().count();
        }
        let first = self.view.replicas.first();
        self.view.leader = self.view.leading(first, Timestamp::now());
        let view = &self.view;
        self.ends.view.send_if_modified(|shown| {
            let is_other = **shown != *view;
            if is_other {
                *shown = Arc::new(view.clone());
            }
            is_other
        });
    }
}
