//! Clients of relay, jump, book and the pages that students open: subscriptions, samples, polls and
//! checks, and the addresses, tokens and HTTP calls that they share.
//!
//! A client reads, decodes and hands over; it evaluates nothing and never waits for the engine:
//! inputs that the engine has not taken yet are replaced by newer ones.

mod answer;
mod backoff;
pub mod book;
pub mod canary;
mod certificate;
mod classify;
mod connect;
#[cfg(feature = "etcd")]
pub mod etcd;
mod frames;
mod http;
mod newest;
#[cfg(feature = "etcd")]
pub mod policy;
pub mod probe;
mod proxies;
mod proxy;
mod request_loop;
pub mod sampling;
mod socket;
pub mod subscription;
#[cfg(test)]
pub(crate) mod testing;
mod ticket;
mod tls;
mod token;
pub mod ui;
mod verify;

pub use ::parse::{MAX_BROKEN, MAX_CONNECTIONS, MAX_REREAD_BYTES, Parsed, parse};
pub use answer::error_of_status;
pub use book::client::{BookClient, BookStatus, Booking, Bookings, Interval, resource_is_gone};
pub use book::listing::{Listed, MAX_REASON_BYTES, Resources};
pub use book::manifest::{Manifest, Slot};
pub use book::pages::MAX_PAGES;
pub use book::shadow::{Comparison, ShadowBook};
pub use book::timetable::{MAX_BOOKINGS, MAX_SLOTS};
pub use classify::MAX_QUOTED_BYTES;
pub use connect::{ConnectError, ConnectFailure, dial};
pub use http::{Http, MAX_ANSWER_BYTES};
pub use proxy::{connect, no_websocket, silent};
pub use socket::MAX_MESSAGE_BYTES;
pub use tls::client_config;
pub use token::{
    Claims, MAX_TOKEN_LIFE, TOKEN_BACKDATE, TokenError, booking_admin, jump_stats, mint,
    relay_canary, relay_read, relay_stats,
};
pub use verify::{CertificateRule, Shown, client_by_rule, provider};

use secrecy::SecretString;
use url::Url;

/// Address and credentials of a server.
#[derive(Debug, Clone)]
pub struct Address {
    /// The server's audience: the `aud` of every token, compared byte by byte. Has no trailing
    /// slash.
    pub audience: String,
    /// The address of its HTTP API. Differs from the audience when the monitor is on the same host
    /// and the proxy is not in between.
    pub connect: Url,
    /// Scheme, host and port that replace those of the websocket addresses it hands out; `None` to
    /// use them as they come.
    pub websocket: Option<Url>,
    /// The secret that its tokens are signed with.
    pub secret: SecretString,
}

impl Address {
    /// The address of a call: the base with `segments` behind it, each percent-encoded.
    #[must_use]
    pub fn at(&self, segments: &[&str]) -> Url {
        let mut url = self.connect.clone();
        if let Ok(mut path) = url.path_segments_mut() {
            path.pop_if_empty().extend(segments);
        }
        url
    }
}
