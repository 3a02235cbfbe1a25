//! Deliveries to an awkward server, and to good ones: who gets the mail, and what is said of the
//! others.

use std::sync::Arc;
use std::time::{Duration, Instant};

use proptest::prelude::*;

use super::super::tests::{Identity, settings};
use super::*;
use crate::config::{MailAuth, MailSettings, MailTls};
use lab::{Answer, AwkwardSetup, AwkwardSmtp, GREETING, Rule};

const MAIL: &[u8] = b"Subject: x\r\n\r\nhello\r\n.dot\r\n";

/// Limits for a good server on this host.
fn limits() -> Limits {
    Limits {
        command: Duration::from_secs(5),
        final_dot: Duration::from_secs(5),
        ..Limits::of(Duration::from_secs(5))
    }
}

fn addresses(texts: &[&str]) -> Vec<EnvelopeAddress> {
    let address = |text: &&str| EnvelopeAddress::new(&text.parse().expect("an address"));
    texts.iter().map(address).collect()
}

/// Some recipients: `p0@example.org` and so on.
fn numbered(count: usize) -> Vec<EnvelopeAddress> {
    let texts: Vec<String> = (0..count).map(|n| format!("p{n}@example.org")).collect();
    addresses(&texts.iter().map(String::as_str).collect::<Vec<_>>())
}

async fn server(rules: Vec<Rule>) -> AwkwardSmtp {
    let setup = AwkwardSetup {
        rules,
        ..AwkwardSetup::default()
    };
    AwkwardSmtp::start(setup).await.expect("starts")
}

async fn send(server: &AwkwardSmtp, to: &[EnvelopeAddress]) -> DeliveryReport {
    send_with(server, to, limits(), |_| {}).await
}

async fn send_with(
    server: &AwkwardSmtp,
    to: &[EnvelopeAddress],
    limits: Limits,
    change: impl FnOnce(&mut MailSettings),
) -> DeliveryReport {
    let mut settings = settings(server.address().port());
    settings.host = "127.0.0.1".to_owned();
    change(&mut settings);
    let from = &addresses(&["lab@lab.example.org"])[0];
    deliver(&settings, limits, from, to, MAIL).await.spare_all()
}

/// One character for each recipient: delivered, refused, not yet, unknown.
fn short(report: &DeliveryReport) -> String {
    let character = |outcome: &Outcome| match outcome {
        Outcome::Delivered => 'D',
        Outcome::Refused(_) => 'R',
        Outcome::NotYet(_) => 'n',
        Outcome::UnknownAfterDot(_) => 'u',
    };
    report
        .recipients
        .iter()
        .map(|one| character(&one.outcome))
        .collect()
}

fn first_failure(report: &DeliveryReport) -> &SmtpError {
    report.failures().next().expect("a failure").1
}

#[tokio::test]
async fn the_mail_goes_to_all_in_one_transaction() {
    let server = server(vec![]).await;
    let to = numbered(3);
    assert_eq!(short(&send(&server, &to).await), "DDD");
    let mails = server.mails();
    assert_eq!(mails.len(), 1);
    assert_eq!(
        mails[0].to,
        to.iter().map(ToString::to_string).collect::<Vec<_>>()
    );
    assert_eq!(mails[0].content, "Subject: x\n\nhello\n.dot\n");
    assert_eq!(
        server.commands()[..2],
        ["EHLO lab.example.org", "MAIL FROM:<lab@lab.example.org>"]
    );
    assert_eq!(server.connections(), 1);
}

