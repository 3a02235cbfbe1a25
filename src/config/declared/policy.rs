//! The settings of a policy in etcd.

use super::setting::{Kind, Section, settings};

const ROOT: &str = "a path such as /ft/healthcheck of letters, digits, dots, dashes and underscores, \
    with a slash in front";

pub(super) const POLICY: Section = Section {
    title: "Policy in etcd: acknowledgements and categories",
    settings: settings! {
        /// Where acknowledgements and the rules of categories are: in the configuration file and
        /// the API only, or also in etcd (reached by cluster_endpoints, cluster_user and
        /// cluster_tls_ca, also where cluster is solo), in the layout of FT's aggregate
        /// healthcheck. Values in etcd override the file, and take effect at once. See
        /// docs/health-endpoints.md.
        policy: Kind::Choice(&["file", "etcd"]), default("file");
        /// Below it NAME/ack acknowledges a component, a service or an experiment.
        policy_acks: Kind::Value(ROOT), default("/ft/healthcheck");
        /// Below it CATEGORY/period_seconds, CATEGORY/is_resilient, CATEGORY/sticky and
        /// CATEGORY/enabled.
        policy_categories: Kind::Value(ROOT), default("/ft/healthcheck-categories");
        /// The key that acknowledges the whole laboratory.
        policy_cluster_ack: Kind::Value(ROOT),
            default("/ft/config/aggregate-healthcheck/cluster-ack");
    },
};
