//! Tokens and sessions: their claims, their signing and their verification (JWT, HS256 and nothing
//! else). Reads no clock.

use std::time::Duration;

use base64::Engine as _;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use engine::model::is_deceptive;
use jiff::Timestamp;
use jsonwebtoken::errors::ErrorKind;
use jsonwebtoken::{Algorithm, DecodingKey, EncodingKey, Header, Validation};
use secrecy::{ExposeSecret, SecretString};
use serde::de::DeserializeOwned;
use serde::{Deserialize, Serialize};

use super::random;
use super::refusal::{Refusal, SignError};
use super::reportable::Reportable;
use super::scope::{Scope, Scopes};

/// The audience of tokens, so that one of book, jump or relay is never accepted, even with the same
/// secret.
pub const AUDIENCE: &str = "labwatch";

/// The audience of sessions, so that a token is never accepted as a session or the reverse.
const SESSION_AUDIENCE: &str = "labwatch session";

/// How far the clocks of issuer and verifier may differ.
pub const LEEWAY: Duration = Duration::from_secs(10);

/// The longest life of a token. Revocations are kept for as long.
pub const MAX_LIFE: Duration = Duration::from_secs(366 * 24 * 3600);

/// The longest token that is parsed, in bytes.
pub const MAX_TOKEN_BYTES: usize = 2_048;

/// The longest name of a token, in bytes.
pub const MAX_NAME_BYTES: usize = 64;

/// The longest id that is accepted, in bytes. Ours have [`super::ID_LETTERS`].
const MAX_ID_BYTES: usize = 64;

/// The properties of a new token.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Grant {
    /// The name of its holder, for the audit.
    pub name: String,
    /// What it allows.
    pub scopes: Scopes,
    /// What it may report on. A token with the scope `report` names at least one.
    pub reports: Reportable,
    /// How long it is valid.
    pub life: Duration,
}

/// A new token.
pub struct Issued {
    /// The token itself. Its holder may do what it allows.
    pub token: String,
    /// Its claims.
    pub pass: AccessToken,
}

/// The claims of a valid token.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct AccessToken {
    /// Its id, by which it is revoked.
    pub id: String,
    /// The name of its holder.
    pub name: String,
    /// What it allows.
    pub scopes: Scopes,
    /// The names of its scope report.
    pub reports: Reportable,
    /// When it was made.
    pub issued: Timestamp,
    /// When it expires.
    pub expires: Timestamp,
}

/// A browser's session, made from a token and never longer than it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Session {
    /// Its own id, by which signing out ends it.
    pub id: String,
    /// The claims of the token that it was made from.
    pub pass: AccessToken,
    /// What a form must repeat, so that no other site can make the browser send it.
    pub csrf: String,
    /// When it expires.
    pub expires: Timestamp,
}

#[derive(Debug, Serialize, Deserialize)]
struct TokenClaims {
    aud: String,
    exp: i64,
    iat: i64,
    jti: String,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    nbf: Option<i64>,
    #[serde(default, skip_serializing_if = "Reportable::is_empty")]
    reports: Reportable,
    sub: String,
    scopes: Scopes,
}

#[derive(Debug, Serialize, Deserialize)]
struct SessionClaims {
    #[serde(flatten)]
    common: TokenClaims,
    /// When the token ends.
    token_exp: i64,
    /// When the token was made. A session of an earlier version lacks it, and counts as made from a
    /// very old token.
    #[serde(default)]
    token_iat: i64,
    sid: String,
    csrf: String,
}

/// Signs and verifies with one secret.
pub struct Authority {
    sign: EncodingKey,
    verify: DecodingKey,
}

impl Authority {
    /// The authority with this secret.
    #[must_use]
    pub fn new(secret: &SecretString) -> Self {
        let secret = secret.expose_secret().as_bytes();
        Self {
            sign: EncodingKey::from_secret(secret),
            verify: DecodingKey::from_secret(secret),
        }
    }

