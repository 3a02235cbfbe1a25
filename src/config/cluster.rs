//! The settings of a cluster. Connects to nothing.

use std::fs;
use std::path::PathBuf;
use std::time::Duration;

use secrecy::SecretString;
use url::Url;

use super::access::absolute;
use super::reader::Reader;
use super::rows::slug;
use super::servers::http_url;

/// The name of this replica where neither `CLUSTER_NAME` nor the host gives one.
const UNNAMED: &str = "labwatch";

/// Where Linux keeps the name of the host.
const HOST_NAME: &str = "/proc/sys/kernel/hostname";

/// The advice where etcd is configured and this labwatch is built without it.
const NOT_BUILT_IN: &str = "take one of the packages, or build it with --features etcd";

/// Access to etcd: for the replicas, for publication and for the policy.
#[derive(Debug, Clone)]
pub struct EtcdSettings {
    /// `CLUSTER_ENDPOINTS`: the members of etcd, at least one, all of one scheme.
    pub endpoints: Vec<String>,
    /// `CLUSTER_USER` and `CLUSTER_PASSWORD`.
    pub user: Option<(String, SecretString)>,
    /// `CLUSTER_TLS_CA`: a file with the CA certificates of etcd, in PEM; `None`: the system's.
    pub ca: Option<PathBuf>,
    /// `CLUSTER_TLS_CERT` and `CLUSTER_TLS_KEY`: the files of the client certificate, in PEM.
    pub identity: Option<(PathBuf, PathBuf)>,
    /// `CLUSTER_ROOT` and `LABEL`: the prefix of every key of labwatch's own, with a leading and no
    /// trailing slash.
    pub prefix: String,
}

/// One of several replicas that agree by etcd on which of them leads.
#[derive(Debug, Clone)]
pub struct ClusterSettings {
    /// Access to etcd.
    pub etcd: EtcdSettings,
    /// `CLUSTER_LEASE`.
    pub lease: Duration,
    /// `CLUSTER_ALONE`: whether the leader goes on without etcd.
    pub acts_alone: bool,
    /// `CLUSTER_NAME`.
    pub name: String,
    /// `CLUSTER_URL`: the address at which other replicas reach this one.
    pub url: Url,
}

/// Access to etcd; without endpoints where none are set.
pub(super) fn etcd(reader: &mut Reader<'_>, label: &str) -> EtcdSettings {
    let root = reader.parsed("cluster_root", root).unwrap_or_default();
    EtcdSettings {
        endpoints: endpoints(reader),
        user: user(reader),
        ca: reader.parsed("cluster_tls_ca", absolute),
        identity: identity(reader),
        prefix: format!("{root}/{label}"),
    }
}

/// The settings of the cluster; `None`: this labwatch is the only one, or its settings are wrong.
pub(super) fn cluster(reader: &mut Reader<'_>, etcd: &EtcdSettings) -> Option<ClusterSettings> {
    let is_on = reader.word("cluster") == Some("etcd");
    let lease = reader.duration("cluster_lease");
    let acts_alone = reader.word("cluster_alone") == Some("act");
    let name = reader.parsed("cluster_name", slug);
    let url = reader.parsed("cluster_url", http_url);
    if !is_on {
        return None;
    }
    let etcd = with_etcd(reader, "cluster", etcd);
    require(reader, "cluster", "cluster_url", url.is_none());
    Some(ClusterSettings {
        etcd: etcd?,
        lease,
        acts_alone,
        name: name.unwrap_or_else(host_name),
        url: url?,
    })
}

/// Access to etcd for a setting whose value is etcd; `None`: the access is not known, or this
/// labwatch is built without etcd.
pub(super) fn with_etcd(
    reader: &mut Reader<'_>,
    setting: &str,
    etcd: &EtcdSettings,
) -> Option<EtcdSettings> {
    if !cfg!(feature = "etcd") {
        let wrong = "is etcd, and this labwatch is built without it";
        reader.wrong(setting, wrong, NOT_BUILT_IN);
        return None;
    }
    require(
        reader,
        setting,
        "cluster_endpoints",
        etcd.endpoints.is_empty(),
    );
    (!etcd.endpoints.is_empty()).then(|| etcd.clone())
}

/// Reports that a setting is missing that `by` needs, unless it is there and wrong, which is
/// reported already.
fn require(reader: &mut Reader<'_>, by: &str, key: &str, is_absent: bool) {
    if is_absent && !reader.is_set(key) {
        reader.missing(key, &format!("{by} is etcd: "));
    }
}

