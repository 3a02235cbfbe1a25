//! The role of `contrib/ansible` against a booted Debian: the package, settings, secrets, a wrong
//! setting, a secret that is taken out.

use std::fs;
use std::os::unix::fs::PermissionsExt as _;
use std::path::{Path, PathBuf};
use std::process::Command;

use lab::Lab;
use serde_json::{Map, Value, json};

use super::booted::{property, sees, settings};
use super::machine::Machine;
use super::tools::tool;

/// The replacement of ssh: the last word is what is to run in the machine, and files go through its
/// standard input.
const SSH: &str = r#"#!/bin/sh
for last; do :; done
exec ENTRANCE HOME=/root sh -c "$last"
"#;

const INVENTORY: &str = "[lab]
machine ansible_connection=ssh ansible_ssh_executable=FOLDER/ssh ansible_ssh_transfer_method=piped ansible_become=false ansible_python_interpreter=/usr/bin/python3
";

/// The settings and secrets of the example's play, as JSON.
struct Play {
    folder: tempfile::TempDir,
    settings: Map<String, Value>,
    secrets: Map<String, Value>,
    package: PathBuf,
    tables: &'static str,
}

impl Play {
    fn new(machine: &Machine, package: &Path, lab: &Lab, port: u16) -> Self {
        let folder = tempfile::tempdir().expect("a folder");
        let path = folder.path().to_str().expect("UTF-8");
        let ssh = folder.path().join("ssh");
        fs::write(&ssh, SSH.replace("ENTRANCE", &machine.entrance())).expect("writes");
        fs::set_permissions(&ssh, fs::Permissions::from_mode(0o755)).expect("its mode");
        fs::write(
            folder.path().join("inventory"),
            INVENTORY.replace("FOLDER", path),
        )
        .expect("writes");
        let (file, secrets) = settings(lab, port, "");
        let named = file.lines().filter_map(|line| {
            let (name, value) = line.strip_prefix("STATUS_")?.split_once('=')?;
            Some((name.to_owned(), json!(value)))
        });
        Self {
            settings: named.collect(),
            secrets: secrets
                .into_iter()
                .map(|(name, secret)| (name, json!(secret)))
                .collect(),
            package: package.to_owned(),
            tables: "",
            folder,
        }
    }

    /// Plays `example.yml` with these values. Returns whether it ended well, and what was said.
    fn run(&self, arguments: &[&str]) -> (bool, String) {
        let values = json!({
            "labwatch_package": self.package,
            "labwatch_settings": self.settings,
            "labwatch_secrets": self.secrets,
            "labwatch_toml": self.tables,
            "labwatch_check_connect": true,
        });
        let file = self.folder.path().join("values.json");
        fs::write(&file, values.to_string()).expect("writes");
        let output = Command::new(tool("ansible-playbook"))
            .arg("-i")
            .arg(self.folder.path().join("inventory"))
            .arg("-e")
            .arg(format!("@{}", file.display()))
            .args(arguments)
            .arg(Path::new(env!("CARGO_MANIFEST_DIR")).join("contrib/ansible/example.yml"))
            .env("ANSIBLE_HOME", self.folder.path().join("home"))
            .env("ANSIBLE_NOCOLOR", "1")
            // Quicker: fewer processes, and nothing is asked that the role does not use.
            .env("ANSIBLE_PIPELINING", "1")
            .env("ANSIBLE_GATHERING", "explicit")
            .output()
            .expect("ansible-playbook runs");
        let said = [output.stdout, output.stderr].concat();
        let said = String::from_utf8_lossy(&said).into_owned();
        (output.status.success(), said)
    }

    fn changes(&self, wanted: bool) {
        let (is_good, said) = self.run(&[]);
        assert!(is_good, "{said}");
        assert_eq!(!said.contains("changed=0 "), wanted, "{said}");
    }
}

pub(super) async fn is_installed_by_ansible(
    machine: &Machine,
    package: &Path,
    lab: &Lab,
    port: u16,
) {
    let mut play = Play::new(machine, package, lab, port);
    is_rehearsed(machine, &play);
    play.changes(true);
    assert_eq!(property(machine, "labwatch", "UnitFileState"), "enabled");
    sees(machine, port, "ok").await;
    play.changes(false);
    a_wrong_setting_stops_no_service(machine, &mut play);
    what_is_right_again_is_taken_over(machine, &mut play);
    sees(machine, port, "ok").await;
    a_secret_is_taken_out(machine, &mut play);
}

/// On a host that has nothing yet: what would be done is said, and nothing is.
fn is_rehearsed(machine: &Machine, play: &Play) {
    let (is_good, said) = play.run(&["--check", "--diff"]);
    assert!(is_good && said.contains("STATUS_HOST_BOOK"), "{said}");
    let secret = play.secrets["secret_book"].as_str().expect("a text");
    assert!(!said.contains(secret), "{said}");
    machine.fails("test -e /etc/labwatch");
}

fn a_wrong_setting_stops_no_service(machine: &Machine, play: &mut Play) {
    let pid = property(machine, "labwatch", "MainPID");
    play.settings.insert("SAMPLE".to_owned(), json!("often"));
    let (is_good, said) = play.run(&[]);
    assert!(!is_good && said.contains("often"), "{said}");
    assert_eq!(property(machine, "labwatch", "MainPID"), pid);
}

/// Values as they stand in YAML, and text with signs that systemd and the shell read otherwise.
fn what_is_right_again_is_taken_over(machine: &Machine, play: &mut Play) {
    let pid = property(machine, "labwatch", "MainPID");
    play.settings.remove("SAMPLE");
    let from = r#""The $LAB \ lab" <lab@example.org>"#;
    play.settings.insert("EMAIL_FROM".to_owned(), json!(from));
    let both = json!(["jo@example.org", "sam@example.org"]);
    play.settings.insert("EMAIL_TO".to_owned(), both);
    play.tables = "sample_for = \"3s\"\n";
    play.changes(true);
    let anew = property(machine, "labwatch", "MainPID");
    assert_ne!(anew, pid);
    let environment = machine.sh(&format!("tr '\\0' '\\n' </proc/{anew}/environ"));
    for line in [
        &format!("STATUS_EMAIL_FROM={from}"),
        "STATUS_EMAIL_TO=jo@example.org, sam@example.org",
        "STATUS_CONFIG=/etc/labwatch/labwatch.toml",
    ] {
        assert!(
            environment.lines().any(|there| there == line),
            "{environment}"
        );
    }
}

/// What the service is no longer given is not there for the check either, though its file stays.
fn a_secret_is_taken_out(machine: &Machine, play: &mut Play) {
    let pid = property(machine, "labwatch", "MainPID");
    play.secrets.remove("secret_book").expect("was there");
    let (is_good, said) = play.run(&[]);
    assert!(!is_good && said.contains("secret_book"), "{said}");
    assert_eq!(property(machine, "labwatch", "MainPID"), pid);
}
