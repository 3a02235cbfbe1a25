//! Accessibility: with the keyboard alone, and on a phone.

use lab::RelayVersion;

use super::laboratory::{laboratory, switched};
use super::monitor::Monitor;
use super::page::{Look, Page};

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
#[ignore = "needs chromium; scripts/test.sh runs it"]
async fn nothing_hangs_over_the_edge_of_a_phone() {
    let lab = laboratory(RelayVersion::V07, &["pend00", "spin00"]).await;
    let monitor = Monitor::start(&lab, &[]).await;
    monitor.sees_well(&["pend00", "spin00"]).await;
    lab.power_off("pend00").expect("known");
    switched(&lab, "r-pend00", 1).await;
    let page = Page::new(monitor.port()).await;
    page.look(Look::Phone).await;
    let paths = [
        "/",
        "/?wall",
        "/experiments/pend00",
        "/experiments",
        "/timeline",
        "/pools",
        "/categories",
        "/sources",
        "/holds",
        "/outbox",
        "/reports",
        "/lab",
        "/login",
    ];
    for path in paths {
        page.open(path).await;
        let [whole, window] = page
            .value::<[f64; 2]>("[document.scrollingElement.scrollWidth, innerWidth]")
            .await;
        assert!(whole <= window, "{path} is {whole} pixels wide");
    }
    page.nothing_complained().await;
    monitor.stop("TERM", &lab).await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
#[ignore = "needs chromium; scripts/test.sh runs it"]
async fn the_keyboard_leads_from_the_top_to_an_experiment() {
    let lab = laboratory(RelayVersion::V07, &["pend00", "pend01", "spin00"]).await;
    let monitor = Monitor::start(&lab, &[]).await;
    monitor.sees_well(&["pend00", "pend01", "spin00"]).await;
    for stub in ["pend00", "spin00"] {
        lab.power_off(stub).expect("known");
        monitor
            .sees(stub, "is withdrawn", |it| it["bookable"] == "withdrawn")
            .await;
    }
    let page = Page::new(monitor.port()).await;
    page.open("/").await;
    assert_eq!(
        page.tab_to("it.matches('a.skip') && it.getBoundingClientRect().top >= 0")
            .await,
        1,
        "the way past the navigation comes first"
    );
    page.press("Enter").await;
    page.until("location.hash === '#main'").await;
    page.tab_to("it.matches('[data-row] a.name') && getComputedStyle(it).outlineStyle !== 'none'")
        .await;

    // The page's own keys: down, up, into the search and out again, and what they are.
    let first: String = page.value("document.activeElement.innerText").await;
    page.press("j").await;
    page.until(&format!(
        "document.activeElement.innerText !== '{first}' && document.activeElement.matches('a.name')"
    ))
    .await;
    page.press("k").await;
    page.until(&format!("document.activeElement.innerText === '{first}'"))
        .await;
    page.press("/").await;
    page.until("document.activeElement.id === 'q'").await;
    page.press("Escape").await;
    page.until("document.activeElement.id !== 'q'").await;
    page.press("?").await;
    page.until("document.getElementById('help').open && getComputedStyle(document.getElementById('help')).position === 'fixed'")
        .await;
    page.press("Escape").await;
    page.until("!document.getElementById('help').open").await;
    page.press("?").await;
    page.press("/").await;
    page.until("!document.getElementById('help').open").await;
    page.write("spin").await;
    page.press("Enter").await;
    page.says("1 experiment found").await;
    page.tab_to("it.innerText === 'spin00'").await;
    page.press("Enter").await;
    page.until("location.pathname === '/experiments/spin00' && document.getElementById('live').innerText === 'live'").await;
    page.press("g").await;
    page.until("location.pathname === '/'").await;
    page.nothing_complained().await;
    monitor.stop("TERM", &lab).await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
#[ignore = "needs chromium; scripts/test.sh runs it"]
async fn the_theme_is_the_readers_and_stays() {
    let lab = laboratory(RelayVersion::V08, &["pend00"]).await;
    let monitor = Monitor::start(&lab, &[]).await;
    let page = Page::new(monitor.port()).await;
    let paper = "getComputedStyle(document.documentElement).backgroundColor";
    page.look(Look::Dark).await;
    page.open("/").await;
    let dark: String = page.value(paper).await;
    page.click_on("Light").await;
    page.until(&format!("{paper} !== '{dark}'")).await;
    let light: String = page.value(paper).await;
    page.open("/pools").await;
    assert_eq!(page.value::<String>(paper).await, light, "it is remembered");
    page.look(Look::Light).await;
    page.click_on("Dark").await;
    page.until(&format!("{paper} === '{dark}'")).await;
    page.nothing_complained().await;
    monitor.stop("TERM", &lab).await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
#[ignore = "needs chromium; scripts/test.sh runs it"]
async fn what_programs_read_can_be_looked_at_too() {
    let lab = laboratory(RelayVersion::V08, &["pend00"]).await;
    let monitor = Monitor::start(&lab, &[]).await;
    let page = Page::new(monitor.port()).await;
    for path in [
        "/api/v2/docs/",
        "/api/v2/lab",
        "/badge/pend00.svg",
        "/swagger.json",
    ] {
        page.open(path).await;
    }
    page.nothing_complained().await;
    monitor.stop("TERM", &lab).await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
#[ignore = "needs chromium; scripts/test.sh runs it"]
async fn the_wall_uses_the_whole_screen() {
    let all = [
        "pend00", "pend01", "pend02", "spin00", "spin01", "trus00", "trus01",
    ];
    let lab = laboratory(RelayVersion::V07, &all).await;
    let monitor = Monitor::start(&lab, &[]).await;
    monitor.sees_well(&all).await;
    let page = Page::new(monitor.port()).await;
    page.size(1920, 1080, false).await;
    fills(&page, "all is well").await;
    lab.power_off("pend00").expect("known");
    lab.power_off("spin00").expect("known");
    for stub in ["pend00", "spin00"] {
        monitor
            .sees(stub, "is withdrawn", |it| it["bookable"] == "withdrawn")
            .await;
    }
    fills(&page, "two are down").await;
    page.nothing_complained().await;
    monitor.stop("TERM", &lab).await;
}

/// The wall needs no scrolling, and what it shows reaches the right and the lower edge.
async fn fills(page: &Page, when: &str) {
    page.open("/?wall").await;
    let [whole, right, bottom] = page
        .value::<[f64; 3]>(
            "(() => { const boxes = [...document.querySelectorAll('.cards > li, .stock li')].map((it) => it.getBoundingClientRect()); \
             return [document.scrollingElement.scrollHeight / innerHeight, Math.max(...boxes.map((it) => it.right)) / innerWidth, \
             Math.max(...boxes.map((it) => it.bottom)) / innerHeight]; })()",
        )
        .await;
    assert!(
        whole <= 1.0 && right > 0.95 && bottom > 0.95,
        "when {when}: {whole} of the height is needed, {right} and {bottom} are used"
    );
}