fn endpoints(reader: &mut Reader<'_>) -> Vec<String> {
    let urls = reader.list("cluster_endpoints", endpoint);
    let is_mixed = urls
        .windows(2)
        .any(|pair| matches!(pair, [a, b] if a.scheme() != b.scheme()));
    if is_mixed {
        let allowed = "all of them with https, or all with http";
        reader.wrong("cluster_endpoints", "has http beside https", allowed);
    }
    let text = |url: &Url| url.as_str().trim_end_matches('/').to_owned();
    urls.iter().map(text).collect()
}

fn endpoint(text: &str) -> Result<Url, String> {
    let url = http_url(text)?;
    if matches!(url.path(), "" | "/") {
        Ok(url)
    } else {
        Err("has a path".to_owned())
    }
}

fn user(reader: &mut Reader<'_>) -> Option<(String, SecretString)> {
    const KEY: &str = "cluster_password";
    let user = reader.text("cluster_user");
    let before = reader.problems.len();
    let password = reader.secret(KEY);
    match (&user, &password) {
        (Some(_), None) if (reader.secrets)(KEY) && reader.problems.len() == before => {
            reader.missing(KEY, "cluster_user is set and needs it: ");
        }
        (None, Some(_)) => {
            let warning = "cluster_password is set but not used: cluster_user is not set";
            reader.warnings.push(warning.to_owned());
        }
        (Some(_), _) | (None, None) => {}
    }
    Some((user?, password?))
}

fn identity(reader: &mut Reader<'_>) -> Option<(PathBuf, PathBuf)> {
    const PAIR: [&str; 2] = ["cluster_tls_cert", "cluster_tls_key"];
    reader.both_or_none(PAIR);
    let [cert, key] = PAIR.map(|key| reader.parsed(key, absolute));
    Some((cert?, key?))
}

/// A path of keys in canonical form: with a leading and no trailing slash.
pub(super) fn root(text: &str) -> Result<String, String> {
    let path = text.trim_end_matches('/');
    let plain = |part: &str| {
        let is_plain = |b: u8| b.is_ascii_alphanumeric() || b"-._".contains(&b);
        !part.is_empty() && part.bytes().all(is_plain)
    };
    let is_right = path
        .strip_prefix('/')
        .is_some_and(|rest| rest.split('/').all(plain));
    if is_right {
        Ok(path.to_owned())
    } else {
        Err("is not such a path".to_owned())
    }
}

fn host_name() -> String {
    let name = fs::read_to_string(HOST_NAME).unwrap_or_default();
    match slug(name.trim()) {
        Ok(name) if !name.is_empty() => name,
        Ok(_) | Err(_) => UNNAMED.to_owned(),
    }
}

#[cfg(all(test, feature = "etcd"))]
mod tests {
    use crate::config::{Loaded, Problems, Sources, load_rules};

    const ON: [(&str, &str); 3] = [
        ("cluster", "etcd"),
        ("cluster_endpoints", "http://a:2379, http://b:2379/"),
        ("cluster_url", "http://watch1:3007/ed0"),
    ];

    fn load_with(settings: &[(&str, &str)]) -> Result<Loaded, Problems> {
        load_rules(&Sources::of(settings))
    }

    #[test]
    fn a_cluster_is_put_together() {
        assert!(load_with(&[]).expect("right").config.cluster.is_none());
        let more = [&ON[..], &[("label", "app.example.org/ed0")]].concat();
        let cluster = load_with(&more).expect("right").config.cluster;
        let cluster = cluster.expect("a cluster");
        assert_eq!(cluster.etcd.endpoints, ["http://a:2379", "http://b:2379"]);
        assert_eq!(cluster.etcd.prefix, "/labwatch/app.example.org/ed0");
        assert!(!cluster.name.is_empty());
    }

    #[test]
    fn what_is_missing_or_wrong_is_said() {
        let on = |more: &[(&'static str, &'static str)]| [&ON[..], more].concat();
        let mixed = "http://a:2379, https://b:2379";
        for (settings, key) in [
            (vec![ON[0], ON[2]], "cluster_endpoints"),
            (vec![ON[0], ON[1]], "cluster_url"),
            (on(&[("cluster_tls_key", "/key")]), "cluster_tls_cert"),
            (vec![("cluster_endpoints", mixed)], "cluster_endpoints"),
            (
                vec![("cluster_endpoints", "http://a/path")],
                "cluster_endpoints",
            ),
            (vec![("cluster_root", "labwatch")], "cluster_root"),
            (vec![("cluster_root", "/a//b")], "cluster_root"),
        ] {
            let problems = load_with(&settings).expect_err(key).0;
            let keys: Vec<&str> = problems.iter().map(|problem| &*problem.key).collect();
            assert_eq!(keys, [key]);
        }
    }
}
