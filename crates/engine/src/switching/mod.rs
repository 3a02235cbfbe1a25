//! Availability in book: what should hold, compared with what was last confirmed.

pub(crate) mod availability;
pub(crate) mod mismatch;
pub(crate) mod reason;
