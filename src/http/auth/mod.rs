//! Who may use the API. [`Authenticator`](authenticator::Authenticator) decides, `layer` calls it
//! before every handler, `login` starts and ends sessions.
//!
//! Below them are parts that know neither path nor answer: tokens and sessions, revocations, rates,
//! the audit, clients behind proxies. They store nothing themselves: what must survive a restart
//! goes through the ports [`Keep`] and [`Audit`], which the service connects to the store.

mod audit;
pub(in crate::http) mod authenticator;
mod caller;
pub(in crate::http) mod client;
mod cookie;
pub(in crate::http) mod layer;
pub(in crate::http) mod login;
mod origin;
mod place;
mod random;
mod refusal;
mod refusal_log;
mod reportable;
mod revoked;
mod scope;
mod throttle;
mod token;

pub use audit::{Audit, MAX_NOTE_BYTES, Noted};
pub use caller::{Caller, Viewer};
pub(in crate::http) use place::below;
pub use place::{MAX_PLACE_BYTES, is_place};
pub(in crate::http) use random::hex;
pub use random::{ID_LETTERS, id, same};
pub use refusal::{Refusal, SignError};
pub use refusal_log::RefusalLog;
pub use reportable::{MAX_REPORTABLE, Reportable, ReportableError};
pub use revoked::{
    Keep, Kept, MAX_REVOKED, MAX_SIGNED_OUT, MAX_SIGNED_OUT_OF_ONE, Revocations, Revoked,
    revocation, revoked_in,
};
pub use scope::{Need, Reading, Scope, Scopes};
pub use throttle::{MAX_ADDRESSES, MAX_FAILURES, RateLimit, Throttle, WINDOW, customer};
pub use token::{
    AUDIENCE, AccessToken, Authority, Grant, Issued, LEEWAY, MAX_LIFE, MAX_NAME_BYTES,
    MAX_TOKEN_BYTES, Session, has_form, is_id,
};
