//! Starts cluster membership, and reports the cluster as a component.

use std::pin::Pin;
use std::sync::Arc;
use std::time::Duration;

use jiff::Timestamp;
use tokio::sync::{mpsc, oneshot};

use super::cluster_rules::{marks, other_rules, own_rules};
use super::config_watch::ConfigWatch;
use super::error::ServiceError;
use super::task_set::TaskSet;
use crate::build;
use crate::clients::Http;
use crate::cluster::{self, Ends, Etcd, Membership, Peer, ResignSender, View, membership};
use crate::config::{ClusterSettings, Config};
use crate::effects::Window;
use crate::health::{Finding, Reporter, State};
use crate::http::{ClusterState, PassedOn, Returned};
use crate::telemetry::metrics::ClusterMetrics;
use engine::model::format_duration;
use engine::{Input, Role};

/// The longest that the leader may take to answer a command that is forwarded to it.
const PASS_ON_WITHIN: Duration = Duration::from_secs(10);

/// The longest answer to a forwarded command, in bytes.
const MAX_RETURNED_BYTES: usize = 4 << 20;

pub(super) use cluster::Links;

impl Links {
    /// How long this replica may still act; zero: it may not.
    pub(super) fn left(&self) -> Duration {
        self.fence.left()
    }

    /// How long this replica may still act outwardly.
    pub(super) fn window(&self) -> Window {
        let fence = self.fence.clone();
        Arc::new(move || fence.left())
    }

    /// The metrics of the cluster.
    pub(super) fn metrics(&self) -> Box<dyn Fn() -> ClusterMetrics + Send + Sync> {
        let links = self.clone();
        Box::new(move || {
            let view = links.view.borrow().clone();
            let ago = |at: Timestamp| Timestamp::now().duration_since(at).unsigned_abs();
            ClusterMetrics {
                leads: view.role == Role::Leader,
                has_leader: view.leader.is_some(),
                replicas: view.replicas.len(),
                left: links.fence.left(),
                etcd_ok: view.etcd == Etcd::Ok,
                last_answer: view.last_answer.map(ago),
                terms: view.terms,
                commits: view.commits,
                failed_commits: view.failed_commits,
            }
        })
    }

    /// The state of the cluster for the HTTP server.
    pub(super) fn http(self, tls: &rustls::ClientConfig) -> Result<ClusterState, ServiceError> {
        let http = Http::new(PASS_ON_WITHIN, tls.clone())?;
        let pass_on = move |request: PassedOn| {
            let http = http.clone();
            Box::pin(async move { sent(&http, request).await }) as Later<_>
        };
        let resign = self.resign;
        let give_up = move || {
            let resign = resign.clone();
            Box::pin(async move { resigned(resign).await }) as Later<_>
        };
        Ok(ClusterState {
            view: self.view,
            left: Arc::new(move || self.fence.left()),
            give_up: Arc::new(give_up),
            pass_on: Arc::new(pass_on),
        })
    }
}

/// A future of a result.
type Later<T> = Pin<Box<dyn Future<Output = T> + Send>>;

async fn sent(http: &Http, request: PassedOn) -> Result<Returned, String> {
    let content = (request.headers, request.body);
    let answer = http
        .pass_on(request.method, request.url, content, MAX_RETURNED_BYTES)
        .await;
    let (status, headers, body) = answer.map_err(|fault| fault.to_string())?;
    Ok((status, headers, body.into()))
}

async fn resigned(resign: ResignSender) -> Result<(), String> {
    let (answer, answered) = oneshot::channel();
    resign
        .try_send(answer)
        .map_err(|_| "it is resigning already".to_owned())?;
    let answered = answered.await;
    answered.unwrap_or_else(|_| Err("labwatch is about to stop".to_owned()))
}

/// Joins the configured cluster; `None`: this labwatch is the only one.
pub(super) fn start(
    config: &Config,
    inputs: &mpsc::Sender<Input>,
    parts: &mut TaskSet,
) -> Result<Option<(Membership, Links)>, ServiceError> {
    let Some(settings) = &config.cluster else {
        return Ok(None);
    };
    let this = Peer {
        name: settings.name.clone(),
        url: settings.url.to_string(),
        version: build::VERSION.to_owned(),
    };
    let view = View::connecting(this, settings.lease, Timestamp::now());
    let (membership, ends, links) = membership(view);
    take_part(settings.clone(), ends, inputs.clone(), parts)?;
    Ok(Some((membership, links)))
}

/// Lets the driver run as long as the membership does, so that what is in flight at the end is
/// still
/// committed: the driver ends with the last sender of its inputs.
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
) -> Result<(), ServiceError> {
    let stop = parts.stop();
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
) -> Result<(), ServiceError> {
    Err(ServiceError::Cluster(cluster::NOT_BUILT_IN))
}

/// Reports the cluster as a component, where there is one, and shares with the other replicas which
/// rules this one applies.
pub(super) fn report(
    links: Option<&Links>,
    reporter: Option<Reporter>,
    configs: &ConfigWatch,
    parts: &mut TaskSet,
) {
    if let Some((links, reporter)) = links.zip(reporter) {
        let reporting = follow(links.clone(), reporter, configs.clone());
        parts.spawn_until_stop("health of the cluster", reporting);
    }
}

