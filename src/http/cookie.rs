//! The cookie of a browser's session: how it is set, found and removed.

use std::time::Duration;

use axum::http::header::COOKIE;
use axum::http::{HeaderMap, HeaderValue};

/// What its name over TLS begins with. Browsers take such a name only over TLS, for the whole host, and from no other host; so its path is
/// always the whole host, and what tells one labwatch from another below the same host is its name.
const SECURE: &str = "__Host-";

/// The cookie of one labwatch.
#[derive(Debug)]
pub(super) struct SessionCookie {
    plain_name: String,
    secure_name: String,
}

impl SessionCookie {
    /// Of the labwatch that browsers reach below this path, which is empty or begins with a slash.
    pub(super) fn below(base: &str) -> Self {
        let place = base.chars().map(|c| match c {
            '/' => '.',
            c if c.is_ascii_alphanumeric() || matches!(c, '.' | '_' | '~') => c,
            _ => '-',
        });
        let plain_name: String = "labwatch".chars().chain(place).collect();
        Self {
            secure_name: format!("{SECURE}{plain_name}"),
            plain_name,
        }
    }

    fn name(&self, secure: bool) -> &str {
        if secure {
            &self.secure_name
        } else {
            &self.plain_name
        }
    }

    /// What a request holds as the cookie.
    pub(super) fn read<'a>(&self, headers: &'a HeaderMap, secure: bool) -> Option<&'a str> {
        let lists = headers
            .get_all(COOKIE)
            .iter()
            .filter_map(|value| value.to_str().ok());
        let mut pairs = lists
            .flat_map(|list| list.split(';'))
            .filter_map(|pair| pair.trim().split_once('='));
        pairs
            .find(|(known, _)| *known == self.name(secure))
            .map(|(_, value)| value)
    }

    /// What sets it for so long.
    pub(super) fn set(&self, text: &str, life: Duration, secure: bool) -> Option<HeaderValue> {
        let flags = if secure { "; Secure" } else { "" };
        let cookie = format!(
            "{}={text}; Path=/; Max-Age={}; HttpOnly; SameSite=Strict{flags}",
            self.name(secure),
            life.as_secs()
        );
        let mut value = HeaderValue::from_str(&cookie).ok()?;
        value.set_sensitive(true);
        Some(value)
    }

    /// What removes it.
    pub(super) fn remove(&self, secure: bool) -> Option<HeaderValue> {
        self.set("", Duration::ZERO, secure)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn it_is_found_among_others_by_the_name_of_its_way() {
        let mut headers = HeaderMap::new();
        headers.append(COOKIE, HeaderValue::from_static("a=b; labwatch=plain"));
        headers.append(COOKIE, HeaderValue::from_static("__Host-labwatch=secure;c"));
        let cookie = SessionCookie::below("");
        assert_eq!(
            (cookie.read(&headers, false), cookie.read(&headers, true)),
            (Some("plain"), Some("secure"))
        );
        assert_eq!(cookie.read(&HeaderMap::new(), false), None);
    }

    #[test]
    fn two_labwatches_below_one_host_do_not_take_each_others() {
        let mut headers = HeaderMap::new();
        headers.insert(
            COOKIE,
            HeaderValue::from_static("labwatch=a; labwatch.ed0.status=b; labwatch.ed-1=c"),
        );
        for (base, expect) in [
            ("", Some("a")),
            ("/ed0/status", Some("b")),
            ("/ed%1", Some("c")),
            ("/ed0", None),
        ] {
            assert_eq!(
                SessionCookie::below(base).read(&headers, false),
                expect,
                "{base}"
            );
        }
    }

    #[test]
    fn it_is_closed_to_scripts_and_other_sites() {
        let cookie = SessionCookie::below("");
        let plain = cookie
            .set("x.y", Duration::from_secs(5), false)
            .expect("a value");
        assert_eq!(
            plain,
            "labwatch=x.y; Path=/; Max-Age=5; HttpOnly; SameSite=Strict"
        );
        let secure = cookie.remove(true).expect("a value");
        assert_eq!(
            secure,
            "__Host-labwatch=; Path=/; Max-Age=0; HttpOnly; SameSite=Strict; Secure"
        );
    }
}
