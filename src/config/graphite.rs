//! How labwatch shows its health to other systems: names, severities, metrics, Graphite. Sends
//! nothing.

use std::net::SocketAddr;
use std::time::Duration;

use super::access::{ip, port};
use super::mail::bare_host;
use super::nearest::one_of;
use super::reader::Reader;
use super::rows::{MAX_SLUG_BYTES, pattern, slug};
use super::services::{COMPONENTS, ServiceSettings};

#[derive(Debug, Clone, PartialEq, Eq)]
pub struct SurfaceSettings {
    /// `LABEL`: the installation's name in titles and metrics.
    pub label: String,
    /// `NON_FATAL`: the components whose failure does not make labwatch as a whole unhealthy; each
    /// is a built-in one or a service.
    pub non_fatal: Vec<String>,
    /// `SEVERITY_1`: patterns of the experiments, pools and categories whose failure is of the
    /// highest severity; may be empty.
    pub severity_1: Vec<String>,
    /// `METRICS`: whether `/metrics` is served to Prometheus.
    pub metrics: bool,
    /// `ADDRESS_ACTUATOR` and `PORT_ACTUATOR`: the further address of the health endpoints; `None`:
    /// none.
    pub actuator: Option<SocketAddr>,
}

#[derive(Debug, Clone, PartialEq, Eq)]
pub struct GraphiteSettings {
    /// `LABEL`: the next part of every metric's name.
    pub label: String,
    /// `GRAPHITE_HOST`: a name or an address without brackets.
    pub host: String,
    /// `GRAPHITE_PORT`.
    pub port: u16,
    /// `GRAPHITE_PREFIX`: the prefix of every metric's name, without a dot at its end.
    pub prefix: String,
    /// `GRAPHITE_EVERY`.
    pub every: Duration,
}

pub(super) fn surfaces(reader: &mut Reader<'_>, services: &[ServiceSettings]) -> SurfaceSettings {
    let own = COMPONENTS.into_iter().map(str::to_owned);
    let known: Vec<String> = own
        .chain(services.iter().map(|service| service.name.clone()))
        .collect();
    SurfaceSettings {
        label: reader.parsed("label", label).unwrap_or_default(),
        non_fatal: reader.list_or_none("non_fatal", |text| one_of(text, &known, "component")),
        severity_1: reader.list("severity_1", pattern),
        metrics: reader.switch("metrics"),
        actuator: actuator(reader),
    }
}

fn actuator(reader: &mut Reader<'_>) -> Option<SocketAddr> {
    let address = reader.parsed("address_actuator", ip);
    let port = reader.parsed("port_actuator", port).flatten();
    address.zip(port).map(SocketAddr::from)
}

pub(super) fn graphite(reader: &mut Reader<'_>, label: &str) -> Option<GraphiteSettings> {
    let host = reader.parsed("graphite_host", |text| bare_host(text, "graphite_port"));
    let port = reader.number("graphite_port");
    let prefix = reader.parsed("graphite_prefix", prefix);
    let every = reader.duration("graphite_every");
    Some(GraphiteSettings {
        label: label.to_owned(),
        host: host?,
        port,
        prefix: prefix?,
        every,
    })
}

/// Reads the settings of profiling, which the replaced program had, so that a wrong value is still
/// reported.
pub(super) fn profile(reader: &mut Reader<'_>) {
    let profile = reader.switch("profile");
    reader.number::<u16>("port_profile");
    if profile {
        let warning =
            "profile is ignored: take a CPU profile with perf record -g -p $(pidof labwatch)";
        reader.warnings.push(warning.to_owned());
    }
}

/// Names separated by slashes, as app.example.org/ed0.
fn label(text: &str) -> Result<String, String> {
    if text.len() > MAX_SLUG_BYTES {
        return Err("is too long".to_owned());
    }
    if text.split('/').any(str::is_empty) {
        return Err("has an empty part".to_owned());
    }
    text.split('/')
        .try_for_each(|part| slug(part).map(drop))
        .map(|()| text.to_owned())
}

fn prefix(text: &str) -> Result<String, String> {
    let plain = |part: &str| {
        !part.is_empty()
            && part
                .bytes()
                .all(|b| b.is_ascii_alphanumeric() || matches!(b, b'-' | b'_'))
    };
    if text.split('.').all(plain) {
        Ok(text.to_owned())
    } else {
        Err("has an empty part or other characters".to_owned())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn labels() {
        for good in ["lab", "app.practable.io/ed0", "a/b/c"] {
            assert_eq!(label(good), Ok(good.to_owned()));
        }
        for bad in ["/a", "a/", "a//b", "a b", &"a/".repeat(40)] {
            assert!(label(bad).is_err(), "{bad}");
        }
    }

    #[test]
    fn prefixes() {
        for good in ["lab.health", "a", "a-b.c_d.0"] {
            assert_eq!(prefix(good), Ok(good.to_owned()));
        }
        for bad in ["", ".", "a.", ".a", "a..b", "a b", "a/b"] {
            assert!(prefix(bad).is_err(), "{bad}");
        }
    }
}
