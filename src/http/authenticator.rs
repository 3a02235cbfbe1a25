//! Decides who asks, whether they may, and that a change leaves a record. Every routed request passes here once, before its handler.
//!
//! What is shown is verified first, and only what is bad is slowed down: a valid token or session is never refused for what others send.
//! A request without either leaves no audit row, and no line of the log of its own.

use std::borrow::Cow;
use std::sync::Arc;
use std::time::{Duration, Instant};

use axum::Router;
use axum::extract::{MatchedPath, Request, State};
use axum::http::header::{ACCEPT, AUTHORIZATION, CACHE_CONTROL, HOST, LOCATION, SET_COOKIE};
use axum::http::uri::PathAndQuery;
use axum::http::{HeaderMap, HeaderValue, Method, StatusCode, Uri};
use axum::middleware::{Next, from_fn_with_state};
use axum::response::{IntoResponse, Response};
use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use ipnet::IpNet;
use jiff::Timestamp;
use secrecy::SecretString;
use url::{Url, form_urlencoded};

use super::client::{self, Client, Peer, ProxyWarning};
use super::cookie::SessionCookie;
use super::error::{self, ApiError};
use super::origin::{self, Origin};
use super::table::{ROUTES, Table, Verdict};
use crate::http::auth::{
    AccessToken, Audit, Authority, Caller, Need, Noted, RateLimit, Reading, Refusal, RefusalLog,
    Revocations, Scope, Session, Throttle, has_form, is_place,
};

/// What is set about access.
#[derive(Debug, Clone)]
pub struct AccessSettings {
    /// What tokens are signed with; without it there are none.
    pub secret: Option<SecretString>,
    /// Who may read.
    pub reading: Reading,
    /// How long a browser's session lasts at most.
    pub session: Duration,
    /// The proxies whose word about their clients' addresses is believed.
    pub trusted_proxies: Vec<IpNet>,
    /// Where people reach the API, without a slash at its end; `None` where it is as their browsers ask us.
    pub url: Option<Url>,
    /// The path below which their browsers reach us, without a slash at its end; empty where that is the whole host.
    pub base: String,
}

/// Decides who may do what.
pub struct Authenticator {
    authority: Option<Authority>,
    pub(super) cookie: SessionCookie,
    pub(super) settings: AccessSettings,
    throttle: Throttle,
    refusals: RefusalLog,
    proxies: ProxyWarning,
    /// How many sign-ins and sign-outs of each token are still recorded.
    recorded: RateLimit<String>,
    pub(super) revocations: Revocations,
    pub(super) audit: Audit,
    table: Table,
}

/// How many sign-ins and sign-outs of one token are recorded in [`RECORDED_WITHIN`], so that no holder of a token can fill the audit.
const RECORDED_SESSIONS: u32 = 10;

/// For how long they count.
const RECORDED_WITHIN: Duration = Duration::from_secs(3_600);

/// Of how many tokens they are counted at the same time.
const RECORDED_TOKENS: usize = 1_024;

impl Authenticator {
    /// An authenticator with these settings.
    #[must_use]
    pub fn new(settings: AccessSettings, revocations: Revocations, audit: Audit) -> Self {
        let authority = settings.secret.as_ref().map(Authority::new);
        let cookie = SessionCookie::new(&settings.base, settings.secret.as_ref());
        Self {
            authority,
            cookie,
            settings,
            throttle: Throttle::default(),
            refusals: RefusalLog::default(),
            proxies: ProxyWarning::default(),
            recorded: RateLimit::new(RECORDED_SESSIONS, RECORDED_WITHIN, RECORDED_TOKENS),
            revocations,
            audit,
            table: Table::new(ROUTES),
        }
    }

    /// What a token says, if it is good and not revoked.
    pub(super) fn token(&self, token: &str, now: Timestamp) -> Result<AccessToken, Refusal> {
        let pass = self.authority()?.verify(token, now)?;
        if self.revocations.has_token(&pass) {
            Err(Refusal::Revoked)
        } else {
            Ok(pass)
        }
    }

    fn session(&self, text: &str, now: Timestamp) -> Result<Session, Refusal> {
        let session = self.authority()?.session(text, now)?;
        if self.revocations.has_session(&session) {
            Err(Refusal::Revoked)
        } else {
            Ok(session)
        }
    }

    /// Whether what a caller showed is still good: for answers that last.
    pub(super) fn still_holds(&self, caller: &Caller, now: Timestamp) -> bool {
        match caller {
            Caller::Anonymous => true,
            Caller::Token(pass) => pass.expires > now && !self.revocations.has_token(pass),
            Caller::Session(session) => {
                session.expires > now && !self.revocations.has_session(session)
            }
        }
    }

