//! The client of a request: its address, and whether it used TLS all the way. Headers of a proxy
//! count only where the proxy is trusted.

use std::collections::BTreeSet;
use std::net::{IpAddr, Ipv4Addr, SocketAddr};
use std::sync::{Mutex, PoisonError};

use axum::http::header::{FORWARDED, VIA};
use axum::http::{HeaderMap, HeaderName, Request};
use ipnet::IpNet;

/// The header to which most proxies add their client's address.
const FORWARDED_FOR: HeaderName = HeaderName::from_static("x-forwarded-for");

/// The header in which a proxy reports the scheme of its client.
const FORWARDED_PROTO: HeaderName = HeaderName::from_static("x-forwarded-proto");

/// Headers that distinguish a proxy on this host from another program on it.
const PROXY_HEADERS: [HeaderName; 6] = [
    FORWARDED_FOR,
    FORWARDED_PROTO,
    FORWARDED,
    VIA,
    HeaderName::from_static("x-forwarded-host"),
    HeaderName::from_static("x-real-ip"),
];

/// The most proxies that get a warning.
const MAX_WARNED: usize = 16;

/// The other end of a connection.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(in crate::http) struct Peer {
    /// Its address.
    pub(in crate::http) address: SocketAddr,
    /// Whether the connection to us uses TLS.
    pub(in crate::http) tls: bool,
}

/// The client of a request.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(in crate::http) struct Client {
    /// Their address, as far as it is known.
    pub(in crate::http) address: IpAddr,
    /// Whether it uses TLS, up to us or up to a proxy. It only makes cookies stricter, so any
    /// sender may claim it.
    pub(in crate::http) secure: bool,
    /// Whether the request came through a trusted proxy.
    pub(in crate::http) forwarded: bool,
    /// A trusted proxy that did not report its client.
    pub(in crate::http) silent_proxy: Option<IpAddr>,
}

impl Client {
    /// The client of `request`, if these proxies are trusted.
    pub(in crate::http) fn of<B>(request: &Request<B>, trusted: &[IpNet]) -> Self {
        let peer = request.extensions().get::<Peer>();
        let headers = request.headers();
        let peer_address = peer.map_or(IpAddr::V4(Ipv4Addr::UNSPECIFIED), |peer| {
            peer.address.ip().to_canonical()
        });
        let address = behind(peer_address, headers, trusted);
        let trusted_peer = is_in(trusted, peer_address);
        let is_proxy = trusted_peer && (!peer_address.is_loopback() || is_forwarded(headers));
        let secure = peer.is_some_and(|peer| peer.tls)
            || last(headers, &FORWARDED_PROTO)
                .or_else(|| forwarded(headers, "proto"))
                .is_some_and(|proto| proto.eq_ignore_ascii_case("https"));
        Self {
            address,
            secure,
            forwarded: is_proxy,
            silent_proxy: Some(peer_address).filter(|peer| is_proxy && *peer == address),
        }
    }
}

/// Whether a proxy has added its own headers.
pub(in crate::http) fn is_forwarded(headers: &HeaderMap) -> bool {
    PROXY_HEADERS.iter().any(|name| headers.contains_key(name))
}

/// Warns once of each proxy that does not report its client.
#[derive(Debug, Default)]
pub(in crate::http) struct ProxyWarning(Mutex<BTreeSet<IpAddr>>);

impl ProxyWarning {
    /// Warns of this proxy, unless that was done already.
    pub(in crate::http) fn warn_once(&self, proxy: IpAddr) {
        if self.is_new(proxy) {
            tracing::warn!(
                %proxy,
                "a trusted proxy does not say whom it serves, so all its clients count as one: have it send X-Forwarded-For or Forwarded \
                 with each client's address"
            );
        }
    }

    fn is_new(&self, proxy: IpAddr) -> bool {
        let mut warned = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        warned.len() < MAX_WARNED && warned.insert(proxy)
    }
}

/// The last address in the list that is not a trusted proxy's: each proxy appends its client, so a
/// client can forge everything further left.
fn behind(peer: IpAddr, headers: &HeaderMap, trusted: &[IpNet]) -> IpAddr {
    let mut address = peer;
    let mut said = entries(headers);
    while is_in(trusted, address)
        && let Some(next) = said.pop().and_then(|entry| address_of(&entry))
    {
        address = next;
    }
    address
}

