//! Inputs and outputs of the engine: types without decisions.

mod alert;
mod audience;
mod canary;
mod category;
mod command;
mod counts;
mod delivery_fault;
mod effect;
mod event;
mod input;
mod kept_message;
mod link;
mod message_id;
mod notified;
mod page;
mod policy;
mod record;
mod record_words;
mod refusal;
mod report;
mod role;
mod route_view;
mod rules;
mod snapshot;
mod state;
mod state_key;
mod summary;
mod timetable;

pub use self::{
    alert::*, audience::*, canary::*, category::*, command::*, counts::*, delivery_fault::*,
    effect::*, event::*, input::*, link::*, message_id::*, notified::*, page::*, policy::*,
    record::*, refusal::*, report::*, role::*, route_view::*, rules::*, snapshot::*, state::*,
    summary::*, timetable::*,
};
pub(crate) use record_words::first_of;
