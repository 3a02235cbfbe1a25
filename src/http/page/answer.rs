//! The result of a query of the store.

use crate::store::ReadError;

/// The store's answer, or why there is none.
pub(super) type Answer<T> = Result<T, ReadError>;
