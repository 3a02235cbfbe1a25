//! One write to a store of published values, and its time limit.

use std::collections::BTreeMap;
use std::time::Duration;

/// The longest that one write to a store may take.
pub(super) const WRITE_WITHIN: Duration = Duration::from_secs(3);

/// One write to a store of published values.
#[derive(Debug, Default, PartialEq, Eq)]
pub(super) struct Batch {
    /// What is written, by key.
    pub(super) puts: BTreeMap<String, Vec<u8>>,
    /// What is removed.
    pub(super) deletes: Vec<String>,
    /// Whether these are all values that exist: other keys below the prefix are deleted.
    pub(super) is_whole: bool,
}
