//! The life of the Debian package in a fresh root: installed, configured, upgraded with data and an
//! edited configuration kept, removed, purged, and installed again by Ansible. What it holds is the
//! program of this test; how packages are built for others is `scripts/package.sh` without
//! `--program`.

use std::fs;
use std::path::{Path, PathBuf};
use std::process::Command;

use lab::{ExperimentPlan, Lab, Plan};

use super::ansible::is_installed_by_ansible;
use super::booted::{SOON, get, property, sees, settings};
use super::machine::Machine;
use super::with_settings;

const PORT: u16 = 19_881;

/// The version that follows.
const NEXT: &str = "99.0";

/// Where all is kept that is not the package's own.
const DATA: &str = "/var/lib/labwatch/labwatch.db";

fn runs(command: &mut Command) {
    let output = command.output().expect("it starts");
    let said = [output.stdout, output.stderr].concat();
    assert!(
        output.status.success(),
        "{command:?}: {}",
        String::from_utf8_lossy(&said)
    );
}

/// Packs this program. Returns the folder with the packages.
fn pack(folder: &Path) -> PathBuf {
    let program = folder.join("labwatch");
    let mut strip = Command::new("strip");
    runs(
        strip
            .arg("-o")
            .arg(&program)
            .arg(env!("CARGO_BIN_EXE_labwatch")),
    );
    let script = Path::new(env!("CARGO_MANIFEST_DIR")).join("scripts/package.sh");
    let out = folder.join("out");
    runs(Command::new(script).arg("--program").arg(program).arg(&out));
    out
}

fn only(folder: &Path, ending: &str) -> PathBuf {
    let files = fs::read_dir(folder).expect("a folder");
    let mut files = files.map(|file| file.expect("an entry").path());
    files
        .find(|file| file.to_string_lossy().ends_with(ending))
        .unwrap_or_else(|| panic!("a file *{ending}"))
}