async fn follow(mut links: Links, reporter: Reporter, mut configs: ConfigWatch) {
    let sharing = &mut links.sharing;
    let mut own = marks(&configs.borrow_and_update());
    loop {
        let view = links.view.borrow_and_update().clone();
        let shared = sharing.shared.borrow_and_update().clone();
        let others = view.replicas.iter().filter(|peer| **peer != view.this);
        let names = others.map(|peer| peer.name.as_str());
        let differs = shared
            .as_deref()
            .and_then(|shared| other_rules(shared, &own, names));
        let share = shared.and_then(|shared| own_rules(&shared, &view.this.name, &own));
        if let Some(share) = share.filter(|_| view.etcd == Etcd::Ok) {
            // If the queue is full, it is shared at the next change.
            let _ = sharing.share.try_send(vec![share]);
        }
        reporter.report(finding(&view, differs));
        // Both run as long as the process does.
        tokio::select! {
            Ok(()) = links.view.changed() => {}
            Ok(()) = sharing.shared.changed() => {}
            Ok(()) = configs.changed() => own = marks(&configs.borrow_and_update()),
            else => std::future::pending().await,
        }
    }
}

/// The component's finding. `differs`: another replica has a different configuration.
fn finding(view: &View, differs: Option<Finding>) -> Finding {
    match (&view.etcd, &view.leader) {
        (Etcd::Fault { what, .. }, _) if view.acts_alone => {
            let words = format!("{what}; this replica goes on acting alone");
            Finding::error(words).external()
        }
        (Etcd::Fault { what, .. }, _) => Finding::error(format!(
            "{what}; nothing is switched or notified by this replica meanwhile"
        ))
        .external(),
        (Etcd::Connecting, _) => Finding::new(State::Warn, "etcd was not reached yet"),
        (Etcd::Ok, _) if view.has_namesake() => Finding::error(format!(
            "another replica is called {} too, or has the same cluster_url: give each a cluster_name and a cluster_url of its own",
            view.this.name
        ))
        .external(),
        (Etcd::Ok, None) => Finding::new(State::Warn, "no replica leads now"),
        (Etcd::Ok, Some(_)) if view.replicas.len() < 2 => {
            let words = "this replica is alone: none would take over. Where others run, their \
                         cluster_root, label or etcd is another";
            Finding::new(State::Warn, words)
        }
        (Etcd::Ok, Some(leader)) => {
            if let Some(differs) = differs {
                return differs;
            }
            let (name, lease) = (&leader.name, format_duration(view.lease));
            let others = view.replicas.iter().skip(1);
            let others: Vec<&str> = others.map(|peer| peer.name.as_str()).collect();
            let others = others.join(" and ");
            let words = format!("{name} leads; {others} would take over; lease {lease}");
            Finding::new(State::Ok, words)
        }
    }
}

#[cfg(test)]
mod tests {
    use tokio::sync::watch;

    use super::super::final_notification;
    use super::*;
    use crate::config::{Sources, load_rules};

    #[tokio::test]
    async fn without_a_cluster_nothing_of_it_runs() {
        let config = load_rules(&Sources::default()).expect("right").config;
        let (inputs, _queue) = mpsc::channel(1);
        let mut parts = TaskSet::default();
        let cluster = start(&config, &inputs, &mut parts).expect("starts");
        assert!(cluster.is_none());
        let (_, configs) = watch::channel(Arc::new(config));
        final_notification::start(None, &configs, &mut parts);
        report(None, None, &configs, &mut parts);
        assert!(parts.is_empty());
    }

    #[test]
    fn what_each_view_comes_to() {
        let peer = |name: &str| Peer {
            name: name.to_owned(),
            url: format!("http://{name}:3007/"),
            version: String::new(),
        };
        let lease = Duration::from_secs(10);
        let connecting = View::connecting(peer("a"), lease, Timestamp::UNIX_EPOCH);
        let alone = View {
            etcd: Etcd::Ok,
            leader: Some(peer("a")),
            replicas: vec![peer("a")],
            ..connecting.clone()
        };
        let both = View {
            replicas: vec![peer("a"), peer("b")],
            ..alone.clone()
        };
        let twice = View {
            replicas: vec![
                peer("a"),
                Peer {
                    url: "http://other:3007/".to_owned(),
                    ..peer("a")
                },
            ],
            ..both.clone()
        };
        let away = View {
            etcd: Etcd::Fault {
                what: "etcd cannot be reached",
                detail: String::new(),
            },
            ..both.clone()
        };
        let acts = View {
            acts_alone: true,
            ..away.clone()
        };
        let leaderless = View {
            leader: None,
            ..both.clone()
        };
        for (view, state, words) in [
            (&connecting, State::Warn, "etcd was not reached yet"),
            (&alone, State::Warn, "this replica is alone"),
            (&both, State::Ok, "a leads; b would take over; lease 10s"),
            (&twice, State::Error, "another replica is called a too"),
            (&away, State::Error, "etcd cannot be reached; nothing is"),
            (&acts, State::Error, "this replica goes on acting alone"),
            (&leaderless, State::Warn, "no replica leads now"),
        ] {
            let finding = finding(view, None);
            assert_eq!(finding.state, state, "{words}");
            assert!(finding.detail.contains(words), "{}", finding.detail);
        }
        let differs = Finding::new(State::Warn, "b is configured otherwise");
        let warns = finding(&both, Some(differs));
        assert_eq!(warns.detail, "b is configured otherwise");
    }
}
