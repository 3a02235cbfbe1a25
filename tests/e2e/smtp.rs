//! The real program, a real mail server: encrypted, logged in, refused, away and back.

use lab::{Lab, RelayVersion};
use labwatch::store::DATABASE_FILE;
use rusqlite::{Connection, OpenFlags};

use super::eventually::eventually;
use super::exim::{DELIVERS_WITHIN, Exim, GONE, PASSWORD, USER};
use super::laboratory::{laboratory, switched};
use super::monitor::{Monitor, Variable, environment, get, kill};

const ALL: [&str; 3] = ["pend00", "spin00", "trus00"];
const ANN: &str = "ann@lab.example";

/// The environment of a laboratory whose mail goes through this server.
fn through(server: &Exim, lab: &Lab, settings: &[(&str, &str)]) -> Vec<Variable> {
    let port = server.port.to_string();
    let ours = [
        ("EMAIL_HOST", "localhost"),
        ("EMAIL_PORT", &port),
        ("EMAIL_TLS", "starttls"),
        ("EMAIL_AUTH_TYPE", "plain"),
        ("EMAIL_USERNAME", USER),
        ("EMAIL_PASSWORD", PASSWORD),
        ("EMAIL_TO", ANN),
    ];
    let mut variables = environment(lab, &[&ours[..], settings].concat());
    variables.push((
        "SSL_CERT_FILE".to_owned(),
        server.roots().display().to_string(),
    ));
    variables
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
#[ignore = "needs exim; scripts/test.sh runs it"]
async fn mails_go_encrypted_and_logged_in() {
    tokio::join!(logged_in("plain"), logged_in("login"));
}

async fn logged_in(how: &str) {
    let (server, lab) = (
        Exim::start().await,
        laboratory(RelayVersion::V07, &ALL).await,
    );
    let settings = [("EMAIL_AUTH_TYPE", how), ("EMAIL_CC", "head@lab.example")];
    let monitor = Monitor::start_with(through(&server, &lab, &settings)).await;
    monitor.sees_well(&ALL).await;
    lab.power_off("pend00").expect("known");
    let notified = server.mail(ANN, "down: pend00").await;
    assert!(
        notified.raw.contains("\nTo: ann@lab.example\n")
            && notified.raw.contains("\nCc: head@lab.example\n"),
        "{}",
        notified.raw
    );
    server.mail("head@lab.example", "down: pend00").await;
    lab.power_on("pend00").expect("known");
    server.mail(ANN, "back: pend00").await;
    let log = server.log();
    let good = log
        .lines()
        .filter(|line| line.contains(" <= ") && line.contains("P=esmtpsa X=TLS"));
    assert_eq!(
        good.filter(|line| line.contains(&format!("A={how}:{USER}")))
            .count(),
        2,
        "{log}"
    );
    monitor.stop("TERM", &lab).await;
}

/// A person mends the password, and then the same mail goes through.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
#[ignore = "needs exim; scripts/test.sh runs it"]
async fn a_refused_password_is_shown_and_not_tried_again_and_again() {
    refused(
        &[("EMAIL_PASSWORD", "wr0ng-passw0rd-x6")],
        "it does not accept our token or password: check the secret",
        "pending",
    )
    .await;
}

/// An address that is gone is not mended: the others have the mail, and it is over.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
#[ignore = "needs exim; scripts/test.sh runs it"]
async fn a_dead_address_keeps_the_mail_from_no_other_recipient() {
    let (server, lab) = (
        Exim::start().await,
        laboratory(RelayVersion::V07, &ALL).await,
    );
    let recipients = format!("{ANN} {GONE}");
    let settings = [
        ("EMAIL_TO", recipients.as_str()),
        ("EMAIL_AUTH_TYPE", "auto"),
    ];
    let monitor = Monitor::start_with(through(&server, &lab, &settings)).await;
    monitor.sees_well(&ALL).await;
    lab.power_off("pend00").expect("known");
    server.mail(ANN, "down: pend00").await;
    monitor
        .logs(&[
            "mail not delivered to a recipient",
            "it answered 550 to RCPT",
        ])
        .await;
    tokio::time::sleep(DELIVERS_WITHIN).await;
    assert_eq!(server.mails().len(), 1, "{:#?}", server.mails());
    let connections = server.log();
    assert_eq!(
        connections.matches("<= ").count(),
        1,
        "one transaction: {connections}"
    );
    monitor.stop("TERM", &lab).await;
}

/// The server is asked seldom whether it lets us in, so a wrong password locks no account, and
/// nothing need be sent to find it out.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
#[ignore = "needs exim; scripts/test.sh runs it"]
async fn a_wrong_password_is_found_out_before_anything_is_sent() {
    let (server, lab) = (
        Exim::start().await,
        laboratory(RelayVersion::V07, &ALL).await,
    );
    let folder = tempfile::tempdir().expect("a folder");
    let file = folder.path().join("password");
    std::fs::write(&file, "wr0ng-passw0rd-x7").expect("written");
    let mut variables = through(
        &server,
        &lab,
        &[("EMAIL_PASSWORD_FILE", file.to_str().expect("a name"))],
    );
    variables.retain(|(name, _)| name != "STATUS_EMAIL_PASSWORD");
    let monitor = Monitor::start_with(variables).await;
    // Exim writes each into two of its logs.
    let refusals = || {
        server
            .log()
            .lines()
            .filter(|line| line.contains("authenticator failed"))
            .count()
            / 2
    };
    says(
        &monitor,
        "the mail server cannot be used: it does not accept our token or password",
    )
    .await;
    for _ in 0..3 {
        says(&monitor, "the mail server cannot be used").await;
    }
    assert_eq!(refusals(), 1, "{}", server.log());

    std::fs::write(&file, PASSWORD).expect("written");
    kill("HUP", monitor.pid()).await;
    monitor.logs(&["the configuration was reloaded"]).await;
    let look = async || {
        get(monitor.port(), FRESH)
            .await
            .filter(|(_, body)| !body.contains("the mail server cannot be used"))
    };
    eventually("the new password is tried", || monitor.tail(), look).await;
    assert_eq!(refusals(), 1, "{}", server.log());
    assert!(server.mails().is_empty(), "{:?}", server.mails());
    monitor.stop("TERM", &lab).await;
}

/// The health of every component, checked again.
const FRESH: &str = "/__health?cache=false";

async fn says(monitor: &Monitor, words: &str) {
    let look = async || {
        get(monitor.port(), FRESH)
            .await
            .filter(|(_, body)| body.contains(words))
    };
    eventually(&format!("the status says {words}"), || monitor.tail(), look).await;
}

async fn refused(settings: &[(&str, &str)], why: &str, state: &str) {
    let (server, lab) = (
        Exim::start().await,
        laboratory(RelayVersion::V07, &ALL).await,
    );
    let folder = tempfile::tempdir().expect("a folder");
    let settings = [
        settings,
        &[("DATA_DIR", folder.path().to_str().expect("a name"))],
    ]
    .concat();
    let monitor = Monitor::start_with(through(&server, &lab, &settings)).await;
    monitor.sees_well(&ALL).await;
    // One cause and no other: what changes is worth another attempt.
    lab.stream_silent("pend00-st-data").expect("known");
    monitor
        .logs(&["\"level\":\"ERROR\"", " not sent: ", why])
        .await;
    // Longer than the wait after a failure that passes.
    monitor
        .logs_times(
            &["experiments are ok"],
            monitor.lines(&["experiments are ok"]).len() + 15,
        )
        .await;
    assert_eq!(
        monitor.lines(&[" alerts of which "]).len(),
        1,
        "it is not tried again and again"
    );
    assert!(server.mails().is_empty(), "{:?}", server.mails());
    monitor.stop("TERM", &lab).await;
    let file = Connection::open_with_flags(
        folder.path().join(DATABASE_FILE),
        OpenFlags::SQLITE_OPEN_READ_ONLY,
    )
    .expect("the store");
    let kept: (String, String) = file
        .query_row("SELECT state, last_error FROM outbox", [], |row| {
            Ok((row.get(0)?, row.get(1)?))
        })
        .expect("one mail");
    assert!(kept.0 == state && kept.1.contains(why), "{kept:?}");
}

/// While the server is away one breaks and is mended and another breaks: one mail says what is true
/// when the server is back.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
#[ignore = "needs exim; scripts/test.sh runs it"]
async fn an_outage_of_the_mail_server_ends_in_one_true_mail() {
    let (mut server, lab) = (
        Exim::start().await,
        laboratory(RelayVersion::V07, &ALL).await,
    );
    let monitor = Monitor::start_with(through(&server, &lab, &[])).await;
    monitor.sees_well(&ALL).await;
    server.kill().await;
    lab.power_off("pend00").expect("known");
    monitor.logs(&["not sent: cannot connect"]).await;
    lab.power_off("spin00").expect("known");
    switched(&lab, "r-spin00", 1).await;
    lab.power_on("pend00").expect("known");
    switched(&lab, "r-pend00", 2).await;
    server.start_again().await;
    let notified = server.mail(ANN, "=?utf-8?b?").await;
    tokio::time::sleep(DELIVERS_WITHIN).await;
    assert_eq!(server.mails().len(), 1, "{:#?}", server.mails());
    assert!(
        notified.raw.contains("pend00=ok/") && notified.raw.contains("spin00=down/"),
        "{}",
        notified.raw
    );
    monitor.stop("TERM", &lab).await;
}