    pub(super) fn authority(&self) -> Result<&Authority, Refusal> {
        self.authority.as_ref().ok_or(Refusal::NoSecret)
    }

    /// The address of one of our pages, as browsers know it.
    pub(super) fn page(&self, path: &str) -> HeaderValue {
        HeaderValue::from_str(&format!("{}{path}", self.settings.base))
            .unwrap_or(HeaderValue::from_static("/"))
    }

    /// The answer to a bad token: why it is refused, or how long to wait where its address has shown too many.
    pub(super) fn refuse(&self, client: Client, why: Refusal) -> ApiError {
        let now = Instant::now();
        self.refusals.count(why, now);
        if let Some(wait) = self.throttle.wait(client.address, now) {
            return error::too_many_failures(wait);
        }
        self.throttle.failed(client.address, now);
        error::refused(why)
    }

    /// Whether this client is to wait before another bad token of it is answered.
    pub(super) fn has_to_wait(&self, client: Client) -> bool {
        self.throttle.wait(client.address, Instant::now()).is_some()
    }

    /// Records that somebody signed in or out, unless the same token did so too often.
    pub(super) fn record_session(&self, session: Session, what: &str) -> Noted {
        match self.recorded.take(&session.pass.id, Instant::now()) {
            Ok(()) => self.audit.note(&Caller::Session(session), what),
            Err(_) => Noted::elsewhere(),
        }
    }

    /// Who asks. Without anything shown it is nobody known; so it is with a session that is no good, because browsers show an old one for
    /// hours, and a page stays readable where reading is open.
    fn identify(
        &self,
        method: &Method,
        headers: &HeaderMap,
        client: Client,
    ) -> Result<Identified, ApiError> {
        let now = Timestamp::now();
        if let Some(token) = shown(method, headers) {
            return match self.token(&token, now) {
                Ok(pass) => Ok(Identified::good(Caller::Token(pass))),
                Err(why) => Err(self.refuse(client, why)),
            };
        }
        let Some(text) = self.cookie.read(headers, client.secure) else {
            return Ok(Identified::good(Caller::Anonymous));
        };
        Ok(match self.session(text, now) {
            Ok(session) => Identified::good(Caller::Session(session)),
            Err(_) => Identified {
                caller: Caller::Anonymous,
                stale_cookie: true,
            },
        })
    }

    /// Whether this caller may send this request; it is given back because a form's field may be in its body.
    async fn authorize(
        &self,
        request: Request,
        caller: &Caller,
        need: Need,
    ) -> Result<Request, ApiError> {
        if let Some(scope) = need.scope(self.settings.reading) {
            allowed(caller, scope)?;
        }
        if request.method().is_safe() {
            return Ok(request);
        }
        if !matches!(caller, Caller::Token(_))
            && origin::of(request.headers(), self.settings.url.as_ref()) == Origin::Other
        {
            return Err(error::other_site());
        }
        match caller.csrf() {
            Some(csrf) => origin::confirmed(request, csrf).await,
            None => Ok(request),
        }
    }

    /// Whether the request is for us. A page of another site can have its own name lead to this host, and then read as we do: so a program
    /// on this host that comes without a proxy names us by an address, as `localhost`, or as `API_URL` does.
    fn is_meant(&self, request: &Request) -> bool {
        let is_local = request
            .extensions()
            .get::<Peer>()
            .is_some_and(|peer| peer.address.ip().to_canonical().is_loopback());
        let host = request.headers().get(HOST);
        let host = host.and_then(|host| host.to_str().ok());
        !is_local
            || client::is_forwarded(request.headers())
            || host.is_none_or(|host| origin::is_own_host(host, self.settings.url.as_ref()))
    }

    /// Who sent the request, by its connection and by what trusted proxies say.
    fn client(&self, request: &Request) -> Client {
        let client = Client::of(request, &self.settings.trusted_proxies);
        if let Some(proxy) = client.silent_proxy {
            self.proxies.warn_once(proxy);
        }
        let https = self
            .settings
            .url
            .as_ref()
            .is_some_and(|url| url.scheme() == "https");
        Client {
            secure: client.secure || (https && client.forwarded),
            ..client
        }
    }
}

/// Tells answers that last whether their reader may still have them.
#[derive(Clone)]
pub(super) struct Validity {
    authenticator: Arc<Authenticator>,
    caller: Caller,
}

