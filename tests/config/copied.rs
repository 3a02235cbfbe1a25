//! What was copied with more than the value, what others put into the environment, and the
//! deployments of the program that labwatch replaces: each is named, and survived where that is
//! safe.

use std::collections::BTreeMap;
use std::fmt::Write as _;
use std::fs;
use std::path::Path;

use labwatch::config::{Sources, load};

use super::{env, problems, secret_file, with_file, without};

/// One wrong value each, with the text about it before the allowed values.
const REFUSED: &[(&str, &str, &str)] = &[
    (
        "HOST_BOOK",
        "\"app.example.org\"",
        "host_book is \"\\\"app.example.org\\\"\", which is in quotation marks, which are taken as a part of it: leave them out",
    ),
    (
        "BASEPATH_BOOK",
        "\"/ed0/book\"",
        "which is in quotation marks",
    ),
    (
        "AUDIENCE_BOOK",
        "'https://app.example.org'",
        "which is in quotation marks",
    ),
    (
        "EMAIL_TO",
        "\"a@x.org b@x.org\"",
        "which is in quotation marks",
    ),
    (
        "HOST_BOOK",
        "app.example.org # prod",
        "which seems to have a comment behind it: comments stand on lines of their own",
    ),
    (
        "HOST_BOOK",
        "app. example.org",
        "which has a blank in it: comments stand on lines of their own",
    ),
    (
        "HOST_BOOK",
        "STATUS_HOST_BOOK=x.org",
        "which looks like NAME=VALUE: write the value alone",
    ),
    (
        "HOST_BOOK",
        "$DOMAIN",
        "which looks like a placeholder that was not filled in",
    ),
    (
        "BASEPATH_BOOK",
        "/${INSTANCE}/book",
        "which looks like a placeholder that was not filled in",
    ),
    (
        "HOST_BOOK",
        "::1",
        "which is an IPv6 address without brackets: write [::1]",
    ),
    (
        "HOST_BOOK",
        "\u{feff}app.example.org",
        "which starts with a byte order mark",
    ),
    (
        "TIMEOUT_BOOK",
        "5s # short",
        "which seems to have a comment behind it",
    ),
    (
        "EMAIL_TO",
        "Lab <a@x.org>",
        "email_to has \"Lab <a@x.org>\", which has a name: names are not taken here: a@x.org alone",
    ),
    ("LOG_FILE", "/", "which is a folder"),
];

#[test]
fn a_value_with_more_than_the_value_is_refused_by_name() {
    for (key, value, words) in REFUSED {
        let text = problems(&env(&[(key, value)]));
        assert!(
            text.contains(words) && text.lines().count() == 1,
            "{key}={value}: {text}"
        );
    }
}

#[test]
fn a_secret_with_more_than_the_secret_is_warned_of_and_not_shown() {
    let folder = tempfile::tempdir().expect("a folder");
    for (secret, words) in [
        ("\"s3cr3t\"", "is in quotation marks"),
        ("s3cr3t # of book", "seems to have a comment behind it"),
        ("\u{feff}s3cr3t", "starts with a byte order mark"),
        ("s3cr3t\0", "holds a control character"),
        ("BOOK_SECRET=s3cr3t", "looks like NAME=VALUE"),
        ("$BOOK_SECRET", "looks like a placeholder"),
        ("...", "looks like a placeholder"),
        (" s3cr3t", "starts or ends with white space"),
    ] {
        let loaded = load(&env(&[("SECRET_BOOK", secret)])).expect("loads");
        let [warning] = &loaded.warnings[..] else {
            panic!("{secret}: {:?}", loaded.warnings)
        };
        let begin = format!("secret_book {words}");
        assert!(
            warning.starts_with(&begin) && !warning.contains("s3cr3t"),
            "{warning}"
        );

        let path = secret_file(folder.path(), "secret", secret);
        let sources = without(env(&[("SECRET_BOOK_FILE", &path)]), &["SECRET_BOOK"]);
        let loaded = load(&sources).expect("loads");
        assert_eq!(loaded.warnings.len(), 1, "{:?}", loaded.warnings);
    }
    assert!(
        load(&env(&[("SECRET_BOOK", "QUJD_x==")]))
            .expect("loads")
            .warnings
            .is_empty()
    );
}

#[test]
fn a_free_text_with_quotation_marks_is_warned_of() {
    let loaded = load(&env(&[("EMAIL_SUBJECT", "\"lab\"")])).expect("loads");
    assert!(
        loaded.warnings[0]
            .starts_with("email_subject is \"\\\"lab\\\"\", which is in quotation marks")
    );
}

#[test]
fn a_name_behind_a_byte_order_mark_is_warned_of() {
    let mut sources = env(&[]);
    for name in ["\u{feff}STATUS_OBSERVE", "export STATUS_LABEL"] {
        sources.env.insert(name.to_owned(), "true".to_owned());
    }
    let loaded = load(&sources).expect("loads");
    assert!(!loaded.config.observe);
    assert_eq!(loaded.warnings.len(), 2, "{:?}", loaded.warnings);
    assert!(loaded.warnings[1].contains("which is not STATUS_OBSERVE and is ignored"));
}

