//! The roles beside the active monitor: observing only, and shadow.

use super::configuration::{Config, SHADOW_FOLDER};
use super::reader::Reader;

/// Whether labwatch only observes, and whether it runs in shadow.
pub(super) fn roles(reader: &mut Reader<'_>, has_store: bool) -> (bool, bool) {
    let (observe, shadow) = (reader.switch("observe"), reader.switch("shadow"));
    if observe && shadow {
        reader.wrong(
            "shadow",
            "does not go together with observe",
            "set one of them: observe decides nothing, shadow records what it decides",
        );
    }
    if shadow && !has_store {
        reader.wrong(
            "data_dir",
            "is none in shadow, which keeps what it compares",
            "name a folder",
        );
    }
    (observe, shadow)
}

/// The configuration without outward effects.
pub(super) fn silent(mut config: Config) -> Config {
    (config.mail, config.graphite, config.cluster) = (None, None, None);
    config.publication = None;
    config
        .policy
        .iter_mut()
        .for_each(|policy| policy.is_read_only = true);
    (
        config.notifications.dead_man,
        config.notifications.report_monthly,
    ) = (None, false);
    config
}

/// The configuration with a store of its own, and without outward effects other than notifications
/// of the laboratory.
pub(super) fn in_shadow(config: Config) -> Config {
    let mail = config.mail.clone();
    let mut config = silent(config);
    config.mail = mail;
    if let Some(database) = &mut config.database {
        database.folder.push(SHADOW_FOLDER);
    }
    config
}
