//! The configuration as a whole: what is accepted, what is refused and in which words, which layer
//! wins, and that no secret is ever shown.

#![allow(
    clippy::too_many_lines,
    reason = "a test is one scenario from beginning to end"
)]
#![allow(clippy::expect_used, reason = "helpers of tests may fail a test")]

#[path = "config/copied.rs"]
mod copied;
#[path = "config/declared.rs"]
mod declared;
#[path = "config/documents.rs"]
mod documents;
#[path = "config/recipients.rs"]
mod recipients;
#[path = "config/tables.rs"]
mod tables;

use std::collections::BTreeMap;
use std::fs;
use std::os::unix::fs::PermissionsExt;
use std::path::{Path, PathBuf};
use std::time::Duration;

use engine::{Asking, Policy, Route, Sampling};
use labwatch::config::{LogFormat, LogTarget, MailAuth, MailTls, Sources, load, load_rules};
use secrecy::ExposeSecret;

const SECRET: &str = "s3cr3t-0f-b00k";

/// Everything that is required, and `more`.
fn env(more: &[(&str, &str)]) -> Sources {
    let required = [
        ("HOST_BOOK", "app.example.org"),
        ("HOST_JUMP", "app.example.org"),
        ("HOST_RELAY", "app.example.org"),
    ];
    let secrets = [
        ("SECRET_BOOK", SECRET),
        ("SECRET_JUMP", "jump-secret"),
        ("SECRET_RELAY", "relay-secret"),
    ];
    let all = required.iter().chain(&secrets).chain(more);
    Sources {
        env: all
            .map(|(key, value)| (format!("STATUS_{key}"), (*value).to_owned()))
            .collect(),
        ..Sources::default()
    }
}

fn with_file(mut sources: Sources, folder: &Path, text: &str) -> Sources {
    let path = folder.join("labwatch.toml");
    fs::write(&path, text).expect("writes");
    sources.file = Some(path);
    sources
}

fn without(mut sources: Sources, keys: &[&str]) -> Sources {
    for key in keys {
        sources.env.remove(&format!("STATUS_{key}"));
    }
    sources
}

fn problems(sources: &Sources) -> String {
    load(sources).expect_err("problems").to_string()
}

#[test]
fn hosts_and_secrets_alone_make_the_documented_defaults() {
    let loaded = load(&env(&[])).expect("loads");
    let config = &loaded.config;
    assert_eq!(config.health, Policy::default());
    assert_eq!(config.book.timeout, Duration::from_secs(5));
    assert_eq!(config.relay.reconnect_every, Duration::from_secs(86_400));
    assert_eq!(config.log_every, Duration::from_secs(3_600));
    assert_eq!(
        config
            .api
            .listen
            .map(|listen| listen.to_string())
            .as_deref(),
        Some("127.0.0.1:3007")
    );
    assert_eq!(
        (config.log.level.as_str(), config.log.format),
        ("info", LogFormat::Json)
    );
    assert!(matches!(config.log.target, LogTarget::Output) && config.mail.is_none());
    let also = &config.api.listen_also;
    assert_eq!(
        also.iter().map(ToString::to_string).collect::<Vec<_>>(),
        ["[::1]:3007"]
    );
    assert_eq!(loaded.warnings, Vec::<String>::new());
    assert!(loaded.is_set("host_book") && !loaded.is_set("timeout_book"));
}

#[test]
fn the_rules_alone_need_nothing_and_are_the_engine_s_own() {
    assert_eq!(
        load_rules(&Sources::default())
            .expect("loads")
            .config
            .health,
        Policy::default()
    );
    let strict = Sources {
        overrides: vec![("health_last_active".into(), "3s".into())],
        ..Sources::default()
    };
    assert_eq!(
        load_rules(&strict)
            .expect("loads")
            .config
            .health
            .last_active,
        Duration::from_secs(3)
    );
    let wrong = Sources {
        overrides: vec![("health_last_active".into(), "3".into())],
        ..Sources::default()
    };
    assert!(load_rules(&wrong).is_err());
}

