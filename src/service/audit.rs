//! The audit log: who changed what, in the log and the store.

use jiff::Timestamp;

use crate::store::{Entry, Store};

/// Writes an entry of the audit log to the log and the store.
pub(super) fn audit_log(store: Option<Store>) -> impl Fn(&str, &str) + Send + Sync + 'static {
    move |who, what| {
        tracing::info!(who, what, "a change was made over the API");
        let entry = Entry::Audit {
            at: Timestamp::now(),
            who: who.to_owned(),
            what: what.to_owned(),
        };
        let taken = store
            .as_ref()
            .is_none_or(|store| store.write(vec![entry]).is_taken());
        if !taken {
            tracing::error!(
                who,
                what,
                "cannot store the audit record of a change; only the log has it"
            );
        }
    }
}
