//! axe-core finds barriers to accessibility: contrast, names, roles, order, landmarks. It finds
//! nothing on any page, in either theme, on a phone, and nothing that it cannot decide by itself.

use std::fmt::Write as _;
use std::fs;
use std::path::PathBuf;
use std::sync::LazyLock;

use lab::{Lab, RelayVersion, Server};
use serde_json::Value;

use super::laboratory::{laboratory, switched};
use super::monitor::Monitor;
use super::page::{Look, Page};
use super::tools::tool;

const ALL: [&str; 5] = ["pend00", "pend01", "pend02", "spin00", "trus00"];

/// Every page that needs no token.
const OPEN_PAGES: [&str; 18] = [
    "/",
    "/?state=ok",
    "/?q=nothing",
    "/?wall",
    "/experiments/pend00",
    "/experiments/trus00",
    "/experiments/newx00",
    "/experiments/none",
    "/experiments",
    "/timeline",
    "/pools",
    "/categories",
    "/sources",
    "/holds",
    "/outbox",
    "/reports",
    "/lab",
    "/lab/pend",
];

/// The pages around the API.
const OTHER_PAGES: [&str; 1] = ["/login"];

/// The violations that axe found, and those that it could not decide: the rule, and where.
const RUN: &str = "axe.run(document, { resultTypes: ['violations', 'incomplete'] }).then((found) => \
    [...found.violations, ...found.incomplete].map((rule) => \
        [rule.id, rule.help, rule.nodes.map((node) => `${node.html}: ${node.failureSummary}`)]))";

static AXE: LazyLock<String> = LazyLock::new(|| {
    let libraries = tool("python")
        .parent()
        .and_then(|bin| bin.parent())
        .expect("the environment's folder")
        .join("lib");
    let versions = fs::read_dir(libraries)
        .expect("a folder")
        .map(|version| version.expect("a folder").path());
    let files: Vec<PathBuf> = versions
        .map(|version| version.join("site-packages/axe_playwright_python/axe.min.js"))
        .collect();
    let file = files
        .iter()
        .find(|file| file.exists())
        .expect("axe.min.js: scripts/test.sh installs it");
    fs::read_to_string(file).expect("a text")
});

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
#[ignore = "needs chromium; scripts/test.sh runs it"]
async fn axe_finds_nothing_while_much_is_wrong() {
    let lab = laboratory(RelayVersion::V07, &ALL).await;
    let monitor = Monitor::start(&lab, &[]).await;
    monitor.sees_well(&ALL).await;
    much_goes_wrong(&lab, &monitor).await;
    finds_nothing(
        Page::new(monitor.port()).await,
        &[&OPEN_PAGES[..], &OTHER_PAGES].concat(),
    )
    .await;
    monitor.stop("TERM", &lab).await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
#[ignore = "needs chromium; scripts/test.sh runs it"]
async fn axe_finds_nothing_while_all_is_well() {
    let lab = laboratory(RelayVersion::V08, &ALL).await;
    let monitor = Monitor::start(&lab, &[]).await;
    monitor.sees_well(&ALL).await;
    finds_nothing(
        Page::new(monitor.port()).await,
        &["/", "/experiments/pend00", "/pools", "/holds", "/outbox"],
    )
    .await;
    monitor.stop("TERM", &lab).await;
}

/// One is down, one degraded, one held, one unlisted; no mail can be sent, and jump is away.
async fn much_goes_wrong(lab: &Lab, monitor: &Monitor) {
    lab.power_off("pend00").expect("known");
    lab.jump_lost("pend01").expect("known");
    lab.hold("r-spin00", "The motor is being replaced.")
        .expect("known");
    lab.experiment_appears("newx00");
    lab.kill(Server::Mail).await;
    switched(lab, "r-pend00", 1).await;
    monitor
        .sees("spin00", "is held", |it| it["bookable"] == "held")
        .await;
    monitor
        .sees("pend01", "is degraded", |it| it["health"] == "degraded")
        .await;
    monitor
        .sees("newx00", "is evaluated", |it| it["health"] == "ok")
        .await;
}

/// Checks these pages in every way.
pub async fn finds_nothing(mut page: Page, paths: &[&str]) {
    page.forgive("status of 404");
    let mut found = String::new();
    for look in Look::ALL {
        page.look(look).await;
        for path in paths {
            page.open(path).await;
            note(&mut found, &format!("{path}, {look:?}"), &axe(&page).await);
        }
    }
    assert!(found.is_empty(), "{found}");
    page.nothing_complained().await;
}

/// The violations on the current page.
async fn axe(page: &Page) -> Vec<(String, String, Vec<String>)> {
    page.value::<Value>(&format!("{}; null", *AXE)).await;
    page.value(RUN).await
}

fn note(found: &mut String, place: &str, rules: &[(String, String, Vec<String>)]) {
    for (rule, help, nodes) in rules {
        let _ = writeln!(found, "{place}: {rule}: {help}\n  {}", nodes.join("\n  "));
    }
}
