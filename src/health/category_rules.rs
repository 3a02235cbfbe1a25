//! The rules of the categories that are not configured.

use std::time::Duration;

use engine::CategoryRule;

/// The category of everything.
pub const DEFAULT: &str = "default";

/// The category of all components.
pub const SYSTEM: &str = "system";

/// The default time between two evaluations of a category.
pub const PERIOD: Duration = Duration::from_secs(60);

/// A category in which any failure counts.
#[must_use]
pub fn strict(name: &str) -> CategoryRule {
    CategoryRule {
        name: name.to_owned(),
        patterns: Vec::new(),
        pools: Vec::new(),
        by_stem: false,
        resilient: false,
        min_healthy: None,
        period: PERIOD,
        sticky: false,
        failure_threshold: 1,
        sticky_booking: false,
    }
}

/// The built-in category of the experiments of one stem: it works while enough of them do.
#[must_use]
pub fn of_stem(stem: &str) -> CategoryRule {
    CategoryRule {
        resilient: true,
        ..strict(stem)
    }
}
