//! The addresses of book, jump and relay: audience, host, secret. Connects to nothing.

use std::net::Ipv6Addr;

use secrecy::SecretString;
use url::Url;

use super::problem::quote;
use super::reader::Reader;
use crate::clients::Address;
use engine::model::SourceName;

/// The address of a server; absent when it is wrong.
pub(super) fn address(reader: &mut Reader<'_>, server: SourceName) -> Option<Address> {
    let audience = audience(reader, server);
    let url_key = format!("url_{server}");
    let url = reader.parsed(&url_key, http_url);
    let websocket = match server {
        SourceName::Book => None,
        SourceName::Relay | SourceName::Jump => {
            reader.parsed(&format!("url_{server}_socket"), socket_url)
        }
    };
    let secret = secret(reader, server);
    let audience = audience?;
    let connect = url.or_else(|| connect_by_audience(reader, server, &audience))?;
    Some(Address {
        audience,
        connect,
        websocket,
        secret: secret?,
    })
}

/// An unreachable address, for a configuration of which only the rules are used.
pub(super) fn nowhere(server: SourceName) -> Option<Address> {
    let audience = format!("https://{server}.invalid");
    let connect = Url::parse(&audience).ok()?;
    Some(Address {
        audience,
        connect,
        websocket: None,
        secret: SecretString::from("none"),
    })
}

/// The server's audience: as set, or scheme, host and base path combined.
fn audience(reader: &mut Reader<'_>, server: SourceName) -> Option<String> {
    let scheme = reader.word(&format!("scheme_{server}"));
    let base = reader.parsed(&format!("basepath_{server}"), base_path);
    let host_key = format!("host_{server}");
    let before = reader.problems.len();
    let host = reader.parsed(&host_key, |text| host(text, server));
    let set = reader.text(&format!("audience_{server}"));
    if let Some(set) = set {
        warn_of_slash(reader, server, &set);
        return Some(set);
    }
    if host.is_none() && reader.problems.len() == before {
        reader.missing(&host_key, "");
    }
    Some(format!("{}://{}{}", scheme?, host?, base?))
}

fn warn_of_slash(reader: &mut Reader<'_>, server: SourceName, audience: &str) {
    if audience.ends_with('/') {
        let warning = format!(
            "audience_{server} ends with a slash, which must stand in {server}'s own setting too: tokens name it to the byte"
        );
        reader.warnings.push(warning);
    }
}

fn connect_by_audience(reader: &mut Reader<'_>, server: SourceName, audience: &str) -> Option<Url> {
    let url_key = format!("url_{server}");
    match http_url(audience) {
        Ok(url) => Some(url),
        Err(_) if reader.is_set(&url_key) => None,
        Err(_) => {
            reader.missing(
                &url_key,
                &format!("audience_{server} is not an address that can be called: "),
            );
            None
        }
    }
}

fn secret(reader: &mut Reader<'_>, server: SourceName) -> Option<SecretString> {
    let key = format!("secret_{server}");
    let before = reader.problems.len();
    let secret = reader.secret(&key);
    if secret.is_none() && reader.problems.len() == before {
        reader.missing(
            &key,
            &format!("name a file with it in {key}_file, give it as a systemd credential, or "),
        );
    }
    secret
}

/// A base path in canonical form: empty, or with a leading and no trailing slash.
pub(super) fn base_path(text: &str) -> Result<String, String> {
    let odd = |c: char| {
        matches!(c, '?' | '#' | '\\' | '%' | '"' | '\'' | '$' | '<' | '>') || c.is_whitespace()
    };
    let segments: Vec<&str> = text
        .split('/')
        .filter(|segment| !segment.is_empty())
        .collect();
    if text.contains("://") {
        Err("has a scheme: write the path alone".to_owned())
    } else if text.contains(odd)
        || segments
            .iter()
            .any(|segment| matches!(*segment, "." | ".."))
    {
        Err("is not a plain path".to_owned())
    } else {
        Ok(segments.iter().flat_map(|segment| ["/", segment]).collect())
    }
}

fn host(text: &str, server: SourceName) -> Result<String, String> {
    if text.contains("://") {
        return Err(format!("has a scheme: that belongs into scheme_{server}"));
    }
    if text.contains('/') {
        return Err(format!("has a path: that belongs into basepath_{server}"));
    }
    if text.contains(char::is_whitespace) {
        return Err("has a blank in it: comments stand on lines of their own".to_owned());
    }
    if text.parse::<Ipv6Addr>().is_ok() {
        return Err(format!(
            "is an IPv6 address without brackets: write [{text}]"
        ));
    }
    let url =
        Url::parse(&format!("http://{text}")).map_err(|error| format!("is not a host: {error}"))?;
    let plain = url.username().is_empty()
        && url.password().is_none()
        && url.query().is_none()
        && url.fragment().is_none();
    let odd = |c: char| matches!(c, '"' | '\'' | '$' | '=' | '<' | '>');
    if plain && !text.ends_with(':') && !text.contains(odd) {
        Ok(text.to_owned())
    } else {
        Err("is not a plain host".to_owned())
    }
}

pub(super) fn http_url(text: &str) -> Result<Url, String> {
    let url = plain_url(text)?;
    if matches!(url.scheme(), "http" | "https") {
        Ok(url)
    } else {
        Err("has another scheme".to_owned())
    }
}

fn socket_url(text: &str) -> Result<Url, String> {
    let url = plain_url(text)?;
    if !matches!(url.scheme(), "ws" | "wss") {
        return Err("has another scheme".to_owned());
    }
    if matches!(url.path(), "" | "/") {
        Ok(url)
    } else {
        Err(format!("has the path {}", quote(url.path())))
    }
}

fn plain_url(text: &str) -> Result<Url, String> {
    let url = Url::parse(text).map_err(|error| format!("is not a URL: {error}"))?;
    let user = !url.username().is_empty() || url.password().is_some();
    if user || url.query().is_some() || url.fragment().is_some() {
        return Err("has a user, a query or a fragment".to_owned());
    }
    if url.has_host() {
        Ok(url)
    } else {
        Err("has no host".to_owned())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_base_path_has_one_form() {
        for (text, path) in [
            ("/", Ok("")),
            ("ed0/book", Ok("/ed0/book")),
            ("/ed0/book/", Ok("/ed0/book")),
            ("//ed0//book//", Ok("/ed0/book")),
            ("/ed0/../book", Err("is not a plain path")),
            ("/ed0?x", Err("is not a plain path")),
            ("https://x/ed0", Err("has a scheme: write the path alone")),
        ] {
            assert_eq!(
                base_path(text),
                path.map(str::to_owned).map_err(str::to_owned),
                "{text}"
            );
        }
    }

    #[test]
    fn hosts() {
        for good in [
            "app.example.org",
            "localhost:4000",
            "127.0.0.1",
            "[::1]:3000",
        ] {
            assert_eq!(host(good, SourceName::Book), Ok(good.to_owned()));
        }
        for bad in [
            "https://x",
            "x/y",
            "a b",
            "x:99999",
            "user@x",
            "x?y",
            "x:",
            "",
        ] {
            assert!(host(bad, SourceName::Book).is_err(), "{bad}");
        }
    }
}
