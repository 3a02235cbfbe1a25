//! The command line: output, streams and exit codes.

#![allow(
    clippy::too_many_lines,
    reason = "a test is one scenario from beginning to end"
)]
#![allow(clippy::expect_used, reason = "helpers of tests may fail a test")]

use std::fs;
use std::io::Write;
use std::os::unix::process::ExitStatusExt;
use std::process::{Command, Output};

use serde_json::Value;

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
fn ran(args: &[&str], env: &[(&str, &str)]) -> (i32, String, String) {
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
            ran(&args, &env),
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
    let folder = tempfile::tempdir().expect("a folder");
    let folder = folder.path().join("data");
    let folder = folder.to_str().expect("UTF-8");
    let (code, out, err) = ran(
        &["check"],
        &[&GOOD[..], &mail, &[("STATUS_DATA_DIR", folder)]].concat(),
    );
    let expected = format!(
        "\
configuration ok
book     https://app.example.org
jump     https://app.example.org
relay    https://app.example.org/ed0/access, reached at http://127.0.0.1:3000
mail     all notifications to a@example.org, b@example.org by smtp.example.org:587, STARTTLS
rules    silent after 90s, missing after 10s, not evaluated for 1m after first sight, down after 15m of relay's outage
API      http://127.0.0.1:3007, reading needs no token, nothing can be changed without secret_api
store    {folder}
log      standard output, info
store: nothing is kept yet in {folder}\n"
    );
    assert_eq!((code, out), (0, expected));
    assert_eq!(
        err,
        "warning: health_last is an old name: write health_last_active\n"
    );
}

#[test]
fn what_scripts_read_is_json() {
    let json = |args: &[&str], env: &[(&str, &str)]| {
        let (code, out, _) = ran(args, env);
        let value: Value = serde_json::from_str(&out).expect(&out);
        (code, value)
    };
    let folder = tempfile::tempdir().expect("a folder");
    let folder = folder.path().to_str().expect("UTF-8");
    let good = [
        &GOOD[..],
        &[("STATUS_DATA_DIR", folder), ("STATUS_HEALTH_LAST", "90s")],
    ]
    .concat();
    let (code, found) = json(&["check", "--output", "json"], &good);
    assert_eq!((code, &found["ok"]), (0, &Value::Bool(true)), "{found}");
    assert_eq!(
        found["summary"][0], "book     https://app.example.org",
        "{found}"
    );
    assert_eq!(found["warnings"].as_array().map(Vec::len), Some(1));
    let nowhere = [
        &good[..],
        &[
            ("STATUS_HOST_BOOK", "127.0.0.1:1"),
            ("STATUS_HOST_JUMP", "127.0.0.1:1"),
            ("STATUS_HOST_RELAY", "127.0.0.1:1"),
        ],
    ]
    .concat();
    let (code, found) = json(&["check", "--connect", "--output", "json"], &nowhere);
    assert_eq!((code, &found["ok"]), (1, &Value::Bool(false)), "{found}");
    assert_eq!(found["servers"][0]["name"], "book");
    assert_eq!(
        found["problems"][0],
        "3 of 3 servers do not work for labwatch."
    );
    let (code, found) = json(&["check", "--output", "json"], &[("STATUS_SAMPLE", "x")]);
    assert_eq!(code, 2);
    assert!(
        found["problems"].as_array().map(Vec::len) > Some(1),
        "{found}"
    );

    let secret = [("STATUS_SECRET_API", "the-s3cr3t-of-the-tests-of-commands")];
    let token = [
        "token", "--scope", "report", "--of", "pend*", "--name", "rig",
    ];
    let (code, found) = json(&[&token[..], &["--output", "json"]].concat(), &secret);
    assert_eq!((code, &found["name"]), (0, &Value::from("rig")), "{found}");
    assert_eq!(found["of"][0], "pend*");
    let token = found["token"].as_str().expect("a text");
    assert_eq!(token.split('.').count(), 3);
    assert!(found["expires"].is_string() && found["id"].is_string());
}