impl Validity {
    /// Whether the reader's token or session holds at this time.
    pub(super) fn holds(&self, now: Timestamp) -> bool {
        self.authenticator.still_holds(&self.caller, now)
    }

    /// How long it will hold from this time unless it is revoked; `None` without end.
    pub(super) fn lasts(&self, now: Timestamp) -> Option<Duration> {
        let left = self.caller.expires()?.duration_since(now);
        Some(Duration::try_from(left).unwrap_or_default())
    }
}

/// Who asks, and whether their browser holds a session that is no good.
struct Identified {
    caller: Caller,
    stale_cookie: bool,
}

impl Identified {
    fn good(caller: Caller) -> Self {
        Self {
            caller,
            stale_cookie: false,
        }
    }
}

fn allowed(caller: &Caller, scope: Scope) -> Result<(), ApiError> {
    match caller {
        Caller::Anonymous => Err(error::token_needed(scope)),
        known if known.may(scope) => Ok(()),
        Caller::Token(_) | Caller::Session(_) => Err(error::scope_missing(scope)),
    }
}

/// The token of `Authorization: Bearer`; or of `Basic`, for programs that know nothing else, where it stands as the password. Browsers repeat
/// that by themselves, also for other sites, so it only reads. What is no token there, and other schemes, are a proxy's own affair.
fn shown<'a>(method: &Method, headers: &'a HeaderMap) -> Option<Cow<'a, str>> {
    let (scheme, shown) = headers
        .get(AUTHORIZATION)?
        .to_str()
        .ok()?
        .trim()
        .split_once(' ')?;
    if scheme.eq_ignore_ascii_case("bearer") {
        return Some(shown.trim().into());
    }
    let pair = (scheme.eq_ignore_ascii_case("basic") && method.is_safe())
        .then(|| STANDARD.decode(shown.trim()).ok())??;
    let password = std::str::from_utf8(&pair).ok()?.split_once(':')?.1;
    has_form(password).then(|| password.to_owned().into())
}

/// Puts the authenticator before these routes.
pub(super) fn before(routes: Router, authenticator: Arc<Authenticator>) -> Router {
    routes
        .fallback(|uri: Uri| async move { error::no_such_path(&uri) })
        .layer(from_fn_with_state(authenticator, authenticate))
}

/// Passes a routed request to its handler, or answers why not.
async fn authenticate(
    State(authenticator): State<Arc<Authenticator>>,
    request: Request,
    next: Next,
) -> Response {
    let Some(path) = request.extensions().get::<MatchedPath>().cloned() else {
        return next.run(request).await;
    };
    let need = match authenticator.table.verdict(request.method(), path.as_str()) {
        Verdict::Needs(need) => need,
        Verdict::WrongMethod(allowed) => {
            return error::wrong_method(request.method(), allowed).into_response();
        }
        Verdict::Unlisted => {
            tracing::error!(
                path = path.as_str(),
                "a route without a rule of access was asked for, and not answered"
            );
            return error::no_such_path(request.uri()).into_response();
        }
    };
    if !authenticator.is_meant(&request) {
        return error::other_host().into_response();
    }
    let client = authenticator.client(&request);
    let identified = authenticator.identify(request.method(), request.headers(), client);
    let stale_cookie = matches!(&identified, Ok(identified) if identified.stale_cookie);
    let caller = match identified {
        Ok(identified) => Ok(identified.caller),
        Err(_) if need == Need::Always => Ok(Caller::Anonymous),
        Err(error) => Err(error),
    };
    let response = match caller {
        Ok(caller) => answer(&authenticator, request, need, (client, caller), next).await,
        Err(error) => refused(&authenticator, page_asked_for(&request).as_ref(), error),
    };
    if stale_cookie {
        without_cookie(response, authenticator.cookie.remove(client.secure))
    } else {
        response
    }
}

/// Answers a known or unknown caller.
async fn answer(
    authenticator: &Arc<Authenticator>,
    request: Request,
    need: Need,
    (client, caller): (Client, Caller),
    next: Next,
) -> Response {
    let page = page_asked_for(&request);
    match authenticator.authorize(request, &caller, need).await {
        Ok(request) => pass_on(authenticator, request, (client, caller), next).await,
        Err(error) => refused(authenticator, page.as_ref(), error),
    }
}

/// The address of the page that a browser asked for.
fn page_asked_for(request: &Request) -> Option<Uri> {
    (request.method() == Method::GET && accepts_pages(request.headers()))
        .then(|| request.uri().clone())
}

