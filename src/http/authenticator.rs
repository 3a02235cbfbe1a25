//! The gate: who asks, whether they may, and that a change leaves a record. Every routed request goes through it once, before its handler.

use std::borrow::Cow;
use std::sync::Arc;
use std::time::{Duration, Instant};

use axum::extract::{Request, State};
use axum::http::header::{ACCEPT, AUTHORIZATION, LOCATION};
use axum::http::uri::PathAndQuery;
use axum::http::{HeaderMap, HeaderValue, Method, StatusCode};
use axum::middleware::Next;
use axum::response::{IntoResponse, Response};
use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use ipnet::IpNet;
use jiff::Timestamp;
use secrecy::SecretString;
use url::{Url, form_urlencoded};

use super::client::Client;
use super::cookie::SessionCookie;
use super::error::{self, ApiError};
use super::origin::{self, Origin};
use crate::http::auth::{
    AccessToken, Audit, Authority, Caller, Need, Noted, Reading, Refusal, Revocations, Scope,
    Session, Throttle, has_form, is_place,
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
    pub(super) throttle: Throttle,
    pub(super) revocations: Revocations,
    pub(super) audit: Audit,
}

impl Authenticator {
    /// A gate with these settings, that asks and tells these.
    #[must_use]
    pub fn new(settings: AccessSettings, revocations: Revocations, audit: Audit) -> Self {
        let authority = settings.secret.as_ref().map(Authority::new);
        let cookie = SessionCookie::below(&settings.base);
        Self {
            authority,
            cookie,
            settings,
            throttle: Throttle::default(),
            revocations,
            audit,
        }
    }

    /// What a token says, if it is good and not revoked.
    pub(super) fn token(&self, token: &str, now: Timestamp) -> Result<AccessToken, Refusal> {
        let pass = self.authority()?.verify(token, now)?;
        if self.revocations.has(&pass.id) {
            Err(Refusal::Revoked)
        } else {
            Ok(pass)
        }
    }

