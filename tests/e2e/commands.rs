//! The other commands against the laboratory, and an environment as the program that labwatch
//! replaces has it.

use std::fs;
use std::time::Duration;

use lab::{Lab, RelayVersion, Server};
use tokio::time::timeout;

use super::eventually::eventually;
use super::laboratory::{laboratory, mail, switched};
use super::monitor::{Monitor, Variable, environment, free_port, kill, run, said, spawn};

const ALL: [&str; 2] = ["pend00", "spin00"];

/// An environment file of the program that labwatch replaces.
const OLD: &str = include_str!("../data/old.env");

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn check_tries_the_servers() {
    let lab = laboratory(RelayVersion::V07, &ALL).await;
    let checked = run(&["check", "--connect"], &lab, &[]).await;
    assert_eq!(checked.status.code(), Some(0), "{}", checked.said);
    let good = checked
        .said
        .lines()
        .filter(|line| line.starts_with("ok  "))
        .count();
    assert_eq!(good, 4, "{}", checked.said);
    assert!(
        checked
            .said
            .contains("it has 2 resources; the clocks agree"),
        "{}",
        checked.said
    );
    assert_eq!(
        (lab.switched(), lab.mail().mails()),
        (vec![], vec![]),
        "nothing is switched, nothing is sent"
    );

    for server in ["book", "jump", "relay"] {
        let secret = format!("SECRET_{}", server.to_uppercase());
        fails(
            &lab,
            &[(&secret, "wr0ng-s3cr3t")],
            &[server],
            "check the secret and that the clocks agree",
        )
        .await;
    }
    lab.kill(Server::Mail).await;
    fails(&lab, &[], &["mail"], "refused the connection").await;
    lab.start_again(Server::Mail).await.expect("starts");
    for server in [Server::Book, Server::Jump, Server::Relay] {
        lab.freeze(server, true);
    }
    fails(
        &lab,
        &[],
        &["book", "jump", "relay"],
        "no answer within the time limit",
    )
    .await;
}

