//! The page that people look at: HTML from the binary, whole without a script, kept up to date by a small one. It reads snapshots and the
//! history; orders of maintainers it hands on the way that those of the API go.
//!
//! A page is built in three steps: a handler takes the newest snapshot and asks the memory (`history`), views pick what people ask for
//! (`view`), and markup is made of it. Nothing is loaded from elsewhere, and nothing is said by colour alone.

mod palette;
mod state;
mod shapes;
mod words;
mod assets;
mod view;
mod filter;
mod timeline;
mod history;
mod parts;
mod layout;
mod overview;
mod experiment;
mod categories;
mod pools;
mod sources;
mod holds;
mod outbox;
mod reports;
mod login;
mod orders;
mod lost;
mod routes;

#[cfg(test)]
mod tests;

pub use lost::with_lost_page;
pub use routes::{WebState, router};
