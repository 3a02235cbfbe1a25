//! Delivers messages to webhooks. One call each, within a time limit and without following
//! redirects; never retries by itself.
//!
//! A call carries its time, `X-Labwatch-Timestamp`, in seconds since 1970; an id, `X-Labwatch-Id`;
//! and where there is a secret `X-Labwatch-Signature: sha256=` with the HMAC-SHA256, in hexadecimal
//! digits, of the timestamp, a dot and the body. The receiver makes the same HMAC, compares the two
//! in constant time, and refuses what is older than a few minutes.

use std::sync::Arc;

use aws_lc_rs::hmac;
use jiff::Timestamp;
use reqwest::Method;
use reqwest::header::{CONTENT_TYPE, HeaderMap, HeaderName, HeaderValue};
use secrecy::{ExposeSecret, SecretString};
use tokio::sync::mpsc;

use tokio_util::sync::CancellationToken;

use super::message;
use crate::clients::Http;
use crate::config::{HttpTarget, NotificationSettings, RouteTarget};
use crate::effects::channels::{HEADER_ID, Size};
use crate::effects::notification::Presentation;
use crate::effects::side_by_side::side_by_side;
use crate::effects::{Window, channels, deliver, hex};
use crate::failpoints::{self, Point};
use engine::model::{CallError, RouteName};
use engine::{Delivered, DeliveryFault, HttpChannel, Input, Notification, Outlook, Summary};

/// How many calls are in flight at the same time. More wait in the queue.
pub const AT_ONCE: usize = 4;

/// The header with the time of the call.
pub const HEADER_TIMESTAMP: &str = "x-labwatch-timestamp";

/// The header with the signature.
pub const HEADER_SIGNATURE: &str = "x-labwatch-signature";

/// A webhook or chat as the target of a route.
#[derive(Debug, Clone)]
pub struct Webhook {
    /// The route.
    pub route: RouteName,
    /// The kind of target, and its address.
    pub target: HttpTarget,
    /// What its messages have in common.
    pub presentation: Arc<Presentation>,
    /// Calls that take at most `WEBHOOK_TIMEOUT`.
    pub http: Http,
}

impl Webhook {
    /// All webhooks and chats of the settings.
    #[must_use]
    pub fn all(
        settings: &NotificationSettings,
        http: &Http,
        presentation: &Presentation,
    ) -> Vec<Self> {
        let routes = settings
            .routes
            .iter()
            .filter_map(|route| match &route.target {
                RouteTarget::Http(target) => Some((RouteName::try_new(&route.name).ok()?, target)),
                RouteTarget::Mail { .. } => None,
            });
        let all = settings
            .webhook
            .iter()
            .map(|webhook| (RouteName::webhook(), webhook))
            .chain(routes);
        let presentation = Arc::new(presentation.clone());
        let made = all.map(|(route, target)| Self {
            route,
            target: target.clone(),
            presentation: Arc::clone(&presentation),
            http: http.clone(),
        });
        made.collect()
    }

    /// Sends a summary, once.
    ///
    /// # Errors
    /// [`DeliveryFault`] when it was not accepted; permanent when the other side will not accept
    /// the same content later either.
    pub async fn send(&self, summary: &Summary) -> Result<(), DeliveryFault> {
        let answer = if self.target.channel == HttpChannel::Webhook {
            self.post(summary).await?
        } else {
            channels::deliver(&self.http, &self.target, summary, &self.presentation).await
        };
        answer.map_err(|fault| DeliveryFault {
            outlook: outlook(&fault),
            fault,
        })?;
        failpoints::pass(Point::MailHanded);
        Ok(())
    }

    /// Posts a summary in labwatch's own format. A message that is refused as too large is posted
    /// again at once, shorter.
    async fn post(&self, summary: &Summary) -> Result<Result<(), CallError>, DeliveryFault> {
        let mut size = Size::Whole;
        loop {
            let body = message::json(summary, size).map_err(|error| unfit(&error.to_string()))?;
            let id = summary.thread.id.to_string();
            let headers = self.headers(&id, Timestamp::now(), &body)?;
            let url = self.target.url.expose().clone();
            let answer = self
                .http
                .call_hidden(Method::POST, url, headers, body)
                .await;
            let is_too_large = matches!(answer, Err(CallError::Sick { status: 413, .. }));
            match size.smaller().filter(|_| is_too_large) {
                Some(smaller) => size = smaller,
                None => return Ok(answer),
            }
        }
    }

