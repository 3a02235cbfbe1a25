//! Authenticates callers and decides what they may do.
//!
//! Credentials are verified first, and only bad ones are throttled: a valid token or session is
//! never refused for what others send. A request without credentials leaves no audit row, and no
//! line of the log of its own.

use std::borrow::Cow;
use std::sync::Arc;
use std::time::{Duration, Instant};

use axum::extract::Request;
use axum::http::header::{AUTHORIZATION, HOST};
use axum::http::{HeaderMap, HeaderValue, Method};
use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use ipnet::IpNet;
use jiff::Timestamp;
use secrecy::SecretString;
use url::Url;

use super::client::{self, Client, Peer, ProxyWarning};
use super::cookie::SessionCookie;
use super::origin::{self, Origin};
use super::{
    AccessToken, Audit, Authority, Caller, Need, Noted, RateLimit, Reading, Refusal, RefusalLog,
    Revocations, Scope, Session, Throttle, has_form,
};
use crate::http::error::{self, ApiError, ApiResult};

/// The access settings.
#[derive(Debug, Clone)]
pub struct AccessSettings {
    /// The key that signs tokens; without it there are none.
    pub secret: Option<SecretString>,
    /// Who may read.
    pub reading: Reading,
    /// The longest life of a browser's session.
    pub session: Duration,
    /// The proxies that may state their clients' addresses.
    pub trusted_proxies: Vec<IpNet>,
    /// The public address of the API, without a slash at its end; `None`: the address that browsers
    /// request.
    pub url: Option<Url>,
    /// The path below which browsers reach us, without a slash at its end; empty for the whole
    /// host.
    pub base: String,
}

/// Authenticates and authorizes requests.
pub struct Authenticator {
    authority: Option<Authority>,
    pub(in crate::http) cookie: SessionCookie,
    pub(in crate::http) settings: AccessSettings,
    throttle: Throttle,
    refusals: RefusalLog,
    proxies: ProxyWarning,
    /// How many more sign-ins and sign-outs of each token are recorded.
    recorded: RateLimit<String>,
    pub(in crate::http) revocations: Revocations,
    pub(in crate::http) audit: Audit,
}

/// How many sign-ins and sign-outs of one token are recorded in [`RECORDED_WITHIN`], so that no
/// holder of a token can fill the audit.
const RECORDED_SESSIONS: u32 = 10;

/// The time in which they are counted.
const RECORDED_WITHIN: Duration = Duration::from_secs(3_600);

