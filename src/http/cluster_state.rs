//! The cluster as HTTP needs it: what readers are shown, how the lead is given up, and how a
//! command reaches the replica that leads.

use std::future::Future;
use std::pin::Pin;
use std::sync::Arc;
use std::time::Duration;

use axum::body::Bytes;
use axum::http::{HeaderMap, Method, StatusCode};
use tokio::sync::watch;
use url::Url;

use crate::cluster::View;

/// A request on its way to another replica.
#[derive(Debug)]
pub struct PassedOn {
    /// Its method.
    pub method: Method,
    /// Where it goes.
    pub url: Url,
    /// What it shows and says of itself.
    pub headers: HeaderMap,
    /// Its body.
    pub body: Bytes,
}

/// What another replica answered.
pub type Returned = (StatusCode, HeaderMap, Bytes);

/// Comes later.
pub type Later<T> = Pin<Box<dyn Future<Output = T> + Send>>;

/// Sends a request to another replica. Where there is no answer, says why.
pub type PassOn = dyn Fn(PassedOn) -> Later<Result<Returned, String>> + Send + Sync;

/// Gives the lead up. Where this replica does not lead, or it takes too long, says so.
pub type GiveUp = dyn Fn() -> Later<Result<(), String>> + Send + Sync;

/// The cluster.
#[derive(Clone)]
pub struct ClusterState {
    /// What readers are shown.
    pub view: watch::Receiver<Arc<View>>,
    /// For how long this replica may still act; zero where it may not.
    pub left: Arc<dyn Fn() -> Duration + Send + Sync>,
    /// Gives the lead up.
    pub give_up: Arc<GiveUp>,
    /// Sends a request to another replica.
    pub pass_on: Arc<PassOn>,
}
