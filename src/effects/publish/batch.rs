//! What a store of the published values is to take, and in what time.

use std::collections::BTreeMap;
use std::time::Duration;

/// The longest that one write to a store may take.
pub(super) const WRITE_WITHIN: Duration = Duration::from_secs(3);

/// What a store is to take.
#[derive(Debug, Default, PartialEq, Eq)]
pub(super) struct Batch {
    /// What is written, by key.
    pub(super) puts: BTreeMap<String, Vec<u8>>,
    /// What is removed.
    pub(super) deletes: Vec<String>,
    /// Whether these are all values that there are: what else the store has below the prefix goes.
    pub(super) is_whole: bool,
}
