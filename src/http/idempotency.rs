//! `Idempotency-Key`: a repeated request gets the first one's answer and is not carried out again.
//! Kept in memory for a day, within bounds; another request with a known key is refused.

use std::collections::VecDeque;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use aws_lc_rs::digest::{Context, Digest, SHA256};
use axum::body::{Body, Bytes, to_bytes};
use axum::extract::{Request, State};
use axum::http::header::HeaderName;
use axum::http::{HeaderMap, HeaderValue, Method, StatusCode};
use axum::middleware::Next;
use axum::response::{IntoResponse, Response};
use tokio::sync::oneshot;
use tokio::task::JoinSet;
use tokio::time::Instant;
use tracing::Instrument as _;

use super::error::{self, ApiError, ApiResult, Reason};
use super::middleware::MAX_BODY_BYTES;
use crate::http::auth::{Caller, Noted};

/// The header with the key.
const KEY: HeaderName = HeaderName::from_static("idempotency-key");

/// Marks a repeated answer.
const REPLAYED: HeaderName = HeaderName::from_static("idempotency-replayed");

/// The longest key, in bytes.
const MAX_KEY_BYTES: usize = 255;

/// How long an answer is kept.
const KEPT_FOR: Duration = Duration::from_secs(24 * 3_600);

/// The most answers that are kept; the oldest is dropped first.
const MAX_KEPT: usize = 1_024;

/// The most memory for them together, in bytes.
const MAX_KEPT_BYTES: usize = 4 << 20;

/// The longest answer that is kept, in bytes. Of a longer one only the key is kept.
const MAX_ANSWER_BYTES: usize = 1 << 20;

/// Answers to requests with a key, and such requests under way.
#[derive(Default)]
pub(super) struct Idempotency {
    kept: Mutex<Kept>,
    /// At most as many as there are keys, because a key under way is refused.
    tasks: Mutex<JoinSet<()>>,
}

#[derive(Default)]
struct Kept {
    entries: VecDeque<Entry>,
    bytes: usize,
}

struct Entry {
    /// The key's owner, and the key.
    key: (String, String),
    request: Vec<u8>,
    since: Instant,
    /// `None` while the first request is under way.
    answer: Option<Answer>,
}

/// An answer as it can be repeated.
#[derive(Clone)]
struct Answer {
    status: StatusCode,
    headers: HeaderMap,
    body: Bytes,
    error: Option<ApiError>,
}

/// The state of a key.
enum Known {
    /// Unknown: the request is the first, and under way from now on.
    New,
    Answered(Answer),
    Refused(ApiError),
}

impl Idempotency {
    fn kept(&self) -> MutexGuard<'_, Kept> {
        self.kept.lock().unwrap_or_else(PoisonError::into_inner)
    }

    fn look_up(&self, key: &(String, String), request: &[u8], now: Instant) -> Known {
        let mut kept = self.kept();
        kept.forget_before(now);
        let Some(entry) = kept.entries.iter().find(|entry| entry.key == *key) else {
            kept.push(Entry {
                key: key.clone(),
                request: request.to_vec(),
                since: now,
                answer: None,
            });
            return Known::New;
        };
        if entry.request != request {
            return Known::Refused(ApiError::new(
                Reason::KeyReused,
                "this Idempotency-Key was sent with another request: give each request a key of its own",
            ));
        }
        match &entry.answer {
            Some(answer) => Known::Answered(answer.clone()),
            None => Known::Refused(ApiError::new(
                Reason::StillUnderWay,
                "the first request with this Idempotency-Key is still under way: send it again in a moment",
            )),
        }
    }

    /// Keeps the answer; `None` forgets the key, so that the request can be tried again.
    fn settle(&self, key: &(String, String), answer: Option<&Answer>) {
        let mut kept = self.kept();
        let Some(at) = kept.entries.iter().position(|entry| entry.key == *key) else {
            return;
        };
        match answer {
            Some(answer) => {
                kept.bytes += answer.body.len();
                if let Some(entry) = kept.entries.get_mut(at) {
                    entry.answer = Some(answer.clone());
                }
            }
            None => drop(kept.entries.remove(at)),
        }
        kept.trim();
    }
}