    /// Issues a token.
    ///
    /// # Errors
    /// [`SignError`].
    pub fn issue(&self, grant: &Grant, now: Timestamp) -> Result<Issued, SignError> {
        let name = grant.name.trim();
        if !is_token_name(name) {
            return Err(SignError::Name);
        }
        if grant.life < Duration::from_secs(1) || grant.life > MAX_LIFE {
            return Err(SignError::Life);
        }
        if grant.scopes.need_names() && grant.reports.is_empty() {
            return Err(SignError::Reports);
        }
        let pass = AccessToken {
            id: random::id().ok_or(SignError::Random)?,
            name: name.to_owned(),
            scopes: grant.scopes.clone(),
            reports: grant.reports.clone(),
            issued: whole(now),
            expires: whole(later(now, grant.life)),
        };
        let token = self.sign(&claims(AUDIENCE, &pass, now, pass.expires))?;
        Ok(Issued { token, pass })
    }

    /// The claims of a token, if it is valid. Revocations are checked elsewhere.
    ///
    /// # Errors
    /// [`Refusal`].
    pub fn verify(&self, token: &str, now: Timestamp) -> Result<AccessToken, Refusal> {
        let claims: TokenClaims = self.read(token, AUDIENCE)?;
        in_time(&claims, now)?;
        Ok(pass(claims))
    }

    /// A session for the holder of this token, and the text for its cookie.
    ///
    /// # Errors
    /// [`SignError`].
    pub fn open(
        &self,
        pass: &AccessToken,
        life: Duration,
        now: Timestamp,
    ) -> Result<(Session, String), SignError> {
        let (id, csrf) = random::id().zip(random::id()).ok_or(SignError::Random)?;
        let expires = whole(later(now, life)).min(pass.expires);
        let common = claims(SESSION_AUDIENCE, pass, now, expires);
        let text = self.sign(&SessionClaims {
            common,
            token_exp: pass.expires.as_second(),
            token_iat: pass.issued.as_second(),
            sid: id.clone(),
            csrf: csrf.clone(),
        })?;
        Ok((
            Session {
                id,
                pass: pass.clone(),
                csrf,
                expires,
            },
            text,
        ))
    }

    /// The claims of a session's cookie, if it is valid.
    ///
    /// # Errors
    /// [`Refusal`].
    pub fn session(&self, text: &str, now: Timestamp) -> Result<Session, Refusal> {
        let SessionClaims {
            common,
            token_exp,
            token_iat,
            sid,
            csrf,
        } = self.read(text, SESSION_AUDIENCE)?;
        in_time(&common, now)?;
        let of_session = pass(common);
        let expires = of_session.expires;
        let pass = AccessToken {
            issued: second(token_iat).ok_or(Refusal::Forged)?,
            expires: second(token_exp).ok_or(Refusal::Forged)?,
            ..of_session
        };
        Ok(Session {
            id: sid,
            pass,
            csrf,
            expires,
        })
    }

    fn sign(&self, claims: &impl Serialize) -> Result<String, SignError> {
        jsonwebtoken::encode(&Header::new(Algorithm::HS256), claims, &self.sign)
            .map_err(SignError::Library)
    }

    /// The claims of a text that is signed with our secret. The library compares signatures in
    /// constant time, and accepts only the named algorithm.
    fn read<T: DeserializeOwned>(&self, text: &str, audience: &str) -> Result<T, Refusal> {
        if text.len() > MAX_TOKEN_BYTES {
            return Err(Refusal::Forged);
        }
        let mut rules = Validation::new(Algorithm::HS256);
        // Times are compared here, with a clock that the caller chooses.
        (rules.validate_exp, rules.leeway) = (false, 0);
        rules.set_required_spec_claims(&["exp", "aud", "sub"]);
        rules.set_audience(&[audience]);
        let read = jsonwebtoken::decode(text, &self.verify, &rules);
        if read.is_ok() && demands_extensions(text) {
            return Err(Refusal::Forged);
        }
        read.map(|data| data.claims).map_err(|error| {
            // The audience is checked after the signature: only a holder of one of our tokens
            // learns that it is wrong.
            let audience = matches!(error.kind(), ErrorKind::InvalidAudience);
            if audience {
                Refusal::Audience
            } else {
                Refusal::Forged
            }
        })
    }
}

fn claims(audience: &str, pass: &AccessToken, now: Timestamp, expires: Timestamp) -> TokenClaims {
    TokenClaims {
        aud: audience.to_owned(),
        exp: expires.as_second(),
        iat: now.as_second(),
        jti: pass.id.clone(),
        nbf: None,
        reports: pass.reports.clone(),
        sub: pass.name.clone(),
        scopes: pass.scopes.clone(),
    }
}