/// One wrong value each, with the exact words about it.
const REFUSED: &[(&str, &str, &str)] = &[
    (
        "TIMEOUT_BOOK",
        "10m",
        r#"timeout_book is "10m", which is too long; a duration from 100ms to 5m"#,
    ),
    (
        "TIMEOUT_BOOK",
        "5",
        r#"timeout_book is "5", which is not a duration: the unit is missing: write for example 10s, 15m, 1h30m, 1d; a duration from 100ms to 5m"#,
    ),
    (
        "HEALTH_LAST_ACTIVE",
        "0s",
        r#"health_last_active is "0s", which is too short; a duration from 1s to 1d"#,
    ),
    (
        "HEALTH_EVENTS",
        "0",
        r#"health_events is "0", which is out of bounds; a number from 1 to 10000"#,
    ),
    (
        "HEALTH_EVENTS",
        "many",
        r#"health_events is "many", which is not such a number; a number from 1 to 10000"#,
    ),
    (
        "SAMPLE",
        "maybe",
        r#"sample is "maybe", which is not one of them; auto, always or never"#,
    ),
    (
        "ASK_EVERY",
        "2h",
        r#"ask_every is "2h", which is too long; auto, off, or a duration from 1s to 1h"#,
    ),
    (
        "PORT_SERVE",
        "70000",
        r#"port_serve is "70000", which is not such a number; a number from 0 to 65535, or none"#,
    ),
    (
        "PORT_SERVE",
        "-1",
        r#"port_serve is "-1", which is not such a number; a number from 0 to 65535, or none"#,
    ),
    (
        "API_PREFIX",
        "/lab?x",
        r#"api_prefix is "/lab?x", which is not a plain path; a path such as /labwatch, of letters, digits, dashes, dots, underscores and tildes between slashes"#,
    ),
    (
        "API_PREFIX",
        "/{lab}",
        r#"api_prefix is "/{lab}", which has other characters; a path such as /labwatch, of letters, digits, dashes, dots, underscores and tildes between slashes"#,
    ),
    (
        "LABEL",
        "lab/",
        r#"label is "lab/", which has an empty part; letters, digits, dots, dashes and underscores, also with slashes between them, at most 64"#,
    ),
    (
        "ADDRESS_SERVE",
        "localhost",
        r#"address_serve has "localhost", which is not an IP address; IP addresses, separated by commas or white space, or a list of them"#,
    ),
    (
        "HOST_BOOK",
        "https://x.org",
        r#"host_book is "https://x.org", which has a scheme: that belongs into scheme_book; a host, or host:port, without scheme and path"#,
    ),
    (
        "HOST_JUMP",
        "x.org/ed0",
        r#"host_jump is "x.org/ed0", which has a path: that belongs into basepath_jump; a host, or host:port, without scheme and path"#,
    ),
    (
        "URL_RELAY_SOCKET",
        "http://x",
        r#"url_relay_socket is "http://x", which has another scheme; a ws or wss URL without user, path, query and fragment"#,
    ),
    (
        "URL_BOOK",
        "http://me:pw@x",
        "url_book is \"http://\u{2026}@x\", which has a user, a query or a fragment; an http or https URL without user, query and fragment",
    ),
    (
        "LOG_LEVEL",
        "infoo",
        r#"log_level is "infoo", which is not a level; off, error, warn, info, debug, trace, or a filter such as info,labwatch::clients=debug"#,
    ),
    (
        "LOG_MAX_SIZE",
        "50MB",
        r#"log_max_size is "50MB", which is not a size: write bytes, or a number with KiB, MiB or GiB; a size from 64KiB to 4GiB"#,
    ),
    (
        "LOG_MAX_TOTAL",
        "1MiB",
        "log_max_total is below log_max_size; all log files together need room for at least one",
    ),
    (
        "EMAIL_SUBJECT",
        "a\r\nBcc: x",
        r#"email_subject is "a\r\nBcc: x", which holds a control character; a text without control characters"#,
    ),
    (
        "EMAIL_TO",
        "a@x.org;b@x.org",
        r#"email_to has "a@x.org;b@x.org", which is not a mail address; mail addresses, separated by commas or white space, or a list of them"#,
    ),
    (
        "EMAIL_LINK",
        "javascript:x",
        r#"email_link is "javascript:x", which has another scheme; an http or https URL"#,
    ),
    (
        "PROFILE",
        "perhaps",
        r#"profile is "perhaps", which is neither; true or false"#,
    ),
    (
        "EMAIL_REMIND",
        "1m",
        r#"email_remind is "1m", which is too short; off, or a duration from 10m to 7d"#,
    ),
    (
        "EMAIL_DIGEST",
        "7",
        r#"email_digest is "7", which is not a time; off, or a time such as 07:30"#,
    ),
    (
        "TIME_ZONE",
        "Edinburgh",
        r#"time_zone is "Edinburgh", which is not known: zones are named after large cities, and timedatectl list-timezones lists them; a time zone by its IANA name, such as Europe/London"#,
    ),
    (
        "WEBHOOK_URL",
        "ftp://x.org/s3cr3t",
        "webhook_url has another scheme; an http or https URL without user and fragment",
    ),
    (
        "DEAD_MAN_URL",
        "https://me:s3cr3t@x.org",
        "dead_man_url has a user or a fragment; an http or https URL without user and fragment",
    ),
    (
        "DEAD_MAN_EVERY",
        "9s",
        r#"dead_man_every is "9s", which is too short; a duration from 10s to 1h"#,
    ),
    (
        "HEALTH_FLAP_WINDOW",
        "9m",
        r#"health_flap_window is "9m", which is too short; off, or a duration from 10m to 1d"#,
    ),
    (
        "HEALTH_FLAP_LOW",
        "40",
        "health_flap_low is not below health_flap_high; flapping must weigh less at its end than at its start",
    ),
    (
        "NON_FATAL",
        "mail,jmp",
        r#"non_fatal has "jmp", which is not a component: did you mean jump?; names of components, separated by commas or white space, or a list of them; or none"#,
    ),
    (
        "LABEL",
        "my lab",
        r#"label is "my lab", which has other characters; letters, digits, dots, dashes and underscores, also with slashes between them, at most 64"#,
    ),
    (
        "GRAPHITE_PREFIX",
        "lab.",
        r#"graphite_prefix is "lab.", which has an empty part or other characters; names of letters, digits, dashes and underscores with dots between them"#,
    ),
    (
        "GRAPHITE_HOST",
        "x:2003",
        r#"graphite_host is "x:2003", which has a port: that belongs into graphite_port; a host without port"#,
    ),
    (
        "API_URL",
        "https://x.org/?a",
        r#"api_url is "https://x.org/?a", which has a query; an http or https URL"#,
    ),
    (
        "API_TRUSTED_PROXY",
        "10.0.0.1/8",
        r#"api_trusted_proxy has "10.0.0.1/8", which has bits beyond its prefix: write 10.0.0.0/8; IP addresses and networks, separated by commas or white space, or a list of them; or none"#,
    ),
    (
        "SECRET_API",
        "s3cr3t",
        "secret_api is too short, so that it could be guessed; at least 32 bytes, such as openssl rand -base64 32 makes",
    ),
];