impl Kept {
    fn push(&mut self, entry: Entry) {
        self.entries.push_back(entry);
        self.trim();
    }

    fn trim(&mut self) {
        while self.entries.len() > MAX_KEPT || self.bytes > MAX_KEPT_BYTES {
            self.pop();
        }
    }

    fn forget_before(&mut self, now: Instant) {
        let is_old = |entry: &Entry| now.duration_since(entry.since) > KEPT_FOR;
        while self.entries.front().is_some_and(is_old) {
            self.pop();
        }
    }

    fn pop(&mut self) {
        let answer = self.entries.pop_front().and_then(|entry| entry.answer);
        self.bytes -= answer.map_or(0, |answer| answer.body.len());
    }
}

impl IntoResponse for Answer {
    fn into_response(self) -> Response {
        let mut response = (self.status, Noted::elsewhere(), self.body).into_response();
        *response.headers_mut() = self.headers;
        if let Some(error) = self.error {
            response.extensions_mut().insert(error);
        }
        response
    }
}

/// Repeats the first answer to a `POST` with a known key.
pub(super) async fn once(
    State(store): State<Arc<Idempotency>>,
    request: Request,
    next: Next,
) -> Response {
    let key = match key(&request) {
        Ok(Some(key)) => key,
        Ok(None) => return next.run(request).await,
        Err(error) => return error.into_response(),
    };
    let (parts, body) = request.into_parts();
    let Ok(body) = to_bytes(body, MAX_BODY_BYTES).await else {
        return error::too_long().into_response();
    };
    let target = parts
        .uri
        .path_and_query()
        .map_or("", |target| target.as_str());
    let digest = digest(target, &body);
    match store.look_up(&key, digest.as_ref(), Instant::now()) {
        Known::New => {}
        Known::Answered(answer) => {
            let mut response = answer.into_response();
            let yes = HeaderValue::from_static("true");
            response.headers_mut().insert(REPLAYED, yes);
            return response;
        }
        Known::Refused(error) => return error.into_response(),
    }
    let request = Request::from_parts(parts, Body::from(body));
    let answered = store.carry_out(key.clone(), next.run(request));
    answered.await.unwrap_or_else(|_| {
        // The handler panicked.
        store.settle(&key, None);
        error::internal().into_response()
    })
}

impl Idempotency {
    /// Carries out a first request to its end, even if its client disconnects: that is when it will
    /// be repeated.
    fn carry_out(
        self: &Arc<Self>,
        key: (String, String),
        handler: impl Future<Output = Response> + Send + 'static,
    ) -> oneshot::Receiver<Response> {
        let (sender, answered) = oneshot::channel();
        let store = Arc::downgrade(self);
        let work = async move {
            let response = handler.await;
            let response = match store.upgrade() {
                Some(store) => store.keep(&key, response).await,
                None => response,
            };
            // The client may be gone.
            let _ = sender.send(response);
        };
        let mut tasks = self.tasks.lock().unwrap_or_else(PoisonError::into_inner);
        while tasks.try_join_next().is_some() {}
        tasks.spawn(work.instrument(tracing::Span::current()));
        answered
    }

    /// Keeps the answer unless another attempt may end otherwise.
    async fn keep(&self, key: &(String, String), response: Response) -> Response {
        let (parts, body) = response.into_parts();
        let Ok(body) = to_bytes(body, MAX_ANSWER_BYTES).await else {
            tracing::error!(
                "cannot keep an answer for its idempotency key, because it is too long"
            );
            return error::internal().into_response();
        };
        let answer = Answer {
            status: parts.status,
            headers: parts.headers.clone(),
            body: body.clone(),
            error: parts.extensions.get().cloned(),
        };
        let failed = parts.status.is_server_error();
        self.settle(key, Some(&answer).filter(|_| !failed));
        Response::from_parts(parts, Body::from(body))
    }
}

