//! What stands in etcd as this replica takes it up: a listing that may be of an etcd that has gone back, and what all replicas share.

use std::sync::Arc;

use super::client::{Listing, share};
use super::member::Member;
use super::session::Session;
use crate::clients::etcd::Fault;
use crate::cluster::membership::{Share, Shared};
use engine::Role;

impl Member {
    /// Takes up all that stands in etcd. An etcd that was emptied, or set back to a snapshot, has lost what it had taken: what this
    /// replica knows is later then, and is committed anew when it leads. One that leads has to be elected again for that.
    pub(super) fn adopt(&mut self, listing: Listing) {
        if listing.went_back {
            tracing::error!(
                revision = listing.revision,
                "etcd has gone back: it was emptied or restored from a snapshot. What this replica knows is kept"
            );
            self.latest.go_back(listing.revision);
            if !std::mem::replace(&mut self.is_ours_later, true) {
                // One that leads knows more than it has committed; one that follows has not taken up yet what came last.
                let known = self
                    .known
                    .as_ref()
                    .filter(|_| self.view.role == Role::Follower);
                self.later = known.map(|known| Arc::new(known.map.state()));
            }
        }
        let went_back = listing.went_back;
        self.known = Some(listing.or_later(self.known.take()));
        self.show_shared();
        if went_back && self.leads() && self.view.role == Role::Leader {
            self.step_down(&Fault::WentBack);
        }
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

    /// Hands on what is shared.
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

    /// Writes to what is shared. Where that fails, it is handed over again.
    pub(super) fn share(&mut self, shares: Vec<Share>) {
        let settings = self.settings.clone();
        self.returning.spawn(async move {
            if let Err(fault) = Box::pin(share(&settings, shares)).await {
                tracing::debug!(%fault, "what all replicas share is not written now");
            }
        });
    }
}