/// A refusal: for a browser that could sign in, the form.
fn refused(authenticator: &Authenticator, page: Option<&Uri>, error: ApiError) -> Response {
    let response = error.into_response();
    match page.filter(|_| response.status() == StatusCode::UNAUTHORIZED) {
        Some(wanted) => to(authenticator.page(&way_in(
            wanted.path_and_query().map_or("", PathAndQuery::as_str),
            None,
        ))),
        None => response,
    }
}

/// The answer, which also removes the browser's cookie, unless it sets a new one.
fn without_cookie(mut response: Response, removal: Option<HeaderValue>) -> Response {
    if let Some(removal) = removal {
        response.headers_mut().entry(SET_COOKIE).or_insert(removal);
    }
    response
}

/// Runs the handler. A change that a known caller made and that the handler did not note is noted by its path.
async fn pass_on(
    authenticator: &Arc<Authenticator>,
    mut request: Request,
    (client, caller): (Client, Caller),
    next: Next,
) -> Response {
    let changes = !request.method().is_safe() && caller != Caller::Anonymous;
    let change = changes.then(|| format!("{} {}", request.method(), request.uri().path()));
    request.extensions_mut().insert(client);
    request.extensions_mut().insert(caller.clone());
    request.extensions_mut().insert(Validity {
        authenticator: Arc::clone(authenticator),
        caller: caller.clone(),
    });
    let mut response = next.run(request).await;
    if caller != Caller::Anonymous {
        keep_private(response.headers_mut());
    }
    let worked = response.status().is_success() || response.status().is_redirection();
    if let Some(change) =
        change.filter(|_| worked && response.extensions().get::<Noted>().is_none())
    {
        let _noted: Noted = authenticator.audit.note(&caller, &change);
    }
    response
}

/// What a token or a session was needed for, or could have changed, is for no cache that others share.
fn keep_private(headers: &mut HeaderMap) {
    let shared = headers
        .get(CACHE_CONTROL)
        .and_then(|keeping| keeping.to_str().ok())
        .and_then(|keeping| keeping.strip_prefix("public"))
        .map(|rest| format!("private{rest}"));
    if let Some(private) = shared.and_then(|text| HeaderValue::try_from(text).ok()) {
        headers.insert(CACHE_CONTROL, private);
    }
}

/// The address of the form by which people sign in: where they go then, and why their last token was refused.
pub(super) fn way_in(next: &str, refused: Option<&str>) -> String {
    let path = "/login?";
    let mut query = form_urlencoded::Serializer::for_suffix(path.to_owned(), path.len());
    let next = Some(next).filter(|next| is_place(next) && *next != "/");
    query.extend_pairs(
        next.map(|next| ("next", next))
            .into_iter()
            .chain(refused.map(|why| ("refused", why))),
    );
    query.finish().trim_end_matches('?').to_owned()
}

/// Whether it is a browser that wants a page.
pub(super) fn accepts_pages(headers: &HeaderMap) -> bool {
    headers
        .get(ACCEPT)
        .and_then(|accept| accept.to_str().ok())
        .is_some_and(|accept| accept.contains("text/html"))
}

/// Sends a browser to another page.
pub(super) fn to(page: HeaderValue) -> Response {
    (StatusCode::SEE_OTHER, [(LOCATION, page)]).into_response()
}

#[cfg(test)]
mod tests {
    use std::collections::BTreeMap;
    use std::sync::Mutex;

    use axum::body::Body;
    use axum::routing::{get, post};
    use hyper::service::Service as _;
    use hyper_util::service::TowerToHyperService;

    use super::*;
    use crate::http::auth::{Grant, Reportable};

    type Notes = Arc<Mutex<Vec<String>>>;

    const SECRET: &str = "the-secret-of-the-tests-of-the-authenticator";

    /// What an admin's request is answered by these routes, and what is noted.
    async fn ask(routes: Router, method: Method, path: &str) -> (StatusCode, Vec<String>) {
        let grant = Grant {
            name: "Ada".to_owned(),
            scopes: [Scope::Admin].into_iter().collect(),
            reports: Reportable::default(),
            life: Duration::from_secs(60),
        };
        let issued = Authority::new(&SECRET.into()).issue(&grant, Timestamp::now());
        let token = issued.expect("issues").token;
        ask_as(routes, method, path, Some(&token)).await
    }

