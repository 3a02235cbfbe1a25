//! What maintainers tell labwatch to do from the page: a form, its effect in words, then the order
//! itself. What an order does is the engine's word, and it goes the way that orders of the API go;
//! here it is only asked for and said.

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

pub(super) use flash::Said;
pub(super) use kind::{Kind, about, at_large};
pub(super) use routes::routes;