/// Whether now is in the time of these claims. A life beyond the longest is refused, because
/// revocations are not kept that long.
fn in_time(claims: &TokenClaims, now: Timestamp) -> Result<(), Refusal> {
    let (now, leeway) = (now.as_second(), LEEWAY.as_secs().cast_signed());
    let life = claims.exp.checked_sub(claims.iat).ok_or(Refusal::Forged)?;
    let times = second(claims.exp).and(second(claims.iat));
    if !is_id(&claims.jti) || !is_token_name(&claims.sub) || times.is_none() {
        Err(Refusal::Forged)
    } else if life > MAX_LIFE.as_secs().cast_signed() {
        Err(Refusal::TooLong)
    } else if claims.nbf.unwrap_or(claims.iat).max(claims.iat) > now.saturating_add(leeway) {
        Err(Refusal::Future)
    } else if claims.exp.saturating_add(leeway) <= now {
        Err(Refusal::Expired)
    } else {
        Ok(())
    }
}

fn pass(claims: TokenClaims) -> AccessToken {
    AccessToken {
        id: claims.jti,
        name: claims.sub,
        scopes: claims.scopes,
        reports: claims.reports,
        issued: second(claims.iat).unwrap_or(Timestamp::MIN),
        expires: second(claims.exp).unwrap_or(Timestamp::MIN),
    }
}

/// Whether a token that is signed with our secret demands extensions that its reader must support
/// (RFC 7515, 4.1.11). We support none.
fn demands_extensions(token: &str) -> bool {
    let header = token.split('.').next().and_then(|header| {
        let bytes = URL_SAFE_NO_PAD.decode(header).ok()?;
        serde_json::from_slice::<serde_json::Map<String, serde_json::Value>>(&bytes).ok()
    });
    header.is_none_or(|header| header.contains_key("crit"))
}

/// Whether this can be the name of a token. It is written to logs and the audit, so it has no
/// invisible characters, nor any that reorder others.
fn is_token_name(name: &str) -> bool {
    name.len() <= MAX_NAME_BYTES && !name.trim().is_empty() && !name.chars().any(is_deceptive)
}

/// Whether a text has the form of a token or a session (three parts of base64url, of which the
/// first is a JSON object), so that it cannot be meant as something else. Its validity is not
/// checked.
#[must_use]
pub fn has_form(text: &str) -> bool {
    let is_part = |part: &str| {
        !part.is_empty()
            && part
                .bytes()
                .all(|b| b.is_ascii_alphanumeric() || matches!(b, b'-' | b'_'))
    };
    text.starts_with("eyJ") && text.split('.').count() == 3 && text.split('.').all(is_part)
}

/// Whether this can be the id of a token or a session.
#[must_use]
pub fn is_id(text: &str) -> bool {
    (1..=MAX_ID_BYTES).contains(&text.len())
        && text.bytes().all(|byte| byte.is_ascii_alphanumeric())
}

fn later(now: Timestamp, by: Duration) -> Timestamp {
    now.checked_add(by).unwrap_or(Timestamp::MAX)
}

/// The time in whole seconds, as a token has it.
fn whole(time: Timestamp) -> Timestamp {
    second(time.as_second()).unwrap_or(time)
}

fn second(second: i64) -> Option<Timestamp> {
    Timestamp::from_second(second).ok()
}

impl AccessToken {
    /// Whether it allows what `scope` does.
    #[must_use]
    pub fn allows(&self, scope: Scope) -> bool {
        self.scopes.allow(scope)
    }

    /// Whether it may report on the component or experiment of this name.
    #[must_use]
    pub fn may_report_on(&self, name: &str) -> bool {
        self.allows(Scope::Admin) || (self.allows(Scope::Report) && self.reports.includes(name))
    }
}

#[cfg(test)]
mod tests {
    use serde_json::{Value, json};

    use super::*;

    const SECRET: &str = "a-secret-for-the-tests-of-tokens";

    fn authority() -> Authority {
        Authority::new(&SECRET.into())
    }

    fn at(second: i64) -> Timestamp {
        Timestamp::from_second(1_800_000_000 + second).expect("in range")
    }

    fn grant(scope: Scope) -> Grant {
        Grant {
            name: "wall display".into(),
            scopes: [scope].into_iter().collect(),
            reports: vec!["wiki".to_owned()].try_into().expect("a name"),
            life: Duration::from_secs(100),
        }
    }

