//! What systemd is given: that it accepts the unit, that the unit is as closed as it claims, and that the environment file explains
//! every setting as the program knows it.

#![allow(clippy::expect_used, reason = "helpers of tests may fail a test")]

use std::collections::BTreeMap;
use std::fmt::Write as _;
use std::fs;
use std::path::{Path, PathBuf};
use std::process::{Command, Output};

use labwatch::config::{self, Sources};

/// The most that `systemd-analyze security` may find open, out of 100.
const MAX_EXPOSURE: u32 = 20;

/// The widest that a line of the environment file gets.
const WIDTH: usize = 120;

fn shipped(name: &str) -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR"))
        .join("systemd")
        .join(name)
}

fn unit() -> String {
    fs::read_to_string(shipped("labwatch.service")).expect("reads")
}

/// Runs systemd-analyze on a copy of the unit whose program is there.
fn analyze(args: &[&str]) -> Output {
    let folder = tempfile::tempdir().expect("a folder");
    let path = folder.path().join("labwatch.service");
    fs::write(
        &path,
        unit().replace("/usr/local/bin/labwatch", env!("CARGO_BIN_EXE_labwatch")),
    )
    .expect("writes");
    Command::new("systemd-analyze")
        .args(args)
        .arg(&path)
        .output()
        .expect("systemd-analyze runs: scripts/test.sh installs it")
}

fn complaints(output: &Output) -> String {
    let both = [&output.stdout[..], &output.stderr].concat();
    String::from_utf8_lossy(&both)
        .lines()
        .filter(|line| line.contains("labwatch"))
        .fold(String::new(), |all, line| all + line + "\n")
}

#[test]
#[ignore = "needs systemd-analyze; scripts/test.sh runs it"]
fn systemd_accepts_the_unit() {
    let output = analyze(&["verify", "--man=no"]);
    assert!(
        output.status.success() && complaints(&output).is_empty(),
        "{}",
        complaints(&output)
    );
}

#[test]
#[ignore = "needs systemd-analyze; scripts/test.sh runs it"]
fn the_unit_is_closed() {
    let threshold = MAX_EXPOSURE.to_string();
    let output = analyze(&["security", "--offline=true", "--threshold", &threshold]);
    assert!(
        output.status.success(),
        "{}",
        String::from_utf8_lossy(&output.stdout)
    );
}

#[test]
fn every_line_of_the_hardening_has_its_reason() {
    let unit = unit();
    let (_, hardening) = unit
        .split_once("# ---- Hardening")
        .expect("there is a block");
    let (hardening, _) = hardening.split_once("[Install]").expect("it ends");
    for block in hardening.split("\n#").skip(1) {
        let settings = block
            .lines()
            .skip(1)
            .filter(|line| line.contains('='))
            .count();
        assert!(
            (1..=6).contains(&settings),
            "a reason with {settings} settings:\n#{block}"
        );
    }
    for line in [
        "Type=notify",
        "NotifyAccess=main",
        "WatchdogSec=30",
        "ExecStartPre=/usr/local/bin/labwatch check --no-memory",
        "ExecReload=/bin/kill -HUP $MAINPID",
        "DynamicUser=yes",
    ] {
        assert!(unit.lines().any(|there| there == line), "{line}");
    }
}

#[test]
fn every_secret_is_a_credential_by_its_name() {
    for secret in config::SECRETS {
        let line = format!("LoadCredential={secret}:/etc/labwatch/secrets/{secret}");
        assert!(
            unit()
                .lines()
                .any(|there| there.trim_start_matches('#') == line),
            "{line}"
        );
    }
}

/// The environment file as the documentation of the settings makes it.
fn environment_file() -> String {
    let mut text = String::from(
        "# Settings of labwatch, for the systemd unit. Every line that is commented out shows a default, or an example where there is none.\n\
         # No secret belongs here: put each into a file of its own below /etc/labwatch/secrets (see labwatch.service).\n\
         # Durations: 10s, 15m, 1h30m, 1d. Sizes: bytes, or 64KiB, 50MiB, 2GiB. An empty value is the same as none.\n\
         # After a change try it, as root, and then restart the service:\n\
         #   systemd-run --pipe --wait -p EnvironmentFile=/etc/labwatch/labwatch.env $(sed -n 's/^LoadCredential=/-p &/p' \\\n\
         #     /etc/systemd/system/labwatch.service) /usr/local/bin/labwatch check --connect\n\
         \n\
         # A TOML file with settings; what stands here wins over it.\n\
         #STATUS_CONFIG=/etc/labwatch/labwatch.toml\n",
    );
    let mut section = "";
    for key in config::keys() {
        if key.section != section {
            section = key.section;
            let _ = write!(text, "\n# ---- {section} ----\n");
        }
        let quoted = if key.plain_value().contains(' ') {
            format!("\"{}\"", key.plain_value())
        } else {
            key.plain_value().to_owned()
        };
        let _ = write!(
            text,
            "\n{}#{}={quoted}\n",
            wrapped(&key.doc),
            key.variable()
        );
    }
    text
}

/// A text as comment lines.
fn wrapped(text: &str) -> String {
    let mut lines = String::new();
    let mut line = String::from("#");
    for as_str in text.split_whitespace() {
        if line.chars().count() + 1 + as_str.chars().count() > WIDTH {
            lines += &line;
            lines += "\n";
            "#".clone_into(&mut line);
        }
        line += " ";
        line += as_str;
    }
    lines + &line + "\n"
}

#[test]
fn the_environment_file_explains_every_setting() {
    let path = shipped("labwatch.env");
    if std::env::var_os("UPDATE").is_some() {
        fs::write(&path, environment_file()).expect("writes");
    }
    let there = fs::read_to_string(&path).expect("reads");
    assert!(
        there == environment_file(),
        "systemd/labwatch.env is not what the settings say: run UPDATE=1 cargo test --test systemd"
    );
}

/// The file with every line in force, as systemd would read it, with secrets given otherwise.
#[test]
fn the_environment_file_is_right_when_all_of_it_is_in_force() {
    let text = fs::read_to_string(shipped("labwatch.env")).expect("reads");
    let lines = text
        .lines()
        .filter_map(|line| line.strip_prefix("#STATUS_")?.split_once('='));
    let mut env: BTreeMap<String, String> = lines
        .map(|(key, value)| (format!("STATUS_{key}"), value.trim_matches('"').to_owned()))
        .collect();
    env.remove("STATUS_CONFIG");
    env.retain(|key, _| {
        !(key.starts_with("STATUS_SECRET") || key.starts_with("STATUS_EMAIL_PASSWORD"))
    });
    for server in ["BOOK", "JUMP", "RELAY"] {
        env.insert(format!("STATUS_SECRET_{server}"), "secret".to_owned());
    }
    let loaded = config::load(&Sources {
        env,
        ..Sources::default()
    })
    .unwrap_or_else(|problems| panic!("{problems}"));
    assert_eq!(loaded.config.mail.expect("an example of mail").to.len(), 2);
}
