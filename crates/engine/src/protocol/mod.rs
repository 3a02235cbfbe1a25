//! What goes into the engine and what comes out of it: types without decisions.

pub mod audience;
pub mod canary;
pub mod category;
pub mod command;
pub mod effect;
mod empty;
pub mod event;
pub mod input;
mod kept_message;
pub mod notified;
pub mod policy;
pub mod record;
pub mod record_words;
pub mod refusal;
pub mod report;
pub mod route_view;
pub mod rules;
pub mod snapshot;
pub mod state;
mod state_key;
pub mod summary;
