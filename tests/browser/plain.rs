//! Without a script the page is whole.

use lab::RelayVersion;

use super::laboratory::{laboratory, switched};
use super::monitor::Monitor;
use super::page::Page;

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
#[ignore = "needs chromium; scripts/test.sh runs it"]
async fn without_a_script_one_reads_searches_and_goes_from_page_to_page() {
    let lab = laboratory(RelayVersion::V07, &["pend00", "spin00"]).await;
    let monitor = Monitor::start(&lab, &[]).await;
    monitor.sees_well(&["pend00", "spin00"]).await;
    lab.power_off("pend00").expect("known");
    switched(&lab, "r-pend00", 1).await;
    monitor
        .sees("pend00", "is withdrawn", |it| it["bookable"] == "withdrawn")
        .await;
    let page = Page::new(monitor.port()).await;
    page.without_script().await;
    page.open("/").await;
    page.says("1 of 2 experiments needs attention").await;
    page.says("Without a script this page is renewed only when you load it again.")
        .await;
    assert!(
        !page
            .value::<bool>("document.querySelector('#theme, #live').checkVisibility()")
            .await,
        "what only a script can do is not there"
    );

    page.click_on("pend00").await;
    page.says("What labwatch did").await;
    assert_eq!(
        page.value::<String>("location.pathname").await,
        "/experiments/pend00"
    );
    for (place, path) in [
        ("Pools", "/pools"),
        ("Sources", "/sources"),
        ("Holds", "/holds"),
        ("Outbox", "/outbox"),
        ("Students", "/lab"),
    ] {
        page.click_on(place).await;
        page.until(&format!(
            "location.pathname === '{path}' && document.querySelector('h1') !== null"
        ))
        .await;
    }
    page.open("/").await;
    page.click("document.getElementById('q')").await;
    page.write("spin").await;
    page.press("Enter").await;
    page.says("1 experiment found").await;
    page.click_on("spin00").await;
    page.until("location.pathname === '/experiments/spin00'")
        .await;
    page.nothing_complained().await;
    monitor.stop("TERM", &lab).await;
}