#[test]
fn a_wrong_value_is_refused_in_plain_words_with_its_origin() {
    for (key, value, words) in REFUSED {
        assert_eq!(
            problems(&env(&[(key, value)])),
            format!("{words} (environment variable STATUS_{key})"),
            "{key}={value}"
        );
    }
}

#[test]
fn every_problem_is_reported_at_once() {
    let sources = env(&[
        ("SAMPLE", "x"),
        ("HOST_BOOKJUMP", "x"),
        ("SECRET_JUMP", ""),
        ("EMAIL_HOST", "smtp.example.org"),
    ]);
    let text = problems(&without(sources, &["HOST_BOOK", "SECRET_RELAY"]));
    let expected = "\
host_bookjump is not a setting; did you mean STATUS_HOST_BOOK? (environment variable STATUS_HOST_BOOKJUMP)
host_book is missing; set host_book in the configuration file or STATUS_HOST_BOOK in the environment
secret_jump is empty; name a file with it in secret_jump_file, give it as a systemd credential, or set secret_jump in the configuration file or STATUS_SECRET_JUMP in the environment (environment variable STATUS_SECRET_JUMP)
secret_relay is missing; name a file with it in secret_relay_file, give it as a systemd credential, or set secret_relay in the configuration file or STATUS_SECRET_RELAY in the environment
sample is \"x\", which is not one of them; auto, always or never (environment variable STATUS_SAMPLE)
email_to is missing; email_host is set, so that mail is on: set email_to in the configuration file or STATUS_EMAIL_TO in the environment
email_from is missing; mail needs a sender: set email_from in the configuration file or STATUS_EMAIL_FROM in the environment";
    assert_eq!(text, expected);
}

