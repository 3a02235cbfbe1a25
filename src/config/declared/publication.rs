//! The settings of publication, as keys in etcd or as files.

use super::setting::{Kind, Section, settings};
use crate::config::bounds::{minutes, seconds};

const ROOT: &str = "a path such as /vnf-agent of letters, digits, dots, dashes and underscores, \
    with a slash in front";

pub(super) const PUBLICATION: Section = Section {
    title: "Publication of the health in etcd or as files",
    settings: settings! {
        /// Where the health of labwatch, of its components and of the experiments is published as
        /// cn-infra's status check does: in etcd (reached by cluster_endpoints, cluster_user and
        /// cluster_tls_ca, also where cluster is solo), as files, or not. In a cluster the leader
        /// alone publishes. See docs/health-endpoints.md.
        publish: Kind::Choice(&["none", "etcd", "files"]), default("none");
        /// The prefix of every key; the label follows.
        publish_root: Kind::Value(ROOT), default("/vnf-agent");
        /// The folder of the files. Required with publish files.
        publish_dir: Kind::Path, example("/var/lib/labwatch/published");
        /// How often everything is written again, besides changes. In etcd the keys of a labwatch
        /// that crashes expire after three times this.
        publish_every: Kind::Duration(seconds(1), minutes(1)), default("10s");
    },
};
