//! A real Chromium on the page of the real program, which watches the simulated laboratory: what a
//! person sees and can do.
//!
//! Each test ends without complaints: no error on the console, no exception, nothing that the
//! page's policy forbids. How long a change took to reach the page is printed (`cargo test --test
//! browser -- --nocapture`).

#![allow(
    clippy::too_many_lines,
    reason = "a test is one scenario from beginning to end"
)]
#![allow(
    clippy::expect_used,
    clippy::panic,
    clippy::print_stdout,
    reason = "helpers of tests may fail a test and say why"
)]

#[path = "browser/axe.rs"]
mod axe;
#[path = "browser/chromium.rs"]
mod chromium;
#[path = "e2e/eventually.rs"]
mod eventually;
#[path = "browser/framed.rs"]
mod framed;
#[allow(dead_code, reason = "the end-to-end tests use more of it")]
#[path = "e2e/laboratory.rs"]
mod laboratory;
#[path = "browser/live.rs"]
mod live;
#[path = "browser/messages.rs"]
mod messages;
#[allow(dead_code, reason = "the end-to-end tests use more of it")]
#[path = "e2e/monitor.rs"]
mod monitor;
#[path = "browser/orders.rs"]
mod orders;
#[path = "browser/page.rs"]
mod page;
#[path = "browser/past.rs"]
mod past;
#[path = "browser/plain.rs"]
mod plain;
#[path = "browser/reach.rs"]
mod reach;
#[path = "browser/screenshots.rs"]
mod screenshots;
#[path = "support/tools.rs"]
mod tools;
