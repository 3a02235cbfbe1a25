//! The settings of more than one host.

use super::setting::{Kind, PLAIN_URL, SLUG, Section, settings};
use crate::config::bounds::{minutes, seconds};

const ENDPOINTS: &str = "http or https URLs without user, path, query and fragment, separated by \
    commas or white space, or a list of them; of one scheme";
const ROOT: &str = "a path such as /labwatch of letters, digits, dots, dashes and underscores, \
    with a slash in front";

pub(super) const CLUSTER: Section = Section {
    title: "Cluster: more than one host",
    settings: settings! {
        /// Whether this labwatch is the only one, or one of several replicas that agree by etcd on
        /// which of them leads: all evaluate, the leader alone switches and notifies. etcd needs a
        /// labwatch that is built with it, as packages are. See docs/high-availability.md.
        cluster: Kind::Choice(&["solo", "etcd"]), default("solo");
        /// The members of etcd. Required where cluster, publish or policy is etcd.
        cluster_endpoints: Kind::Values(ENDPOINTS),
            example("https://etcd1.example.org:2379, https://etcd2.example.org:2379");
        /// The user for etcd, where it requires one.
        cluster_user: Kind::Value("a text without control characters"), example("labwatch");
        /// The password of that user. Required with cluster_user: so, as cluster_password_file or
        /// as a credential.
        cluster_password: Kind::Secret, example("...");
        /// A file with the password for etcd.
        cluster_password_file: Kind::Path, example("/etc/labwatch/secrets/cluster_password");
        /// A file with the CA certificates, in PEM, by which etcd's certificates are checked.
        /// Without it: the system's.
        cluster_tls_ca: Kind::Path, example("/etc/labwatch/etcd-ca.pem");
        /// A file with the client certificate for etcd, in PEM.
        cluster_tls_cert: Kind::Path, example("/etc/labwatch/etcd-client.pem");
        /// A file with the key of cluster_tls_cert, in PEM.
        cluster_tls_key: Kind::Path, example("/etc/labwatch/etcd-client.key");
        /// The path in etcd below which all keys are: the label follows. Replicas of one laboratory
        /// have the same root and label.
        cluster_root: Kind::Value(ROOT), default("/labwatch");
        /// How long the lease of the leader lasts without renewal. When the leader crashes, another
        /// replica takes over after this time.
        cluster_lease: Kind::Duration(seconds(3), minutes(1)), default("10s");
        /// What the leader does when etcd cannot be reached for longer than its lease. stop: it
        /// mails once that etcd is unavailable, becomes a follower, and no replica switches or
        /// notifies until etcd is back. act: it goes on alone. If only the leader is cut off,
        /// another replica leads too, and both switch and notify: use it only for an etcd that all
        /// replicas lose together.
        cluster_alone: Kind::Choice(&["stop", "act"]), default("stop");
        /// The name of this replica. Without it: the name of its host.
        cluster_name: Kind::Value(SLUG), example("watch1");
        /// The address at which other replicas reach the API of this one, with its api_prefix. They
        /// forward commands to it while this one leads. Required with cluster etcd.
        cluster_url: Kind::Value(PLAIN_URL), example("https://watch1.example.org:3007");
    },
};
