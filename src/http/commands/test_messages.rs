//! Test messages that maintainers send, over the API and from the page, to check that notifications
//! are delivered; and immediate retries of pending ones.

use std::future::Future;
use std::pin::Pin;
use std::sync::Arc;
use std::time::Duration;

use jiff::Timestamp;
use tokio::sync::{mpsc, oneshot, watch};
use tokio::time::timeout;

use engine::model::RouteName;
use engine::{Channel, Role, RouteView, Snapshot};

/// How long an answer waits for the outcome of a test. The test itself goes on.
const ANSWERED_WITHIN: Duration = Duration::from_secs(20);

/// The outcome of a test for one recipient.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum TestOutcome {
    /// Not known yet.
    Pending,
    /// The message was accepted.
    Taken,
    /// It was not accepted. Holds the reason, with the other side's answer.
    Failed(String),
}

/// A recipient and its outcome.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct TestedRecipient {
    /// A mail address, or the address of a program.
    pub recipient: String,
    pub outcome: TestOutcome,
}

/// A route and the outcomes of its test.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct TestedRoute {
    /// The route.
    pub route: RouteName,
    pub channel: Channel,
    /// Its recipients.
    pub recipients: Vec<TestedRecipient>,
}

/// A test and its outcomes so far.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct TestReport {
    /// When it was sent.
    pub at: Timestamp,
    /// Who sent it, by the name of their token.
    pub by: String,
    /// The routes that are tested.
    pub routes: Vec<TestedRoute>,
}

impl TestReport {
    /// Whether the outcome is known for every recipient.
    #[must_use]
    pub fn is_done(&self) -> bool {
        let mut all = self.routes.iter().flat_map(|route| &route.recipients);
        all.all(|one| one.outcome != TestOutcome::Pending)
    }
}

/// A test to be sent.
#[derive(Debug)]
pub struct TestOrder {
    /// Who requested it, by the name of their token.
    pub by: String,
    /// The routes.
    pub routes: Vec<TestedRoute>,
    /// Receives the outcome.
    pub done: oneshot::Sender<Arc<TestReport>>,
}

/// Why a test is not sent.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum TestRefusal {
    /// This labwatch only watches.
    #[error("this labwatch only watches: ask the one that leads")]
    Follower,
    /// There is no route with a recipient.
    #[error("no route has a recipient: set email_to, webhook_url or a [[route]]")]
    NoRoutes,
    /// There is none of this name.
    #[error("there is no route {0} with a recipient")]
    NoRoute(String),
    /// A test is under way.
    #[error("a test message is under way: try again when it is known what became of it")]
    UnderWay,
    /// The service is about to stop.
    #[error("labwatch is about to stop")]
    Stopping,
}

/// Makes the engine retry pending notifications.
pub type Retry = dyn Fn() -> Pin<Box<dyn Future<Output = ()> + Send>> + Send + Sync;

/// Sends test messages.
#[derive(Clone)]
pub struct TestMessages {
    /// The routes that can be tested, by the current settings.
    pub routes: Arc<dyn Fn() -> Vec<TestedRoute> + Send + Sync>,
    /// Receives test orders, one at a time.
    pub orders: mpsc::Sender<TestOrder>,
    /// The last test.
    pub latest: watch::Receiver<Option<Arc<TestReport>>>,
    /// Retries pending notifications.
    pub retry: Arc<Retry>,
}

impl TestMessages {
    /// Without routes: none has a recipient.
    #[must_use]
    pub fn none() -> Self {
        Self {
            routes: Arc::new(Vec::new),
            orders: mpsc::channel(1).0,
            latest: watch::channel(None).1,
            retry: Arc::new(|| Box::pin(std::future::ready(()))),
        }
    }

    /// The last test since the start, if there was one.
    #[must_use]
    pub fn last(&self) -> Option<Arc<TestReport>> {
        self.latest.borrow().clone()
    }

    /// The routes that a test would use: all, or that of this name.
    ///
    /// # Errors
    /// [`TestRefusal`]: there is none.
    pub fn preview(
        &self,
        snapshot: &Snapshot,
        route: Option<&str>,
    ) -> Result<Vec<TestedRoute>, TestRefusal> {
        if snapshot.role == Role::Follower {
            return Err(TestRefusal::Follower);
        }
        let mut routes = (self.routes)();
        routes.retain(|known| route.is_none_or(|name| known.route.as_str() == name));
        match (routes.is_empty(), route) {
            (false, _) => Ok(routes),
            (true, Some(name)) => Err(TestRefusal::NoRoute(name.to_owned())),
            (true, None) => Err(TestRefusal::NoRoutes),
        }
    }

    /// Sends a test. Outcomes that are not known in time are pending in the answer.
    ///
    /// # Errors
    /// As [`TestMessages::preview`], and when another is under way.
    pub async fn send(
        &self,
        snapshot: &Snapshot,
        route: Option<&str>,
        by: &str,
    ) -> Result<Arc<TestReport>, TestRefusal> {
        let routes = self.preview(snapshot, route)?;
        if self.last().is_some_and(|last| !last.is_done()) {
            return Err(TestRefusal::UnderWay);
        }
        let pending = Arc::new(TestReport {
            at: Timestamp::now(),
            by: by.to_owned(),
            routes: routes.clone(),
        });
        let (done, known) = oneshot::channel();
        let order = TestOrder {
            by: by.to_owned(),
            routes,
            done,
        };
        self.orders.try_send(order).map_err(|error| match error {
            mpsc::error::TrySendError::Full(_) => TestRefusal::UnderWay,
            mpsc::error::TrySendError::Closed(_) => TestRefusal::Stopping,
        })?;
        match timeout(ANSWERED_WITHIN, known).await {
            Ok(Ok(report)) => Ok(report),
            Ok(Err(_)) => Err(TestRefusal::Stopping),
            Err(_) => Ok(self.last().unwrap_or(pending)),
        }
    }

    /// Retries pending notifications now. Returns the routes that have any.
    ///
    /// # Errors
    /// [`TestRefusal::Follower`].
    pub async fn retry(&self, snapshot: &Snapshot) -> Result<Vec<RouteName>, TestRefusal> {
        if snapshot.role == Role::Follower {
            return Err(TestRefusal::Follower);
        }
        let waits = |route: &&RouteView| {
            route.failures > 0 || route.unreached.iter().any(|one| !one.refused)
        };
        let waiting = snapshot.routes.iter().filter(waits);
        let waiting = waiting.map(|route| route.name.clone()).collect();
        (self.retry)().await;
        Ok(waiting)
    }
}