#[tokio::test]
async fn each_recipient_has_an_outcome_of_its_own() {
    let rules = vec![
        Rule::on("RCPT TO:<p1@", Answer::line("450 4.2.0 greylisted")).first(1),
        Rule::on("RCPT TO:<p2@", Answer::line("550 5.1.1 no such user")),
    ];
    let server = server(rules).await;
    let report = send(&server, &numbered(4)).await;
    assert_eq!(short(&report), "DnRD");
    assert_eq!(server.connections(), 1);
    assert_eq!(
        first_failure(&report).to_string(),
        "it answered 450 to RCPT"
    );
    assert_eq!(
        first_failure(&report).with_reply(),
        "it answered 450 to RCPT (it said: 450 4.2.0 greylisted)"
    );
    assert_eq!(short(&send(&server, &numbered(2)).await), "DD");
}

/// The scope of a refusal: the code answers one command, and only for that can it be permanent.
#[tokio::test]
async fn a_refusal_is_for_good_only_for_what_it_answers() {
    for (at, said, expected) in [
        (GREETING, "554 5.7.1 no", "nnn"),
        (GREETING, "421 4.7.0 too many connections", "nnn"),
        ("EHLO", "550 5.7.1 no", "nnn"),
        ("MAIL", "550 5.1.8 sender unknown", "nnn"),
        ("MAIL", "451 4.3.0 later", "nnn"),
        ("RCPT", "554 5.7.1 <x>: Relay access denied", "nnn"),
        ("RCPT", "550 5.1.1 no such user", "nnn"),
        ("RCPT TO:<p1@", "554 5.7.1 Relay access denied", "DRD"),
        (
            "RCPT TO:<p1@",
            "504 5.5.2 <vm>: Helo command rejected",
            "DnD",
        ),
        ("RCPT TO:<p1@", "530 5.7.0 log in", "DnD"),
        ("RCPT TO:<p1@", "552 5.2.2 over quota", "DnD"),
        ("RCPT TO:<p1@", "452 4.2.2 full", "DnD"),
        ("RCPT TO:<p1@", "421 4.3.2 shutting down", "DnD"),
        ("RCPT", "421 4.3.2 shutting down", "nnn"),
        ("DATA", "554 5.5.1 no valid recipients", "nnn"),
        (".", "554 5.7.1 spam", "RRR"),
        (".", "451 4.3.0 later", "nnn"),
        (".", "421 4.3.2 shutting down", "nnn"),
    ] {
        let server = server(vec![Rule::on(at, Answer::line(said))]).await;
        let report = send(&server, &numbered(3)).await;
        assert_eq!(short(&report), expected, "{at}: {said}");
    }
}

#[tokio::test]
async fn a_connection_that_ends_leaves_it_open_only_behind_the_final_dot() {
    for (at, expected) in [
        (GREETING, "nn"),
        ("EHLO", "nn"),
        ("MAIL", "nn"),
        ("RCPT TO:<p0@", "nD"),
        ("RCPT TO:<p1@", "Dn"),
        ("DATA", "nn"),
        (".", "uu"),
        ("QUIT", "DD"),
    ] {
        for answer in [Answer::hang_up(), Answer::hang()] {
            let server = server(vec![Rule::on(at, answer.clone())]).await;
            let limits = Limits {
                command: Duration::from_millis(300),
                data: Duration::from_millis(300),
                final_dot: Duration::from_millis(300),
                ..limits()
            };
            let report = send_with(&server, &numbered(2), limits, |_| {}).await;
            assert_eq!(short(&report), expected, "{at}: {answer:?}");
        }
    }
}

/// A server that ends the connection at a second recipient, instead of 452, gets one after the
/// other.
#[tokio::test]
async fn a_server_that_takes_one_recipient_only_gets_no_more_of_them() {
    let rules =
        (1..8).map(|number| Rule::on(&format!("RCPT TO:<p{number}@"), Answer::hang_up()).first(1));
    let server = server(rules.collect()).await;
    let report = send(&server, &numbered(8)).await;
    assert_eq!(
        (short(&report).as_str(), server.connections()),
        ("Dnnnnnnn", 4)
    );
}

