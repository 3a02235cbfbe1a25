//! What a question to the history comes to.

use crate::store::ReadError;

/// What the store answered, or why it did not.
pub(super) type Answer<T> = Result<T, ReadError>;
