//! What clients without a token can see of the running program, and what they can do to it: nothing
//! private in any open answer or in the log, and no attack that hinders others.
//!
//! The attacks run scaled down; at full size, against the program that packages hold:
//! `scripts/attacks.sh`

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

#[path = "exposure/attacks.rs"]
mod attacks;
#[path = "e2e/eventually.rs"]
mod eventually;
#[path = "openapi/support.rs"]
#[allow(dead_code, reason = "the tests of the documents use all of it")]
mod every_route;
#[path = "e2e/laboratory.rs"]
#[allow(dead_code, reason = "the other end-to-end tests use all of it")]
mod laboratory;
#[path = "e2e/monitor.rs"]
#[allow(dead_code, reason = "the other end-to-end tests use all of it")]
mod monitor;
#[path = "exposure/peers.rs"]
mod peers;
#[path = "exposure/private.rs"]
mod private;

use std::time::Duration;

use jiff::Timestamp;
use labwatch::http::auth::{Authority, Grant, Issued, Scope};

/// What tokens of these tests are signed with.
const SECRET: &str = "the-s3cr3t-of-the-tests-of-exposure";

/// A token with this scope, of a maintainer of this name, for an hour.
fn issue(name: &str, scope: Scope) -> Issued {
    issue_for(name, scope, Duration::from_secs(3_600))
}

fn issue_for(name: &str, scope: Scope, life: Duration) -> Issued {
    let grant = Grant {
        name: name.to_owned(),
        scopes: [scope].into_iter().collect(),
        reports: vec!["*".to_owned()].try_into().expect("a name"),
        life,
    };
    Authority::new(&SECRET.into())
        .issue(&grant, Timestamp::now())
        .expect("issues")
}