#[tokio::test]
async fn a_slow_answer_after_an_error_changes_nothing() {
    let rules = vec![
        Rule::on("RCPT TO:<p1@", Answer::line("550 5.1.1 no such user")),
        Rule::on("QUIT", Answer::hang()),
    ];
    let server = server(rules).await;
    let begin = Instant::now();
    assert_eq!(short(&send(&server, &numbered(2)).await), "DR");
    assert!(begin.elapsed() < Duration::from_secs(3));
}

#[tokio::test]
async fn the_final_dot_has_a_longer_limit_than_a_command() {
    let late = Answer::line("250 2.0.0 queued").after(Duration::from_millis(700));
    let server = server(vec![Rule::on(".", late)]).await;
    let limits = Limits {
        command: Duration::from_millis(300),
        ..limits()
    };
    let report = send_with(&server, &numbered(1), limits, |_| {}).await;
    assert_eq!(short(&report), "D");
    assert!(Limits::of(Duration::from_secs(1)).final_dot >= Duration::from_secs(600));
    let look = Limits::of(Duration::from_secs(300)).of_a_look();
    assert!(look.command <= Duration::from_secs(30) && look.connect <= look.command);
    assert!(Limits::of(Duration::from_secs(1)).data >= Duration::from_secs(120));
}

/// Each reply may take as long as `EMAIL_TIMEOUT`, which is longer than connecting may take:
/// servers delay clients that they do not know.
#[tokio::test]
async fn every_answer_may_be_slow() {
    for (at, said) in [
        (GREETING, "220 mx"),
        ("EHLO", "250 mx"),
        ("MAIL", "250 ok"),
        ("RCPT", "250 ok"),
        ("RCPT TO:<p1@", "250 ok"),
        ("DATA", "354 go on"),
    ] {
        let late = Answer::line(said).after(Duration::from_millis(700));
        let server = server(vec![Rule::on(at, late)]).await;
        let limits = Limits {
            connect: Duration::from_millis(500),
            command: Duration::from_secs(10),
            ..limits()
        };
        let report = send_with(&server, &numbered(2), limits, |_| {}).await;
        assert_eq!(short(&report), "DD", "{at}");
    }
}

#[tokio::test]
async fn a_limit_of_recipients_makes_further_transactions() {
    // Four recipients for each transaction.
    let mut rules = Vec::new();
    for n in 4..10 {
        let full = Answer::line("452 4.5.3 Too many recipients");
        rules.push(Rule::on(&format!("RCPT TO:<p{n}@"), full).first(1));
    }
    let server = server(rules).await;
    assert_eq!(short(&send(&server, &numbered(10)).await), "DDDDDDDDDD");
    assert!(server.mails().len() > 1);
    assert_eq!(server.connections(), 1);
    let refused = server
        .commands()
        .iter()
        .filter(|line| line.starts_with("RCPT"))
        .count();
    assert!(refused < 25, "{:?}", server.commands());
}

#[tokio::test]
async fn answers_that_are_unusual_and_right_are_read() {
    for (at, answer, expected) in [
        (".", &b"250\r\n"[..], "DD"),
        (".", b"250 2.0.0 \xfcbernommen\r\n", "DD"),
        (".", b"250-a\n250\n", "DD"),
        (
            "RCPT TO:<p1@",
            b"550 5.1.1 Empf\xe4nger unbekannt\r\n",
            "DR",
        ),
        ("DATA", b"354\r\n", "DD"),
        (GREETING, b"220\r\n", "DD"),
        (GREETING, b"220-hello\r\n220-we are\r\n220 here\r\n", "DD"),
        ("EHLO", b"250-mx\r\n250 pipelining\r\n", "DD"),
        ("MAIL", b"250-\r\n250 \r\n", "DD"),
    ] {
        for piece in [1, 3, 4_096] {
            let rule = Rule::on(at, Answer::bytes(answer).in_pieces(piece));
            let server = server(vec![rule]).await;
            let report = send(&server, &numbered(2)).await;
            assert_eq!(short(&report), expected, "{at}: {answer:?} by {piece}");
        }
    }
}

