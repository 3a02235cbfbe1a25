//! What maintainers get: one mail for each change, complete and well formed, also when the mail
//! server was away. Nothing waits for it.

use std::collections::BTreeMap;
use std::path::Path;
use std::time::Duration;

use lab::{CaughtMail, Lab, MailMood, RelayVersion, Server};

use super::laboratory::{RULE, laboratory, mail, reaction, switched};
use super::monitor::Monitor;

const ALL: [&str; 3] = ["pend00", "spin00", "trus00"];

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn one_mail_for_each_change() {
    let lab = laboratory(RelayVersion::V07, &ALL).await;
    let settings = [
        ("EMAIL_TO", "ann@lab.example, bob@lab.example"),
        ("EMAIL_CC", "head@lab.example"),
    ];
    let monitor = Monitor::start(&lab, &settings).await;
    monitor.sees_well(&ALL).await;

    lab.stream_vanishes("pend00-st-video").expect("known");
    let down = next(&lab, 1, "[test lab] down: pend00").await;
    assert!(
        down.text.starts_with("pend00: down since ")
            && down.text.contains("\n    Why: video is missing")
            && down.text.contains("\n    Booking: withdrawn by labwatch\n")
            && down.text.contains("https://lab.example/status"),
        "{}",
        down.text
    );
    well_formed(&down);
    lab.jump_lost("spin00").expect("known");
    let degraded = next(&lab, 2, "[test lab] degraded: spin00").await;
    assert!(
        degraded.text.starts_with("spin00: degraded since "),
        "{}",
        degraded.text
    );
    assert!(
        degraded
            .text
            .contains("\nAlso open (1):\npend00: down since "),
        "every open problem is in it: {}",
        degraded.text
    );
    lab.stream_back("pend00-st-video").expect("known");
    let back = next(&lab, 3, "[test lab] back: pend00").await;
    assert!(
        back.text.starts_with("pend00: back; was down "),
        "{}",
        back.text
    );
    lab.jump_back("spin00").expect("known");
    let all_back = next(&lab, 4, "[test lab] back: spin00").await;
    assert!(
        all_back.text.contains("\nAll 3 experiments are ok.\n"),
        "{}",
        all_back.text
    );

    monitor
        .logs_times(
            &["experiments are ok"],
            monitor.lines(&["experiments are ok"]).len() + 4,
        )
        .await;
    let mails = lab.mail().mails();
    assert_eq!(
        mails.len(),
        4,
        "nothing is notified twice: {:?}",
        mails.iter().map(|mail| &mail.subject).collect::<Vec<_>>()
    );
    let ids: std::collections::BTreeSet<_> = mails
        .iter()
        .map(|mail| header(mail, "Message-ID"))
        .collect();
    assert_eq!(ids.len(), 4, "every mail has an id of its own");
    monitor.stop("TERM", &lab).await;
}

/// The mail that comes next, which must be the one with this subject.
async fn next(lab: &Lab, count: usize, subject: &str) -> CaughtMail {
    let caught = lab.mail().wait_for(count, Duration::from_secs(90)).await;
    assert_eq!(
        caught.get(count - 1).map(|mail| mail.subject.as_str()),
        Some(subject),
        "{caught:#?}"
    );
    caught[count - 1].clone()
}

fn well_formed(mail: &CaughtMail) {
    assert_eq!(mail.from, "labwatch@lab.example");
    assert_eq!(
        mail.to,
        ["ann@lab.example", "bob@lab.example", "head@lab.example"]
    );
    assert_eq!(header(mail, "From"), "labwatch@lab.example");
    assert_eq!(header(mail, "To"), "ann@lab.example, bob@lab.example");
    assert_eq!(header(mail, "Cc"), "head@lab.example");
    assert_eq!(header(mail, "Auto-Submitted"), "auto-generated");
    assert_eq!(header(mail, "MIME-Version"), "1.0");
    assert!(
        header(mail, "Date").ends_with("+0000"),
        "{}",
        header(mail, "Date")
    );
    let id = header(mail, "Message-ID");
    assert!(
        id.starts_with('<') && id.ends_with('>') && id.contains('@'),
        "{id}"
    );
    let head = mail.raw.split("\r\n\r\n").next().expect("a head");
    assert!(head.contains("multipart/alternative"), "{head}");
    let html = mail.html.as_deref().expect("an HTML part");
    assert!(
        html.contains("pend00")
            && html.contains("https://lab.example/status")
            && !html.contains("<script"),
        "{html}"
    );
    assert!(
        mail.raw
            .split("\r\n")
            .all(|line| line.len() <= 998 && !line.contains('\n')),
        "lines are as SMTP wants them"
    );
}

