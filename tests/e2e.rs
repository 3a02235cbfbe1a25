//! The real program against the simulated laboratory, over real sockets: what a lab's admin, a
//! student and a maintainer would see.
//!
//! Waits have generous bounds, because the machine may be busy; how long things took is printed
//! (`cargo test --test e2e -- --nocapture`). `cargo test --release --test e2e -- --ignored
//! --nocapture measure` prints what it costs to run.

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

#[path = "e2e/access.rs"]
mod access;
#[path = "e2e/admin.rs"]
mod admin;
#[path = "e2e/alertmanager.rs"]
mod alertmanager;
#[path = "e2e/awkward.rs"]
mod awkward;
#[path = "e2e/book.rs"]
mod book;
#[path = "e2e/canary.rs"]
mod canary;
#[path = "e2e/commands.rs"]
mod commands;
#[path = "e2e/contract.rs"]
mod contract;
#[path = "e2e/deadman.rs"]
mod deadman;
#[path = "e2e/dialects.rs"]
mod dialects;
#[path = "support/disk.rs"]
mod disk;
#[path = "e2e/eventually.rs"]
mod eventually;
#[path = "openapi/support.rs"]
#[allow(dead_code, reason = "the tests of the documents use all of it")]
mod every_route;
#[path = "e2e/exim.rs"]
mod exim;
#[path = "e2e/experiments.rs"]
mod experiments;
#[cfg(debug_assertions)]
#[path = "e2e/faults.rs"]
mod faults;
#[path = "e2e/forms.rs"]
mod forms;
#[path = "e2e/health.rs"]
mod health;
#[path = "e2e/laboratory.rs"]
mod laboratory;
#[path = "e2e/mails.rs"]
mod mails;
#[path = "e2e/measure.rs"]
mod measure;
#[path = "e2e/measure_readers.rs"]
mod measure_readers;
#[path = "e2e/monitor.rs"]
mod monitor;
#[path = "e2e/orders.rs"]
mod orders;
#[path = "e2e/outages.rs"]
mod outages;
#[path = "e2e/pages.rs"]
mod pages;
#[path = "e2e/persistence.rs"]
mod persistence;
#[path = "e2e/places.rs"]
mod places;
#[path = "e2e/process.rs"]
mod process;
#[path = "e2e/proxy.rs"]
mod proxy;
#[path = "e2e/publication.rs"]
mod publication;
#[path = "e2e/reload.rs"]
mod reload;
#[path = "e2e/reports.rs"]
mod reports;
#[path = "e2e/restarts.rs"]
mod restarts;
#[path = "e2e/roles.rs"]
mod roles;
#[path = "e2e/services.rs"]
mod services;
#[path = "e2e/shadow.rs"]
mod shadow;
#[path = "e2e/smtp.rs"]
mod smtp;
#[path = "support/tools.rs"]
mod tools;
#[path = "e2e/webhook.rs"]
mod webhook;
