//! The API with an authenticator whose writes are recorded, on a port of its own.

use std::sync::{Arc, Mutex};
use std::time::Duration;

use engine::Snapshot;
use jiff::Timestamp;
use jiff::tz::TimeZone;
use labwatch::http::auth::{Audit, Authority, Grant, Issued, Keep, Reading, Revocations, Scope};
use labwatch::http::page::WebState;
use labwatch::http::{
    AccessSettings, ApiState, Authenticator, Certificate, Door, Reports, router, serve_through,
};
use reqwest::{Client, Method, RequestBuilder, Response};
use tokio::net::TcpListener;
use tokio::sync::watch;
use tokio::task::JoinSet;
use tokio_util::sync::CancellationToken;

use super::lab::Lab;

/// The secret that signs the tests' tokens.
pub const SECRET: &str = "the-secret-of-the-tests-of-access";

type Notes = Arc<Mutex<Vec<(String, String)>>>;

/// The API; it stops when it is dropped.
pub struct Server {
    pub base: String,
    pub client: Client,
    pub snapshots: watch::Sender<Arc<Snapshot>>,
    kept: Arc<Mutex<Vec<String>>>,
    notes: Notes,
    authority: Authority,
    _task: JoinSet<std::io::Result<()>>,
}

impl Server {
    pub async fn start(reading: Reading, lab: Lab) -> Self {
        Self::start_with(reading, lab, client().build().expect("a client"), None).await
    }

    pub async fn start_with(
        reading: Reading,
        lab: Lab,
        client: Client,
        certificate: Option<Arc<Certificate>>,
    ) -> Self {
        let listener = TcpListener::bind("127.0.0.1:0").await.expect("binds");
        let scheme = if certificate.is_some() {
            "https"
        } else {
            "http"
        };
        let base = format!(
            "{scheme}://localhost:{}",
            listener.local_addr().expect("has an address").port()
        );
        let (snapshots, receiver) = watch::channel(lab.snapshot());
        let (kept, notes) = (Arc::default(), Notes::default());
        let authenticator = authenticator(reading, &kept, &notes);
        let state = WebState {
            snapshots: receiver.clone(),
            store: None,
            cluster: None,
            stream: None,
            orders: None,
            categories: None,
            reports: Reports::of(None),
            base: "/status".into(),
            label: "lab".into(),
            zone: Arc::new(|| TimeZone::UTC),
            title: Arc::new(|_| None),
        };
        let others = labwatch::http::page::routes(&state);
        let routes = router(ApiState::new(receiver), &authenticator, others);
        let mut task = JoinSet::new();
        let door = Door {
            certificate,
            ..Door::default()
        };
        task.spawn(serve_through(
            door,
            listener,
            routes,
            CancellationToken::new(),
        ));
        Self {
            base,
            client,
            snapshots,
            kept,
            notes,
            authority: Authority::new(&SECRET.into()),
            _task: task,
        }
    }

    pub fn ask(&self, method: Method, path: &str) -> RequestBuilder {
        self.client.request(method, format!("{}{path}", self.base))
    }

    pub fn get(&self, path: &str) -> RequestBuilder {
        self.ask(Method::GET, path)
    }

    /// Sends a token in the form.
    pub fn sign_in(&self, token: &str) -> RequestBuilder {
        self.form("/login", &[("token", token)])
    }

    pub fn form(&self, path: &str, fields: &[(&str, &str)]) -> RequestBuilder {
        let body = url::form_urlencoded::Serializer::new(String::new())
            .extend_pairs(fields)
            .finish();
        self.ask(Method::POST, path)
            .header("content-type", "application/x-www-form-urlencoded")
            .body(body)
    }

    pub fn issue(&self, scope: Scope, life: Duration) -> Issued {
        let grant = Grant {
            name: format!("{scope}'s"),
            scopes: [scope].into_iter().collect(),
            reports: vec!["*".to_owned()].try_into().expect("a name"),
            life,
        };
        self.authority
            .issue(&grant, Timestamp::now())
            .expect("issues")
    }

    pub fn token(&self, scope: Scope) -> String {
        self.issue(scope, Duration::from_secs(60)).token
    }

    /// The keys of the values that were handed over to be stored.
    pub fn kept(&self) -> Vec<String> {
        self.kept.lock().expect("whole").clone()
    }

    /// The audit log so far.
    pub fn noted(&self) -> Vec<(String, String)> {
        self.notes.lock().expect("whole").clone()
    }
}

fn authenticator(
    reading: Reading,
    kept: &Arc<Mutex<Vec<String>>>,
    notes: &Notes,
) -> Arc<Authenticator> {
    let settings = AccessSettings {
        secret: Some(SECRET.into()),
        reading,
        session: Duration::from_secs(3_600),
        trusted_proxies: vec!["127.0.0.1/32".parse().expect("a network")],
        url: Some("https://lab.example/status".parse().expect("a URL")),
        base: "/status".to_owned(),
    };
    let (kept, notes) = (Arc::clone(kept), Arc::clone(notes));
    let keep: Keep = Box::new(move |key, _| {
        kept.lock().expect("whole").push(key);
        Box::pin(std::future::ready(true))
    });
    let audit = Audit::new(move |who, what| {
        notes
            .lock()
            .expect("whole")
            .push((who.to_owned(), what.to_owned()));
    });
    Arc::new(Authenticator::new(
        settings,
        Revocations::recall(&std::collections::BTreeMap::new(), Timestamp::now(), keep),
        audit,
    ))
}

pub fn client() -> reqwest::ClientBuilder {
    Client::builder()
        .no_proxy()
        .redirect(reqwest::redirect::Policy::none())
}

pub fn header(response: &Response, name: &str) -> String {
    response
        .headers()
        .get(name)
        .map(|value| value.to_str().expect("text").to_owned())
        .unwrap_or_default()
}