#[test]
fn an_unknown_name_in_the_environment_is_a_warning_when_all_that_is_required_is_there() {
    let loaded = load(&env(&[("HOST_BOOKJUMP", "x"), ("TIMEOUT_BOK", "1s")])).expect("loads");
    assert_eq!(
        loaded.warnings,
        [
            "host_bookjump is not a setting and is ignored (environment variable STATUS_HOST_BOOKJUMP)",
            "timeout_bok is not a setting and is ignored; did you mean STATUS_TIMEOUT_BOOK? (environment variable STATUS_TIMEOUT_BOK)",
        ]
    );
    let mut argument = env(&[]);
    argument.overrides = vec![("host_bookjump".into(), "x".into())];
    assert_eq!(
        problems(&argument),
        "host_bookjump is not a setting (argument --set)"
    );
}

#[test]
fn links_of_a_service_called_status_are_survived() {
    let links = [
        ("PORT", "tcp://10.0.0.1:3007"),
        ("SERVICE_HOST", "10.0.0.1"),
        ("SERVICE_PORT", "3007"),
        ("PORT_3007_TCP", "tcp://10.0.0.1:3007"),
        ("PORT_3007_TCP_PROTO", "tcp"),
        ("PORT_3007_TCP_PORT", "3007"),
        ("PORT_3007_TCP_ADDR", "10.0.0.1"),
        ("EMAIL_PORT", "tcp://10.0.0.2:25"),
    ];
    let loaded = load(&env(&links)).expect("loads");
    let [warning] = &loaded.warnings[..] else {
        panic!("{:?}", loaded.warnings)
    };
    assert!(warning.starts_with("these variables are ignored, because Kubernetes or Docker made them for a service: STATUS_EMAIL_PORT, STATUS_PORT, "));
}

#[test]
fn the_error_for_an_environment_file_says_how_toml_is_written() {
    let folder = tempfile::tempdir().expect("a folder");
    let text = "# settings\nSTATUS_HEALTH_LAST_ACTIVE=5m\n";
    let report = problems(&with_file(env(&[]), folder.path(), text));
    assert!(
        report.starts_with("the configuration file is not TOML: ")
            && report.contains("; write for example health_last_active = \"10s\" (")
            && report.ends_with("labwatch.toml:2)"),
        "{report}"
    );
}

#[test]
fn a_file_in_another_encoding_is_named_by_its_line() {
    let folder = tempfile::tempdir().expect("a folder");
    let path = folder.path().join("labwatch.toml");
    fs::write(&path, b"label = \"lab\"\nemail_subject = \"B\xfcro\"\n").expect("writes");
    let sources = Sources {
        file: Some(path.clone()),
        ..env(&[])
    };
    let expected = format!(
        "cannot read the configuration file {}: line 2 is not UTF-8: save it as UTF-8",
        path.display()
    );
    assert_eq!(problems(&sources), expected);
    fs::write(&path, "\u{feff}label = \"lab2\"\n").expect("writes");
    assert_eq!(
        load(&sources)
            .expect("a byte order mark is no harm here")
            .config
            .surfaces
            .label,
        "lab2"
    );
}

/// The environment of a deployment, as systemd reads it from the file.
fn deployment(name: &str) -> BTreeMap<String, String> {
    let path = Path::new(env!("CARGO_MANIFEST_DIR"))
        .join("tests/data")
        .join(name);
    let text = fs::read_to_string(path).expect("reads");
    text.lines()
        .filter(|line| !line.starts_with('#'))
        .filter_map(|line| line.split_once('='))
        .map(|(key, value)| (key.to_owned(), value.trim_matches('"').to_owned()))
        .collect()
}

/// The deployments of the replaced program: five that differ in their hosts alone, one for
/// development, and the one that its document prints.
#[test]
fn the_deployments_of_the_replaced_program_start_with_their_warnings() {
    let mut report = String::new();
    for (name, instance) in [
        ("old.env", "ed0"),
        ("old.env", "ed0-alternate"),
        ("old.env", "ed0-staging"),
        ("old.env", "ed0-test"),
        ("old.env", "ed1-test"),
        ("old-dev.env", "dev"),
        ("old-document.env", "tenant"),
    ] {
        let env: BTreeMap<String, String> = deployment(name)
            .into_iter()
            .map(|(key, value)| (key, value.replace("/ed0", &format!("/{instance}"))))
            .collect();
        let sources = Sources {
            env,
            ..Sources::default()
        };
        let loaded = load(&sources).unwrap_or_else(|problems| panic!("{name}: {problems}"));
        let _ = writeln!(report, "{instance} ({name})\n{}", loaded.config.summary());
        for warning in &loaded.warnings {
            let _ = writeln!(report, "warning: {warning}");
        }
        report.push('\n');
    }
    let path = Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/goldens/deployments.txt");
    if std::env::var_os("UPDATE").is_some() {
        fs::write(&path, &report).expect("writes");
    }
    assert_eq!(report, fs::read_to_string(&path).unwrap_or_default());
}
