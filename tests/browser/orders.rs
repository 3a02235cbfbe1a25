//! A maintainer signs in and gives commands: with a script, without one, and by the keyboard alone.
//! Each command shows its effect before it is carried out.

use std::time::Duration;

use jiff::Timestamp;
use lab::{Lab, RelayVersion};
use labwatch::http::auth::{Authority, Grant, Scope};

use super::axe;
use super::laboratory::{laboratory, switched, switches};
use super::monitor::Monitor;
use super::page::Page;

/// The secret of the API.
pub const SECRET: &str = "the-s3cr3t-of-the-ap1-of-the-page";

const ALL: [&str; 2] = ["pend00", "spin00"];

/// A laboratory in which one is down, and a page of it.
async fn one_is_down() -> (Lab, Monitor, Page) {
    let lab = laboratory(RelayVersion::V07, &ALL).await;
    let monitor = Monitor::start(&lab, &[("SECRET_API", SECRET)]).await;
    monitor.sees_well(&ALL).await;
    lab.power_off("pend00").expect("known");
    switched(&lab, "r-pend00", 1).await;
    monitor
        .sees("pend00", "is withdrawn", |it| it["bookable"] == "withdrawn")
        .await;
    let page = Page::new(monitor.port()).await;
    (lab, monitor, page)
}