#[tokio::test]
async fn an_old_server_is_greeted_with_helo() {
    for code in ["500 what?", "502 not implemented"] {
        let server = server(vec![Rule::on("EHLO", Answer::line(code))]).await;
        assert_eq!(short(&send(&server, &numbered(1)).await), "D");
        assert_eq!(server.commands()[1], "HELO lab.example.org");
    }
}

#[tokio::test]
async fn letters_outside_of_ascii_are_one_recipients_own_fault() {
    let to = addresses(&["ann@example.org", "bob@münchen.example", "jörg@example.org"]);
    let plain = server(vec![]).await;
    let report = send(&plain, &to).await;
    assert_eq!(short(&report), "DDR");
    assert_eq!(
        plain.mails()[0].to,
        ["ann@example.org", "bob@xn--mnchen-3ya.example"]
    );
    assert!(first_failure(&report).to_string().contains("SMTPUTF8"));
    assert_eq!(short(&send(&plain, &to[2..]).await), "n");

    let setup = AwkwardSetup {
        offers: vec!["smtputf8".to_owned(), "8bitmime".to_owned()],
        ..AwkwardSetup::default()
    };
    let able = AwkwardSmtp::start(setup).await.expect("starts");
    assert_eq!(short(&send(&able, &to).await), "DDD");
    let mails = able.mails();
    assert_eq!(mails.len(), 2, "those in ASCII go apart");
    assert_eq!(mails[1].to, ["jörg@example.org"]);
    assert!(mails[1].from.ends_with("SMTPUTF8") && !mails[0].from.contains("SMTPUTF8"));
}

/// A server with TLS; its certificate is changed so.
async fn with_tls(
    rules: Vec<Rule>,
    implicit: bool,
    change: impl FnOnce(&mut rcgen::CertificateParams),
) -> (AwkwardSmtp, Identity) {
    let identity = Identity::of(change);
    let setup = AwkwardSetup {
        rules,
        tls: Some(Arc::clone(&identity.config)),
        implicit_tls: implicit,
        ..AwkwardSetup::default()
    };
    (AwkwardSmtp::start(setup).await.expect("starts"), identity)
}

#[tokio::test]
async fn what_stands_behind_the_answer_to_starttls_counts_for_nothing() {
    let injected = "220 ready\r\n250-mx\r\n250 8BITMIME\r\n250 sender ok (injected)\r\n250 rcpt ok (injected)\r\n\
        354 go on (injected)\r\n250 queued (injected)\r\n";
    let refuses = || Answer::line("550 5.7.1 refused by the real server");
    for bytes in [injected, "220 ready\r\n2", "220 ready\r\n\r\n"] {
        let rules = vec![
            Rule::on("STARTTLS", Answer::bytes(bytes)),
            Rule::on("MAIL", refuses()).under_tls(true),
        ];
        let (server, identity) = with_tls(rules, false, |_| {}).await;
        let report = send_with(&server, &numbered(1), limits(), |settings| {
            settings.tls = MailTls::StartTls;
            settings.host = "localhost".to_owned();
            settings.tls_ca = Some(identity.file.path().to_owned());
        })
        .await;
        assert_eq!(short(&report), "n");
        assert_eq!(
            first_failure(&report).problem,
            Problem::Injected,
            "{bytes:?}"
        );
        assert!(server.mails().is_empty());
    }
}

#[tokio::test]
async fn what_was_offered_before_tls_counts_for_nothing_after_it() {
    let rules = vec![
        Rule::on(
            "EHLO",
            Answer::bytes("250-mx\r\n250-STARTTLS\r\n250 SMTPUTF8\r\n"),
        )
        .under_tls(false),
        Rule::on("EHLO", Answer::line("250 mx")).under_tls(true),
    ];
    let (server, identity) = with_tls(rules, false, |_| {}).await;
    let to = addresses(&["jörg@example.org", "ann@example.org"]);
    let report = send_with(&server, &to, limits(), |settings| {
        settings.tls = MailTls::StartTls;
        settings.host = "localhost".to_owned();
        settings.tls_ca = Some(identity.file.path().to_owned());
    })
    .await;
    assert_eq!(short(&report), "RD");
}

