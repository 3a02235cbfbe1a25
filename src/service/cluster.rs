//! The start of what takes part in the cluster, and how the cluster is as a component.

use std::sync::Arc;

use jiff::Timestamp;
use tokio::sync::{mpsc, watch};
use tokio_util::sync::CancellationToken;

use super::{ServiceError, TaskSet};
use crate::build;
use crate::cluster::{self, Ends, Etcd, Fence, Membership, Peer, View, membership};
use crate::config::{ClusterSettings, Config};
use crate::effects::book::WriteWindow;
use crate::health::{Finding, Reporter, State};
use engine::Input;

/// What there is of a cluster.
pub(super) struct Cluster {
    membership: Membership,
    links: Links,
}

impl Cluster {
    /// The driver's end, and what others need.
    pub(super) fn parts(self) -> (Membership, Links) {
        (self.membership, self.links)
    }
}

/// What others need of a cluster. A clone is the same.
#[derive(Clone)]
pub(super) struct Links {
    fence: Fence,
    /// What readers see.
    pub(super) view: watch::Receiver<Arc<View>>,
}

impl Links {
    /// For how long this replica may still write to book.
    pub(super) fn window(&self) -> WriteWindow {
        let fence = self.fence.clone();
        Arc::new(move || fence.left())
    }
}

/// Takes part in what the settings ask for; `None`: this labwatch is the only one.
pub(super) fn start(
    config: &Config,
    inputs: &mpsc::Sender<Input>,
    parts: &mut TaskSet,
    stop: &CancellationToken,
) -> Result<Option<Cluster>, ServiceError> {
    let Some(settings) = &config.cluster else {
        return Ok(None);
    };
    let this = Peer {
        name: settings.name.clone(),
        url: settings.url.to_string(),
        version: build::VERSION.to_owned(),
    };
    let view = View::connecting(this, settings.lease, Timestamp::now());
    let (membership, ends, _, view) = membership(view);
    let links = Links {
        fence: membership.fence(),
        view,
    };
    take_part(settings.clone(), ends, inputs.clone(), parts, stop.clone())?;
    Ok(Some(Cluster { membership, links }))
}

/// The driver goes on for as long as this does, so that what is under way at the end is still committed: it ends with the last sender of
/// its inputs.
#[cfg(feature = "etcd")]
#[expect(
    clippy::unnecessary_wraps,
    reason = "a labwatch without etcd cannot take part"
)]
fn take_part(
    settings: ClusterSettings,
    ends: Ends,
    inputs: mpsc::Sender<Input>,
    parts: &mut TaskSet,
    stop: CancellationToken,
) -> Result<(), ServiceError> {
    parts.spawn("cluster", async move {
        cluster::run(settings, ends, stop).await;
        drop(inputs);
    });
    Ok(())
}

#[cfg(not(feature = "etcd"))]
fn take_part(
    _: ClusterSettings,
    _: Ends,
    _: mpsc::Sender<Input>,
    _: &mut TaskSet,
    _: CancellationToken,
) -> Result<(), ServiceError> {
    Err(ServiceError::Cluster(cluster::NOT_BUILT_IN))
}

/// Reports the cluster as a component, where there is one.
pub(super) fn report(
    links: Option<&Links>,
    reporter: Option<Reporter>,
    parts: &mut TaskSet,
    stop: &CancellationToken,
) {
    if let Some((links, reporter)) = links.zip(reporter) {
        let reporting = follow(links.view.clone(), reporter, stop.clone());
        parts.spawn("health of the cluster", reporting);
    }
}

async fn follow(mut view: watch::Receiver<Arc<View>>, reporter: Reporter, stop: CancellationToken) {
    loop {
        let finding = finding(&view.borrow_and_update());
        reporter.report(finding);
        match stop.run_until_cancelled(view.changed()).await {
            Some(Ok(())) => {}
            // It runs for as long as the process does.
            Some(Err(_)) => stop.cancelled().await,
            None => return,
        }
    }
}

fn finding(view: &View) -> Finding {
    match (&view.etcd, &view.leader) {
        (Etcd::Fault(why), _) => Finding::error(format!(
            "{why}; nothing is switched or notified by this replica meanwhile"
        ))
        .external(),
        (Etcd::Connecting, _) => Finding::new(State::Warn, "etcd was not reached yet"),
        (Etcd::Ok, None) => Finding::new(State::Warn, "no replica leads now"),
        (Etcd::Ok, Some(_)) if view.replicas.len() < 2 => {
            let words = "this replica is alone: none would take over";
            Finding::new(State::Warn, words)
        }
        (Etcd::Ok, Some(_)) => Finding::ok(),
    }
}
