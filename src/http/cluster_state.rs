//! The cluster as HTTP needs it: the view for readers, giving the lead up, and forwarding commands
//! to the leader.

use std::future::Future;
use std::pin::Pin;
use std::sync::Arc;
use std::time::Duration;

use axum::body::Bytes;
use axum::http::{HeaderMap, Method, StatusCode};
use tokio::sync::watch;
use url::Url;

use crate::cluster::View;

/// A request to be forwarded to another replica.
#[derive(Debug)]
pub struct PassedOn {
    pub method: Method,
    pub url: Url,
    /// The credentials and the headers that describe the request.
    pub headers: HeaderMap,
    pub body: Bytes,
}

/// The answer of another replica.
pub type Returned = (StatusCode, HeaderMap, Bytes);

/// A boxed future.
pub type Later<T> = Pin<Box<dyn Future<Output = T> + Send>>;

/// Sends a request to another replica; fails with the reason when there is no answer.
pub type PassOn = dyn Fn(PassedOn) -> Later<Result<Returned, String>> + Send + Sync;

/// Gives the lead up; fails when this replica does not lead or when it takes too long.
pub type GiveUp = dyn Fn() -> Later<Result<(), String>> + Send + Sync;

/// The cluster.
#[derive(Clone)]
pub struct ClusterState {
    /// The view for readers.
    pub view: watch::Receiver<Arc<View>>,
    /// How long this replica may still act; zero where it may not.
    pub left: Arc<dyn Fn() -> Duration + Send + Sync>,
    pub give_up: Arc<GiveUp>,
    pub pass_on: Arc<PassOn>,
}
