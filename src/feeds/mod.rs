//! What comes in from relay and jump: their reports over a websocket, and samples of single streams.
//!
//! A feed reads, decodes and hands over. It judges nothing, and it never waits for the engine: what the engine has not taken yet is
//! overwritten by what is newer.

mod access;
mod backoff;
pub mod book;
mod entry;
mod newest;
mod parse;
pub mod sample;
mod socket;
pub mod subscribe;
#[cfg(test)]
mod testing;
mod timetable;
mod value;

pub use entry::MAX_CONNECTIONS;
pub use parse::{MAX_BROKEN, MAX_REREAD_BYTES, Parsed, parse};
pub use socket::MAX_MESSAGE_BYTES;
pub use timetable::{MAX_BOOKINGS, MAX_SLOTS};
