//! `CLUSTER_ALONE=act`: the leader goes on without etcd when etcd is unreachable for longer than
//! its lease.

use std::time::Duration;

use tokio::time::Instant;

use super::client::{Listing, first};
use super::member::{Alone, Member};
use crate::clients::etcd::Fault;
use crate::cluster::leadership::{self, Phase};
use crate::cluster::membership::Committed;
use engine::Role;

/// For how long the fence is opened at a time: practically without an end, until an operator
/// intervenes.
const WITHOUT_END: Duration = Duration::from_secs(365 * 24 * 3_600);

/// After etcd was away, replicas that did not act meanwhile stand for election this much later than
/// the one that may have.
const LATER: Duration = Duration::from_secs(4);

impl Member {
    /// Whether this replica acts: it leads, or it goes on alone.
    pub(super) fn acts(&self) -> bool {
        self.alone.is_some() || matches!(self.leadership.phase(), Phase::Leader(_))
    }

    /// Goes on alone instead of stepping down, where that is set and etcd is unreachable.
    pub(super) fn stays_alone(&mut self, fault: &Fault) -> bool {
        if self.alone.is_none() {
            let leads = self.view.role == Role::Leader;
            if !(leads && self.settings.acts_alone && fault.is_away() && self.leaving.is_none()) {
                return false;
            }
            tracing::warn!(%fault, "etcd is away: this replica goes on acting alone");
            self.alone = Some(Alone { is_outdated: false });
            self.ends.fence.open_until(Instant::now() + WITHOUT_END);
            self.confirm();
        }
        self.leadership
            .take(leadership::Event::Lost, Instant::now());
        self.session = None;
        self.retry(fault);
        true
    }

    /// How long this replica waits with its election: the one that acted alone has newer state.
    pub(super) fn waits_for_others(&self) -> Duration {
        let was_away = self.fault_of_lease.as_ref().is_some_and(Fault::is_away);
        if self.settings.acts_alone && was_away && self.alone.is_none() {
            LATER
        } else {
            Duration::ZERO
        }
    }

    /// Releases everything that waits for a commit.
    pub(super) fn confirm(&mut self) {
        let (term, number) = (self.term, self.came);
        self.ends.committed.send_replace(Committed { term, number });
    }

    /// etcd is back: compares its state with what this replica left there. Where another one leads,
    /// it follows.
    pub(super) fn compare(&mut self, listing: &Listing) {
        let Some(alone) = &mut self.alone else {
            return;
        };
        alone.is_outdated |= !self.marks.contains(&listing.changed_by);
        let other = first(&listing.peers).filter(|peer| !peer.is_same(&self.view.this));
        if let Some(other) = other {
            tracing::warn!(
                leader = other.name,
                "etcd is back, and another replica leads"
            );
            self.alone = None;
            self.ends.fence.close();
        }
    }
}
