//! relay's and jump's websockets: codes, framing, reports, commands, faults.

use super::*;

const FEEDS: [Server; 2] = [Server::Relay, Server::Jump];

const UPDATE: &str = r#"{"cmd":"update"}"#;

#[tokio::test]
async fn a_code_opens_one_socket_and_then_only_mute_ones() {
    let lab = lab(quick(1)).await;
    for server in FEEDS {
        let scopes: &[&str] = if server == Server::Jump {
            &["stats"]
        } else {
            &["read"]
        };
        let uri = uri(&lab, server, &claims(&lab, server, "stats", scopes)).await;
        let (mut first, mut second) = (open(&uri).await, open(&uri).await);
        assert!(!report(&mut first).await.is_empty());
        let (base, _) = uri.split_once('?').expect("a code");
        let mut junk = open(&format!("{base}?code=junk")).await;
        let mut none = open(base).await;
        assert!(
            is_silent(&mut second).await
                && is_silent(&mut junk).await
                && is_silent(&mut none).await,
            "{server}"
        );
    }
}

#[tokio::test]
async fn a_code_is_good_for_its_topic_only() {
    let lab = lab(quick(1)).await;
    let uri = uri(
        &lab,
        Server::Relay,
        &claims(&lab, Server::Relay, "pend00-st-data", &["read"]),
    )
    .await;
    assert!(is_silent(&mut open(&uri.replace("pend00-st-data", "stats")).await).await);
}

#[tokio::test]
async fn nothing_comes_on_connect_and_an_update_is_answered_and_passed_on() {
    let lab = lab(on_request(2)).await;
    for server in FEEDS {
        let (mut asking, mut other) = (listen(&lab, server).await, listen(&lab, server).await);
        assert!(is_silent(&mut asking).await, "{server}");
        say(&mut asking, UPDATE).await;
        assert!(report(&mut asking).await.len() >= 2 + 3, "{server}");
        let received = String::from_utf8(next(&mut other).await.into_data().into()).expect("text");
        assert!(received.starts_with(UPDATE), "{server} {received}");
    }
}

#[tokio::test]
async fn messages_of_a_listener_that_may_only_read_are_dropped() {
    let lab = lab(on_request(1)).await;
    let mut socket = open(
        &uri(
            &lab,
            Server::Relay,
            &claims(&lab, Server::Relay, "stats", &["read"]),
        )
        .await,
    )
    .await;
    say(&mut socket, UPDATE).await;
    assert!(is_silent(&mut socket).await);
}

#[tokio::test]
async fn listeners_are_in_the_reports_themselves() {
    let lab = lab(on_request(1)).await;
    for (server, sent) in [
        (Server::Relay, "read write"),
        (Server::Jump, "stats read write"),
    ] {
        let mut socket = listen(&lab, server).await;
        say(&mut socket, UPDATE).await;
        let entries = report(&mut socket).await;
        assert_eq!(count(&entries, "stats"), 2, "{server}");
        let scopes = |entry: &Value| {
            entry["scopes"].as_array().map(|all| {
                all.iter()
                    .filter_map(Value::as_str)
                    .collect::<Vec<_>>()
                    .join(" ")
            })
        };
        assert!(
            entries
                .iter()
                .any(|entry| scopes(entry).as_deref() == Some(sent)),
            "{server} {entries:?}"
        );
    }
}

