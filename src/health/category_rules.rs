//! The rules of the categories that are not configured.

use engine::CategoryRule;

/// The category of everything.
pub const DEFAULT: &str = "default";

/// The category of all components.
pub const SYSTEM: &str = "system";

/// A category in which any failure counts.
#[must_use]
pub fn strict(name: &str) -> CategoryRule {
    CategoryRule::strict(name)
}

/// The category that experiments of one stem form by themselves: it works while enough of them do.
#[must_use]
pub fn of_stem(stem: &str) -> CategoryRule {
    CategoryRule {
        resilient: true,
        ..strict(stem)
    }
}
