//! Shares state with the other replicas that each of them may add to: revoked tokens and sessions
//! that were signed out.
//!
//! Compares the content of etcd with what is known here, so that nothing is lost while etcd is
//! unavailable.

use std::sync::Arc;
use std::time::Duration;

use jiff::Timestamp;

use super::cluster::Links;
use super::task_set::TaskSet;
use crate::cluster::Sharing;
use crate::http::Authenticator;

/// The pause before a failed write is retried.
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
                // If the queue is full, it is retried.
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

/// The next change; never if the other end is gone, which happens only while labwatch stops.
async fn followed(sharing: &mut Sharing) {
    if sharing.shared.changed().await.is_err() {
        std::future::pending::<()>().await;
    }
}
