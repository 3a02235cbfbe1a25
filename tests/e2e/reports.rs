//! Reports: over the API and on the command line while labwatch runs on the folder, and the one
//! that is mailed once for each month.

use std::path::Path;
use std::time::Duration;

use jiff::Timestamp;
use lab::RelayVersion;
use labwatch::store::{Entry, Store, StoreSettings};
use serde_json::json;

use super::eventually::eventually;
use super::laboratory::{laboratory, mail};
use super::monitor::{Monitor, kill, run};

const ALL: [&str; 2] = ["pend00", "spin00"];

/// A folder on which labwatch mailed its last report long ago.
fn mailed_long_ago(folder: &Path) {
    let (store, _) = Store::open(&StoreSettings {
        dir: folder.to_owned(),
        history_days: 1_000,
        ring: 1,
    })
    .expect("it opens");
    assert!(
        store
            .write(vec![Entry::Keep {
                key: "report.mailed".into(),
                value: Some(json!("2020-01"))
            }])
            .is_taken()
    );
    store.close();
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_report_is_read_while_it_runs_and_mailed_once() {
    let lab = laboratory(RelayVersion::V07, &ALL).await;
    let folder = tempfile::tempdir().expect("a folder");
    mailed_long_ago(folder.path());
    let name = folder.path().to_str().expect("a name");
    let file = folder.path().join("labwatch.toml");
    std::fs::write(&file, "report_monthly = false\n").expect("written");
    let config = file.to_str().expect("a name");
    let settings = [
        ("DATA_DIR", name),
        ("CONFIG", config),
        ("EMAIL_TO", "ann@lab.example"),
        ("TIME_ZONE", "UTC"),
    ];
    let monitor = Monitor::start(&lab, &settings).await;
    std::fs::write(&file, "report_monthly = true\n").expect("written");
    kill("HUP", monitor.pid()).await;
    mail(&lab, "the monthly report", |mail| {
        mail.subject.starts_with("[test lab] availability in 20")
    })
    .await;
    monitor.logs(&["mailed the monthly report"]).await;
    let mails = lab.mail().wait_for(1, Duration::from_secs(90)).await;
    assert!(
        mails.iter().any(|mail| mail
            .text
            .contains("The whole report, and how it is counted: ")),
        "where the rule is stands in it: {mails:#?}"
    );

    monitor.sees_well(&ALL).await;
    let month = Timestamp::now().strftime("%Y-%m").to_string();
    let path = format!("/api/v2/availability?period={month}");
    let look = async || {
        Some(monitor.get(&path).await).filter(|report| report["total"]["experiments"] == 2)
    };
    let report = eventually("both experiments are in the report", String::new, look).await;
    let names: Vec<_> = report["experiments"]
        .as_array()
        .expect("a list")
        .iter()
        .map(|row| row["name"].clone())
        .collect();
    assert_eq!(names, ["pend00", "spin00"], "{report}");
    assert!(
        report["total"]["minutes"]["ok"]
            .as_f64()
            .is_some_and(|minutes| minutes > 0.0),
        "{report}"
    );

    let printed = run(
        &[
            "report",
            "--month",
            &month,
            "--data-dir",
            name,
            "--format",
            "csv",
        ],
        &lab,
        &[],
    )
    .await;
    assert!(
        printed.status.success()
            && printed.said.contains("\n\"pend00\",1,")
            && printed.said.contains("\n\"all\",2,"),
        "{}",
        printed.said
    );
    let wrong = run(
        &["report", "--month", "october", "--data-dir", name],
        &lab,
        &[],
    )
    .await;
    assert!(
        wrong.status.code() == Some(2) && wrong.said.contains("write it as 2026-10"),
        "{}",
        wrong.said
    );
    let nowhere = run(&["report", "--data-dir", "/nowhere/at/all"], &lab, &[]).await;
    assert!(
        nowhere.status.code() == Some(1) && nowhere.said.contains("there is no file"),
        "{}",
        nowhere.said
    );
    monitor.stop("TERM", &lab).await;

    let notified = lab.mail().mails().len();
    let again = Monitor::start(&lab, &settings).await;
    again
        .logs_times(
            &["experiments are ok"],
            again.lines(&["experiments are ok"]).len() + 4,
        )
        .await;
    assert_eq!(
        lab.mail().mails().len(),
        notified,
        "it is mailed once: {:#?}",
        lab.mail().mails()
    );
    again.stop("TERM", &lab).await;
}