#[test]
fn servers_that_are_not_there_fail_the_check() {
    let here = [
        ("STATUS_HOST_BOOK", "127.0.0.1:1"),
        ("STATUS_HOST_JUMP", "127.0.0.1:1"),
        ("STATUS_HOST_RELAY", "127.0.0.1:1"),
    ];
    let (code, out, err) = ran(&["check", "--connect"], &[&GOOD[..], &here].concat());
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
    let (code, out, err) = ran(&["token", "relay", "--for", "5m"], &GOOD);
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
        assert_eq!(ran(args, &GOOD).0, 2, "{args:?}");
    }
}

#[test]
fn wrong_arguments_are_distinguished_from_help() {
    for (args, code) in [
        (&["--help"][..], 0),
        (&["--version"], 0),
        (&[], 2),
        (&["watch"], 2),
        (&["check", "--set", "sample"], 2),
    ] {
        assert_eq!(ran(args, &GOOD).0, code, "{args:?}");
    }
    let (_, help, _) = ran(&["--help"], &[]);
    let words = help.split_whitespace().collect::<Vec<_>>().join(" ");
    let codes = "Exit codes: 0 all is well; 1 it failed; 2 the arguments or the configuration are wrong; 3 another labwatch is at work";
    assert!(words.contains(codes), "{help}");
    assert!(
        help.contains("  completions ") && help.contains("  man "),
        "{help}"
    );
    assert!(ran(&["completions", "bash"], &[]).1.contains("_labwatch()"));
    assert!(ran(&["man"], &[]).1.contains(".TH labwatch 1"));
    let folder = tempfile::tempdir().expect("a folder");
    let below = folder.path().join("share/man");
    let (code, path, _) = ran(&["man", "--dir", below.to_str().expect("UTF-8")], &[]);
    let page = fs::read_to_string(path.trim()).expect("reads");
    assert!(code == 0 && path.ends_with("share/man/man1/labwatch.1\n") && page.contains(".TH"));
}

#[test]
fn without_a_command_it_says_what_to_begin_with() {
    let (code, out, err) = ran(&[], &[]);
    assert_eq!((code, out.as_str()), (2, ""));
    for command in [
        "labwatch demo",
        "labwatch check --connect",
        "labwatch serve",
    ] {
        assert!(err.contains(command), "{err}");
    }
}

#[test]
fn the_version_says_what_it_was_built_from() {
    let (_, long, _) = ran(&["--version"], &[]);
    let (_, short, _) = ran(&["-V"], &[]);
    assert_eq!(short, format!("labwatch {}\n", env!("CARGO_PKG_VERSION")));
    assert_eq!(
        long,
        format!("labwatch {}\n", labwatch::build::description())
    );
    assert!(
        labwatch::build::BUILT.is_some(),
        "a date is known without git too"
    );
}

#[test]
fn a_token_for_the_api_needs_its_secret_alone() {
    let secret = ("STATUS_SECRET_API", "0123456789abcdef0123456789abcdef");
    let args = ["token", "--scope", "read", "--name", "jo"];
    let (code, out, err) = ran(&args, &[secret]);
    assert_eq!((code, out.trim().split('.').count()), (0, 3), "{err}");
    let (code, _, err) = ran(&args, &[]);
    assert_eq!(
        (code, err.as_str()),
        (
            2,
            "There are no tokens for the API without a secret: set secret_api.\n"
        )
    );
}

#[test]
fn a_check_with_quiet_prints_only_errors() {
    let mail = ("STATUS_EMAIL_FROM", "b@x.org");
    let good = [&GOOD[..], &[mail]].concat();
    assert_eq!(
        ran(&["check", "--quiet"], &good),
        (0, String::new(), String::new())
    );
    let (code, out, err) = ran(&["check", "--quiet"], &[]);
    assert!(
        code == 2 && out.is_empty() && err.contains("host_book is missing"),
        "{err}"
    );
}

