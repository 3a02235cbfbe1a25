//! Access to the websockets of relay and jump: the responses of their access APIs, verbatim.

use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Mutex, PoisonError};

use jiff::Timestamp;

use super::http::{Answer, Request};
use super::hub::{Hub, Kind, STATS};
use super::token::{Claims, TokenError, verify};

/// The rules of an access API.
#[derive(Debug)]
pub(super) struct Rules {
    pub audience: String,
    pub secret: Mutex<String>,
    /// The prefix of the addresses that are handed out, for example `ws://127.0.0.1:3001`.
    pub socket: String,
    pub allow_no_booking_id: bool,
    /// Whether every token is refused.
    pub refuse_all: AtomicBool,
}

/// Answers one call.
pub(super) fn answer(request: &Request, rules: &Rules, hub: &Hub) -> Answer {
    let segments = request.segments();
    let path: Vec<&str> = segments.iter().map(String::as_str).collect();
    let topic = match (hub.kind, path.as_slice()) {
        (Kind::Relay(_), ["session", topic]) | (Kind::Jump, ["api", "v1", "connect", topic]) => {
            *topic
        }
        _ => return Answer::no_path(request),
    };
    if request.method != "POST" {
        return Answer::no_method(request, "POST");
    }
    let Some(token) = request.header("authorization") else {
        return Answer::unauthenticated();
    };
    let secret = rules
        .secret
        .lock()
        .unwrap_or_else(PoisonError::into_inner)
        .clone();
    let admitted = if rules.refuse_all.load(Ordering::Relaxed) {
        Err(TokenError::Signature)
    } else {
        verify(token, &secret, &rules.audience, Timestamp::now())
    };
    let admitted = admitted
        .map_err(|error| refuse(hub.kind, &error))
        .and_then(|claims| match hub.kind {
            Kind::Relay(_) => admit_to_relay(claims, topic, rules, hub),
            Kind::Jump => admit_to_jump(claims, topic),
        });
    admitted.map_or_else(
        |refusal| refusal,
        |claims| hand_out(claims, topic, rules, hub),
    )
}

/// The error for a token that cannot be parsed comes from the framework: the servers answer 500.
/// relay hides the reason, except for the audience.
fn refuse(kind: Kind, error: &TokenError) -> Answer {
    let message = match (kind, error) {
        (_, TokenError::Audience { .. }) => error.to_string(),
        (Kind::Relay(_), _) => "token invalid".to_owned(),
        (Kind::Jump, _) => format!("error reading token was {error}"),
    };
    Answer::framework(500, &message)
}

fn admit_to_relay(claims: Claims, topic: &str, rules: &Rules, hub: &Hub) -> Result<Claims, Answer> {
    if claims.topic.is_empty() || claims.prefix.is_empty() || claims.scopes.is_empty() {
        return Err(Answer::bare(401, "Token Missing Required Claims"));
    }
    if claims.topic != topic {
        return Err(Answer::bare(401, "Token Wrong Topic"));
    }
    if claims.booking_id.is_empty() && !rules.allow_no_booking_id {
        return Err(Answer::handler(
            400,
            "empty bookingID field is not permitted",
        ));
    }
    if hub.denies(&claims.booking_id) {
        return Err(Answer::handler(
            400,
            "bookingID has been deny-listed, probably because the session was cancelled",
        ));
    }
    if claims.has_times() {
        Ok(claims)
    } else {
        Err(Answer::Drop)
    }
}

fn admit_to_jump(mut claims: Claims, topic: &str) -> Result<Claims, Answer> {
    if claims.topic != topic {
        return Err(Answer::handler(
            401,
            "host_id does not match topic in token",
        ));
    }
    match (topic == STATS, claims.may("stats")) {
        (true, false) => return Err(Answer::handler(401, "path not valid without stats scope")),
        (false, true) => return Err(Answer::handler(401, "path not valid for stats scope")),
        _ => {}
    }
    if !claims.has_times() {
        return Err(Answer::Drop);
    }
    for scope in ["read", "write"] {
        if !claims.may(scope) {
            claims.scopes.push(scope.to_owned());
        }
    }
    Ok(claims)
}

fn hand_out(claims: Claims, topic: &str, rules: &Rules, hub: &Hub) -> Answer {
    let prefix = claims.prefix.clone();
    let code = hub.give_code(claims);
    Answer::ok(format!(
        "{{\"uri\":\"{}/{prefix}/{topic}?code={code}\"}}\n",
        rules.socket
    ))
}
