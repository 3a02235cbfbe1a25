//! The settings of a policy in etcd, and the effect of such a policy on the configuration. Reads
//! nothing.

use std::collections::BTreeMap;
use std::time::Duration;

use super::cluster::{EtcdSettings, root, with_etcd};
use super::configuration::Config;
use super::reader::Reader;
use super::services::{BUILT_IN_CATEGORIES, CategorySettings};
use engine::{CategoryRule, PolicyAcknowledgements};

/// Where in etcd the policy is.
#[derive(Debug, Clone)]
pub struct PolicySettings {
    /// How etcd is reached.
    pub etcd: EtcdSettings,
    /// `POLICY_ACKS`: below it `NAME/ack` and `NAME/path`; with a leading and no trailing slash, as
    /// the others.
    pub acks: String,
    /// `POLICY_CATEGORIES`: below it `CATEGORY/enabled` and others.
    pub categories: String,
    /// `POLICY_CLUSTER_ACK`: the key that acknowledges all of the laboratory.
    pub cluster_ack: String,
    /// `OBSERVE`: nothing is written.
    pub is_read_only: bool,
}

/// The settings of the policy; `None`: only the configuration file has one, or the settings are
/// wrong.
pub(super) fn policy(reader: &mut Reader<'_>, etcd: &EtcdSettings) -> Option<PolicySettings> {
    let is_etcd = reader.word("policy")? == "etcd";
    let [acks, categories, cluster_ack] =
        ["policy_acks", "policy_categories", "policy_cluster_ack"]
            .map(|key| reader.parsed(key, root));
    if !is_etcd {
        return None;
    }
    Some(PolicySettings {
        etcd: with_etcd(reader, "policy", etcd)?,
        acks: acks?,
        categories: categories?,
        cluster_ack: cluster_ack?,
        is_read_only: false,
    })
}

/// The content of a policy in etcd, which overrides the file.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct PolicyOverlay {
    /// Overrides for categories, by name. A category that is named here exists.
    pub categories: BTreeMap<String, CategoryPolicy>,
    /// The path at which a service is polled, by its name.
    pub paths: BTreeMap<String, String>,
    /// Its acknowledgements.
    pub acknowledged: PolicyAcknowledgements,
}

/// The overrides for a category; `None`: as in the file, or the default.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct CategoryPolicy {
    pub period: Option<Duration>,
    pub resilient: Option<bool>,
    pub sticky: Option<bool>,
}

impl CategoryPolicy {
    fn over(&self, rule: &mut CategoryRule) {
        rule.period = self.period.unwrap_or(rule.period);
        rule.resilient = self.resilient.unwrap_or(rule.resilient);
        rule.sticky = self.sticky.unwrap_or(rule.sticky);
    }
}

impl Config {
    /// The configuration with this policy applied.
    #[must_use]
    pub fn with_policy(&self, policy: &PolicyOverlay) -> Self {
        let mut config = self.clone();
        for (name, says) in &policy.categories {
            let known = config
                .categories
                .iter_mut()
                .find(|one| one.rule.name == *name);
            if let Some(category) = known {
                says.over(&mut category.rule);
            } else {
                let mut category = unconfigured(name);
                says.over(&mut category.rule);
                config.categories.push(category);
            }
        }
        for service in &mut config.services {
            let asked = service.url.as_mut().zip(policy.paths.get(&service.name));
            if let Some((url, path)) = asked {
                let (path, query) = match path.split_once('?') {
                    Some((path, query)) => (path, Some(query)),
                    None => (path.as_str(), None),
                };
                url.set_path(path);
                url.set_query(query);
            }
        }
        config.acknowledged = policy.acknowledged.clone();
        config
    }
}

/// A category that is not in the file: a built-in one, or that of the experiments of one stem.
fn unconfigured(name: &str) -> CategorySettings {
    let by_stem = !BUILT_IN_CATEGORIES.contains(&name);
    CategorySettings::from(CategoryRule {
        by_stem,
        resilient: by_stem,
        ..CategoryRule::strict(name)
    })
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::config::{Sources, load_rules};

    #[test]
    fn a_policy_goes_over_the_file_and_back() {
        let folder = tempfile::tempdir().expect("a folder");
        let file = folder.path().join("labwatch.toml");
        let text = "[[category]]\nname = \"exam\"\nmatch = [\"pend*\"]\nsticky = true\nsticky_booking = true\n\
                    [[service]]\nname = \"wiki\"\nurl = \"https://wiki.example.org/health?a=1\"\n";
        std::fs::write(&file, text).expect("written");
        let sources = Sources {
            file: Some(file),
            ..Sources::default()
        };
        let config = load_rules(&sources).expect("right").config;
        let says = CategoryPolicy {
            period: Some(Duration::from_secs(10)),
            resilient: Some(true),
            sticky: Some(false),
        };
        let names = ["exam", "spin", "default"];
        let policy = PolicyOverlay {
            categories: names.map(|name| (name.to_owned(), says.clone())).into(),
            ..PolicyOverlay::default()
        };
        let over = config.with_policy(&policy).categories;
        let rule = |category: &CategoryRule| {
            (
                category.period.as_secs(),
                category.resilient,
                category.sticky,
                category.by_stem,
            )
        };
        let by_name: BTreeMap<&str, _> = over
            .iter()
            .map(|one| (&*one.rule.name, rule(&one.rule)))
            .collect();
        let expected = [
            ("default", (10, true, false, false)),
            ("exam", (10, true, false, false)),
            ("spin", (10, true, false, true)),
        ];
        assert_eq!(by_name, expected.into());
        let asked = |path: &str| {
            let policy = PolicyOverlay {
                paths: [("wiki".to_owned(), path.to_owned())].into(),
                ..PolicyOverlay::default()
            };
            let services = config.with_policy(&policy).services;
            services[0].url.as_ref().map(ToString::to_string)
        };
        for (path, url) in [
            ("/__health", "https://wiki.example.org/__health"),
            ("/a?b=2", "https://wiki.example.org/a?b=2"),
            ("//other.org/x", "https://wiki.example.org//other.org/x"),
        ] {
            assert_eq!(asked(path).as_deref(), Some(url));
        }
        let nothing = config.with_policy(&PolicyOverlay::default());
        assert_eq!(nothing.categories, config.categories);
        assert_eq!(nothing.services, config.services);
        assert_eq!(nothing.rules(), config.rules());
    }
}