    fn headers(&self, id: &str, at: Timestamp, body: &[u8]) -> Result<HeaderMap, DeliveryFault> {
        let timestamp = at.as_second().to_string();
        let mut headers = HeaderMap::new();
        headers.insert(CONTENT_TYPE, HeaderValue::from_static("application/json"));
        headers.insert(HeaderName::from_static(HEADER_ID), value(id)?);
        headers.insert(
            HeaderName::from_static(HEADER_TIMESTAMP),
            value(&timestamp)?,
        );
        if let Some(secret) = &self.target.secret {
            let signature = format!("sha256={}", signature(secret, &timestamp, body));
            headers.insert(
                HeaderName::from_static(HEADER_SIGNATURE),
                value(&signature)?,
            );
        }
        Ok(headers)
    }
}

/// The signature of a message: HMAC-SHA256 over timestamp, a dot and the body, in lower-case
/// hexadecimal digits.
#[must_use]
pub fn signature(secret: &SecretString, timestamp: &str, body: &[u8]) -> String {
    let key = hmac::Key::new(hmac::HMAC_SHA256, secret.expose_secret().as_bytes());
    let mut context = hmac::Context::with_key(&key);
    for part in [timestamp.as_bytes(), b".", body] {
        context.update(part);
    }
    hex(context.sign().as_ref())
}

/// A refusal of the content is permanent; one for the moment (408, 429, 5xx) is not.
fn outlook(fault: &CallError) -> Outlook {
    let is_about_the_content =
        |status: &u16| (400..500).contains(status) && ![408, 429].contains(status);
    if matches!(fault, CallError::Sick { status, .. } if is_about_the_content(status)) {
        Outlook::Refused
    } else {
        Outlook::Passing
    }
}

fn value(text: &str) -> Result<HeaderValue, DeliveryFault> {
    HeaderValue::from_str(text).map_err(|error| unfit(&error.to_string()))
}

/// The permanent fault of a message that cannot be built.
fn unfit(why: &str) -> DeliveryFault {
    DeliveryFault::refused(CallError::Protocol(format!(
        "the message cannot be put together: {why}"
    )))
}

/// Posts messages to the webhook of their route, until `stop` or until the queue is closed. Each
/// ends in one `Input::Delivered`. `webhooks` gives the current ones when the next message is
/// posted. What is in flight at the stop is finished, or aborted after
/// [`STOP_GRACE`](crate::effects::STOP_GRACE), and at once where the `window` is closed.
pub async fn run(
    webhooks: impl Fn() -> Vec<Webhook> + Send,
    queue: mpsc::Receiver<Notification>,
    inputs: mpsc::Sender<Input>,
    window: Option<Window>,
    stop: CancellationToken,
) {
    let post = move |next: Notification| {
        let (id, inputs, window) = (next.summary.id, inputs.clone(), window.clone());
        deliver(id, inputs, window, post_one(webhooks(), next))
    };
    side_by_side("calls of webhooks", queue, AT_ONCE, post, stop).await;
}

async fn post_one(webhooks: Vec<Webhook>, next: Notification) -> Result<Delivered, DeliveryFault> {
    let summary = &next.summary;
    let mut webhooks = webhooks.iter();
    let webhook = webhooks
        .find(|webhook| webhook.route == summary.route)
        .ok_or_else(|| unfit(&format!("the route {} has no webhook", summary.route)))?;
    webhook.send(summary).await.map(|()| Delivered::to_all())
}

#[cfg(test)]
mod tests {
    use std::sync::Mutex;
    use std::time::Duration;

    use axum::Router;
    use axum::body::Bytes;
    use axum::http::Uri;
    use axum::response::{IntoResponse, Redirect};
    use tokio::net::TcpListener;

    use reqwest::StatusCode;

    use super::*;
    use crate::clients;
    use crate::config::{Sources, load};
    use engine::{Background, Channel, Counts, MessageId, Occasion, Thread};
    use tokio::task::JoinSet;

    const SECRET: &str = "wh-s3cr3t";

    /// A program that answers `/204` with 204, `/slow` never and `/moved` with a redirect, and
    /// records the requests.
    struct Program {
        port: u16,
        received: Arc<Mutex<Vec<(String, HeaderMap, Bytes)>>>,
        _server: JoinSet<()>,
    }

    impl Program {
        async fn start() -> Self {
            let received = Arc::new(Mutex::new(Vec::new()));
            let remember = Arc::clone(&received);
            let answer = move |uri: Uri, headers: HeaderMap, body: Bytes| async move {
                remember.lock().expect("no thread panics").push((
                    uri.path().to_owned(),
                    headers,
                    body.clone(),
                ));
                match uri.path() {
                    "/slow" => std::future::pending().await,
                    "/moved" => Redirect::temporary("/204").into_response(),
                    "/long" => vec![b'x'; 8 << 20].into_response(),
                    "/20000" if body.len() > 20_000 => {
                        StatusCode::PAYLOAD_TOO_LARGE.into_response()
                    }
                    "/20000" => StatusCode::NO_CONTENT.into_response(),
                    path => StatusCode::from_bytes(&path.as_bytes()[1..])
                        .expect("a status")
                        .into_response(),
                }
            };
            let listener = TcpListener::bind("127.0.0.1:0").await.expect("a port");
            let port = listener.local_addr().expect("bound").port();
            let mut server = JoinSet::new();
            server.spawn(async move {
                axum::serve(listener, Router::new().fallback(answer))
                    .await
                    .expect("serves");
            });
            Self {
                port,
                received,
                _server: server,
            }
        }