#[test]
fn addresses_are_built_from_their_parts() {
    for (more, audience, connect) in [
        (
            &[][..],
            "https://app.example.org",
            "https://app.example.org/",
        ),
        (
            &[("BASEPATH_BOOK", "")],
            "https://app.example.org",
            "https://app.example.org/",
        ),
        (
            &[("BASEPATH_BOOK", "/")],
            "https://app.example.org",
            "https://app.example.org/",
        ),
        (
            &[("BASEPATH_BOOK", "/ed0/book/")],
            "https://app.example.org/ed0/book",
            "https://app.example.org/ed0/book",
        ),
        (
            &[("SCHEME_BOOK", "http"), ("HOST_BOOK", "[::1]:4000")],
            "http://[::1]:4000",
            "http://[::1]:4000/",
        ),
        (
            &[("HOST_BOOK", "app.example.org:443")],
            "https://app.example.org:443",
            "https://app.example.org/",
        ),
        (
            &[("URL_BOOK", "http://127.0.0.1:4000")],
            "https://app.example.org",
            "http://127.0.0.1:4000/",
        ),
        (
            &[("AUDIENCE_BOOK", "https://lab/x")],
            "https://lab/x",
            "https://lab/x",
        ),
        (
            &[
                ("AUDIENCE_BOOK", "the book"),
                ("URL_BOOK", "http://127.0.0.1:4000"),
            ],
            "the book",
            "http://127.0.0.1:4000/",
        ),
    ] {
        let address = load(&env(more)).expect("loads").config.book.address;
        assert_eq!(
            (address.audience.as_str(), address.connect.as_str()),
            (audience, connect),
            "{more:?}"
        );
    }
    let notified = problems(&env(&[("AUDIENCE_BOOK", "the book")]));
    assert!(
        notified
            .starts_with("url_book is missing; audience_book is not an address that can be called"),
        "{notified}"
    );
    let sources = without(
        env(&[
            ("AUDIENCE_JUMP", "https://lab/jump"),
            ("URL_JUMP_SOCKET", "ws://127.0.0.1:3003"),
        ]),
        &["HOST_JUMP"],
    );
    let jump = load(&sources)
        .expect("an audience makes a host needless")
        .config
        .jump
        .address;
    assert_eq!(
        jump.websocket.expect("set").as_str(),
        "ws://127.0.0.1:3003/"
    );
}

#[test]
fn a_later_layer_wins() {
    let folder = tempfile::tempdir().expect("a folder");
    let path = |sources| {
        load(&sources)
            .expect("loads")
            .config
            .health
            .query_book_every
            .as_secs()
    };
    let file = "query_book_every = \"20s\"\n";
    assert_eq!(path(env(&[])), 900);
    assert_eq!(path(with_file(env(&[]), folder.path(), file)), 20);
    let mut sources = with_file(env(&[("QUERY_BOOK_EVERY", "30s")]), folder.path(), file);
    assert_eq!(path(sources.clone()), 30);
    sources.overrides = vec![
        ("query_book_every".into(), "40s".into()),
        ("query_book_every".into(), "50s".into()),
    ];
    assert_eq!(path(sources), 50);
    let mut named = env(&[]);
    named.env.insert(
        "STATUS_CONFIG".into(),
        folder
            .path()
            .join("labwatch.toml")
            .to_string_lossy()
            .into_owned(),
    );
    assert_eq!(path(named), 20);
    assert_eq!(
        path(with_file(
            env(&[("QUERY_BOOK_EVERY", "")]),
            folder.path(),
            file
        )),
        20,
        "an empty value is none"
    );
}

