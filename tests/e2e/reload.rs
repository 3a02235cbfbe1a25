//! Reload of the configuration at runtime: a valid one takes effect and no state is lost, an
//! invalid one changes nothing.

use std::path::Path;

use lab::{Lab, RelayVersion};

use super::eventually::eventually;
use super::laboratory::{laboratory, mail, switched, switches};
use super::monitor::{Monitor, Variable, environment, get, kill};

const ALL: [&str; 3] = ["pend00", "spin00", "trus00"];

const FIRST: &str = "health_last_active = \"3s\"\nhealth_startup = \"3s\"\n";

const SECOND: &str = r#"
health_last_active = "1h"
health_startup = "1h"
dead_man_every = "30s"

[[route]]
name = "spinners"
match = "spin*"
to = "spin@lab.example"

[[maintenance]]
name = "trusses"
match = "trus*"
days = "mon"
at = "00:00"
for = "7d"
reason = "painted"
"#;

const WRONG: &str = "health_last_active = \"soon\"\n";

/// The environment of a laboratory whose rules for streams are in a file.
fn with_file(lab: &Lab, file: &Path) -> Vec<Variable> {
    let mut variables = environment(lab, &[("CONFIG", file.to_str().expect("a name"))]);
    variables.retain(|(name, _)| {
        !["STATUS_HEALTH_LAST_ACTIVE", "STATUS_HEALTH_STARTUP"].contains(&name.as_str())
    });
    variables
}

async fn reloads(monitor: &Monitor, file: &Path, text: &str) {
    std::fs::write(file, text).expect("written");
    kill("HUP", monitor.pid()).await;
}

/// Waits until the status contains this about the configuration.
async fn status(monitor: &Monitor, words: &str) {
    let look = async || {
        get(monitor.port(), "/status")
            .await
            .filter(|(code, body)| *code == 200 && body.contains(words))
    };
    eventually(&format!("the status says {words}"), || monitor.tail(), look).await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_right_file_takes_effect_at_sighup_and_a_wrong_one_changes_nothing() {
    let lab = laboratory(RelayVersion::V07, &ALL).await;
    let folder = tempfile::tempdir().expect("a folder");
    let file = folder.path().join("labwatch.toml");
    std::fs::write(&file, FIRST).expect("written");
    let monitor = Monitor::start_with(with_file(&lab, &file)).await;
    monitor.sees_well(&ALL).await;
    lab.stream_silent("pend00-st-data").expect("known");
    mail(&lab, "pend00 is down", |mail| {
        mail.subject.contains("down: pend00")
    })
    .await;
    monitor.logs(&[" sent\""]).await;
    let history = monitor.history("pend00").await;

    reloads(&monitor, &file, SECOND).await;
    let line = monitor.logs(&["the configuration was reloaded"]).await;
    for part in [
        "health_last_active",
        "maintenance",
        "route",
        "\"waiting\":\"dead_man_every\"",
    ] {
        assert!(line.contains(part), "{part}: {line}");
    }
    status(
        &monitor,
        "these settings wait for a restart: dead_man_every",
    )
    .await;
    mail(&lab, "pend00 is back by the new rule", |mail| {
        mail.subject.contains("back: pend00")
    })
    .await;
    assert!(switched(&lab, "r-pend00", 2).await.available);
    assert_eq!(
        monitor.history("pend00").await[..history.len()],
        history[..],
        "nothing is forgotten"
    );
    assert_eq!(
        lab.mail().mails().len(),
        2,
        "nothing is notified again: {:#?}",
        lab.mail().mails()
    );

    lab.power_off("spin00").expect("known");
    mail(&lab, "the new route is notified", |mail| {
        mail.to == ["spin@lab.example"] && mail.subject.contains("down: spin00")
    })
    .await;
    mail(&lab, "and all recipients", |mail| {
        mail.to != ["spin@lab.example"] && mail.subject.contains("down: spin00")
    })
    .await;
    lab.power_off("trus00").expect("known");
    switched(&lab, "r-trus00", 1).await;

    reloads(&monitor, &file, WRONG).await;
    let line = monitor
        .logs(&["\"level\":\"ERROR\"", "the previous one stays in force"])
        .await;
    assert!(line.contains("health_last_active"), "{line}");
    status(&monitor, "the previous one stays in force").await;
    monitor
        .logs_times(
            &["experiments are ok"],
            monitor.lines(&["experiments are ok"]).len() + 4,
        )
        .await;
    assert_eq!(
        lab.mail().mails().len(),
        4,
        "trus00 is worked on: {:#?}",
        lab.mail().mails()
    );
    assert_eq!(switches(&lab, "r-pend00"), [false, true]);

    reloads(&monitor, &file, FIRST).await;
    mail(&lab, "the work on trus00 has ended", |mail| {
        mail.subject.contains("trus00")
    })
    .await;
    let is_suppressed = async || {
        get(monitor.port(), "/status")
            .await
            .filter(|(_, body)| !body.contains("stays in force") && !body.contains("wait for"))
    };
    eventually(
        "the status has forgotten the wrong file",
        || monitor.tail(),
        is_suppressed,
    )
    .await;
    monitor.stop("TERM", &lab).await;
}