        fn webhook(&self, path: &str) -> Webhook {
            webhook(&format!("http://127.0.0.1:{}/{path}", self.port))
        }

        fn received(&self) -> Vec<(String, HeaderMap, Bytes)> {
            self.received.lock().expect("no thread panics").clone()
        }
    }

    /// The webhook of these settings.
    fn webhook(url: &str) -> Webhook {
        let _ = rustls::crypto::aws_lc_rs::default_provider().install_default();
        let settings = [("webhook_url", url), ("secret_webhook", SECRET)];
        let sources = Sources::of_laboratory("a", &settings);
        let config = load(&sources).expect("loads").config;
        let http = Http::new(
            Duration::from_millis(500),
            clients::client_config(false).expect("TLS"),
        )
        .expect("a client");
        Webhook::all(&config.notifications, &http, &Presentation::default())
            .pop()
            .expect("one")
    }

    fn summary() -> Arc<Summary> {
        let at = Timestamp::from_second(1_800_000_000).expect("in range");
        let (counts, background) = (Counts::default(), Background::default());
        Arc::new(Summary {
            id: 7,
            route: RouteName::webhook(),
            channel: Channel::Http(HttpChannel::Webhook),
            occasion: Occasion::News,
            thread: Thread {
                id: MessageId { at, id: 7 },
                references: vec![],
            },
            at,
            news: vec![],
            problems: vec![],
            alerts: vec![],
            counts,
            background,
            reminder: None,
        })
    }

    /// RFC 4231, test case 2, with the dot in its place.
    #[test]
    fn the_signature_is_an_hmac() {
        let signed = signature(
            &SecretString::from("Jefe"),
            "what do ya want for nothing?",
            b"",
        );
        let key = hmac::Key::new(hmac::HMAC_SHA256, b"Jefe");
        assert!(
            hmac::verify(
                &key,
                b"what do ya want for nothing?",
                &unhex("5bdcc146bf60754e6a042426089575c75a003f089d2739839dec58b964ec3843")
            )
            .is_ok()
        );
        assert!(hmac::verify(&key, b"what do ya want for nothing?.", &unhex(&signed)).is_ok());
    }

    fn unhex(text: &str) -> Vec<u8> {
        (0..text.len())
            .step_by(2)
            .map(|at| u8::from_str_radix(&text[at..at + 2], 16).expect("hexadecimal"))
            .collect()
    }

    /// A laboratory in which every experiment is down.
    fn catastrophe(experiments: usize) -> Summary {
        let line = |number: usize| engine::Line {
            stub: engine::model::Stub::try_new(&format!("pend{number:04}")).expect("a name"),
            health: engine::model::Health::Down,
            notified: engine::model::Health::Ok,
            bookable: None,
            listed: true,
            issues: vec![engine::Issue::RelayOutage; 5],
            since: summary().at,
            lasted: None,
            affected: engine::Affected::default(),
            advice: Some("x".repeat(1_000)),
            notified_issues: vec![],
            worst: None,
            steadiness: None,
            last_seen: None,
            acknowledged: None,
        };
        let lines: Vec<_> = (0..experiments).map(line).collect();
        Summary {
            problems: lines.clone(),
            news: lines,
            ..(*summary()).clone()
        }
    }

    #[test]
    fn a_message_is_bounded_and_counts_what_it_leaves_out() {
        for experiments in [1, 100, 101, 3_000] {
            let all = catastrophe(experiments);
            let body = message::json(&all, Size::Whole).expect("JSON");
            assert!(body.len() <= message::MAX_BYTES, "{}", body.len());
            let value: serde_json::Value = serde_json::from_slice(&body).expect("JSON");
            for list in ["news", "problems"] {
                assert_eq!(value[format!("{list}_total")], experiments);
                let named = value[list].as_array().expect("a list").len();
                assert!((1..=experiments.min(100)).contains(&named), "{named}");
                assert_eq!(value["truncated"], named < experiments, "{experiments}");
            }
        }
    }