/// A header's value; empty where there is none. Fails where there are several.
fn header(mail: &CaughtMail, name: &str) -> String {
    let head = mail
        .raw
        .split("\r\n\r\n")
        .next()
        .unwrap_or_default()
        .replace("\r\n ", " ");
    let start = format!("{}:", name.to_ascii_lowercase());
    let found: Vec<&str> = head
        .split("\r\n")
        .filter(|line| line.to_ascii_lowercase().starts_with(&start))
        .collect();
    assert!(found.len() <= 1, "{found:?}");
    found
        .first()
        .map(|line| line[start.len()..].trim().to_owned())
        .unwrap_or_default()
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn what_could_not_be_delivered_is_delivered_later() {
    tokio::join!(refused_for_a_while(), hanging_for_a_while());
}

async fn refused_for_a_while() {
    let lab = laboratory(RelayVersion::V07, &ALL).await;
    let monitor = Monitor::start(&lab, &[]).await;
    monitor.sees_well(&ALL).await;
    lab.refuse(Server::Mail, true).await.expect("can");
    lab.power_off("pend00").expect("known");
    switched(&lab, "r-pend00", 1).await;
    monitor.logs(&["not sent: cannot connect"]).await;
    // It is well again before a mail could say that it was not. Whether the mail was read is not
    // known, so both are notified.
    lab.power_on("pend00").expect("known");
    switched(&lab, "r-pend00", 2).await;
    lab.power_off("spin00").expect("known");
    switched(&lab, "r-spin00", 1).await;
    lab.refuse(Server::Mail, false).await.expect("can");
    let notified = mail(&lab, "spin00 is down", |mail| {
        mail.text.contains("spin00: down since ")
    })
    .await;
    assert!(
        notified.text.contains("\npend00: back; "),
        "{}",
        notified.text
    );
    monitor.stop("TERM", &lab).await;
}

async fn hanging_for_a_while() {
    let lab = laboratory(RelayVersion::V07, &ALL).await;
    let monitor = Monitor::start(&lab, &[]).await;
    monitor.sees_well(&ALL).await;
    lab.mail().set_mood(MailMood::Hanging);
    lab.power_off("pend00").expect("known");
    switched(&lab, "r-pend00", 1).await;
    monitor.logs(&[" alerts of which "]).await;
    let begun = jiff::Timestamp::now();
    lab.power_off("spin00").expect("known");
    reaction(
        &lab,
        "r-spin00",
        1,
        begun,
        "power off while a mail hangs",
        RULE,
    )
    .await;
    monitor
        .logs(&["not sent: no answer within the time limit"])
        .await;
    lab.mail().set_mood(MailMood::Rejecting);
    monitor.logs(&["not sent: it answered 550"]).await;
    assert!(lab.mail().mails().is_empty());
    monitor.stop("TERM", &lab).await;
}

/// No mail is a normal state: nothing is sent, and it is logged only once.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn without_mail_all_else_works() {
    let lab = laboratory(RelayVersion::V07, &["pend00"]).await;
    let monitor = Monitor::start(
        &lab,
        &[("EMAIL_HOST", ""), ("EMAIL_TO", ""), ("EMAIL_FROM", "")],
    )
    .await;
    monitor.sees_well(&["pend00"]).await;
    lab.power_off("pend00").expect("known");
    switched(&lab, "r-pend00", 1).await;
    assert!(monitor.lines(&[" alerts of which "]).is_empty());
    monitor.stop("TERM", &lab).await;
}

