//! How book, jump and relay are spoken to: addresses, access tokens, HTTP calls and the classification of what goes wrong.
//!
//! What both the feeds (which read) and the effects (which write) need of the protocols stands here once. Judges nothing, keeps no state.

mod book;
mod connect;
#[cfg(test)]
pub(crate) mod fake_book;
mod http;
mod proxy;
mod tls;
mod token;

pub use book::{
    BookClient, BookStatus, Booking, Bookings, Interval, Listed, MAX_REASON_BYTES, Manifest,
    Resources, Slot, StreamKind, resource_is_gone,
};
pub use connect::{ConnectError, ConnectFailure, dial};
pub use http::{Http, MAX_ANSWER_BYTES, MAX_QUOTED_BYTES};
pub use proxy::connect;
pub use tls::client_config;
pub use token::{
    Claims, MAX_TOKEN_LIFE, TOKEN_BACKDATE, TokenError, booking_admin, jump_stats, mint,
    relay_read, relay_stats,
};

use secrecy::SecretString;
use url::Url;

/// Where a server is and how it wants to be spoken to.
#[derive(Debug, Clone)]
pub struct Address {
    /// What the server calls itself: the `aud` of every token, to the byte. Has no trailing slash.
    pub audience: String,
    /// Where its HTTP API is reached. Differs from the audience when the monitor is on the same host and the proxy is not in between.
    pub connect: Url,
    /// Scheme, host and port that replace those of the websocket addresses it hands out; `None` to use them as they come.
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
