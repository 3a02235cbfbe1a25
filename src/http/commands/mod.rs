//! The one path of commands from maintainers to the engine, for the API and for the forms of the
//! page: preview, execution, and refusals. Whether something can be done is not decided here.

mod refusal;
mod state;
mod test_messages;

pub use state::{Answered, Give, OrderState};
pub use test_messages::{
    Retry, TestMessages, TestOrder, TestOutcome, TestRefusal, TestReport, TestedRecipient,
    TestedRoute,
};