/// The deployments of the replaced program: file, instance, and mail recipients.
const DEPLOYMENTS: [(&str, &str, &[&str]); 7] = [
    ("old.env", "ed0", &["a@example.org", "b@example.org"]),
    (
        "old.env",
        "ed0-alternate",
        &["a@example.org", "b@example.org"],
    ),
    (
        "old.env",
        "ed0-staging",
        &["a@example.org", "b@example.org"],
    ),
    ("old.env", "ed0-test", &["a@example.org", "b@example.org"]),
    ("old.env", "ed1-test", &["a@example.org", "b@example.org"]),
    ("old-dev.env", "dev", &["a@example.org", "b@example.org"]),
    (
        "old-document.env",
        "tenant",
        &["a@example.org", "copies@example.org"],
    ),
];

/// Times that a test does not wait for. All others are the deployment's own.
const QUICK: [&str; 4] = ["LAST", "LAST_ACTIVE", "LAST_CHECKED", "STARTUP"];

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn the_deployments_of_the_replaced_program_mail_for_a_lost_experiment() {
    for (number, (file, instance, recipients)) in DEPLOYMENTS.into_iter().enumerate() {
        let relay = [RelayVersion::V07, RelayVersion::V08][number % 2];
        let lab = laboratory(relay, &ALL).await;
        let folder = tempfile::tempdir().expect("a folder");
        let variables = deployment(file, instance, &lab, folder.path());
        let value = |name: &str| variables[&format!("STATUS_EMAIL_{name}")].clone();
        // The server takes nothing without the password, which the document gives without a kind of
        // login.
        lab.mail()
            .set_login(Some((&value("FROM"), &value("PASSWORD"))));
        let subject = format!("{} down: spin00", value("SUBJECT"));
        let monitor = Monitor::start_with(variables.into_iter().collect()).await;
        monitor.sees_well(&ALL).await;
        lab.power_off("spin00").expect("known");
        assert!(!switched(&lab, "r-spin00", 1).await.available, "{instance}");
        let caught = lab.mail().wait_for(1, Duration::from_secs(90)).await;
        let [mail] = caught.as_slice() else {
            panic!("{instance}: one mail: {caught:#?}");
        };
        assert_eq!(mail.subject, subject, "{instance}");
        assert_eq!(mail.to, recipients, "{instance}");
        let link = format!("https://app.example.org/{instance}/status");
        assert!(mail.text.contains(&link), "{instance}: {}", mail.text);
        monitor.stop("TERM", &lab).await;
    }
}

/// The environment of a deployment, with the servers of this laboratory in the place of its own.
fn deployment(file: &str, instance: &str, lab: &Lab, folder: &Path) -> BTreeMap<String, String> {
    let path = Path::new(env!("CARGO_MANIFEST_DIR"))
        .join("tests/data")
        .join(file);
    let text = std::fs::read_to_string(path).expect("reads");
    let mut variables: BTreeMap<String, String> = text
        .lines()
        .filter_map(|line| line.split_once('='))
        .map(|(name, value)| {
            let value = value
                .trim_matches('"')
                .replace("/ed0", &format!("/{instance}"));
            (name.to_owned(), value)
        })
        .collect();
    for name in QUICK.map(|name| format!("STATUS_HEALTH_{name}")) {
        variables
            .entry(name)
            .and_modify(|value| "3s".clone_into(value));
    }
    let own = [
        "STATUS_EMAIL_FROM",
        "STATUS_EMAIL_TO",
        "STATUS_EMAIL_AUTH_TYPE",
    ];
    let servers = lab.environment();
    variables.extend(
        servers
            .into_iter()
            .filter(|(name, _)| !own.contains(&name.as_str())),
    );
    variables.remove("STATUS_PORT_SERVE");
    let log = variables.get_mut("STATUS_LOG_FILE").expect("is there");
    if log.starts_with('/') {
        *log = folder.join("status.log").display().to_string();
    }
    variables
}