    fn session(&self, text: &str, now: Timestamp) -> Result<Session, Refusal> {
        let session = self.authority()?.session(text, now)?;
        let revoked = self.revocations.has(&session.id) || self.revocations.has(&session.pass.id);
        if revoked {
            Err(Refusal::Revoked)
        } else {
            Ok(session)
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

    /// Counts and tells a token that was refused.
    pub(super) fn refuse(&self, client: Client, why: Refusal) -> ApiError {
        self.count(client, why);
        error::refused(why)
    }

    fn count(&self, client: Client, why: Refusal) {
        self.throttle.failed(client.address, Instant::now());
        tracing::warn!(address = %client.address, "a request to the API was refused: {why}");
    }

    /// Whether this client failed too often, so that nothing it shows is looked at.
    pub(super) fn not_yet(&self, client: Client) -> Result<(), ApiError> {
        self.throttle
            .wait(client.address, Instant::now())
            .map_or(Ok(()), |wait| Err(error::too_many_failures(wait)))
    }

    /// Who asks. Who shows nothing is anonymous, and so is who shows a session that is no good: browsers show an old one for hours,
    /// and a page stays readable where reading is open.
    fn identify(
        &self,
        method: &Method,
        headers: &HeaderMap,
        client: Client,
    ) -> Result<Caller, ApiError> {
        let now = Timestamp::now();
        if let Some(token) = shown(method, headers) {
            self.not_yet(client)?;
            return self
                .token(&token, now)
                .map(Caller::Token)
                .map_err(|why| self.refuse(client, why));
        }
        let Some(text) = self
            .cookie
            .read(headers, client.secure)
            .filter(|_| self.not_yet(client).is_ok())
        else {
            return Ok(Caller::Anonymous);
        };
        self.session(text, now).map(Caller::Session).or_else(|why| {
            if why == Refusal::Forged {
                self.count(client, why);
            }
            Ok(Caller::Anonymous)
        })
    }

    /// Who asks, if they may; the request is given back because a form's field may be in its body.
    async fn judge(
        &self,
        request: Request,
        client: Client,
        need: Need,
    ) -> Result<(Request, Caller), ApiError> {
        let changes = !request.method().is_safe();
        let caller = match (
            self.identify(request.method(), request.headers(), client),
            need,
        ) {
            (Ok(caller), _) => caller,
            (Err(_), Need::Always) => Caller::Anonymous,
            (Err(error), Need::Read | Need::Students | Need::Scope(_)) => return Err(error),
        };
        if let Some(scope) = need.scope(self.settings.reading) {
            allowed(&caller, scope)?;
        }
        if !changes {
            return Ok((request, caller));
        }
        if !matches!(caller, Caller::Token(_))
            && origin::of(request.headers(), self.settings.url.as_ref()) == Origin::Other
        {
            return Err(error::other_site());
        }
        match caller.csrf() {
            Some(csrf) => Ok((origin::confirmed(request, csrf).await?, caller)),
            None => Ok((request, caller)),
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

/// Lets a request through to the handler of a route that needs this, or answers why not.
pub(super) async fn authenticate(
    State((authenticator, need)): State<(Arc<Authenticator>, Need)>,
    request: Request,
    next: Next,
) -> Response {
    let client = Client::of(&request, &authenticator.settings.trusted_proxies);
    let page = (request.method() == Method::GET && accepts_pages(request.headers()))
        .then(|| request.uri().clone());
    match authenticator.judge(request, client, need).await {
        Ok((request, caller)) => pass_on(&authenticator, request, (client, caller), next).await,
        Err(error) => {
            let response = error.into_response();
            match page.filter(|_| response.status() == StatusCode::UNAUTHORIZED) {
                Some(wanted) => to(authenticator.page(&way_in(
                    wanted.path_and_query().map_or("", PathAndQuery::as_str),
                    None,
                ))),
                None => response,
            }
        }
    }
}

/// Runs the handler. A change that it made without noting it is noted by its path.
async fn pass_on(
    authenticator: &Authenticator,
    mut request: Request,
    (client, caller): (Client, Caller),
    next: Next,
) -> Response {
    let change = (!request.method().is_safe())
        .then(|| format!("{} {}", request.method(), request.uri().path()));
    request.extensions_mut().insert(client);
    request.extensions_mut().insert(caller.clone());
    let response = next.run(request).await;
    let worked = response.status().is_success() || response.status().is_redirection();
    if let Some(change) =
        change.filter(|_| worked && response.extensions().get::<Noted>().is_none())
    {
        let _noted: Noted = authenticator.audit.note(&caller, &change);
    }
    response
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
    use std::sync::Mutex;

    use axum::body::Body;
    use hyper::service::Service as _;
    use hyper_util::service::TowerToHyperService;

    use super::*;
    use crate::http::Routes;

    type Notes = Arc<Mutex<Vec<String>>>;

    /// What a request is answered by these routes behind a gate, and what is noted.
    async fn ask(routes: Routes, method: Method, path: &str) -> (StatusCode, Vec<String>) {
        let notes = Notes::default();
        let audit = {
            let notes = Arc::clone(&notes);
            Audit::new(move |who, what| notes.lock().expect("whole").push(format!("{who} {what}")))
        };
        let revocations = Revocations::recall(
            [],
            Timestamp::UNIX_EPOCH,
            Box::new(|_, _| Box::pin(std::future::ready(true))),
        );
        let session = Duration::from_secs(60);
        let settings = AccessSettings {
            secret: None,
            reading: Reading::Open,
            session,
            trusted_proxies: Vec::new(),
            url: None,
            base: String::new(),
        };
        let routes = routes.guarded(&Arc::new(Authenticator::new(settings, revocations, audit)));
        let request = Request::builder()
            .method(method)
            .uri(path)
            .body(Body::empty())
            .expect("a request");
        let response = TowerToHyperService::new(routes)
            .call(request)
            .await
            .unwrap_or_else(|never| match never {});
        let notes = notes.lock().expect("whole").clone();
        (response.status(), notes)
    }

    #[tokio::test]
    async fn a_change_that_its_handler_does_not_note_is_noted_by_its_path() {
        let silent = Routes::default().add_page(Method::POST, "/logout", async || "done");
        assert_eq!(
            ask(silent, Method::POST, "/logout?x=y").await,
            (StatusCode::OK, vec!["anonymous POST /logout".to_owned()])
        );
        let failing =
            Routes::default().add_page(Method::POST, "/logout", async || StatusCode::CONFLICT);
        assert_eq!(
            ask(failing, Method::POST, "/logout").await,
            (StatusCode::CONFLICT, vec![]),
            "what did not happen is not noted"
        );
        let reading = Routes::default().add_page(Method::GET, "/login", async || "a form");
        assert_eq!(
            ask(reading, Method::GET, "/login").await,
            (StatusCode::OK, vec![]),
            "nor is what changes nothing"
        );
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