#[test]
fn a_check_reports_where_nothing_can_be_created() {
    let folder = tempfile::tempdir().expect("a folder");
    let file = folder.path().join("file");
    fs::write(&file, "").expect("writes");
    let file = file.to_str().expect("UTF-8");
    let below = format!("{file}/labwatch");
    for (setting, value, words) in [
        ("STATUS_DATA_DIR", file, "is no folder"),
        ("STATUS_DATA_DIR", &below, "is no folder"),
        (
            "STATUS_DATA_DIR",
            "/proc/labwatch",
            "nothing can be made in /proc",
        ),
        (
            "STATUS_LOG_FILE",
            "/proc/labwatch.log",
            "nothing can be made in /proc",
        ),
    ] {
        let data = ("STATUS_DATA_DIR", "none");
        let env = [&GOOD[..], &[data], &[(setting, value)]].concat();
        let (code, _, err) = ran(&["check"], &env);
        assert!(code == 1 && err.contains(words), "{setting}={value}: {err}");
    }
    let device = [
        &GOOD[..],
        &[
            ("STATUS_DATA_DIR", "none"),
            ("STATUS_LOG_FILE", "/dev/null"),
        ],
    ]
    .concat();
    let (code, out, _) = ran(&["check"], &device);
    assert!(
        code == 0 && out.contains("log: /dev/null is a device"),
        "{out}"
    );
}

/// A labwatch that hangs about at its start is hung up on: it goes on.
#[test]
fn a_hangup_ends_no_command() {
    let folder = tempfile::tempdir().expect("a folder");
    let pipe = folder.path().join("labwatch.toml");
    let made = Command::new("mkfifo").arg(&pipe).status().expect("runs");
    assert!(made.success());
    // Reading the configuration waits for a writer of the pipe, so the signal comes before it.
    let mut child = Command::new(env!("CARGO_BIN_EXE_labwatch"))
        .args(["check", "--quiet", "--config"])
        .arg(&pipe)
        .env_clear()
        .envs(GOOD)
        .spawn()
        .expect("starts");
    let mut writer = fs::OpenOptions::new()
        .write(true)
        .open(&pipe)
        .expect("is being read");
    let id = child.id().to_string();
    let sent = Command::new("kill")
        .args(["-HUP", &id])
        .status()
        .expect("runs");
    assert!(sent.success());
    writer.write_all(b"label = \"lab\"\n").expect("writes");
    drop(writer);
    assert_eq!(child.wait().expect("ends").code(), Some(0));
}

#[test]
fn a_reload_is_refused_where_the_configuration_is_wrong_or_no_process_is_named() {
    let (code, _, err) = ran(&["reload", "--pid", "999999999"], &[]);
    assert!(code == 2 && err.contains("host_book is missing"), "{err}");
    let (code, _, err) = ran(&["reload"], &GOOD);
    assert!(code == 2 && err.contains("--pid"), "{err}");
    let (code, _, err) = ran(&["reload", "--pid", "999999999"], &GOOD);
    assert!(code == 1 && err.contains("cannot be signalled"), "{err}");
    // Also the one that systemd names; this process group leader of its own only sleeps.
    let mut other = Command::new("sleep").arg("60").spawn().expect("starts");
    let pid = other.id().to_string();
    let named = [&GOOD[..], &[("MAINPID", pid.as_str())]].concat();
    let (code, _, err) = ran(&["reload"], &named);
    assert_eq!(code, 0, "{err}");
    assert_eq!(other.wait().expect("ends").signal(), Some(1), "SIGHUP");
}

#[test]
fn the_configuration_file_is_found_by_argument_and_by_variable() {
    let folder = tempfile::tempdir().expect("a folder");
    let path = folder.path().join("labwatch.toml");
    fs::write(&path, "port_serve = 4321\n").expect("writes");
    let path = path.to_str().expect("UTF-8");
    let (_, by_argument, _) = ran(&["check", "--config", path], &GOOD);
    let (_, by_variable, _) = ran(
        &["check"],
        &[&GOOD[..], &[("STATUS_CONFIG", path)]].concat(),
    );
    assert!(by_argument.contains("127.0.0.1:4321"), "{by_argument}");
    assert_eq!(by_argument, by_variable);
}