/// The most tokens for which they are counted at the same time.
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
        }
    }

    /// The tokens and sessions that were revoked or ended early.
    #[must_use]
    pub fn revocations(&self) -> &Revocations {
        &self.revocations
    }

    /// The claims of a token, if it is valid and not revoked.
    pub(in crate::http) fn token(
        &self,
        token: &str,
        now: Timestamp,
    ) -> Result<AccessToken, Refusal> {
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

    /// Whether a caller's credentials are still valid: for long-lived answers.
    pub(in crate::http) fn still_holds(&self, caller: &Caller, now: Timestamp) -> bool {
        match caller {
            Caller::Anonymous => true,
            Caller::Token(pass) => pass.expires > now && !self.revocations.has_token(pass),
            Caller::Session(session) => {
                session.expires > now && !self.revocations.has_session(session)
            }
        }
    }

    pub(in crate::http) fn authority(&self) -> Result<&Authority, Refusal> {
        self.authority.as_ref().ok_or(Refusal::NoSecret)
    }

    /// The public address of one of our pages.
    pub(in crate::http) fn page(&self, path: &str) -> HeaderValue {
        HeaderValue::from_str(&format!("{}{path}", self.settings.base))
            .unwrap_or(HeaderValue::from_static("/"))
    }

    /// The answer to a bad token: why it is refused, or how long to wait where its address has
    /// shown too many.
    pub(in crate::http) fn refuse(&self, client: Client, why: Refusal) -> ApiError {
        let now = Instant::now();
        self.refusals.count(why, now);
        if let Some(wait) = self.throttle.wait(client.address, now) {
            return error::too_many_failures(wait);
        }
        self.throttle.failed(client.address, now);
        error::refused(why)
    }

    /// Whether this client must wait before another bad token of it is answered.
    pub(in crate::http) fn has_to_wait(&self, client: Client) -> bool {
        self.throttle.wait(client.address, Instant::now()).is_some()
    }

    /// Records that a user signed in or out, unless the same token did so too often.
    pub(in crate::http) fn record_session(&self, session: Session, what: &str) -> Noted {
        match self.recorded.take(&session.pass.id, Instant::now()) {
            Ok(()) => self.audit.note(&Caller::Session(session), what),
            Err(_) => Noted::elsewhere(),
        }
    }

    /// Identifies the caller. Without credentials it is an unknown caller; so it is with an invalid
    /// session, because browsers show an old one for hours, and a page stays readable where reading
    /// is open.
    pub(super) fn identify(
        &self,
        method: &Method,
        headers: &HeaderMap,
        client: Client,
    ) -> ApiResult<Identified> {
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

    /// Whether this caller may send this request, which is returned because a form's field may be
    /// in its body.
    pub(super) async fn authorize(
        &self,
        request: Request,
        caller: &Caller,
        need: Need,
    ) -> ApiResult<Request> {
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

    /// Whether the request is meant for us. Another site can let its own name resolve to this host
    /// and then read as we do (DNS rebinding): so a program on this host that comes without a proxy
    /// must name us by an address, as `localhost`, or as `API_URL` does.
    pub(super) fn is_meant(&self, request: &Request) -> bool {
        let is_local = request
            .extensions()
            .get::<Peer>()
            .is_some_and(|peer| peer.address.ip().to_canonical().is_loopback());
        let is_own = |host: &str| origin::is_own_host(host, self.settings.url.as_ref());
        let header = request.headers().get(HOST);
        // A target in absolute form names the host too, and then that is the one that counts (RFC
        // 9112, 3.2.2).
        let target = request.uri().authority();
        !is_local
            || client::is_forwarded(request.headers())
            || (header.is_none_or(|host| host.to_str().is_ok_and(is_own))
                && target.is_none_or(|host| is_own(host.as_str())))
    }

    /// The sender of the request, by its connection and by what trusted proxies report.
    pub(super) fn client(&self, request: &Request) -> Client {
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

/// Checks for a long-lived answer whether its reader may still have it.
#[derive(Clone)]
pub(in crate::http) struct Validity {
    pub(super) authenticator: Arc<Authenticator>,
    pub(super) caller: Caller,
}

impl Validity {
    /// Whether the reader's token or session is valid at this time.
    pub(in crate::http) fn holds(&self, now: Timestamp) -> bool {
        self.authenticator.still_holds(&self.caller, now)
    }

    /// How long it stays valid from this time unless it is revoked; `None` without end.
    pub(in crate::http) fn lasts(&self, now: Timestamp) -> Option<Duration> {
        let left = self.caller.expires()?.duration_since(now);
        Some(Duration::try_from(left).unwrap_or_default())
    }
}

/// The caller, and whether their browser holds an invalid session.
pub(super) struct Identified {
    pub(super) caller: Caller,
    pub(super) stale_cookie: bool,
}

impl Identified {
    fn good(caller: Caller) -> Self {
        Self {
            caller,
            stale_cookie: false,
        }
    }
}

fn allowed(caller: &Caller, scope: Scope) -> ApiResult<()> {
    match caller {
        Caller::Anonymous => Err(error::token_needed(scope)),
        known if known.may(scope) => Ok(()),
        Caller::Token(_) | Caller::Session(_) => Err(error::scope_missing(scope)),
    }
}

/// The token of `Authorization: Bearer`; or of `Basic`, where it is the password, for programs that
/// support nothing else. Browsers repeat `Basic` by themselves, also for other sites, so it may
/// only read. A value that is no token, and other schemes, belong to a proxy and are ignored.
fn shown<'a>(method: &Method, headers: &'a HeaderMap) -> Option<Cow<'a, str>> {
    let mut all = headers.get_all(AUTHORIZATION).iter();
    let first = all.next()?;
    if all.next().is_some() {
        // Of several none counts: a proxy in front of us may use another one than we.
        return Some("".into());
    }
    let (scheme, shown) = first.to_str().ok()?.trim().split_once(' ')?;
    if scheme.eq_ignore_ascii_case("bearer") {
        return Some(shown.trim().into());
    }
    let pair = (scheme.eq_ignore_ascii_case("basic") && method.is_safe())
        .then(|| STANDARD.decode(shown.trim()).ok())??;
    let password = std::str::from_utf8(&pair).ok()?.split_once(':')?.1;
    has_form(password).then(|| password.to_owned().into())
}

#[cfg(test)]
mod tests {
    use super::*;

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
        let mut headers = HeaderMap::new();
        for value in ["Bearer abc", "Bearer abc"] {
            headers.append(AUTHORIZATION, HeaderValue::from_static(value));
        }
        assert_eq!(shown(&Method::GET, &headers).as_deref(), Some(""));
    }
}