/// The key of a request and its owner: two tokens may use the same key.
fn key(request: &Request) -> ApiResult<Option<(String, String)>> {
    if request.method() != Method::POST {
        return Ok(None);
    }
    let mut keys = request.headers().get_all(KEY).iter();
    let Some(key) = keys.next() else {
        return Ok(None);
    };
    let key = key.to_str().ok().map(str::trim);
    let key = key.filter(|key| (1..=MAX_KEY_BYTES).contains(&key.len()) && keys.next().is_none());
    let key = key.ok_or_else(|| {
        ApiError::new(
            Reason::InvalidIdempotencyKey,
            format!(
                "Idempotency-Key must be sent once, with 1 to {MAX_KEY_BYTES} ASCII characters, such as a UUID"
            ),
        )
    })?;
    let caller = request.extensions().get::<Caller>();
    let whose = caller.and_then(Caller::pass).map(|pass| pass.id.clone());
    Ok(Some((whose.unwrap_or_default(), key.to_owned())))
}

fn digest(target: &str, body: &[u8]) -> Digest {
    let mut context = Context::new(&SHA256);
    context.update(target.as_bytes());
    // A target has no line breaks.
    context.update(b"\n");
    context.update(body);
    context.finish()
}

#[cfg(test)]
mod tests {
    use super::*;

    fn answer(length: usize) -> Answer {
        Answer {
            status: StatusCode::CREATED,
            headers: HeaderMap::new(),
            body: vec![b'x'; length].into(),
            error: None,
        }
    }

    fn key(name: &str) -> (String, String) {
        (String::new(), name.to_owned())
    }

    fn is_new(store: &Idempotency, name: &str) -> bool {
        matches!(store.look_up(&key(name), b"a", Instant::now()), Known::New)
    }

    #[tokio::test(start_paused = true)]
    async fn what_is_kept_has_bounds() {
        let store = Idempotency::default();
        for n in 0..=MAX_KEPT {
            assert!(is_new(&store, &n.to_string()));
            store.settle(&key(&n.to_string()), Some(&answer(1)));
        }
        assert_eq!(store.kept().entries.len(), MAX_KEPT);
        assert!(!is_new(&store, "1"), "it is still kept");
        for n in 0..8 {
            assert!(is_new(&store, &format!("long{n}")));
            store.settle(&key(&format!("long{n}")), Some(&answer(MAX_ANSWER_BYTES)));
        }
        {
            let kept = store.kept();
            assert!(kept.bytes <= MAX_KEPT_BYTES, "{}", kept.bytes);
            assert_eq!(
                kept.bytes,
                kept.entries
                    .iter()
                    .flat_map(|it| &it.answer)
                    .map(|it| it.body.len())
                    .sum::<usize>()
            );
        }
        tokio::time::advance(KEPT_FOR + Duration::from_secs(1)).await;
        assert!(is_new(&store, "long7"), "a day is over");
    }

    #[tokio::test]
    async fn a_request_goes_on_when_its_client_leaves() {
        let store = Arc::new(Idempotency::default());
        assert!(is_new(&store, "k"));
        assert!(matches!(
            store.look_up(&key("k"), b"a", Instant::now()),
            Known::Refused(error) if error.reason() == Reason::StillUnderWay
        ));
        let (go, gone) = oneshot::channel::<()>();
        let handler = async {
            gone.await.expect("it is signalled to go on");
            StatusCode::CREATED.into_response()
        };
        drop(store.carry_out(key("k"), handler));
        go.send(()).expect("it still runs");
        while matches!(
            store.look_up(&key("k"), b"a", Instant::now()),
            Known::Refused(_)
        ) {
            tokio::task::yield_now().await;
        }
        assert!(matches!(
            store.look_up(&key("k"), b"a", Instant::now()),
            Known::Answered(answer) if answer.status == StatusCode::CREATED
        ));
        assert!(matches!(
            store.look_up(&key("k"), b"other", Instant::now()),
            Known::Refused(error) if error.reason() == Reason::KeyReused
        ));
    }

    #[tokio::test]
    async fn what_failed_on_our_side_can_be_tried_again() {
        let store = Arc::new(Idempotency::default());
        assert!(is_new(&store, "k"));
        let failing = async { StatusCode::SERVICE_UNAVAILABLE.into_response() };
        let answer = store.carry_out(key("k"), failing).await.expect("an answer");
        assert_eq!(answer.status(), StatusCode::SERVICE_UNAVAILABLE);
        assert!(is_new(&store, "k"));
    }
}
