//! The real program and a mail server that puts recipients off or refuses mails for a while, killed
//! and asked in between.

use lab::{Answer, AwkwardSetup, AwkwardSmtp, Lab, RelayVersion, Rule, TakenMail};

use super::eventually::eventually;
use super::laboratory::laboratory;
use super::monitor::{Monitor, Variable, environment, run_with};

const ALL: [&str; 2] = ["pend00", "spin00"];

/// A server with these rules.
async fn server(rules: Vec<Rule>) -> AwkwardSmtp {
    let setup = AwkwardSetup {
        rules,
        ..AwkwardSetup::default()
    };
    AwkwardSmtp::start(setup).await.expect("starts")
}

/// The environment of a laboratory whose mail goes through this server, to Ann and Bob.
fn through(server: &AwkwardSmtp, lab: &Lab, settings: &[(&str, &str)]) -> Vec<Variable> {
    let port = server.address().port().to_string();
    let ours = [
        ("EMAIL_HOST", "127.0.0.1"),
        ("EMAIL_PORT", port.as_str()),
        ("EMAIL_TLS", "none"),
        ("EMAIL_AUTH_TYPE", "none"),
        ("EMAIL_TO", "ann@lab.example bob@lab.example"),
    ];
    environment(lab, &[&ours[..], settings].concat())
}

/// The mails that one of them has, with `part` in their subject.
fn mails_to(server: &AwkwardSmtp, who: &str, part: &str) -> Vec<TakenMail> {
    let mut mails = server.mails();
    mails.retain(|mail| mail.to.iter().any(|to| to.starts_with(who)));
    mails.retain(|mail| header(mail, "Subject").contains(part));
    mails
}

fn header<'a>(mail: &'a TakenMail, name: &str) -> &'a str {
    let start = format!("{name}: ");
    let mut lines = mail.content.lines();
    lines
        .find_map(|line| line.strip_prefix(start.as_str()))
        .unwrap_or_default()
}

async fn mail_to(server: &AwkwardSmtp, who: &str, part: &str) -> TakenMail {
    let look = async || mails_to(server, who, part).pop();
    let all = || format!("{:#?}", server.mails());
    eventually(&format!("{who} is mailed {part}"), all, look).await
}

/// Bob is put off, and labwatch is killed: after that Bob gets the same mail, and Ann none.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn after_a_kill_the_same_mail_goes_to_the_recipient_who_was_put_off_alone() {
    let greylisted = Answer::line("450 4.2.0 Greylisted, try again later");
    let server = server(vec![Rule::on("RCPT TO:<bob@", greylisted)]).await;
    let lab = laboratory(RelayVersion::V07, &ALL).await;
    let folder = tempfile::tempdir().expect("a folder");
    let settings = [("DATA_DIR", folder.path().to_str().expect("a name"))];
    let monitor = Monitor::start_with(through(&server, &lab, &settings)).await;
    monitor.sees_well(&ALL).await;
    lab.power_off("pend00").expect("known");
    let first = mail_to(&server, "ann@", "down: pend00").await;
    monitor.logs(&["mail not delivered to a recipient"]).await;
    monitor.kill(&lab).await;
    assert!(mails_to(&server, "bob@", "").is_empty());

    server.set_rules(Vec::new());
    let monitor = Monitor::start_with(through(&server, &lab, &settings)).await;
    let second = mail_to(&server, "bob@", "down: pend00").await;
    assert_eq!(second.to, ["bob@lab.example"]);
    assert_eq!(
        (header(&first, "Message-ID"), &first.content),
        (header(&second, "Message-ID"), &second.content)
    );
    lab.power_on("pend00").expect("known");
    for who in ["ann@", "bob@"] {
        mail_to(&server, who, "back: pend00").await;
        assert_eq!(mails_to(&server, who, "").len(), 2, "{:#?}", server.mails());
    }
    monitor.stop("TERM", &lab).await;
}

/// A content that was refused waits for an hour, unless a test message is taken.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_test_message_that_is_taken_wakes_what_waits_in_the_service() {
    let refused = Answer::line("554 5.7.1 looks like spam");
    let server = server(vec![Rule::on(".", refused)]).await;
    let lab = laboratory(RelayVersion::V07, &ALL).await;
    let variables = through(
        &server,
        &lab,
        &[("SECRET_API", "s3cret-of-the-test-of-mails-that-are-awkward")],
    );
    let monitor = Monitor::start_with(variables.clone()).await;
    monitor.sees_well(&ALL).await;
    lab.power_off("pend00").expect("known");
    monitor
        .logs(&["mail not delivered to a recipient", "554"])
        .await;
    let test = run_with(&["notify", "test"], &variables, monitor.port()).await;
    assert_eq!(test.status.code(), Some(1), "{}", test.said);
    server.set_rules(Vec::new());
    let test = run_with(&["notify", "test"], &variables, monitor.port()).await;
    assert_eq!(test.status.code(), Some(0), "{}", test.said);
    assert!(
        test.said.contains("retries what is pending on: everybody"),
        "{}",
        test.said
    );
    for who in ["ann@", "bob@"] {
        mail_to(&server, who, "TEST").await;
        mail_to(&server, who, "down: pend00").await;
    }
    monitor.stop("TERM", &lab).await;
}