#[tokio::test(start_paused = true)]
async fn a_client_is_pinged_and_cut_when_it_does_not_answer() {
    use tokio::time::{Instant, sleep};
    let lab = lab(on_request(1)).await;
    for server in FEEDS {
        let (mut answering, mut lazy) = (listen(&lab, server).await, listen(&lab, server).await);
        let start = Instant::now();
        for pings in 1..=2 {
            while !answering
                .next()
                .await
                .expect("is open")
                .expect("is a message")
                .is_ping()
            {}
            assert_eq!(start.elapsed().as_secs(), 54 * pings, "{server}");
        }
        sleep(Duration::from_secs(1)).await;
        assert!(
            lazy.next()
                .await
                .is_some_and(|message| message.is_ok_and(|ping| ping.is_ping()))
        );
        assert!(is_cut(&mut lazy).await, "{server}");
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_flood_comes_joined_from_relay_and_singly_from_jump() {
    let lab = lab(on_request(1)).await;
    let mut socket = listen(&lab, Server::Relay).await;
    lab.flood(Server::Relay, 3).expect("relay has this");
    let message = next(&mut socket).await;
    let text = message.to_text().expect("utf-8");
    assert!(
        message.is_text() && text.starts_with(&format!("{}BINJUNKnot json[{{", UPDATE.repeat(3))),
        "{text}"
    );
    // relay's answer to the updates comes joined to that or by itself; what follows must not be joined to it.
    while !is_silent(&mut socket).await {}
    lab.junk(Server::Relay).expect("relay has this");
    let message = next(&mut socket).await;
    assert!(message.is_binary() && message.into_data().starts_with(b"BINJUNKnot json[{"));

    let mut socket = listen(&lab, Server::Jump).await;
    lab.flood(Server::Jump, 1).expect("jump has this");
    assert_eq!(next(&mut socket).await, Message::text(UPDATE));
    assert_eq!(
        next(&mut socket).await,
        Message::binary(b"BINJUNK".as_slice())
    );
    assert_eq!(next(&mut socket).await, Message::text("not json"));
    assert!(
        next(&mut socket)
            .await
            .to_text()
            .expect("text")
            .starts_with("[{")
    );
}

#[tokio::test]
async fn jump_reports_when_a_listener_leaves_and_relay_does_not() {
    let lab = lab(on_request(1)).await;
    for server in FEEDS {
        let (mut staying, mut leaving) = (listen(&lab, server).await, listen(&lab, server).await);
        leaving.close(None).await.expect("closes");
        let goodbye = timeout(PATIENCE, async {
            while leaving.next().await.is_some_and(|message| message.is_ok()) {}
        })
        .await;
        assert!(goodbye.is_ok(), "the close is answered");
        if server == Server::Relay {
            assert!(is_silent(&mut staying).await);
            continue;
        }
        let notice: Value =
            serde_json::from_slice(&next(&mut staying).await.into_data()).expect("json");
        assert_eq!(
            (
                &notice["action"],
                &notice["uri"],
                notice["uuid"].as_str().map(str::len)
            ),
            (&json!("disconnect"), &json!(""), Some(36))
        );
    }
}

#[tokio::test]
async fn the_end_of_a_token_and_a_denial_cut_the_connection_without_a_word() {
    let lab = lab(on_request(1)).await;
    let mut brief = claims(&lab, Server::Relay, "stats", &["read"]);
    brief["exp"] = json!(Timestamp::now().as_second() + 2);
    let mut socket = open(&uri(&lab, Server::Relay, &brief).await).await;
    assert!(is_cut(&mut socket).await);
    assert!(
        Timestamp::now().as_second() >= brief["exp"].as_i64().expect("a number"),
        "not before its end"
    );
    let mut socket = listen(&lab, Server::Relay).await;
    lab.deny_booking("tests");
    assert!(is_cut(&mut socket).await);
}

#[tokio::test]
async fn a_killed_server_drops_all_connections_and_comes_back_on_its_port_with_a_new_start() {
    let lab = lab(quick(1)).await;
    for (server, connected, experiment) in [
        (Server::Relay, "connected", "pend00-st-data"),
        (Server::Jump, "connected_at", "pend00"),
    ] {
        let started = |entries: &[Value]| {
            let agent = |entry: &Value| {
                entry["userAgent"] == "crossbar" || entry["user_agent"] == "internal"
            };
            entries
                .iter()
                .find(|entry| agent(entry))
                .expect("its own entry")[connected]
                .clone()
        };
        let mut socket = listen(&lab, server).await;
        let before = started(&report(&mut socket).await);
        lab.kill(server).await;
        assert!(is_cut(&mut socket).await);
        assert!(
            TcpStream::connect(lab.address(server).trim_start_matches("http://"))
                .await
                .is_err()
        );
        lab.start_again(server).await.expect("the port is free");
        let mut socket = listen(&lab, server).await;
        let entries = report_until(&mut socket, |entries| count(entries, experiment) == 1).await;
        assert_ne!(started(&entries), before);
    }
}

#[tokio::test]
async fn a_mute_hub_accepts_sockets_and_says_nothing_until_it_is_restarted() {
    let lab = lab(quick(1)).await;
    for server in FEEDS {
        let mut old = listen(&lab, server).await;
        report(&mut old).await;
        lab.mute(server, true).expect("it has a hub");
        let mut fresh = listen(&lab, server).await;
        while !is_silent(&mut old).await {}
        say(&mut old, UPDATE).await;
        assert!(
            is_silent(&mut fresh).await && is_silent(&mut old).await,
            "{server}"
        );
        lab.kill(server).await;
        lab.start_again(server).await.expect("the port is free");
        assert!(!report(&mut listen(&lab, server).await).await.is_empty());
    }
    assert!(matches!(
        lab.mute(Server::Book, true),
        Err(LabError::NotFor(Server::Book))
    ));
}

#[tokio::test]
async fn a_frozen_server_goes_on_where_it_stopped() {
    let lab = lab(quick(1)).await;
    for server in FEEDS {
        let mut socket = listen(&lab, server).await;
        lab.freeze(server, true);
        while !is_silent(&mut socket).await {}
        let (address, path) = (lab.address(server), access_path(server, "stats"));
        let mut asking = std::pin::pin!(call(&address, "POST", &path, None));
        assert!(
            timeout(SILENCE, &mut asking).await.is_err(),
            "{server} accepts, and answers nothing"
        );
        lab.freeze(server, false);
        assert_eq!(asking.await.map(|(status, _)| status), Some(401));
        assert!(!report(&mut socket).await.is_empty());
    }
}

#[tokio::test]
async fn a_stream_is_heard_while_it_transmits_and_only_then() {
    let lab = lab(quick(1)).await;
    for (topic, size, binary) in [
        ("pend00-st-data", 102, false),
        ("pend00-st-video", 1316, true),
    ] {
        let mut socket = open(
            &uri(
                &lab,
                Server::Relay,
                &claims(&lab, Server::Relay, topic, &["read"]),
            )
            .await,
        )
        .await;
        for _ in 0..3 {
            let message = next(&mut socket).await;
            assert_eq!(
                (message.len(), message.is_binary()),
                (size, binary),
                "{topic}"
            );
        }
        lab.stream_silent(topic).expect("is there");
        while !is_silent(&mut socket).await {}
        lab.stream_back(topic).expect("is there");
        next(&mut socket).await;
        lab.stream_vanishes(topic).expect("is there");
        while !is_silent(&mut socket).await {}
    }
    assert!(
        matches!(lab.stream_silent("nope-st-data"), Err(LabError::Unknown(name)) if name == "silent nope-st-data")
    );
}

#[tokio::test]
async fn clients_on_one_topic_hear_each_other() {
    let lab = lab(quick(1)).await;
    let topic = "canary-st-data";
    let one = uri(
        &lab,
        Server::Relay,
        &claims(&lab, Server::Relay, topic, &["read", "write"]),
    )
    .await;
    let two = uri(
        &lab,
        Server::Relay,
        &claims(&lab, Server::Relay, topic, &["read"]),
    )
    .await;
    let (mut one, mut two) = (open(&one).await, open(&two).await);
    assert_eq!(lab.samplers(topic), 2);
    say(&mut one, "hello").await;
    assert_eq!(next(&mut two).await, Message::text("hello"));
}

#[tokio::test]
async fn each_fault_of_an_experiment_shows_in_the_reports() {
    let lab = lab(quick(2)).await;
    let (mut relay, mut jump) = (
        listen(&lab, Server::Relay).await,
        listen(&lab, Server::Jump).await,
    );
    let data = "pend00-st-data";
    lab.twin_appears(data).expect("is there");
    lab.user_joins(data).expect("is there");
    let entries = report_until(&mut relay, |entries| count(entries, data) == 3).await;
    let experts = entries
        .iter()
        .filter(|entry| entry["topic"] == data && entry["scopes"].to_string().contains("expt"));
    let lasts: Vec<bool> = experts
        .map(|entry| entry["stats"]["tx"]["last"] == "Never")
        .collect();
    assert!(lasts.contains(&true) && lasts.contains(&false), "{lasts:?}");
    lab.twin_leaves(data).expect("is there");
    lab.user_leaves(data).expect("is there");
    report_until(&mut relay, |entries| count(entries, data) == 1).await;
    lab.stream_vanishes(data).expect("is there");
    report_until(&mut relay, |entries| count(entries, data) == 0).await;
    lab.power_off("spin00").expect("is there");
    report_until(&mut relay, |entries| {
        count(entries, "spin00-st-data") + count(entries, "spin00-st-video") == 0
    })
    .await;
    report_until(&mut jump, |entries| {
        count(entries, "spin00") == 0 && count(entries, "pend00") == 1
    })
    .await;
    lab.jump_lost("pend00").expect("is there");
    report_until(&mut jump, |entries| count(entries, "pend00") == 0).await;
    lab.experiment_appears("newx00");
    report_until(&mut relay, |entries| count(entries, "newx00-st-video") == 1).await;
    lab.power_on("spin00")
        .and(lab.jump_back("pend00"))
        .and(lab.stream_back(data))
        .expect("are there");
    report_until(&mut jump, |entries| entries.len() == 3 + 2).await;
    report_until(&mut relay, |entries| entries.len() == 6 + 2).await;
}

#[tokio::test]
async fn a_large_report_comes_as_one_open_frame_and_an_empty_last_one() {
    let lab = lab(quick(20)).await;
    for (server, expected) in [
        (Server::Relay, vec![false, true]),
        (Server::Jump, vec![true]),
    ] {
        let scopes: &[&str] = if server == Server::Jump {
            &["stats"]
        } else {
            &["read"]
        };
        let uri = uri(&lab, server, &claims(&lab, server, "stats", scopes)).await;
        let frames = frames_of_first_message(&uri).await;
        let finals: Vec<bool> = frames.iter().map(|(last, _)| *last).collect();
        assert_eq!(finals, expected, "{server} {frames:?}");
        assert!(
            server == Server::Jump || (frames[0].1 > 8192 && frames[1].1 == 0),
            "{frames:?}"
        );
    }
}

/// Whether each frame is the final one, and its length.
async fn frames_of_first_message(uri: &str) -> Vec<(bool, u64)> {
    let (host, path) = uri
        .trim_start_matches("ws://")
        .split_once('/')
        .expect("a path");
    let mut stream = TcpStream::connect(host).await.expect("connects");
    let request = format!(
        "GET /{path} HTTP/1.1\r\nHost: {host}\r\nUpgrade: websocket\r\nConnection: Upgrade\r\nSec-WebSocket-Protocol: null\r\n\
         Sec-WebSocket-Key: dGhlIHNhbXBsZSBub25jZQ==\r\nSec-WebSocket-Version: 13\r\n\r\n"
    );
    stream.write_all(request.as_bytes()).await.expect("writes");
    let mut head = Vec::new();
    while !head.ends_with(b"\r\n\r\n") {
        head.push(stream.read_u8().await.expect("reads"));
    }
    let head = String::from_utf8(head).expect("text");
    assert!(
        head.starts_with("HTTP/1.1 101 ")
            && head.contains("s3pPLMBiTxaQ9kYGzzhZRbK+xOo=")
            && head.contains("Protocol: null"),
        "{head}"
    );
    let mut frames: Vec<(bool, u64)> = Vec::new();
    while !frames.last().is_some_and(|(last, _)| *last) {
        let first = stream.read_u8().await.expect("reads");
        let length = match stream.read_u8().await.expect("reads") {
            126 => stream.read_u16().await.expect("reads").into(),
            127 => stream.read_u64().await.expect("reads"),
            short => short.into(),
        };
        let mut body = vec![0; usize::try_from(length).expect("fits")];
        stream.read_exact(&mut body).await.expect("reads");
        frames.push((first & 0x80 != 0, length));
    }
    frames
}
