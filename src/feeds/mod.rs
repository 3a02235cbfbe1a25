//! (to come)

pub mod book;
