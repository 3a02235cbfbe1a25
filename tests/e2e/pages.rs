//! The pages that students open: one that fails is notified once, withdrawn where that is asked
//! for, and back as soon as it works.

use lab::RelayVersion;
use serde_json::Value;

use super::laboratory::{laboratory, mail, switched, switches};
use super::monitor::{Monitor, get};

const STUBS: [&str; 3] = ["pend00", "pend01", "spin00"];

/// The query of the simulated pages: it stays out of all that is shown.
const QUERY: &str = "course=everyone";

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_page_that_is_gone_is_notified_and_withdrawn_where_that_is_configured() {
    let lab = laboratory(RelayVersion::V07, &STUBS).await;
    let settings = [("UI_CHECK_EVERY", "1s"), ("UI_CHECK", "required")];
    let monitor = Monitor::start(&lab, &settings).await;
    monitor.sees_well(&STUBS).await;
    let cause = async |fault: &str| {
        let fault = fault.parse().expect("a fault");
        lab.cause(&fault).await.expect("can");
    };

    cause("http pages /ui/pend/ status 404").await;
    let mail = mail(&lab, "the page fails", |mail| {
        mail.text.contains("answers 404")
    })
    .await;
    assert!(mail.text.contains("/ui/pend/"), "{}", mail.text);
    let reason = switched(&lab, "r-pend00", 1).await.reason;
    assert!(reason.contains("web page cannot be opened"), "{reason}");
    switched(&lab, "r-pend01", 1).await;
    monitor
        .sees("pend00", "down", |view| view["health"] == "down")
        .await;
    let detail = monitor.get("/api/v2/experiments/pend00").await;
    let page = &detail["pages"][0];
    assert_eq!(
        (&page["health"], &page["note"]),
        (&Value::from("fails"), &Value::from("answers 404"))
    );
    let name = page["page"].as_str().expect("a name");
    assert!(name.ends_with("/ui/pend/"), "{name}");
    let (_, metrics) = get(monitor.port(), "/metrics").await.expect("an answer");
    assert!(
        metrics.contains(&format!("labwatch_ui_page_up{{page=\"{name}\"}} 0")),
        "{metrics}"
    );

    cause("http pages /ui/pend/ ok").await;
    monitor.sees_well(&STUBS).await;
    switched(&lab, "r-pend00", 2).await;
    assert_eq!(switches(&lab, "r-pend00"), [false, true]);
    assert_eq!(switches(&lab, "r-spin00"), [false; 0], "its page works");

    let asked = lab.page_requests();
    let is_check = |asked: &String| {
        let (method, address) = asked.split_once(' ').unwrap_or_default();
        matches!(method, "HEAD" | "GET") && address.ends_with(&format!("/?{QUERY}"))
    };
    assert!(asked.iter().all(is_check), "{asked:?}");
    let mails = lab.mail().mails();
    assert!(mails.iter().all(|mail| !mail.text.contains(QUERY)));
    assert!(!detail.to_string().contains(QUERY) && !metrics.contains(QUERY));
    let log = monitor.lines(&[QUERY]);
    assert!(log.is_empty(), "{log:?}");
    monitor.stop("INT", &lab).await;
}
