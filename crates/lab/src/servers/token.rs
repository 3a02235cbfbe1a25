//! Checks access tokens as the real servers do: a bare JWT, no leeway, and their exact error texts.

use std::fmt;
use std::time::Duration;

use jiff::Timestamp;
use jsonwebtoken::errors::ErrorKind;
use jsonwebtoken::{Algorithm, DecodingKey, Validation};
use serde::Deserialize;

use engine::model::format_duration;

/// The claims of a token. All are optional: the server decides which it needs.
#[derive(Debug, Clone, Default, Deserialize)]
#[serde(default)]
pub(super) struct Claims {
    pub aud: Audience,
    pub scopes: Vec<String>,
    pub topic: String,
    pub prefix: String,
    pub booking_id: String,
    pub iat: Option<f64>,
    pub nbf: Option<f64>,
    pub exp: Option<f64>,
}

/// `aud`, which may be a string or an array of them.
#[derive(Debug, Clone, Deserialize)]
#[serde(untagged)]
pub(super) enum Audience {
    One(String),
    Many(Vec<String>),
}

/// Why a token is rejected. Displays the servers' texts.
#[derive(Debug, Clone, PartialEq)]
pub(super) enum TokenError {
    Bearer,
    Malformed,
    Signature,
    Expired(Duration),
    NotYetValid,
    IssuedLater,
    Audience { got: Vec<String>, host: String },
}

impl Claims {
    /// Whether the scope is among the token's.
    pub fn may(&self, scope: &str) -> bool {
        self.scopes.iter().any(|has| has == scope)
    }

    /// relay and jump crash on a token without all three times, and drop the connection.
    pub fn has_times(&self) -> bool {
        self.iat.is_some() && self.nbf.is_some() && self.exp.is_some()
    }

    /// When it ends.
    pub fn expires(&self) -> Timestamp {
        #[expect(
            clippy::cast_possible_truncation,
            reason = "a float cast saturates, and what is out of range becomes the maximum"
        )]
        self.exp
            .and_then(|exp| Timestamp::from_second(exp as i64).ok())
            .unwrap_or(Timestamp::MAX)
    }
}

impl Audience {
    fn all(&self) -> Vec<String> {
        match self {
            Self::One(aud) => vec![aud.clone()],
            Self::Many(auds) => auds.clone(),
        }
    }
}

impl Default for Audience {
    fn default() -> Self {
        Self::Many(Vec::new())
    }
}

impl fmt::Display for TokenError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Bearer => f.write_str("tokenstring should not contain 'bearer '"),
            Self::Malformed => f.write_str("token contains an invalid number of segments"),
            Self::Signature => f.write_str("signature is invalid"),
            Self::Expired(by) => write!(f, "token is expired by {}", format_duration(*by)),
            Self::NotYetValid => f.write_str("token is not valid yet"),
            Self::IssuedLater => f.write_str("Token used before issued"),
            Self::Audience { got, host } => {
                write!(f, "aud [{}] does not match this host {host}", got.join(" "))
            }
        }
    }
}

/// Reads a token and checks its signature, its times as far as it has any, and its audience.
pub(super) fn verify(
    token: &str,
    secret: &str,
    audience: &str,
    now: Timestamp,
) -> Result<Claims, TokenError> {
    if token
        .get(..7)
        .is_some_and(|start| start.eq_ignore_ascii_case("bearer "))
    {
        return Err(TokenError::Bearer);
    }
    let claims = decode(token, secret)?;
    check_times(&claims, now)?;
    let got = claims.aud.all();
    if got.iter().any(|aud| aud == audience) {
        Ok(claims)
    } else {
        Err(TokenError::Audience {
            got,
            host: audience.to_owned(),
        })
    }
}

fn decode(token: &str, secret: &str) -> Result<Claims, TokenError> {
    let mut rules = Validation::new(Algorithm::HS256);
    rules.algorithms = vec![Algorithm::HS256, Algorithm::HS384, Algorithm::HS512];
    rules.required_spec_claims.clear();
    rules.validate_exp = false;
    rules.validate_aud = false;
    match jsonwebtoken::decode::<Claims>(
        token,
        &DecodingKey::from_secret(secret.as_bytes()),
        &rules,
    ) {
        Ok(read) => Ok(read.claims),
        Err(error) if matches!(error.kind(), ErrorKind::InvalidSignature) => {
            Err(TokenError::Signature)
        }
        Err(_) => Err(TokenError::Malformed),
    }
}

#[expect(
    clippy::cast_precision_loss,
    reason = "milliseconds since 1970 are far below 2^53"
)]
fn check_times(claims: &Claims, now: Timestamp) -> Result<(), TokenError> {
    let now = now.as_millisecond() as f64 / 1000.0;
    if let Some(exp) = claims.exp.filter(|&exp| now >= exp) {
        return Err(TokenError::Expired(
            Duration::try_from_secs_f64(now - exp).unwrap_or(Duration::MAX),
        ));
    }
    if claims.iat.is_some_and(|iat| now < iat) {
        return Err(TokenError::IssuedLater);
    }
    if claims.nbf.is_some_and(|nbf| now < nbf) {
        Err(TokenError::NotYetValid)
    } else {
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use jsonwebtoken::{EncodingKey, Header};
    use serde_json::json;

    use super::*;

    fn signed(claims: &serde_json::Value, algorithm: Algorithm) -> String {
        jsonwebtoken::encode(
            &Header::new(algorithm),
            claims,
            &EncodingKey::from_secret(b"right"),
        )
        .expect("signs")
    }

    #[test]
    fn times_have_no_leeway_and_words_are_the_servers() {
        let rows = [
            (json!({"aud": "me", "iat": 100, "nbf": 100, "exp": 101}), ""),
            (json!({"aud": ["you", "me"]}), ""),
            (json!({"aud": "me", "exp": 100}), "token is expired by 0s"),
            (json!({"aud": "me", "exp": 98}), "token is expired by 2s"),
            (json!({"aud": "me", "iat": 101}), "Token used before issued"),
            (json!({"aud": "me", "nbf": 101}), "token is not valid yet"),
            (
                json!({"aud": "me/"}),
                "aud [me/] does not match this host me",
            ),
            (json!({}), "aud [] does not match this host me"),
        ];
        let now = Timestamp::from_second(100).expect("in range");
        for (claims, said) in rows {
            for algorithm in [Algorithm::HS256, Algorithm::HS384, Algorithm::HS512] {
                let outcome = verify(&signed(&claims, algorithm), "right", "me", now);
                assert_eq!(
                    outcome
                        .err()
                        .map_or_else(String::new, |error| error.to_string()),
                    said,
                    "{claims}"
                );
            }
        }
    }

    #[test]
    fn a_malformed_token_is_distinguished_from_a_forged_one() {
        let token = signed(&json!({"aud": "me"}), Algorithm::HS256);
        let check = |token: &str, secret| verify(token, secret, "me", Timestamp::UNIX_EPOCH).err();
        assert_eq!(check(&token, "wrong"), Some(TokenError::Signature));
        assert_eq!(check("garbage", "right"), Some(TokenError::Malformed));
        assert_eq!(
            check(&format!("Bearer {token}"), "right"),
            Some(TokenError::Bearer)
        );
        assert_eq!(check(&token, "right"), None);
    }
}
