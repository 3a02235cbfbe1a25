//! `labwatch migrate` on units as the program `status` is deployed with: what comes out is
//! accepted, every flaw is named, no secret is shown.

#![allow(clippy::expect_used, reason = "helpers of tests may fail a test")]

use std::fs;
use std::os::unix::fs::PermissionsExt as _;
use std::path::{Path, PathBuf};
use std::process::Command;

/// The flaws of all of them.
const ALL: [&str; 7] = [
    "STATUS_SECRET_BOOK (…) stood in a unit",
    "STATUS_SECRET_JUMP (…) stood in a unit",
    "STATUS_SECRET_RELAY (…) stood in a unit",
    "STATUS_EMAIL_PASSWORD (…) stood in a unit",
    "STATUS_TIMEOUT_BOOK (…) was read by status and never used",
    "STATUS_LOG_FILE (…) is left out",
    "STATUS_PORT_PROFILE (…) has no meaning any more",
];

fn unit(name: &str) -> PathBuf {
    let folder = Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/data/status");
    folder.join(format!("{name}.service"))
}

/// The exit code, and all that is printed.
fn labwatch(arguments: &[&str], settings: &[(String, String)]) -> (i32, String) {
    let mut command = Command::new(env!("CARGO_BIN_EXE_labwatch"));
    command.env_clear().args(arguments);
    command.envs(settings.iter().map(|(name, value)| (name, value)));
    let output = command.output().expect("runs");
    let all = [output.stdout, output.stderr].concat();
    let all = String::from_utf8(all).expect("UTF-8");
    (output.status.code().expect("a code"), all)
}

/// The remarks with `…` in place of where each variable stands.
fn remarks(said: &str) -> String {
    let lines = said
        .lines()
        .map(|line| match (line.find('('), line.find(')')) {
            (Some(from), Some(to)) if line.contains(".service:") && from < to => {
                format!("{}(…){}\n", &line[..from], &line[to + 1..])
            }
            _ => format!("{line}\n"),
        });
    lines.collect()
}

/// Migrates the unit into a folder and checks what is there, as the service does.
fn migrates(name: &str, flaws: &[&str]) -> String {
    let folder = tempfile::tempdir().expect("a folder");
    let out = folder.path().join("labwatch");
    let (unit, to) = (unit(name), out.to_str().expect("UTF-8"));
    let (code, said) = labwatch(&["migrate", unit.to_str().expect("UTF-8"), "-o", to], &[]);
    assert_eq!(code, 0, "{name}: {said}");
    let found = remarks(&said);
    for flaw in ALL.iter().chain(flaws) {
        assert!(found.contains(flaw), "{name}: {flaw}\n{said}");
    }
    assert!(!said.contains("old-"), "{name} shows a secret: {said}");

    let file = fs::read_to_string(out.join("labwatch.env")).expect("reads");
    assert!(!file.contains("old-"), "{file}");
    let secret = fs::metadata(out.join("secrets/secret_book")).expect("a secret");
    assert_eq!(secret.permissions().mode() & 0o777, 0o600);
    let mut settings: Vec<(String, String)> = file
        .lines()
        .filter(|line| !line.starts_with('#'))
        .filter_map(|line| line.split_once('='))
        .map(|(name, value)| (name.to_owned(), value.trim_matches('\'').to_owned()))
        .collect();
    let credentials = out.join("secrets").to_string_lossy().into_owned();
    settings.push(("CREDENTIALS_DIRECTORY".to_owned(), credentials));
    let (code, checked) = labwatch(&["check", "--no-store"], &settings);
    assert!(
        code == 0 && !checked.contains("warning"),
        "{name}: {checked}"
    );
    file
}

#[test]
fn the_known_deployments_migrate_with_every_flaw_named() {
    let file = migrates(
        "ed0",
        &["systemd drops \"bob@example.org\" behind STATUS_EMAIL_TO"],
    );
    assert!(
        file.contains("\nSTATUS_EMAIL_TO=ada@example.org\n"),
        "{file}"
    );
    let file = migrates(
        "ed0-alternate",
        &[
            "STATUS_HOST_BOOKJUMP (…) is unknown to status and to labwatch",
            "STATUS_EMAIL_TO (…) has its recipients separated by commas",
        ],
    );
    assert!(file.contains("ada@example.org,bob@example.org"), "{file}");
    let file = migrates(
        "dev",
        &[
            "STATUS_HEALTH_LAST (…) was ignored by status",
            "STATUS_EMAIL_PASSWORD (…) is not used",
        ],
    );
    assert!(file.contains("\nSTATUS_HEALTH_LAST_ACTIVE=5m\n"), "{file}");
}

#[test]
fn without_a_folder_it_only_shows() {
    let ed0 = unit("ed0");
    let ed0 = ed0.to_str().expect("UTF-8");
    let (code, said) = labwatch(&["migrate", ed0], &[]);
    assert_eq!(code, 0, "{said}");
    assert!(said.contains("STATUS_HOST_BOOK=app.example.org"), "{said}");
    assert!(
        said.contains("Nothing is written") && !said.contains("old-"),
        "{said}"
    );
    let (code, said) = labwatch(&["migrate", "no-such-unit"], &[]);
    assert!(
        code == 2 && said.contains("no-such-unit cannot be read"),
        "{said}"
    );
}

#[test]
fn existing_files_are_kept_by_default() {
    let folder = tempfile::tempdir().expect("a folder");
    let mine = folder.path().join("labwatch.env");
    fs::write(&mine, "mine\n").expect("writes");
    let (ed0, to) = (unit("ed0"), folder.path().to_str().expect("UTF-8"));
    let ed0 = ed0.to_str().expect("UTF-8");
    let (code, said) = labwatch(&["migrate", ed0, "-o", to], &[]);
    assert!(code == 1 && said.contains("labwatch.env"), "{said}");
    assert_eq!(fs::read_to_string(&mine).expect("reads"), "mine\n");
    assert!(!folder.path().join("secrets").exists());
    let (code, said) = labwatch(&["migrate", ed0, "-o", to, "--force"], &[]);
    assert_eq!(code, 0, "{said}");
}

#[test]
fn a_unit_that_lacks_something_is_a_failure_that_says_what() {
    let folder = tempfile::tempdir().expect("a folder");
    let unit = folder.path().join("status.service");
    fs::write(
        &unit,
        "[Service]\nEnvironment=STATUS_HOST_BOOK=app.example.org\n",
    )
    .expect("writes");
    let (code, said) = labwatch(&["migrate", unit.to_str().expect("UTF-8")], &[]);
    assert_eq!(code, 2, "{said}");
    assert!(said.contains("host_jump is missing"), "{said}");
}
