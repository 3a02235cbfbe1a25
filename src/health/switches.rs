//! Whether categories are open, as the engine reports it.

use engine::{CategoryState, CategoryStates};

/// Whether a category is open, since when, and who switched it.
pub type Switch = CategoryState;

/// All categories that were ever closed or opened, by name.
pub type Switched = CategoryStates;

/// Whether a category is open: it is unless it was closed.
#[must_use]
pub fn is_enabled(category: &str, switched: &Switched) -> bool {
    switched.get(category).is_none_or(|switch| switch.enabled)
}
