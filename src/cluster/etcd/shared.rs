//! Handling the content of etcd: a listing that may be of an etcd that has gone back, and the
//! entries that all replicas share.

use std::sync::Arc;
use std::time::Duration;

use tokio::time::Instant;

use super::client::{Listing, share};
use super::event::Change;
use super::member::Member;
use super::session::Session;
use crate::clients::etcd::Fault;
use crate::cluster::membership::{Share, Shared};
use engine::Role;

/// Followers resume from a changed state at most this often.
const FOLLOW_EVERY: Duration = Duration::from_secs(1);

/// The kinds of entries that a follower's readers see and that it cannot observe itself.
const SHOWN: [&str; 6] = [
    "acknowledgement/",
    "silence/",
    "maintenance/",
    "category/",
    "notified/",
    "request/",
];

impl Member {
    /// Applies changes in etcd.
    pub(super) fn change(&mut self, changes: Vec<(i64, Change)>, revision: i64) {
        let (mut is_shown, mut is_by_leader, mut is_by_hand) = (false, false, false);
        let mut is_shared = false;
        for (_, change) in &changes {
            match change {
                Change::State {
                    key,
                    is_by_hand: by_hand,
                    ..
                } => {
                    is_shown |= SHOWN.iter().any(|kind| key.starts_with(kind));
                    is_by_hand |= by_hand;
                    is_by_leader = is_by_leader || !by_hand;
                }
                Change::Shared(..) => is_shared = true,
                Change::Came(..) | Change::Left(_) => {}
            }
        }
        if is_by_leader {
            // A leader has committed what it knows.
            self.forget_later();
        }
        if is_by_hand {
            self.keep_former();
        }
        if let Some(known) = &mut self.known {
            known.revision = known.revision.max(revision);
            known.take_all(changes);
        }
        if is_shared {
            self.show_shared();
        }
        self.mind_own_key();
        if is_by_hand && self.leads() {
            tracing::warn!(
                "the state in etcd was changed by another hand: it is made what this replica knows"
            );
            self.stand(Role::Leader);
        }
        if is_shown && !self.acts() {
            self.follow_at
                .get_or_insert_with(|| Instant::now() + FOLLOW_EVERY);
        }
    }

    /// This replica's state is later than that in etcd.
    fn keep_former(&mut self) {
        if !std::mem::replace(&mut self.is_ours_later, true) {
            // A leader knows more than it has committed; a follower has not applied the latest
            // changes yet.
            let known = self.known.as_ref();
            let known = known.filter(|_| self.view.role == Role::Follower);
            self.later = known.map(|known| Arc::new(known.map.state()));
        }
    }

    /// Applies a full listing of etcd. An etcd that was emptied, or set back to a snapshot, has
    /// lost commits: this replica's state is later then, and is committed anew when it leads. A
    /// leader has to be elected again for that.
    pub(super) fn adopt(&mut self, listing: Listing) {
        if listing.went_back {
            tracing::error!(
                revision = listing.revision,
                "etcd has gone back: it was emptied or restored from a snapshot. What this replica knows is kept"
            );
            self.latest.go_back(listing.revision);
            self.keep_former();
        } else if listing.map.is_empty() && self.knows_state() {
            // All keys were deleted, and this was read before the deletion was seen.
            self.keep_former();
        }
        let went_back = listing.went_back;
        self.known = Some(listing.or_later(self.known.take()));
        self.show_shared();
        if went_back && self.leads() && self.view.role == Role::Leader {
            self.step_down(&Fault::WentBack);
        }
    }

    fn knows_state(&self) -> bool {
        self.known
            .as_ref()
            .is_some_and(|known| !known.map.is_empty())
    }

    /// Takes a new lease where the own election key is gone.
    pub(super) fn mind_own_key(&mut self) {
        let lost = |(session, known): (&mut Session, &Listing)| session.has_lost_its_key(known);
        if self
            .session
            .as_mut()
            .zip(self.known.as_ref())
            .is_some_and(lost)
        {
            self.step_down(&Fault::Lost);
        }
    }

    /// Publishes the shared entries.
    pub(super) fn show_shared(&self) {
        let Some(known) = &self.known else { return };
        let read = |(key, value): (&String, &Vec<u8>)| {
            Some((key.clone(), serde_json::from_slice(value).ok()?))
        };
        let shared: Shared = known.shared.iter().filter_map(read).collect();
        self.ends.shared.send_if_modified(|shown| {
            let is_new = shown.as_deref() != Some(&shared);
            if is_new {
                *shown = Some(Arc::new(shared));
            }
            is_new
        });
    }

    /// Writes shared entries. Where that fails, they are sent again.
    pub(super) fn share(&mut self, shares: Vec<Share>) {
        let settings = self.settings.clone();
        let lease = self.session.as_ref().and_then(Session::lease);
        self.returning.spawn(async move {
            if let Err(fault) = Box::pin(share(&settings, shares, lease)).await {
                tracing::debug!(%fault, "what all replicas share is not written now");
            }
        });
    }
}
