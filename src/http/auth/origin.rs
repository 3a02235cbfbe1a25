//! Protection against forged requests of other sites (CSRF): by the origin that a browser reports,
//! and by a text that only our own pages know.

use axum::body::{Body, to_bytes};
use axum::extract::Request;
use axum::http::HeaderMap;
use axum::http::header::{CONTENT_TYPE, HOST, ORIGIN};
use url::{Host, Url, form_urlencoded};

use super::{client, same};
use crate::http::error::{self, ApiResult};
use crate::http::middleware::MAX_BODY_BYTES;

/// The header in which a script repeats the session's text.
const CSRF_HEADER: &str = "x-csrf-token";

/// The field in which a form repeats it.
const CSRF_FIELD: &str = "csrf";

/// The header in which browsers report the kind of site that made the request. Scripts cannot set
/// it.
const FETCH_SITE: &str = "sec-fetch-site";

/// The host that the client of a proxy requested.
const FORWARDED_HOST: &str = "x-forwarded-host";

/// The origin of a request.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(in crate::http) enum Origin {
    /// From our own pages, the address line, or a program that is no browser.
    Ours,
    /// From another site.
    Other,
}

/// The origin of a request, as its browser reports it. `public` is our public address, if it is
/// set.
pub(in crate::http) fn of(headers: &HeaderMap, public: Option<&Url>) -> Origin {
    let text = |name: &str| headers.get(name).map(|value| value.to_str().unwrap_or("?"));
    let ours = match (text(FETCH_SITE), text(ORIGIN.as_str())) {
        (Some(site), _) => ["same-origin", "none"].contains(&site),
        (None, Some(origin)) => {
            let host = origin.split_once("://").map_or(origin, |(_, host)| host);
            public.is_some_and(|url| url.origin().ascii_serialization() == origin)
                || text(HOST.as_str()) == Some(host)
                || text(FORWARDED_HOST).or_else(|| client::forwarded(headers, "host")) == Some(host)
        }
        (None, None) => true,
    };
    if ours { Origin::Ours } else { Origin::Other }
}

/// Whether a host that a request names can be ours: an address, that of `public`, or a name without
/// a dot, such as `localhost`, which no other site has.
pub(in crate::http) fn is_own_host(host: &str, public: Option<&Url>) -> bool {
    // Anything beyond host and port would be taken for other parts of an address.
    let named = (!host.contains(['/', '\\', '?', '#', '@']))
        .then(|| Url::parse(&format!("http://{host}/")).ok())
        .flatten();
    match named.as_ref().and_then(Url::host) {
        Some(Host::Ipv4(_) | Host::Ipv6(_)) => true,
        Some(Host::Domain(name)) => {
            !name.contains('.')
                || name.ends_with(".localhost")
                || public.and_then(Url::host_str) == Some(name)
        }
        None => false,
    }
}

/// The request, if it repeats the session's text in its header or in the field of its form.
pub(in crate::http) async fn confirmed(request: Request, csrf: &str) -> ApiResult<Request> {
    let right = |said: &str| same(said, csrf);
    let (request, right) = if let Some(said) = request.headers().get(CSRF_HEADER) {
        let right = said.to_str().is_ok_and(right);
        (request, right)
    } else if is_form(request.headers()) {
        let (parts, body) = request.into_parts();
        let body = to_bytes(body, MAX_BODY_BYTES)
            .await
            .map_err(|_| error::too_long())?;
        let right = field(&body, CSRF_FIELD).is_some_and(|said| right(&said));
        (Request::from_parts(parts, Body::from(body)), right)
    } else {
        (request, false)
    };
    right.then_some(request).ok_or_else(error::other_site)
}

/// Whether the body is a form's.
pub(in crate::http) fn is_form(headers: &HeaderMap) -> bool {
    let kind = headers
        .get(CONTENT_TYPE)
        .and_then(|kind| kind.to_str().ok())
        .and_then(|kind| kind.split(';').next());
    kind.is_some_and(|kind| {
        kind.trim()
            .eq_ignore_ascii_case("application/x-www-form-urlencoded")
    })
}

/// A field of a form.
pub(in crate::http) fn field(form: &[u8], name: &str) -> Option<String> {
    form_urlencoded::parse(form)
        .find(|(known, _)| known == name)
        .map(|(_, value)| value.into_owned())
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Checks the origin of a request with these headers to the host `lab.example`.
    fn check(headers: &[(&'static str, &str)], expect: Origin) {
        let mut map = HeaderMap::new();
        for (name, value) in headers.iter().chain(&[("host", "lab.example")]) {
            map.insert(*name, value.parse().expect("a value"));
        }
        let public = Url::parse("https://public.example/lab").expect("a URL");
        assert_eq!(of(&map, Some(&public)), expect, "{headers:?}");
    }

    #[test]
    fn browsers_say_where_they_come_from() {
        use Origin::{Other, Ours};
        check(&[], Ours);
        check(&[("sec-fetch-site", "same-origin")], Ours);
        check(&[("sec-fetch-site", "none")], Ours);
        check(&[("sec-fetch-site", "same-site")], Other);
        check(
            &[
                ("sec-fetch-site", "cross-site"),
                ("origin", "http://lab.example"),
            ],
            Other,
        );
        check(&[("origin", "http://lab.example")], Ours);
        check(&[("origin", "https://public.example")], Ours);
        check(&[("origin", "https://evil.example")], Other);
        check(&[("origin", "https://lab.example.evil")], Other);
        check(&[("origin", "null")], Other);
        check(
            &[
                ("origin", "https://front.example"),
                ("x-forwarded-host", "front.example"),
            ],
            Ours,
        );
        let said = "for=192.0.2.7;host=front.example";
        check(
            &[("origin", "https://front.example"), ("forwarded", said)],
            Ours,
        );
        check(
            &[("origin", "https://evil.example"), ("forwarded", said)],
            Other,
        );
    }

    #[test]
    fn our_own_hosts() {
        let public = Url::parse("https://public.example/lab").expect("a URL");
        for (host, expect) in [
            ("127.0.0.1:3007", true),
            ("[::1]:3007", true),
            ("192.0.2.1", true),
            ("localhost:3007", true),
            ("LOCALHOST", true),
            ("labpc:3007", true),
            ("public.example", true),
            ("evil.example:3007", false),
            ("localhost.evil.example", false),
            ("public.example.evil", false),
            ("", false),
            ("a b", false),
            ("localhost/evil.example", false),
            ("evil.example@localhost", false),
        ] {
            assert_eq!(is_own_host(host, Some(&public)), expect, "{host}");
        }
    }

    #[tokio::test]
    async fn a_session_repeats_its_text() {
        let form = "application/x-www-form-urlencoded";
        for (header, kind, body, expect) in [
            (Some("abc"), "text/plain", "", true),
            (Some("abd"), form, "csrf=abc", false),
            (None, form, "x=1&csrf=abc", true),
            (None, form, "x=1&csrf=abd", false),
            (None, form, "", false),
            (None, "application/json", r#"{"csrf":"abc"}"#, false),
        ] {
            let mut request = Request::builder().header(CONTENT_TYPE, kind);
            if let Some(header) = header {
                request = request.header(CSRF_HEADER, header);
            }
            let confirmed =
                confirmed(request.body(Body::from(body)).expect("a request"), "abc").await;
            assert_eq!(confirmed.is_ok(), expect, "{header:?} {kind} {body}");
            if let Ok(request) = confirmed {
                let kept = to_bytes(request.into_body(), 100).await.expect("a body");
                assert_eq!(kept, body.as_bytes(), "the handler gets the body too");
            }
        }
    }
}
