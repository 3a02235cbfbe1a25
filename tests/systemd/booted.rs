//! The shipped unit under a real systemd, installed as README says: start, secrets, reload,
//! watchdog, upgrade, a second tenant, stop.

use std::fmt::Write as _;
use std::fs;
use std::time::{Duration, Instant};

use lab::{ExperimentPlan, Lab, Plan};

use super::machine::{Machine, text};
use super::{readme, with_settings};

/// The program's port, and that of the second tenant; below those that are given to outgoing
/// connections.
const PORT: u16 = 19_871;
const PORT_OF_TENANT: u16 = 19_872;

/// Within this time the service does what it is to do, on a busy machine.
pub(super) const SOON: Duration = Duration::from_secs(60);

/// The unit's `WatchdogSec=` and `RestartSec=` together, and time to spare.
const WATCHDOG_BACK_WITHIN: Duration = Duration::from_secs(75);

/// A watchdog that kills before this does so without a reason. The last sign of life can be 10 s
/// old.
const WATCHDOG_AT_LEAST: Duration = Duration::from_secs(20);

/// The settings without secrets, for the environment file; and the secrets by the names of their
/// files.
pub(super) fn settings(lab: &Lab, port: u16, config: &str) -> (String, Vec<(String, String)>) {
    let mut file = String::new();
    let mut secrets = vec![("secret_api".to_owned(), "k".repeat(48))];
    for (name, value) in lab.environment() {
        match name.strip_prefix("STATUS_SECRET_") {
            Some(server) => secrets.push((format!("secret_{}", server.to_lowercase()), value)),
            None => writeln!(file, "{name}={value}").expect("a String"),
        }
    }
    for (name, value) in [
        ("HEALTH_LAST_ACTIVE", "3s"),
        ("HEALTH_LAST_CHECKED", "3s"),
        ("HEALTH_STARTUP", "3s"),
        ("HEALTH_SETTLE", "5s"),
        ("QUERY_BOOK_EVERY", "1s"),
        ("PORT_SERVE", &port.to_string()),
        ("CONFIG", config),
    ]
    .into_iter()
    .filter(|(_, value)| !value.is_empty())
    {
        writeln!(file, "STATUS_{name}={value}").expect("a String");
    }
    (file, secrets)
}

/// Installs the program, the unit and the secrets as README says.
fn install(machine: &Machine, lab: &Lab) {
    let program = fs::read(env!("CARGO_BIN_EXE_labwatch")).expect("reads");
    machine.put("/usr/local/bin/labwatch", "0755", &program);
    for unit in ["labwatch.service", "labwatch@.service"] {
        let content = fs::read(super::shipped(unit)).expect("reads");
        machine.put(&format!("/etc/systemd/system/{unit}"), "0644", &content);
    }
    let with_api = "/^#LoadCredential=secret_api/s/^#//";
    machine.sh(&format!(
        "sed -i '{with_api}' /etc/systemd/system/labwatch*.service"
    ));
    configure(machine, lab, "/etc/labwatch", PORT);
    configure(machine, lab, "/etc/labwatch/ed1", PORT_OF_TENANT);
    machine.sh("systemctl daemon-reload");
}

fn configure(machine: &Machine, lab: &Lab, folder: &str, port: u16) {
    let toml = format!("{folder}/labwatch.toml");
    let (file, secrets) = settings(lab, port, &toml);
    machine.put(&format!("{folder}/labwatch.env"), "0644", file.as_bytes());
    machine.put(&toml, "0644", b"log_level = \"info\"\n");
    machine.sh(&format!("install -d -m 0700 {folder}/secrets"));
    for (name, secret) in secrets {
        machine.put(
            &format!("{folder}/secrets/{name}"),
            "0600",
            secret.as_bytes(),
        );
    }
}

/// A property of the unit, as systemd knows it.
pub(super) fn property(machine: &Machine, unit: &str, name: &str) -> String {
    let output = machine.run(&["systemctl", "show", "--value", "-p", name, unit]);
    text(&output.stdout).trim().to_owned()
}

/// The journal of the unit from this priority on.
fn journal(machine: &Machine, priority: &str) -> String {
    machine.sh(&format!(
        "journalctl --sync; journalctl --no-pager -o cat -u labwatch -p {priority}"
    ))
}

pub(super) async fn get(port: u16, path: &str) -> Option<String> {
    let answer = reqwest::get(format!("http://127.0.0.1:{port}{path}")).await;
    answer.ok()?.error_for_status().ok()?.text().await.ok()
}

/// The observed healths of the experiment, with the second of each event.
async fn history() -> Vec<(String, String)> {
    let events = get(PORT, "/api/v1/experiments/events/pend00").await;
    let events: Vec<serde_json::Value> =
        serde_json::from_str(&events.expect("its history")).expect("a list");
    let word = |event: &serde_json::Value, key| event[key].as_str().expect("a text").to_owned();
    events
        .iter()
        .map(|event| (word(event, "health"), word(event, "when")[..19].to_owned()))
        .collect()
}

