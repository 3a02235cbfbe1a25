//! The API on a port of its own, and what the document says of its paths.

use std::sync::Arc;
use std::time::Duration;

use engine::{Refusal, Snapshot};
use jiff::Timestamp;
use labwatch::http::auth::{Audit, Authority, Grant, Kept, Reading, Revocations, Scope};
use labwatch::http::{
    AccessSettings, Answered, ApiState, Authenticator, OrderState, TestMessages, router, serve,
};
use labwatch::store::Reader;
use reqwest::{Method, Response};
use serde_json::Value;
use tokio::net::TcpListener;
use tokio::sync::watch;
use tokio::task::JoinSet;
use tokio_util::sync::CancellationToken;

/// The secret that signs the tests' tokens.
const SECRET: &str = "the-secret-of-the-tests-of-reading";

/// The API; it stops when it is dropped.
pub struct Server {
    pub address: std::net::SocketAddr,
    pub stop: CancellationToken,
    client: reqwest::Client,
    snapshots: watch::Sender<Arc<Snapshot>>,
    tasks: JoinSet<()>,
}

impl Server {
    pub async fn start(snapshot: Arc<Snapshot>) -> Self {
        Self::with(snapshot, None).await
    }

    pub async fn with(snapshot: Arc<Snapshot>, history: Option<Reader>) -> Self {
        let listener = TcpListener::bind("127.0.0.1:0").await.expect("binds");
        let address = listener.local_addr().expect("has an address");
        let (snapshots, receiver) = watch::channel(snapshot);
        let (mut tasks, stop) = (JoinSet::new(), CancellationToken::new());
        let refuses = |_, _| Box::pin(std::future::ready(Err(Refusal::Follower))) as Answered;
        let orders = Some(OrderState {
            snapshots: receiver.clone(),
            component: Arc::new(|_| Some(false)),
            give: Arc::new(refuses),
            tests: TestMessages::none(),
        });
        let state = ApiState {
            history,
            orders,
            ..ApiState::new(receiver)
        };
        tasks.spawn(Arc::clone(&state.live).follow(stop.clone()));
        let serving = serve(
            listener,
            router(state, &authenticator(), labwatch::http::Routes::default()),
            stop.clone(),
        );
        tasks.spawn(async { serving.await.expect("serves") });
        let client = reqwest::Client::builder()
            .no_proxy()
            .build()
            .expect("a client");
        Self {
            address,
            stop,
            client,
            snapshots,
            tasks,
        }
    }

    /// Changes the snapshot that is shown.
    pub fn change(&self, change: impl FnOnce(&mut Snapshot)) {
        self.snapshots
            .send_modify(|snapshot| change(Arc::make_mut(snapshot)));
    }

    pub async fn ask(&self, method: Method, path: &str) -> Response {
        self.client
            .request(method, format!("http://{}{path}", self.address))
            .send()
            .await
            .expect("answers")
    }

    pub async fn get(&self, path: &str) -> Response {
        self.ask(Method::GET, path).await
    }

    pub async fn get_with(&self, path: &str, header: &str, value: &str) -> Response {
        self.client
            .get(format!("http://{}{path}", self.address))
            .header(header, value)
            .send()
            .await
            .expect("answers")
    }

    /// Everything of a list, page by page of one item.
    pub async fn pages(&self, path: &str) -> Vec<Value> {
        let (mut all, mut cursor) = (Vec::new(), String::new());
        loop {
            let mut page: Value = self
                .get(&format!("{path}?limit=1{cursor}"))
                .await
                .json()
                .await
                .expect("is JSON");
            all.append(page["items"].as_array_mut().expect("a list"));
            let Some(next) = page["next"].as_str() else {
                return all;
            };
            // A cursor needs no escaping.
            cursor = format!("&cursor={next}");
        }
    }

    /// Waits until everything has ended after the stop.
    pub async fn ended(mut self) {
        self.stop.cancel();
        while let Some(ended) = self.tasks.join_next().await {
            ended.expect("ends well");
        }
    }
}

/// A token with which private values can be read.
pub fn token() -> String {
    let grant = Grant {
        name: "reader".to_owned(),
        scopes: [Scope::Read].into_iter().collect(),
        reports: vec!["*".to_owned()].try_into().expect("a name"),
        life: Duration::from_secs(60),
    };
    Authority::new(&SECRET.into())
        .issue(&grant, Timestamp::now())
        .expect("issues")
        .token
}

fn authenticator() -> Arc<Authenticator> {
    let session = Duration::from_secs(3_600);
    let settings = AccessSettings {
        secret: Some(SECRET.into()),
        reading: Reading::Open,
        session,
        trusted_proxies: Vec::new(),
        url: None,
        base: String::new(),
    };
    let keep = Box::new(|_, _| Box::pin(std::future::ready(true)) as Kept);
    Arc::new(Authenticator::new(
        settings,
        Revocations::recall(&std::collections::BTreeMap::new(), Timestamp::now(), keep),
        Audit::new(|_, _| {}),
    ))
}

pub fn header(response: &Response, name: &str) -> String {
    response
        .headers()
        .get(name)
        .map(|value| value.to_str().expect("text").to_owned())
        .unwrap_or_default()
}

/// Every path of the document that this server has, with names that there are. Those of health and
/// of categories have tests of their own.
pub fn paths() -> Vec<String> {
    let document = serde_json::to_value(labwatch::http::document_v2()).expect("serialises");
    let paths = document["paths"].as_object().expect("has paths");
    let filled = |path: &String| {
        path.replace("pools/{name}", "pools/pend")
            .replace("{name}", "pend01")
            .replace("{file}", "pend01.svg")
    };
    paths
        .iter()
        .filter(|(path, item)| {
            item["get"].is_object()
                && !OTHERS.iter().any(|other| path.contains(other))
                && OURS.iter().any(|ours| path.starts_with(ours))
        })
        .map(|(path, _)| filled(path))
        .collect()
}

/// The prefixes of these paths.
const OURS: [&str; 2] = ["/api/v2/", "/badge/"];

/// What is in the paths that have tests of their own: they need a token, the health of components,
/// categories, or something that was made.
const OTHERS: [&str; 7] = [
    "/availability",
    "/categories",
    "/components",
    "/reports",
    "/tokens",
    "{id}",
    "{resource}",
];

/// The document's name for a path.
pub fn template(document: &Value, path: &str) -> String {
    let path = path.split('?').next().unwrap_or(path);
    let paths = document["paths"].as_object().expect("has paths");
    let fits = |template: &&String| {
        let (a, b): (Vec<_>, Vec<_>) = (template.split('/').collect(), path.split('/').collect());
        a.len() == b.len() && a.iter().zip(&b).all(|(a, b)| a == b || a.starts_with('{'))
    };
    paths
        .keys()
        .find(fits)
        .unwrap_or_else(|| panic!("{path} is not in the document"))
        .clone()
}

/// The form that the document gives a path's answer.
pub fn form<'a>(document: &'a Value, path: &str) -> &'a Value {
    &document["paths"][template(document, path)]["get"]["responses"]["200"]["content"]["application/json"]
        ["schema"]
}