    async fn ask_as(
        routes: Router,
        method: Method,
        path: &str,
        token: Option<&str>,
    ) -> (StatusCode, Vec<String>) {
        let notes = Notes::default();
        let audit = {
            let notes = Arc::clone(&notes);
            Audit::new(move |who, what| notes.lock().expect("whole").push(format!("{who} {what}")))
        };
        let revocations = Revocations::recall(
            &BTreeMap::new(),
            Timestamp::UNIX_EPOCH,
            Box::new(|_, _| Box::pin(std::future::ready(true))),
        );
        let session = Duration::from_secs(60);
        let settings = AccessSettings {
            secret: Some(SECRET.into()),
            reading: Reading::Open,
            session,
            trusted_proxies: Vec::new(),
            url: None,
            base: String::new(),
        };
        let routes = before(
            routes,
            Arc::new(Authenticator::new(settings, revocations, audit)),
        );
        let mut request = Request::builder().method(method).uri(path);
        if let Some(token) = token {
            request = request.header(AUTHORIZATION, format!("Bearer {token}"));
        }
        let request = request.body(Body::empty()).expect("a request");
        let response = TowerToHyperService::new(routes)
            .call(request)
            .await
            .unwrap_or_else(|never| match never {});
        let notes = notes.lock().expect("whole").clone();
        (response.status(), notes)
    }

    #[tokio::test]
    async fn a_change_that_its_handler_does_not_note_is_noted_by_its_path() {
        let silent = Router::new().route("/logout", post(async || "done"));
        assert_eq!(
            ask(silent, Method::POST, "/logout?x=y").await,
            (StatusCode::OK, vec!["Ada POST /logout".to_owned()])
        );
        let silent = Router::new().route("/logout", post(async || "done"));
        assert_eq!(
            ask_as(silent, Method::POST, "/logout", None).await,
            (StatusCode::OK, vec![]),
            "a stranger leaves no record"
        );
        let failing = Router::new().route("/logout", post(async || StatusCode::CONFLICT));
        assert_eq!(
            ask(failing, Method::POST, "/logout").await,
            (StatusCode::CONFLICT, vec![]),
            "what did not happen is not noted"
        );
        let reading = Router::new().route("/login", get(async || "a form"));
        assert_eq!(
            ask(reading, Method::GET, "/login").await,
            (StatusCode::OK, vec![]),
            "nor is what changes nothing"
        );
    }

    #[tokio::test]
    async fn a_route_without_a_line_in_the_table_answers_nobody() {
        let strange = Router::new()
            .route("/strange", get(async || "secret"))
            .route("/login", axum::routing::put(async || "secret"));
        assert_eq!(
            ask(strange.clone(), Method::GET, "/strange").await.0,
            StatusCode::NOT_FOUND
        );
        assert_eq!(
            ask(strange, Method::PUT, "/login").await.0,
            StatusCode::METHOD_NOT_ALLOWED
        );
    }

    #[test]
    fn what_a_token_got_is_for_no_shared_cache() {
        for (keeping, expect) in [
            ("public, max-age=60", "private, max-age=60"),
            ("private, no-cache", "private, no-cache"),
            ("no-store", "no-store"),
        ] {
            let value = HeaderValue::from_static(keeping);
            let mut headers = HeaderMap::from_iter([(CACHE_CONTROL, value)]);
            keep_private(&mut headers);
            assert_eq!(headers[CACHE_CONTROL], expect);
        }
    }

    #[test]
    fn a_token_is_a_bearers_or_a_password_that_reads() {
        let basic = |pair: &str| format!("Basic {}", STANDARD.encode(pair));
        for (value, reads, changes) in [
            ("Bearer abc".to_owned(), Some("abc"), Some("abc")),
            ("bearer  abc ".to_owned(), Some("abc"), Some("abc")),
            (
                basic("prometheus:eyJh.eyJi.c-_"),
                Some("eyJh.eyJi.c-_"),
                None,
            ),
            (basic(":eyJh.eyJi.c"), Some("eyJh.eyJi.c"), None),
            (basic("user:pass"), None, None),
            (basic("eyJh.eyJi.c:"), None, None),
            (basic("user:eyJh.eyJi.c:x"), None, None),
            ("Basic ***".to_owned(), None, None),
            ("Bearer".to_owned(), None, None),
            ("abc".to_owned(), None, None),
        ] {
            let mut headers = HeaderMap::new();
            headers.insert(
                AUTHORIZATION,
                HeaderValue::from_str(&value).expect("a value"),
            );
            assert_eq!(shown(&Method::GET, &headers).as_deref(), reads, "{value}");
            assert_eq!(
                shown(&Method::POST, &headers).as_deref(),
                changes,
                "{value}"
            );
        }
    }
}