/// A hangup before the service is ready is kept: then the configuration is read a second time,
/// which is seen at the pipe it is read from.
#[test]
fn a_hangup_before_readiness_is_kept() {
    let folder = tempfile::tempdir().expect("a folder");
    let pipe = folder.path().join("labwatch.toml");
    let made = Command::new("mkfifo").arg(&pipe).status().expect("runs");
    assert!(made.success());
    let nowhere =
        ["BOOK", "JUMP", "RELAY"].map(|name| (format!("STATUS_HOST_{name}"), "127.0.0.1:1"));
    let mut child = Command::new(env!("CARGO_BIN_EXE_labwatch"))
        .args(["serve", "--config"])
        .arg(&pipe)
        .env_clear()
        .envs(GOOD)
        .envs(nowhere)
        .envs([
            ("STATUS_DATA_DIR", "none"),
            ("STATUS_PORT_SERVE", "0"),
            ("STATUS_LOG_FILE", "/dev/null"),
        ])
        .spawn()
        .expect("starts");
    let (wrote, written) = std::sync::mpsc::channel();
    let id = child.id().to_string();
    std::thread::spawn(move || {
        for reading in 0..2 {
            let mut writer = fs::OpenOptions::new()
                .write(true)
                .open(&pipe)
                .expect("is being read");
            if reading == 0 {
                let _ = Command::new("kill").args(["-HUP", &id]).status();
            }
            writer.write_all(b"label = \"lab\"\n").expect("writes");
            let _ = wrote.send(reading);
            drop(writer);
            // The first reading must see the end before there is a writer again, or it gets both.
            std::thread::sleep(std::time::Duration::from_millis(500));
        }
    });
    let readings: Vec<i32> = (0..2)
        .filter_map(|_| {
            written
                .recv_timeout(std::time::Duration::from_secs(30))
                .ok()
        })
        .collect();
    child.kill().expect("runs");
    child.wait().expect("ends");
    assert_eq!(readings, [0, 1]);
}

/// The commands that a document names: in its blocks for a shell, and between backticks in its
/// text.
fn commands_of(document: &str) -> Vec<Vec<String>> {
    let mut block: Option<&str> = None;
    let mut found = Vec::new();
    for line in document.lines() {
        if let Some(kind) = line.trim_start().strip_prefix("```") {
            block = block.is_none().then_some(kind);
        } else if let Some(kind) = block {
            found.extend(["sh", "bash", "console"].contains(&kind).then_some(line));
        } else {
            found.extend(line.split('`').skip(1).step_by(2));
        }
    }
    let ends = |word: &&str| ["|", ">", "&&", "#", "\\"].contains(word);
    found
        .into_iter()
        .filter_map(|line| {
            line.trim()
                .trim_start_matches("sudo ")
                .strip_prefix("labwatch ")
        })
        .map(|rest| {
            let words = rest.split_whitespace().take_while(|word| !ends(word));
            words.map(|word| word.replace(['\'', '"'], "")).collect()
        })
        .collect()
}

#[test]
fn every_command_that_the_documents_name_is_understood() {
    let root = std::path::Path::new(env!("CARGO_MANIFEST_DIR"));
    let mut documents = vec![root.join("README.md"), root.join("CONTRIBUTING.md")];
    let docs = fs::read_dir(root.join("docs")).expect("docs");
    documents.extend(docs.map(|entry| entry.expect("an entry").path()));
    documents.retain(|path| path.extension().is_some_and(|kind| kind == "md"));
    let mut count = 0;
    for document in documents {
        let text = fs::read_to_string(&document).expect("a document");
        for command in commands_of(&text) {
            if command.first().is_none_or(|word| word == "COMMAND") {
                continue;
            }
            // What is not understood fails before help is given.
            let mut args: Vec<&str> = command.iter().map(String::as_str).collect();
            args.push("--help");
            let (code, _, said) = ran(&args, &[]);
            assert_eq!(code, 0, "{}: {command:?}: {said}", document.display());
            count += 1;
        }
    }
    assert!(count > 20, "{count} commands were found");
}