fn is_in(networks: &[IpNet], address: IpAddr) -> bool {
    networks.iter().any(|network| network.contains(&address))
}

/// The clients that the proxies report, the nearest last: by `X-Forwarded-For`, and without it by
/// `Forwarded` (RFC 7239).
fn entries(headers: &HeaderMap) -> Vec<String> {
    let list = |name: &HeaderName| {
        let values = headers.get_all(name).iter();
        let texts = values.map(|value| value.to_str().unwrap_or_default());
        texts.collect::<Vec<_>>().join(",")
    };
    if headers.contains_key(FORWARDED_FOR) {
        return list(&FORWARDED_FOR).split(',').map(str::to_owned).collect();
    }
    if !headers.contains_key(FORWARDED) {
        return Vec::new();
    }
    let forwarded = list(&FORWARDED);
    let elements = forwarded.split(',');
    elements
        .map(|element| pair(element, "for").unwrap_or_default().to_owned())
        .collect()
}

/// The nearest proxy's value of this parameter of `Forwarded`, such as `proto` or `host`.
pub(in crate::http) fn forwarded<'a>(headers: &'a HeaderMap, of: &str) -> Option<&'a str> {
    pair(last(headers, &FORWARDED)?, of).map(|value| value.trim().trim_matches('"'))
}

/// The value of this name in one element of `Forwarded`.
fn pair<'a>(element: &'a str, of: &str) -> Option<&'a str> {
    let mut pairs = element.split(';').filter_map(|pair| pair.split_once('='));
    pairs
        .find(|(name, _)| name.trim().eq_ignore_ascii_case(of))
        .map(|(_, value)| value)
}

/// An address as proxies write one: bare or quoted, of IPv6 also in brackets, with or without a
/// port.
fn address_of(entry: &str) -> Option<IpAddr> {
    let text = entry.trim().trim_matches('"');
    let bare = match text.strip_prefix('[') {
        Some(bracketed) => bracketed.split_once(']')?.0,
        None => text,
    };
    let parsed = bare.parse().ok();
    let with_port = || text.parse::<SocketAddr>().ok().map(|socket| socket.ip());
    parsed
        .or_else(with_port)
        .map(|ip: IpAddr| ip.to_canonical())
}

