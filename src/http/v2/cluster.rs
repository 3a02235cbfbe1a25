//! The replicas of this labwatch: which of them leads, and giving the lead up.

use std::time::Duration;

use axum::extract::State;
use serde::Serialize;
use utoipa::ToSchema;

use super::each;
use super::outcome::IdempotencyKey;
use super::params::NoParams;
use super::time::Timestamp;
use super::words::Role;
use crate::cluster::{Etcd, Peer, View};
use crate::http::auth::{Caller, Need, Scope};
use crate::http::cluster_state::ClusterState;
use crate::http::error::{ApiError, ApiResult, Reason};
use crate::http::json::answer;
use crate::http::routes::{Routes, routes};

/// The cluster; `None`: this labwatch is the only one.
pub(in crate::http) type MaybeCluster = Option<ClusterState>;

/// What can be read.
pub(super) fn reading() -> Routes<MaybeCluster> {
    Routes::needing(Need::Read).add(routes!(cluster))
}

/// What changes something.
pub(super) fn changing() -> Routes<MaybeCluster> {
    Routes::needing(Need::Scope(Scope::Admin)).add(routes!(resign))
}

/// The coordination of the replicas.
#[derive(Debug, Clone, Copy, Serialize, ToSchema)]
#[serde(rename_all = "kebab-case")]
#[schema(as = ClusterMode)]
enum Mode {
    /// There is only this one.
    Solo,
    /// By etcd.
    Etcd,
}

/// The replicas of this laboratory's labwatch, as the one that answers sees them.
#[derive(Debug, Serialize, ToSchema)]
struct Cluster<'a> {
    /// The coordination of the replicas.
    mode: Mode,
    /// The name of the replica that answers; null in solo mode.
    #[schema(required, example = "watch1")]
    name: Option<&'a str>,
    /// Whether it acts or only watches.
    role: Role,
    /// Whether it acts without etcd, as `CLUSTER_ALONE` allows.
    acts_alone: bool,
    /// Since when; null in solo mode.
    #[schema(required)]
    since: Option<Timestamp>,
    /// The replica that leads; null when none does, and in solo mode.
    #[schema(required)]
    leader: Option<Replica<'a>>,
    /// All replicas that have a lease, the leader first.
    replicas: Vec<Replica<'a>>,
    /// How long a leader without contact to etcd still leads, in seconds; null in solo mode.
    #[schema(required)]
    lease_seconds: Option<f64>,
    /// How long the replica that answers may still act unless its lease is renewed, in seconds;
    /// null where it does not lead.
    #[schema(required)]
    lease_left_seconds: Option<f64>,
    /// The state of etcd; null in solo mode.
    #[schema(required)]
    etcd: Option<EtcdState<'a>>,
}

/// A replica.
#[derive(Debug, Serialize, ToSchema)]
struct Replica<'a> {
    /// Its name.
    #[schema(example = "watch1")]
    name: &'a str,
    /// Its address for the others; null for readers who may not see it.
    #[schema(required)]
    url: Option<&'a str>,
    /// Its version.
    version: &'a str,
}

/// The state of etcd.
#[derive(Debug, Serialize, ToSchema)]
#[schema(as = Etcd)]
struct EtcdState<'a> {
    /// Whether it works as needed.
    ok: bool,
    /// Since when this state lasts.
    since: Timestamp,
    /// What is wrong, and for readers who may see it what to do; null when nothing is.
    #[schema(required)]
    fault: Option<&'a str>,
    /// When it last answered: this replica's view of the others is as of then. Null for never.
    #[schema(required)]
    heard: Option<Timestamp>,
    /// The revision of this replica's view.
    revision: i64,
    /// How many entries of a later version exist, which this one leaves alone.
    unknown_entries: usize,
}

impl<'a> EtcdState<'a> {
    fn new(view: &'a View, private: bool) -> Self {
        let fault = match &view.etcd {
            Etcd::Fault { detail, .. } if private => Some(detail.as_str()),
            Etcd::Fault { what, .. } => Some(*what),
            Etcd::Connecting | Etcd::Ok => None,
        };
        Self {
            ok: view.etcd == Etcd::Ok,
            since: view.etcd_since.into(),
            fault,
            heard: view.last_answer.map(Timestamp::from),
            revision: view.revision,
            unknown_entries: view.unknown,
        }
    }
}

impl<'a> Cluster<'a> {
    /// As the replica with this view has it; without one it is the only one.
    fn new(view: Option<&'a View>, left: f64, private: bool) -> Self {
        let role = view.map_or(engine::Role::Leader, |view| view.role);
        let replica = |peer: &'a Peer| Replica {
            name: &peer.name,
            url: private.then_some(&peer.url),
            version: &peer.version,
        };
        Self {
            mode: view.map_or(Mode::Solo, |_| Mode::Etcd),
            name: view.map(|view| &*view.this.name),
            role: role.into(),
            acts_alone: view.is_some_and(|view| view.acts_alone),
            since: view.map(|view| view.since.into()),
            leader: view.and_then(|view| view.leader.as_ref()).map(replica),
            replicas: view.map_or_else(Vec::new, |view| each(&view.replicas, replica)),
            lease_seconds: view.map(|view| view.lease.as_secs_f64()),
            lease_left_seconds: view.filter(|_| role == engine::Role::Leader).map(|_| left),
            etcd: view.map(|view| EtcdState::new(view, private)),
        }
    }
}

/// The replicas, which of them leads, and the state of etcd.
#[utoipa::path(get, path = "/api/v2/cluster", tag = "cluster", responses(
    (status = 200, description = "As the replica that answers sees it", body = Cluster<'static>),
))]
async fn cluster(State(cluster): State<MaybeCluster>, caller: Caller, _: NoParams) -> ApiResult {
    shown(cluster.as_ref(), &caller)
}

fn shown(cluster: Option<&ClusterState>, caller: &Caller) -> ApiResult {
    let view = cluster.map(|cluster| cluster.view.borrow().clone());
    let left = cluster.map_or(Duration::ZERO, |cluster| (cluster.left)());
    let (left, private) = (left.as_secs_f64(), caller.may_see_private());
    answer(&Cluster::new(view.as_deref(), left, private))
}

/// Makes the replica that answers give the lead up, so that another one takes over. What is under
/// way is finished first.
#[utoipa::path(post, path = "/api/v2/cluster/resign", tag = "cluster", params(IdempotencyKey), responses(
    (status = 200, description = "It has given the lead up", body = Cluster<'static>),
))]
async fn resign(State(cluster): State<MaybeCluster>, caller: Caller, _: NoParams) -> ApiResult {
    let Some(state) = &cluster else {
        let why = "this labwatch is the only one: cluster is solo";
        return Err(ApiError::new(Reason::NotLeader, why));
    };
    (state.give_up)()
        .await
        .map_err(|why| ApiError::new(Reason::NotLeader, why))?;
    shown(Some(state), &caller)
}