    #[tokio::test]
    async fn a_message_that_is_too_long_for_the_other_side_is_shortened() {
        let program = Program::start().await;
        let webhook = program.webhook("20000");
        assert_eq!(webhook.send(&catastrophe(50)).await, Ok(()));
        let bodies: Vec<usize> = program
            .received()
            .iter()
            .map(|(.., body)| body.len())
            .collect();
        let (short, long) = bodies.split_last().expect("it was called");
        assert!(
            !long.is_empty() && long.iter().all(|long| *long > 20_000),
            "{bodies:?}"
        );
        assert!(*short <= 20_000, "{bodies:?}");
        let ids = program
            .received()
            .into_iter()
            .map(|(_, headers, _)| headers[HEADER_ID].clone());
        assert_eq!(ids.collect::<std::collections::BTreeSet<_>>().len(), 1);
    }

    #[tokio::test]
    async fn a_message_is_posted_once_and_signed() {
        let program = Program::start().await;
        let webhook = program.webhook("204");
        assert_eq!(webhook.send(&summary()).await, Ok(()));
        let received = program.received();
        let [(_, headers, body)] = received.as_slice() else {
            panic!("{received:?}")
        };
        assert_eq!(
            body.as_ref(),
            message::json(&summary(), Size::Whole).expect("JSON")
        );
        let header = |name: &str| headers[name].to_str().expect("text").to_owned();
        assert_eq!(
            (header("content-type"), header(HEADER_ID)),
            (
                "application/json".to_owned(),
                "labwatch.1800000000000000000.7".to_owned()
            )
        );
        let expected = signature(&SecretString::from(SECRET), &header(HEADER_TIMESTAMP), body);
        assert_eq!(header(HEADER_SIGNATURE), format!("sha256={expected}"));
        assert!(!format!("{webhook:?}{headers:?}").contains(SECRET));
        let unsigned = Webhook {
            target: HttpTarget {
                secret: None,
                ..webhook.target.clone()
            },
            ..webhook
        };
        assert_eq!(unsigned.send(&summary()).await, Ok(()));
        assert!(!program.received()[1].1.contains_key(HEADER_SIGNATURE));
    }

    #[tokio::test]
    async fn every_answer_has_its_outcome() {
        let program = Program::start().await;
        let rows = [
            ("400", "sick", true),
            ("404", "sick", true),
            ("410", "sick", true),
            ("408", "sick", false),
            ("429", "sick", false),
            ("500", "sick", false),
            ("503", "sick", false),
            ("moved", "sick", false),
            ("slow", "timeout", false),
        ];
        for (path, as_str, permanent) in rows {
            let failure = program
                .webhook(path)
                .send(&summary())
                .await
                .expect_err(path);
            assert_eq!(
                (failure.fault.as_str(), failure.refuses_content()),
                (as_str, permanent),
                "{path}"
            );
        }
        assert!(
            program.received().iter().all(|(path, ..)| path != "/204"),
            "a redirect is not followed"
        );
        assert_eq!(
            program.webhook("long").send(&summary()).await,
            Ok(()),
            "a long answer is not read to its end"
        );
        let failure = webhook("http://127.0.0.1:1/T00/path-s3cr3t")
            .send(&summary())
            .await
            .expect_err("no server there");
        assert_eq!(
            (failure.fault.as_str(), failure.refuses_content()),
            ("refused", false)
        );
        assert!(
            !failure.fault.to_string().contains("path-s3cr3t"),
            "{}",
            failure.fault
        );
    }

    #[tokio::test]
    async fn each_summary_is_answered_and_the_stop_is_not_held_up() {
        let program = Program::start().await;
        let (summaries, queue) = mpsc::channel(4);
        let (sender, mut inputs) = mpsc::channel(4);
        let (mut tasks, stop) = (JoinSet::new(), CancellationToken::new());
        let webhooks = vec![program.webhook("410")];
        tasks.spawn(run(
            move || webhooks.clone(),
            queue,
            sender,
            None,
            stop.clone(),
        ));
        summaries
            .send(Notification::to_all(summary()))
            .await
            .expect("listens");
        assert!(matches!(inputs.recv().await, Some(Input::DeliveryBegun(7))));
        let Some(Input::Delivered {
            id: 7,
            outcome: Err(refused),
        }) = inputs.recv().await
        else {
            panic!("an answer")
        };
        assert!(refused.refuses_content() && program.received().len() == 1);
        let elsewhere = Summary {
            route: RouteName::everybody(),
            ..(*summary()).clone()
        };
        summaries
            .send(Notification::to_all(Arc::new(elsewhere)))
            .await
            .expect("listens");
        assert!(matches!(inputs.recv().await, Some(Input::DeliveryBegun(7))));
        let Some(Input::Delivered {
            outcome: Err(lost), ..
        }) = inputs.recv().await
        else {
            panic!("an answer")
        };
        assert!(
            lost.fault
                .words(engine::model::Visibility::MAINTAINER)
                .contains("the route everybody has no webhook")
                && program.received().len() == 1
        );
        stop.cancel();
        tasks
            .join_next()
            .await
            .expect("one task")
            .expect("it ended well");
    }
}