    fn signed(algorithm: Algorithm, claims: &Value) -> String {
        jsonwebtoken::encode(
            &Header::new(algorithm),
            claims,
            &EncodingKey::from_secret(SECRET.as_bytes()),
        )
        .expect("signs")
    }

    fn good() -> Value {
        json!({"aud": AUDIENCE, "exp": at(100).as_second(), "iat": at(0).as_second(), "jti": "abc", "sub": "x", "scopes": ["read"]})
    }

    /// Checks the answer to a token with all claims valid but one.
    fn check(name: &str, value: Value, expect: Result<(), Refusal>) {
        let mut claims = good();
        claims[name] = value;
        let got = authority()
            .verify(&signed(Algorithm::HS256, &claims), at(0))
            .map(|_| ());
        assert_eq!(got, expect, "{claims}");
    }

    #[test]
    fn what_is_issued_is_valid_until_it_expires() {
        let issued = authority()
            .issue(&grant(Scope::Report), at(0))
            .expect("issues");
        for (second, expect) in [
            (-11, Err(Refusal::Future)),
            (-10, Ok(())),
            (0, Ok(())),
            (109, Ok(())),
            (110, Err(Refusal::Expired)),
        ] {
            let got = authority().verify(&issued.token, at(second));
            assert_eq!(got.clone().map(|_| ()), expect, "{second}");
            if let Ok(pass) = got {
                assert_eq!(pass, issued.pass);
                assert!(pass.allows(Scope::Report) && !pass.allows(Scope::Read));
            }
        }
    }

    #[test]
    fn claims_that_do_not_fit_are_refused() {
        check("jti", json!("abc"), Ok(()));
        check("aud", json!("book"), Err(Refusal::Audience));
        check("aud", json!(SESSION_AUDIENCE), Err(Refusal::Audience));
        check("aud", Value::Null, Err(Refusal::Forged));
        check("exp", json!("soon"), Err(Refusal::Forged));
        check("exp", json!(i64::MAX), Err(Refusal::Forged));
        check(
            "exp",
            json!(at(0).as_second() + 367 * 86_400),
            Err(Refusal::TooLong),
        );
        check("iat", json!(i64::MIN), Err(Refusal::Forged));
        check("iat", json!(at(3_600).as_second()), Err(Refusal::Future));
        check("nbf", json!(at(3_600).as_second()), Err(Refusal::Future));
        check("nbf", json!(at(5).as_second()), Ok(()));
        check("nbf", json!("soon"), Err(Refusal::Forged));
        check("jti", json!("../x"), Err(Refusal::Forged));
        check("jti", json!(""), Err(Refusal::Forged));
        check("reports", json!(["pend*"]), Ok(()));
        check("reports", json!(["a b"]), Err(Refusal::Forged));
        for sub in [
            "x".repeat(65),
            String::new(),
            " ".into(),
            "a\nb".into(),
            "a\u{202e}b".into(),
        ] {
            check("sub", json!(sub), Err(Refusal::Forged));
        }
        check("scopes", json!(["root"]), Err(Refusal::Forged));
        check("scopes", json!("admin"), Err(Refusal::Forged));
    }

    #[test]
    fn a_token_that_demands_what_we_do_not_know_is_refused() {
        let mut header = Header::new(Algorithm::HS256);
        let key = EncodingKey::from_secret(SECRET.as_bytes());
        header.kid = Some("x".to_owned());
        let known = jsonwebtoken::encode(&header, &good(), &key).expect("signs");
        assert!(authority().verify(&known, at(0)).is_ok());
        // {"alg":"HS256","crit":["exp"],"exp":1}
        let body = known.split('.').nth(1).expect("a body");
        let text = format!("eyJhbGciOiJIUzI1NiIsImNyaXQiOlsiZXhwIl0sImV4cCI6MX0.{body}");
        let signature =
            jsonwebtoken::crypto::sign(text.as_bytes(), &key, Algorithm::HS256).expect("signs");
        let demanding = format!("{text}.{signature}");
        assert_eq!(authority().verify(&demanding, at(0)), Err(Refusal::Forged));
    }

