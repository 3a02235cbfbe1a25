//! The settings of publication, in etcd or as files. Writes nothing.

use std::path::PathBuf;
use std::time::Duration;

use super::access::absolute;
use super::cluster::{EtcdSettings, root, with_etcd};
use super::reader::Reader;

/// What labwatch publishes of its own health and that of the experiments.
#[derive(Debug, Clone)]
pub struct PublicationSettings {
    /// `PUBLISH`: the target.
    pub to: PublishTo,
    /// `PUBLISH_ROOT` and `LABEL`: the prefix of every key, with a leading and no trailing slash.
    pub prefix: String,
    /// `PUBLISH_EVERY`: how often everything is written again.
    pub every: Duration,
}

/// The target of publication.
#[derive(Debug, Clone)]
pub enum PublishTo {
    /// In etcd, with the access of the cluster.
    Etcd(EtcdSettings),
    /// As files below `PUBLISH_DIR`.
    Files(PathBuf),
}

/// The settings of publication; `None`: nothing is published, or the settings are wrong.
pub(super) fn publication(
    reader: &mut Reader<'_>,
    label: &str,
    etcd: &EtcdSettings,
) -> Option<PublicationSettings> {
    let word = reader.word("publish")?;
    let root = reader.parsed("publish_root", root);
    let folder = reader.parsed("publish_dir", absolute);
    let every = reader.duration("publish_every");
    let to = match word {
        "etcd" => PublishTo::Etcd(with_etcd(reader, "publish", etcd)?),
        "files" => {
            if folder.is_none() && !reader.is_set("publish_dir") {
                reader.missing("publish_dir", "publish is files: ");
            }
            PublishTo::Files(folder?)
        }
        _ => return None,
    };
    let prefix = format!("{}/{label}", root?);
    Some(PublicationSettings { to, prefix, every })
}

#[cfg(test)]
mod tests {
    use super::PublishTo;
    use crate::config::{Loaded, Problems, Sources, load_rules};

    fn load_with(settings: &[(&str, &str)]) -> Result<Loaded, Problems> {
        load_rules(&Sources::of(settings))
    }

    #[test]
    fn files_are_published_below_the_label() {
        assert!(load_with(&[]).expect("right").config.publication.is_none());
        let settings = [
            ("publish", "files"),
            ("publish_dir", "/run/lab"),
            ("label", "app.example.org/ed0"),
        ];
        let publication = load_with(&settings).expect("right").config.publication;
        let publication = publication.expect("something is published");
        assert_eq!(publication.prefix, "/vnf-agent/app.example.org/ed0");
        assert!(
            matches!(publication.to, PublishTo::Files(folder) if folder.as_os_str() == "/run/lab")
        );
    }

    #[test]
    fn what_is_missing_or_cannot_be_is_said() {
        let etcd = if cfg!(feature = "etcd") {
            "cluster_endpoints"
        } else {
            "publish"
        };
        for (settings, key) in [
            (vec![("publish", "files")], "publish_dir"),
            (vec![("publish", "etcd")], etcd),
            (
                vec![("publish", "files"), ("publish_dir", "run/lab")],
                "publish_dir",
            ),
            (vec![("publish_root", "vnf-agent")], "publish_root"),
        ] {
            let problems = load_with(&settings).expect_err(key).0;
            let keys: Vec<&str> = problems.iter().map(|problem| &*problem.key).collect();
            assert_eq!(keys, [key], "{settings:?}");
        }
    }
}
