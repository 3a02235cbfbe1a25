//! Settings of the health views: names, and which failures count how much.

use std::collections::BTreeSet;
use std::time::Duration;

use jiff::Timestamp;

use super::category_rules::{DEFAULT, SYSTEM, of_stem, strict};
use crate::build;
use crate::config::CategorySettings;
use engine::{CategoryPool, CategoryRule, matches};

/// The components whose failure does not make the whole fail, unless set otherwise: students can
/// work without them.
pub const NON_FATAL: [&str; 2] = ["mail", "jump"];

#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Settings {
    /// The name of the installation, for names, metrics and the page.
    pub label: String,
    /// The components whose failure does not make the whole fail, in any view.
    pub non_fatal: BTreeSet<String>,
    /// Patterns of the experiments, groups, categories and components whose failure is critical.
    /// Empty: nothing is.
    pub severity_1: Vec<String>,
    /// The configured categories.
    pub categories: Vec<CategorySettings>,
    /// The configured groups of interchangeable experiments; others are grouped by the stem of
    /// their names.
    pub pools: Vec<CategoryPool>,
    /// How long after the start an experiment that is not yet evaluated delays readiness.
    pub startup: Duration,
    /// Whether a laboratory is watched. Without one there are neither sources nor experiments, and
    /// neither is waited for.
    pub laboratory: bool,
    /// The address of the whole status; may be empty.
    pub link: String,
    /// The prefix of the paths that answers name: the public address, or the path below which we
    /// are served; may be empty.
    pub place: String,
}

impl Default for Settings {
    fn default() -> Self {
        Self {
            label: "lab".to_owned(),
            non_fatal: NON_FATAL.map(str::to_owned).into(),
            severity_1: Vec::new(),
            categories: Vec::new(),
            pools: Vec::new(),
            startup: Duration::from_secs(60),
            laboratory: true,
            link: String::new(),
            place: String::new(),
        }
    }
}

impl Settings {
    /// Whether a component's failure makes the whole fail.
    pub fn is_fatal(&self, component: &str) -> bool {
        !self.non_fatal.contains(component)
    }

    /// Whether a name is on the list of what is critical.
    pub fn is_critical(&self, name: &str) -> bool {
        self.severity_1.iter().any(|pattern| matches(pattern, name))
    }

    /// The configured category of this name.
    pub fn configured(&self, name: &str) -> Option<&CategorySettings> {
        self.categories
            .iter()
            .find(|category| category.rule.name == name)
    }

    /// The rules of a category: as configured, or the built-in ones.
    pub fn category(&self, name: &str) -> CategoryRule {
        self.configured(name).map_or_else(
            || match name {
                DEFAULT | SYSTEM => strict(name),
                stem => of_stem(stem),
            },
            |category| category.rule.clone(),
        )
    }
}

/// What runs here, and since when.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Identity {
    pub name: &'static str,
    pub version: &'static str,
    /// The commit it was built from; `None` when the build did not say.
    pub commit: Option<&'static str>,
    /// When that commit was made, in RFC 3339; `None` when the build did not say.
    pub committed: Option<&'static str>,
    /// Whether the sources were changed after the commit: `clean` or `dirty`; `None` when the
    /// build did not say.
    pub git_state: Option<&'static str>,
    /// When it was built, in RFC 3339; `None` when the build did not say.
    pub built: Option<&'static str>,
    /// When the process started.
    pub started: Timestamp,
}

impl Identity {
    /// This program, started at this time.
    pub fn of_this_build(started: Timestamp) -> Self {
        Self {
            name: env!("CARGO_PKG_NAME"),
            version: build::VERSION,
            commit: build::COMMIT,
            committed: build::COMMITTED,
            git_state: build::GIT_STATE,
            built: build::BUILT,
            started,
        }
    }

    /// A program that embeds labwatch, of this name and version, started at this time. Its build is
    /// not known.
    pub fn of_program(name: &'static str, version: &'static str, started: Timestamp) -> Self {
        Self {
            name,
            version,
            commit: None,
            committed: None,
            git_state: None,
            built: None,
            started,
        }
    }
}