#[test]
fn toml_types_are_taken_as_they_are_meant() {
    let folder = tempfile::tempdir().expect("a folder");
    let text = r#"
        port_serve = 8080
        health_events = "50"
        profile = true
        log_max_size = 1048576
        email_host = "localhost"
        email_from = "Lab <lab@example.org>"
        email_to = ["Jane Doe <jane@example.org>", "joe@example.org"]
        email_cc = "a@example.org, b@example.org c@example.org"
        log_file = "/var/log/labwatch/labwatch.log"
    "#;
    let loaded = load(&with_file(env(&[]), folder.path(), text)).expect("loads");
    assert_eq!(
        loaded.config.api.listen.map(|listen| listen.port()),
        Some(8080)
    );
    assert_eq!(loaded.config.health.events, 50);
    let LogTarget::File(file) = loaded.config.log.target else {
        panic!("a file")
    };
    assert_eq!(file.max_size, 1 << 20);
    let mail = loaded.config.mail.expect("mail");
    assert_eq!(mail.to, ["Jane Doe <jane@example.org>", "joe@example.org"]);
    assert_eq!(mail.cc, ["a@example.org", "b@example.org", "c@example.org"]);
    assert_eq!(
        loaded.warnings,
        ["profile is ignored: take a CPU profile with perf record -g -p $(pidof labwatch)"]
    );

    let text = "host_book = [\"a\"]\nemail_to = [1, 2]\n\n[health]\nevents = 3\nport_serve = 1.5\nsecret_book = 12\n";
    let notified = problems(&with_file(
        without(env(&[]), &["HOST_BOOK"]),
        folder.path(),
        text,
    ))
    .replace(&*folder.path().to_string_lossy(), "");
    let expected = "\
health is not a table that labwatch knows; the tables are [[route]], [[maintenance]], [[pool]], [[category]], [[service]], [advice]; settings stand without one, such as host_book (/labwatch.toml:4)
host_book is a list; a host, or host:port, without scheme and path (/labwatch.toml:1)
email_to is not a list of texts; mail addresses, separated by commas or white space, or a list of them (/labwatch.toml:2)";
    assert_eq!(notified, expected);
}

#[test]
fn a_broken_file_is_reported_by_line_and_without_its_text() {
    let folder = tempfile::tempdir().expect("a folder");
    for (text, words) in [
        (
            format!("sample = \"auto\"\nsecret_book = {SECRET}\n"),
            "invalid string",
        ),
        (
            format!("sample = \"auto\"\nsecret_book = \"{SECRET}\n"),
            "invalid basic string",
        ),
        (
            format!("sample = \"auto\"\nsecret_book = '{SECRET}' x\n"),
            "expected newline",
        ),
        (
            "sample = \"auto\"\nsample = \"auto\"\n".to_owned(),
            "duplicate key",
        ),
    ] {
        let notified = problems(&with_file(
            without(env(&[]), &["SECRET_BOOK"]),
            folder.path(),
            &text,
        ));
        assert!(
            notified.starts_with("the configuration file is not TOML: ")
                && notified.contains(words),
            "{notified}"
        );
        assert!(
            notified.ends_with("labwatch.toml:2)") && !notified.contains("s3cr3t"),
            "{notified}"
        );
        assert_eq!(
            notified.lines().count(),
            1,
            "what the file may hold is not called missing: {notified}"
        );
    }
    let missing = Sources {
        file: Some(PathBuf::from("/nowhere/labwatch.toml")),
        ..env(&[])
    };
    let notified = problems(&missing);
    assert!(
        notified
            .starts_with("cannot read the configuration file /nowhere/labwatch.toml: No such file"),
        "{notified}"
    );
}

#[test]
fn a_misspelt_setting_is_refused_with_a_suggestion() {
    let folder = tempfile::tempdir().expect("a folder");
    let sources = with_file(
        env(&[("TIMEOUT_BOK", "1s")]),
        folder.path(),
        "\nSTATUS_SAMPLE = \"auto\"\nzzz = 1\n",
    );
    let notified = problems(&sources).replace(&*folder.path().to_string_lossy(), "");
    let expected = "\
STATUS_SAMPLE is not a setting; did you mean sample? (/labwatch.toml:2)
zzz is not a setting (/labwatch.toml:3)";
    assert_eq!(
        notified, expected,
        "what only the environment has is no reason to refuse"
    );
}

#[test]
fn the_old_name_of_last_active_counts_unless_the_new_one_is_set() {
    let last_active = |more: &[(&str, &str)]| {
        let loaded = load(&env(more)).expect("loads");
        assert_eq!(
            loaded.warnings,
            ["health_last is an old name: write health_last_active"]
        );
        loaded.config.health.last_active.as_secs()
    };
    assert_eq!(last_active(&[("HEALTH_LAST", "5m")]), 300);
    assert_eq!(
        last_active(&[("HEALTH_LAST", "5m"), ("HEALTH_LAST_ACTIVE", "20s")]),
        20
    );
    let notified = problems(&env(&[("HEALTH_LAST", "5")]));
    assert!(
        notified.starts_with("health_last_active is \"5\"")
            && notified.ends_with("(environment variable STATUS_HEALTH_LAST)"),
        "{notified}"
    );
}

