//! The rules of the categories that are not configured.

use engine::{CategoryRule, CategoryStates};

/// The category of everything.
pub const DEFAULT: &str = "default";

/// The category of all components.
pub const SYSTEM: &str = "system";

/// A category in which any failure counts.
pub fn strict(name: &str) -> CategoryRule {
    CategoryRule::strict(name)
}

/// The built-in category of the experiments of one stem: it works while enough of them do.
pub fn of_stem(stem: &str) -> CategoryRule {
    CategoryRule {
        resilient: true,
        ..strict(stem)
    }
}

/// Whether a category is open: it is unless it was closed.
pub fn is_enabled(category: &str, switched: &CategoryStates) -> bool {
    switched.get(category).is_none_or(|switch| switch.enabled)
}