#[tokio::test]
async fn an_answer_before_the_question_counts_for_nothing() {
    let early = Answer::bytes("250 ok\r\n250 for the recipient\r\n");
    let server = server(vec![Rule::on("MAIL", early)]).await;
    let report = send(&server, &numbered(1)).await;
    assert_eq!(first_failure(&report).problem, Problem::Unasked);
}

fn expired(params: &mut rcgen::CertificateParams) {
    params.not_before = rcgen::date_time_ymd(2025, 5, 3);
    params.not_after = rcgen::date_time_ymd(2026, 5, 3);
}

fn named_otherwise(params: &mut rcgen::CertificateParams) {
    params.subject_alt_names = vec![rcgen::SanType::DnsName(
        "mx.example.org".try_into().expect("a name"),
    )];
}

fn only_a_common_name(params: &mut rcgen::CertificateParams) {
    params.subject_alt_names.clear();
    let name = rcgen::DnType::CommonName;
    params.distinguished_name.push(name, "localhost");
}

fn own_ca(params: &mut rcgen::CertificateParams) {
    params.is_ca = rcgen::IsCa::Ca(rcgen::BasicConstraints::Unconstrained);
}

/// How the test's server and client use a certificate.
#[derive(Clone, Copy)]
enum Trusted {
    No,
    AsCa,
    ByFingerprint,
    ByOtherFingerprint,
}

#[tokio::test]
async fn certificates_are_accepted_or_refused_with_what_to_do() {
    type Change = fn(&mut rcgen::CertificateParams);
    let unchanged: Change = |_| {};
    let rows: [(&str, Change, Trusted, &str); 9] = [
        ("known CA", unchanged, Trusted::AsCa, ""),
        ("fingerprint", unchanged, Trusted::ByFingerprint, ""),
        ("fingerprint of a CA", own_ca, Trusted::ByFingerprint, ""),
        ("fingerprint, expired", expired, Trusted::ByFingerprint, ""),
        (
            "expired",
            expired,
            Trusted::AsCa,
            "its certificate expired on 3 May 2026",
        ),
        (
            "wrong name",
            named_otherwise,
            Trusted::AsCa,
            "its certificate is for mx.example.org: set email_host to that name",
        ),
        (
            "only a common name",
            only_a_common_name,
            Trusted::AsCa,
            "its certificate has no host names (subjectAltName): renew it",
        ),
        (
            "self-signed",
            unchanged,
            Trusted::No,
            "its certificate is self-signed or of an unknown CA: name the CA's file in email_tls_ca; if it is the server's own, set \
             email_tls_fingerprint to ",
        ),
        (
            "another fingerprint",
            unchanged,
            Trusted::ByOtherFingerprint,
            "its certificate is not the one of email_tls_fingerprint; ",
        ),
    ];
    for implicit in [true, false] {
        for (what, change, trusted, expected) in rows {
            let (server, identity) = with_tls(vec![], implicit, change).await;
            let report = send_with(&server, &numbered(1), limits(), |settings| {
                settings.host = "localhost".to_owned();
                settings.tls = if implicit {
                    MailTls::Implicit
                } else {
                    MailTls::StartTls
                };
                match trusted {
                    Trusted::No => {}
                    Trusted::AsCa => settings.tls_ca = Some(identity.file.path().to_owned()),
                    Trusted::ByFingerprint => settings.tls_fingerprint = Some(identity.fingerprint),
                    Trusted::ByOtherFingerprint => {
                        settings.tls_fingerprint = Some(crate::config::Fingerprint::of(b"x"));
                    }
                }
            })
            .await;
            if expected.is_empty() {
                assert_eq!(report.failures().next(), None, "{what}");
            } else {
                let said = first_failure(&report).to_string();
                assert!(said.starts_with(expected), "{what}: {said}");
            }
        }
    }
}

