//! The access tables: every case with its status and its body.

use super::*;

/// A change of good claims: `null` takes a claim away.
fn with(mut claims: Value, changes: &Value) -> Value {
    for (key, value) in changes.as_object().expect("an object") {
        claims[key] = value.clone();
    }
    claims
        .as_object_mut()
        .expect("an object")
        .retain(|_, value| !value.is_null());
    claims
}

async fn check(
    lab: &Lab,
    server: Server,
    topic: &str,
    scopes: &[&str],
    changes: Value,
    expected: Option<(u16, &str)>,
) {
    let token = sign(
        secret(lab, server),
        &with(claims(lab, server, topic, scopes), &changes),
    );
    let got = call(
        &lab.address(server),
        "POST",
        &access_path(server, "stats"),
        Some(&token),
    )
    .await;
    assert_eq!(
        got.as_ref().map(|(status, body)| (*status, body.as_str())),
        expected,
        "{server} {changes}"
    );
}

#[tokio::test]
async fn relay_answers_as_the_table_says() {
    let lab = lab(on_request(1)).await;
    let host = lab.audience(Server::Relay).to_owned();
    lab.deny_booking("cancelled");
    let later = Timestamp::now().as_second() + 60;
    let invalid = Some((500, r#"{"code":500,"message":"token invalid"}"#));
    let aud =
        format!(r#"{{"code":500,"message":"aud [{host}/] does not match this host {host}"}}"#);
    let denied = "{\"code\":\"400\",\"message\":\"bookingID has been deny-listed, probably because the session was cancelled\"}\n";
    let missing = Some((401, "\"Token Missing Required Claims\"\n"));
    let rows = [
        (json!({"exp": 1}), invalid),
        (json!({"iat": later}), invalid),
        (json!({"nbf": later}), invalid),
        (
            json!({"aud": format!("{host}/")}),
            Some((500, aud.as_str())),
        ),
        (json!({"topic": null}), missing),
        (json!({"scopes": null}), missing),
        (json!({"scopes": []}), missing),
        (json!({"prefix": null}), missing),
        (
            json!({"topic": "other"}),
            Some((401, "\"Token Wrong Topic\"\n")),
        ),
        (
            json!({"booking_id": null}),
            Some((
                400,
                "{\"code\":\"400\",\"message\":\"empty bookingID field is not permitted\"}\n",
            )),
        ),
        (json!({"booking_id": "cancelled"}), Some((400, denied))),
        (json!({"iat": null}), None),
        (json!({"nbf": null}), None),
        (json!({"exp": null}), None),
    ];
    for (changes, expected) in rows {
        check(&lab, Server::Relay, "stats", &["read"], changes, expected).await;
    }
}

#[tokio::test]
async fn jump_answers_as_the_table_says() {
    let lab = lab(on_request(1)).await;
    let host = lab.audience(Server::Jump).to_owned();
    let aud = format!(r#"{{"code":500,"message":"aud [x] does not match this host {host}"}}"#);
    let not_yet = r#"{"code":500,"message":"error reading token was token is not valid yet"}"#;
    let rows = [
        (
            json!({"nbf": Timestamp::now().as_second() + 60}),
            Some((500, not_yet)),
        ),
        (json!({"aud": "x"}), Some((500, aud.as_str()))),
        (
            json!({"scopes": ["read"]}),
            Some((
                401,
                "{\"code\":\"401\",\"message\":\"path not valid without stats scope\"}\n",
            )),
        ),
        (
            json!({"topic": "pend00"}),
            Some((
                401,
                "{\"code\":\"401\",\"message\":\"host_id does not match topic in token\"}\n",
            )),
        ),
        (json!({"iat": null}), None),
        (json!({"nbf": null}), None),
        (json!({"exp": null}), None),
    ];
    for (changes, expected) in rows {
        check(&lab, Server::Jump, "stats", &["stats"], changes, expected).await;
    }
    let token = sign(
        "jump-secret",
        &claims(&lab, Server::Jump, "pend00", &["stats"]),
    );
    let (status, body) = call(
        &lab.address(Server::Jump),
        "POST",
        "/api/v1/connect/pend00",
        Some(&token),
    )
    .await
    .expect("an answer");
    assert_eq!(
        (status, body.as_str()),
        (
            401,
            "{\"code\":\"401\",\"message\":\"path not valid for stats scope\"}\n"
        )
    );
}

#[tokio::test]
#[expect(clippy::too_many_lines, reason = "a table of calls and answers")]
async fn what_is_wrong_with_a_call_is_said_before_its_token_is_read() {
    let lab = lab(on_request(1)).await;
    let unauthenticated = r#"{"code":401,"message":"unauthenticated for invalid credentials"}"#;
    let bad_signature = r#"{"code":500,"message":"error reading token was signature is invalid"}"#;
    let bearer = r#"{"code":500,"message":"error reading token was tokenstring should not contain 'bearer '"}"#;
    let forged = sign("wrong", &claims(&lab, Server::Jump, "stats", &["stats"]));
    let prefixed = format!("Bearer {forged}");
    let rows = [
        (
            Server::Relay,
            "POST",
            "/session/stats",
            None,
            401,
            unauthenticated,
        ),
        (
            Server::Relay,
            "POST",
            "/session/stats",
            Some("garbage"),
            500,
            r#"{"code":500,"message":"token invalid"}"#,
        ),
        (
            Server::Relay,
            "POST",
            "/session/stats",
            Some(prefixed.as_str()),
            500,
            r#"{"code":500,"message":"token invalid"}"#,
        ),
        (
            Server::Relay,
            "GET",
            "/session/stats",
            None,
            405,
            r#"{"code":405,"message":"method GET is not allowed, but [POST] are"}"#,
        ),
        (
            Server::Relay,
            "POST",
            "/nope",
            None,
            404,
            r#"{"code":404,"message":"path /nope was not found"}"#,
        ),
        (
            Server::Jump,
            "POST",
            "/api/v1/connect/stats",
            None,
            401,
            unauthenticated,
        ),
        (
            Server::Jump,
            "POST",
            "/api/v1/connect/stats",
            Some(forged.as_str()),
            500,
            bad_signature,
        ),
        (
            Server::Jump,
            "POST",
            "/api/v1/connect/stats",
            Some(prefixed.as_str()),
            500,
            bearer,
        ),
        (
            Server::Jump,
            "POST",
            "/connect/stats",
            None,
            404,
            r#"{"code":404,"message":"path /connect/stats was not found"}"#,
        ),
    ];
    for (server, method, path, token, status, body) in rows {
        let got = call(&lab.address(server), method, path, token).await;
        assert_eq!(
            got,
            Some((status, body.to_owned())),
            "{server} {method} {path}"
        );
    }
}

#[tokio::test]
async fn a_wrong_prefix_is_only_noticed_by_the_websocket() {
    let lab = lab(on_request(1)).await;
    let uri = uri(
        &lab,
        Server::Relay,
        &with(
            claims(&lab, Server::Relay, "stats", &["read"]),
            &json!({"prefix": "other"}),
        ),
    )
    .await;
    let Err(Error::Http(response)) = connect_async(&uri).await else {
        panic!("is not upgraded")
    };
    assert_eq!(
        (response.status().as_u16(), response.body().as_deref()),
        (404, Some(b"Not Found".as_slice()))
    );
}

#[tokio::test]
async fn a_changed_secret_and_a_closed_port_are_noticed() {
    let lab = lab(on_request(1)).await;
    let token = sign(
        "relay-secret",
        &claims(&lab, Server::Relay, "stats", &["read"]),
    );
    lab.set_secret(Server::Relay, "changed")
        .expect("relay has one");
    let (status, _) = call(
        &lab.address(Server::Relay),
        "POST",
        "/session/stats",
        Some(&token),
    )
    .await
    .expect("an answer");
    assert_eq!(status, 500);
    lab.set_secret(Server::Relay, "relay-secret")
        .expect("relay has one");
    let mut socket = listen(&lab, Server::Relay).await;
    lab.refuse(Server::Relay, true).await.expect("closes");
    let host = lab
        .address(Server::Relay)
        .trim_start_matches("http://")
        .to_owned();
    assert!(TcpStream::connect(&host).await.is_err());
    say(&mut socket, r#"{"cmd":"update"}"#).await;
    assert!(!report(&mut socket).await.is_empty(), "open sockets go on");
    lab.refuse(Server::Relay, false).await.expect("opens");
    listen(&lab, Server::Relay).await;
}
