//! Access tokens: the claims that each server expects, and the signing.

use std::time::Duration;

use jiff::Timestamp;
use jsonwebtoken::{EncodingKey, Header};
use secrecy::ExposeSecret;
use serde::Serialize;

use super::Address;

/// Tokens are valid from this long before now: the servers allow no leeway at all, and clocks
/// differ.
pub const TOKEN_BACKDATE: Duration = Duration::from_secs(30);

/// The longest life of a token. relay keeps one routine for each past connection until its token
/// ends, so tokens are short.
pub const MAX_TOKEN_LIFE: Duration = Duration::from_secs(3600);

/// How long before the end of its token a connection is renewed at the latest: time for several
/// attempts.
pub(super) const TOKEN_SPARE: Duration = Duration::from_secs(5 * 60);

/// The shortest time between two renewals, whatever the settings say.
pub(super) const SHORTEST_RENEWAL: Duration = Duration::from_secs(1);

/// When a connection is renewed: as the settings say, but in good time before its token can end.
pub(super) fn renew_after(every: Duration) -> Duration {
    every.clamp(SHORTEST_RENEWAL, MAX_TOKEN_LIFE.saturating_sub(TOKEN_SPARE))
}

/// The booking id of our own connections: relay wants one, and denying it must hit no other user.
const BOOKING_ID: &str = "labwatch";

/// The claims of a token. relay and jump refuse one without `iat`, `nbf` and `exp` by dropping the
/// connection.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct Claims {
    /// The server's audience.
    pub aud: String,
    /// The client's name; for the server's log.
    pub sub: &'static str,
    /// Valid from, in Unix seconds.
    pub iat: i64,
    /// Valid from, in Unix seconds.
    pub nbf: i64,
    /// Valid until, in Unix seconds.
    pub exp: i64,
    /// The permissions of the bearer.
    pub scopes: Vec<&'static str>,
    /// The topic (relay and jump).
    #[serde(skip_serializing_if = "Option::is_none")]
    pub topic: Option<String>,
    /// The first path segment of the websocket (relay and jump).
    #[serde(skip_serializing_if = "Option::is_none")]
    pub prefix: Option<&'static str>,
    /// The booking (relay).
    #[serde(skip_serializing_if = "Option::is_none")]
    pub booking_id: Option<&'static str>,
}

impl Claims {
    fn new(address: &Address, now: Timestamp, life: Duration, scopes: Vec<&'static str>) -> Self {
        let now = now.as_second();
        let from = now.saturating_sub(TOKEN_BACKDATE.as_secs().cast_signed());
        let until = now.saturating_add(life.min(MAX_TOKEN_LIFE).as_secs().cast_signed());
        Self {
            aud: address.audience.clone(),
            sub: "labwatch",
            iat: from,
            nbf: from,
            exp: until,
            scopes,
            topic: None,
            prefix: None,
            booking_id: None,
        }
    }
}

/// To use a topic of relay.
fn session(
    address: &Address,
    now: Timestamp,
    life: Duration,
    topic: &str,
    scopes: Vec<&'static str>,
) -> Claims {
    Claims {
        topic: Some(topic.to_owned()),
        prefix: Some("session"),
        booking_id: Some(BOOKING_ID),
        ..Claims::new(address, now, life, scopes)
    }
}

/// To receive relay's reports and to ask for them.
#[must_use]
pub fn relay_stats(address: &Address, now: Timestamp, life: Duration) -> Claims {
    session(address, now, life, "stats", vec!["read", "write"])
}

/// To receive one stream of relay.
#[must_use]
pub fn relay_read(address: &Address, now: Timestamp, life: Duration, topic: &str) -> Claims {
    session(address, now, life, topic, vec!["read"])
}

/// To send and receive on the canary's topic. Without the scope of experiments, so that relay does
/// not take the topic for one.
#[must_use]
pub fn relay_canary(address: &Address, now: Timestamp, life: Duration, topic: &str) -> Claims {
    session(address, now, life, topic, vec!["read", "write"])
}

/// To receive jump's reports and to ask for them.
#[must_use]
pub fn jump_stats(address: &Address, now: Timestamp, life: Duration) -> Claims {
    Claims {
        topic: Some("stats".to_owned()),
        prefix: Some("connect"),
        ..Claims::new(address, now, life, vec!["stats"])
    }
}

/// To read and switch availability in book.
#[must_use]
pub fn booking_admin(address: &Address, now: Timestamp, life: Duration) -> Claims {
    Claims::new(address, now, life, vec!["booking:admin"])
}

/// A token could not be signed.
#[derive(Debug, thiserror::Error)]
#[error("cannot sign an access token: {0}")]
pub struct TokenError(jsonwebtoken::errors::Error);

/// Signs the claims with the address's secret (HS256). The servers want the result bare, without
/// `Bearer`.
///
/// # Errors
/// [`TokenError`] when the signing library refuses; no input is known that makes it.
pub fn mint(address: &Address, claims: &Claims) -> Result<String, TokenError> {
    let key = EncodingKey::from_secret(address.secret.expose_secret().as_bytes());
    jsonwebtoken::encode(&Header::default(), claims, &key).map_err(TokenError)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn address() -> Address {
        Address {
            audience: "https://app.example.org/ed0/access".into(),
            connect: "http://127.0.0.1:3000".parse().expect("a url"),
            websocket: None,
            secret: "somesecret".into(),
        }
    }

    #[test]
    fn every_token_carries_what_its_server_wants() {
        let now = Timestamp::from_second(1_000_000).expect("in range");
        let claims = relay_stats(&address(), now, Duration::from_secs(9_999));
        let json = serde_json::to_value(&claims).expect("serialises");
        assert_eq!(
            json,
            serde_json::json!({
                "aud": "https://app.example.org/ed0/access", "sub": "labwatch", "iat": 999_970, "nbf": 999_970, "exp": 1_003_600,
                "scopes": ["read", "write"], "topic": "stats", "prefix": "session", "booking_id": "labwatch",
            })
        );
        let json = serde_json::to_value(booking_admin(&address(), now, Duration::from_secs(60)))
            .expect("serialises");
        assert_eq!(json["scopes"], serde_json::json!(["booking:admin"]));
        assert!(json.get("topic").is_none() && json.get("booking_id").is_none());
    }

    #[test]
    fn a_token_has_three_parts_and_not_the_secret() {
        let claims = jump_stats(&address(), Timestamp::UNIX_EPOCH, Duration::from_secs(60));
        let token = mint(&address(), &claims).expect("signs");
        assert_eq!(token.split('.').count(), 3);
        assert!(!token.contains("somesecret"));
    }

    #[test]
    fn segments_are_escaped() {
        let mut address = address();
        assert_eq!(
            address.at(&["a b/c"]).as_str(),
            "http://127.0.0.1:3000/a%20b%2Fc"
        );
        address.connect = "http://127.0.0.1:3000/ed0/book/".parse().expect("a url");
        assert_eq!(
            address.at(&["api", "v1"]).as_str(),
            "http://127.0.0.1:3000/ed0/book/api/v1"
        );
    }
}
