//! The engine in virtual time: recordings of real servers are run through it, and what comes of it is printed for people.
//! Reads files when asked to; does no other IO and reads no clock.

mod book;
mod stage;
mod words;

pub use book::{Listed, ModelBook};
pub use stage::{Moved, Plan, Stage, World};
pub use words::{Clock, Kind, Told, tell};
