//! Differences between two readings of the configuration, and which of them wait for a restart.
//! Keeps hashes of the values, never the values themselves.

use std::collections::BTreeMap;
use std::fmt::Debug;
use std::hash::{DefaultHasher, Hash, Hasher};

use super::configuration::{Config, LogSettings};
use super::declared::{Reload, TABLES, declared, settings};
use super::graphite::SurfaceSettings;
use super::layers::Layers;
use super::maintenance::MaintenanceSettings;
use super::notifications::NotificationSettings;
use super::settings::Loaded;
use super::tables::Row;
use engine::{CategoryPool, CategoryRules, Maintenance, Policy, Rules};

/// A hash of each setting and table, as it is written.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub(super) struct Written(BTreeMap<&'static str, u64>);

/// What differs between two readings, by name.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct Changes {
    pub at_once: Vec<&'static str>,
    pub at_restart: Vec<&'static str>,
}

impl Written {
    pub(super) fn of(layers: &Layers) -> Self {
        let settings = settings().map(|setting| {
            let raw = layers.find(setting.name).map(|found| &found.raw);
            (setting.name, mark(&raw))
        });
        let rows = TABLES.iter().map(|table| {
            let written: Vec<_> = layers.rows(table.name).iter().map(Row::written).collect();
            (table.name, mark(&written))
        });
        Self(settings.chain(rows).collect())
    }
}

fn mark(written: &impl Debug) -> u64 {
    let mut hasher = DefaultHasher::new();
    format!("{written:?}").hash(&mut hasher);
    hasher.finish()
}

impl Loaded {
    /// What is different in a later reading.
    pub fn changes(&self, later: &Self) -> Changes {
        let other = |(name, mark): (&&'static str, &u64)| {
            (later.written.0.get(name) != Some(mark)).then_some(*name)
        };
        let (at_once, at_restart) = self
            .written
            .0
            .iter()
            .filter_map(other)
            .partition(|name| takes_effect_at_once(name));
        Changes {
            at_once,
            at_restart,
        }
    }
}

fn takes_effect_at_once(name: &str) -> bool {
    let reload = declared(name).map(|setting| setting.reload).or_else(|| {
        TABLES
            .iter()
            .find(|table| table.name == name)
            .map(|table| table.reload)
    });
    reload == Some(Reload::AtOnce)
}

impl Config {
    pub fn rules(&self) -> Rules {
        Rules {
            policy: self.health,
            routes: self.notifications.routes(self.mail.is_some()),
            maintenance: self.planned(),
            pools: self.pools.iter().map(CategoryPool::rule).collect(),
            advice: self.advice.clone(),
            categories: self.category_rules(),
            acknowledged: self.acknowledged.clone(),
            hold_overdue: self.notifications.hold_overdue,
        }
    }

    /// The rules of the categories for the engine.
    fn category_rules(&self) -> CategoryRules {
        CategoryRules {
            categories: self.categories.iter().map(|it| it.rule.clone()).collect(),
            pools: self.pools.clone(),
            non_fatal: self.surfaces.non_fatal.iter().cloned().collect(),
        }
    }

    /// The windows of `[[maintenance]]`.
    pub fn planned(&self) -> Vec<Maintenance> {
        self.maintenance
            .iter()
            .flat_map(MaintenanceSettings::windows)
            .collect()
    }

    /// This configuration with all settings of a later one that take effect at once.
    #[must_use]
    pub fn followed_by(&self, later: Self) -> Self {
        let now = self.clone();
        // Observing and shadow turn off outward effects, and wait for a restart themselves.
        let is_as_before = (now.observe, now.shadow) == (later.observe, later.shadow);
        let (mail, report_monthly) = if is_as_before {
            (later.mail, later.notifications.report_monthly)
        } else {
            (now.mail, now.notifications.report_monthly)
        };
        Self {
            relay: now.relay,
            jump: now.jump,
            book: now.book,
            canary: now.canary,
            health: Policy {
                query_book_every: now.health.query_book_every,
                laboratory: now.health.laboratory,
                ..later.health
            },
            log_every: now.log_every,
            notifications: NotificationSettings {
                dead_man: now.notifications.dead_man,
                report_monthly,
                ..later.notifications
            },
            mail,
            surfaces: SurfaceSettings {
                non_fatal: later.surfaces.non_fatal,
                severity_1: later.surfaces.severity_1,
                ..now.surfaces
            },
            graphite: now.graphite,
            api: now.api,
            database: now.database,
            cluster: now.cluster,
            publication: now.publication,
            policy: now.policy,
            acknowledged: now.acknowledged,
            observe: now.observe,
            shadow: now.shadow,
            log: LogSettings {
                level: later.log.level,
                ..now.log
            },
            ..later
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::config::{Sources, load_rules};

    fn loaded(settings: &[(&str, &str)]) -> Loaded {
        load_rules(&Sources::of(settings)).expect("right")
    }

    #[test]
    fn what_differs_is_named_and_what_waits_stays_as_it_was() {
        let before = loaded(&[("health_settle", "10s"), ("timeout_book", "3s")]);
        let after = loaded(&[
            ("health_settle", "20s"),
            ("timeout_book", "4s"),
            ("hold_overdue", "3d"),
            ("health_log_every", "7m"),
        ]);
        let changes = before.changes(&after);
        assert_eq!(changes.at_once, ["health_settle", "hold_overdue"]);
        assert_eq!(changes.at_restart, ["health_log_every", "timeout_book"]);
        assert_eq!(before.changes(&before), Changes::default());

        let config = before.config.followed_by(after.config.clone());
        assert_eq!(
            config.rules(),
            Rules {
                policy: config.health,
                ..after.config.rules()
            }
        );
        assert_eq!(config.health.settle.as_secs(), 20);
        assert_eq!(config.rules().hold_overdue.as_secs(), 3 * 86_400);
        assert_eq!(
            (config.book.timeout, config.log_every),
            (before.config.book.timeout, before.config.log_every)
        );
    }
}