fn token() -> String {
    let grant = Grant {
        name: "Ada".into(),
        scopes: [Scope::Admin].into_iter().collect(),
        reports: vec!["*".to_owned()].try_into().expect("a name"),
        life: Duration::from_secs(600),
    };
    Authority::new(&SECRET.into())
        .issue(&grant, Timestamp::now())
        .expect("issues")
        .token
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
#[ignore = "needs chromium; scripts/test.sh runs it"]
async fn an_acknowledgement_says_its_effect_and_has_it() {
    let (lab, monitor, page) = one_is_down().await;
    let another = Page::new(monitor.port()).await;
    another.open("/experiments/pend00").await;
    page.open("/experiments/pend00").await;
    page.click_on("sign in").await;
    page.until("document.activeElement.id === 'token'").await;
    page.write(&token()).await;
    page.press("Enter").await;
    page.until("location.pathname === '/experiments/pend00'")
        .await;
    page.says("Ada (admin)").await;

    page.click_on("Acknowledge").await;
    page.click("document.getElementById('text')").await;
    page.write("motor ordered").await;
    // With a script it reports it by itself.
    page.until("document.getElementById('effect').innerText.includes('Book is not changed')")
        .await;
    assert!(
        monitor.suppressions().await.is_empty(),
        "it is only said yet"
    );
    page.click("document.getElementById('confirm')").await;
    page.until("location.pathname === '/experiments/pend00' && document.getElementById('done')?.innerText.startsWith('Done.')").await;
    page.says("acknowledged by Ada: motor ordered").await;
    // Another reader sees it without a reload, and neither name nor text.
    another.says("acknowledged").await;
    let shown = another.text().await;
    assert!(
        !shown.contains("Ada") && !shown.contains("motor ordered"),
        "{shown}"
    );
    assert_eq!(switches(&lab, "r-pend00"), [false], "book is not changed");

    lab.power_on("pend00").expect("known");
    page.until(
        "!document.querySelector('main').innerText.includes('acknowledged by Ada: motor ordered')",
    )
    .await;
    page.click_on("Sign out").await;
    page.says("Sign in").await;
    assert!(!page.text().await.contains("Ada"), "signed out");
    page.nothing_complained().await;
    another.nothing_complained().await;
    monitor.stop("TERM", &lab).await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
#[ignore = "needs chromium; scripts/test.sh runs it"]
async fn without_a_script_one_signs_in_and_acknowledges_by_forms() {
    let (lab, monitor, page) = one_is_down().await;
    page.without_script().await;
    page.open("/login").await;
    page.click("document.getElementById('token')").await;
    page.write("no token").await;
    page.click("document.querySelector('#login button')").await;
    page.until("document.getElementById('problem') !== null")
        .await;
    page.click("document.getElementById('token')").await;
    page.write(&token()).await;
    page.click("document.querySelector('#login button')").await;
    page.until("location.pathname === '/'").await;
    page.click_on("pend00").await;
    page.click_on("Acknowledge").await;
    page.click("document.getElementById('text')").await;
    page.write("motor ordered").await;
    page.click_on("Show what it does").await;
    page.says("Book is not changed").await;
    page.click("document.getElementById('confirm')").await;
    page.says("acknowledged by Ada: motor ordered").await;
    page.nothing_complained().await;
    monitor.stop("TERM", &lab).await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
#[ignore = "needs chromium; scripts/test.sh runs it"]
async fn the_keyboard_alone_acknowledges() {
    let (lab, monitor, page) = one_is_down().await;
    page.open("/login").await;
    page.until("document.activeElement.id === 'token'").await;
    page.write(&token()).await;
    page.press("Enter").await;
    page.until("location.pathname === '/'").await;
    page.tab_to("it.matches('a.skip')").await;
    page.press("Enter").await;
    page.until("location.hash === '#main'").await;
    page.tab_to("it.matches('a.name') && it.innerText === 'pend00'")
        .await;
    page.press("Enter").await;
    page.until("location.pathname === '/experiments/pend00'")
        .await;
    page.tab_to("it.innerText === 'Acknowledge'").await;
    page.press("Enter").await;
    page.until("location.pathname === '/do/acknowledge'").await;
    page.tab_to("it.id === 'text'").await;
    page.write("motor ordered").await;
    page.until("document.getElementById('confirm')?.disabled === false")
        .await;
    page.tab_to("it.id === 'confirm'").await;
    page.press("Enter").await;
    page.says("acknowledged by Ada: motor ordered").await;
    page.nothing_complained().await;
    monitor.stop("TERM", &lab).await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
#[ignore = "needs chromium; scripts/test.sh runs it"]
async fn a_hold_is_announced_and_reaches_book() {
    let (lab, monitor, page) = one_is_down().await;
    sign_in(&page).await;
    page.open("/experiments/spin00").await;
    page.click_on("Hold r-spin00").await;
    page.click("document.getElementById('reason')").await;
    page.write("The motor is being replaced.").await;
    page.until("document.getElementById('effect').innerText.includes('Students read: “The motor is being replaced.”')").await;
    page.click("document.getElementById('confirm')").await;
    page.says("held by a person").await;
    assert_eq!(
        lab.availability("r-spin00"),
        Some((false, "The motor is being replaced.".to_owned()))
    );
    page.click_on("Enable r-spin00").await;
    page.click("document.getElementById('confirm')").await;
    assert!(
        switched(&lab, "r-spin00", 2).await.available,
        "{:#?}",
        lab.switched()
    );
    page.until("location.pathname === '/experiments/spin00' && !document.querySelector('main').innerText.includes('held by a person')")
        .await;
    page.nothing_complained().await;
    monitor.stop("TERM", &lab).await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
#[ignore = "needs chromium; scripts/test.sh runs it"]
async fn axe_finds_nothing_on_the_forms() {
    let (lab, monitor, page) = one_is_down().await;
    sign_in(&page).await;
    let paths = [
        "/",
        "/holds",
        "/outbox",
        "/login",
        "/experiments/pend00",
        "/do/acknowledge?name=pend00",
        "/do/acknowledge?name=pend00&text=motor+ordered&check=1",
        "/do/acknowledge?name=nothere&text=motor+ordered&check=1",
        "/pools",
        "/do/close-category?category=pend",
        "/do/close-category?category=pend&reason=exam+room+locked&check=1",
        "/do/silence?experiments=pend00",
        "/do/maintenance?experiments=pend00",
        "/do/hold?resource=r-spin00",
        "/do/hold?resource=r-spin00&reason=The+motor+is+being+replaced.&check=1",
    ];
    axe::finds_nothing(page, &paths).await;
    monitor.stop("TERM", &lab).await;
}

/// Signs in as a maintainer.
pub async fn sign_in(page: &Page) {
    page.open("/login").await;
    // The browser gives the focus when it first draws the page, which may be later than the page is
    // there.
    page.until("document.activeElement.id === 'token'").await;
    page.write(&token()).await;
    page.press("Enter").await;
    page.says("Ada (admin)").await;
}
