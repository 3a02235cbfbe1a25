//! The page stays up to date by itself: from the first moment, through failures one after another,
//! and through the loss of its connection.

use lab::RelayVersion;

use super::laboratory::{laboratory, switched};
use super::monitor::Monitor;
use super::page::Page;

const ALL: [&str; 3] = ["pend00", "pend01", "spin00"];

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
#[ignore = "needs chromium; scripts/test.sh runs it"]
async fn it_is_there_from_the_start_and_fills_by_itself() {
    let lab = laboratory(RelayVersion::V08, &ALL).await;
    let monitor = Monitor::start(&lab, &[("HEALTH_STARTUP", "10s")]).await;
    let page = Page::new(monitor.port()).await;
    page.open("/").await;
    mark(&page).await;
    page.says("3 of 3 experiments are not evaluated").await;
    page.says("All 3 experiments are ok").await;
    assert_eq!(page.value::<String>("document.title").await, "Lab status");
    page.until("document.getElementById('live').innerText === 'live'")
        .await;
    still_marked(&page).await;
    page.nothing_complained().await;
    monitor.stop("TERM", &lab).await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
#[ignore = "needs chromium; scripts/test.sh runs it"]
async fn failures_are_seen_one_after_another_without_a_reload() {
    let lab = laboratory(RelayVersion::V08, &ALL).await;
    let monitor = Monitor::start(&lab, &[]).await;
    monitor.sees_well(&ALL).await;
    let page = Page::new(monitor.port()).await;
    page.open("/").await;
    page.says("All 3 experiments are ok").await;
    mark(&page).await;

    for (nth, stub) in ["pend00", "spin00"].into_iter().enumerate() {
        lab.power_off(stub).expect("known");
        let shown = page
            .moment_when(&format!(
                "{} && {}",
                row(stub, "down"),
                row(stub, "withdrawn by labwatch")
            ))
            .await;
        let switch = switched(&lab, &format!("r-{stub}"), 1).await;
        let took = shown.duration_since(switch.at).as_millis_f64();
        println!(
            "measured: failure {}: the page shows it {took:.0} ms after the switch in book",
            nth + 1
        );
        assert!(took < 10_000.0, "far above what it takes on a busy machine");
        page.until(&format!("document.title === '({}) Lab status'", nth + 1))
            .await;
    }
    page.says("2 of 3 experiments need attention").await;
    lab.power_on("pend00").expect("known");
    page.says("1 of 3 experiments needs attention").await;
    lab.power_on("spin00").expect("known");
    page.says("All 3 experiments are ok").await;
    still_marked(&page).await;
    page.nothing_complained().await;
    monitor.stop("TERM", &lab).await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
#[ignore = "needs chromium; scripts/test.sh runs it"]
async fn a_lost_connection_is_shown_and_what_was_known_stays() {
    let lab = laboratory(RelayVersion::V08, &ALL).await;
    let monitor = Monitor::start(&lab, &[]).await;
    let port = monitor.port();
    monitor.sees_well(&ALL).await;
    lab.power_off("pend00").expect("known");
    let mut page = Page::new(port).await;
    page.forgive("net::ERR_");
    page.open("/").await;
    page.until(&row("pend00", "down")).await;
    mark(&page).await;

    monitor.kill(&lab).await;
    page.says("Connection lost. What you see is from").await;
    page.until("document.getElementById('live').innerText === 'disconnected'")
        .await;
    assert!(
        page.value::<bool>(&row("pend00", "down")).await,
        "what was known stays: {}",
        page.text().await
    );

    let again = Monitor::start(&lab, &[("PORT_SERVE", &port.to_string())]).await;
    page.until("document.getElementById('lost').hidden && document.getElementById('live').innerText === 'live'").await;
    page.until(&row("pend00", "down")).await;
    lab.power_on("pend00").expect("known");
    page.says("All 3 experiments are ok").await;
    still_marked(&page).await;
    page.nothing_complained().await;
    again.stop("TERM", &lab).await;
}

/// A browser holds few connections to a host. A stream of a page that is left must not
/// use one up.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
#[ignore = "needs chromium; scripts/test.sh runs it"]
async fn one_goes_from_page_to_page_for_as_long_as_one_likes() {
    let lab = laboratory(RelayVersion::V08, &ALL).await;
    let monitor = Monitor::start(&lab, &[]).await;
    monitor.sees_well(&ALL).await;
    let page = Page::new(monitor.port()).await;
    page.open("/").await;
    for (name, path) in [
        ("Pools", "/pools"),
        ("Sources", "/sources"),
        ("Holds", "/holds"),
        ("Outbox", "/outbox"),
        ("Overview", "/"),
    ]
    .repeat(3)
    {
        page.click_on(name).await;
        page.until(&format!(
            "location.pathname === '{path}' && document.getElementById('live').innerText === 'live'"
        ))
        .await;
    }
    page.value::<()>("history.back()").await;
    page.until(
        "location.pathname === '/outbox' && document.getElementById('live').innerText === 'live'",
    )
    .await;
    lab.power_off("pend00").expect("known");
    page.until("document.title.startsWith('(1)')").await;
    page.nothing_complained().await;
    monitor.stop("TERM", &lab).await;
}

/// Checks that the row of an experiment contains this.
fn row(stub: &str, words: &str) -> String {
    format!(
        "document.querySelector('[data-row]:has(a[href=\"/experiments/{stub}\"])')?.innerText.includes('{words}')"
    )
}

/// Leaves a mark in the page that a reload would remove.
async fn mark(page: &Page) {
    page.value::<bool>("window.marked = true").await;
}

async fn still_marked(page: &Page) {
    assert!(
        page.value::<bool>("window.marked === true").await,
        "the page was loaded anew"
    );
}