fn last<'a>(headers: &'a HeaderMap, name: &HeaderName) -> Option<&'a str> {
    let value = headers.get_all(name).iter().next_back()?;
    value.to_str().ok()?.rsplit(',').next().map(str::trim)
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Checks the client's address of a request from `peer` with these headers, where 10.0.0.1 and
    /// 10.0.0.2 are trusted.
    fn check(peer: &str, forwarded: &[&str], expect: &str) {
        let mut request = Request::new(());
        request.extensions_mut().insert(Peer {
            address: SocketAddr::new(peer.parse().expect("an address"), 1),
            tls: false,
        });
        for list in forwarded {
            request
                .headers_mut()
                .append(FORWARDED_FOR, list.parse().expect("a header"));
        }
        let trusted =
            ["10.0.0.1/32", "10.0.0.2/31"].map(|network| network.parse().expect("a network"));
        assert_eq!(
            Client::of(&request, &trusted).address.to_string(),
            expect,
            "{peer} {forwarded:?}"
        );
    }

    #[test]
    fn only_a_trusted_proxy_is_believed() {
        check("192.0.2.7", &["1.1.1.1"], "192.0.2.7");
        check("10.0.0.1", &[], "10.0.0.1");
        check("10.0.0.1", &["192.0.2.7"], "192.0.2.7");
        check("::ffff:10.0.0.1", &["192.0.2.7"], "192.0.2.7");
        check("10.0.0.1", &["1.1.1.1, 192.0.2.7"], "192.0.2.7");
        check("10.0.0.1", &["1.1.1.1", "192.0.2.7, 10.0.0.2"], "192.0.2.7");
        check("10.0.0.1", &["junk"], "10.0.0.1");
        check("10.0.0.1", &["1.1.1.1, junk, 10.0.0.2"], "10.0.0.2");
    }

    #[test]
    fn addresses_stand_with_ports_in_brackets_and_in_quotes() {
        for (written, expect) in [
            ("192.0.2.7", Some("192.0.2.7")),
            ("192.0.2.7:4711", Some("192.0.2.7")),
            ("2001:db8::1", Some("2001:db8::1")),
            ("[2001:db8::1]", Some("2001:db8::1")),
            ("[2001:db8::1]:4711", Some("2001:db8::1")),
            (" \"[2001:db8::1]:4711\" ", Some("2001:db8::1")),
            ("::ffff:192.0.2.7", Some("192.0.2.7")),
            ("unknown", None),
            ("_hidden", None),
            ("[2001:db8::1", None),
            ("", None),
        ] {
            let found = address_of(written).map(|address| address.to_string());
            assert_eq!(found.as_deref(), expect, "{written}");
        }
    }

    #[test]
    fn forwarded_is_read_where_there_is_no_older_header() {
        let trusted: [IpNet; 1] = ["10.0.0.1/32".parse().expect("a network")];
        for (headers, expect, silent) in [
            (
                &[("forwarded", "for=192.0.2.7;proto=https")][..],
                "192.0.2.7",
                false,
            ),
            (
                &[("forwarded", "for=1.1.1.1, by=x;For=\"[2001:db8::1]:80\"")],
                "2001:db8::1",
                false,
            ),
            (
                &[
                    ("forwarded", "for=1.1.1.1"),
                    ("x-forwarded-for", "192.0.2.7"),
                ],
                "192.0.2.7",
                false,
            ),
            (&[("forwarded", "for=unknown")], "10.0.0.1", true),
            (&[("forwarded", "by=x")], "10.0.0.1", true),
            (&[("x-forwarded-for", "")], "10.0.0.1", true),
            (&[], "10.0.0.1", true),
        ] {
            let mut request = Request::new(());
            request.extensions_mut().insert(Peer {
                address: SocketAddr::from(([10, 0, 0, 1], 1)),
                tls: false,
            });
            for (name, value) in headers {
                request
                    .headers_mut()
                    .append(*name, value.parse().expect("a header"));
            }
            let client = Client::of(&request, &trusted);
            assert_eq!(client.address.to_string(), expect, "{headers:?}");
            assert_eq!(client.silent_proxy.is_some(), silent, "{headers:?}");
        }
    }

    #[test]
    fn a_program_on_this_host_is_no_proxy_that_says_nothing() {
        let trusted: [IpNet; 1] = ["127.0.0.1/32".parse().expect("a network")];
        let mut request = Request::new(());
        request.extensions_mut().insert(Peer {
            address: SocketAddr::from(([127, 0, 0, 1], 1)),
            tls: false,
        });
        let client = Client::of(&request, &trusted);
        assert!(client.silent_proxy.is_none() && !client.forwarded);
        request
            .headers_mut()
            .insert("x-forwarded-proto", "http".parse().expect("a header"));
        let client = Client::of(&request, &trusted);
        assert!(client.silent_proxy.is_some() && client.forwarded);
        let warning = ProxyWarning::default();
        assert!(warning.is_new(client.address) && !warning.is_new(client.address));
    }

    #[test]
    fn security_is_ours_or_the_proxys() {
        let secure = |tls, name: &'static str, proto: Option<&str>| {
            let mut request = Request::new(());
            request.extensions_mut().insert(Peer {
                address: SocketAddr::from(([127, 0, 0, 1], 1)),
                tls,
            });
            if let Some(proto) = proto {
                request
                    .headers_mut()
                    .insert(name, proto.parse().expect("a value"));
            }
            Client::of(&request, &[]).secure
        };
        let (older, newer) = ("x-forwarded-proto", "forwarded");
        for (tls, name, proto, expect) in [
            (false, older, None, false),
            (true, older, None, true),
            (false, older, Some("https"), true),
            (false, older, Some("HTTPS"), true),
            (false, older, Some("http"), false),
            (false, newer, Some("for=192.0.2.7;proto=https"), true),
            (false, newer, Some("for=192.0.2.7; Proto=\"https\""), true),
            (false, newer, Some("proto=https, proto=http"), false),
            (false, newer, Some("for=192.0.2.7"), false),
        ] {
            assert_eq!(secure(tls, name, proto), expect, "{tls} {name} {proto:?}");
        }
    }
}
