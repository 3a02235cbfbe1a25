//! The page of students in a frame of another site, as courses put it there; and a page that no
//! site may frame.

use axum::Router;
use axum::response::Html;
use lab::RelayVersion;
use tokio::net::TcpListener;
use tokio::task::JoinSet;

use super::laboratory::{laboratory, switched};
use super::monitor::Monitor;
use super::page::Page;

/// Another site, whose one page has this in a frame. It ends when the set is dropped.
async fn site_with_frame(address: &str) -> (u16, JoinSet<()>) {
    let listener = TcpListener::bind("127.0.0.1:0").await.expect("a port");
    let port = listener.local_addr().expect("an address").port();
    let page = format!(
        "<!doctype html><html lang=en><title>A course</title><iframe src=\"{address}\" title=\"The lab\"></iframe></html>"
    );
    let site = Router::new().fallback(async move || Html(page));
    let mut serving = JoinSet::new();
    serving.spawn(async { axum::serve(listener, site).await.expect("serves") });
    (port, serving)
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
#[ignore = "needs chromium; scripts/test.sh runs it"]
async fn only_the_page_of_students_stands_in_a_frame_of_another_site() {
    let lab = laboratory(RelayVersion::V07, &["pend00", "pend01"]).await;
    let monitor = Monitor::start(&lab, &[]).await;
    monitor.sees_well(&["pend00", "pend01"]).await;
    lab.power_off("pend00").expect("known");
    switched(&lab, "r-pend00", 1).await;
    let at = |path: &str| format!("http://127.0.0.1:{}{path}", monitor.port());

    let (port, _course) = site_with_frame(&at("/lab/pend")).await;
    let page = Page::new(port).await;
    page.open("/").await;
    page.frame_says("1 of 2").await;
    page.nothing_complained().await;

    let (port, _trap) = site_with_frame(&at("/login")).await;
    let page = Page::new(port).await;
    page.open("/").await;
    page.reported("frame-ancestors 'none'").await;
    page.gone();
    monitor.stop("TERM", &lab).await;
}
