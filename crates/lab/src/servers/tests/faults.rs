//! Faults by their texts, as a script has them: what a client sees of each, and that its counterpart ends it.

use super::*;

const TOPIC: &str = "pend00-st-data";

/// Two clients of a topic that no experiment has.
async fn pair(lab: &Lab, topic: &str) -> (Socket, Socket) {
    let claims = claims(lab, Server::Relay, topic, &["read", "write"]);
    let first = open(&uri(lab, Server::Relay, &claims).await).await;
    (first, open(&uri(lab, Server::Relay, &claims).await).await)
}

/// Whether a message gets from one client to the other.
async fn gets_through(from: &mut Socket, to: &mut Socket) -> bool {
    say(from, "canary").await;
    match timeout(SILENCE, to.next()).await {
        Ok(message) => {
            assert_eq!(
                message.expect("open").expect("a message"),
                Message::text("canary")
            );
            true
        }
        Err(_) => false,
    }
}

#[tokio::test]
async fn relay_stops_forwarding_while_it_reports_on() {
    let lab = lab(quick(1)).await;
    let mut reports = listen(&lab, Server::Relay).await;
    let (mut one, mut other) = pair(&lab, "canary").await;
    let rows = [
        ("relay forwards nothing", false),
        ("relay forwards", true),
        ("relay forwards nothing of canary", false),
        ("relay forwards nothing of pend00-st-data", true),
        ("relay forwards nothing to experiments", false),
        ("relay forwards nothing to students", true),
    ];
    for (fault, through) in rows {
        cause(&lab, fault).await;
        assert_eq!(gets_through(&mut one, &mut other).await, through, "{fault}");
        assert!(!report(&mut reports).await.is_empty(), "{fault}");
    }
    cause(&lab, "relay forwards after 400ms").await;
    assert!(
        !gets_through(&mut one, &mut other).await,
        "not within 300 ms"
    );
    assert_eq!(next(&mut other).await, Message::text("canary"));
    cause(&lab, "relay forwards nothing").await;
    cause(&lab, "relay dies").await;
    cause(&lab, "relay starts").await;
    let (mut one, mut other) = pair(&lab, "canary").await;
    assert!(
        gets_through(&mut one, &mut other).await,
        "a restart ends it"
    );
}

#[tokio::test]
async fn what_is_not_forwarded_of_an_experiment_is_not_received() {
    let lab = lab(quick(1)).await;
    let claims = claims(&lab, Server::Relay, TOPIC, &["read"]);
    let mut socket = open(&uri(&lab, Server::Relay, &claims).await).await;
    for fault in [
        "relay forwards nothing",
        "relay forwards nothing to students",
    ] {
        next(&mut socket).await;
        cause(&lab, fault).await;
        while !is_silent(&mut socket).await {}
        cause(&lab, "relay forwards").await;
    }
    cause(&lab, "relay forwards nothing to experiments").await;
    next(&mut socket).await;
}

#[tokio::test]
async fn reports_have_entries_that_cannot_be_read() {
    let lab = lab(quick(1)).await;
    for server in ["relay", "jump"] {
        cause(&lab, &format!("{server} unreadable 4")).await;
    }
    for server in [Server::Relay, Server::Jump] {
        let mut socket = listen(&lab, server).await;
        let entries = report(&mut socket).await;
        let odd = |entry: &&Value| {
            entry.is_null() || entry["topic"] == 7 || entry["stats"]["tx"]["last"] == "soon"
        };
        assert_eq!(entries.iter().filter(odd).count(), 4, "{entries:?}");
        assert!(entries.len() > 4 + 1, "beside those that can be read");
    }
}

#[tokio::test]
async fn text_that_is_not_utf_8_is_refused_by_the_client() {
    let lab = lab(quick(1)).await;
    for (server, name) in [(Server::Relay, "relay"), (Server::Jump, "jump")] {
        let mut socket = listen(&lab, server).await;
        cause(&lab, &format!("{name} garbled")).await;
        let seen = async { while let Some(Ok(_)) = socket.next().await {} };
        timeout(PATIENCE, seen).await.expect("it ends in an error");
        cause(&lab, &format!("{name} clear")).await;
        report(&mut listen(&lab, server).await).await;
    }
}

#[tokio::test]
async fn a_connection_is_closed_after_its_first_report() {
    let lab = lab(quick(1)).await;
    cause(&lab, "relay closes after 50ms").await;
    let mut socket = listen(&lab, Server::Relay).await;
    report(&mut socket).await;
    assert!(is_cut(&mut socket).await);
    cause(&lab, "relay closes never").await;
    let mut socket = listen(&lab, Server::Relay).await;
    for _ in 0..4 {
        report(&mut socket).await;
    }
}

