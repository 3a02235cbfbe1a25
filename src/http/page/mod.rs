//! The page: HTML from the binary, complete without a script, refreshed by a small one. It reads
//! snapshots and the history; commands of maintainers take the same path as those of the API.
//!
//! A page is built in three steps: a handler takes the newest snapshot and queries the store
//! (`history`), views select what is shown (`view`), and markup is made of it. Nothing is loaded
//! from other sites, and no information is in colour alone.

mod answer;
mod assets;
mod bars;
mod canary;
mod categories;
mod commands;
mod components;
mod error_pages;
mod experiment;
mod filter;
mod history;
mod holds;
mod layout;
mod listing;
mod login;
mod moment;
mod outbox;
mod overview;
mod palette;
mod pools;
mod replicas;
mod reports;
mod response;
mod routes;
mod scale;
mod services;
mod shapes;
mod sources;
mod state;
mod timeline;
mod view;
mod wall;
mod words;

#[cfg(test)]
mod tests;
mod web_state;

pub use error_pages::with_lost_page;
pub use pools::PoolTitle;
pub use routes::routes;
pub use web_state::WebState;
