//! Shares with the other replicas what each of them may add to: the tokens that are revoked and the
//! sessions that were signed out of.
//!
//! It compares what stands in etcd with what is known here, so that nothing is lost while etcd is
//! away.

use std::sync::Arc;
use std::time::Duration;

use jiff::Timestamp;

use super::cluster::Links;
use super::task_set::TaskSet;
use crate::cluster::Sharing;
use crate::http::Authenticator;

/// What could not be written is handed over again after this time.
const AGAIN_AFTER: Duration = Duration::from_secs(5);

/// Shares revocations and sign-outs, where there is a cluster.
pub(super) fn start(
    links: Option<&Links>,
    authenticator: &Arc<Authenticator>,
    parts: &mut TaskSet,
) {
    let Some(links) = links else { return };
    let sharing = share(links.sharing.clone(), Arc::clone(authenticator));
    parts.spawn_until_stop("revocations of all replicas", sharing);
}

async fn share(mut sharing: Sharing, authenticator: Arc<Authenticator>) {
    let revocations = authenticator.revocations();
    loop {
        let shared = sharing.shared.borrow_and_update().clone();
        if let Some(shared) = shared {
            let now = Timestamp::now();
            revocations.merge(&shared, now);
            let news = revocations.news(&shared, now);
            if !news.is_empty() {
                // One that finds no room is handed over again.
                let _ = sharing.share.try_send(news);
            }
        }
        tokio::select! {
            () = followed(&mut sharing) => {}
            () = revocations.changed() => {}
            () = tokio::time::sleep(AGAIN_AFTER) => {}
        }
    }
}

/// Without an end when the other end is gone, which is so only while labwatch stops.
async fn followed(sharing: &mut Sharing) {
    if sharing.shared.changed().await.is_err() {
        std::future::pending::<()>().await;
    }
}
