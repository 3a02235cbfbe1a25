//! Test messages that maintainers send, over the API and from the page, to see whether
//! notifications arrive; and having what waits tried again at once.

use std::future::Future;
use std::pin::Pin;
use std::sync::Arc;
use std::time::Duration;

use jiff::Timestamp;
use tokio::sync::{mpsc, oneshot, watch};
use tokio::time::timeout;

use engine::model::RouteName;
use engine::{Channel, Role, RouteView, Snapshot};

/// How long an answer waits for what becomes of a test. The test itself goes on.
const ANSWERED_WITHIN: Duration = Duration::from_secs(20);

/// What became of a test for one recipient.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum TestOutcome {
    /// It is not known yet.
    Pending,
    /// The message was taken.
    Taken,
    /// It was not, and why, with what the other side said.
    Failed(String),
}

/// A recipient with what became of the message.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct TestedRecipient {
    /// An address of mail, or where a program is called.
    pub recipient: String,
    /// What became of it.
    pub outcome: TestOutcome,
}

/// A route with what became of its test.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct TestedRoute {
    /// The route.
    pub route: RouteName,
    /// How it is notified.
    pub channel: Channel,
    /// Its recipients.
    pub recipients: Vec<TestedRecipient>,
}

/// A test, and what is known of it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct TestReport {
    /// When it was sent.
    pub at: Timestamp,
    /// Who sent it, by the name of their token.
    pub by: String,
    /// The routes that it is sent by.
    pub routes: Vec<TestedRoute>,
}

impl TestReport {
    /// Whether it is known for every recipient what became of it.
    #[must_use]
    pub fn is_done(&self) -> bool {
        let mut all = self.routes.iter().flat_map(|route| &route.recipients);
        all.all(|one| one.outcome != TestOutcome::Pending)
    }
}

/// A test to be sent.
#[derive(Debug)]
pub struct TestOrder {
    /// Who wants it, by the name of their token.
    pub by: String,
    /// The routes.
    pub routes: Vec<TestedRoute>,
    /// Takes what became of it.
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
    /// One is under way.
    #[error("a test message is under way: try again when it is known what became of it")]
    UnderWay,
    /// The service ends.
    #[error("labwatch is about to stop")]
    Stopping,
}

/// Has the engine try again what waits.
pub type Retry = dyn Fn() -> Pin<Box<dyn Future<Output = ()> + Send>> + Send + Sync;

/// The way of test messages.
#[derive(Clone)]
pub struct TestMessages {
    /// The routes that can be tested, as the settings are now.
    pub routes: Arc<dyn Fn() -> Vec<TestedRoute> + Send + Sync>,
    /// Takes orders, one at a time.
    pub orders: mpsc::Sender<TestOrder>,
    /// The last test.
    pub latest: watch::Receiver<Option<Arc<TestReport>>>,
    /// Has what waits tried again.
    pub retry: Arc<Retry>,
}

impl TestMessages {
    /// A way that leads nowhere: no route has a recipient.
    #[must_use]
    pub fn none() -> Self {
        Self {
            routes: Arc::new(Vec::new),
            orders: mpsc::channel(1).0,
            latest: watch::channel(None).1,
            retry: Arc::new(|| Box::pin(std::future::ready(()))),
        }
    }

    /// The last test, where there was one since the start.
    #[must_use]
    pub fn last(&self) -> Option<Arc<TestReport>> {
        self.latest.borrow().clone()
    }

    /// The routes that a test would be sent by: all, or that of this name.
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

    /// Sends a test. What is not known in time is pending in the answer.
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

    /// Has what waits tried again. Returns the routes where something does.
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