    #[test]
    fn a_token_that_may_only_report_names_what_it_reports_on() {
        let grant = |scopes: &[Scope]| Grant {
            scopes: scopes.iter().copied().collect(),
            reports: Reportable::default(),
            ..grant(Scope::Report)
        };
        let refused = authority().issue(&grant(&[Scope::Report]), at(0));
        assert!(matches!(refused, Err(SignError::Reports)));
        let with_read = authority().issue(&grant(&[Scope::Read, Scope::Report]), at(0));
        assert!(matches!(with_read, Err(SignError::Reports)));
        let admin = authority().issue(&grant(&[Scope::Admin]), at(0));
        assert!(admin.expect("issues").pass.may_report_on("wiki"));
        let named = authority().issue(&self::grant(Scope::Report), at(0));
        let named = named.expect("issues");
        let verified = authority().verify(&named.token, at(0)).expect("is valid");
        assert!(verified.may_report_on("wiki") && !verified.may_report_on("mail"));
        let reader = authority().issue(&self::grant(Scope::Read), at(0));
        assert!(!reader.expect("issues").pass.may_report_on("wiki"));
    }

    #[test]
    fn other_algorithms_and_secrets_are_refused() {
        let (good, authority) = (good(), authority());
        for algorithm in [Algorithm::HS384, Algorithm::HS512] {
            assert_eq!(
                authority.verify(&signed(algorithm, &good), at(0)),
                Err(Refusal::Forged)
            );
        }
        let other = Authority::new(&"another secret".into())
            .issue(&grant(Scope::Admin), at(0))
            .expect("issues")
            .token;
        let whole = signed(Algorithm::HS256, &good);
        let (_, unsigned) = whole.split_once('.').expect("parts");
        // {"typ":"JWT","alg":"none"}, with and without a signature
        let none = format!("eyJ0eXAiOiJKV1QiLCJhbGciOiJub25lIn0.{unsigned}");
        let bare = format!("{}.", none.rsplit_once('.').expect("parts").0);
        for bad in [
            other.as_str(),
            &none,
            &bare,
            "",
            ".",
            "..",
            "a.b.c",
            "\u{0}",
            &"x".repeat(MAX_TOKEN_BYTES + 1),
        ] {
            assert_eq!(authority.verify(bad, at(0)), Err(Refusal::Forged), "{bad}");
        }
        assert!(authority.verify(&whole, at(0)).is_ok());
    }

    #[test]
    fn grants_have_bounds() {
        let (good, day) = (grant(Scope::Read), Duration::from_secs(86_400));
        for name in ["", " ", "a\nb", "a\u{202e}b", "a\u{200b}b", &"x".repeat(65)] {
            let issued = authority().issue(
                &Grant {
                    name: name.to_owned(),
                    ..good.clone()
                },
                at(0),
            );
            assert!(matches!(issued, Err(SignError::Name)), "{name}");
        }
        for life in [Duration::ZERO, MAX_LIFE + day] {
            assert!(
                matches!(
                    authority().issue(
                        &Grant {
                            life,
                            ..good.clone()
                        },
                        at(0)
                    ),
                    Err(SignError::Life)
                ),
                "{life:?}"
            );
        }
        let longest = authority()
            .issue(
                &Grant {
                    life: MAX_LIFE,
                    ..good
                },
                at(0),
            )
            .expect("issues");
        assert!(authority().verify(&longest.token, at(1)).is_ok());
    }

    #[test]
    fn a_session_is_no_token_and_ends_with_its_token() {
        let authority = authority();
        let issued = authority
            .issue(&grant(Scope::Admin), at(0))
            .expect("issues");
        let (session, text) = authority
            .open(&issued.pass, Duration::from_secs(3_600), at(1))
            .expect("opens");
        assert_eq!(
            session.expires, issued.pass.expires,
            "not longer than its token"
        );
        assert_eq!(authority.session(&text, at(2)), Ok(session));
        assert_eq!(authority.verify(&text, at(2)), Err(Refusal::Audience));
        assert_eq!(
            authority.session(&issued.token, at(2)),
            Err(Refusal::Forged),
            "it lacks what a session has"
        );
        let (short, text) = authority
            .open(&issued.pass, Duration::from_secs(5), at(1))
            .expect("opens");
        assert_eq!(
            (short.expires, short.pass.expires),
            (at(6), issued.pass.expires)
        );
        assert_eq!(authority.session(&text, at(16)), Err(Refusal::Expired));
    }
}
