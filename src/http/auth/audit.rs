//! The audit: who changed what. The service provides its destination.

use std::convert::Infallible;

use axum::response::{IntoResponseParts, ResponseParts};

use super::caller::Caller;

/// The longest description of a change, in bytes.
pub const MAX_NOTE_BYTES: usize = 500;

/// Receives the caller's name and the change.
type Port = Box<dyn Fn(&str, &str) + Send + Sync>;

/// Records who changed what.
pub struct Audit(Port);

impl Audit {
    /// An audit that passes each change to `port`, which must not block.
    #[must_use]
    pub fn new(port: impl Fn(&str, &str) + Send + Sync + 'static) -> Self {
        Self(Box::new(port))
    }

    /// Records a change by the caller with this token's name. `what` is a sentence in the past
    /// tense, and never holds a secret.
    ///
    /// A handler adds the receipt to its answer; otherwise the change is recorded by its path.
    #[must_use = "put it into the answer, or the same is noted again by its path"]
    pub fn note(&self, who: &Caller, what: &str) -> Noted {
        let ends = what
            .char_indices()
            .map(|(at, letter)| at + letter.len_utf8());
        let end = ends
            .take_while(|end| *end <= MAX_NOTE_BYTES)
            .last()
            .unwrap_or_default();
        (self.0)(who.name(), what.get(..end).unwrap_or_default());
        Noted(())
    }
}

/// The receipt that a change was recorded.
#[derive(Debug, Clone, Copy)]
pub struct Noted(());

impl Noted {
    /// The change has a record of its own, or nothing was changed.
    #[must_use]
    pub fn elsewhere() -> Self {
        Self(())
    }
}

impl IntoResponseParts for Noted {
    type Error = Infallible;

    fn into_response_parts(self, mut parts: ResponseParts) -> Result<ResponseParts, Infallible> {
        parts.extensions_mut().insert(self);
        Ok(parts)
    }
}

#[cfg(test)]
mod tests {
    use std::sync::{Arc, Mutex};

    use super::*;

    #[test]
    fn long_notes_are_cut_between_letters() {
        let notes = Arc::new(Mutex::new(Vec::new()));
        let audit = Audit::new({
            let notes = Arc::clone(&notes);
            move |who, what| {
                notes
                    .lock()
                    .expect("whole")
                    .push((who.to_owned(), what.to_owned()));
            }
        });
        let _receipt = audit.note(&Caller::Anonymous, &"ä".repeat(MAX_NOTE_BYTES));
        assert_eq!(
            *notes.lock().expect("whole"),
            [("anonymous".to_owned(), "ä".repeat(MAX_NOTE_BYTES / 2))]
        );
    }
}
