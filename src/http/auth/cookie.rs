//! The cookie of a browser's session: how it is set, found and removed.

use std::time::Duration;

use aws_lc_rs::hmac;
use axum::http::header::COOKIE;
use axum::http::{HeaderMap, HeaderValue};
use secrecy::{ExposeSecret, SecretString};

use super::random::hex;

/// The prefix of its name over TLS. Browsers accept it only over TLS, for the whole host, and from
/// no other host; so its path is always the whole host, and two instances below one host are
/// distinguished by its name.
const SECURE: &str = "__Host-";

/// How many bytes of a hash of the secret are in the name.
const HASH_BYTES: usize = 3;

/// The cookie of one labwatch.
#[derive(Debug)]
pub(in crate::http) struct SessionCookie {
    plain_name: String,
    secure_name: String,
}

impl SessionCookie {
    /// The cookie of the labwatch with this secret below this path, which is empty or begins with a
    /// slash. Cookies ignore ports, so another labwatch on the same host, or this one with a new
    /// secret, has a cookie of another name.
    pub(in crate::http) fn new(base: &str, secret: Option<&SecretString>) -> Self {
        let place = base.chars().map(|c| match c {
            '/' => '.',
            c if c.is_ascii_alphanumeric() || matches!(c, '.' | '_' | '~') => c,
            _ => '-',
        });
        let own = secret.map(short_hash).unwrap_or_default();
        let plain_name: String = "labwatch".chars().chain(own.chars()).chain(place).collect();
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

    /// The value of the cookie in a request.
    pub(in crate::http) fn read<'a>(
        &self,
        headers: &'a HeaderMap,
        secure: bool,
    ) -> Option<&'a str> {
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

    /// The header that sets it for this long.
    pub(in crate::http) fn set(
        &self,
        text: &str,
        life: Duration,
        secure: bool,
    ) -> Option<HeaderValue> {
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

    /// The header that removes it.
    pub(in crate::http) fn remove(&self, secure: bool) -> Option<HeaderValue> {
        self.set("", Duration::ZERO, secure)
    }
}

/// A short hash that distinguishes two secrets and reveals nothing else of them.
fn short_hash(secret: &SecretString) -> String {
    let key = hmac::Key::new(hmac::HMAC_SHA256, secret.expose_secret().as_bytes());
    let tag = hmac::sign(&key, b"name of the cookie");
    let bytes = tag.as_ref().get(..HASH_BYTES).unwrap_or_default();
    format!("-{}", hex(bytes))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn another_secret_has_another_cookie() {
        let name = |secret: &str| SessionCookie::new("/a", Some(&secret.into())).plain_name;
        assert_ne!(name("one"), name("other"));
        assert_eq!(name("one"), name("one"));
        assert!(
            name("one").starts_with("labwatch-") && name("one").split('.').next_back() == Some("a")
        );
    }

    #[test]
    fn it_is_found_among_others_by_the_name_of_its_way() {
        let mut headers = HeaderMap::new();
        headers.append(COOKIE, HeaderValue::from_static("a=b; labwatch=plain"));
        headers.append(COOKIE, HeaderValue::from_static("__Host-labwatch=secure;c"));
        let cookie = SessionCookie::new("", None);
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
                SessionCookie::new(base, None).read(&headers, false),
                expect,
                "{base}"
            );
        }
    }

    #[test]
    fn it_is_closed_to_scripts_and_other_sites() {
        let cookie = SessionCookie::new("", None);
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