/// The check fails, for these servers alone and for this reason.
async fn fails(lab: &Lab, settings: &[(&str, &str)], servers: &[&str], why: &str) {
    let checked = run(&["check", "--connect"], lab, settings).await;
    assert_eq!(checked.status.code(), Some(1), "{}", checked.said);
    let bad: Vec<&str> = checked
        .said
        .lines()
        .filter(|line| line.starts_with("FAILED "))
        .collect();
    assert_eq!(bad.len(), servers.len(), "{}", checked.said);
    for (line, server) in bad.iter().zip(servers) {
        assert!(
            line.contains(&format!("{server}: ")) && line.contains(why),
            "{line}"
        );
    }
    assert!(
        !checked.said.contains("wr0ng-s3cr3t") && !checked.said.contains("eyJ"),
        "{}",
        checked.said
    );
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_token_lets_its_bearer_in() {
    let lab = laboratory(RelayVersion::V07, &ALL).await;
    for (server, method, path) in [
        (
            Server::Book,
            reqwest::Method::GET,
            "/api/v1/admin/resources",
        ),
        (Server::Jump, reqwest::Method::POST, "/api/v1/connect/stats"),
        (Server::Relay, reqwest::Method::POST, "/session/stats"),
    ] {
        let printed = run(&["token", &server.to_string(), "--for", "1m"], &lab, &[]).await;
        let token = printed
            .said
            .lines()
            .find(|line| line.starts_with("eyJ"))
            .expect("a token")
            .to_owned();
        let url = format!("{}{path}", lab.address(server));
        let call = || reqwest::Client::new().request(method.clone(), &url);
        let answer = call()
            .header("Authorization", token)
            .send()
            .await
            .expect("answered");
        assert_eq!(answer.status(), 200, "{server}");
        assert_ne!(
            call().send().await.expect("answered").status(),
            200,
            "{server} lets no client in without one"
        );
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn the_demonstration_begins_and_can_be_stopped() {
    let folder = tempfile::tempdir().expect("a folder");
    let scratch = tempfile::tempdir().expect("a folder");
    let variables = [(
        "TMPDIR".to_owned(),
        scratch.path().to_str().expect("a name").to_owned(),
    )];
    let mut demo = spawn(
        &["demo", "--experiments", "3"],
        &variables,
        free_port(),
        folder.path(),
    );
    let printed = || said(folder.path());
    let begun = async || {
        printed()
            .contains("labwatch  is running; look at http://127.0.0.1:")
            .then_some(())
    };
    eventually("the demonstration says where it is", printed, begun).await;
    let live = async || {
        (printed().contains("relay is live") && printed().contains("jump is live")).then_some(())
    };
    eventually("the demonstration is under way", printed, live).await;
    kill("INT", demo.id().expect("it runs")).await;
    let status = timeout(Duration::from_secs(5), demo.wait())
        .await
        .expect("it stops")
        .expect("a status");
    assert_eq!(status.code(), Some(0), "{}", printed());
    assert!(
        !printed().contains("panicked") && !printed().contains("ERROR"),
        "{}",
        printed()
    );
    assert_eq!(
        fs::read_dir(scratch.path()).expect("a folder").count(),
        0,
        "its store is gone with it"
    );
}

/// Every old name, none of the new ones: the same file, with this laboratory's servers and quick
/// rules in it.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn an_old_environment_works() {
    let lab = laboratory(RelayVersion::V07, &ALL).await;
    lab.mail()
        .set_login(Some(("lab@example.org", "old-passw0rd-x4")));
    let ours = environment(&lab, &[]);
    let variables: Vec<Variable> = old()
        .into_iter()
        .map(|(name, value)| adapted(name, value, &ours))
        .collect();
    let monitor = Monitor::start_with(variables).await;
    monitor.sees_well(&ALL).await;
    lab.power_off("pend00").expect("known");
    switched(&lab, "r-pend00", 1).await;
    let notified = mail(&lab, "pend00 is down", |mail| {
        mail.subject == "app.example.org/ed0 down: pend00"
    })
    .await;
    assert_eq!(
        (notified.from.as_str(), notified.to),
        (
            "lab@example.org",
            vec!["a@example.org".to_owned(), "b@example.org".to_owned()]
        )
    );
    let log = fs::read_to_string(monitor.folder().join("status.log")).expect("the log file");
    assert!(log.lines().all(|line| line.starts_with('{')), "{log}");
    monitor.stop("TERM", &lab).await;
}

fn old() -> Vec<Variable> {
    let lines = OLD.lines().filter_map(|line| line.split_once('='));
    lines
        .map(|(name, value)| (name.to_owned(), value.trim_matches('"').to_owned()))
        .collect()
}

/// An old variable, with a value for this laboratory where it has to have one.
fn adapted(name: String, value: String, ours: &[Variable]) -> Variable {
    let bare = name.strip_prefix("STATUS_").expect("an old name");
    let own = match bare {
        "PORT_SERVE" => Some(free_port().to_string()),
        "LOG_FILE" => Some("status.log".to_owned()),
        "EMAIL_PASSWORD" => Some("old-passw0rd-x4".to_owned()),
        "EMAIL_HOST" | "EMAIL_PORT" => None,
        _ if ["EMAIL", "LOG"].iter().any(|kind| bare.starts_with(kind)) => Some(value.clone()),
        _ => None,
    };
    let value = own
        .or_else(|| {
            ours.iter()
                .rev()
                .find(|(known, _)| *known == name)
                .map(|(_, value)| value.clone())
        })
        .unwrap_or(value);
    (name, value)
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_test_mail_and_a_copy_of_the_store() {
    let lab = laboratory(RelayVersion::V07, &["pend00"]).await;
    let folder = tempfile::tempdir().expect("a folder");
    let settings = [("DATA_DIR", folder.path().to_str().expect("a name"))];
    let monitor = Monitor::start(&lab, &settings).await;
    monitor.sees_well(&["pend00"]).await;

    let sent = run(&["notify", "test"], &lab, &settings).await;
    assert_eq!(sent.status.code(), Some(0), "{}", sent.said);
    mail(&lab, "the test", |mail| {
        mail.subject.contains("TEST of notifications")
    })
    .await;

    let copy = folder.path().join("copy.db");
    let copied = run(&["backup", copy.to_str().expect("a name")], &lab, &settings).await;
    assert!(
        copied.status.success() && copied.said.contains("is a sound copy of") && copy.exists(),
        "{}",
        copied.said
    );
    let again = run(&["backup", copy.to_str().expect("a name")], &lab, &settings).await;
    assert_eq!(
        again.status.code(),
        Some(1),
        "a copy is not written over: {}",
        again.said
    );
    monitor.stop("TERM", &lab).await;
}
