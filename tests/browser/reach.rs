//! Everybody can use it: with the keyboard alone, and on a phone.

use labwatch::lab::RelayVersion;

use super::laboratory::{laboratory, switched};
use super::monitor::Monitor;
use super::page::{Look, Page};

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn nothing_hangs_over_the_edge_of_a_phone() {
    let lab = laboratory(RelayVersion::V07, &["pend00", "spin00"]).await;
    let monitor = Monitor::start(&lab, &[]).await;
    monitor.sees_well(&["pend00", "spin00"]).await;
    lab.power_off("pend00").expect("known");
    switched(&lab, "r-pend00", 1).await;
    let page = Page::new(monitor.port()).await;
    page.look(Look::Phone).await;
    for path in ["/", "/experiments/pend00", "/pools", "/sources", "/holds", "/outbox", "/lab", "/login"] {
        page.open(path).await;
        let [whole, window] = page.value::<[f64; 2]>("[document.scrollingElement.scrollWidth, innerWidth]").await;
        assert!(whole <= window, "{path} is {whole} pixels wide");
    }
    page.nothing_complained().await;
    monitor.stop("TERM", &lab).await;
}
