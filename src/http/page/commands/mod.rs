//! Commands of maintainers on the page: a form, a preview of the effect, then the command itself.
//! The engine decides what a command does, and it takes the same path as commands of the API; here
//! are only the forms and texts.

mod effect;
mod fields;
mod flash;
mod form;
mod kind;
mod request;
mod routes;
mod test_message;

#[cfg(test)]
mod tests;

pub(super) use flash::Flash;
pub(super) use kind::{Kind, about, at_large};
pub(super) use routes::routes;
