//! A feed's buffer while the engine is busy: only the newest input of each kind.

use std::collections::VecDeque;
use std::mem::discriminant;

use engine::Input;

/// Inputs that the engine has not taken yet: at most the newest report and the newest state of the
/// connection, in the order in which they came.
#[derive(Debug, Default)]
pub struct Outbox(VecDeque<Input>);

impl Outbox {
    /// Puts an input in, in the place of an older one of its kind.
    pub fn put(&mut self, input: Input) {
        self.0
            .retain(|waiting| discriminant(waiting) != discriminant(&input));
        self.0.push_back(input);
    }

    /// Takes the oldest input out.
    pub fn take(&mut self) -> Option<Input> {
        self.0.pop_front()
    }

    /// Whether there is none.
    pub fn is_empty(&self) -> bool {
        self.0.is_empty()
    }
}
