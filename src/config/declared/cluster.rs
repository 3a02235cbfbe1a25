//! The settings of more than one host.

use super::setting::{Kind, PLAIN_URL, SLUG, Section, secret, setting};
use crate::config::bounds::{minutes, seconds};

const ENDPOINTS: &str = "http or https URLs without user, path, query and fragment, separated by \
    commas or white space, or a list of them; of one scheme";
const ROOT: &str = "a path such as /labwatch of letters, digits, dots, dashes and underscores, \
    with a slash in front";

pub(super) const CLUSTER: Section = Section {
    title: "Cluster: more than one host",
    settings: &[
        setting("cluster", Kind::Choice(&["solo", "etcd"]))
            .default("solo")
            .says(
                "Whether this labwatch is the only one, or one of several replicas that agree by \
                 etcd on which of them leads: all evaluate, the leader alone switches and \
                 notifies. etcd needs a labwatch that is built with it, as packages are. See \
                 docs/high-availability.md.",
            ),
        setting("cluster_endpoints", Kind::Values(ENDPOINTS))
            .example("https://etcd1.example.org:2379, https://etcd2.example.org:2379")
            .says("The members of etcd. Required where cluster, publish or policy is etcd."),
        setting(
            "cluster_user",
            Kind::Value("a text without control characters"),
        )
        .example("labwatch")
        .says("The user for etcd, where it requires one."),
        secret("cluster_password").says(
            "The password of that user. Required with cluster_user: so, as \
                 cluster_password_file or as a credential.",
        ),
        setting("cluster_password_file", Kind::Path)
            .example("/etc/labwatch/secrets/cluster_password")
            .says("A file with the password for etcd."),
        setting("cluster_tls_ca", Kind::Path)
            .example("/etc/labwatch/etcd-ca.pem")
            .says(
                "A file with the CA certificates, in PEM, by which etcd's certificates are \
                 checked. Without it: the system's.",
            ),
        setting("cluster_tls_cert", Kind::Path)
            .example("/etc/labwatch/etcd-client.pem")
            .says("A file with the client certificate for etcd, in PEM."),
        setting("cluster_tls_key", Kind::Path)
            .example("/etc/labwatch/etcd-client.key")
            .says("A file with the key of cluster_tls_cert, in PEM."),
        setting("cluster_root", Kind::Value(ROOT))
            .default("/labwatch")
            .says(
                "The path in etcd below which all keys are: the label follows. Replicas of one \
                 laboratory have the same root and label.",
            ),
        setting("cluster_lease", Kind::Duration(seconds(3), minutes(1)))
            .default("10s")
            .says(
                "How long the lease of the leader lasts without renewal. When the leader crashes, \
                 another replica takes over after this time.",
            ),
        setting("cluster_alone", Kind::Choice(&["stop", "act"]))
            .default("stop")
            .says(
                "What the leader does when etcd cannot be reached for longer than its lease. \
                 stop: it mails once that etcd is unavailable, becomes a follower, and no replica \
                 switches or notifies until etcd is back. act: it goes on alone. If only the \
                 leader is cut off, another replica leads too, and both switch and notify: use it \
                 only for an etcd that all replicas lose together.",
            ),
        setting("cluster_name", Kind::Value(SLUG))
            .example("watch1")
            .says("The name of this replica. Without it: the name of its host."),
        setting("cluster_url", Kind::Value(PLAIN_URL))
            .example("https://watch1.example.org:3007")
            .says(
                "The address at which other replicas reach the API of this one, with its \
                 api_prefix. They forward commands to it while this one leads. Required with \
                 cluster etcd.",
            ),
    ],
};