#[test]
fn mail_is_off_on_or_its_missing_settings_are_reported() {
    let base = [
        ("EMAIL_HOST", "smtp.example.org"),
        ("EMAIL_TO", "a@x.org b@x.org,c@x.org"),
        ("EMAIL_FROM", "Lab <lab@x.org>"),
    ];
    let mail = |more: &[(&str, &str)]| {
        load(&env(&[&base, more].concat())).map(|loaded| loaded.config.mail.expect("mail"))
    };
    assert_eq!(mail(&[]).expect("loads").to.len(), 3);
    for (more, tls) in [
        (&[][..], MailTls::StartTls),
        (&[("EMAIL_PORT", "465")], MailTls::Implicit),
        (&[("EMAIL_HOST", "localhost")], MailTls::None),
        (
            &[("EMAIL_HOST", "127.0.0.1"), ("EMAIL_TLS", "STARTTLS")],
            MailTls::StartTls,
        ),
        (&[("EMAIL_TLS", "none")], MailTls::None),
    ] {
        assert_eq!(mail(more).expect("loads").tls, tls, "{more:?}");
    }
    let plain = [("EMAIL_AUTH_TYPE", "plain"), ("EMAIL_PASSWORD", "pw")];
    let MailAuth::Plain { user, password } = mail(&plain).expect("loads").auth else {
        panic!("plain")
    };
    assert_eq!(
        (user.as_str(), password.expose_secret()),
        ("lab@x.org", "pw")
    );
    let login = [
        ("EMAIL_AUTH_TYPE", "login"),
        ("EMAIL_PASSWORD", "pw"),
        ("EMAIL_USERNAME", "me"),
    ];
    assert!(
        matches!(mail(&login).expect("loads").auth, MailAuth::Login { user, .. } if user == "me")
    );

    let auto = [
        ("EMAIL_AUTH_TYPE", "auto"),
        plain[1],
        ("EMAIL_HELLO", "lab.x.org"),
        ("EMAIL_TLS_CA", "/etc/ca.pem"),
        ("EMAIL_TLS_FINGERPRINT", &"0A:".repeat(32)[..95]),
    ];
    let loaded = mail(&auto).expect("loads");
    assert!(matches!(loaded.auth, MailAuth::Auto { user, .. } if user == "lab@x.org"));
    assert_eq!(loaded.hello.as_deref(), Some("lab.x.org"));
    assert_eq!(loaded.tls_ca.as_deref(), Some(Path::new("/etc/ca.pem")));
    assert_eq!(
        loaded.tls_fingerprint.map(|shown| shown.to_string()),
        Some("0A:".repeat(32)[..95].to_owned())
    );
    for (key, value) in [
        ("EMAIL_HELLO", "vm"),
        ("EMAIL_TLS_CA", "ca.pem"),
        ("EMAIL_TLS_FINGERPRINT", "0A:0B"),
    ] {
        let error = mail(&[(key, value)]).expect_err("wrong").to_string();
        assert!(error.contains(value), "{error}");
    }

    let notified = mail(&[plain[0]]).expect_err("no password").to_string();
    assert!(
        notified.starts_with("email_password is missing; email_auth_type needs it"),
        "{notified}"
    );
    let notified = mail(&[plain[0], plain[1], ("EMAIL_TLS", "none")])
        .expect_err("no TLS")
        .to_string();
    assert!(
        notified.starts_with("email_tls is none, which would send the password over the network"),
        "{notified}"
    );
    assert!(
        mail(&[
            plain[0],
            plain[1],
            ("EMAIL_TLS", "none"),
            ("EMAIL_HOST", "localhost")
        ])
        .is_ok()
    );
    let notified = problems(&env(&[("EMAIL_TO", "a@x.org"), ("EMAIL_FROM", "b@x.org")]));
    assert!(
        notified.starts_with("email_host is missing; email_to is set, so that mail is on"),
        "{notified}"
    );

    let loaded = load(&env(&[("EMAIL_FROM", "b@x.org")])).expect("loads");
    assert!(loaded.config.mail.is_none());
    assert_eq!(
        loaded.warnings,
        ["mail is off: email_from is set, but email_host and email_to are not"]
    );
}

