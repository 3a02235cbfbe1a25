//! The cookie of a browser's session: how it is set, found and removed.

use std::time::Duration;

use axum::http::header::COOKIE;
use axum::http::{HeaderMap, HeaderValue};

/// Its name over TLS. Browsers take a name that begins so only over TLS, for the whole host, and from no other host.
const SECURE_NAME: &str = "__Host-labwatch";

/// Its name without TLS.
const PLAIN_NAME: &str = "labwatch";

fn name(secure: bool) -> &'static str {
    if secure { SECURE_NAME } else { PLAIN_NAME }
}

/// What a request holds as the cookie.
pub(super) fn read(headers: &HeaderMap, secure: bool) -> Option<&str> {
    let lists = headers.get_all(COOKIE).iter().filter_map(|value| value.to_str().ok());
    let mut pairs = lists.flat_map(|list| list.split(';')).filter_map(|pair| pair.trim().split_once('='));
    pairs.find(|(known, _)| *known == name(secure)).map(|(_, value)| value)
}

/// What sets it for so long.
pub(super) fn set(text: &str, life: Duration, secure: bool) -> Option<HeaderValue> {
    let flags = if secure { "; Secure" } else { "" };
    let cookie = format!("{}={text}; Path=/; Max-Age={}; HttpOnly; SameSite=Strict{flags}", name(secure), life.as_secs());
    let mut value = HeaderValue::from_str(&cookie).ok()?;
    value.set_sensitive(true);
    Some(value)
}

/// What removes it.
pub(super) fn remove(secure: bool) -> Option<HeaderValue> {
    set("", Duration::ZERO, secure)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn it_is_found_among_others_by_the_name_of_its_way() {
        let mut headers = HeaderMap::new();
        headers.append(COOKIE, HeaderValue::from_static("a=b; labwatch=plain"));
        headers.append(COOKIE, HeaderValue::from_static("__Host-labwatch=secure;c"));
        assert_eq!((read(&headers, false), read(&headers, true)), (Some("plain"), Some("secure")));
        assert_eq!(read(&HeaderMap::new(), false), None);
    }

    #[test]
    fn it_is_closed_to_scripts_and_other_sites() {
        let plain = set("x.y", Duration::from_secs(5), false).expect("a value");
        assert_eq!(plain, "labwatch=x.y; Path=/; Max-Age=5; HttpOnly; SameSite=Strict");
        let secure = remove(true).expect("a value");
        assert_eq!(secure, "__Host-labwatch=; Path=/; Max-Age=0; HttpOnly; SameSite=Strict; Secure");
    }
}
