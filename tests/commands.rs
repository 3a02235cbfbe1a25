//! The program as a person meets it: what it prints where, and how it ends.

#![allow(clippy::expect_used, reason = "helpers of tests may fail a test")]

use std::fs;
use std::process::{Command, Output};

const GOOD: [(&str, &str); 6] = [
    ("STATUS_HOST_BOOK", "app.example.org"),
    ("STATUS_HOST_JUMP", "app.example.org"),
    ("STATUS_HOST_RELAY", "app.example.org"),
    ("STATUS_SECRET_BOOK", "s3cr3t-0f-b00k"),
    ("STATUS_SECRET_JUMP", "s3cr3t-0f-jump"),
    ("STATUS_SECRET_RELAY", "s3cr3t-0f-relay"),
];

fn labwatch(args: &[&str], env: &[(&str, &str)]) -> Output {
    let mut command = Command::new(env!("CARGO_BIN_EXE_labwatch"));
    command
        .args(args)
        .env_clear()
        .envs(env.iter().copied())
        .output()
        .expect("runs")
}

/// Exit code, standard output, standard error.
fn notified(args: &[&str], env: &[(&str, &str)]) -> (i32, String, String) {
    let output = labwatch(args, env);
    let text = |bytes: Vec<u8>| String::from_utf8(bytes).expect("UTF-8");
    (
        output.status.code().expect("no signal"),
        text(output.stdout),
        text(output.stderr),
    )
}

#[test]
fn a_wrong_configuration_ends_every_command_with_all_its_problems() {
    let expected = "\
1. sample is \"x\", which is not one of them; auto, always or never (environment variable STATUS_SAMPLE)
2. health_events is \"0\", which is out of bounds; a number from 1 to 10000 (argument --set)
The configuration has 2 problems.\n";
    let env = [&GOOD[..], &[("STATUS_SAMPLE", "x")]].concat();
    for command in [
        &["serve"][..],
        &["check"],
        &["check", "--connect"],
        &["token", "book"],
    ] {
        let args = [&["--set", "health_events=0"], command].concat();
        assert_eq!(
            notified(&args, &env),
            (2, String::new(), expected.to_owned()),
            "{args:?}"
        );
    }
}

#[test]
fn a_good_configuration_is_summed_up() {
    let mail = [
        ("STATUS_EMAIL_HOST", "smtp.example.org"),
        ("STATUS_EMAIL_TO", "a@example.org b@example.org"),
        ("STATUS_EMAIL_FROM", "lab@example.org"),
        ("STATUS_BASEPATH_RELAY", "/ed0/access"),
        ("STATUS_URL_RELAY", "http://127.0.0.1:3000"),
        ("STATUS_HEALTH_LAST", "1m30s"),
    ];
    let (code, out, err) = notified(
        &["check"],
        &[
            &GOOD[..],
            &mail,
            &[("STATUS_DATA_DIR", "/nowhere/labwatch")],
        ]
        .concat(),
    );
    let expected = "\
configuration ok
book     https://app.example.org
jump     https://app.example.org
relay    https://app.example.org/ed0/access, reached at http://127.0.0.1:3000
mail     everything to a@example.org, b@example.org by smtp.example.org:587, STARTTLS
rules    silent after 90s, missing after 10s, not judged for 1m after first sight, down after 15m without relay
API      http://127.0.0.1:3007, everybody may read, nobody can change anything
memory   /nowhere/labwatch
log      standard output, info
memory: nothing is remembered yet in /nowhere/labwatch\n";
    assert_eq!((code, out.as_str()), (0, expected));
    assert_eq!(
        err,
        "warning: health_last is an old name: write health_last_active\n"
    );
}

#[test]
fn servers_that_are_not_there_fail_the_check() {
    let here = [
        ("STATUS_HOST_BOOK", "127.0.0.1:1"),
        ("STATUS_HOST_JUMP", "127.0.0.1:1"),
        ("STATUS_HOST_RELAY", "127.0.0.1:1"),
    ];
    let (code, out, err) = notified(&["check", "--connect"], &[&GOOD[..], &here].concat());
    assert_eq!(
        out.lines()
            .filter(|line| line.starts_with("FAILED   "))
            .count(),
        3,
        "{out}"
    );
    assert_eq!(
        (code, err.as_str()),
        (1, "3 of 3 servers do not work for labwatch.\n")
    );
}

#[test]
fn a_token_stands_alone_on_standard_output() {
    let (code, out, err) = notified(&["token", "relay", "--for", "5m"], &GOOD);
    assert_eq!(
        (code, out.lines().count(), out.trim().split('.').count()),
        (0, 1, 3),
        "{out}"
    );
    assert!(
        err.starts_with("Valid for 5m0s.") && err.contains("https://app.example.org/session/stats"),
        "{err}"
    );
    assert!(!err.contains("s3cr3t"), "{err}");
    for args in [
        &["token", "relay", "--for", "2h"][..],
        &["token", "mail"],
        &["token"],
    ] {
        assert_eq!(notified(args, &GOOD).0, 2, "{args:?}");
    }
}

#[test]
fn wrong_arguments_are_told_from_help() {
    for (args, code) in [
        (&["--help"][..], 0),
        (&["--version"], 0),
        (&[], 2),
        (&["watch"], 2),
        (&["check", "--set", "sample"], 2),
    ] {
        assert_eq!(notified(args, &GOOD).0, code, "{args:?}");
    }
    let (_, help, _) = notified(&["--help"], &[]);
    let words = help.split_whitespace().collect::<Vec<_>>().join(" ");
    let codes = "Exit codes: 0 all is well; 1 it failed; 2 the arguments or the configuration are wrong; 3 another labwatch is at work";
    assert!(words.contains(codes), "{help}");
    assert!(
        !help.contains("completions") && !help.contains("  man "),
        "{help}"
    );
    assert!(
        notified(&["completions", "bash"], &[])
            .1
            .contains("_labwatch()")
    );
    assert!(notified(&["man"], &[]).1.contains(".TH labwatch 1"));
}

#[test]
fn the_configuration_file_is_found_by_argument_and_by_variable() {
    let folder = tempfile::tempdir().expect("a folder");
    let path = folder.path().join("labwatch.toml");
    fs::write(&path, "port_serve = 4321\n").expect("writes");
    let path = path.to_str().expect("UTF-8");
    let (_, by_argument, _) = notified(&["check", "--config", path], &GOOD);
    let (_, by_variable, _) = notified(
        &["check"],
        &[&GOOD[..], &[("STATUS_CONFIG", path)]].concat(),
    );
    assert!(by_argument.contains("127.0.0.1:4321"), "{by_argument}");
    assert_eq!(by_argument, by_variable);
}
