//! Sends commands to the engine, for the API and for the page: previews and commands pass the same
//! checks.

use std::future::Future;
use std::pin::Pin;
use std::sync::Arc;

use tokio::sync::watch;

use super::test_messages::TestMessages;
use engine::{Command, Impact, Receipt, Refusal, Scope, Snapshot};

/// Resolves to the outcome of a command.
pub type Answered = Pin<Box<dyn Future<Output = Result<Receipt, Refusal>> + Send>>;

/// Sends a command to the engine, in the name of a token.
pub type Give = dyn Fn(Command, String) -> Answered + Send + Sync;

/// Whether the component of a name is well; `None` when there is none.
pub type IsWell = dyn Fn(&str) -> Option<bool> + Send + Sync;

/// The sender of commands, and the snapshot that previews are computed from.
#[derive(Clone)]
pub struct OrderState {
    /// The newest snapshot.
    pub snapshots: watch::Receiver<Arc<Snapshot>>,
    /// Whether the component of this name is well; `None` when there is none. The engine knows
    /// only the sources.
    pub component: Arc<IsWell>,
    pub give: Arc<Give>,
    /// Sends test messages.
    pub tests: TestMessages,
}

impl OrderState {
    /// What a command would do if `by` gave it now, without doing it.
    ///
    /// # Errors
    /// As [`OrderState::give`].
    pub fn preview(&self, command: &Command, by: &str) -> Result<Impact, Refusal> {
        self.check(command)?;
        self.snapshots.borrow().preview(command, by)
    }

    /// Sends a command in the name of `by`.
    ///
    /// # Errors
    /// [`Refusal`]: there is no such component, or the engine's own.
    pub async fn give(&self, command: Command, by: String) -> Result<Receipt, Refusal> {
        self.check(&command)?;
        (self.give)(command, by).await
    }

    fn check(&self, command: &Command) -> Result<(), Refusal> {
        let Command::Acknowledge {
            scope: Scope::Component(name),
            until,
            ..
        } = command
        else {
            return Ok(());
        };
        match (self.component)(name) {
            None => Err(Refusal::NoComponent(name.clone())),
            // Without an end it would end at once.
            Some(true) if until.is_none() => Err(Refusal::ComponentIsWell(name.clone())),
            Some(_) => Ok(()),
        }
    }
}
