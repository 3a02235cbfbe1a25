//! The laboratory as it is: experiments and book, changed by faults, asked at any time. Pure: no IO and no clock.

mod book;
mod fleet;

pub use book::{Book, Manifest, Resource};
pub use fleet::{Fleet, Frame, Link, Role, Stream, Tally, expiry};
