//! Where a request comes from: the address, and whether nobody could listen on the way. A proxy's word counts only where it is trusted.

use std::net::{IpAddr, Ipv4Addr, SocketAddr};

use axum::http::{HeaderMap, Request};
use ipnet::IpNet;

/// The header in which proxies add whom they serve.
const FORWARDED_FOR: &str = "x-forwarded-for";

/// The header in which a proxy says how it was asked.
const FORWARDED_PROTO: &str = "x-forwarded-proto";

/// The other end of a connection.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct Peer {
    /// Its address.
    pub(super) address: SocketAddr,
    /// Whether the connection is ours over TLS.
    pub(super) tls: bool,
}

/// Who sent a request.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct Client {
    /// Their address, as far as it is known.
    pub(super) address: IpAddr,
    /// Whether they use TLS, up to us or up to a proxy. Only makes cookies stricter, so anybody's word will do.
    pub(super) secure: bool,
}

impl Client {
    /// The sender of `request`, believing these proxies.
    pub(super) fn of<B>(request: &Request<B>, trusted: &[IpNet]) -> Self {
        let peer = request.extensions().get::<Peer>();
        let address = peer.map_or(IpAddr::V4(Ipv4Addr::UNSPECIFIED), |peer| {
            peer.address.ip().to_canonical()
        });
        let secure = peer.is_some_and(|peer| peer.tls)
            || last(request.headers(), FORWARDED_PROTO) == Some("https");
        Self {
            address: behind(address, request.headers(), trusted),
            secure,
        }
    }
}

/// The last address in the list that no trusted proxy has: each adds whom it saw, so what stands further left anybody can write.
fn behind(peer: IpAddr, headers: &HeaderMap, trusted: &[IpNet]) -> IpAddr {
    let mut address = peer;
    let lists = headers
        .get_all(FORWARDED_FOR)
        .iter()
        .rev()
        .filter_map(|value| value.to_str().ok());
    let mut said = lists.flat_map(|list| list.rsplit(',')).map(str::trim);
    while trusted.iter().any(|network| network.contains(&address)) {
        let Some(next) = said.next().and_then(|text| text.parse::<IpAddr>().ok()) else {
            break;
        };
        address = next.to_canonical();
    }
    address
}

fn last<'a>(headers: &'a HeaderMap, name: &str) -> Option<&'a str> {
    headers
        .get_all(name)
        .iter()
        .next_back()?
        .to_str()
        .ok()?
        .rsplit(',')
        .next()
        .map(str::trim)
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Whose address a request has that comes from `peer` with these headers, where 10.0.0.1 and 10.0.0.2 are trusted.
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
    fn security_is_ours_or_the_proxys() {
        let secure = |tls, proto: Option<&str>| {
            let mut request = Request::new(());
            request.extensions_mut().insert(Peer {
                address: SocketAddr::from(([127, 0, 0, 1], 1)),
                tls,
            });
            if let Some(proto) = proto {
                request
                    .headers_mut()
                    .insert(FORWARDED_PROTO, proto.parse().expect("a value"));
            }
            Client::of(&request, &[]).secure
        };
        for (tls, proto, expect) in [
            (false, None, false),
            (true, None, true),
            (false, Some("https"), true),
            (false, Some("http"), false),
        ] {
            assert_eq!(secure(tls, proto), expect, "{tls} {proto:?}");
        }
    }
}