#[tokio::test]
async fn websockets_are_refused_while_the_access_api_answers() {
    let lab = lab(quick(1)).await;
    for (server, name) in [(Server::Relay, "relay"), (Server::Jump, "jump")] {
        let mut old = listen(&lab, server).await;
        cause(&lab, &format!("{name} refuses sockets")).await;
        assert!(is_cut(&mut old).await);
        let scopes: &[&str] = if server == Server::Jump {
            &["stats"]
        } else {
            &["read"]
        };
        let claims = claims(&lab, server, "stats", scopes);
        let refused = connect_async(uri(&lab, server, &claims).await).await;
        assert!(matches!(refused, Err(Error::Io(_))), "{refused:?}");
        cause(&lab, &format!("{name} accepts sockets")).await;
        let entries = report(&mut listen(&lab, server).await).await;
        assert_eq!(
            count(&entries, "stats"),
            2,
            "its own and ours: the old one is gone"
        );
    }
}

#[tokio::test]
async fn tokens_are_refused_in_the_words_of_each_server() {
    let lab = lab(quick(1)).await;
    let rows = [
        (
            Server::Relay,
            "relay",
            "POST",
            "/session/stats",
            "token invalid",
        ),
        (
            Server::Jump,
            "jump",
            "POST",
            "/api/v1/connect/stats",
            "error reading token was signature is invalid",
        ),
        (
            Server::Book,
            "book",
            "GET",
            "/api/v1/admin/resources",
            "error parsing claims was signature is invalid",
        ),
    ];
    for (server, name, method, path, words) in rows {
        let scopes = ["read", "stats", "booking:admin"];
        let token = sign(
            secret(&lab, server),
            &claims(&lab, server, "stats", &scopes),
        );
        let address = lab.address(server);
        let answer = async || {
            call(&address, method, path, Some(&token))
                .await
                .expect("an answer")
        };
        assert_eq!(answer().await.0, 200, "{name}");
        cause(&lab, &format!("{name} refuses tokens")).await;
        let refusal = format!(r#"{{"code":500,"message":"{words}"}}"#);
        assert_eq!(answer().await, (500, refusal));
        cause(&lab, &format!("{name} accepts tokens")).await;
        assert_eq!(answer().await.0, 200, "{name}");
    }
}

#[tokio::test]
async fn a_proxy_answers_for_the_server_behind_it() {
    let lab = lab(quick(1)).await;
    let address = lab.address(Server::Book);
    let status = async |path: &str| call(&address, "GET", path, None).await;
    cause(&lab, "http book * page 502").await;
    let (code, page) = status("/api/v1/admin/resources").await.expect("an answer");
    assert!(code == 502 && page.starts_with("<!DOCTYPE html>"), "{page}");
    cause(&lab, "http book /api/v1/admin/resources status 503").await;
    let unavailable = r#"{"code":503,"message":"service unavailable"}"#;
    assert_eq!(
        status("/api/v1/admin/resources").await,
        Some((503, unavailable.into()))
    );
    cause(&lab, "http book * drops").await;
    assert_eq!(status("/elsewhere").await, None);
    for path in ["*", "/api/v1/admin/resources"] {
        cause(&lab, &format!("http book {path} ok")).await;
    }
    assert_eq!(status("/elsewhere").await.map(|(code, _)| code), Some(404));

    cause(&lab, "http relay-socket /session status 502").await;
    let claims = claims(&lab, Server::Relay, "stats", &["read"]);
    let Err(Error::Http(response)) = connect_async(uri(&lab, Server::Relay, &claims).await).await
    else {
        panic!("is not upgraded")
    };
    assert_eq!(response.status().as_u16(), 502);
    assert!(matches!(
        lab.cause(&"http mail * drops".parse().expect("a fault"))
            .await,
        Err(LabError::NotFor(Server::Mail))
    ));
}

#[tokio::test]
async fn a_call_that_hangs_is_answered_when_the_fault_ends() {
    let lab = lab(quick(1)).await;
    let address = lab.address(Server::Jump);
    cause(&lab, "http jump * hangs").await;
    let mut asking = std::pin::pin!(call(&address, "POST", "/api/v1/connect/stats", None));
    assert!(timeout(SILENCE, &mut asking).await.is_err());
    cause(&lab, "http jump * ok").await;
    assert_eq!(asking.await.map(|(status, _)| status), Some(401));
}

#[tokio::test]
async fn a_kept_connection_is_reset_at_its_second_call() {
    let lab = lab(quick(1)).await;
    cause(&lab, "http book * resets").await;
    let host = lab.address(Server::Book).split_off("http://".len());
    let mut stream = TcpStream::connect(&host).await.expect("connects");
    let request = format!("GET /elsewhere HTTP/1.1\r\nHost: {host}\r\n\r\n");
    stream.write_all(request.as_bytes()).await.expect("writes");
    let mut answer = [0; 1024];
    let read = stream.read(&mut answer).await.expect("answers");
    let answer = String::from_utf8_lossy(&answer[..read]).into_owned();
    assert!(
        answer.contains(" 404 ") && !answer.contains("close"),
        "{answer}"
    );
    stream.write_all(request.as_bytes()).await.expect("writes");
    let error = stream
        .read(&mut [0; 1024])
        .await
        .expect_err("no second answer");
    assert_eq!(error.kind(), std::io::ErrorKind::ConnectionReset);
}
