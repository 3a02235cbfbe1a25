//! Commands of maintainers over the API of the running program: their effect first, then done, kept
//! through a kill, and seen in book.

use lab::RelayVersion;
use reqwest::Method;
use serde_json::{Value, json};

use super::admin::{SECRET, order};
use super::laboratory::{laboratory, switched, switches};
use super::monitor::Monitor;

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn what_is_acknowledged_stays_so_through_a_kill_and_changes_nothing_in_book() {
    let lab = laboratory(RelayVersion::V07, &["pend00", "pend01"]).await;
    let folder = tempfile::tempdir().expect("a folder");
    let settings = [
        ("SECRET_API", SECRET),
        ("DATA_DIR", folder.path().to_str().expect("a name")),
    ];
    let monitor = Monitor::start(&lab, &settings).await;
    monitor.sees_well(&["pend00", "pend01"]).await;
    let of = |what: &str, name: &str| Some(json!({what: name, "text": "motor ordered"}));
    let path = "/api/v2/acknowledgements";

    let pend00 = || of("experiments", "pend00");
    let (status, notified) = order(&monitor, Method::POST, path, pend00()).await;
    assert_eq!(
        status, 409,
        "what is well cannot be acknowledged: {notified}"
    );
    for (component, code) in [("jump", 409), ("nothing", 404)] {
        for mode in ["", "?dry_run=true"] {
            let (status, notified) = order(
                &monitor,
                Method::POST,
                &format!("{path}{mode}"),
                of("component", component),
            )
            .await;
            assert_eq!(status, code, "{component}{mode}: {notified}");
        }
    }
    lab.power_off("pend00").expect("known");
    switched(&lab, "r-pend00", 1).await;
    let (status, notified) = order(
        &monitor,
        Method::POST,
        "/api/v2/acknowledgements?dry_run=true",
        pend00(),
    )
    .await;
    assert_eq!(
        (status, &notified["done"], &notified["experiments"]),
        (200, &json!(false), &json!(["pend00"])),
        "{notified}"
    );
    assert_eq!(
        monitor.suppressions().await,
        Vec::<Value>::new(),
        "to ask for the effect changes nothing"
    );
    let (status, notified) = order(&monitor, Method::POST, path, pend00()).await;
    assert_eq!(
        (status, &notified["done"]),
        (201, &json!(true)),
        "{notified}"
    );
    monitor.kill(&lab).await;

    let monitor = Monitor::start(&lab, &settings).await;
    let kept = monitor.suppressions().await;
    assert_eq!(
        (&kept[0]["name"], &kept[0]["text"], &kept[0]["by"]),
        (&json!("pend00"), &Value::Null, &Value::Null),
        "{kept:?}"
    );
    assert_eq!(
        switches(&lab, "r-pend00"),
        [false],
        "an acknowledgement never touches book"
    );
    monitor.stop("TERM", &lab).await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_hold_reaches_book_in_the_persons_words_and_is_let_go() {
    let lab = laboratory(RelayVersion::V07, &["pend00"]).await;
    let monitor = Monitor::start(&lab, &[("SECRET_API", SECRET)]).await;
    monitor.sees_well(&["pend00"]).await;
    let hold = Some(json!({"resource": "r-pend00", "reason": "The motor is being replaced."}));
    let (status, notified) = order(&monitor, Method::POST, "/api/v2/holds", hold).await;
    assert_eq!(status, 201, "{notified}");
    let taken = switched(&lab, "r-pend00", 1).await;
    assert_eq!(
        (taken.available, taken.reason.as_str()),
        (false, "The motor is being replaced.")
    );
    let (status, notified) = order(&monitor, Method::DELETE, "/api/v2/holds/r-pend00", None).await;
    assert_eq!(status, 200, "{notified}");
    assert!(switched(&lab, "r-pend00", 2).await.available);
    let (status, notified) = order(&monitor, Method::DELETE, "/api/v2/holds/r-nothing", None).await;
    assert_eq!(status, 404, "{notified}");
    monitor.stop("TERM", &lab).await;
}
