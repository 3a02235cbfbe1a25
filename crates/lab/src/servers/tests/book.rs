//! book against the recorded exchanges, and its faults.

use super::recorded::lines;
use super::*;
use crate::StreamPlan;

fn admin(lab: &Lab) -> String {
    sign(
        "book-secret",
        &json!({"aud": lab.audience(Server::Book), "scopes": ["booking:admin"]}),
    )
}

async fn ask(lab: &Lab, method: &str, path: &str) -> (u16, String) {
    call(
        &lab.address(Server::Book),
        method,
        &format!("/api/v1/admin{path}"),
        Some(&admin(lab)),
    )
    .await
    .expect("an answer")
}

/// The laboratory of the recordings, from the list of its resources.
fn recorded_plan(resources: &Value) -> Plan {
    let experiment = |(name, resource): (&String, &Value)| {
        let keys = resource["streams"]
            .as_array()
            .expect("an array")
            .iter()
            .filter_map(Value::as_str);
        let streams = keys
            .map(|key| StreamPlan {
                key: key.to_owned(),
                ..StreamPlan::data()
            })
            .collect();
        ExperimentPlan {
            resource: Some(name.clone()),
            streams,
            ..ExperimentPlan::new(resource["topic_stub"].as_str().expect("a stub"))
        }
    };
    Plan::new(
        resources
            .as_object()
            .expect("an object")
            .iter()
            .map(experiment)
            .collect(),
    )
}

/// A recorded path with its parameters.
fn target(exchange: &Value) -> String {
    let path = exchange["path"].as_str().expect("a path");
    let parameters = exchange["params"]
        .as_object()
        .into_iter()
        .flatten()
        .map(|(key, value)| (key.as_str(), value.as_str().unwrap_or_default()));
    let query = url::form_urlencoded::Serializer::new(String::new())
        .extend_pairs(parameters)
        .finish();
    format!("{}?{query}", path.trim_start_matches("/admin"))
}

/// A body without what depends on the clock: of times only the form is kept.
fn timeless(body: &Value) -> Value {
    match body {
        Value::Object(fields) => fields
            .iter()
            .map(|(key, value)| (key.clone(), timeless(value)))
            .collect(),
        Value::String(text) => {
            let words = text
                .split(' ')
                .map(|as_str| match as_str.parse::<Timestamp>() {
                    Ok(_) => as_str.replace(|c: char| c.is_ascii_digit(), "0"),
                    Err(_) => as_str.to_owned(),
                });
            words.collect::<Vec<_>>().join(" ").into()
        }
        Value::Null | Value::Bool(_) | Value::Number(_) | Value::Array(_) => body.clone(),
    }
}

#[tokio::test]
async fn book_answers_as_recorded() {
    let exchanges = lines("relay-v0.7/book.jsonl");
    let mut timeline = lines("relay-v0.7/timeline.jsonl").into_iter().peekable();
    let time = |line: &Value| line["t"].as_f64().expect("a time");
    let lab = lab(recorded_plan(&exchanges[2]["body"])).await;
    lab.upload(&Manifest::new());
    for exchange in &exchanges {
        while let Some(event) = timeline.next_if(|event| time(event) < time(exchange)) {
            let did = event["did"].as_str().expect("words");
            if did.starts_with("manifest uploaded") {
                lab.upload_manifest();
            } else if did.starts_with("book restarted") {
                lab.kill(Server::Book).await;
                lab.start_again(Server::Book)
                    .await
                    .expect("the port is free");
            }
        }
        let (status, body) = ask(
            &lab,
            exchange["method"].as_str().expect("a method"),
            &target(exchange),
        )
        .await;
        let body: Value = if body.is_empty() {
            json!("")
        } else {
            serde_json::from_str(&body).expect("json")
        };
        assert_eq!(
            (&json!(status), timeless(&body)),
            (&exchange["status"], timeless(&exchange["body"])),
            "{exchange}"
        );
    }
}

