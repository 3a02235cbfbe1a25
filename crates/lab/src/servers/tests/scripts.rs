//! The laboratory as a whole: its environment, its demonstration, its end.

use super::*;

#[tokio::test]
async fn the_environment_names_what_the_servers_call_themselves() {
    let lab = lab(on_request(1)).await;
    let environment: std::collections::BTreeMap<String, String> =
        lab.environment().into_iter().collect();
    for (server, name) in [
        (Server::Relay, "RELAY"),
        (Server::Jump, "JUMP"),
        (Server::Book, "BOOK"),
    ] {
        let get = |key: &str| environment[&format!("STATUS_{key}_{name}")].as_str();
        assert_eq!(
            format!("{}://{}", get("SCHEME"), get("HOST")),
            lab.audience(server)
        );
        assert_eq!(
            (get("BASEPATH"), get("SECRET")),
            ("/", secret(&lab, server))
        );
    }
    assert_eq!(
        environment["STATUS_EMAIL_PORT"],
        lab.mail().addr().port().to_string()
    );
}

#[tokio::test(start_paused = true)]
async fn the_demonstration_ends_with_everything_as_it_began() {
    for size in [1, 3, 12] {
        let lab = lab(on_request(size)).await;
        let before = shape(&lab);
        let script = Script::demo(lab.plan());
        lab.play_once(&script, |step| {
            assert!(!step.say.is_empty() && !step.say.ends_with('.'));
        })
        .await
        .expect("every step is possible");
        lab.play_once(&script, |_| ()).await.expect("and so again");
        assert_eq!(shape(&lab), before, "{size}");
        for server in [Server::Relay, Server::Jump, Server::Book] {
            assert!(
                TcpStream::connect(lab.address(server).trim_start_matches("http://"))
                    .await
                    .is_ok(),
                "{server} runs"
            );
        }
    }
    assert!(Script::demo(&Plan::fleet(0)).steps.is_empty());
}

/// Who is connected, and what can be booked.
fn shape(lab: &Lab) -> (Vec<(String, usize)>, usize, Vec<Option<bool>>) {
    let fleet = lab.fleet.lock().expect("is not poisoned");
    let topics = fleet
        .streams()
        .map(|stream| (stream.topic().to_owned(), stream.links.len()))
        .collect();
    let hosts = fleet.hosts(Timestamp::MAX).count();
    let bookable = lab
        .manifest()
        .keys()
        .map(|name| lab.availability(name).map(|(available, _)| available))
        .collect();
    (topics, hosts, bookable)
}

#[tokio::test]
async fn a_stopped_or_dropped_laboratory_leaves_no_port_open() {
    for stop in [true, false] {
        let lab = lab(quick(1)).await;
        let mut socket = listen(&lab, Server::Relay).await;
        let hosts: Vec<String> = [Server::Relay, Server::Jump, Server::Book]
            .map(|server| lab.address(server).split_off(7))
            .into();
        if stop {
            lab.stop().await;
        } else {
            drop(lab);
        }
        assert!(is_cut(&mut socket).await);
        for host in hosts {
            assert!(TcpStream::connect(&host).await.is_err(), "{host}");
        }
    }
}
