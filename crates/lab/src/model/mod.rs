//! The model of the laboratory: experiments and book, changed by faults, queried at any time. Pure:
//! no IO and no clock.

mod book;
mod fleet;

pub use book::{Book, Manifest, Resource};
pub use fleet::{Fleet, Frame, Link, Role, Stream, Tally, expiry};