fn login(how: &str) -> MailAuth {
    let (user, password) = ("user".to_owned(), "secret".into());
    match how {
        "plain" => MailAuth::Plain { user, password },
        "login" => MailAuth::Login { user, password },
        _ => MailAuth::Auto { user, password },
    }
}

#[tokio::test]
async fn the_way_to_log_in_is_the_servers_where_it_may_choose() {
    for (offered, how, answered) in [
        (
            &["PLAIN", "LOGIN"][..],
            "auto",
            "AUTH PLAIN AHVzZXIAc2VjcmV0",
        ),
        (&["LOGIN"], "auto", "AUTH LOGIN"),
        (&["XOAUTH2", "login"], "auto", "AUTH LOGIN"),
        (&["PLAIN", "LOGIN"], "login", "AUTH LOGIN"),
        (&["PLAIN"], "plain", "AUTH PLAIN AHVzZXIAc2VjcmV0"),
        (
            &["LOGIN"],
            "plain",
            "offers only LOGIN to log in: set email_auth_type to auto",
        ),
        (&["XOAUTH2"], "auto", "offers only XOAUTH2 to log in"),
        (&[], "auto", "it offers no login here"),
    ] {
        let setup = AwkwardSetup {
            logins: offered.iter().map(|name| (*name).to_owned()).collect(),
            credentials: Some(("user".to_owned(), "secret".to_owned())),
            ..AwkwardSetup::default()
        };
        let server = AwkwardSmtp::start(setup).await.expect("starts");
        let change = |settings: &mut MailSettings| settings.auth = login(how);
        let report = send_with(&server, &numbered(1), limits(), change).await;
        match report.failures().next() {
            None => assert_eq!(server.commands()[1], answered),
            Some((_, error)) => assert!(error.to_string().contains(answered), "{error}"),
        }
    }
}

#[tokio::test]
async fn a_mechanism_that_is_too_weak_gives_way_to_the_next() {
    let setup = AwkwardSetup {
        rules: vec![Rule::on("logged in", Answer::line("504 5.5.4 unrecognized")).first(1)],
        logins: vec!["PLAIN".to_owned(), "LOGIN".to_owned()],
        ..AwkwardSetup::default()
    };
    let server = AwkwardSmtp::start(setup).await.expect("starts");
    let change = |settings: &mut MailSettings| settings.auth = login("auto");
    let report = send_with(&server, &numbered(1), limits(), change).await;
    assert_eq!(short(&report), "D");
}

type Change = fn(&mut MailSettings);

/// Faults of the set-up as operators meet them: the command, its answer, our settings, and the
/// remedy.
fn faults() -> Vec<(&'static str, &'static str, Change, &'static str)> {
    let no_change: Change = |_| {};
    let starttls: Change = |settings| settings.tls = MailTls::StartTls;
    let implicit: Change = |settings| settings.tls = MailTls::Implicit;
    let log_in: Change = |settings| settings.auth = login("auto");
    vec![
        (
            "MAIL",
            "530 5.7.0 Must issue a STARTTLS command first",
            no_change,
            "it wants STARTTLS first: set email_tls to starttls",
        ),
        (
            "MAIL",
            "530 5.7.0 Authentication required",
            no_change,
            "it wants a login: set email_auth_type to auto",
        ),
        (
            "EHLO",
            "250 mx",
            starttls,
            "it does not offer STARTTLS: set email_tls to implicit",
        ),
        (
            GREETING,
            "220 mx",
            implicit,
            "it does not speak TLS on this port: set email_tls to starttls",
        ),
        (
            GREETING,
            "HTTP/1.1 400 Bad Request",
            no_change,
            "it does not speak SMTP: check email_host and email_port",
        ),
        (
            GREETING,
            "\x15\x03\x01\x00\x02\x02\x46",
            no_change,
            "it speaks TLS from the first byte on this port: set email_tls to implicit",
        ),
        (
            "EHLO",
            "504 5.5.2 need fully-qualified hostname",
            no_change,
            "it does not accept the name lab.example.org in EHLO: set email_hello",
        ),
        (
            "EHLO",
            "250-mx\r\n250 AUTH PLAIN",
            log_in,
            "it does not accept our user name and password",
        ),
        (
            "RCPT",
            "504 5.5.2 <vm>: Helo command rejected: need fully-qualified hostname",
            no_change,
            "it does not accept the name lab.example.org in EHLO",
        ),
        (
            "RCPT",
            "554 5.7.1 <x@y>: Relay access denied",
            no_change,
            "it does not forward mail for us",
        ),
    ]
}

