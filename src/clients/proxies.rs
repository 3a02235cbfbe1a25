//! Choice of the proxy for a host, by the environment (`HTTP_PROXY`, `HTTPS_PROXY`, `ALL_PROXY`,
//! `NO_PROXY`), but never for this host itself. Opens no connection.

use std::net::IpAddr;

use hyper::Uri;
use hyper_util::client::proxy::matcher::{Intercept, Matcher};

/// The proxies of the environment, with the hosts that are exempt from them.
#[derive(Debug)]
pub struct Proxies {
    matcher: Matcher,
    exempt: Vec<Exempt>,
}

/// Hosts in a form of `NO_PROXY` that the matcher does not read.
#[derive(Debug, PartialEq, Eq)]
struct Exempt {
    host: String,
    /// Whether the host itself is meant, and not only what is below it.
    itself: bool,
    port: Option<u16>,
}

impl Proxies {
    /// Those of the environment.
    pub fn from_env() -> Self {
        let no = ["NO_PROXY", "no_proxy"]
            .into_iter()
            .find_map(|name| std::env::var(name).ok());
        Self::new(Matcher::from_env(), no.as_deref().unwrap_or_default())
    }

    /// No proxies: everything is reached directly.
    pub fn none() -> Self {
        Self::new(Matcher::builder().build(), "")
    }

    /// Those of the matcher, but for the hosts that `no_proxy` names beyond what the matcher reads
    /// of it.
    pub(super) fn new(matcher: Matcher, no_proxy: &str) -> Self {
        Self {
            matcher,
            exempt: no_proxy.split(',').filter_map(Exempt::read).collect(),
        }
    }

    /// The proxy for an address; `None` for a direct connection.
    pub fn intercept(&self, there: &Uri) -> Option<Intercept> {
        let host = bare(there.host()?);
        if is_loopback(host) {
            return None;
        }
        let port = there.port_u16().or(match there.scheme_str() {
            Some("http") => Some(80),
            Some("https") => Some(443),
            _ => None,
        });
        let is_exempt = self.exempt.iter().any(|exempt| exempt.has(host, port));
        (!is_exempt)
            .then(|| self.matcher.intercept(there))
            .flatten()
    }

    /// Whether there is any proxy.
    pub fn are_set(&self) -> bool {
        ["http", "https"].into_iter().any(|scheme| {
            let elsewhere = format!("{scheme}://elsewhere.invalid").parse();
            elsewhere.is_ok_and(|uri| self.matcher.intercept(&uri).is_some())
        })
    }
}

impl Exempt {
    /// `*.domain`, `host:port`, `*.domain:port`, `.domain:port`; `None` for all else, which the
    /// matcher reads.
    fn read(entry: &str) -> Option<Self> {
        let entry = entry.trim();
        let (host, port) = match entry.rsplit_once(':') {
            Some((host, port)) if !host.contains(':') || host.ends_with(']') => {
                (host, Some(port.parse().ok()?))
            }
            _ => (entry, None),
        };
        let below = host.strip_prefix("*.");
        if below.is_none() && port.is_none() {
            return None;
        }
        let below = below.or_else(|| host.strip_prefix('.'));
        Some(Self {
            host: bare(below.unwrap_or(host)).to_ascii_lowercase(),
            itself: below.is_none(),
            port,
        })
    }

    fn has(&self, host: &str, port: Option<u16>) -> bool {
        let host = host.to_ascii_lowercase();
        let is_below = host
            .strip_suffix(self.host.as_str())
            .is_some_and(|start| start.ends_with('.'));
        let is_port = self.port.is_none() || self.port == port;
        is_port && (is_below || self.itself && (host == self.host || self.host == "*"))
    }
}

/// A host without the brackets of an IPv6 address and the dot that ends a name.
fn bare(host: &str) -> &str {
    host.trim_start_matches('[')
        .trim_end_matches(']')
        .trim_end_matches('.')
}

fn is_loopback(host: &str) -> bool {
    let name = host.to_ascii_lowercase();
    let is_localhost = name == "localhost" || name.ends_with(".localhost");
    is_localhost
        || host
            .parse::<IpAddr>()
            .is_ok_and(|address| address.to_canonical().is_loopback())
}

#[cfg(test)]
mod tests {
    use super::*;

    fn is_proxied(no: &str, url: &str) -> bool {
        let matcher = Matcher::builder()
            .all("http://proxy.example:3128")
            .no(no)
            .build();
        let there = url.parse().expect("a URI");
        Proxies::new(matcher, no).intercept(&there).is_some()
    }

    #[test]
    fn this_host_is_never_reached_through_a_proxy() {
        for host in [
            "localhost",
            "LocalHost",
            "localhost.",
            "lab.localhost",
            "127.0.0.1",
            "127.3.2.1",
            "[::1]",
            "[::ffff:127.0.0.1]",
        ] {
            for scheme in ["http", "https"] {
                let url = format!("{scheme}://{host}:3001/session/stats");
                assert!(!is_proxied("", &url), "{url}");
            }
        }
        for host in ["notlocalhost", "localhost.example.org", "128.0.0.1"] {
            assert!(is_proxied("", &format!("http://{host}/")), "{host}");
        }
    }

    #[test]
    fn no_proxy_is_read_as_others_read_it() {
        for (no, url, proxied) in [
            ("*.lab.test", "http://app.lab.test/", false),
            ("*.lab.test", "https://app.LAB.test:8443/", false),
            ("*.lab.test", "http://lab.test/", true),
            ("*.lab.test", "http://applab.test/", true),
            ("a.test, *.lab.test", "http://app.lab.test/", false),
            ("app.lab.test:3001", "http://app.lab.test:3001/", false),
            ("app.lab.test:3001", "http://x.app.lab.test:3001/", false),
            ("app.lab.test:3001", "http://app.lab.test:3002/", true),
            ("app.lab.test:443", "https://app.lab.test/", false),
            ("app.lab.test:443", "http://app.lab.test/", true),
            (".lab.test:80", "http://app.lab.test/", false),
            (".lab.test:80", "http://lab.test/", true),
            ("*:3001", "http://app.lab.test:3001/", false),
            ("10.0.0.1:80", "http://10.0.0.1/", false),
            ("[2001:db8::1]:80", "http://[2001:db8::1]/", false),
            ("[2001:db8::1]:80", "http://[2001:db8::1]:81/", true),
            // The matcher's own forms still work.
            ("lab.test", "http://app.lab.test/", false),
            (".lab.test", "http://app.lab.test/", false),
            ("*", "http://app.lab.test/", false),
            ("10.0.0.0/8", "http://10.1.2.3/", false),
            ("2001:db8::1", "http://[2001:db8::1]/", false),
            ("app.lab.test:none", "http://app.lab.test/", true),
            ("", "http://app.lab.test/", true),
        ] {
            assert_eq!(is_proxied(no, url), proxied, "{no} {url}");
        }
    }

    #[test]
    fn without_proxies_nothing_is_proxied() {
        let there = "http://app.lab.test/".parse().expect("a URI");
        assert!(Proxies::none().intercept(&there).is_none());
        assert!(!Proxies::none().are_set());
        let no = Matcher::builder()
            .all("http://proxy.example")
            .no("*")
            .build();
        assert!(!Proxies::new(no, "*").are_set());
        let all = Matcher::builder().https("http://proxy.example").build();
        assert!(Proxies::new(all, "").are_set());
    }
}