/// A file with a secret, which only its owner may read.
fn secret_file(folder: &Path, name: &str, text: &str) -> String {
    let path = folder.join(name);
    fs::write(&path, text).expect("writes");
    fs::set_permissions(&path, fs::Permissions::from_mode(0o600)).expect("sets");
    path.to_string_lossy().into_owned()
}

#[test]
fn a_secret_comes_from_a_variable_a_file_or_a_credential() {
    let folder = tempfile::tempdir().expect("a folder");
    let secret = |sources: &Sources| {
        load(sources).map(|loaded| loaded.config.book.address.secret.expose_secret().to_owned())
    };
    let bare = |more: &[(&str, &str)]| {
        without(
            env(more),
            if more.iter().any(|(key, _)| *key == "SECRET_BOOK") {
                &[]
            } else {
                &["SECRET_BOOK"]
            },
        )
    };
    let path = secret_file(folder.path(), "one", "from a file\n");
    assert_eq!(
        secret(&bare(&[("SECRET_BOOK_FILE", &path)])).expect("loads"),
        "from a file"
    );
    let windows = secret_file(folder.path(), "two", "from a file\r\n");
    assert_eq!(
        secret(&bare(&[("SECRET_BOOK_FILE", &windows)])).expect("loads"),
        "from a file"
    );

    secret_file(folder.path(), "secret_book", "a credential");
    let mut sources = bare(&[]);
    sources.credentials = Some(folder.path().to_owned());
    assert_eq!(secret(&sources).expect("loads"), "a credential");
    sources
        .env
        .insert("STATUS_SECRET_BOOK".into(), SECRET.into());
    let loaded = load(&sources).expect("loads");
    assert_eq!(loaded.config.book.address.secret.expose_secret(), SECRET);
    let warning = "secret_book is given twice: environment variable STATUS_SECRET_BOOK is used, credential secret_book is not";
    assert_eq!(loaded.warnings, [warning]);

    let both = problems(&bare(&[
        ("SECRET_BOOK", SECRET),
        ("SECRET_BOOK_FILE", &path),
    ]));
    assert_eq!(
        both,
        "secret_book and secret_book_file are both set; leave one out (environment variable STATUS_SECRET_BOOK and environment variable STATUS_SECRET_BOOK_FILE)"
    );
    for (name, text, words) in [
        ("empty", "\n".to_owned(), "is empty"),
        ("long", "x".repeat(20_000), "is longer than 16384 bytes"),
    ] {
        let path = secret_file(folder.path(), name, &text);
        let notified = problems(&bare(&[("SECRET_BOOK_FILE", &path)]));
        assert!(
            notified.starts_with(&format!("secret_book_file names {path:?}, which {words}")),
            "{notified}"
        );
    }
    for (path, words) in [
        ("/nowhere/x", "which cannot be opened: No such file"),
        ("/", "which cannot be read as text: Is a directory"),
    ] {
        assert!(
            problems(&bare(&[("SECRET_BOOK_FILE", path)])).contains(words),
            "{path}"
        );
    }
    let notified = problems(&bare(&[("SECRET_BOOK_FILE", SECRET)]));
    assert!(
        notified.starts_with("secret_book_file is not an absolute path; an absolute path")
            && !notified.contains(SECRET),
        "{notified}"
    );
}

#[test]
fn a_secret_that_others_can_read_is_warned_of() {
    let folder = tempfile::tempdir().expect("a folder");
    let path = secret_file(folder.path(), "one", " x ");
    fs::set_permissions(&path, fs::Permissions::from_mode(0o644)).expect("sets");
    let loaded = load(&without(
        env(&[("SECRET_BOOK_FILE", &path)]),
        &["SECRET_BOOK"],
    ))
    .expect("loads");
    let open = format!(
        "secret_book_file: every user of this host can read {path}; take the right away with chmod o-r {path}"
    );
    let blank = "secret_book_file starts or ends with white space, which is taken as a part of it (environment variable STATUS_SECRET_BOOK_FILE)";
    assert_eq!(loaded.warnings, [open.as_str(), blank]);

    let mut sources = with_file(
        without(env(&[]), &["SECRET_BOOK"]),
        folder.path(),
        &format!("secret_book = \"{SECRET}\"\n"),
    );
    let config = folder.path().join("labwatch.toml");
    fs::set_permissions(&config, fs::Permissions::from_mode(0o644)).expect("sets");
    assert!(
        load(&sources).expect("loads").warnings[0]
            .starts_with("secret_book: every user of this host can read")
    );
    sources.overrides = vec![("secret_book".into(), SECRET.into())];
    assert_eq!(
        load(&sources).expect("loads").warnings,
        ["secret_book is given as an argument, where every user of this host can read it"]
    );
}