#[tokio::test]
#[expect(clippy::too_many_lines, reason = "a table of calls and answers")]
async fn book_refuses_as_the_table_says() {
    let lab = lab(on_request(1)).await;
    let aud = lab.audience(Server::Book).to_owned();
    let signed = |claims: Value| Some(sign("book-secret", &claims));
    let admin = || Some(admin(&lab));
    let no_scope = "{\"code\":\"401\",\"message\":\"no scope booking:admin\"}\n";
    let wrong_aud = format!(r#"{{"code":500,"message":"aud [x] does not match this host {aud}"}}"#);
    let forged = r#"{"code":500,"message":"error parsing claims was signature is invalid"}"#;
    let no_header = r#"{"code":401,"message":"unauthenticated for invalid credentials"}"#;
    let no_method = r#"{"code":405,"message":"method POST is not allowed, but [GET] are"}"#;
    let rows = [
        ("GET", "/resources", None, 401, no_header),
        (
            "GET",
            "/resources",
            signed(json!({"aud": aud})),
            401,
            no_scope,
        ),
        (
            "GET",
            "/resources",
            signed(json!({"aud": aud, "scopes": ["other"]})),
            401,
            no_scope,
        ),
        (
            "GET",
            "/resources",
            signed(json!({"aud": "x", "scopes": ["booking:admin"]})),
            500,
            wrong_aud.as_str(),
        ),
        (
            "GET",
            "/resources",
            Some(sign("wrong", &json!({"aud": aud}))),
            500,
            forged,
        ),
        ("POST", "/resources", admin(), 405, no_method),
        (
            "GET",
            "/nope",
            admin(),
            404,
            r#"{"code":404,"message":"path /api/v1/admin/nope was not found"}"#,
        ),
        (
            "PUT",
            "/resources/r-pend00?available=true",
            admin(),
            422,
            r#"{"code":602,"message":"reason in query is required"}"#,
        ),
        (
            "PUT",
            "/resources/r-pend00?reason=x",
            admin(),
            422,
            r#"{"code":602,"message":"available in query is required"}"#,
        ),
        (
            "PUT",
            "/resources/nope?available=true&reason=x",
            admin(),
            404,
            "{\"code\":\"404\",\"message\":\"resource nope not found\"}\n",
        ),
        (
            "PUT",
            "/resources/r-pend00?available=junk&reason=x",
            admin(),
            204,
            "",
        ),
    ];
    for (method, path, token, status, body) in rows {
        let got = call(
            &lab.address(Server::Book),
            method,
            &format!("/api/v1/admin{path}"),
            token.as_deref(),
        )
        .await;
        assert_eq!(got, Some((status, body.to_owned())), "{method} {path}");
    }
    assert_eq!(
        lab.availability("r-pend00"),
        Some((false, "x".into())),
        "junk means false"
    );
}

#[tokio::test]
async fn switches_are_kept_in_a_journal_and_reset_by_uploads() {
    let lab = lab(on_request(1)).await;
    for (available, reason) in [
        (false, "labwatch: st-data is silent"),
        (true, "\u{fc}ber & out"),
    ] {
        let query = url::form_urlencoded::Serializer::new(String::new())
            .append_pair("reason", reason)
            .finish();
        assert_eq!(
            ask(
                &lab,
                "PUT",
                &format!("/resources/r-pend00?available={available}&{query}")
            )
            .await
            .0,
            204
        );
    }
    let journal: Vec<(String, bool, String)> = lab
        .switched()
        .into_iter()
        .map(|one| (one.resource, one.available, one.reason))
        .collect();
    let expected = [
        ("r-pend00", false, "labwatch: st-data is silent"),
        ("r-pend00", true, "\u{fc}ber & out"),
    ];
    assert_eq!(
        journal,
        expected.map(|(name, available, reason)| (name.to_owned(), available, reason.to_owned()))
    );
    lab.hold("r-pend00", "maintenance").expect("is there");
    assert_eq!(
        lab.availability("r-pend00"),
        Some((false, "maintenance".into()))
    );
    lab.upload_bookings();
    assert_eq!(lab.availability("r-pend00"), Some((true, "new".into())));
    assert!(matches!(lab.hold("nope", "x"), Err(LabError::Unknown(_))));
}

#[tokio::test]
async fn some_experiments_are_booked_where_the_plan_wants_it() {
    assert_eq!(
        ask(&lab(on_request(1)).await, "GET", "/bookings").await,
        (200, "[]\n".into())
    );
    let lab = lab(Plan {
        booked: true,
        ..on_request(4)
    })
    .await;
    let bookings: Value =
        serde_json::from_str(&ask(&lab, "GET", "/bookings").await.1).expect("JSON");
    let first = &bookings[0];
    let start: Timestamp = first["when"]["start"]
        .as_str()
        .expect("a time")
        .parse()
        .expect("a time");
    assert!(
        first["started"] == json!(true) && start < Timestamp::now(),
        "{first}"
    );
    let slots: std::collections::BTreeSet<_> = bookings
        .as_array()
        .expect("a list")
        .iter()
        .map(|of| of["slot"].to_string())
        .collect();
    assert_eq!(slots.len(), 3, "one of four is not booked: {slots:?}");
    lab.upload(&Manifest::new());
    assert_eq!(
        ask(&lab, "GET", "/bookings").await.1,
        "[]\n",
        "what is not in the manifest is not booked"
    );
}

#[tokio::test]
async fn book_fails_as_set() {
    let lab = lab(on_request(1)).await;
    lab.fail_book(true);
    assert_eq!(
        ask(&lab, "GET", "/resources").await,
        (
            500,
            r#"{"code":500,"message":"internal server error"}"#.into()
        )
    );
    lab.fail_book(false);
    lab.slow_book(SILENCE);
    let start = std::time::Instant::now();
    assert_eq!(ask(&lab, "GET", "/resources").await.0, 200);
    assert!(start.elapsed() >= SILENCE);
    lab.slow_book(Duration::ZERO);
    lab.freeze(Server::Book, true);
    let mut asking = std::pin::pin!(ask(&lab, "GET", "/resources"));
    assert!(timeout(SILENCE, &mut asking).await.is_err());
    lab.freeze(Server::Book, false);
    assert_eq!(asking.await.0, 200);
    lab.refuse(Server::Book, true).await.expect("closes");
    assert!(
        TcpStream::connect(lab.address(Server::Book).trim_start_matches("http://"))
            .await
            .is_err()
    );
    lab.refuse(Server::Book, false).await.expect("opens");
    assert!(
        ask(&lab, "GET", "/resources").await.1.contains("r-pend00"),
        "closing the port forgets nothing"
    );
}

#[tokio::test]
async fn book_says_what_it_is_told_to_and_its_calls_are_kept() {
    let lab = lab(on_request(1)).await;
    cause(&lab, "http book /api/v1/admin/bookings answers 418 [7]").await;
    assert_eq!(ask(&lab, "GET", "/bookings").await, (418, "[7]".into()));
    cause(&lab, "http book * deaf").await;
    let switch = "/resources/r-pend00?available=false&reason=x";
    assert_eq!(ask(&lab, "PUT", switch).await, (204, String::new()));
    assert!(
        ask(&lab, "GET", "/resources/r-pend00")
            .await
            .1
            .contains("true")
    );
    cause(&lab, "book clock behind 1h0m0s").await;
    let status: Value = serde_json::from_str(&ask(&lab, "GET", "/status").await.1).expect("json");
    let now: Timestamp = status["now"]
        .as_str()
        .expect("text")
        .parse()
        .expect("a time");
    let behind = Timestamp::now().duration_since(now).as_secs();
    assert!((3_600..3_610).contains(&behind), "{behind}");
    let called = lab.called();
    assert_eq!(called[1].asked, format!("PUT /api/v1/admin{switch}"));
    assert!(called.len() == 4 && called.iter().all(|call| call.token == Some(admin(&lab))));
    let relays = "relay clock ahead 1s".parse().expect("a fault");
    assert!(matches!(lab.cause(&relays).await, Err(LabError::NotFor(_))));
    lab.list("r-new", Resource::new("newx00", &[]));
    assert!(lab.availability("r-pend00").is_some() && lab.availability("r-new").is_some());
}
