//! Every setting and every table of the configuration file, each declared once: type, range,
//! default or example, whether a reload applies it, whether it is secret, and its meaning.
//! Defaults,
//! documentation, the environment file and the list of settings that wait for a restart come from
//! here.

mod cluster;
mod http;
mod notifications;
mod observation;
mod operation;
mod policy;
mod publication;
mod servers;
mod setting;
mod tables;

pub use setting::{ENV_PREFIX, Kind, Reload, Section, Setting, Table, variable};
pub use tables::TABLES;

/// The settings outside of tables, in the order of the documentation.
pub const SECTIONS: &[Section] = &[
    servers::BOOK,
    servers::JUMP,
    servers::RELAY,
    observation::OBSERVATION,
    observation::EVALUATION,
    notifications::MAIL,
    notifications::OTHERS,
    http::API,
    operation::HEALTH,
    operation::STORE,
    cluster::CLUSTER,
    publication::PUBLICATION,
    policy::POLICY,
    operation::LOG,
];

pub fn settings() -> impl Iterator<Item = &'static Setting> {
    SECTIONS.iter().flat_map(|section| section.settings)
}

pub fn declared(name: &str) -> Option<&'static Setting> {
    settings().find(|setting| setting.name == name)
}

/// The kind of table of this name.
pub(super) fn table(name: &str) -> Option<&'static Table> {
    TABLES.iter().find(|table| table.name == name)
}

/// The settings whose values are never shown.
pub fn secrets() -> impl Iterator<Item = &'static str> {
    let secret = |setting: &&Setting| matches!(setting.kind, Kind::Secret | Kind::Hidden(_));
    settings().filter(secret).map(|setting| setting.name)
}

#[cfg(test)]
mod tests {
    use std::collections::BTreeSet;

    use super::*;

    #[test]
    fn every_name_is_plain_and_declared_once() {
        let plain = |name: &str| {
            name.bytes()
                .all(|b| b.is_ascii_lowercase() || b.is_ascii_digit() || b == b'_')
        };
        let mut names = BTreeSet::new();
        for setting in settings() {
            assert!(plain(setting.name), "{}", setting.name);
            assert!(
                names.insert(setting.name),
                "{} is there twice",
                setting.name
            );
        }
        for table in TABLES {
            assert!(names.insert(table.name), "{} is there twice", table.name);
            let keys: BTreeSet<_> = table.keys.iter().map(|key| key.name).collect();
            assert_eq!(keys.len(), table.keys.len(), "{}", table.name);
            let has_name = keys.contains("name");
            assert_eq!(
                table.repeats, has_name,
                "{}: what repeats has names",
                table.name
            );
        }
    }

    #[test]
    fn every_setting_says_what_it_means() {
        let keys = TABLES.iter().flat_map(|table| table.keys);
        for setting in settings().chain(keys) {
            assert!(setting.text.ends_with(['.', ')']), "{}", setting.name);
            assert!(!setting.value.is_empty(), "{}", setting.name);
        }
    }

    #[test]
    fn every_secret_can_come_from_a_file() {
        for secret in secrets() {
            let file = declared(&format!("{secret}_file")).expect(secret);
            assert_eq!(file.kind, Kind::Path, "{secret}");
        }
    }
}