#[test]
fn no_secret_is_ever_shown() {
    let mail = [
        ("EMAIL_HOST", "smtp.example.org"),
        ("EMAIL_TO", "a@x.org"),
        ("EMAIL_FROM", "b@x.org"),
        ("EMAIL_AUTH_TYPE", "login"),
    ];
    let good = env(&[&mail[..], &[("EMAIL_PASSWORD", SECRET)]].concat());
    let loaded = load(&good).expect("loads");
    let shown = format!(
        "{loaded:?}\n{:#?}\n{}",
        loaded.config,
        loaded.config.summary()
    );
    assert!(
        shown.contains("REDACTED") && !shown.contains(SECRET) && !shown.contains("jump-secret"),
        "{shown}"
    );

    let folder = tempfile::tempdir().expect("a folder");
    for text in [
        format!("secret_book = [\"{SECRET}\"]"),
        format!("secret_book = {{ a = \"{SECRET}\" }}"),
        format!("secret_book_file = \"{SECRET}\""),
        format!("secret_book_file = [\"{SECRET}\"]"),
        format!("secret_bok = \"{SECRET}\""),
        format!("secret_book = \"{SECRET}\"\nsecret_book_file = \"/etc/x\""),
        format!("secret_book = \"{SECRET}\u{fffd}\""),
    ] {
        let error = load(&with_file(
            without(env(&[]), &["SECRET_BOOK"]),
            folder.path(),
            &text,
        ))
        .expect_err("refused");
        assert!(
            !format!("{error}\n{error:?}").contains(SECRET),
            "{text}: {error}"
        );
        assert!(error.to_string().contains("secret_bo"), "{error}");
    }
    let number = with_file(
        without(env(&[]), &["SECRET_BOOK"]),
        folder.path(),
        "secret_book = 918273645",
    );
    let notified = problems(&number);
    assert!(
        notified.starts_with("secret_book is not a text; ") && !notified.contains("918273645"),
        "{notified}"
    );
}

#[test]
fn choices_reach_the_policy() {
    let policy = |more: &[(&str, &str)]| load(&env(more)).expect("loads").config.health;
    assert_eq!(policy(&[("ASK_EVERY", "off")]).ask, None);
    assert_eq!(
        policy(&[("ASK_EVERY", "5s")]).ask,
        Some(Asking::Every(Duration::from_secs(5)))
    );
    assert_eq!(policy(&[("SAMPLE", "Always")]).sample, Sampling::Always);
    let mail = [
        ("EMAIL_HOST", "localhost"),
        ("EMAIL_TO", "a@x.org"),
        ("EMAIL_FROM", "b@x.org"),
        ("EMAIL_GATHER", "1m"),
    ];
    let routes = |more: &[(&str, &str)]| {
        let config = load(&env(more)).expect("loads").config;
        config.notifications.routes(config.mail.is_some())
    };
    assert_eq!(
        routes(&mail),
        [Route {
            gather: Duration::from_secs(60),
            zone: load(&env(&mail))
                .expect("loads")
                .config
                .notifications
                .zone
                .rules,
            ..Route::everybody()
        }]
    );
    assert_eq!(routes(&[]), []);
}

#[test]
fn an_environment_of_the_replaced_program_loads() {
    let old: BTreeMap<&str, &str> = include_str!("data/old.env")
        .lines()
        .filter_map(|line| line.split_once('='))
        .collect();
    let env = old
        .into_iter()
        .map(|(key, value)| (key.to_owned(), value.trim_matches('"').to_owned()))
        .collect();
    let loaded = load(&Sources {
        env,
        ..Sources::default()
    })
    .expect("loads");
    assert_eq!(
        loaded.config.relay.address.audience,
        "https://app.example.org/ed0/access"
    );
    assert_eq!(loaded.config.log.level, "error");
    assert_eq!(
        loaded.config.mail.expect("mail").to,
        ["a@example.org", "b@example.org"]
    );
}