/// The same is said by a preflight, before anything is sent.
#[tokio::test]
async fn errors_say_what_to_change() {
    for (at, said, change, expected) in faults() {
        let rules = || {
            vec![
                Rule::on(at, Answer::line(said)),
                Rule::on("logged in", Answer::line("535 5.7.8 no")),
            ]
        };
        let server = server(rules()).await;
        let limits = Limits {
            command: Duration::from_secs(2),
            ..limits()
        };
        let report = send_with(&server, &numbered(1), limits, change).await;
        let error = first_failure(&report).clone();
        assert!(
            error.to_string().starts_with(expected),
            "{at} {said}: {error}"
        );
        let mut settings = settings(server.address().port());
        settings.host = "127.0.0.1".to_owned();
        change(&mut settings);
        let from = &addresses(&["lab@lab.example.org"])[0];
        let found = match preflight(&settings, limits, from, &numbered(1)).await {
            Err(error) => error,
            Ok(found) => found[0].1.clone().expect_err("refused"),
        };
        assert_eq!(found.problem, error.problem, "{at} {said}");
        assert!(server.mails().is_empty());
    }
}

#[tokio::test]
async fn a_preflight_says_what_each_recipient_is_answered() {
    let rules = vec![
        Rule::on("RCPT TO:<p1@", Answer::line("550 5.1.1 no such user")),
        Rule::on("RCPT TO:<p2@", Answer::line("450 4.2.0 greylisted")),
    ];
    let server = server(rules).await;
    let mut settings = settings(server.address().port());
    settings.host = "127.0.0.1".to_owned();
    let from = &addresses(&["lab@lab.example.org"])[0];
    let found = preflight(&settings, limits(), from, &numbered(4)).await;
    let answers: Vec<_> = found
        .expect("comes so far")
        .into_iter()
        .map(|(_, answer)| answer.err().and_then(|error| error.code()))
        .collect();
    assert_eq!(answers, [None, Some(550), Some(450), None]);
    assert!(server.mails().is_empty());
    let commands = server.commands();
    assert_eq!(commands[commands.len() - 2..], ["RSET", "QUIT"]);
}

#[tokio::test]
async fn a_host_that_is_not_there_is_named() {
    let mut settings = settings(1);
    settings.host = "127.0.0.1".to_owned();
    let from = &addresses(&["lab@lab.example.org"])[0];
    let report = deliver(&settings, limits(), from, &numbered(1), MAIL).await;
    assert_eq!(
        first_failure(&report).to_string(),
        "127.0.0.1:1 refused the connection"
    );
}

