//! Book: its HTTP API, the poll of its resources, manifest and bookings.

pub(crate) mod client;
#[cfg(test)]
pub(crate) mod fake_book;
mod lenient;
pub(super) mod listing;
pub mod manifest;
pub(crate) mod pages;
mod poll;
pub(crate) mod shadow;
pub(crate) mod timetable;

pub use poll::*;