/// The same package with a higher version and another environment file, as an update brings it.
fn next(package: &Path, folder: &Path) -> PathBuf {
    let tree = folder.join("next");
    let package = package.to_str().expect("UTF-8");
    runs(Command::new("dpkg-deb").args(["-R", package]).arg(&tree));
    let change = |path: &str, change: &dyn Fn(String) -> String| {
        let path = tree.join(path);
        let text = fs::read_to_string(&path).expect("reads");
        fs::write(path, change(text)).expect("writes");
    };
    let old = format!("Version: {}\n", env!("CARGO_PKG_VERSION"));
    change("DEBIAN/control", &|text| {
        text.replace(&old, &format!("Version: {NEXT}\n"))
    });
    change("etc/labwatch/labwatch.env", &|text| {
        text + "# a new setting\n"
    });
    let next = folder.join("next.deb");
    runs(
        Command::new("dpkg-deb")
            .args(["-Zgzip", "-z1", "-b"])
            .arg(tree)
            .arg(&next),
    );
    next
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
#[ignore = "needs debootstrap and systemd-nspawn; scripts/test.sh runs it"]
async fn the_package_is_installed_upgraded_removed_and_purged() {
    let folder = tempfile::tempdir().expect("a folder");
    let Some(machine) = tokio::task::block_in_place(|| Machine::boot(folder.path())) else {
        return;
    };
    let out = tokio::task::block_in_place(|| pack(folder.path()));
    says_what_it_holds(&out);
    let lab = Lab::start(Plan::new(vec![ExperimentPlan::new("pend00")])).await;
    let lab = lab.expect("a laboratory");

    let package = only(&out, ".deb");
    install(&machine, &package);
    starts_when_it_is_configured(&machine, &lab).await;
    is_upgraded(&machine, &next(&package, folder.path())).await;
    is_removed(&machine);
    is_purged(&machine);
    is_installed_by_ansible(&machine, &package, &lab, PORT).await;
}

/// The bill of materials names each crate once, with its licence and its checksum, and none that
/// only tests use.
fn says_what_it_holds(out: &Path) {
    let text = fs::read_to_string(only(out, ".cdx.json")).expect("reads");
    let bill: serde_json::Value = serde_json::from_str(&text).expect("JSON");
    assert_eq!(bill["bomFormat"], "CycloneDX");
    let parts = bill["components"].as_array().expect("a list");
    let mut names: Vec<&str> = parts
        .iter()
        .map(|part| part["purl"].as_str().expect("a name"))
        .collect();
    let count = names.len();
    names.dedup();
    assert_eq!(names.len(), count);
    assert!(
        names
            .iter()
            .any(|name| name.starts_with("pkg:cargo/rustls@"))
    );
    assert!(!names.iter().any(|name| name.contains("/criterion@")));
    for part in parts {
        let is_own = part["name"]
            .as_str()
            .is_some_and(|name| name.starts_with("labwatch"));
        let is_known = part["licenses"][0]["expression"].is_string();
        assert!(
            is_known && (is_own || part["hashes"][0]["content"].is_string()),
            "{part}"
        );
    }
    runs(
        Command::new("sha256sum")
            .args(["--check", "--quiet", "SHA256SUMS"])
            .current_dir(out),
    );
}

fn install(machine: &Machine, package: &Path) {
    machine.put(
        "/root/labwatch.deb",
        "0644",
        &fs::read(package).expect("reads"),
    );
    machine.sh("dpkg -i /root/labwatch.deb");
    let version = machine.sh("labwatch --version");
    assert!(version.contains(env!("CARGO_PKG_VERSION")), "{version}");
    let place = "/usr/share/doc/labwatch/licences-of-dependencies.txt";
    machine.sh(&format!("grep -q '^rustls [0-9.]* (Apache-2.0' {place}"));
    machine.sh("dpkg -L labwatch | grep -q man1/labwatch-serve.1.gz");
    machine.sh("dpkg -L labwatch | grep -q bash-completion/completions/labwatch");
    let secrets = machine.sh("stat -c '%a %U' /etc/labwatch/secrets");
    assert_eq!(secrets.trim(), "700 root");
    let is_enabled = machine.fails("systemctl is-enabled labwatch");
    assert_eq!(is_enabled.trim(), "disabled");
    assert_eq!(property(machine, "labwatch", "ActiveState"), "inactive");
    machine.sh("systemd-analyze verify --man=no labwatch.service labwatch@ed0.service");
    let wrong = machine.fails("labwatch check");
    assert!(wrong.contains("host_book"), "{wrong}");
}

async fn starts_when_it_is_configured(machine: &Machine, lab: &Lab) {
    let (file, secrets) = settings(lab, PORT, "");
    machine.sh(&format!(
        "cat >>/etc/labwatch/labwatch.env <<'EOF'\n{file}EOF"
    ));
    for (name, secret) in secrets {
        let path = format!("/etc/labwatch/secrets/{name}");
        machine.put(&path, "0600", secret.as_bytes());
    }
    let (function, call) = with_settings();
    machine.sh(&format!("{function}{call}"));
    machine.sh("systemctl enable --now labwatch");
    sees(machine, PORT, "ok").await;
    let owner = machine.sh(&format!("stat -c %U {DATA}"));
    assert_eq!(owner.trim(), "labwatch");
}

async fn is_upgraded(machine: &Machine, next: &Path) {
    let settings = "/etc/labwatch/labwatch.env";
    let before = machine.sh(&format!("sha256sum {settings}"));
    let pid = property(machine, "labwatch", "MainPID");
    machine.put("/root/next.deb", "0644", &fs::read(next).expect("reads"));
    machine.sh("dpkg --force-confold -i /root/next.deb");
    let version = machine.sh("dpkg-query -W -f '${Version}' labwatch");
    assert_eq!(version, NEXT);
    assert_eq!(machine.sh(&format!("sha256sum {settings}")), before);
    machine.sh(&format!("grep -q 'a new setting' {settings}.dpkg-dist"));
    assert_ne!(
        property(machine, "labwatch", "MainPID"),
        pid,
        "started anew"
    );
    sees(machine, PORT, "ok").await;
    let events = get(PORT, "/api/v1/experiments/events/pend00").await;
    let events = events.expect("its history");
    assert_eq!(events.matches("\"when\"").count(), 1, "one event: {events}");
}

fn is_removed(machine: &Machine) {
    machine.sh("dpkg -r labwatch");
    machine.fails("test -e /usr/bin/labwatch");
    machine.until(SOON, "it is stopped", |machine| {
        let state = property(machine, "labwatch", "ActiveState");
        (state != "active" && state != "deactivating").then_some(())
    });
    machine.sh(&format!("test -s {DATA} && test -s /etc/labwatch/labwatch.env && test -s /etc/labwatch/secrets/secret_book"));
}

fn is_purged(machine: &Machine) {
    machine.sh("dpkg -P labwatch");
    let left = machine.sh("ls -d /etc/labwatch /var/lib/labwatch /var/lib/private/labwatch /var/log/labwatch 2>/dev/null || true");
    assert_eq!(left, "");
    let units = machine.sh("find /etc/systemd /usr/lib/systemd -name 'labwatch*'");
    assert_eq!(units, "");
}