fn answer() -> impl Strategy<Value = Answer> {
    let code = prop_oneof![
        Just("250"),
        Just("354"),
        Just("220"),
        Just("421"),
        Just("450"),
        Just("452"),
        Just("550"),
        Just("554"),
        Just("x")
    ];
    let text = prop::collection::vec(any::<u8>(), 0..20);
    // Some come behind the limit of 100 ms.
    let delay = prop_oneof![3 => Just(0), 1 => 1..150_u64].prop_map(Duration::from_millis);
    let line = (code, text, any::<bool>(), delay).prop_map(|(code, text, hangs_up, delay)| {
        let bytes = [code.as_bytes(), b" ", &text, b"\r\n"].concat();
        let answer = Answer::bytes(bytes).after(delay);
        if hangs_up {
            answer.then_hang_up()
        } else {
            answer
        }
    });
    prop_oneof![6 => line, 1 => Just(Answer::hang_up()), 1 => Just(Answer::hang())]
}

fn rule() -> impl Strategy<Value = Rule> {
    let at = prop_oneof![
        Just(GREETING),
        Just("EHLO"),
        Just("MAIL"),
        Just("RCPT TO:<p0@"),
        Just("RCPT TO:<p1@"),
        Just("RCPT TO:<p2@"),
        Just("DATA"),
        Just("."),
        Just("RSET"),
        Just("QUIT"),
    ];
    (at, answer(), 1..3_usize).prop_map(|(at, answer, times)| Rule::on(at, answer).first(times))
}

/// A tenth of a second for everything.
fn impatient() -> Limits {
    let limit = Duration::from_millis(100);
    Limits {
        connect: limit,
        command: limit,
        data: limit,
        block: limit,
        final_dot: limit,
        recipients: limit,
        quit: limit,
    }
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 96, ..ProptestConfig::default() })]
    /// Whatever a server does: who counts as delivered has the mail, who has it does not count as refused, and it ends.
    #[test]
    fn an_outcome_is_never_better_than_what_the_server_took(rules in prop::collection::vec(rule(), 0..4)) {
        let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build().expect("a runtime");
        let to = numbered(3);
        let (report, mails) = runtime.block_on(async {
            let server = server(rules).await;
            (send_with(&server, &to, impatient(), |_| {}).await, server.mails())
        });
        prop_assert_eq!(report.recipients.len(), to.len());
        for one in &report.recipients {
            let name = one.recipient.to_string();
            let copies = mails.iter().filter(|mail| mail.to.contains(&name)).count();
            match one.outcome {
                Outcome::Delivered => prop_assert_eq!(copies, 1),
                Outcome::Refused(_) | Outcome::NotYet(_) => prop_assert_eq!(copies, 0),
                Outcome::UnknownAfterDot(_) => prop_assert!(copies <= 1),
            }
        }
    }

    /// Whatever a server does for a while: in the end each recipient has the mail, the same at each attempt, or was refused.
    #[test]
    fn each_recipient_has_the_mail_in_the_end(rules in prop::collection::vec(rule(), 0..4)) {
        let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build().expect("a runtime");
        let to = numbered(3);
        let (refused, waiting, mails) = runtime.block_on(async {
            let server = server(rules).await;
            let (mut waiting, mut refused) = (to.clone(), Vec::new());
            // Each rule spoils two attempts at the most.
            for _ in 0..8 {
                let report = send_with(&server, &waiting, impatient(), |_| {}).await;
                waiting.clear();
                for one in report.recipients {
                    match one.outcome {
                        Outcome::Delivered => {}
                        Outcome::Refused(_) => refused.push(one.recipient),
                        Outcome::NotYet(_) | Outcome::UnknownAfterDot(_) => waiting.push(one.recipient),
                    }
                }
                if waiting.is_empty() {
                    break;
                }
            }
            (refused, waiting, server.mails())
        });
        prop_assert_eq!(waiting, []);
        for recipient in to.iter().filter(|recipient| !refused.contains(recipient)) {
            let name = recipient.to_string();
            prop_assert!(mails.iter().any(|mail| mail.to.contains(&name)), "{} of {:?}", name, mails);
        }
        prop_assert!(mails.iter().all(|mail| mail.content == mails[0].content));
    }
}
