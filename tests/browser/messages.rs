//! That the tests of the page receive the browser's errors.

use super::laboratory::laboratory;
use super::monitor::Monitor;
use super::page::Page;
use lab::RelayVersion;

/// What a careless page would do, and a word of the complaint.
const SINS: [(&str, &str); 5] = [
    (
        "console.error('an error of its own')",
        "an error of its own",
    ),
    (
        "setTimeout(() => { throw new Error('it is not caught') })",
        "it is not caught",
    ),
    (
        "document.body.append(Object.assign(document.createElement('style'), { textContent: 'p { color: red }' }))",
        "style-src",
    ),
    (
        "document.createElement('div').innerHTML = '<p>not trusted</p>'",
        "TrustedHTML",
    ),
    (
        "document.body.append(Object.assign(new Image(), { src: 'http://127.0.0.1:9/elsewhere.png' }))",
        "img-src",
    ),
];

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
#[ignore = "needs chromium; scripts/test.sh runs it"]
async fn errors_of_the_browser_are_received() {
    let lab = laboratory(RelayVersion::V08, &["pend00"]).await;
    let monitor = Monitor::start(&lab, &[]).await;
    let page = Page::new(monitor.port()).await;
    page.open("/").await;
    for (sin, as_str) in SINS {
        // The page itself does it, as its own script would, and not the tests from outside.
        page.value::<()>(&format!("void setTimeout(() => {{ {sin} }})"))
            .await;
        page.reported(as_str).await;
    }
    page.gone();
    monitor.stop("TERM", &lab).await;
}
