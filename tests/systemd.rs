//! The systemd units: systemd accepts them, they are as restricted as they claim, the environment
//! file is right, and they work under a real systemd.

#![allow(
    clippy::too_many_lines,
    reason = "a test is one scenario from beginning to end"
)]
#![allow(
    clippy::expect_used,
    clippy::panic,
    reason = "helpers of tests may fail a test"
)]

#[path = "systemd/ansible.rs"]
mod ansible;
#[path = "systemd/booted.rs"]
mod booted;
#[path = "support/debian.rs"]
mod debian;
#[path = "support/machine.rs"]
mod machine;
#[path = "systemd/packaged.rs"]
mod packaged;
#[path = "support/tools.rs"]
mod tools;

use std::collections::BTreeMap;
use std::fs;
use std::path::{Path, PathBuf};
use std::process::{Command, Output};

use labwatch::config::{self, Sources};

/// The most that `systemd-analyze security` may find open, in tenths: 1.1 of 10.
const MAX_EXPOSURE: u32 = 11;

fn shipped(name: &str) -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR"))
        .join("systemd")
        .join(name)
}

fn readme() -> String {
    let readme = Path::new(env!("CARGO_MANIFEST_DIR")).join("README.md");
    fs::read_to_string(readme).expect("reads")
}

/// Step 5 of README's install: the function that it makes, and how it is called.
fn with_settings() -> (String, String) {
    let readme = readme();
    let (_, rest) = readme.split_once("with_settings() {").expect("step 5");
    let (block, _) = rest.split_once("```").expect("its end");
    let (body, call) = block.rsplit_once('}').expect("a function");
    (format!("with_settings() {{{body}}}"), call.to_owned())
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
        "ExecStartPre=/usr/local/bin/labwatch check --quiet",
        "ExecReload=/usr/local/bin/labwatch reload",
        "DynamicUser=yes",
    ] {
        assert!(unit.lines().any(|there| there == line), "{line}");
    }
}

/// For several laboratories on one host: the same unit, with a name of its own in every place that
/// is one laboratory's.
#[test]
fn the_unit_of_a_tenant_is_the_unit_with_its_name() {
    let renamed = [
        ("/etc/labwatch/", "/etc/labwatch/%i/"),
        ("Directory=labwatch\n", "Directory=labwatch-%i\n"),
        (
            "ConfigurationDirectory=labwatch-%i",
            "ConfigurationDirectory=labwatch/%i",
        ),
        ("User=labwatch\n", "User=labwatch-%i\n"),
        ("experiments\n", "experiments (%i)\n"),
        (
            "/var/lib/labwatch, /var/log/labwatch and /etc/labwatch;",
            "/var/lib/labwatch-%i, /var/log/labwatch-%i and /etc/labwatch/%i;",
        ),
        ("and /run/labwatch for", "and /run/labwatch-%i for"),
    ];
    let (_, settings) = unit().split_once("[Unit]").map(owned).expect("a section");
    let head = fs::read_to_string(shipped("labwatch@.service")).expect("reads");
    let (head, found) = head.split_once("[Unit]").map(owned).expect("a section");
    let wanted = renamed
        .iter()
        .fold(settings, |all, (from, to)| all.replace(from, to));
    if std::env::var_os("UPDATE").is_some() {
        fs::write(
            shipped("labwatch@.service"),
            format!("{head}[Unit]{wanted}"),
        )
        .expect("writes");
        return;
    }
    assert_eq!(found, wanted, "UPDATE=1 writes it");
}

fn owned((left, right): (&str, &str)) -> (String, String) {
    (left.to_owned(), right.to_owned())
}

#[test]
fn every_secret_is_a_credential_by_its_name() {
    for secret in config::secrets() {
        let line = format!("LoadCredential={secret}:/etc/labwatch/secrets/{secret}");
        assert!(
            unit()
                .lines()
                .any(|there| there.trim_start_matches('#') == line),
            "{line}"
        );
    }
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
        let is_in_a_file = key.ends_with("_URL_FILE");
        !(key.starts_with("STATUS_SECRET")
            || key.starts_with("STATUS_EMAIL_PASSWORD")
            || key.starts_with("STATUS_CLUSTER_PASSWORD")
            || is_in_a_file)
    });
    for name in [
        "SECRET_BOOK",
        "SECRET_JUMP",
        "SECRET_RELAY",
        "CLUSTER_PASSWORD",
    ] {
        env.insert(format!("STATUS_{name}"), "secret".to_owned());
    }
    let loaded = config::load(&Sources {
        env,
        ..Sources::default()
    })
    .unwrap_or_else(|problems| panic!("{problems}"));
    assert_eq!(loaded.config.mail.expect("an example of mail").to.len(), 2);
}
