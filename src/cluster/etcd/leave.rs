//! Giving leadership up, at the end of the process or on a request: effects under way end before.

use std::sync::atomic::Ordering;
use std::time::Duration;

use tokio::time::Instant;
use tokio_util::sync::CancellationToken;

use super::member::{Leaving, Member};
use crate::cluster::leadership;
use crate::cluster::membership::ResignAsked;
use engine::Role;

/// How long effects under way are waited for before leadership is given up.
const DRAIN_WITHIN: Duration = Duration::from_secs(3);

/// A replica that was asked to give up leadership does not stand for election again before this.
const STAND_ASIDE: Duration = Duration::from_secs(1);

impl Member {
    pub(super) fn resign(&mut self, asked: ResignAsked) {
        if self.leads() && self.leaving.is_none() {
            self.leave(Some(asked));
        } else {
            // The caller may be gone.
            drop(asked.send(Err("this replica does not lead".to_owned())));
        }
    }

    /// Begins nothing new. Effects under way still end and are committed.
    pub(super) fn leave(&mut self, asked: Option<ResignAsked>) {
        self.ends.fence.end();
        let since = Instant::now();
        self.leaving = Some(Leaving { since, asked });
    }

    /// Gives leadership up once nothing is under way any more. Whether the process ends then.
    pub(super) async fn has_left(&mut self, stop: &CancellationToken) -> bool {
        let is_busy = self.acts() && !self.is_drained();
        let is_due = self
            .leaving
            .as_ref()
            .is_some_and(|leaving| !is_busy || leaving.since.elapsed() >= DRAIN_WITHIN);
        let Some(leaving) = self.leaving.take_if(|_| is_due) else {
            return false;
        };
        self.ends.fence.close();
        let session = self.session.take();
        if let Some(session) = session.filter(|_| !is_busy) {
            Box::pin(session.give_back()).await;
        }
        tracing::info!(name = self.this.name, "this replica has given up its lease");
        if let Some(asked) = leaving.asked {
            self.leadership
                .take(leadership::Event::Lost, Instant::now());
            self.retry_at = Instant::now() + STAND_ASIDE;
            self.stand(Role::Follower);
            // The caller may be gone.
            drop(asked.send(Ok(())));
        }
        stop.is_cancelled()
    }

    fn is_drained(&self) -> bool {
        self.ends.outstanding.load(Ordering::SeqCst) == 0
            && self.ends.commits.is_empty()
            && !self.is_committing()
    }
}