/// Waits until the experiment has this health.
pub(super) async fn sees(machine: &Machine, port: u16, health: &str) {
    let begun = Instant::now();
    let words = format!("\"health\":\"{health}\"");
    loop {
        let answer = get(port, "/api/v1/experiments").await.unwrap_or_default();
        if answer.contains(&words) {
            return;
        }
        let circumstances = || format!("{answer}\n{}", machine.circumstances());
        assert!(begun.elapsed() < SOON, "not {health}: {}", circumstances());
        tokio::time::sleep(Duration::from_millis(200)).await;
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
#[ignore = "needs debootstrap and systemd-nspawn; scripts/test.sh runs it"]
async fn the_unit_does_under_a_real_systemd_what_it_says() {
    let folder = tempfile::tempdir().expect("a folder");
    let Some(machine) = tokio::task::block_in_place(|| Machine::boot(folder.path())) else {
        return;
    };
    let lab = Lab::start(Plan::new(vec![ExperimentPlan::new("pend00")])).await;
    let lab = lab.expect("a laboratory");
    install(&machine, &lab);

    commands_of_the_readme(&machine);
    starts_closed_and_with_its_secrets(&machine).await;
    top_shows_it(&machine);
    reloads(&machine);
    is_killed_when_it_hangs(&machine);
    a_fault_before_an_upgrade(&machine, &lab).await;
    the_upgrade_keeps_the_state(&machine, &lab).await;
    a_second_tenant_is_beside_it(&machine).await;
    says_what_stops_its_start(&machine);
    stops(&machine);
    what_init_writes_runs(&machine);
}

/// Steps 5 of README's install: it is tried with the settings and secrets of the service.
fn commands_of_the_readme(machine: &Machine) {
    let (function, call) = with_settings();
    let said = machine.sh(&format!("{function}{call}"));
    let good = said.lines().filter(|line| line.trim().starts_with("ok  "));
    assert_eq!(good.count(), 4, "{said}");
    let readme = readme();
    let (_, more) = readme.split_once("`with_settings token").expect("step 6");
    let (arguments, _) = more.split_once('`').expect("its end");
    let token = machine.sh(&format!("{function}\nwith_settings token {arguments}"));
    assert!(token.lines().any(|line| line.starts_with("ey")), "{token}");
}

async fn starts_closed_and_with_its_secrets(machine: &Machine) {
    machine.sh("systemctl enable --now labwatch");
    assert_eq!(property(machine, "labwatch", "ActiveState"), "active");
    sees(machine, PORT, "ok").await;

    let pid = property(machine, "labwatch", "MainPID");
    let status = machine.sh(&format!("cat /proc/{pid}/status"));
    let user = status.lines().find_map(|line| line.strip_prefix("Uid:\t"));
    let user = user.and_then(|ids| ids.split_whitespace().next());
    let user = user.expect("a user");
    assert_ne!(user, "0");
    assert!(status.contains("CapBnd:\t0000000000000000"), "{status}");
    let environment = machine.sh(&format!("tr '\\0' '\\n' </proc/{pid}/environ"));
    assert!(!environment.contains("STATUS_SECRET"), "{environment}");
    let state = machine.sh("stat -L -c '%a %u' /var/lib/labwatch");
    assert_eq!(state.trim(), format!("750 {user}"));

    let script = "journalctl --no-pager -o json -u labwatch | grep LABWATCH_ | head -n 1";
    let entry = machine.sh(script);
    assert!(entry.contains("\"PRIORITY\""), "{entry}");
    assert_eq!(journal(machine, "err"), "");
}

/// As it is read over ssh: live in a terminal, and once where there is none.
fn top_shows_it(machine: &Machine) {
    let once = machine.sh(&format!("labwatch top --port {PORT}"));
    let is_shown = |line: &str| line.starts_with("pend00 ") && line.contains(" ok ");
    assert!(once.lines().any(is_shown), "{once}");
    let in_terminal = format!("script -qec 'labwatch top --port {PORT}' /dev/null");
    let live = machine.sh(&format!("timeout 10 {in_terminal} || test $? -eq 124"));
    let screens = live
        .split("\u{1b}[H")
        .filter(|screen| screen.lines().any(is_shown));
    assert!(screens.count() > 1, "{live}");
}

fn reloads(machine: &Machine) {
    let toml = "/etc/labwatch/labwatch.toml";
    machine.put(toml, "0644", b"log_level = \"debug\"\n");
    machine.sh("systemctl reload labwatch");
    let said = journal(machine, "info");
    let is_taken = |line: &str| line.contains("reloaded") && line.contains("changed=log_level");
    assert!(said.lines().any(is_taken), "{said}");
    assert!(said.contains("The configuration is applied."), "{said}");

    machine.put(toml, "0644", b"log_level = \"debug\"\nsample = \"often\"\n");
    let pid = property(machine, "labwatch", "MainPID");
    machine.fails("systemctl reload labwatch");
    let errors = journal(machine, "err");
    assert!(errors.contains("sample"), "{errors}");
    assert_eq!(property(machine, "labwatch", "ActiveState"), "active");
    assert_eq!(property(machine, "labwatch", "MainPID"), pid);
    machine.put(toml, "0644", b"log_level = \"info\"\n");
    machine.sh("systemctl reload labwatch");
}

fn is_killed_when_it_hangs(machine: &Machine) {
    let pid = property(machine, "labwatch", "MainPID");
    let begun = Instant::now();
    machine.sh(&format!("kill -STOP {pid}"));
    machine.until(WATCHDOG_BACK_WITHIN, "it is killed", |machine| {
        (property(machine, "labwatch", "ActiveState") != "active").then_some(())
    });
    let killed = begun.elapsed();
    assert!(killed > WATCHDOG_AT_LEAST, "killed after {killed:?}");
    machine.until(WATCHDOG_BACK_WITHIN, "it is back", |machine| {
        let state = property(machine, "labwatch", "ActiveState");
        (state == "active" && property(machine, "labwatch", "MainPID") != pid).then_some(())
    });
    assert_eq!(property(machine, "labwatch", "NRestarts"), "1");
    let cores =
        machine.sh("find / -xdev -name 'core*' -size +1M -newer /etc/labwatch/labwatch.toml");
    assert_eq!(cores, "", "no core is left");
}

async fn a_fault_before_an_upgrade(machine: &Machine, lab: &Lab) {
    lab.stream_silent("pend00-st-data").expect("known");
    sees(machine, PORT, "down").await;
    let mails = lab.mail().wait_for(1, SOON).await;
    assert_eq!(mails.len(), 1);
}

/// The user of the service is another one after each start, and owns what the one before has left.
async fn the_upgrade_keeps_the_state(machine: &Machine, lab: &Lab) {
    let before = history().await;
    let program = fs::read(env!("CARGO_BIN_EXE_labwatch")).expect("reads");
    machine.put("/usr/local/bin/labwatch", "0755", &program);
    machine.sh("systemctl restart labwatch");
    sees(machine, PORT, "down").await;
    assert_eq!(history().await, before);
    assert_eq!(lab.mail().mails().len(), 1, "nothing is mailed twice");
    lab.stream_back("pend00-st-data").expect("known");
    sees(machine, PORT, "ok").await;
    assert_eq!(lab.mail().wait_for(2, SOON).await.len(), 2);
}

async fn a_second_tenant_is_beside_it(machine: &Machine) {
    machine.sh("systemctl start labwatch@ed1");
    sees(machine, PORT_OF_TENANT, "ok").await;
    assert_eq!(property(machine, "labwatch", "ActiveState"), "active");
    machine.sh("test -s /var/lib/labwatch-ed1/labwatch.db");
    machine.sh("systemctl stop labwatch@ed1");
}

fn says_what_stops_its_start(machine: &Machine) {
    machine.sh("systemctl stop labwatch");
    machine.put(
        "/etc/labwatch/labwatch.toml",
        "0644",
        b"sample = \"often\"\n",
    );
    machine.fails("systemctl start labwatch");
    let errors = journal(machine, "err");
    assert!(errors.contains("sample"), "{errors}");
    machine.put("/etc/labwatch/labwatch.toml", "0644", b"");
    machine.sh("systemctl reset-failed labwatch; systemctl start labwatch");
}

fn stops(machine: &Machine) {
    let begun = Instant::now();
    machine.sh("systemctl stop labwatch");
    assert!(begun.elapsed() < Duration::from_secs(15));
    assert_eq!(property(machine, "labwatch", "Result"), "success");
    assert_eq!(property(machine, "labwatch", "ActiveState"), "inactive");
}

/// Step 2 of README's install by five answers: what it says is to be done next gets the service to
/// run.
fn what_init_writes_runs(machine: &Machine) {
    machine.sh(
        "rm -r /etc/systemd/system/labwatch.service.d /etc/labwatch/labwatch.toml 2>&1 || true",
    );
    let port = format!("STATUS_PORT_SERVE={PORT}\n");
    machine.put("/etc/labwatch/labwatch.env", "0644", port.as_bytes());
    let said = machine.sh(
        "labwatch init --address http://127.0.0.1:9/ed0 --mail-server smtp.example.org --mail-to lab@example.org --time-zone Europe/London",
    );
    let next: Vec<&str> = said
        .lines()
        .filter(|line| line.starts_with("  "))
        .map(str::trim)
        .collect();
    let [check, rest @ ..] = &next[..] else {
        panic!("{said}");
    };
    assert_eq!(rest.len(), 2, "{said}");
    machine.sh(&check.replace(" --connect", ""));
    for command in rest {
        machine.sh(command);
    }
    assert_eq!(property(machine, "labwatch", "ActiveState"), "active");
    machine.until(SOON, "it says what it lacks", |machine| {
        let top = machine.sh(&format!("labwatch top --once --port {PORT}"));
        top.contains("! relay: refused").then_some(())
    });
    machine.sh("systemctl stop labwatch");
}
